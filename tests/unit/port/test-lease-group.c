/* SPDX-License-Identifier: MIT */
/* unit/port/test-lease-group.c - workers with a socket each on one port, and nobody else's among them */
/*
 * In a network namespace of its own. Nearly everything is done twice: with the rights of root in
 * it, and without any. One long file, since every test watches for the same thieves.
 */
#include "port/lease.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "group.h"

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
		IN_NETNS(three_members_share_a_port_with_nobody_else_at_any_step),
		IN_NETNS(members_may_join_before_the_first_listens),
		IN_NETNS(a_port_whose_group_has_ended_takes_any_next_owner),
		IN_NETNS(a_generation_on_another_address_listens_beside_the_one_before),
		IN_NETNS(a_thief_in_a_loop_gets_in_only_while_a_call_lasts_or_it_is_told),
		IN_NETNS(a_refused_join_leaves_everything_as_it_was),
		IN_NETNS(a_lease_of_udp_has_no_groups),
		IN_NETNS(a_group_that_others_could_join_is_told),
		IN_NETNS(a_stranger_among_the_members_is_told_until_it_goes),
		IN_NETNS(members_of_another_user_share_among_themselves),
	};
	return own_netns_run_group_tests(tests);
}
