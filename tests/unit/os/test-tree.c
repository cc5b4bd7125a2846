/* SPDX-License-Identifier: MIT */
/* unit/os/test-tree.c - the offspring of real processes, found and signalled */
#include "os/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "os/child.h"

enum {
	DEADLINE_MS = 10000,
	DEPTH = 3,
};

/* A line of processes, each the child of the one before; all end with the pipe that holds them. */
struct line {
	pid_t pids[DEPTH];
	int hold_fd, told_fd;
};

static void tell(int fd, pid_t pid)
{
	if (write(fd, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
}

static pid_t hear(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	pid_t pid = 0;

	assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
	assert_int_equal(read(fd, &pid, sizeof(pid)), sizeof(pid));
	return pid;
}

static void wait_for_the_end_of(int fd)
{
	char byte;

	(void)!read(fd, &byte, 1);
}

BERTH_NORETURN static void be_a_line(int depth, int told_fd, int hold_fd)
{
	do
		tell(told_fd, getpid());
	while (--depth && fork() == 0);
	wait_for_the_end_of(hold_fd);
	while (wait(NULL) > 0)
		;
	_exit(0);
}

static struct line start_line(void)
{
	struct line line;
	int told[2], hold[2];

	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	if (fork() == 0) {
		/* What holds another line must not be held by this one. */
		for (int fd = 3; fd < 64; fd++)
			if (fd != told[1] && fd != hold[0])
				close(fd);
		be_a_line(DEPTH, told[1], hold[0]);
	}
	close(told[1]);
	close(hold[0]);
	for (int i = 0; i < DEPTH; i++)
		line.pids[i] = hear(told[0]);
	line.told_fd = told[0];
	line.hold_fd = hold[1];
	return line;
}

static void end_line(struct line *line)
{
	close(line->hold_fd);
	close(line->told_fd);
	assert_int_equal(waitpid(line->pids[0], NULL, 0), line->pids[0]);
}

static struct berth_proc_id id_of(pid_t pid)
{
	struct berth_proc_stat stat;

	assert_int_equal(berth_procfs_stat(pid, &stat), 0);
	return stat.id;
}

static int place_of(const struct berth_tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->count; i++)
		if (tree->procs[i].id.pid == pid)
			return (int)i;
	return -1;
}

static void all_descendants_are_found_parents_first(void **state)
{
	struct line a = start_line(), b = start_line();
	struct berth_tree tree = { 0 };

	(void)state;
	assert_int_equal(berth_tree_load(getpid(), NULL, &tree), 0);
	assert_int_equal(tree.count, 2 * DEPTH);
	for (int i = 0; i < DEPTH; i++) {
		assert_true(place_of(&tree, a.pids[i]) >= 0);
		assert_true(place_of(&tree, b.pids[i]) >= 0);
		if (i > 0)
			assert_true(place_of(&tree, a.pids[i]) > place_of(&tree, a.pids[i - 1]));
	}
	assert_int_equal(place_of(&tree, getpid()), -1);
	berth_tree_deinit(&tree);
	assert_null(tree.procs);
	assert_int_equal(tree.count, 0);
	berth_tree_deinit(&tree);

	assert_int_equal(berth_tree_load(a.pids[0], NULL, &tree), 0);
	assert_int_equal(tree.count, DEPTH - 1);
	assert_int_equal(tree.procs[0].id.pid, a.pids[1]);
	berth_tree_deinit(&tree);
	assert_int_equal(berth_tree_load(a.pids[DEPTH - 1], NULL, &tree), 0);
	assert_int_equal(tree.count, 0);
	berth_tree_deinit(&tree);
	end_line(&a);
	end_line(&b);
}

static void who_is_excepted_takes_all_below_along(void **state)
{
	struct line a = start_line(), b = start_line();
	const pid_t except[] = { a.pids[1], b.pids[0], 0 };
	struct berth_tree tree = { 0 };

	(void)state;
	assert_int_equal(berth_tree_load(getpid(), except, &tree), 0);
	assert_int_equal(tree.count, 1);
	assert_int_equal(tree.procs[0].id.pid, a.pids[0]);
	berth_tree_deinit(&tree);
	end_line(&a);
	end_line(&b);
}

static void zombies_are_left_out(void **state)
{
	struct berth_tree tree = { 0 };
	siginfo_t info;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(berth_tree_load(getpid(), NULL, &tree), 0);
	assert_int_equal(tree.count, 0);
	berth_tree_deinit(&tree);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int thread_fds[2];

static void *go_on_alone(void *arg)
{
	struct berth_proc_stat stat;

	while (berth_procfs_stat(getpid(), &stat) < 0 || stat.state != 'Z')
		sched_yield();
	tell(thread_fds[0], getpid());
	wait_for_the_end_of(thread_fds[1]);
	_exit(0);
}

static void who_has_lost_only_its_first_thread_lives(void **state)
{
	struct berth_tree tree = { 0 };
	int told[2], hold[2];
	pthread_t thread;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		close(hold[1]);
		thread_fds[0] = told[1];
		thread_fds[1] = hold[0];
		if (pthread_create(&thread, NULL, go_on_alone, NULL) != 0)
			_exit(1);
		syscall(SYS_exit, 0); /* this thread alone */
	}
	assert_int_equal(hear(told[0]), pid);
	assert_int_equal(berth_tree_load(getpid(), NULL, &tree), 0);
	assert_int_equal(tree.count, 1);
	assert_int_equal(tree.procs[0].state, 'Z');
	assert_int_equal(berth_tree_signal_all(&tree, SIGKILL), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	berth_tree_deinit(&tree);
	for (int i = 0; i < 2; i++) {
		close(told[i]);
		close(hold[i]);
	}
}

static void *be_a_parent(void *arg)
{
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* it holds both ends of the pipe */
		tell(thread_fds[0], getpid());
		wait_for_the_end_of(thread_fds[1]);
		_exit(0);
	}
	wait_for_the_end_of(thread_fds[1]);
	return arg;
}

static void the_child_of_a_second_thread_is_found(void **state)
{
	struct berth_tree tree = { 0 };
	int told[2], hold[2];
	pthread_t thread;
	pid_t child;

	(void)state;
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	thread_fds[0] = told[1];
	thread_fds[1] = hold[0];
	assert_int_equal(pthread_create(&thread, NULL, be_a_parent, NULL), 0);
	child = hear(told[0]);
	assert_int_equal(berth_tree_load(getpid(), NULL, &tree), 0);
	assert_int_equal(tree.count, 1);
	assert_int_equal(tree.procs[0].id.pid, child);
	assert_int_equal(berth_tree_signal_all(&tree, SIGKILL), 1);
	assert_int_equal(waitpid(child, NULL, 0), child);
	berth_tree_deinit(&tree);
	close(hold[1]);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(berth_tree_load(getpid(), NULL, &tree), 0);
	assert_int_equal(tree.count, 0);
	berth_tree_deinit(&tree);
	close(hold[0]);
	close(told[0]);
	close(told[1]);
}

static void orphans_hang_at_the_subreaper(void **state)
{
	struct line line;
	struct berth_tree tree = { 0 };

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	line = start_line();
	assert_int_equal(kill(line.pids[0], SIGKILL), 0);
	assert_int_equal(waitpid(line.pids[0], NULL, 0), line.pids[0]);
	assert_int_equal(berth_tree_load(getpid(), NULL, &tree), 0);
	assert_int_equal(tree.count, DEPTH - 1);
	assert_int_equal(tree.procs[0].id.pid, line.pids[1]);
	assert_int_equal(tree.procs[0].ppid, getpid());
	berth_tree_deinit(&tree);
	close(line.hold_fd);
	close(line.told_fd);
	assert_int_equal(waitpid(line.pids[1], NULL, 0), line.pids[1]);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
}

static void one_child_is_told_from_none_and_two(void **state)
{
	struct line a = start_line(), b;

	(void)state;
	if (access("/proc/thread-self/children", R_OK) < 0) {
		print_message("this kernel does not tell a thread's children\n");
		end_line(&a);
		skip();
	}
	assert_true(berth_tree_has_one_child(a.pids[0]));
	assert_false(berth_tree_has_one_child(a.pids[1]));
	assert_true(berth_tree_has_child_but(NULL));
	b = start_line();
	assert_false(berth_tree_has_one_child(a.pids[0]));
	assert_true(berth_tree_has_child_but((pid_t[]){ a.pids[0], 0 }));
	assert_true(berth_tree_has_child_but((pid_t[]){ b.pids[0], a.pids[1], 0 }));
	assert_false(berth_tree_has_child_but((pid_t[]){ b.pids[0], a.pids[0], 0 }));
	end_line(&a);
	assert_true(berth_tree_has_one_child(b.pids[0]));
	assert_false(berth_tree_has_child_but((pid_t[]){ b.pids[0], 0 }));
	end_line(&b);
	assert_false(berth_tree_has_one_child(b.pids[0]));
	assert_false(berth_tree_has_child_but(NULL));
}

static void a_signal_needs_the_start_time_too(void **state)
{
	struct line line = start_line();
	struct berth_proc_id id = id_of(line.pids[0]), other = id;
	struct pollfd poll_fd = { .events = POLLIN };

	(void)state;
	other.start_ticks++;
	assert_int_equal(berth_tree_signal(&other, SIGKILL), -ESRCH);
	assert_int_equal(berth_tree_signal(&id, 0), 0);
	poll_fd.fd = berth_child_open(id.pid);
	assert_true(poll_fd.fd >= 0);
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	assert_int_equal(berth_tree_signal(&id, SIGKILL), 0);
	assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
	close(poll_fd.fd);
	end_line(&line);
	assert_int_equal(berth_tree_signal(&id, SIGKILL), -ESRCH);
}

static void somebody_elses_process_is_not_ours_to_signal(void **state)
{
	struct berth_proc_id init = id_of(1);

	(void)state;
	assert_int_equal(berth_tree_signal(&init, 0), geteuid() == 0 ? 0 : -EPERM);
}

static void all_of_a_tree_are_signalled_but_those_that_have_gone(void **state)
{
	struct line line;
	struct berth_tree tree = { 0 };
	int status;

	(void)state;
	/* So that all of them can be reaped here. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	line = start_line();
	assert_int_equal(berth_tree_load(getpid(), NULL, &tree), 0);
	assert_int_equal(tree.count, DEPTH);
	/* Somebody else by now. */
	tree.procs[DEPTH - 1].id.start_ticks++;
	assert_int_equal(berth_tree_signal_all(&tree, SIGKILL), DEPTH - 1);
	for (int i = 0; i < DEPTH - 1; i++) {
		assert_int_equal(waitpid(line.pids[i], &status, 0), line.pids[i]);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	tree.procs[DEPTH - 1].id.start_ticks--;
	assert_int_equal(berth_tree_signal_all(&tree, SIGKILL), 1);
	assert_int_equal(waitpid(line.pids[DEPTH - 1], &status, 0), line.pids[DEPTH - 1]);
	berth_tree_deinit(&tree);
	close(line.hold_fd);
	close(line.told_fd);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
}

static void the_cheap_list_has_all_generations(void **state)
{
	struct line line = start_line();
	BERTH_AUTO_FREE pid_t *pids = NULL;
	size_t count;
	int r = berth_tree_list(line.pids[0], &pids, &count);

	(void)state;
	if (r == -ENOENT)
		skip();
	assert_int_equal(r, 0);
	assert_int_equal(count, DEPTH);
	for (size_t i = 0; i < DEPTH; i++)
		assert_int_equal(pids[i], line.pids[i]);
	end_line(&line);
	assert_int_equal(berth_tree_list(line.pids[0], &pids, &count), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_descendants_are_found_parents_first),
		cmocka_unit_test(the_cheap_list_has_all_generations),
		cmocka_unit_test(who_is_excepted_takes_all_below_along),
		cmocka_unit_test(zombies_are_left_out),
		cmocka_unit_test(who_has_lost_only_its_first_thread_lives),
		cmocka_unit_test(the_child_of_a_second_thread_is_found),
		cmocka_unit_test(orphans_hang_at_the_subreaper),
		cmocka_unit_test(one_child_is_told_from_none_and_two),
		cmocka_unit_test(a_signal_needs_the_start_time_too),
		cmocka_unit_test(somebody_elses_process_is_not_ours_to_signal),
		cmocka_unit_test(all_of_a_tree_are_signalled_but_those_that_have_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
