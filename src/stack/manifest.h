/* SPDX-License-Identifier: MIT */
/*
 * stack/manifest.h - the services of a project, as berth.yaml or a Procfile describes them, in two
 * files: manifest.c the services, manifest-read.c from a berth.yaml to them
 */
#pragma once

#include "base/faults.h"
#include "os/logfile.h"
#include "port/wish.h"
#include "service/check.h"
#include "service/name.h"
#include "service/state.h"
#include "stack/interpolate.h"
#include "steer/decide.h"

enum {
	BERTH_MANIFEST_SERVICES_MAX = 256,
	BERTH_MANIFEST_PROFILES_MAX = 32,
	BERTH_MANIFEST_WORDS_MAX = 1000, /* of a command */
	/* A time that the manifest does not give, so that others may: config.yaml, or the default. */
	BERTH_MANIFEST_UNSAID = -1,
};

/* Exactly one of the two, or neither: no command. Braces are not filled in yet. */
struct berth_manifest_command {
	char *text; /* owned; for a shell, where it needs one */
	char **argv; /* owned, NULL-terminated; never given to a shell */
	struct berth_mark at;
};

struct berth_manifest_variable {
	char *name; /* owned */
	char *value; /* owned; NULL: as it is in berth's own environment, if it is there */
	char *written; /* owned; the value with ${NAME} not yet filled in, for showing it; NULL: it
			  has none */
	struct berth_mark at;
};

/* Compose's service_started, service_healthy, service_completed_successfully are understood too. */
#define BERTH_MANIFEST_CONDITIONS(X) \
	X(STARTED, "started") \
	X(READY, "ready") \
	X(COMPLETED, "completed")

enum berth_manifest_condition {
#define X(id, name) BERTH_MANIFEST_##id,
	BERTH_MANIFEST_CONDITIONS(X)
#undef X
	BERTH_MANIFEST_CONDITION_COUNT_,
};
const char *berth_manifest_condition_name(enum berth_manifest_condition condition);

struct berth_manifest_dependency {
	size_t service; /* index */
	enum berth_manifest_condition condition;
	struct berth_mark at;
};

/* Whose pages a service answers: those of a service, of a localhost port, or of an origin. */
struct berth_manifest_origin {
	size_t service; /* index, (size_t)-1: none */
	uint16_t port; /* 0: none */
	char *origin; /* owned; "https://app.example"; NULL: none */
};

struct berth_manifest_link {
	char *name, *path; /* owned; docs, /docs */
};

struct berth_manifest_service {
	char name[BERTH_NAME_MAX];
	struct berth_mark at;
	struct berth_manifest_command command, stop_command;
	char *working_dir; /* owned; below the manifest's folder or absolute; NULL: that folder */

	struct berth_manifest_variable *environment; /* owned; a name comes once */
	size_t environment_count;
	char **env_files; /* owned, NULL-terminated; NULL: none */

	struct berth_manifest_dependency *depends; /* owned */
	size_t depend_count;

	struct berth_wish wish;
	bool no_port;
	char *skip; /* owned; NULL: none */
	char *scheme; /* owned; of its URLs; "none": it has none; NULL: by the wished number */
	struct berth_manifest_link *links; /* owned */
	size_t link_count;
	struct berth_manifest_origin *origins; /* owned */
	size_t origin_count;
	char *origins_variable; /* owned; NULL: BERTH_CORS_ORIGINS */

	unsigned int workers, instances; /* at least 1 */
	bool outside; /* its port is bound by a process that is not ours */
	bool loopback;
	enum berth_steer_scope steer;
	struct berth_check ready, live; /* arguments are owned by `texts` */
	struct berth_check_timing probe;
	struct berth_service_policy policy; /* grace_ns may be BERTH_MANIFEST_UNSAID */
	int stop_signal;
	int64_t hold_ms;
	struct berth_logfile_limits log;

	char **profiles; /* owned, NULL-terminated: only with one of those; NULL: always */
	char **texts; /* owned, NULL-terminated: what checks point into */
};

/* Ranges of two profiles never overlap. */
struct berth_manifest_profile {
	char name[BERTH_NAME_MAX];
	struct berth_range range; /* lo 0: none */
	struct berth_mark at;
};

/* Zero is an empty one. */
struct berth_manifest {
	char project[BERTH_NAME_MAX]; /* "": named after its folder */
	struct berth_manifest_service *services; /* owned, in the file's order */
	size_t service_count;
	struct berth_manifest_profile *profiles; /* owned */
	size_t profile_count;
};

/*
 * berth.yaml, all of it checked: types, names, cycles, two services that wish one port, ranges that
 * are too small for their instances, templates that nobody can fill in. 0; -EINVAL with everything
 * that is wrong in @faults, and *ret_manifest untouched; -ENOMEM. Pure: no file is looked at.
 */
BERTH_MUST_USE int berth_manifest_parse(const char *text, size_t len, struct berth_faults *faults,
					struct berth_manifest *ret_manifest);
/* The same with values for ${NAME}, which are "" above. */
BERTH_MUST_USE int berth_manifest_parse_with(const char *text, size_t len,
					     const struct berth_interpolate_source *source,
					     struct berth_faults *faults,
					     struct berth_manifest *ret_manifest);
void berth_manifest_deinit(struct berth_manifest *manifest);

/* One service with the defaults that `berth run` has, too: what no key says. */
void berth_manifest_service_init(struct berth_manifest_service *service, const char *name);
/* A new one at the end, initialised; NULL: out of memory. It may move those before. */
struct berth_manifest_service *berth_manifest_add(struct berth_manifest *manifest,
						  const char *name);
/*
 * Is @name one of those that a template has for the service itself, as in {port}? No service of a
 * berth.yaml has such a name: {port} would no longer tell what it means.
 */
bool berth_manifest_is_word(const char *name);
/* Its index, or -1. */
int berth_manifest_find(const struct berth_manifest *manifest, const char *name);
/* The profile @name (NULL: none) where it has a range: a place apart. NULL: all are where they wish. */
const struct berth_manifest_profile *berth_manifest_find_range(
	const struct berth_manifest *manifest, const char *name);

/*
 * All services in the order of their start: each behind those it depends on, otherwise as in the
 * file. @ret_order holds service_count indices. -ELOOP: a cycle; *ret_loop is one of its members.
 */
BERTH_MUST_USE int berth_manifest_order(const struct berth_manifest *manifest, size_t *ret_order,
					size_t *ret_loop);
