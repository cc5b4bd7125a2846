/* SPDX-License-Identifier: MIT */
/* app/environment.c - the command of a service and its variables, with its ports told */

#include "app/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "app/supervisor.h"
#include "base/str.h"
#include "stack/template.h"

enum {
	TEMPLATE_VARS_MAX = 4 + 2 * BERTH_PORTS_MAX,
};

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

static void set_ports(struct berth_unit_words *env, const struct berth_ports *ports,
		      const char *service)
{
	char prefix[128], own[BERTH_NAME_MAX + 1], name[BERTH_PORT_NAME_MAX + 1], variable[64];
	bool first = true;

	berth_str_env_name(service, own, sizeof(own));
	for (size_t i = 0; i < ports->count; i++) {
		const struct berth_port *port = ports->port[i];

		if (ports->steer[i].kind != BERTH_STEER_DECLARED || ports->steer[i].mapped ||
		    !ports->steer[i].given)
			continue;
		berth_str_env_name(port->name, name, sizeof(name));
		snprintf(variable, sizeof(variable), "BERTH_PORT_%s", name);
		set(env, variable, "%u", ports->steer[i].given);
		if (first) {
			set(env, "PORT", "%u", ports->steer[i].given);
			set_port(env, ports, i, own);
		}
		if (strcmp(port->name, "main") != 0) {
			snprintf(prefix, sizeof(prefix), "%s_%s", own, name);
			set_port(env, ports, i, prefix);
		}
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

static void set_identity(const struct berth_unit *unit, struct berth_unit_words *env)
{
	const struct berth_identity *identity = &unit->job->identity;

	set(env, "BERTH_PROJECT", "%s", identity->project);
	set(env, "BERTH_SERVICE", "%s", identity->service);
	set(env, "BERTH_INSTANCE", "%u", identity->instance);
	set(env, "BERTH_ID", "%s", unit->id);
	set(env, "BERTH_SOCKET", "%s", unit->socket_name);
	set_ports(env, &unit->ports, identity->service);
	set_browser(unit, env);
}

/* The pages that it is to answer, whoever has set that: the same to all who ask what belongs to it. */
static void set_origins(const struct berth_unit *unit, struct berth_unit_words *env)
{
	static const char name[] = "BERTH_CORS_ORIGINS";
	const struct berth_dotenv *file = unit->job->env_file;
	struct berth_unit_words argv = { 0 }, pairs = { 0 };
	const char *value = getenv(name);
	struct berth_err err;

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

int berth_unit_environment(const struct berth_unit *unit, char ***ret_env)
{
	struct berth_unit_words env = { 0 };

	set_identity(unit, &env);
	set_origins(unit, &env);
	if (env.failed) {
		berth_unit_free_words(env.items);
		return -ENOMEM;
	}
	*ret_env = env.items;
	return 0;
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

/* BERTH_SOCKET of a berth around us would lead to that one; LISTEN_ and NOTIFY_ are for us. */
static bool is_for_us(const char *word)
{
	return strncmp(word, "LISTEN_", 7) == 0 || strncmp(word, "NOTIFY_SOCKET=", 14) == 0;
}

int berth_unit_build_environment(const struct berth_worker *worker, struct berth_unit_words *env)
{
	const struct berth_unit *unit = worker->unit;
	const struct berth_job *job = unit->job;

	for (char **word = environ; *word; word++)
		if (!is_for_us(*word))
			berth_unit_add_word(env, strdup(*word));
	for (size_t i = 0; job->env_file && i < job->env_file->count; i++)
		berth_unit_set(env, job->env_file->entries[i].key, job->env_file->entries[i].value);
	set_identity(unit, env);
	set(env, "BERTH_WORKER", "%u", worker->number);
	if (unit->notify_fd >= 0)
		set(env, "NOTIFY_SOCKET", "%s", unit->notify_name);
	return env->failed ? -ENOMEM : 0;
}

/* The names that {…} knows; the values live in @room. */
struct vars {
	struct berth_template_var vars[TEMPLATE_VARS_MAX];
	size_t count;
	char names[BERTH_PORTS_MAX][2][BERTH_PORT_NAME_MAX + 8];
	char ports[BERTH_PORTS_MAX][8];
	char urls[BERTH_PORTS_MAX][64];
};

static void add_var(struct vars *vars, const char *name, const char *value)
{
	vars->vars[vars->count++] = (struct berth_template_var){ .name = name, .value = value };
}

static void collect_vars(const struct berth_unit *unit, struct vars *vars)
{
	const struct berth_ports *ports = &unit->ports;
	bool first = true;

	vars->count = 0;
	add_var(vars, "id", unit->id);
	add_var(vars, "host", "localhost");
	for (size_t i = 0; i < ports->count; i++) {
		if (ports->steer[i].kind != BERTH_STEER_DECLARED || ports->steer[i].mapped ||
		    !ports->steer[i].given)
			continue;
		snprintf(vars->ports[i], sizeof(vars->ports[i]), "%u", ports->steer[i].given);
		berth_ports_url(ports, i, vars->urls[i], sizeof(vars->urls[i]));
		snprintf(vars->names[i][0], sizeof(vars->names[i][0]), "port.%s",
			 ports->port[i]->name);
		snprintf(vars->names[i][1], sizeof(vars->names[i][1]), "url.%s",
			 ports->port[i]->name);
		add_var(vars, vars->names[i][0], vars->ports[i]);
		add_var(vars, vars->names[i][1], vars->urls[i]);
		if (first) {
			add_var(vars, "port", vars->ports[i]);
			add_var(vars, "url", vars->urls[i]);
		}
		first = false;
	}
}

int berth_unit_expand(const struct berth_unit *unit, struct berth_unit_words *argv,
		      struct berth_unit_words *env, struct berth_err *err)
{
	const char *const *words = unit->argv ? (const char *const *)unit->argv : unit->job->argv;
	const char *const *pairs =
		unit->extra_env ? (const char *const *)unit->extra_env : unit->job->extra_env;
	struct vars *vars = malloc(sizeof(*vars));
	int r = vars ? 0 : -ENOMEM;
	char *word;

	if (vars)
		collect_vars(unit, vars);
	for (size_t i = 0; r == 0 && words[i]; i++) {
		r = berth_template_expand(words[i], vars->vars, vars->count, false, &word, err);
		if (r == 0)
			berth_unit_add_word(argv, word);
	}
	for (size_t i = 0; r == 0 && pairs && pairs[i]; i++) {
		r = berth_template_expand(pairs[i], vars->vars, vars->count, false, &word, err);
		if (r == 0) {
			set_pair(env, word);
			free(word);
		}
	}
	free(vars);
	return r < 0 ? r : argv->failed || env->failed ? -ENOMEM : 0;
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

void berth_unit_change_command(struct berth_unit *unit, char **argv, char **extra_env)
{
	berth_unit_forget_old_command(unit);
	unit->new_argv = change(&unit->argv, &unit->old_argv, argv);
	unit->new_extra_env = change(&unit->extra_env, &unit->old_extra_env, extra_env);
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
}

void berth_unit_forget_old_command(struct berth_unit *unit)
{
	berth_unit_free_words(BERTH_STEAL(unit->old_argv));
	berth_unit_free_words(BERTH_STEAL(unit->old_extra_env));
	unit->new_argv = unit->new_extra_env = false;
}
