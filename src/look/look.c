/* SPDX-License-Identifier: MIT */
/* look/look.c - the sockets on some ports of this machine, and the processes that have them */
/*
 * First what the kernel's tables tell (walk.c), then one walk over /proc for the processes, and last
 * a question to those sockets whose SO_REUSEADDR makes a difference.
 *
 * Other namespaces seldom have the port, and take longer to ask than our own. So the processes are
 * looked for meanwhile, and once more for the sockets of others, if there are any.
 */
#include "look/look.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "look/walk.h"
#include "os/procsock.h"

enum {
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

#define COMPARE(a, b) \
	do { \
		if ((a) != (b)) \
			return (a) < (b) ? -1 : 1; \
	} while (0)

static int compare_holders(const void *x, const void *y)
{
	const struct berth_look_holder *a = x, *b = y;

	COMPARE(a->inode, b->inode);
	COMPARE(a->proc.pid, b->proc.pid);
	return 0;
}

static int add_holders(struct berth_look *look, const struct berth_procsock_list *sockets)
{
	struct berth_look_holder *holders = reallocarray(
		look->holders, look->holder_count + sockets->count + 1, sizeof(*holders));

	if (!holders)
		return -ENOMEM;
	look->holders = holders;
	for (size_t i = 0; i < sockets->count; i++)
		look->holders[look->holder_count++] = (struct berth_look_holder){
			.inode = sockets->found[i].inode,
			.proc = { sockets->found[i].pid, sockets->found[i].start_ticks },
			.fd = sockets->found[i].fd,
		};
	return 0;
}

/*
 * Whoever has one of the sockets, those of our own namespace or those of @others; with none of them
 * there is nothing to look for.
 */
static int find_holders(const struct berth_look_query *query, bool others, struct berth_look *look)
{
	BERTH_AUTO_FREE uint64_t *inodes = calloc(look->socket_count + 1, sizeof(*inodes));
	struct berth_procsock_query processes = {
		.inodes = inodes,
		.pids = query->pids,
		.pid_count = query->pid_count,
		.anonymous = query->anonymous,
	};
	struct berth_procsock_list sockets = { 0 };
	int r = 0;

	if (!inodes)
		return -ENOMEM;
	for (size_t i = 0; i < look->socket_count; i++)
		if (look->sockets[i].inode && (look->sockets[i].netns != 0) == others)
			inodes[processes.inode_count++] = look->sockets[i].inode;
	if (processes.inode_count)
		r = berth_procsock_load(&processes, &sockets);
	if (r < 0)
		return r;
	if (sockets.hidden > look->hidden_processes)
		look->hidden_processes = sockets.hidden;
	r = add_holders(look, &sockets);
	berth_procsock_list_deinit(&sockets);
	return r;
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

static int add_others(struct berth_walk *walk, const struct berth_look_query *query,
		      struct berth_look *look)
{
	size_t count;
	int r = berth_walk_others(walk, look, &count);

	if (r < 0 || !count || !query->processes)
		return r;
	r = find_holders(query, true, look);
	if (r == 0 && look->holder_count)
		qsort(look->holders, look->holder_count, sizeof(*look->holders), compare_holders);
	return r;
}

static int load(struct berth_walk *walk, const struct berth_look_query *query,
		struct berth_look *look)
{
	int r = berth_walk_own(walk, look);

	if (r == 0 && query->processes)
		r = find_holders(query, false, look);
	if (r == 0)
		r = add_others(walk, query, look);
	return r;
}

int berth_look_load(const struct berth_look_query *query, struct berth_look *ret_look)
{
	struct berth_look look = { 0 };
	struct berth_walk *walk;
	int r;

	/* To the filter 0 would mean all ports, and nobody can hold it. */
	if (!query->port_lo || query->port_hi < query->port_lo)
		return -EINVAL;
	r = berth_walk_start(query, &walk);
	if (r < 0)
		return r;
	r = load(walk, query, &look);
	berth_walk_free(walk);
	if (r < 0) {
		berth_look_deinit(&look);
		return r;
	}
	if (query->processes)
		ask_reuse(&look);
	*ret_look = look;
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

		if (berth_walk_compare(&look->sockets[middle], &key) < 0)
			lo = middle + 1;
		else
			hi = middle;
	}
	while (lo + count < look->socket_count &&
	       berth_walk_is_one_group(&look->sockets[lo + count], &key))
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
