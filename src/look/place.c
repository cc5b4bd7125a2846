/* SPDX-License-Identifier: MIT */
/* look/place.c - what a cgroup's path tells: the systemd unit, the container, pure */
#include "look/place.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum {
	SEGMENT_MAX = 512, /* a name of the file system has at most 255 bytes */
	ID_MIN = 12,
	ID_LEN = 64,
};

/*
 * What engines put before an id of 64 hex digits, as a scope of systemd ("docker-ID.scope") or a
 * plain folder. The longer of two that fit comes first.
 */
static const struct {
	const char *prefix, *engine;
	bool monitor;
} id_prefixes[] = {
	{ "docker-", "docker" },
	{ "libpod-conmon-", "podman", .monitor = true },
	{ "libpod-payload-", "podman" },
	{ "libpod-", "podman" },
	{ "crio-conmon-", "kubernetes", .monitor = true },
	{ "crio-", "kubernetes" },
	{ "cri-containerd-", "kubernetes" },
	{ "nerdctl-", "containerd" },
};

/* What LXC puts before a name. */
static const struct {
	const char *prefix;
	bool monitor;
} lxc_prefixes[] = {
	{ "lxc.payload." },
	{ "lxc.monitor.", .monitor = true },
};

static bool is_id(const char *text, size_t len)
{
	return len == ID_LEN && strspn(text, "0123456789abcdef") >= len;
}

static bool has_suffix(const char *text, const char *suffix)
{
	size_t len = strlen(text), suffix_len = strlen(suffix);

	return len > suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

static void set_container(struct berth_place *place, const char *text, size_t len,
			  const char *engine, bool monitor)
{
	berth_str_printable(text, len, place->container, sizeof(place->container));
	berth_str_copy(place->engine, sizeof(place->engine), engine);
	place->monitor = monitor;
}

/* "docker-ID.scope", "libpod-ID", "ID" below a folder of some engine. */
static bool take_id(const char *name, const char *parent, bool in_kubernetes,
		    struct berth_place *place)
{
	size_t len = strlen(name) - (has_suffix(name, ".scope") ? strlen(".scope") : 0);

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(id_prefixes); i++) {
		size_t skip = strlen(id_prefixes[i].prefix);

		if (len <= skip || strncmp(name, id_prefixes[i].prefix, skip) != 0 ||
		    !is_id(name + skip, len - skip))
			continue;
		set_container(place, name + skip, len - skip,
			      in_kubernetes ? "kubernetes" : id_prefixes[i].engine,
			      id_prefixes[i].monitor);
		return true;
	}
	if (!is_id(name, strlen(name)))
		return false;
	/* A pod of podman has such a name, too: its containers lie below it, by their prefix. */
	if (strcmp(parent, "libpod_parent") == 0)
		return false;
	set_container(place, name, ID_LEN,
		      in_kubernetes		      ? "kubernetes"
		      : strcmp(parent, "docker") == 0 ? "docker"
						      : "containerd",
		      false);
	return true;
}

static bool take_lxc(const char *name, const char *parent, struct berth_place *place)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(lxc_prefixes); i++) {
		size_t skip = strlen(lxc_prefixes[i].prefix);

		if (strncmp(name, lxc_prefixes[i].prefix, skip) == 0 && name[skip]) {
			set_container(place, name + skip, (size_t)-1, "lxc",
				      lxc_prefixes[i].monitor);
			return true;
		}
	}
	if (strcmp(parent, "lxc") != 0 && strcmp(parent, "lxc.payload") != 0)
		return false;
	set_container(place, name, (size_t)-1, "lxc", false);
	return true;
}

static void take_unit(const char *name, struct berth_place *place)
{
	/* Units that have no processes of a program (slices, mounts) are folders on the way. */
	if (!has_suffix(name, ".service") && !has_suffix(name, ".socket") &&
	    !has_suffix(name, ".scope"))
		return;
	if (place->unit[0] && strncmp(place->unit, "user@", 5) == 0)
		place->user_unit = true;
	berth_str_printable(name, (size_t)-1, place->unit, sizeof(place->unit));
}

void berth_place_parse(const char *path, struct berth_place *ret_place)
{
	struct berth_place place = { 0 };
	char name[SEGMENT_MAX], parent[SEGMENT_MAX] = "";
	bool in_kubernetes = false;

	while (*path) {
		size_t len = strcspn(path, "/\n");
		/* systemd puts a _ before what would be a file of the cgroup ("_cpu.service"). */
		size_t skip = len > 1 && path[0] == '_';

		if (len > 0) {
			size_t n = len - skip < sizeof(name) ? len - skip : sizeof(name) - 1;

			memcpy(name, path + skip, n);
			name[n] = '\0';
			/* Inside of a container there may be a systemd of its own. */
			if (!place.container[0])
				take_unit(name, &place);
			in_kubernetes |= strncmp(name, "kubepods", 8) == 0;
			if (!take_id(name, parent, in_kubernetes, &place))
				(void)take_lxc(name, parent, &place);
			berth_str_copy(parent, sizeof(parent), name);
		}
		path += len;
		if (*path == '\n')
			break;
		path += *path == '/';
	}
	*ret_place = place;
}

/* The path of the next line "4:memory:/a/b"; *@text goes on behind it. NULL: none left. */
static const char *next_line(const char **text, bool *ret_v2, bool *ret_systemd, size_t *ret_len)
{
	while (**text) {
		const char *line = *text, *end = strchrnul(line, '\n');
		const char *names = memchr(line, ':', (size_t)(end - line)), *path = NULL;

		*text = *end ? end + 1 : end;
		if (names)
			path = memchr(names + 1, ':', (size_t)(end - names - 1));
		if (!path)
			continue;
		*ret_v2 = path == names + 1;
		*ret_systemd = strncmp(names + 1, "name=systemd:", 13) == 0;
		*ret_len = (size_t)(end - path - 1);
		return path + 1;
	}
	return NULL;
}

void berth_place_parse_file(const char *text, struct berth_place *ret_place)
{
	enum {
		V2,
		SYSTEMD,
		LONGEST,
		ORDER_COUNT
	};
	const char *paths[ORDER_COUNT] = { 0 }, *path;
	struct berth_place found = { 0 };
	size_t len = 0, longest = 0;
	bool v2 = false, systemd = false;

	while ((path = next_line(&text, &v2, &systemd, &len))) {
		if (v2)
			paths[V2] = path;
		else if (systemd)
			paths[SYSTEMD] = path;
		if (len > longest) {
			paths[LONGEST] = path;
			longest = len;
		}
	}
	for (size_t i = 0; i < ORDER_COUNT && !found.container[0]; i++) {
		struct berth_place place = { 0 };

		if (!paths[i])
			continue;
		berth_place_parse(paths[i], &place);
		/* Where both are used, v2 may have the engine's own unit for what is inside. */
		if (place.container[0] || !found.unit[0])
			found = place;
	}
	*ret_place = found;
}

bool berth_place_is_proxy(const char *process)
{
	static const char *const proxies[] = {
		"docker-proxy", "conmon",     "rootlessport", "rootlessport-ch",
		"slirp4netns",	"pasta",      "pasta.avx2",   "passt",
		"kubelet",	"kube-proxy", "nerdctl",      "rootlesskit",
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(proxies); i++)
		if (strcmp(process, proxies[i]) == 0)
			return true;
	return false;
}
