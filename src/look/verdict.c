/* SPDX-License-Identifier: MIT */
/* look/verdict.c - would a bind() to a port succeed, and what is in the way: pure */
/*
 * inet_csk_bind_conflict() of the kernel, as far as it can be told from outside. A bind() is
 * refused by a socket whose address overlaps, unless both have SO_REUSEADDR and that socket does
 * not listen. No other state makes a difference: an outgoing connection, and even its TIME_WAIT,
 * refuse a server that has set SO_REUSEADDR. A socket that is bound to an interface overlaps as any
 * other does, as long as the one that comes is not.
 *
 * In UDP, SO_REUSEADDR of both means that the later one gets the packets. Servers do not set it, so
 * there each socket is in the way.
 */
#include "look/verdict.h"

#include <string.h>

enum {
	LOOPBACK_INTERFACE = 1, /* in every network namespace */
};

/* How exactly a socket takes what goes to an address; the kernel gives it to the highest. */
enum match {
	MATCH_NONE,
	MATCH_DUAL, /* [::] for an IPv4 address */
	MATCH_ANY,
	MATCH_EXACT,
};

static enum match match_loopback(const struct berth_look_socket *socket, int family)
{
	struct berth_addr local = berth_addr_unmapped(&socket->local);
	struct berth_addr loopback = berth_addr_loopback(family, berth_addr_port(&local));

	if (berth_addr_equal(&local, &loopback))
		return MATCH_EXACT;
	if (!berth_addr_is_any(&local))
		return MATCH_NONE;
	if (local.sa.sa_family == family)
		return MATCH_ANY;
	return family == AF_INET && !socket->v6only ? MATCH_DUAL : MATCH_NONE;
}

/* The binds whose addresses overlap with that of @socket. */
static unsigned int overlaps(const struct berth_look_socket *socket)
{
	struct berth_addr local = berth_addr_unmapped(&socket->local);
	unsigned int binds = BERTH_VERDICT_ANY6;

	if (local.sa.sa_family == AF_INET || (berth_addr_is_any(&local) && !socket->v6only))
		binds |= BERTH_VERDICT_ANY4;
	if (match_loopback(socket, AF_INET))
		binds |= BERTH_VERDICT_LOOPBACK4;
	if (match_loopback(socket, AF_INET6))
		binds |= BERTH_VERDICT_LOOPBACK6;
	return binds;
}

static unsigned int refuses_plain(const struct berth_look_socket *socket)
{
	if (socket->netns || socket->kind == BERTH_LOOK_ACCEPTED)
		return 0;
	return overlaps(socket);
}

static unsigned int refuses(const struct berth_look_socket *socket)
{
	if (socket->protocol == IPPROTO_TCP && socket->kind != BERTH_LOOK_LISTENER && socket->reuse)
		return 0;
	return refuses_plain(socket);
}

bool berth_verdict_is_in_the_way(const struct berth_look_socket *socket, unsigned int fails)
{
	return refuses(socket) & fails;
}

static bool answers(const struct berth_look_socket *socket)
{
	return socket->kind == BERTH_LOOK_LISTENER && !socket->netns &&
	       (!socket->interface || socket->interface == LOOPBACK_INTERFACE);
}

/* Does a process have both? What is hidden is judged by who made it, and in which cgroup. */
static bool is_one_program(const struct berth_look *look, const struct berth_look_socket *a,
			   const struct berth_look_socket *b)
{
	size_t a_count, b_count;
	const struct berth_look_holder *of_a, *of_b;

	if (a == b)
		return true;
	of_a = berth_look_holders_of(look, a->inode, &a_count);
	of_b = berth_look_holders_of(look, b->inode, &b_count);
	if (!of_a || !of_b)
		return !of_a && !of_b && a->uid == b->uid && a->cgroup_id == b->cgroup_id;
	for (size_t i = 0; i < a_count; i++)
		for (size_t k = 0; k < b_count; k++)
			if (of_a[i].proc.pid == of_b[k].proc.pid)
				return true;
	return false;
}

/* The best match of all that answer at the loopback address of @family. */
static enum match best_match(const struct berth_look_socket *sockets, size_t count, int family)
{
	enum match best = MATCH_NONE;

	for (size_t i = 0; i < count; i++)
		if (answers(&sockets[i]) && match_loopback(&sockets[i], family) > best)
			best = match_loopback(&sockets[i], family);
	return best;
}

/* Would a client of the loopback address get to @socket? */
static bool gets_clients(const struct berth_look_socket *socket, int family, enum match best)
{
	return answers(socket) && match_loopback(socket, family) == best;
}

/* @sockets are all of one port, protocol and namespace, and both families are answered. */
static bool is_split(const struct berth_look *look, const struct berth_look_socket *sockets,
		     size_t count)
{
	enum match best4 = best_match(sockets, count, AF_INET);
	enum match best6 = best_match(sockets, count, AF_INET6);

	for (size_t i = 0; i < count; i++) {
		if (!gets_clients(&sockets[i], AF_INET, best4))
			continue;
		for (size_t k = 0; k < count; k++)
			if (gets_clients(&sockets[k], AF_INET6, best6) &&
			    is_one_program(look, &sockets[i], &sockets[k]))
				return false;
	}
	return true;
}

struct berth_verdict berth_verdict_of(const struct berth_look *look, uint16_t port, int protocol)
{
	struct berth_verdict verdict = { 0 };
	const struct berth_look_socket *sockets;
	size_t count;

	sockets = berth_look_sockets_of(look, port, protocol, &count);
	for (size_t i = 0; i < count; i++) {
		verdict.fails |= refuses(&sockets[i]);
		verdict.fails_plain |= refuses_plain(&sockets[i]);
		if (answers(&sockets[i])) {
			verdict.answers4 |= match_loopback(&sockets[i], AF_INET) != MATCH_NONE;
			verdict.answers6 |= match_loopback(&sockets[i], AF_INET6) != MATCH_NONE;
		}
	}
	verdict.split = verdict.answers4 && verdict.answers6 && is_split(look, sockets, count);
	return verdict;
}

bool berth_verdict_gets_clients(const struct berth_look *look,
				const struct berth_look_socket *socket, int family)
{
	const struct berth_look_socket *sockets;
	enum match best;
	size_t count;

	sockets = berth_look_sockets_of(look, berth_addr_port(&socket->local), socket->protocol,
					&count);
	best = best_match(sockets, count, family);
	return best != MATCH_NONE && gets_clients(socket, family, best);
}
