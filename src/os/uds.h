/* SPDX-License-Identifier: MIT */
/* os/uds.h - unix sockets: abstract names, peers, descriptors passed along */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/*
 * An abstract name is lock and control socket in one (unix(7)): bind() succeeds for exactly one
 * process of the network namespace, and the kernel gives it back when that one dies in any way.
 * @name without the leading NUL byte, 1 to 100 bytes. @type is SOCK_STREAM or SOCK_SEQPACKET.
 * All descriptors are close-on-exec; that of the listener is non-blocking. -EADDRINUSE: taken.
 */
BERTH_MUST_USE int berth_uds_listen_abstract(const char *name, int type);
/* A connected descriptor, blocking; -ECONNREFUSED: nobody has the name. */
BERTH_MUST_USE int berth_uds_connect_abstract(const char *name, int type);
/* The next one that connected, non-blocking; -EAGAIN. */
BERTH_MUST_USE int berth_uds_accept(int fd);

/* Who is at the other end, as of its connect() or socketpair() (SO_PEERCRED). */
BERTH_MUST_USE int berth_uds_peer(int fd, pid_t *ret_pid, uid_t *ret_uid);
/* A pidfd of the peer (SO_PEERPIDFD, 6.5; else pidfd_open() of SO_PEERCRED's pid). */
BERTH_MUST_USE int berth_uds_peer_pidfd(int fd);

/* Two connected ends, close-on-exec, of @type. */
BERTH_MUST_USE int berth_uds_pair(int type, int ret_fds[2]);

/*
 * Send @len bytes (not 0) and, unless @fd is -1, a duplicate of @fd (SCM_RIGHTS). Never raises
 * SIGPIPE. @fd stays the caller's. 0, or -errno: -EAGAIN where the socket is non-blocking and full,
 * nothing sent; -EIO where such a stream took a part (of more than 32 KiB at once) and then was
 * full: it is out of step, close it.
 */
BERTH_MUST_USE int berth_uds_send(int sock, const void *data, size_t len, int fd);
/*
 * Receive at most @size bytes and, if @ret_fd is not NULL, one descriptor (close-on-exec; -1: none
 * came; surplus ones are closed). Returns the number of bytes, 0 at the end, or -errno; -EMSGSIZE:
 * the message was longer, dropped.
 */
BERTH_MUST_USE ssize_t berth_uds_recv(int sock, void *buf, size_t size, int *ret_fd);
