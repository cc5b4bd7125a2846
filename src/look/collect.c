/* SPDX-License-Identifier: MIT */
/* look/collect.c - all that comes through a pipe or socket, within bounds of size and time */
#include "look/collect.h"

#include <errno.h>
#include <poll.h>

#include "base/time.h"

static int remaining_ms(int64_t deadline_ns)
{
	int64_t left = deadline_ns - berth_time_mono_ns();

	return left <= 0 ? 0 : (int)(left / BERTH_NS_PER_MS) + 1;
}

int berth_collect_await(int fd, int64_t deadline_ns)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&poller, 1, remaining_ms(deadline_ns));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n == 0 ? -ETIMEDOUT : 0;
}

int berth_collect(int fd, size_t max, int64_t deadline_ns, struct berth_str *text)
{
	char buf[16384];

	for (;;) {
		int r = berth_collect_await(fd, deadline_ns);
		ssize_t n;

		if (r < 0)
			return r;
		n = read(fd, buf, sizeof(buf));
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if ((size_t)n > max - text->len)
			return -EFBIG;
		berth_str_add_bytes(text, buf, (size_t)n);
		if (text->failed)
			return -ENOMEM;
	}
}
