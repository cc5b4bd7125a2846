/* SPDX-License-Identifier: MIT */
/*
 * app/doctor-service.c - look at a service as its clients see it
 *
 * The supervisor tells what the service should have, the kernel who listens there, and the service
 * itself what it answers. What follows from that is doctor-service-judge.c's and doctor-cors.c's.
 */
#include "app/doctor-service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/doctor-cors.h"
#include "app/find.h"
#include "app/holders-process.h"
#include "app/prober.h"
#include "base/str.h"
#include "base/time.h"
#include "look/verdict.h"
#include "os/netns.h"
#include "port/reserved.h"

enum {
	ANSWER_MS = 1000,
	SCHEME_SIZE = 16,
};

/* One look at one service. */
struct round {
	const json_t *record;
	json_t *service; /* owned */
	json_t *environment; /* owned; an array of words, NULL: not told */
	struct berth_proc_id supervisor;
	struct berth_registry registry;
	json_t *records; /* owned: the living ones, of others too */
	struct berth_holders_processes processes;
	void (*fn)(const struct berth_doctor_row *row, void *arg);
	void *arg;
	struct berth_doctor_localhost localhost;
	int localhost_error;
	struct berth_doctor_http get, with_origin, preflight, stranger;
};

static void tell(const struct round *round, const char *name, const char *port, const char *origin,
		 const struct berth_doctor_finding *finding)
{
	struct berth_doctor_row row = {
		.name = name,
		.port = port,
		.origin = origin,
		.finding = *finding,
	};

	round->fn(&row, round->arg);
}

/* ---- the supervisor ---- */

static bool is_elsewhere(const json_t *record)
{
	const json_t *netns = berth_registry_private(record, "netns");
	uint64_t own = berth_netns_own();

	return json_is_integer(netns) && own && (uint64_t)json_integer_value(netns) != own;
}

static int ask(const struct round *round, const char *what, const char *member, json_t **ret_part,
	       struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *request = json_pack("{s:s}", "do", what);
	BERTH_AUTO_JSON json_t *answer = NULL;
	int r = berth_find_ask(round->record, request, ANSWER_MS, &answer, err);

	if (r < 0)
		return r;
	*ret_part = json_incref(json_object_get(answer, member));
	return *ret_part ? 0 : -EPROTO;
}

static bool ask_supervisor(struct round *round)
{
	struct berth_doctor_finding finding = { 0 };
	json_t *known = berth_registry_service(round->record);
	struct berth_err err = { 0 };
	int r = ask(round, "status", "service", &round->service, &err);

	if (r == 0) {
		json_object_set(round->service, "label", json_object_get(known, "label"));
		if (ask(round, "environment", "env", &round->environment, &err) < 0)
			round->environment = NULL;
		return true;
	}
	round->service = json_incref(known);
	if (is_elsewhere(round->record))
		berth_doctor_found(&finding, BERTH_DOCTOR_MISSING,
				   "it runs in another network namespace, with ports of its own");
	else
		berth_doctor_found(&finding, BERTH_DOCTOR_MISSING,
				   "its supervisor does not answer: %s",
				   *err.msg ? err.msg : strerror(-r));
	berth_doctor_cost(&finding, "from here it is not reached, and nothing more can be told");
	tell(round, "running", NULL, NULL, &finding);
	return false;
}

/* The value of a variable that the supervisor told, ""; borrowed. */
static const char *variable(const struct round *round, const char *name)
{
	size_t len = strlen(name), i;
	const json_t *word;

	json_array_foreach (round->environment, i, word) {
		const char *text = json_string_value(word);

		if (text && strncmp(text, name, len) == 0 && text[len] == '=')
			return text + len + 1;
	}
	return "";
}

/* ---- the kernel ---- */

static const char *id_of(const json_t *record)
{
	return berth_json_string(berth_registry_summary(record), "id", "");
}

/* A stack has one supervisor for all of its services: is @id of this one's tree? */
static bool is_own(struct round *round, const struct berth_proc_id *id, uint16_t port)
{
	const struct berth_holders_process *process;
	const json_t *record;

	if (id->pid == round->supervisor.pid)
		return false;
	process = berth_holders_process_find(&round->processes, id);
	if (!process || process->supervisor != round->supervisor.pid)
		return false;
	record = berth_holders_process_record(&round->processes, process, port);
	return record && strcmp(id_of(record), id_of(round->record)) == 0;
}

/* Is it one that the supervisor has bound for the service? */
static bool is_told(const json_t *port, const struct berth_addr *addr)
{
	char host[BERTH_ADDR_STRLEN];
	const json_t *address;
	size_t i;

	berth_addr_format_host(addr, host);
	json_array_foreach (json_object_get(port, "addresses"), i, address)
		if (strcmp(json_string_value(address), host) == 0)
			return true;
	return false;
}

static void name_stranger(const struct berth_look_socket *socket,
			  const struct berth_look_holder *holder,
			  struct berth_doctor_listener *listener)
{
	struct berth_proc_stat stat;
	char comm[64];

	listener->others_user = socket->uid != geteuid();
	if (!holder || berth_procfs_stat(holder->proc.pid, &stat) < 0) {
		snprintf(listener->who, sizeof(listener->who), "a hidden process of uid %u",
			 socket->uid);
		return;
	}
	listener->pid = holder->proc.pid;
	snprintf(listener->who, sizeof(listener->who), "%s %d",
		 berth_str_printable(stat.comm, (size_t)-1, comm, sizeof(comm)), listener->pid);
}

/* Whoever binds the port of such a service does it for that. */
static bool is_outside(const struct round *round)
{
	return berth_json_bool(round->service, "outside", false);
}

static void note_listener(struct round *round, const json_t *port, const struct berth_look *look,
			  const struct berth_look_socket *socket,
			  struct berth_doctor_listener *listener)
{
	const struct berth_look_holder *holders;
	bool own, kept = false;
	size_t count;

	*listener = (struct berth_doctor_listener){
		.addr = socket->local,
		.both = socket->local.sa.sa_family == AF_INET6 && !socket->v6only &&
			berth_addr_is_any(&socket->local),
		.on_device = socket->interface != 0,
		.gets4 = berth_verdict_gets_clients(look, socket, AF_INET),
		.gets6 = berth_verdict_gets_clients(look, socket, AF_INET6),
	};
	holders = berth_look_holders_of(look, socket->inode, &count);
	own = is_outside(round) || (!count && is_told(port, &socket->local));
	for (size_t i = 0; i < count && !own; i++) {
		own = is_own(round, &holders[i].proc, berth_addr_port(&socket->local));
		kept |= holders[i].proc.pid == round->supervisor.pid;
	}
	listener->whose = own ? BERTH_DOCTOR_OWN : kept ? BERTH_DOCTOR_KEPT : BERTH_DOCTOR_FOREIGN;
	if (listener->whose == BERTH_DOCTOR_FOREIGN)
		name_stranger(socket, holders, listener);
}

/* All that listens in the service's tree, on a port that it was not given. */
static void look_elsewhere(struct round *round, struct berth_doctor_port *port)
{
	const struct berth_look_query query = {
		.port_lo = 1,
		.port_hi = UINT16_MAX,
		.kinds = 1u << BERTH_LOOK_LISTENER,
		.processes = true,
	};
	struct berth_str text = { 0 };
	struct berth_look look = { 0 };
	size_t found = 0;

	if (berth_look_load(&query, &look) < 0)
		return;
	for (size_t i = 0; i < look.socket_count && found < 2; i++) {
		size_t count;
		const struct berth_look_holder *holder =
			berth_look_holders_of(&look, look.sockets[i].inode, &count);
		uint16_t number = berth_addr_port(&look.sockets[i].local);
		char where[BERTH_ADDR_STRLEN];

		if (!holder || !is_own(round, &holder->proc, number))
			continue;
		berth_str_addf(&text, "%s%s", found++ ? " and " : "",
			       berth_addr_format(&look.sockets[i].local, where));
	}
	if (found && berth_str_text(&text))
		berth_str_copy(port->elsewhere, sizeof(port->elsewhere), text.text);
	berth_str_deinit(&text);
	berth_look_deinit(&look);
}

static int look_at(struct round *round, const json_t *document, struct berth_doctor_port *port)
{
	const struct berth_look_query query = {
		.port_lo = port->number,
		.port_hi = port->number,
		.kinds = 1u << BERTH_LOOK_LISTENER,
		.processes = true,
	};
	const struct berth_look_socket *sockets;
	struct berth_look look = { 0 };
	bool own = false;
	size_t count;
	int r = berth_look_load(&query, &look);

	if (r < 0)
		return r;
	sockets = berth_look_sockets_of(&look, port->number, IPPROTO_TCP, &count);
	for (size_t i = 0; i < count && port->count < BERTH_ARRAY_SIZE(port->listeners); i++) {
		struct berth_doctor_listener *listener = &port->listeners[port->count];

		if (sockets[i].kind != BERTH_LOOK_LISTENER)
			continue;
		note_listener(round, document, &look, &sockets[i], listener);
		own |= listener->whose != BERTH_DOCTOR_FOREIGN;
		port->count++;
	}
	berth_look_deinit(&look);
	/* Led to it by the packet filter, before any socket is looked for. */
	if (!port->count && is_outside(round) && berth_json_bool(document, "listening", false)) {
		port->listeners[port->count++] = (struct berth_doctor_listener){
			.addr = berth_addr_any(AF_INET, port->number),
			.gets4 = true,
			.whose = BERTH_DOCTOR_OWN,
		};
		own = true;
	}
	if (!own)
		look_elsewhere(round, port);
	return 0;
}

/* ---- the service itself ---- */

/* Where to ask it, so that no stranger answers in its place; false: it listens nowhere. */
static bool find_target(const struct berth_doctor_port *port, struct berth_addr *ret_target)
{
	struct berth_prober_listener listeners[BERTH_DOCTOR_SERVICE_LISTENERS] = { 0 };
	size_t count = 0;

	for (int v6 = 0; v6 < 2; v6++)
		for (size_t i = 0; i < port->count; i++)
			if (port->listeners[i].whose == BERTH_DOCTOR_OWN &&
			    (v6 ? port->listeners[i].gets6 : port->listeners[i].gets4)) {
				*ret_target =
					berth_addr_loopback(v6 ? AF_INET6 : AF_INET, port->number);
				return true;
			}
	for (size_t i = 0; i < port->count; i++)
		if (port->listeners[i].whose == BERTH_DOCTOR_OWN)
			listeners[count++].addr = port->listeners[i].addr;
	return berth_prober_target(listeners, count, ret_target);
}

static bool is_web(const char *scheme)
{
	return strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0;
}

static void ask_origin(struct round *round, const struct berth_addr *target, const char *name,
		       const char *origin, bool several)
{
	const struct berth_doctor_cors cors = {
		.origin = origin,
		.several = several,
		.get = &round->with_origin,
		.preflight = &round->preflight,
		.stranger = &round->stranger,
	};
	struct berth_doctor_finding finding = { 0 };
	char fields[2 * BERTH_DOCTOR_ORIGIN_MAX];

	if (berth_doctor_cors_is_origin(origin)) {
		snprintf(fields, sizeof(fields), "Origin: %s\r\n", origin);
		berth_doctor_http_ask(target, "GET", fields, &round->with_origin);
		snprintf(fields, sizeof(fields),
			 "Origin: %s\r\n"
			 "Access-Control-Request-Method: GET\r\n"
			 "Access-Control-Request-Headers: content-type\r\n",
			 origin);
		berth_doctor_http_ask(target, "OPTIONS", fields, &round->preflight);
	}
	berth_doctor_cors_judge(&cors, &finding);
	tell(round, "cors", name, origin, &finding);
}

/* What of it a page of another origin may read. */
static void ask_origins(struct round *round, const struct berth_addr *target, const char *name,
			const struct berth_doctor_port *port)
{
	const char *list = variable(round, "BERTH_CORS_ORIGINS"), *rest = list;
	char origin[BERTH_DOCTOR_ORIGIN_MAX];
	struct berth_doctor_finding finding = { 0 };
	size_t count = 0;

	while ((rest = berth_doctor_cors_next(rest, origin)))
		count++;
	if (!count)
		return;
	if (port->tls) {
		berth_doctor_found(&finding, BERTH_DOCTOR_DEGRADED,
				   "not asked: it speaks TLS, which berth does not");
		berth_doctor_cost(&finding, "whether pages of %s may read its answers is not known",
				  list);
		tell(round, "cors", name, NULL, &finding);
		return;
	}
	berth_doctor_http_ask(target, "GET", "Origin: " BERTH_DOCTOR_CORS_STRANGER "\r\n",
			      &round->stranger);
	for (rest = list; (rest = berth_doctor_cors_next(rest, origin));)
		ask_origin(round, target, name, origin, count > 1);
}

/* ---- a port ---- */

static void ask_web(struct round *round, struct berth_doctor_port *port, const char *name,
		    bool first)
{
	struct berth_doctor_finding finding = { 0 };
	struct berth_addr target;
	bool answered;

	if (!find_target(port, &target))
		return;
	port->http = &round->get;
	berth_doctor_http_ask(&target, "GET", "", &round->get);
	/* Some TLS servers say in plain HTTP that they want TLS. */
	if (round->get.outcome != BERTH_DOCTOR_HTTP_UNREACHED &&
	    (round->get.outcome != BERTH_DOCTOR_HTTP_ANSWERED || round->get.status == 400 ||
	     strcmp(port->scheme, "https") == 0))
		port->tls = berth_doctor_http_is_tls(&target);
	berth_doctor_service_judge_http(port, &finding);
	tell(round, "http", name, NULL, &finding);
	answered = port->tls || round->get.outcome == BERTH_DOCTOR_HTTP_ANSWERED;
	if (!answered)
		return;
	finding = (struct berth_doctor_finding){ 0 };
	berth_doctor_service_judge_browser(port, &finding);
	tell(round, "browser", name, NULL, &finding);
	if (first)
		ask_origins(round, &target, name, port);
}

/* @first: of those that speak HTTP, it is the one that the service is known by. */
static void check_port(struct round *round, const json_t *document, const char *scheme, bool first)
{
	static const struct berth_reserved nothing; /* reserved by this machine */
	const char *name = berth_json_string(document, "name", "main");
	struct berth_doctor_port port = {
		.number = (uint16_t)berth_json_int(document, "port", 0),
		.scheme = scheme,
		.localhost = round->localhost,
		.localhost_error = round->localhost_error,
	};
	struct berth_doctor_finding finding = { 0 };
	int r;

	port.refused_by_browsers =
		berth_reserved_why(&nothing, port.number, true) == BERTH_RESERVED_BROWSER;
	r = look_at(round, document, &port);
	if (r < 0) {
		berth_doctor_found(&finding, BERTH_DOCTOR_DEGRADED,
				   "the kernel does not tell who listens on port %u: %s",
				   port.number, strerror(-r));
		berth_doctor_cost(&finding, "nothing more can be told of it");
		tell(round, "listening", name, NULL, &finding);
		return;
	}
	berth_doctor_service_judge_listening(&port, &finding);
	tell(round, "listening", name, NULL, &finding);
	finding = (struct berth_doctor_finding){ 0 };
	berth_doctor_service_judge_localhost(&port, &finding);
	tell(round, "localhost", name, NULL, &finding);
	if (is_web(scheme))
		ask_web(round, &port, name, first);
}

/* Those that were declared, or are the main one: debuggers and the like are not for clients. */
static bool is_for_clients(const json_t *port)
{
	const char *reason = berth_json_string(port, "reason", "");

	return strcmp(berth_json_string(port, "protocol", "tcp"), "tcp") == 0 &&
	       strcmp(reason, "extra") != 0 && strcmp(reason, "tool") != 0 &&
	       berth_json_int(port, "port", 0) > 0;
}

static void say_no_port(struct round *round)
{
	bool ready = strcmp(berth_json_string(round->service, "state", ""), "ready") == 0;
	struct berth_doctor_port port = { 0 };
	struct berth_doctor_finding finding = { 0 };

	look_elsewhere(round, &port);
	if (*port.elsewhere) {
		berth_doctor_found(&finding, BERTH_DOCTOR_DEGRADED,
				   "it listens on %s, and has no port of berth's", port.elsewhere);
		berth_doctor_cost(&finding,
				  "that number is neither kept for it nor told to others");
	} else if (ready) {
		berth_doctor_found(&finding, BERTH_DOCTOR_OK, "it has no port for clients");
	} else {
		berth_doctor_found(&finding, BERTH_DOCTOR_MISSING, "it has not asked for a port");
		berth_doctor_cost(&finding, "there is nothing that a client could connect to");
	}
	tell(round, "listening", NULL, NULL, &finding);
}

static void check_ports(struct round *round)
{
	const json_t *port;
	size_t checked = 0, web = 0, i;

	json_array_foreach (json_object_get(round->service, "ports"), i, port) {
		const char *url = berth_json_string(port, "url", "");
		char scheme[SCHEME_SIZE];

		if (!is_for_clients(port))
			continue;
		snprintf(scheme, sizeof(scheme), "%.*s",
			 strstr(url, "://") ? (int)(strstr(url, "://") - url) : 0, url);
		check_port(round, port, scheme, !web);
		web += is_web(scheme);
		checked++;
	}
	if (!checked)
		say_no_port(round);
}

/* Without a folder of what runs there is nothing of ours: then nobody is this service's. */
static int load_others(struct round *round)
{
	BERTH_AUTO_JSON json_t *all = NULL;
	json_t *record;
	size_t i;

	round->records = json_array();
	if (berth_registry_open(&round->registry, NULL) < 0)
		round->registry = (struct berth_registry){ .dir_fd = -1, .ports_fd = -1 };
	else if (berth_registry_load(&round->registry, &all) < 0)
		all = NULL;
	json_array_foreach (all, i, record)
		if (berth_registry_life(record) == BERTH_REGISTRY_LIVE)
			json_array_append(round->records, record);
	return berth_holders_processes_init(&round->processes, round->records);
}

static void round_free(struct round *round)
{
	berth_holders_processes_deinit(&round->processes);
	json_decref(round->records);
	berth_registry_close(&round->registry);
	json_decref(round->environment);
	free(round);
}

void berth_doctor_service(const json_t *record,
			  void (*fn)(const struct berth_doctor_row *row, void *arg), void *arg,
			  json_t **ret_service)
{
	struct round *round = calloc(1, sizeof(*round));
	struct berth_doctor_finding finding = { 0 };

	if (!round) {
		*ret_service = json_incref(berth_registry_service(record));
		return;
	}
	round->record = record;
	round->supervisor = berth_registry_process(record, "supervisor");
	round->fn = fn;
	round->arg = arg;
	if (load_others(round) == 0 && ask_supervisor(round)) {
		round->localhost_error =
			berth_doctor_localhost_resolve("localhost", &round->localhost);
		berth_doctor_service_judge_life(round->service, berth_time_now_ms(), &finding);
		tell(round, "running", NULL, NULL, &finding);
		check_ports(round);
	}
	*ret_service =
		round->service ? round->service : json_incref(berth_registry_service(record));
	round_free(round);
}
