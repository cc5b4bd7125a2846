/* SPDX-License-Identifier: MIT */
/* unit/port/test-lease-spread.c - which member of a group a client comes to: avoided, led */
/* In a network namespace of its own; without the rights of root, which nothing here may need. */
#include "port/lease.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "group.h"

static void avoid(struct berth_lease *lease, int fd, bool on)
{
	assert_int_equal(berth_lease_avoid(lease, owner_of(lease, fd), on), 0);
}

static void new_clients_go_to_those_that_are_not_avoided(void **state)
{
	const struct shape *shape = &owners[0];

	(void)state;
	set_rights(false);
	for (size_t first = 0; first < MEMBERS; first++) {
		struct berth_lease lease = taken(means[1], SOCK_STREAM);
		int fds[MEMBERS], others[MEMBERS];
		size_t second = (first + 1) % MEMBERS, third = (first + 2) % MEMBERS;

		form(&lease, shape, fds);
		avoid(&lease, fds[first], true);
		memcpy(others, fds, sizeof(fds));
		others[first] = fds[MEMBERS - 1];
		assert_all_get_some("one avoided", "127.0.0.1", others, MEMBERS - 1);
		avoid(&lease, fds[second], true);
		assert_one_gets_all("127.0.0.1", fds, MEMBERS, third);
		avoid(&lease, fds[second], false);
		assert_all_get_some("one still avoided", "127.0.0.1", others, MEMBERS - 1);
		avoid(&lease, fds[first], false);
		assert_all_get_some("none avoided", "127.0.0.1", fds, MEMBERS);
		end(&lease, fds, MEMBERS);
	}
	set_rights(true);
}

static void where_all_are_avoided_each_gets_some(void **state)
{
	struct berth_lease lease = taken(means[1], SOCK_STREAM);
	int fds[MEMBERS];

	(void)state;
	set_rights(false);
	form(&lease, &owners[0], fds);
	for (size_t i = 0; i < MEMBERS; i++)
		avoid(&lease, fds[i], true);
	assert_all_get_some("all avoided", "127.0.0.1", fds, MEMBERS);
	end(&lease, fds, MEMBERS);
	set_rights(true);
}

/* The kernel moves members to other places when one goes. */
static void who_is_avoided_stays_so_when_others_come_and_go(void **state)
{
	const struct shape *shape = &owners[0];

	(void)state;
	set_rights(false);
	for (size_t ends = 0; ends < MEMBERS; ends++) {
		for (size_t avoided = 0; avoided < MEMBERS; avoided++) {
			struct berth_lease lease = taken(means[1], SOCK_STREAM);
			int fds[MEMBERS], left[MEMBERS];
			size_t count = 0, others = 0;

			form(&lease, shape, fds);
			avoid(&lease, fds[avoided], true);
			reclaim(&lease, &fds[ends]);
			for (size_t i = 0; i < MEMBERS; i++)
				if (fds[i] >= 0 && i != avoided)
					left[count++] = fds[i];
			others = count;
			if (ends != avoided)
				left[count++] = fds[avoided];
			if (ends == avoided) {
				assert_all_get_some("it is gone", "127.0.0.1", left, count);
			} else {
				assert_one_gets_all("127.0.0.1", left, count, 0);
				left[count] = joined(&lease, shape, 0);
				assert_int_equal(berth_lease_listen(&lease, left[count], 64), 0);
				left[others] = left[count];
				assert_all_get_some("with a newcomer", "127.0.0.1", left,
						    others + 1);
				close(left[count]);
			}
			end(&lease, fds, MEMBERS);
		}
	}
	set_rights(true);
}

static void only_a_listening_member_is_avoided(void **state)
{
	struct berth_lease lease = taken(means[1], SOCK_STREAM);
	int fds[2] = { owned(&lease, &owners[0]), -1 };

	(void)state;
	assert_int_equal(berth_lease_listen(&lease, fds[0], 64), 0);
	assert_int_equal(berth_lease_avoid(&lease, owner_of(&lease, fds[0]), true), -EINVAL);
	fds[1] = joined(&lease, &owners[0], 0);
	assert_int_equal(berth_lease_avoid(&lease, owner_of(&lease, fds[1]), true), -EINVAL);
	end(&lease, fds, 2);
}

/* A client's end that knows its number before it connects. */
struct end {
	int fd;
	uint16_t port;
};

static struct end bound_end(const char *host)
{
	const struct shape client = { .family = strchr(host, ':') ? AF_INET6 : AF_INET,
				      .host = host };
	struct berth_addr addr = addr_of(&client, 0);
	struct end end = { .fd = shaped(&client, SOCK_STREAM) };

	assert_int_equal(berth_sock_bind(end.fd, &addr), 0);
	assert_int_equal(berth_sock_name(end.fd, &addr), 0);
	end.port = berth_addr_port(&addr);
	return end;
}

/* It connects to @host, and leaves nothing. Which of @fds gets it? */
static size_t arrival(struct end *end, const char *host, const int *fds, size_t size)
{
	const struct shape client = { .family = strchr(host, ':') ? AF_INET6 : AF_INET,
				      .host = host };
	const struct linger reset = { .l_onoff = 1 };
	struct berth_addr addr = addr_of(&client, PORT);
	struct pollfd polls[8];
	size_t who = size;
	int server;

	if (connect(end->fd, &addr.sa, addr.len) < 0)
		fail_msg("connect to %s: %s", host, strerror(errno));
	for (size_t i = 0; i < size; i++)
		polls[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	assert_int_equal(poll(polls, size, DEADLINE_MS), 1);
	for (size_t i = 0; i < size; i++)
		if (polls[i].revents)
			who = i;
	server = accept4(fds[who], NULL, NULL, SOCK_CLOEXEC);
	assert_true(server >= 0);
	assert_int_equal(setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	berth_fd_close(&end->fd);
	close(server);
	return who;
}

/* Each of several clients that are led to @fds[@index] comes there. */
static void assert_led(struct berth_lease *lease, const char *what, const char *host,
		       const int *fds, size_t size, size_t index)
{
	for (int i = 0; i < 8; i++) {
		struct end end = bound_end(host);
		size_t who;

		assert_int_equal(berth_lease_lead(lease, owner_of(lease, fds[index]), end.port), 0);
		who = arrival(&end, host, fds, size);
		if (who != index)
			fail_msg("%s: a client of %s came to member %zu instead of %zu", what, host,
				 who, index);
		berth_lease_unlead(lease, owner_of(lease, fds[index]), end.port);
	}
}

static void each_member_is_reached_by_who_is_led_to_it(void **state)
{
	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		set_rights(means[way].interfaces);
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(owners); i++) {
			struct berth_lease lease;
			int fds[MEMBERS];

			if (owners[i].mptcp)
				continue;
			lease = taken(means[way], SOCK_STREAM);
			form(&lease, &owners[i], fds);
			for (size_t k = 0; k < MEMBERS; k++) {
				assert_led(&lease, owners[i].what, client_of(&owners[i]), fds,
					   MEMBERS, k);
				if (is_dual(&owners[i]))
					assert_led(&lease, owners[i].what, "127.0.0.1", fds,
						   MEMBERS, k);
			}
			assert_group("not led any more", &owners[i], fds, MEMBERS);
			end(&lease, fds, MEMBERS);
		}
	}
	set_rights(true);
}

static void where_some_are_led_the_others_spread_as_before(void **state)
{
	static const size_t kinds[] = { 0, 7, 10 }; /* v4, dual-stack, ::1 */

	(void)state;
	set_rights(false);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(kinds); i++) {
		const struct shape *shape = &owners[kinds[i]];
		struct berth_lease lease = taken(means[1], SOCK_STREAM);
		struct end ends[MEMBERS];
		int fds[MEMBERS];

		form(&lease, shape, fds);
		for (size_t k = 0; k < MEMBERS; k++) {
			ends[k] = bound_end(client_of(shape));
			assert_int_equal(
				berth_lease_lead(&lease, owner_of(&lease, fds[k]), ends[k].port),
				0);
		}
		assert_group("others", shape, fds, MEMBERS);
		/* An avoided one is left out, but not by who is led to it. */
		avoid(&lease, fds[0], true);
		assert_all_get_some("avoided", client_of(shape), fds + 1, MEMBERS - 1);
		for (size_t k = MEMBERS; k-- > 0;)
			assert_int_equal(arrival(&ends[k], client_of(shape), fds, MEMBERS), k);
		end(&lease, fds, MEMBERS);
	}
	set_rights(true);
}

/* What is led stays led to the same one, at whichever place that is by then. */
static void a_lead_follows_its_member_when_others_come_and_go(void **state)
{
	(void)state;
	set_rights(false);
	for (size_t ends = 0; ends < MEMBERS; ends++) {
		for (size_t led = 0; led < MEMBERS; led++) {
			struct berth_lease lease = taken(means[1], SOCK_STREAM);
			int fds[MEMBERS], left[MEMBERS + 1];
			struct end client = bound_end("127.0.0.1");
			size_t count = 0, where = 0;

			form(&lease, &owners[0], fds);
			assert_int_equal(
				berth_lease_lead(&lease, owner_of(&lease, fds[led]), client.port),
				0);
			reclaim(&lease, &fds[ends]);
			for (size_t i = 0; i < MEMBERS; i++) {
				if (i == led)
					where = count;
				if (fds[i] >= 0)
					left[count++] = fds[i];
			}
			left[count] = joined(&lease, &owners[0], 0);
			assert_int_equal(berth_lease_listen(&lease, left[count], 64), 0);
			count++;
			if (ends == led) {
				/* It has ended with the member, and nothing is left of it. */
				assert_int_equal(berth_sock_set(left[0], SOL_SOCKET,
								SO_DETACH_REUSEPORT_BPF, 0),
						 -ENOENT);
				berth_fd_close(&client.fd);
			} else {
				assert_int_equal(arrival(&client, "127.0.0.1", left, count), where);
			}
			for (size_t i = 0; i < count; i++)
				assert_led(&lease, "after all", "127.0.0.1", left, count, i);
			close(left[count - 1]);
			end(&lease, fds, MEMBERS);
		}
	}
	set_rights(true);
}

static void a_lead_that_has_ended_leads_nobody(void **state)
{
	struct berth_lease lease = taken(means[1], SOCK_STREAM);
	struct berth_lease_owner *owner;
	int fds[MEMBERS];

	(void)state;
	form(&lease, &owners[0], fds);
	owner = owner_of(&lease, fds[0]);
	assert_int_equal(berth_lease_lead(&lease, owner, 40001), 0);
	assert_int_equal(berth_lease_lead(&lease, owner, 40002), 0);
	assert_int_equal(berth_lease_lead(&lease, owner, 40003), -ENOSPC);
	berth_lease_unlead(&lease, owner, 40003);
	berth_lease_unlead(&lease, owner, 40001);
	berth_lease_unlead(&lease, owner, 40001);
	assert_int_equal(berth_lease_lead(&lease, owner, 40003), 0);
	berth_lease_unlead(&lease, owner, 40002);
	berth_lease_unlead(&lease, owner, 40003);
	/* Nothing is left of the program. */
	assert_int_equal(berth_sock_set(fds[0], SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0), -ENOENT);
	avoid(&lease, fds[1], true);
	assert_int_equal(berth_lease_lead(&lease, owner, 40001), 0);
	avoid(&lease, fds[1], false);
	berth_lease_unlead(&lease, owner, 40001);
	assert_int_equal(berth_sock_set(fds[0], SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0), -ENOENT);
	end(&lease, fds, MEMBERS);
}

static void a_group_as_large_as_can_be_is_led_in(void **state)
{
	struct berth_lease lease = taken(means[1], SOCK_STREAM);
	int fds[BERTH_LEASE_OWNERS_MAX];
	struct end client = bound_end("127.0.0.1");
	struct pollfd last;

	(void)state;
	fds[0] = owned(&lease, &owners[0]);
	assert_int_equal(berth_lease_listen(&lease, fds[0], 64), 0);
	for (size_t i = 1; i < BERTH_LEASE_OWNERS_MAX; i++) {
		fds[i] = joined(&lease, &owners[0], 0);
		assert_int_equal(berth_lease_listen(&lease, fds[i], 64), 0);
	}
	avoid(&lease, fds[0], true);
	for (size_t i = 0; i < BERTH_LEASE_OWNERS_MAX; i++) {
		assert_int_equal(
			berth_lease_lead(&lease, owner_of(&lease, fds[i]), (uint16_t)(1000 + i)),
			0);
		assert_int_equal(berth_lease_lead(&lease, owner_of(&lease, fds[i]),
						  i + 1 < BERTH_LEASE_OWNERS_MAX
							  ? (uint16_t)(2000 + i)
							  : client.port),
				 0);
	}
	last = (struct pollfd){ .fd = fds[BERTH_LEASE_OWNERS_MAX - 1], .events = POLLIN };
	arrival(&client, "127.0.0.1", &last.fd, 1);
	end(&lease, fds, BERTH_LEASE_OWNERS_MAX);
}

static void nobody_is_led_to_what_is_no_listening_member(void **state)
{
	struct berth_lease lease = taken(means[1], SOCK_STREAM);
	int fds[2] = { owned(&lease, &owners[0]), -1 };

	(void)state;
	assert_int_equal(berth_lease_listen(&lease, fds[0], 64), 0);
	assert_int_equal(berth_lease_lead(&lease, owner_of(&lease, fds[0]), 40001), -EINVAL);
	fds[1] = joined(&lease, &owners[0], 0);
	assert_int_equal(berth_lease_lead(&lease, owner_of(&lease, fds[1]), 40001), -EINVAL);
	end(&lease, fds, 2);
}

static void the_kernel_leads_nobody_in_a_group_of_mptcp(void **state)
{
	const struct shape *mptcp = &owners[BERTH_ARRAY_SIZE(owners) - 1];
	struct berth_lease lease = taken(means[1], SOCK_STREAM);
	int fds[2] = { owned(&lease, mptcp), -1 };
	int r;

	(void)state;
	assert_true(mptcp->mptcp);
	if (fds[0] < 0) {
		berth_lease_release(&lease);
		print_message("this kernel has no MPTCP\n");
		skip();
	}
	assert_int_equal(berth_lease_listen(&lease, fds[0], 64), 0);
	fds[1] = joined(&lease, mptcp, 0);
	assert_int_equal(berth_lease_listen(&lease, fds[1], 64), 0);
	r = berth_lease_lead(&lease, owner_of(&lease, fds[1]), 40001);
	assert_true(r == -EOPNOTSUPP || r == -ENOPROTOOPT);
	assert_int_equal(owner_of(&lease, fds[1])->leads[0], 0);
	end(&lease, fds, 2);
}

/* A program that calls shutdown() on its listener, to wake a thread: the kernel moves the others. */
static void members_that_stop_listening_unasked_are_noticed(void **state)
{
	(void)state;
	set_rights(false);
	for (size_t gone = 0; gone < MEMBERS; gone++) {
		struct berth_lease lease = taken(means[1], SOCK_STREAM);
		int fds[MEMBERS + 1], left[MEMBERS + 1];
		size_t count = 0;

		form(&lease, &owners[0], fds);
		assert_int_equal(berth_lease_lead(&lease, owner_of(&lease, fds[gone]), 40001), 0);
		assert_int_equal(shutdown(fds[gone], SHUT_RDWR), 0);
		/* At half of them somebody comes before anybody has looked. */
		fds[MEMBERS] = gone % 2 ? joined(&lease, &owners[0], 0) : -1;
		if (fds[MEMBERS] >= 0)
			assert_int_equal(berth_lease_listen(&lease, fds[MEMBERS], 64), 0);
		for (size_t i = 0; i <= MEMBERS; i++)
			if (i != gone && fds[i] >= 0)
				left[count++] = fds[i];
		for (size_t i = 0; i < count; i++)
			assert_led(&lease, "one gone", "127.0.0.1", left, count, i);
		assert_int_equal(berth_lease_lead(&lease, owner_of(&lease, fds[gone]), 40001),
				 -EINVAL);
		assert_int_equal(berth_lease_listen(&lease, fds[gone], 64), 0);
		assert_int_equal(owner_of(&lease, fds[gone])->leads[0], 0);
		left[count++] = fds[gone];
		assert_led(&lease, "back", "127.0.0.1", left, count, count - 1);
		end(&lease, fds, MEMBERS + 1);
	}
	set_rights(true);
}

static void whose_place_is_not_known_for_certain_is_not_led(void **state)
{
	struct berth_lease lease = taken(means[1], SOCK_STREAM);
	int fds[MEMBERS + 1];

	(void)state;
	set_rights(false);
	/* Two have gone, and nobody knows which one was first. */
	form(&lease, &owners[0], fds);
	fds[MEMBERS] = joined(&lease, &owners[0], 0);
	assert_int_equal(berth_lease_listen(&lease, fds[MEMBERS], 64), 0);
	assert_int_equal(shutdown(fds[0], SHUT_RDWR), 0);
	assert_int_equal(shutdown(fds[1], SHUT_RDWR), 0);
	assert_int_equal(berth_lease_lead(&lease, owner_of(&lease, fds[2]), 40001), -ENOTUNIQ);
	/* A group that begins anew is known again. */
	for (size_t i = 0; i <= MEMBERS; i++)
		reclaim(&lease, &fds[i]);
	form(&lease, &owners[0], fds);
	assert_led(&lease, "anew", "127.0.0.1", fds, MEMBERS, 2);
	/* Dropped, it is a member until the service closes it. */
	berth_lease_drop_owner(&lease, owner_of(&lease, fds[0]));
	assert_int_equal(berth_lease_lead(&lease, owner_of(&lease, fds[1]), 40001), -ENOTUNIQ);
	end(&lease, fds, MEMBERS);
	/* Others could be among them. */
	lease = taken((struct berth_lease_means){ .ipv6 = false }, SOCK_STREAM);
	fds[0] = owned(&lease, &owners[0]);
	assert_int_equal(berth_lease_listen(&lease, fds[0], 64), 0);
	fds[1] = joined(&lease, &owners[0], BERTH_LEASE_OPEN_GROUP);
	assert_int_equal(berth_lease_listen(&lease, fds[1], 64), BERTH_LEASE_OPEN_GROUP);
	assert_int_equal(berth_lease_lead(&lease, owner_of(&lease, fds[1]), 40001), -ENOTUNIQ);
	end(&lease, fds, 2);
	set_rights(true);
}

/* For its next life, whose clients may wait there. */
static void a_kept_member_is_avoided_no_more(void **state)
{
	struct berth_lease lease = taken(means[1], SOCK_STREAM);
	int fds[MEMBERS];

	(void)state;
	form(&lease, &owners[0], fds);
	avoid(&lease, fds[1], true);
	berth_lease_keep(&lease, owner_of(&lease, fds[1]));
	assert_true(owner_of(&lease, fds[1])->kept);
	assert_all_get_some("kept", "127.0.0.1", fds, MEMBERS);
	/* One that has stopped can't be kept. */
	assert_int_equal(shutdown(fds[2], SHUT_RDWR), 0);
	berth_lease_keep(&lease, owner_of(&lease, fds[2]));
	assert_false(owner_of(&lease, fds[2])->kept);
	end(&lease, fds, MEMBERS);
}

/* Clients in a loop, each of which wants its byte back. */
struct load {
	atomic_bool done;
	atomic_ulong served, failed;
};

static void *ask(void *arg)
{
	const struct shape client = { .family = AF_INET, .host = "127.0.0.1" };
	const struct linger reset = { .l_onoff = 1 };
	struct berth_addr addr = addr_of(&client, PORT);
	struct load *load = arg;

	while (!atomic_load(&load->done)) {
		BERTH_AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		char byte = 'x';
		bool served = connect(fd, &addr.sa, addr.len) == 0 && write(fd, &byte, 1) == 1 &&
			      read(fd, &byte, 1) == 1;

		atomic_fetch_add(served ? &load->served : &load->failed, 1);
		(void)!setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	}
	return NULL;
}

/* A worker that ends as soon as it is told to, whatever waits in its queue. */
struct server {
	pthread_t thread;
	int fd;
	int told; /* a pipe's end: readable once it shall end */
	int tell;
};

static void *answer(void *arg)
{
	struct server *server = arg;

	for (;;) {
		struct pollfd polls[2] = { { .fd = server->told, .events = POLLIN },
					   { .fd = server->fd, .events = POLLIN } };
		BERTH_AUTO_FD int fd = -1;
		char byte;

		if (poll(polls, 2, -1) < 0 || polls[0].revents)
			return NULL;
		fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0 && read(fd, &byte, 1) == 1)
			(void)!write(fd, &byte, 1);
	}
}

static void start(struct server *server, int fd)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	server->fd = fd;
	server->told = ends[0];
	server->tell = ends[1];
	assert_int_equal(pthread_create(&server->thread, NULL, answer, server), 0);
}

static void stop(struct server *server)
{
	close(server->tell);
	assert_int_equal(pthread_join(server->thread, NULL), 0);
	close(server->told);
}

static void wait_for_served(struct load *load, unsigned long more)
{
	unsigned long target = atomic_load(&load->served) + more;
	struct timespec now, end;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &end), 0);
	end.tv_sec += DEADLINE_MS / 1000;
	while (atomic_load(&load->served) < target) {
		assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
		if (now.tv_sec > end.tv_sec)
			fail_msg("no client is served");
		sched_yield();
	}
}

static void a_drained_member_ends_under_load_and_no_client_is_lost(void **state)
{
	enum {
		ROUNDS = 40,
		THREADS = 4,
		OVERTAKE = 4 * THREADS, /* whoever was in a handshake has been served by then */
	};
	struct berth_lease lease = taken(means[1], SOCK_STREAM);
	struct load load = { 0 };
	struct server servers[2];
	pthread_t threads[THREADS];

	(void)state;
	set_rights(false);
	start(&servers[0], owned(&lease, &owners[0]));
	assert_int_equal(berth_lease_listen(&lease, servers[0].fd, 64), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask, &load), 0);
	for (int i = 0; i < ROUNDS; i++) {
		struct server *old = &servers[i % 2], *new = &servers[1 - i % 2];

		start(new, joined(&lease, &owners[0], 0));
		assert_int_equal(berth_lease_listen(&lease, new->fd, 64), 0);
		wait_for_served(&load, OVERTAKE);
		avoid(&lease, old->fd, true);
		do
			wait_for_served(&load, OVERTAKE);
		while (berth_lease_waiting(owner_of(&lease, old->fd)));
		stop(old);
		reclaim(&lease, &old->fd);
	}
	wait_for_served(&load, OVERTAKE);
	atomic_store(&load.done, true);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&load.failed), 0);
	stop(&servers[ROUNDS % 2]);
	end(&lease, &servers[ROUNDS % 2].fd, 1);
	set_rights(true);
}

/* A fresh one for each, so that a failure leaves the next one a clean floor. */
static int enter(void **state)
{
	(void)state;
	set_rights(true);
	return own_netns_setup(state);
}

#define IN_NETNS(test) cmocka_unit_test_setup(test, enter)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_NETNS(new_clients_go_to_those_that_are_not_avoided),
		IN_NETNS(where_all_are_avoided_each_gets_some),
		IN_NETNS(who_is_avoided_stays_so_when_others_come_and_go),
		IN_NETNS(only_a_listening_member_is_avoided),
		IN_NETNS(each_member_is_reached_by_who_is_led_to_it),
		IN_NETNS(where_some_are_led_the_others_spread_as_before),
		IN_NETNS(a_lead_follows_its_member_when_others_come_and_go),
		IN_NETNS(a_lead_that_has_ended_leads_nobody),
		IN_NETNS(a_group_as_large_as_can_be_is_led_in),
		IN_NETNS(nobody_is_led_to_what_is_no_listening_member),
		IN_NETNS(the_kernel_leads_nobody_in_a_group_of_mptcp),
		IN_NETNS(members_that_stop_listening_unasked_are_noticed),
		IN_NETNS(whose_place_is_not_known_for_certain_is_not_led),
		IN_NETNS(a_kept_member_is_avoided_no_more),
		IN_NETNS(a_drained_member_ends_under_load_and_no_client_is_lost),
	};
	return own_netns_run_group_tests(tests);
}
