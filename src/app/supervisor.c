/* SPDX-License-Identifier: MIT */
/*
 * app/supervisor.c - the process that holds a service's ports and answers for it
 *
 * One thread, one loop, never waiting for anybody but in it. Events come from: the notify
 * descriptors (steering.c), signals (our children), the guardian, the control socket (serve.c), an
 * owner's pidfd, and time. What they mean for the life of the service is decided by service/state,
 * and done here.
 *
 * Everything that must not outlive us is held by a descriptor: ports, the instance's name.
 * Processes are not: they die of the guardian's hands when we do, and we of the end of its socket
 * when it does in the foreground.
 */
#include "app/supervisor.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "app/note.h"
#include "app/steering.h"
#include "base/str.h"
#include "base/time.h"

static int64_t earlier(int64_t a, int64_t b)
{
	return b && b < a ? b : a;
}

static int64_t next_deadline(const struct berth_supervisor *supervisor)
{
	int64_t next = berth_steering_retry_ns(supervisor);

	next = earlier(next, supervisor->service.deadline_ns);
	next = earlier(next, supervisor->ttl_ns);
	next = earlier(next, supervisor->save_ns);
	next = earlier(next, supervisor->settle_ns);
	next = earlier(next, supervisor->rearm_ns);
	return earlier(next, supervisor->poll_ns);
}

static bool is_due(int64_t deadline_ns, int64_t now_ns)
{
	return deadline_ns && deadline_ns <= now_ns;
}

static void run_timers(struct berth_supervisor *supervisor)
{
	int64_t now = berth_time_mono_ns();

	berth_steering_retry(supervisor, now);
	if (is_due(supervisor->settle_ns, now))
		berth_supervisor_settle(supervisor);
	if (is_due(supervisor->rearm_ns, now))
		berth_supervisor_rearm(supervisor);
	if (is_due(supervisor->poll_ns, now))
		berth_supervisor_poll_ports(supervisor);
	if (is_due(supervisor->ttl_ns, now)) {
		supervisor->ttl_ns = 0;
		berth_supervisor_end(supervisor, BERTH_END_BY_TTL, BERTH_SERVICE_ON_STOP);
	}
	if (is_due(supervisor->service.deadline_ns, now))
		berth_supervisor_step(supervisor, BERTH_SERVICE_ON_TIMER);
	if (!supervisor->done && is_due(supervisor->save_ns, now))
		berth_supervisor_save(supervisor);
}

static void live(struct berth_supervisor *supervisor)
{
	struct berth_note started = { .kind = BERTH_NOTE_STARTED };

	berth_str_copy(started.text, sizeof(started.text), supervisor->id);
	if (berth_note_send(supervisor->report_fd, &started, NULL, -1) < 0)
		supervisor->guardian_gone = true;
	if (supervisor->job->ttl_ms)
		supervisor->ttl_ns = berth_time_mono_ns() + supervisor->job->ttl_ms * 1000000;
	berth_supervisor_event(
		supervisor, "leased",
		json_pack("{s:o}", "service", berth_supervisor_document(supervisor)));
	berth_supervisor_step(supervisor, BERTH_SERVICE_ON_START);
	while (!supervisor->done) {
		if (berth_loop_turn(&supervisor->loop, next_deadline(supervisor)) < 0)
			break;
		run_timers(supervisor);
		berth_supervisor_look_for_end(supervisor);
	}
}

static void deinit(struct berth_supervisor *supervisor)
{
	berth_fd_close(&supervisor->control_fd);
	/* The name is free, the ports are: those who wait for the end may hear of it. */
	berth_supervisor_answer_waiting(supervisor, true);
	berth_ports_deinit(&supervisor->ports);
	berth_notify_program_deinit(&supervisor->filter);
	berth_child_deinit(&supervisor->child);
	berth_cgroup_remove(&supervisor->cgroup);
	for (size_t i = 0; i < BERTH_SUPERVISOR_VIEWS_MAX; i++)
		if (supervisor->views[i].notify_fd >= 0)
			berth_steering_close_view(&supervisor->views[i]);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(supervisor->watches); i++)
		berth_fd_close(&supervisor->watches[i].pidfd);
	berth_outq_deinit(&supervisor->messages);
	berth_outq_deinit(&supervisor->status);
	berth_registry_close(&supervisor->registry);
	berth_loop_deinit(&supervisor->loop);
	berth_fd_close(&supervisor->memory_fd);
	berth_fd_close(&supervisor->log_fd);
	berth_fd_close(&supervisor->signal_fd);
	berth_fd_close(&supervisor->owner_fd);
	berth_fd_close(&supervisor->starter_fd);
	berth_fd_close(&supervisor->report_fd);
}

static void name_process(const struct berth_job *job)
{
	char name[16];

	snprintf(name, sizeof(name), "berth: %.8s", job->identity.service);
	prctl(PR_SET_NAME, name, 0, 0, 0);
}

/* What has no exit code of its own is berth's failure, which the command's codes leave 125 for. */
static int exit_of(const struct berth_err *err)
{
	bool named = err->code == BERTH_ERR_ALREADY_RUNNING || err->code == BERTH_ERR_NO_PORT ||
		     err->code == BERTH_ERR_CONFIG || err->code == BERTH_ERR_USAGE;

	return named ? berth_err_code_exit(err->code) : 125;
}

int berth_supervisor_run(struct berth_job *job, int report_fd, int starter_fd)
{
	struct berth_supervisor *supervisor = malloc(sizeof(*supervisor));
	struct berth_err err = { 0 };
	int exit_code;

	if (!supervisor)
		return 125;
	berth_supervisor_init(supervisor, job, report_fd, starter_fd);
	setpgid(0, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	name_process(job);
	if (berth_supervisor_prepare(supervisor, &err) < 0) {
		supervisor->exit_code = exit_of(&err);
		berth_supervisor_tell_starter(supervisor, BERTH_NOTE_FAILED, supervisor->exit_code,
					      &err);
	} else {
		live(supervisor);
	}
	exit_code = supervisor->exit_code;
	berth_supervisor_report(
		supervisor, BERTH_NOTE_ENDED, exit_code,
		supervisor->has_end && supervisor->end.by_signal ? supervisor->end.status : 0);
	deinit(supervisor);
	free(supervisor);
	return exit_code;
}
