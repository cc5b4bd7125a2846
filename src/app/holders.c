/* SPDX-License-Identifier: MIT */
/*
 * app/holders.c - who holds which ports, joined from all that knows of it, as documents
 *
 * What costs is to find the processes that have a socket: all descriptors of all processes are
 * looked at. For a port that berth leased, its service's tree is enough: the record says which that
 * is. That shortcut is taken only if it explains every socket on the port, so a stranger on another
 * address is never missed.
 *
 * Nothing here is a snapshot. Where a process ends between the look and the question who it was,
 * both are done again: what is left then has no process, and that is the answer.
 *
 * Engines, the packet filter and systemd are asked only where their answer could change ours.
 */
#include "app/holders.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/holders-join.h"
#include "look/place.h"
#include "os/sock.h"
#include "os/statefile.h"
#include "os/tree.h"

enum {
	LOOKS_MAX = 3,
	/* Single numbers that may each be a lease; more are looked up as all others are. */
	LEASES_MAX = 16,
	HIDDEN_MAX = 8, /* sentences about hidden processes: they are in the documents too */
	/* Inode of the first pid namespace, PROC_PID_INIT_INO: there /proc shows everybody. */
	FIRST_PIDNS = 0xeffffffcU,
};

/* In the order of the answer. */
static const int protocols[] = { IPPROTO_TCP, IPPROTO_UDP };

/* All that an answer is made of. */
struct search {
	const struct berth_holders_query *query;
	struct berth_registry registry;
	json_t *records; /* owned: the living ones, labelled */
	struct berth_reserved *reserved; /* owned */
	/* Of the services that have the asked ports; none if any of these is no lease. */
	pid_t supervisors[LEASES_MAX];
	size_t supervisor_count;
	bool sealed; /* their leases: whatever is bound there, a supervisor has it, too */
	struct berth_look look;
	struct berth_holders_processes processes;
	struct berth_engine engine;
	struct berth_nat nat;
	bool has_engine, has_nat;
	struct berth_portset *led; /* owned: numbers that clients are led away from */
	struct berth_holders_sources sources;
};

static bool is_single(const struct berth_range *range)
{
	return range->lo == range->hi;
}

/* Is the range at @index asked for in @protocol? */
static bool wants(const struct berth_holders_query *query, size_t index, int protocol)
{
	bool datagrams = query->datagrams && query->datagrams[index];

	return protocol == IPPROTO_TCP ? !datagrams : datagrams || query->udp;
}

static bool wants_udp(const struct berth_holders_query *query)
{
	for (size_t i = 0; i < query->count; i++)
		if (wants(query, i, IPPROTO_UDP))
			return true;
	return false;
}

/* ---- what berth knows itself ---- */

/* A folder of what runs that can't be had means that nothing of ours runs. */
static json_t *load_records(struct search *search)
{
	BERTH_AUTO_JSON json_t *all = NULL;
	json_t *living = json_array();
	json_t *record;
	size_t i;

	if (berth_registry_open(&search->registry, NULL) < 0) {
		search->registry = (struct berth_registry){ .dir_fd = -1, .ports_fd = -1 };
		return living;
	}
	if (berth_registry_load(&search->registry, &all) < 0)
		return living;
	berth_registry_label(all);
	json_array_foreach (all, i, record)
		if (berth_registry_life(record) == BERTH_REGISTRY_LIVE)
			json_array_append(living, record);
	return living;
}

static struct berth_range load_ephemeral(void)
{
	struct berth_range range = { 32768, 60999 };

	(void)!berth_sock_outgoing_range(&range.lo, &range.hi);
	return range;
}

static bool sees_all_pids(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == FIRST_PIDNS;
}

/* ---- the look ---- */

/* The span of all that was asked: one look, and one walk over the processes, is for all of it. */
static struct berth_range span_of(const struct berth_holders_query *query)
{
	struct berth_range span = query->ranges[0];

	for (size_t i = 1; i < query->count; i++) {
		if (query->ranges[i].lo < span.lo)
			span.lo = query->ranges[i].lo;
		if (query->ranges[i].hi > span.hi)
			span.hi = query->ranges[i].hi;
	}
	return span;
}

static bool is_asked(const struct berth_holders_query *query, uint16_t port)
{
	for (size_t i = 0; i < query->count; i++)
		if (berth_range_has(&query->ranges[i], port))
			return true;
	return false;
}

/*
 * A lease keeps everybody else out, and has a duplicate of whatever the service binds there
 * (port/lease.c): unless it had to be opened for what could not be steered, or for other workers, or
 * lets go of its duplicates for a stop.
 */
static bool is_sealed(const json_t *record)
{
	const json_t *service = berth_registry_service(record);

	return strcmp(berth_json_string(service, "steering", ""), "full") == 0 &&
	       strcmp(berth_json_string(service, "sharing", ""), "open-group") != 0 &&
	       strcmp(berth_json_string(berth_registry_summary(record), "state", ""), "stopping") !=
		       0;
}

/* False: not all asked ports are leases. */
static bool find_supervisors(struct search *search)
{
	search->supervisor_count = 0;
	search->sealed = true;
	for (size_t i = 0; i < search->query->count; i++) {
		const struct berth_range *range = &search->query->ranges[i];
		BERTH_AUTO_JSON json_t *record = NULL;

		if (!is_single(range) || i == LEASES_MAX || search->registry.ports_fd < 0)
			return false;
		record = berth_registry_find_port(&search->registry, range->lo);
		if (!record)
			return false;
		search->supervisors[i] = berth_registry_process(record, "supervisor").pid;
		search->sealed &= is_sealed(record);
	}
	search->supervisor_count = search->query->count;
	return true;
}

static struct berth_look_query query_of(const struct search *search)
{
	struct berth_range span = span_of(search->query);
	struct berth_look_query query = {
		.port_lo = span.lo,
		.port_hi = span.hi,
		.udp = wants_udp(search->query),
		.processes = true,
		.namespaces = search->query->details,
	};

	if (search->supervisor_count) {
		/*
		 * Whatever else has the number was there before the lease, which it would have
		 * prevented, or was accepted: the walk over all connections can be saved.
		 */
		query.kinds = 1u << BERTH_LOOK_LISTENER | 1u << BERTH_LOOK_BOUND;
		query.namespaces = false;
	}
	return query;
}

struct pids {
	pid_t *pids; /* owned */
	size_t count;
};

static bool list_own_trees(const struct search *search, struct pids *pids)
{
	for (size_t i = 0; i < search->supervisor_count; i++) {
		BERTH_AUTO_FREE pid_t *tree = NULL;
		size_t count;
		pid_t *grown;

		if (berth_tree_list(search->supervisors[i], &tree, &count) < 0)
			return false;
		grown = reallocarray(pids->pids, pids->count + count, sizeof(*grown));
		if (!grown)
			return false;
		memcpy(grown + pids->count, tree, count * sizeof(*grown));
		pids->pids = grown;
		pids->count += count;
	}
	return pids->count;
}

/* Has every asked socket of ours that could have a process one that we know of? */
static bool is_explained(const struct search *search)
{
	size_t count;

	for (size_t i = 0; i < search->look.socket_count; i++) {
		const struct berth_look_socket *socket = &search->look.sockets[i];

		if (socket->inode && !socket->netns &&
		    is_asked(search->query, berth_addr_port(&socket->local)) &&
		    !berth_look_holders_of(&search->look, socket->inode, &count))
			return false;
	}
	/* None at all: the lease came after our look at the tables. */
	return search->look.socket_count;
}

/* By the trees of the services alone. False: that does not tell all. */
static bool look_at_own(struct search *search)
{
	struct berth_look_query query = query_of(search);
	struct pids own = { 0 };
	bool done = false;

	if (search->sealed && !query.udp) {
		query.binders = search->supervisors;
		query.binder_count = search->supervisor_count;
	}
	if (list_own_trees(search, &own)) {
		query.pids = own.pids;
		query.pid_count = own.count;
		done = berth_look_load(&query, &search->look) == 0 && is_explained(search);
	}
	free(own.pids);
	if (!done)
		berth_look_deinit(&search->look);
	return done;
}

static int look(struct search *search)
{
	struct berth_look_query query;

	if (find_supervisors(search) && look_at_own(search))
		return 0;
	search->supervisor_count = 0;
	query = query_of(search);
	return berth_look_load(&query, &search->look);
}

/* ---- whom else to ask ---- */

static bool works_for_container(struct search *search, const struct berth_look_holder *holder)
{
	const struct berth_holders_process *process =
		berth_holders_process_find(&search->processes, &holder->proc);

	return process &&
	       (berth_place_is_proxy(berth_json_string(process->document, "process", "")) ||
		json_is_object(json_object_get(process->document, "container")));
}

/* A container that publishes its port by rules alone has no socket here; of a range many have none. */
static bool asks_for_nobodys(const struct search *search)
{
	for (size_t i = 0; i < search->query->count; i++) {
		const struct berth_range *range = &search->query->ranges[i];

		if (!is_single(range))
			return true;
		for (size_t k = 0; k < BERTH_ARRAY_SIZE(protocols); k++)
			if (wants(search->query, i, protocols[k]) &&
			    !berth_holders_join_has_any(&search->look, range->lo, protocols[k]))
				return true;
	}
	return false;
}

static int ask_others(struct search *search)
{
	bool nobodys = asks_for_nobodys(search), container = false;
	int r = 0;

	if (!search->query->details)
		return 0;
	for (size_t i = 0; !nobodys && !container && i < search->look.holder_count; i++)
		container = works_for_container(search, &search->look.holders[i]);
	if ((nobodys || container) && !search->has_engine) {
		r = berth_engine_load(BERTH_HOLDERS_ENGINE_MS, &search->engine);
		search->has_engine = r == 0;
	}
	if (r == 0 && nobodys && !search->has_nat) {
		r = berth_nat_load(&search->nat);
		search->has_nat = r == 0;
	}
	if (r == 0)
		berth_holders_join_collect_led(&search->sources, search->led);
	return r;
}

/* ---- the answer ---- */

/* @always: also if nobody has it. */
static int add_port(struct search *search, uint16_t port, int protocol, bool always, json_t *ports,
		    bool *ret_gone)
{
	json_t *document = berth_holders_join(&search->sources, port, protocol, ret_gone);
	const json_t *holder;
	bool held = always;
	size_t i;

	if (!document)
		return -ENOMEM;
	/* What is reserved alone would fill pages: of a range it is the holders that count. */
	json_array_foreach (json_object_get(document, "holders"), i, holder)
		held |= strcmp(berth_json_string(holder, "kind", ""), "reserved") != 0;
	if (!held) {
		json_decref(document);
		return 0;
	}
	return json_array_append_new(ports, document) < 0 ? -ENOMEM : 0;
}

static bool was_before(const struct berth_holders_query *query, size_t index, uint16_t port,
		       int protocol)
{
	for (size_t i = 0; i < index; i++)
		if (wants(query, i, protocol) && berth_range_has(&query->ranges[i], port))
			return true;
	return false;
}

static int answer_range(struct search *search, size_t index, json_t *ports, bool *ret_gone)
{
	const struct berth_range *range = &search->query->ranges[index];
	bool always = is_single(range) || search->query->every;
	int r = 0;

	for (unsigned int port = range->lo; r == 0 && port <= range->hi; port++) {
		if (!always) {
			port = berth_holders_join_next(&search->look, search->led, (uint16_t)port);
			if (!port || port > range->hi)
				return 0;
		}
		for (size_t i = 0; r == 0 && i < BERTH_ARRAY_SIZE(protocols); i++)
			if (wants(search->query, index, protocols[i]) &&
			    !was_before(search->query, index, (uint16_t)port, protocols[i]))
				r = add_port(search, (uint16_t)port, protocols[i], always, ports,
					     ret_gone);
	}
	return r;
}

/* Each once, in the order that they were asked in. */
static int answer(struct search *search, json_t *ports, bool *ret_gone)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < search->query->count; i++)
		r = answer_range(search, i, ports, ret_gone);
	return r;
}

/* Once more if a process ended meanwhile; but not for ever, as some come and go all the time. */
static int look_and_answer(struct search *search, json_t **ret_ports)
{
	for (unsigned int tries = 1;; tries++) {
		BERTH_AUTO_JSON json_t *ports = json_array();
		bool gone = false;
		int r = look(search);

		if (r == 0)
			r = ask_others(search);
		if (r == 0)
			r = ports ? answer(search, ports, &gone) : -ENOMEM;
		if (r < 0)
			return r;
		if (!gone || tries == LOOKS_MAX) {
			*ret_ports = BERTH_STEAL(ports);
			return 0;
		}
		berth_look_deinit(&search->look);
		search->look = (struct berth_look){ 0 };
		berth_holders_processes_forget(&search->processes);
	}
}

/* ---- what can't be told ---- */

static void add_unseen(json_t *unseen, const char *fmt, ...) BERTH_PRINTF(2, 3);

static void add_unseen(json_t *unseen, const char *fmt, ...)
{
	char text[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	json_array_append_new(unseen, berth_json_text(text));
}

/* One sentence for each port of which a process is hidden. */
static void add_hidden(const json_t *port, json_t *unseen)
{
	const json_t *holder;
	size_t i;

	json_array_foreach (json_object_get(port, "holders"), i, holder) {
		const char *user = berth_json_string(holder, "user", NULL);

		if (json_is_true(json_object_get(holder, "pid_visible")))
			continue;
		add_unseen(unseen, "%lld is held by uid %lld%s%.64s%s, process hidden",
			   (long long)berth_json_int(port, "port", 0),
			   (long long)berth_json_int(holder, "uid", 0), user ? " (" : "",
			   user ? user : "", user ? ")" : "");
		return;
	}
}

/* Without that, rules lead nobody away from this machine. */
static bool is_forwarding(void)
{
	BERTH_AUTO_FREE char *text = NULL;
	size_t len;

	return berth_statefile_read(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", 16, &text, &len) <
		       0 ||
	       text[0] != '0';
}

/* One sentence for each rule that was not gone through number by number. */
static void add_wide_rules(const struct search *search, json_t *unseen)
{
	for (size_t i = 0; search->has_nat && i < search->nat.count; i++) {
		const struct berth_nat_rule *rule = &search->nat.rules[i];

		if (berth_holders_join_is_wide(rule) && json_array_size(unseen) < HIDDEN_MAX)
			add_unseen(unseen, "a rule leads clients of %u-%u to %s", rule->port_lo,
				   rule->port_hi, rule->target);
	}
}

static bool asks_for_range(const struct berth_holders_query *query)
{
	for (size_t i = 0; i < query->count; i++)
		if (!is_single(&query->ranges[i]))
			return true;
	return false;
}

static json_t *unseen_of(const struct search *search, const json_t *ports)
{
	bool unasked = search->has_engine && search->engine.denied;
	json_t *unseen = json_array();
	const json_t *port;
	size_t nobodys = 0, i;

	json_array_foreach (ports, i, port) {
		nobodys += json_array_size(json_object_get(port, "holders")) == 0;
		if (json_array_size(unseen) < HIDDEN_MAX)
			add_hidden(port, unseen);
	}
	if (search->has_engine && search->engine.late)
		add_unseen(unseen, BERTH_HOLDERS_ENGINE_LATE);
	if (search->has_engine && search->engine.garbled)
		add_unseen(unseen, BERTH_HOLDERS_ENGINE_GARBLED);
	if (asks_for_range(search->query))
		add_wide_rules(search, unseen);
	/* Only where nobody has the port could it matter who else there is. */
	if (!nobodys && !asks_for_range(search->query))
		return unseen;
	if (search->look.bound_unseen)
		add_unseen(unseen,
			   "%u processes of other users may have bound what they do not listen on",
			   search->look.hidden_processes);
	if (search->look.hidden_namespaces)
		add_unseen(unseen, "%u other network namespaces were not looked into",
			   search->look.hidden_namespaces);
	if (unasked || (search->has_nat && search->nat.error == -EACCES && is_forwarding()))
		add_unseen(unseen, "clients may be led to a container, which only root can tell");
	return unseen;
}

/* ---- all of it ---- */

static int search_init(struct search *search, const struct berth_holders_query *query)
{
	*search = (struct search){
		.query = query,
		.registry = { .dir_fd = -1, .ports_fd = -1 },
		.reserved = calloc(1, sizeof(*search->reserved)),
		.led = calloc(1, sizeof(*search->led)),
	};
	int r = search->reserved && search->led ? berth_reserved_load(search->reserved, NULL)
						: -ENOMEM;

	if (r < 0)
		return r;
	search->records = load_records(search);
	r = berth_holders_processes_init(&search->processes, search->records);
	if (r < 0)
		return r;
	search->sources = (struct berth_holders_sources){
		.look = &search->look,
		.processes = &search->processes,
		.engine = &search->engine,
		.nat = &search->nat,
		.reserved = search->reserved,
		.ephemeral = load_ephemeral(),
		.uid = geteuid(),
		.all_pids = sees_all_pids(),
		.units = query->details,
	};
	return 0;
}

static void search_deinit(struct search *search)
{
	berth_look_deinit(&search->look);
	if (search->has_engine)
		berth_engine_deinit(&search->engine);
	if (search->has_nat)
		berth_nat_deinit(&search->nat);
	berth_holders_processes_deinit(&search->processes);
	json_decref(search->records);
	free(search->reserved);
	free(search->led);
	berth_registry_close(&search->registry);
}

int berth_holders_load(const struct berth_holders_query *query, json_t **ret_ports,
		       json_t **ret_unseen, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *ports = NULL;
	struct search search;
	int r = search_init(&search, query);

	if (r == 0)
		r = look_and_answer(&search, &ports);
	if (r < 0)
		berth_err_errno(err, r, "cannot look who holds a port");
	if (r == 0 && ret_unseen)
		*ret_unseen = unseen_of(&search, ports);
	if (r == 0)
		*ret_ports = BERTH_STEAL(ports);
	search_deinit(&search);
	return r;
}
