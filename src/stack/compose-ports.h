/* SPDX-License-Identifier: MIT */
/* stack/compose-ports.h - the ports of one service of a Compose file, and what they are called here */
#pragma once

#include "port/wish.h"
#include "stack/compose-docker.h"
#include "stack/compose-text.h"

enum {
	BERTH_COMPOSE_PORTS_MAX = BERTH_WISH_PORTS_MAX,
};

struct berth_compose_ports_one {
	struct berth_compose_port asked;
	char name[16]; /* "": the first */
	bool again; /* one that was there already, for another address */
};

/*
 * Those that @service publishes, into @ports; else the one that it exposes, or that programs of
 * @image listen on. What is left out of them is noted. Returns how many.
 */
size_t berth_compose_ports_read(const struct berth_compose_docker *service, const char *image,
				struct berth_compose_ports_one ports[BERTH_COMPOSE_PORTS_MAX]);
/* `port` or `ports`: what they wish, each number once in the draft. */
void berth_compose_ports_write(struct berth_compose_docker *service,
			       const struct berth_compose_ports_one *ports, size_t count);
