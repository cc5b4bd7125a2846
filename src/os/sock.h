/* SPDX-License-Identifier: MIT */
/* os/sock.h - addresses and socket options of internet sockets */
#pragma once

#include "base/attr.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* An internet address and port. len 0: none. */
struct berth_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

/* "127.0.0.1:8080", "[::1]:8080"; room for the longest, scope included. */
#define BERTH_ADDR_STRLEN 80

/*
 * Take what a process passed to bind() or connect(). Returns 0, -EAFNOSUPPORT when it is no
 * internet address (or BERTH_ADDR too short for its family: the kernel will say so itself).
 */
BERTH_MUST_USE int berth_addr_from_raw(const void *raw, size_t len, struct berth_addr *ret_addr);

struct berth_addr berth_addr_any(int family, uint16_t port); /* 0.0.0.0 or [::] */
struct berth_addr berth_addr_loopback(int family, uint16_t port); /* 127.0.0.1 or [::1] */

uint16_t berth_addr_port(const struct berth_addr *addr);
void berth_addr_set_port(struct berth_addr *addr, uint16_t port);
bool berth_addr_is_any(const struct berth_addr *addr); /* ::ffff:0.0.0.0 too */
bool berth_addr_is_loopback(const struct berth_addr *addr); /* 127/8, ::1, ::ffff:127/8 */
bool berth_addr_is_multicast(const struct berth_addr *addr);
/* IPv4 in IPv6 clothes (::ffff:a.b.c.d): it takes the IPv4 port. */
bool berth_addr_is_v4mapped(const struct berth_addr *addr);
/* As IPv4 where it is that; else as it is. */
struct berth_addr berth_addr_unmapped(const struct berth_addr *addr);
bool berth_addr_equal(const struct berth_addr *a, const struct berth_addr *b); /* port included */
/* Address alone: "127.0.0.1", "::1". Returns @buf. */
const char *berth_addr_format_host(const struct berth_addr *addr, char buf[BERTH_ADDR_STRLEN]);
/* With the port. Returns @buf. */
const char *berth_addr_format(const struct berth_addr *addr, char buf[BERTH_ADDR_STRLEN]);

/* A close-on-exec socket; -errno. @type without flags; @protocol 0 = the type's own. */
BERTH_MUST_USE int berth_sock_new(int family, int type, int protocol);
BERTH_MUST_USE int berth_sock_set(int fd, int level, int option, int value);
/* The value, or -errno. Only for options that are never negative. */
int berth_sock_get(int fd, int level, int option);
BERTH_MUST_USE int berth_sock_bind(int fd, const struct berth_addr *addr);
BERTH_MUST_USE int berth_sock_listen(int fd, int backlog);
BERTH_MUST_USE int berth_sock_name(int fd, struct berth_addr *ret_addr);
/* st_ino of the socket, which /proc/PID/fd and sock_diag(7) name too; 0 on failure. */
uint64_t berth_sock_inode(int fd);
/* SO_NETNS_COOKIE; 0 on failure. Equal cookies: the same network namespace, so the same ports. */
uint64_t berth_sock_netns_cookie(int fd);

/*
 * Where the kernel takes the ports of outgoing connections from: net.ipv4.ip_local_port_range, of
 * this network namespace. False: it is not told, nothing is written.
 */
bool berth_sock_outgoing_range(uint16_t *ret_lo, uint16_t *ret_hi);
