/* SPDX-License-Identifier: MIT */
/* stack/manifest-reader.h - what the parts of reading a berth.yaml share: faults, places, names to be looked up */
#pragma once

#include "base/yaml.h"
#include "stack/interpolate.h"
#include "stack/manifest-keys.h"

enum {
	BERTH_MANIFEST_READER_KEYS_MAX = 80, /* rows of one table */
};

/* A text in which {name} is filled in when its service is started. */
struct berth_manifest_use {
	size_t service;
	const char *text; /* borrowed from the tree, or from what the service owns */
	struct berth_mark at;
};

/* A service that another one names, before all of them are known. */
struct berth_manifest_reference {
	size_t service; /* that names it */
	const char *name; /* borrowed from the tree */
	struct berth_mark at;
	bool is_origin; /* in cors; else in depends_on */
	size_t origin; /* its place among the origins */
	enum berth_manifest_condition condition;
};

/* Where things stand that are checked only when all is read. */
struct berth_manifest_places {
	struct berth_mark keys[BERTH_MANIFEST_READER_KEYS_MAX]; /* of SERVICE's table; line 0: it is
								   not there */
	struct berth_mark values[BERTH_MANIFEST_READER_KEYS_MAX];
	struct berth_mark ports[BERTH_WISH_PORTS_MAX];
	bool has_image; /* or what else stands in the place of a command */
	bool has_retries; /* restart: on-failure:N */
	bool has_test; /* of healthcheck, which says when it is ready */
	bool disabled; /* likewise, which takes that back */
};

struct berth_manifest_reader {
	const char *text; /* of the file */
	size_t len;
	const struct berth_interpolate_source *source;
	struct berth_faults *faults;
	struct berth_manifest *manifest;
	size_t service; /* index of the one that is being read */

	struct berth_manifest_places *places; /* owned; of each service */
	struct berth_manifest_use *uses; /* owned */
	size_t use_count, use_size;
	struct berth_manifest_reference *references; /* owned */
	size_t reference_count, reference_size;
};

void berth_manifest_reader_deinit(struct berth_manifest_reader *reader);

/* The service that is being read. */
struct berth_manifest_service *berth_manifest_reader_service(
	const struct berth_manifest_reader *reader);
/* Where the value of @key of service @index stands; where it is not there, the service's own place. */
struct berth_mark berth_manifest_reader_place(const struct berth_manifest_reader *reader,
					      size_t index, const char *key);
bool berth_manifest_reader_has(const struct berth_manifest_reader *reader, size_t index,
			       const char *key);

/* "'workers' takes a number from 1 to 64, not 'x'": @what is what it takes. */
void berth_manifest_reader_refuse(struct berth_manifest_reader *reader,
				  const struct berth_manifest_key *key,
				  const struct berth_yaml_node *node, const char *what);
/* The text of a scalar; NULL: it is none, which was said. @what as above. Borrowed. */
const char *berth_manifest_reader_text(struct berth_manifest_reader *reader,
				       const struct berth_manifest_key *key,
				       const struct berth_yaml_node *node, const char *what);
/*
 * A scalar, or the scalars of a list: @index counts up from 0. 1 with @ret_item; 0: no more, or not
 * that, which was said.
 */
int berth_manifest_reader_item(struct berth_manifest_reader *reader,
			       const struct berth_manifest_key *key,
			       const struct berth_yaml_node *node, size_t index, const char *what,
			       const struct berth_yaml_node **ret_item);

/*
 * Fill in ${NAME} in all values at and below @node, but in no keys. @template: {port} means something
 * there, but not in what comes from a variable, which may be a password. -ENOMEM.
 */
BERTH_MUST_USE int berth_manifest_reader_expand(struct berth_manifest_reader *reader,
						struct berth_yaml_node *node, bool template);

/* Remember for the end. -ENOMEM. */
BERTH_MUST_USE int berth_manifest_reader_use(struct berth_manifest_reader *reader, const char *text,
					     struct berth_mark at);
BERTH_MUST_USE int berth_manifest_reader_refer(struct berth_manifest_reader *reader,
					       const struct berth_manifest_reference *reference);

/* Append @text to a NULL-terminated array that holds @count. -ENOMEM. */
BERTH_MUST_USE int berth_manifest_reader_append(char ***words, size_t count, const char *text);
