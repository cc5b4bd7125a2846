/* SPDX-License-Identifier: MIT */
/* servers/work/epoll.c - the server of work/README in C, one thread and epoll */
/* BACKLOG: what it gives to listen(), otherwise 128. */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>

#include "work.h"

enum {
	CLIENTS_MAX = 1024
};

struct client {
	int fd; /* -1: free */
	size_t len;
	int64_t due_ms; /* 0: nothing is to be sent yet */
	char request[1024];
};

struct server {
	int epoll_fd, listener; /* @listener -1: closed */
	const char *say;
	size_t living;
	struct client client[CLIENTS_MAX];
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int listen_on(long port)
{
	const struct sockaddr_in addr = { .sin_family = AF_INET,
					  .sin_port = htons((uint16_t)port) };
	long backlog = work_number("BACKLOG");
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, backlog ? (int)backlog : 128) < 0)
		err(1, "cannot listen on port %ld", port);
	return fd;
}

static void watch(struct server *server, int fd, void *what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };

	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		err(1, "cannot watch");
}

static void accept_client(struct server *server)
{
	struct client *client = server->client;
	int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	while (client < server->client + CLIENTS_MAX && client->fd >= 0)
		client++;
	if (client == server->client + CLIENTS_MAX) {
		close(fd);
		return;
	}
	*client = (struct client){ .fd = fd };
	server->living++;
	watch(server, fd, client);
}

static void drop(struct server *server, struct client *client)
{
	close(client->fd);
	client->fd = -1;
	server->living--;
}

static void answer(struct server *server, struct client *client)
{
	char text[WORK_ANSWER_MAX];
	size_t len = work_answer(text, "epoll", client->fd, server->say);

	if (send(client->fd, text, len, MSG_NOSIGNAL) < 0)
		warn("cannot answer");
	drop(server, client);
}

static void read_request(struct server *server, struct client *client)
{
	ssize_t n = recv(client->fd, client->request + client->len,
			 sizeof(client->request) - 1 - client->len, 0);

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			drop(server, client);
		return;
	}
	client->len += (size_t)n;
	client->request[client->len] = 0;
	if (!strstr(client->request, "\r\n\r\n"))
		return;
	if (work_is(client->request, "/slow ")) {
		client->due_ms = now_ms() + WORK_SLOW_MS;
		return;
	}
	if (work_is(client->request, "/busy "))
		work_burn();
	answer(server, client);
}

/* Answers what is due; how long to wait for the next, -1 for nothing. */
static int answer_due(struct server *server)
{
	int64_t now = now_ms(), next = -1;

	for (size_t i = 0; server->living && i < CLIENTS_MAX; i++) {
		struct client *client = &server->client[i];

		if (client->fd < 0 || !client->due_ms)
			continue;
		if (client->due_ms <= now)
			answer(server, client);
		else if (next < 0 || client->due_ms - now < next)
			next = client->due_ms - now;
	}
	return (int)next;
}

int main(int argc, char **argv)
{
	static struct server server;
	struct epoll_event events[64];
	sigset_t set;

	work_delay();
	server.say = argc > 1 ? argv[1] : "";
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		server.client[i].fd = -1;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	server.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	server.listener = listen_on(work_port());
	watch(&server, server.listener, &server.listener);
	watch(&server, signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), NULL);

	while (server.listener >= 0 || server.living) {
		int n = epoll_wait(server.epoll_fd, events, 64, answer_due(&server));

		for (int i = 0; i < n; i++) {
			void *what = events[i].data.ptr;

			if (what == &server.listener)
				accept_client(&server);
			else if (what)
				read_request(&server, what);
			else if (server.listener >= 0) {
				close(server.listener);
				server.listener = -1;
			}
		}
	}
	return 0;
}
