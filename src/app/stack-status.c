/* SPDX-License-Identifier: MIT */
/* app/stack-status.c - what a stack in the foreground says while it comes up */
#include "app/stack-status.h"

#include <stdio.h>

#include "base/str.h"
#include "base/time.h"

static const char *name_of(const struct berth_stack_run *run, size_t index)
{
	return run->stack->manifest.services[index].name;
}

/* Since when something of it runs that is not ready; 0: nothing is. */
static int64_t starting_since_ms(const struct berth_supervisor *supervisor, size_t index)
{
	for (size_t i = 0; i < supervisor->unit_count; i++) {
		const struct berth_unit *unit = supervisor->units[i];

		if (unit->job->member == index && unit->started_ms && !unit->was_ready)
			return unit->started_ms;
	}
	return 0;
}

static const char *separator(const struct berth_str *text)
{
	return text->len ? " \302\267 " : "";
}

/* "starting: backend 3 s, waiting: frontend for backend 3 s" */
static void describe(const struct berth_supervisor *supervisor, struct berth_str *text)
{
	const struct berth_stack_run *run = supervisor->stack;
	int64_t now_ns = berth_time_mono_ns(), now_ms = berth_time_now_ms();
	char age[BERTH_TIME_AGE_SIZE];

	for (size_t i = 0; i < run->stack->manifest.service_count; i++) {
		size_t index = run->stack->order[i];
		const struct berth_stack_member *member = &run->members[index];
		int64_t since_ms = starting_since_ms(supervisor, index);

		if (member->since_ns && member->living)
			berth_str_addf(
				text, "%swaiting: %s for %s %s", separator(text),
				name_of(run, index), name_of(run, member->waits_for),
				berth_time_age((now_ns - member->since_ns) / BERTH_NS_PER_MS, age));
		else if (since_ms)
			berth_str_addf(text, "%sstarting: %s %s", separator(text),
				       name_of(run, index), berth_time_age(now_ms - since_ms, age));
	}
}

/* Where no line can be drawn again. */
static void say_waiting(struct berth_supervisor *supervisor)
{
	struct berth_stack_run *run = supervisor->stack;
	int64_t now_ns = berth_time_mono_ns();

	for (size_t i = 0; i < run->stack->manifest.service_count; i++) {
		struct berth_stack_member *member = &run->members[i];

		if (!member->since_ns || !member->living || member->wait_said ||
		    now_ns - member->since_ns < BERTH_NS_PER_S)
			continue;
		member->wait_said = true;
		berth_announce_stack(supervisor, "%s waits for %s", name_of(run, i),
				     name_of(run, member->waits_for));
	}
}

void berth_stack_status_show(struct berth_supervisor *supervisor)
{
	struct berth_stack_run *run = supervisor->stack;
	bool over = run->settled || run->ending;
	int64_t now_ns = berth_time_mono_ns();
	struct berth_str text = { 0 };

	if (supervisor->job->detach || (over && !run->status_ns) ||
	    (!over && run->status_ns > now_ns))
		return;
	run->status_ns = over ? 0 : now_ns + BERTH_NS_PER_S;
	if (!run->stack->console.live) {
		say_waiting(supervisor);
		return;
	}
	if (!over)
		describe(supervisor, &text);
	berth_console_status(&supervisor->console, berth_str_text(&text));
	berth_str_deinit(&text);
}
