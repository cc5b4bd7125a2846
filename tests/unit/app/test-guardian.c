/* SPDX-License-Identifier: MIT */
/* unit/app/test-guardian.c - what a guardian hears, passes on, holds and reaps */
#include "app/guardian.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "app/note.h"
#include "os/child.h"

enum {
	DEADLINE_MS = 10000,
	DEADLINE_S = 30, /* of each process: a loop that does not end is a failure */
	TREES = 700, /* more than the first limit */
	EXIT_CODE = 42,
};

/*
 * A guardian is a process, and its supervisor, here we in disguise, another one below it. That one
 * plays a part and tells by its exit code whether all was as it should be.
 */
#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, \
				#condition, strerror(errno)); \
			return 1; \
		} \
	} while (0)

/* Returns the exit code of @part, 0: all well. @at_start: what the guardian finds for SIGCHLD. */
static int play_after(sighandler_t at_start, int (*part)(int report_fd, pid_t guardian),
		      bool foreground)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		const struct berth_job job = { 0 };
		struct berth_guardian_end end = { 0 };
		struct berth_err err = { 0 };
		int ends[2], pidfd = -1;
		pid_t supervisor, guardian = getpid();

		setsid(); /* no terminal */
		alarm(DEADLINE_S);
		signal(SIGCHLD, at_start);
		if (berth_uds_pair(SOCK_SEQPACKET, ends) < 0)
			_exit(2);
		berth_guardian_prepare();
		supervisor = berth_child_fork(&pidfd);
		if (supervisor == 0) {
			struct berth_note note = { .kind = BERTH_NOTE_ENDED };

			close(ends[0]);
			alarm(DEADLINE_S);
			note.value = part(ends[1], guardian);
			if (berth_note_send(ends[1], &note, NULL, -1) < 0)
				_exit(3);
			_exit(0);
		}
		close(ends[1]);
		berth_guardian_run(&job, ends[0], supervisor, pidfd, foreground, &end, &err);
		_exit(end.exit_code);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int play(int (*part)(int report_fd, pid_t guardian), bool foreground)
{
	return play_after(SIG_DFL, part, foreground);
}

/* The next note from the guardian; kind -1: none in time. */
static struct berth_note hear(int report_fd)
{
	struct pollfd poll_fd = { .fd = report_fd, .events = POLLIN };
	struct berth_note note = { 0 };

	if (poll(&poll_fd, 1, DEADLINE_MS) != 1 ||
	    berth_note_recv(report_fd, &note, NULL, NULL) != 1)
		note.kind = (enum berth_note_kind) - 1;
	return note;
}

static bool is_passed_on(int report_fd, pid_t guardian, int signo)
{
	struct berth_note note;

	if (kill(guardian, signo) < 0)
		return false;
	note = hear(report_fd);
	return note.kind == BERTH_NOTE_SIGNAL && note.value == signo && note.extra == 0;
}

static int send_each(int report_fd, pid_t guardian)
{
	static const int passed[] = { SIGTERM, SIGHUP,	SIGQUIT, SIGUSR1, SIGUSR2,
				      SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGWINCH };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(passed); i++)
		CHECK(is_passed_on(report_fd, guardian, passed[i]));
	return 0;
}

static int send_each_and_interrupt(int report_fd, pid_t guardian)
{
	CHECK(is_passed_on(report_fd, guardian, SIGINT));
	return send_each(report_fd, guardian);
}

static void without_a_terminal_each_signal_is_a_message_and_no_hang_up(void **state)
{
	(void)state;
	assert_int_equal(play(send_each_and_interrupt, true), 0);
	assert_int_equal(play(send_each, false), 0);
}

static int interrupt_in_vain(int report_fd, pid_t guardian)
{
	CHECK(kill(guardian, SIGINT) == 0);
	CHECK(is_passed_on(report_fd, guardian, SIGUSR1));
	return 0;
}

static void a_guardian_in_the_background_has_nothing_to_interrupt(void **state)
{
	(void)state;
	assert_int_equal(play(interrupt_in_vain, false), 0);
}

static int say_how_it_ended(int report_fd, pid_t guardian)
{
	(void)report_fd;
	(void)guardian;
	return EXIT_CODE;
}

static void the_exit_code_is_what_the_supervisor_says(void **state)
{
	(void)state;
	assert_int_equal(play(say_how_it_ended, true), EXIT_CODE);
}

static int count_descriptors(pid_t pid)
{
	char path[64];
	DIR *dir;
	int count = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* A tree is a pipe here: the guardian has its reading end, and we end it by closing ours. */
static int grow_trees_and_fell_them(int report_fd, pid_t guardian)
{
	const struct berth_note note = { .kind = BERTH_NOTE_WATCH };
	struct rlimit limit;
	int ours[TREES], ends[2], before, held;

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(is_passed_on(report_fd, guardian, SIGUSR1)); /* it is under way */
	before = count_descriptors(guardian);
	for (size_t i = 0; i < TREES; i++) {
		CHECK(pipe2(ends, O_CLOEXEC) == 0);
		CHECK(berth_note_send(report_fd, &note, NULL, ends[0]) == 0);
		close(ends[0]);
		ours[i] = ends[1];
	}
	/* Read after all that came before: one note each time that it is woken. */
	do {
		CHECK(is_passed_on(report_fd, guardian, SIGUSR1));
		held = count_descriptors(guardian);
	} while (held < before + TREES);
	CHECK(held == before + TREES);
	/* Ends come in no order with notes; but none too many, and all in the end. */
	for (size_t i = 0; i < TREES; i += 2)
		close(ours[i]);
	do
		CHECK(is_passed_on(report_fd, guardian, SIGUSR1));
	while (count_descriptors(guardian) > before + TREES / 2);
	CHECK(count_descriptors(guardian) == before + TREES / 2);
	for (size_t i = 1; i < TREES; i += 2)
		close(ours[i]);
	do
		CHECK(is_passed_on(report_fd, guardian, SIGUSR1));
	while (count_descriptors(guardian) > before);
	CHECK(count_descriptors(guardian) == before);
	return 0;
}

static void a_descriptor_of_each_tree_is_held_until_nobody_of_it_is_left(void **state)
{
	struct rlimit before, limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	if (before.rlim_max < TREES + 100)
		skip();
	limit = before;
	limit.rlim_cur = TREES - 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(play(grow_trees_and_fell_them, true), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static int leave_an_orphan(int report_fd, pid_t guardian)
{
	int told[2], hold[2];
	pid_t middle, orphan;
	char byte;

	CHECK(pipe2(told, O_CLOEXEC) == 0 && pipe2(hold, O_CLOEXEC) == 0);
	middle = fork();
	if (middle == 0) {
		orphan = fork();
		if (orphan == 0) {
			close(hold[1]);
			close(told[0]);
			_exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
		}
		_exit(write(told[1], &orphan, sizeof(orphan)) == sizeof(orphan) ? 0 : 1);
	}
	CHECK(waitpid(middle, NULL, 0) == middle);
	close(told[1]);
	CHECK(read(told[0], &orphan, sizeof(orphan)) == sizeof(orphan));
	CHECK(kill(orphan, 0) == 0);
	close(hold[1]);
	CHECK(read(told[0], &byte, 1) == 0); /* it has ended */
	/* Of two signals the lower number comes first, and SIGCHLD is lower. */
	do
		CHECK(is_passed_on(report_fd, guardian, SIGWINCH));
	while (kill(orphan, 0) == 0);
	return 0;
}

static void an_orphan_of_somebody_else_is_reaped(void **state)
{
	(void)state;
	assert_int_equal(play(leave_an_orphan, true), 0);
}

static int be_killed(int report_fd, pid_t guardian)
{
	(void)report_fd;
	(void)guardian;
	kill(getpid(), SIGKILL);
	return 1;
}

static void a_supervisor_that_was_killed_is_said_to_be(void **state)
{
	(void)state;
	assert_int_equal(play(be_killed, true), 125);
}

static int stop_being_ignored(int report_fd, pid_t guardian)
{
	siginfo_t info = { 0 };
	pid_t pid = fork();

	(void)report_fd;
	(void)guardian;
	if (pid == 0)
		_exit(EXIT_CODE);
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0);
	CHECK(info.si_status == EXIT_CODE);
	return 0;
}

static void children_are_heard_of_where_they_were_ignored_at_the_start(void **state)
{
	(void)state;
	assert_int_equal(play_after(SIG_IGN, stop_being_ignored, true), 0);
}

static char made[64]; /* by stop commands */

static int give_order(int report_fd, const char *unit, const char *script)
{
	const struct berth_note note = { .kind = BERTH_NOTE_ORDER };
	BERTH_AUTO_JSON json_t *order =
		script ? json_pack("{s:s,s:[s,s,s],s:s,s:[s]}", "id", unit, "argv", "/bin/sh", "-c",
				   script, "cwd", "/tmp", "env", "WORD=told")
		       : json_pack("{s:s}", "id", unit);

	return berth_note_send(report_fd, &note, order, -1);
}

/* The first is changed, the second taken back, the third is not. */
static int give_orders_and_die(int report_fd, pid_t guardian)
{
	char first[128], second[128], third[128];

	(void)guardian;
	snprintf(first, sizeof(first), "echo first $WORD $PWD >> %s", made);
	snprintf(second, sizeof(second), "echo second >> %s", made);
	snprintf(third, sizeof(third), "sleep 0.1; echo third >> %s; exit 3", made);
	CHECK(give_order(report_fd, "aaaaaa", second) == 0);
	CHECK(give_order(report_fd, "bbbbbb", second) == 0);
	CHECK(give_order(report_fd, "cccccc", third) == 0);
	CHECK(give_order(report_fd, "aaaaaa", first) == 0);
	CHECK(give_order(report_fd, "bbbbbb", NULL) == 0);
	kill(getpid(), SIGKILL);
	return 1;
}

static int give_orders_and_end(int report_fd, pid_t guardian)
{
	char script[128];

	(void)guardian;
	snprintf(script, sizeof(script), "echo in vain >> %s", made);
	CHECK(give_order(report_fd, "aaaaaa", script) == 0);
	return 0;
}

/* The lines that they have written, sorted by nothing; the file is gone then. */
static void take_made(char *buf, size_t size)
{
	int fd = open(made, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, buf, size - 1) : 0;

	assert_true(n >= 0);
	buf[n] = '\0';
	berth_fd_close(&fd);
	unlink(made);
}

static void stop_commands_are_carried_out_when_the_supervisor_was_killed(void **state)
{
	char text[256];

	(void)state;
	snprintf(made, sizeof(made), "/tmp/test-guardian-%d", getpid());
	unlink(made);
	assert_int_equal(play(give_orders_and_end, true), 0);
	take_made(text, sizeof(text));
	assert_string_equal(text, "");
	assert_int_equal(play(give_orders_and_die, true), 125);
	take_made(text, sizeof(text));
	assert_string_equal(text, "first told /tmp\nthird\n");
	assert_int_equal(play_after(SIG_IGN, give_orders_and_die, false), 125);
	take_made(text, sizeof(text));
	assert_string_equal(text, "first told /tmp\nthird\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_terminal_each_signal_is_a_message_and_no_hang_up),
		cmocka_unit_test(a_guardian_in_the_background_has_nothing_to_interrupt),
		cmocka_unit_test(the_exit_code_is_what_the_supervisor_says),
		cmocka_unit_test(a_descriptor_of_each_tree_is_held_until_nobody_of_it_is_left),
		cmocka_unit_test(an_orphan_of_somebody_else_is_reaped),
		cmocka_unit_test(a_supervisor_that_was_killed_is_said_to_be),
		cmocka_unit_test(children_are_heard_of_where_they_were_ignored_at_the_start),
		cmocka_unit_test(stop_commands_are_carried_out_when_the_supervisor_was_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
