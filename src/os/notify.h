/* SPDX-License-Identifier: MIT */
/* os/notify.h - receive and answer the system calls of a service: seccomp_unotify(2) */
#pragma once

#include "base/attr.h"
#include "os/sock.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Made before fork(), installed in the child: libseccomp allocates, seccomp(2) does not. */
struct berth_notify_program {
	struct sock_filter *insns; /* owned */
	unsigned short len;
};

/* @with_connect: trap connect() too, from the start: a filter can't be added to a process later. */
BERTH_MUST_USE int berth_notify_program_new(bool with_connect,
					    struct berth_notify_program *ret_program);
void berth_notify_program_deinit(struct berth_notify_program *program);

/*
 * In the child, before exec(): async-signal-safe. *ret_fd reports what this process and all its
 * offspring do, and POLLHUP when the last of them has gone. no_new_privs is set only where the
 * kernel insists (no CAP_SYS_ADMIN). -EBUSY: somebody listens above us already.
 */
BERTH_MUST_USE int berth_notify_install(const struct berth_notify_program *program, int *ret_fd);

enum berth_notify_kind {
	BERTH_NOTIFY_BIND,
	BERTH_NOTIFY_LISTEN,
	BERTH_NOTIFY_CONNECT,
	BERTH_NOTIFY_SETSID, /* only to learn of a new session */
	BERTH_NOTIFY_LANDLOCK, /* landlock_restrict_self(): the caller gives up rights that we still
				  have */
	BERTH_NOTIFY_OTHER, /* nothing of ours: continue it */
};

struct berth_notify_call {
	uint64_t id; /* valid until answered, or the caller dies */
	pid_t tid; /* of the calling thread, as our pid namespace numbers it; 0: the caller is
		      outside of it */
	enum berth_notify_kind kind;
	int fd; /* the socket, as the caller numbers it */
	int backlog; /* of a listen() */
	uint64_t addr_ptr; /* in the caller's memory */
	uint32_t addr_len;
};

/* The next call; -ENOENT: it was withdrawn, there is none. */
BERTH_MUST_USE int berth_notify_recv(int notify_fd, struct berth_notify_call *ret_call);

/*
 * Is the caller still in that very call? Asked after whatever was read by its thread id: ids come
 * again.
 */
bool berth_notify_is_valid(int notify_fd, const struct berth_notify_call *call);

/*
 * Read the address of a bind() or connect(), checked by is_valid. -EAFNOSUPPORT: no internet
 * address; -EPERM, -ESRCH, -EFAULT: not readable by us; -ENOENT: the caller has gone.
 */
BERTH_MUST_USE int berth_notify_read_addr(int notify_fd, const struct berth_notify_call *call,
					  struct berth_addr *ret_addr);

/*
 * A duplicate of the caller's descriptor (pidfd_getfd), close-on-exec. -EPERM, -EBADF (it has
 * none), -ENOENT (gone).
 */
BERTH_MUST_USE int berth_notify_get_fd(int notify_fd, const struct berth_notify_call *call);

/*
 * Answer: the call returns 0, or fails with @error (-errno). Whether the caller still hears it is
 * its own affair.
 */
void berth_notify_answer(int notify_fd, const struct berth_notify_call *call, int error);

/* The kernel carries the call out as if it had not been trapped. */
void berth_notify_continue(int notify_fd, const struct berth_notify_call *call);

/*
 * Put a duplicate of our @fd in the place of the caller's descriptor call->fd, keeping its
 * close-on-exec flag as given. The caller is not answered by that.
 */
BERTH_MUST_USE int berth_notify_replace_fd(int notify_fd, const struct berth_notify_call *call,
					   int fd, bool cloexec);
