/* SPDX-License-Identifier: MIT */
/* unit/app/test-prober.c - probes against real sockets: whose answer, and what it counts as */
#include "app/prober.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../own-netns.h"
#include "base/time.h"

enum {
	PORT = 5000,
	DEADLINE_MS = 5000
};

static const struct berth_check tcp = { BERTH_CHECK_TCP, NULL };
static const struct berth_check http = { BERTH_CHECK_HTTP, "/health?a=b" };

/* What came of a probe. */
struct heard {
	unsigned int times;
	bool ok, unclear;
	char why[256];
	bool again; /* start another one from the callback */
	struct berth_loop *loop;
	const struct berth_prober_spec *spec;
};

static void on_result(struct berth_prober *prober, enum berth_prober_outcome outcome,
		      const char *why, void *arg)
{
	struct heard *heard = arg;

	heard->times++;
	heard->ok = outcome == BERTH_PROBER_OK;
	heard->unclear = outcome == BERTH_PROBER_UNCLEAR;
	snprintf(heard->why, sizeof(heard->why), "%s", why);
	if (heard->again) {
		heard->again = false;
		assert_int_equal(berth_prober_start(prober, heard->loop, heard->spec,
						    berth_time_mono_ns(), on_result, heard),
				 0);
	}
}

/* A service: what it listens on, as its supervisor knows it. */
struct service {
	struct berth_loop loop;
	struct berth_prober prober;
	struct berth_prober_listener listeners[4];
	size_t count;
	struct berth_lease *lease;
	int fds[4];
	struct heard heard;
};

static void service_init(struct service *service)
{
	*service = (struct service){ 0 };
	assert_int_equal(berth_loop_init(&service->loop), 0);
}

static void service_deinit(struct service *service)
{
	berth_prober_cancel(&service->prober);
	for (size_t i = 0; i < service->count; i++)
		berth_fd_close(&service->fds[i]);
	berth_loop_deinit(&service->loop);
}

static struct berth_addr addr_of(const char *host)
{
	struct berth_addr addr = berth_addr_any(strchr(host, ':') ? AF_INET6 : AF_INET, PORT);
	void *where = addr.sa.sa_family == AF_INET6 ? (void *)&addr.in6.sin6_addr
						    : (void *)&addr.in.sin_addr;

	assert_int_equal(inet_pton(addr.sa.sa_family, host, where), 1);
	return addr;
}

struct listen_spec {
	const char *host, *device;
	bool v6only, reuseport;
	int protocol, backlog;
};

static int listen_on(struct listen_spec spec)
{
	struct berth_addr addr = addr_of(spec.host);
	int fd = berth_sock_new(addr.sa.sa_family, SOCK_STREAM, spec.protocol);

	if (fd == -EPROTONOSUPPORT)
		return -1;
	assert_true(fd >= 0);
	assert_int_equal(berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	if (spec.reuseport)
		assert_int_equal(berth_sock_set(fd, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	if (spec.device)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, spec.device,
					    (socklen_t)strlen(spec.device)),
				 0);
	if (addr.sa.sa_family == AF_INET6)
		assert_int_equal(berth_sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, spec.v6only), 0);
	assert_int_equal(berth_sock_bind(fd, &addr), 0);
	assert_int_equal(berth_sock_listen(fd, spec.backlog ? spec.backlog : 16), 0);
	return fd;
}

static int serve(struct service *service, struct listen_spec spec)
{
	int fd = listen_on(spec);

	if (fd < 0)
		return -1;
	service->fds[service->count] = fd;
	service->listeners[service->count++] = (struct berth_prober_listener){
		.addr = addr_of(spec.host),
		.inode = berth_sock_inode(fd),
	};
	return fd;
}

static struct berth_prober_spec spec_of(const struct service *service,
					const struct berth_check *check)
{
	return (struct berth_prober_spec){
		.check = check,
		.listeners = service->listeners,
		.count = service->count,
		.lease = service->lease,
		.timeout_ms = DEADLINE_MS,
	};
}

static void start(struct service *service, const struct berth_check *check)
{
	struct berth_prober_spec spec = spec_of(service, check);

	service->heard = (struct heard){ 0 };
	assert_int_equal(berth_prober_start(&service->prober, &service->loop, &spec,
					    berth_time_mono_ns(), on_result, &service->heard),
			 0);
	assert_int_equal(service->heard.times, 0);
	assert_true(berth_prober_is_busy(&service->prober));
}

static void turn_until(struct service *service, unsigned int times)
{
	int64_t deadline = berth_time_mono_ns() + DEADLINE_MS * 1000000LL;

	while (service->heard.times < times) {
		assert_true(berth_time_mono_ns() < deadline);
		assert_int_equal(berth_loop_turn(&service->loop, deadline), 0);
	}
}

static void turn_until_heard(struct service *service)
{
	turn_until(service, 1);
	assert_false(berth_prober_is_busy(&service->prober));
}

static void turn_until_it_rests(struct service *service)
{
	int64_t deadline = berth_time_mono_ns() + DEADLINE_MS * 1000000LL;

	while (service->prober.call) {
		assert_true(berth_time_mono_ns() < deadline);
		assert_int_equal(berth_loop_turn(&service->loop, deadline), 0);
	}
	assert_int_equal(berth_prober_deadline(&service->prober), INT64_MAX);
}

static void assert_heard(const struct service *service, bool ok, const char *why)
{
	if (service->heard.ok != ok || !strstr(service->heard.why, why))
		fail_msg("%s: '%s'", service->heard.ok ? "ok" : "not ok", service->heard.why);
	assert_int_equal(service->heard.times, 1);
}

static void probe(struct service *service, const struct berth_check *check)
{
	start(service, check);
	turn_until_heard(service);
}

/* The client's end of what came in, non-blocking only where a test reads its end. */
static int accept_one(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int client;

	assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
	client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(client >= 0);
	return client;
}

/* Bytes that come until the end or @size - 1, as text; -1: a reset. */
static int read_all(int fd, char *buf, size_t size)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n;

	do {
		assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
		n = recv(fd, buf + len, size - 1 - len, 0);
		if (n < 0)
			return -1;
		len += (size_t)n;
	} while (n > 0 && len < size - 1 && !strstr((buf[len] = '\0', buf), "\r\n\r\n"));
	buf[len] = '\0';
	return (int)len;
}

static void write_all(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* One http probe that is answered by @pieces, each in a segment of its own. */
static void answer(struct service *service, const char *const *pieces)
{
	char request[1024];
	int client;

	start(service, &http);
	for (int i = 0; i < 2; i++) /* connected, sent */
		assert_int_equal(berth_loop_turn(&service->loop, berth_time_mono_ns() + 1000000000),
				 0);
	client = accept_one(service->fds[0]);
	assert_true(read_all(client, request, sizeof(request)) > 0);
	for (; *pieces; pieces++) {
		write_all(client, *pieces);
		if (pieces[1]) {
			assert_int_equal(service->heard.times, 0);
			assert_int_equal(
				berth_loop_turn(&service->loop, berth_time_mono_ns() + 1000000000),
				0);
		}
	}
	close(client);
	turn_until_heard(service);
}

static void tcp_is_a_connection_that_ends_without_a_reset(void **state)
{
	struct service service;
	char buf[16];
	int client;

	service_init(&service);
	serve(&service, (struct listen_spec){ .host = "0.0.0.0" });
	probe(&service, &tcp);
	assert_heard(&service, true, "connected");
	client = accept_one(service.fds[0]);
	/* It greets, as a mail server would, before it sees the end. */
	write_all(client, "220 hello\r\n");
	assert_int_equal(read_all(client, buf, sizeof(buf)), 0);
	assert_int_equal(berth_loop_turn(&service.loop, berth_time_mono_ns() + 1000000000), 0);
	assert_non_null(service.prober.call);
	write_all(client, "221 bye\r\n");
	assert_int_equal(berth_sock_get(client, SOL_SOCKET, SO_ERROR), 0);
	close(client);
	turn_until_it_rests(&service);
	assert_int_equal(service.heard.times, 1);
	service_deinit(&service);
}

static void what_lingers_is_closed_at_the_deadline_without_a_word(void **state)
{
	struct service service;

	service_init(&service);
	serve(&service, (struct listen_spec){ .host = "127.0.0.1" });
	probe(&service, &tcp);
	assert_non_null(service.prober.call);
	berth_prober_expire(&service.prober, berth_prober_deadline(&service.prober) - 1);
	assert_non_null(service.prober.call);
	berth_prober_expire(&service.prober, berth_prober_deadline(&service.prober));
	assert_null(service.prober.call);
	assert_int_equal(service.heard.times, 1);
	service_deinit(&service);
}

static const struct {
	const char *pieces[5];
	bool ok;
	const char *why;
} answers[] = {
	{ { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" }, true, "HTTP 200" },
	{ { "HTTP/1.0 204\r\n" }, true, "HTTP 204" },
	{ { "HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n" }, true, "HTTP 302" },
	{ { "HTTP/1.1 399 Odd\n" }, true, "HTTP 399" },
	{ { "HTTP/1.1 400 Bad Request\r\n" }, false, "HTTP 400" },
	{ { "HTTP/1.1 503 Service Unavailable\r\n\r\n" }, false, "HTTP 503" },
	{ { "HTTP/1.1 101 Switching Protocols\r\n\r\n" }, false, "HTTP 101" },
	{ { "HT", "TP/1.1 20", "0 O", "K\r\n" }, true, "HTTP 200" },
	{ { "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r", "\nHTTP/1.1 500 Oh\r\n" },
	  false,
	  "HTTP 500" },
	{ { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 P\r\n\r\n", "HTTP/1.1 200 OK\r\n" },
	  true,
	  "HTTP 200" },
	{ { "SSH-2.0-OpenSSH_9.2\r\n" }, false, "is not HTTP" },
	{ { "HTTP/2 200\r\n" }, false, "is not HTTP" },
	{ { "HTTP/1.1 2000 OK\r\n" }, false, "is not HTTP" },
	{ { "HTTP/1.1 20\r\n" }, false, "is not HTTP" },
	{ { "HTTP/1.1 099 Odd\r\n" }, false, "is not HTTP" },
	{ { "HTTP/1.1 200" }, false, "without an answer" },
	{ { NULL }, false, "without an answer" },
};

static void http_is_a_status_from_200_to_399(void **state)
{
	struct service service;

	service_init(&service);
	serve(&service, (struct listen_spec){ .host = "127.0.0.1" });
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		answer(&service, answers[i].pieces);
		assert_heard(&service, answers[i].ok, answers[i].why);
		turn_until_it_rests(&service);
	}
	service_deinit(&service);
}

static void the_request_is_plain_http(void **state)
{
	struct service service;
	char request[1024];
	int client;

	service_init(&service);
	serve(&service, (struct listen_spec){ .host = "::1" });
	start(&service, &http);
	for (int i = 0; i < 2; i++)
		assert_int_equal(berth_loop_turn(&service.loop, berth_time_mono_ns() + 1000000000),
				 0);
	client = accept_one(service.fds[0]);
	assert_true(read_all(client, request, sizeof(request)) > 0);
	assert_string_equal(request, "GET /health?a=b HTTP/1.1\r\n"
				     "Host: localhost:5000\r\n"
				     "User-Agent: berth/" BERTH_VERSION "\r\n"
				     "Accept: */*\r\n"
				     "Connection: close\r\n\r\n");
	close(client);
	turn_until_heard(&service);
	service_deinit(&service);
}

static void an_answer_without_end_is_not_read_for_ever(void **state)
{
	static const char *const head[] = { "HTTP/1.1 200 OK\r\n\r\n", NULL };
	static char block[65536];
	struct service service;
	int64_t deadline = berth_time_mono_ns() + DEADLINE_MS * 1000000LL;
	int client, sent = 0;

	service_init(&service);
	serve(&service, (struct listen_spec){ .host = "127.0.0.1" });
	start(&service, &http);
	for (int i = 0; i < 2; i++)
		assert_int_equal(berth_loop_turn(&service.loop, berth_time_mono_ns() + 1000000000),
				 0);
	client = accept_one(service.fds[0]);
	write_all(client, head[0]);
	turn_until_heard(&service);
	assert_heard(&service, true, "HTTP 200");
	while (service.prober.call) {
		ssize_t n = send(client, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);

		sent += n > 0 ? (int)n : 0;
		assert_true(sent < 16 << 20 && berth_time_mono_ns() < deadline);
		assert_int_equal(berth_loop_turn(&service.loop, deadline), 0);
	}
	assert_true(sent >= 1 << 20);
	close(client);
	service_deinit(&service);
}

static void a_first_line_beyond_all_bounds_is_no_answer(void **state)
{
	struct service service;
	char line[4097] = "HTTP/1.1 200 ";
	const char *const pieces[] = { line, NULL };

	memset(line + strlen(line), 'a', sizeof(line) - 1 - strlen(line));
	service_init(&service);
	serve(&service, (struct listen_spec){ .host = "127.0.0.1" });
	answer(&service, pieces);
	assert_heard(&service, false, "is not HTTP");
	service_deinit(&service);
}

static void silence_is_a_failure_at_the_deadline(void **state)
{
	struct service service;

	service_init(&service);
	serve(&service, (struct listen_spec){ .host = "127.0.0.1" });
	start(&service, &http);
	for (int i = 0; i < 2; i++)
		assert_int_equal(berth_loop_turn(&service.loop, berth_time_mono_ns() + 1000000000),
				 0);
	berth_prober_expire(&service.prober, berth_prober_deadline(&service.prober) - 1);
	assert_int_equal(service.heard.times, 0);
	berth_prober_expire(&service.prober, berth_prober_deadline(&service.prober));
	assert_heard(&service, false, "no answer within 5 s");
	assert_null(service.prober.call);
	service_deinit(&service);
}

static void a_full_queue_is_no_connection(void **state)
{
	struct service service;
	struct berth_addr addr = berth_addr_loopback(AF_INET, PORT);
	int clients[8];

	service_init(&service);
	serve(&service, (struct listen_spec){ .host = "127.0.0.1", .backlog = 1 });
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(clients); i++) {
		clients[i] = berth_sock_new(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		assert_true(connect(clients[i], &addr.sa, addr.len) == 0 || errno == EINPROGRESS);
	}
	start(&service, &tcp);
	assert_int_equal(berth_loop_turn(&service.loop, berth_time_mono_ns() + 20000000), 0);
	assert_int_equal(service.heard.times, 0);
	berth_prober_expire(&service.prober, berth_prober_deadline(&service.prober));
	assert_heard(&service, false, "no connection within 5 s");
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(clients); i++)
		close(clients[i]);
	service_deinit(&service);
}

static void nobody_listening_is_a_failure_told_later(void **state)
{
	struct service service;

	service_init(&service);
	probe(&service, &tcp);
	assert_heard(&service, false, "it does not listen");
	assert_null(service.prober.call);

	serve(&service, (struct listen_spec){ .host = "127.0.0.1" });
	shutdown(service.fds[0], SHUT_RDWR);
	probe(&service, &tcp);
	assert_heard(&service, false, "it does not listen on 127.0.0.1:5000");
	service_deinit(&service);
}

/*
 * All of them with SO_REUSEPORT: without it the kernel lets no two listen on addresses that overlap.
 */
/* clang-format off */
static const struct {
	const char *what;
	struct listen_spec own, other;
	bool ok;
} crowds[] = {
	{ "a foreign one on the very address, in front of ours on all",
	  { "0.0.0.0" }, { "127.0.0.1" }, false },
	{ "the same in IPv6", { "::", .v6only = true }, { "::1" }, false },
	{ "a foreign dual-stack one, ours on the very address", { "127.0.0.1" }, { "::" }, true },
	{ "a foreign dual-stack one, ours on all", { "0.0.0.0" }, { "::" }, false },
	{ "a foreign one on all addresses, behind ours", { "127.0.0.1" }, { "0.0.0.0" }, true },
	{ "a foreign one on another address", { "127.0.0.1" }, { "127.0.0.2" }, true },
	{ "a foreign one in the other family", { "127.0.0.1" }, { "::1" }, true },
	{ "a foreign one in the other family, on all",
	  { "0.0.0.0" }, { "::", .v6only = true }, true },
	{ "in the other family, before ours on both", { "::" }, { "::1" }, false },
	{ "a foreign IPv4 one, asked by IPv6", { "::1" }, { "0.0.0.0" }, true },
	{ "in one group", { "0.0.0.0" }, { "0.0.0.0" }, false },
	{ "in one group, on one address", { "127.0.0.1" }, { "127.0.0.1" }, false },
	{ "on an interface", { "0.0.0.0" }, { "0.0.0.0", .device = "lo" }, false },
	{ "one for IPv4 in IPv6 clothes", { "0.0.0.0" }, { "::ffff:127.0.0.1" }, false },
	{ "ours in IPv6 clothes", { "::ffff:127.0.0.1" }, { "::1" }, true },
};
/* clang-format on */

static void another_programs_answer_never_counts(void **state)
{
	static const struct berth_check *const checks[] = { &tcp, &http };

	for (size_t i = 0; i < sizeof(crowds) / sizeof(crowds[0]); i++) {
		for (size_t k = 0; k < BERTH_ARRAY_SIZE(checks); k++) {
			struct listen_spec own = crowds[i].own, foreign = crowds[i].other;
			struct service service;
			int other;

			own.reuseport = foreign.reuseport = true;
			if (crowds[i].ok && checks[k] == &http)
				continue;
			service_init(&service);
			serve(&service, own);
			probe(&service, &tcp);
			if (!service.heard.ok)
				fail_msg("%s: alone: %s", crowds[i].what, service.heard.why);
			other = listen_on(foreign);
			probe(&service, checks[k]);
			if (service.heard.ok != crowds[i].ok)
				fail_msg("%s: %s", crowds[i].what, service.heard.why);
			if (!crowds[i].ok)
				assert_heard(&service, false, "another program answers on ");
			close(other);
			probe(&service, &tcp);
			assert_heard(&service, true, "connected");
			service_deinit(&service);
		}
	}
}

static void one_that_comes_between_the_looks_is_seen(void **state)
{
	struct service service;
	int other;

	service_init(&service);
	serve(&service, (struct listen_spec){ .host = "0.0.0.0", .reuseport = true });
	start(&service, &tcp);
	other = listen_on((struct listen_spec){ .host = "127.0.0.1", .reuseport = true });
	turn_until_heard(&service);
	assert_heard(&service, false, "another program answers on 127.0.0.1:5000");
	close(other);
	service_deinit(&service);
}

static void several_sockets_of_its_own_are_no_strangers(void **state)
{
	struct service service;

	service_init(&service);
	serve(&service, (struct listen_spec){ .host = "0.0.0.0", .reuseport = true });
	serve(&service, (struct listen_spec){ .host = "0.0.0.0", .reuseport = true });
	serve(&service, (struct listen_spec){ .host = "::", .v6only = true });
	probe(&service, &tcp);
	assert_heard(&service, true, "connected");
	service_deinit(&service);
}

/* Go listens so since 1.24. */
static void a_listener_of_mptcp_is_its_own(void **state)
{
	struct service service;

	service_init(&service);
	if (serve(&service, (struct listen_spec){ .host = "::", .protocol = IPPROTO_MPTCP }) < 0) {
		service_deinit(&service);
		print_message("this kernel has no MPTCP\n");
		skip();
	}
	probe(&service, &tcp);
	assert_heard(&service, true, "connected");
	service_deinit(&service);
}

static void no_other_machine_is_ever_asked(void **state)
{
	struct berth_addr addr = addr_of("192.0.2.1");
	struct service service;
	int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);

	service_init(&service);
	assert_int_equal(berth_sock_set(fd, IPPROTO_IP, IP_FREEBIND, 1), 0);
	assert_int_equal(berth_sock_bind(fd, &addr), 0);
	assert_int_equal(berth_sock_listen(fd, 1), 0);
	service.fds[0] = fd;
	service.listeners[service.count++] =
		(struct berth_prober_listener){ addr, berth_sock_inode(fd) };
	probe(&service, &tcp);
	assert_heard(&service, false, "192.0.2.1 is no address of this machine");
	service_deinit(&service);
}

static void a_specific_address_is_asked_itself(void **state)
{
	struct service service;

	service_init(&service);
	serve(&service, (struct listen_spec){ .host = "127.3.2.1" });
	probe(&service, &tcp);
	assert_heard(&service, true, "connected");
	service_deinit(&service);
}

/* Three workers with a socket each, in a group of the lease's; the service's own is that of one. */
struct group {
	struct service service;
	struct berth_lease lease;
	int fds[3];
};

static int take_member(struct berth_lease *lease, const struct berth_addr *addr, bool joins)
{
	int fd = berth_sock_new(addr->sa.sa_family, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(
		joins ? berth_lease_join(lease, fd, addr) : berth_lease_bind(lease, fd, addr), 0);
	assert_int_equal(berth_lease_listen(lease, fd, 16), 0);
	return fd;
}

static void group_init(struct group *group, const char *host, size_t asked)
{
	const struct berth_lease_means means = { .ipv6 = true };
	struct berth_addr addr = addr_of(host);

	service_init(&group->service);
	berth_lease_init(&group->lease, means, SOCK_STREAM);
	assert_int_equal(berth_lease_take(&group->lease, PORT), 0);
	for (size_t i = 0; i < 3; i++) {
		group->fds[i] = take_member(&group->lease, &addr, i > 0);
		group->service.listeners[i] = (struct berth_prober_listener){
			.addr = addr,
			.inode = berth_sock_inode(group->fds[i]),
			.other = i != asked,
		};
	}
	group->service.count = 3;
	group->service.lease = &group->lease;
}

static void group_deinit(struct group *group)
{
	group->service.count = 0;
	service_deinit(&group->service);
	for (size_t i = 0; i < 3; i++)
		berth_fd_close(&group->fds[i]);
	berth_lease_release(&group->lease);
}

static bool leads_nowhere(const struct berth_lease *lease)
{
	for (size_t i = 0; i < lease->owner_size; i++)
		for (size_t k = 0; k < BERTH_LEASE_LEADS_MAX; k++)
			if (lease->owners[i].leads[k])
				return false;
	return true;
}

static void of_several_workers_the_one_that_is_asked_answers(void **state)
{
	static const char *const hosts[] = { "0.0.0.0", "127.0.0.1", "::", "::1" };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(hosts) * 3; i++) {
		size_t asked = i % 3;
		struct group group;

		group_init(&group, hosts[i / 3], asked);
		for (int times = 0; times < 6; times++) {
			static const char *const text[] = { "HTTP/1.1 200 OK\r\n", NULL };

			/* Nobody else is there to answer: it would wait for ever. */
			group.service.fds[0] = group.fds[asked];
			answer(&group.service, text);
			assert_heard(&group.service, true, "HTTP 200");
			assert_true(leads_nowhere(&group.lease));
			turn_until_it_rests(&group.service);
			probe(&group.service, &tcp);
			assert_heard(&group.service, true, "connected");
			assert_true(leads_nowhere(&group.lease));
			close(accept_one(group.fds[asked]));
			turn_until_it_rests(&group.service);
		}
		group_deinit(&group);
	}
}

static void a_lead_ends_with_its_probe(void **state)
{
	struct group group;

	group_init(&group, "0.0.0.0", 1);
	start(&group.service, &http);
	assert_false(leads_nowhere(&group.lease));
	berth_prober_cancel(&group.service.prober);
	assert_true(leads_nowhere(&group.lease));
	start(&group.service, &http);
	berth_prober_expire(&group.service.prober, berth_prober_deadline(&group.service.prober));
	assert_true(leads_nowhere(&group.lease));
	/* Or with the worker, if that is gone sooner. */
	start(&group.service, &http);
	berth_fd_close(&group.fds[1]);
	berth_lease_reclaim(&group.lease,
			    berth_lease_find_owner(&group.lease, group.service.listeners[1].inode));
	assert_true(leads_nowhere(&group.lease));
	turn_until_heard(&group.service);
	assert_false(group.service.heard.ok);
	group_deinit(&group);
}

static void what_another_worker_could_answer_is_not_asked(void **state)
{
	struct berth_prober_spec spec;
	struct group group;
	struct service *service = &group.service;

	group_init(&group, "0.0.0.0", 2);
	spec = spec_of(service, &tcp);
	spec.lease = NULL;
	assert_int_equal(
		berth_prober_start(&service->prober, &service->loop, &spec, 0, on_result, NULL),
		BERTH_PROBER_E_OTHERS);
	assert_null(service->prober.call);
	/* One that can't be led to. */
	group.lease.mixed_up = true;
	spec.lease = &group.lease;
	assert_int_equal(
		berth_prober_start(&service->prober, &service->loop, &spec, 0, on_result, NULL),
		BERTH_PROBER_E_OTHERS);
	assert_null(service->prober.call);
	assert_true(leads_nowhere(&group.lease));
	group_deinit(&group);
	/* A version before it, on the very address, stands in front. */
	service_init(service);
	serve(service, (struct listen_spec){ .host = "127.0.0.1", .reuseport = true });
	serve(service, (struct listen_spec){ .host = "0.0.0.0", .reuseport = true });
	service->listeners[0].other = true;
	spec = spec_of(service, &tcp);
	assert_int_equal(
		berth_prober_start(&service->prober, &service->loop, &spec, 0, on_result, NULL),
		BERTH_PROBER_E_OTHERS);
	/* Behind it, or in the other family, it gets nothing. */
	service->listeners[0].other = false;
	service->listeners[1].other = true;
	probe(service, &tcp);
	assert_heard(service, true, "connected");
	service_deinit(service);
}

static void another_worker_that_comes_between_the_looks_makes_it_unclear(void **state)
{
	struct berth_addr any = addr_of("0.0.0.0");
	struct service service;
	int other;

	service_init(&service);
	serve(&service, (struct listen_spec){ .host = "0.0.0.0", .reuseport = true });
	other = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(berth_sock_set(other, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	assert_int_equal(berth_sock_set(other, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	assert_int_equal(berth_sock_bind(other, &any), 0);
	service.fds[1] = other;
	service.listeners[service.count++] = (struct berth_prober_listener){
		.addr = any,
		.inode = berth_sock_inode(other),
		.other = true,
	};
	start(&service, &tcp);
	assert_int_equal(berth_sock_listen(other, 16), 0);
	turn_until_heard(&service);
	assert_heard(&service, false, "another worker may have answered");
	assert_true(service.heard.unclear);
	service_deinit(&service);
}

static const struct {
	const char *hosts[4];
	const char *target;
} targets[] = {
	{ { "0.0.0.0" }, "127.0.0.1" },
	{ { "127.0.0.1" }, "127.0.0.1" },
	{ { "::" }, "::1" },
	{ { "::1" }, "::1" },
	{ { "::", "0.0.0.0" }, "127.0.0.1" },
	{ { "::1", "127.0.0.1" }, "127.0.0.1" },
	{ { "192.0.2.7" }, "192.0.2.7" },
	{ { "127.0.0.2" }, "127.0.0.2" },
	{ { "127.0.0.2", "192.0.2.7" }, "127.0.0.2" },
	{ { "192.0.2.7", "::1" }, "::1" },
	{ { "2001:db8::1" }, "2001:db8::1" },
	{ { "::ffff:0.0.0.0" }, "127.0.0.1" },
	{ { "::ffff:192.0.2.7" }, "192.0.2.7" },
};

static void it_connects_where_the_service_listens(void **state)
{
	struct berth_prober_listener listeners[4] = { 0 };
	struct berth_addr target, expected;
	char text[BERTH_ADDR_STRLEN];

	assert_false(berth_prober_target(NULL, 0, &target));
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		size_t count = 0;

		while (count < 4 && targets[i].hosts[count]) {
			listeners[count].addr = addr_of(targets[i].hosts[count]);
			count++;
		}
		assert_true(berth_prober_target(listeners, count, &target));
		expected = addr_of(targets[i].target);
		if (!berth_addr_equal(&target, &expected))
			fail_msg("%s: %s", targets[i].hosts[0], berth_addr_format(&target, text));
	}
}

static void it_never_connects_where_only_another_worker_listens(void **state)
{
	struct berth_prober_listener listeners[] = {
		{ .addr = addr_of("127.0.0.1"), .other = true },
		{ .addr = addr_of("127.0.0.2") },
	};
	struct berth_addr target, expected = addr_of("127.0.0.2");

	assert_true(berth_prober_target(listeners, 2, &target));
	assert_true(berth_addr_equal(&target, &expected));
	assert_false(berth_prober_target(listeners, 1, &target));
}

static void a_cancelled_probe_says_nothing_and_leaves_nothing(void **state)
{
	struct berth_prober resting = { 0 };
	struct service service;
	int fd, before;

	service_init(&service);
	serve(&service, (struct listen_spec){ .host = "127.0.0.1" });
	before = fcntl(service.loop.epoll_fd, F_DUPFD_CLOEXEC, 0);
	close(before);
	start(&service, &http);
	berth_prober_cancel(&service.prober);
	assert_null(service.prober.call);
	assert_int_equal(berth_loop_turn(&service.loop, berth_time_mono_ns() + 20000000), 0);
	assert_int_equal(service.heard.times, 0);
	fd = fcntl(service.loop.epoll_fd, F_DUPFD_CLOEXEC, 0);
	assert_int_equal(fd, before);
	close(fd);
	berth_prober_cancel(&resting);
	berth_prober_expire(&resting, INT64_MAX);
	assert_false(berth_prober_is_busy(&resting));
	assert_int_equal(berth_prober_deadline(&resting), INT64_MAX);
	service_deinit(&service);
}

static void the_callback_may_start_the_next_one(void **state)
{
	struct berth_prober_spec spec;
	struct service service;

	service_init(&service);
	serve(&service, (struct listen_spec){ .host = "127.0.0.1" });
	start(&service, &tcp);
	spec = spec_of(&service, &tcp);
	service.heard.again = true;
	service.heard.loop = &service.loop;
	service.heard.spec = &spec;
	turn_until(&service, 2);
	assert_true(service.heard.ok);
	service_deinit(&service);
}

static void other_checks_are_no_affair_of_it(void **state)
{
	static const struct berth_check notify = { BERTH_CHECK_NOTIFY, NULL };
	struct berth_prober_spec spec;
	struct service service;

	service_init(&service);
	spec = spec_of(&service, &notify);
	assert_int_equal(
		berth_prober_start(&service.prober, &service.loop, &spec, 0, on_result, NULL),
		-EINVAL);
	assert_null(service.prober.call);
	service_deinit(&service);
}

/* ---- outside: whoever answers ---- */

static void start_outside(struct service *service, const struct berth_check *check)
{
	struct berth_prober_spec spec = { .check = check,
					  .outside = PORT,
					  .timeout_ms = DEADLINE_MS };

	service->heard = (struct heard){ 0 };
	assert_int_equal(berth_prober_start(&service->prober, &service->loop, &spec,
					    berth_time_mono_ns(), on_result, &service->heard),
			 0);
	assert_int_equal(service->heard.times, 0);
}

/* As a supervisor does: the prober's own deadlines count too. */
static void turn_with_timers(struct service *service)
{
	int64_t end = berth_time_mono_ns() + DEADLINE_MS * 1000000LL;

	while (!service->heard.times) {
		assert_true(berth_time_mono_ns() < end);
		assert_int_equal(
			berth_loop_turn(&service->loop, berth_prober_deadline(&service->prober)),
			0);
		berth_prober_expire(&service->prober, berth_time_mono_ns());
	}
}

static void outside_any_programs_answer_counts(void **state)
{
	static const char *const hosts[] = { "0.0.0.0", "127.0.0.1", "::1" };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(hosts); i++) {
		struct service service;
		int fd, client;
		char buf[16];

		service_init(&service);
		fd = listen_on((struct listen_spec){ .host = hosts[i], .v6only = true });
		start_outside(&service, &tcp);
		turn_with_timers(&service);
		assert_heard(&service, true, "connected");
		/* It goes as the others do: without a reset. */
		client = accept_one(fd);
		assert_int_equal(read_all(client, buf, sizeof(buf)), 0);
		close(client);
		turn_until_it_rests(&service);
		close(fd);
		service_deinit(&service);
	}
}

static void outside_a_connection_that_is_closed_at_once_is_none(void **state)
{
	struct service service;
	int fd;

	service_init(&service);
	fd = listen_on((struct listen_spec){ .host = "127.0.0.1" });
	start_outside(&service, &tcp);
	assert_int_equal(berth_loop_turn(&service.loop, berth_time_mono_ns() + 1000000000), 0);
	assert_int_equal(service.heard.times, 0);
	close(accept_one(fd));
	turn_with_timers(&service);
	assert_heard(&service, false, "closed at once");
	assert_null(service.prober.call);
	close(fd);
	service_deinit(&service);
}

static void outside_who_speaks_first_need_not_be_waited_for(void **state)
{
	struct service service;
	int fd, client;

	service_init(&service);
	fd = listen_on((struct listen_spec){ .host = "127.0.0.1" });
	start_outside(&service, &tcp);
	client = accept_one(fd);
	write_all(client, "220 hello\r\n");
	turn_until_heard(&service); /* no timer runs here */
	assert_heard(&service, true, "connected");
	close(client);
	close(fd);
	service_deinit(&service);
}

static void outside_nobody_in_either_family_is_a_failure(void **state)
{
	struct service service;

	service_init(&service);
	start_outside(&service, &tcp);
	turn_with_timers(&service);
	assert_heard(&service, false, "Connection refused");
	start_outside(&service, &http);
	turn_with_timers(&service);
	assert_heard(&service, false, "Connection refused");
	service_deinit(&service);
}

static void outside_http_is_asked_of_whoever_is_there(void **state)
{
	struct service service;
	char request[1024];
	int fd, client;

	service_init(&service);
	fd = listen_on((struct listen_spec){ .host = "::1", .v6only = true });
	start_outside(&service, &http);
	for (int i = 0; i < 3; i++) /* refused, connected, sent */
		assert_int_equal(berth_loop_turn(&service.loop, berth_time_mono_ns() + 1000000000),
				 0);
	client = accept_one(fd);
	assert_true(read_all(client, request, sizeof(request)) > 0);
	assert_non_null(strstr(request, "GET /health?a=b HTTP/1.1"));
	write_all(client, "HTTP/1.1 204 Yes\r\n\r\n");
	close(client);
	turn_with_timers(&service);
	assert_heard(&service, true, "HTTP 204");
	close(fd);
	service_deinit(&service);
}

#define IN_NETNS(test) cmocka_unit_test_setup(test, own_netns_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_NETNS(outside_any_programs_answer_counts),
		IN_NETNS(outside_a_connection_that_is_closed_at_once_is_none),
		IN_NETNS(outside_who_speaks_first_need_not_be_waited_for),
		IN_NETNS(outside_nobody_in_either_family_is_a_failure),
		IN_NETNS(outside_http_is_asked_of_whoever_is_there),
		IN_NETNS(tcp_is_a_connection_that_ends_without_a_reset),
		IN_NETNS(what_lingers_is_closed_at_the_deadline_without_a_word),
		IN_NETNS(http_is_a_status_from_200_to_399),
		IN_NETNS(the_request_is_plain_http),
		IN_NETNS(an_answer_without_end_is_not_read_for_ever),
		IN_NETNS(a_first_line_beyond_all_bounds_is_no_answer),
		IN_NETNS(silence_is_a_failure_at_the_deadline),
		IN_NETNS(a_full_queue_is_no_connection),
		IN_NETNS(nobody_listening_is_a_failure_told_later),
		IN_NETNS(another_programs_answer_never_counts),
		IN_NETNS(one_that_comes_between_the_looks_is_seen),
		IN_NETNS(several_sockets_of_its_own_are_no_strangers),
		IN_NETNS(a_listener_of_mptcp_is_its_own),
		IN_NETNS(no_other_machine_is_ever_asked),
		IN_NETNS(a_specific_address_is_asked_itself),
		IN_NETNS(of_several_workers_the_one_that_is_asked_answers),
		IN_NETNS(a_lead_ends_with_its_probe),
		IN_NETNS(what_another_worker_could_answer_is_not_asked),
		IN_NETNS(another_worker_that_comes_between_the_looks_makes_it_unclear),
		IN_NETNS(it_connects_where_the_service_listens),
		IN_NETNS(it_never_connects_where_only_another_worker_listens),
		IN_NETNS(a_cancelled_probe_says_nothing_and_leaves_nothing),
		IN_NETNS(the_callback_may_start_the_next_one),
		IN_NETNS(other_checks_are_no_affair_of_it),
	};

	return own_netns_run_group_tests(tests);
}
