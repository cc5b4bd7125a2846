/* SPDX-License-Identifier: MIT */
/* helpers/thief.c - a stranger that wants one port and never stops trying */
/*
 * Usage: thief MODE [SINK]
 *
 * Commands on standard input: "attack PORT" (answer, after the first try: "attacking") and "pause" (answer: what it got since, as JSON, once it holds
 * nothing any more). SIGTERM ends it with the same JSON for its whole life. Between "attack" and "pause" one thread takes PORT,
 * listens, serves whoever comes, lets go and starts again, with no pause:
 *
 *	v4 v6 dual            a plain bind() to 0.0.0.0, to [::] alone, to both at once
 *	reuseaddr reuseaddr6  with SO_REUSEADDR
 *	reuseport             with SO_REUSEPORT
 *	bind0                 bind() to port 0, hoping that the kernel gives PORT
 *	connect               connect() to SINK on 127.0.0.1, hoping that the kernel uses PORT for it
 *
 * In the last two modes "binds" counts how often the kernel did.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct mode {
	const char *name;
	int family;
	bool v6only, reuseaddr, reuseport, bind0, connect;
};

static const struct mode modes[] = {
	{ .name = "v4", .family = AF_INET },
	{ .name = "v6", .family = AF_INET6, .v6only = true },
	{ .name = "dual", .family = AF_INET6 },
	{ .name = "reuseaddr", .family = AF_INET, .reuseaddr = true },
	{ .name = "reuseaddr6", .family = AF_INET6, .reuseaddr = true },
	{ .name = "reuseport", .family = AF_INET, .reuseport = true },
	{ .name = "bind0", .family = AF_INET, .bind0 = true },
	{ .name = "connect", .family = AF_INET, .connect = true },
};

struct counts {
	atomic_ulong tries, binds, listens, accepted;
};

struct thief {
	const struct mode *mode;
	uint16_t sink;
	struct counts now, total;
	atomic_uint port; /* 0: paused */
	atomic_bool idle;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

static uint16_t port_of(int fd)
{
	struct sockaddr_in address = { 0 };
	socklen_t len = sizeof(address);

	(void)getsockname(fd, (struct sockaddr *)&address, &len);
	return ntohs(address.sin_port);
}

static socklen_t address_for(const struct mode *mode, uint16_t port,
			     struct sockaddr_storage *ret_address)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->ss_family = (sa_family_t)mode->family;
	if (mode->family == AF_INET6) {
		v6->sin6_port = htons(port);
		return sizeof(*v6);
	}
	v4->sin_port = htons(port);
	if (mode->connect)
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sizeof(*v4);
}

/* Serve those who come at once, with words that no victim says. */
static void serve(struct thief *thief, int fd)
{
	struct pollfd waiting = { .fd = fd, .events = POLLIN };

	while (poll(&waiting, 1, 0) > 0) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client < 0)
			return;
		thief->now.accepted++;
		(void)send(client, "HTTP/1.0 200 OK\r\n\r\n{\"server\":\"thief\"}\n", 39,
			   MSG_NOSIGNAL);
		close(client);
	}
}

static void attempt(struct thief *thief, uint16_t port)
{
	const struct mode *mode = thief->mode;
	struct sockaddr_storage address;
	socklen_t len;
	int fd = socket(mode->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return;
	thief->now.tries++;
	if (mode->family == AF_INET6) {
		int only = mode->v6only;

		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	}
	if (mode->reuseaddr)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (mode->reuseport)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	len = address_for(mode, mode->connect ? thief->sink : mode->bind0 ? 0 : port, &address);
	if (mode->connect) {
		struct linger reset = { .l_onoff = 1 };

		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		(void)connect(fd, (struct sockaddr *)&address,
			      len); /* its number is chosen at once */
		if (port_of(fd) == port)
			thief->now.binds++;
	} else if (bind(fd, (struct sockaddr *)&address, len) == 0) {
		if (!mode->bind0 || port_of(fd) == port)
			thief->now.binds++;
		if (!mode->bind0 && listen(fd, 64) == 0) {
			thief->now.listens++;
			serve(thief, fd);
		}
	}
	close(fd);
}

static void *attack(void *arg)
{
	struct thief *thief = arg;

	for (;;) {
		unsigned int port = atomic_load(&thief->port);

		if (port != 0) {
			attempt(thief, (uint16_t)port);
			continue;
		}
		pthread_mutex_lock(&thief->lock);
		atomic_store(&thief->idle, true);
		pthread_cond_broadcast(&thief->changed);
		while (atomic_load(&thief->port) == 0)
			pthread_cond_wait(&thief->changed, &thief->lock);
		atomic_store(&thief->idle, false);
		pthread_mutex_unlock(&thief->lock);
	}
	return NULL;
}

static void set_port(struct thief *thief, unsigned int port)
{
	pthread_mutex_lock(&thief->lock);
	atomic_store(&thief->port, port);
	pthread_cond_broadcast(&thief->changed);
	while (port == 0 && !atomic_load(&thief->idle))
		pthread_cond_wait(&thief->changed, &thief->lock);
	pthread_mutex_unlock(&thief->lock);
}

static void report(const struct thief *thief, const struct counts *counts)
{
	dprintf(STDOUT_FILENO,
		"{\"mode\":\"%s\",\"tries\":%lu,\"binds\":%lu,\"listens\":%lu,\"accepted\":%lu}\n",
		thief->mode->name, counts->tries, counts->binds, counts->listens, counts->accepted);
}

static void settle(struct thief *thief)
{
	thief->total.tries += atomic_exchange(&thief->now.tries, 0);
	thief->total.binds += atomic_exchange(&thief->now.binds, 0);
	thief->total.listens += atomic_exchange(&thief->now.listens, 0);
	thief->total.accepted += atomic_exchange(&thief->now.accepted, 0);
}

static void command(struct thief *thief, const char *line)
{
	unsigned int port;

	if (sscanf(line, "attack %u", &port) == 1 && port > 0 && port <= UINT16_MAX) {
		set_port(thief, port);
		while (atomic_load(&thief->now.tries) == 0)
			(void)sched_yield();
		dprintf(STDOUT_FILENO, "attacking\n");
	} else if (strncmp(line, "pause", 5) == 0) {
		set_port(thief, 0);
		report(thief, &thief->now);
		settle(thief);
	} else {
		dprintf(STDOUT_FILENO, "what?\n");
	}
}

static const struct mode *mode_find(const char *name)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct thief thief = { .lock = PTHREAD_MUTEX_INITIALIZER,
			       .changed = PTHREAD_COND_INITIALIZER };
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };
	char line[256];
	pthread_t thread;
	sigset_t term;

	thief.mode = argc > 1 ? mode_find(argv[1]) : NULL;
	if (!thief.mode) {
		dprintf(STDERR_FILENO, "usage: thief MODE [SINK]\n");
		return 2;
	}
	thief.sink = argc > 2 ? (uint16_t)atoi(argv[2]) : 0;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &term, NULL);
	fds[1].fd = signalfd(-1, &term, SFD_CLOEXEC);
	if (pthread_create(&thread, NULL, attack, &thief) != 0)
		return 1;
	while (poll(fds, 2, -1) >= 0 && !fds[1].revents) {
		ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);

		if (n <= 0)
			break;
		line[n] = '\0';
		command(&thief, line);
	}
	set_port(&thief, 0);
	settle(&thief);
	report(&thief, &thief.total);
	return 0;
}
