/* SPDX-License-Identifier: MIT */
/*
 * app/ports.c - the ports of one service: what steering sees and what the kernel holds, side by
 * side
 */
#include "app/ports.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum {
	UNPRIVILEGED_START = 1024, /* the kernel's default */
	/* Sockets times workers, on one port. */
	USERS_FIRST = 4,
	USERS_MAX = 4096,
};

/* Protocols that people know by their number; everything else speaks HTTP until told otherwise. */
static const struct {
	uint16_t port;
	const char *scheme;
} schemes[] = {
	{ 443, "https" },  { 3306, "mysql" }, { 5432, "postgresql" }, { 5672, "amqp" },
	{ 6379, "redis" }, { 8443, "https" }, { 11211, "memcached" }, { 27017, "mongodb" },
};

void berth_ports_init(struct berth_ports *ports, const struct berth_job *job)
{
	*ports = (struct berth_ports){
		.means = berth_lease_probe(),
		.job = job,
		.memory_fd = -1,
		.unprivileged_start = UNPRIVILEGED_START,
	};
}

static void free_row(struct berth_port *port)
{
	berth_lease_release(&port->lease);
	free(port->users);
	free(port->holder);
	free(port);
}

void berth_ports_deinit(struct berth_ports *ports)
{
	for (size_t i = 0; i < ports->count; i++)
		free_row(ports->port[i]);
	ports->count = 0;
	berth_ports_forget_lists(ports);
}

/* Declared rows stand before all others, in their order. */
static size_t make_room(struct berth_ports *ports, enum berth_steer_kind kind)
{
	size_t index = ports->count;

	if (kind != BERTH_STEER_DECLARED)
		return index;
	while (index > 0 && ports->steer[index - 1].kind != BERTH_STEER_DECLARED)
		index--;
	if (index < ports->count) {
		ports->steer[ports->count] = ports->steer[index];
		ports->port[ports->count] = ports->port[index];
	}
	return index;
}

int berth_ports_add(struct berth_ports *ports, enum berth_steer_kind kind, const char *name,
		    uint16_t asked)
{
	struct berth_port *port;
	size_t index;

	if (ports->count == BERTH_PORTS_MAX)
		return -1;
	port = calloc(1, sizeof(*port));
	if (!port)
		return -1;
	index = make_room(ports, kind);
	ports->port[index] = port;
	ports->steer[index] = (struct berth_steer_port){ .kind = kind };
	berth_lease_init(&port->lease, ports->means, SOCK_STREAM);
	berth_str_copy(port->name, sizeof(port->name), name);
	if (asked)
		berth_steer_port_add_asked(&ports->steer[index], asked);
	ports->count++;
	return (int)index;
}

void berth_ports_drop(struct berth_ports *ports, size_t index)
{
	size_t last = ports->count - 1;

	free_row(ports->port[index]);
	ports->steer[index] = ports->steer[last];
	ports->port[index] = ports->port[last];
	ports->count--;
}

int berth_ports_find_inode(struct berth_ports *ports, uint64_t inode, unsigned int worker,
			   struct berth_port_user **ret_user)
{
	for (size_t i = 0; i < ports->count; i++)
		for (size_t j = 0; j < ports->port[i]->user_size; j++) {
			struct berth_port_user *user = &ports->port[i]->users[j];

			if (!inode || user->inode != inode || (worker && user->worker != worker))
				continue;
			if (ret_user)
				*ret_user = user;
			return (int)i;
		}
	return -1;
}

static bool grow_users(struct berth_port *port)
{
	size_t size = port->user_size ? port->user_size * 2 : USERS_FIRST;
	struct berth_port_user *grown =
		size > USERS_MAX ? NULL : reallocarray(port->users, size, sizeof(*grown));

	if (!grown)
		return false;
	memset(grown + port->user_size, 0, (size - port->user_size) * sizeof(*grown));
	port->users = grown;
	port->user_size = size;
	return true;
}

struct berth_port_user *berth_ports_add_user(struct berth_ports *ports, size_t index,
					     uint64_t inode, unsigned int worker)
{
	struct berth_port *port = ports->port[index];
	struct berth_port_user *place = NULL;

	for (size_t j = 0; j < port->user_size; j++) {
		if (port->users[j].inode == inode && port->users[j].worker == worker)
			return &port->users[j];
		if (!port->users[j].inode && !place)
			place = &port->users[j];
	}
	if (!place) {
		size_t before = port->user_size;

		if (!grow_users(port))
			return NULL;
		place = &port->users[before];
	}
	*place = (struct berth_port_user){ .inode = inode, .worker = worker };
	return place;
}

bool berth_ports_has_users(const struct berth_ports *ports, size_t index)
{
	for (size_t j = 0; j < ports->port[index]->user_size; j++)
		if (ports->port[index]->users[j].inode)
			return true;
	return false;
}

bool berth_ports_is_listening(const struct berth_ports *ports, size_t index, unsigned int worker)
{
	const struct berth_port *port = ports->port[index];

	if (port->passed || port->answers)
		return true;
	for (size_t j = 0; j < port->user_size; j++)
		if (port->users[j].inode && port->users[j].listening &&
		    (!worker || port->users[j].worker == worker))
			return true;
	return false;
}

static bool has_wish(const struct berth_ports *ports)
{
	for (size_t i = 0; i < ports->count; i++)
		if (ports->steer[i].wished && !ports->steer[i].udp)
			return true;
	return false;
}

bool berth_ports_is_ready(const struct berth_ports *ports, unsigned int worker)
{
	bool wished = has_wish(ports), any = false;

	for (size_t i = 0; i < ports->count; i++) {
		if (ports->steer[i].kind != BERTH_STEER_DECLARED || ports->steer[i].udp ||
		    (wished && !ports->steer[i].wished))
			continue;
		if (!berth_ports_is_listening(ports, i, worker))
			return false;
		any = true;
	}
	return any;
}

void berth_ports_remember(const struct berth_ports *ports, struct berth_remembered *ret_memory)
{
	*ret_memory = (struct berth_remembered){ 0 };
	for (size_t i = 0; i < ports->count && ret_memory->count < BERTH_WISH_PORTS_MAX; i++) {
		struct berth_remembered_port *entry = &ret_memory->ports[ret_memory->count];

		if (ports->steer[i].kind != BERTH_STEER_DECLARED || ports->steer[i].mapped ||
		    !ports->steer[i].given)
			continue;
		berth_str_copy(entry->name, sizeof(entry->name), ports->port[i]->name);
		entry->asked = berth_ports_asked(ports, i);
		entry->given = ports->steer[i].given;
		/* What it wished and got; where it was put is its home only if it has no other. */
		if (ports->port[i]->reason == BERTH_PORT_WISHED)
			entry->home = entry->given;
		ret_memory->count++;
	}
}

bool berth_ports_is_told(const struct berth_ports *ports, size_t index)
{
	const struct berth_steer_port *steer = &ports->steer[index];

	return steer->kind == BERTH_STEER_DECLARED && !steer->mapped && steer->given;
}

uint16_t berth_ports_asked(const struct berth_ports *ports, size_t index)
{
	return ports->steer[index].asked_count ? ports->steer[index].asked[0] : 0;
}

const char *berth_ports_scheme(const struct berth_ports *ports, size_t index)
{
	uint16_t asked = berth_ports_asked(ports, index);

	if (ports->steer[index].udp)
		return "";
	if (ports->job->scheme)
		return strcmp(ports->job->scheme, "none") == 0 ? "" : ports->job->scheme;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(schemes); i++)
		if (schemes[i].port == asked)
			return schemes[i].scheme;
	return "http";
}

const char *berth_ports_url(const struct berth_ports *ports, size_t index, char *buf, size_t size)
{
	const char *scheme = berth_ports_scheme(ports, index);

	buf[0] = '\0';
	if (*scheme && ports->steer[index].given)
		snprintf(buf, size, "%s://localhost:%u", scheme, ports->steer[index].given);
	return buf;
}
