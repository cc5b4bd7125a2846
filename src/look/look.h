/* SPDX-License-Identifier: MIT */
/* look/look.h - the sockets on some ports of this machine, and the processes that have them */
#pragma once

#include "base/attr.h"
#include "os/procfs.h"
#include "os/sock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The words are those of the JSON output ("kind"). In the order of their weight. */
#define BERTH_LOOK_KINDS(X) \
	X(LISTENER, "listener") /* TCP that listens; UDP that is bound and not connected */ \
	X(BOUND, "bound") /* TCP, bound and not listening */ \
	X(CONNECTION, "connection") /* mostly an outgoing one, that took the port */ \
	X(TIME_WAIT, "time_wait") /* a closed one, for a minute; mostly not in the way: .reuse */ \
	X(ACCEPTED, "accepted") /* a connection that a living listener has accepted: a client's */

enum berth_look_kind {
#define X(id, name) BERTH_LOOK_##id,
	BERTH_LOOK_KINDS(X)
#undef X
	BERTH_LOOK_KIND_COUNT_,
};
const char *berth_look_kind_name(enum berth_look_kind kind);

struct berth_look_socket {
	enum berth_look_kind kind;
	int protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	struct berth_addr local; /* its port too */
	struct berth_addr peer; /* len 0: none */
	bool v6only; /* of an IPv6 socket: it leaves IPv4 alone */
	uint32_t interface; /* SO_BINDTODEVICE; 0: none */
	/*
	 * SO_REUSEADDR: then no bind() that has it, too, is refused because of it, unless it
	 * listens. The socket itself was asked where we may look into a process that has it; else
	 * it is guessed: a number of ip_local_port_range is one of an outgoing connection, which
	 * has not set it, and what else is connected or in TIME_WAIT was left by a server, which
	 * has.
	 */
	bool reuse;
	uid_t uid; /* of who made it */
	uint64_t inode; /* 0: none (TIME_WAIT) */
	uint64_t cgroup_id; /* inode of the cgroup (v2) it was made in; 0: not told */
	uint64_t netns; /* inode of its network namespace; 0: ours */
};

/* Which process has which socket. */
struct berth_look_holder {
	uint64_t inode;
	struct berth_proc_id proc;
	int fd; /* the lowest there */
};

struct berth_look_query {
	uint16_t port_lo, port_hi; /* inclusive, at least 1 */
	unsigned int kinds; /* set of 1 << berth_look_kind; 0: all. Listeners alone are quick */
	bool udp; /* UDP too */
	bool processes; /* fill holders: a scan of /proc */
	bool namespaces; /* other network namespaces too, as far as we may */
	bool accepted; /* what listeners have accepted too, else left out */
	bool anonymous; /* holders without proc.start_ticks (0), which is less work */
	/* Look for holders among these only, NULL: all processes of the machine. Borrowed. */
	const pid_t *pids;
	size_t pid_count;
	/*
	 * Nobody but these processes can have a TCP socket there that is bound and does not listen:
	 * they are asked, and not the kernel's tables, which take a millisecond for 10,000 sockets.
	 * NULL: that is not known. Borrowed.
	 */
	const pid_t *binders;
	size_t binder_count;
};

/*
 * What was found, and what could not be seen. Sockets by port, protocol, namespace (ours first) and
 * weight; holders by inode and pid.
 */
struct berth_look {
	struct berth_look_socket *sockets; /* owned */
	size_t socket_count;
	struct berth_look_holder *holders; /* owned */
	size_t holder_count;
	unsigned int hidden_processes; /* whose descriptors we may not see */
	unsigned int hidden_namespaces; /* that we may not enter */
	bool bound_unseen; /* the kernel does not tell of bound sockets (before 6.8), and of some
			      processes we may not look at the descriptors */
};

/*
 * 0 or -errno (-EINVAL: port 0). A dump of the kernel's tables is no snapshot: what comes or goes
 * meanwhile may be missing. Changes nothing, binds nothing.
 */
BERTH_MUST_USE int berth_look_load(const struct berth_look_query *query,
				   struct berth_look *ret_look);
void berth_look_deinit(struct berth_look *look);

/* Those on @port of our own namespace, by weight: the first of *ret_count. */
const struct berth_look_socket *berth_look_sockets_of(const struct berth_look *look, uint16_t port,
						      int protocol, size_t *ret_count);
/* The holders of @inode: the first of them, NULL: none known; *ret_count how many follow it. */
const struct berth_look_holder *berth_look_holders_of(const struct berth_look *look, uint64_t inode,
						      size_t *ret_count);
/* The one of them that is process @pid; NULL: it has not the socket. */
const struct berth_look_holder *berth_look_find_holder(const struct berth_look *look,
						       uint64_t inode, pid_t pid);
