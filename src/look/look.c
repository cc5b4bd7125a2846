/* SPDX-License-Identifier: MIT */
/* look/look.c - the sockets on some ports of this machine, and the processes that have them */
/*
 * One dump of the kernel's tables for each protocol and network namespace, filtered by port in the
 * kernel, then one walk over /proc for the processes, and last a question to those sockets whose
 * SO_REUSEADDR makes a difference.
 *
 * What a listener accepted has the listener's port, too, but it is a client's: it goes when the
 * server goes, and is never in the way of the next one, since it inherited SO_REUSEADDR. Sockets do
 * not tell where they came from, so a connection under the address of a living listener counts as
 * accepted. The kernel dumps the listeners of a family first: with most servers, which listen on
 * every address, their clients are dropped as they come, however many they are. The rest is told
 * apart when all is there.
 */
#include "look/look.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "look/bound.h"
#include "os/netns.h"
#include "os/procsock.h"
#include "os/sockdiag.h"

enum {
	SOCKETS_MAX = 1 << 20, /* more are refused: 128 MiB */
	/* So many are asked for SO_REUSEADDR; of more the guess has to do. */
	QUESTIONS_MAX = 1024,
};

static const char *const kind_names[] = {
#define X(id, name) name,
	BERTH_LOOK_KINDS(X)
#undef X
};

const char *berth_look_kind_name(enum berth_look_kind kind)
{
	return kind_names[kind];
}

struct search {
	const struct berth_look_query *query;
	struct berth_look look;
	size_t size; /* room for sockets */
	int protocol; /* of the dump at hand */
	uint64_t netns;
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
static uint32_t states_of(const struct berth_look_query *query, int protocol)
{
	uint32_t states = BERTH_SOCKDIAG_LISTEN;

	if (!query->kinds)
		return BERTH_SOCKDIAG_ANY;
	if (protocol == IPPROTO_UDP)
		states = BERTH_SOCKDIAG_CLOSED;
	if (is_wanted(query, BERTH_LOOK_BOUND))
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
			.states = states_of(query, protocols[i]),
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

static int compare_sockets(const void *x, const void *y)
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

static bool is_one_group(const struct berth_look_socket *a, const struct berth_look_socket *b)
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
		if (!is_one_group(&all[first], &all[i])) {
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
	qsort(look->sockets, look->socket_count, sizeof(*look->sockets), compare_sockets);
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

static int find_sockets(struct search *search)
{
	BERTH_AUTO_FD int fd = berth_sockdiag_open();
	int r;

	if (fd < 0)
		return fd;
	load_outgoing_range(search);
	r = dump(search, fd);
	if (r == 0)
		r = find_bound(search);
	if (r == 0 && search->query->namespaces)
		r = berth_netns_each_other(dump_other, search, &search->look.hidden_namespaces);
	if (r == 0 && search->look.socket_count)
		sift(search->query, &search->look);
	return r;
}

/* Whoever has one of the sockets; with none left there is nothing to look for. */
static int find_holders(const struct berth_look_query *query, struct berth_look *look)
{
	BERTH_AUTO_FREE uint64_t *inodes = calloc(look->socket_count + 1, sizeof(*inodes));
	struct berth_procsock_query processes = {
		.inodes = inodes,
		.pids = query->pids,
		.pid_count = query->pid_count,
	};
	struct berth_procsock_list sockets = { 0 };
	int r = 0;

	if (!inodes)
		return -ENOMEM;
	for (size_t i = 0; i < look->socket_count; i++)
		if (look->sockets[i].inode)
			inodes[processes.inode_count++] = look->sockets[i].inode;
	if (processes.inode_count)
		r = berth_procsock_load(&processes, &sockets);
	if (r < 0)
		return r;
	look->hidden_processes = sockets.hidden;
	look->holders = calloc(sockets.count + 1, sizeof(*look->holders));
	for (size_t i = 0; look->holders && i < sockets.count; i++)
		look->holders[look->holder_count++] = (struct berth_look_holder){
			.inode = sockets.found[i].inode,
			.proc = { sockets.found[i].pid, sockets.found[i].start_ticks },
			.fd = sockets.found[i].fd,
		};
	berth_procsock_list_deinit(&sockets);
	return look->holders ? 0 : -ENOMEM;
}

/* Those in whose case it matters, where a process that has it lets us. */
static void ask_reuse(struct berth_look *look)
{
	size_t asked = 0;

	for (size_t i = 0; i < look->socket_count && asked < QUESTIONS_MAX; i++) {
		struct berth_look_socket *socket = &look->sockets[i];
		const struct berth_look_holder *holder;
		struct berth_procsock has = { .inode = socket->inode };
		BERTH_AUTO_FD int fd = -1;
		size_t count;

		if (socket->netns || socket->protocol != IPPROTO_TCP ||
		    (socket->kind != BERTH_LOOK_BOUND && socket->kind != BERTH_LOOK_CONNECTION))
			continue;
		holder = berth_look_holders_of(look, socket->inode, &count);
		if (!holder)
			continue;
		has.pid = holder->proc.pid;
		has.fd = holder->fd;
		fd = berth_procsock_borrow(&has);
		if (fd >= 0)
			socket->reuse = berth_sock_get(fd, SOL_SOCKET, SO_REUSEADDR) > 0;
		asked++;
	}
}

int berth_look_load(const struct berth_look_query *query, struct berth_look *ret_look)
{
	struct search *search BERTH_AUTO_FREE = NULL;
	int r;

	/* To the filter 0 would mean all ports, and nobody can hold it. */
	if (!query->port_lo || query->port_hi < query->port_lo)
		return -EINVAL;
	search = calloc(1, sizeof(*search));
	if (!search)
		return -ENOMEM;
	search->query = query;
	r = find_sockets(search);
	if (r == 0 && query->processes)
		r = find_holders(query, &search->look);
	if (r < 0) {
		berth_look_deinit(&search->look);
		return r;
	}
	if (query->processes)
		ask_reuse(&search->look);
	*ret_look = search->look;
	return 0;
}

void berth_look_deinit(struct berth_look *look)
{
	if (!look)
		return;
	free(look->sockets);
	free(look->holders);
	*look = (struct berth_look){ 0 };
}

const struct berth_look_socket *berth_look_sockets_of(const struct berth_look *look, uint16_t port,
						      int protocol, size_t *ret_count)
{
	struct berth_look_socket key = {
		.protocol = protocol,
		.local = berth_addr_any(AF_INET, port),
	};
	size_t lo = 0, hi = look->socket_count, count = 0;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;

		if (compare_sockets(&look->sockets[middle], &key) < 0)
			lo = middle + 1;
		else
			hi = middle;
	}
	while (lo + count < look->socket_count && is_one_group(&look->sockets[lo + count], &key))
		count++;
	*ret_count = count;
	return count ? &look->sockets[lo] : NULL;
}

const struct berth_look_holder *berth_look_holders_of(const struct berth_look *look, uint64_t inode,
						      size_t *ret_count)
{
	size_t lo = 0, hi = look->holder_count, count = 0;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;

		if (look->holders[middle].inode < inode)
			lo = middle + 1;
		else
			hi = middle;
	}
	while (inode && lo + count < look->holder_count && look->holders[lo + count].inode == inode)
		count++;
	*ret_count = count;
	return count ? &look->holders[lo] : NULL;
}

const struct berth_look_holder *berth_look_find_holder(const struct berth_look *look,
						       uint64_t inode, pid_t pid)
{
	size_t count;
	const struct berth_look_holder *holders = berth_look_holders_of(look, inode, &count);

	for (size_t i = 0; i < count; i++)
		if (holders[i].proc.pid == pid)
			return &holders[i];
	return NULL;
}
