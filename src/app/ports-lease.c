/* SPDX-License-Identifier: MIT */
/* app/ports-lease.c - from what was wished, pinned and remembered to the leases of a service */
#include "app/ports.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/pins.h"
#include "app/stack.h"
#include "base/str.h"
#include "base/time.h"

/* Where a number is needed and nobody named one (--new, {port} without a wish). */
enum {
	DEFAULT_LO = 3000,
	DEFAULT_HI = 3999,
};

void berth_ports_recall(int memory_fd, const struct berth_job *job,
			struct berth_remembered *ret_memory)
{
	BERTH_AUTO_FREE struct berth_identity *first = malloc(sizeof(*first));

	ret_memory->count = 0;
	if (memory_fd < 0 || !first)
		return;
	*first = job->identity;
	if (job->fresh) {
		first->instance = 1;
		berth_identity_seal(first);
	}
	if (berth_remembered_load(memory_fd, first->key, ret_memory) < 0)
		ret_memory->count = 0;
	for (size_t i = 0; i < ret_memory->count && job->identity.instance != first->instance; i++)
		if (ret_memory->ports[i].asked)
			ret_memory->ports[i].given = ret_memory->ports[i].home =
				ret_memory->ports[i].asked;
}

/* 24 KiB that are seldom needed again: a supervisor has many services. */
void berth_ports_forget_lists(struct berth_ports *ports)
{
	free(BERTH_STEAL(ports->reserved));
	free(BERTH_STEAL(ports->foreign));
	json_decref(BERTH_STEAL(ports->pins));
}

void berth_ports_shared_deinit(struct berth_ports_shared *shared)
{
	free(BERTH_STEAL(shared->reserved));
	free(BERTH_STEAL(shared->remembered));
	free(BERTH_STEAL(shared->taken));
	json_decref(BERTH_STEAL(shared->pins));
}

/* What the machine keeps back: the same for all who share. */
static int load_kernel_list(struct berth_ports *ports)
{
	struct berth_ports_shared *shared = ports->shared;
	int r = 0;

	if (!shared)
		return berth_reserved_load(ports->reserved, NULL);
	if (!shared->reserved) {
		shared->reserved = calloc(1, sizeof(*shared->reserved));
		r = shared->reserved ? berth_reserved_load(shared->reserved, NULL) : -ENOMEM;
	}
	if (r == 0)
		*ports->reserved = *shared->reserved;
	return r;
}

static int load_reserved(struct berth_ports *ports, struct berth_err *err)
{
	const struct berth_settings *settings = ports->job->settings;
	int r;

	if (ports->reserved)
		return 0;
	ports->reserved = calloc(1, sizeof(*ports->reserved));
	r = ports->reserved ? load_kernel_list(ports) : -ENOMEM;
	if (r < 0)
		return berth_err_errno(err, r, "cannot load the reserved ports");
	ports->unprivileged_start = ports->reserved->unprivileged_start;
	if (ports->job->skip)
		r = berth_portset_parse(ports->job->skip, &ports->reserved->user);
	if (r < 0)
		return berth_err_set(err, r, BERTH_ERR_CONFIG, "'%s' is no list of ports to skip",
				     ports->job->skip);
	if (settings && settings->skip)
		(void)!berth_portset_parse(settings->skip, &ports->reserved->user);
	return 0;
}

static int64_t choice_deadline(const struct berth_job *job)
{
	return job->check_timeout_ms
		       ? berth_time_mono_ns() + job->check_timeout_ms * BERTH_NS_PER_MS
		       : 0;
}

/* Numbers that go before or after the wish's own. */
struct known {
	struct berth_candidate pinned;
	bool is_pinned;
	struct berth_candidate remembered[BERTH_CANDIDATES_REMEMBERED_MAX];
	size_t remembered_count;
};

/* NULL, also without memory for it: then each asks for itself. */
static struct berth_portset *shared_taken(struct berth_ports_shared *shared)
{
	if (shared && !shared->taken)
		shared->taken = calloc(1, sizeof(*shared->taken));
	return shared ? shared->taken : NULL;
}

/* @known may be NULL. */
static int choose(struct berth_ports *ports, const struct berth_wish *wish,
		  const struct known *known, struct berth_choice *ret_choice, struct berth_err *err)
{
	const struct berth_choose_spec spec = {
		.wish = wish,
		.pinned = known && known->is_pinned ? &known->pinned : NULL,
		.remembered = known ? known->remembered : NULL,
		.remembered_count = known ? known->remembered_count : 0,
		.reserved = ports->reserved,
		.foreign = ports->foreign,
		.taken = shared_taken(ports->shared),
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

/* The remembered numbers of this very wish, in its order: where it is at home, and where it was last. */
static void recall(const struct berth_wish *wish, const struct berth_remembered *memory,
		   struct known *known)
{
	struct berth_candidate *home = &known->remembered[0], *last = &known->remembered[1];

	for (size_t i = 0; i < wish->port_count; i++) {
		home->port[i] = last->port[i] = 0;
		for (size_t j = 0; j < memory->count; j++)
			if (strcmp(memory->ports[j].name, wish->ports[i].name) == 0 &&
			    (!wish->ports[i].list_len ||
			     memory->ports[j].asked == wish->ports[i].list[0])) {
				home->port[i] = memory->ports[j].home;
				last->port[i] = memory->ports[j].given;
			}
		if (!last->port[i])
			return;
	}
	known->remembered_count = wish->port_count > 0 ? 2 : 0;
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

static const json_t *load_pins(struct berth_ports *ports)
{
	json_t **pins = ports->shared ? &ports->shared->pins : &ports->pins;

	/* What can't be read pins nothing. */
	if (!*pins && berth_pins_load(pins, NULL) < 0)
		*pins = json_array();
	return *pins;
}

/* The pinned numbers in the order of the wish; false where there is none. */
static bool find_pinned(struct berth_ports *ports, const struct berth_wish *wish,
			struct berth_candidate *ret_candidate)
{
	size_t count = wish->port_count ? wish->port_count : 1;
	bool found = false;

	/* Who has the wish freed, or asks who holds it, wants that very one. */
	if (ports->job->free_first != BERTH_JOB_FREE_NOTHING || ports->job->ask)
		return false;
	for (size_t i = 0; i < count; i++) {
		const char *name = i < wish->port_count ? wish->ports[i].name : "main";
		uint16_t port = berth_pins_find(load_pins(ports), ports->job->settings,
						&ports->job->identity, name, i == 0);

		ret_candidate->port[i] = port;
		found |= port != 0;
	}
	return found;
}

/* Into @set, which is empty; what can't be read keeps no number from anybody. */
static void load_remembered(const struct berth_ports *ports, struct berth_portset *set)
{
	if (berth_remembered_foreign(ports->memory_fd, ports->job->identity.key,
				     ports->job->identity.root, ports->job->identity.copy, set) < 0)
		*set = (struct berth_portset){ 0 };
}

static void load_foreign(struct berth_ports *ports)
{
	struct berth_ports_shared *shared = ports->shared;

	/* Who frees a number first wants that very one. */
	if (ports->foreign || ports->memory_fd < 0 ||
	    ports->job->free_first != BERTH_JOB_FREE_NOTHING)
		return;
	ports->foreign = calloc(1, sizeof(*ports->foreign));
	if (!ports->foreign)
		return;
	/* They are of other folders or copies, so the same for all of this stack. */
	if (shared && !shared->remembered) {
		shared->remembered = calloc(1, sizeof(*shared->remembered));
		if (shared->remembered)
			load_remembered(ports, shared->remembered);
	}
	if (shared && shared->remembered)
		*ports->foreign = *shared->remembered;
	else
		load_remembered(ports, ports->foreign);
	berth_pins_add_others(load_pins(ports), ports->job->settings, &ports->job->identity,
			      ports->foreign);
	if (ports->job->stack)
		berth_stack_add_others(ports->job->stack, ports->job->member, ports->foreign);
}

/*
 * What the port is known by. Several services of a stack may share a range, whose start is then
 * nobody's own.
 */
static uint16_t asked_of(const struct berth_ports *ports, const struct berth_wish_port *port,
			 const struct berth_wish *wish, uint16_t given)
{
	if (port->list_len)
		return port->list[0];
	if (port->alias)
		return port->alias;
	return ports->job->stack ? given : wish->range.lo;
}

/* The leases that found no row stay with @choice. */
static int declare(struct berth_ports *ports, const struct berth_wish *wish,
		   struct berth_choice *choice, bool wished, struct berth_err *err)
{
	for (size_t i = 0; i < choice->count; i++) {
		const struct berth_wish_port *port = &wish->ports[i];
		const char *name = i < wish->port_count ? port->name : "main";
		uint16_t asked = asked_of(ports, port, wish, choice->leases[i].port);
		int index = berth_ports_add(ports, BERTH_STEER_DECLARED, name, asked);

		if (index < 0)
			return refuse_row(ports, err);
		if (port->alias && port->alias != asked)
			berth_steer_port_add_asked(&ports->steer[index], port->alias);
		ports->steer[index].udp = port->udp;
		ports->steer[index].wished = wished;
		ports->steer[index].remembered = !wished;
		settle(ports, (size_t)index, choice, i);
	}
	return 0;
}

static struct berth_range default_range(const struct berth_job *job)
{
	if (job->settings && job->settings->range.lo)
		return job->settings->range;
	return (struct berth_range){ DEFAULT_LO, DEFAULT_HI };
}

int berth_ports_lease(struct berth_ports *ports, const struct berth_remembered *memory,
		      int memory_fd, struct berth_err *err)
{
	const struct berth_job *job = ports->job;
	struct berth_wish *wish;
	struct known known = { 0 };
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
		wish->range = default_range(job);
	known.is_pinned = find_pinned(ports, wish, &known.pinned);
	recall(wish, memory, &known);
	r = 0;
	if (wished || wish->port_count || known.is_pinned) {
		load_foreign(ports);
		r = load_reserved(ports, err);
		if (r == 0)
			r = choose(ports, wish, &known, &choice, err);
		if (r == 0) {
			r = declare(ports, wish, &choice, wished || !wish->port_count, err);
			berth_choice_release(&choice);
		}
		/* A pin that can't be had is no reason not to start. */
		if (r > 0 && !wished && !wish->port_count) {
			known.is_pinned = false;
			*err = (struct berth_err){ 0 };
		}
	}
	if (!wished && !wish->port_count && !known.is_pinned) {
		r = 0;
		/* The program's own first bind() will decide. */
		if (berth_ports_add(ports, BERTH_STEER_DECLARED, "main", 0) < 0)
			r = refuse_row(ports, err);
	}
	free(wish);
	if (r == 0)
		r = lease_maps(ports, err);
	berth_ports_forget_lists(ports);
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
	berth_ports_forget_lists(ports);
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

static struct berth_choose_refused why_refused(const struct berth_choice *choice, uint16_t number)
{
	for (size_t i = 0; i < choice->refused_count; i++)
		if (choice->refused[i].port == number)
			return choice->refused[i];
	return (struct berth_choose_refused){ .port = number };
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

	/*
	 * The first number that a service ever binds may be remembered for another folder. Of extra
	 * ports there may be many, and nothing is remembered of them.
	 */
	if (!skip_first && ports->steer[index].kind == BERTH_STEER_DECLARED) {
		load_foreign(ports);
		skip_first = ports->foreign && berth_portset_has(ports->foreign, number);
	}
	if (!skip_first) {
		r = take_itself(ports, index, number);
		if (r == 0 && ports->steer[index].kind != BERTH_STEER_DECLARED)
			ports->port[index]->reason = kind;
		if (r <= 0)
			berth_ports_forget_lists(ports);
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
	berth_ports_forget_lists(ports);
	if (r)
		return r;
	settle(ports, index, &choice, 0);
	if (ports->port[index]->refused.port == 0 && ports->steer[index].given != number)
		ports->port[index]->refused = why_refused(&choice, number);
	if (ports->steer[index].kind != BERTH_STEER_DECLARED)
		ports->port[index]->reason = kind;
	berth_choice_release(&choice);
	return 0;
}
