/* SPDX-License-Identifier: MIT */
/* unit/port/group.h - sockets that share one address through the lease, and how clients spread */
#pragma once

#include "port/lease.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../own-netns.h"
#include "shapes.h"

enum {
	MEMBERS = 3,
	CLIENTS = 300,
	SHARE_MIN = 40, /* of 300; a fair third is 100, and 40 is seven standard deviations off */
};

/* The effective rights of this process are all that are permitted, or none. */
static inline void set_rights(bool all)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(data); i++)
		data[i].effective = all ? data[i].permitted : 0;
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

/* Joined through the lease; -1 where the kernel has no such socket. */
static inline int joined(struct berth_lease *lease, const struct shape *shape, int expected)
{
	struct berth_addr addr = addr_of(shape, 1);
	int fd = shaped(shape, SOCK_STREAM);
	int r;

	if (fd < 0)
		return -1;
	r = berth_lease_join(lease, fd, &addr);
	if (r != expected)
		fail_msg("join as %s: %d", shape->what, r);
	assert_int_equal(berth_sock_name(fd, &addr), 0);
	assert_int_equal(berth_addr_port(&addr), PORT);
	return fd;
}

/* How many of @count clients of @host come to each of the @size listeners; they leave nothing. */
static inline void spread(const char *host, int count, const int *listeners, size_t size,
			  int *ret_shares)
{
	const struct shape client = { .family = strchr(host, ':') ? AF_INET6 : AF_INET,
				      .host = host };
	const struct linger reset = { .l_onoff = 1 };
	struct berth_addr addr = addr_of(&client, PORT);

	memset(ret_shares, 0, size * sizeof(*ret_shares));
	for (int i = 0; i < count; i++) {
		BERTH_AUTO_FD int fd = shaped(&client, SOCK_STREAM);
		struct pollfd polls[8];

		if (connect(fd, &addr.sa, addr.len) < 0)
			fail_msg("client %d of %s: %s", i, host, strerror(errno));
		for (size_t k = 0; k < size; k++)
			polls[k] = (struct pollfd){ .fd = listeners[k], .events = POLLIN };
		assert_int_equal(poll(polls, size, DEADLINE_MS), 1);
		for (size_t k = 0; k < size; k++) {
			BERTH_AUTO_FD int server = -1;

			if (!polls[k].revents)
				continue;
			server = accept4(listeners[k], NULL, NULL, SOCK_CLOEXEC);
			assert_true(server >= 0);
			ret_shares[k]++;
		}
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	}
}

static inline void assert_all_get_some(const char *what, const char *host, const int *fds,
				       size_t size)
{
	int shares[8];

	spread(host, CLIENTS, fds, size, shares);
	for (size_t i = 0; i < size; i++)
		if (shares[i] < SHARE_MIN)
			fail_msg("%s: member %zu got %d of %d clients of %s", what, i, shares[i],
				 CLIENTS, host);
}

/* Of @size members only the one at @index gets clients. */
static inline void assert_one_gets_all(const char *host, const int *fds, size_t size, size_t index)
{
	int shares[8];

	spread(host, 60, fds, size, shares);
	assert_int_equal(shares[index], 60);
}

static inline void assert_group(const char *what, const struct shape *shape, const int *fds,
				size_t size)
{
	assert_all_get_some(what, client_of(shape), fds, size);
	if (is_dual(shape))
		assert_all_get_some(what, "127.0.0.1", fds, size);
}

/* A listening first one, bound alone, and two that join it. */
static inline void form(struct berth_lease *lease, const struct shape *shape, int fds[MEMBERS])
{
	fds[0] = owned(lease, shape);
	assert_int_equal(berth_lease_listen(lease, fds[0], 64), 0);
	for (int i = 1; i < MEMBERS; i++) {
		fds[i] = joined(lease, shape, 0);
		assert_int_equal(berth_lease_listen(lease, fds[i], 64), 0);
	}
}

static inline void end(struct berth_lease *lease, const int *fds, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	berth_lease_release(lease);
}

static inline void reclaim(struct berth_lease *lease, int *fd)
{
	struct berth_lease_owner *owner = owner_of(lease, *fd);

	berth_fd_close(fd);
	berth_lease_reclaim(lease, owner);
}
