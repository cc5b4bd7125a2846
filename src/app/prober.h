/* SPDX-License-Identifier: MIT */
/* app/prober.h - carry out one probe, tcp, http or exec, in the supervisor's loop */
#pragma once

#include "app/aside.h"
#include "base/attr.h"
#include "os/loop.h"
#include "os/sock.h"
#include "port/lease.h"
#include "service/check.h"

#include <stdbool.h>
#include <stdint.h>

/* A listening socket of the service. */
struct berth_prober_listener {
	struct berth_addr addr; /* with the port */
	uint64_t inode;
	bool other; /* another worker's alone: what it answers is no answer of the one who is asked */
};

/* All of it is borrowed for the call of berth_prober_start() only. */
struct berth_prober_spec {
	const struct berth_check *check; /* TCP, HTTP or EXEC */
	const struct berth_prober_listener *listeners; /* all that it has on this port */
	/*
	 * Not 0: of a service whose port is bound by a process that is not ours. Whoever answers on
	 * loopback at this number is asked, v4 first, and @listeners are not looked at. TCP: who
	 * accepts and closes at once has nobody behind it (docker-proxy before its container listens).
	 */
	uint16_t outside;
	const struct berth_aside_spec *command; /* EXEC; its outputs are the prober's */
	size_t count;
	struct berth_lease *lease; /* leads the probe past others in a group, and outlives it; NULL:
				      nothing does */
	int64_t timeout_ms;
};

enum berth_prober_outcome {
	BERTH_PROBER_FAILED,
	BERTH_PROBER_OK,
	BERTH_PROBER_UNCLEAR, /* another worker may have answered */
};

/* Positive outcome of berth_prober_start(). */
enum {
	BERTH_PROBER_E_OTHERS = 1, /* another worker would answer, or might: nothing has begun */
};

struct berth_prober_call;
struct berth_prober_exec;

/* Zero is one that rests. */
struct berth_prober {
	struct berth_prober_call *call; /* owned; NULL: it rests, or executes */
	struct berth_prober_exec *exec; /* owned; NULL: it does not */
	int64_t deadline_ns; /* see berth_prober_deadline() */
};

/*
 * Begin a probe; one that is under way is cancelled. @fn is called once, never from within this
 * call, unless it is cancelled before: @outcome, and @why in one printable line ("HTTP 200", "connection
 * refused"). It may start the prober again, cancel it, or free what it is embedded in. The
 * connection may live on a little after that, until the other side has closed it.
 * E_OTHERS, @fn is not called; -errno: it could not be begun for a reason of our own (-EMFILE ...), @fn is not called; -EINVAL:
 * a check of another kind.
 */
BERTH_MUST_USE int berth_prober_start(struct berth_prober *prober, struct berth_loop *loop,
				      const struct berth_prober_spec *spec, int64_t now_ns,
				      void (*fn)(struct berth_prober *prober,
						 enum berth_prober_outcome outcome, const char *why,
						 void *arg),
				      void *arg);

/* Is a result still to come? */
bool berth_prober_is_busy(const struct berth_prober *prober);

/* When berth_prober_expire() is due (the caller's timer); INT64_MAX: never. */
int64_t berth_prober_deadline(const struct berth_prober *prober);
/* Harmless before its time. Calls @fn with a result that was still to come. */
void berth_prober_expire(struct berth_prober *prober, int64_t now_ns);

/* Of a command with a filter that is under way: the caller's from then on; -1: none. */
int berth_prober_take_notify(struct berth_prober *prober);
/* What a command's processes hang below; 0: none is under way. */
pid_t berth_prober_keeper(const struct berth_prober *prober);

/* Close or kill all of it, @fn is not called. Harmless on one that rests. */
void berth_prober_cancel(struct berth_prober *prober);

/*
 * Where to connect: of all that it listens on itself, 127.0.0.1 if that reaches it, else [::1],
 * else the address itself. False: it listens nowhere.
 */
bool berth_prober_target(const struct berth_prober_listener *listeners, size_t count,
			 struct berth_addr *ret_target);

/* prober-answer.c */

/*
 * The status of an answer of which the first @len bytes are here, interim ones (1xx) passed over.
 * 0; -EAGAIN: not all of the line has come; -EPROTO: not HTTP/1.
 */
BERTH_MUST_USE int berth_prober_parse_status(const char *text, size_t len,
					     unsigned int *ret_status);

/* Between prober.c, prober-look.c and prober-exec.c; for nobody else. */

enum {
	BERTH_PROBER_WHY_SIZE = 192
};

/*
 * Do connections to @target reach the one who is asked, and nobody else? FAILED: @why not. UNCLEAR:
 * they may reach others of the service. *ret_own is its own socket among those that they may reach;
 * 0: none.
 */
enum berth_prober_outcome berth_prober_look(const struct berth_addr *target,
					    const struct berth_prober_listener *listeners,
					    size_t count, char why[BERTH_PROBER_WHY_SIZE],
					    uint64_t *ret_own);

/* Of a prober that rests; else as the functions without "exec". */
BERTH_MUST_USE int berth_prober_exec_start(struct berth_prober *prober, struct berth_loop *loop,
					   const struct berth_prober_spec *spec, int64_t now_ns,
					   void (*fn)(struct berth_prober *prober,
						      enum berth_prober_outcome outcome,
						      const char *why, void *arg),
					   void *arg);
void berth_prober_exec_cancel(struct berth_prober *prober);
void berth_prober_exec_expire(struct berth_prober *prober);
