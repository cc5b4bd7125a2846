/* SPDX-License-Identifier: MIT */
/* stack/draft.h - a berth.yaml in the making: what `berth init` writes */
#pragma once

#include "port/range.h"
#include "service/name.h"

#include "base/str.h"

enum {
	BERTH_DRAFT_SERVICES_MAX = 256, /* as a manifest may have */
	BERTH_DRAFT_WHY_MAX = 512,
};

/*
 * Zero is an empty one. Services come one after the other, each with its keys in the order they are
 * added; `depth` of a key: 1 for one of the service, 2 for one within such a key. Out of memory is
 * remembered by the texts.
 */
struct berth_draft {
	struct berth_str services; /* what stands below `services:` */
	struct berth_str notes; /* what was left out or has to be looked at: one line each */
	char names[BERTH_DRAFT_SERVICES_MAX][BERTH_NAME_MAX];
	size_t count; /* of names */
	struct berth_portset ports[2]; /* that are wished: of TCP, of UDP */
	bool full; /* there were more services */
};
void berth_draft_deinit(struct berth_draft *draft);

/*
 * A name for a service that will come: @wanted made one, with "-2" where that is taken or no name
 * for a service (berth_manifest_is_word). Returns it (borrowed); NULL: there are too many, which is
 * noted once.
 */
const char *berth_draft_name(struct berth_draft *draft, const char *wanted);
/* Begin the service of that name. */
void berth_draft_begin(struct berth_draft *draft, const char *name);
/*
 * @port, or the next number that no service of the draft wishes for the same protocol, above it or
 * else below; remembered. 0 stays 0.
 */
uint16_t berth_draft_port(struct berth_draft *draft, uint16_t port, bool udp);

/* Take off what was written since draft->services.len was @mark, into @ret_text (NULL: away). */
void berth_draft_cut(struct berth_draft *draft, size_t mark, struct berth_str *ret_text);

/* Where a key stands that is to be looked at. */
struct berth_draft_place {
	const char *service; /* its name */
	const char *within; /* the key of the service that it stands in; NULL: it is such a key */
	const char *waiter; /* a service that waits until this one has completed; NULL: none */
};
/*
 * Keep what was written since draft->services.len was @mark, if a berth.yaml may have it: the
 * reader of one is asked. false: it was refused, and is taken off again; @ret_why tells. What names
 * a port or another service is always refused: those are not known here.
 */
bool berth_draft_keep(struct berth_draft *draft, size_t mark, const struct berth_draft_place *place,
		      char ret_why[BERTH_DRAFT_WHY_MAX]);

/*
 * "key: value", quoted where YAML needs it; @comment behind it (NULL: none). Bytes of @value that
 * are no UTF-8 become U+FFFD.
 */
void berth_draft_value(struct berth_draft *draft, int depth, const char *key, const char *value,
		       const char *comment);
/* The same with a @value of ours, as it is: a number, true. */
void berth_draft_plain(struct berth_draft *draft, int depth, const char *key, const char *value,
		       const char *comment);
/* "key: [a, b]" */
void berth_draft_list(struct berth_draft *draft, int depth, const char *key,
		      const char *const *values);
/* "key:"; what belongs to it follows, deeper. */
void berth_draft_open(struct berth_draft *draft, int depth, const char *key);
/* A line of comment; @text printable. */
void berth_draft_comment(struct berth_draft *draft, int depth, const char *text);
/* One line without newline; what came from a file goes through berth_str_printable() first. */
void berth_draft_note(struct berth_draft *draft, const char *fmt, ...) BERTH_PRINTF(2, 3);

/*
 * The whole file: a head that says from what it was made (@from: "package.json"), the services, and
 * what else there may be. @project: its name, "" for none. The caller frees it; NULL: out of
 * memory.
 */
char *berth_draft_finish(const struct berth_draft *draft, const char *from, const char *project);
