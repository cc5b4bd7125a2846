/* SPDX-License-Identifier: MIT */
/* look/tool.c - ask a program of the system, and take what it says */
#include "look/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/str.h"
#include "base/time.h"
#include "look/collect.h"
#include "os/child.h"

enum {
	ARGS_MAX = 16,
};

/* -ECHILD: somebody else in our program reaps all there is; what it said has to do. */
static int reap(int pidfd)
{
	siginfo_t info = { 0 };
	int r;

	do
		r = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == ECHILD ? 0 : -errno;
	return info.si_code == CLD_EXITED && info.si_status == 0 ? 0 : BERTH_TOOL_E_FAILED;
}

static int start(const struct berth_tool_spec *spec, const char *path, int out_fd,
		 struct berth_child *ret_child)
{
	static const char *const nothing[] = { NULL };
	BERTH_AUTO_FD int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	const char *argv[ARGS_MAX + 2] = { path };
	struct berth_child_spec child = {
		.argv = argv,
		.envp = spec->envp ? spec->envp : nothing,
		.stdin_fd = null_fd,
		.stdout_fd = out_fd,
		.stderr_fd = null_fd,
		.parent_death_signal = SIGKILL,
		.cgroup_fd = -1,
	};
	enum berth_child_stage stage;

	if (null_fd < 0)
		return -errno;
	for (size_t i = 0; spec->argv[i]; i++) {
		if (i == ARGS_MAX)
			return -E2BIG;
		argv[i + 1] = spec->argv[i];
	}
	sigemptyset(&child.signal_mask);
	return berth_child_start(&child, ret_child, &stage);
}

static int run_one(const struct berth_tool_spec *spec, const char *path, struct berth_str *text)
{
	int64_t deadline_ns = berth_time_mono_ns() + spec->timeout_ms * BERTH_NS_PER_MS;
	struct berth_child child = BERTH_CHILD_NONE;
	int ends[2], r, ended;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	r = start(spec, path, ends[1], &child);
	berth_fd_close(&ends[1]);
	if (r == 0) {
		r = berth_collect(ends[0], spec->max, deadline_ns, text);
		if (r == 0)
			r = berth_collect_await(child.pidfd, deadline_ns);
		if (r < 0)
			(void)!berth_child_signal(child.pidfd, SIGKILL);
		ended = reap(child.pidfd);
		if (r == 0)
			r = ended;
		berth_child_deinit(&child);
	}
	berth_fd_close(&ends[0]);
	return r;
}

int berth_tool_run(const struct berth_tool_spec *spec, char **ret_text, size_t *ret_len)
{
	struct berth_str text = { 0 };
	int r = -ENOENT;

	for (size_t i = 0; spec->paths[i] && r == -ENOENT; i++)
		if (access(spec->paths[i], X_OK) == 0)
			r = run_one(spec, spec->paths[i], &text);
	if (r == 0) {
		*ret_len = text.len;
		*ret_text = berth_str_steal(&text);
		if (!*ret_text)
			r = -ENOMEM;
	}
	berth_str_deinit(&text);
	return r;
}
