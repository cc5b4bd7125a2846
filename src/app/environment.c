/* SPDX-License-Identifier: MIT */
/* app/environment.c - the command of a service and its variables, with its ports told */

#include "app/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "app/siblings.h"
#include "app/stack.h"
#include "app/supervisor.h"
#include "base/str.h"

void berth_unit_add_word(struct berth_unit_words *words, char *word)
{
	if (word && words->count + 2 > words->size) {
		size_t size = words->size ? words->size * 2 : 64;
		char **grown = reallocarray(words->items, size, sizeof(*grown));

		if (grown) {
			words->items = grown;
			words->size = size;
		}
	}
	if (!word || words->count + 2 > words->size) {
		words->failed = true;
		free(word);
		return;
	}
	words->items[words->count++] = word;
	words->items[words->count] = NULL;
}

void berth_unit_free_words(char **words)
{
	for (char **word = words; word && *word; word++)
		free(*word);
	free(words);
}

void berth_unit_set(struct berth_unit_words *env, const char *name, const char *value)
{
	struct berth_str text = { 0 };
	size_t len = strlen(name);

	berth_str_addf(&text, "%s=%s", name, value);
	if (text.failed) {
		berth_str_deinit(&text);
		env->failed = true;
		return;
	}
	for (size_t i = 0; i < env->count; i++) {
		if (strncmp(env->items[i], name, len) == 0 && env->items[i][len] == '=') {
			free(env->items[i]);
			env->items[i] = text.text;
			return;
		}
	}
	berth_unit_add_word(env, text.text);
}

/* The same for what we make ourselves: short. */
BERTH_PRINTF(3, 4)
static void set(struct berth_unit_words *env, const char *name, const char *fmt, ...)
{
	char value[PATH_MAX + 64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	berth_unit_set(env, name, value);
}

static bool has(const struct berth_unit_words *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < env->count; i++)
		if (strncmp(env->items[i], name, len) == 0 && env->items[i][len] == '=')
			return true;
	return false;
}

/* PREFIX_PORT, PREFIX_URL, PREFIX_HOST of one port. */
static void set_port(struct berth_unit_words *env, const struct berth_ports *ports, size_t index,
		     const char *prefix)
{
	char name[160], url[64];

	snprintf(name, sizeof(name), "%s_PORT", prefix);
	set(env, name, "%u", ports->steer[index].given);
	snprintf(name, sizeof(name), "%s_HOST", prefix);
	set(env, name, "localhost");
	berth_ports_url(ports, index, url, sizeof(url));
	if (!*url)
		return;
	snprintf(name, sizeof(name), "%s_URL", prefix);
	set(env, name, "%s", url);
}

void berth_unit_set_ports(struct berth_unit_words *env, const struct berth_ports *ports,
			  const char *service)
{
	char prefix[128], own[BERTH_NAME_MAX + 1], name[BERTH_PORT_NAME_MAX + 1];
	bool first = true;

	berth_str_env_name(service, own, sizeof(own));
	for (size_t i = 0; i < ports->count; i++) {
		if (!berth_ports_is_told(ports, i))
			continue;
		if (first)
			set_port(env, ports, i, own);
		first = false;
		if (strcmp(ports->port[i]->name, "main") == 0)
			continue;
		berth_str_env_name(ports->port[i]->name, name, sizeof(name));
		snprintf(prefix, sizeof(prefix), "%s_%s", own, name);
		set_port(env, ports, i, prefix);
	}
}

/* What it is told of its own: PORT, BERTH_PORT_WS. */
static void set_own_ports(struct berth_unit_words *env, const struct berth_ports *ports)
{
	char name[BERTH_PORT_NAME_MAX + 1], variable[64];
	bool first = true;

	for (size_t i = 0; i < ports->count; i++) {
		if (!berth_ports_is_told(ports, i))
			continue;
		berth_str_env_name(ports->port[i]->name, name, sizeof(name));
		snprintf(variable, sizeof(variable), "BERTH_PORT_%s", name);
		set(env, variable, "%u", ports->steer[i].given);
		if (first)
			set(env, "PORT", "%u", ports->steer[i].given);
		first = false;
	}
}

/*
 * BROWSER is one program without arguments, since some take it for a file name: a link beside the
 * records that is us.
 */
static void set_browser(const struct berth_unit *unit, struct berth_unit_words *env)
{
	if (has(env, "BROWSER"))
		return;
	if (faccessat(unit->supervisor->registry.dir_fd, "berth-open", X_OK, 0) < 0) {
		char self[PATH_MAX];
		ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

		if (n <= 0)
			return;
		self[n] = '\0';
		unlinkat(unit->supervisor->registry.dir_fd, "berth-open", 0);
		if (symlinkat(self, unit->supervisor->registry.dir_fd, "berth-open") < 0 &&
		    errno != EEXIST)
			return;
	}
	set(env, "BROWSER", "%s/berth-open", unit->supervisor->registry.path);
}

/* A copy (up --as) has a file of its own: whoever reads one is told which. */
static void set_ports_file(const struct berth_unit *unit, struct berth_unit_words *env)
{
	const struct berth_job *job = unit->job;

	if (job->stack)
		set(env, "BERTH_PORTS_FILE", "%s", job->stack->ports_file);
	else if (job->ports_file)
		set(env, "BERTH_PORTS_FILE", "%s", job->ports_file);
}

static void set_identity(const struct berth_unit *unit, struct berth_unit_words *env)
{
	const struct berth_identity *identity = &unit->job->identity;

	set(env, "BERTH_PROJECT", "%s", identity->project);
	set(env, "BERTH_SERVICE", "%s", identity->service);
	set(env, "BERTH_INSTANCE", "%u", identity->instance);
	set(env, "BERTH_ID", "%s", unit->id);
	if (unit->job->stack && unit->job->stack->kind == BERTH_MANIFEST_PROCFILE)
		set(env, "PS", "%s.%u", identity->service, identity->instance);
	set(env, "BERTH_SOCKET", "%s", unit->socket_name);
	set_ports_file(unit, env);
	set_own_ports(env, &unit->ports);
	berth_siblings_add(unit->supervisor, unit, env);
	berth_unit_set_ports(env, &unit->ports, identity->service);
	berth_siblings_add_origins(unit, env);
	set_browser(unit, env);
}

static const struct berth_dotenv *env_file_of(const struct berth_unit *unit)
{
	return unit->env_file ? unit->env_file : unit->job->env_file;
}

/* The pages that it is to answer, whoever has set that: the same to all who ask what belongs to it. */
static void set_origins(const struct berth_unit *unit, struct berth_unit_words *env)
{
	static const char name[] = "BERTH_CORS_ORIGINS";
	const struct berth_dotenv *file = env_file_of(unit);
	struct berth_unit_words argv = { 0 }, pairs = { 0 };
	const char *value = getenv(name);
	struct berth_err err;

	if (has(env, name))
		return;
	for (size_t i = 0; file && i < file->count; i++)
		if (strcmp(file->entries[i].key, name) == 0)
			value = file->entries[i].value;
	if (berth_unit_expand(unit, &argv, &pairs, &err) == 0)
		for (size_t i = 0; i < pairs.count; i++)
			if (strncmp(pairs.items[i], name, sizeof(name) - 1) == 0 &&
			    pairs.items[i][sizeof(name) - 1] == '=')
				value = pairs.items[i] + sizeof(name);
	if (value)
		berth_unit_set(env, name, value);
	berth_unit_free_words(argv.items);
	berth_unit_free_words(pairs.items);
}

/* Of a stack: its calls are answered by way of one of its units. */
static void set_stack(const struct berth_unit *unit, struct berth_unit_words *env)
{
	set(env, "BERTH_PROJECT", "%s", unit->job->identity.project);
	set(env, "BERTH_SOCKET", "%s", unit->socket_name);
	set_ports_file(unit, env);
	berth_siblings_add(unit->supervisor, NULL, env);
	set_browser(unit, env);
}

int berth_unit_environment(const struct berth_unit *unit, bool whole, char ***ret_env)
{
	struct berth_unit_words env = { 0 };

	if (whole && unit->supervisor->stack) {
		set_stack(unit, &env);
	} else {
		set_identity(unit, &env);
		set_origins(unit, &env);
	}
	if (env.failed) {
		berth_unit_free_words(env.items);
		return -ENOMEM;
	}
	*ret_env = env.items;
	return 0;
}

/* BERTH_SOCKET of a berth around us would lead to that one; LISTEN_ and NOTIFY_ are for us. */
static bool is_for_us(const char *word)
{
	return strncmp(word, "LISTEN_", 7) == 0 || strncmp(word, "NOTIFY_SOCKET=", 14) == 0;
}

int berth_unit_build_environment(const struct berth_worker *worker, struct berth_unit_words *env)
{
	const struct berth_unit *unit = worker->unit;
	const struct berth_dotenv *file = env_file_of(unit);

	for (char **word = environ; *word; word++)
		if (!is_for_us(*word))
			berth_unit_add_word(env, strdup(*word));
	for (size_t i = 0; file && i < file->count; i++)
		berth_unit_set(env, file->entries[i].key, file->entries[i].value);
	set_identity(unit, env);
	set(env, "BERTH_WORKER", "%u", worker->number);
	if (unit->notify_fd >= 0)
		set(env, "NOTIFY_SOCKET", "%s", unit->notify_name);
	return env->failed ? -ENOMEM : 0;
}

/* Take @words for *@present, which can be had back from *@old. */
static bool change(char ***present, char ***old, char **words)
{
	if (!words)
		return false;
	*old = *present;
	*present = words;
	return true;
}

void berth_unit_free_env_file(struct berth_dotenv *env_file)
{
	berth_dotenv_deinit(env_file);
	free(env_file);
}

void berth_unit_change_command(struct berth_unit *unit, char **argv, char **extra_env,
			       struct berth_dotenv *env_file)
{
	berth_unit_forget_old_command(unit);
	unit->new_argv = change(&unit->argv, &unit->old_argv, argv);
	unit->new_extra_env = change(&unit->extra_env, &unit->old_extra_env, extra_env);
	if (!env_file)
		return;
	unit->new_env_file = true;
	unit->old_env_file = unit->env_file;
	unit->env_file = env_file;
}

static void restore(bool *changed, char ***present, char ***old)
{
	if (!*changed)
		return;
	*changed = false;
	berth_unit_free_words(*present);
	*present = BERTH_STEAL(*old);
}

void berth_unit_restore_command(struct berth_unit *unit)
{
	restore(&unit->new_argv, &unit->argv, &unit->old_argv);
	restore(&unit->new_extra_env, &unit->extra_env, &unit->old_extra_env);
	if (!unit->new_env_file)
		return;
	unit->new_env_file = false;
	berth_unit_free_env_file(unit->env_file);
	unit->env_file = BERTH_STEAL(unit->old_env_file);
}

void berth_unit_forget_old_command(struct berth_unit *unit)
{
	berth_unit_free_words(BERTH_STEAL(unit->old_argv));
	berth_unit_free_words(BERTH_STEAL(unit->old_extra_env));
	berth_unit_free_env_file(BERTH_STEAL(unit->old_env_file));
	unit->new_argv = unit->new_extra_env = unit->new_env_file = false;
}
