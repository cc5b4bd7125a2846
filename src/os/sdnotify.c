/* SPDX-License-Identifier: MIT */
/*
 * os/sdnotify.c - what a service says of itself: both ends of sd_notify(3)
 *
 * The protocol is one datagram of NAME=VALUE lines to the unix socket that NOTIFY_SOCKET names, "@"
 * in the place of the NUL byte of an abstract one. Who sent it is told by the kernel alone
 * (SO_PASSCRED, unix(7)): nobody without privilege can write another's pid into it.
 *
 * Descriptors may come along, from sd_notify_barrier(3) and FDSTORE=1. We offer room for the
 * credentials and nothing else: the kernel puts those first, finds no room for descriptors and
 * closes them itself. So a sender can neither fill our table nor make us keep what it sent, and a
 * barrier, which waits for exactly that close, is over at the moment of our recvmsg().
 */
#include "os/sdnotify.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/parse.h"
#include "base/str.h"
#include "os/sock.h"

int berth_sdnotify_open(char ret_name[BERTH_SDNOTIFY_NAME_SIZE])
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	BERTH_AUTO_FD int fd = -1;
	char name[BERTH_SDNOTIFY_NAME_SIZE];
	uint64_t random;
	size_t len;
	int r;

	_Static_assert(sizeof(name) < sizeof(addr.sun_path), "a name fits");
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -errno;
	len = (size_t)snprintf(name, sizeof(name), "@berth/%u/notify/%016llx",
			       (unsigned int)getuid(), (unsigned long long)random);
	memcpy(addr.sun_path + 1, name + 1, len - 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Before anybody can send: what came earlier would be nobody's. */
	r = berth_sock_set(fd, SOL_SOCKET, SO_PASSCRED, 1);
	if (r < 0)
		return r;
	if (bind(fd, (struct sockaddr *)&addr,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		return -errno;
	berth_str_copy(ret_name, BERTH_SDNOTIFY_NAME_SIZE, name);
	return berth_fd_steal(&fd);
}

static void parse_pid(const char *text, size_t len, pid_t *pid)
{
	char digits[16];
	uint64_t value;

	if (len >= sizeof(digits))
		return;
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (berth_parse_u64(digits, INT32_MAX, &value) == 0 && value > 0)
		*pid = (pid_t)value;
}

static void parse_watchdog(const char *text, size_t len, struct berth_sdnotify_message *message)
{
	if (len == 1 && text[0] == '1')
		message->watchdog = true;
	else if (len == 7 && !memcmp(text, "trigger", len))
		message->failed = true;
}

/* As systemd reads them: of these only "1" is a value, all else is as if it had not been said. */
static void parse_flag(const char *text, size_t len, bool *flag)
{
	if (len == 1 && text[0] == '1')
		*flag = true;
}

/* Is @line an assignment to @name? Then what it assigns. */
static bool is_named(const char *line, size_t len, const char *name, const char **ret_value,
		     size_t *ret_len)
{
	size_t name_len = strlen(name);

	if (len <= name_len || memcmp(line, name, name_len) != 0 || line[name_len] != '=')
		return false;
	*ret_value = line + name_len + 1;
	*ret_len = len - name_len - 1;
	return true;
}

static void parse_line(const char *line, size_t len, struct berth_sdnotify_message *message)
{
	const char *value;
	size_t value_len;

	if (is_named(line, len, "READY", &value, &value_len)) {
		parse_flag(value, value_len, &message->ready);
	} else if (is_named(line, len, "STOPPING", &value, &value_len)) {
		parse_flag(value, value_len, &message->stopping);
	} else if (is_named(line, len, "RELOADING", &value, &value_len)) {
		parse_flag(value, value_len, &message->reloading);
	} else if (is_named(line, len, "WATCHDOG", &value, &value_len)) {
		parse_watchdog(value, value_len, message);
	} else if (is_named(line, len, "MAINPID", &value, &value_len)) {
		parse_pid(value, value_len, &message->mainpid);
	} else if (is_named(line, len, "STATUS", &value, &value_len)) {
		message->has_status = true;
		berth_str_printable(value, value_len, message->status, sizeof(message->status));
	}
}

void berth_sdnotify_parse(const char *text, size_t len, struct berth_sdnotify_message *message)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t line_len = end ? (size_t)(end - text) : len;

		parse_line(text, line_len, message);
		text += line_len;
		len -= line_len;
		if (len) {
			text++;
			len--;
		}
	}
}

static bool find_sender(struct msghdr *msg, struct berth_sdnotify_message *message)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	struct ucred cred;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_CREDENTIALS ||
	    cmsg->cmsg_len != CMSG_LEN(sizeof(cred)))
		return false;
	memcpy(&cred, CMSG_DATA(cmsg), sizeof(cred));
	message->pid = cred.pid;
	message->uid = cred.uid;
	return true;
}

int berth_sdnotify_recv(int fd, struct berth_sdnotify_message *ret_message)
{
	struct berth_sdnotify_message message = { 0 };
	union {
		char buf[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	char text[BERTH_SDNOTIFY_MESSAGE_MAX];
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	/*
	 * Not all of the alignment: the last bytes would be no room for a descriptor, but need not
	 * be offered to begin with.
	 */
	do {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_LEN(sizeof(struct ucred));
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (msg.msg_flags & MSG_TRUNC || !find_sender(&msg, &message))
		return -EBADMSG;
	berth_sdnotify_parse(text, (size_t)n, &message);
	*ret_message = message;
	return 0;
}

int berth_sdnotify_send(const char *text)
{
	const char *name = secure_getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	BERTH_AUTO_FD int fd = -1;
	size_t len = name ? strlen(name) : 0;

	if (!len || (*name != '/' && *name != '@') || len >= sizeof(addr.sun_path))
		return len ? -EINVAL : 0;
	memcpy(addr.sun_path, name, len);
	if (*name == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&addr,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		return -errno;
	return 0;
}
