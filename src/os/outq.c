/* SPDX-License-Identifier: MIT */
/*
 * os/outq.c - output that never makes the writer wait
 *
 * O_NONBLOCK belongs to the open file description, which we share with the service and the shell:
 * setting it on the inherited standard error would break theirs. So the file is opened anew through
 * /proc/self/fd, which gives a description of our own (terminals, FIFOs). Where that is refused
 * (sockets, another user's terminal) we ask poll(2) before each write and write at most PIPE_BUF
 * bytes: a pipe or terminal that says POLLOUT takes that much.
 */
#include "os/outq.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

static int open_own(int fd)
{
	char path[32];
	struct stat st;

	/*
	 * A regular file never makes us wait, and its position is shared: with one of our own we
	 * would write over the others.
	 */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* O_NOCTTY: never gain a terminal by this. */
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int berth_outq_open(int fd)
{
	int own = open_own(fd);

	if (own < 0)
		own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return own < 0 ? -errno : own;
}

ssize_t berth_outq_write(int fd, const char *text, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
		size_t part = len - done < PIPE_BUF ? len - done : PIPE_BUF;
		ssize_t n;

		if (poll(&poll_fd, 1, 0) != 1)
			break;
		n = write(fd, text + done, part);
		if (n < 0 && errno == EPIPE)
			return -EPIPE;
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		done += n < 0 ? part : (size_t)n;
	}
	return (ssize_t)done;
}

void berth_outq_init(struct berth_outq *queue, struct berth_loop *loop, int fd)
{
	*queue = (struct berth_outq){ .fd = -1, .loop = loop };
	if (fd < 0)
		return;
	queue->fd = berth_outq_open(fd);
}

static bool takes_more(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLOUT);
}

static void switch_off(struct berth_outq *queue)
{
	berth_loop_remove(queue->loop, &queue->source);
	berth_fd_close(&queue->fd);
	queue->len = 0;
}

/*
 * Write what goes; true when the queue is empty (or its reader has gone, and nothing will ever go).
 */
static bool flush(struct berth_outq *queue)
{
	while (queue->len && takes_more(queue->fd)) {
		size_t part = queue->len < PIPE_BUF ? queue->len : PIPE_BUF;
		ssize_t n = write(queue->fd, queue->text, part);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0) {
			switch_off(queue);
			return true;
		}
		queue->len -= (size_t)n;
		memmove(queue->text, queue->text + n, queue->len);
	}
	return queue->len == 0;
}

static void on_writable(struct berth_loop_source *source, uint32_t events)
{
	struct berth_outq *queue = berth_container_of(source, struct berth_outq, source);

	if (events & EPOLLERR)
		switch_off(queue);
	else if (flush(queue))
		berth_loop_remove(queue->loop, &queue->source);
}

void berth_outq_add(struct berth_outq *queue, const char *text, size_t len)
{
	if (queue->fd < 0)
		return;
	if (queue->len + len > BERTH_OUTQ_MAX) {
		queue->dropped++;
		return;
	}
	if (queue->len + len > queue->size) {
		size_t size = queue->size ? queue->size : 1024;
		char *grown;

		while (size < queue->len + len)
			size *= 2;
		grown = realloc(queue->text, size);
		if (!grown) {
			queue->dropped++;
			return;
		}
		queue->text = grown;
		queue->size = size;
	}
	memcpy(queue->text + queue->len, text, len);
	queue->len += len;
	if (!flush(queue) && queue->fd >= 0 && !queue->source.fn &&
	    berth_loop_add(queue->loop, &queue->source, queue->fd, EPOLLOUT, on_writable) < 0)
		queue->len = 0; /* what can be neither written nor watched would wait for ever */
}

void berth_outq_deinit(struct berth_outq *queue)
{
	if (queue->fd >= 0 && queue->len)
		flush(queue);
	if (queue->fd >= 0)
		switch_off(queue);
	free(BERTH_STEAL(queue->text));
	queue->size = 0;
}
