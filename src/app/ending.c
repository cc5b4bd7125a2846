/* SPDX-License-Identifier: MIT */
/*
 * app/ending.c - what the end of a life waits for that is none of its processes
 *
 * Of some services only a client is ours: `docker run` ends, or is killed, and the container lives
 * on. So a service may have a stop command, which is run once for each life, however that ends. It
 * is started before the first signal, since it may do by itself what signals would do less well;
 * they follow soon after it is over, or when half of the grace period is. SIGKILL waits for nobody. And the
 * next life, or the last word, waits until it is over, or has been killed.
 *
 * Where the port is bound outside of our tree, its end is not the end of its processes either: the
 * port is waited for until it can be bound again.
 *
 * Should we be killed, the guardian carries the command out (app/stop-order.h); it is told of it
 * before there is anything to end. Should both be killed, the next berth command does, by the record.
 */

#include "app/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "app/stop-order.h"
#include "app/supervisor.h"
#include "base/str.h"
#include "base/time.h"

/* Docker frees the port before it answers; whoever takes longer is told of. */
#define PORT_WAIT_NS (5000 * BERTH_NS_PER_MS)
#define PORT_LOOK_NS (20 * BERTH_NS_PER_MS)
/* What `docker run` takes to see that its container has gone, and to end with its exit code. */
#define SETTLE_NS (500 * BERTH_NS_PER_MS)

/* However short the grace period: it has to be run at all. */
static int64_t patience_ns(const struct berth_worker *worker)
{
	int64_t least = BERTH_STOP_ORDER_PATIENCE_MS * BERTH_NS_PER_MS;
	int64_t grace = worker->service.policy.grace_ns;

	return grace > least ? grace : least;
}

void berth_unit_reset_ending(struct berth_worker *worker)
{
	berth_unit_free_ending(worker);
	worker->ending = (struct berth_ending){ 0 };
}

void berth_unit_free_ending(struct berth_worker *worker)
{
	struct berth_ending *ending = &worker->ending;

	berth_aside_end(BERTH_STEAL(ending->command));
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(ending->streams); i++)
		berth_log_finish_stream(BERTH_STEAL(ending->streams[i]));
}

/* ---- the stop command ---- */

static void send_owed(struct berth_worker *worker)
{
	unsigned int owed = worker->ending.owed;

	worker->ending.owed = 0;
	worker->ending.half_ns = 0;
	if (worker->service.state == BERTH_SERVICE_STOPPING)
		berth_unit_send_signals(worker, owed);
}

/* Who has done its work is given a moment to be noticed, before anybody else is asked to end. */
static void be_over(struct berth_worker *worker, bool well)
{
	struct berth_ending *ending = &worker->ending;
	int64_t settled = berth_time_mono_ns() + SETTLE_NS;

	ending->deadline_ns = 0;
	berth_unit_free_ending(worker);
	if (!well)
		send_owed(worker);
	else if (settled < ending->half_ns)
		ending->half_ns = settled;
}

static void on_end(struct berth_aside *aside, const struct berth_child_end *end, void *arg)
{
	struct berth_worker *worker = arg;
	struct berth_unit *unit = worker->unit;
	const char *name = end->by_signal ? sigabbrev_np(end->status) : NULL;

	if (end->by_signal)
		berth_unit_say(unit, "the stop command of %s ended by SIG%s", unit->name,
			       name ? name : "?");
	else if (end->status)
		berth_unit_say(unit, "the stop command of %s failed: exit %d", unit->name,
			       end->status);
	be_over(worker, !end->by_signal && !end->status);
}

/* To the log, where there is one; else to standard error: standard output is the command's own. */
static int open_output(struct berth_worker *worker, int ret_ends[2])
{
	struct berth_unit *unit = worker->unit;

	ret_ends[0] = ret_ends[1] = -1;
	for (int i = 0; i < 2 && unit->log.path; i++) {
		int ends[2];
		int r = berth_log_pipe(ends);

		if (r < 0)
			return r;
		ret_ends[i] = ends[1];
		r = berth_unit_add_stream(unit, 0, i == 1, ends[0], &worker->ending.streams[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int start(struct berth_worker *worker, const char **ret_what, struct berth_err *err)
{
	struct berth_unit *unit = worker->unit;
	BERTH_AUTO_FD int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	enum berth_child_stage stage = BERTH_CHILD_FORK;
	struct berth_unit_aside aside;
	int ends[2] = { -1, -1 };
	int r = berth_unit_prepare_aside(worker, unit->job->stop_argv, &aside, err);

	if (r == 0)
		r = open_output(worker, ends);
	if (r == 0) {
		aside.spec.stdin_fd = null_fd;
		aside.spec.stdout_fd = ends[0] >= 0 ? ends[0] : STDERR_FILENO;
		aside.spec.stderr_fd = ends[1];
		r = berth_aside_start(&unit->supervisor->loop, &aside.spec, on_end, worker,
				      &worker->ending.command, &stage);
	}
	*ret_what = stage == BERTH_CHILD_CWD ? unit->job->cwd : unit->job->stop_argv[0];
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(ends); i++)
		berth_fd_close(&ends[i]);
	berth_unit_free_aside(&aside);
	return r;
}

void berth_unit_begin_ending(struct berth_worker *worker)
{
	struct berth_ending *ending = &worker->ending;
	struct berth_unit *unit = worker->unit;
	int64_t now = berth_time_mono_ns();
	struct berth_err err = { 0 };
	const char *what;
	int r;

	if (ending->begun)
		return;
	ending->begun = true;
	if (!unit->job->stop_argv || !worker->service.spawned_ns || !worker->child.pid)
		return;
	r = start(worker, &what, &err);
	if (r < 0) {
		berth_unit_free_ending(worker);
		berth_unit_say(unit, "the stop command of %s can't be run: %s: %s", unit->name,
			       what, err.code == BERTH_ERR_NONE ? strerror(-r) : err.msg);
		return;
	}
	ending->half_ns = now + worker->service.policy.grace_ns / 2;
	ending->deadline_ns = now + patience_ns(worker);
}

/* As if it had begun now, where that ends sooner. */
void berth_unit_hurry_ending(struct berth_worker *worker)
{
	struct berth_ending *ending = &worker->ending;
	int64_t now = berth_time_mono_ns();
	int64_t half = now + worker->service.policy.grace_ns / 2;

	if (half < ending->half_ns)
		ending->half_ns = half;
	if (now + patience_ns(worker) < ending->deadline_ns)
		ending->deadline_ns = now + patience_ns(worker);
}

unsigned int berth_unit_hold_signals(struct berth_worker *worker, unsigned int actions)
{
	struct berth_ending *ending = &worker->ending;
	unsigned int held = actions & (BERTH_SERVICE_DO_SIGNAL_MAIN | BERTH_SERVICE_DO_SIGNAL_TREE);

	if (!ending->half_ns || (actions & BERTH_SERVICE_DO_KILL_TREE))
		return 0;
	ending->owed |= held;
	return held;
}

/* ---- the port ---- */

static bool is_bound(const struct berth_unit *unit, uint16_t *ret_port)
{
	const struct berth_ports *ports = &unit->ports;

	for (size_t i = 0; i < ports->count; i++) {
		if (ports->steer[i].kind != BERTH_STEER_DECLARED || ports->steer[i].udp ||
		    !ports->steer[i].given ||
		    berth_lease_is_bindable(ports->steer[i].given, SOCK_STREAM, ports->means))
			continue;
		*ret_port = ports->steer[i].given;
		return true;
	}
	return false;
}

/* Our holders are soft by then, so that only somebody else's socket can be what is in the way. */
static bool awaits_port(struct berth_worker *worker)
{
	struct berth_ending *ending = &worker->ending;
	struct berth_unit *unit = worker->unit;
	int64_t now = berth_time_mono_ns();
	uint16_t port;

	if (!unit->job->outside || !worker->service.spawned_ns)
		return false;
	if (ending->port_look_ns > now)
		return true;
	if (!ending->port_until_ns)
		ending->port_until_ns = now + PORT_WAIT_NS;
	ending->port_look_ns = 0;
	if (!is_bound(unit, &port))
		return false;
	if (now >= ending->port_until_ns) {
		berth_unit_say(unit, "port %u is still bound, %g s after the end of %s", port,
			       (double)PORT_WAIT_NS / 1e9, unit->name);
		return false;
	}
	ending->port_look_ns = now + PORT_LOOK_NS;
	return true;
}

/* ---- both ---- */

bool berth_unit_is_ending(struct berth_worker *worker)
{
	berth_unit_begin_ending(worker);
	return worker->ending.command || awaits_port(worker);
}

int64_t berth_unit_ending_deadline_ns(const struct berth_worker *worker)
{
	const int64_t times[] = { worker->ending.owed ? worker->ending.half_ns : 0,
				  worker->ending.deadline_ns, worker->ending.port_look_ns };
	int64_t next = 0;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(times); i++)
		if (times[i] && (!next || times[i] < next))
			next = times[i];
	return next;
}

void berth_unit_run_ending(struct berth_worker *worker, int64_t now_ns)
{
	struct berth_ending *ending = &worker->ending;
	struct berth_unit *unit = worker->unit;

	if (ending->command && ending->deadline_ns && ending->deadline_ns <= now_ns) {
		berth_unit_say(unit, "the stop command of %s has not ended within %g s: killed",
			       unit->name, (double)patience_ns(worker) / 1e9);
		be_over(worker, false);
	} else if (ending->owed && ending->half_ns <= now_ns) {
		send_owed(worker);
	}
	/* The end itself is looked for after each turn of the loop. */
}

/* ---- for the time when we are gone ---- */

/* Those that berth makes: nothing of the user's is written to disk, it may be secret. */
static json_t *own_variables(const struct berth_unit *unit)
{
	json_t *array = json_array();
	char **env;

	if (berth_unit_environment(unit, false, &env) < 0)
		return array;
	for (char **word = env; *word; word++)
		json_array_append_new(array, berth_json_text(*word));
	berth_unit_free_words(env);
	return array;
}

/* All that it would get from us and the guardian, which has our environment, does not have. */
static json_t *all_variables(const struct berth_unit_words *env)
{
	json_t *array = json_array();

	for (size_t i = 0; i < env->count; i++) {
		char **word = environ;

		while (*word && strcmp(*word, env->items[i]) != 0)
			word++;
		if (!*word)
			json_array_append_new(array, berth_json_text(env->items[i]));
	}
	return array;
}

json_t *berth_unit_stop_order(const struct berth_unit *unit, bool for_guardian)
{
	const struct berth_worker nobody = { .unit = (struct berth_unit *)(uintptr_t)unit };
	struct berth_unit_aside aside;
	struct berth_err err = { 0 };
	json_t *argv, *order = NULL;

	if (!unit->job->stop_argv)
		return NULL;
	if (berth_unit_prepare_aside(&nobody, unit->job->stop_argv, &aside, &err) == 0) {
		argv = json_array();
		for (size_t i = 0; i < aside.argv.count; i++)
			json_array_append_new(argv, berth_json_text(aside.argv.items[i]));
		order = json_pack("{s:s,s:o,s:o,s:o,s:I}", "id", unit->id, "argv", argv, "cwd",
				  berth_json_text(unit->job->cwd), "env",
				  for_guardian ? all_variables(&aside.env) : own_variables(unit),
				  "patience_ms",
				  (json_int_t)(unit->job->policy.grace_ns / BERTH_NS_PER_MS));
	}
	berth_unit_free_aside(&aside);
	return order;
}

static void tell(struct berth_unit *unit, const json_t *order)
{
	const struct berth_note note = { .kind = BERTH_NOTE_ORDER };
	struct berth_supervisor *supervisor = unit->supervisor;

	if (supervisor->report_fd >= 0 &&
	    berth_note_send(supervisor->report_fd, &note, order, -1) < 0)
		supervisor->guardian_gone = true;
}

void berth_unit_tell_stop_order(struct berth_unit *unit, bool living)
{
	BERTH_AUTO_JSON json_t *order = NULL;
	BERTH_AUTO_FREE char *text = NULL;

	if (!unit->job->stop_argv || (!living && !unit->told_order))
		return;
	order = living ? berth_unit_stop_order(unit, true) : json_pack("{s:s}", "id", unit->id);
	text = order ? berth_json_line(order) : NULL;
	if (text && living && strlen(text) > BERTH_STOP_ORDER_SIZE_MAX) {
		/* With what is berth's own it fits: the command's length is bounded by its option. */
		json_decref(order);
		free(text);
		order = berth_unit_stop_order(unit, false);
		text = order ? berth_json_line(order) : NULL;
	}
	if (!text || (unit->told_order && strcmp(text, unit->told_order) == 0))
		return;
	tell(unit, order);
	free(unit->told_order);
	unit->told_order = BERTH_STEAL(text);
}
