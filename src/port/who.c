/* SPDX-License-Identifier: MIT */
/* port/who.c - who holds a port, and so why a bind() to it fails */
/*
 * One dump of the kernel's sockets with that local port, then one walk over /proc for the
 * processes. What a listener accepted has the listener's port, too, and is no holder of its own:
 * connections and TIME_WAIT under the address of a living listener are left out. What remains is
 * the outgoing connection that took the port from the ephemeral range, or what a server that has
 * gone left behind.
 */
#include "port/who.h"

#include "base/str.h"
#include "os/procsock.h"
#include "os/sockdiag.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

enum {
	/* Addresses to tell accepted connections by; more than these on one port is odd. */
	LISTENERS_MAX = 64,
	FOUND_MAX = 1 << 16, /* holders of all these sockets together */
};

static const char *const kind_names[] = {
	[BERTH_WHO_LISTENER] = "listener",
	[BERTH_WHO_BOUND] = "bound",
	[BERTH_WHO_CONNECTION] = "connection",
	[BERTH_WHO_TIME_WAIT] = "time_wait",
};
_Static_assert(BERTH_ARRAY_SIZE(kind_names) == BERTH_WHO_KIND_COUNT_, "one name per kind");

const char *berth_who_kind_name(enum berth_who_kind kind)
{
	return kind_names[kind];
}

struct search {
	const uint64_t *own;
	size_t own_count;
	struct berth_addr listeners[LISTENERS_MAX];
	size_t listener_count;
	struct berth_who_holder *holders; /* in the order of their kinds */
	size_t max, filled, count;
};

static bool is_own(const struct search *search, uint64_t inode)
{
	for (size_t i = 0; i < search->own_count; i++)
		if (search->own[i] == inode)
			return true;
	return false;
}

/* The kernel dumps the listeners of a family before its connections. */
static bool was_accepted(const struct search *search, const struct berth_addr *local)
{
	for (size_t i = 0; i < search->listener_count; i++) {
		const struct berth_addr *listener = &search->listeners[i];

		if (listener->sa.sa_family != local->sa.sa_family)
			continue;
		if (berth_addr_is_any(listener) || berth_addr_equal(listener, local))
			return true;
	}
	return false;
}

static bool kind_of(const struct berth_sockdiag_entry *entry, enum berth_who_kind *ret_kind)
{
	switch (entry->state) {
	case TCP_LISTEN:
		*ret_kind = BERTH_WHO_LISTENER;
		return true;
	case TCP_CLOSE:
		*ret_kind = BERTH_WHO_BOUND;
		return true;
	case TCP_TIME_WAIT:
		*ret_kind = BERTH_WHO_TIME_WAIT;
		return true;
	case TCP_SYN_RECV: /* on its way to a listener */
		return false;
	default:
		*ret_kind = BERTH_WHO_CONNECTION;
		return true;
	}
}

/* Behind what is of its kind or a weightier one; of too many the least weighty fall out. */
static void insert(struct search *search, const struct berth_who_holder *holder)
{
	size_t at = search->filled;

	search->count++;
	while (at > 0 && search->holders[at - 1].kind > holder->kind)
		at--;
	if (at == search->max)
		return;
	if (search->filled < search->max)
		search->filled++;
	memmove(&search->holders[at + 1], &search->holders[at],
		(search->filled - at - 1) * sizeof(*search->holders));
	search->holders[at] = *holder;
}

static int consider(const struct berth_sockdiag_entry *entry, void *arg)
{
	struct search *search = arg;
	struct berth_who_holder holder = {
		.local = entry->local,
		.peer = entry->peer,
		.uid = entry->uid,
		.inode = entry->inode,
	};

	if (!kind_of(entry, &holder.kind))
		return 0;
	if (holder.kind == BERTH_WHO_LISTENER && search->listener_count < LISTENERS_MAX)
		search->listeners[search->listener_count++] = entry->local;
	if (holder.kind >= BERTH_WHO_CONNECTION && was_accepted(search, &entry->local))
		return 0;
	if (entry->inode && is_own(search, entry->inode))
		return 0;
	insert(search, &holder);
	return 0;
}

/* The processes that hold @inodes, each with its lowest descriptor, lowest pid first. */
static int find_processes(const uint64_t *inodes, size_t inode_count,
			  struct berth_procsock **ret_found, size_t *ret_count)
{
	size_t max = 64, count = 0;
	int r;

	for (;;) {
		BERTH_AUTO_FREE struct berth_procsock *found = calloc(max, sizeof(*found));

		if (!found)
			return -ENOMEM;
		r = berth_procsock_find(inodes, inode_count, NULL, 0, found, max, &count, NULL);
		if (r < 0)
			return r;
		/* Full: maybe there were more, as with a pool of workers that share a listener. */
		if (count < max || max >= FOUND_MAX) {
			*ret_found = BERTH_STEAL(found);
			*ret_count = count;
			return 0;
		}
		max *= 4;
	}
}

static int name_processes(struct berth_who_holder *holders, size_t count)
{
	BERTH_AUTO_FREE struct berth_procsock *found = NULL;
	BERTH_AUTO_FREE uint64_t *inodes = NULL;
	struct berth_proc_stat stat;
	size_t inode_count = 0, found_count = 0;
	int r;

	inodes = calloc(count + 1, sizeof(*inodes));
	if (!inodes)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (holders[i].inode)
			inodes[inode_count++] = holders[i].inode;
	if (!inode_count)
		return 0;
	r = find_processes(inodes, inode_count, &found, &found_count);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < found_count && !holders[i].proc.pid; k++) {
			if (found[k].inode != holders[i].inode)
				continue;
			/* It may have gone by now; then the next one that has the socket. */
			if (berth_procfs_stat(found[k].pid, &stat) < 0)
				continue;
			holders[i].proc = stat.id;
			memcpy(holders[i].comm, stat.comm, sizeof(holders[i].comm));
		}
	}
	return 0;
}

int berth_who_find(uint16_t port, bool with_process, const uint64_t *own, size_t own_count,
		   struct berth_who_holder *ret_holders, size_t max, size_t *ret_count)
{
	struct berth_sockdiag_query query = {
		.family = AF_UNSPEC,
		.protocol = IPPROTO_TCP,
		.states = BERTH_SOCKDIAG_ANY,
		.port_lo = port,
		.port_hi = port,
	};
	struct search search = {
		.own = own,
		.own_count = own_count,
		.holders = ret_holders,
		.max = max,
	};
	int r;

	/* To the filter 0 would mean all ports, and nobody can hold it. */
	if (!port)
		return -EINVAL;
	r = berth_sockdiag_each(&query, consider, &search);
	if (r < 0)
		return r;
	if (with_process) {
		r = name_processes(ret_holders, search.filled);
		if (r < 0)
			return r;
	}
	*ret_count = search.count;
	return 0;
}

const char *berth_who_format(const struct berth_who_holder *holder, char *buf, size_t size)
{
	char who[128], comm[4 * sizeof(holder->comm)], peer[BERTH_ADDR_STRLEN];
	const char *hidden = holder->proc.pid ? "" : ", process hidden";

	if (holder->proc.pid) {
		berth_str_printable(holder->comm, (size_t)-1, comm, sizeof(comm));
		snprintf(who, sizeof(who), "%.100s %d", comm, (int)holder->proc.pid);
	} else {
		snprintf(who, sizeof(who), "uid %u", (unsigned int)holder->uid);
	}
	berth_addr_format(&holder->peer, peer);

	switch (holder->kind) {
	case BERTH_WHO_LISTENER:
		snprintf(buf, size, "%s%s%s", holder->proc.pid ? "" : "held by ", who, hidden);
		break;
	case BERTH_WHO_BOUND:
		snprintf(buf, size, "%s%s, bound and not listening%s",
			 holder->proc.pid ? "" : "held by ", who, hidden);
		break;
	case BERTH_WHO_CONNECTION:
		/* The process is through with it, the kernel is not. */
		if (!holder->inode)
			snprintf(buf, size, "a closing connection to %s", peer);
		else
			snprintf(buf, size, "an outgoing connection of %s to %s%s", who, peer,
				 hidden);
		break;
	case BERTH_WHO_TIME_WAIT:
		snprintf(buf, size, "a closed connection to %s in TIME_WAIT", peer);
		break;
	case BERTH_WHO_KIND_COUNT_:
		buf[0] = '\0';
		break;
	}
	return buf;
}
