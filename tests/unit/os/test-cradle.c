/* SPDX-License-Identifier: MIT */
/* unit/os/test-cradle.c - keepers born elsewhere are as if we had borne them */
#include "os/cradle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "os/child.h"
#include "os/notify.h"
#include "os/procfs.h"

enum {
	DEADLINE_MS = 10000,
	OUTPUT_MAX = 4096,
	LONG_WORD = 120 * 1024, /* one argument has room for 128 KiB */
	LONG_WORDS = 10, /* more than a cradle takes, less than exec() does */
};

#define SHELL(script) ((const char *const[]){ "sh", "-c", script, NULL })

static const char *const environment[] = { "PATH=/usr/bin:/bin", "COLOUR=blue", NULL };

struct fixture {
	struct berth_cradle cradle;
	struct berth_child_spec spec;
	struct berth_child child;
	int out; /* what the command writes */
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	berth_cradle_init(&f->cradle);
	f->child = BERTH_CHILD_NONE;
	f->out = -1;
	f->spec = (struct berth_child_spec){
		.envp = environment,
		.cwd = "/usr",
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.cgroup_fd = -1,
		.keep = true,
		.cradle = &f->cradle,
	};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	berth_fd_close(&f->out);
	berth_child_deinit(&f->child);
	berth_cradle_deinit(&f->cradle);
	free(f);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing of it is left */
	assert_int_equal(errno, ECHILD);
	return 0;
}

static void start(struct fixture *f, const char *const *argv)
{
	enum berth_child_stage stage;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	f->out = ends[0];
	f->spec.argv = argv;
	f->spec.stdout_fd = ends[1];
	assert_int_equal(berth_child_start(&f->spec, &f->child, &stage), 0);
	close(ends[1]);
}

static void assert_says(struct fixture *f, const char *expected)
{
	struct pollfd poll_fd = { .fd = f->out, .events = POLLIN };
	char text[OUTPUT_MAX];
	size_t len = 0;
	ssize_t n;

	do {
		assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
		n = read(f->out, text + len, sizeof(text) - 1 - len);
		assert_true(n >= 0);
		len += (size_t)n;
	} while (n > 0);
	text[len] = '\0';
	assert_string_equal(text, expected);
	berth_fd_close(&f->out);
}

/* As our own child it is, and its pidfd is one that can be waited for. */
static void reap_keeper(struct fixture *f)
{
	siginfo_t info = { 0 };

	assert_int_equal(waitid(P_PIDFD, (id_t)f->child.keeper.pidfd, &info, WEXITED), 0);
	assert_int_equal(info.si_pid, f->child.keeper.pid);
}

static void assert_exits(struct fixture *f, int code)
{
	struct pollfd poll_fd = { .fd = f->child.keeper_fd, .events = POLLIN };
	struct berth_child_end end;
	int stopped;

	assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
	assert_int_equal(berth_child_keeper_next(&f->child, &end, &stopped), BERTH_CHILD_ENDED);
	assert_int_equal(berth_child_end_exit(&end), code);
	reap_keeper(f);
	berth_child_deinit(&f->child);
	f->child = BERTH_CHILD_NONE;
}

static pid_t parent_of(pid_t pid)
{
	struct berth_proc_stat stat;

	assert_int_equal(berth_procfs_stat(pid, &stat), 0);
	return stat.ppid;
}

static void a_command_gets_what_its_specification_says(void **state)
{
	struct fixture *f = *state;

	f->spec.signal_mask = (sigset_t){ 0 };
	start(f, SHELL("pwd; echo $COLOUR; read line; echo \"<$line>\"; ls /proc/self/fd; exit 7"));
	assert_true(f->cradle.pid > 0);
	assert_int_equal(parent_of(f->child.pid), f->child.keeper.pid);
	assert_int_equal(parent_of(f->child.keeper.pid), getpid());
	assert_int_equal(parent_of(f->cradle.pid), getpid());
	/* Standard input is ours: /dev/null, see main(). */
	assert_says(f, "/usr\nblue\n<>\n0\n1\n2\n3\n");
	assert_exits(f, 7);
}

static void passed_sockets_lie_where_they_belong(void **state)
{
	struct fixture *f = *state;
	static const char *const with_pid[] = { "PATH=/usr/bin:/bin",
						"LISTEN_PID=          ", NULL };
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "through\n", 8), 8);
	close(ends[1]);
	f->spec.envp = with_pid;
	f->spec.pass_fds[0] = ends[0];
	f->spec.pass_count = 1;
	start(f, SHELL("cat <&3; test $LISTEN_PID = $$"));
	close(ends[0]);
	assert_says(f, "through\n");
	assert_exits(f, 0);
}

static void a_filter_comes_along(void **state)
{
	struct berth_notify_program program;
	struct fixture *f = *state;

	assert_int_equal(berth_notify_program_new(false, &program), 0);
	f->spec.filter = &program;
	start(f, SHELL("exec grep Seccomp: /proc/self/status"));
	assert_true(f->child.notify_fd >= 0);
	assert_says(f, "Seccomp:\t2\n");
	assert_exits(f, 0);
	berth_notify_program_deinit(&program);
}

static void a_command_that_is_not_there_is_told_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	const char *const nobody[] = { "/nonexistent/program", NULL };
	enum berth_child_stage stage;

	f->spec.argv = nobody;
	assert_int_equal(berth_child_start(&f->spec, &f->child, &stage), -ENOENT);
	assert_int_equal(stage, BERTH_CHILD_EXEC);
	start(f, SHELL("echo on"));
	assert_says(f, "on\n");
	assert_exits(f, 0);
}

static size_t count_fds(pid_t pid)
{
	char path[64];
	size_t count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

static void it_holds_nothing_but_its_socket(void **state)
{
	struct fixture *f = *state;
	char path[64], target[256];
	ssize_t n;

	for (int i = 0; i < 3; i++) {
		start(f, SHELL("echo on"));
		assert_says(f, "on\n");
		assert_exits(f, 0);
	}
	assert_int_equal(count_fds(f->cradle.pid), 3); /* the same, three times */
	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)f->cradle.pid);
	n = readlink(path, target, sizeof(target));
	assert_int_equal(n, 1);
	assert_int_equal(target[0], '/');
}

/* All that come after one another are borne by one. */
static void it_is_started_once(void **state)
{
	struct fixture *f = *state;
	pid_t pid = 0;

	for (int i = 0; i < 3; i++) {
		start(f, SHELL("echo on"));
		pid = pid ? pid : f->cradle.pid;
		assert_int_equal(f->cradle.pid, pid);
		assert_says(f, "on\n");
		assert_exits(f, 0);
	}
}

static void one_that_was_killed_is_replaced(void **state)
{
	struct fixture *f = *state;
	siginfo_t info;
	pid_t first;

	start(f, SHELL("echo on"));
	assert_says(f, "on\n");
	assert_exits(f, 0);
	first = f->cradle.pid;
	assert_int_equal(berth_child_signal(f->cradle.pidfd, SIGKILL), 0);
	assert_int_equal(waitid(P_PIDFD, (id_t)f->cradle.pidfd, &info, WEXITED | WNOWAIT), 0);
	for (int i = 0; i < 2; i++) { /* this one without, the next one with another */
		start(f, SHELL("echo on"));
		assert_says(f, "on\n");
		assert_exits(f, 0);
	}
	assert_true(f->cradle.pid > 0 && f->cradle.pid != first);
}

static void one_that_was_stopped_is_not_waited_for(void **state)
{
	struct fixture *f = *state;

	start(f, SHELL("echo on"));
	assert_says(f, "on\n");
	assert_exits(f, 0);
	assert_int_equal(berth_child_signal(f->cradle.pidfd, SIGSTOP), 0);
	start(f, SHELL("echo on"));
	assert_int_equal(f->cradle.pid, 0);
	assert_says(f, "on\n");
	assert_exits(f, 0);
}

static void arguments_too_long_for_it_go_without(void **state)
{
	struct fixture *f = *state;
	const char *argv[LONG_WORDS + 4] = { "sh", "-c", "echo $#", NULL };
	char *word = malloc(LONG_WORD + 1);

	assert_non_null(word);
	memset(word, 'x', LONG_WORD);
	word[LONG_WORD] = '\0';
	for (size_t i = 0; i < LONG_WORDS; i++)
		argv[3 + i] = word;
	start(f, argv);
	assert_says(f, "9\n"); /* the first is $0 */
	assert_exits(f, 0);
	free(word);
}

static void a_folder_relative_to_ours_goes_without(void **state)
{
	struct fixture *f = *state;

	f->spec.cwd = NULL;
	start(f, SHELL("pwd"));
	assert_int_equal(f->cradle.pid, 0);
	assert_says(f, "/\n");
	assert_exits(f, 0);
}

static void its_end_is_ours(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	start(f, SHELL("echo on"));
	assert_says(f, "on\n");
	assert_exits(f, 0);
	pid = f->cradle.pid;
	berth_cradle_deinit(&f->cradle);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

#define BEARS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BEARS(a_command_gets_what_its_specification_says),
		BEARS(passed_sockets_lie_where_they_belong),
		BEARS(a_filter_comes_along),
		BEARS(a_command_that_is_not_there_is_told_and_leaves_nothing),
		BEARS(it_holds_nothing_but_its_socket),
		BEARS(it_is_started_once),
		BEARS(one_that_was_killed_is_replaced),
		BEARS(one_that_was_stopped_is_not_waited_for),
		BEARS(arguments_too_long_for_it_go_without),
		BEARS(a_folder_relative_to_ours_goes_without),
		BEARS(its_end_is_ours),
	};
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null_fd < 0 || dup2(null_fd, 0) < 0 || chdir("/") < 0)
		return 1;
	close(null_fd);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
