/* SPDX-License-Identifier: MIT */
/* os/procfs.h - what /proc says of a process */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A pid is no identity: it is given again. Pid and start time are one, within one boot.
 * Zero pid: none.
 */
struct berth_proc_id {
	pid_t pid;
	uint64_t start_ticks; /* proc_pid_stat(5) field 22, clock ticks since boot */
};

struct berth_proc_stat {
	struct berth_proc_id id;
	pid_t ppid;
	pid_t pgrp;
	pid_t session;
	char state; /* 'R', 'S', 'D', 'T', 'Z' ... of the thread group's leader */
	unsigned int threads; /* 'Z' and more than 1: only the leader ended, the process goes on */
	bool exiting; /* it runs no more, but may hold for a while what it had */
	char comm[32]; /* raw: may hold any byte but NUL; print it through base/str */
};

/* Reads /proc/PID/stat. -ESRCH when the process has gone (reaped). */
BERTH_MUST_USE int berth_procfs_stat(pid_t pid, struct berth_proc_stat *ret_stat);

/*
 * The text of such a file, pure. The name may hold ") Z 1": what counts is after the last
 * parenthesis. -EINVAL.
 */
BERTH_MUST_USE int berth_procfs_parse_stat(const char *text, size_t len,
					   struct berth_proc_stat *ret_stat);

struct berth_proc_status {
	pid_t tgid; /* of a thread id: the process it belongs to */
	uid_t uid; /* effective */
	unsigned int seccomp_filters; /* 0 also where the kernel does not tell (< 5.9) */
	uint64_t cap_eff;
};

/* Reads /proc/PID/status, for a thread id too. -ESRCH when gone. */
BERTH_MUST_USE int berth_procfs_status(pid_t pid, struct berth_proc_status *ret_status);

/*
 * Still the process that @id names, and not a zombie? Alive is also what lost only its leading
 * thread.
 */
bool berth_procfs_is_alive(const struct berth_proc_id *id);

/* 36 characters and NUL. */
BERTH_MUST_USE int berth_procfs_boot_id(char ret_id[37]);

/*
 * Seconds since the epoch, in ms, at which a process with @start_ticks began; from CLOCK_REALTIME
 * and CLOCK_BOOTTIME now, so it moves when the wall clock is set.
 */
int64_t berth_procfs_start_ms(uint64_t start_ticks);

/*
 * The arguments, NUL-separated, at most @size bytes (always NUL-terminated, cut when longer).
 * *ret_len without the last NUL; 0 for a kernel thread or a zombie. -ESRCH, -EACCES.
 */
BERTH_MUST_USE int berth_procfs_cmdline(pid_t pid, char *buf, size_t size, size_t *ret_len);

/*
 * The working folder, with " (deleted)" where it is; -EACCES where we may not look, -ENAMETOOLONG.
 */
BERTH_MUST_USE int berth_procfs_cwd(pid_t pid, char *buf, size_t size);

/*
 * Does the environment that the process was started with hold exactly @assignment
 * ("BERTH_ID=7f3k2m")? Looks at its first 8 MiB. -ESRCH, -EACCES.
 */
BERTH_MUST_USE int berth_procfs_environ_has(pid_t pid, const char *assignment, bool *ret_has);

/*
 * The wait channel ("ep_poll"), for a process that does not die; "" where it runs, or may not be
 * seen.
 */
BERTH_MUST_USE int berth_procfs_wchan(pid_t pid, char *buf, size_t size);

/*
 * Calls @fn for each process of the machine, lowest pid first, until it returns non-zero; returns
 * that, or -errno.
 */
BERTH_MUST_USE int berth_procfs_each(int (*fn)(pid_t pid, void *arg), void *arg);
/* All of them as a list, lowest first, the caller's to free. */
BERTH_MUST_USE int berth_procfs_load_pids(pid_t **ret_pids, size_t *ret_count);
