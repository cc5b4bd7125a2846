/* SPDX-License-Identifier: MIT */
/* unit/os/test-handover.c - a real program waits in bind(), and gets the socket of its life before */
#include "os/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "os/fdinfo.h"
#include "os/procfs.h"
#include "os/procsock.h"
#include "os/uds.h"

enum {
	DEADLINE_MS = 10000,
	PORT = 4711, /* what the caller asks for; never bound */
	RESULT_FD = 200, /* in the caller, out of the way of its other numbers */
	EPOLL_FD = 210, /* the first of its epoll descriptors */
};

/* What the caller is to be. */
struct wish {
	int number; /* of its socket; 0: whatever comes */
	int type; /* SOCK_NONBLOCK and the like */
	bool not_cloexec;
	bool copy;
	int epolls;
	uint32_t events;
	bool epoll_twice; /* the first epoll descriptor under a second number too */
	bool thread; /* one that waits and accepts while the first one binds */
	void (*prepare)(int fd); /* options */
};

struct outcome {
	int value; /* of the call, or -errno */
	int extra; /* what the test is about beside it */
};

struct caller {
	pid_t pid;
	int notify_fd;
	int result_fd;
	struct berth_notify_call call; /* its bind() */
	int fd; /* a duplicate of its socket */
};

static void tell(int value, int extra)
{
	struct outcome outcome = { .value = value, .extra = extra };

	if (write(RESULT_FD, &outcome, sizeof(outcome)) != sizeof(outcome))
		_exit(1);
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

/* What a registration carries; no two alike. */
static uint64_t data_of(int index)
{
	return 0xfedcba9800000000 + (uint64_t)index;
}

/* A server: waits for a client (in each of its epolls) and greets it, twice. */
static void serve(const struct wish *wish, int fd)
{
	struct epoll_event event = { 0 };

	for (int round = 0; round < 2; round++) {
		int right = 0, client;

		for (int i = 0; i < wish->epolls; i++)
			if (epoll_wait(EPOLL_FD + i, &event, 1, DEADLINE_MS) == 1 &&
			    event.events == EPOLLIN && event.data.u64 == data_of(i))
				right++;
		tell(right, fcntl(fd, F_GETFD));
		client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		tell(result(write(client, "hello", 5)), bound_port(fd));
		close(client);
	}
}

static void *accept_early(void *arg)
{
	struct epoll_event event = { 0 };

	/* An unbound socket hangs up, once with EPOLLET. */
	while (!(event.events & EPOLLIN))
		if (epoll_wait(EPOLL_FD, &event, 1, DEADLINE_MS) < 1)
			_exit(1);
	tell(result(write(accept4(*(int *)arg, NULL, NULL, SOCK_CLOEXEC), "hello", 5)), 0);
	return NULL;
}

static void work(const struct wish *wish)
{
	pthread_t thread;
	struct berth_addr addr = berth_addr_loopback(AF_INET, PORT);
	int fd = socket(AF_INET, SOCK_STREAM | wish->type | (wish->not_cloexec ? 0 : SOCK_CLOEXEC),
			0),
	    r;

	if (wish->number && wish->number != fd)
		fd = dup3(fd, wish->number, wish->not_cloexec ? 0 : O_CLOEXEC);
	if (wish->number && fd != wish->number)
		_exit(1);
	/* None but the one number has it. */
	for (int other = 3; other < RESULT_FD; other++)
		if (other != fd)
			close(other);
	if (wish->prepare)
		wish->prepare(fd);
	for (int i = 0; i < wish->epolls; i++) {
		struct epoll_event event = { .events = wish->events, .data.u64 = data_of(i) };
		int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

		if (dup2(epoll_fd, EPOLL_FD + i) < 0 || close(epoll_fd) < 0 ||
		    epoll_ctl(EPOLL_FD + i, EPOLL_CTL_ADD, fd, &event) < 0)
			_exit(1);
	}
	if (wish->epoll_twice && dup2(EPOLL_FD, EPOLL_FD + wish->epolls) < 0)
		_exit(1);
	if (wish->copy && dup2(fd, RESULT_FD - 1) < 0)
		_exit(1);
	if (wish->thread && pthread_create(&thread, NULL, accept_early, &fd) != 0)
		_exit(1);
	r = result(bind(fd, &addr.sa, addr.len));
	tell(r, bound_port(fd));
	tell(result(listen(fd, 5)), 0);
	serve(wish, fd);
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
	return call;
}

static struct outcome outcome_of(const struct caller *caller)
{
	struct outcome outcome = { 0 };

	wait_for(caller->result_fd);
	assert_int_equal(read(caller->result_fd, &outcome, sizeof(outcome)), sizeof(outcome));
	return outcome;
}

/* Returns when it waits in its bind(). */
static struct caller start(const struct wish *wish)
{
	struct berth_notify_program program = { 0 };
	struct caller caller = { .notify_fd = -1 };
	int pair[2], results[2], notify_fd = -1;
	char byte;

	assert_int_equal(berth_notify_program_new(false, &program), 0);
	assert_int_equal(berth_uds_pair(SOCK_SEQPACKET, pair), 0);
	assert_int_equal(pipe2(results, O_CLOEXEC), 0);
	caller.pid = fork();
	assert_true(caller.pid >= 0);
	if (caller.pid == 0) {
		alarm(60); /* should the test itself die */
		if (berth_notify_install(&program, &notify_fd) < 0 ||
		    berth_uds_send(pair[1], "f", 1, notify_fd) < 0 ||
		    dup2(results[1], RESULT_FD) < 0)
			_exit(1);
		work(wish);
		_exit(0);
	}
	close(pair[1]);
	close(results[1]);
	assert_int_equal(berth_uds_recv(pair[0], &byte, 1, &caller.notify_fd), 1);
	close(pair[0]);
	caller.result_fd = results[0];
	berth_notify_program_deinit(&program);
	caller.call = next_call(&caller);
	assert_int_equal(caller.call.kind, BERTH_NOTIFY_BIND);
	caller.fd = berth_notify_get_fd(caller.notify_fd, &caller.call);
	assert_true(caller.fd >= 0);
	return caller;
}

static void end(struct caller *caller)
{
	berth_fd_close(&caller->fd);
	kill(caller->pid, SIGKILL);
	assert_int_equal(waitpid(caller->pid, NULL, 0), caller->pid);
	close(caller->notify_fd);
	close(caller->result_fd);
}

/* As the life before left it: listening, at a number of the kernel's choice. */
static int new_kept(void)
{
	struct berth_addr addr = berth_addr_loopback(AF_INET, 0);
	int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(berth_sock_bind(fd, &addr), 0);
	assert_int_equal(berth_sock_listen(fd, 100), 0);
	return fd;
}

static int new_client(int kept)
{
	struct berth_addr addr;
	int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(berth_sock_name(kept, &addr), 0);
	assert_int_equal(connect(fd, &addr.sa, addr.len), 0);
	return fd;
}

static void assert_greeted(int client)
{
	char text[8];

	assert_true(wait_for(client) & POLLIN);
	assert_int_equal(read(client, text, sizeof(text)), 5);
	close(client);
}

static int hand_over(const struct caller *caller, int kept, bool shared, bool compare_nonblock)
{
	const struct berth_handover_spec spec = {
		.notify_fd = caller->notify_fd,
		.call = &caller->call,
		.fd = caller->fd,
		.kept = kept,
		.shared = shared,
		.compare_nonblock = compare_nonblock,
	};

	return berth_handover(&spec);
}

/* bind() is answered with 0, listen() carried out by the kernel, on the kept socket. */
static void let_listen(struct caller *caller, int kept)
{
	struct berth_notify_call call;
	struct outcome outcome;

	berth_notify_answer(caller->notify_fd, &caller->call, 0);
	outcome = outcome_of(caller);
	assert_int_equal(outcome.value, 0);
	assert_int_equal(outcome.extra, bound_port(kept));
	call = next_call(caller);
	assert_int_equal(call.kind, BERTH_NOTIFY_LISTEN);
	berth_notify_continue(caller->notify_fd, &call);
	assert_int_equal(outcome_of(caller).value, 0);
}

/* The one that waited already, and one that comes later. */
static void assert_serves(const struct caller *caller, const struct wish *wish, int kept,
			  int waiting)
{
	struct outcome outcome;

	for (int round = 0; round < 2; round++) {
		int client = round == 0 ? waiting : new_client(kept);

		outcome = outcome_of(caller);
		assert_int_equal(outcome.value, wish->epolls);
		assert_int_equal(outcome.extra, wish->not_cloexec ? 0 : FD_CLOEXEC);
		outcome = outcome_of(caller);
		assert_int_equal(outcome.value, 5);
		assert_int_equal(outcome.extra, bound_port(kept));
		assert_greeted(client);
	}
}

static void hand_over_and_serve(const struct wish *wish)
{
	struct caller caller = start(wish);
	int kept = new_kept(), waiting = new_client(kept);

	assert_int_equal(hand_over(&caller, kept, false, false), 0);
	assert_true(berth_notify_is_valid(caller.notify_fd, &caller.call));
	let_listen(&caller, kept);
	assert_serves(&caller, wish, kept, waiting);
	close(kept);
	end(&caller);
}

/* Its bind() is carried out, as if nothing had been tried: its own socket has a number of its own. */
static void assert_untouched(struct caller *caller, int kept)
{
	uint64_t inode = 0;

	assert_int_equal(berth_procsock_inode(caller->pid, caller->call.fd, &inode), 0);
	assert_int_equal(inode, berth_sock_inode(caller->fd));
	assert_int_not_equal(inode, berth_sock_inode(kept));
	berth_notify_continue(caller->notify_fd, &caller->call);
	assert_int_equal(outcome_of(caller).extra, PORT);
	assert_int_equal(bound_port(caller->fd), PORT);
}

/* Registrations of the socket that @fd of ours is, in all epolls of the caller. */
static size_t count_watches(const struct caller *caller, const struct wish *wish, int fd,
			    struct berth_fdinfo_watch *ret_last)
{
	size_t sum = 0, count = 0;

	for (int i = 0; i < wish->epolls; i++) {
		assert_int_equal(
			berth_fdinfo_watches(caller->pid, EPOLL_FD + i, fd, ret_last, 1, &count),
			0);
		sum += count;
	}
	return sum;
}

static void who_waits_in_the_kept_queue_is_accepted_by_the_new_one(void **state)
{
	const struct wish wish = { 0 };

	(void)state;
	hand_over_and_serve(&wish);
}

static void close_on_exec_stays_as_the_caller_had_it(void **state)
{
	const struct wish wish = { .not_cloexec = true };

	(void)state;
	hand_over_and_serve(&wish);
}

static void who_waits_in_epoll_hears_of_clients(void **state)
{
	static const uint32_t events[] = {
		EPOLLIN,
		EPOLLIN | EPOLLET,
		EPOLLIN | EPOLLEXCLUSIVE,
		EPOLLIN | EPOLLET | EPOLLEXCLUSIVE,
		EPOLLIN | EPOLLRDHUP | EPOLLPRI,
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(events); i++) {
		const struct wish wish = { .epolls = 1, .events = events[i] };

		hand_over_and_serve(&wish);
	}
}

/* It was told of the client in the queue: at that moment its number must be the kept socket. */
static void another_thread_in_epoll_accepts_before_bind_has_returned(void **state)
{
	const struct wish wish = { .epolls = 1, .events = EPOLLIN | EPOLLET, .thread = true };
	struct caller caller = start(&wish);
	int kept = new_kept(), waiting = new_client(kept);

	(void)state;
	assert_int_equal(hand_over(&caller, kept, false, false), 0);
	assert_int_equal(outcome_of(&caller).value, 5);
	assert_true(berth_notify_is_valid(caller.notify_fd, &caller.call));
	assert_greeted(waiting);
	close(kept);
	end(&caller);
}

static void each_of_several_epolls_hears_of_clients(void **state)
{
	const struct wish wish = { .epolls = 3, .events = EPOLLIN | EPOLLET };

	(void)state;
	hand_over_and_serve(&wish);
}

/* The helper has it under the caller's number, which means something else in the supervisor. */
static void any_number_of_the_caller_will_do(void **state)
{
	(void)state;
	for (int number = 3; number < 24; number++) {
		const struct wish wish = { .number = number, .epolls = 2, .events = EPOLLIN };

		hand_over_and_serve(&wish);
	}
}

static void a_number_above_our_own_limit_will_do(void **state)
{
	const struct wish wish = { .number = 150, .epolls = 1, .events = EPOLLIN };
	struct rlimit limit, low;
	struct caller caller = start(&wish);
	int kept = new_kept(), waiting = new_client(kept), r;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	r = hand_over(&caller, kept, false, false);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(r, 0);
	let_listen(&caller, kept);
	assert_serves(&caller, &wish, kept, waiting);
	close(kept);
	end(&caller);
}

static void an_epoll_under_two_numbers_is_one(void **state)
{
	(void)state;
	for (int shared = 0; shared < 2; shared++) {
		const struct wish wish = { .epolls = 1, .events = EPOLLIN, .epoll_twice = true };
		struct caller caller = start(&wish);
		int kept = new_kept(), waiting = new_client(kept);

		assert_int_equal(hand_over(&caller, kept, shared, false), 0);
		let_listen(&caller, kept);
		assert_serves(&caller, &wish, kept, waiting);
		close(kept);
		end(&caller);
	}
}

static void a_registration_keeps_its_bits_and_the_old_one_goes(void **state)
{
	static const uint32_t events[] = {
		EPOLLIN,
		EPOLLIN | EPOLLET,
		EPOLLIN | EPOLLEXCLUSIVE | EPOLLET,
		EPOLLIN | EPOLLOUT | EPOLLONESHOT,
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(events); i++) {
		const struct wish wish = { .epolls = 2, .events = events[i] };
		struct caller caller = start(&wish);
		struct berth_fdinfo_watch watch = { 0 };
		int kept = new_kept();

		assert_int_equal(count_watches(&caller, &wish, caller.fd, &watch), 2);
		assert_int_equal(hand_over(&caller, kept, false, false), 0);
		/* caller.fd still keeps the old one alive. */
		assert_int_equal(count_watches(&caller, &wish, caller.fd, &watch), 0);
		assert_int_equal(count_watches(&caller, &wish, kept, &watch), 2);
		assert_int_equal(watch.fd, caller.call.fd);
		assert_int_equal(watch.data, data_of(1));
		assert_int_equal(watch.events, events[i] | EPOLLERR | EPOLLHUP);
		close(kept);
		end(&caller);
	}
}

static void a_copy_of_the_socket_is_refused(void **state)
{
	const struct wish wish = { .copy = true, .epolls = 1, .events = EPOLLIN };
	struct caller caller = start(&wish);
	int kept = new_kept();

	(void)state;
	assert_int_equal(hand_over(&caller, kept, false, false), BERTH_HANDOVER_E_COPIED);
	assert_untouched(&caller, kept);
	close(kept);
	end(&caller);
}

/* The epoll of a caller that has @kept already under that number, as after close() and socket(). */
static int register_kept(const struct caller *caller, int index, int kept, int number)
{
	struct berth_notify_call at = caller->call;
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 77 };
	int held = fcntl(kept, F_DUPFD_CLOEXEC, number), epoll_fd;

	assert_int_equal(held, number);
	at.fd = EPOLL_FD + index;
	epoll_fd = berth_notify_get_fd(caller->notify_fd, &at);
	assert_true(epoll_fd >= 0);
	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, held, &event), 0);
	close(held);
	return epoll_fd;
}

static void a_registration_that_can_not_be_made_takes_all_others_back(void **state)
{
	const struct wish wish = { .number = 150, .epolls = 3, .events = EPOLLIN };
	struct caller caller = start(&wish);
	struct berth_fdinfo_watch watch = { 0 };
	int kept = new_kept(), epoll_fd = register_kept(&caller, 2, kept, 150);

	(void)state;
	assert_int_equal(hand_over(&caller, kept, true, false), BERTH_HANDOVER_E_EPOLL);
	assert_int_equal(count_watches(&caller, &wish, caller.fd, &watch), 3);
	/* What another process made stays. */
	assert_int_equal(count_watches(&caller, &wish, kept, &watch), 1);
	assert_int_equal(watch.data, 77);
	assert_untouched(&caller, kept);
	close(epoll_fd);
	close(kept);
	end(&caller);
}

static void a_registration_left_by_the_life_before_is_replaced(void **state)
{
	const struct wish wish = { .number = 150, .epolls = 2, .events = EPOLLIN | EPOLLET };
	struct caller caller = start(&wish);
	int kept = new_kept(), waiting = new_client(kept);
	int epoll_fd = register_kept(&caller, 1, kept, 150);

	(void)state;
	close(epoll_fd);
	assert_int_equal(hand_over(&caller, kept, false, false), 0);
	let_listen(&caller, kept);
	assert_serves(&caller, &wish, kept, waiting);
	close(kept);
	end(&caller);
}

static void more_epolls_than_any_program_has_are_refused(void **state)
{
	const struct wish wish = { .epolls = 65, .events = EPOLLIN };
	struct caller caller = start(&wish);
	struct berth_fdinfo_watch watch;
	int kept = new_kept();

	(void)state;
	assert_int_equal(hand_over(&caller, kept, false, false), BERTH_HANDOVER_E_EPOLL);
	assert_int_equal(count_watches(&caller, &wish, kept, &watch), 0);
	assert_untouched(&caller, kept);
	close(kept);
	end(&caller);
}

static void set_options(int fd)
{
	const struct timeval accept_time = { .tv_sec = 3 };

	if (berth_sock_set(fd, IPPROTO_TCP, TCP_NODELAY, 1) < 0 ||
	    berth_sock_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 4000) < 0 ||
	    berth_sock_set(fd, SOL_SOCKET, SO_RCVBUF, 50000) < 0 ||
	    berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
	    berth_sock_set(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &accept_time, sizeof(accept_time)) < 0)
		_exit(1);
}

struct look {
	int nodelay, user_timeout, rcvbuf, locks, keepalive, reuseaddr, reuseport, flags;
	int64_t accept_s;
};

static struct look look_at(int fd)
{
	struct timeval accept_time = { 0 };
	socklen_t len = sizeof(accept_time);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &accept_time, &len), 0);
	return (struct look){
		.nodelay = berth_sock_get(fd, IPPROTO_TCP, TCP_NODELAY),
		.user_timeout = berth_sock_get(fd, IPPROTO_TCP, TCP_USER_TIMEOUT),
		.rcvbuf = berth_sock_get(fd, SOL_SOCKET, SO_RCVBUF),
		.locks = berth_sock_get(fd, SOL_SOCKET, SO_BUF_LOCK),
		.keepalive = berth_sock_get(fd, SOL_SOCKET, SO_KEEPALIVE),
		.reuseaddr = berth_sock_get(fd, SOL_SOCKET, SO_REUSEADDR),
		.reuseport = berth_sock_get(fd, SOL_SOCKET, SO_REUSEPORT),
		.flags = fcntl(fd, F_GETFL) & O_NONBLOCK,
		.accept_s = accept_time.tv_sec,
	};
}

static void options_and_flags_are_those_of_the_new_program(void **state)
{
	const struct wish wish = { .type = SOCK_NONBLOCK, .prepare = set_options };
	struct caller caller = start(&wish);
	int kept = new_kept();
	struct look look;

	(void)state;
	/* of the life before */
	assert_int_equal(berth_sock_set(kept, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	assert_int_equal(hand_over(&caller, kept, false, false), 0);
	look = look_at(kept);
	assert_int_equal(look.nodelay, 1);
	assert_int_equal(look.user_timeout, 4000);
	assert_int_equal(look.rcvbuf, 100000);
	assert_int_equal(look.locks, 2); /* SOCK_RCVBUF_LOCK */
	assert_int_equal(look.accept_s, 3);
	assert_int_equal(look.keepalive, 0);
	assert_int_equal(look.reuseaddr, 0);
	assert_int_equal(look.reuseport, 0);
	assert_int_equal(look.flags, O_NONBLOCK);
	close(kept);
	end(&caller);
}

static void buffers_set_by_the_life_before_are_the_kernels_again(void **state)
{
	const struct wish wish = { 0 };
	struct caller caller = start(&wish);
	int kept = new_kept();

	(void)state;
	assert_int_equal(berth_sock_set(kept, SOL_SOCKET, SO_RCVBUF, 5000), 0);
	assert_int_equal(hand_over(&caller, kept, false, false), 0);
	assert_int_equal(look_at(kept).locks, 0);
	assert_int_equal(look_at(kept).rcvbuf, look_at(caller.fd).rcvbuf);
	close(kept);
	end(&caller);
}

static void a_socket_that_others_have_is_handed_over_as_it_is(void **state)
{
	const struct wish wish = { .type = SOCK_NONBLOCK, .prepare = set_options };
	struct caller caller = start(&wish);
	int kept = new_kept();
	struct look before = look_at(kept), after;
	uint64_t inode = 0;

	(void)state;
	assert_int_equal(hand_over(&caller, kept, true, false), 0);
	assert_int_equal(berth_procsock_inode(caller.pid, caller.call.fd, &inode), 0);
	assert_int_equal(inode, berth_sock_inode(kept));
	after = look_at(kept);
	assert_memory_equal(&after, &before, sizeof(after));
	assert_int_equal(after.flags, 0);
	close(kept);
	end(&caller);
}

static void who_blocks_does_not_share_with_who_does_not(void **state)
{
	(void)state;
	for (int differs = 0; differs < 2; differs++) {
		const struct wish wish = { .type = differs ? SOCK_NONBLOCK : 0 };
		struct caller caller = start(&wish);
		int kept = new_kept();

		assert_int_equal(hand_over(&caller, kept, true, true),
				 differs ? BERTH_HANDOVER_E_BLOCKING : 0);
		if (differs)
			assert_untouched(&caller, kept);
		close(kept);
		end(&caller);
	}
}

static void a_caller_that_has_gone_is_told(void **state)
{
	const struct wish wish = { .epolls = 1, .events = EPOLLIN };
	struct caller caller = start(&wish);
	int kept = new_kept();

	(void)state;
	assert_int_equal(kill(caller.pid, SIGKILL), 0);
	assert_true(wait_for(caller.result_fd) & POLLHUP);
	assert_true(wait_for(caller.notify_fd) & POLLHUP);
	assert_int_equal(hand_over(&caller, kept, false, false), -ENOENT);
	close(kept);
	end(&caller);
}

static void a_caller_outside_of_our_pid_namespace_is_unreadable(void **state)
{
	const struct wish wish = { 0 };
	struct caller caller = start(&wish);
	pid_t tid = caller.call.tid;
	int kept = new_kept();

	(void)state;
	caller.call.tid = 0;
	assert_int_equal(hand_over(&caller, kept, false, false), BERTH_HANDOVER_E_UNREADABLE);
	caller.call.tid = tid;
	assert_untouched(&caller, kept);
	close(kept);
	end(&caller);
}

/*
 * Hiding (PR_SET_DUMPABLE) would keep its socket from us too, and whoever may take that may read.
 * So root, who may all, forgets about that in between, as it is with a security module's rules.
 */
static void a_caller_that_we_may_not_look_into_is_unreadable(void **state)
{
	const struct wish wish = { .epolls = 1, .events = EPOLLIN };
	struct caller caller;
	int kept, r;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can become somebody else\n");
		skip();
	}
	caller = start(&wish);
	kept = new_kept();
	assert_int_equal(seteuid(65534), 0);
	r = hand_over(&caller, kept, false, false);
	assert_int_equal(seteuid(0), 0);
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	assert_int_equal(r, BERTH_HANDOVER_E_UNREADABLE);
	assert_untouched(&caller, kept);
	close(kept);
	end(&caller);
}

static int new_socket(int family, int protocol, int v6only)
{
	int fd = berth_sock_new(family, SOCK_STREAM, protocol);

	if (fd >= 0 && family == AF_INET6)
		assert_int_equal(berth_sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only), 0);
	return fd;
}

static void only_its_like_fits(void **state)
{
	static const struct {
		int family, protocol, v6only;
	} kinds[] = {
		{ AF_INET, IPPROTO_TCP, 0 },	{ AF_INET6, IPPROTO_TCP, 0 },
		{ AF_INET6, IPPROTO_TCP, 1 },	{ AF_INET, IPPROTO_MPTCP, 0 },
		{ AF_INET6, IPPROTO_MPTCP, 0 }, { AF_INET6, IPPROTO_MPTCP, 1 },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(kinds); i++) {
		for (size_t k = 0; k < BERTH_ARRAY_SIZE(kinds); k++) {
			int a = new_socket(kinds[i].family, kinds[i].protocol, kinds[i].v6only);
			int b = new_socket(kinds[k].family, kinds[k].protocol, kinds[k].v6only);

			/* A kernel may lack MPTCP: that is no pair to compare. */
			if (a >= 0 && b >= 0)
				assert_int_equal(berth_handover_fits(a, b), i == k);
			else
				assert_true(a == -EPROTONOSUPPORT || b == -EPROTONOSUPPORT ||
					    a == -ENOPROTOOPT || b == -ENOPROTOOPT);
			berth_fd_close(&a);
			berth_fd_close(&b);
		}
	}
}

static void who_ties_itself_to_a_device_does_not_get_an_open_socket(void **state)
{
	int a = new_socket(AF_INET, 0, 0), b = new_socket(AF_INET, 0, 0);

	(void)state;
	assert_true(berth_handover_fits(a, b));
	assert_int_equal(setsockopt(a, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
	assert_false(berth_handover_fits(a, b));
	assert_int_equal(setsockopt(b, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
	assert_true(berth_handover_fits(a, b));
	close(a);
	assert_false(berth_handover_fits(-1, b));
	close(b);
}

static void every_outcome_has_its_words(void **state)
{
	(void)state;
	assert_string_equal(berth_handover_why(0), "");
	for (int a = 1; a <= BERTH_HANDOVER_E_EPOLL; a++)
		for (int b = 0; b < a; b++)
			assert_string_not_equal(berth_handover_why(a), berth_handover_why(b));
	assert_string_equal(berth_handover_why(-EMFILE), strerror(EMFILE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_waits_in_the_kept_queue_is_accepted_by_the_new_one),
		cmocka_unit_test(close_on_exec_stays_as_the_caller_had_it),
		cmocka_unit_test(who_waits_in_epoll_hears_of_clients),
		cmocka_unit_test(another_thread_in_epoll_accepts_before_bind_has_returned),
		cmocka_unit_test(each_of_several_epolls_hears_of_clients),
		cmocka_unit_test(any_number_of_the_caller_will_do),
		cmocka_unit_test(a_number_above_our_own_limit_will_do),
		cmocka_unit_test(an_epoll_under_two_numbers_is_one),
		cmocka_unit_test(a_registration_keeps_its_bits_and_the_old_one_goes),
		cmocka_unit_test(a_copy_of_the_socket_is_refused),
		cmocka_unit_test(a_registration_that_can_not_be_made_takes_all_others_back),
		cmocka_unit_test(a_registration_left_by_the_life_before_is_replaced),
		cmocka_unit_test(more_epolls_than_any_program_has_are_refused),
		cmocka_unit_test(options_and_flags_are_those_of_the_new_program),
		cmocka_unit_test(buffers_set_by_the_life_before_are_the_kernels_again),
		cmocka_unit_test(a_socket_that_others_have_is_handed_over_as_it_is),
		cmocka_unit_test(who_blocks_does_not_share_with_who_does_not),
		cmocka_unit_test(a_caller_that_has_gone_is_told),
		cmocka_unit_test(a_caller_outside_of_our_pid_namespace_is_unreadable),
		cmocka_unit_test(a_caller_that_we_may_not_look_into_is_unreadable),
		cmocka_unit_test(only_its_like_fits),
		cmocka_unit_test(who_ties_itself_to_a_device_does_not_get_an_open_socket),
		cmocka_unit_test(every_outcome_has_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
