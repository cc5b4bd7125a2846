/* SPDX-License-Identifier: MIT */
/*
 * app/browser.c - open a page in the user's browser, outside of the service's tree
 *
 * A browser that the service starts itself would be steered, and ended with it: so BROWSER points
 * to us (app/spawn.c), and the supervisor, which is outside the filter, starts the real one in a
 * session of its own and leaves it alone from there on.
 */
#include "app/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "app/note.h"

/* What Linux desktops have, in the order in which they know best what the user likes. */
static const char *const browsers[] = { "xdg-open", "sensible-browser", "x-www-browser",
					"www-browser", "open" };

enum {
	URL_MAX = 4096
};

static const char *find_browser(void)
{
	const char *wish = getenv("BERTH_BROWSER");

	if (wish && *wish)
		return wish;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(browsers); i++)
		if (berth_child_find(browsers[i], getenv("PATH"), NULL) == 0)
			return browsers[i];
	return NULL;
}

/*
 * http://localhost:5173/x -> http://localhost:5174/x where the copy asked for the one and has the
 * other.
 */
static bool map_url(const struct berth_unit *unit, const char *url, char *buf, size_t size)
{
	const char *host = strstr(url, "://");
	const char *end, *colon;
	unsigned long number;
	char *rest;

	host = host ? host + 3 : url;
	end = host + strcspn(host, "/?#");
	colon = memrchr(host, ':', (size_t)(end - host));
	number = colon ? strtoul(colon + 1, &rest, 10) : 0;
	if (!colon || rest != end || number == 0 || number > UINT16_MAX)
		return (size_t)snprintf(buf, size, "%s", url) < size;
	for (size_t i = 0; i < unit->ports.count; i++)
		if (unit->ports.steer[i].given &&
		    berth_steer_port_is_asked(&unit->ports.steer[i], (uint16_t)number))
			number = unit->ports.steer[i].given;
	return (size_t)snprintf(buf, size, "%.*s:%lu%s", (int)(colon - url), url, number, end) <
	       size;
}

static void remember_outside(struct berth_supervisor *supervisor, pid_t pid)
{
	const struct berth_note note = { .kind = BERTH_NOTE_SPARE, .value = pid };
	struct berth_proc_stat stat;

	if (berth_procfs_stat(pid, &stat) < 0)
		return;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(supervisor->outside); i++) {
		if (berth_procfs_is_alive(&supervisor->outside[i]))
			continue;
		supervisor->outside[i] = stat.id;
		break;
	}
	/*
	 * Should the guardian not hear it, it ends one process too many when we die before our
	 * time.
	 */
	(void)!berth_note_send(supervisor->report_fd, &note, NULL, -1);
}

int berth_supervisor_start_outside(struct berth_supervisor *supervisor,
				   const struct berth_child_spec *spec,
				   struct berth_child *ret_child, enum berth_child_stage *ret_stage)
{
	int r = berth_child_start(spec, ret_child, ret_stage);

	if (r == 0)
		remember_outside(supervisor, ret_child->pid);
	return r;
}

int berth_supervisor_open_url(struct berth_unit *unit, const char *url)
{
	BERTH_AUTO_FD int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	char mapped[URL_MAX];
	const char *argv[] = { find_browser(), mapped, NULL };
	struct berth_child_spec spec = {
		.argv = argv,
		.envp = (const char *const *)environ,
		.stdin_fd = null_fd,
		.stdout_fd = null_fd,
		.stderr_fd = null_fd,
		.new_session = true,
		.cgroup_fd = -1,
		.signal_mask = unit->job->signal_mask,
		.open_files = unit->job->open_files,
	};
	enum berth_child_stage stage;
	struct berth_child child;
	int r;

	if (!argv[0])
		return -ENOENT;
	/* A page, not an option of the browser's, nor a local file. */
	if ((strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) ||
	    !map_url(unit, url, mapped, sizeof(mapped)))
		return -EINVAL;
	r = berth_supervisor_start_outside(unit->supervisor, &spec, &child, &stage);
	if (r == 0)
		berth_child_deinit(&child);
	return r;
}
