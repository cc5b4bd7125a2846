/* SPDX-License-Identifier: MIT */
/* bench/crowd.c - many processes with many sockets, for what looks through them */
/*
 * Usage: crowd BASE PROCESSES LISTENERS CONNECTIONS UDP
 *
 * Makes PROCESSES processes. All together have LISTENERS listeners on 127.0.0.1, at BASE and the
 * numbers after it; each has CONNECTIONS connections to a listener of its own, both ends of them,
 * and UDP sockets. Says "ready" when all of them are there, and stays until it is killed.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_socket(int type, unsigned int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, type, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "cannot bind %u", port);
	return fd;
}

static int open_listener(unsigned int port)
{
	int fd = open_socket(SOCK_STREAM, port);

	if (listen(fd, 128) < 0)
		err(1, "cannot listen on %u", port);
	return fd;
}

static void connect_to(int listener, unsigned int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    accept(listener, NULL, NULL) < 0)
		err(1, "cannot connect to %u", port);
}

/* One of the processes: its share of the listeners, and all that is its own. */
static void take_part(unsigned int first, unsigned int last, unsigned int connections,
		      unsigned int udp)
{
	int listener = -1;

	for (unsigned int port = first; port < last; port++)
		listener = open_listener(port);
	for (unsigned int i = 0; i < connections && listener >= 0; i++)
		connect_to(listener, last - 1);
	for (unsigned int i = 0; i < udp; i++)
		open_socket(SOCK_DGRAM, 0);
}

static unsigned int number(const char *text)
{
	return (unsigned int)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
	unsigned int base, processes, listeners, connections, udp;
	int done[2];
	char byte;

	if (argc != 6)
		errx(2, "usage: crowd BASE PROCESSES LISTENERS CONNECTIONS UDP");
	base = number(argv[1]);
	processes = number(argv[2]);
	listeners = number(argv[3]);
	connections = number(argv[4]);
	udp = number(argv[5]);
	if (pipe(done) < 0)
		err(1, "cannot make a pipe");
	for (unsigned int i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "cannot fork");
		if (pid)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(done[0]);
		take_part(base + listeners * i / processes, base + listeners * (i + 1) / processes,
			  connections, udp);
		if (write(done[1], "", 1) != 1)
			err(1, "cannot tell");
		close(done[1]);
		for (;;)
			pause();
	}
	close(done[1]);
	for (unsigned int i = 0; i < processes; i++)
		if (read(done[0], &byte, 1) != 1)
			errx(1, "a process has failed");
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
