/* SPDX-License-Identifier: MIT */
/* app/init.c - a first berth.yaml, from what a project has already */
/*
 * package.json and a Compose file are two halves of one project more often than not: the one has
 * what is worked on, the other the databases. So without --from both are read. What comes out is
 * parsed as `berth up` would, before anybody sees it.
 */
#include "app/init.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "app/init-file.h"
#include "app/workspaces.h"
#include "base/faults.h"
#include "stack/compose.h"
#include "stack/draft.h"
#include "stack/procfile.h"

enum {
	SHOWN = 256,
};

struct source {
	const char *folder;
	struct berth_draft draft;
	char project[BERTH_NAME_MAX];
	char from[256]; /* names of the files that were read */
};

static void tell_file(struct source *source, const char *name)
{
	size_t len = strlen(source->from);
	char shown[SHOWN];

	snprintf(source->from + len, sizeof(source->from) - len, "%s%s", len ? " and " : "",
		 berth_str_printable(name, (size_t)-1, shown, sizeof(shown)));
}

/* The first of what is wrong with a file. */
static int refuse_faults(const char *name, const struct berth_faults *faults, struct berth_err *err)
{
	const struct berth_fault *fault = &faults->items[0];
	char shown[SHOWN], place[32] = "";

	if (fault->at.line)
		snprintf(place, sizeof(place), ":%u:%u", fault->at.line, fault->at.column);
	berth_err_set(err, -EINVAL, BERTH_ERR_CONFIG, "%s%s: %s",
		      berth_str_printable(name, (size_t)-1, shown, sizeof(shown)), place,
		      fault->text);
	if (*fault->hint)
		berth_err_hint(err, "%s", fault->hint);
	return -EINVAL;
}

/* ---- package.json ---- */

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void write_port(struct source *source, const struct berth_package *package,
		       const char *script)
{
	const char *tool;
	uint16_t asked = berth_package_port(package, script, &tool);
	uint16_t port = berth_draft_port(&source->draft, asked, false);
	char text[8], comment[96];

	if (!asked && tool) {
		berth_draft_plain(&source->draft, 1, "port", "none", NULL);
		return;
	}
	if (!asked) {
		berth_draft_comment(&source->draft, 1,
				    "port: 3000   the number that it asks for by itself");
		return;
	}
	snprintf(text, sizeof(text), "%u", port);
	if (port != asked)
		snprintf(comment, sizeof(comment), "%s; %u is another's here",
			 tool ? tool : "as it says itself", asked);
	else
		snprintf(comment, sizeof(comment), "%s", tool ? tool : "as it says itself");
	berth_draft_plain(&source->draft, 1, "port", text, comment);
}

/* One service: @script of the package in @folder, "" for the root's own. */
static void write_package(struct source *source, const struct berth_package *package,
			  const char *folder, const char *manager, const char *wanted)
{
	const char *script = berth_package_start(package);
	const char *name = berth_draft_name(&source->draft, wanted);
	BERTH_CLEANUP(berth_str_deinit) struct berth_str command = { 0 };

	if (!name)
		return;
	berth_str_addf(&command, "%s run %s", manager, script);
	berth_draft_begin(&source->draft, name);
	berth_draft_value(&source->draft, 1, "command",
			  command.failed ? script : berth_str_text(&command), NULL);
	if (*folder)
		berth_draft_value(&source->draft, 1, "working_dir", folder, NULL);
	write_port(source, package, script);
}

/* Services of the packages in @folders. */
static int write_workspaces(struct source *source, char *const *folders, const char *manager,
			    struct berth_err *err)
{
	for (size_t i = 0; folders[i]; i++) {
		BERTH_CLEANUP(berth_package_deinit) struct berth_package package = { 0 };
		char name[PATH_MAX];
		int r;

		if (snprintf(name, sizeof(name), "%s/package.json", folders[i]) >=
		    (int)sizeof(name))
			continue;
		r = berth_init_file_package(source->folder, name, &package, err);
		if (r < 0)
			return r;
		if (!berth_package_start(&package))
			continue;
		write_package(source, &package, folders[i], manager,
			      last_part(package.name ? package.name : folders[i]));
	}
	return 0;
}

/* The folders of its workspaces, by package.json or pnpm-workspace.yaml; NULL: it has none. */
static int find_workspaces(struct source *source, const struct berth_package *package,
			   char ***ret_folders, struct berth_err *err)
{
	static const char pnpm[] = "pnpm-workspace.yaml";
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_AUTO_FREE char *text = NULL;
	char **patterns = NULL;
	size_t len;
	int r = 0;

	if (berth_init_file_is_there(source->folder, pnpm)) {
		r = berth_init_file_read(source->folder, pnpm, &text, &len, err);
		if (r < 0)
			return r;
		r = berth_package_parse_pnpm(text, len, &faults, &patterns);
	}
	if (r == -EINVAL)
		return refuse_faults(pnpm, &faults, err);
	if (r == 0 && (patterns || package->workspaces))
		r = berth_workspaces_find(source->folder, patterns ? patterns : package->workspaces,
					  ret_folders);
	berth_package_free_patterns(patterns);
	return r < 0 ? berth_err_errno(err, r, "cannot look for workspaces") : 0;
}

static int read_package(struct source *source, const char *name, struct berth_err *err)
{
	BERTH_CLEANUP(berth_package_deinit) struct berth_package package = { 0 };
	const char *script, *manager;
	char **folders = NULL;
	size_t before = source->draft.count;
	int r = berth_init_file_package(source->folder, name, &package, err);

	if (r < 0)
		return r;
	manager = berth_init_file_manager(source->folder, &package);
	r = find_workspaces(source, &package, &folders, err);
	if (r == 0 && folders)
		r = write_workspaces(source, folders, manager, err);
	berth_workspaces_free(folders);
	if (r < 0)
		return r;
	script = berth_package_start(&package);
	if (script && source->draft.count > before)
		berth_draft_note(&source->draft,
				 "the script '%s' of the root package is left out: its workspaces "
				 "have their own",
				 script);
	else if (script)
		write_package(source, &package, "", manager, script);
	if (source->draft.count > before)
		tell_file(source, name);
	return 0;
}

/* ---- Compose ---- */

static int read_compose(struct source *source, const char *name, struct berth_err *err)
{
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_AUTO_FREE char *text = NULL;
	size_t len, before = source->draft.count;
	int r = berth_init_file_read(source->folder, name, &text, &len, err);

	if (r < 0)
		return r;
	r = berth_compose_draft(text, len, &faults, &source->draft, source->project);
	if (r == -EINVAL)
		return refuse_faults(name, &faults, err);
	if (r < 0)
		return berth_err_errno(err, r, "cannot read '%s'", name);
	if (source->draft.count > before)
		tell_file(source, name);
	return 0;
}

/* ---- Procfile ---- */

static int procfile_base(const struct source *source, uint16_t *ret_base, bool *ret_dotenv,
			 struct berth_err *err)
{
	BERTH_CLEANUP(berth_dotenv_deinit) struct berth_dotenv env = { 0 };
	BERTH_AUTO_FREE char *text = NULL;
	size_t len;
	int r = 0;

	if (berth_init_file_is_there(source->folder, ".env")) {
		r = berth_init_file_read(source->folder, ".env", &text, &len, err);
		if (r == 0)
			r = berth_dotenv_parse(text, len, ".env", &env, err);
	}
	if (r < 0)
		return r;
	*ret_dotenv = env.count > 0;
	return berth_procfile_base(&env, getenv("PORT"), ret_base, err);
}

static int write_lines(struct source *source, const struct berth_manifest *manifest, bool dotenv)
{
	for (size_t i = 0; i < manifest->service_count; i++) {
		const struct berth_manifest_service *service = &manifest->services[i];
		BERTH_CLEANUP(berth_str_deinit) struct berth_str command = { 0 };
		uint16_t wish = service->wish.ports[0].list[0];
		char port[8], wanted[BERTH_NAME_MAX];
		const char *name;

		berth_procfile_yaml_name(manifest, i, wanted);
		name = berth_draft_name(&source->draft, wanted);
		if (!name)
			break;
		berth_procfile_yaml_text(manifest, service->command.text, &command);
		if (!berth_str_text(&command))
			return -ENOMEM;
		snprintf(port, sizeof(port), "%u", berth_draft_port(&source->draft, wish, false));
		berth_draft_begin(&source->draft, name);
		berth_draft_value(&source->draft, 1, "command", berth_str_text(&command), NULL);
		berth_draft_plain(&source->draft, 1, "port", port, NULL);
		if (service->ready.kind == BERTH_CHECK_NONE)
			berth_draft_plain(&source->draft, 1, "ready", "started", NULL);
		if (dotenv)
			berth_draft_plain(&source->draft, 1, "env_file", ".env", NULL);
	}
	return 0;
}

static int read_procfile(struct source *source, const char *name, struct berth_err *err)
{
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_AUTO_FREE char *text = NULL;
	struct berth_manifest manifest;
	bool dotenv = false;
	uint16_t base;
	size_t len;
	int r = procfile_base(source, &base, &dotenv, err);

	if (r == 0)
		r = berth_init_file_read(source->folder, name, &text, &len, err);
	if (r < 0)
		return r;
	r = berth_procfile_parse(text, len, base, &faults, &manifest);
	if (r == -EINVAL)
		return refuse_faults(name, &faults, err);
	if (r == 0) {
		r = write_lines(source, &manifest, dotenv);
		berth_manifest_deinit(&manifest);
	}
	if (r < 0)
		return berth_err_errno(err, r, "cannot read '%s'", name);
	tell_file(source, name);
	return 0;
}

/* ---- which of them ---- */

static const struct kind {
	const char *word;
	const char *const files[5]; /* the first that is there; NULL-terminated */
	const char *pattern; /* of the name of a file of that kind */
	int (*read)(struct source *source, const char *name, struct berth_err *err);
} kinds[] = {
	{ "package", { "package.json" }, "*.json", read_package },
	{ "compose",
	  { "compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml" },
	  "*.y*ml",
	  read_compose },
	{ "procfile", { "Procfile" }, "*[Pp]rocfile*", read_procfile },
};

enum {
	KIND_PROCFILE = 2
};

/* The file of @kind in the folder; NULL: none. */
static const char *file_of(const struct source *source, const struct kind *kind)
{
	for (size_t i = 0; kind->files[i]; i++)
		if (berth_init_file_is_there(source->folder, kind->files[i]))
			return kind->files[i];
	return NULL;
}

static int read_asked(struct source *source, const char *from, struct berth_err *err)
{
	char shown[SHOWN];

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(kinds); i++) {
		const char *name = file_of(source, &kinds[i]);

		if (strcmp(kinds[i].word, from) != 0)
			continue;
		if (name)
			return kinds[i].read(source, name, err);
		return berth_err_set(err, -ENOENT, BERTH_ERR_CONFIG, "there is no %s here",
				     kinds[i].files[0]);
	}
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(kinds); i++)
		if (fnmatch(kinds[i].pattern, last_part(from), 0) == 0)
			return kinds[i].read(source, from, err);
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' is nothing that can be translated",
		      berth_str_printable(from, (size_t)-1, shown, sizeof(shown)));
	berth_err_hint(err, "package, compose, procfile, or a file of one of those kinds");
	return -EINVAL;
}

/* What is there; a Procfile is no source as long as nobody asks for it. */
static int read_there(struct source *source, struct berth_err *err)
{
	for (size_t i = 0; i < KIND_PROCFILE; i++) {
		const char *name = file_of(source, &kinds[i]);
		int r = name ? kinds[i].read(source, name, err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the outcome ---- */

/*
 * It must be what `berth up` understands. Each value was looked at before it was written, so that
 * what is refused now is our fault, and its place in a text that nobody sees would help nobody.
 */
static int check(const char *yaml, struct berth_err *err)
{
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	struct berth_manifest manifest;
	int r = berth_manifest_parse(yaml, strlen(yaml), &faults, &manifest);

	if (r == 0)
		berth_manifest_deinit(&manifest);
	if (r != -EINVAL)
		return r < 0 ? berth_err_errno(err, r, "cannot make a berth.yaml") : 0;
	berth_err_set(err, r, BERTH_ERR_INTERNAL,
		      "a fault of berth: it does not understand what it would write: %s",
		      faults.items[0].text);
	if (*faults.items[0].hint)
		berth_err_hint(err, "%s", faults.items[0].hint);
	return r;
}

static int finish(const struct source *source, struct berth_init *ret_init, struct berth_err *err)
{
	const char *notes = berth_str_text(&source->draft.notes);
	struct berth_init init = { .count = source->draft.count };
	int r;

	init.yaml = berth_draft_finish(&source->draft, source->from, source->project);
	init.notes = notes ? strdup(notes) : NULL;
	init.names = calloc(init.count, sizeof(*init.names));
	r = init.yaml && init.notes && init.names
		    ? check(init.yaml, err)
		    : berth_err_errno(err, -ENOMEM, "cannot make a berth.yaml");
	if (r < 0) {
		berth_init_deinit(&init);
		return r;
	}
	memcpy(init.names, source->draft.names, init.count * sizeof(*init.names));
	memcpy(init.from, source->from, sizeof(init.from));
	*ret_init = init;
	return 0;
}

void berth_init_deinit(struct berth_init *init)
{
	if (!init)
		return;
	free(init->yaml);
	free(init->notes);
	free(init->names);
	*init = (struct berth_init){ 0 };
}

/* There are services, and none of them can be written. */
static int refuse_all(const struct source *source, struct berth_err *err)
{
	const char *notes = source->draft.notes.text;

	berth_err_set(err, -ENOENT, BERTH_ERR_REFUSED, "nothing of what is here can be translated");
	berth_err_hint(err, "%.*s", (int)strcspn(notes, "\n"), notes);
	return -ENOENT;
}

static int make(struct source *source, const char *from, struct berth_init *ret_init,
		struct berth_err *err)
{
	int r;

	if (!from && file_of(source, &kinds[KIND_PROCFILE]))
		return BERTH_INIT_E_PROCFILE;
	r = from ? read_asked(source, from, err) : read_there(source, err);
	if (r < 0)
		return r;
	if (source->draft.count)
		return finish(source, ret_init, err);
	return source->draft.notes.len ? refuse_all(source, err) : BERTH_INIT_E_NOTHING;
}

int berth_init_make(const char *folder, const char *from, struct berth_init *ret_init,
		    struct berth_err *err)
{
	BERTH_AUTO_FREE struct source *source = calloc(1, sizeof(*source));
	int r;

	if (!source)
		return berth_err_errno(err, -ENOMEM, "cannot make a berth.yaml");
	source->folder = folder;
	r = make(source, from, ret_init, err);
	berth_draft_deinit(&source->draft);
	return r;
}

int berth_init_propose(const char *folder, struct berth_str *ret_yaml, struct berth_str *ret_notes,
		       struct berth_err *err)
{
	BERTH_CLEANUP(berth_init_deinit) struct berth_init init = { 0 };
	int r = berth_init_make(folder, NULL, &init, err);

	if (r == BERTH_INIT_E_PROCFILE)
		return BERTH_INIT_E_NOTHING;
	if (r != 0)
		return r;
	berth_str_add(ret_yaml, init.yaml);
	berth_str_add(ret_notes, init.notes);
	return 0;
}
