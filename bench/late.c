/* SPDX-License-Identifier: MIT */
/* bench/late.c - a server that knows its port long before it listens there */
/*
 * usage: late SOCKET MILLISECONDS
 *
 * Takes the number in PORT, listens there MILLISECONDS later, and says to whoever listens on the
 * unix socket SOCKET: "PID PORT", or "PID failed: ...". Then it tells its pid to each client, until
 * SOCKET's other end is closed.
 */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gathering.h"

static int listen_on(unsigned long port)
{
	const struct sockaddr_in addr = { .sin_family = AF_INET,
					  .sin_port = htons((uint16_t)port) };
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 16) < 0)
		return -1;
	return fd;
}

static void serve(int listener, int report)
{
	struct pollfd fds[] = { { .fd = listener, .events = POLLIN },
				{ .fd = report, .events = POLLIN } };

	while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
		int client = accept(listener, NULL, NULL);

		if (client < 0)
			continue;
		dprintf(client, "%d\n", getpid());
		close(client);
	}
}

int main(int argc, char **argv)
{
	const char *text = getenv("PORT");
	unsigned long port = text ? strtoul(text, NULL, 10) : 0;
	long ms = argc == 3 ? strtol(argv[2], NULL, 10) : -1;
	const struct timespec wait = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	int listener, report;

	if (ms < 0 || port == 0 || port > UINT16_MAX)
		errx(2, "usage: PORT=NUMBER late SOCKET MILLISECONDS");
	nanosleep(&wait, NULL);
	listener = listen_on(port);
	if (listener < 0) {
		const char *why = strerrorname_np(errno);

		dprintf(gathering_connect(argv[1]), "%d failed: %s\n", getpid(), why);
		return 1;
	}
	report = gathering_connect(argv[1]);
	dprintf(report, "%d %lu\n", getpid(), port);
	serve(listener, report);
	return 0;
}
