/* SPDX-License-Identifier: MIT */
/* stack/manifest-keys.c - every key of berth.yaml: its name, what it takes, where that goes */
#include "stack/manifest-keys.h"

#include <string.h>

#include "base/str.h"
#include "service/defaults.h"

/* clang-format off */
#define FITS_(type, wanted)  __builtin_types_compatible_p(type, wanted)
#define FITS_FLAG(type)      FITS_(type, bool)
#define FITS_COUNT(type)     FITS_(type, unsigned int)
#define FITS_U16(type)       FITS_(type, uint16_t)
#define FITS_MS(type)        FITS_(type, int64_t)
#define FITS_NS(type)        FITS_(type, int64_t)
#define FITS_SIZE(type)      FITS_(type, int64_t)
#define FITS_WORD(type)      (sizeof(type) == sizeof(unsigned int))
#define FITS_SIGNAL(type)    FITS_(type, int)
#define FITS_RANGE(type)     FITS_(type, struct berth_range)
#define FITS_TEXT(type)      FITS_(type, char *)
#define FITS_TEXTS(type)     FITS_(type, char **)
#define FITS_NAME(type)      FITS_(type, char[BERTH_NAME_MAX])
#define FITS_NAMES(type)     FITS_(type, char **)
#define FITS_VARIABLE(type)  FITS_(type, char *)
#define FITS_SCHEME(type)    FITS_(type, char *)
#define FITS_SKIP(type)      FITS_(type, char *)
#define FITS_COMMAND(type)   FITS_(type, struct berth_manifest_command)

/* 0; an array of negative size where the member is not of the type that the kind writes. */
#define CHECK_(fits) (sizeof(char[(fits) ? 1 : -1]) - 1)
#define TYPE_(type, member) __typeof__(((type *)0)->member)
#define IN(kind, type, member) \
	BERTH_MANIFEST_T_##kind, \
	offsetof(type, member) + CHECK_(FITS_##kind(TYPE_(type, member)))
#define AT(kind, member)   IN(kind, struct berth_manifest_service, member)
#define FORM(kind)         BERTH_MANIFEST_T_##kind, 0
/* clang-format on */

static const char *const steer_words[] = { "all", "declared", "bind", "off", NULL };

static const struct berth_manifest_key top_keys[] = {
	{ "project", IN(NAME, struct berth_manifest, project) },
	{ "services", FORM(SERVICES) },
	{ "profiles", FORM(PROFILES) },

	{ "name", FORM(REFUSED), .hint = "it is called 'project' here" },
	{ "version", FORM(REFUSED), .hint = "leave it out" },
	{ "service", FORM(REFUSED), .hint = "it is called 'services' here" },
	{ "networks", FORM(REFUSED),
	  .hint = "leave it out: services reach each other on localhost" },
	{ "volumes", FORM(REFUSED),
	  .hint = "leave it out: services see the files of this machine" },
	{ "configs", FORM(REFUSED), .hint = "leave it out, and use env_file or plain files" },
	{ "secrets", FORM(REFUSED), .hint = "leave it out, and use env_file or plain files" },
	{ "include", FORM(REFUSED), .hint = "leave it out: one folder has one file" },
	{ 0 },
};

static const struct berth_manifest_key service_keys[] = {
	{ "command", AT(COMMAND, command), .shell = true },
	{ "stop_command", AT(COMMAND, stop_command), .shell = true },
	{ "working_dir", AT(TEXT, working_dir) },
	{ "environment", FORM(ENVIRONMENT) },
	{ "env_file", AT(TEXTS, env_files) },
	{ "depends_on", FORM(DEPENDS) },
	{ "profiles", AT(NAMES, profiles) },

	{ "port", FORM(PORT) },
	{ "ports", FORM(PORTS) },
	{ "range", AT(RANGE, wish.range) },
	{ "step", AT(U16, wish.step), .min = 1, .max = 10000 },
	{ "around", AT(U16, wish.around), .min = 1, .max = 30000 },
	{ "any", AT(FLAG, wish.any) },
	{ "strict", AT(FLAG, wish.strict) },
	{ "skip", AT(SKIP, skip) },
	{ "scheme", AT(SCHEME, scheme) },
	{ "links", FORM(LINKS) },
	{ "cors", FORM(CORS), .level = BERTH_MANIFEST_LEVEL_CORS },

	{ "workers", AT(COUNT, workers), .min = 1, .max = BERTH_WORKERS_MAX },
	{ "instances", AT(COUNT, instances), .min = 1, .max = BERTH_INSTANCES_MAX },
	{ "outside", AT(FLAG, outside) },
	{ "loopback", AT(FLAG, loopback) },
	{ "steer", AT(WORD, steer), .words = steer_words, .base = BERTH_STEER_ALL },

	{ "ready", FORM(READY), .shell = true },
	{ "live", FORM(LIVE), .shell = true },
	{ "probe", FORM(MAP), .level = BERTH_MANIFEST_LEVEL_PROBE },
	{ "healthcheck", FORM(MAP), .level = BERTH_MANIFEST_LEVEL_HEALTHCHECK, .twin = true },
	{ "start_timeout", AT(NS, policy.start_timeout_ns), .min = 1 },

	{ "restart", FORM(RESTART) },
	{ "backoff", AT(NS, policy.backoff_ns) },
	{ "backoff_max", AT(NS, policy.backoff_max_ns) },
	{ "restart_limit", FORM(LIMIT), .max = BERTH_SERVICE_LIMIT_MAX },
	{ "hold", AT(MS, hold_ms) },
	{ "stop_signal", AT(SIGNAL, stop_signal) },
	{ "stop_grace_period", AT(NS, policy.grace_ns) },
	{ "log", FORM(MAP), .level = BERTH_MANIFEST_LEVEL_LOG },

	/* Compose's, that berth does not do. */
	{ "image", FORM(REFUSED),
	  .hint = "command: docker run --rm --name {id} -p {port}:80 IMAGE, with outside: true" },
	{ "build", FORM(REFUSED),
	  .hint = "build the image beforehand; command: docker run --rm --name {id} ..." },
	{ "entrypoint", FORM(REFUSED), .hint = "all of it is 'command' here" },
	{ "container_name", FORM(REFUSED), .hint = "leave it out; {id} names a container" },
	{ "hostname", FORM(REFUSED), .hint = "leave it out; {host} is the name of this machine" },
	{ "expose", FORM(REFUSED), .hint = "write the port as 'port'" },
	{ "networks", FORM(REFUSED),
	  .hint = "leave it out: services reach each other on localhost" },
	{ "network_mode", FORM(REFUSED),
	  .hint = "leave it out: services reach each other on localhost" },
	{ "volumes", FORM(REFUSED), .hint = "leave it out, or docker run -v within 'command'" },
	{ "deploy", FORM(REFUSED), .hint = "for replicas write 'instances'" },
	{ "scale", FORM(REFUSED), .hint = "it is called 'instances' here" },
	{ "replicas", FORM(REFUSED), .hint = "it is called 'instances' here" },
	{ "extends", FORM(REFUSED), .hint = "use an anchor: <<: *name" },
	{ "secrets", FORM(REFUSED), .hint = "leave it out, and use env_file or plain files" },
	{ "configs", FORM(REFUSED), .hint = "leave it out, and use env_file or plain files" },
	{ "user", FORM(REFUSED), .hint = "leave it out: services run as you do" },
	{ "logging", FORM(REFUSED), .hint = "it is called 'log' here: {size: 10M, files: 5}" },
	{ "init", FORM(REFUSED), .hint = "leave it out: nothing of a service stays behind" },
	{ "tty", FORM(REFUSED), .hint = "leave it out" },
	{ "stdin_open", FORM(REFUSED), .hint = "leave it out" },
	{ "labels", FORM(REFUSED), .hint = "leave it out" },
	{ "pull_policy", FORM(REFUSED), .hint = "leave it out" },
	{ "platform", FORM(REFUSED), .hint = "leave it out" },
	{ "privileged", FORM(REFUSED), .hint = "leave it out: services run as you do" },
	{ "extra_hosts", FORM(REFUSED), .hint = "leave it out, or use /etc/hosts" },

	/* What others call ours. */
	{ "env", FORM(REFUSED), .hint = "it is called 'environment' here" },
	{ "cmd", FORM(REFUSED), .hint = "it is called 'command' here" },
	{ "cwd", FORM(REFUSED), .hint = "it is called 'working_dir' here" },
	{ "directory", FORM(REFUSED), .hint = "it is called 'working_dir' here" },
	{ "needs", FORM(REFUSED), .hint = "it is called 'depends_on' here" },
	{ "grace", FORM(REFUSED), .hint = "it is called 'stop_grace_period' here" },
	{ "autorestart", FORM(REFUSED), .hint = "it is called 'restart' here" },
	{ 0 },
};

static const struct berth_manifest_key healthcheck_keys[] = {
	{ "test", FORM(TEST), .shell = true },
	{ "interval", AT(MS, probe.period_ms), .min = 100, .twin = true },
	{ "timeout", AT(MS, probe.timeout_ms), .min = 1, .twin = true },
	{ "retries", AT(COUNT, probe.failure_threshold), .min = 1, .max = 1000, .twin = true },
	/* Failures before the first success never count here. */
	{ "start_period", FORM(IGNORED), .twin = true },
	{ "start_interval", FORM(IGNORED), .twin = true },
	{ "disable", FORM(DISABLE), .twin = true },
	{ 0 },
};

static const struct berth_manifest_key probe_keys[] = {
	{ "initial_delay", AT(MS, probe.initial_delay_ms) },
	{ "period", AT(MS, probe.period_ms), .min = 100 },
	{ "timeout", AT(MS, probe.timeout_ms), .min = 1 },
	{ "success_threshold", AT(COUNT, probe.success_threshold), .min = 1, .max = 1000 },
	{ "failure_threshold", AT(COUNT, probe.failure_threshold), .min = 1, .max = 1000 },
	{ 0 },
};

static const struct berth_manifest_key log_keys[] = {
	{ "size", AT(SIZE, log.size), .min = 64 * 1024 },
	{ "files", AT(COUNT, log.files), .min = 1, .max = 1000 },
	{ "age", AT(MS, log.age_ms), .min = 60 * 1000 },
	{ 0 },
};

static const struct berth_manifest_key cors_keys[] = {
	{ "origins", FORM(ORIGINS) },
	{ "variable", AT(VARIABLE, origins_variable) },
	{ 0 },
};

static const struct berth_manifest_key dependency_keys[] = {
	{ "condition", FORM(CONDITION) },
	{ "restart", FORM(REFUSED), .hint = "leave it out" },
	{ "required", FORM(REFUSED), .hint = "leave it out: what a service depends on is started" },
	{ 0 },
};

static const struct berth_manifest_key profile_keys[] = {
	{ "range", IN(RANGE, struct berth_manifest_profile, range) },
	{ 0 },
};

static const struct {
	const struct berth_manifest_key *keys;
	bool own;
} levels[] = {
	[BERTH_MANIFEST_LEVEL_TOP] = { top_keys, true },
	[BERTH_MANIFEST_LEVEL_SERVICE] = { service_keys, true },
	[BERTH_MANIFEST_LEVEL_HEALTHCHECK] = { healthcheck_keys },
	[BERTH_MANIFEST_LEVEL_PROBE] = { probe_keys },
	[BERTH_MANIFEST_LEVEL_LOG] = { log_keys },
	[BERTH_MANIFEST_LEVEL_CORS] = { cors_keys },
	[BERTH_MANIFEST_LEVEL_DEPENDENCY] = { dependency_keys },
	[BERTH_MANIFEST_LEVEL_PROFILE] = { profile_keys },
};
_Static_assert(BERTH_ARRAY_SIZE(levels) == BERTH_MANIFEST_LEVEL_COUNT_, "a table for each level");

const struct berth_manifest_key *berth_manifest_keys(enum berth_manifest_level level)
{
	return levels[level].keys;
}

const struct berth_manifest_key *berth_manifest_keys_find(enum berth_manifest_level level,
							  const char *name)
{
	for (const struct berth_manifest_key *key = levels[level].keys; key->name; key++) {
		if (!strcmp(key->name, name))
			return key;
	}
	return NULL;
}

const char *berth_manifest_keys_closest(enum berth_manifest_level level, const char *name)
{
	const char *words[BERTH_ARRAY_SIZE(service_keys)] = { NULL };
	size_t count = 0;

	for (const struct berth_manifest_key *key = levels[level].keys; key->name; key++) {
		if (key->type != BERTH_MANIFEST_T_REFUSED)
			words[count++] = key->name;
	}
	return berth_str_closest(name, words);
}

const char *berth_manifest_keys_of(enum berth_manifest_level level)
{
	static const char *const whats[] = {
#define X(id, what) [BERTH_MANIFEST_LEVEL_##id] = what,
		BERTH_MANIFEST_LEVELS(X)
#undef X
	};

	return whats[level];
}

bool berth_manifest_keys_allows_own(enum berth_manifest_level level, const char *name)
{
	return levels[level].own && !strncmp(name, "x-", 2);
}
