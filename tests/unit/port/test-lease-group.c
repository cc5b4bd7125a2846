/* SPDX-License-Identifier: MIT */
/* unit/port/test-lease-group.c - workers with a socket each on one port, and nobody else's among them */
/*
 * In a network namespace of its own. Nearly everything is done twice: with the rights of root in
 * it, and without any. One long file, since every test watches for the same thieves.
 */
#include "port/lease.h"

#include <linux/capability.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../own-netns.h"
#include "shapes.h"

enum {
	MEMBERS = 3,
	CLIENTS = 300,
	SHARE_MIN = 40, /* of 300; a fair third is 100, and 40 is seven standard deviations off */
};

/* The effective rights of this process are all that are permitted, or none. */
static void set_rights(bool all)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(data); i++)
		data[i].effective = all ? data[i].permitted : 0;
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

/* Every kind of thief, each as willing to share as can be. */
static void assert_no_sharer_gets_in(const char *when, const char *member)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(thieves); i++) {
		for (int reuse = 0; reuse < 2; reuse++) {
			struct shape thief = thieves[i];

			thief.reuse = reuse;
			thief.reuseport = true;
			if (try_to_steal(&thief, SOCK_STREAM, PORT) != -EADDRINUSE)
				fail_msg("%s (%s): %s got in, SO_REUSEADDR %d", when, member,
					 thief.what, reuse);
		}
	}
	assert_nobody_gets_in(SOCK_STREAM, when, member);
}

/* Joined through the lease; -1 where the kernel has no such socket. */
static int joined(struct berth_lease *lease, const struct shape *shape, int expected)
{
	struct berth_addr addr = addr_of(shape, 1);
	int fd = shaped(shape, SOCK_STREAM);
	int r;

	if (fd < 0)
		return -1;
	r = berth_lease_join(lease, fd, &addr);
	if (r != expected)
		fail_msg("join as %s: %d", shape->what, r);
	assert_int_equal(berth_sock_name(fd, &addr), 0);
	assert_int_equal(berth_addr_port(&addr), PORT);
	return fd;
}

/* How many of @count clients of @host come to each of the @size listeners; they leave nothing. */
static void spread(const char *host, int count, const int *listeners, size_t size, int *ret_shares)
{
	const struct shape client = { .family = strchr(host, ':') ? AF_INET6 : AF_INET,
				      .host = host };
	const struct linger reset = { .l_onoff = 1 };
	struct berth_addr addr = addr_of(&client, PORT);

	memset(ret_shares, 0, size * sizeof(*ret_shares));
	for (int i = 0; i < count; i++) {
		BERTH_AUTO_FD int fd = shaped(&client, SOCK_STREAM);
		struct pollfd polls[8];

		if (connect(fd, &addr.sa, addr.len) < 0)
			fail_msg("client %d of %s: %s", i, host, strerror(errno));
		for (size_t k = 0; k < size; k++)
			polls[k] = (struct pollfd){ .fd = listeners[k], .events = POLLIN };
		assert_int_equal(poll(polls, size, DEADLINE_MS), 1);
		for (size_t k = 0; k < size; k++) {
			BERTH_AUTO_FD int server = -1;

			if (!polls[k].revents)
				continue;
			server = accept4(listeners[k], NULL, NULL, SOCK_CLOEXEC);
			assert_true(server >= 0);
			ret_shares[k]++;
		}
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	}
}

static void assert_all_get_some(const char *what, const char *host, const int *fds, size_t size)
{
	int shares[8];

	spread(host, CLIENTS, fds, size, shares);
	for (size_t i = 0; i < size; i++)
		if (shares[i] < SHARE_MIN)
			fail_msg("%s: member %zu got %d of %d clients of %s", what, i, shares[i],
				 CLIENTS, host);
}

/* Of @size members only the one at @index gets clients. */
static void assert_one_gets_all(const char *host, const int *fds, size_t size, size_t index)
{
	int shares[8];

	spread(host, 60, fds, size, shares);
	assert_int_equal(shares[index], 60);
}

static void assert_group(const char *what, const struct shape *shape, const int *fds, size_t size)
{
	assert_all_get_some(what, client_of(shape), fds, size);
	if (is_dual(shape))
		assert_all_get_some(what, "127.0.0.1", fds, size);
}

/* A listening first one, bound alone, and two that join it. */
static void form(struct berth_lease *lease, const struct shape *shape, int fds[MEMBERS])
{
	fds[0] = owned(lease, shape);
	assert_int_equal(berth_lease_listen(lease, fds[0], 64), 0);
	for (int i = 1; i < MEMBERS; i++) {
		fds[i] = joined(lease, shape, 0);
		assert_int_equal(berth_lease_listen(lease, fds[i], 64), 0);
	}
}

static void end(struct berth_lease *lease, const int *fds, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	berth_lease_release(lease);
}

static void reclaim(struct berth_lease *lease, int *fd)
{
	struct berth_lease_owner *owner = owner_of(lease, *fd);

	berth_fd_close(fd);
	berth_lease_reclaim(lease, owner);
}

static void three_members_share_a_port_with_nobody_else_at_any_step(void **state)
{
	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		set_rights(means[way].interfaces);
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(owners); i++) {
			struct berth_lease lease = taken(means[way], SOCK_STREAM);
			const char *what = owners[i].what;
			int fds[MEMBERS] = { owned(&lease, &owners[i]), -1, -1 };

			if (fds[0] < 0) {
				berth_lease_release(&lease);
				continue;
			}
			assert_int_equal(berth_lease_listen(&lease, fds[0], 64), 0);
			assert_no_sharer_gets_in("one listens", what);
			for (int k = 1; k < MEMBERS; k++) {
				fds[k] = joined(&lease, &owners[i], 0);
				assert_no_sharer_gets_in("joined", what);
				if (berth_lease_listen(&lease, fds[k], 64) != 0)
					fail_msg("listen as %s", what);
				assert_no_sharer_gets_in("listening", what);
			}
			assert_group(what, &owners[i], fds, MEMBERS);
			/* One ends, another one comes. */
			reclaim(&lease, &fds[0]);
			assert_no_sharer_gets_in("one less", what);
			assert_group(what, &owners[i], fds + 1, MEMBERS - 1);
			fds[0] = joined(&lease, &owners[i], 0);
			assert_int_equal(berth_lease_listen(&lease, fds[0], 64), 0);
			assert_no_sharer_gets_in("one more", what);
			assert_group(what, &owners[i], fds, MEMBERS);
			end(&lease, fds, MEMBERS);
		}
	}
	set_rights(true);
}

static void members_may_join_before_the_first_listens(void **state)
{
	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		set_rights(means[way].interfaces);
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(owners); i++) {
			struct berth_lease lease = taken(means[way], SOCK_STREAM);
			int fds[MEMBERS] = { owned(&lease, &owners[i]), -1, -1 };

			if (fds[0] < 0) {
				berth_lease_release(&lease);
				continue;
			}
			for (int k = 1; k < MEMBERS; k++)
				fds[k] = joined(&lease, &owners[i], 0);
			assert_no_sharer_gets_in("joined", owners[i].what);
			for (int k = MEMBERS; k-- > 0;) {
				assert_int_equal(berth_lease_listen(&lease, fds[k], 64), 0);
				assert_no_sharer_gets_in("listening", owners[i].what);
			}
			assert_group(owners[i].what, &owners[i], fds, MEMBERS);
			end(&lease, fds, MEMBERS);
		}
	}
	set_rights(true);
}

/* Every kind of owner after every kind of group, whose connections are not all gone. */
static void a_port_whose_group_has_ended_takes_any_next_owner(void **state)
{
	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		set_rights(means[way].interfaces);
		for (size_t k = 0; k < BERTH_ARRAY_SIZE(owners) * BERTH_ARRAY_SIZE(owners); k++) {
			const struct shape *a = &owners[k / BERTH_ARRAY_SIZE(owners)];
			const struct shape *b = &owners[k % BERTH_ARRAY_SIZE(owners)];
			struct berth_lease lease = taken(means[way], SOCK_STREAM);
			int fds[2] = { owned(&lease, a), -1 };
			int server, client, next;

			if (fds[0] < 0) {
				berth_lease_release(&lease);
				continue;
			}
			assert_int_equal(berth_lease_listen(&lease, fds[0], 64), 0);
			client = serve(fds[0], client_of(a), &server);
			fds[1] = joined(&lease, a, 0);
			assert_int_equal(berth_lease_listen(&lease, fds[1], 64), 0);
			reclaim(&lease, &fds[0]);
			reclaim(&lease, &fds[1]);
			assert_no_sharer_gets_in("all reclaimed", a->what);
			next = owned(&lease, b);
			if (next >= 0) {
				assert_no_sharer_gets_in("bound", b->what);
				if (berth_lease_listen(&lease, next, 64) != 0)
					fail_msg("listen as %s after %s", b->what, a->what);
				assert_no_sharer_gets_in("listening", b->what);
				assert_serves(next, client_of(b));
				close(next);
			}
			close(client);
			close(server);
			berth_lease_release(&lease);
		}
	}
	set_rights(true);
}

/* A new version that listens elsewhere must come up while the old one still serves. */
static void a_generation_on_another_address_listens_beside_the_one_before(void **state)
{
	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		set_rights(means[way].interfaces);
		for (size_t k = 0; k < BERTH_ARRAY_SIZE(owners) * BERTH_ARRAY_SIZE(owners); k++) {
			const struct shape *a = &owners[k / BERTH_ARRAY_SIZE(owners)];
			const struct shape *b = &owners[k % BERTH_ARRAY_SIZE(owners)];
			struct berth_lease lease = taken(means[way], SOCK_STREAM);
			int fds[2] = { owned(&lease, a), -1 };

			if (fds[0] < 0) {
				berth_lease_release(&lease);
				continue;
			}
			assert_int_equal(berth_lease_listen(&lease, fds[0], 64), 0);
			fds[1] = joined(&lease, b, 0);
			if (fds[1] >= 0) {
				assert_no_sharer_gets_in("beside", b->what);
				assert_int_equal(berth_lease_listen(&lease, fds[1], 64), 0);
				assert_no_sharer_gets_in("both listen", b->what);
				reclaim(&lease, &fds[0]);
				assert_no_sharer_gets_in("the new one alone", b->what);
				assert_serves(fds[1], client_of(b));
			}
			end(&lease, fds, 2);
		}
	}
	set_rights(true);
}

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

/* A thief in a tight loop, of the same user and willing to share. */
struct thief {
	struct shape shape;
	atomic_bool done;
	atomic_uint moment; /* odd: nobody else may get in */
	atomic_ulong binds, tries;
};

static void *steal(void *arg)
{
	struct thief *thief = arg;
	struct berth_addr addr = addr_of(&thief->shape, PORT);

	while (!atomic_load(&thief->done)) {
		unsigned int moment = atomic_load(&thief->moment);
		BERTH_AUTO_FD int fd = shaped(&thief->shape, SOCK_STREAM);
		bool bound = bind(fd, &addr.sa, addr.len) == 0;

		if (bound && moment % 2 && moment == atomic_load(&thief->moment))
			atomic_fetch_add(&thief->binds, 1);
		if (bound)
			(void)!listen(fd, 1);
		atomic_fetch_add(&thief->tries, 1);
	}
	return NULL;
}

/* While @r says that nobody can, nobody does. Returns whether it says so. */
static bool guarded(struct thief *thief, int r)
{
	unsigned long tries = atomic_load(&thief->tries);

	if (r == BERTH_LEASE_OPEN_GROUP)
		return false;
	assert_int_equal(r, 0);
	atomic_fetch_add(&thief->moment, 1);
	while (atomic_load(&thief->tries) < tries + 4)
		sched_yield();
	atomic_fetch_add(&thief->moment, 1);
	return true;
}

static void a_thief_in_a_loop_gets_in_only_while_a_call_lasts_or_it_is_told(void **state)
{
	enum {
		LIVES = 20
	};
	/* v4 with both, 127.0.0.2, dual-stack with both */
	static const size_t kinds[] = { 3, 5, 14 };
	/* v4, 127.0.0.1, dual-stack */
	static const size_t prey[] = { 0, 3, 7 };

	(void)state;
	set_rights(false);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(kinds) * BERTH_ARRAY_SIZE(prey); i++) {
		const struct shape *shape = &owners[prey[i % BERTH_ARRAY_SIZE(prey)]];
		struct thief thief = { .shape = thieves[kinds[i / BERTH_ARRAY_SIZE(prey)]] };
		struct berth_lease lease = taken(means[1], SOCK_STREAM);
		struct berth_addr addr = addr_of(shape, 0);
		int first = owned(&lease, shape), sealed = 0;
		pthread_t thread;

		assert_int_equal(berth_lease_listen(&lease, first, 64), 0);
		assert_int_equal(pthread_create(&thread, NULL, steal, &thief), 0);
		for (int life = 0; life < LIVES; life++) {
			int fd = shaped(shape, SOCK_STREAM);

			sealed += guarded(&thief, berth_lease_join(&lease, fd, &addr));
			sealed += guarded(&thief, berth_lease_listen(&lease, fd, 64));
			reclaim(&lease, &fd);
		}
		atomic_store(&thief.done, true);
		assert_int_equal(pthread_join(thread, NULL), 0);
		if (atomic_load(&thief.binds) > 0)
			fail_msg("%s got in beside %s", thief.shape.what, shape->what);
		print_message("%s beside %s: %d of %d calls sealed\n", thief.shape.what,
			      shape->what, sealed, 2 * LIVES);
		end(&lease, &first, 1);
	}
	set_rights(true);
}

static void a_refused_join_leaves_everything_as_it_was(void **state)
{
	const struct shape elsewhere = { "192.0.2.7", AF_INET, "192.0.2.7" };
	struct berth_addr addr = addr_of(&elsewhere, 0), any = berth_addr_any(AF_INET, 0);

	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		struct berth_lease lease = taken(means[way], SOCK_STREAM);
		int fds[2] = { owned(&lease, &owners[0]), shaped(&owners[0], SOCK_STREAM) };

		assert_int_equal(berth_lease_listen(&lease, fds[0], 64), 0);
		assert_int_equal(berth_lease_join(&lease, fds[1], &addr), -EADDRNOTAVAIL);
		assert_int_equal(berth_sock_get(fds[1], SOL_SOCKET, SO_REUSEADDR), 0);
		assert_int_equal(berth_sock_get(fds[1], SOL_SOCKET, SO_REUSEPORT), 0);
		assert_null(berth_lease_find_owner(&lease, berth_sock_inode(fds[1])));
		assert_no_sharer_gets_in("refused", "192.0.2.7");
		assert_serves(fds[0], "127.0.0.1");
		assert_int_equal(berth_lease_join(&lease, fds[1], &any), 0);
		assert_int_equal(berth_lease_join(&lease, fds[1], &any), -EINVAL);
		assert_int_equal(berth_lease_listen(&lease, fds[1], 64), 0);
		assert_group("at last", &owners[0], fds, 2);
		end(&lease, fds, 2);
	}
}

static void a_lease_of_udp_has_no_groups(void **state)
{
	struct berth_lease lease = taken(means[1], SOCK_DGRAM);
	struct berth_addr any = berth_addr_any(AF_INET, 0);
	int fds[2] = { owned(&lease, &owners[0]), shaped(&owners[0], SOCK_DGRAM) };

	(void)state;
	assert_int_equal(berth_lease_join(&lease, fds[1], &any), -EOPNOTSUPP);
	end(&lease, fds, 2);
}

/* What stands in the way of others, or takes the last word, can't be had: said, and it serves. */
static void a_group_that_others_could_join_is_told(void **state)
{
	static const struct {
		const char *what;
		struct berth_lease_means means;
		bool soft;
		int expected;
	} cases[] = {
		{ "without IPv6", { .ipv6 = false }, false, BERTH_LEASE_OPEN_GROUP },
		{ "softened", { .ipv6 = true }, true, BERTH_LEASE_OPEN_GROUP },
		{ "as ever", { .ipv6 = true }, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		struct berth_lease lease = taken(cases[i].means, SOCK_STREAM);
		struct shape thief = { "a sharer", AF_INET, .reuse = true, .reuseport = true };
		int fds[2] = { owned(&lease, &owners[0]), -1 };

		if (cases[i].soft)
			berth_lease_soften(&lease);
		assert_int_equal(berth_lease_listen(&lease, fds[0], 64), 0);
		fds[1] = joined(&lease, &owners[0], cases[i].expected);
		assert_int_equal(berth_lease_listen(&lease, fds[1], 64), cases[i].expected);
		assert_int_equal(try_to_steal(&thief, SOCK_STREAM, PORT),
				 cases[i].expected ? 0 : -EADDRINUSE);
		assert_group(cases[i].what, &owners[0], fds, 2);
		end(&lease, fds, 2);
	}
}

/* As if it had come in the moment of a call: the guards are down, for it. */
static int slipped_in(const struct berth_lease *lease)
{
	const struct shape shape = { "a sharer", AF_INET, .reuse = true, .reuseport = true };
	const int guards[] = { lease->holder4, lease->holder6 };
	struct berth_addr addr = addr_of(&shape, PORT);
	int fd = shaped(&shape, SOCK_STREAM);

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(guards); i++)
		assert_int_equal(berth_sock_set(guards[i], SOL_SOCKET, SO_REUSEPORT, 1), 0);
	assert_int_equal(berth_sock_bind(fd, &addr), 0);
	assert_int_equal(berth_sock_listen(fd, 1), 0);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(guards); i++)
		assert_int_equal(berth_sock_set(guards[i], SOL_SOCKET, SO_REUSEPORT, 0), 0);
	return fd;
}

static void a_stranger_among_the_members_is_told_until_it_goes(void **state)
{
	struct berth_lease lease = taken(means[1], SOCK_STREAM);
	int fds[MEMBERS + 1], stranger;

	(void)state;
	form(&lease, &owners[0], fds);
	stranger = slipped_in(&lease);
	fds[MEMBERS] = joined(&lease, &owners[0], BERTH_LEASE_OPEN_GROUP);
	close(stranger);
	assert_int_equal(berth_lease_listen(&lease, fds[MEMBERS], 64), 0);
	assert_no_sharer_gets_in("gone", "v4");
	assert_group("gone", &owners[0], fds, MEMBERS + 1);
	end(&lease, fds, MEMBERS + 1);
}

/* Sockets of a service that runs as somebody else, in the lease of a supervisor that may, or not. */
static void members_of_another_user_share_among_themselves(void **state)
{
	const uid_t other = geteuid() ? geteuid() : 65534;
	BERTH_AUTO_FD int probe = shaped(&owners[0], SOCK_STREAM);

	(void)state;
	if (fchown(probe, other, (gid_t)-1) < 0) {
		print_message("there is no other user in this user namespace\n");
		skip();
	}
	for (int rights = 0; rights < 2; rights++) {
		struct berth_lease lease = taken(means[1], SOCK_STREAM);
		struct berth_addr any = berth_addr_any(AF_INET6, 0);
		int fds[3], expected = rights ? 0 : BERTH_LEASE_OPEN_GROUP;

		for (int i = 0; i < 3; i++)
			fds[i] = shaped(&owners[7], SOCK_STREAM);
		assert_int_equal(fchown(fds[0], other, (gid_t)-1), 0);
		assert_int_equal(fchown(fds[1], other, (gid_t)-1), 0);
		set_rights(rights);
		assert_int_equal(berth_lease_bind(&lease, fds[0], &any), 0);
		assert_int_equal(berth_lease_listen(&lease, fds[0], 64), 0);
		assert_int_equal(berth_lease_join(&lease, fds[1], &any), expected);
		assert_int_equal(berth_lease_listen(&lease, fds[1], 64), expected);
		assert_int_equal(berth_lease_join(&lease, fds[2], &any), -EADDRINUSE);
		assert_no_sharer_gets_in("users", "somebody else's");
		assert_all_get_some("users", "::1", fds, 2);
		assert_all_get_some("users", "127.0.0.1", fds, 2);
		end(&lease, fds, 3);
		set_rights(true);
	}
}

static void nothing_runs_without_a_namespace(void **state)
{
	(void)state;
	print_message("no network namespace to be had\n");
	skip();
}

/* A fresh one for each, so that a failure leaves the next one a clean floor. */
static int enter(void **state)
{
	(void)state;
	set_rights(true);
	return own_netns_enter() ? 0 : -1;
}

#define IN_NETNS(test) cmocka_unit_test_setup(test, enter)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_NETNS(three_members_share_a_port_with_nobody_else_at_any_step),
		IN_NETNS(members_may_join_before_the_first_listens),
		IN_NETNS(a_port_whose_group_has_ended_takes_any_next_owner),
		IN_NETNS(a_generation_on_another_address_listens_beside_the_one_before),
		IN_NETNS(new_clients_go_to_those_that_are_not_avoided),
		IN_NETNS(where_all_are_avoided_each_gets_some),
		IN_NETNS(who_is_avoided_stays_so_when_others_come_and_go),
		IN_NETNS(only_a_listening_member_is_avoided),
		IN_NETNS(a_drained_member_ends_under_load_and_no_client_is_lost),
		IN_NETNS(a_thief_in_a_loop_gets_in_only_while_a_call_lasts_or_it_is_told),
		IN_NETNS(a_refused_join_leaves_everything_as_it_was),
		IN_NETNS(a_lease_of_udp_has_no_groups),
		IN_NETNS(a_group_that_others_could_join_is_told),
		IN_NETNS(a_stranger_among_the_members_is_told_until_it_goes),
		IN_NETNS(members_of_another_user_share_among_themselves),
	};
	const struct CMUnitTest skipped[] = {
		cmocka_unit_test(nothing_runs_without_a_namespace),
	};

	if (!own_netns_enter())
		return cmocka_run_group_tests(skipped, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
