/* SPDX-License-Identifier: MIT */
/* unit/os/test-procfs.c - /proc of real processes, and the parser of stat as a table */
#include "os/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/procsock.h"

enum {
	NOBODY = 65534
};

static const char stat_tail[] =
	" S 1 100 99 0 -1 4194304 1 0 0 0 3 4 -1 -2 20 -5 2 0 777 1000 20 18446744073709551615\n";

static int parse_with_name(const char *name, struct berth_proc_stat *ret_stat)
{
	char text[512];
	int len = snprintf(text, sizeof(text), "4711 (%s)%s", name, stat_tail);

	return berth_procfs_parse_stat(text, (size_t)len, ret_stat);
}

static void any_name_is_read_from_stat(void **state)
{
	static const struct {
		const char *name, *comm;
	} rows[] = {
		{ "node", "node" },
		{ "", "" },
		{ "a b", "a b" },
		{ ")", ")" },
		{ "(", "(" },
		{ "((", "((" },
		{ "x) Z 1 1 1 (y", "x) Z 1 1 1 (y" },
		{ "a) R 0", "a) R 0" },
		{ "a\nb\x01\xff", "a\nb\x01\xff" },
		{ "kworker/u8:2-events_unbound_and_more_text", "kworker/u8:2-events_unbound_and" },
	};
	struct berth_proc_stat stat;

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		assert_int_equal(parse_with_name(rows[i].name, &stat), 0);
		assert_string_equal(stat.comm, rows[i].comm);
		assert_int_equal(stat.id.pid, 4711);
		assert_int_equal(stat.id.start_ticks, 777);
		assert_int_equal(stat.ppid, 1);
		assert_int_equal(stat.pgrp, 100);
		assert_int_equal(stat.session, 99);
		assert_int_equal(stat.threads, 2);
		assert_int_equal(stat.state, 'S');
		assert_false(stat.exiting);
	}
}

static void what_is_no_stat_is_refused_and_changes_nothing(void **state)
{
	static const char *const rows[] = {
		"",
		"1",
		"1 (",
		"1 ()",
		"1 )(",
		"(a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
		" (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
		"0 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
		"-1 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
		"x (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
		"2147483648 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
		"99999999999999999999 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
		"1 (a) S",
		"1 (a)S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
		"1 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18",
		"1 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 ",
		"1 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 -5",
		"1 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 -2 18 19",
		"1 (a) S 1 2 x 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
		"1 (a) S 1 2 - 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
		"1 (a) S  1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
		"1 (a) S 4294967297 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
		"1 (a) S -2 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
		"1 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 99999999999999999999 20",
	};
	struct berth_proc_stat stat, before;

	(void)state;
	memset(&stat, 0x5a, sizeof(stat));
	before = stat;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		assert_int_equal(berth_procfs_parse_stat(rows[i], strlen(rows[i]), &stat), -EINVAL);
		assert_memory_equal(&stat, &before, sizeof(stat));
	}
}

static void a_process_that_ends_may_have_lost_its_group(void **state)
{
	const char *text = "5 (a) X 0 -1 -1 0 -1 5 0 0 0 0 0 0 0 0 20 0 1 0 31 0 0";
	struct berth_proc_stat stat;

	(void)state;
	assert_int_equal(berth_procfs_parse_stat(text, strlen(text), &stat), 0);
	assert_int_equal(stat.pgrp, -1);
	assert_int_equal(stat.session, -1);
	assert_int_equal(stat.id.start_ticks, 31);
	assert_true(stat.exiting);
}

/*
 * A child that says READY over a pipe once @body has run, and ends when the test closes the other
 * one.
 */
struct child {
	pid_t pid;
	int ready, go;
};

static struct child start_child(void (*body)(void *arg), void *arg)
{
	int ready[2], go[2];
	struct child child;
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		close(go[1]);
		if (body)
			body(arg);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		_exit(read(go[0], &byte, 1) == 0 ? 7 : 1);
	}
	close(ready[1]);
	close(go[0]);
	child.ready = ready[0];
	child.go = go[1];
	assert_int_equal(read(child.ready, &byte, 1), 1);
	return child;
}

static void end_child(struct child *child)
{
	int status;

	close(child->go);
	close(child->ready);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void take_hostile_name(void *arg)
{
	(void)arg;
	prctl(PR_SET_NAME, "x) Z 1 (\n\\y");
	setsid();
}

static void stat_tells_of_a_child_with_a_hostile_name(void **state)
{
	struct child child = start_child(take_hostile_name, NULL);
	struct berth_proc_stat stat;

	(void)state;
	assert_int_equal(berth_procfs_stat(child.pid, &stat), 0);
	assert_int_equal(stat.id.pid, child.pid);
	assert_int_equal(stat.ppid, getpid());
	assert_int_equal(stat.pgrp, child.pid);
	assert_int_equal(stat.session, child.pid);
	assert_int_equal(stat.threads, 1);
	assert_string_equal(stat.comm, "x) Z 1 (\n\\y");
	assert_true(stat.state == 'S' || stat.state == 'R');
	assert_true(stat.id.start_ticks > 0);
	end_child(&child);
	assert_int_equal(berth_procfs_stat(child.pid, &stat), -ESRCH);
	assert_int_equal(berth_procfs_stat(0, &stat), -ESRCH);
	assert_int_equal(berth_procfs_stat(-1, &stat), -ESRCH);
}

static void alive_is_only_the_very_same_process_until_it_is_a_zombie(void **state)
{
	struct child child = start_child(NULL, NULL);
	struct berth_proc_stat stat;
	struct berth_proc_id other;
	siginfo_t info;

	(void)state;
	assert_int_equal(berth_procfs_stat(child.pid, &stat), 0);
	assert_true(berth_procfs_is_alive(&stat.id));
	other = stat.id;
	other.start_ticks++;
	assert_false(berth_procfs_is_alive(&other));
	other = (struct berth_proc_id){ 0 };
	assert_false(berth_procfs_is_alive(&other));

	assert_int_equal(kill(child.pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(berth_procfs_stat(child.pid, &stat), 0);
	assert_int_equal(stat.state, 'Z');
	assert_false(berth_procfs_is_alive(&stat.id));
	assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
	assert_false(berth_procfs_is_alive(&stat.id));
	close(child.go);
	close(child.ready);
}

struct leaderless {
	int ready, go;
};

static void *outlive_leader(void *arg)
{
	struct leaderless *pipes = arg;
	struct berth_proc_stat stat;
	char byte;

	while (berth_procfs_stat(getpid(), &stat) == 0 && stat.state != 'Z')
		sched_yield();
	if (write(pipes->ready, "r", 1) != 1)
		_exit(1);
	_exit(read(pipes->go, &byte, 1) == 0 ? 7 : 1);
}

/*
 * A service whose main thread called pthread_exit(): state Z, descriptors in its other threads
 * only.
 */
static void a_process_without_its_leading_thread_lives_and_shows_its_sockets(void **state)
{
	struct berth_procsock found[4];
	struct berth_proc_stat stat;
	int ready[2], go[2], fd, status;
	struct stat st;
	uint64_t inode;
	size_t count = 0;
	char byte;
	pid_t pid;

	(void)state;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(fstat(fd, &st), 0);
	inode = st.st_ino;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct leaderless pipes = { .ready = ready[1], .go = go[0] };
		pthread_t thread;

		close(go[1]);
		alarm(30);
		if (pthread_create(&thread, NULL, outlive_leader, &pipes))
			_exit(1);
		syscall(SYS_exit, 0);
	}
	close(fd);
	close(ready[1]);
	close(go[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);

	assert_int_equal(berth_procfs_stat(pid, &stat), 0);
	assert_int_equal(stat.state, 'Z');
	assert_true(stat.threads > 1);
	assert_true(berth_procfs_is_alive(&stat.id));
	assert_int_equal(berth_procsock_find(&inode, 1, &pid, 1, found, 4, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(found[0].pid, pid);
	assert_int_equal(found[0].inode, inode);
	assert_int_equal(found[0].fd, fd);

	close(go[1]);
	close(ready[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void *wait_for_end(void *arg)
{
	struct leaderless *pipes = arg;
	pid_t tid = (pid_t)syscall(SYS_gettid);
	char byte;

	assert_int_equal(write(pipes->ready, &tid, sizeof(tid)), sizeof(tid));
	assert_int_equal(read(pipes->go, &byte, 1), 0);
	return NULL;
}

static void status_knows_the_process_of_a_thread(void **state)
{
	struct berth_proc_status status = { 0 };
	int ready[2], go[2];
	struct leaderless pipes;
	pthread_t thread;
	pid_t tid = 0;

	(void)state;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pipes = (struct leaderless){ .ready = ready[1], .go = go[0] };
	assert_int_equal(pthread_create(&thread, NULL, wait_for_end, &pipes), 0);
	assert_int_equal(read(ready[0], &tid, sizeof(tid)), sizeof(tid));
	assert_true(tid != getpid());
	assert_int_equal(berth_procfs_status(tid, &status), 0);
	assert_int_equal(status.tgid, getpid());
	assert_int_equal(status.uid, geteuid());
	close(go[1]);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(go[0]);
	close(ready[0]);
	close(ready[1]);
	assert_int_equal(berth_procfs_status(0, &status), -ESRCH);
}

static void pose_as_root(void *arg)
{
	(void)arg;
	prctl(PR_SET_NAME, "x\nUid:\t1 1 1\n");
}

static void a_name_can_not_forge_a_line_of_status(void **state)
{
	struct child child = start_child(pose_as_root, NULL);
	struct berth_proc_status status = { 0 };

	(void)state;
	assert_int_equal(berth_procfs_status(child.pid, &status), 0);
	assert_int_equal(status.uid, geteuid());
	assert_int_equal(status.tgid, child.pid);
	end_child(&child);
}

/* 3,000 groups make a line of some 20 KB, in front of the capabilities. */
static void join_many_groups(void *arg)
{
	gid_t groups[3000];

	(void)arg;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(groups); i++)
		groups[i] = (gid_t)(1000000 + i);
	if (syscall(SYS_setgroups, BERTH_ARRAY_SIZE(groups), groups) < 0)
		_exit(1);
}

static void status_reads_past_very_long_lines(void **state)
{
	struct berth_proc_status own = { 0 }, status = { 0 };
	struct child child;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root may set groups\n");
		skip();
	}
	assert_int_equal(berth_procfs_status(getpid(), &own), 0);
	assert_true(own.cap_eff != 0);
	child = start_child(join_many_groups, NULL);
	assert_int_equal(berth_procfs_status(child.pid, &status), 0);
	assert_int_equal(status.uid, 0);
	assert_int_equal(status.tgid, child.pid);
	assert_int_equal(status.cap_eff, own.cap_eff);
	end_child(&child);
}

static void the_boot_id_is_one_of_36_characters(void **state)
{
	char id[37], again[37];

	(void)state;
	assert_int_equal(berth_procfs_boot_id(id), 0);
	assert_int_equal(strlen(id), 36);
	assert_int_equal(strspn(id, "0123456789abcdef-"), 36);
	assert_int_equal(berth_procfs_boot_id(again), 0);
	assert_string_equal(id, again);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void the_start_is_a_time_of_day(void **state)
{
	int64_t before = now_ms(), started;
	struct child child = start_child(NULL, NULL);
	struct berth_proc_stat stat;

	(void)state;
	assert_int_equal(berth_procfs_stat(child.pid, &stat), 0);
	started = berth_procfs_start_ms(stat.id.start_ticks);
	/* A tick is 10 ms, and rounded down. */
	assert_true(started >= before - 30);
	assert_true(started <= now_ms() + 10);
	/* A damaged record must not end us. */
	(void)berth_procfs_start_ms(UINT64_MAX);
	end_child(&child);
}

static pid_t start_cat(const char *const *argv, const char *const *envp, int *ret_in, int *ret_out)
{
	int in[2], out[2];
	pid_t pid;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(2); /* "a b" is no file */
		execve("/bin/cat", (char *const *)argv, (char *const *)envp);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	*ret_in = in[1];
	*ret_out = out[0];
	return pid;
}

static void the_command_line_and_environment_are_those_of_exec(void **state)
{
	const char *const argv[] = { "cat", "-", "a b", "", NULL };
	const char *const envp[] = { "BERTH_ID=7f3k2m", "X=1", "EMPTY=", "LAST=yes", NULL };
	static const struct {
		const char *assignment;
		bool has;
	} rows[] = {
		{ "BERTH_ID=7f3k2m", true },
		{ "BERTH_ID=7f3k2", false },
		{ "BERTH_ID=7f3k2mm", false },
		{ "ERTH_ID=7f3k2m", false },
		{ "X=1", true },
		{ "LAST=yes", true },
		{ "EMPTY=", true },
		{ "LAST=yesX", false },
		{ "1", false },
		{ "", false },
	};
	char buf[64] = "x", small[8], byte = 'b';
	int in, out, status;
	size_t len = 0;
	bool has;
	pid_t pid = start_cat(argv, envp, &in, &out);

	(void)state;
	/* The byte comes back: it has exec()ed, and is in its loop. */
	assert_int_equal(write(in, "x", 1), 1);
	assert_int_equal(read(out, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(berth_procfs_cmdline(pid, buf, sizeof(buf), &len), 0);
	assert_int_equal(len, sizeof("cat\0-\0a b\0") - 1);
	assert_memory_equal(buf, "cat\0-\0a b\0\0", len + 2);
	assert_int_equal(berth_procfs_cmdline(pid, small, sizeof(small), &len), 0);
	assert_int_equal(len, 7);
	assert_memory_equal(small, "cat\0-\0a\0", 8);
	assert_int_equal(berth_procfs_cmdline(pid, small, 0, &len), -EINVAL);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		has = !rows[i].has;
		assert_int_equal(berth_procfs_environ_has(pid, rows[i].assignment, &has), 0);
		assert_int_equal(has, rows[i].has);
	}
	close(in);
	close(out);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(berth_procfs_cmdline(pid, buf, sizeof(buf), &len), -ESRCH);
	assert_int_equal(berth_procfs_environ_has(pid, "X=1", &has), -ESRCH);
}

static void an_assignment_is_found_across_blocks_of_reading(void **state)
{
	static char filler[4096];
	const char *const argv[] = { "cat", NULL };
	char byte;
	bool has;

	(void)state;
	/* The mark begins at each offset around the edge of a block. */
	for (size_t shift = 0; shift < 20; shift += 3) {
		const char *const envp[] = { filler, "BERTH_ID=7f3k2m", "Z=", NULL };
		int in, out;
		pid_t pid;

		memset(filler, 'f', sizeof(filler));
		filler[4096 - 18 + shift > 4095 ? 4095 : 4096 - 18 + shift] = '\0';
		pid = start_cat(argv, envp, &in, &out);
		assert_int_equal(write(in, "x", 1), 1);
		assert_int_equal(read(out, &byte, 1), 1);
		has = false;
		assert_int_equal(berth_procfs_environ_has(pid, "BERTH_ID=7f3k2m", &has), 0);
		assert_true(has);
		close(in);
		close(out);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
}

static void a_zombie_has_no_command_line(void **state)
{
	struct child child = start_child(NULL, NULL);
	char buf[16] = "x";
	siginfo_t info;
	size_t len = 9;

	(void)state;
	kill(child.pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(berth_procfs_cmdline(child.pid, buf, sizeof(buf), &len), 0);
	assert_int_equal(len, 0);
	assert_string_equal(buf, "");
	assert_int_equal(berth_procfs_cwd(child.pid, buf, sizeof(buf)), -ESRCH);
	assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
	close(child.go);
	close(child.ready);
}

static void go_to(void *arg)
{
	if (chdir(arg) < 0)
		_exit(1);
}

static void the_working_folder_is_told_or_too_long(void **state)
{
	char folder[] = "/tmp/berth-test-XXXXXX", expected[64], buf[64], tight[8];
	struct child child;

	(void)state;
	assert_non_null(mkdtemp(folder));
	child = start_child(go_to, folder);
	assert_int_equal(berth_procfs_cwd(child.pid, buf, sizeof(buf)), 0);
	assert_string_equal(buf, folder);
	assert_int_equal(berth_procfs_cwd(child.pid, tight, sizeof(tight)), -ENAMETOOLONG);
	assert_int_equal(berth_procfs_cwd(child.pid, buf, strlen(folder)), -ENAMETOOLONG);
	assert_int_equal(berth_procfs_cwd(child.pid, buf, strlen(folder) + 1), 0);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(berth_procfs_cwd(child.pid, buf, sizeof(buf)), 0);
	snprintf(expected, sizeof(expected), "%s (deleted)", folder);
	assert_string_equal(buf, expected);
	end_child(&child);
	assert_int_equal(berth_procfs_cwd(child.pid, buf, sizeof(buf)), -ESRCH);
}

static void the_wait_channel_is_text_or_empty(void **state)
{
	struct child child = start_child(NULL, NULL);
	char buf[64] = "0", one[1] = "x";

	(void)state;
	assert_int_equal(berth_procfs_wchan(child.pid, buf, sizeof(buf)), 0);
	assert_string_not_equal(buf, "0");
	assert_int_equal(berth_procfs_wchan(child.pid, one, 1), 0);
	assert_int_equal(one[0], '\0');
	end_child(&child);
	assert_int_equal(berth_procfs_wchan(child.pid, buf, sizeof(buf)), -ESRCH);
}

struct each_seen {
	pid_t wanted, last;
	bool found, ordered;
	int calls;
};

static int look_at(pid_t pid, void *arg)
{
	struct each_seen *seen = arg;

	seen->calls++;
	seen->found |= pid == seen->wanted;
	seen->ordered &= pid > seen->last;
	seen->last = pid;
	return 0;
}

static int stop_at_once(pid_t pid, void *arg)
{
	(void)pid;
	(*(int *)arg)++;
	return 42;
}

static void each_process_is_seen_once_in_order(void **state)
{
	struct child child = start_child(NULL, NULL);
	struct each_seen seen = { .wanted = child.pid, .ordered = true };
	pid_t *pids = NULL;
	size_t count = 0, listed = 0;
	int calls = 0;

	(void)state;
	assert_int_equal(berth_procfs_each(look_at, &seen), 0);
	assert_true(seen.found);
	assert_true(seen.ordered);
	assert_true(seen.calls > 1);
	assert_int_equal(berth_procfs_each(stop_at_once, &calls), 42);
	assert_int_equal(calls, 1);

	assert_int_equal(berth_procfs_load_pids(&pids, &count), 0);
	for (size_t i = 0; i < count; i++) {
		assert_true(i == 0 || pids[i] > pids[i - 1]);
		listed += pids[i] == child.pid;
	}
	assert_int_equal(listed, 1);
	free(pids);
	end_child(&child);
}

/* In a child, since there is no way back. The exit status tells the line that failed. */
#define CHECK_IN_CHILD(condition) \
	do { \
		if (!(condition)) \
			_exit(1); \
	} while (0)

static void look_at_a_stranger(pid_t stranger)
{
	char buf[64];
	bool has;

	CHECK_IN_CHILD(berth_procfs_cwd(stranger, buf, sizeof(buf)) == -EACCES);
	CHECK_IN_CHILD(berth_procfs_environ_has(stranger, "A=1", &has) == -EACCES);
	_exit(7);
}

static void a_stranger_is_closed_to_us(void **state)
{
	pid_t parent = getpid(), child;
	int status;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can become somebody else\n");
		skip();
	}
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		CHECK_IN_CHILD(syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0);
		look_at_a_stranger(parent);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_name_is_read_from_stat),
		cmocka_unit_test(what_is_no_stat_is_refused_and_changes_nothing),
		cmocka_unit_test(a_process_that_ends_may_have_lost_its_group),
		cmocka_unit_test(stat_tells_of_a_child_with_a_hostile_name),
		cmocka_unit_test(alive_is_only_the_very_same_process_until_it_is_a_zombie),
		cmocka_unit_test(a_process_without_its_leading_thread_lives_and_shows_its_sockets),
		cmocka_unit_test(status_knows_the_process_of_a_thread),
		cmocka_unit_test(a_name_can_not_forge_a_line_of_status),
		cmocka_unit_test(status_reads_past_very_long_lines),
		cmocka_unit_test(the_boot_id_is_one_of_36_characters),
		cmocka_unit_test(the_start_is_a_time_of_day),
		cmocka_unit_test(the_command_line_and_environment_are_those_of_exec),
		cmocka_unit_test(an_assignment_is_found_across_blocks_of_reading),
		cmocka_unit_test(a_zombie_has_no_command_line),
		cmocka_unit_test(the_working_folder_is_told_or_too_long),
		cmocka_unit_test(the_wait_channel_is_text_or_empty),
		cmocka_unit_test(each_process_is_seen_once_in_order),
		cmocka_unit_test(a_stranger_is_closed_to_us),
	};

	/* A socket of a test that failed must not live on in the children of the next ones. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
