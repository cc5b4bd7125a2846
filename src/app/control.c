/* SPDX-License-Identifier: MIT */
/* app/control.c - the control socket of a supervisor, seen from those who ask */
#include "app/control.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/time.h"
#include "os/uds.h"

int berth_control_connect(const char *name)
{
	BERTH_AUTO_FD int fd = berth_uds_connect_abstract(name, SOCK_SEQPACKET);
	uid_t uid;
	pid_t pid;
	int r;

	if (fd < 0)
		return fd;
	/* Anybody can bind an abstract name. */
	r = berth_uds_peer(fd, &pid, &uid);
	if (r < 0)
		return r;
	if (uid != geteuid() && uid != 0)
		return -EPERM;
	return berth_fd_steal(&fd);
}

static enum berth_err_code code_of(const char *name)
{
	for (int code = 0; code < BERTH_ERR_CODE_COUNT_; code++)
		if (strcmp(berth_err_code_name((enum berth_err_code)code), name) == 0)
			return (enum berth_err_code)code;
	return BERTH_ERR_INTERNAL;
}

static int await(int fd, int timeout_ms, struct berth_err *err)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int r;

	do
		r = poll(&poll_fd, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return berth_err_errno(err, -errno, "cannot wait for an answer");
	if (r == 0)
		return berth_err_set(err, -ETIMEDOUT, BERTH_ERR_TIMEOUT,
				     "the supervisor does not answer");
	return 0;
}

int berth_control_send(int fd, const json_t *request, int pass_fd, struct berth_err *err)
{
	BERTH_AUTO_FREE char *text = berth_json_line(request);
	int r = text ? berth_uds_send(fd, text, strlen(text), pass_fd) : -ENOMEM;

	return r < 0 ? berth_err_errno(err, r, "cannot ask the supervisor") : 0;
}

int berth_control_receive(int fd, int timeout_ms, json_t **ret_answer, struct berth_err *err)
{
	BERTH_AUTO_FREE char *answer = malloc(BERTH_CONTROL_MAX);
	BERTH_AUTO_JSON json_t *parsed = NULL;
	const json_t *error;
	ssize_t n;
	int r;

	if (!answer)
		return berth_err_errno(err, -ENOMEM, "cannot ask the supervisor");
	r = await(fd, timeout_ms, err);
	if (r < 0)
		return r;
	n = berth_uds_recv(fd, answer, BERTH_CONTROL_MAX, NULL);
	/* Told once, before the answer, by a supervisor that has ended with another request unread. */
	if (n == -ECONNRESET)
		n = berth_uds_recv(fd, answer, BERTH_CONTROL_MAX, NULL);
	if (n <= 0)
		return berth_err_set(err, -ECONNRESET, BERTH_ERR_INTERNAL,
				     "the supervisor has gone");
	parsed = berth_json_parse(answer, (size_t)n);
	if (!json_is_object(parsed))
		return berth_err_set(err, -EPROTO, BERTH_ERR_INTERNAL,
				     "the supervisor's answer can't be read");
	error = json_object_get(parsed, "error");
	if (!berth_json_bool(parsed, "ok", false)) {
		const char *hint = berth_json_string(error, "hint", NULL);

		berth_err_set(err, -EREMOTEIO,
			      code_of(berth_json_string(error, "code", "internal")), "%s",
			      berth_json_string(error, "message", "refused"));
		if (hint)
			berth_err_hint(err, "%s", hint);
		return berth_json_bool(parsed, "busy", false) ? -EBUSY : -EREMOTEIO;
	}
	*ret_answer = BERTH_STEAL(parsed);
	return 0;
}

int berth_control_ask(int fd, const json_t *request, int pass_fd, int timeout_ms,
		      json_t **ret_answer, struct berth_err *err)
{
	int r = berth_control_send(fd, request, pass_fd, err);

	/* Who is turned away may hear so before it has asked. */
	if (r == -EPIPE && berth_control_receive(fd, 0, ret_answer, err) == -EBUSY)
		return -EBUSY;
	return r < 0 ? r : berth_control_receive(fd, timeout_ms, ret_answer, err);
}

int berth_control_ask_at(const char *name, const json_t *request, int timeout_ms,
			 json_t **ret_answer, struct berth_err *err)
{
	int64_t until = berth_time_mono_ns() + timeout_ms * BERTH_NS_PER_MS;
	int left_ms = timeout_ms;

	for (;;) {
		BERTH_AUTO_FD int fd = berth_control_connect(name);
		int r = fd < 0 ? berth_err_errno(err, fd, "cannot reach the supervisor")
			       : berth_control_ask(fd, request, -1, left_ms, ret_answer, err);

		if (r != -EBUSY)
			return r;
		if (timeout_ms >= 0)
			left_ms = (int)((until - berth_time_mono_ns()) / BERTH_NS_PER_MS);
		if (timeout_ms >= 0 && left_ms <= 0)
			return r;
		poll(NULL, 0, BERTH_CONTROL_AGAIN_MS);
	}
}

bool berth_control_is_responsive(const char *name, int timeout_ms)
{
	BERTH_AUTO_JSON json_t *request = json_pack("{s:s}", "do", "status");
	BERTH_AUTO_JSON json_t *answer = NULL;
	int r = berth_control_ask_at(name, request, timeout_ms, &answer, NULL);

	return r == 0 || r == -EBUSY;
}
