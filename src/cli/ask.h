/* SPDX-License-Identifier: MIT */
/* cli/ask.h - a question on the terminal, answered by one letter */
#pragma once

#include "cli/out.h"

/*
 * May the user be asked? Standard input and standard error are terminals, somebody reads what is
 * shown (no -q, no --json), and it is no CI.
 */
bool berth_ask_can(const struct berth_out *out);

/*
 * Ask @question, with a blank and the cursor behind it; again until the answer begins with one of
 * the letters @keys, in either case. Returns that letter as in @keys; @otherwise for an empty
 * answer, or at the end of input. Nothing behind the line is read: it is for whom we start.
 */
char berth_ask(struct berth_out *out, const char *question, const char *keys, char otherwise);
