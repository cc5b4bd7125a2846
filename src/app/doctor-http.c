/* SPDX-License-Identifier: MIT */
/*
 * app/doctor-http.c - ask a server one thing over plain HTTP: at most so long, at most so much
 *
 * The commands may wait, so this does, with one deadline for connection and answer. Only the head
 * of an answer is kept. What follows is thrown away for a moment more: closing at once would be a
 * reset, which servers log as an error.
 */
#include "app/doctor-http.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "app/prober.h"
#include "base/time.h"

enum {
	LINGER_MS = 200,
	LINGER_MAX = 1 << 20, /* bytes */
	REQUEST_MAX = 2048,
};

/* How long poll(2) may still wait. */
static int left_ms(int64_t deadline_ns)
{
	int64_t left = (deadline_ns - berth_time_mono_ns()) / BERTH_NS_PER_MS;

	return left > 0 ? (int)left : 0;
}

/* 0, -ETIMEDOUT. */
static int wait_for(int fd, short events, int64_t deadline_ns)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	int r;

	do
		r = poll(&poll_fd, 1, left_ms(deadline_ns));
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return r ? 0 : -ETIMEDOUT;
}

static int connect_to(const struct berth_addr *target, int64_t deadline_ns)
{
	BERTH_AUTO_FD int fd = berth_sock_new(target->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return fd;
	if (connect(fd, &target->sa, target->len) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		r = wait_for(fd, POLLOUT, deadline_ns);
		if (r == 0)
			r = berth_sock_get(fd, SOL_SOCKET, SO_ERROR);
		if (r)
			return r < 0 ? r : -r;
	}
	return berth_fd_steal(&fd);
}

static int send_all(int fd, const void *data, size_t len, int64_t deadline_ns)
{
	const char *at = data;

	while (len) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
		int r;

		if (n >= 0) {
			at += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_for(fd, POLLOUT, deadline_ns);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Bytes, 0 at the end, -errno. */
static ssize_t receive(int fd, void *buf, size_t size, int flags, int64_t deadline_ns)
{
	for (;;) {
		ssize_t n = recv(fd, buf, size, flags | MSG_DONTWAIT);
		int r;

		if (n >= 0)
			return n;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_for(fd, POLLIN, deadline_ns);
		if (r < 0)
			return r;
	}
}

/* ---- what came ---- */

/* Bytes of the head that begins at @text, the empty line with it; 0: its end has not come. */
static size_t head_len(const char *text, size_t len)
{
	size_t pos = 0;

	while (pos < len) {
		const char *end = memchr(text + pos, '\n', len - pos);
		size_t line = end ? (size_t)(end - text) - pos : 0;

		if (!end)
			return 0;
		if (line == 0 || (line == 1 && text[pos] == '\r'))
			return (size_t)(end - text) + 1;
		pos += line + 1;
	}
	return 0;
}

/* Where the header fields of the final head begin: after those of 1xx, and the status line. */
static size_t fields_begin(const char *text, size_t len)
{
	const char *end;
	size_t pos = 0;

	for (;;) {
		size_t head = head_len(text + pos, len - pos);
		unsigned int status;

		if (!head || berth_prober_parse_status(text + pos, head, &status) == 0)
			break;
		pos += head;
	}
	end = memchr(text + pos, '\n', len - pos);
	return end ? (size_t)(end - text) + 1 : len;
}

static bool has_whole_head(const struct berth_doctor_http *answer, size_t fields)
{
	const char *at = answer->text + fields;
	size_t left = answer->len - fields;

	return (left && *at == '\n') || (left > 1 && memcmp(at, "\r\n", 2) == 0) ||
	       head_len(at, left);
}

int berth_doctor_http_read(struct berth_doctor_http *answer, bool ended)
{
	unsigned int status = 0;
	size_t fields;
	int r;

	ended |= answer->len == sizeof(answer->text);
	if (!answer->len) {
		if (!ended)
			return -EAGAIN;
		answer->outcome = BERTH_DOCTOR_HTTP_CLOSED;
		return 0;
	}
	r = berth_prober_parse_status(answer->text, answer->len, &status);
	if (r == -EAGAIN && !ended)
		return r;
	if (r < 0) {
		answer->outcome = BERTH_DOCTOR_HTTP_OTHER;
		return 0;
	}
	fields = fields_begin(answer->text, answer->len);
	if (!ended && !has_whole_head(answer, fields))
		return -EAGAIN;
	answer->outcome = BERTH_DOCTOR_HTTP_ANSWERED;
	answer->status = status;
	answer->head = fields;
	return 0;
}

bool berth_doctor_http_field(const struct berth_doctor_http *answer, const char *name, size_t index,
			     char *buf, size_t size)
{
	size_t name_len = strlen(name), pos = answer->head;

	if (answer->outcome != BERTH_DOCTOR_HTTP_ANSWERED)
		return false;
	while (pos < answer->len) {
		const char *line = answer->text + pos;
		const char *end = memchr(line, '\n', answer->len - pos);
		size_t len = end ? (size_t)(end - line) : answer->len - pos;

		pos += len + 1;
		while (len &&
		       (line[len - 1] == '\r' || line[len - 1] == ' ' || line[len - 1] == '\t'))
			len--;
		if (!len)
			return false;
		if (len <= name_len || line[name_len] != ':' ||
		    strncasecmp(line, name, name_len) != 0 || index--)
			continue;
		line += name_len + 1;
		len -= name_len + 1;
		for (; len && (*line == ' ' || *line == '\t'); line++)
			len--;
		snprintf(buf, size, "%.*s", (int)len, line);
		return true;
	}
	return false;
}

/* ---- asking ---- */

static void throw_away(int fd)
{
	int64_t deadline_ns = berth_time_mono_ns() + LINGER_MS * BERTH_NS_PER_MS;
	size_t left = LINGER_MAX;
	ssize_t n;

	/* Of TCP: read, but copied nowhere (tcp(7)). */
	while (left && (n = receive(fd, NULL, left, MSG_TRUNC, deadline_ns)) > 0)
		left -= (size_t)n;
}

static void take_answer(int fd, int64_t deadline_ns, struct berth_doctor_http *answer)
{
	for (;;) {
		ssize_t n = receive(fd, answer->text + answer->len,
				    sizeof(answer->text) - answer->len, 0, deadline_ns);

		if (n == -ETIMEDOUT && !answer->len) {
			answer->outcome = BERTH_DOCTOR_HTTP_SILENT;
			return;
		}
		if (n > 0)
			answer->len += (size_t)n;
		/* A reset is an end, too. */
		if (berth_doctor_http_read(answer, n <= 0) == 0)
			return;
	}
}

void berth_doctor_http_ask(const struct berth_addr *target, const char *method, const char *fields,
			   struct berth_doctor_http *ret_answer)
{
	int64_t deadline_ns = berth_time_mono_ns() + BERTH_DOCTOR_HTTP_MS * BERTH_NS_PER_MS;
	BERTH_AUTO_FD int fd = connect_to(target, deadline_ns);
	char request[REQUEST_MAX];
	int n, r;

	ret_answer->error = ret_answer->status = 0;
	ret_answer->head = ret_answer->len = 0;
	n = snprintf(request, sizeof(request),
		     "%s / HTTP/1.1\r\n"
		     "Host: localhost:%u\r\n"
		     "User-Agent: berth/" BERTH_VERSION "\r\n"
		     "Accept: */*\r\n"
		     "%s"
		     "Connection: close\r\n"
		     "\r\n",
		     method, berth_addr_port(target), fields);
	r = (size_t)n >= sizeof(request) ? -EMSGSIZE : fd < 0 ? fd : 0;
	if (r < 0) {
		ret_answer->outcome = BERTH_DOCTOR_HTTP_UNREACHED;
		ret_answer->error = r;
		return;
	}
	/* One that does not read may say why, before it closes. */
	(void)!send_all(fd, request, (size_t)n, deadline_ns);
	take_answer(fd, deadline_ns, ret_answer);
	if (ret_answer->outcome == BERTH_DOCTOR_HTTP_ANSWERED)
		throw_away(fd);
}

/*
 * A ClientHello of TLS 1.2 without extensions (RFC 5246). Those who want 1.3 or more of it say so by
 * an alert, which is an answer in TLS as well.
 */
static const char client_hello[] =
	"\x16\x03\x01\x00\x35" /* handshake, version, 53 bytes */
	"\x01\x00\x00\x31" /* client_hello, 49 bytes */
	"\x03\x03" /* TLS 1.2 */
	"berth doctor asks who you are --" /* 32 bytes that should be random */
	"\x00" /* no session */
	"\x00\x0a" /* five ciphers: ECDHE with RSA and ECDSA, RSA, and the mark of RFC 5746 */
	"\xc0\x2f\xc0\x2b\xc0\x30\x00\x2f\x00\xff"
	"\x01\x00"; /* no compression */

bool berth_doctor_http_is_tls(const struct berth_addr *target)
{
	int64_t deadline_ns = berth_time_mono_ns() + BERTH_DOCTOR_HTTP_MS * BERTH_NS_PER_MS;
	BERTH_AUTO_FD int fd = connect_to(target, deadline_ns);
	unsigned char answer[2];
	size_t len = 0;
	ssize_t n;

	if (fd < 0 || send_all(fd, client_hello, sizeof(client_hello) - 1, deadline_ns) < 0)
		return false;
	while (len < sizeof(answer) &&
	       (n = receive(fd, answer + len, sizeof(answer) - len, 0, deadline_ns)) > 0)
		len += (size_t)n;
	/* A handshake or an alert, of any version since SSL 3. */
	return len == sizeof(answer) && (answer[0] == 0x16 || answer[0] == 0x15) &&
	       answer[1] == 0x03;
}
