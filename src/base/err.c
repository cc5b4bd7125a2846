/* SPDX-License-Identifier: MIT */
/* base/err.c - an error as the user will read it: code, message, hint */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int exit;
} codes[] = {
#define X(id, name, exit) [BERTH_ERR_##id] = { name, exit },
	BERTH_ERR_CODES(X)
#undef X
};

_Static_assert(BERTH_ARRAY_SIZE(codes) == BERTH_ERR_CODE_COUNT_, "one row per code");

int berth_err_set(struct berth_err *err, int r, enum berth_err_code code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return r;
	err->code = code;
	err->hint[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return r;
}

int berth_err_errno(struct berth_err *err, int r, const char *fmt, ...)
{
	size_t len;
	va_list ap;

	if (!err)
		return r;
	err->code = r == -EPERM || r == -EACCES ? BERTH_ERR_DENIED : BERTH_ERR_INTERNAL;
	err->hint[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", strerror(-r));
	return r;
}

int berth_err_wrap(struct berth_err *err, int r, const char *fmt, ...)
{
	char old[sizeof(err->msg)];
	size_t len;
	va_list ap;

	if (!err)
		return r;
	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", old);
	return r;
}

void berth_err_hint(struct berth_err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return;
	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
}

const char *berth_err_code_name(enum berth_err_code code)
{
	return codes[code].name;
}

int berth_err_code_exit(enum berth_err_code code)
{
	return codes[code].exit;
}
