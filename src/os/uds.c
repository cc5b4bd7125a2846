/* SPDX-License-Identifier: MIT */
/* os/uds.c - unix sockets: abstract names, peers, descriptors passed along */
#include "os/uds.h"

#include <errno.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/un.h>

/* Linux 6.5; the C library of Debian 12 does not know it yet. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

enum {
	NAME_LEN_MAX = 100
};

/* The leading NUL byte makes the name abstract, and its length counts: no NUL ends it (unix(7)). */
static int make_addr(const char *name, struct sockaddr_un *ret_addr, socklen_t *ret_len)
{
	size_t len = strlen(name);

	if (!len)
		return -EINVAL;
	if (len > NAME_LEN_MAX)
		return -ENAMETOOLONG;
	*ret_addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret_addr->sun_path + 1, name, len);
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len);
	return 0;
}

int berth_uds_listen_abstract(const char *name, int type)
{
	BERTH_AUTO_FD int fd = -1;
	struct sockaddr_un addr;
	socklen_t len;
	int r;

	r = make_addr(name, &addr, &len);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	return berth_fd_steal(&fd);
}

int berth_uds_connect_abstract(const char *name, int type)
{
	BERTH_AUTO_FD int fd = -1;
	struct sockaddr_un addr;
	socklen_t len;
	int r;

	r = make_addr(name, &addr, &len);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/*
	 * Unlike TCP, an interrupted connect() of a unix socket has not begun anything: it may be
	 * repeated.
	 */
	while (connect(fd, (struct sockaddr *)&addr, len) < 0)
		if (errno != EINTR)
			return -errno;
	return berth_fd_steal(&fd);
}

int berth_uds_accept(int fd)
{
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return peer < 0 ? -errno : peer;
}

int berth_uds_peer(int fd, pid_t *ret_pid, uid_t *ret_uid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	/* A socket without a peer names nobody. */
	if (cred.uid == (uid_t)-1)
		return -ENOTCONN;
	*ret_pid = cred.pid;
	*ret_uid = cred.uid;
	return 0;
}

int berth_uds_peer_pidfd(int fd)
{
	int pidfd = -1, r;
	socklen_t len = sizeof(pidfd);
	pid_t pid = 0;
	uid_t uid = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0)
		return pidfd;
	if (errno != ENOPROTOOPT)
		return -errno;
	r = berth_uds_peer(fd, &pid, &uid);
	if (r < 0)
		return r;
	/* 0: the peer lives in a pid namespace that we cannot see into. */
	if (pid <= 0)
		return -ESRCH;
	pidfd = pidfd_open(pid, 0);
	return pidfd < 0 ? -errno : pidfd;
}

int berth_uds_pair(int type, int ret_fds[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

int berth_uds_send(int sock, const void *data, size_t len, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	/*
	 * Nothing could be told from the end of the connection, and a stream would lose the
	 * descriptor.
	 */
	if (!len)
		return -EINVAL;
	if (fd != -1) {
		control.align = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		};
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
	}
	while (iov.iov_len) {
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN && iov.iov_len < len ? -EIO : -errno;
		/* A stream may take a part, and has the descriptor with its first byte. */
		iov.iov_base = (char *)iov.iov_base + n;
		iov.iov_len -= (size_t)n;
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
	}
	return 0;
}

/* Keep the first descriptor that came, close what nobody asked for. */
static int take_fd(struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	int kept = -1, fd;
	size_t i, count;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
			if (kept < 0)
				kept = fd;
			else
				close(fd);
		}
	}
	return kept;
}

ssize_t berth_uds_recv(int sock, void *buf, size_t size, int *ret_fd)
{
	/* Alignment leaves room for a second one; what does not fit the kernel drops by itself. */
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	BERTH_AUTO_FD int fd = -1;
	ssize_t n;

	do {
		/*
		 * The kernel writes these at each call. Without room it installs no descriptor at
		 * all.
		 */
		msg.msg_control = ret_fd ? control.buf : NULL;
		msg.msg_controllen = ret_fd ? sizeof(control.buf) : 0;
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (ret_fd)
		fd = take_fd(&msg);
	if (msg.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	if (ret_fd)
		*ret_fd = berth_fd_steal(&fd);
	return n;
}
