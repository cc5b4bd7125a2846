/* SPDX-License-Identifier: MIT */
/*
 * app/sweep.c - clear up after a supervisor that could not do it itself
 *
 * Supervisor and guardian killed at the same instant leave processes without an ancestor of ours.
 * PR_SET_PDEATHSIG has ended the first; what it had put into the background lives on below pid 1.
 * Such a process is recognised by, in this order:
 *
 *   its control group              made by us, named by the id
 *   its session                    begun inside the service, as the supervisor saw: a session
 *                                  can't be left, and its number is not given again while
 *                                  anybody is in it
 *   the front's process group      together with a filter more than we had ourselves: a
 *                                  neighbour in a pipeline has none
 *   BERTH_ID in its environment    what it was started with, where it has kept that
 *
 * and in each case it has to be younger than the supervisor, and ours or ours to signal. It is
 * ended by pidfd, the start time checked.
 *
 * What is none of our processes, a container, is ended by the service's stop command, which stands
 * in the record: that is ours alone to write (its folder is 0700, and its owner was checked).
 */
#include "app/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "app/history.h"
#include "app/ports-file.h"
#include "app/stop-order.h"
#include "base/time.h"
#include "os/cgroup.h"
#include "os/child.h"
#include "os/statefile.h"
#include "os/tree.h"
#include "os/uds.h"

enum {
	ROUNDS_MAX = 100,
	LOCK_WAIT_MS = 10000,
	LOCK_LOOK_MS = 20,
	DEATH_WAIT_MS = 2000,
};

struct sweep {
	const json_t *record;
	struct berth_proc_id supervisor;
	pid_t group, own;
	unsigned int filters;
	bool steered;
	char mark[32]; /* BERTH_ID=... */
	int ended;
};

static bool is_in_session(const struct sweep *sweep, const struct berth_proc_stat *stat)
{
	const json_t *sessions = berth_registry_private(sweep->record, "sessions");
	const json_t *session;
	size_t i;

	/* Kernel threads, and in a container what was put in from outside: no session that we know. */
	if (stat->session <= 0)
		return false;
	if (json_is_true(berth_registry_private(sweep->record, "detached")) &&
	    stat->session ==
		    (pid_t)berth_json_int(berth_registry_service(sweep->record), "pid", -1))
		return true;
	json_array_foreach (sessions, i, session)
		if (stat->session == (pid_t)berth_json_int(session, "pid", 0) &&
		    stat->id.start_ticks >= (uint64_t)berth_json_int(session, "start", 0))
			return true;
	return false;
}

static bool is_left_over(const struct sweep *sweep, const struct berth_proc_stat *stat)
{
	struct berth_proc_status status;
	bool has_mark = false;

	if (stat->id.start_ticks < sweep->supervisor.start_ticks || stat->id.pid == sweep->own ||
	    (stat->state == 'Z' && stat->threads <= 1))
		return false;
	if (berth_procfs_status(stat->id.pid, &status) < 0)
		return false;
	if (sweep->steered && status.seccomp_filters <= sweep->filters)
		return false;
	if (is_in_session(sweep, stat) ||
	    (sweep->steered && sweep->group && stat->pgrp == sweep->group))
		return true;
	return berth_procfs_environ_has(stat->id.pid, sweep->mark, &has_mark) == 0 && has_mark;
}

static void wait_for_death(pid_t pid)
{
	BERTH_AUTO_FD int pidfd = berth_child_open(pid);
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

	if (pidfd >= 0)
		(void)!poll(&poll_fd, 1, DEATH_WAIT_MS);
}

static int end_left_over(pid_t pid, void *arg)
{
	struct sweep *sweep = arg;
	struct berth_proc_stat stat;

	if (berth_procfs_stat(pid, &stat) < 0 || !is_left_over(sweep, &stat))
		return 0;
	if (berth_tree_signal(&stat.id, SIGKILL) == 0) {
		wait_for_death(pid);
		sweep->ended++;
	}
	return 0;
}

static void kill_cgroups(const json_t *record)
{
	const json_t *path;
	size_t i;

	json_array_foreach (berth_registry_private(record, "cgroups"), i, path)
		if (json_is_string(path))
			(void)!berth_cgroup_kill(json_string_value(path));
}

static void remove_cgroups(const json_t *record)
{
	const json_t *path;
	size_t i;

	json_array_foreach (berth_registry_private(record, "cgroups"), i, path)
		if (json_is_string(path))
			(void)!berth_cgroup_remove_path(json_string_value(path));
}

/* The ports file may be shared with other services: only what is the dead one's goes. */
static void clean_ports_file(const json_t *record)
{
	const char *path = json_string_value(berth_registry_private(record, "ports_file"));

	/* Where that can't be written any more, nothing more can be done about it. */
	if (path)
		(void)!berth_ports_file_clean(path, NULL);
}

static void keep_end(const json_t *record)
{
	BERTH_AUTO_JSON json_t *document = json_deep_copy(berth_registry_service(record));
	const char *key = json_string_value(berth_registry_private(record, "key"));

	if (!document || !key)
		return;
	json_object_set_new(document, "state", json_string("failed"));
	json_object_set_new(document, "pid", json_null());
	json_object_set_new(
		document, "exit",
		json_pack("{s:n,s:s,s:s}", "code", "signal", "KILL", "by", "supervisor"));
	json_object_set_new(document, "ended_at", berth_json_time(berth_time_now_ms()));
	json_object_set_new(document, "also_ended", json_null());
	json_object_set_new(document, "last_lines",
			    berth_history_tail(berth_json_string(document, "log", NULL), 20));
	if (berth_history_add(document, key) < 0)
		return; /* without a state folder there is no history */
}

static const char *id_of(const json_t *record)
{
	return berth_json_string(berth_registry_service(record), "id", "");
}

void berth_sweep_record(struct berth_registry *registry, json_t *record)
{
	const json_t *service = berth_registry_service(record);
	const char *id = id_of(record);
	const json_t *item;
	size_t i;

	json_array_foreach (berth_registry_private(record, "files"), i, item)
		if (json_is_string(item))
			unlink(json_string_value(item));
	remove_cgroups(record);
	clean_ports_file(record);
	json_array_foreach (json_object_get(service, "ports"), i, item)
		berth_registry_unclaim_port(registry, (uint16_t)berth_json_int(item, "port", 0),
					    id);
	keep_end(record);
	if (berth_registry_is_id(id))
		berth_registry_remove(registry, id);
}

/*
 * Two commands may find the same record: one of them carries its order out, the other one waits. It
 * would take that stop command for a process that was left over.
 */
static int lock_record(const json_t *record)
{
	const json_t *order = berth_registry_private(record, "stop");
	int64_t until = berth_time_mono_ns() +
			(berth_stop_order_patience_ms(order) + LOCK_WAIT_MS) * BERTH_NS_PER_MS;
	char name[64];
	int r;

	if (!order)
		return -1;
	snprintf(name, sizeof(name), "berth-sweep/%u/%s", geteuid(), id_of(record));
	for (;;) {
		r = berth_uds_listen_abstract(name, SOCK_STREAM);
		if (r != -EADDRINUSE || berth_time_mono_ns() >= until)
			return r;
		poll(NULL, 0, LOCK_LOOK_MS);
	}
}

static void carry_out_order(const json_t *record)
{
	BERTH_AUTO_JSON json_t *orders = NULL;
	BERTH_AUTO_FD int null_fd = -1;
	json_t *order = berth_registry_private(record, "stop");

	if (!json_is_object(order))
		return;
	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	orders = json_pack("[O]", order);
	/* It was tried: one that fails now would fail each time, and keep every command waiting. */
	(void)!berth_stop_order_run_all(orders, null_fd);
}

int berth_sweep(struct berth_registry *registry, json_t *record)
{
	/* Held until the record is gone. */
	BERTH_AUTO_FD int lock = lock_record(record);
	struct sweep sweep = {
		.record = record,
		.supervisor = berth_registry_process(record, "supervisor"),
		.group = (pid_t)json_integer_value(berth_registry_private(record, "group")),
		.filters =
			(unsigned int)json_integer_value(berth_registry_private(record, "filters")),
		.steered = json_is_true(berth_registry_private(record, "steered")),
		.own = getpid(),
	};
	int before, r;

	if (lock == -EADDRINUSE)
		return lock;
	if (lock >= 0 && !berth_registry_has(registry, id_of(record)))
		return 0;
	snprintf(sweep.mark, sizeof(sweep.mark), "BERTH_ID=%s",
		 berth_json_string(berth_registry_service(record), "id", "?"));
	/* After a reboot nothing of it lives, and numbers mean other processes. */
	if (json_is_string(berth_registry_private(record, "boot"))) {
		kill_cgroups(record);
		for (int round = 0; round < ROUNDS_MAX; round++) {
			before = sweep.ended;
			r = berth_procfs_each(end_left_over, &sweep);
			if (r < 0)
				return r;
			if (sweep.ended == before)
				break;
		}
		carry_out_order(record);
	}
	berth_sweep_record(registry, record);
	return sweep.ended;
}

int berth_sweep_descendants(const pid_t *spare)
{
	int ended = 0;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		struct berth_tree tree;

		if (berth_tree_load(getpid(), spare, &tree) < 0)
			break;
		ended += (int)berth_tree_signal_all(&tree, SIGKILL);
		for (size_t i = 0; i < tree.count; i++)
			wait_for_death(tree.procs[i].id.pid);
		berth_tree_deinit(&tree);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (!tree.count)
			break;
	}
	return ended;
}

void berth_sweep_dead(struct berth_registry *registry, json_t *records)
{
	for (size_t i = json_array_size(records); i-- > 0;) {
		json_t *record = json_array_get(records, i);

		if (berth_registry_life(record) != BERTH_REGISTRY_DEAD)
			continue;
		/*
		 * Its supervisor has ended in an orderly way since it was read: then its files may be
		 * the next one's already, and its end is told.
		 */
		if (!berth_registry_has(registry, id_of(record))) {
			json_array_remove(records, i);
			continue;
		}
		/*
		 * What could not be ended now is met by the next command: the record is gone only
		 * when nothing is left.
		 */
		if (berth_sweep(registry, record) >= 0)
			json_array_remove(records, i);
	}
}

void berth_sweep_all(void)
{
	BERTH_AUTO_JSON json_t *records = NULL;
	struct berth_registry registry;

	if (berth_registry_open(&registry, NULL) < 0)
		return;
	if (berth_registry_load(&registry, &records) == 0)
		berth_sweep_dead(&registry, records);
	berth_registry_close(&registry);
}
