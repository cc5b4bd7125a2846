/* SPDX-License-Identifier: MIT */
/* app/expand.c - {port}, {backend.url} and their like in a command and in variables */

#include "app/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/siblings.h"
#include "stack/template.h"

/* The names that {...} knows, in a growing array; all owned. */
struct vars {
	struct berth_template_var *items;
	size_t count, size;
	bool failed;
};

static void free_vars(struct vars *vars)
{
	for (size_t i = 0; i < vars->count; i++) {
		free((char *)(uintptr_t)vars->items[i].name);
		free((char *)(uintptr_t)vars->items[i].value);
	}
	free(vars->items);
}

static void add_var(const char *name, const char *value, void *arg)
{
	struct vars *vars = arg;
	struct berth_template_var var = { .name = strdup(name), .value = strdup(value) };

	if (vars->count == vars->size) {
		size_t size = vars->size ? vars->size * 2 : 32;
		struct berth_template_var *grown = reallocarray(vars->items, size, sizeof(*grown));

		vars->failed |= !grown;
		if (grown) {
			vars->items = grown;
			vars->size = size;
		}
	}
	vars->failed |= !var.name || !var.value;
	if (vars->failed) {
		free((char *)(uintptr_t)var.name);
		free((char *)(uintptr_t)var.value);
		return;
	}
	vars->items[vars->count++] = var;
}

void berth_unit_each_var(const struct berth_unit *unit, const char *prefix,
			 void (*add)(const char *name, const char *value, void *arg), void *arg)
{
	const struct berth_ports *ports = &unit->ports;
	char name[BERTH_NAME_MAX + BERTH_PORT_NAME_MAX + 8], number[8], url[64];
	bool first = true;

	snprintf(name, sizeof(name), "%shost", prefix);
	add(name, "localhost", arg);
	for (size_t i = 0; i < ports->count; i++) {
		if (!berth_ports_is_told(ports, i))
			continue;
		snprintf(number, sizeof(number), "%u", ports->steer[i].given);
		berth_ports_url(ports, i, url, sizeof(url));
		snprintf(name, sizeof(name), "%sport.%s", prefix, ports->port[i]->name);
		add(name, number, arg);
		snprintf(name, sizeof(name), "%surl.%s", prefix, ports->port[i]->name);
		add(name, url, arg);
		if (first) {
			snprintf(name, sizeof(name), "%sport", prefix);
			add(name, number, arg);
			snprintf(name, sizeof(name), "%surl", prefix);
			add(name, url, arg);
		}
		first = false;
	}
}

/* Does any of @words have something to fill in? */
static bool has_braces(const char *const *words)
{
	for (; words && *words; words++)
		if (strchr(*words, '{'))
			return true;
	return false;
}

static int collect_vars(const struct berth_unit *unit, struct vars *vars)
{
	add_var("id", unit->id, vars);
	berth_unit_each_var(unit, "", add_var, vars);
	berth_siblings_each_var(unit, add_var, vars);
	return vars->failed ? -ENOMEM : 0;
}

static int expand_all(const struct berth_unit *unit, const struct vars *vars,
		      const char *const *words, struct berth_unit_words *ret_words,
		      struct berth_err *err)
{
	for (; words && *words; words++) {
		char *word;
		int r = berth_template_expand(*words, vars->items, vars->count,
					      unit->job->strict_templates, &word, err);

		if (r < 0)
			return r;
		berth_unit_add_word(ret_words, word);
	}
	return ret_words->failed ? -ENOMEM : 0;
}

int berth_unit_expand_words(const struct berth_unit *unit, const char *const *words,
			    struct berth_unit_words *ret_words, struct berth_err *err)
{
	struct vars vars = { 0 };
	int r = has_braces(words) ? collect_vars(unit, &vars) : 0;

	if (r == 0)
		r = expand_all(unit, &vars, words, ret_words, err);
	free_vars(&vars);
	return r;
}

char *berth_unit_expand_text(const struct berth_unit *unit, const char *text)
{
	const char *const words[] = { text, NULL };
	struct berth_unit_words filled = { 0 };
	struct berth_err err = { 0 };
	char *word = NULL;

	if (berth_unit_expand_words(unit, words, &filled, &err) == 0)
		word = BERTH_STEAL(filled.items[0]);
	berth_unit_free_words(filled.items);
	return word ? word : strdup(text);
}

static void set_pair(struct berth_unit_words *env, const char *assignment)
{
	char name[256];
	const char *equals = strchr(assignment, '=');

	if (!equals || (size_t)(equals - assignment) >= sizeof(name))
		return;
	snprintf(name, sizeof(name), "%.*s", (int)(equals - assignment), assignment);
	berth_unit_set(env, name, equals + 1);
}

int berth_unit_expand(const struct berth_unit *unit, struct berth_unit_words *argv,
		      struct berth_unit_words *env, struct berth_err *err)
{
	const char *const *words = unit->argv ? (const char *const *)unit->argv : unit->job->argv;
	const char *const *pairs =
		unit->extra_env ? (const char *const *)unit->extra_env : unit->job->extra_env;
	struct berth_unit_words set = { 0 };
	int r = berth_unit_expand_words(unit, words, argv, err);

	if (r == 0)
		r = berth_unit_expand_words(unit, pairs, &set, err);
	for (size_t i = 0; r == 0 && i < set.count; i++)
		set_pair(env, set.items[i]);
	berth_unit_free_words(set.items);
	return r < 0 ? r : env->failed ? -ENOMEM : 0;
}
