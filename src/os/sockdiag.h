/* SPDX-License-Identifier: MIT */
/* os/sockdiag.h - which sockets the kernel has on a port: sock_diag(7) over netlink(7) */
#pragma once

#include "os/sock.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Sets of states, as the bits of enum tcp_state in the kernel's tcp_states.h. */
#define BERTH_SOCKDIAG_LISTEN (1u << 10)
#define BERTH_SOCKDIAG_TIME_WAIT (1u << 6)
/* Of UDP: bound, not connected. */
#define BERTH_SOCKDIAG_CLOSED (1u << 7)
/* The last ACK has not come, or there was no place in the queue for it: SYN_RECV. */
#define BERTH_SOCKDIAG_HANDSHAKE (1u << 3)
/* Bound, not listening (its state is TCP_CLOSE): since Linux 6.8, older ones ignore the bit. */
#define BERTH_SOCKDIAG_BOUND (1u << 13)
#define BERTH_SOCKDIAG_CONNECTED \
	((1u << 1) | (1u << 2) | (1u << 3) | (1u << 4) | (1u << 5) | (1u << 8) | (1u << 9) | \
	 (1u << 11))
#define BERTH_SOCKDIAG_ANY 0xffffffffu

struct berth_sockdiag_entry {
	struct berth_addr local;
	struct berth_addr peer;
	bool v6only; /* of an IPv6 socket: does it leave IPv4 alone? */
	uint8_t state; /* TCP_LISTEN ... */
	uint32_t uid;
	uint64_t inode; /* 0 for TIME_WAIT: no process holds it */
	uint32_t interface; /* SO_BINDTODEVICE, 0 = none */
	uint64_t cgroup_id; /* inode of the cgroup (v2) it was made in, 0 = not told */
};

/* Local ports, both included. */
struct berth_sockdiag_span {
	uint16_t lo, hi;
};

enum {
	BERTH_SOCKDIAG_EXCEPT_MAX = 256,
};

struct berth_sockdiag_query {
	int family; /* AF_INET, AF_INET6, or AF_UNSPEC for both */
	int protocol; /* IPPROTO_TCP (MPTCP listeners appear here too) or IPPROTO_UDP */
	uint32_t states;
	uint16_t port_lo, port_hi; /* local port, inclusive; 0, 0 = all. Filtered in the kernel. */
	/* Of these, leave out: in order, apart from each other. Borrowed. -E2BIG above the limit. */
	const struct berth_sockdiag_span *except;
	size_t except_count;
};

/*
 * Calls @fn for each socket of our network namespace that matches, until it returns non-zero;
 * returns that, 0 at the end, or -errno. A dump is no snapshot: sockets that come and go meanwhile
 * may be missed.
 */
BERTH_MUST_USE int berth_sockdiag_each(const struct berth_sockdiag_query *query,
				       int (*fn)(const struct berth_sockdiag_entry *entry,
						 void *arg),
				       void *arg);

/* A socket to ask through. It belongs to the network namespace that the calling thread is in. */
BERTH_MUST_USE int berth_sockdiag_open(void);
/*
 * The same through such a socket: tells of the namespace that @fd belongs to, wherever the caller
 * is. If @fn ends it early, @fd is good for nothing but close().
 */
BERTH_MUST_USE int berth_sockdiag_each_on(int fd, const struct berth_sockdiag_query *query,
					  int (*fn)(const struct berth_sockdiag_entry *entry,
						    void *arg),
					  void *arg);
