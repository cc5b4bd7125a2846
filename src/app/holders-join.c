/* SPDX-License-Identifier: MIT */
/*
 * app/holders-join.c - the holders of one port, joined from what was found of each
 *
 * One element per socket, since each is in the way by itself, or not. What holds a port without a
 * socket of ours comes behind: a container that the packet filter leads clients to, a number that
 * the kernel keeps back.
 */
#include "app/holders-join.h"

#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/holders-advice.h"
#include "base/str.h"
#include "look/place.h"
#include "look/units.h"
#include "look/verdict.h"

enum {
	/* A server that ended leaves a TIME_WAIT for each of its clients: thousands, all alike. */
	CLOSED_MAX = 100,
	LED_SPAN_MAX = 1000, /* numbers of one rule that are gone through */
};

/* Where ip-netns(8) keeps the names. */
static const char netns_folder[] = "/run/netns";

/* ---- sockets ---- */

/* The first socket at @port or above: they are sorted by port. */
static size_t first_of(const struct berth_look *look, uint16_t port)
{
	size_t lo = 0, hi = look->socket_count;

	while (lo < hi) {
		size_t middle = (lo + hi) / 2;

		if (berth_addr_port(&look->sockets[middle].local) < port)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

bool berth_holders_join_has_any(const struct berth_look *look, uint16_t port, int protocol)
{
	size_t count;

	return berth_look_sockets_of(look, port, protocol, &count) && count;
}

uint16_t berth_holders_join_next(const struct berth_look *look, const struct berth_portset *led,
				 uint16_t port)
{
	size_t at = first_of(look, port);
	uint16_t found = at < look->socket_count ? berth_addr_port(&look->sockets[at].local) : 0;

	for (unsigned int number = port; number < (found ? found : UINT16_MAX + 1U); number++)
		if (berth_portset_has(led, (uint16_t)number))
			return (uint16_t)number;
	return found;
}

bool berth_holders_join_is_wide(const struct berth_nat_rule *rule)
{
	return rule->port_hi - rule->port_lo >= LED_SPAN_MAX;
}

void berth_holders_join_collect_led(const struct berth_holders_sources *sources,
				    struct berth_portset *led)
{
	for (size_t i = 0; sources->nat && i < sources->nat->count; i++) {
		const struct berth_nat_rule *rule = &sources->nat->rules[i];

		if (!berth_holders_join_is_wide(rule))
			berth_portset_add(led,
					  (struct berth_range){ rule->port_lo, rule->port_hi });
	}
	for (size_t i = 0; sources->engine && i < sources->engine->count; i++)
		for (size_t k = 0; k < sources->engine->containers[i].port_count; k++) {
			uint16_t port = sources->engine->containers[i].ports[k].host_port;

			if (port)
				berth_portset_add(led, (struct berth_range){ port, port });
		}
}

/* ---- members ---- */

/* All members of a holder, as of one of which nothing is known. */
static json_t *new_holder(const char *kind)
{
	static const char *const members[] = {
		"kind",	 "in_the_way",	"address",     "family",  "protocol", "peer",
		"pid",	 "pid_visible", "shared_with", "process", "command",  "cwd",
		"user",	 "uid",		"started_at",  "project", "unit",     "container",
		"netns", "parents",	"service",
	};
	json_t *holder = json_object();

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(members); i++)
		json_object_set_new(holder, members[i], json_null());
	json_object_set_new(holder, "kind", json_string(kind));
	json_object_set_new(holder, "in_the_way", json_false());
	json_object_set_new(holder, "pid_visible", json_true());
	json_object_set_new(holder, "shared_with", json_array());
	json_object_set_new(holder, "command", json_array());
	json_object_set_new(holder, "parents", json_array());
	return holder;
}

static const char *protocol_name(int protocol)
{
	return protocol == IPPROTO_UDP ? "udp" : "tcp";
}

static void set_addresses(const struct berth_look_socket *socket, json_t *holder)
{
	char text[BERTH_ADDR_STRLEN];
	bool v6 = socket->local.sa.sa_family == AF_INET6;

	json_object_set_new(holder, "address",
			    json_string(berth_addr_format_host(&socket->local, text)));
	json_object_set_new(holder, "family",
			    json_string(!v6 ? "ipv4"
					: socket->v6only || !berth_addr_is_any(&socket->local)
						? "ipv6"
						: "both"));
	if (socket->peer.len)
		json_object_set_new(holder, "peer",
				    json_string(berth_addr_format(&socket->peer, text)));
}

/* The name that somebody gave to the network namespace; NULL: none. New reference. */
static json_t *find_netns_name(uint64_t inode)
{
	DIR *dir = opendir(netns_folder);
	struct dirent *entry;
	json_t *name = NULL;
	struct stat st;

	while (dir && !name && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 &&
		    st.st_ino == inode)
			name = berth_json_text(entry->d_name);
	if (dir)
		closedir(dir);
	return name;
}

/* "same"; else its container, the name that it has, or "net:[4026532281]". */
static json_t *netns_of(const struct berth_look_socket *socket, const json_t *holder)
{
	json_t *container = json_object_get(holder, "container");
	json_t *name;
	char text[64];

	if (!socket->netns)
		return json_string("same");
	if (berth_json_string(container, "name", NULL))
		return json_incref(json_object_get(container, "name"));
	name = find_netns_name(socket->netns);
	if (name)
		return name;
	snprintf(text, sizeof(text), "net:[%llu]", (unsigned long long)socket->netns);
	return json_string(text);
}

/* Set the members of @holder that an engine knows of the container. */
static void name_container(const struct berth_engine_container *container, json_t *holder)
{
	json_object_set_new(holder, "container",
			    json_pack("{s:o,s:o,s:o,s:o}", "id", berth_json_text(container->id),
				      "name", berth_json_text_or_null(container->name), "engine",
				      berth_json_text_or_null(container->engine), "image",
				      berth_json_text_or_null(container->image)));
}

static const struct berth_engine_container *find_monitored(const struct berth_engine *engine,
							   pid_t pid)
{
	for (size_t i = 0; pid > 0 && i < engine->count; i++)
		if (engine->containers[i].monitor == pid)
			return &engine->containers[i];
	return NULL;
}

void berth_holders_join_container(const struct berth_engine *engine, uint16_t port, int protocol,
				  json_t *holder)
{
	const json_t *known = json_object_get(holder, "container");
	const char *id = berth_json_string(known, "id", "");
	const struct berth_engine_container *container = NULL;

	if (*id)
		container = berth_engine_find(engine, id);
	else if (berth_place_is_proxy(berth_json_string(holder, "process", "")))
		container = find_monitored(engine, (pid_t)berth_json_int(holder, "pid", 0));
	if (!container && !*id && berth_place_is_proxy(berth_json_string(holder, "process", "")))
		container = berth_engine_find_port(engine, port, protocol);
	if (container)
		name_container(container, holder);
}

/* systemd listens for others: what counts is for whom. */
static void add_socket_unit(const struct berth_holders_sources *sources,
			    const struct berth_look_socket *socket, json_t *holder)
{
	bool first = berth_json_int(holder, "pid", 0) == 1 ||
		     (!json_is_true(json_object_get(holder, "pid_visible")) &&
		      strcmp(berth_json_string(holder, "unit", ""), "init.scope") == 0);
	bool systemd = strcmp(berth_json_string(holder, "process", ""), "systemd") == 0;
	char unit[BERTH_PLACE_UNIT_MAX], service[BERTH_PLACE_UNIT_MAX];

	if (!sources->units || (!first && !systemd))
		return;
	if (berth_units_find_socket(berth_addr_port(&socket->local), !first, unit, sizeof(unit),
				    service, sizeof(service)))
		json_object_set_new(holder, "unit", berth_json_text_or_null(unit));
}

/* {"label","id","instance"} of a record; new reference. */
static json_t *service_of(const json_t *record)
{
	const json_t *service = berth_registry_summary(record);

	return json_pack("{s:o,s:o,s:I}", "label",
			 berth_json_text(berth_json_string(service, "label", "")), "id",
			 berth_json_text(berth_json_string(service, "id", "")), "instance",
			 (json_int_t)berth_json_int(service, "instance", 1));
}

/* ---- the processes of a socket ---- */

/* A supervisor: one that we have a record of, or one of another user by its name. */
static bool is_supervisor(const struct berth_holders_process *process)
{
	return process->supervisor == process->id.pid ||
	       strncmp(berth_json_string(process->document, "process", ""), "berth: ", 7) == 0;
}

/* Is @a more likely who opened it than @b: no supervisor of berth, and the elder? */
static bool is_before(const struct berth_holders_process *a, const struct berth_holders_process *b)
{
	if (is_supervisor(a) != is_supervisor(b))
		return is_supervisor(b);
	return a->id.start_ticks != b->id.start_ticks ? a->id.start_ticks < b->id.start_ticks
						      : a->id.pid < b->id.pid;
}

/* Who opened the socket, as far as that shows; NULL: nobody that we know of. */
static const struct berth_holders_process *find_owner(const struct berth_holders_sources *sources,
						      uint64_t inode, bool *ret_gone)
{
	const struct berth_holders_process *owner = NULL, *process;
	size_t count = 0;
	const struct berth_look_holder *holders =
		berth_look_holders_of(sources->look, inode, &count);

	for (size_t i = 0; holders && i < count; i++) {
		process = berth_holders_process_find(sources->processes, &holders[i].proc);
		if (!process)
			*ret_gone = true;
		else if (!owner || is_before(process, owner))
			owner = process;
	}
	return owner;
}

/* The others that have it, but for a duplicate that berth keeps of a socket of its service. */
static void add_shared(const struct berth_holders_sources *sources, uint64_t inode,
		       const struct berth_holders_process *owner, json_t *holder)
{
	size_t count = 0;
	const struct berth_look_holder *holders =
		berth_look_holders_of(sources->look, inode, &count);
	json_t *shared = json_object_get(holder, "shared_with");

	for (size_t i = 0; holders && i < count; i++) {
		const struct berth_holders_process *process =
			berth_holders_process_find(sources->processes, &holders[i].proc);

		if (!process || process == owner || process->supervisor == process->id.pid)
			continue;
		json_array_append_new(
			shared,
			json_pack("{s:O,s:O}", "pid", json_object_get(process->document, "pid"),
				  "process", json_object_get(process->document, "process")));
	}
}

static bool sees_all(const struct berth_holders_sources *sources)
{
	return !sources->look->hidden_processes && sources->all_pids;
}

static void add_hidden(const struct berth_holders_sources *sources,
		       const struct berth_look_socket *socket, json_t *holder)
{
	const json_t *record =
		berth_holders_process_outside(sources->processes, berth_addr_port(&socket->local));

	/* To somebody who sees all, it is the kernel's own: of NFS, of WireGuard ... */
	json_object_set_new(holder, "pid_visible", json_boolean(sees_all(sources)));
	json_object_set_new(holder, "uid", json_integer(socket->uid));
	json_object_set_new(holder, "user",
			    berth_holders_process_user(sources->processes, socket->uid));
	if (record)
		json_object_set_new(holder, "service", service_of(record));
	berth_holders_process_place(sources->processes, socket->cgroup_id, holder);
}

static void add_owner(const struct berth_holders_sources *sources,
		      const struct berth_look_socket *socket,
		      const struct berth_holders_process *owner, json_t *holder)
{
	const json_t *record = berth_holders_process_record(sources->processes, owner,
							    berth_addr_port(&socket->local));

	json_object_update(holder, owner->document);
	add_shared(sources, socket->inode, owner, holder);
	/* Bound for a service of ours, by a process outside of it: its ports are TCP's. */
	if (!owner->supervisor && socket->protocol != IPPROTO_TCP)
		record = NULL;
	if (!record)
		return;
	json_object_set_new(holder, "service", service_of(record));
	/* Ours: it keeps the port for the service, which has not bound it yet, or not all of it. */
	if (owner->supervisor == owner->id.pid)
		json_object_set_new(holder, "kind", json_string("lease"));
}

/* NULL: it has gone with its process. */
static json_t *socket_holder(const struct berth_holders_sources *sources,
			     const struct berth_look_socket *socket,
			     const struct berth_verdict *verdict, bool *ret_gone)
{
	const struct berth_holders_process *owner = NULL;
	bool gone = false, in_the_way;
	json_t *holder;

	if (socket->inode)
		owner = find_owner(sources, socket->inode, &gone);
	/* Without a holder it is the kernel's own, or its process ended while we looked. */
	*ret_gone |= gone || (socket->inode && !owner && sees_all(sources));
	if (!owner && gone)
		return NULL;
	holder = new_holder(berth_look_kind_name(socket->kind));
	in_the_way = berth_verdict_is_in_the_way(socket, verdict->fails);
	json_object_set_new(holder, "in_the_way", json_boolean(in_the_way));
	json_object_set_new(holder, "protocol", json_string(protocol_name(socket->protocol)));
	set_addresses(socket, holder);
	if (owner)
		add_owner(sources, socket, owner, holder);
	else if (socket->inode)
		add_hidden(sources, socket, holder);
	if (sources->engine)
		berth_holders_join_container(sources->engine, berth_addr_port(&socket->local),
					     socket->protocol, holder);
	add_socket_unit(sources, socket, holder);
	json_object_set_new(holder, "netns", netns_of(socket, holder));
	return holder;
}

/* ---- without a socket of ours ---- */

static json_t *plain_holder(const char *kind, int protocol)
{
	json_t *holder = new_holder(kind);

	json_object_set_new(holder, "protocol", json_string(protocol_name(protocol)));
	json_object_set_new(holder, "netns", json_string("same"));
	return holder;
}

static const struct berth_engine_container *find_led(const struct berth_engine *engine,
						     const struct berth_nat_rule *rule,
						     uint16_t port, int protocol)
{
	const struct berth_engine_container *container = NULL;

	if (!engine)
		return NULL;
	if (rule && rule->container[0])
		container = berth_engine_find(engine, rule->container);
	if (!container && rule)
		container = berth_engine_find_target(engine, rule->target);
	return container ? container : berth_engine_find_port(engine, port, protocol);
}

/* Clients are led to a container, though nobody listens here. */
static void add_led(const struct berth_holders_sources *sources, uint16_t port, int protocol,
		    json_t *holders)
{
	const struct berth_engine_container *container;
	const struct berth_nat_rule *rule = NULL;
	json_t *holder;

	if (berth_holders_join_has_any(sources->look, port, protocol))
		return;
	if (sources->nat)
		rule = berth_nat_find(sources->nat, port, protocol);
	container = find_led(sources->engine, rule, port, protocol);
	if (!container && !rule)
		return;
	holder = plain_holder("container", protocol);
	if (rule)
		json_object_set_new(holder, "peer", berth_json_text_or_null(rule->target));
	if (container)
		name_container(container, holder);
	else if (rule->container[0])
		json_object_set_new(holder, "container",
				    json_pack("{s:s,s:n,s:n,s:n}", "id", rule->container, "name",
					      "engine", "image"));
	json_array_append_new(holders, holder);
}

static void add_reserved(const struct berth_holders_sources *sources, uint16_t port, int protocol,
			 json_t *holders)
{
	bool denied =
		berth_reserved_why(sources->reserved, port, true) == BERTH_RESERVED_PRIVILEGED;
	json_t *holder;

	if (!denied && !berth_portset_has(&sources->reserved->kernel, port))
		return;
	holder = plain_holder("reserved", protocol);
	json_object_set_new(holder, "in_the_way", json_boolean(denied));
	json_array_append_new(holders, holder);
}

/* ---- a port ---- */

static json_t *answers_of(const struct berth_verdict *verdict)
{
	json_t *answers = json_array();

	if (verdict->answers4)
		json_array_append_new(answers, json_string("127.0.0.1"));
	if (verdict->answers6)
		json_array_append_new(answers, json_string("::1"));
	return answers;
}

static json_t *refused_of(const struct berth_verdict *verdict)
{
	static const struct {
		enum berth_verdict_bind bind;
		const char *address;
	} binds[] = {
		{ BERTH_VERDICT_ANY4, "0.0.0.0" },
		{ BERTH_VERDICT_ANY6, "::" },
		{ BERTH_VERDICT_LOOPBACK4, "127.0.0.1" },
		{ BERTH_VERDICT_LOOPBACK6, "::1" },
	};
	json_t *refused = json_array();

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(binds); i++)
		if (verdict->fails & binds[i].bind)
			json_array_append_new(refused, json_string(binds[i].address));
	return refused;
}

json_t *berth_holders_join(const struct berth_holders_sources *sources, uint16_t port, int protocol,
			   bool *ret_gone)
{
	struct berth_verdict verdict = berth_verdict_of(sources->look, port, protocol);
	json_t *holders = json_array();
	size_t closed = 0, more = 0;
	bool denied, gone = false;
	json_t *document;

	for (size_t i = first_of(sources->look, port); i < sources->look->socket_count; i++) {
		const struct berth_look_socket *socket = &sources->look->sockets[i];
		json_t *holder;

		if (berth_addr_port(&socket->local) != port)
			break;
		if (socket->protocol != protocol)
			continue;
		if (!socket->inode && ++closed > CLOSED_MAX) {
			more++;
			continue;
		}
		holder = socket_holder(sources, socket, &verdict, &gone);
		if (holder)
			json_array_append_new(holders, holder);
	}
	add_led(sources, port, protocol, holders);
	add_reserved(sources, port, protocol, holders);
	denied = berth_reserved_why(sources->reserved, port, true) == BERTH_RESERVED_PRIVILEGED;
	document = json_pack("{s:i,s:s,s:b,s:o,s:o,s:o,s:I}", "port", (int)port, "protocol",
			     protocol_name(protocol), "bindable", !verdict.fails && !denied,
			     "refused", refused_of(&verdict), "answers", answers_of(&verdict),
			     "holders", holders, "more", (json_int_t)more);
	if (document)
		berth_holders_advice_give(sources, &verdict, document);
	if (ret_gone)
		*ret_gone |= gone;
	return document;
}
