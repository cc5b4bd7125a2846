/* SPDX-License-Identifier: MIT */
/* app/free-text.c - what there is to say of a holder that is to be ended: for people, and as JSON */
#include "app/free.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/time.h"

enum {
	PART_SIZE = 256,
	ARGV_MAX = 64, /* words of a command line that are shown */
	PASSWD_SIZE = 4096,
};

static const struct berth_free_entry *entry_of(const struct berth_free *all, size_t entry)
{
	return &all->plan.entries[entry];
}

static const struct berth_free_proc *proc_of(const struct berth_free *all, size_t entry)
{
	size_t proc = entry_of(all, entry)->proc;

	return proc == BERTH_FREE_NONE ? NULL : &all->procs[proc];
}

const json_t *berth_free_process(const struct berth_free *all, size_t entry)
{
	const struct berth_free_proc *proc = proc_of(all, entry);

	for (size_t i = 0; proc && i < all->known.count; i++)
		if (all->known.known[i]->id.pid == proc->id.pid)
			return all->known.known[i]->document;
	return NULL;
}

static const json_t *service_of(const struct berth_free *all, size_t entry)
{
	const json_t *record = entry_of(all, entry)->how == BERTH_FREE_SERVICE
				       ? json_array_get(all->records, entry_of(all, entry)->service)
				       : NULL;

	return record ? berth_registry_summary(record) : NULL;
}

static const char *user_name(uid_t uid, char *buf, size_t size)
{
	char text[PASSWD_SIZE];
	struct passwd passwd, *found = NULL;

	(void)getpwuid_r(uid, &passwd, text, sizeof(text), &found);
	if (found)
		berth_str_printable(found->pw_name, (size_t)-1, buf, size);
	else
		snprintf(buf, size, "uid %u", (unsigned int)uid);
	return buf;
}

/* "node 812" */
static void process_name(const struct berth_free_proc *proc, char *buf, size_t size)
{
	char comm[4 * sizeof(proc->comm)];

	berth_str_printable(proc->comm, (size_t)-1, comm, sizeof(comm));
	snprintf(buf, size, "%s %d", comm, (int)proc->id.pid);
}

const char *berth_free_name(const struct berth_free *all, size_t index, char *buf, size_t size)
{
	const struct berth_free_entry *entry = entry_of(all, index);
	const struct berth_free_proc *proc = proc_of(all, index);
	char what[PART_SIZE] = "", user[64];

	if (proc)
		process_name(proc, what, sizeof(what));
	switch (entry->how) {
	case BERTH_FREE_SERVICE:
		snprintf(buf, size, "%s", berth_json_string(service_of(all, index), "label", "?"));
		break;
	case BERTH_FREE_CONTAINER:
		snprintf(buf, size, "container '%s'", all->containers[entry->container].name);
		break;
	case BERTH_FREE_UNIT:
		snprintf(buf, size, "%s", proc->socket_unit);
		break;
	case BERTH_FREE_PROCESS:
	case BERTH_FREE_HOW_COUNT_:
		snprintf(buf, size, "%s", what);
		break;
	case BERTH_FREE_NOTHING:
		if (entry->reason == BERTH_FREE_HIDDEN)
			snprintf(buf, size, "a process of %s",
				 user_name(entry->uid, user, sizeof(user)));
		else
			snprintf(buf, size, "the kernel, or a process that is not to be seen");
		break;
	}
	return buf;
}

const char *berth_free_ports(const struct berth_free *all, size_t index, char *buf, size_t size)
{
	struct berth_str text = { 0 };
	unsigned int first = 0, last = 0;

	/* One more round, for the end of the last run of them. */
	for (size_t i = 0; i <= all->plan.link_count; i++) {
		bool more = i < all->plan.link_count;
		const struct berth_free_link *link = more ? &all->plan.links[i] : NULL;
		unsigned int port = 0;

		if (more && link->entry != index)
			continue;
		if (more)
			port = berth_addr_port(&all->look.sockets[link->socket].local);
		if (first && (port == last || port == last + 1)) {
			last = port;
			continue;
		}
		if (first)
			berth_str_addf(&text, "%s%u", text.len ? ", " : "", first);
		if (first && last > first)
			berth_str_addf(&text, "-%u", last);
		first = last = port;
	}
	berth_str_copy(buf, size, berth_str_text(&text) ? berth_str_text(&text) : "");
	berth_str_deinit(&text);
	return buf;
}

const char *berth_free_action(const struct berth_free *all, size_t index, int64_t grace_ms,
			      char *buf, size_t size)
{
	const struct berth_free_entry *entry = entry_of(all, index);
	const char *argv[BERTH_FREE_ARGV_MAX];
	char age[BERTH_TIME_AGE_SIZE];

	if (berth_free_plan_command(&all->scene, entry, argv))
		return berth_str_quote_argv(argv, buf, size);
	if (entry->how == BERTH_FREE_SERVICE)
		snprintf(buf, size, "berth stop %s",
			 berth_json_string(service_of(all, index), "id", "?"));
	else if (entry->how == BERTH_FREE_NOTHING)
		snprintf(buf, size, "nothing");
	else if (grace_ms == 0)
		snprintf(buf, size, "SIGTERM, and SIGKILL at once");
	else if (grace_ms < 1000)
		snprintf(buf, size, "SIGTERM, after %lld ms SIGKILL", (long long)grace_ms);
	else
		snprintf(buf, size, "SIGTERM, after %s SIGKILL", berth_time_age(grace_ms, age));
	return buf;
}

static const char *container_text(const struct berth_free *all, size_t index, char *buf,
				  size_t size)
{
	const struct berth_free_entry *entry = entry_of(all, index);
	const struct berth_free_proc *proc = proc_of(all, index);
	char name[PART_SIZE] = "";

	if (entry->how == BERTH_FREE_CONTAINER && proc)
		process_name(proc, name, sizeof(name));
	if (entry->how == BERTH_FREE_CONTAINER)
		snprintf(buf, size, "it is a container's%s%s", *name ? ", by " : "", name);
	else if (proc && *proc->place.container)
		snprintf(buf, size, "it runs in a container, %.12s: stop that instead",
			 proc->place.container);
	else
		snprintf(buf, size, "it is the proxy of a container: stop that instead");
	return buf;
}

static const char *reason_text(const struct berth_free *all, size_t index, char *buf, size_t size)
{
	const struct berth_free_entry *entry = entry_of(all, index);
	const struct berth_free_proc *proc = proc_of(all, index);
	char user[64];

	switch (entry->reason) {
	case BERTH_FREE_ANCESTOR:
		return entry->how == BERTH_FREE_SERVICE ? "this berth was started in it"
							: "this berth was started below it";
	case BERTH_FREE_INIT:
		return proc && proc->id.pid == 1 ? "it is process 1"
						 : "it is the systemd of all your session";
	case BERTH_FREE_SSHD:
		return "it is the way in by ssh";
	case BERTH_FREE_IN_CONTAINER:
		return container_text(all, index, buf, size);
	case BERTH_FREE_OTHER_USER:
		snprintf(buf, size, "it belongs to %s", user_name(entry->uid, user, sizeof(user)));
		return buf;
	case BERTH_FREE_HIDDEN:
		return "we may not see which one it is";
	case BERTH_FREE_KERNEL:
		return "there is nobody to be ended";
	case BERTH_FREE_NO_REASON:
	case BERTH_FREE_REASON_COUNT_:
		break;
	}
	return "";
}

/* Somebody who stays, and has a port of @index. */
static size_t find_staying(const struct berth_free *all, size_t index)
{
	const struct berth_free_entry *stays = NULL;

	for (size_t i = 0; i < all->plan.link_count && !stays; i++)
		if (all->plan.links[i].entry == index)
			stays = berth_free_plan_stays(
				&all->scene, &all->plan,
				berth_addr_port(
					&all->look.sockets[all->plan.links[i].socket].local));
	return stays ? (size_t)(stays - all->plan.entries) : BERTH_FREE_NONE;
}

const char *berth_free_why(const struct berth_free *all, size_t index, char *buf, size_t size)
{
	const struct berth_free_entry *entry = entry_of(all, index);
	char text[PART_SIZE] = "", name[PART_SIZE];
	size_t staying;

	if (entry->verdict == BERTH_FREE_IN_VAIN) {
		staying = find_staying(all, index);
		snprintf(buf, size, "%s has it too, and stays",
			 staying == BERTH_FREE_NONE
				 ? "somebody"
				 : berth_free_name(all, staying, name, sizeof(name)));
	} else if (entry->reason != BERTH_FREE_NO_REASON) {
		snprintf(buf, size, "%s", reason_text(all, index, text, sizeof(text)));
	} else if (entry->stranger) {
		snprintf(buf, size, "it is neither berth's own nor of this project");
	} else {
		buf[0] = '\0';
	}
	return buf;
}

/* --- for a question --- */

static void add_command(const json_t *process, struct berth_str *text)
{
	const json_t *words = json_object_get(process, "command");
	const char *argv[ARGV_MAX + 1];
	char line[PART_SIZE];
	const json_t *word;
	size_t i, count = 0;

	json_array_foreach (words, i, word)
		if (count < ARGV_MAX && json_string_value(word))
			argv[count++] = json_string_value(word);
	argv[count] = NULL;
	if (count)
		berth_str_addf(text, ", %s", berth_str_quote_argv(argv, line, sizeof(line)));
}

static void add_printable(const char *before, const char *value, struct berth_str *text)
{
	char shown[PART_SIZE];

	if (value && *value)
		berth_str_addf(text, "%s%s", before,
			       berth_str_printable(value, (size_t)-1, shown, sizeof(shown)));
}

const char *berth_free_details(const struct berth_free *all, size_t index, char *buf, size_t size)
{
	const json_t *process = berth_free_process(all, index);
	const struct berth_free_proc *proc = proc_of(all, index);
	char part[PART_SIZE], user[64], age[BERTH_TIME_AGE_SIZE];
	struct berth_str text = { 0 };
	int64_t started;

	berth_str_add(&text, berth_free_name(all, index, part, sizeof(part)));
	if (proc && entry_of(all, index)->how != BERTH_FREE_PROCESS) {
		process_name(proc, part, sizeof(part));
		berth_str_addf(&text, " (%s)", part);
	}
	if (proc)
		berth_str_addf(&text, " of %s", user_name(proc->uid, user, sizeof(user)));
	if (berth_time_parse(berth_json_string(process, "started_at", ""), &started) == 0)
		berth_str_addf(&text, ", for %s",
			       berth_time_age(berth_time_now_ms() - started, age));
	add_command(process, &text);
	add_printable(", in ", berth_json_string(process, "cwd", NULL), &text);
	if (proc && *proc->place.unit)
		add_printable(", ", proc->place.unit, &text);
	berth_str_copy(buf, size, berth_str_text(&text) ? berth_str_text(&text) : "?");
	berth_str_deinit(&text);
	return buf;
}

/* --- JSON --- */

json_t *berth_free_port_list(const struct berth_free *all, size_t index)
{
	json_t *ports = json_array();
	uint16_t last = 0;

	for (size_t i = 0; i < all->plan.link_count; i++) {
		const struct berth_free_link *link = &all->plan.links[i];
		uint16_t port = berth_addr_port(&all->look.sockets[link->socket].local);

		if (link->entry == index && port != last) {
			json_array_append_new(ports, json_integer(port));
			last = port;
		}
	}
	return ports;
}

json_t *berth_free_container(const struct berth_free *all, size_t index)
{
	const struct berth_free_entry *entry = entry_of(all, index);

	if (entry->how != BERTH_FREE_CONTAINER)
		return json_null();
	return json_pack("{s:o,s:o}", "name",
			 berth_json_text(all->containers[entry->container].name), "engine",
			 berth_json_text(all->containers[entry->container].engine));
}

static json_t *service_document(const struct berth_free *all, size_t index)
{
	const json_t *service = service_of(all, index);

	if (!service)
		return json_null();
	return json_pack("{s:o,s:o,s:I}", "label",
			 berth_json_text(berth_json_string(service, "label", "?")), "id",
			 berth_json_text(berth_json_string(service, "id", "?")), "instance",
			 (json_int_t)berth_json_int(service, "instance", 1));
}

static json_t *document_of(const struct berth_free *all, size_t index, int64_t grace_ms)
{
	static const char *const members[] = { "pid", "process",    "command", "cwd", "user",
					       "uid", "started_at", "project", "unit" };
	const struct berth_free_entry *entry = entry_of(all, index);
	const json_t *process = berth_free_process(all, index);
	char action[PART_SIZE], why[2 * PART_SIZE];
	json_t *document =
		json_pack("{s:s,s:o,s:s,s:s,s:s,s:o,s:s}", "how", berth_free_how_name(entry->how),
			  "ports", berth_free_port_list(all, index), "action",
			  berth_free_action(all, index, grace_ms, action, sizeof(action)),
			  "against", berth_free_reason_name(entry->reason), "verdict",
			  berth_free_verdict_name(entry->verdict), "why",
			  berth_json_text_or_null(berth_free_why(all, index, why, sizeof(why))),
			  "result", berth_free_result_name(all->outcomes[index].result));

	if (!document)
		return NULL;
	json_object_set_new(document, "took_ms", json_integer(all->outcomes[index].took_ms));
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(members); i++) {
		json_t *value = json_object_get(process, members[i]);

		json_object_set_new(document, members[i], value ? json_incref(value) : json_null());
	}
	if (!process)
		json_object_set_new(document, "uid", json_integer(entry->uid));
	json_object_set_new(document, "container", berth_free_container(all, index));
	json_object_set_new(document, "service", service_document(all, index));
	return document;
}

json_t *berth_free_document(const struct berth_free *all, int64_t grace_ms)
{
	json_t *holders = json_array();

	for (size_t i = 0; i < all->plan.entry_count; i++)
		json_array_append_new(holders, document_of(all, i, grace_ms));
	return holders;
}
