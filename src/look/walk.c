/* SPDX-License-Identifier: MIT */
/* look/walk.c - the sockets on some ports, from the kernel's tables, of all network namespaces */
/*
 * One dump for each protocol and network namespace, filtered by port in the kernel.
 *
 * What a listener accepted has the listener's port, too, but it is a client's: it goes when the
 * server goes, and is never in the way of the next one, since it inherited SO_REUSEADDR. Sockets do
 * not tell where they came from, so a connection under the address of a living listener counts as
 * accepted. The kernel dumps the listeners of a family first: with most servers, which listen on
 * every address, their clients are dropped as they come, however many they are. The rest is told
 * apart when all is there.
 *
 * The other namespaces are found and walked by a thread of its own. It has a search of its own, too,
 * which the caller does not touch until the thread has ended.
 */
#include "look/walk.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "look/bound.h"
#include "os/netns.h"
#include "os/sockdiag.h"

enum {
	SOCKETS_MAX = 1 << 20, /* more are refused: 128 MiB */
};

/* What one thread finds. */
struct search {
	const struct berth_look_query *query;
	struct berth_look look;
	size_t size; /* room for sockets */
	int protocol; /* of the dump at hand */
	uint64_t netns;
	bool has_bound; /* those that are bound: who could have them was asked */
	/* ip_local_port_range: where the kernel takes the ports of outgoing connections from. */
	uint16_t outgoing_lo, outgoing_hi;
	/* Ports with a listener on every address, by family: bit sets of the dump at hand. */
	uint8_t listens[2][(UINT16_MAX + 1) / 8];
};

static bool is_wanted(const struct berth_look_query *query, enum berth_look_kind kind)
{
	if (kind == BERTH_LOOK_ACCEPTED && !query->accepted)
		return false;
	return !query->kinds || query->kinds & (1u << kind);
}

/* What to ask the kernel for; without listeners nobody can tell what was accepted. */
static uint32_t states_of(const struct search *search, int protocol)
{
	const struct berth_look_query *query = search->query;
	uint32_t states = BERTH_SOCKDIAG_LISTEN;

	if (!query->kinds)
		return BERTH_SOCKDIAG_ANY;
	if (protocol == IPPROTO_UDP)
		states = BERTH_SOCKDIAG_CLOSED;
	if (is_wanted(query, BERTH_LOOK_BOUND) && !search->has_bound)
		states |= BERTH_SOCKDIAG_BOUND;
	if (is_wanted(query, BERTH_LOOK_CONNECTION))
		states |= BERTH_SOCKDIAG_CONNECTED;
	if (is_wanted(query, BERTH_LOOK_TIME_WAIT))
		states |= BERTH_SOCKDIAG_TIME_WAIT;
	if (is_wanted(query, BERTH_LOOK_ACCEPTED))
		states |= BERTH_SOCKDIAG_CONNECTED | BERTH_SOCKDIAG_TIME_WAIT;
	return states;
}

static bool kind_of(const struct berth_sockdiag_entry *entry, int protocol,
		    enum berth_look_kind *ret_kind)
{
	switch (entry->state) {
	case TCP_LISTEN:
		*ret_kind = BERTH_LOOK_LISTENER;
		return true;
	case TCP_CLOSE:
		*ret_kind = protocol == IPPROTO_UDP ? BERTH_LOOK_LISTENER : BERTH_LOOK_BOUND;
		return true;
	case TCP_TIME_WAIT:
		*ret_kind = BERTH_LOOK_TIME_WAIT;
		return true;
	case TCP_SYN_RECV: /* on its way to a listener */
		return false;
	default:
		*ret_kind = BERTH_LOOK_CONNECTION;
		return true;
	}
}

static int add(struct search *search, const struct berth_look_socket *socket)
{
	struct berth_look *look = &search->look;
	struct berth_look_socket *sockets;

	if (look->socket_count == search->size) {
		size_t size = search->size ? 2 * search->size : 32;

		if (size > SOCKETS_MAX)
			return -E2BIG;
		sockets = reallocarray(look->sockets, size, sizeof(*sockets));
		if (!sockets)
			return -ENOMEM;
		look->sockets = sockets;
		search->size = size;
	}
	look->sockets[look->socket_count++] = *socket;
	return 0;
}

/* See look.h: what is left of a server has SO_REUSEADDR, an outgoing connection has not. */
static bool guess_reuse(const struct search *search, const struct berth_look_socket *socket)
{
	uint16_t port = berth_addr_port(&socket->local);

	if (socket->kind == BERTH_LOOK_BOUND || socket->kind == BERTH_LOOK_LISTENER)
		return false;
	return port < search->outgoing_lo || port > search->outgoing_hi;
}

static int consider(const struct berth_sockdiag_entry *entry, void *arg)
{
	struct search *search = arg;
	struct berth_look_socket socket = {
		.protocol = search->protocol,
		.local = entry->local,
		.peer = entry->peer,
		.v6only = entry->v6only,
		.interface = entry->interface,
		.uid = entry->uid,
		.inode = entry->inode,
		.cgroup_id = entry->cgroup_id,
		.netns = search->netns,
	};
	uint16_t port = berth_addr_port(&entry->local);
	uint8_t *listens = &search->listens[entry->local.sa.sa_family == AF_INET6][port / 8];
	uint8_t bit = (uint8_t)(1u << port % 8);

	if (!kind_of(entry, search->protocol, &socket.kind))
		return 0;
	if (socket.kind == BERTH_LOOK_LISTENER && berth_addr_is_any(&entry->local))
		*listens |= bit;
	if (socket.kind >= BERTH_LOOK_CONNECTION && *listens & bit)
		socket.kind = BERTH_LOOK_ACCEPTED;
	if (socket.kind == BERTH_LOOK_ACCEPTED && !is_wanted(search->query, BERTH_LOOK_ACCEPTED))
		return 0;
	socket.reuse = guess_reuse(search, &socket);
	return add(search, &socket);
}

/* All of one namespace, the one that @fd belongs to. */
static int dump(struct search *search, int fd)
{
	static const int protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	const struct berth_look_query *query = search->query;
	int r = 0;

	for (size_t i = 0; i < (query->udp ? 2 : 1) && r == 0; i++) {
		struct berth_sockdiag_query sockets = {
			.family = AF_UNSPEC,
			.protocol = protocols[i],
			.states = states_of(search, protocols[i]),
			.port_lo = query->port_lo,
			.port_hi = query->port_hi,
		};

		memset(search->listens, 0, sizeof(search->listens));
		search->protocol = protocols[i];
		r = berth_sockdiag_each_on(fd, &sockets, consider, search);
	}
	return r;
}

static int dump_other(uint64_t inode, int sockdiag, void *arg)
{
	struct search *search = arg;

	search->netns = inode;
	return dump(search, sockdiag);
}

static int add_bound(const struct berth_bound_socket *bound, void *arg)
{
	struct berth_look_socket socket = {
		.kind = BERTH_LOOK_BOUND,
		.protocol = IPPROTO_TCP,
		.local = bound->local,
		.v6only = bound->v6only,
		.interface = bound->interface,
		.reuse = bound->reuse,
		.uid = bound->uid,
		.inode = bound->inode,
	};

	return add(arg, &socket);
}

#define COMPARE(a, b) \
	do { \
		if ((a) != (b)) \
			return (a) < (b) ? -1 : 1; \
	} while (0)

int berth_walk_compare(const void *x, const void *y)
{
	const struct berth_look_socket *a = x, *b = y;

	COMPARE(berth_addr_port(&a->local), berth_addr_port(&b->local));
	COMPARE(a->protocol, b->protocol);
	COMPARE(a->netns, b->netns);
	COMPARE(a->kind, b->kind);
	COMPARE(a->local.sa.sa_family, b->local.sa.sa_family);
	COMPARE(a->inode, b->inode);
	return 0;
}

bool berth_walk_is_one_group(const struct berth_look_socket *a, const struct berth_look_socket *b)
{
	return berth_addr_port(&a->local) == berth_addr_port(&b->local) &&
	       a->protocol == b->protocol && a->netns == b->netns;
}

/* Those with a listener on their very address; the others were found as they came. */
static bool was_accepted(const struct berth_look_socket *socket,
			 const struct berth_look_socket *listeners, size_t count)
{
	if (socket->kind != BERTH_LOOK_CONNECTION && socket->kind != BERTH_LOOK_TIME_WAIT)
		return false;
	for (size_t i = 0; i < count; i++)
		if (berth_addr_equal(&listeners[i].local, &socket->local))
			return true;
	return false;
}

/* Tells what was accepted; of each group the listeners come first. Was there anything? */
static bool mark_accepted(struct berth_look *look)
{
	struct berth_look_socket *all = look->sockets;
	size_t first = 0, listeners = 0;
	bool marked = false;

	for (size_t i = 0; i < look->socket_count; i++) {
		if (!berth_walk_is_one_group(&all[first], &all[i])) {
			first = i;
			listeners = 0;
		}
		if (all[i].kind == BERTH_LOOK_LISTENER)
			listeners++;
		if (was_accepted(&all[i], &all[first], listeners)) {
			all[i].kind = BERTH_LOOK_ACCEPTED;
			marked = true;
		}
	}
	return marked;
}

static void sort(struct berth_look *look)
{
	qsort(look->sockets, look->socket_count, sizeof(*look->sockets), berth_walk_compare);
}

/* Into order, without what was not asked for. */
static void sift(const struct berth_look_query *query, struct berth_look *look)
{
	size_t kept = 0;
	bool marked;

	sort(look);
	marked = mark_accepted(look);
	for (size_t i = 0; i < look->socket_count; i++)
		if (is_wanted(query, look->sockets[i].kind))
			look->sockets[kept++] = look->sockets[i];
	look->socket_count = kept;
	if (marked && query->accepted)
		sort(look);
}

static void load_outgoing_range(struct search *search)
{
	search->outgoing_lo = 32768;
	search->outgoing_hi = 60999;
	(void)!berth_sock_outgoing_range(&search->outgoing_lo, &search->outgoing_hi);
}

static int find_bound(struct search *search)
{
	const struct berth_look_query *query = search->query;

	if (!is_wanted(query, BERTH_LOOK_BOUND) || berth_bound_is_told())
		return 0;
	if (query->processes)
		return berth_bound_each(query->port_lo, query->port_hi, add_bound, search,
					&search->look.bound_unseen);
	search->look.bound_unseen = true;
	return 0;
}

/* What began to listen after it was asked is told twice. */
static void drop_listeners(struct berth_look *look, size_t bound)
{
	size_t kept = 0;

	for (size_t i = 0; i < look->socket_count; i++) {
		bool twice = false;

		for (size_t k = bound; i < bound && k < look->socket_count; k++)
			twice |= look->sockets[k].inode == look->sockets[i].inode;
		if (!twice)
			look->sockets[kept++] = look->sockets[i];
	}
	look->socket_count = kept;
}

/* Sets has_bound unless they have too many, or may not be asked. */
static int ask_binders(struct search *search)
{
	const struct berth_look_query *query = search->query;
	bool hidden = false;
	int r;

	r = berth_bound_each_of(query->binders, query->binder_count, query->port_lo, query->port_hi,
				add_bound, search, &hidden);
	search->has_bound = r == 0 && !hidden;
	if (!search->has_bound)
		search->look.socket_count = 0;
	return r == -E2BIG ? 0 : r;
}

static int find_own(struct search *search)
{
	BERTH_AUTO_FD int fd = berth_sockdiag_open();
	size_t bound;
	int r = fd < 0 ? fd : 0;

	if (r == 0 && search->query->binders && is_wanted(search->query, BERTH_LOOK_BOUND))
		r = ask_binders(search);
	bound = search->look.socket_count;
	if (r == 0)
		r = dump(search, fd);
	if (r < 0)
		return r;
	if (!search->has_bound)
		return find_bound(search);
	drop_listeners(&search->look, bound);
	return 0;
}

/* ---- two searches at once ---- */

struct berth_walk {
	struct search own, others;
	struct berth_netns_tour *tour; /* owned; NULL: none is under way */
};

int berth_walk_start(const struct berth_look_query *query, struct berth_walk **ret_walk)
{
	struct berth_walk *walk = calloc(1, sizeof(*walk));
	int r = 0;

	if (!walk)
		return -ENOMEM;
	walk->own.query = walk->others.query = query;
	load_outgoing_range(&walk->own);
	walk->others.outgoing_lo = walk->own.outgoing_lo;
	walk->others.outgoing_hi = walk->own.outgoing_hi;
	if (query->namespaces)
		r = berth_netns_start(dump_other, &walk->others, &walk->tour);
	if (r < 0) {
		free(walk);
		return r;
	}
	*ret_walk = walk;
	return 0;
}

int berth_walk_own(struct berth_walk *walk, struct berth_look *ret_look)
{
	struct berth_look *look = &walk->own.look;
	int r = find_own(&walk->own);

	if (r < 0)
		return r;
	if (look->socket_count)
		sift(walk->own.query, look);
	*ret_look = *look;
	*look = (struct berth_look){ 0 };
	return 0;
}

int berth_walk_others(struct berth_walk *walk, struct berth_look *look, size_t *ret_count)
{
	struct berth_look *more = &walk->others.look;
	struct berth_look_socket *sockets;
	int r;

	*ret_count = 0;
	if (!walk->tour)
		return 0;
	r = berth_netns_finish(BERTH_STEAL(walk->tour), &look->hidden_namespaces);
	if (r < 0 || !more->socket_count)
		return r;
	sift(walk->others.query, more);
	sockets = reallocarray(look->sockets, look->socket_count + more->socket_count + 1,
			       sizeof(*sockets));
	if (!sockets)
		return -ENOMEM;
	memcpy(sockets + look->socket_count, more->sockets, more->socket_count * sizeof(*sockets));
	look->sockets = sockets;
	look->socket_count += more->socket_count;
	sort(look);
	*ret_count = more->socket_count;
	return 0;
}

void berth_walk_free(struct berth_walk *walk)
{
	unsigned int closed;

	if (!walk)
		return;
	if (walk->tour)
		(void)!berth_netns_finish(walk->tour, &closed);
	free(walk->own.look.sockets);
	free(walk->others.look.sockets);
	free(walk);
}
