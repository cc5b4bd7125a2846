/* SPDX-License-Identifier: MIT */
/* cli/cmd-init.c - berth init: a first berth.yaml, or scripts for package.json */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "app/init-npm.h"
#include "app/init.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/ignore.h"
#include "os/statefile.h"

static const char manifest_name[] = "berth.yaml";

enum {
	MANIFEST_MODE = 0644,
};

struct init_args {
	const char *from;
	bool npm;
	bool dry_run;
	bool force;
};

static const char *const from_words[] = { "package", "compose", "procfile", NULL };

static const struct berth_opt init_opts[] = {
	{ 0, "from", "WHAT", BERTH_AT(STRING, struct init_args, from),
	  "translate that: package, compose, procfile, or a file of one of these kinds",
	  .words = from_words, .complete = BERTH_COMPLETE_WORDS },
	{ 0, "npm", NULL, BERTH_AT(FLAG, struct init_args, npm),
	  "add dev:safe, force-start, stop and status to the scripts of package.json" },
	{ 'n', "dry-run", NULL, BERTH_AT(FLAG, struct init_args, dry_run),
	  "print what would be written, and write nothing" },
	{ 0, "force", NULL, BERTH_AT(FLAG, struct init_args, force),
	  "replace what is there already" },
	{ 0 },
};

/* ---- what is there ---- */

/* berth.yaml or berth.yml; NULL: neither. */
static const char *manifest_here(void)
{
	static const char *const names[] = { "berth.yaml", "berth.yml" };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(names); i++)
		if (faccessat(AT_FDCWD, names[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return names[i];
	return NULL;
}

static int write_file(const char *path, const char *text, mode_t mode, struct berth_err *err)
{
	char shown[256];
	int r = berth_statefile_write_path(path, text, strlen(text), mode);

	return r < 0 ? berth_err_errno(err, r, "cannot write '%s'",
				       berth_str_printable(path, (size_t)-1, shown, sizeof(shown)))
		     : 0;
}

/* ---- telling ---- */

/* An array of the lines of @text. */
static json_t *lines_of(const char *text)
{
	json_t *lines = json_array();

	while (*text) {
		size_t len = strcspn(text, "\n");
		BERTH_AUTO_FREE char *line = strndup(text, len);

		json_array_append_new(lines, line ? berth_json_text(line) : NULL);
		text += len + (text[len] == '\n');
	}
	return lines;
}

static int print_document(struct berth_cli *cli, const char *path, bool written, const char *text,
			  const json_t *services, const json_t *notes, const json_t *scripts,
			  struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *document =
		json_pack("{s:i, s:o, s:b, s:o, s:O, s:O, s:O}", "version", 1, "path",
			  berth_json_text(path), "written", written, "text", berth_json_text(text),
			  "services", services, "notes", notes, "scripts", scripts);

	if (!document)
		return berth_err_errno(err, -ENOMEM, "cannot print what is written");
	berth_out_json(&cli->out, document);
	return 0;
}

static json_t *names_of(const struct berth_init *init)
{
	json_t *names = json_array();

	for (size_t i = 0; i < init->count; i++)
		json_array_append_new(names, json_string(init->names[i]));
	return names;
}

static void tell_notes(struct berth_cli *cli, const json_t *notes)
{
	const json_t *note;
	size_t i;

	json_array_foreach (notes, i, note)
		berth_out_say(&cli->out, "%s", json_string_value(note));
}

static void tell_written(struct berth_cli *cli, const char *name, const struct berth_init *init)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str names = { 0 };

	for (size_t i = 0; i < init->count; i++)
		berth_str_addf(&names, "%s%s", i ? ", " : "", init->names[i]);
	berth_out_say(&cli->out, "%s is written from %s, with %zu %s: %s", name, init->from,
		      init->count, init->count == 1 ? "service" : "services",
		      berth_str_text(&names) ? berth_str_text(&names) : "");
	berth_out_hint(&cli->out, "'berth up' starts %s; 'berth plan' shows which ports %s",
		       init->count == 1 ? "it" : "them",
		       init->count == 1 ? "it would get" : "they would get");
	if (!berth_ignore_has_ports("."))
		berth_out_hint(&cli->out,
			       "add .ports.json and .ports.*.json to .gitignore: berth writes them "
			       "while services run");
}

/* ---- a berth.yaml ---- */

static int refuse_nothing(struct berth_err *err)
{
	berth_err_set(err, -ENOENT, BERTH_ERR_REFUSED,
		      "nothing here tells which services there are");
	berth_err_hint(err, "berth reads package.json with a script dev or start, compose.yaml and "
			    "Procfile; berth.yaml(5) shows how to write one by hand");
	return -ENOENT;
}

/* A goal that holds already: `berth up` understands what is there. */
static int tell_procfile(struct berth_cli *cli, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *none = json_array(), *notes = json_array();

	json_array_append_new(notes, json_string("a Procfile needs no berth.yaml"));
	if (cli->out.json)
		return print_document(cli, "Procfile", false, "", none, notes, none, err);
	berth_out_say(&cli->out, "a Procfile needs no berth.yaml: 'berth up' reads it");
	berth_out_hint(&cli->out, "for what a Procfile can't say: berth init --from procfile");
	return 0;
}

static int check_existing(const struct init_args *args, struct berth_err *err)
{
	const char *name = manifest_here();

	if (!name || args->force || args->dry_run)
		return 0;
	berth_err_set(err, -EEXIST, BERTH_ERR_REFUSED, "%s is there already", name);
	berth_err_hint(err, "--force replaces it, -n prints what would be written");
	return -EEXIST;
}

static int init_manifest(struct berth_cli *cli, const struct init_args *args, const char *cwd,
			 struct berth_err *err)
{
	BERTH_CLEANUP(berth_init_deinit) struct berth_init init = { 0 };
	BERTH_AUTO_JSON json_t *none = json_array(), *names = NULL, *notes = NULL;
	const char *here = manifest_here(), *name = here ? here : manifest_name;
	int r = check_existing(args, err);

	if (r == 0)
		r = berth_init_make(cwd, args->from, &init, err);
	if (r == BERTH_INIT_E_NOTHING)
		return refuse_nothing(err);
	if (r == BERTH_INIT_E_PROCFILE)
		return tell_procfile(cli, err);
	if (r == 0 && !args->dry_run)
		r = write_file(name, init.yaml, MANIFEST_MODE, err);
	if (r < 0)
		return r;
	names = names_of(&init);
	notes = lines_of(init.notes);
	if (cli->out.json)
		return print_document(cli, name, !args->dry_run, init.yaml, names, notes, none,
				      err);
	if (args->dry_run)
		berth_out_result(&cli->out, "%s", init.yaml);
	tell_notes(cli, notes);
	if (!args->dry_run)
		tell_written(cli, name, &init);
	return 0;
}

/* ---- scripts ---- */

static const char *const done_words[] = {
	[BERTH_PACKAGE_ADDED] = "added",
	[BERTH_PACKAGE_SAME] = "same",
	[BERTH_PACKAGE_KEPT] = "kept",
	[BERTH_PACKAGE_REPLACED] = "replaced",
};

static json_t *scripts_of(const struct berth_init_npm *npm)
{
	json_t *scripts = json_array();

	for (size_t i = 0; i < BERTH_INIT_NPM_SCRIPTS; i++)
		json_array_append_new(scripts,
				      json_pack("{s:s, s:o, s:s}", "name", npm->scripts[i].name,
						"command", berth_json_text(npm->scripts[i].command),
						"done", done_words[npm->scripts[i].done]));
	return scripts;
}

static void tell_scripts(struct berth_cli *cli, const struct berth_init_npm *npm)
{
	bool kept = false;

	for (size_t i = 0; i < BERTH_INIT_NPM_SCRIPTS; i++) {
		const struct berth_package_entry *script = &npm->scripts[i];
		char command[600];

		berth_str_printable(script->command, (size_t)-1, command, sizeof(command));
		switch (script->done) {
		case BERTH_PACKAGE_ADDED:
		case BERTH_PACKAGE_REPLACED:
			berth_out_say(&cli->out, "package.json: '%s' is %s: %s", script->name,
				      done_words[script->done], command);
			break;
		case BERTH_PACKAGE_SAME:
			berth_out_say(&cli->out, "package.json: '%s' is there already",
				      script->name);
			break;
		case BERTH_PACKAGE_KEPT:
			berth_out_say(&cli->out,
				      "package.json: '%s' is there with another command, and stays",
				      script->name);
			kept = true;
			break;
		}
	}
	if (kept)
		berth_out_hint(&cli->out, "--force replaces what is there");
	berth_out_hint(&cli->out, "'npm run dev:safe' starts it on a port that is free");
}

static int init_npm(struct berth_cli *cli, const struct init_args *args, const char *cwd,
		    struct berth_err *err)
{
	BERTH_CLEANUP(berth_init_npm_deinit) struct berth_init_npm npm = { 0 };
	BERTH_AUTO_JSON json_t *none = json_array(), *scripts = NULL;
	bool written;
	int r = berth_init_npm_make(cwd, args->force, &npm, err);

	if (r == BERTH_INIT_E_NOTHING) {
		berth_err_set(err, -ENOENT, BERTH_ERR_REFUSED,
			      "package.json has no script that starts it");
		berth_err_hint(err, "it should be called dev, start, serve or preview");
		return -ENOENT;
	}
	written = r == 0 && npm.changed && !args->dry_run;
	if (written)
		r = write_file(npm.path, npm.text, npm.mode, err);
	if (r < 0)
		return r;
	scripts = scripts_of(&npm);
	if (cli->out.json)
		return print_document(cli, npm.path, written, npm.text, none, none, scripts, err);
	if (args->dry_run)
		berth_out_result(&cli->out, "%s", npm.text);
	else
		tell_scripts(cli, &npm);
	return 0;
}

/* ---- the command ---- */

static int run_init(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct init_args *args = arguments;
	char cwd[PATH_MAX];

	if (args->npm && args->from)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "--npm goes not with --from");
	if (!getcwd(cwd, sizeof(cwd)))
		return berth_err_errno(err, -errno, "cannot tell the working folder");
	return args->npm ? init_npm(cli, args, cwd, err) : init_manifest(cli, args, cwd, err);
}

const struct berth_cmd berth_cmd_init = {
	.name = "init",
	.synopsis = "[options]",
	.summary = "write a first berth.yaml from what is here",
	.details =
		"From package.json (its script dev or start, and those of its workspaces) and a Compose file: each service with its command and "
		"the port that it will ask for. What can't be said in a berth.yaml is named. A Procfile needs none.\n"
		"\n"
		"  berth init -n\n"
		"  berth init --from compose\n"
		"  berth init --npm",
	.opts = init_opts,
	.args_size = sizeof(struct init_args),
	.group = BERTH_CMD_START,
	.run = run_init,
};
