/* SPDX-License-Identifier: MIT */
/* look/engine.h - containers, as a Docker-compatible engine tells of them */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	BERTH_ENGINE_NAME_MAX = 128,
	BERTH_ENGINE_ADDRESSES_MAX = 4,
};

struct berth_engine_port {
	uint16_t host_port; /* 0: not published */
	uint16_t container_port; /* 0: not known */
	int protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	char address[64]; /* of the host: "0.0.0.0", "" any */
};

struct berth_engine_container {
	char id[72]; /* 12 to 64 hex digits */
	/* Letters, digits, "_.-", begins with one of the first two; "" none. */
	char name[BERTH_ENGINE_NAME_MAX];
	char image[256]; /* printable; "" not known */
	char engine[16]; /* "docker", "podman": whose command stops it; "kubernetes" */
	uid_t uid; /* whose engine: only his (and 0 for root's) docker or podman knows the name */
	pid_t monitor; /* its conmon, which listens on what it publishes; 0: not known, or none */
	char addresses[BERTH_ENGINE_ADDRESSES_MAX][46]; /* its own, in its networks; "" none */
	struct berth_engine_port *ports; /* owned */
	size_t port_count;
};

struct berth_engine {
	struct berth_engine_container *containers; /* owned; all that run */
	size_t count;
	bool asked; /* an engine answered */
	bool denied; /* there is one that we may not ask */
	bool late; /* there is one that did not answer in time */
	bool garbled; /* there is one whose answer was an error, or none that we understand */
};

/*
 * Asks each socket that is there: DOCKER_HOST (unix:// only), /var/run/docker.sock,
 * /run/podman/podman.sock, docker.sock and podman/podman.sock in $XDG_RUNTIME_DIR; and reads the
 * command lines of conmon (podman) processes that we may see, which tell names, ids and, by their
 * sockets, ports. At most @timeout_ms for all sockets. None there: empty, 0. -ENOMEM.
 */
BERTH_MUST_USE int berth_engine_load(int timeout_ms, struct berth_engine *ret_engine);
void berth_engine_deinit(struct berth_engine *engine);

/* By id (a prefix of at least 12 digits), or who publishes @port; NULL: none. */
const struct berth_engine_container *berth_engine_find(const struct berth_engine *engine,
						       const char *id);
const struct berth_engine_container *berth_engine_find_port(const struct berth_engine *engine,
							    uint16_t port, int protocol);
/* Whose address it is, with or without a port: "10.88.0.2:80", "[fd00::2]:80", "10.88.0.2". */
const struct berth_engine_container *berth_engine_find_target(const struct berth_engine *engine,
							      const char *target);

/* engine-parse.c: what they say. The answer to GET /containers/json, pure; adds to @engine. @name: of the engine. -EPROTO. */
BERTH_MUST_USE int berth_engine_parse(const char *text, size_t len, const char *name,
				      struct berth_engine *engine);
/* The same with its HTTP/1.0 head, which may tell that it is podman's after all. -EPROTO. */
BERTH_MUST_USE int berth_engine_parse_answer(const char *text, size_t len, const char *name,
					     struct berth_engine *engine);
/*
 * The arguments of a conmon, NUL-separated, @len without the last NUL: id, name and engine. False:
 * it tells of no container.
 */
bool berth_engine_parse_conmon(const char *args, size_t len,
			       struct berth_engine_container *ret_container);
/* Adds a copy, which takes the ports over. -ENOMEM, -EFBIG. */
BERTH_MUST_USE int berth_engine_add(struct berth_engine *engine,
				    const struct berth_engine_container *container);
