/* SPDX-License-Identifier: MIT */
/* cli/complete.h - what could stand at the cursor of a shell: pure over the command tables */
#pragma once

#include "cli/opt.h"

/* Where words come from, and where they go. A callback that returns non-zero ends it all. */
struct berth_complete_spec {
	const struct berth_cmd *const *cmds; /* NULL-terminated */
	const struct berth_cmd *(*find)(
		const char *word); /* the command a word means; aliases too */
	/* Takes a word that fits what was typed, and a line about it ("": none). Both borrowed. */
	int (*offer)(const char *word, const char *help, void *arg);
	/* Calls @offer with @offer_arg for each name of a service and each leased port. */
	int (*services)(int (*offer)(const char *word, const char *help, void *offer_arg),
			void *offer_arg);
	void *arg; /* of @offer */
};

/* What the shell should offer by itself, beside the words: NONE, FILE, FOLDER or FOREIGN. */
struct berth_complete_rest {
	enum berth_opt_complete what;
	size_t foreign; /* FOREIGN: index in the words of the foreign command's first one */
};

/*
 * @words: the words of the line after "berth" up to the cursor, NULL-terminated; the last one is
 * the one being typed, "" when it has not begun. Returns 0, or what a callback returned to stop.
 */
BERTH_MUST_USE int berth_complete(const struct berth_complete_spec *spec, const char *const *words,
				  struct berth_complete_rest *ret_rest);
