/* SPDX-License-Identifier: MIT */
/* app/manifest-file.c - which file says what a stack is, and reading it */
#include "app/manifest-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "os/userfile.h"
#include "stack/procfile.h"

enum {
	FILE_MAX = 1024 * 1024,
};

/* In one folder, the first of these. */
static const struct {
	const char *name;
	enum berth_manifest_kind kind;
} names[] = {
	{ "berth.yaml", BERTH_MANIFEST_YAML },
	{ "berth.yml", BERTH_MANIFEST_YAML },
	{ "Procfile", BERTH_MANIFEST_PROCFILE },
};

static bool join(const char *folder, const char *name, char ret_path[PATH_MAX])
{
	const char *slash = strcmp(folder, "/") != 0 ? "/" : "";

	return snprintf(ret_path, PATH_MAX, "%s%s%s", folder, slash, name) < PATH_MAX;
}

/* What a link leads to counts; a folder of that name is none. */
static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static bool find_in(const char *folder, char ret_path[PATH_MAX], enum berth_manifest_kind *ret_kind)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(names); i++) {
		if (!join(folder, names[i].name, path) || !is_file(path))
			continue;
		berth_str_copy(ret_path, PATH_MAX, path);
		*ret_kind = names[i].kind;
		return true;
	}
	return false;
}

/* Procfile, Procfile.dev, dev.Procfile */
static bool is_procfile(const char *name)
{
	static const char word[] = "Procfile";
	size_t len = strlen(name), word_len = strlen(word);

	return len >= word_len &&
	       (!strncmp(name, word, word_len) || !strcmp(name + len - word_len, word));
}

static int find_asked(const char *cwd, const char *asked, char ret_path[PATH_MAX],
		      enum berth_manifest_kind *ret_kind, struct berth_err *err)
{
	char path[PATH_MAX], folder[PATH_MAX];
	char *slash, name[PATH_MAX];
	struct stat st;

	if (*asked == '/' ? !berth_str_copy(path, sizeof(path), asked) : !join(cwd, asked, path))
		return berth_err_set(err, -ENAMETOOLONG, BERTH_ERR_CONFIG,
				     "'%.200s...' is too long a path", asked);
	if (stat(path, &st) < 0) {
		int r = -errno;

		return berth_err_set(err, r, BERTH_ERR_CONFIG, "cannot read '%s': %s", asked,
				     strerror(-r));
	}
	if (S_ISDIR(st.st_mode)) {
		if (!realpath(path, folder))
			return berth_err_errno(err, -errno, "cannot read '%s'", asked);
		if (find_in(folder, ret_path, ret_kind))
			return 0;
		berth_err_set(err, -ENOENT, BERTH_ERR_CONFIG,
			      "no berth.yaml, berth.yml or Procfile in '%s'", asked);
		berth_err_hint(err, "'berth init' writes a berth.yaml");
		return -ENOENT;
	}
	slash = strrchr(path, '/');
	berth_str_copy(name, sizeof(name), slash + 1);
	slash[slash == path] = '\0';
	if (!realpath(path, folder) || !join(folder, name, ret_path))
		return berth_err_errno(err, -errno, "cannot read '%s'", asked);
	*ret_kind = is_procfile(name) ? BERTH_MANIFEST_PROCFILE : BERTH_MANIFEST_YAML;
	return 0;
}

static bool is_git_root(const char *folder)
{
	char path[PATH_MAX];

	return join(folder, ".git", path) && access(path, F_OK) == 0;
}

int berth_manifest_file_find(const char *cwd, const char *asked, char ret_path[PATH_MAX],
			     enum berth_manifest_kind *ret_kind, struct berth_err *err)
{
	char folder[PATH_MAX];

	if (asked)
		return find_asked(cwd, asked, ret_path, ret_kind, err);
	if (!realpath(cwd, folder))
		return berth_err_errno(err, -errno, "cannot read '%s'", cwd);
	for (;;) {
		char *slash = strrchr(folder, '/');

		if (find_in(folder, ret_path, ret_kind))
			return 0;
		if (is_git_root(folder) || !strcmp(folder, "/"))
			break;
		slash[slash == folder] = '\0';
	}
	berth_err_set(err, -ENOENT, BERTH_ERR_CONFIG,
		      "no berth.yaml, berth.yml or Procfile in '%s' or above it", cwd);
	berth_err_hint(err, "'berth init' writes a berth.yaml");
	return -ENOENT;
}

int berth_manifest_file_dotenv(const char *path, struct berth_dotenv *ret_dotenv,
			       struct berth_err *err)
{
	BERTH_AUTO_FREE char *text = NULL;
	char folder[PATH_MAX], dotenv[PATH_MAX];
	size_t len;
	char *slash;
	int r;

	berth_str_copy(folder, sizeof(folder), path);
	slash = strrchr(folder, '/');
	slash[slash == folder] = '\0';
	if (!join(folder, ".env", dotenv))
		return berth_err_errno(err, -ENAMETOOLONG, "cannot read '%s/.env'", folder);
	r = berth_userfile_read(dotenv, FILE_MAX, &text, &len);
	/* Python's virtual environments are folders of that name. */
	if (r == -ENOENT || r == -EISDIR)
		return 0;
	if (r < 0) {
		berth_err_errno(err, r, "cannot read '%s'", dotenv);
		err->code = BERTH_ERR_CONFIG;
		return r;
	}
	return berth_dotenv_parse(text, len, dotenv, ret_dotenv, err);
}

/* Our environment goes before .env, as in Compose. */
static const char *find_value(const void *arg, const char *name)
{
	const struct berth_dotenv *dotenv = arg;
	const char *value = getenv(name);

	return value || !dotenv ? value : berth_dotenv_get(dotenv, name);
}

static int refuse(const char *path, const struct berth_faults *faults, struct berth_err *err)
{
	const char *slash = strrchr(path, '/');
	size_t count = berth_faults_count(faults);

	return berth_err_set(err, -EINVAL, BERTH_ERR_CONFIG, "%s has %zu fault%s",
			     slash ? slash + 1 : path, count, count == 1 ? "" : "s");
}

/* As foreman does: what stands beside a Procfile is for its processes. */
static int give_dotenv(struct berth_manifest *manifest)
{
	for (size_t i = 0; i < manifest->service_count; i++) {
		char **files = calloc(2, sizeof(*files));

		if (files)
			files[0] = strdup(".env");
		manifest->services[i].env_files = files;
		if (!files || !files[0])
			return -ENOMEM;
	}
	return 0;
}

static int parse_procfile(const char *text, size_t len, uint16_t base,
			  const struct berth_dotenv *dotenv, struct berth_faults *faults,
			  struct berth_manifest *ret_manifest)
{
	struct berth_manifest manifest;
	int r = berth_procfile_parse(text, len, base, faults, &manifest);

	if (r < 0)
		return r;
	if (dotenv && dotenv->count)
		r = give_dotenv(&manifest);
	if (r < 0)
		berth_manifest_deinit(&manifest);
	else
		*ret_manifest = manifest;
	return r;
}

int berth_manifest_file_load(const char *path, enum berth_manifest_kind kind,
			     const struct berth_manifest_file_spec *spec,
			     struct berth_faults *faults, char **ret_text, size_t *ret_len,
			     struct berth_manifest *ret_manifest, struct berth_err *err)
{
	const struct berth_interpolate_source source = { find_value, spec->dotenv };
	char *text;
	size_t len;
	int r;

	*ret_text = NULL;
	*ret_len = 0;
	r = berth_userfile_read(path, FILE_MAX, &text, &len);
	if (r < 0) {
		berth_err_errno(err, r, "cannot read '%s'", path);
		err->code = BERTH_ERR_CONFIG;
		return r;
	}
	*ret_text = text;
	*ret_len = len;
	r = 0;
	if (kind == BERTH_MANIFEST_PROCFILE) {
		uint16_t base = spec->base;

		if (!base)
			r = berth_procfile_base(spec->dotenv, getenv("PORT"), &base, err);
		if (r < 0)
			return r;
		r = parse_procfile(text, len, base, spec->dotenv, faults, ret_manifest);
	} else {
		r = berth_manifest_parse_with(text, len, &source, faults, ret_manifest);
	}
	if (r == -EINVAL)
		return refuse(path, faults, err);
	return r < 0 ? berth_err_errno(err, r, "cannot read '%s'", path) : 0;
}
