/* SPDX-License-Identifier: MIT */
/* servers/work/threads.c - the server of work/README in C, a blocking accept() and a thread for each connection */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "work.h"

static atomic_int living;
static const char *say = "";
static volatile sig_atomic_t told;

/* Told just before accept() begins, it would wait for a connection: so told again, each second. */
static void be_told(int signum)
{
	(void)signum;
	told = 1;
	alarm(1);
}

static void *serve(void *argument)
{
	char request[1024] = "", answer[WORK_ANSWER_MAX];
	int fd = (int)(intptr_t)argument;
	size_t len = 0;
	ssize_t n;

	while (!strstr(request, "\r\n\r\n") && len < sizeof(request) - 1) {
		n = recv(fd, request + len, sizeof(request) - 1 - len, 0);
		if (n <= 0)
			goto out;
		len += (size_t)n;
		request[len] = 0;
	}
	if (work_is(request, "/busy "))
		work_burn();
	if (work_is(request, "/slow "))
		usleep(WORK_SLOW_MS * 1000);
	len = work_answer(answer, "threads-c", fd, say);
	if (send(fd, answer, len, MSG_NOSIGNAL) < 0)
		warn("cannot answer");
out:
	close(fd);
	atomic_fetch_sub(&living, 1);
	return NULL;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = be_told }; /* no SA_RESTART */
	struct sockaddr_in addr = { .sin_family = AF_INET };
	pthread_attr_t detached;
	const int on = 1;
	pthread_t thread;
	sigset_t set;
	int listener;

	work_delay();
	say = argc > 1 ? argv[1] : "";
	addr.sin_port = htons((uint16_t)work_port());
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(listener, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(listener, 128) < 0)
		err(1, "cannot listen");
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&detached, 64 << 10);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGALRM);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGALRM, &action, NULL);

	while (!told) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		atomic_fetch_add(&living, 1);
		pthread_sigmask(SIG_BLOCK, &set, NULL);
		if (pthread_create(&thread, &detached, serve, (void *)(intptr_t)fd))
			errx(1, "cannot start a thread");
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	}
	close(listener);
	while (atomic_load(&living))
		usleep(1000);
	return 0;
}
