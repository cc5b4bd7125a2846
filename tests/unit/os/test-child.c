/* SPDX-License-Identifier: MIT */
/* unit/os/test-child.c - programs started as the specification says, or not at all */
#include "os/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "os/procfs.h"

enum {
	DEADLINE_MS = 10000,
	OUTPUT_MAX = 4096,
};

#define SHELL(script) ((const char *const[]){ "sh", "-c", script, NULL })
#define ENVIRONMENT(...) ((const char *const[]){ "PATH=/usr/bin:/bin", __VA_ARGS__, NULL })

static const char *const plain_environment[] = { "PATH=/usr/bin:/bin", NULL };

static struct berth_child_spec spec_of(const char *const *argv)
{
	return (struct berth_child_spec){
		.argv = argv,
		.envp = plain_environment,
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.cgroup_fd = -1,
	};
}

static int open_fd_count(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void wait_for_end(int pidfd)
{
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

	assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
}

static int finish(struct berth_child *child)
{
	int status;

	wait_for_end(child->pidfd);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	berth_child_deinit(child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void read_all(int fd, char buf[OUTPUT_MAX])
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n;

	do {
		assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
		n = read(fd, buf + len, OUTPUT_MAX - 1 - len);
		assert_true(n >= 0);
		len += (size_t)n;
	} while (n > 0);
	buf[len] = '\0';
}

/* Its standard output, and *ret_pid. */
static void run(struct berth_child_spec spec, char buf[OUTPUT_MAX], pid_t *ret_pid)
{
	enum berth_child_stage stage = BERTH_CHILD_EXEC;
	struct berth_child child;
	int out[2];

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	spec.stdout_fd = out[1];
	assert_int_equal(berth_child_start(&spec, &child, &stage), 0);
	assert_true(fcntl(child.pidfd, F_GETFD) & FD_CLOEXEC);
	close(out[1]);
	read_all(out[0], buf);
	close(out[0]);
	*ret_pid = child.pid;
	assert_int_equal(finish(&child), 0);
}

static void assert_prints(struct berth_child_spec spec, const char *expected)
{
	char buf[OUTPUT_MAX];
	pid_t pid;

	run(spec, buf, &pid);
	assert_string_equal(buf, expected);
}

static void a_program_gets_its_folder_and_its_environment(void **state)
{
	struct berth_child_spec spec = spec_of(SHELL("pwd; echo $A; echo ${HOME-none}"));

	(void)state;
	spec.cwd = "/usr";
	spec.envp = ENVIRONMENT("A=b c");
	assert_prints(spec, "/usr\nb c\nnone\n");
}

static void a_program_is_looked_up_in_the_path_that_it_gets(void **state)
{
	struct berth_child_spec spec = spec_of((const char *const[]){ "berth-test-program", NULL });
	char folder[] = "/tmp/berth-test-XXXXXX", path[64], variable[64];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/berth-test-program", folder);
	snprintf(variable, sizeof(variable), "PATH=%s", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "#!/bin/sh\necho found\n", 21), 21);
	close(fd);
	spec.envp = (const char *const[]){ variable, NULL };
	assert_prints(spec, "found\n");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void all_three_streams_are_moved(void **state)
{
	struct berth_child_spec spec = spec_of(SHELL("cat; echo error >&2"));
	enum berth_child_stage stage;
	struct berth_child child;
	char buf[OUTPUT_MAX];
	int in[2], both[2];

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(both, O_CLOEXEC), 0);
	spec.stdin_fd = in[0];
	spec.stdout_fd = spec.stderr_fd = both[1];
	assert_int_equal(berth_child_start(&spec, &child, &stage), 0);
	assert_int_equal(child.notify_fd, -1);
	close(in[0]);
	close(both[1]);
	assert_int_equal(write(in[1], "input\n", 6), 6);
	close(in[1]);
	read_all(both[0], buf);
	close(both[0]);
	assert_string_equal(buf, "input\nerror\n");
	assert_int_equal(finish(&child), 0);
}

static void nothing_is_inherited_but_what_was_passed(void **state)
{
	struct berth_child_spec spec =
		spec_of((const char *const[]){ "ls", "/proc/self/fd", NULL });
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	/* the last one is of ls itself */
	assert_prints(spec, "0\n1\n2\n3\n");
	spec.pass_fds[0] = fds[0];
	spec.pass_fds[1] = fds[1];
	spec.pass_count = 2;
	assert_prints(spec, "0\n1\n2\n3\n4\n5\n");
	close(fds[0]);
	close(fds[1]);
}

static void passed_descriptors_come_in_order_even_where_they_lie_in_the_way(void **state)
{
	struct berth_child_spec spec =
		spec_of(SHELL("echo first >&3; echo second >&4; echo third >&5"));
	static const char *const expected[] = { "first\n", "second\n", "third\n" };
	enum berth_child_stage stage;
	struct berth_child child;
	char buf[OUTPUT_MAX];
	int ends[3][2];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pipe2(ends[i], O_CLOEXEC), 0);
	/* The lowest numbers there are, and each in another one's place. */
	for (size_t i = 0; i < 3; i++)
		spec.pass_fds[i] = ends[(i + 1) % 3][1];
	spec.pass_count = 3;
	assert_int_equal(berth_child_start(&spec, &child, &stage), 0);
	for (size_t i = 0; i < 3; i++) {
		int from = ends[(i + 1) % 3][0];

		close(ends[(i + 1) % 3][1]);
		read_all(from, buf);
		assert_string_equal(buf, expected[i]);
		close(from);
	}
	assert_int_equal(finish(&child), 0);
}

static void who_gets_sockets_is_told_its_own_pid(void **state)
{
	struct berth_child_spec spec = spec_of(SHELL("echo $LISTEN_PID:$LISTEN_FDS:$$"));
	char room[] = "LISTEN_PID=          ", buf[OUTPUT_MAX], expected[64];
	int fds[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	spec.envp = ENVIRONMENT("LISTEN_FDS=1", room);
	spec.pass_fds[0] = fds[0];
	spec.pass_count = 1;
	run(spec, buf, &pid);
	snprintf(expected, sizeof(expected), "%d:1:%d\n", pid, pid);
	assert_string_equal(buf, expected);
	/* Ours is as it was. */
	assert_string_equal(room, "LISTEN_PID=          ");
	close(fds[0]);
	close(fds[1]);
}

/* Starts a cat that lives until its input ends, and looks at it meanwhile. */
static struct berth_proc_stat look_at(struct berth_child_spec spec)
{
	static const char *const argv[] = { "cat", NULL };
	enum berth_child_stage stage;
	struct berth_proc_stat stat;
	struct berth_child child;
	int in[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	spec.argv = argv;
	spec.stdin_fd = in[0];
	assert_int_equal(berth_child_start(&spec, &child, &stage), 0);
	assert_int_equal(berth_procfs_stat(child.pid, &stat), 0);
	close(in[0]);
	close(in[1]);
	assert_int_equal(finish(&child), 0);
	return stat;
}

static void a_program_joins_our_group_or_another_or_begins_a_session(void **state)
{
	struct berth_child_spec spec = spec_of(NULL);
	struct berth_proc_stat stat = look_at(spec);
	int hold[2];
	pid_t leader;

	(void)state;
	assert_int_equal(stat.pgrp, getpgrp());
	assert_int_equal(stat.session, getsid(0));
	assert_int_equal(stat.ppid, getpid());

	spec.new_session = true;
	stat = look_at(spec);
	assert_int_equal(stat.session, stat.id.pid);
	assert_int_equal(stat.pgrp, stat.id.pid);

	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	leader = fork();
	if (leader == 0) {
		char byte;

		close(hold[1]);
		_exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
	}
	assert_int_equal(setpgid(leader, leader), 0);
	spec.new_session = false;
	spec.pgrp = leader;
	stat = look_at(spec);
	assert_int_equal(stat.pgrp, leader);
	assert_int_equal(stat.session, getsid(0));
	close(hold[0]);
	close(hold[1]);
	assert_int_equal(waitpid(leader, NULL, 0), leader);
}

static void a_program_begins_with_the_mask_and_the_limit_that_were_meant_for_it(void **state)
{
	/* A shell would clear the mask for its commands. */
	struct berth_child_spec spec =
		spec_of((const char *const[]){ "grep", "SigBlk", "/proc/self/status", NULL });
	sigset_t mine, before, after;

	(void)state;
	sigemptyset(&mine);
	sigaddset(&mine, SIGUSR2);
	assert_int_equal(sigprocmask(SIG_SETMASK, &mine, &before), 0);
	sigemptyset(&spec.signal_mask);
	sigaddset(&spec.signal_mask, SIGUSR1);
	assert_prints(spec, "SigBlk:\t0000000000000200\n");
	spec.argv = SHELL("ulimit -Sn");
	spec.open_files = 128;
	assert_prints(spec, "128\n");
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, &after), 0);
	assert_true(sigismember(&after, SIGUSR2));
	assert_false(sigismember(&after, SIGUSR1));
}

static void a_start_that_fails_says_where_and_leaves_nothing(void **state)
{
	static const struct sock_filter nonsense[] = { { .code = 0xffff } };
	static const struct berth_notify_program broken = {
		(struct sock_filter *)(uintptr_t)nonsense, 1
	};
	const struct {
		const char *what;
		struct berth_child_spec spec;
		int error;
		enum berth_child_stage stage;
	} rows[] = {
		{ "no such program",
		  { .argv = (const char *const[]){ "berth-no-such-program", NULL } },
		  -ENOENT,
		  BERTH_CHILD_EXEC },
		{ "no program",
		  { .argv = (const char *const[]){ "/dev/null", NULL } },
		  -EACCES,
		  BERTH_CHILD_EXEC },
		{ "no path",
		  { .argv = (const char *const[]){ "", NULL } },
		  -ENOENT,
		  BERTH_CHILD_EXEC },
		{ "no folder", { .cwd = "/nonexistent/folder" }, -ENOENT, BERTH_CHILD_CWD },
		{ "a file as the folder", { .cwd = "/proc/self/stat" }, -ENOTDIR, BERTH_CHILD_CWD },
		{ "no such descriptor", { .stdout_fd = 999 }, -EBADF, BERTH_CHILD_STDIO },
		{ "no such descriptor to pass",
		  { .pass_fds = { 999 }, .pass_count = 1 },
		  -EBADF,
		  BERTH_CHILD_STDIO },
		{ "a group of another session", { .pgrp = 1 }, -EPERM, BERTH_CHILD_GROUP },
		{ "a broken filter", { .filter = &broken }, -EINVAL, BERTH_CHILD_FILTER },
		{ "no control group", { .cgroup_fd = 999 }, -EBADF, BERTH_CHILD_FORK },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_child_spec spec = rows[i].spec;
		struct berth_child child = { .pid = 4711 };
		enum berth_child_stage stage = BERTH_CHILD_STDIO;
		int before = open_fd_count(), r;

		if (!spec.argv)
			spec.argv = SHELL("exit 0");
		spec.envp = plain_environment;
		spec.stdin_fd = spec.stderr_fd = -1;
		spec.stdout_fd = spec.stdout_fd ? spec.stdout_fd : -1;
		spec.cgroup_fd = spec.cgroup_fd ? spec.cgroup_fd : -1;
		r = berth_child_start(&spec, &child, &stage);
		if (r != rows[i].error || stage != rows[i].stage)
			fail_msg("%s: %s at stage %d", rows[i].what, strerror(-r), (int)stage);
		assert_int_equal(child.pid, 4711);
		assert_int_equal(open_fd_count(), before);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		assert_int_equal(errno, ECHILD);
	}
}

static void a_filter_comes_with_its_descriptor_and_ends_with_the_program(void **state)
{
	struct berth_child_spec spec = spec_of((const char *const[]){ "cat", NULL });
	struct berth_notify_program program;
	struct berth_proc_status own, status;
	enum berth_child_stage stage;
	struct berth_child child;
	struct pollfd poll_fd;
	int in[2];

	(void)state;
	assert_int_equal(berth_notify_program_new(true, &program), 0);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	spec.stdin_fd = in[0];
	spec.filter = &program;
	assert_int_equal(berth_child_start(&spec, &child, &stage), 0);
	berth_notify_program_deinit(&program);
	close(in[0]);
	assert_true(child.notify_fd >= 0);
	assert_true(fcntl(child.notify_fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(berth_procfs_status(getpid(), &own), 0);
	assert_int_equal(berth_procfs_status(child.pid, &status), 0);
	assert_int_equal(status.seccomp_filters, own.seccomp_filters + 1);
	poll_fd = (struct pollfd){ .fd = child.notify_fd, .events = POLLIN };
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	close(in[1]);
	assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
	assert_true(poll_fd.revents & POLLHUP);
	assert_int_equal(finish(&child), 0);
	assert_int_equal(child.pidfd, -1);
	assert_int_equal(child.notify_fd, -1);
	berth_child_deinit(NULL);
}

/* A parent that dies takes the program along; its output tells that it has gone. */
static void a_program_ends_with_its_parent_where_that_was_asked(void **state)
{
	struct berth_child_spec spec = spec_of((const char *const[]){ "cat", NULL });
	struct pollfd poll_fd;
	char byte;
	int in[2], out[2], ready[2];
	pid_t parent;

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	spec.stdin_fd = in[0];
	spec.stdout_fd = out[1];
	spec.parent_death_signal = SIGKILL;
	parent = fork();
	if (parent == 0) {
		enum berth_child_stage stage;
		struct berth_child child;

		if (berth_child_start(&spec, &child, &stage) < 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(out[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	poll_fd = (struct pollfd){ .fd = out[0], .events = POLLIN };
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	assert_int_equal(kill(parent, SIGKILL), 0);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
	assert_int_equal(read(out[0], &byte, 1), 0);
	close(out[0]);
	close(ready[0]);
	close(in[0]);
	close(in[1]);
}

/* Docker's profile. In a process of its own: a filter stays. */
static void where_there_is_no_clone3_all_goes_without_it(void **state)
{
	static const int answers[] = { ENOSYS, EPERM };
	int status;
	pid_t pid;

	(void)state;
	for (size_t i = 0; i < 2 * BERTH_ARRAY_SIZE(answers); i++) {
		pid = fork();
		if (pid == 0) {
			scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
			struct berth_child_spec spec = spec_of(SHELL("exit 7"));
			struct berth_child_end end = { 0 };
			enum berth_child_stage stage;
			struct berth_child child;
			siginfo_t info = { 0 };

			spec.keep = i % 2;
			if (!ctx ||
			    seccomp_rule_add(ctx, SCMP_ACT_ERRNO((uint16_t)answers[i / 2]),
					     SCMP_SYS(clone3), 0) ||
			    seccomp_load(ctx) || berth_child_start(&spec, &child, &stage) < 0)
				_exit(1);
			/* A keeper may have reaped it by now: a pidfd is there all the same. */
			if (child.pidfd < 0 ||
			    waitid(P_PIDFD, (id_t)(spec.keep ? child.keeper.pidfd : child.pidfd),
				   &info, WEXITED) < 0)
				_exit(2);
			end = berth_child_end_of(&info);
			if (spec.keep &&
			    berth_child_keeper_next(&child, &end, &status) != BERTH_CHILD_ENDED)
				_exit(3);
			spec.cgroup_fd = 999; /* there is no other way into one */
			_exit(berth_child_start(&spec, &child, &stage) == -answers[i / 2]
				      ? berth_child_end_exit(&end)
				      : 4);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 7);
	}
}

static void an_end_reads_as_a_shell_would_say_it(void **state)
{
	static const struct {
		siginfo_t info;
		struct berth_child_end end;
		int exit;
	} rows[] = {
		{ { .si_code = CLD_EXITED }, { .status = 0 }, 0 },
		{ { .si_code = CLD_EXITED }, { .status = 3 }, 3 },
		{ { .si_code = CLD_KILLED },
		  { .by_signal = true, .status = SIGTERM },
		  128 + SIGTERM },
		{ { .si_code = CLD_DUMPED },
		  { .by_signal = true, .core = true, .status = SIGABRT },
		  128 + SIGABRT },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		siginfo_t info = rows[i].info;
		struct berth_child_end end;

		info.si_status = rows[i].end.status;
		end = berth_child_end_of(&info);
		assert_int_equal(end.by_signal, rows[i].end.by_signal);
		assert_int_equal(end.core, rows[i].end.core);
		assert_int_equal(end.status, rows[i].end.status);
		assert_int_equal(berth_child_end_exit(&end), rows[i].exit);
	}
}

static void children_are_reaped_one_by_one(void **state)
{
	struct berth_child_end end = { .status = 99 };
	int pidfd = -1, hold[2];
	pid_t pid, reaped = 99;
	char byte;

	(void)state;
	assert_int_equal(berth_child_reap(&reaped, &end), -ECHILD);
	assert_int_equal(reaped, 99);
	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	pid = berth_child_fork(&pidfd);
	if (pid == 0) {
		close(hold[1]);
		_exit(read(hold[0], &byte, 1) == 0 ? 7 : 1);
	}
	assert_true(pid > 0);
	assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(berth_child_reap(&reaped, &end), 0);
	assert_int_equal(reaped, 0);
	assert_int_equal(end.status, 99);
	close(hold[0]);
	close(hold[1]);
	wait_for_end(pidfd);
	assert_int_equal(berth_child_reap(&reaped, &end), 0);
	assert_int_equal(reaped, pid);
	assert_false(end.by_signal);
	assert_int_equal(end.status, 7);
	assert_int_equal(berth_child_reap(&reaped, &end), -ECHILD);
	assert_int_equal(berth_child_signal(pidfd, SIGTERM), -ESRCH);
	assert_int_equal(berth_child_open(pid), -ESRCH);
	close(pidfd);
}

static void a_signal_goes_to_whom_the_descriptor_means(void **state)
{
	struct berth_child_end end;
	int pidfd = -1, again;
	pid_t pid, reaped;

	(void)state;
	pid = berth_child_fork(&pidfd);
	if (pid == 0)
		for (;;)
			pause();
	again = berth_child_open(pid);
	assert_true(again >= 0);
	assert_true(fcntl(again, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(berth_child_signal(again, 0), 0);
	assert_int_equal(berth_child_signal(again, SIGKILL), 0);
	wait_for_end(pidfd);
	assert_int_equal(berth_child_reap(&reaped, &end), 0);
	assert_int_equal(reaped, pid);
	assert_true(end.by_signal);
	assert_int_equal(end.status, SIGKILL);
	assert_int_equal(berth_child_open(-1), -EINVAL);
	close(again);
	close(pidfd);
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
		cmocka_unit_test(a_program_gets_its_folder_and_its_environment),
		cmocka_unit_test(a_program_is_looked_up_in_the_path_that_it_gets),
		cmocka_unit_test(all_three_streams_are_moved),
		cmocka_unit_test(nothing_is_inherited_but_what_was_passed),
		cmocka_unit_test(passed_descriptors_come_in_order_even_where_they_lie_in_the_way),
		cmocka_unit_test(who_gets_sockets_is_told_its_own_pid),
		cmocka_unit_test(a_program_joins_our_group_or_another_or_begins_a_session),
		cmocka_unit_test(
			a_program_begins_with_the_mask_and_the_limit_that_were_meant_for_it),
		cmocka_unit_test(a_start_that_fails_says_where_and_leaves_nothing),
		cmocka_unit_test(a_filter_comes_with_its_descriptor_and_ends_with_the_program),
		cmocka_unit_test(a_program_ends_with_its_parent_where_that_was_asked),
		cmocka_unit_test(where_there_is_no_clone3_all_goes_without_it),
		cmocka_unit_test(an_end_reads_as_a_shell_would_say_it),
		cmocka_unit_test(children_are_reaped_one_by_one),
		cmocka_unit_test(a_signal_goes_to_whom_the_descriptor_means),
	};

	keep_to_ourselves();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
