/* SPDX-License-Identifier: MIT */
/* unit/os/test-notify.c - real system calls of real processes, held and answered */
#include "os/notify.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/time.h"
#include "os/procfs.h"
#include "os/procsock.h"
#include "os/uds.h"

enum {
	DEADLINE_MS = 10000,
};

/* What a caller says when its call has returned. */
struct outcome {
	int value; /* of the call, or -errno */
	int extra; /* what the test is about beside it */
};

/* A process under a filter of ours, at work on one thing. */
struct caller {
	pid_t pid;
	int notify_fd;
	int result_fd; /* its outcomes, then the end of file */
};

typedef void work_fn(int result_fd);

static void tell(int result_fd, int value, int extra)
{
	struct outcome outcome = { .value = value, .extra = extra };

	if (write(result_fd, &outcome, sizeof(outcome)) != sizeof(outcome))
		_exit(1);
}

static struct caller start(bool with_connect, work_fn *work)
{
	struct berth_notify_program program = { 0 };
	struct caller caller = { .notify_fd = -1 };
	int pair[2], results[2], notify_fd = -1;
	char byte;

	assert_int_equal(berth_notify_program_new(with_connect, &program), 0);
	assert_int_equal(berth_uds_pair(SOCK_SEQPACKET, pair), 0);
	assert_int_equal(pipe2(results, O_CLOEXEC), 0);
	caller.pid = fork();
	assert_true(caller.pid >= 0);
	if (caller.pid == 0) {
		close(pair[0]);
		close(results[0]);
		if (berth_notify_install(&program, &notify_fd) < 0 ||
		    berth_uds_send(pair[1], "f", 1, notify_fd) < 0)
			_exit(1);
		close(notify_fd);
		close(pair[1]);
		work(results[1]);
		_exit(0);
	}
	close(pair[1]);
	close(results[1]);
	assert_int_equal(berth_uds_recv(pair[0], &byte, 1, &caller.notify_fd), 1);
	assert_true(caller.notify_fd >= 0);
	close(pair[0]);
	caller.result_fd = results[0];
	berth_notify_program_deinit(&program);
	berth_notify_program_deinit(&program);
	return caller;
}

static void end(struct caller *caller)
{
	kill(caller->pid, SIGKILL);
	assert_int_equal(waitpid(caller->pid, NULL, 0), caller->pid);
	close(caller->notify_fd);
	close(caller->result_fd);
}

static short wait_for(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
	return poll_fd.revents;
}

static struct berth_notify_call next_call(const struct caller *caller)
{
	struct berth_notify_call call;

	assert_true(wait_for(caller->notify_fd) & POLLIN);
	assert_int_equal(berth_notify_recv(caller->notify_fd, &call), 0);
	assert_true(berth_notify_is_valid(caller->notify_fd, &call));
	return call;
}

static struct outcome outcome_of(const struct caller *caller)
{
	struct outcome outcome = { 0 };

	wait_for(caller->result_fd);
	assert_int_equal(read(caller->result_fd, &outcome, sizeof(outcome)), sizeof(outcome));
	return outcome;
}

static int result(long r)
{
	return r < 0 ? -errno : (int)r;
}

static int bound_port(int fd)
{
	struct berth_addr addr;

	return berth_sock_name(fd, &addr) < 0 ? -1 : berth_addr_port(&addr);
}

static void bind_loopback(int result_fd)
{
	struct berth_addr addr = berth_addr_loopback(AF_INET, 0);
	int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	int r = result(bind(fd, &addr.sa, addr.len));

	tell(result_fd, r, bound_port(fd));
}

static void an_answer_stands_for_the_call(void **state)
{
	static const int answers[] = { 0, -EADDRINUSE, -EACCES };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(answers); i++) {
		struct caller caller = start(false, bind_loopback);
		struct berth_notify_call call = next_call(&caller);
		struct outcome outcome;

		assert_int_equal(call.kind, BERTH_NOTIFY_BIND);
		assert_int_equal(call.tid, caller.pid);
		berth_notify_answer(caller.notify_fd, &call, answers[i]);
		outcome = outcome_of(&caller);
		assert_int_equal(outcome.value, answers[i]);
		/* The kernel has done nothing. */
		assert_int_equal(outcome.extra, 0);
		assert_false(berth_notify_is_valid(caller.notify_fd, &call));
		end(&caller);
	}
}

static void a_call_goes_on_as_if_nobody_had_looked(void **state)
{
	struct caller caller = start(false, bind_loopback);
	struct berth_notify_call call = next_call(&caller);
	struct outcome outcome;

	(void)state;
	berth_notify_continue(caller.notify_fd, &call);
	outcome = outcome_of(&caller);
	assert_int_equal(outcome.value, 0);
	assert_true(outcome.extra > 0);
	end(&caller);
}

static void a_call_can_be_carried_out_on_a_duplicate(void **state)
{
	struct caller caller = start(false, bind_loopback);
	struct berth_notify_call call = next_call(&caller);
	struct berth_addr addr;
	uint64_t inode = 0;
	int fd = berth_notify_get_fd(caller.notify_fd, &call);

	(void)state;
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(berth_procsock_inode(caller.pid, call.fd, &inode), 0);
	assert_int_equal(berth_sock_inode(fd), inode);
	assert_int_equal(berth_notify_read_addr(caller.notify_fd, &call, &addr), 0);
	assert_true(berth_addr_is_loopback(&addr));
	assert_int_equal(berth_sock_bind(fd, &addr), 0);
	berth_notify_answer(caller.notify_fd, &call, 0);
	assert_int_equal(outcome_of(&caller).extra, bound_port(fd));
	close(fd);
	end(&caller);
}

/* The calls that are looked at, one after the other. */
static void call_all(int result_fd)
{
	struct berth_addr v4 = berth_addr_loopback(AF_INET, 4711),
			  v6 = berth_addr_loopback(AF_INET6, 4712);
	struct sockaddr_storage room = { .ss_family = AF_INET };

	tell(result_fd, result(bind(101, &v4.sa, v4.len)), 0);
	tell(result_fd, result(bind(102, &v6.sa, v6.len)), 0);
	tell(result_fd, result(listen(103, 17)), 0);
	tell(result_fd, result(connect(104, &v4.sa, v4.len)), 0);
	tell(result_fd, result(connect(105, &v6.sa, v6.len)), 0);
	/* libraries that pass all the room they have */
	tell(result_fd, result(connect(106, (struct sockaddr *)&room, sizeof(room))), 0);
	tell(result_fd, result(setsid()), 0);
	tell(result_fd, result(syscall(SYS_landlock_restrict_self, 107, 0)), 0);
}

static void each_call_is_told_by_its_kind(void **state)
{
	static const struct {
		enum berth_notify_kind kind;
		int fd, backlog;
		uint16_t port;
		socklen_t len;
	} rows[] = {
		{ BERTH_NOTIFY_BIND, 101, .port = 4711, .len = sizeof(struct sockaddr_in) },
		{ BERTH_NOTIFY_BIND, 102, .port = 4712, .len = sizeof(struct sockaddr_in6) },
		{ BERTH_NOTIFY_LISTEN, 103, .backlog = 17 },
		{ BERTH_NOTIFY_CONNECT, 104, .port = 4711, .len = sizeof(struct sockaddr_in) },
		{ BERTH_NOTIFY_CONNECT, 105, .port = 4712, .len = sizeof(struct sockaddr_in6) },
		{ BERTH_NOTIFY_CONNECT, 106, .len = sizeof(struct sockaddr_storage) },
		{ BERTH_NOTIFY_SETSID },
		{ BERTH_NOTIFY_LANDLOCK, 107 },
	};
	struct caller caller = start(true, call_all);

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_notify_call call = next_call(&caller);
		struct berth_addr addr = { .len = 0 };

		assert_int_equal(call.kind, rows[i].kind);
		if (rows[i].fd)
			assert_int_equal(call.fd, rows[i].fd);
		if (rows[i].backlog)
			assert_int_equal(call.backlog, rows[i].backlog);
		if (rows[i].len) {
			assert_int_equal(call.addr_len, rows[i].len);
			assert_int_equal(berth_notify_read_addr(caller.notify_fd, &call, &addr), 0);
			assert_int_equal(berth_addr_port(&addr), rows[i].port);
		}
		berth_notify_answer(caller.notify_fd, &call, -ETOOMANYREFS);
		assert_int_equal(outcome_of(&caller).value, -ETOOMANYREFS);
	}
	end(&caller);
}

/* What must not cost a detour; the last one is trapped, so that the test sees it come first. */
static void call_what_is_none_of_ours(int result_fd)
{
	struct sockaddr_un unix_addr = { .sun_family = AF_UNIX, .sun_path = "/nonexistent/berth" };
	struct berth_addr addr = berth_addr_loopback(AF_INET, 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	tell(result_fd, result(bind(fd, (struct sockaddr *)&unix_addr, sizeof(sa_family_t))), 0);
	tell(result_fd, result(connect(fd, (struct sockaddr *)&unix_addr, sizeof(unix_addr))), 0);
	tell(result_fd, result(connect(-1, &addr.sa, addr.len)), 0);
	tell(result_fd, result(listen(999, 1)), 0);
}

static void the_rest_is_left_to_the_kernel(void **state)
{
	struct caller caller = start(false, call_what_is_none_of_ours);
	struct berth_notify_call call = next_call(&caller);

	(void)state;
	assert_int_equal(call.kind, BERTH_NOTIFY_LISTEN);
	assert_int_equal(call.fd, 999);
	assert_int_equal(outcome_of(&caller).value, 0);
	assert_int_equal(outcome_of(&caller).value, -ENOENT);
	assert_int_equal(outcome_of(&caller).value, -EBADF);
	end(&caller);
}

static void connect_by_unix_path(int result_fd)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "/nonexistent/berth" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	tell(result_fd, result(connect(fd, (struct sockaddr *)&addr, sizeof(addr))), 0);
	tell(result_fd, result(listen(999, 1)), 0);
}

static void a_whole_unix_address_is_not_held_with_connect_either(void **state)
{
	struct caller caller = start(true, connect_by_unix_path);

	(void)state;
	assert_int_equal(next_call(&caller).fd, 999);
	assert_int_equal(outcome_of(&caller).value, -ENOENT);
	end(&caller);
}

static void bind_odd_addresses(int result_fd)
{
	struct sockaddr_un unix_addr = { .sun_family = AF_UNIX, .sun_path = "/nonexistent/berth" };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct berth_addr addr = berth_addr_loopback(AF_INET, 4713);

	if (pages == MAP_FAILED || munmap(pages + page, page) < 0)
		_exit(1);
	memcpy(pages + page - sizeof(addr.in), &addr.in, sizeof(addr.in));
	tell(result_fd, result(syscall(SYS_bind, 5, &unix_addr, sizeof(unix_addr))), 0);
	tell(result_fd, result(syscall(SYS_bind, 5, NULL, 16)), 0);
	tell(result_fd, result(syscall(SYS_bind, 5, pages + page, 16)), 0);
	/* half of it is there */
	tell(result_fd, result(syscall(SYS_bind, 5, pages + page - sizeof(addr.in), 28)), 0);
	tell(result_fd, result(syscall(SYS_bind, 5, pages + page - sizeof(addr.in), 16)), 0);
	tell(result_fd, result(syscall(SYS_bind, 5, pages, page)), 0);
}

static void an_address_that_can_not_be_read_says_why(void **state)
{
	static const int expected[] = {
		-EAFNOSUPPORT, -EFAULT, -EFAULT, -EFAULT, 0, -EAFNOSUPPORT
	};
	struct caller caller = start(false, bind_odd_addresses);

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(expected); i++) {
		struct berth_notify_call call = next_call(&caller);
		struct berth_addr addr = { .len = 77 };

		assert_int_equal(berth_notify_read_addr(caller.notify_fd, &call, &addr),
				 expected[i]);
		if (expected[i])
			assert_int_equal(addr.len, 77);
		berth_notify_answer(caller.notify_fd, &call, -EINVAL);
		outcome_of(&caller);
	}
	end(&caller);
}

static void bind_a_closed_descriptor(int result_fd)
{
	struct berth_addr addr = berth_addr_loopback(AF_INET, 0);

	tell(result_fd, result(bind(999, &addr.sa, addr.len)), 0);
}

static void a_descriptor_that_is_none_says_so(void **state)
{
	struct caller caller = start(false, bind_a_closed_descriptor);
	struct berth_notify_call call = next_call(&caller);
	struct berth_notify_call outside = call;
	struct berth_addr addr;

	(void)state;
	assert_int_equal(berth_notify_get_fd(caller.notify_fd, &call), -EBADF);
	/* A caller outside of our pid namespace has no number. */
	outside.tid = 0;
	assert_int_equal(berth_notify_get_fd(caller.notify_fd, &outside), -ESRCH);
	assert_int_equal(berth_notify_read_addr(caller.notify_fd, &outside, &addr), -ESRCH);
	end(&caller);
}

static void hide_and_bind(int result_fd)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	bind_loopback(result_fd);
}

static void a_process_that_hides_is_not_looked_into(void **state)
{
	struct caller caller = start(false, hide_and_bind);
	struct berth_notify_call call = next_call(&caller);
	bool may = geteuid() == 0;
	struct berth_addr addr;
	int fd = berth_notify_get_fd(caller.notify_fd, &call);
	int r = berth_notify_read_addr(caller.notify_fd, &call, &addr);

	(void)state;
	assert_int_equal(r, may ? 0 : -EPERM);
	assert_int_equal(fd >= 0 ? 0 : fd, may ? 0 : -EPERM);
	if (fd >= 0)
		close(fd);
	berth_notify_continue(caller.notify_fd, &call);
	assert_int_equal(outcome_of(&caller).value, 0);
	end(&caller);
}

static void who_dies_in_its_call_is_told_from_those_who_live(void **state)
{
	struct caller caller = start(false, bind_loopback);
	struct berth_notify_call call = next_call(&caller);
	struct berth_addr addr;

	(void)state;
	assert_int_equal(kill(caller.pid, SIGKILL), 0);
	assert_true(wait_for(caller.result_fd) & POLLHUP);
	assert_true(wait_for(caller.notify_fd) & POLLHUP);
	assert_false(berth_notify_is_valid(caller.notify_fd, &call));
	assert_true(berth_notify_read_addr(caller.notify_fd, &call, &addr) < 0);
	assert_true(berth_notify_get_fd(caller.notify_fd, &call) < 0);
	assert_int_equal(berth_notify_replace_fd(caller.notify_fd, &call, caller.result_fd, true),
			 -ENOENT);
	berth_notify_answer(caller.notify_fd, &call, 0);
	berth_notify_continue(caller.notify_fd, &call);
	end(&caller);
}

static void a_call_that_was_withdrawn_is_none(void **state)
{
	struct caller caller = start(false, bind_loopback);
	struct berth_notify_call call = { .fd = 4711 };

	(void)state;
	assert_true(wait_for(caller.notify_fd) & POLLIN);
	assert_int_equal(kill(caller.pid, SIGKILL), 0);
	assert_true(wait_for(caller.result_fd) & POLLHUP);
	assert_int_equal(berth_notify_recv(caller.notify_fd, &call), -ENOENT);
	assert_int_equal(call.fd, 4711);
	end(&caller);
}

static void note_signal(int signo)
{
}

static void bind_under_signals(int result_fd)
{
	struct sigaction action = { .sa_handler =
					    note_signal }; /* no SA_RESTART: EINTR would be seen */

	sigaction(SIGUSR1, &action, NULL);
	bind_loopback(result_fd);
}

/* The first signal makes a caller whose call was received sleep so that only a fatal one wakes it. */
static void wait_until_it_sleeps_deeply(pid_t pid)
{
	int64_t deadline_ns = berth_time_mono_ns() + DEADLINE_MS * INT64_C(1000000);
	struct berth_proc_stat stat;

	do {
		sched_yield();
		assert_int_equal(berth_procfs_stat(pid, &stat), 0);
	} while (stat.state != 'D' && berth_time_mono_ns() < deadline_ns);
	assert_int_equal(stat.state, 'D');
}

static void a_signal_does_not_break_a_call_that_was_received(void **state)
{
	struct caller caller = start(false, bind_under_signals);
	struct berth_notify_call call = next_call(&caller);
	struct outcome outcome;

	(void)state;
	assert_int_equal(kill(caller.pid, SIGUSR1), 0);
	wait_until_it_sleeps_deeply(caller.pid);
	assert_true(berth_notify_is_valid(caller.notify_fd, &call));
	berth_notify_continue(caller.notify_fd, &call);
	outcome = outcome_of(&caller);
	assert_int_equal(outcome.value, 0);
	assert_true(outcome.extra > 0);
	end(&caller);
}

static void *bind_late(void *arg)
{
	const int *result_fd = arg;
	struct berth_proc_stat stat;

	/* Until the leader is a zombie; nothing else tells a thread that. */
	while (berth_procfs_stat(getpid(), &stat) < 0 || stat.state != 'Z')
		sched_yield();
	bind_loopback(*result_fd);
	_exit(0);
}

static void bind_without_a_leader(int result_fd)
{
	static int fd;
	pthread_t thread;

	fd = result_fd;
	if (pthread_create(&thread, NULL, bind_late, &fd) != 0)
		_exit(1);
	syscall(SYS_exit, 0); /* this thread alone, and without its end in the C library */
}

static bool has_thread_pidfds(void)
{
	int fd = pidfd_open(getpid(), O_EXCL); /* PIDFD_THREAD, 6.9 */

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void a_thread_is_served_after_its_leader_has_left(void **state)
{
	struct caller caller = start(false, bind_without_a_leader);
	struct berth_notify_call call = next_call(&caller);
	int fd = berth_notify_get_fd(caller.notify_fd, &call);

	(void)state;
	assert_int_not_equal(call.tid, caller.pid);
	if (has_thread_pidfds()) {
		assert_true(fd >= 0);
		close(fd);
	} else {
		assert_true(fd < 0);
	}
	berth_notify_continue(caller.notify_fd, &call);
	assert_int_equal(outcome_of(&caller).value, 0);
	end(&caller);
}

static void listen_and_look(int result_fd)
{
	int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	int r = result(listen(fd, 1));

	tell(result_fd, r, fcntl(fd, F_GETFD));
	tell(result_fd, bound_port(fd), 0);
}

static void a_socket_of_ours_takes_the_place_of_the_callers(void **state)
{
	static const bool cloexec[] = { true, false };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cloexec); i++) {
		struct berth_addr addr = berth_addr_loopback(AF_INET, 0);
		int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);
		struct caller caller = start(false, listen_and_look);
		struct berth_notify_call call = next_call(&caller);
		struct outcome outcome;

		assert_int_equal(berth_sock_bind(fd, &addr), 0);
		assert_int_equal(berth_notify_replace_fd(caller.notify_fd, &call, fd, cloexec[i]),
				 0);
		/* It still waits. */
		assert_true(berth_notify_is_valid(caller.notify_fd, &call));
		berth_notify_answer(caller.notify_fd, &call, 0);
		outcome = outcome_of(&caller);
		assert_int_equal(outcome.value, 0);
		assert_int_equal(outcome.extra, cloexec[i] ? FD_CLOEXEC : 0);
		assert_int_equal(outcome_of(&caller).value, bound_port(fd));
		close(fd);
		end(&caller);
	}
}

/* Its child holds the result pipe, and lives on until that is closed. */
static void leave_a_child(int result_fd)
{
	int hold[2];
	char byte;

	if (pipe2(hold, O_CLOEXEC) < 0)
		_exit(1);
	if (fork() == 0) {
		alarm(60); /* should the test itself die: nobody else looks after it */
		setsid(); /* out of its session, yet not out of sight */
		tell(result_fd, getpid(), 0);
		(void)!read(result_fd, &byte, 1);
		for (;;)
			pause();
	}
}

static void the_end_of_all_offspring_is_a_hangup(void **state)
{
	struct caller caller = start(false, leave_a_child);
	struct berth_notify_call call = next_call(&caller);
	struct pollfd poll_fd = { .fd = caller.notify_fd, .events = POLLIN };
	pid_t orphan;

	(void)state;
	assert_int_equal(call.kind, BERTH_NOTIFY_SETSID);
	assert_int_not_equal(call.tid, caller.pid);
	berth_notify_continue(caller.notify_fd, &call);
	orphan = outcome_of(&caller).value;
	assert_int_equal(waitpid(caller.pid, NULL, 0), caller.pid);
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	assert_int_equal(kill(orphan, SIGKILL), 0);
	assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
	assert_true(poll_fd.revents & POLLHUP);
	close(caller.notify_fd);
	close(caller.result_fd);
}

static void install_again(int result_fd)
{
	struct berth_notify_program program;
	struct berth_proc_status status;
	int fd = -7;
	int r = berth_notify_program_new(true, &program);

	if (r == 0)
		r = berth_notify_install(&program, &fd);
	tell(result_fd, r, fd);
	if (berth_procfs_status(getpid(), &status) < 0)
		_exit(1);
	tell(result_fd, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), (int)status.seccomp_filters);
}

static void one_listens_and_no_second_one(void **state)
{
	struct caller caller = start(false, install_again);
	struct outcome outcome = outcome_of(&caller);

	(void)state;
	assert_int_equal(outcome.value, -EBUSY);
	assert_int_equal(outcome.extra, -7);
	end(&caller);
}

static void privileges_are_given_up_only_where_the_kernel_insists(void **state)
{
	struct caller caller = start(false, install_again);
	struct berth_proc_status own;
	struct outcome outcome;

	(void)state;
	assert_int_equal(berth_procfs_status(getpid(), &own), 0);
	outcome_of(&caller);
	outcome = outcome_of(&caller);
	/* CAP_SYS_ADMIN */
	assert_int_equal(outcome.value,
			 own.cap_eff & (1ull << 21) ? prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) : 1);
	assert_int_equal(outcome.extra, own.seccomp_filters + 1);
	end(&caller);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_stands_for_the_call),
		cmocka_unit_test(a_call_goes_on_as_if_nobody_had_looked),
		cmocka_unit_test(a_call_can_be_carried_out_on_a_duplicate),
		cmocka_unit_test(each_call_is_told_by_its_kind),
		cmocka_unit_test(the_rest_is_left_to_the_kernel),
		cmocka_unit_test(a_whole_unix_address_is_not_held_with_connect_either),
		cmocka_unit_test(an_address_that_can_not_be_read_says_why),
		cmocka_unit_test(a_descriptor_that_is_none_says_so),
		cmocka_unit_test(a_process_that_hides_is_not_looked_into),
		cmocka_unit_test(who_dies_in_its_call_is_told_from_those_who_live),
		cmocka_unit_test(a_call_that_was_withdrawn_is_none),
		cmocka_unit_test(a_signal_does_not_break_a_call_that_was_received),
		cmocka_unit_test(a_thread_is_served_after_its_leader_has_left),
		cmocka_unit_test(a_socket_of_ours_takes_the_place_of_the_callers),
		cmocka_unit_test(the_end_of_all_offspring_is_a_hangup),
		cmocka_unit_test(one_listens_and_no_second_one),
		cmocka_unit_test(privileges_are_given_up_only_where_the_kernel_insists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
