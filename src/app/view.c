/* SPDX-License-Identifier: MIT */
/*
 * app/view.c - run a command in a copy's view
 *
 * The command's notify descriptor goes to the copy's supervisor over its control socket: the same
 * table answers. We stay as the parent: the job that the shell sees, and the one that lets the
 * calls through when the supervisor has gone (they would wait for ever: we hold the descriptor
 * too).
 */
#include "app/view.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>

#include "app/control.h"
#include "app/front.h"
#include "app/registry.h"
#include "base/str.h"
#include "os/child.h"

enum {
	ANSWER_MS = 5000
};

struct view {
	struct berth_child child;
	int front_fd, control_fd;
	bool interrupted;
};

/* Ours, and the copy's over it. */
static const char **environment(const json_t *env)
{
	size_t own = 0, count = 0;
	const char **words;
	const json_t *pair;
	size_t i;

	while (environ[own])
		own++;
	words = calloc(own + json_array_size(env) + 1, sizeof(*words));
	if (!words)
		return NULL;
	for (size_t j = 0; j < own; j++) {
		bool replaced = false;

		json_array_foreach (env, i, pair) {
			const char *text = json_string_value(pair);
			const char *equals = text ? strchr(text, '=') : NULL;

			replaced |= equals &&
				    strncmp(environ[j], text, (size_t)(equals - text) + 1) == 0;
		}
		if (!replaced)
			words[count++] = environ[j];
	}
	json_array_foreach (env, i, pair)
		if (json_is_string(pair))
			words[count++] = json_string_value(pair);
	return words;
}

/*
 * The environment is known only after asking, and the descriptor to hand over only after the start:
 * so it is asked twice.
 */
static int ask_environment(const char *socket, bool whole, json_t **ret_answer,
			   struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *request =
		json_pack("{s:s,s:b}", "do", "environment", "whole", whole);
	BERTH_AUTO_FD int fd = berth_control_connect(socket);

	if (fd < 0)
		return berth_err_errno(err, fd, "cannot reach the copy");
	return berth_control_ask(fd, request, -1, ANSWER_MS, ret_answer, err);
}

static int hand_over(struct view *view, const char *socket, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *request = json_pack("{s:s}", "do", "view");
	BERTH_AUTO_JSON json_t *answer = NULL;

	view->control_fd = berth_control_connect(socket);
	if (view->control_fd < 0)
		return berth_err_errno(err, view->control_fd, "cannot reach the copy");
	return berth_control_ask(view->control_fd, request, view->child.notify_fd, ANSWER_MS,
				 &answer, err);
}

static void let_through(struct view *view)
{
	struct berth_notify_call call;

	if (berth_notify_recv(view->child.notify_fd, &call) == 0)
		berth_notify_continue(view->child.notify_fd, &call);
}

static void pass_signals(struct view *view)
{
	struct berth_front_signal signal;
	siginfo_t info = { 0 };

	while (berth_front_next(view->front_fd, &signal)) {
		view->interrupted |= signal.signo == SIGINT && signal.from_terminal;
		if (signal.signo != SIGCHLD && !signal.from_terminal)
			(void)!berth_child_signal(view->child.pidfd,
						  signal.signo); /* ESRCH: it is just ending */
	}
	if (waitid(P_PID, (id_t)view->child.pid, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid)
		berth_front_stop();
}

static struct berth_child_end watch(struct view *view)
{
	siginfo_t info = { 0 };

	for (;;) {
		bool orphaned = view->control_fd < 0;
		struct pollfd fds[] = {
			{ .fd = view->child.pidfd, .events = POLLIN },
			{ .fd = view->front_fd, .events = POLLIN },
			{ .fd = view->control_fd, .events = POLLIN },
			{ .fd = orphaned ? view->child.notify_fd : -1, .events = POLLIN },
		};

		if (poll(fds, BERTH_ARRAY_SIZE(fds), -1) < 0)
			continue;
		if (fds[1].revents)
			pass_signals(view);
		if (fds[0].revents)
			break;
		if (fds[2].revents) /* it says nothing more: this is its end */
			berth_fd_close(&view->control_fd);
		if (fds[3].revents & POLLIN)
			let_through(view);
		else if (fds[3].revents)
			berth_fd_close(&view->child.notify_fd);
	}
	waitid(P_PID, (id_t)view->child.pid, &info, WEXITED);
	return berth_child_end_of(&info);
}

static int start(struct view *view, const char *const *argv, const json_t *env,
		 const sigset_t *signal_mask, struct berth_err *err)
{
	struct berth_notify_program program = { 0 };
	BERTH_AUTO_FREE const char **words = environment(env);
	struct berth_child_spec spec = {
		.argv = argv,
		.envp = words,
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.cgroup_fd = -1,
		.filter = &program,
		.signal_mask = *signal_mask,
	};
	enum berth_child_stage stage;
	char shown[256];
	int r;

	if (!words)
		return berth_err_errno(err, -ENOMEM, "cannot start the command");
	r = berth_notify_program_new(true, &program);
	if (r == 0)
		r = berth_child_start(&spec, &view->child, &stage);
	else
		stage = BERTH_CHILD_FILTER;
	berth_notify_program_deinit(&program);
	if (r == 0)
		return 0;
	berth_str_printable(argv[0], (size_t)-1, shown, sizeof(shown));
	if (stage == BERTH_CHILD_FILTER)
		return berth_err_set(
			err, r, BERTH_ERR_UNSUPPORTED,
			"no view can be had here: another program already answers bind() and connect(), or seccomp is "
			"refused");
	return berth_err_set(err, r, BERTH_ERR_START_FAILED, "cannot run '%s': %s", shown,
			     r == -ENOENT && !strchr(argv[0], '/') ? "no such command in PATH"
								   : strerror(-r));
}

int berth_view_run(const json_t *record, bool whole, const char *const *argv,
		   const sigset_t *signal_mask, struct berth_err *err)
{
	const char *socket = json_string_value(berth_registry_private(record, "socket"));
	struct view view = { .child = { .pidfd = -1, .notify_fd = -1 },
			     .front_fd = -1,
			     .control_fd = -1 };
	BERTH_AUTO_JSON json_t *answer = NULL;
	struct berth_child_end end;
	int r = ask_environment(socket ? socket : "", whole, &answer, err);

	if (r < 0)
		return r;
	berth_front_block();
	view.front_fd = berth_front_open();
	r = start(&view, argv, json_object_get(answer, "env"), signal_mask, err);
	if (r < 0)
		return r;
	r = hand_over(&view, socket, err);
	if (r < 0) {
		(void)!berth_child_signal(view.child.pidfd, SIGKILL);
		waitpid(view.child.pid, NULL, 0);
	} else {
		end = watch(&view);
		if (view.interrupted && end.by_signal)
			berth_front_die_of(end.status);
		r = berth_child_end_exit(&end);
	}
	berth_child_deinit(&view.child);
	berth_fd_close(&view.front_fd);
	berth_fd_close(&view.control_fd);
	return r;
}
