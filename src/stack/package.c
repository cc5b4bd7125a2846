/* SPDX-License-Identifier: MIT */
/* stack/package.c - package.json: scripts, workspaces, and the port that a script will want */
#include "stack/package.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "base/yaml.h"

enum {
	SCRIPT_MAX = 4096, /* of a script's text: its beginning tells enough */
	WORDS_MAX = 128,
	DEPTH_MAX = 4, /* scripts that run scripts */
	PATTERNS_MAX = 256,
};

/* ---- reading ---- */

static int add_pattern(char ***patterns, size_t *count, const char *pattern)
{
	char **more;

	if (*count == PATTERNS_MAX)
		return 0;
	more = reallocarray(*patterns, *count + 2, sizeof(**patterns));
	if (!more)
		return -ENOMEM;
	*patterns = more;
	more[*count] = strdup(pattern);
	more[*count + 1] = NULL;
	if (!more[*count])
		return -ENOMEM;
	(*count)++;
	return 0;
}

void berth_package_free_patterns(char **patterns)
{
	for (size_t i = 0; patterns && patterns[i]; i++)
		free(patterns[i]);
	free(patterns);
}

/* A list, or in yarn's older form an object with that list as "packages". */
static int read_workspaces(const json_t *document, char ***ret_patterns)
{
	const json_t *list = json_object_get(document, "workspaces"), *item;
	size_t i, count = 0;

	if (json_is_object(list))
		list = json_object_get(list, "packages");
	json_array_foreach (list, i, item) {
		int r = json_is_string(item)
				? add_pattern(ret_patterns, &count, json_string_value(item))
				: 0;

		if (r < 0)
			return r;
	}
	return 0;
}

int berth_package_parse(const char *text, size_t len, const char *name,
			struct berth_package *ret_package, struct berth_err *err)
{
	struct berth_package package = { 0 };
	json_error_t error;
	char file[128], why[128];
	int r;

	berth_str_printable(name, (size_t)-1, file, sizeof(file));
	package.document = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!package.document)
		return berth_err_set(err, -EINVAL, BERTH_ERR_CONFIG, "%s:%d:%d: %s", file,
				     error.line, error.column,
				     berth_str_printable(error.text, (size_t)-1, why, sizeof(why)));
	if (!json_is_object(package.document)) {
		berth_package_deinit(&package);
		return berth_err_set(err, -EINVAL, BERTH_ERR_CONFIG, "%s holds no object", file);
	}
	package.name = berth_json_string(package.document, "name", NULL);
	r = read_workspaces(package.document, &package.workspaces);
	if (r < 0) {
		berth_package_deinit(&package);
		return berth_err_errno(err, r, "cannot read '%s'", file);
	}
	*ret_package = package;
	return 0;
}

void berth_package_deinit(struct berth_package *package)
{
	if (!package)
		return;
	json_decref(package->document);
	berth_package_free_patterns(package->workspaces);
	*package = (struct berth_package){ 0 };
}

int berth_package_parse_pnpm(const char *text, size_t len, struct berth_faults *faults,
			     char ***ret_patterns)
{
	BERTH_CLEANUP(berth_yaml_freep) struct berth_yaml_node *root = NULL;
	const struct berth_yaml_node *list;
	char **patterns = NULL;
	size_t count = 0;
	int r = berth_yaml_parse(text, len, faults, &root);

	if (r < 0)
		return r;
	list = berth_yaml_get(root, "packages");
	for (size_t i = 0; list && list->kind == BERTH_YAML_LIST && i < list->count; i++) {
		if (list->items[i].kind != BERTH_YAML_SCALAR)
			continue;
		r = add_pattern(&patterns, &count, list->items[i].text);
		if (r < 0) {
			berth_package_free_patterns(patterns);
			return r;
		}
	}
	*ret_patterns = patterns;
	return 0;
}

/* ---- scripts ---- */

const char *berth_package_script(const struct berth_package *package, const char *script)
{
	return berth_json_string(json_object_get(package->document, "scripts"), script, NULL);
}

const char *berth_package_start(const struct berth_package *package)
{
	static const char *const scripts[] = { "dev", "start", "serve", "preview" };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(scripts); i++)
		if (berth_package_script(package, scripts[i]))
			return scripts[i];
	return NULL;
}

const char *berth_package_manager(const struct berth_package *package)
{
	static const char *const managers[] = { "npm", "pnpm", "yarn", "bun" };
	const char *text = berth_json_string(package->document, "packageManager", "");
	size_t len = strcspn(text, "@");

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(managers); i++)
		if (strlen(managers[i]) == len && memcmp(managers[i], text, len) == 0)
			return managers[i];
	return NULL;
}

/* ---- the port of a script ---- */

/* A tool with a port that is its own. */
static const struct tool {
	const char *program;
	const char *verbs; /* those that serve, with '|' between; "" is none; NULL: any */
	const char *shown;
	uint16_t port;
	bool short_p; /* -p is its port */
} tools[] = {
	{ "vite", "|dev|serve", "Vite", 5173, false },
	{ "vite", "preview", "Vite's preview", 4173, false },
	{ "next", "|dev|start", "Next.js", 3000, true },
	{ "react-scripts", "start", "Create React App", 3000, false },
	{ "craco", "start", "Create React App", 3000, false },
	{ "remix", "vite:dev", "Vite", 5173, false },
	{ "remix", "dev", "Remix", 3000, true },
	{ "remix-serve", NULL, "Remix", 3000, false },
	{ "react-router", "dev", "Vite", 5173, false },
	{ "nuxt", "|dev|start|preview", "Nuxt", 3000, true },
	{ "nuxi", "dev|preview", "Nuxt", 3000, true },
	{ "astro", "dev|preview", "Astro", 4321, false },
	{ "ng", "serve|s|start", "Angular", 4200, false },
	{ "webpack", "serve|server|s", "webpack", 8080, false },
	{ "webpack-dev-server", NULL, "webpack", 8080, false },
	{ "vue-cli-service", "serve", "Vue CLI", 8080, false },
	{ "vitepress", "|dev", "VitePress", 5173, false },
	{ "gatsby", "develop", "Gatsby", 8000, true },
	{ "docusaurus", "start", "Docusaurus", 3000, true },
	{ "storybook", "dev", "Storybook", 6006, true },
	{ "http-server", NULL, "http-server", 8080, true },
	{ "json-server", NULL, "json-server", 3000, true },
	/* They only write files, again and again. */
	{ "tsc", NULL, "tsc", 0, false },
	{ "tsup", NULL, "tsup", 0, false },
	{ "rollup", NULL, "rollup", 0, false },
	{ "unbuild", NULL, "unbuild", 0, false },
	{ "tailwindcss", NULL, "tailwindcss", 0, false },
	{ "sass", NULL, "sass", 0, false },
};

/* Words that only prepare or pass on what stands behind them. */
static bool is_prefix(const char *word)
{
	static const char *const words[] = { "cross-env", "cross-env-shell", "env", "npx", "bunx",
					     "exec",	  "nohup",	     "--" };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(words); i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

static bool is_manager(const char *word)
{
	return strcmp(word, "npm") == 0 || strcmp(word, "pnpm") == 0 || strcmp(word, "yarn") == 0 ||
	       strcmp(word, "bun") == 0;
}

static bool has_verb(const char *verbs, const char *verb)
{
	size_t len = strlen(verb);

	for (;; verbs++) {
		size_t n = strcspn(verbs, "|");

		if (n == len && memcmp(verbs, verb, n) == 0)
			return true;
		verbs += n;
		if (!*verbs)
			return false;
	}
}

/* A command without its folder and version: ./node_modules/.bin/vite, vite@5. */
static bool is_program(const char *word, const char *program)
{
	const char *slash = strrchr(word, '/');
	size_t len;

	word = slash && word[0] != '@' ? slash + 1 : word;
	len = strcspn(word, "@");
	return strlen(program) == len && memcmp(program, word, len) == 0;
}

static const struct tool *find_tool(char *const *words, size_t count)
{
	const char *verb = "";

	for (size_t i = 1; i < count && !*verb; i++)
		if (words[i][0] != '-')
			verb = words[i];
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(tools); i++)
		if (is_program(words[0], tools[i].program) &&
		    (!tools[i].verbs || has_verb(tools[i].verbs, verb)))
			return &tools[i];
	/* What stands behind a verb-less tool may be a value of an option, or a folder: vite --host x */
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(tools); i++)
		if (is_program(words[0], tools[i].program) && tools[i].verbs &&
		    has_verb(tools[i].verbs, "") && count > 1 && words[1][0] == '-')
			return &tools[i];
	return NULL;
}

static uint16_t number_of(const char *text)
{
	uint16_t port;

	return text && berth_parse_port(text, &port) == 0 ? port : 0;
}

/* --port 3000, --port=3000, and -p 3000 of those that have it. */
static uint16_t port_option(char *const *words, size_t count, bool short_p)
{
	for (size_t i = 1; i < count; i++) {
		const char *next = i + 1 < count ? words[i + 1] : NULL;
		uint16_t port = 0;

		if (strncmp(words[i], "--port=", 7) == 0)
			port = number_of(words[i] + 7);
		else if (strcmp(words[i], "--port") == 0 ||
			 (short_p && strcmp(words[i], "-p") == 0))
			port = number_of(next);
		if (port)
			return port;
	}
	return 0;
}

/* "npm run X", "yarn X": the name of the script; NULL: something else. */
static const char *script_named(char *const *words, size_t count)
{
	size_t i = 1;

	if (!is_manager(words[0]))
		return NULL;
	while (i < count && words[i][0] == '-')
		i++;
	if (i < count && (strcmp(words[i], "run") == 0 || strcmp(words[i], "run-script") == 0))
		i++;
	while (i < count && words[i][0] == '-')
		i++;
	return i < count ? words[i] : NULL;
}

struct search {
	const struct berth_package *package;
	const char *tool;
	bool other; /* there is a command that could have any port */
};

static uint16_t port_of_script(struct search *search, const char *script, int depth);

/* One command of a script: @words are its @count words. */
static uint16_t port_of_command(struct search *search, char *const *words, size_t count, int depth)
{
	uint16_t port = 0, assigned = 0;
	const struct tool *tool;
	const char *script;

	for (; count; words++, count--) {
		if (strncmp(words[0], "PORT=", 5) == 0)
			assigned = number_of(words[0] + 5);
		else if (!is_prefix(words[0]) && (!strchr(words[0], '=') || words[0][0] == '-'))
			break;
	}
	if (count == 0)
		return 0;
	script = script_named(words, count);
	if (script && berth_package_script(search->package, script))
		port = port_of_script(search, script, depth + 1);
	else if (script) /* yarn vite, npm exec vite */
		port = port_of_command(search, words + 1, count - 1, depth);
	if (assigned)
		search->tool = NULL;
	if (assigned || script)
		return assigned ? assigned : port;
	tool = find_tool(words, count);
	port = port_option(words, count, tool && tool->short_p);
	search->tool = tool && !port ? tool->shown : NULL;
	search->other = search->other || !tool;
	return port || !tool ? port : tool->port;
}

/* Its words, parted by blanks; quotes are dropped, for what is sought has none. */
static size_t split(char *text, char **words)
{
	static const char blanks[] = " \t\r\n\"'";
	size_t count = 0;
	char *rest;

	for (char *word = strtok_r(text, blanks, &rest); word && count < WORDS_MAX;
	     word = strtok_r(NULL, blanks, &rest))
		words[count++] = word;
	return count;
}

static bool ends_command(const char *word)
{
	return strcmp(word, "&&") == 0 || strcmp(word, "||") == 0 || strcmp(word, "|") == 0 ||
	       strcmp(word, "&") == 0 || strcmp(word, ";") == 0;
}

static uint16_t port_of_script(struct search *search, const char *script, int depth)
{
	const char *command = berth_package_script(search->package, script);
	char text[SCRIPT_MAX], *words[WORDS_MAX];
	size_t count, begin = 0;

	if (!command || depth > DEPTH_MAX)
		return 0;
	berth_str_copy(text, sizeof(text), command);
	count = split(text, words);
	for (size_t i = 0; i <= count; i++) {
		uint16_t port;

		if (i < count && !ends_command(words[i]))
			continue;
		port = i > begin ? port_of_command(search, words + begin, i - begin, depth) : 0;
		if (port)
			return port;
		begin = i + 1;
	}
	return 0;
}

uint16_t berth_package_port(const struct berth_package *package, const char *script,
			    const char **ret_tool)
{
	struct search search = { .package = package };
	uint16_t port = port_of_script(&search, script, 0);

	*ret_tool = port || !search.other ? search.tool : NULL;
	return port;
}
