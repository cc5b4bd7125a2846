/* SPDX-License-Identifier: MIT */
/* service/name.c - what to call a service without a name: rules over its command line */
/*
 * Each row of the table below knows a kind of program by its name and looks at its arguments. A row
 * either names the service, or finds the command that the program only starts (npx, env, sh -c
 * ...), to which the rules are then applied again. Every such step takes words away, so that it
 * ends.
 */
#include "service/name.h"

#include <string.h>

enum {
	TEXT_MAX = 256, /* of what becomes a name of 63 bytes at most */
	SCRIPT_MAX = 1024, /* of the text after sh -c: its beginning tells enough */
	SCRIPT_WORDS_MAX = 32,
};

enum verdict {
	NO_MATCH, /* the program's own name, then */
	NAMED, /* in text, as it is */
	STEM, /* in text, unless it is a word that says nothing */
	FOLDER, /* the program is the folder itself; in text what it is without one */
	AGAIN, /* argv is now the command that is really run */
};

struct guess {
	const char *const *argv;
	char text[TEXT_MAX];
	char script[SCRIPT_MAX];
	const char *words[SCRIPT_WORDS_MAX + 1];
	bool split; /* words is in use */
};

struct rule {
	const char *programs; /* words with '|' between them, as all lists here */
	enum verdict (*apply)(struct guess *guess, const struct rule *rule);
	const char *valued; /* options whose value is the next word */
	const char *verb; /* the subcommand that starts something; NULL: it needs none */
};

static bool in_list(const char *list, const char *word, size_t len)
{
	const char *end;

	while (list && *list) {
		end = list + strcspn(list, "|");
		if ((size_t)(end - list) == len && memcmp(list, word, len) == 0)
			return true;
		list = *end ? end + 1 : end;
	}
	return false;
}

static bool is_word(const char *list, const char *word)
{
	return in_list(list, word, strlen(word));
}

static void set_text(struct guess *guess, const char *text, size_t len)
{
	if (len >= sizeof(guess->text))
		len = sizeof(guess->text) - 1;
	memcpy(guess->text, text, len);
	guess->text[len] = '\0';
}

static const char *base_name(const char *path, size_t *ret_len)
{
	size_t len = strlen(path), start;

	while (len > 1 && path[len - 1] == '/')
		len--;
	for (start = len; start > 0 && path[start - 1] != '/'; start--)
		;
	*ret_len = len - start;
	return path + start;
}

/* "./bin/api.sh" -> "api", "vite@5.1" -> "vite", ".env" -> ".env" */
static void set_stem(struct guess *guess, const char *path)
{
	size_t len;
	const char *base = base_name(path, &len), *cut;

	cut = len > 1 ? memchr(base + 1, '@', len - 1) : NULL;
	if (!cut)
		cut = memrchr(base, '.', len);
	set_text(guess, base, cut && cut > base ? (size_t)(cut - base) : len);
}

/* An argv[0] without its folder, its "@version", and the version of "python3.11". */
static size_t program_len(const char *base, size_t len)
{
	const char *at = len > 1 ? memchr(base + 1, '@', len - 1) : NULL;

	if (at)
		return (size_t)(at - base);
	while (len > 1 && strchr("0123456789.", base[len - 1]))
		len--;
	return len;
}

/*
 * The first word of @args that is no option and no value of one, maybe the final NULL. Where an
 * option of the list @stop comes first: that option, and *ret_stopped.
 */
static const char *const *operand(const char *const *args, const char *valued, const char *stop,
				  bool *ret_stopped)
{
	*ret_stopped = false;
	for (; *args && (*args)[0] == '-' && (*args)[1]; args++) {
		if (strcmp(*args, "--") == 0)
			return args + 1;
		if (is_word(stop, *args)) {
			*ret_stopped = true;
			return args;
		}
		if (is_word(valued, *args) && args[1])
			args++;
	}
	return args;
}

static const char *const *first_operand(const char *const *args, const struct rule *rule)
{
	bool stopped;

	return operand(args, rule->valued, NULL, &stopped);
}

/* "--bin X" or "--bin=X" among all words; NULL: not there. */
static const char *option_value(const char *const *args, const char *option)
{
	size_t len = strlen(option);

	for (; *args && strcmp(*args, "--") != 0; args++) {
		if (strncmp(*args, option, len) != 0)
			continue;
		if ((*args)[len] == '=')
			return *args + len + 1;
		if (!(*args)[len])
			return args[1];
	}
	return NULL;
}

static enum verdict again(struct guess *guess, const char *const *argv)
{
	if (!*argv)
		return NO_MATCH;
	guess->argv = argv;
	return AGAIN;
}

/* "A=B" as env(1) and shells take it. */
static bool is_assignment(const char *word)
{
	size_t len =
		strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return len > 0 && word[len] == '=';
}

/* env, nohup, npx: options, assignments, and then a command. With a verb: uv run, bundle exec. */
static enum verdict apply_launcher(struct guess *guess, const struct rule *rule)
{
	const char *const *at = first_operand(guess->argv + 1, rule);

	if (rule->verb) {
		if (!*at || !is_word(rule->verb, *at))
			return NO_MATCH;
		at = first_operand(at + 1, rule);
	}
	while (*at && is_assignment(*at))
		at++;
	return again(guess, at);
}

static enum verdict apply_package_manager(struct guess *guess, const struct rule *rule)
{
	const char *const *at = first_operand(guess->argv + 1, rule);
	const char *ending;

	if (!*at)
		return NO_MATCH;
	if (is_word("exec|x|dlx", *at))
		return again(guess, first_operand(at + 1, rule));
	if (is_word("workspace", *at) && at[1])
		at = first_operand(at + 2, rule);
	if (*at && is_word("run|run-script", *at))
		at = first_operand(at + 1, rule);
	if (!*at)
		return NO_MATCH;
	/*
	 * `bun server.ts`, `bun run ./api/server.ts`; elsewhere the names of scripts may hold dots.
	 */
	ending = strrchr(*at, '.');
	if (ending && is_word("js|mjs|cjs|jsx|ts|mts|cts|tsx", ending + 1)) {
		set_stem(guess, *at);
		return STEM;
	}
	set_text(guess, *at, strlen(*at));
	return NAMED;
}

static const struct rule *find_rule(const char *program);

static enum verdict apply_python(struct guess *guess, const struct rule *rule)
{
	static const char main_suffix[] = ".__main__";
	bool stopped;
	const char *const *at = operand(guess->argv + 1, rule->valued, "-m|-c", &stopped);
	size_t len, suffix = strlen(main_suffix);

	if (!stopped) {
		if (!*at || strcmp(*at, "-") == 0)
			return NO_MATCH;
		set_stem(guess, *at);
		return STEM;
	}
	if (strcmp(*at, "-c") == 0 || !at[1])
		return NO_MATCH;
	/* `python -m uvicorn app:app` is uvicorn; "http.server" has no ending to cut off. */
	if (find_rule(at[1]))
		return again(guess, at + 1);
	len = strlen(at[1]);
	if (len > suffix && strcmp(at[1] + len - suffix, main_suffix) == 0)
		len -= suffix;
	set_text(guess, at[1], len);
	return STEM;
}

/* node, ruby, php, deno run ...: the script. What is given inline has no name. */
static enum verdict apply_interpreter(struct guess *guess, const struct rule *rule)
{
	bool stopped;
	const char *const *at;

	at = operand(guess->argv + 1, rule->valued, "-e|--eval|-p|--print|-S", &stopped);
	if (!stopped && *at && is_word(rule->verb, *at))
		at = operand(at + 1, rule->valued, NULL, &stopped);
	else if (!stopped && *at && rule->verb && strcmp(*at, "task") == 0 && at[1]) {
		set_text(guess, at[1], strlen(at[1]));
		return NAMED;
	}
	if (stopped || !*at || strcmp(*at, "-") == 0)
		return NO_MATCH;
	set_stem(guess, *at);
	return STEM;
}

/*
 * The words of one simple command, from *@text on, as far as quotes go; nothing is expanded. *@text
 * is behind the operator that ended it, which is returned ('\0': the end of all).
 */
static char split_command(struct guess *guess, const char **text)
{
	const char *from = *text, *end = guess->script + sizeof(guess->script) - 1;
	char *to = guess->script, quote = '\0';
	size_t count = 0;
	bool in_word = false;

	for (; *from && (quote || !strchr(";&|\n()<>", *from)); from++) {
		char c = *from;

		if (!quote && (c == ' ' || c == '\t')) {
			if (in_word && to < end)
				*to++ = '\0';
			in_word = false;
			continue;
		}
		if (!in_word) {
			if (count == SCRIPT_WORDS_MAX || to >= end)
				break;
			guess->words[count++] = to;
			in_word = true;
		}
		if (c == quote) {
			quote = '\0';
			continue;
		}
		if (!quote && (c == '\'' || c == '"')) {
			quote = c;
			continue;
		}
		if (c == '\\' && quote != '\'' && from[1])
			c = *++from;
		if (to < end)
			*to++ = c;
	}
	*to = '\0';
	guess->words[count] = NULL;
	*text = from + (*from != '\0');
	return *from;
}

/* sh -c "cd api && PORT=1 node server.js": what comes first and is no preparation. */
static enum verdict apply_script(struct guess *guess, const char *text)
{
	const char *const *at;
	char ended;

	if (guess->split)
		return NO_MATCH;
	guess->split = true;
	do {
		ended = split_command(guess, &text);
		for (at = guess->words; *at && is_assignment(*at); at++)
			;
		if (*at && !is_word("cd|export|set|source|.|:|true", *at))
			return again(guess, at);
	} while (ended);
	return NO_MATCH;
}

static enum verdict apply_shell(struct guess *guess, const struct rule *rule)
{
	const char *const *at = guess->argv + 1;
	bool inline_text = false;

	for (; *at && (*at)[0] == '-' && (*at)[1]; at++) {
		if (strcmp(*at, "--") == 0) {
			at++;
			break;
		}
		/* Letters may come together: bash -lc "..." */
		inline_text |= (*at)[1] != '-' && strchr(*at, 'c');
		if (is_word(rule->valued, *at) && at[1])
			at++;
	}
	if (!*at)
		return NO_MATCH;
	if (inline_text)
		return apply_script(guess, *at);
	set_stem(guess, *at);
	return STEM;
}

static enum verdict apply_go(struct guess *guess, const struct rule *rule)
{
	const char *const *at = first_operand(guess->argv + 1, rule);

	if (!*at || strcmp(*at, "run") != 0)
		return NO_MATCH;
	at = first_operand(at + 1, rule);
	if (!*at || is_word(".|./", *at)) {
		set_text(guess, "go", strlen("go"));
		return FOLDER;
	}
	set_stem(guess, *at);
	return STEM;
}

static enum verdict apply_cargo(struct guess *guess, const struct rule *rule)
{
	static const char *const options[] = { "--bin", "--example", "--package", "-p" };
	const char *const *at = guess->argv + 1;
	const char *value;

	(void)rule;
	if (*at && (*at)[0] == '+')
		at++;
	if (!*at || !is_word("run|r", *at))
		return NO_MATCH;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(options); i++) {
		value = option_value(at, options[i]);
		if (value) {
			set_text(guess, value, strlen(value));
			return NAMED;
		}
	}
	set_text(guess, "cargo", strlen("cargo"));
	return FOLDER;
}

static enum verdict apply_java(struct guess *guess, const struct rule *rule)
{
	bool stopped;
	const char *const *at = operand(guess->argv + 1, rule->valued, "-jar", &stopped);
	const char *version, *package;

	if (stopped)
		at++;
	if (!*at)
		return NO_MATCH;
	if (!stopped && !strchr(*at, '/') && !strstr(*at, ".java")) {
		/* A class: the last part of com.acme.Api. */
		package = strrchr(*at, '.');
		package = package ? package + 1 : *at;
		set_text(guess, package, strlen(package));
		return STEM;
	}
	set_stem(guess, *at);
	/* shop-api-1.4.2-SNAPSHOT.jar: a name that changes with each release would be no name. */
	for (version = guess->text; (version = strchr(version + 1, '-'));) {
		if (version[1] >= '0' && version[1] <= '9') {
			guess->text[version - guess->text] = '\0';
			break;
		}
	}
	return STEM;
}

/* "pkg.module:object": the length of pkg; 0: something else, such as localhost:8000. */
static size_t package_of_app(const char *word)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	const char *colon = strchr(word, ':');

	if (!colon || !strchr(letters, word[0]) || !colon[1] || !strchr(letters, colon[1]))
		return 0;
	return strcspn(word, ".:");
}

static enum verdict apply_app_server(struct guess *guess, const struct rule *rule)
{
	size_t len;

	(void)rule;
	for (const char *const *at = guess->argv + 1; *at; at++) {
		len = package_of_app(*at);
		if (len) {
			set_text(guess, *at, len);
			return STEM;
		}
	}
	return NO_MATCH;
}

static enum verdict apply_container(struct guess *guess, const struct rule *rule)
{
	const char *const *at = first_operand(guess->argv + 1, rule);
	const char *value;

	if (!*at || strcmp(*at, "run") != 0)
		return NO_MATCH;
	value = option_value(at, "--name");
	/* "{id}" is still to be filled in, and with what this name is a part of. */
	if (!value || strchr(value, '{'))
		return NO_MATCH;
	set_text(guess, value, strlen(value));
	return NAMED;
}

static const struct rule rules[] = {
	{ "npm|pnpm|yarn|bun", apply_package_manager,
	  .valued = "--prefix|-C|--dir|--cwd|--filter|-F|-w|--workspace" },
	{ "python|pypy", apply_python, .valued = "-W|-X" },
	{ "node|nodejs|tsx|ts-node", apply_interpreter,
	  .valued = "-r|--require|--import|--loader|--experimental-loader|-C|--conditions|--title",
	  .verb = "watch" },
	{ "nodemon", apply_interpreter, .valued = "-x|--exec|-w|--watch|-i|--ignore|--ext" },
	{ "deno", apply_interpreter, .valued = "-c|--config|--import-map", .verb = "run|serve" },
	{ "ruby", apply_interpreter, .valued = "-I|-r|-C" },
	{ "perl", apply_interpreter, .valued = "-I" },
	{ "php", apply_interpreter, .valued = "-c|-d" },
	{ "sh|bash|dash|zsh|ksh|fish", apply_shell, .valued = "-o|-O" },
	{ "go", apply_go, .valued = "-C|-tags|-ldflags|-gcflags|-exec|-p|-o" },
	{ "cargo", apply_cargo },
	{ "java", apply_java, .valued = "-cp|-classpath|--class-path|-p|--module-path" },
	{ "npx|bunx|uvx", apply_launcher, .valued = "-p|--package|--from|--with|--python" },
	{ "pipx|uv|poetry|pdm|pipenv|hatch|rye", apply_launcher,
	  .valued = "--from|--with|--python|--project|--directory|-C|-p|--spec", .verb = "run" },
	{ "bundle", apply_launcher, .verb = "exec" },
	{ "env|cross-env|exec|nohup|time|command|setsid|sudo", apply_launcher,
	  .valued = "-u|-g|-C" },
	{ "nice", apply_launcher, .valued = "-n" },
	{ "uvicorn|gunicorn|hypercorn|daphne|granian", apply_app_server },
	{ "docker|podman|nerdctl", apply_container, .valued = "-c|--context|-H|--host|--config" },
};

static const struct rule *find_rule(const char *program)
{
	size_t len;
	const char *base = base_name(program, &len);

	len = program_len(base, len);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rules); i++)
		if (in_list(rules[i].programs, base, len))
			return &rules[i];
	return NULL;
}

static enum verdict guess_command(struct guess *guess)
{
	const struct rule *rule;
	enum verdict verdict;
	const char *base;
	size_t len;

	do {
		rule = find_rule(guess->argv[0]);
		verdict = rule ? rule->apply(guess, rule) : NO_MATCH;
	} while (verdict == AGAIN);
	if (verdict != NO_MATCH)
		return verdict;
	if (rule) {
		base = base_name(guess->argv[0], &len);
		set_text(guess, base, program_len(base, len));
		return NAMED;
	}
	set_stem(guess, guess->argv[0]);
	return STEM;
}

void berth_name_guess(const char *const *argv, const char *package, const char *folder,
		      char ret_name[BERTH_NAME_MAX])
{
	static const char empty_stems[] = "index|main|app|server|src|cli|__main__";
	struct guess guess = { .argv = argv };
	enum verdict verdict = argv[0] ? guess_command(&guess) : FOLDER;
	bool says_nothing = verdict == STEM && is_word(empty_stems, guess.text);
	const char *base;
	size_t len;

	if (says_nothing && package && package[0]) {
		set_text(&guess, package, strlen(package));
	} else if ((says_nothing || verdict == FOLDER) && folder && folder[0]) {
		base = base_name(folder, &len);
		set_text(&guess, base, len);
	}
	berth_name_from(guess.text, ret_name);
}

bool berth_name_is_valid(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < BERTH_NAME_MAX && text[0] >= 'a' && text[0] <= 'z' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

void berth_name_from(const char *text, char ret_name[BERTH_NAME_MAX])
{
	char name[BERTH_NAME_MAX];
	size_t len = 0;

	for (; *text && len < sizeof(name) - 1; text++) {
		char c = *text;

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c >= 'a' && c <= 'z')
			name[len++] = c;
		/* A name begins with a letter: a number always means a port. */
		else if (len && c >= '0' && c <= '9')
			name[len++] = c;
		else if (len && name[len - 1] != '-')
			name[len++] = '-';
	}
	while (len && name[len - 1] == '-')
		len--;
	name[len] = '\0';
	strcpy(ret_name, len ? name : "service");
}
