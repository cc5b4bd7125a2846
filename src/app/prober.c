/* SPDX-License-Identifier: MIT */
/*
 * app/prober.c - carry out one probe, tcp, http or exec, in the supervisor's loop
 *
 * The supervisor answers the service's system calls: it must stay small and never wait. So this
 * asks for a status line over plain HTTP/1.1 and nothing more, which needs no HTTP library (one that
 * never blocks would weigh more than the supervisor). No TLS; redirects are success, not followed.
 *
 * Of several workers only the one that is asked shall answer. Those with a socket each are a group,
 * and the kernel would choose: so our end gets its number first, the lease leads that to the worker,
 * and the connection follows (berth_lease_lead()). If it can't be led, or others have come since the
 * first look, the outcome is unclear.
 *
 * And it never leaves this machine: our end is bound to the address that we connect to, which only
 * an own address allows. (A service can listen on a foreign one by IP_FREEBIND.)
 *
 * Outside, where another program binds the port, none of that can be asked: whoever answers on
 * loopback counts, and there need not be a socket at all (NAT). But docker-proxy accepts before
 * anybody listens in the container, and closes when it has found that out. So a connection has to
 * stand for a moment: STANDING, between CONNECTING and LINGERING.
 *
 * Order: CONNECTING -> SENDING -> ANSWERING -> LINGERING (http), CONNECTING -> LINGERING (tcp). The
 * result is told before LINGERING: closing at once, with bytes unread or still to come, would be a
 * reset for the service, an error in its log at each probe. What goes wrong at once is told by the
 * next turn of the loop too: a socket that is not connected is ready (EPOLLHUP).
 */
#include "app/prober.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/str.h"
#include "base/time.h"

enum {
	ANSWER_MAX = 4096, /* of it the status line is looked for in this */
	LINGER_MAX = 1 << 20, /* bytes of a body that are thrown away before we close after all */
	STAND_MS = 100, /* longer than a refusal from a container takes */
};

enum phase {
	CONNECTING,
	STANDING,
	SENDING,
	ANSWERING,
	LINGERING,
};

struct berth_prober_call {
	struct berth_prober *prober;
	struct berth_loop *loop;
	struct berth_loop_source source;
	int fd; /* owned */
	enum phase phase;
	void (*fn)(struct berth_prober *prober, enum berth_prober_outcome outcome, const char *why,
		   void *arg);
	void *arg;
	int64_t timeout_ms;
	int64_t give_up_ns; /* STANDING: when the whole of it is over */
	struct berth_addr target;
	bool outside; /* the port is bound by another program: it is its answer that counts */
	struct berth_lease *lease; /* borrowed; NULL: none */
	uint64_t led_to; /* inode; 0: it is not led */
	uint16_t source_port; /* led */
	char early[BERTH_PROBER_WHY_SIZE]; /* why it came to nothing before it began; "" else */
	char *request; /* owned; NULL: tcp */
	size_t request_len, sent;
	size_t lingered;
	size_t answer_len;
	char answer[ANSWER_MAX];
	size_t count;
	struct berth_prober_listener listeners[]; /* a copy */
};

/* The worker may be gone by now, and the lead with it. */
static void end_lead(struct berth_prober_call *call)
{
	struct berth_lease_owner *owner = NULL;

	if (call->led_to)
		owner = berth_lease_find_owner(call->lease, call->led_to);
	if (owner)
		berth_lease_unlead(call->lease, owner, call->source_port);
	call->led_to = 0;
}

static void free_call(struct berth_prober_call *call)
{
	end_lead(call);
	call->prober->call = NULL;
	berth_loop_remove(call->loop, &call->source);
	berth_fd_close(&call->fd);
	free(call->request);
	free(call);
}

void berth_prober_cancel(struct berth_prober *prober)
{
	berth_prober_exec_cancel(prober);
	if (prober->call)
		free_call(prober->call);
}

/* The end of it, whose owner may be gone when this returns. */
static void tell(struct berth_prober_call *call, enum berth_prober_outcome outcome, const char *why,
		 bool linger)
{
	void (*fn)(struct berth_prober * prober, enum berth_prober_outcome outcome, const char *why,
		   void *arg) = call->fn;
	struct berth_prober *prober = call->prober;
	void *arg = call->arg;

	end_lead(call);
	if (!linger || berth_loop_change(call->loop, &call->source, EPOLLIN) < 0)
		free_call(call);
	else
		call->phase = LINGERING;
	fn(prober, outcome, why, arg);
}

static void BERTH_PRINTF(2, 3) fail(struct berth_prober_call *call, const char *fmt, ...)
{
	char why[BERTH_PROBER_WHY_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	tell(call, BERTH_PROBER_FAILED, why, false);
}

/* Redirects count: somebody is there who knows where to send us (as Kubernetes has it). */
static bool is_success(unsigned int status)
{
	return status >= 200 && status < 400;
}

static enum berth_prober_outcome look(const struct berth_prober_call *call,
				      char why[BERTH_PROBER_WHY_SIZE], uint64_t *ret_own)
{
	*ret_own = 0;
	if (call->outside)
		return BERTH_PROBER_OK;
	return berth_prober_look(&call->target, call->listeners, call->count, why, ret_own);
}

static void on_event(struct berth_loop_source *source, uint32_t events);

/* Nobody at 127.0.0.1: at [::1]? False: it can't be asked, or was just that. */
static bool try_ipv6(struct berth_prober_call *call)
{
	struct berth_addr target = berth_addr_loopback(AF_INET6, berth_addr_port(&call->target));
	BERTH_AUTO_FD int fd = -1;

	if (!call->outside || call->target.sa.sa_family == AF_INET6)
		return false;
	fd = berth_sock_new(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || (connect(fd, &target.sa, target.len) < 0 && errno != EINPROGRESS))
		return false;
	berth_loop_remove(call->loop, &call->source);
	berth_fd_close(&call->fd);
	call->fd = berth_fd_steal(&fd);
	call->target = target;
	call->early[0] = '\0';
	return berth_loop_add(call->loop, &call->source, call->fd, EPOLLOUT, on_event) == 0;
}

/* Accepted, but by whom? Who has nobody behind him closes at once. */
static void stand(struct berth_prober_call *call)
{
	int64_t until = berth_time_mono_ns() + STAND_MS * BERTH_NS_PER_MS;
	int r = berth_loop_change(call->loop, &call->source, EPOLLIN);

	if (r < 0) {
		fail(call, "cannot wait for the connection: %s", strerror(-r));
		return;
	}
	call->phase = STANDING;
	call->give_up_ns = call->prober->deadline_ns;
	if (until < call->give_up_ns)
		call->prober->deadline_ns = until;
}

static void accept_tcp(struct berth_prober_call *call)
{
	if (call->outside)
		call->prober->deadline_ns = call->give_up_ns;
	shutdown(call->fd, SHUT_WR);
	tell(call, BERTH_PROBER_OK, "connected", true);
}

/* Something has come, before its time was over. */
static void look_at_standing(struct berth_prober_call *call)
{
	char byte;
	ssize_t n = recv(call->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) /* it speaks first */
		accept_tcp(call);
	else
		fail(call, "the connection is closed at once: nobody is behind it");
}

static void on_connected(struct berth_prober_call *call)
{
	enum berth_prober_outcome outcome;
	char why[BERTH_PROBER_WHY_SIZE];
	uint64_t own;
	int error;

	if (call->early[0]) {
		if (!try_ipv6(call))
			fail(call, "%s", call->early);
		return;
	}
	error = berth_sock_get(call->fd, SOL_SOCKET, SO_ERROR);
	if (error) {
		if (try_ipv6(call))
			return;
		fail(call, "cannot connect: %s", strerror(error < 0 ? -error : error));
		return;
	}
	outcome = look(call, why, &own);
	if (outcome == BERTH_PROBER_FAILED) {
		fail(call, "%s", why);
		return;
	}
	if (outcome == BERTH_PROBER_UNCLEAR && (!own || own != call->led_to)) {
		tell(call, BERTH_PROBER_UNCLEAR, "another worker may have answered", false);
		return;
	}
	if (call->request) {
		call->phase = SENDING; /* it is writable: the next turn sends */
		return;
	}
	if (call->outside)
		stand(call);
	else
		accept_tcp(call);
}

static void send_request(struct berth_prober_call *call)
{
	ssize_t n = send(call->fd, call->request + call->sent, call->request_len - call->sent,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		fail(call, "cannot ask: %s", strerror(errno));
		return;
	}
	call->sent += (size_t)n;
	if (call->sent < call->request_len)
		return;
	call->phase = ANSWERING;
	r = berth_loop_change(call->loop, &call->source, EPOLLIN);
	if (r < 0)
		fail(call, "cannot wait for the answer: %s", strerror(-r));
}

static void take_answer(struct berth_prober_call *call)
{
	unsigned int status = 0;
	char why[BERTH_PROBER_WHY_SIZE];
	ssize_t n;
	int r;

	n = recv(call->fd, call->answer + call->answer_len, ANSWER_MAX - call->answer_len,
		 MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		fail(call, "no answer: %s", strerror(errno));
		return;
	}
	if (n == 0) {
		fail(call, "it closes the connection without an answer");
		return;
	}
	call->answer_len += (size_t)n;
	r = berth_prober_parse_status(call->answer, call->answer_len, &status);
	if (r == -EAGAIN && call->answer_len < ANSWER_MAX)
		return;
	if (r < 0) {
		fail(call, "the answer is not HTTP");
		return;
	}
	snprintf(why, sizeof(why), "HTTP %u", status);
	tell(call, is_success(status) ? BERTH_PROBER_OK : BERTH_PROBER_FAILED, why, true);
}

static void throw_away(struct berth_prober_call *call)
{
	/* Of TCP: read, but copied nowhere (tcp(7)). */
	ssize_t n = recv(call->fd, NULL, LINGER_MAX, MSG_TRUNC | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		call->lingered += (size_t)n;
		if (call->lingered < LINGER_MAX)
			return;
	}
	free_call(call);
}

static void on_event(struct berth_loop_source *source, uint32_t events)
{
	struct berth_prober_call *call =
		berth_container_of(source, struct berth_prober_call, source);

	switch (call->phase) {
	case CONNECTING:
		on_connected(call);
		break;
	case STANDING:
		look_at_standing(call);
		break;
	case SENDING:
		send_request(call);
		break;
	case ANSWERING:
		take_answer(call);
		break;
	case LINGERING:
		throw_away(call);
		break;
	}
}

/* What reaches a socket that listens on @addr, if it is not the address itself. */
static struct berth_addr reach(const struct berth_addr *addr)
{
	struct berth_addr v4 = berth_addr_unmapped(addr);

	if (berth_addr_is_any(&v4))
		return berth_addr_loopback(v4.sa.sa_family, berth_addr_port(&v4));
	return v4;
}

bool berth_prober_target(const struct berth_prober_listener *listeners, size_t count,
			 struct berth_addr *ret_target)
{
	unsigned int best = 0;

	for (size_t i = 0; i < count; i++) {
		struct berth_addr addr = reach(&listeners[i].addr);
		struct berth_addr loopback =
			berth_addr_loopback(addr.sa.sa_family, berth_addr_port(&addr));
		unsigned int rank = listeners[i].other ? 0 : 1;

		if (rank && berth_addr_equal(&addr, &loopback))
			rank = addr.sa.sa_family == AF_INET ? 3 : 2;
		if (rank <= best)
			continue;
		best = rank;
		*ret_target = addr;
	}
	return best;
}

static int make_request(struct berth_prober_call *call, const char *path)
{
	int n = asprintf(&call->request,
			 "GET %s HTTP/1.1\r\n"
			 "Host: localhost:%u\r\n"
			 "User-Agent: berth/" BERTH_VERSION "\r\n"
			 "Accept: */*\r\n"
			 "Connection: close\r\n"
			 "\r\n",
			 path, berth_addr_port(&call->target));

	if (n < 0) {
		call->request = NULL;
		return -ENOMEM;
	}
	call->request_len = (size_t)n;
	return 0;
}

/* Clients with the number of our end go to the worker's socket @own from now on. */
static int lead(struct berth_prober_call *call, uint64_t own)
{
	struct berth_lease_owner *owner = NULL;
	struct berth_addr source;
	int r;

	if (own && call->lease)
		owner = berth_lease_find_owner(call->lease, own);
	if (!owner)
		return BERTH_PROBER_E_OTHERS;
	r = berth_sock_name(call->fd, &source);
	if (r < 0)
		return r;
	r = berth_lease_lead(call->lease, owner, berth_addr_port(&source));
	if (r < 0)
		return r == -ENOMEM ? r : BERTH_PROBER_E_OTHERS;
	call->led_to = own;
	call->source_port = berth_addr_port(&source);
	return 0;
}

/* Our end gets an address of this machine. 0, or as of connect_to_target(). */
static int bind_own_end(struct berth_prober_call *call, bool numbered)
{
	struct berth_addr own = call->target;
	char where[BERTH_ADDR_STRLEN];
	int r = 0;

	/*
	 * Where nobody needs to know the number, it is chosen by connect(): bind() would keep it
	 * from everybody else. On IPv6 it is the same option of the same level.
	 */
	if (!numbered)
		r = berth_sock_set(call->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	if (r < 0)
		return r;
	berth_addr_set_port(&own, 0);
	r = berth_sock_bind(call->fd, &own);
	if (r != -EADDRNOTAVAIL)
		return r;
	snprintf(call->early, sizeof(call->early), "%s is no address of this machine",
		 berth_addr_format_host(&own, where));
	return 0;
}

/*
 * 0: under way, or early says why it never will be; E_OTHERS; -errno: that is our affair, not the
 * service's.
 */
static int connect_to_target(struct berth_prober_call *call)
{
	const struct berth_addr *target = &call->target;
	enum berth_prober_outcome outcome;
	uint64_t own;
	int r;

	outcome = look(call, call->early, &own);
	if (outcome == BERTH_PROBER_FAILED)
		return 0;
	r = call->outside ? 0 : bind_own_end(call, outcome == BERTH_PROBER_UNCLEAR);
	if (r == 0 && !call->early[0] && outcome == BERTH_PROBER_UNCLEAR)
		r = lead(call, own);
	if (r || call->early[0])
		return r;
	if (connect(call->fd, &target->sa, target->len) == 0 || errno == EINPROGRESS)
		return 0;
	if (errno == EADDRNOTAVAIL || errno == EAGAIN) /* no number left for our end */
		return -errno;
	snprintf(call->early, sizeof(call->early), "cannot connect: %s", strerror(errno));
	return 0;
}

static int begin(struct berth_prober_call *call, const struct berth_prober_spec *spec)
{
	int family = AF_INET, r;
	bool known =
		call->outside || berth_prober_target(spec->listeners, spec->count, &call->target);

	if (call->outside)
		call->target = berth_addr_loopback(AF_INET, spec->outside);
	if (known)
		family = call->target.sa.sa_family;
	call->fd = berth_sock_new(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (call->fd < 0)
		return call->fd;
	if (!known) {
		berth_str_copy(call->early, sizeof(call->early), "it does not listen");
	} else {
		if (spec->check->kind == BERTH_CHECK_HTTP) {
			r = make_request(call, spec->check->arg);
			if (r < 0)
				return r;
		}
		r = connect_to_target(call);
		if (r)
			return r;
	}
	return berth_loop_add(call->loop, &call->source, call->fd, EPOLLOUT, on_event);
}

int berth_prober_start(struct berth_prober *prober, struct berth_loop *loop,
		       const struct berth_prober_spec *spec, int64_t now_ns,
		       void (*fn)(struct berth_prober *prober, enum berth_prober_outcome outcome,
				  const char *why, void *arg),
		       void *arg)
{
	struct berth_prober_call *call;
	int r;

	berth_prober_cancel(prober);
	if (spec->check->kind == BERTH_CHECK_EXEC)
		return berth_prober_exec_start(prober, loop, spec, now_ns, fn, arg);
	if (spec->check->kind != BERTH_CHECK_TCP && spec->check->kind != BERTH_CHECK_HTTP)
		return -EINVAL;
	call = calloc(1, sizeof(*call) + spec->count * sizeof(call->listeners[0]));
	if (!call)
		return -ENOMEM;
	call->prober = prober;
	call->loop = loop;
	call->fd = -1;
	call->fn = fn;
	call->arg = arg;
	call->timeout_ms = spec->timeout_ms;
	call->outside = spec->outside != 0;
	call->count = spec->count;
	call->lease = spec->lease;
	if (spec->count)
		memcpy(call->listeners, spec->listeners, spec->count * sizeof(call->listeners[0]));
	r = begin(call, spec);
	if (r) {
		free_call(call);
		return r;
	}
	prober->call = call;
	prober->deadline_ns = now_ns + spec->timeout_ms * BERTH_NS_PER_MS;
	return 0;
}

bool berth_prober_is_busy(const struct berth_prober *prober)
{
	return prober->exec || (prober->call && prober->call->phase != LINGERING);
}

int64_t berth_prober_deadline(const struct berth_prober *prober)
{
	return prober->call || prober->exec ? prober->deadline_ns : INT64_MAX;
}

void berth_prober_expire(struct berth_prober *prober, int64_t now_ns)
{
	struct berth_prober_call *call = prober->call;

	if (berth_prober_deadline(prober) > now_ns)
		return;
	if (prober->exec)
		berth_prober_exec_expire(prober);
	else if (!call)
		return;
	else if (call->phase == LINGERING)
		free_call(call);
	else if (call->phase == STANDING)
		accept_tcp(call);
	else
		fail(call, "no %s within %g s", call->phase == CONNECTING ? "connection" : "answer",
		     (double)call->timeout_ms / 1000);
}
