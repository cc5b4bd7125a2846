/* SPDX-License-Identifier: MIT */
/* unit/os/test-keeper.c - trees of their own, and what is told of their first process */
#include "os/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "os/child.h"
#include "os/procfs.h"
#include "os/tree.h"

enum {
	DEADLINE_MS = 10000,
	KEEPERS = 50,
	STARTS = 100,
	HEAP_BLOCKS = 20000, /* of 100 bytes */
	PRIVATE_KIB_MAX = 60,
};

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN
#endif
#endif

#define SHELL(script) ((const char *const[]){ "sh", "-c", script, NULL })

static const char *const environment[] = { "PATH=/usr/bin:/bin", NULL };

static struct berth_child_spec spec_of(const char *const *argv)
{
	return (struct berth_child_spec){
		.argv = argv,
		.envp = environment,
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.cgroup_fd = -1,
		.keep = true,
	};
}

static struct berth_child start(const struct berth_child_spec *spec)
{
	enum berth_child_stage stage;
	struct berth_child child;

	assert_int_equal(berth_child_start(spec, &child, &stage), 0);
	assert_true(child.keeper.pid > 0);
	return child;
}

static struct berth_child start_shell(const char *script)
{
	const struct berth_child_spec spec = spec_of(SHELL(script));

	return start(&spec);
}

static void wait_readable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
}

static int next(const struct berth_child *child, struct berth_child_end *end, int *stopped)
{
	wait_readable(child->keeper_fd);
	return berth_child_keeper_next(child, end, stopped);
}

/* How the command has ended, and the keeper after it. */
static struct berth_child_end finish(struct berth_child *child)
{
	struct berth_child_end end = { 0 }, keeper_end;
	int stopped = 0;
	pid_t pid;

	assert_int_equal(next(child, &end, &stopped), BERTH_CHILD_ENDED);
	assert_int_equal(next(child, &end, &stopped), BERTH_CHILD_UNKEPT);
	wait_readable(child->keeper.pidfd);
	assert_int_equal(berth_child_reap(&pid, &keeper_end), 0);
	assert_int_equal(pid, child->keeper.pid);
	assert_false(keeper_end.by_signal);
	assert_int_equal(keeper_end.status, 0);
	berth_child_deinit(child);
	assert_int_equal(child->keeper_fd, -1);
	assert_int_equal(child->keeper.pidfd, -1);
	return end;
}

static void assert_no_children(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static int open_fd_count(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void the_end_of_a_kept_command_is_told_whichever_way_it_ends(void **state)
{
	static const struct {
		const char *script;
		bool by_signal;
		int status;
	} rows[] = {
		{ "exit 0", false, 0 },
		{ "exit 7", false, 7 },
		{ "kill -TERM $$", true, SIGTERM },
		{ "kill -KILL $$", true, SIGKILL },
	};
	int before = open_fd_count();

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_child child = start_shell(rows[i].script);
		struct berth_child_end end = finish(&child);

		assert_int_equal(end.by_signal, rows[i].by_signal);
		assert_int_equal(end.status, rows[i].status);
	}
	assert_int_equal(open_fd_count(), before);
	assert_no_children();
}

static void a_kept_command_is_a_child_of_its_keeper_in_the_group_that_it_asked_for(void **state)
{
	struct berth_child_spec spec = spec_of((const char *const[]){ "cat", NULL });
	struct berth_proc_stat command, keeper;
	struct berth_child child;
	int in[2];

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	spec.stdin_fd = in[0];
	spec.new_session = true;
	child = start(&spec);
	close(in[0]);
	assert_int_equal(berth_procfs_stat(child.pid, &command), 0);
	assert_int_equal(berth_procfs_stat(child.keeper.pid, &keeper), 0);
	assert_int_equal(command.ppid, child.keeper.pid);
	assert_int_equal(command.session, child.pid);
	assert_int_equal(keeper.ppid, getpid());
	assert_int_equal(keeper.pgrp, getpgrp());
	assert_string_equal(keeper.comm, "berth: keeper");
	/* The pidfd is the command's, and what it reads from is ours alone to close. */
	assert_int_equal(berth_child_signal(child.pidfd, 0), 0);
	assert_true(fcntl(child.pidfd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(child.keeper_fd, F_GETFD) & FD_CLOEXEC);
	close(in[1]);
	assert_int_equal(finish(&child).status, 0);
}

static void a_stop_is_told_with_its_signal_and_the_end_after_it(void **state)
{
	struct berth_child child = start_shell("kill -STOP $$; exit 3");
	struct berth_child_end end = { .status = 99 };
	int stopped = 0;

	(void)state;
	assert_int_equal(next(&child, &end, &stopped), BERTH_CHILD_STOPPED);
	assert_int_equal(stopped, SIGSTOP);
	assert_int_equal(berth_child_keeper_next(&child, &end, &stopped), 0);
	assert_int_equal(end.status, 99);
	assert_int_equal(berth_child_signal(child.pidfd, SIGSTOP), 0);
	assert_int_equal(berth_child_signal(child.pidfd, SIGCONT), 0);
	assert_int_equal(finish(&child).status, 3);
}

/* The only process below the keeper that is not the command. */
static pid_t find_orphan(const struct berth_child *child)
{
	struct berth_tree tree;
	pid_t found = 0;

	assert_int_equal(berth_tree_load(child->keeper.pid, NULL, &tree), 0);
	for (size_t i = 0; i < tree.count; i++)
		if (tree.procs[i].id.pid != child->pid)
			found = tree.procs[i].id.pid;
	berth_tree_deinit(&tree);
	return found;
}

/* A command that leaves a daemon behind, which lives until @in is closed. */
static struct berth_child start_daemon(int *ret_in, pid_t *ret_orphan)
{
	struct berth_child_spec spec = spec_of(
		SHELL("exec 3<&0; (setsid sh -c 'echo $$; read line <&3; exit 9' &) ; exit 4"));
	struct berth_child child;
	struct berth_child_end end;
	struct berth_proc_stat stat;
	char number[16] = "";
	int in[2], out[2], stopped;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	spec.stdin_fd = in[0];
	spec.stdout_fd = out[1];
	child = start(&spec);
	close(in[0]);
	close(out[1]);
	wait_readable(out[0]);
	assert_true(read(out[0], number, sizeof(number) - 1) > 0);
	close(out[0]);
	assert_int_equal(next(&child, &end, &stopped), BERTH_CHILD_ENDED);
	assert_int_equal(end.status, 4);
	*ret_orphan = find_orphan(&child);
	assert_int_equal(*ret_orphan, atoi(number));
	assert_int_equal(berth_procfs_stat(*ret_orphan, &stat), 0);
	assert_int_equal(stat.ppid, child.keeper.pid);
	assert_int_equal(stat.session, *ret_orphan);
	*ret_in = in[1];
	return child;
}

static void an_orphan_hangs_below_its_own_keeper_and_is_reaped_in_silence(void **state)
{
	struct berth_child_end end;
	pid_t orphans[2];
	struct berth_child children[2];
	int in[2], stopped;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		children[i] = start_daemon(&in[i], &orphans[i]);
	for (size_t i = 0; i < 2; i++) {
		struct berth_proc_stat stat;

		assert_int_equal(find_orphan(&children[i]), orphans[i]);
		assert_int_equal(berth_child_keeper_next(&children[i], &end, &stopped), 0);
		close(in[i]);
		assert_int_equal(next(&children[i], &end, &stopped), BERTH_CHILD_UNKEPT);
		assert_int_equal(waitpid(children[i].keeper.pid, NULL, 0), children[i].keeper.pid);
		assert_int_equal(berth_procfs_stat(orphans[i], &stat), -ESRCH);
		berth_child_deinit(&children[i]);
	}
	assert_no_children();
}

static void the_children_of_a_keeper_that_was_killed_are_ours(void **state)
{
	struct berth_child_spec spec = spec_of((const char *const[]){ "cat", NULL });
	struct berth_child_end end = { .status = 99 };
	struct berth_proc_stat stat;
	struct berth_child child;
	int in[2], stopped;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	spec.stdin_fd = in[0];
	child = start(&spec);
	close(in[0]);
	assert_int_equal(berth_child_signal(child.keeper.pidfd, SIGTERM), 0);
	assert_int_equal(berth_child_signal(child.keeper.pidfd, SIGKILL), 0);
	assert_int_equal(next(&child, &end, &stopped), BERTH_CHILD_UNKEPT);
	assert_int_equal(end.status, 99);
	wait_readable(child.keeper.pidfd);
	assert_int_equal(berth_child_reap(&pid, &end), 0);
	assert_int_equal(pid, child.keeper.pid);
	assert_int_equal(end.status, SIGKILL);
	assert_int_equal(berth_procfs_stat(child.pid, &stat), 0);
	assert_int_equal(stat.ppid, getpid());
	close(in[1]);
	wait_readable(child.pidfd);
	assert_int_equal(berth_child_reap(&pid, &end), 0);
	assert_int_equal(pid, child.pid);
	assert_int_equal(end.status, 0);
	berth_child_deinit(&child);
}

/* The supervisor here is a process of its own; @in tells by its end that nobody lives. */
/* The youngest child of @parent, if that is not us; 0: there is none. */
static pid_t last_child_of(pid_t parent)
{
	char path[64], text[1024] = "", *at = text, *end;
	BERTH_AUTO_FD int fd = -1;
	pid_t pid, last = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		return 0;
	for (; (pid = (pid_t)strtol(at, &end, 10)) > 0; at = end)
		last = pid == getpid() ? 0 : pid;
	return last;
}

/* In small steps, until it has a child. */
static void kill_as_a_young_parent(pid_t pid)
{
	struct berth_proc_stat stat;

	do {
		stat.state = 'X';
		kill(pid, SIGCONT);
		kill(pid, SIGSTOP);
		while (berth_procfs_stat(pid, &stat) == 0 && stat.state != 'T' && stat.state != 'Z')
			sched_yield();
	} while (stat.state == 'T' && !last_child_of(pid));
	kill(pid, SIGKILL);
}

BERTH_NORETURN static void kill_keepers_of(pid_t parent, const atomic_uint *round)
{
	unsigned int done = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	for (;;) {
		unsigned int now = atomic_load(round);
		pid_t pid = now != done ? last_child_of(parent) : 0;

		if (pid) {
			kill_as_a_young_parent(pid);
			done = now;
		}
	}
}

/*
 * Killed between the birth of its command and the word about it, it left two that waited for each
 * other: the supervisor for that word, the command for the supervisor's. The supervisor was deaf
 * from then on.
 */
static void a_keeper_that_is_killed_at_its_start_holds_nobody_up(void **state)
{
	const struct berth_child_spec spec = spec_of(SHELL("exit 0"));
	int before = open_fd_count();
	atomic_uint *round = mmap(NULL, sizeof(*round), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t parent = getpid(), killer;

	(void)state;
	assert_true(round != MAP_FAILED);
	killer = fork();
	assert_true(killer >= 0);
	if (killer == 0)
		kill_keepers_of(parent, round);
	alarm(60);
	for (int i = 0; i < STARTS; i++) {
		enum berth_child_stage stage;
		struct berth_child child;

		atomic_fetch_add(round, 1);
		if (berth_child_start(&spec, &child, &stage) == 0) {
			waitpid(child.keeper.pid, NULL, 0);
			berth_child_deinit(&child);
		}
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	kill(killer, SIGKILL);
	waitpid(killer, NULL, 0);
	/* One that it has stopped, and could not let go on. */
	for (pid_t pid; (pid = last_child_of(parent)) > 0; waitpid(pid, NULL, 0))
		kill(pid, SIGKILL);
	alarm(0);
	munmap(round, sizeof(*round));
	assert_int_equal(open_fd_count(), before);
	assert_no_children();
}

static void a_keeper_and_its_command_go_with_the_supervisor(void **state)
{
	struct berth_child_spec spec = spec_of((const char *const[]){ "cat", NULL });
	int in[2], out[2], ready[2];
	struct berth_child child;
	pid_t supervisor;
	char byte;

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	spec.stdin_fd = in[0];
	spec.stdout_fd = out[1];
	spec.parent_death_signal = SIGKILL;
	supervisor = fork();
	if (supervisor == 0) {
		enum berth_child_stage stage;

		if (berth_child_start(&spec, &child, &stage) < 0 ||
		    write(ready[1], &child, sizeof(child)) != sizeof(child))
			_exit(1);
		for (;;)
			pause();
	}
	close(out[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(kill(supervisor, SIGKILL), 0);
	wait_readable(out[0]);
	assert_int_equal(read(out[0], &byte, 1), 0);
	/* As the nearest subreaper we are left with all three. */
	for (size_t i = 0; i < 3; i++) {
		pid_t pid = waitpid(-1, NULL, 0);

		assert_true(pid == supervisor || pid == child.pid || pid == child.keeper.pid);
	}
	close(out[0]);
	close(ready[0]);
	close(in[0]);
	close(in[1]);
	assert_no_children();
}

static void a_kept_start_that_fails_says_where_and_leaves_nothing(void **state)
{
	const struct {
		struct berth_child_spec spec;
		int error;
		enum berth_child_stage stage;
	} rows[] = {
		{ { .argv = (const char *const[]){ "berth-no-such-program", NULL } },
		  -ENOENT,
		  BERTH_CHILD_EXEC },
		{ { .argv = SHELL("exit 0"), .cwd = "/nonexistent" }, -ENOENT, BERTH_CHILD_CWD },
		{ { .argv = SHELL("exit 0"), .pgrp = 1 }, -EPERM, BERTH_CHILD_GROUP },
		{ { .argv = SHELL("exit 0"), .cgroup_fd = 999 }, -EBADF, BERTH_CHILD_FORK },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_child_spec spec = rows[i].spec;
		struct berth_child child = { .pid = 4711 };
		enum berth_child_stage stage = BERTH_CHILD_STDIO;
		int before = open_fd_count();

		spec.keep = true;
		spec.envp = environment;
		spec.stdin_fd = spec.stdout_fd = spec.stderr_fd = -1;
		spec.cgroup_fd = spec.cgroup_fd ? spec.cgroup_fd : -1;
		assert_int_equal(berth_child_start(&spec, &child, &stage), rows[i].error);
		assert_int_equal(stage, rows[i].stage);
		assert_int_equal(child.pid, 4711);
		assert_int_equal(open_fd_count(), before);
		assert_no_children();
	}
}

/* All numbers but @room are taken. */
static void fill_descriptors(int room, struct rlimit *ret_before)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, ret_before), 0);
	limit = *ret_before;
	limit.rlim_cur = (rlim_t)(open_fd_count() + room);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void a_command_whose_descriptors_find_no_room_does_not_run(void **state)
{
	struct berth_notify_program program;
	struct berth_child_spec spec = spec_of(SHELL("echo ran >&2"));
	char byte;
	int err[2];

	(void)state;
	assert_int_equal(berth_notify_program_new(false, &program), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC | O_NONBLOCK), 0);
	spec.stderr_fd = err[1];
	spec.filter = &program;
	/* Two pairs, a pidfd of the keeper, one of the command, the filter: with 5 + 1 all fit. */
	for (int room = 0; room <= 6; room++)
		for (int keep = 0; keep < 2; keep++) {
			enum berth_child_stage stage;
			struct berth_child child = BERTH_CHILD_NONE;
			struct rlimit before;
			int r, count = open_fd_count();

			spec.keep = keep;
			fill_descriptors(room, &before);
			r = berth_child_start(&spec, &child, &stage);
			assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
			if (r == 0) {
				wait_readable(keep ? child.keeper.pidfd : child.pidfd);
				assert_true(child.notify_fd >= 0);
				assert_int_equal(waitpid(-1, NULL, 0),
						 keep ? child.keeper.pid : child.pid);
				assert_int_equal(read(err[0], &byte, 1), 1);
				while (read(err[0], &byte, 1) == 1)
					;
			} else {
				assert_int_equal(r, -EMFILE);
				assert_int_equal(read(err[0], &byte, 1), -1);
			}
			berth_child_deinit(&child);
			assert_int_equal(open_fd_count(), count);
			assert_no_children();
			if (room == 6)
				assert_int_equal(r, 0);
		}
	berth_notify_program_deinit(&program);
	close(err[0]);
	close(err[1]);
}

static void a_filter_of_a_kept_command_comes_with_its_descriptor(void **state)
{
	struct berth_child_spec spec = spec_of((const char *const[]){ "cat", NULL });
	struct berth_notify_program program;
	struct berth_proc_status own, keeper, command;
	struct berth_child child;
	int in[2];

	(void)state;
	assert_int_equal(berth_notify_program_new(true, &program), 0);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	spec.stdin_fd = in[0];
	spec.filter = &program;
	child = start(&spec);
	berth_notify_program_deinit(&program);
	close(in[0]);
	assert_int_equal(berth_procfs_status(getpid(), &own), 0);
	assert_int_equal(berth_procfs_status(child.keeper.pid, &keeper), 0);
	assert_int_equal(berth_procfs_status(child.pid, &command), 0);
	assert_int_equal(keeper.seccomp_filters, own.seccomp_filters);
	assert_int_equal(command.seccomp_filters, own.seccomp_filters + 1);
	close(in[1]);
	wait_readable(child.notify_fd);
	assert_int_equal(finish(&child).status, 0);
}

/* Of each line "Name:   12 kB" of smaps_rollup that begins with @name. */
static long memory_kib(pid_t pid, const char *name)
{
	char path[64], line[256];
	long kib = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			kib = strtol(line + strlen(name), NULL, 10);
	fclose(file);
	return kib;
}

static void a_keeper_has_next_to_no_memory_of_its_own(void **state)
{
	char *blocks[HEAP_BLOCKS];
	struct berth_child child;
	struct berth_child_end end;
	int stopped;
	long kib;

	(void)state;
#ifdef WITH_ASAN
	skip(); /* its bookkeeping is the memory of each process */
#endif
	for (size_t i = 0; i < HEAP_BLOCKS; i++) {
		blocks[i] = malloc(100);
		assert_non_null(blocks[i]);
		memset(blocks[i], 1, 100);
	}
	child = start_shell("kill -STOP $$");
	assert_int_equal(next(&child, &end, &stopped), BERTH_CHILD_STOPPED);
	/* Told after its memory was given back. */
	for (size_t i = 0; i < HEAP_BLOCKS; i++)
		memset(blocks[i], 2, 100);
	kib = memory_kib(child.keeper.pid, "Private_Dirty:");
	print_message("private: %ld KiB, share: %ld KiB\n", kib,
		      memory_kib(child.keeper.pid, "Pss:"));
	assert_true(kib >= 0 && kib <= PRIVATE_KIB_MAX);
	assert_int_equal(berth_child_signal(child.pidfd, SIGCONT), 0);
	assert_int_equal(finish(&child).status, 0);
	for (size_t i = 0; i < HEAP_BLOCKS; i++)
		free(blocks[i]);
}

static void fifty_keepers_at_once_are_told_apart(void **state)
{
	struct berth_child children[KEEPERS];
	int in[2], before = open_fd_count();

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	for (int i = 0; i < KEEPERS; i++) {
		char script[64];
		struct berth_child_spec spec = spec_of(SHELL(script));

		snprintf(script, sizeof(script), "read line; exit %d", i);
		spec.stdin_fd = in[0];
		children[i] = start(&spec);
	}
	for (int i = 0; i < KEEPERS; i++) {
		struct berth_tree tree;

		assert_int_equal(berth_tree_load(children[i].keeper.pid, NULL, &tree), 0);
		assert_int_equal(tree.count, 1);
		assert_int_equal(tree.procs[0].id.pid, children[i].pid);
		berth_tree_deinit(&tree);
	}
	close(in[0]);
	close(in[1]);
	for (int i = 0; i < KEEPERS; i++) {
		struct berth_child_end end = { 0 };
		int stopped;

		assert_int_equal(next(&children[i], &end, &stopped), BERTH_CHILD_ENDED);
		assert_int_equal(end.status, i);
		assert_int_equal(next(&children[i], &end, &stopped), BERTH_CHILD_UNKEPT);
		assert_int_equal(waitpid(children[i].keeper.pid, NULL, 0), children[i].keeper.pid);
		berth_child_deinit(&children[i]);
	}
	assert_int_equal(open_fd_count(), before);
	assert_no_children();
}

/* What whoever started the tests has left open is not what they are about. */
static void keep_to_ourselves(void)
{
	for (int fd = 3; fd < 256; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_end_of_a_kept_command_is_told_whichever_way_it_ends),
		cmocka_unit_test(
			a_kept_command_is_a_child_of_its_keeper_in_the_group_that_it_asked_for),
		cmocka_unit_test(a_stop_is_told_with_its_signal_and_the_end_after_it),
		cmocka_unit_test(an_orphan_hangs_below_its_own_keeper_and_is_reaped_in_silence),
		cmocka_unit_test(the_children_of_a_keeper_that_was_killed_are_ours),
		cmocka_unit_test(a_keeper_that_is_killed_at_its_start_holds_nobody_up),
		cmocka_unit_test(a_keeper_and_its_command_go_with_the_supervisor),
		cmocka_unit_test(a_kept_start_that_fails_says_where_and_leaves_nothing),
		cmocka_unit_test(a_command_whose_descriptors_find_no_room_does_not_run),
		cmocka_unit_test(a_filter_of_a_kept_command_comes_with_its_descriptor),
		cmocka_unit_test(a_keeper_has_next_to_no_memory_of_its_own),
		cmocka_unit_test(fifty_keepers_at_once_are_told_apart),
	};

	keep_to_ourselves();
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
