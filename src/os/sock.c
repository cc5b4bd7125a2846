/* SPDX-License-Identifier: MIT */
/* os/sock.c - addresses and socket options of internet sockets */
#include "os/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "os/statefile.h"

/* What the kernel asks of a sockaddr_in6 at least: RFC 2133 had no scope id (SIN6_LEN_RFC2133). */
#define IN6_LEN_MIN offsetof(struct sockaddr_in6, sin6_scope_id)

/*
 * AF_UNSPEC is left to the kernel: to bind() it may mean 0.0.0.0, to connect() it means "part from
 * the peer".
 */
int berth_addr_from_raw(const void *raw, size_t len, struct berth_addr *ret_addr)
{
	struct berth_addr addr = { 0 };
	sa_family_t family;

	if (len < sizeof(family))
		return -EAFNOSUPPORT;
	memcpy(&family, raw, sizeof(family));
	if (family == AF_INET && len >= sizeof(addr.in))
		addr.len = sizeof(addr.in);
	else if (family == AF_INET6 && len >= IN6_LEN_MIN)
		addr.len = sizeof(addr.in6);
	else
		return -EAFNOSUPPORT;
	memcpy(&addr.sa, raw, len < addr.len ? len : addr.len);
	*ret_addr = addr;
	return 0;
}

struct berth_addr berth_addr_any(int family, uint16_t port)
{
	struct berth_addr addr = { 0 };

	if (family == AF_INET6) {
		addr.in6.sin6_family = AF_INET6;
		addr.in6.sin6_port = htons(port);
		addr.len = sizeof(addr.in6);
	} else {
		addr.in.sin_family = AF_INET;
		addr.in.sin_port = htons(port);
		addr.len = sizeof(addr.in);
	}
	return addr;
}

struct berth_addr berth_addr_loopback(int family, uint16_t port)
{
	struct berth_addr addr = berth_addr_any(family, port);

	if (addr.sa.sa_family == AF_INET6)
		addr.in6.sin6_addr = in6addr_loopback;
	else
		addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return addr;
}

uint16_t berth_addr_port(const struct berth_addr *addr)
{
	if (!addr->len)
		return 0;
	return ntohs(addr->sa.sa_family == AF_INET6 ? addr->in6.sin6_port : addr->in.sin_port);
}

void berth_addr_set_port(struct berth_addr *addr, uint16_t port)
{
	if (!addr->len)
		return;
	if (addr->sa.sa_family == AF_INET6)
		addr->in6.sin6_port = htons(port);
	else
		addr->in.sin_port = htons(port);
}

bool berth_addr_is_v4mapped(const struct berth_addr *addr)
{
	return addr->len && addr->sa.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr);
}

struct berth_addr berth_addr_unmapped(const struct berth_addr *addr)
{
	struct berth_addr v4;

	if (!berth_addr_is_v4mapped(addr))
		return *addr;
	v4 = berth_addr_any(AF_INET, berth_addr_port(addr));
	memcpy(&v4.in.sin_addr, &addr->in6.sin6_addr.s6_addr[12], sizeof(v4.in.sin_addr));
	return v4;
}

/* The IPv4 address in host order, of a mapped one too. */
static bool as_v4(const struct berth_addr *addr, uint32_t *ret_v4)
{
	uint32_t v4;

	if (!addr->len)
		return false;
	if (addr->sa.sa_family == AF_INET)
		v4 = addr->in.sin_addr.s_addr;
	else if (berth_addr_is_v4mapped(addr))
		memcpy(&v4, &addr->in6.sin6_addr.s6_addr[12], sizeof(v4));
	else
		return false;
	*ret_v4 = ntohl(v4);
	return true;
}

bool berth_addr_is_any(const struct berth_addr *addr)
{
	uint32_t v4;

	if (as_v4(addr, &v4))
		return v4 == INADDR_ANY;
	return addr->len && IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
}

bool berth_addr_is_loopback(const struct berth_addr *addr)
{
	uint32_t v4;

	if (as_v4(addr, &v4))
		return v4 >> 24 == IN_LOOPBACKNET;
	return addr->len && IN6_IS_ADDR_LOOPBACK(&addr->in6.sin6_addr);
}

bool berth_addr_is_multicast(const struct berth_addr *addr)
{
	uint32_t v4;

	if (as_v4(addr, &v4))
		return IN_MULTICAST(v4);
	return addr->len && IN6_IS_ADDR_MULTICAST(&addr->in6.sin6_addr);
}

bool berth_addr_equal(const struct berth_addr *a, const struct berth_addr *b)
{
	if (!a->len || !b->len)
		return a->len == b->len;
	if (a->sa.sa_family != b->sa.sa_family || berth_addr_port(a) != berth_addr_port(b))
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr) &&
	       a->in6.sin6_scope_id == b->in6.sin6_scope_id;
}

const char *berth_addr_format_host(const struct berth_addr *addr, char buf[BERTH_ADDR_STRLEN])
{
	char host[INET6_ADDRSTRLEN] = "", name[IF_NAMESIZE];

	if (addr->len && addr->sa.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &addr->in6.sin6_addr, host, sizeof(host));
	else if (addr->len)
		inet_ntop(AF_INET, &addr->in.sin_addr, host, sizeof(host));

	if (!addr->len || addr->sa.sa_family == AF_INET || !addr->in6.sin6_scope_id)
		snprintf(buf, BERTH_ADDR_STRLEN, "%s", host);
	else if (if_indextoname(addr->in6.sin6_scope_id, name))
		snprintf(buf, BERTH_ADDR_STRLEN, "%s%%%s", host, name);
	else
		snprintf(buf, BERTH_ADDR_STRLEN, "%s%%%u", host, addr->in6.sin6_scope_id);
	return buf;
}

const char *berth_addr_format(const struct berth_addr *addr, char buf[BERTH_ADDR_STRLEN])
{
	char host[BERTH_ADDR_STRLEN];
	size_t len;

	berth_addr_format_host(addr, host);
	len = strlen(host);
	if (addr->len && addr->sa.sa_family == AF_INET6) {
		/* The longest host and port leave room: 45 + 1 + 15 bytes, and 8 around them. */
		buf[0] = '[';
		memcpy(buf + 1, host, len);
		snprintf(buf + 1 + len, BERTH_ADDR_STRLEN - 1 - len, "]:%u", berth_addr_port(addr));
	} else if (addr->len) {
		memcpy(buf, host, len);
		snprintf(buf + len, BERTH_ADDR_STRLEN - len, ":%u", berth_addr_port(addr));
	} else {
		buf[0] = '\0';
	}
	return buf;
}

int berth_sock_new(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	return fd < 0 ? -errno : fd;
}

int berth_sock_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

int berth_sock_get(int fd, int level, int option)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, option, &value, &len) < 0 ? -errno : value;
}

int berth_sock_bind(int fd, const struct berth_addr *addr)
{
	return bind(fd, &addr->sa, addr->len) < 0 ? -errno : 0;
}

int berth_sock_listen(int fd, int backlog)
{
	return listen(fd, backlog) < 0 ? -errno : 0;
}

int berth_sock_name(int fd, struct berth_addr *ret_addr)
{
	struct sockaddr_storage raw;
	socklen_t len = sizeof(raw);

	if (getsockname(fd, (struct sockaddr *)&raw, &len) < 0)
		return -errno;
	return berth_addr_from_raw(&raw, len, ret_addr);
}

uint64_t berth_sock_inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode) ? 0 : st.st_ino;
}

uint64_t berth_sock_netns_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0 ? 0 : cookie;
}

bool berth_sock_outgoing_range(uint16_t *ret_lo, uint16_t *ret_hi)
{
	BERTH_AUTO_FREE char *text = NULL;
	unsigned int lo, hi;
	size_t len;

	if (berth_statefile_read(AT_FDCWD, "/proc/sys/net/ipv4/ip_local_port_range", 64, &text,
				 &len) < 0 ||
	    sscanf(text, "%u %u", &lo, &hi) != 2 || !lo || lo > hi || hi > UINT16_MAX)
		return false;
	*ret_lo = (uint16_t)lo;
	*ret_hi = (uint16_t)hi;
	return true;
}
