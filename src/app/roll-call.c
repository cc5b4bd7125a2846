/* SPDX-License-Identifier: MIT */
/* app/roll-call.c - services that live and have no record */
#include "app/roll-call.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/control.h"
#include "app/registry.h"
#include "os/statefile.h"

enum {
	LIST_MAX = 64 * 1024 * 1024, /* of the whole machine's sockets */
	ASKED_MAX = 64, /* in one call; the names can be bound by anybody */
	ANSWER_MS = 1000,
};

static json_t *collect_known(const json_t *records)
{
	json_t *known = json_object();
	const json_t *record;
	size_t i;

	json_array_foreach (records, i, record) {
		const char *name = json_string_value(berth_registry_private(record, "socket"));

		if (name)
			json_object_set_new(known, name, json_true());
	}
	return known;
}

/* A supervisor of ours answers, and has looked after its record by then. */
static bool ask(const char *name)
{
	BERTH_AUTO_JSON json_t *request = json_pack("{s:s}", "do", "status");
	BERTH_AUTO_JSON json_t *answer = NULL;
	BERTH_AUTO_FD int fd = berth_control_connect(name);

	return fd >= 0 && berth_control_ask(fd, request, -1, ANSWER_MS, &answer, NULL) == 0;
}

/*
 * Records are lost with their folder, all at once. So a folder that has been called over once, in
 * this network namespace, need not be again: a mark in it says so, and is lost with it. It is not
 * set while somebody did not answer.
 */
static const char *mark_name(const struct berth_registry *registry, char *buf, size_t size)
{
	snprintf(buf, size, "called-%llu", (unsigned long long)registry->netns);
	return buf;
}

static bool is_called(const struct berth_registry *registry)
{
	char name[40];

	return faccessat(registry->dir_fd, mark_name(registry, name, sizeof(name)), F_OK, 0) == 0;
}

static void set_called(const struct berth_registry *registry)
{
	char name[40];
	int fd = openat(registry->dir_fd, mark_name(registry, name, sizeof(name)),
			O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	/* Without it the next one calls again. */
	berth_fd_close(&fd);
}

bool berth_roll_call(const struct berth_registry *registry, const json_t *records)
{
	BERTH_AUTO_JSON json_t *known = NULL;
	BERTH_AUTO_FREE char *list = NULL;
	char prefix[32];
	char *line, *rest;
	size_t len;
	int asked = 0, answered = 0;

	if (is_called(registry))
		return false;
	known = collect_known(records);
	if (berth_statefile_read(AT_FDCWD, "/proc/net/unix", LIST_MAX, &list, &len) < 0)
		return false;
	/* An abstract name has '@' for its leading NUL byte, and is the last word of its line. */
	snprintf(prefix, sizeof(prefix), " @berth/%u/", geteuid());
	rest = list;
	while ((line = strsep(&rest, "\n")) && asked < ASKED_MAX) {
		const char *name = strstr(line, prefix);

		/* "notify/" is where services say how they are: nobody answers there. */
		if (!name || json_object_get(known, name + 2) ||
		    strncmp(name + strlen(prefix), "notify/", 7) == 0)
			continue;
		/* Its connections are listed under the same name: asked once. */
		json_object_set_new(known, name + 2, json_true());
		answered += ask(name + 2);
		asked++;
	}
	if (answered == asked)
		set_called(registry);
	return answered > 0;
}
