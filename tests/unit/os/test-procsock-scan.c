/* SPDX-License-Identifier: MIT */
/* unit/os/test-procsock-scan.c - one process at a time, looked at or compared with a sample */
#include "os/procsock-scan.h"
#include "os/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/sock.h"

/* A search for one socket of ours, of which we are the sample. */
struct search {
	struct berth_procsock_scan scan;
	struct berth_procsock_scan_worker worker;
	uint64_t inode;
	int fd;
};

static void init(struct search *search)
{
	struct stat st;

	*search = (struct search){ .fd = berth_sock_new(AF_INET, SOCK_STREAM, 0) };
	assert_true(search->fd >= 0);
	search->inode = berth_sock_inode(search->fd);
	search->worker.scan = &search->scan;
	search->scan.proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(search->scan.proc_fd >= 0);
	search->scan.sized = stat("/proc/self/fd", &st) == 0 && st.st_size > 0;
	search->scan.compares = search->scan.sized;
	search->scan.inodes = &search->inode;
	search->scan.inode_count = 1;
	search->scan.samples[0] = (struct berth_procsock){
		.inode = search->inode,
		.pid = getpid(),
		.fd = search->fd,
	};
	search->scan.sampled = 1;
	assert_int_equal(pthread_mutex_init(&search->scan.lock, NULL), 0);
}

static void deinit(struct search *search)
{
	pthread_mutex_destroy(&search->scan.lock);
	berth_procsock_scan_worker_deinit(&search->worker);
	close(search->scan.proc_fd);
	close(search->fd);
}

static int compare_inodes(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return a < b ? -1 : a > b;
}

/* The lowest number that @pid has the socket under; -1: it has not got it. */
static int find(struct search *search, pid_t pid)
{
	search->worker.count = 0;
	assert_int_equal(berth_procsock_scan_process(&search->worker, pid), 0);
	if (!search->worker.count)
		return -1;
	assert_int_equal(search->worker.found[0].pid, pid);
	assert_true(search->worker.found[0].start_ticks > 0);
	return search->worker.found[0].fd;
}

static void *outlive_leader(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

enum shape {
	HAS_IT,
	HAS_IT_FAR_OFF,
	HAS_ANOTHER,
	HAS_NOTHING,
	HAS_IT_AND_NO_LEADER,
	HAS_IT_AS_INPUT,
};

/* Returns when the process is what it should be. */
static pid_t start_child(int fd, enum shape shape)
{
	int ready[2], other;
	pthread_t thread;
	pid_t pid;
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		other = berth_sock_new(AF_INET, SOCK_STREAM, 0);
		if (other < 0 || (shape == HAS_IT_FAR_OFF && dup2(fd, 900) < 0) ||
		    (shape == HAS_ANOTHER && dup2(other, fd) < 0))
			_exit(1);
		if (shape == HAS_IT_FAR_OFF)
			close(fd);
		if (shape == HAS_IT_AS_INPUT && (dup2(fd, STDIN_FILENO) < 0 || close(fd) < 0))
			_exit(1);
		if (shape == HAS_NOTHING)
			close_range(0, ~0u, 0);
		if (shape == HAS_IT_AND_NO_LEADER) {
			if (pthread_create(&thread, NULL, outlive_leader, NULL))
				_exit(1);
			close(ready[1]);
			pthread_exit(NULL);
		}
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	close(ready[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static int find_in_child(struct search *search, enum shape shape)
{
	pid_t pid = start_child(search->fd, shape);
	struct berth_proc_stat stat = { 0 };
	int fd;

	while (shape == HAS_IT_AND_NO_LEADER && stat.state != 'Z')
		assert_int_equal(berth_procfs_stat(pid, &stat), 0);
	fd = find(search, pid);
	end_child(pid);
	return fd;
}

static void check_all_shapes(struct search *search)
{
	assert_int_equal(find_in_child(search, HAS_IT), search->fd);
	assert_int_equal(find_in_child(search, HAS_IT_FAR_OFF), 900);
	assert_int_equal(find_in_child(search, HAS_ANOTHER), -1);
	assert_int_equal(find_in_child(search, HAS_NOTHING), -1);
	assert_int_equal(find_in_child(search, HAS_IT_AND_NO_LEADER), search->fd);
	assert_int_equal(search->worker.hidden, 0);
}

static void looking_and_comparing_find_the_same(void **state)
{
	struct search search;

	(void)state;
	init(&search);
	check_all_shapes(&search);
	assert_true(berth_procsock_scan_is_true(&search.scan));
	search.scan.compares = false;
	check_all_shapes(&search);
	deinit(&search);
}

/* Where too many numbers are free, the folder is listed: what was seen before is not told twice. */
static void no_gap_between_descriptors_hides_one(void **state)
{
	struct search search;
	uint64_t inodes[20];
	int fds[20];

	(void)state;
	init(&search);
	search.scan.compares = false;
	search.scan.inodes = inodes;
	for (size_t gap = 1; gap <= 40; gap += 3) {
		pid_t pid;

		search.scan.inode_count = BERTH_ARRAY_SIZE(fds);
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(fds); i++) {
			int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);

			assert_true(fd >= 0);
			fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 50 + (int)(gap * i));
			inodes[i] = berth_sock_inode(fd);
			close(fd);
		}
		qsort(inodes, BERTH_ARRAY_SIZE(inodes), sizeof(*inodes), compare_inodes);
		pid = start_child(search.fd, HAS_IT);
		search.worker.count = 0;
		assert_int_equal(berth_procsock_scan_process(&search.worker, pid), 0);
		assert_int_equal(search.worker.count, BERTH_ARRAY_SIZE(fds));
		end_child(pid);
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(fds); i++)
			close(fds[i]);
	}
	search.scan.inodes = &search.inode;
	search.scan.inode_count = 1;
	deinit(&search);
}

static void a_glimpse_tells_one_of_the_first_sockets(void **state)
{
	int sockets[8], count = 0;
	struct search search;
	uint64_t seen = 0;
	pid_t pid;

	(void)state;
	init(&search);
	/* All low numbers are taken, by sockets. */
	while (count < 8 && (sockets[count] = berth_sock_new(AF_INET, SOCK_STREAM, 0)) <= 6)
		count++;
	pid = start_child(search.fd, HAS_IT);
	assert_int_equal(berth_procsock_scan_glimpse(&search.scan, pid, &seen),
			 search.fd <= 6 || count > 0);
	end_child(pid);
	pid = start_child(search.fd, HAS_NOTHING);
	seen = 5;
	assert_false(berth_procsock_scan_glimpse(&search.scan, pid, &seen));
	assert_int_equal(seen, 5);
	end_child(pid);
	assert_false(berth_procsock_scan_glimpse(&search.scan, pid, &seen));
	for (int i = 0; i <= count && i < 8; i++)
		close(sockets[i]);
	deinit(&search);
}

static void the_first_that_is_found_is_the_sample(void **state)
{
	struct search search;

	(void)state;
	init(&search);
	search.scan.samples[0] = (struct berth_procsock){ 0 };
	search.scan.sampled = 0;
	assert_int_equal(find_in_child(&search, HAS_ANOTHER), -1);
	assert_int_equal(search.scan.sampled, 0);
	assert_int_equal(find(&search, getpid()), search.fd);
	if (search.scan.sized) {
		assert_int_equal(search.scan.sampled, 1);
		assert_int_equal(search.scan.samples[0].pid, getpid());
		assert_int_equal(search.scan.samples[0].fd, search.fd);
	}
	deinit(&search);
}

/* Nobody is passed over because of it, but what was compared before has to be done again. */
static void a_sample_that_is_gone_is_noticed(void **state)
{
	struct search search;
	int other;

	(void)state;
	init(&search);
	if (!search.scan.sized) {
		print_message("this kernel does not tell how many descriptors there are\n");
		deinit(&search);
		skip();
	}
	search.scan.samples[0].fd = 999;
	assert_int_equal(find_in_child(&search, HAS_IT), search.fd);
	assert_false(berth_procsock_scan_is_true(&search.scan));

	other = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	search.scan.samples[0].fd = other;
	assert_false(berth_procsock_scan_is_true(&search.scan));
	search.scan.samples[0].fd = search.fd;
	assert_true(berth_procsock_scan_is_true(&search.scan));
	search.scan.samples[0].pid = start_child(search.fd, HAS_IT);
	assert_true(berth_procsock_scan_is_true(&search.scan));
	end_child(search.scan.samples[0].pid);
	assert_false(berth_procsock_scan_is_true(&search.scan));
	assert_int_equal(find_in_child(&search, HAS_IT), search.fd);
	close(other);
	deinit(&search);
}

/* Of many sockets, so that a process is not done with once it has shown one. */
static void seek_many(struct search *search, uint64_t inodes[], size_t count)
{
	inodes[0] = search->inode;
	for (size_t i = 1; i < count; i++)
		inodes[i] = UINT64_MAX - count + i;
	search->scan.compares = false;
	search->scan.inodes = inodes;
	search->scan.inode_count = count;
}

static void what_processes_share_as_standard_input_is_looked_at_once(void **state)
{
	struct search search;
	uint64_t inodes[20];
	pid_t first, second;

	(void)state;
	init(&search);
	if (!search.scan.sized) {
		deinit(&search);
		skip();
	}
	seek_many(&search, inodes, BERTH_ARRAY_SIZE(inodes));
	first = start_child(search.fd, HAS_IT);
	second = start_child(search.fd, HAS_IT);
	assert_int_equal(find(&search, first), search.fd);
	assert_int_equal(search.worker.others[0].pid, first);
	assert_int_equal(find(&search, second), search.fd);
	assert_int_equal(search.worker.others[0].pid, first);
	assert_true(search.worker.others[0].used);
	assert_int_equal(search.worker.passed_count, 1);
	assert_int_equal(berth_procsock_scan_settle(&search.worker), 0);
	assert_false(search.worker.doubts);
	end_child(first);
	end_child(second);
	deinit(&search);
}

/* It was taken for no socket: @other now has it, or has gone. */
static void check_that_doubts_are_settled(bool gone)
{
	struct search search;
	uint64_t inodes[20];
	pid_t other, pid;

	init(&search);
	if (!search.scan.sized) {
		deinit(&search);
		skip();
	}
	seek_many(&search, inodes, BERTH_ARRAY_SIZE(inodes));
	other = start_child(search.fd, HAS_IT_AS_INPUT);
	pid = start_child(search.fd, HAS_IT_AS_INPUT);
	search.worker.others[0].pid = other;
	assert_int_equal(find(&search, pid), -1);
	if (gone)
		end_child(other);
	assert_int_equal(berth_procsock_scan_settle(&search.worker), 0);
	assert_true(search.worker.doubts);
	assert_true(search.worker.count > 0);
	assert_int_equal(search.worker.found[0].pid, pid);
	assert_int_equal(search.worker.found[0].inode, search.inode);
	assert_int_equal(search.worker.found[0].fd, STDIN_FILENO);
	assert_int_equal(search.worker.hidden, 0);
	if (!gone)
		end_child(other);
	end_child(pid);
	deinit(&search);
}

static void what_was_passed_over_is_looked_at_if_its_like_has_changed(void **state)
{
	(void)state;
	check_that_doubts_are_settled(false);
	check_that_doubts_are_settled(true);
}

static void processes_with_nothing_in_common_are_not_compared_for_long(void **state)
{
	struct search search;
	uint64_t inodes[20];
	pid_t pid;

	(void)state;
	init(&search);
	seek_many(&search, inodes, BERTH_ARRAY_SIZE(inodes));
	pid = start_child(search.fd, HAS_IT_AS_INPUT);
	search.worker.others[0].pid = getpid();
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(find(&search, pid), STDIN_FILENO);
	assert_in_range(search.worker.others[0].misses, 1, 20);
	end_child(pid);
	deinit(&search);
}

static void a_process_that_is_gone_has_nothing(void **state)
{
	struct search search;
	pid_t pid;

	(void)state;
	init(&search);
	pid = start_child(search.fd, HAS_IT);
	end_child(pid);
	assert_int_equal(find(&search, pid), -1);
	assert_int_equal(search.worker.hidden, 0);
	deinit(&search);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looking_and_comparing_find_the_same),
		cmocka_unit_test(no_gap_between_descriptors_hides_one),
		cmocka_unit_test(a_glimpse_tells_one_of_the_first_sockets),
		cmocka_unit_test(the_first_that_is_found_is_the_sample),
		cmocka_unit_test(a_sample_that_is_gone_is_noticed),
		cmocka_unit_test(what_processes_share_as_standard_input_is_looked_at_once),
		cmocka_unit_test(what_was_passed_over_is_looked_at_if_its_like_has_changed),
		cmocka_unit_test(processes_with_nothing_in_common_are_not_compared_for_long),
		cmocka_unit_test(a_process_that_is_gone_has_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
