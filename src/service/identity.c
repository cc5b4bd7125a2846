/* SPDX-License-Identifier: MIT */
/* service/identity.c - which service this is: its folder, not its name */
/*
 * The root is looked for upwards from the working folder: the nearest git root wins, else the
 * nearest folder with a berth.yaml, else the working folder itself. git is not run, since it is
 * slow, may be missing, and runs what a repository configures; three small files tell all
 * (gitrepository-layout(5), git-worktree(1)):
 *
 *   .git            a folder, or a file "gitdir: PATH" that names it: worktrees, submodules
 *   GITDIR/HEAD     "ref: refs/heads/BRANCH", or the hash of a commit where it is detached
 *   GITDIR/commondir  only in linked worktrees: from there to the git folder of the main one
 *
 * All of it may be hostile, since a folder that was unpacked somewhere is enough: reads are
 * bounded, paths are made canonical, and a branch that git would not allow is no branch.
 */
#include "service/identity.h"

#include "base/str.h"
#include "os/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	GIT_FILE_MAX = PATH_MAX + 64,
	SHORT_HASH = 7, /* as git prints it at least */
};

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Cuts the last part off a canonical path; false at "/". */
static bool cut_last_part(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash || !slash[1])
		return false;
	slash[slash == path] = '\0';
	return true;
}

static bool join(char buf[PATH_MAX], const char *folder, const char *name)
{
	int n = snprintf(buf, PATH_MAX, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);

	return n >= 0 && n < PATH_MAX;
}

static bool exists(const char *folder, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return join(path, folder, name) && lstat(path, &st) == 0;
}

/* The first line of a small file; NULL where there is none. The caller frees it. */
static char *read_line(const char *folder, const char *name)
{
	char path[PATH_MAX], *text = NULL;
	size_t len;

	if (!join(path, folder, name) ||
	    berth_statefile_read(AT_FDCWD, path, GIT_FILE_MAX, &text, &len) < 0)
		return NULL;
	text[strcspn(text, "\r\n")] = '\0';
	return text;
}

/* @target, seen from @folder, as a canonical path. */
static bool resolve(const char *folder, const char *target, char ret_path[PATH_MAX])
{
	char path[PATH_MAX];

	if (target[0] == '/')
		return realpath(target, ret_path);
	return target[0] && join(path, folder, target) && realpath(path, ret_path);
}

/*
 * Is @folder the root of a worktree? Then *ret_git is its git folder, or empty if that can't be
 * had: so in a container that sees a linked worktree without the main one.
 */
static bool find_git_folder(const char *folder, char ret_git[PATH_MAX])
{
	static const char prefix[] = "gitdir: ";
	BERTH_AUTO_FREE char *line = NULL;
	char path[PATH_MAX], git[PATH_MAX];
	struct stat st;

	if (!join(path, folder, ".git") || stat(path, &st) < 0)
		return false;
	if (S_ISDIR(st.st_mode)) {
		/* git passes over an empty folder of that name. */
		if (!exists(path, "HEAD") || !realpath(path, git))
			return false;
	} else {
		line = read_line(folder, ".git");
		if (!line || strncmp(line, prefix, strlen(prefix)) != 0)
			return false;
		if (!resolve(folder, line + strlen(prefix), git) || !exists(git, "HEAD"))
			git[0] = '\0';
	}
	strcpy(ret_git, git);
	return true;
}

/* git-check-ref-format(1), as far as it keeps off what could deceive a reader. */
static bool is_branch(const char *text)
{
	if (!text[0])
		return false;
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f || strchr("~^:?*[\\", *text))
			return false;
	return true;
}

static bool is_hash(const char *text)
{
	size_t len = strlen(text);

	return (len == 40 || len == 64) && strspn(text, "0123456789abcdef") == len;
}

static void read_branch(const char *git, char *buf, size_t size)
{
	BERTH_AUTO_FREE char *head = read_line(git, "HEAD");
	const char *ref;

	buf[0] = '\0';
	if (!head)
		return;
	if (is_hash(head)) {
		head[SHORT_HASH] = '\0';
		berth_str_copy(buf, size, head);
		return;
	}
	if (strncmp(head, "ref: refs/", strlen("ref: refs/")) != 0)
		return;
	ref = head + strlen("ref: refs/");
	if (strncmp(ref, "heads/", strlen("heads/")) == 0)
		ref += strlen("heads/");
	/* With the reftable format HEAD holds this stub, and the branch is in a binary table. */
	if (strcmp(ref, ".invalid") != 0 && is_branch(ref))
		berth_str_copy(buf, size, ref);
}

/*
 * The place that all worktrees of a repository have in common: the main worktree, or for a bare
 * repository its folder. "shop/.git" and "shop/.bare" both stand for "shop".
 */
static bool find_common(const char *git, char ret_common[PATH_MAX])
{
	BERTH_AUTO_FREE char *line = read_line(git, "commondir");
	char common[PATH_MAX];

	if (!line || !resolve(git, line, common))
		return false;
	if (last_part(common)[0] == '.')
		cut_last_part(common);
	strcpy(ret_common, common);
	return true;
}

static void name_project(const char *common, char ret_project[BERTH_NAME_MAX])
{
	const char *name = last_part(common);
	size_t len = strlen(name), suffix = strlen(".git");
	char label[PATH_MAX];

	memcpy(label, name, len + 1);
	if (len > suffix && strcmp(label + len - suffix, ".git") == 0)
		label[len - suffix] = '\0';
	berth_name_from(label[0] ? label : "root", ret_project);
}

/* Fills root and, for a git root, *ret_git. */
static void find_root(const char *cwd, char ret_root[PATH_MAX], char ret_git[PATH_MAX])
{
	const char *home_env = getenv("HOME");
	char at[PATH_MAX], home[PATH_MAX] = "", yaml[PATH_MAX] = "";

	/*
	 * Who keeps dotfiles in a repository at home does not want all of home to be one project.
	 */
	if (home_env && !realpath(home_env, home))
		home[0] = '\0';
	strcpy(at, cwd);
	ret_git[0] = '\0';
	do {
		if ((strcmp(at, home) != 0 || strcmp(at, cwd) == 0) &&
		    find_git_folder(at, ret_git)) {
			strcpy(ret_root, at);
			return;
		}
		if (!yaml[0] && exists(at, "berth.yaml"))
			strcpy(yaml, at);
	} while (cut_last_part(at));
	strcpy(ret_root, yaml[0] ? yaml : cwd);
}

int berth_identity_load(const char *cwd, struct berth_identity *ret_identity, struct berth_err *err)
{
	struct berth_identity identity = { .instance = 1 };
	char folder[PATH_MAX], root[PATH_MAX], common[PATH_MAX], git[PATH_MAX];
	size_t len;

	if (cwd[0] != '/')
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				     "cannot use folder '%s': the path is not absolute", cwd);
	if (!realpath(cwd, folder))
		return berth_err_errno(err, -errno, "cannot use folder '%s'", cwd);

	find_root(folder, root, git);
	strcpy(common, root);
	if (git[0]) {
		read_branch(git, identity.branch, sizeof(identity.branch));
		identity.linked = find_common(git, common);
	}
	name_project(common, identity.project);
	len = strlen(root);
	identity.root = strdup(root);
	identity.folder = strdup(folder[len] ? folder + len + (folder[len] == '/') : "");
	identity.common = strdup(common);
	if (!identity.root || !identity.folder || !identity.common) {
		berth_identity_deinit(&identity);
		return berth_err_errno(err, -ENOMEM, "cannot use folder '%s'", cwd);
	}
	*ret_identity = identity;
	return 0;
}

void berth_identity_deinit(struct berth_identity *identity)
{
	free((char *)(uintptr_t)BERTH_STEAL(identity->root));
	free((char *)(uintptr_t)BERTH_STEAL(identity->folder));
	free((char *)(uintptr_t)BERTH_STEAL(identity->common));
}

/* NUL after each part: no two sets of parts give the same bytes. */
static size_t add_part(char *buf, size_t len, const char *part)
{
	size_t part_len = part ? strlen(part) + 1 : 1;

	memcpy(buf + len, part ? part : "", part_len);
	return len + part_len;
}

void berth_identity_seal(struct berth_identity *identity)
{
	char text[2 * PATH_MAX + 2 * BERTH_NAME_MAX + 16], instance[16], hex[33];
	size_t len;

	snprintf(instance, sizeof(instance), "%u", identity->instance);
	len = add_part(text, 0, identity->root);
	len = add_part(text, len, identity->folder);
	len = add_part(text, len, identity->service);
	len = add_part(text, len, instance);
	if (identity->copy[0])
		len = add_part(text, len, identity->copy);
	berth_str_hash(text, len, hex);
	berth_str_copy(identity->key, sizeof(identity->key), hex);

	len = add_part(text, 0, identity->common);
	len = add_part(text, len, identity->folder);
	len = add_part(text, len, identity->service);
	berth_str_hash(text, len, hex);
	berth_str_copy(identity->family, sizeof(identity->family), hex);
}
