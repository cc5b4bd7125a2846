/* SPDX-License-Identifier: MIT */
/* app/stop.c - end a service from outside, whatever state its supervisor is in */
#include "app/stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "app/control.h"
#include "app/stop-order.h"
#include "app/sweep.h"
#include "app/unit.h"
#include "base/str.h"
#include "base/time.h"
#include "os/child.h"
#include "os/tree.h"

enum {
	HELLO_MS = 1000, /* a supervisor answers at once, or is stopped or stuck */
	SLACK_OUTSIDE_MS = 10000, /* where a stop command, or a port of others', is waited for */
	SLACK_MS = 5000, /* beyond the grace period: SIGKILL, and the last looks */
	CLEAR_UP_MS = 10000,
	LAST_WORDS_MS = 500, /* its socket is closed before it has gone */
	GRACE_DEFAULT_MS = 10000,
};

/* Until the process has gone; true if it has. */
static bool await_end(const struct berth_proc_id *id, int timeout_ms)
{
	BERTH_AUTO_FD int pidfd = id->pid ? berth_child_open(id->pid) : -1;
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

	if (pidfd < 0 || !berth_procfs_is_alive(id))
		return true;
	return poll(&poll_fd, 1, timeout_ms) == 1;
}

/* How long the guardian may take, which carries out the stop command if there is one. */
static int clear_up_ms(const json_t *record)
{
	const json_t *order = berth_registry_private(record, "stop");

	return CLEAR_UP_MS + (order ? (int)berth_stop_order_patience_ms(order) : 0);
}

static bool is_responsive(const json_t *record)
{
	const char *socket = json_string_value(berth_registry_private(record, "socket"));

	return socket && berth_control_is_responsive(socket, HELLO_MS);
}

/* It has ended, or is just ending, by somebody else's doing. */
static int await_gone(struct berth_registry *registry, json_t *record, struct berth_err *err)
{
	struct berth_proc_id guardian = berth_registry_process(record, "guardian");
	BERTH_AUTO_JSON json_t *left = NULL;
	int r;

	await_end(&guardian, clear_up_ms(record));
	if (err)
		*err = (struct berth_err){ 0 };
	left = berth_registry_read(registry,
				   berth_json_string(berth_registry_service(record), "id", ""));
	if (!left || berth_registry_life(left) != BERTH_REGISTRY_DEAD)
		return BERTH_STOP_E_GONE;
	r = berth_sweep(registry, left);
	return r < 0 ? berth_err_errno(err, r, "cannot find what is left") : BERTH_STOP_E_GONE;
}

/* What else the supervisor of @record has, and so dies with it; "" where that is nothing. */
static void list_others(struct berth_registry *registry, const json_t *record,
			struct berth_str *text)
{
	struct berth_proc_id supervisor = berth_registry_process(record, "supervisor");
	const char *id = berth_json_string(berth_registry_service(record), "id", "");
	BERTH_AUTO_JSON json_t *records = NULL;
	json_t *other;
	size_t i;

	if (berth_registry_load(registry, &records) < 0)
		return;
	berth_registry_label(records);
	json_array_foreach (records, i, other) {
		struct berth_proc_id its = berth_registry_process(other, "supervisor");
		const json_t *service = berth_registry_service(other);

		if (its.pid == supervisor.pid && its.start_ticks == supervisor.start_ticks &&
		    strcmp(berth_json_string(service, "id", ""), id) != 0)
			berth_str_addf(text, "%s%s", text->len ? ", " : "",
				       berth_json_string(service, "label", "?"));
	}
}

/* Without its supervisor the guardian ends the service; without both, we do. */
static int kill_supervisor(struct berth_registry *registry, json_t *record, struct berth_err *err)
{
	struct berth_proc_id supervisor = berth_registry_process(record, "supervisor");
	struct berth_proc_id guardian = berth_registry_process(record, "guardian");
	int r = berth_tree_signal(&supervisor, SIGKILL);

	if (r < 0 && r != -ESRCH)
		return berth_err_errno(err, r, "cannot end the supervisor, process %d",
				       supervisor.pid);
	await_end(&supervisor, CLEAR_UP_MS);
	await_end(&guardian, clear_up_ms(record));
	/* A guardian that can't say its last line, as nobody reads it, has cleared up all the same. */
	if (!berth_registry_has(registry,
				berth_json_string(berth_registry_service(record), "id", "")))
		return 0;
	if (berth_registry_life(record) != BERTH_REGISTRY_DEAD)
		return berth_err_set(
			err, -ETIMEDOUT, BERTH_ERR_TIMEOUT, "'%s' does not end",
			berth_json_string(berth_registry_service(record), "label", "?"));
	r = berth_sweep(registry, record);
	return r < 0 ? berth_err_errno(err, r, "cannot find what is left") : 0;
}

/* NULL where nothing else has died. */
static json_t *answer_of(const json_t *record, struct berth_str *others)
{
	json_t *service;

	if (!others->len)
		return NULL;
	berth_str_add(others, ", as their supervisor did not answer");
	service = json_deep_copy(berth_registry_service(record));
	json_object_set_new(service, "exit",
			    json_pack("{s:n,s:s,s:s}", "code", "signal", "KILL", "by",
				      berth_end_cause_name(BERTH_END_BY_SUPERVISOR)));
	return json_pack("{s:o,s:s}", "service", service, "also_ended",
			 berth_str_text(others) ? berth_str_text(others) : "");
}

/* It does not answer, and its socket is not to be reached. */
static int stop_hard(struct berth_registry *registry, json_t *record, json_t **ret_answer,
		     struct berth_err *err)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str others = { 0 };
	int r;

	/* Its socket is closed when the service has ended: the supervisor may live for others. */
	if (!berth_registry_has(registry,
				berth_json_string(berth_registry_service(record), "id", "")))
		return BERTH_STOP_E_GONE;
	list_others(registry, record, &others);
	r = kill_supervisor(registry, record, err);
	if (r == 0)
		*ret_answer = answer_of(record, &others);
	return r;
}

static int64_t patience_ms(const struct berth_stop *stop)
{
	const json_t *grace = berth_registry_private(stop->record, "grace_ms");
	int64_t own = json_is_integer(grace) ? json_integer_value(grace) : GRACE_DEFAULT_MS;

	int64_t slack = SLACK_MS;

	/* It may take longer than a short grace period, and then its port is waited for. */
	if (berth_registry_private(stop->record, "stop") ||
	    berth_json_bool(berth_registry_service(stop->record), "outside", false))
		slack += SLACK_OUTSIDE_MS;
	return (stop->spec.grace_ms >= 0 ? stop->spec.grace_ms : own) + slack;
}

void berth_stop_begin(struct berth_stop *stop, json_t *record, const struct berth_stop_spec *spec)
{
	const char *socket = json_string_value(berth_registry_private(record, "socket"));
	BERTH_AUTO_JSON json_t *request =
		json_pack("{s:s,s:I,s:b,s:s}", "do", "stop", "grace_ms", (json_int_t)spec->grace_ms,
			  "kill", spec->kill, "cause", spec->force ? "force" : "user");

	*stop = (struct berth_stop){ .record = record, .spec = *spec, .fd = -1 };
	if (berth_registry_life(record) == BERTH_REGISTRY_LIVE && socket)
		stop->fd = berth_control_connect(socket);
	if (stop->fd >= 0 && berth_control_send(stop->fd, request, -1, NULL) < 0)
		berth_fd_close(&stop->fd);
}

static bool is_answered(int fd, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return fd >= 0 && poll(&poll_fd, 1, timeout_ms) == 1;
}

/*
 * A supervisor that answers others, and us not yet, does not hang: somebody has given the service
 * more time than we would, or there is no place for us. Who has a place keeps it.
 */
static int await_answer(struct berth_stop *stop, const struct berth_proc_id *supervisor,
			int first_fd, json_t **ret_answer, struct berth_err *err)
{
	int64_t until = berth_time_mono_ns() + patience_ms(stop) * BERTH_NS_PER_MS;
	BERTH_AUTO_FD int fd = first_fd;

	for (;;) {
		int r = -ECONNRESET;

		if (fd < 0) {
			berth_stop_begin(stop, stop->record, &stop->spec);
			fd = berth_fd_steal(&stop->fd);
		}
		if (fd >= 0)
			r = berth_control_receive(fd, (int)patience_ms(stop), ret_answer, err);
		if (r == -ETIMEDOUT && is_responsive(stop->record))
			continue;
		if (r != -EBUSY && r != -ECONNRESET)
			return r;
		if (r == -ECONNRESET &&
		    (await_end(supervisor, LAST_WORDS_MS) || !is_responsive(stop->record)))
			return r;
		if (berth_time_mono_ns() > until)
			return berth_err_set(err, -EBUSY, BERTH_ERR_REFUSED,
					     "too many clients wait for the supervisor of '%s'",
					     berth_json_string(berth_registry_service(stop->record),
							       "label", "?"));
		berth_fd_close(&fd);
		poll(NULL, 0, BERTH_CONTROL_AGAIN_MS);
	}
}

int berth_stop_finish(struct berth_registry *registry, struct berth_stop *stop, json_t **ret_answer,
		      struct berth_err *err)
{
	struct berth_proc_id supervisor = berth_registry_process(stop->record, "supervisor");
	BERTH_AUTO_FD int fd = berth_fd_steal(&stop->fd);
	int r;

	*ret_answer = NULL;
	if (!is_answered(fd, HELLO_MS) && !is_responsive(stop->record)) {
		/*
		 * Gone by now, or just going: then it takes nobody's call any more before it has
		 * answered us. Or stopped by somebody's kill -STOP; or in another network
		 * namespace: then its name is not to be reached from here.
		 */
		bool gone = await_end(&supervisor, fd >= 0 ? LAST_WORDS_MS : 0);
		bool answered = is_answered(fd, 0);

		if (gone && !answered)
			return await_gone(registry, stop->record, err);
		if (!answered &&
		    (berth_tree_signal(&supervisor, SIGCONT) < 0 || !is_responsive(stop->record)))
			return stop_hard(registry, stop->record, ret_answer, err);
	}
	r = await_answer(stop, &supervisor, berth_fd_steal(&fd), ret_answer, err);
	if (r < 0 && await_end(&supervisor, r == -ETIMEDOUT ? 0 : LAST_WORDS_MS))
		return await_gone(registry, stop->record, err);
	if (r == -ETIMEDOUT || r == -ECONNRESET)
		return stop_hard(registry, stop->record, ret_answer, err);
	if (r < 0)
		return r;
	/* Of several instances in one process the others go on. */
	if (!berth_json_bool(*ret_answer, "others", false))
		await_end(&supervisor, CLEAR_UP_MS);
	return 0;
}

int berth_stop(struct berth_registry *registry, json_t *record, const struct berth_stop_spec *spec,
	       json_t **ret_answer, struct berth_err *err)
{
	struct berth_stop stop;

	berth_stop_begin(&stop, record, spec);
	return berth_stop_finish(registry, &stop, ret_answer, err);
}
