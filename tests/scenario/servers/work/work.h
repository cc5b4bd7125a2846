/* SPDX-License-Identifier: MIT */
/* servers/work/work.h - what the servers of work/README in C and C++ have in common */
#pragma once

#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	WORK_ANSWER_MAX = 512,
	WORK_SLOW_MS = 300
};

static inline long work_number(const char *name)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 10) : 0;
}

static inline long work_port(void)
{
	long port = work_number("PORT");

	return port ? port : 5000;
}

static inline void work_delay(void)
{
	usleep((useconds_t)work_number("START_DELAY_MS") * 1000);
}

/* BUSY: how many times as long; otherwise once. */
static inline void work_burn(void)
{
	long times = work_number("BUSY") ? work_number("BUSY") : 1;
	volatile uint32_t result;
	uint32_t value = 1;

	for (long i = 0; i < times * 1000000; i++)
		value = value * 1664525 + 1013904223;
	result = value;
	(void)result;
}

/* Is the request @text for @path? */
static inline int work_is(const char *text, const char *path)
{
	return strncmp(text, "GET ", 4) == 0 && strncmp(text + 4, path, strlen(path)) == 0;
}

/* The port that @fd came in on, which need not be the one that was asked for. */
static inline unsigned int work_local_port(int fd)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);

	return getsockname(fd, (struct sockaddr *)&addr, &len) < 0 ? 0 : ntohs(addr.sin_port);
}

/* The whole answer for the connection @fd; its length. */
static inline size_t work_answer(char answer[WORK_ANSWER_MAX], const char *server, int fd,
				 const char *say)
{
	char text[WORK_ANSWER_MAX / 2];
	int len = snprintf(text, sizeof(text),
			   "{\"server\":\"%s\",\"pid\":%d,\"worker\":%ld,\"instance\":%ld,"
			   "\"port\":%u,\"say\":\"%.64s\"}",
			   server, (int)getpid(), work_number("BERTH_WORKER"),
			   work_number("BERTH_INSTANCE"), work_local_port(fd), say);

	len = snprintf(answer, WORK_ANSWER_MAX,
		       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
		       "Content-Length: %d\r\n\r\n%s",
		       len, text);
	return (size_t)len;
}
