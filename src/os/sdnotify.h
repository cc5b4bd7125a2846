/* SPDX-License-Identifier: MIT */
/* os/sdnotify.h - what a service says of itself: both ends of sd_notify(3) */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <sys/types.h>

enum {
	BERTH_SDNOTIFY_NAME_SIZE = 64,
	BERTH_SDNOTIFY_STATUS_SIZE = 256,
	BERTH_SDNOTIFY_MESSAGE_MAX = 4096, /* bytes; longer ones are dropped whole */
};

/* What was not said is false, 0 or "". */
struct berth_sdnotify_message {
	pid_t pid; /* of the sender, as the kernel says; 0: it has none in our pid namespace */
	uid_t uid;
	bool ready, stopping, reloading; /* READY=1, STOPPING=1, RELOADING=1 */
	bool watchdog; /* WATCHDOG=1: it lives */
	bool failed; /* WATCHDOG=trigger: it wants to be treated as hung */
	pid_t mainpid; /* MAINPID=, as the sender numbers it: not checked at all */
	bool has_status;
	char status
		[BERTH_SDNOTIFY_STATUS_SIZE]; /* STATUS=, printable, may be cut; "" takes it back */
};

/*
 * A socket (close-on-exec, non-blocking) with an abstract name, so that no file remains. @ret_name
 * is the value of NOTIFY_SOCKET, "@berth/UID/notify/RANDOM". Who shares our network namespace can
 * send to it, other users too. Returns the descriptor, or -errno.
 */
BERTH_MUST_USE int berth_sdnotify_open(char ret_name[BERTH_SDNOTIFY_NAME_SIZE]);

/*
 * Take one message. Descriptors that come along never enter our table: FDSTORE=1 is refused in
 * this way, and BARRIER=1 (sd_notify_barrier(3)) answered. Whether the sender is of the service is
 * for the caller to find out by its pid, which may have ended meanwhile. 0; -EAGAIN: none; -EBADMSG:
 * one was dropped (too long, or nobody says who sent it), the next may be there; -errno.
 */
BERTH_MUST_USE int berth_sdnotify_recv(int fd, struct berth_sdnotify_message *ret_message);

/*
 * The text of a message: lines of NAME=VALUE, the last one of a name counts; what is unknown or
 * malformed is passed over. @message gets all but the sender.
 */
void berth_sdnotify_parse(const char *text, size_t len, struct berth_sdnotify_message *message);

/*
 * Say @text ("READY=1") to whoever has started us and wants to hear it: NOTIFY_SOCKET, a path or
 * "@abstract". 0, also where nobody does; -errno.
 */
int berth_sdnotify_send(const char *text);
