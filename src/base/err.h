/* SPDX-License-Identifier: MIT */
/* base/err.h - an error as the user will read it: code, message, hint */
#pragma once

#include "base/attr.h"

/*
 * The closed list of error codes of the JSON output, with the exit code of each. berth(1) lists the
 * same names; tests hold the two together.
 */
#define BERTH_ERR_CODES(X) \
	X(NONE, "none", 0) \
	X(USAGE, "usage", 2) \
	X(CONFIG, "config", 2) \
	X(NOT_FOUND, "not-found", 3) \
	X(NOT_RUNNING, "not-running", 3) \
	X(ALREADY_RUNNING, "already-running", 4) \
	X(NO_PORT, "no-port", 75) \
	X(START_FAILED, "start-failed", 1) \
	X(NOT_READY, "not-ready", 1) \
	X(TIMEOUT, "timeout", 124) \
	X(REFUSED, "refused", 1) \
	X(DENIED, "denied", 1) \
	X(UNSUPPORTED, "unsupported", 1) \
	X(INTERNAL, "internal", 1)

enum berth_err_code {
#define X(id, name, exit) BERTH_ERR_##id,
	BERTH_ERR_CODES(X)
#undef X
	BERTH_ERR_CODE_COUNT_,
};

/*
 * On the caller's stack, fixed size, so that reporting can't fail. NONE until something sets it; a
 * message is one line without "berth:" and without a final full stop, lower case, cause last.
 */
struct berth_err {
	enum berth_err_code code;
	char msg[1024];
	char hint[512]; /* empty: nothing the user could do about it */
};

/*
 * Set @err (NULL allowed) and return @r unchanged, so that `return berth_err_set(...)` is the whole
 * error path.
 * @r is 0 < a named outcome or -errno < 0. A second set overwrites the first, its hint included.
 */
int berth_err_set(struct berth_err *err, int r, enum berth_err_code code, const char *fmt, ...)
	BERTH_PRINTF(4, 5);

/*
 * -errno with its strerror() as the cause: "cannot read '/x': Permission denied". Code INTERNAL, or
 * DENIED for EPERM/EACCES.
 */
int berth_err_errno(struct berth_err *err, int r, const char *fmt, ...) BERTH_PRINTF(3, 4);

/* Put "context: " in front of the message. Returns @r. */
int berth_err_wrap(struct berth_err *err, int r, const char *fmt, ...) BERTH_PRINTF(3, 4);

/* What the user can do about it. Returns nothing: it follows a set. */
void berth_err_hint(struct berth_err *err, const char *fmt, ...) BERTH_PRINTF(2, 3);

/* "no-port" for BERTH_ERR_NO_PORT; never NULL. */
const char *berth_err_code_name(enum berth_err_code code);

/* The exit code that berth(1) documents for @code. */
int berth_err_code_exit(enum berth_err_code code);
