/* SPDX-License-Identifier: MIT */
/* look/bound.c - TCP sockets that are bound and do not listen, where the kernel does not tell */
/*
 * Before Linux 6.8 they are in no table that can be read, and keep a port from everybody all the
 * same. The only way is to ask each socket itself, by a duplicate: pidfd_getfd(2). What a dump of
 * TCP tells of is another kind, and passed over; of what remains (unix and netlink sockets, UDP)
 * the first question tells.
 */
#include "look/bound.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "os/procfs.h"
#include "os/procsock.h"
#include "os/sockdiag.h"

/* The first whose dump has them. Distributions that took it over earlier are asked the long way. */
#define KERNEL_MAJOR 6u
#define KERNEL_MINOR 8u

enum {
	ASKED_MAX = 64, /* sockets of a few processes: more take as long as the tables */
};

bool berth_bound_is_told(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > KERNEL_MAJOR || (major == KERNEL_MAJOR && minor >= KERNEL_MINOR);
}

struct inodes {
	uint64_t *list; /* owned */
	size_t size, count;
};

static int add_inode(const struct berth_sockdiag_entry *entry, void *arg)
{
	struct inodes *inodes = arg;

	if (inodes->count == inodes->size) {
		size_t size = inodes->size ? 2 * inodes->size : 1024;
		uint64_t *list = reallocarray(inodes->list, size, sizeof(*list));

		if (!list)
			return -ENOMEM;
		inodes->list = list;
		inodes->size = size;
	}
	inodes->list[inodes->count++] = entry->inode;
	return 0;
}

static int compare(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return a < b ? -1 : a > b;
}

/* The inodes of all that a dump tells of, sorted. */
static int load_told(struct inodes *inodes)
{
	struct berth_sockdiag_query query = {
		.family = AF_UNSPEC,
		.protocol = IPPROTO_TCP,
		.states = BERTH_SOCKDIAG_LISTEN | BERTH_SOCKDIAG_CONNECTED,
	};
	int r = berth_sockdiag_each(&query, add_inode, inodes);

	if (r == 0 && inodes->count)
		qsort(inodes->list, inodes->count, sizeof(*inodes->list), compare);
	return r;
}

static bool is_tcp(int fd)
{
	int family = berth_sock_get(fd, SOL_SOCKET, SO_DOMAIN);

	return (family == AF_INET || family == AF_INET6) &&
	       berth_sock_get(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
}

/* Neither listening nor connected: TCP_CLOSE. */
static bool is_idle(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	       info.tcpi_state == TCP_CLOSE;
}

/* @cookie: of our network namespace. */
static bool examine(int fd, uint16_t lo, uint16_t hi, uint64_t cookie,
		    struct berth_bound_socket *ret_socket)
{
	struct berth_bound_socket socket = { 0 };
	struct stat st;
	uint16_t port;

	if (!is_tcp(fd) || berth_sock_name(fd, &socket.local) < 0)
		return false;
	port = berth_addr_port(&socket.local);
	if (port < lo || port > hi || !is_idle(fd) || berth_sock_netns_cookie(fd) != cookie ||
	    fstat(fd, &st) < 0)
		return false;
	socket.v6only = socket.local.sa.sa_family == AF_INET6 &&
			berth_sock_get(fd, IPPROTO_IPV6, IPV6_V6ONLY) > 0;
	socket.reuse = berth_sock_get(fd, SOL_SOCKET, SO_REUSEADDR) > 0;
	socket.interface = (uint32_t)berth_sock_get(fd, SOL_SOCKET, SO_BINDTOIFINDEX);
	socket.uid = st.st_uid;
	socket.inode = st.st_ino;
	*ret_socket = socket;
	return true;
}

/* Each socket once, though many may have it. */
static int examine_all(const struct berth_procsock_list *sockets, const struct inodes *told,
		       uint16_t lo, uint16_t hi,
		       int (*fn)(const struct berth_bound_socket *socket, void *arg), void *arg,
		       bool *hidden)
{
	BERTH_AUTO_FD int own = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	uint64_t cookie, done = 0;
	int r = 0;

	if (own < 0)
		return own;
	cookie = berth_sock_netns_cookie(own);
	for (size_t i = 0; i < sockets->count && r == 0; i++) {
		const struct berth_procsock *at = &sockets->found[i];
		struct berth_bound_socket socket;
		BERTH_AUTO_FD int fd = -1;

		if (at->inode == done ||
		    (told->count &&
		     bsearch(&at->inode, told->list, told->count, sizeof(*told->list), compare)))
			continue;
		fd = berth_procsock_borrow(at);
		if (fd == -EMFILE || fd == -ENFILE)
			return fd;
		if (fd == -EPERM || fd == -EACCES)
			*hidden = true;
		if (fd < 0)
			continue;
		done = at->inode;
		if (examine(fd, lo, hi, cookie, &socket))
			r = fn(&socket, arg);
	}
	return r;
}

int berth_bound_each(uint16_t lo, uint16_t hi,
		     int (*fn)(const struct berth_bound_socket *socket, void *arg), void *arg,
		     bool *ret_hidden)
{
	struct berth_procsock_query every = { 0 };
	struct berth_procsock_list sockets = { 0 };
	struct inodes told = { 0 };
	bool hidden;
	int r;

	/* First the processes: what listens in between is in the dump, and no more asked for. */
	r = berth_procsock_load(&every, &sockets);
	if (r == 0)
		r = load_told(&told);
	hidden = sockets.hidden > 0;
	if (r == 0)
		r = examine_all(&sockets, &told, lo, hi, fn, arg, &hidden);
	berth_procsock_list_deinit(&sockets);
	free(told.list);
	if (r == 0)
		*ret_hidden = hidden;
	return r;
}

int berth_bound_each_of(const pid_t *pids, size_t count, uint16_t lo, uint16_t hi,
			int (*fn)(const struct berth_bound_socket *socket, void *arg), void *arg,
			bool *ret_hidden)
{
	struct berth_procsock_query theirs = { .pids = pids,
					       .pid_count = count,
					       .anonymous = true };
	struct berth_procsock_list sockets = { 0 };
	const struct inodes none = { 0 };
	bool hidden;
	int r;

	r = berth_procsock_load(&theirs, &sockets);
	if (r == 0 && sockets.count > ASKED_MAX)
		r = -E2BIG;
	hidden = sockets.hidden > 0;
	if (r == 0)
		r = examine_all(&sockets, &none, lo, hi, fn, arg, &hidden);
	berth_procsock_list_deinit(&sockets);
	if (r == 0)
		*ret_hidden = hidden;
	return r;
}
