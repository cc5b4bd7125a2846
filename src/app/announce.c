/* SPDX-License-Identifier: MIT */
/* app/announce.c - the lines that a supervisor says to its user */

#include "app/unit.h"

#include <stdio.h>
#include <string.h>

#include "app/stack-run.h"
#include "app/supervisor.h"
#include "base/str.h"
#include "base/time.h"
#include "os/procsock.h"
#include "os/sockdiag.h"
#include "os/tree.h"
#include "look/who.h"

enum {
	TEXT_MAX = 2048,
};

/* @unit NULL: of none alone. A stack in the foreground has one log, in which we are one of many. */
static void say_text(struct berth_supervisor *supervisor, const struct berth_unit *unit,
		     const char *text)
{
	char line[TEXT_MAX + 16];
	int len = snprintf(line, sizeof(line), "berth: %s\n", text);

	if (supervisor->stack && !supervisor->job->detach)
		berth_console_say(&supervisor->console, unit ? unit->console : NULL, "%s", text);
	else
		berth_outq_add(&supervisor->messages, line, (size_t)len);
}

BERTH_PRINTF(3, 0)
static void say(struct berth_supervisor *supervisor, const struct berth_unit *unit, const char *fmt,
		va_list ap)
{
	char text[TEXT_MAX];

	vsnprintf(text, sizeof(text), fmt, ap);
	say_text(supervisor, unit, text);
}

void berth_announce_stack(struct berth_supervisor *supervisor, const char *fmt, ...)
{
	va_list ap;

	if (supervisor->job->quiet)
		return;
	va_start(ap, fmt);
	say(supervisor, NULL, fmt, ap);
	va_end(ap);
}

/* Where a service has come up: what its starter says of a background one. */
BERTH_PRINTF(2, 3)
static void announce(struct berth_unit *unit, const char *fmt, ...)
{
	va_list ap;

	if (unit->job->quiet)
		return;
	va_start(ap, fmt);
	say(unit->supervisor, unit, fmt, ap);
	va_end(ap);
}

void berth_unit_say(struct berth_unit *unit, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!unit->job->quiet)
		say_text(unit->supervisor, unit, text);
	/* A background service has nobody who reads that, and whoever asks why it ended reads its log. */
	berth_log_say(&unit->log, text);
}

void berth_unit_verbose(struct berth_unit *unit, const char *fmt, ...)
{
	va_list ap;

	if (!unit->job->verbose)
		return;
	va_start(ap, fmt);
	say(unit->supervisor, unit, fmt, ap);
	va_end(ap);
}

void berth_unit_event(const struct berth_unit *unit, const char *name, json_t *event)
{
	BERTH_AUTO_JSON json_t *owned = event;
	BERTH_AUTO_FREE char *line = NULL;
	BERTH_AUTO_JSON json_t *document = NULL;

	if (unit->supervisor->status.fd < 0)
		return;
	document = json_pack("{s:i,s:s,s:o}", "version", 1, "event", name, "at",
			     berth_json_time(berth_time_now_ms()));
	if (!document || json_object_update(document, owned) < 0)
		return;
	line = berth_json_line(document);
	if (!line)
		return;
	berth_outq_add(&unit->supervisor->status, line, strlen(line));
	berth_outq_add(&unit->supervisor->status, "\n", 1);
}

/*
 * The label of the record that leased the port; made among all that runs, since only there it is
 * clear.
 */
static bool find_own(struct berth_unit *unit, uint16_t port, struct berth_port_holder *holder)
{
	BERTH_AUTO_JSON json_t *record =
		berth_registry_find_port(&unit->supervisor->registry, port);
	const json_t *service = berth_registry_service(record);
	BERTH_AUTO_JSON json_t *records = NULL;
	const char *id = berth_json_string(service, "id", "");
	char label[sizeof(holder->service)] = "", process[sizeof(holder->process)] = "berth";
	struct berth_proc_stat stat;
	char number[8];
	json_t *other;
	size_t i;

	if (!record || berth_registry_load(&unit->supervisor->registry, &records) < 0)
		return false;
	berth_registry_label(records);
	json_array_foreach (records, i, other)
		if (strcmp(berth_json_string(berth_registry_service(other), "id", ""), id) == 0)
			berth_str_copy(
				label, sizeof(label),
				berth_json_string(berth_registry_service(other), "label", ""));
	/* Who really has it; the first process may be npm, or a shell. */
	snprintf(number, sizeof(number), "%u", port);
	holder->pid = (pid_t)berth_json_int(berth_registry_private(record, "listeners"), number,
					    berth_json_int(service, "pid", 0));
	if (berth_procfs_stat(holder->pid, &stat) == 0)
		berth_str_printable(stat.comm, (size_t)-1, process, sizeof(process));
	snprintf(holder->text, sizeof(holder->text), "%s %d '%s'", process, holder->pid, label);
	berth_str_copy(holder->process, sizeof(holder->process), process);
	berth_str_copy(holder->service, sizeof(holder->service), label);
	return true;
}

bool berth_unit_own_holder(uint16_t port, char *buf, size_t size, void *arg)
{
	struct berth_port_holder holder = { 0 };

	return find_own(arg, port, &holder) && berth_str_copy(buf, size, holder.text);
}

/* A new one; what could not be found out is empty. NULL: out of memory. */
static struct berth_port_holder *find_holder(struct berth_unit *unit, uint16_t port)
{
	struct berth_port_holder *holder = calloc(1, sizeof(*holder));
	struct berth_who_holder found;
	size_t count = 0;

	if (!holder || find_own(unit, port, holder))
		return holder;
	if (berth_who_find(port, true, NULL, 0, &found, 1, &count) < 0 || !count)
		return holder;
	holder->pid = found.proc.pid;
	if (found.proc.pid)
		berth_str_printable(found.comm, (size_t)-1, holder->process,
				    sizeof(holder->process));
	berth_who_format(&found, holder->text, sizeof(holder->text));
	return holder;
}

void berth_unit_why_moved(const struct berth_port *port, char *buf, size_t size)
{
	bool taken = port->refused.port && port->refused.why == BERTH_CHOOSE_TAKEN;

	if (port->refused.port && port->refused.why == BERTH_CHOOSE_RESERVED)
		snprintf(buf, size, "%s", berth_reserved_text(port->refused.reserved));
	else if (port->refused.port && port->refused.why == BERTH_CHOOSE_DENIED)
		snprintf(buf, size, "which needs root");
	else if (port->refused.port && port->refused.why == BERTH_CHOOSE_FOREIGN)
		snprintf(buf, size, "kept for another service");
	else if (taken && port->holder && *port->holder->text)
		snprintf(buf, size, "%s%s",
			 strncmp(port->holder->text, "held ", 5) == 0 ? "" : "held by ",
			 port->holder->text);
	else if (port->reason == BERTH_PORT_GROUP)
		snprintf(buf, size, "moved with its group");
	else if (port->reason == BERTH_PORT_PINNED)
		snprintf(buf, size, "and is pinned");
	else
		buf[0] = '\0';
}

/* It should not be a riddle why a neighbour can't reach it. */
static void announce_narrowed(struct berth_unit *unit, size_t index)
{
	const struct berth_lease *lease = &unit->ports.port[index]->lease;
	char host[BERTH_ADDR_STRLEN];

	for (size_t i = 0; unit->ports.port[index]->narrowed && i < lease->owner_size; i++)
		if (lease->owners[i].fd >= 0)
			berth_unit_say(
				unit, "%s listens on %s only (--loopback), not on every address",
				unit->name, berth_addr_format_host(&lease->owners[i].addr, host));
}

static void announce_port(struct berth_unit *unit, size_t index)
{
	const struct berth_ports *ports = &unit->ports;
	const struct berth_port *port = ports->port[index];
	const char *service = unit->name;
	uint16_t asked = ports->steer[index].claimed ? ports->steer[index].claimed
						     : berth_ports_asked(ports, index);
	uint16_t wished = berth_ports_asked(ports, index);
	char url[64], why[320], name[BERTH_NAME_MAX + BERTH_PORT_NAME_MAX + 2];
	bool moved;

	if (wished && wished != ports->steer[index].given)
		asked = wished;
	moved = asked && asked != ports->steer[index].given;
	/* A debugger or a metrics port that has its own number is no news. */
	if (ports->steer[index].kind != BERTH_STEER_DECLARED && !moved)
		return;
	berth_ports_url(ports, index, url, sizeof(url));
	if (!*url)
		snprintf(url, sizeof(url), "port %u", ports->steer[index].given);
	if (strcmp(port->name, "main") == 0)
		berth_str_copy(name, sizeof(name), service);
	else
		snprintf(name, sizeof(name), "%s:%s", service, port->name);
	if (ports->steer[index].kind == BERTH_STEER_TOOL)
		snprintf(url, sizeof(url), "port %u", ports->steer[index].given);
	if (moved) {
		berth_unit_why_moved(port, why, sizeof(why));
		announce(unit, "%s is %s (it asked for %u%s%s)", name, url, asked, *why ? ", " : "",
			 why);
	} else {
		announce(unit, "%s is %s", name, url);
	}
	for (size_t i = 0; i < unit->job->link_count && index == 0; i++) {
		const struct berth_manifest_link *link = &unit->job->links[i];
		BERTH_AUTO_FREE char *path = berth_unit_expand_text(unit, link->path);

		announce(unit, "%s %s: %s%s", name, link->name, url, path ? path : "");
	}
}

void berth_unit_look_up(struct berth_unit *unit)
{
	for (size_t i = 0; i < unit->ports.count; i++) {
		struct berth_port *port = unit->ports.port[i];
		uint16_t asked = berth_ports_asked(&unit->ports, i);

		if (port->announced || !berth_ports_is_listening(&unit->ports, i, 0) ||
		    asked == unit->ports.steer[i].given)
			continue;
		if (port->refused.port && port->refused.why == BERTH_CHOOSE_TAKEN && !port->holder)
			port->holder = find_holder(unit, port->refused.port);
		berth_unit_event(unit, "moved",
				 json_pack("{s:s,s:i,s:i,s:o}", "name", port->name, "asked", asked,
					   "port", unit->ports.steer[i].given, "holder",
					   berth_unit_holder_document(port->holder)));
	}
}

void berth_unit_announce(struct berth_unit *unit)
{
	for (size_t i = 0; i < unit->ports.count; i++) {
		struct berth_port *port = unit->ports.port[i];

		if (port->announced || !berth_ports_is_listening(&unit->ports, i, 0))
			continue;
		port->announced = true;
		announce_port(unit, i);
		announce_narrowed(unit, i);
	}
}

/* What the tree does hold, for "it listens on nothing". */
struct holdings {
	struct berth_tree tree;
	const char *protocol;
	struct berth_str text;
	size_t count;
};

static int add_holding(const struct berth_sockdiag_entry *entry, void *arg)
{
	struct holdings *holdings = arg;
	struct berth_procsock found;
	BERTH_AUTO_FREE pid_t *pids = NULL;
	size_t count = 0;

	pids = calloc(holdings->tree.count + 1, sizeof(*pids));
	for (size_t i = 0; pids && i < holdings->tree.count; i++)
		pids[i] = holdings->tree.procs[i].id.pid;
	if (!pids || !entry->inode ||
	    berth_procsock_find(&entry->inode, 1, pids, holdings->tree.count, &found, 1, &count,
				NULL) < 0 ||
	    !count)
		return 0;
	berth_str_addf(&holdings->text, "%s%s %u", holdings->count ? ", " : "", holdings->protocol,
		       berth_addr_port(&entry->local));
	return ++holdings->count == 8;
}

void berth_unit_announce_silence(struct berth_worker *worker)
{
	struct berth_unit *unit = worker->unit;
	const char *service = unit->name;
	struct holdings holdings = { 0 };
	struct berth_sockdiag_query query = { .family = AF_UNSPEC,
					      .protocol = IPPROTO_TCP,
					      .states = BERTH_SOCKDIAG_LISTEN };
	char age[BERTH_TIME_AGE_SIZE];
	int r;

	berth_time_age(worker->service.policy.notice_ns / BERTH_NS_PER_MS, age);
	if (unit->job->outside) {
		berth_unit_say(unit, "%s runs, but nobody answers for it after %s", service, age);
		return;
	}
	if (berth_ports_is_ready(&unit->ports, worker->serial)) {
		berth_unit_say(unit, "%s listens, but is not ready after %s", service, age);
		return;
	}
	if (berth_unit_load_tree(worker, &holdings.tree) == 0) {
		holdings.protocol = "tcp";
		r = berth_sockdiag_each(&query, add_holding, &holdings);
		query.protocol = IPPROTO_UDP;
		query.states = BERTH_SOCKDIAG_ANY;
		holdings.protocol = "udp";
		if (r >= 0)
			r = berth_sockdiag_each(&query, add_holding, &holdings);
		berth_tree_deinit(&holdings.tree);
	}
	if (holdings.count && berth_str_text(&holdings.text))
		berth_unit_say(unit, "%s runs but its port does not listen after %s; it holds: %s",
			       service, age, berth_str_text(&holdings.text));
	else
		berth_unit_say(unit, "%s runs but listens on nothing after %s", service, age);
	berth_str_deinit(&holdings.text);
}

/* "exit 1", "SIGSEGV", "not ready within 20 s". */
static void add_how(const struct berth_worker *worker, struct berth_str *text)
{
	const struct berth_service *service = &worker->service;

	if (service->timed_out)
		berth_str_addf(text, "was not ready within %g s",
			       (double)service->policy.start_timeout_ns / 1e9);
	else if (service->unhealthy)
		berth_str_add(text, "was not alive any more");
	else if (!worker->has_end)
		berth_str_add(text, "could not be started");
	else if (worker->end.by_signal)
		berth_str_addf(text, "was ended by SIG%s", sigabbrev_np(worker->end.status));
	else
		berth_str_addf(text, "ended with exit %d", worker->end.status);
}

void berth_unit_describe_end(const struct berth_worker *worker, struct berth_str *text)
{
	const struct berth_job *job = worker->unit->job;

	berth_str_add(text, worker->unit->name);
	if (job->workers > 1)
		berth_str_addf(text, " (worker %u)", worker->number);
	berth_str_add(text, " ");
	add_how(worker, text);
}

void berth_unit_announce_end(struct berth_worker *worker)
{
	const struct berth_service *service = &worker->service;
	struct berth_unit *unit = worker->unit;
	int64_t delay_ms = (service->deadline_ns - berth_time_mono_ns()) / BERTH_NS_PER_MS;
	struct berth_str text = { 0 };

	/* What is the end of a stack's service before it was ready is said as that. */
	if (worker->cause == BERTH_END_BY_RESTART || service->asked || worker->retiring ||
	    (unit->supervisor->stack && !unit->was_ready &&
	     service->state == BERTH_SERVICE_FAILED) ||
	    (!service->gave_up && !service->timed_out && !unit->supervisor->stack &&
	     service->policy.restart == BERTH_SERVICE_RESTART_NO && unit->job->workers == 1))
		return;
	berth_unit_describe_end(worker, &text);
	if (service->gave_up)
		berth_str_addf(&text, "; it has failed: %u restarts in %.0f s are enough",
			       service->policy.limit, (double)service->policy.limit_ns / 1e9);
	else if (service->state == BERTH_SERVICE_WAITING && delay_ms > 0)
		berth_str_addf(&text, "; it is started again in %.1f s", (double)delay_ms / 1000);
	else if (service->state == BERTH_SERVICE_WAITING ||
		 service->state == BERTH_SERVICE_STARTING)
		berth_str_add(&text, "; it is started again");
	if (berth_str_text(&text))
		berth_unit_say(unit, "%s", berth_str_text(&text));
	berth_str_deinit(&text);
}
