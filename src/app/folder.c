/* SPDX-License-Identifier: MIT */
/*
 * app/folder.c - the runtime folder can go away under a living service
 *
 * A logout removes /run/user/UID and all in it (logind), a cleaner may do so in /tmp. Ports, name
 * and processes are held by descriptors and don't care; but nobody finds the service any more. So
 * the folder is made again, below a parent that must be there, with all that was in it of ours.
 */
#include "app/supervisor.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include "base/str.h"
#include "base/time.h"

/* Between tries: a removal may be under way, and a login is announced by nothing. */
enum {
	RECOVER_NS = 300 * 1000 * 1000,
};

void berth_supervisor_recover(struct berth_supervisor *supervisor)
{
	supervisor->recover_ns = 0;
	if (!berth_registry_is_lost(&supervisor->registry))
		return;
	if (berth_registry_reopen(&supervisor->registry) < 0) {
		/*
		 * The parent has gone too (/run/user/UID), and comes back with the next login,
		 * which nothing here announces.
		 */
		supervisor->recover_ns = berth_time_mono_ns() + RECOVER_NS;
		return;
	}
	for (size_t i = 0; i < supervisor->ports.count; i++)
		supervisor->ports.port[i].claimed = false;
	berth_supervisor_watch_folder(supervisor);
	berth_supervisor_save(supervisor);
}

static void on_folder(struct berth_loop_source *source, uint32_t events)
{
	struct berth_supervisor *supervisor =
		berth_container_of(source, struct berth_supervisor, folder_source);
	char buf[4096];

	while (read(supervisor->folder_fd, buf, sizeof(buf)) > 0)
		; /* which event it was does not matter: the folder is looked at */
	/* Not into the middle of a removal that goes on. */
	if (berth_registry_is_lost(&supervisor->registry))
		supervisor->recover_ns = berth_time_mono_ns() + RECOVER_NS;
}

void berth_supervisor_watch_folder(struct berth_supervisor *supervisor)
{
	char parent[PATH_MAX];
	char *slash;

	if (supervisor->folder_fd < 0) {
		supervisor->folder_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		if (supervisor->folder_fd < 0)
			return; /* a limit of the user's: then only the next change is written to a
				   new folder */
		if (berth_loop_add(&supervisor->loop, &supervisor->folder_source,
				   supervisor->folder_fd, EPOLLIN, on_folder) < 0)
			berth_fd_close(&supervisor->folder_fd);
	}
	/*
	 * Of the folder itself we would hear nothing while we have it open: so the one above it is
	 * watched.
	 */
	berth_str_copy(parent, sizeof(parent), supervisor->registry.path);
	slash = strrchr(parent, '/');
	if (slash && slash > parent)
		*slash = '\0';
	(void)!inotify_add_watch(supervisor->folder_fd, parent,
				 IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF |
					 IN_ONLYDIR);
}
