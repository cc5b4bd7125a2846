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
#include "base/time.h"

/* Where a number is needed and nobody named one (--new, {port} without a wish). */
enum {
	DEFAULT_LO = 3000,
	DEFAULT_HI = 3999,
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

/* 24 KiB that are seldom needed again: a supervisor has many services. */
static void forget_lists(struct berth_ports *ports)
{
	free(BERTH_STEAL(ports->reserved));
	free(BERTH_STEAL(ports->foreign));
}

void berth_ports_deinit(struct berth_ports *ports)
{
	for (size_t i = 0; i < ports->count; i++)
		free_row(ports->port[i]);
	ports->count = 0;
	forget_lists(ports);
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

static int load_reserved(struct berth_ports *ports, struct berth_err *err)
{
	int r;

	if (ports->reserved)
		return 0;
	ports->reserved = calloc(1, sizeof(*ports->reserved));
	if (!ports->reserved)
		return berth_err_errno(err, -ENOMEM, "cannot load the reserved ports");
	r = berth_reserved_load(ports->reserved, ports->job->skip);
	ports->unprivileged_start = ports->reserved->unprivileged_start;
	if (r < 0)
		return berth_err_set(err, r, BERTH_ERR_CONFIG, "'%s' is no list of ports to skip",
				     ports->job->skip);
	return 0;
}

static int64_t choice_deadline(const struct berth_job *job)
{
	return job->check_timeout_ms ? berth_time_mono_ns() + job->check_timeout_ms * 1000000 : 0;
}

static int choose(struct berth_ports *ports, const struct berth_wish *wish,
		  const struct berth_candidate *remembered, struct berth_choice *ret_choice,
		  struct berth_err *err)
{
	const struct berth_choose_spec spec = {
		.wish = wish,
		.remembered = remembered,
		.reserved = ports->reserved,
		.foreign = ports->foreign,
		.means = ports->means,
		.deadline_ns = choice_deadline(ports->job),
		.service = ports->job->identity.service,
		.holder_fn = ports->holder_fn,
		.holder_arg = ports->holder_arg,
	};

	return berth_choose(&spec, ret_choice, err);
}

/* Hand lease @from of a choice to row @index. */
static void settle(struct berth_ports *ports, size_t index, struct berth_choice *choice,
		   size_t from)
{
	struct berth_port *port = ports->port[index];
	uint16_t asked = berth_ports_asked(ports, index);

	port->lease = choice->leases[from];
	berth_lease_init(&choice->leases[from], ports->means, SOCK_STREAM);
	port->reason = choice->reasons[from];
	ports->steer[index].given = port->lease.port;
	port->refused.port = 0;
	for (size_t i = 0; i < choice->refused_count && asked != port->lease.port; i++)
		if (choice->refused[i].port == asked)
			port->refused = choice->refused[i];
}

/* What berth_ports_add() had no row for. */
static int refuse_row(const struct berth_ports *ports, struct berth_err *err)
{
	if (ports->count == BERTH_PORTS_MAX)
		return berth_err_set(err, -ENOSPC, BERTH_ERR_REFUSED, "a service can have %d ports",
				     BERTH_PORTS_MAX);
	return berth_err_errno(err, -ENOMEM, "cannot keep a port");
}

static int lease_maps(struct berth_ports *ports, struct berth_err *err)
{
	const struct berth_job *job = ports->job;

	for (size_t i = 0; i < job->map_count; i++) {
		struct berth_wish wish = { .port_count = 1, .strict = true };
		struct berth_choice choice;
		char name[BERTH_PORT_NAME_MAX];
		int index, r;

		snprintf(name, sizeof(name), "map-%u", job->maps[i].from);
		berth_str_copy(wish.ports[0].name, sizeof(wish.ports[0].name), name);
		wish.ports[0].list[0] = job->maps[i].to;
		wish.ports[0].list_len = 1;
		r = choose(ports, &wish, NULL, &choice, err);
		if (r)
			return r;
		index = berth_ports_add(ports, BERTH_STEER_DECLARED, name, job->maps[i].from);
		if (index < 0) {
			berth_choice_release(&choice);
			return refuse_row(ports, err);
		}
		settle(ports, (size_t)index, &choice, 0);
		ports->steer[index].mapped = ports->steer[index].wished = true;
	}
	return 0;
}

/*
 * The remembered numbers in the order of the wish; false unless there is one for each, of this very
 * wish.
 */
static bool recall(const struct berth_wish *wish, const struct berth_remembered *memory,
		   struct berth_candidate *ret_candidate)
{
	for (size_t i = 0; i < wish->port_count; i++) {
		ret_candidate->port[i] = 0;
		for (size_t j = 0; j < memory->count; j++)
			if (strcmp(memory->ports[j].name, wish->ports[i].name) == 0 &&
			    (!wish->ports[i].list_len ||
			     memory->ports[j].asked == wish->ports[i].list[0]))
				ret_candidate->port[i] = memory->ports[j].given;
		if (!ret_candidate->port[i])
			return false;
	}
	return wish->port_count > 0;
}

/* No wish: what the program bound last time is as good as one, and known before it starts. */
static bool wish_from_memory(const struct berth_remembered *memory, struct berth_wish *wish)
{
	for (size_t i = 0; i < memory->count; i++) {
		if (strcmp(memory->ports[i].name, "main") != 0 || !memory->ports[i].asked)
			continue;
		wish->port_count = 1;
		wish->ports[0] = (struct berth_wish_port){ .name = "main", .list_len = 1 };
		wish->ports[0].list[0] = memory->ports[i].asked;
		return true;
	}
	return false;
}

static void load_foreign(struct berth_ports *ports)
{
	/* Who frees a number first wants that very one. */
	if (ports->foreign || ports->memory_fd < 0 ||
	    ports->job->free_first != BERTH_JOB_FREE_NOTHING)
		return;
	ports->foreign = calloc(1, sizeof(*ports->foreign));
	/* What can't be read keeps no number from anybody. */
	if (ports->foreign &&
	    berth_remembered_foreign(ports->memory_fd, ports->job->identity.key,
				     ports->job->identity.root, ports->foreign) < 0)
		free(BERTH_STEAL(ports->foreign));
}

/* The leases that found no row stay with @choice. */
static int declare(struct berth_ports *ports, const struct berth_wish *wish,
		   struct berth_choice *choice, bool wished, struct berth_err *err)
{
	for (size_t i = 0; i < choice->count; i++) {
		const struct berth_wish_port *port = &wish->ports[i];
		const char *name = i < wish->port_count ? port->name : "main";
		uint16_t asked = port->list_len ? port->list[0] : wish->range.lo;
		int index = berth_ports_add(ports, BERTH_STEER_DECLARED, name, asked);

		if (index < 0)
			return refuse_row(ports, err);
		ports->steer[index].udp = port->udp;
		ports->steer[index].wished = wished;
		ports->steer[index].remembered = !wished;
		settle(ports, (size_t)index, choice, i);
	}
	return 0;
}

int berth_ports_lease(struct berth_ports *ports, const struct berth_remembered *memory,
		      int memory_fd, struct berth_err *err)
{
	const struct berth_job *job = ports->job;
	struct berth_wish *wish;
	struct berth_candidate remembered;
	struct berth_choice choice;
	bool wished = job->tell_port;
	int r;

	ports->memory_fd = memory_fd;
	if (job->no_port)
		return 0;
	wish = malloc(sizeof(*wish));
	if (!wish)
		return berth_err_errno(err, -ENOMEM, "cannot choose a port");
	*wish = job->wish;
	if (!wish->port_count && !wish->range.lo && !wish_from_memory(memory, wish) && wished &&
	    !wish->any)
		wish->range = (struct berth_range){ DEFAULT_LO, DEFAULT_HI };
	r = 0;
	if (wished || wish->port_count) {
		load_foreign(ports);
		r = load_reserved(ports, err);
		if (r == 0)
			r = choose(ports, wish,
				   recall(wish, memory, &remembered) ? &remembered : NULL, &choice,
				   err);
		if (r == 0) {
			r = declare(ports, wish, &choice, wished, err);
			berth_choice_release(&choice);
		}
	} else {
		/* The program's own first bind() will decide. */
		if (berth_ports_add(ports, BERTH_STEER_DECLARED, "main", 0) < 0)
			r = refuse_row(ports, err);
	}
	free(wish);
	if (r == 0)
		r = lease_maps(ports, err);
	forget_lists(ports);
	return r;
}

static bool is_known(const struct berth_ports *ports, uint16_t number)
{
	for (size_t i = 0; i < ports->count; i++)
		if (ports->steer[i].kind == BERTH_STEER_DECLARED &&
		    (ports->steer[i].given == number ||
		     berth_steer_port_is_asked(&ports->steer[i], number)))
			return true;
	return false;
}

int berth_ports_lease_more(struct berth_ports *ports, const struct berth_wish *wish,
			   const char *service, struct berth_err *err)
{
	struct berth_wish named = *wish;
	struct berth_choice choice;
	int r;

	if (wish->ports[0].list_len && is_known(ports, wish->ports[0].list[0]))
		return 0;
	for (size_t i = 0; i < named.port_count; i++) {
		char name[BERTH_NAME_MAX + BERTH_PORT_NAME_MAX];

		if (strcmp(named.ports[i].name, "main") == 0)
			snprintf(name, sizeof(name), "%s", service);
		else
			snprintf(name, sizeof(name), "%s-%s", service, named.ports[i].name);
		berth_str_copy(named.ports[i].name, sizeof(named.ports[i].name), name);
	}
	load_foreign(ports);
	r = load_reserved(ports, err);
	if (r == 0)
		r = choose(ports, &named, NULL, &choice, err);
	forget_lists(ports);
	if (r)
		return r;
	/* All or none, but for memory: what has a row by then is the service's. */
	if (ports->count + choice.count > BERTH_PORTS_MAX)
		r = berth_err_set(err, -ENOSPC, BERTH_ERR_REFUSED, "a service can have %d ports",
				  BERTH_PORTS_MAX);
	else
		r = declare(ports, &named, &choice, true, err);
	berth_choice_release(&choice);
	return r;
}

/*
 * The program's own number is its own affair: only numbers that we pick are checked against the
 * reserved ones.
 */
static int take_itself(struct berth_ports *ports, size_t index, uint16_t number)
{
	struct berth_port *port = ports->port[index];
	int r = berth_lease_take(&port->lease, number);

	if (r == 0) {
		ports->steer[index].given = number;
		port->refused.port = 0;
		port->reason = BERTH_PORT_WISHED;
	}
	return r;
}

int berth_ports_lease_one(struct berth_ports *ports, size_t index, uint16_t number, bool skip_first,
			  struct berth_err *err)
{
	struct berth_wish wish = { .port_count = 1,
				   .attempts = ports->job->wish.attempts,
				   .any = ports->job->wish.any };
	enum berth_port_reason kind =
		ports->steer[index].kind == BERTH_STEER_TOOL ? BERTH_PORT_TOOL : BERTH_PORT_EXTRA;
	struct berth_choice choice;
	int r;

	if (!skip_first) {
		r = take_itself(ports, index, number);
		if (r == 0 && ports->steer[index].kind != BERTH_STEER_DECLARED)
			ports->port[index]->reason = kind;
		if (r <= 0)
			return r < 0 ? berth_err_errno(err, r, "cannot lease port %u", number) : 0;
	}
	load_foreign(ports);
	r = load_reserved(ports, err);
	if (r < 0)
		return r;
	berth_str_copy(wish.ports[0].name, sizeof(wish.ports[0].name), ports->port[index]->name);
	wish.ports[0].list[0] = number;
	wish.ports[0].list_len = 1;
	wish.ports[0].udp = ports->steer[index].udp;
	r = choose(ports, &wish, NULL, &choice, err);
	forget_lists(ports);
	if (r)
		return r;
	settle(ports, index, &choice, 0);
	if (ports->port[index]->refused.port == 0 && ports->steer[index].given != number)
		ports->port[index]->refused = (struct berth_choose_refused){ .port = number };
	if (ports->steer[index].kind != BERTH_STEER_DECLARED)
		ports->port[index]->reason = kind;
	berth_choice_release(&choice);
	return 0;
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

	if (port->passed)
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
		ret_memory->count++;
	}
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
