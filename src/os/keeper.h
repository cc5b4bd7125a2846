/* SPDX-License-Identifier: MIT */
/* os/keeper.h - a small process above a tree that lives beside others */
#pragma once

#include "base/attr.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Used by os/child.c, where the contract stands: berth_child_spec.keep, berth_child_keeper_next().
 */

/*
 * In a process cloned for it: subreaper, deaf to signals, and gone with @parent, before there is
 * anything to keep.
 */
void berth_keeper_prepare(pid_t parent);

/*
 * Give back heap and stack of the process that we are a copy of, but for the pages around @frame
 * (__builtin_frame_address(0)): a function that never returns, and needs nothing of either.
 */
void berth_keeper_shed(uintptr_t frame);

/*
 * From then on, until no child is left: close all but @fd, with @shed give back memory, wait. What
 * happens to @command, our child, is told over @fd (SOCK_SEQPACKET).
 */
BERTH_NORETURN void berth_keeper_run(int fd, pid_t command, bool shed);

/*
 * At the other end (non-blocking): 1 and how a child has changed, as waitid(2) tells it (si_pid,
 * si_code, si_status); 0: the keeper has gone; -EAGAIN.
 */
BERTH_MUST_USE int berth_keeper_recv(int fd, siginfo_t *ret_info);
