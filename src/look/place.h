/* SPDX-License-Identifier: MIT */
/* look/place.h - what a cgroup's path tells: the systemd unit, the container, pure */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	BERTH_PLACE_UNIT_MAX = 256,
	BERTH_PLACE_ID_MAX = 72, /* 64 hex digits */
};

struct berth_place {
	char unit[BERTH_PLACE_UNIT_MAX]; /* "nginx.service", "ssh.socket", "" none; printable */
	bool user_unit; /* of a user's manager: systemctl --user */
	/* Its id (hex), or name (printable) where the path has that; "" none. */
	char container[BERTH_PLACE_ID_MAX];
	char engine[16]; /* "docker" "podman" "kubernetes" "lxc" "containerd"; "": no container */
	/* Of the container's engine, not inside: conmon, lxc-start. Has what is published. */
	bool monitor;
};

/*
 * @path: of /proc/PID/cgroup ("/system.slice/nginx.service"), of any hierarchy. The innermost
 * container counts, and the innermost unit that is a service, socket or scope; not a unit inside of
 * a container, which the systemd of this machine does not know.
 */
void berth_place_parse(const char *path, struct berth_place *ret_place);
/*
 * The text of /proc/PID/cgroup. Of its lines v2 comes first, then name=systemd, then the longest
 * path: the first of them that tells of a container, else of a unit.
 */
void berth_place_parse_file(const char *text, struct berth_place *ret_place);

/* Does the program @process (a comm) listen in the place of a container, as docker-proxy does? */
bool berth_place_is_proxy(const char *process);
