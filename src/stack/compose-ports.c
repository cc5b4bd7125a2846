/* SPDX-License-Identifier: MIT */
/* stack/compose-ports.c - the ports of one service of a Compose file, and what they are called here */
#include "stack/compose-ports.h"

#include <stdio.h>
#include <string.h>

#include "base/parse.h"

static uint16_t number_in(const struct berth_yaml_node *map, const char *key)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	const struct berth_yaml_node *node = berth_yaml_get(map, key);
	uint16_t port;

	if (!node || node->kind != BERTH_YAML_SCALAR)
		return 0;
	berth_compose_text_default(&text, node->text);
	return berth_str_text(&text) && berth_parse_port(berth_str_text(&text), &port) == 0 ? port
											    : 0;
}

static bool read_port(const struct berth_yaml_node *node, struct berth_compose_port *ret_port)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	const struct berth_yaml_node *protocol, *address;

	if (node->kind == BERTH_YAML_SCALAR) {
		berth_compose_text_default(&text, node->text);
		return berth_str_text(&text) &&
		       berth_compose_text_parse_port(berth_str_text(&text), ret_port);
	}
	protocol = berth_yaml_get(node, "protocol");
	address = berth_yaml_get(node, "host_ip");
	*ret_port = (struct berth_compose_port){
		.target = number_in(node, "target"),
		.published = number_in(node, "published"),
		.udp = protocol && protocol->kind == BERTH_YAML_SCALAR &&
		       strcmp(protocol->text, "udp") == 0,
	};
	if (address && address->kind == BERTH_YAML_SCALAR)
		berth_compose_text_default(&text, address->text);
	if (!berth_str_text(&text))
		return false;
	berth_str_copy(ret_port->address, sizeof(ret_port->address), berth_str_text(&text));
	return ret_port->target != 0;
}

/* One that is not published: the host is where everybody meets here. */
static size_t guess_port(const struct berth_compose_docker *service, const char *image,
			 struct berth_compose_ports_one *ports)
{
	const struct berth_yaml_node *expose = berth_yaml_get(service->node, "expose");

	if (expose && expose->kind == BERTH_YAML_LIST && expose->count &&
	    read_port(&expose->items[0], &ports[0].asked))
		return 1;
	ports[0].asked =
		(struct berth_compose_port){ .target = berth_compose_text_image_port(image) };
	return ports[0].asked.target ? 1 : 0;
}

/* Its name, by what the @count ones before it have. */
static void name_port(struct berth_compose_ports_one *port,
		      const struct berth_compose_ports_one *before, size_t count)
{
	size_t alike = 0;

	for (size_t i = 0; i < count; i++) {
		if (before[i].asked.target != port->asked.target ||
		    before[i].asked.udp != port->asked.udp)
			continue;
		alike++;
		if (before[i].asked.published != port->asked.published)
			continue;
		memcpy(port->name, before[i].name, sizeof(port->name));
		port->again = true;
		return;
	}
	if (count == 0)
		return;
	snprintf(port->name, sizeof(port->name), "%s%u", port->asked.udp ? "udp" : "p",
		 port->asked.target);
	if (alike > 0)
		snprintf(port->name, sizeof(port->name), "%s%u-%zu", port->asked.udp ? "udp" : "p",
			 port->asked.target, alike + 1);
}

size_t berth_compose_ports_read(const struct berth_compose_docker *service, const char *image,
				struct berth_compose_ports_one ports[BERTH_COMPOSE_PORTS_MAX])
{
	const struct berth_yaml_node *node = berth_yaml_get(service->node, "ports");
	size_t count = 0;

	for (size_t i = 0; node && node->kind == BERTH_YAML_LIST && i < node->count; i++) {
		struct berth_compose_ports_one port = { 0 };

		if (count == BERTH_COMPOSE_PORTS_MAX || !read_port(&node->items[i], &port.asked)) {
			berth_compose_docker_leave_out(service, "ports",
						       count == BERTH_COMPOSE_PORTS_MAX
							       ? "a service has at most 16"
							       : "one of them is no single number");
			continue;
		}
		name_port(&port, ports, count);
		ports[count++] = port;
	}
	return count ? count : guess_port(service, image, ports);
}

static void write_wish(struct berth_compose_docker *service, int depth, const char *key,
		       const struct berth_compose_ports_one *port)
{
	uint16_t asked = port->asked.published ? port->asked.published : port->asked.target;
	uint16_t wish = berth_draft_port(service->draft, asked, port->asked.udp);
	char text[16], comment[48];

	snprintf(text, sizeof(text), "%u%s", wish, port->asked.udp ? "/udp" : "");
	snprintf(comment, sizeof(comment), "%u is another's here", asked);
	berth_draft_plain(service->draft, depth, key, text, wish == asked ? NULL : comment);
}

void berth_compose_ports_write(struct berth_compose_docker *service,
			       const struct berth_compose_ports_one *ports, size_t count)
{
	size_t different = 0;

	for (size_t i = 0; i < count; i++)
		different += !ports[i].again;
	if (different == 0) {
		berth_draft_plain(service->draft, 1, "port", "none", NULL);
		return;
	}
	if (different == 1)
		write_wish(service, 1, "port", &ports[0]);
	else
		berth_draft_open(service->draft, 1, "ports");
	for (size_t i = 0; different > 1 && i < count; i++)
		if (!ports[i].again)
			write_wish(service, 2, i ? ports[i].name : "main", &ports[i]);
	berth_draft_plain(service->draft, 1, "outside", "true",
			  "bound by the container engine, not by us");
}
