/* SPDX-License-Identifier: MIT */
/*
 * os/loop.c - wait for descriptors and one deadline: epoll(7), level-triggered
 *
 * One event a turn. A batch would have to know which of its events belong to sources that an
 * earlier callback has freed; the kernel keeps its ready list in turn, so nobody starves, and what
 * we do per event costs far more than the call.
 */
#include "os/loop.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>

#include "base/time.h"

int berth_loop_init(struct berth_loop *loop)
{
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll_fd < 0 ? -errno : 0;
}

void berth_loop_deinit(struct berth_loop *loop)
{
	berth_fd_close(&loop->epoll_fd);
}

int berth_loop_add(struct berth_loop *loop, struct berth_loop_source *source, int fd,
		   uint32_t events, void (*fn)(struct berth_loop_source *source, uint32_t events))
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	source->fd = fd;
	source->fn = fn;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		source->fn = NULL;
		return -errno;
	}
	return 0;
}

int berth_loop_change(struct berth_loop *loop, struct berth_loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0 ? -errno : 0;
}

void berth_loop_remove(struct berth_loop *loop, struct berth_loop_source *source)
{
	if (!source->fn)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	source->fn = NULL;
	source->fd = -1;
}

static int timeout_ms(int64_t deadline_ns)
{
	int64_t left;

	if (deadline_ns == INT64_MAX)
		return -1;
	left = deadline_ns - berth_time_mono_ns();
	if (left <= 0)
		return 0;
	left = (left + 999999) /
	       BERTH_NS_PER_MS; /* not before its time: that would be a turn for nothing */
	return left > INT_MAX ? INT_MAX : (int)left;
}

int berth_loop_turn(struct berth_loop *loop, int64_t deadline_ns)
{
	struct berth_loop_source *source;
	struct epoll_event event;
	int n = epoll_wait(loop->epoll_fd, &event, 1, timeout_ms(deadline_ns));

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0)
		return 0;
	source = event.data.ptr;
	source->fn(source, event.events);
	return 0;
}
