/* SPDX-License-Identifier: MIT */
/* os/brief.c - what a list shows of many processes: their command lines and folders */
#include "os/brief.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/crew.h"

enum {
	PATH_LEN = 64, /* "/proc/", a number and a word */
	COMMAND_MAX = 4096,
	PIDS_PER_THREAD = 50,
};

struct load {
	const pid_t *pids;
	struct berth_brief *briefs;
};

/* One read() gives all of it: a second one would only say "end". */
static void read_command(pid_t pid, struct berth_brief *brief)
{
	char path[PATH_LEN], text[COMMAND_MAX];
	BERTH_AUTO_FD int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	do
		n = read(fd, text, sizeof(text) - 1);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return;
	text[n] = '\0';
	brief->command = malloc((size_t)n + 1);
	if (!brief->command)
		return;
	memcpy(brief->command, text, (size_t)n + 1);
	brief->command_len = (size_t)n - (text[n - 1] == '\0');
}

static void read_folder(pid_t pid, struct berth_brief *brief)
{
	char link[PATH_LEN], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
	n = readlink(link, path, sizeof(path));
	if (n <= 0 || (size_t)n == sizeof(path))
		return;
	path[n] = '\0';
	brief->cwd = strdup(path);
}

static void load_one(size_t index, size_t worker, void *arg)
{
	const struct load *load = arg;

	(void)worker;
	read_command(load->pids[index], &load->briefs[index]);
	read_folder(load->pids[index], &load->briefs[index]);
}

int berth_brief_load(const pid_t *pids, size_t count, struct berth_brief **ret_briefs)
{
	struct load load = { .pids = pids, .briefs = calloc(count + 1, sizeof(*load.briefs)) };

	if (!load.briefs)
		return -ENOMEM;
	berth_crew_run(count, PIDS_PER_THREAD, load_one, &load);
	*ret_briefs = load.briefs;
	return 0;
}

void berth_brief_free(struct berth_brief *briefs, size_t count)
{
	for (size_t i = 0; briefs && i < count; i++) {
		free(briefs[i].command);
		free(briefs[i].cwd);
	}
	free(briefs);
}

bool berth_brief_is_foreign(pid_t pid, const char *cwd)
{
	char link[PATH_LEN];
	struct stat theirs, ours;

	snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
	return stat(link, &theirs) < 0 || stat(cwd, &ours) < 0 || theirs.st_ino != ours.st_ino ||
	       theirs.st_dev != ours.st_dev;
}
