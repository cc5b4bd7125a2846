/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-engine.c - whatever an engine or a conmon says, ids are ids and names are names */
#include "fuzz.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/str.h"
#include "look/engine.h"

static void check_container(const struct berth_engine_container *container)
{
	size_t id_len = strspn(container->id, "0123456789abcdef");
	char printable[4 * sizeof(container->image)];

	MUST(id_len >= 12 && id_len <= 64 && !container->id[id_len]);
	MUST(memchr(container->name, '\0', sizeof(container->name)));
	/* As it stands in a command line that stops it. */
	MUST(container->name[0] != '-' && container->name[0] != '.');
	MUST(!strpbrk(container->name, " \t\n\"'$`\\;&|<>/"));
	MUST(memchr(container->image, '\0', sizeof(container->image)));
	berth_str_printable(container->image, (size_t)-1, printable, sizeof(printable));
	MUST(strcmp(container->image, printable) == 0);
	MUST(container->engine[0]);
	for (size_t i = 0; i < container->port_count; i++) {
		MUST(container->ports[i].container_port);
		MUST(container->ports[i].protocol == IPPROTO_TCP ||
		     container->ports[i].protocol == IPPROTO_UDP);
	}
}

static void check(struct berth_engine *engine, int r)
{
	MUST(r == 0 || r == -EPROTO);
	MUST(r == 0 || engine->count == 0);
	for (size_t i = 0; i < engine->count; i++) {
		const struct berth_engine_container *container = &engine->containers[i];

		check_container(container);
		MUST(berth_engine_find(engine, container->id));
		for (size_t k = 0; k < container->port_count && k < 16; k++)
			MUST(!container->ports[k].host_port ||
			     berth_engine_find_port(engine, container->ports[k].host_port,
						    container->ports[k].protocol));
		MUST(!container->addresses[0][0] ||
		     berth_engine_find_target(engine, container->addresses[0]));
	}
	berth_engine_deinit(engine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct berth_engine engine = { 0 };
	struct berth_engine_container container = { 0 };
	char *bytes = malloc(size ? size : 1);

	/* With nothing behind it, so that a read there is seen. */
	MUST(bytes);
	if (size)
		memcpy(bytes, data, size);
	check(&engine, berth_engine_parse_answer(bytes, size, "docker", &engine));
	check(&engine, berth_engine_parse(bytes, size, "docker", &engine));
	if (berth_engine_parse_conmon(bytes, size, &container))
		check_container(&container);
	free(bytes);
	return 0;
}
