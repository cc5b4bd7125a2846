/* SPDX-License-Identifier: MIT */
/* look/who.c - who holds a port, in one sentence: why a bind() to it fails */
#include "look/who.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

static bool is_own(uint64_t inode, const uint64_t *own, size_t own_count)
{
	for (size_t i = 0; inode && i < own_count; i++)
		if (own[i] == inode)
			return true;
	return false;
}

/* The lowest pid that has the socket still; it may have gone by now, then the next one. */
static void name_process(const struct berth_look *look, struct berth_who_holder *holder)
{
	const struct berth_look_holder *holders;
	struct berth_proc_stat stat;
	size_t count;

	holders = berth_look_holders_of(look, holder->inode, &count);
	for (size_t i = 0; i < count && !holder->proc.pid; i++) {
		if (berth_procfs_stat(holders[i].proc.pid, &stat) < 0 ||
		    stat.id.start_ticks != holders[i].proc.start_ticks)
			continue;
		holder->proc = stat.id;
		memcpy(holder->comm, stat.comm, sizeof(holder->comm));
	}
}

int berth_who_find(uint16_t port, bool with_process, const uint64_t *own, size_t own_count,
		   struct berth_who_holder *ret_holders, size_t max, size_t *ret_count)
{
	struct berth_look_query query = {
		.port_lo = port,
		.port_hi = port,
		.processes = with_process,
	};
	const struct berth_look_socket *sockets;
	struct berth_look look;
	size_t socket_count, count = 0;
	int r;

	r = berth_look_load(&query, &look);
	if (r < 0)
		return r;
	sockets = berth_look_sockets_of(&look, port, IPPROTO_TCP, &socket_count);
	for (size_t i = 0; i < socket_count; i++) {
		struct berth_who_holder holder = {
			.kind = sockets[i].kind,
			.local = sockets[i].local,
			.peer = sockets[i].peer,
			.uid = sockets[i].uid,
			.inode = sockets[i].inode,
		};

		if (is_own(holder.inode, own, own_count))
			continue;
		if (count < max) {
			name_process(&look, &holder);
			ret_holders[count] = holder;
		}
		count++;
	}
	berth_look_deinit(&look);
	*ret_count = count;
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
	case BERTH_LOOK_LISTENER:
		snprintf(buf, size, "%s%s%s", holder->proc.pid ? "" : "held by ", who, hidden);
		break;
	case BERTH_LOOK_BOUND:
		snprintf(buf, size, "%s%s, bound and not listening%s",
			 holder->proc.pid ? "" : "held by ", who, hidden);
		break;
	case BERTH_LOOK_CONNECTION:
		/* The process is through with it, the kernel is not. */
		if (!holder->inode)
			snprintf(buf, size, "a closing connection to %s", peer);
		else
			snprintf(buf, size, "an outgoing connection of %s to %s%s", who, peer,
				 hidden);
		break;
	case BERTH_LOOK_TIME_WAIT:
		snprintf(buf, size, "a closed connection to %s in TIME_WAIT", peer);
		break;
	case BERTH_LOOK_ACCEPTED:
	case BERTH_LOOK_KIND_COUNT_:
		buf[0] = '\0';
		break;
	}
	return buf;
}
