/* SPDX-License-Identifier: MIT */
/*
 * app/prober-exec.c - a probe that is a command: exit 0 is success
 *
 * Both its outputs are one pipe. The first line of that says why it has failed; the rest is read and
 * thrown away, so that it never waits for us. When the time is over all that it has started is
 * killed.
 */
#include "app/prober.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/str.h"
#include "base/time.h"

enum {
	SAID_MAX = 256, /* bytes of its output that are kept */
	READS_MAX = 64, /* what a command writes without end is not worth more at once */
};

struct berth_prober_exec {
	struct berth_prober *prober;
	struct berth_loop *loop;
	struct berth_aside *aside; /* owned */
	struct berth_loop_source source;
	int fd; /* of its outputs, owned */
	void (*fn)(struct berth_prober *prober, enum berth_prober_outcome outcome, const char *why,
		   void *arg);
	void *arg;
	int64_t timeout_ms;
	char said[SAID_MAX];
	size_t said_len;
};

static void free_exec(struct berth_prober_exec *exec)
{
	exec->prober->exec = NULL;
	berth_loop_remove(exec->loop, &exec->source);
	berth_fd_close(&exec->fd);
	berth_aside_end(exec->aside);
	free(exec);
}

void berth_prober_exec_cancel(struct berth_prober *prober)
{
	if (prober->exec)
		free_exec(prober->exec);
}

/* The first line that says something, behind ": "; "" if there is none. */
static void describe(const struct berth_prober_exec *exec, char *buf, size_t size)
{
	const char *text = exec->said;
	size_t left = exec->said_len, len = 0;

	while (left && strchr(" \t\r\n", *text)) {
		text++;
		left--;
	}
	while (len < left && text[len] != '\n' && text[len] != '\r' && text[len])
		len++;
	buf[0] = '\0';
	if (!len || size < 3)
		return;
	memcpy(buf, ": ", 2);
	berth_str_printable(text, len, buf + 2, size - 2);
}

static void tell(struct berth_prober_exec *exec, bool ok, const char *why)
{
	void (*fn)(struct berth_prober * prober, enum berth_prober_outcome outcome, const char *why,
		   void *arg) = exec->fn;
	struct berth_prober *prober = exec->prober;
	void *arg = exec->arg;

	free_exec(exec);
	fn(prober, ok ? BERTH_PROBER_OK : BERTH_PROBER_FAILED, why, arg);
}

static void read_output(struct berth_prober_exec *exec)
{
	char buf[4096];

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = read(exec->fd, buf, sizeof(buf));
		size_t room = sizeof(exec->said) - exec->said_len;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		if (n == 0) {
			berth_loop_remove(exec->loop, &exec->source);
			return;
		}
		memcpy(exec->said + exec->said_len, buf, (size_t)n < room ? (size_t)n : room);
		exec->said_len += (size_t)n < room ? (size_t)n : room;
	}
}

static void on_output(struct berth_loop_source *source, uint32_t events)
{
	read_output(berth_container_of(source, struct berth_prober_exec, source));
}

static void on_end(struct berth_aside *aside, const struct berth_child_end *end, void *arg)
{
	struct berth_prober_exec *exec = arg;
	char said[128], why[BERTH_PROBER_WHY_SIZE];
	const char *name = end->by_signal ? sigabbrev_np(end->status) : NULL;

	/* What it said last may still be in the pipe. */
	read_output(exec);
	describe(exec, said, sizeof(said));
	if (end->by_signal)
		snprintf(why, sizeof(why), "the command ended by SIG%s%s", name ? name : "?", said);
	else
		snprintf(why, sizeof(why), "exit %d%s", end->status, said);
	tell(exec, !end->by_signal && end->status == 0, why);
}

/* 0 or -errno; @exec owns what there is. */
static int open_output(struct berth_prober_exec *exec, int *ret_fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	exec->fd = ends[0];
	*ret_fd = ends[1];
	if (fcntl(exec->fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return berth_loop_add(exec->loop, &exec->source, exec->fd, EPOLLIN, on_output);
}

static int begin(struct berth_prober_exec *exec, const struct berth_aside_spec *command)
{
	BERTH_AUTO_FD int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	BERTH_AUTO_FD int fd = -1;
	struct berth_aside_spec spec = *command;
	enum berth_child_stage stage;
	int r = null_fd < 0 ? -errno : open_output(exec, &fd);

	if (r < 0)
		return r;
	spec.stdin_fd = null_fd;
	spec.stdout_fd = spec.stderr_fd = fd;
	return berth_aside_start(exec->loop, &spec, on_end, exec, &exec->aside, &stage);
}

int berth_prober_exec_start(struct berth_prober *prober, struct berth_loop *loop,
			    const struct berth_prober_spec *spec, int64_t now_ns,
			    void (*fn)(struct berth_prober *prober,
				       enum berth_prober_outcome outcome, const char *why,
				       void *arg),
			    void *arg)
{
	struct berth_prober_exec *exec = calloc(1, sizeof(*exec));
	int r;

	if (!exec)
		return -ENOMEM;
	*exec = (struct berth_prober_exec){
		.prober = prober,
		.loop = loop,
		.fd = -1,
		.fn = fn,
		.arg = arg,
		.timeout_ms = spec->timeout_ms,
	};
	prober->exec = exec;
	r = begin(exec, spec->command);
	if (r < 0) {
		free_exec(exec);
		return r;
	}
	prober->deadline_ns = now_ns + spec->timeout_ms * BERTH_NS_PER_MS;
	return 0;
}

void berth_prober_exec_expire(struct berth_prober *prober)
{
	struct berth_prober_exec *exec = prober->exec;
	char said[128], why[BERTH_PROBER_WHY_SIZE];

	describe(exec, said, sizeof(said));
	snprintf(why, sizeof(why), "no end within %g s%s", (double)exec->timeout_ms / 1000, said);
	tell(exec, false, why);
}

int berth_prober_take_notify(struct berth_prober *prober)
{
	return prober->exec ? berth_aside_take_notify(prober->exec->aside) : -1;
}

pid_t berth_prober_keeper(const struct berth_prober *prober)
{
	return prober->exec ? berth_aside_keeper(prober->exec->aside) : 0;
}
