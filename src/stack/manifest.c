/* SPDX-License-Identifier: MIT */
/* stack/manifest.c - the services of a project, as berth.yaml or a Procfile describes them */
#include "stack/manifest.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/str.h"
#include "base/time.h"
#include "service/defaults.h"

const char *berth_manifest_condition_name(enum berth_manifest_condition condition)
{
	static const char *const names[] = {
#define X(id, name) [BERTH_MANIFEST_##id] = name,
		BERTH_MANIFEST_CONDITIONS(X)
#undef X
	};

	return names[condition];
}

void berth_manifest_service_init(struct berth_manifest_service *service, const char *name)
{
	*service = (struct berth_manifest_service){
		.workers = 1,
		.instances = 1,
		.steer = BERTH_STEER_ALL,
		.ready = { .kind = BERTH_CHECK_LISTEN },
		.probe = { .period_ms = BERTH_DEFAULT_PROBE_PERIOD_MS,
			   .timeout_ms = BERTH_DEFAULT_PROBE_TIMEOUT_MS,
			   .success_threshold = BERTH_DEFAULT_PROBE_SUCCESSES,
			   .failure_threshold = BERTH_DEFAULT_PROBE_FAILURES },
		.policy = { .restart = BERTH_SERVICE_RESTART_NO,
			    .backoff_ns = BERTH_DEFAULT_BACKOFF_MS * BERTH_NS_PER_MS,
			    .backoff_max_ns = BERTH_DEFAULT_BACKOFF_MAX_MS * BERTH_NS_PER_MS,
			    .stable_ns = BERTH_DEFAULT_STABLE_MS * BERTH_NS_PER_MS,
			    .limit = BERTH_DEFAULT_LIMIT,
			    .limit_ns = BERTH_DEFAULT_LIMIT_MS * BERTH_NS_PER_MS,
			    .grace_ns = BERTH_MANIFEST_UNSAID,
			    .notice_ns = BERTH_DEFAULT_NOTICE_MS * BERTH_NS_PER_MS,
			    .daemon_ns = BERTH_DEFAULT_DAEMON_MS * BERTH_NS_PER_MS },
		.stop_signal = SIGTERM,
		.hold_ms = BERTH_DEFAULT_HOLD_MS,
		.log = { .size = BERTH_DEFAULT_LOG_SIZE,
			 .files = BERTH_DEFAULT_LOG_FILES,
			 .age_ms = BERTH_DEFAULT_LOG_AGE_MS },
	};
	berth_str_copy(service->name, sizeof(service->name), name);
}

struct berth_manifest_service *berth_manifest_add(struct berth_manifest *manifest, const char *name)
{
	size_t count = manifest->service_count;
	struct berth_manifest_service *services;

	/* Room for twice as many, whenever the number is a power of two. */
	if ((count & (count - 1)) == 0) {
		services =
			reallocarray(manifest->services, count ? 2 * count : 1, sizeof(*services));
		if (!services)
			return NULL;
		manifest->services = services;
	}
	berth_manifest_service_init(&manifest->services[count], name);
	manifest->service_count++;
	return &manifest->services[count];
}

bool berth_manifest_is_word(const char *name)
{
	static const char *const words[] = { "port", "url", "host", "id" };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(words); i++) {
		if (!strcmp(name, words[i]))
			return true;
	}
	return false;
}

int berth_manifest_find(const struct berth_manifest *manifest, const char *name)
{
	for (size_t i = 0; i < manifest->service_count; i++) {
		if (!strcmp(manifest->services[i].name, name))
			return (int)i;
	}
	return -1;
}

const struct berth_manifest_profile *berth_manifest_find_range(
	const struct berth_manifest *manifest, const char *name)
{
	for (size_t i = 0; name && i < manifest->profile_count; i++)
		if (strcmp(manifest->profiles[i].name, name) == 0 && manifest->profiles[i].range.lo)
			return &manifest->profiles[i];
	return NULL;
}

static void words_free(char **words)
{
	for (char **word = words; word && *word; word++)
		free(*word);
	free(words);
}

static void service_deinit(struct berth_manifest_service *service)
{
	free(service->command.text);
	words_free(service->command.argv);
	free(service->stop_command.text);
	words_free(service->stop_command.argv);
	free(service->working_dir);
	for (size_t i = 0; i < service->environment_count; i++) {
		free(service->environment[i].name);
		free(service->environment[i].value);
		free(service->environment[i].written);
	}
	free(service->environment);
	words_free(service->env_files);
	free(service->depends);
	free(service->skip);
	free(service->scheme);
	for (size_t i = 0; i < service->link_count; i++) {
		free(service->links[i].name);
		free(service->links[i].path);
	}
	free(service->links);
	for (size_t i = 0; i < service->origin_count; i++)
		free(service->origins[i].origin);
	free(service->origins);
	free(service->origins_variable);
	words_free(service->profiles);
	words_free(service->texts);
}

void berth_manifest_deinit(struct berth_manifest *manifest)
{
	if (!manifest)
		return;
	for (size_t i = 0; i < manifest->service_count; i++)
		service_deinit(&manifest->services[i]);
	free(manifest->services);
	free(manifest->profiles);
	*manifest = (struct berth_manifest){ 0 };
}

/* What the search for an order has seen of a service. */
enum visit {
	UNSEEN,
	OPEN, /* what it depends on is being placed */
	PLACED,
};

/* A service whose dependencies are placed, and which of those is next. */
struct step {
	size_t service, next;
};

/* Place @service behind all it depends on. The path is as long as there are services, at most. */
static int place(const struct berth_manifest *manifest, size_t service, enum visit *visits,
		 struct step *path, size_t *order, size_t *count, size_t *ret_loop)
{
	size_t depth = 0;

	if (visits[service] == PLACED)
		return 0;
	path[depth++] = (struct step){ service, 0 };
	visits[service] = OPEN;
	while (depth > 0) {
		struct step *step = &path[depth - 1];
		const struct berth_manifest_service *from = &manifest->services[step->service];
		size_t to;

		if (step->next == from->depend_count) {
			visits[step->service] = PLACED;
			order[(*count)++] = step->service;
			depth--;
			continue;
		}
		to = from->depends[step->next++].service;
		if (visits[to] == OPEN) {
			*ret_loop = to;
			return -ELOOP;
		}
		if (visits[to] == UNSEEN) {
			visits[to] = OPEN;
			path[depth++] = (struct step){ to, 0 };
		}
	}
	return 0;
}

int berth_manifest_order(const struct berth_manifest *manifest, size_t *ret_order, size_t *ret_loop)
{
	size_t services = manifest->service_count, count = 0;
	BERTH_AUTO_FREE enum visit *visits = calloc(services + 1, sizeof(*visits));
	BERTH_AUTO_FREE struct step *path = calloc(services + 1, sizeof(*path));
	BERTH_AUTO_FREE size_t *order = calloc(services + 1, sizeof(*order));
	int r = 0;

	if (!visits || !path || !order)
		return -ENOMEM;
	for (size_t i = 0; i < services && r == 0; i++)
		r = place(manifest, i, visits, path, order, &count, ret_loop);
	if (r == 0)
		memcpy(ret_order, order, services * sizeof(*order));
	return r;
}
