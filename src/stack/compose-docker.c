/* SPDX-License-Identifier: MIT */
/* stack/compose-docker.c - one service of a Compose file as a `docker run` */
/*
 * A container is one `docker run` in the foreground, named by the id of its service, so that copies
 * run side by side and `docker rm -f` finds it whatever became of its client. Its environment goes
 * through berth.yaml, so that no secret stands in a command line; all but the variables that the
 * client itself goes by. What two copies would share (volumes, names, networks) is left out, and
 * said.
 */
#include "stack/compose-docker.h"

#include <stdio.h>
#include <string.h>

#include "stack/compose-env.h"
#include "stack/compose-ports.h"
#include "stack/compose-text.h"
#include "stack/manifest.h"

enum {
	WORDS_MAX = BERTH_MANIFEST_WORDS_MAX,
	WORDS_OWN = 16, /* docker, run and what else is always there, at most */
	SHOWN = 128,
};

static const char unknown_form[] = "only ${X}, ${X:-text} and ${X:?text} are known here";

/* Of a command that is being made. */
struct words {
	struct berth_compose_docker *service;
	char *items[WORDS_MAX + 1]; /* owned; as berth.yaml has them */
	size_t count;
	bool quoted; /* one of them can't stand in a command that is one string */
	struct berth_str environment; /* its entries in a berth.yaml */
};

/* ---- telling ---- */

static const char *shown(const char *text, char buf[SHOWN])
{
	return berth_str_printable(text, (size_t)-1, buf, SHOWN);
}

void berth_compose_docker_leave_out(const struct berth_compose_docker *service, const char *key,
				    const char *reason)
{
	char name[SHOWN], word[SHOWN];

	berth_draft_note(service->draft, "%s: '%s' is left out: %s",
			 shown(service->node->key, name), shown(key, word), reason);
}

static void look_at(const struct berth_compose_docker *service, const char *key, const char *why)
{
	char name[SHOWN], word[SHOWN];

	berth_draft_note(service->draft, "%s: look at '%s': %s", shown(service->node->key, name),
			 shown(key, word), why);
}

bool berth_compose_docker_keep(const struct berth_compose_docker *service, size_t mark,
			       const char *within, const char *key)
{
	const struct berth_draft_place place = { service->name, within, service->waiter };
	char why[BERTH_DRAFT_WHY_MAX];

	if (berth_draft_keep(service->draft, mark, &place, why))
		return true;
	berth_compose_docker_leave_out(service, key, why);
	return false;
}

/* ---- words ---- */

static void words_deinit(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i]);
	words->count = 0;
	berth_str_deinit(&words->environment);
}

static void add_own(struct words *words, const char *word)
{
	char *copy = words->count < WORDS_MAX ? strdup(word) : NULL;

	if (!copy)
		words->service->failed = true;
	else
		words->items[words->count++] = copy;
}

static bool is_plain(const char *word)
{
	return *word && word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					  "0123456789_./:=,@%+-")] == '\0';
}

/* May a command of a berth.yaml have that word? What has no braces always may. */
static bool is_word(const struct words *words, const char *text, const char *key)
{
	const char *const command[] = { "x", text, NULL };
	struct berth_draft *draft = words->service->draft;
	size_t mark = draft->services.len;

	if (!strchr(text, '{'))
		return true;
	berth_draft_list(draft, 1, "stop_command", command);
	if (!berth_compose_docker_keep(words->service, mark, NULL, key))
		return false;
	berth_draft_cut(draft, mark, NULL);
	return true;
}

/* @flag (NULL: none), and a word of the Compose file with its variables and braces as ours. */
static void add_flag(struct words *words, const char *flag, const char *word, const char *key)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };
	const char *text;

	if (!berth_compose_text_value(&out, word))
		look_at(words->service, key, unknown_form);
	text = berth_str_text(&out);
	if (!text) {
		words->service->failed = true;
		return;
	}
	if (!is_word(words, text, key))
		return;
	words->quoted = words->quoted || !is_plain(text);
	if (flag)
		add_own(words, flag);
	add_own(words, text);
}

static void add_foreign(struct words *words, const char *word, const char *key)
{
	add_flag(words, NULL, word, key);
}

/* ---- keys that are options of docker run, and those that are nothing ---- */

enum how {
	ELSEWHERE, /* has a function of its own, or says nothing that is missed */
	FLAG, /* docker run FLAG VALUE, once for each of a list */
	SWITCH, /* docker run FLAG, where it is true */
	SAME, /* the same key in berth.yaml */
	LEFT_OUT,
};

static const struct key {
	const char *name;
	enum how how;
	const char *text; /* the flag, or the reason */
} keys[] = {
	{ "image", ELSEWHERE, NULL },
	{ "build", ELSEWHERE, NULL },
	{ "command", ELSEWHERE, NULL },
	{ "entrypoint", ELSEWHERE, NULL },
	{ "environment", ELSEWHERE, NULL },
	{ "env_file", ELSEWHERE, NULL },
	{ "ports", ELSEWHERE, NULL },
	{ "expose", ELSEWHERE, NULL },
	{ "depends_on", ELSEWHERE, NULL },
	{ "healthcheck", ELSEWHERE, NULL },
	{ "profiles", ELSEWHERE, NULL },
	{ "restart", SAME, NULL },
	{ "stop_signal", SAME, NULL },
	{ "stop_grace_period", SAME, NULL },
	{ "user", FLAG, "--user" },
	{ "working_dir", FLAG, "--workdir" },
	{ "platform", FLAG, "--platform" },
	{ "pull_policy", ELSEWHERE, NULL },
	{ "shm_size", FLAG, "--shm-size" },
	{ "mem_limit", FLAG, "--memory" },
	{ "cpus", FLAG, "--cpus" },
	{ "tmpfs", FLAG, "--tmpfs" },
	{ "cap_add", FLAG, "--cap-add" },
	{ "cap_drop", FLAG, "--cap-drop" },
	{ "security_opt", FLAG, "--security-opt" },
	{ "devices", FLAG, "--device" },
	{ "dns", FLAG, "--dns" },
	{ "init", SWITCH, "--init" },
	{ "privileged", SWITCH, "--privileged" },
	{ "read_only", SWITCH, "--read-only" },
	{ "volumes", LEFT_OUT,
	  "two copies would write to the same data; add -v to the command where they may" },
	{ "volumes_from", LEFT_OUT, "add -v to the command" },
	{ "networks", LEFT_OUT,
	  "services find each other by their ports: {NAME.port}, {NAME.url} in environment" },
	{ "network_mode", LEFT_OUT, "each service has a port of its own instead" },
	{ "links", LEFT_OUT,
	  "services find each other by their ports: {NAME.port}, {NAME.url} in environment" },
	{ "hostname", LEFT_OUT, "copies would share it" },
	{ "container_name", LEFT_OUT, "the container is called {id}, so that copies can run" },
	{ "secrets", LEFT_OUT, "berth has none; use environment or env_file" },
	{ "configs", LEFT_OUT, "berth has none; add -v to the command" },
	{ "deploy", LEFT_OUT, "berth runs on this machine alone; for replicas: instances" },
	{ "scale", LEFT_OUT, "say instances: N" },
	{ "develop", LEFT_OUT, "nothing is built here" },
	{ "extends", LEFT_OUT, "what it takes from there is missing here" },
	{ "logging", LEFT_OUT, "berth keeps the log: berth logs" },
	{ "labels", LEFT_OUT, "nobody here reads them" },
	{ "tty", LEFT_OUT, "add -t to the command if it is needed" },
	{ "stdin_open", LEFT_OUT, "add -i to the command if it is needed" },
};

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

/* ---- values ---- */

bool berth_compose_docker_value(struct berth_compose_docker *service, const char *within,
				const char *key, const char *value)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };
	size_t mark = service->draft->services.len;
	const char *text;
	char what[SHOWN];

	if (!berth_compose_text_value(&out, value))
		look_at(service, key, unknown_form);
	text = berth_str_text(&out);
	if (!text) {
		service->failed = true;
		return false;
	}
	berth_draft_value(service->draft, within ? 2 : 1, key, text, NULL);
	/* The reason is about what it comes to, where its variables are not set. */
	if (strstr(text, "${"))
		snprintf(what, sizeof(what), "%s: %s", key, text);
	else
		berth_str_copy(what, sizeof(what), key);
	return berth_compose_docker_keep(service, mark, within, what);
}

static void write_same(struct berth_compose_docker *service)
{
	const struct berth_yaml_node *node = service->node;

	for (size_t i = 0; i < node->count; i++) {
		const struct key *key = find_key(node->items[i].key);

		if (key && key->how == SAME && node->items[i].kind == BERTH_YAML_SCALAR &&
		    !berth_yaml_is_null(&node->items[i]))
			(void)berth_compose_docker_value(service, NULL, key->name,
							 node->items[i].text);
	}
}

static void add_key(struct words *words, const struct key *key, const struct berth_yaml_node *value)
{
	for (size_t i = 0; i < berth_compose_docker_count(value); i++) {
		const char *text = berth_compose_docker_at(value, i);

		if (text)
			add_flag(words, key->text, text, key->name);
		else
			berth_compose_docker_leave_out(words->service, key->name,
						       "it is not written as text");
	}
}

/* Where Compose has words of its own. */
static void add_pull(struct words *words)
{
	static const struct {
		const char *word, *docker;
	} rows[] = {
		{ "always", "always" },
		{ "never", "never" },
		{ "missing", "missing" },
		{ "if_not_present", "missing" },
	};
	const struct berth_yaml_node *node = berth_yaml_get(words->service->node, "pull_policy");

	if (berth_yaml_is_null(node))
		return;
	for (size_t i = 0; node->kind == BERTH_YAML_SCALAR && i < BERTH_ARRAY_SIZE(rows); i++) {
		if (strcmp(rows[i].word, node->text) != 0)
			continue;
		add_own(words, "--pull");
		add_own(words, rows[i].docker);
		return;
	}
	berth_compose_docker_leave_out(words->service, "pull_policy",
				       "docker run has always, never and missing");
}

static void add_keys(struct words *words)
{
	const struct berth_compose_docker *service = words->service;

	for (size_t i = 0; i < service->node->count; i++) {
		const struct berth_yaml_node *value = &service->node->items[i];
		const struct key *key = find_key(value->key);

		if (!key && strncmp(value->key, "x-", 2) != 0)
			berth_compose_docker_leave_out(service, value->key,
						       "berth does not know it");
		if (!key || berth_yaml_is_null(value))
			continue;
		if (key->how == LEFT_OUT)
			berth_compose_docker_leave_out(service, value->key, key->text);
		else if (key->how == SWITCH && berth_compose_docker_is_true(value))
			add_own(words, key->text);
		else if (key->how == FLAG)
			add_key(words, key, value);
	}
}

/* ---- environment ---- */

/* The entry of a berth.yaml; false: it can't be one, which is noted. */
static bool write_variable(struct berth_compose_docker *service, const char *name,
			   const char *value)
{
	size_t mark = service->draft->services.len;

	if (value)
		return berth_compose_docker_value(service, "environment", name, value);
	berth_draft_open(service->draft, 2, name);
	if (!berth_compose_docker_keep(service, mark, "environment", name))
		return false;
	berth_draft_cut(service->draft, mark, NULL);
	return true;
}

static void add_clients(struct words *words, const char *name, const char *value)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str word = { 0 };

	berth_str_addf(&word, "%s=%s", name, value);
	if (berth_str_text(&word))
		add_flag(words, "-e", berth_str_text(&word), name);
	else
		words->service->failed = true;
}

/*
 * Each variable with a value is one of the client too, which passes on what it is told the name of.
 * The entries come to stand behind the command, which is not written yet.
 */
static void add_environment(struct words *words)
{
	struct berth_compose_docker *service = words->service;
	const struct berth_yaml_node *node = berth_yaml_get(service->node, "environment");
	size_t mark = service->draft->services.len;

	for (size_t i = 0; node && i < node->count; i++) {
		size_t before = service->draft->services.len;
		const char *value;
		BERTH_AUTO_FREE char *name = berth_compose_env_variable(node, i, &value);

		if (!name || !write_variable(service, name, value))
			continue;
		if (value && berth_compose_env_is_clients(name)) {
			berth_draft_cut(service->draft, before, NULL);
			add_clients(words, name, value);
		} else {
			add_flag(words, "-e", name, "environment");
		}
	}
	berth_draft_cut(service->draft, mark, &words->environment);
}

static void add_env_file(struct words *words, const struct berth_yaml_node *item)
{
	const struct berth_yaml_node *path = item, *required = NULL;

	if (item->kind == BERTH_YAML_MAP) {
		path = berth_yaml_get(item, "path");
		required = berth_yaml_get(item, "required");
	}
	if (!path || path->kind != BERTH_YAML_SCALAR)
		return;
	add_flag(words, "--env-file", path->text, "env_file");
	if (!required || required->kind != BERTH_YAML_SCALAR ||
	    strcmp(required->text, "false") != 0)
		return;
	berth_compose_docker_leave_out(words->service, "required",
				       "docker run needs each env_file; drop --env-file where it "
				       "is not there");
}

static void add_env_files(struct words *words)
{
	const struct berth_yaml_node *node = berth_yaml_get(words->service->node, "env_file");

	if (!node || berth_yaml_is_null(node))
		return;
	if (node->kind != BERTH_YAML_LIST)
		add_env_file(words, node);
	for (size_t i = 0; node->kind == BERTH_YAML_LIST && i < node->count; i++)
		add_env_file(words, &node->items[i]);
	look_at(words->service, "env_file", "docker run takes quotes in it as they stand");
}

/* ---- ports ---- */

static void add_ports(struct words *words, const struct berth_compose_ports_one *ports,
		      size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct berth_compose_ports_one *port = &ports[i];
		char word[160];

		snprintf(word, sizeof(word), "%s%s{port%s%s}:%u%s", port->asked.address,
			 *port->asked.address ? ":" : "", *port->name ? "." : "", port->name,
			 port->asked.target, port->asked.udp ? "/udp" : "");
		words->quoted =
			words->quoted || (*port->asked.address && !is_plain(port->asked.address));
		add_own(words, "-p");
		add_own(words, word);
	}
}

/* ---- the command ---- */

/* As one string where a shell would change nothing of it, which is easier to read. */
static void write_command(const struct words *words)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str line = { 0 };
	struct berth_draft *draft = words->service->draft;

	if (words->quoted) {
		berth_draft_list(draft, 1, "command", (const char *const *)words->items);
		return;
	}
	for (size_t i = 0; i < words->count; i++)
		berth_str_addf(&line, "%s%s", i ? " " : "", words->items[i]);
	if (berth_str_text(&line))
		berth_draft_value(draft, 1, "command", berth_str_text(&line), NULL);
	else
		words->service->failed = true;
}

/* Of a list, or a string that is split. NULL: it can't be. */
static char **take_apart(const struct berth_yaml_node *node)
{
	char **words;
	size_t count = 0;

	if (node->kind != BERTH_YAML_LIST)
		return berth_compose_text_words(node->text);
	words = calloc(node->count + 1, sizeof(*words));
	for (size_t i = 0; words && i < node->count; i++) {
		const char *word = berth_compose_docker_at(node, i);

		if (word && (words[count] = strdup(word)))
			count++;
	}
	return words;
}

/* Of a command or an entrypoint. NULL: it has none. */
static char **words_of(const struct berth_compose_docker *service, const char *key)
{
	const struct berth_yaml_node *node = berth_yaml_get(service->node, key);
	char **words;

	if (berth_yaml_is_null(node) || node->kind == BERTH_YAML_MAP)
		return NULL;
	words = take_apart(node);
	if (!words)
		berth_compose_docker_leave_out(service, key, "it can't be taken apart into words");
	return words;
}

static void add_command(struct words *words, const char *image)
{
	char **entrypoint = words_of(words->service, "entrypoint"),
	     **command = words_of(words->service, "command");

	if (entrypoint && entrypoint[0] && *entrypoint[0])
		add_flag(words, "--entrypoint", entrypoint[0], "entrypoint");
	else if (entrypoint)
		add_own(words, "--entrypoint="); /* none, not even that of the image */
	else if (command && !command[0])
		berth_compose_docker_leave_out(words->service, "command",
					       "docker run can't say that there is none; it runs "
					       "that of the image");
	add_foreign(words, image, "image");
	for (size_t i = 1; entrypoint && entrypoint[0] && entrypoint[i]; i++)
		add_foreign(words, entrypoint[i], "entrypoint");
	for (size_t i = 0; command && command[i]; i++)
		add_foreign(words, command[i], "command");
	berth_compose_text_free_words(entrypoint);
	berth_compose_text_free_words(command);
}

/* ---- the whole ---- */

void berth_compose_docker_write(struct berth_compose_docker *service)
{
	static const char *const start[] = { "docker", "run", "--rm", "--name", "{id}" };
	BERTH_CLEANUP(words_deinit) struct words words = { .service = service };
	const char *image = berth_yaml_get(service->node, "image")->text;
	struct berth_compose_ports_one ports[BERTH_COMPOSE_PORTS_MAX] = { 0 };
	size_t port_count = berth_compose_ports_read(service, image, ports);

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(start); i++)
		add_own(&words, start[i]);
	add_ports(&words, ports, port_count);
	add_environment(&words);
	add_env_files(&words);
	add_keys(&words);
	add_pull(&words);
	add_command(&words, image);
	write_command(&words);
	berth_draft_value(service->draft, 1, "stop_command",
			  "docker stop -t 5 {id} || docker rm -f {id}", NULL);
	berth_compose_ports_write(service, ports, port_count);
	write_same(service);
	if (words.environment.len) {
		berth_draft_open(service->draft, 1, "environment");
		berth_str_add(&service->draft->services, words.environment.text);
	}
}

/* At most so many words come of the key @node. */
static size_t count_words(const struct berth_yaml_node *node)
{
	size_t items = node->kind == BERTH_YAML_SCALAR ? 1 : node->count, count = 0;
	const struct key *key = find_key(node->key);
	char **words;

	if (!key || key->how == SAME || key->how == LEFT_OUT)
		return 0;
	if (strcmp(key->name, "command") != 0 && strcmp(key->name, "entrypoint") != 0)
		return 2 * items; /* a flag, and what it takes */
	words = berth_yaml_is_null(node) || node->kind == BERTH_YAML_MAP ? NULL : take_apart(node);
	while (words && words[count])
		count++;
	berth_compose_text_free_words(words);
	return count;
}

bool berth_compose_docker_fits(const struct berth_yaml_node *node)
{
	size_t count = WORDS_OWN;

	for (size_t i = 0; i < node->count; i++)
		count += count_words(&node->items[i]);
	return count <= WORDS_MAX;
}

bool berth_compose_docker_test(struct berth_compose_docker *service,
			       const struct berth_yaml_node *test)
{
	static const char *const enter[] = { "CMD", "docker", "exec", "{id}" };
	BERTH_CLEANUP(words_deinit) struct words words = { .service = service };
	const char *first = test->kind == BERTH_YAML_LIST ? berth_compose_docker_at(test, 0) : NULL;
	size_t mark = service->draft->services.len;

	if (berth_compose_docker_count(test) > WORDS_MAX - WORDS_OWN) {
		berth_compose_docker_leave_out(service, "healthcheck", "it has too many words");
		return false;
	}
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(enter); i++)
		add_own(&words, enter[i]);
	if (!first || strcmp(first, "CMD") != 0) {
		add_own(&words, "sh");
		add_own(&words, "-c");
	}
	for (size_t i = first ? 1 : 0; i < berth_compose_docker_count(test); i++)
		if (berth_compose_docker_at(test, i))
			add_foreign(&words, berth_compose_docker_at(test, i), "healthcheck");
	berth_draft_open(service->draft, 1, "healthcheck");
	berth_draft_list(service->draft, 2, "test", (const char *const *)words.items);
	return berth_compose_docker_keep(service, mark, NULL, "healthcheck");
}
