/* SPDX-License-Identifier: MIT */
/* base/faults.h - what is wrong with a file that a user wrote: each fault with its place */
#pragma once

#include "base/str.h"

/* A piece of a line, counted from 1, in bytes; line 0: of the file as a whole. */
struct berth_mark {
	unsigned int line, column, len;
};

struct berth_fault {
	struct berth_mark at;
	char text[256]; /* one line, lower case, no full stop; printable */
	char hint[192]; /* "" for none */
};

/*
 * Zero is an empty one. The first hundred are kept, the others only counted; what was said of a
 * place is not said again.
 */
struct berth_faults {
	struct berth_fault *items; /* owned */
	size_t count;
	size_t more; /* beyond those */
	size_t hint_to; /* counted from 1: the one that was added last; 0: it was not kept */
};

void berth_faults_add(struct berth_faults *faults, struct berth_mark at, const char *fmt, ...)
	BERTH_PRINTF(3, 4);
/* To the one that was added last. */
void berth_faults_hint(struct berth_faults *faults, const char *fmt, ...) BERTH_PRINTF(2, 3);
void berth_faults_deinit(struct berth_faults *faults);
/* Those that were only counted, too. */
size_t berth_faults_count(const struct berth_faults *faults);
/* Into the order of their places. */
void berth_faults_sort(struct berth_faults *faults);

/*
 * All of them as a compiler would say it, the hint behind a semicolon; @name is the file and @text
 * (@len bytes, NULL: not at hand) what it holds:
 *
 *   berth.yaml:4:5: 'prot' is no key of a service; did you mean 'port'?
 *        4 |     prot: 9000
 *          |     ^~~~
 *
 * Long lines are cut around the place; nothing of the file is printed raw.
 */
void berth_faults_format(const struct berth_faults *faults, const char *name, const char *text,
			 size_t len, struct berth_str *out);
