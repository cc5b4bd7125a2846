/* SPDX-License-Identifier: MIT */
/*
 * app/aside.c - a command that runs beside a service, and is none of it: a check, a stop command
 *
 * Its keeper (os/keeper.h) does three things here: it tells how the command has ended, it gathers the
 * command's orphans, which would fall to the supervisor else and look like the service's, and it
 * makes all of it a tree that can be ended.
 */
#include "app/aside.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>

#include "os/tree.h"

enum {
	/* What forks while it is killed is met by the next round; more than that kills us later. */
	KILL_ROUNDS = 10,
};

struct berth_aside {
	struct berth_loop *loop;
	struct berth_loop_source source;
	struct berth_child child;
	void (*fn)(struct berth_aside *aside, const struct berth_child_end *end, void *arg);
	void *arg;
};

/* The end of it, which is told once; the aside may be gone when this returns. */
static void tell(struct berth_aside *aside, const struct berth_child_end *end)
{
	berth_loop_remove(aside->loop, &aside->source);
	aside->fn(aside, end, aside->arg);
}

static void on_keeper(struct berth_loop_source *source, uint32_t events)
{
	struct berth_aside *aside = berth_container_of(source, struct berth_aside, source);
	/* Of one whose keeper was killed nobody knows. */
	struct berth_child_end end = { .by_signal = true, .status = SIGKILL };
	int stopped;

	switch (berth_child_keeper_next(&aside->child, &end, &stopped)) {
	case BERTH_CHILD_ENDED:
	case BERTH_CHILD_UNKEPT:
		tell(aside, &end);
		break;
	default:
		break;
	}
}

int berth_aside_start(struct berth_loop *loop, const struct berth_aside_spec *spec,
		      void (*fn)(struct berth_aside *aside, const struct berth_child_end *end,
				 void *arg),
		      void *arg, struct berth_aside **ret_aside, enum berth_child_stage *ret_stage)
{
	const struct berth_child_spec child = {
		.argv = spec->argv,
		.envp = spec->envp,
		.cwd = spec->cwd,
		.stdin_fd = spec->stdin_fd,
		.stdout_fd = spec->stdout_fd,
		.stderr_fd = spec->stderr_fd,
		.new_session = true,
		.parent_death_signal = SIGKILL,
		.cgroup_fd = -1,
		.keep = true,
		.filter = spec->filter,
		.signal_mask = spec->signal_mask,
		.open_files = spec->open_files,
	};
	struct berth_aside *aside = calloc(1, sizeof(*aside));
	int r;

	*ret_stage = BERTH_CHILD_FORK;
	if (!aside)
		return -ENOMEM;
	aside->loop = loop;
	aside->fn = fn;
	aside->arg = arg;
	r = berth_child_start(&child, &aside->child, ret_stage);
	if (r < 0) {
		free(aside);
		return r;
	}
	r = berth_loop_add(loop, &aside->source, aside->child.keeper_fd, EPOLLIN, on_keeper);
	if (r < 0) {
		*ret_stage = BERTH_CHILD_FORK;
		berth_aside_end(aside);
		return r;
	}
	*ret_aside = aside;
	return 0;
}

static bool has_gone(int pidfd)
{
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

	return pidfd < 0 || poll(&poll_fd, 1, 0) == 1;
}

/* Its keeper ends when nobody is left below it. */
static void kill_all(const struct berth_child *child)
{
	for (int round = 0; round < KILL_ROUNDS && !has_gone(child->keeper.pidfd); round++) {
		struct berth_tree tree;
		size_t count;

		if (berth_tree_load(child->keeper.pid, NULL, &tree) < 0)
			return;
		count = tree.count;
		berth_tree_signal_all(&tree, SIGKILL);
		berth_tree_deinit(&tree);
		if (!count)
			return;
	}
}

void berth_aside_end(struct berth_aside *aside)
{
	if (!aside)
		return;
	berth_loop_remove(aside->loop, &aside->source);
	kill_all(&aside->child);
	berth_child_deinit(&aside->child);
	free(aside);
}

pid_t berth_aside_keeper(const struct berth_aside *aside)
{
	return aside ? aside->child.keeper.pid : 0;
}

int berth_aside_take_notify(struct berth_aside *aside)
{
	return berth_fd_steal(&aside->child.notify_fd);
}
