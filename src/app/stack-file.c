/* SPDX-License-Identifier: MIT */
/* app/stack-file.c - .ports.json of a stack, and what --export-env wants: true while it runs */
#include "app/stack-file.h"

#include <errno.h>
#include <string.h>

#include "app/export-file.h"
#include "app/ports-file.h"
#include "app/siblings.h"
#include "base/str.h"
#include "base/time.h"

enum {
	AGAIN_NS = 10 * BERTH_NS_PER_MS, /* the ports file, when another one writes it */
};

/* Once, until it has worked again. */
static void say_once(struct berth_supervisor *supervisor, const struct berth_err *err)
{
	if (err->code != BERTH_ERR_NONE && !supervisor->stack->file_fault_said)
		berth_announce_stack(supervisor, "%s", err->msg);
	supervisor->stack->file_fault_said = err->code != BERTH_ERR_NONE;
}

/* By service, then by instance: in the order of the manifest. */
static size_t describe(const struct berth_supervisor *supervisor,
		       struct berth_ports_file_unit *described, struct berth_portsfile_unit *units)
{
	const struct berth_manifest *manifest = &supervisor->stack->stack->manifest;
	size_t count = 0;

	for (size_t i = 0; i < manifest->service_count; i++)
		for (size_t j = 0; j < supervisor->unit_count; j++) {
			const struct berth_unit *unit = supervisor->units[j];

			if (unit->job->member != i)
				continue;
			berth_ports_file_describe(&unit->ports, unit->job->identity.service,
						  unit->job->identity.instance,
						  berth_service_state_name(unit->state),
						  &described[count]);
			units[count] = described[count].unit;
			count++;
		}
	return count;
}

static void write_ports(struct berth_supervisor *supervisor, struct berth_err *err)
{
	const struct berth_stack *stack = supervisor->stack->stack;
	size_t size = supervisor->unit_count + 1;
	BERTH_AUTO_FREE struct berth_portsfile_unit *units = calloc(size, sizeof(*units));
	BERTH_AUTO_FREE struct berth_ports_file_unit *described = calloc(size, sizeof(*described));
	struct berth_portsfile_stack all = {
		.project = stack->identity.project,
		.copy = *stack->identity.copy ? stack->identity.copy : NULL,
		.key = stack->identity.key,
		.owner = { .supervisor = supervisor->self, .boot = supervisor->boot },
		.started_ms = supervisor->started_ms,
		.units = units,
	};

	if (!units || !described) {
		berth_err_errno(err, -ENOMEM, "cannot write '%s'", stack->ports_file);
		return;
	}
	all.unit_count = describe(supervisor, described, units);
	if (berth_ports_file_set_stack(stack->ports_file, &all, &supervisor->stack->file_since_ns,
				       err) == -EAGAIN)
		supervisor->stack->file_ns = berth_time_mono_ns() + AGAIN_NS;
}

static void write_exports(struct berth_supervisor *supervisor, struct berth_err *err)
{
	const char *path = supervisor->stack->stack->export_env;
	static const char *const none[] = { NULL };
	struct berth_unit_words words = { 0 };

	if (!path)
		return;
	berth_siblings_add(supervisor, NULL, &words);
	if (words.failed)
		berth_err_errno(err, -ENOMEM, "cannot write '%s'", path);
	else
		(void)!berth_export_file_write(
			path, words.items ? (const char *const *)words.items : none, err);
	berth_unit_free_words(words.items);
}

void berth_stack_file_write(struct berth_supervisor *supervisor)
{
	struct berth_err err = { 0 };

	supervisor->stack->file_ns = 0;
	write_ports(supervisor, &err);
	write_exports(supervisor, &err);
	say_once(supervisor, &err);
}

void berth_stack_file_remove(struct berth_supervisor *supervisor)
{
	const struct berth_stack *stack = supervisor->stack->stack;
	struct berth_err err = { 0 };

	(void)!berth_ports_file_drop_stack(stack->ports_file, stack->identity.key, &err);
	if (stack->export_env)
		berth_export_file_remove(stack->export_env);
	say_once(supervisor, &err);
}
