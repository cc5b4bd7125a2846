/* SPDX-License-Identifier: MIT */
/* helpers/load.c - HTTP/1.1 clients that count exactly what became of each request */
/*
 * Usage: load [OPTION...] [ADDRESS:]PORT
 *
 *	--clients N      so many at a time (default 16)
 *	--seconds S      for so long; without it, until standard input says a line or ends, or SIGTERM, SIGINT
 *	--once N         N clients, all at the same moment, a single request each
 *	--keepalive      a client keeps its connection for its next request
 *	--path PATH      what is asked for (default /)
 *	--expect TEXT    what an answer must contain
 *	--timeout S      what has not been answered by then hangs (default 5)
 *	--pause MS       between two requests of a client (default 0; at least 5 after a failure, so that nothing spins)
 *
 * Says one line of JSON at its end. The line "report" on standard input is answered with the figures so far, any other
 * ends it: no new request then, and those under way are waited for. A request falls in one class:
 *
 *	ok        a whole answer with status 200 that has the expected text
 *	wrong     a whole answer without; the first one goes to standard error
 *	refused   connect() said ECONNREFUSED
 *	reset     the connection ended before the whole answer
 *	hung      neither within the timeout
 *	other     connect() said something else; the last reason is "other_error"
 *
 * "latency_ms" is from connect() (or, on a connection that is used again, from the request) to the last byte of an ok
 * answer, told by a histogram with steps of 1.6 %; "longest" is exact. "by_pid" is how many ok answers said that they
 * were of that "pid".
 *
 * Without --keepalive a client waits until the server closes: TIME_WAIT is then the server's, and ephemeral ports do not
 * run out. What hangs is closed with a reset for the same reason.
 */
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/param.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "histogram.h"

#define MS 1000000LL
#define NEVER INT64_MAX

enum {
	CLIENTS_MAX = 1000,
	ANSWER_MAX = 8192,
	REQUEST_MAX = 512,
	PIDS_MAX = 1024,
	EVENTS_MAX = 128,
	FAILURE_PAUSE_MS = 5,
	CLOSE_WAIT_MS = 1000,
};

enum class {
	OK,
	REFUSED,
	RESET,
	HUNG,
	WRONG,
	OTHER,
	CLASSES
};

static const char *const class_names[CLASSES] = {
	"ok", "refused", "reset", "hung", "wrong", "other"
};

enum client_state {
	PAUSING, /* until @deadline; with --keepalive perhaps with a connection */
	CONNECTING,
	READING, /* the request is sent */
	CLOSING, /* all is read, the server's close is not */
	DONE /* --once, or we were told to end */
};

struct client {
	enum client_state state;
	int fd; /* -1: none */
	int64_t began;
	int64_t deadline;
	size_t len;
	char answer[ANSWER_MAX + 1];
};

struct load {
	struct sockaddr_storage address;
	socklen_t address_len;
	long clients, seconds, timeout, pause;
	bool once, keepalive;
	const char *path, *expect;
	char request[REQUEST_MAX];
	size_t request_len;

	int epoll_fd, signal_fd;
	bool ending;
	int64_t began, ended; /* @ended 0: not yet */

	struct client client[CLIENTS_MAX];
	uint64_t counts[CLASSES];
	struct histogram waits; /* of what is ok */
	int other_error;
	long pids[PIDS_MAX];
	uint64_t pid_answers[PIDS_MAX];
	size_t pid_count;
};

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(99);
}

static void usage(const char *what)
{
	fprintf(stderr, "load: %s\n", what);
	exit(98);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * MS + ts.tv_nsec;
}

/* --- figures --- */

static void report(const struct load *load)
{
	int64_t end = load->ended ? load->ended : now_ns();
	double seconds = (double)(end - load->began) / (1000 * MS);

	printf("{");
	for (size_t i = 0; i < CLASSES; i++)
		printf("\"%s\":%lu,", class_names[i], load->counts[i]);
	if (load->other_error)
		printf("\"other_error\":\"%s\",", strerrorname_np(load->other_error));
	else
		printf("\"other_error\":null,");
	printf("\"seconds\":%.3f,\"per_second\":%.1f,", seconds,
	       seconds > 0 ? (double)load->counts[OK] / seconds : 0);
	if (load->counts[OK])
		printf("\"latency_ms\":{\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"longest\":%.3f},",
		       histogram_ms(&load->waits, 0.5), histogram_ms(&load->waits, 0.9),
		       histogram_ms(&load->waits, 0.99), histogram_ms(&load->waits, 1));
	else
		printf("\"latency_ms\":null,");
	printf("\"by_pid\":{");
	for (size_t i = 0; i < load->pid_count; i++)
		printf("%s\"%ld\":%lu", i ? "," : "", load->pids[i], load->pid_answers[i]);
	printf("}}\n");
	fflush(stdout);
}

static void count_pid(struct load *load, const char *answer)
{
	const char *found = strstr(answer, "\"pid\":");
	long pid = found ? strtol(found + strlen("\"pid\":"), NULL, 10) : 0;
	size_t i;

	if (pid <= 0)
		return;
	for (i = 0; i < load->pid_count && load->pids[i] != pid; i++)
		;
	if (i == PIDS_MAX)
		return;
	if (i == load->pid_count)
		load->pids[load->pid_count++] = pid;
	load->pid_answers[i]++;
}

/* --- a client --- */

static void disconnect(struct client *client, bool reset)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (client->fd < 0)
		return;
	if (reset)
		setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(client->fd);
	client->fd = -1;
}

static void rest(struct load *load, struct client *client, long ms)
{
	client->state = load->once || load->ending ? DONE : PAUSING;
	client->deadline = now_ns() + ms * MS;
	if (client->state == DONE)
		disconnect(client, false);
}

/* What became of the request that has no answer. */
static void fail(struct load *load, struct client *client, enum class class, int error)
{
	load->counts[class]++;
	if (class == OTHER)
		load->other_error = error;
	disconnect(client, class == HUNG);
	rest(load, client, MAX(load->pause, (long)FAILURE_PAUSE_MS));
}

static void fail_connect(struct load *load, struct client *client, int error)
{
	if (error == ECONNREFUSED)
		fail(load, client, REFUSED, error);
	else if (error == ECONNRESET)
		fail(load, client, RESET, error);
	else
		fail(load, client, OTHER, error);
}

static void watch(struct load *load, struct client *client, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = client };

	if (epoll_ctl(load->epoll_fd, operation, client->fd, &event) < 0)
		die("cannot watch a connection");
}

/* It fits the empty send buffer of a connection: a short write is a failure as any other. */
static void send_request(struct load *load, struct client *client)
{
	ssize_t n = send(client->fd, load->request, load->request_len, MSG_NOSIGNAL);

	client->state = READING;
	client->len = 0;
	if (n != (ssize_t)load->request_len)
		fail(load, client, RESET, errno);
}

static void begin(struct load *load, struct client *client)
{
	const int on = 1;

	client->began = now_ns();
	client->deadline = client->began + load->timeout * 1000 * MS;
	if (client->fd >= 0) {
		send_request(load, client);
		return;
	}

	client->fd = socket(load->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client->fd < 0)
		die("cannot make a socket");
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	client->state = CONNECTING;
	if (connect(client->fd, (const struct sockaddr *)&load->address, load->address_len) < 0 &&
	    errno != EINPROGRESS) {
		fail_connect(load, client, errno);
		return;
	}
	watch(load, client, EPOLL_CTL_ADD, EPOLLOUT);
}

static void finish_connect(struct load *load, struct client *client)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error) {
		fail_connect(load, client, error);
		return;
	}
	watch(load, client, EPOLL_CTL_MOD, EPOLLIN);
	send_request(load, client);
}

/* The value of header @name within the @head_len bytes of the head, or NULL. */
static const char *header(const char *answer, size_t head_len, const char *name)
{
	const char *end = answer + head_len, *line = answer;
	size_t len = strlen(name);

	while ((line = strstr(line, "\r\n")) && line + 2 < end) {
		line += 2;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " ");
	}
	return NULL;
}

/* Is the answer whole, without the connection's end? @ret_closes: the server will close. */
static bool is_whole(const struct client *client, bool *ret_closes)
{
	const char *blank = strstr(client->answer, "\r\n\r\n"), *value;
	size_t head_len;

	if (!blank)
		return false;
	head_len = (size_t)(blank - client->answer) + 4;
	value = header(client->answer, head_len, "Connection");
	*ret_closes = value && strncasecmp(value, "close", 5) == 0;
	value = header(client->answer, head_len, "Content-Length");
	return value && client->len >= head_len + strtoul(value, NULL, 10);
}

static void count_answer(struct load *load, struct client *client)
{
	bool is_good = strncmp(client->answer, "HTTP/1.1 200", 12) == 0 ||
		       strncmp(client->answer, "HTTP/1.0 200", 12) == 0;

	if (is_good && (!load->expect || strstr(client->answer, load->expect))) {
		load->counts[OK]++;
		histogram_add(&load->waits, now_ns() - client->began);
		count_pid(load, client->answer);
	} else if (load->counts[WRONG]++ == 0) {
		fprintf(stderr, "load: a wrong answer: %s\n", client->answer);
	}
}

static void finish_answer(struct load *load, struct client *client, bool closes)
{
	count_answer(load, client);
	if (load->keepalive && !closes) {
		rest(load, client, load->pause);
		return;
	}
	client->state = CLOSING;
	client->deadline = now_ns() + CLOSE_WAIT_MS * MS;
}

static void end_connection(struct load *load, struct client *client)
{
	disconnect(client, false);
	rest(load, client, load->pause);
}

static void read_answer(struct load *load, struct client *client)
{
	bool closes = false;
	ssize_t n;

	n = recv(client->fd, client->answer + client->len, ANSWER_MAX - client->len, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0) {
		client->len += (size_t)n;
		client->answer[client->len] = 0;
		if (is_whole(client, &closes))
			finish_answer(load, client, closes);
		else if (client->len == ANSWER_MAX)
			die("an answer is longer than 8 KiB");
		return;
	}
	/* without a length, the end of the connection is that of the answer */
	if (n == 0 && client->len && strstr(client->answer, "\r\n\r\n") &&
	    !header(client->answer, client->len, "Content-Length")) {
		count_answer(load, client);
		end_connection(load, client);
		return;
	}
	fail(load, client, RESET, errno);
}

static void on_event(struct load *load, struct client *client)
{
	char rest_of_it[256];
	ssize_t n;

	switch (client->state) {
	case CONNECTING:
		finish_connect(load, client);
		break;
	case READING:
		read_answer(load, client);
		break;
	case CLOSING:
		n = recv(client->fd, rest_of_it, sizeof(rest_of_it), 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			end_connection(load, client);
		break;
	case PAUSING: /* the server has closed between two requests: no failure */
		disconnect(client, false);
		break;
	case DONE:
		break;
	}
}

static void on_time(struct load *load, struct client *client)
{
	switch (client->state) {
	case PAUSING:
		if (load->ending)
			rest(load, client, 0);
		else
			begin(load, client);
		break;
	case CONNECTING:
	case READING:
		fail(load, client, HUNG, ETIMEDOUT);
		break;
	case CLOSING:
		disconnect(client, true);
		rest(load, client, load->pause);
		break;
	case DONE:
		break;
	}
}

/* --- all of them --- */

static void end(struct load *load)
{
	if (load->ending)
		return;
	load->ending = true;
	load->ended = now_ns();
	for (long i = 0; i < load->clients; i++)
		if (load->client[i].state == PAUSING)
			rest(load, &load->client[i], 0);
	epoll_ctl(load->epoll_fd, EPOLL_CTL_DEL, load->signal_fd, NULL);
	epoll_ctl(load->epoll_fd, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
}

/* Who drives us writes a line and waits for ours: one read, one line. */
static void read_command(struct load *load)
{
	char line[64];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line));

	if (n == (ssize_t)strlen("report\n") && memcmp(line, "report\n", (size_t)n) == 0)
		report(load);
	else
		end(load);
}

/* When the next client, or the end, is due; NEVER once all are done. */
static int64_t next_deadline(const struct load *load)
{
	int64_t next = NEVER;

	for (long i = 0; i < load->clients; i++)
		if (load->client[i].state != DONE)
			next = MIN(next, load->client[i].deadline);
	if (next != NEVER && load->seconds && !load->ending)
		next = MIN(next, load->began + load->seconds * 1000 * MS);
	return next;
}

static void run(struct load *load)
{
	struct epoll_event events[EVENTS_MAX];
	int64_t next, now;

	load->began = now_ns();
	for (long i = 0; i < load->clients; i++)
		begin(load, &load->client[i]);
	while ((next = next_deadline(load)) != NEVER) {
		int64_t wait = next - now_ns();
		int n = epoll_wait(load->epoll_fd, events, EVENTS_MAX,
				   wait <= 0 ? 0 : (int)((wait + MS - 1) / MS));

		if (n < 0 && errno != EINTR)
			die("cannot wait");
		for (int i = 0; i < n; i++) {
			if (!events[i].data.ptr)
				read_command(load);
			else if (events[i].data.ptr == &load->signal_fd)
				end(load);
			else
				on_event(load, events[i].data.ptr);
		}
		now = now_ns();
		if (load->seconds && !load->ending &&
		    now >= load->began + load->seconds * 1000 * MS)
			end(load);
		for (long i = 0; i < load->clients; i++)
			if (load->client[i].state != DONE && now >= load->client[i].deadline)
				on_time(load, &load->client[i]);
	}
	if (!load->ended)
		load->ended = now_ns();
}

/* --- what is asked --- */

static long number(const char *text, long min, long max)
{
	char *rest_of_it;
	long value = strtol(text, &rest_of_it, 10);

	if (*rest_of_it || rest_of_it == text || value < min || value > max)
		usage("a number is out of its range");
	return value;
}

static void parse_address(struct load *load, const char *text)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
					.ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN] = "127.0.0.1";
	struct addrinfo *info;

	if (colon && *text == '[' && colon[-1] == ']')
		snprintf(host, sizeof(host), "%.*s", (int)(colon - text - 2), text + 1);
	else if (colon)
		snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	if (getaddrinfo(host, colon ? colon + 1 : text, &hints, &info) != 0)
		usage("no such address: [ADDRESS:]PORT");
	memcpy(&load->address, info->ai_addr, info->ai_addrlen);
	load->address_len = info->ai_addrlen;
	freeaddrinfo(info);
}

static void parse(struct load *load, int argc, char **argv)
{
	static const struct option options[] = {
		{ "clients", required_argument, NULL, 'c' },
		{ "seconds", required_argument, NULL, 's' },
		{ "once", required_argument, NULL, 'o' },
		{ "keepalive", no_argument, NULL, 'k' },
		{ "path", required_argument, NULL, 'p' },
		{ "expect", required_argument, NULL, 'e' },
		{ "timeout", required_argument, NULL, 't' },
		{ "pause", required_argument, NULL, 'w' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'c' || c == 'o')
			load->clients = number(optarg, 1, CLIENTS_MAX);
		if (c == 'o')
			load->once = true;
		else if (c == 's')
			load->seconds = number(optarg, 1, 3600);
		else if (c == 'k')
			load->keepalive = true;
		else if (c == 'p')
			load->path = optarg;
		else if (c == 'e')
			load->expect = optarg;
		else if (c == 't')
			load->timeout = number(optarg, 1, 3600);
		else if (c == 'w')
			load->pause = number(optarg, 0, 60000);
		else if (c == '?')
			usage("unknown option");
	}
	if (optind + 1 != argc)
		usage("usage: load [OPTION...] [ADDRESS:]PORT");
	parse_address(load, argv[optind]);
}

static void prepare(struct load *load)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &load->signal_fd };
	sigset_t set;
	int n;

	n = snprintf(load->request, REQUEST_MAX,
		     "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: %s\r\n\r\n", load->path,
		     load->keepalive ? "keep-alive" : "close");
	if (n >= REQUEST_MAX)
		usage("the path is too long");
	load->request_len = (size_t)n;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	load->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (load->signal_fd < 0 || load->epoll_fd < 0 ||
	    epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, load->signal_fd, &event) < 0)
		die("cannot prepare");
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		load->client[i].fd = -1;
	if (load->seconds || load->once)
		return;
	event.data.ptr = NULL;
	if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
		usage("neither --seconds nor --once, and standard input is no pipe or terminal");
}

int main(int argc, char **argv)
{
	static struct load load = { .clients = 16, .timeout = 5, .path = "/" };

	parse(&load, argc, argv);
	prepare(&load);
	run(&load);
	report(&load);
	return 0;
}
