/* SPDX-License-Identifier: MIT */
/*
 * app/holders-advice.c - what to do about a port that is held
 *
 * A fix is a command that somebody may paste without a thought, so it ends exactly what is in the
 * way. A unit is stopped only where the holder is the unit's own main process: what a user started
 * in a shell is in a unit too, and that is his whole session.
 */
#include "app/holders-advice.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const char *kind_of(const json_t *holder)
{
	return berth_json_string(holder, "kind", "");
}

static bool is_kind(const json_t *holder, enum berth_look_kind kind)
{
	return strcmp(kind_of(holder), berth_look_kind_name(kind)) == 0;
}

static bool is_in_the_way(const json_t *holder)
{
	return json_is_true(json_object_get(holder, "in_the_way"));
}

/* In our network namespace? */
static bool is_here(const json_t *holder)
{
	return strcmp(berth_json_string(holder, "netns", "same"), "same") == 0;
}

/* Of what another network namespace has nothing follows for bind() in ours. */
static bool has_kind_here(const json_t *holders, const char *kind)
{
	const json_t *holder;
	size_t i;

	json_array_foreach (holders, i, holder)
		if (is_here(holder) && strcmp(kind_of(holder), kind) == 0)
			return true;
	return false;
}

/* "node 812", "uid 70" */
static const char *title_of(const json_t *holder, char *buf, size_t size)
{
	long long pid = berth_json_int(holder, "pid", 0);
	char process[128];

	if (pid)
		snprintf(buf, size, "%s %lld",
			 berth_str_printable(berth_json_string(holder, "process", "?"), (size_t)-1,
					     process, sizeof(process)),
			 pid);
	else
		snprintf(buf, size, "uid %lld", (long long)berth_json_int(holder, "uid", 0));
	return buf;
}

/* ---- hints ---- */

static void add_hint(struct berth_str *hint, const char *text)
{
	berth_str_addf(hint, "%s%s", hint->len ? "; " : "", text);
}

/* An IPv4 address that an IPv6 socket has ("::ffff:127.0.0.1") answers as the other form does. */
static const char *address_of(const json_t *holder)
{
	const char *address = berth_json_string(holder, "address", "");

	return strncmp(address, "::ffff:", 7) == 0 ? address + 7 : address;
}

static bool answers_on(const json_t *holder, bool v6)
{
	const char *family = berth_json_string(holder, "family", "");
	const char *address = address_of(holder);

	if (!is_kind(holder, BERTH_LOOK_LISTENER) || !is_here(holder))
		return false;
	if (v6)
		return strcmp(address, "::1") == 0 || strcmp(address, "::") == 0;
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "0.0.0.0") == 0 ||
	       strcmp(family, "both") == 0;
}

/* The holder that answers there: one address goes before all of them, as the kernel has it. */
static const json_t *find_answer(const json_t *holders, bool v6)
{
	const json_t *holder, *found = NULL;
	size_t i;

	json_array_foreach (holders, i, holder) {
		const char *address = address_of(holder);
		bool any = strcmp(address, "::") == 0 || strcmp(address, "0.0.0.0") == 0;

		if (answers_on(holder, v6) && (!found || !any))
			found = holder;
	}
	return found;
}

static void hint_split(const json_t *holders, struct berth_str *hint)
{
	const json_t *v4 = find_answer(holders, false), *v6 = find_answer(holders, true);
	char text[400], title4[160], title6[160];

	if (!v4 || !v6)
		return;
	snprintf(text, sizeof(text),
		 "two sockets answer on localhost: 127.0.0.1 is %s, [::1] is %s, and clients "
		 "reach either",
		 title_of(v4, title4, sizeof(title4)), title_of(v6, title6, sizeof(title6)));
	add_hint(hint, text);
}

static bool are_same_place(const struct berth_look_socket *a, const struct berth_look_socket *b)
{
	return a->kind == BERTH_LOOK_LISTENER && b->kind == BERTH_LOOK_LISTENER &&
	       a->interface == b->interface && berth_addr_equal(&a->local, &b->local);
}

/* Sockets that listen on the same address: how many, of the first ones that do. */
static size_t count_group(const struct berth_look *look, uint16_t port, int protocol)
{
	size_t size = 0, count = 1;
	const struct berth_look_socket *sockets =
		berth_look_sockets_of(look, port, protocol, &size);

	for (size_t i = 0; i < size && count == 1; i++)
		for (size_t k = i + 1; k < size; k++)
			count += are_same_place(&sockets[i], &sockets[k]);
	return count;
}

/* The kernel spreads clients over them; in UDP by that option alone, which it does not tell. */
static void hint_group(const struct berth_holders_sources *sources, uint16_t port, bool udp,
		       struct berth_str *hint)
{
	size_t count = count_group(sources->look, port, udp ? IPPROTO_UDP : IPPROTO_TCP);
	char text[200];

	if (count < 2)
		return;
	snprintf(
		text, sizeof(text),
		udp ? "%zu sockets have it: with SO_REUSEPORT each sender gets to one of them, with "
		      "SO_REUSEADDR alone all get to the one that was bound last"
		    : "%zu sockets share it (SO_REUSEPORT): each client gets to one",
		count);
	add_hint(hint, text);
}

static void hint_connection(const struct berth_holders_sources *sources, uint16_t port, bool udp,
			    const json_t *holders, struct berth_str *hint)
{
	const json_t *holder;
	char text[240];
	size_t i;

	json_array_foreach (holders, i, holder) {
		if (!is_in_the_way(holder) || (!is_kind(holder, BERTH_LOOK_CONNECTION) &&
					       !is_kind(holder, BERTH_LOOK_TIME_WAIT)))
			continue;
		if (berth_range_has(&sources->ephemeral, port))
			snprintf(text, sizeof(text),
				 "move your fallback range out of %u-%u, or reserve %u with "
				 "net.ipv4.ip_local_reserved_ports",
				 sources->ephemeral.lo, sources->ephemeral.hi, port);
		else
			snprintf(text, sizeof(text), "bind() fails until that %s",
				 udp ? "socket is closed"
				     : "connection is over, TIME_WAIT included");
		add_hint(hint, text);
		return;
	}
}

static void hint_reserved(const struct berth_holders_sources *sources, uint16_t port,
			  struct berth_str *hint)
{
	char text[240];

	switch (berth_reserved_why(sources->reserved, port, true)) {
	case BERTH_RESERVED_PRIVILEGED:
		snprintf(text, sizeof(text),
			 "below %u bind() is for root: lower net.ipv4.ip_unprivileged_port_start, "
			 "or take one from there on",
			 sources->reserved->unprivileged_start);
		add_hint(hint, text);
		break;
	case BERTH_RESERVED_BROWSER:
		add_hint(hint, "browsers refuse to connect to it");
		break;
	case BERTH_RESERVED_NOT:
	case BERTH_RESERVED_KERNEL:
	case BERTH_RESERVED_USER:
		break;
	}
	if (berth_portset_has(&sources->reserved->kernel, port))
		add_hint(hint, "net.ipv4.ip_local_reserved_ports keeps it from being given to "
			       "anybody who asks for no number; a bind() that names it succeeds");
}

static void hint_led(const json_t *holders, struct berth_str *hint)
{
	const json_t *holder;
	char text[200];
	size_t i;

	json_array_foreach (holders, i, holder) {
		const char *to = berth_json_string(holder, "peer", "somebody else");

		if (strcmp(kind_of(holder), "container") != 0)
			continue;
		if (json_is_object(json_object_get(holder, "container")))
			to = "the container";
		snprintf(text, sizeof(text),
			 "bind() succeeds, but clients from outside are led to %s%s",
			 *to == ':' ? "port " : "", to + (*to == ':'));
		add_hint(hint, text);
		return;
	}
}

/* Are there processes that have it, and all of them elsewhere? */
static bool are_all_elsewhere(const json_t *holders)
{
	const json_t *holder;
	bool any = false;
	size_t i;

	json_array_foreach (holders, i, holder) {
		if (is_here(holder) && strcmp(kind_of(holder), "reserved") != 0)
			return false;
		any |= !is_here(holder);
	}
	return any;
}

static void add_hints(const struct berth_holders_sources *sources,
		      const struct berth_verdict *verdict, const json_t *document,
		      struct berth_str *hint)
{
	const json_t *holders = json_object_get(document, "holders");
	uint16_t port = (uint16_t)berth_json_int(document, "port", 0);
	bool bindable = json_is_true(json_object_get(document, "bindable"));
	bool udp = strcmp(berth_json_string(document, "protocol", "tcp"), "udp") == 0;

	if (verdict->split)
		hint_split(holders, hint);
	hint_group(sources, port, udp, hint);
	hint_connection(sources, port, udp, holders, hint);
	if (!bindable && has_kind_here(holders, "bound") && !has_kind_here(holders, "listener") &&
	    !has_kind_here(holders, "connection"))
		add_hint(hint, "bound and not listening: bind() fails although nobody answers");
	if (bindable && has_kind_here(holders, "time_wait"))
		add_hint(hint, "a server that sets SO_REUSEADDR can bind it; without that, only "
			       "when TIME_WAIT is over, within a minute");
	hint_led(holders, hint);
	if (are_all_elsewhere(holders))
		add_hint(hint, "in another network namespace, so not in the way here");
	hint_reserved(sources, port, hint);
}

/* ---- fixes ---- */

/* Is it the process that the unit was made for, not something started below it? */
static bool is_main_of_unit(const json_t *holder, bool *ret_user)
{
	const char *unit = berth_json_string(holder, "unit", "");
	const char *dot = strrchr(unit, '.');
	const json_t *parent = json_array_get(json_object_get(holder, "parents"), 0);
	bool by_first = berth_json_int(parent, "pid", 0) == 1;

	if (dot && strcmp(dot, ".socket") == 0) {
		*ret_user = berth_json_int(holder, "pid", 1) != 1;
		return true;
	}
	*ret_user = !by_first;
	return dot && strcmp(dot, ".service") == 0 && strncmp(unit, "user@", 5) != 0 &&
	       strcmp(berth_json_string(parent, "process", ""), "systemd") == 0;
}

/* By its id where the number is that of another one, or of a socket that is none of its ports. */
static json_t *service_fix(const struct berth_holders_sources *sources, const char *number,
			   uint16_t port, const json_t *service)
{
	const char *id = berth_json_string(service, "id", "");

	if (berth_holders_process_means(sources->processes, port, id))
		return json_pack("[s,s,s]", "berth", "stop", number);
	return json_pack("[s,s,s]", "berth", "stop", id);
}

/*
 * podman knows what its own user has started, and nobody else's. With his login he has the folders
 * that it wants, and is in one of his own.
 */
static json_t *podman_fix(const struct berth_holders_sources *sources, uid_t uid, const char *name)
{
	BERTH_AUTO_JSON json_t *user = berth_holders_process_user(sources->processes, uid);

	if (uid == sources->uid || uid == 0)
		return json_pack("[s,s,s]", "podman", "stop", name);
	if (!json_is_string(user))
		return NULL;
	return json_pack("[s,s,s,O,s,s,s]", "sudo", "-i", "-u", user, "podman", "stop", name);
}

static json_t *container_fix(const struct berth_holders_sources *sources, const json_t *container,
			     bool *ret_root)
{
	const char *engine = berth_json_string(container, "engine", "");
	const char *name = berth_json_string(container, "name", "");
	const struct berth_engine_container *known = NULL;

	/* A name that could be an option is none. */
	if (!*name || *name == '-' ||
	    (strcmp(engine, "docker") != 0 && strcmp(engine, "podman") != 0))
		return NULL;
	if (sources->engine)
		known = berth_engine_find(sources->engine, berth_json_string(container, "id", ""));
	*ret_root = known && known->uid != sources->uid && sources->uid != 0;
	if (known && strcmp(engine, "podman") == 0)
		return podman_fix(sources, known->uid, name);
	return json_pack("[s,s,s]", engine, "stop", name);
}

/* The command that ends @holder; NULL: none is known. New reference. */
static json_t *fix_of(const struct berth_holders_sources *sources, uint16_t port,
		      const json_t *holder, bool *ret_root)
{
	uid_t uid = (uid_t)berth_json_int(holder, "uid", sources->uid);
	const char *unit = berth_json_string(holder, "unit", "");
	bool user = false;
	char number[8];

	snprintf(number, sizeof(number), "%u", port);
	*ret_root = false;
	/* Its supervisor is ours, whoever holds the port for it. */
	if (json_is_object(json_object_get(holder, "service")))
		return service_fix(sources, number, port, json_object_get(holder, "service"));
	*ret_root = uid != sources->uid && sources->uid != 0;
	if (json_is_object(json_object_get(holder, "container")))
		return container_fix(sources, json_object_get(holder, "container"), ret_root);
	if (*unit && is_main_of_unit(holder, &user)) {
		*ret_root = !user && sources->uid != 0;
		return user ? json_pack("[s,s,s,s]", "systemctl", "--user", "stop", unit)
			    : json_pack("[s,s,s]", "systemctl", "stop", unit);
	}
	if (!json_is_true(json_object_get(holder, "pid_visible")))
		return json_pack("[s,s,s]", "berth", "who", number);
	if (!berth_json_int(holder, "pid", 0))
		return NULL;
	return uid == sources->uid ? json_pack("[s,s,s]", "berth", "free", number)
				   : json_pack("[s,s,s,s]", "berth", "free", "--force", number);
}

static void add_fix(const struct berth_holders_sources *sources, json_t *document)
{
	const json_t *holders = json_object_get(document, "holders"), *holder;
	uint16_t port = (uint16_t)berth_json_int(document, "port", 0);
	json_t *fix = NULL;
	bool root = false;
	char setting[64];
	size_t i;

	json_array_foreach (holders, i, holder) {
		bool led = strcmp(kind_of(holder), "container") == 0;

		if (!fix && (is_in_the_way(holder) || led))
			fix = fix_of(sources, port, holder, &root);
	}
	if (!fix && !json_is_true(json_object_get(document, "bindable")) &&
	    berth_reserved_why(sources->reserved, port, true) == BERTH_RESERVED_PRIVILEGED) {
		snprintf(setting, sizeof(setting), "net.ipv4.ip_unprivileged_port_start=%u", port);
		fix = json_pack("[s,s,s]", "sysctl", "-w", setting);
		root = true;
	}
	json_object_set_new(document, "fix", fix ? fix : json_null());
	json_object_set_new(document, "fix_needs", fix && root ? json_string("root") : json_null());
}

void berth_holders_advice_give(const struct berth_holders_sources *sources,
			       const struct berth_verdict *verdict, json_t *port)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str hint = { 0 };
	const char *text;

	add_hints(sources, verdict, port, &hint);
	text = berth_str_text(&hint);
	json_object_set_new(port, "hint", berth_json_text_or_null(text ? text : ""));
	add_fix(sources, port);
}
