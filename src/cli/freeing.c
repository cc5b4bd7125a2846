/* SPDX-License-Identifier: MIT */
/* cli/freeing.c - what is said of holders that are to be ended, by berth free and berth run */
#include "cli/freeing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/ended.h"

enum {
	NAME_SIZE = 256,
	PORTS_SIZE = 256,
	TEXT_SIZE = 600,
	WORDS_SIZE = 300,
};

size_t berth_freeing_count(const struct berth_free *all, enum berth_free_verdict verdict)
{
	size_t count = 0;

	for (size_t i = 0; i < all->plan.entry_count; i++)
		count += all->plan.entries[i].verdict == verdict;
	return count;
}

/* "needs --force: it belongs to postgres" */
static void format_verdict(const struct berth_free *all, size_t entry, int64_t grace_ms, char *buf,
			   size_t size)
{
	char why[TEXT_SIZE], action[NAME_SIZE];

	berth_free_why(all, entry, why, sizeof(why));
	switch (all->plan.entries[entry].verdict) {
	case BERTH_FREE_END:
	case BERTH_FREE_VERDICT_COUNT_:
		snprintf(buf, size, "%s",
			 berth_free_action(all, entry, grace_ms, action, sizeof(action)));
		break;
	case BERTH_FREE_NEEDS_YES:
		snprintf(buf, size, "only with --yes: %s", why);
		break;
	case BERTH_FREE_NEEDS_FORCE:
		snprintf(buf, size, "only with --force: %s", why);
		break;
	case BERTH_FREE_NEVER:
		snprintf(buf, size, "stays: %s", why);
		break;
	case BERTH_FREE_IN_VAIN:
		snprintf(buf, size, "stays, as it would be in vain: %s", why);
		break;
	}
}

void berth_freeing_show(struct berth_out *out, const struct berth_free *all, int64_t grace_ms)
{
	char ports[PORTS_SIZE], details[TEXT_SIZE], verdict[TEXT_SIZE];

	for (size_t i = 0; i < all->plan.entry_count; i++) {
		berth_out_say(out, "%s is held by %s",
			      berth_free_ports(all, i, ports, sizeof(ports)),
			      berth_free_details(all, i, details, sizeof(details)));
		format_verdict(all, i, grace_ms, verdict, sizeof(verdict));
		berth_out_say(out, "  %s", verdict);
	}
}

void berth_freeing_print(struct berth_out *out, const struct berth_free *all, int64_t grace_ms)
{
	char ports[PORTS_SIZE], name[NAME_SIZE], verdict[TEXT_SIZE];

	for (size_t i = 0; i < all->plan.entry_count; i++) {
		format_verdict(all, i, grace_ms, verdict, sizeof(verdict));
		berth_out_result(out, "%s  %s  %s\n",
				 berth_free_ports(all, i, ports, sizeof(ports)),
				 berth_free_name(all, i, name, sizeof(name)), verdict);
	}
}

static void say_outcome(struct berth_out *out, const struct berth_free *all, size_t entry)
{
	const struct berth_free_outcome *outcome = &all->outcomes[entry];
	double seconds = (double)outcome->took_ms / 1000;
	char name[NAME_SIZE], ports[PORTS_SIZE];

	berth_free_name(all, entry, name, sizeof(name));
	berth_free_ports(all, entry, ports, sizeof(ports));
	switch (outcome->result) {
	case BERTH_FREE_ENDED:
		if (all->plan.entries[entry].how == BERTH_FREE_PROCESS)
			berth_out_say(out, "ended %s (SIGTERM, %.1f s), which held %s", name,
				      seconds, ports);
		else
			berth_out_say(out, "stopped %s (%.1f s), which held %s", name, seconds,
				      ports);
		break;
	case BERTH_FREE_KILLED:
		berth_out_say(out, "ended %s (SIGKILL, %.1f s), which held %s", name, seconds,
			      ports);
		break;
	case BERTH_FREE_LET_GO:
		berth_out_say(out, "%s has let go of %s, and goes on", name, ports);
		break;
	case BERTH_FREE_GONE:
		berth_out_say(out, "%s has ended already", name);
		break;
	case BERTH_FREE_LEFT_ALONE:
	case BERTH_FREE_FAILED:
	case BERTH_FREE_RESULT_COUNT_:
		break;
	}
}

void berth_freeing_say(struct berth_out *out, const struct berth_free *all)
{
	for (size_t i = 0; i < all->plan.entry_count; i++) {
		const struct berth_free_entry *entry = &all->plan.entries[i];
		const json_t *record = json_array_get(all->records, entry->service);

		if (entry->how == BERTH_FREE_SERVICE && record &&
		    all->outcomes[i].result == BERTH_FREE_ENDED)
			berth_ended_say(out, berth_registry_service(record),
					all->outcomes[i].answer, all->outcomes[i].took_ms);
		else
			say_outcome(out, all, i);
	}
}

void berth_freeing_say_left(struct berth_out *out, const struct berth_free *all)
{
	char ports[PORTS_SIZE], name[NAME_SIZE], why[TEXT_SIZE];

	for (size_t i = 0; i < all->plan.entry_count; i++)
		if (all->plan.entries[i].verdict != BERTH_FREE_END)
			berth_out_say(out, "%s stays with %s: %s",
				      berth_free_ports(all, i, ports, sizeof(ports)),
				      berth_free_name(all, i, name, sizeof(name)),
				      berth_free_why(all, i, why, sizeof(why)));
}

/* What no option helps against comes first, then what needs most. */
static size_t find_weightiest(const struct berth_free *all)
{
	static const enum berth_free_verdict order[] = { BERTH_FREE_NEVER, BERTH_FREE_NEEDS_FORCE,
							 BERTH_FREE_NEEDS_YES };

	for (size_t k = 0; k < BERTH_ARRAY_SIZE(order); k++)
		for (size_t i = 0; i < all->plan.entry_count; i++)
			if (all->plan.entries[i].verdict == order[k])
				return i;
	return BERTH_FREE_NONE;
}

/* Of any that stays; also to root, whom the command is for where we may not end it. */
static bool needs_force(const struct berth_free *all)
{
	for (size_t i = 0; i < all->plan.entry_count; i++) {
		const struct berth_free_entry *entry = &all->plan.entries[i];
		/* Whose it is says nothing to root, if it is root's own. */
		bool only_whose = entry->reason == BERTH_FREE_HIDDEN ||
				  entry->reason == BERTH_FREE_OTHER_USER;

		if (entry->verdict == BERTH_FREE_NEEDS_FORCE ||
		    (entry->verdict == BERTH_FREE_NEVER && (entry->uid != 0 || !only_whose)))
			return true;
	}
	return false;
}

/* The command that would: as root, with all the options that it needs, and those that were given. */
static void hint(const struct berth_free *all, size_t entry, bool forced, const char *const *words,
		 struct berth_err *err)
{
	const struct berth_free_entry *stays = &all->plan.entries[entry];
	char quoted[WORDS_SIZE], action[NAME_SIZE], instead[NAME_SIZE + 8] = "";
	const char *argv[BERTH_FREE_ARGV_MAX];
	bool as_root = stays->verdict == BERTH_FREE_NEVER;
	bool force = forced || needs_force(all);

	if (as_root && (all->scene.uid == 0 || stays->reason == BERTH_FREE_KERNEL))
		return;
	if (berth_free_plan_command(&all->scene, stays, argv))
		snprintf(instead, sizeof(instead), "%s, or ",
			 berth_free_action(all, entry, 0, action, sizeof(action)));
	berth_err_hint(err, "%s%sberth free %s--yes %s", instead, as_root ? "sudo " : "",
		       force ? "--force " : "",
		       berth_str_quote_argv(words, quoted, sizeof(quoted)));
}

int berth_freeing_refuse(const struct berth_free *all, bool forced, const char *const *words,
			 struct berth_err *err)
{
	size_t entry = find_weightiest(all);
	size_t others = all->plan.entry_count - berth_freeing_count(all, BERTH_FREE_END);
	char ports[PORTS_SIZE], name[NAME_SIZE], why[TEXT_SIZE], more[64] = "";

	if (entry == BERTH_FREE_NONE)
		return 0;
	if (others > 1)
		snprintf(more, sizeof(more), " (and %zu more)", others - 1);
	berth_err_set(err, -EPERM, BERTH_ERR_REFUSED, "%s is held by %s%s: %s",
		      berth_free_ports(all, entry, ports, sizeof(ports)),
		      berth_free_name(all, entry, name, sizeof(name)), more,
		      berth_free_why(all, entry, why, sizeof(why)));
	hint(all, entry, forced, words, err);
	return -EPERM;
}
