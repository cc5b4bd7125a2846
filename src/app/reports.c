/* SPDX-License-Identifier: MIT */
/* app/reports.c - what a supervisor, its guardian and a starter that waits say to each other */
#include "app/supervisor.h"

#include <signal.h>

#include "app/note.h"
#include "app/stack-run.h"
#include "base/time.h"

enum {
	INTERRUPTS = 3,
};

#define INTERRUPTS_NS 2000000000LL

void berth_supervisor_report(struct berth_supervisor *supervisor, enum berth_note_kind kind,
			     int value, int extra)
{
	const struct berth_note note = { .kind = kind, .value = value, .extra = extra };

	if (supervisor->report_fd >= 0 &&
	    berth_note_send(supervisor->report_fd, &note, NULL, -1) < 0)
		supervisor->guardian_gone = true;
}

static bool are_all_ready(const struct berth_supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->unit_count; i++)
		if (!supervisor->units[i]->was_ready)
			return false;
	return true;
}

/* One service as it is, several as {"services": [...]}. */
static json_t *describe(struct berth_supervisor *supervisor)
{
	json_t *services;

	if (!supervisor->unit_count || !supervisor->units[0]->started_ms)
		return NULL;
	if (supervisor->unit_count == 1)
		return berth_unit_document(supervisor->units[0]);
	services = json_array();
	for (size_t i = 0; i < supervisor->unit_count; i++)
		json_array_append_new(services, berth_unit_document(supervisor->units[i]));
	return json_pack("{s:o}", "services", services);
}

void berth_supervisor_tell_starter(struct berth_supervisor *supervisor, enum berth_note_kind kind,
				   int value, const struct berth_err *err)
{
	struct berth_note note = { .kind = kind, .value = value };
	BERTH_AUTO_JSON json_t *document = NULL;
	int fd = supervisor->starter_fd >= 0 ? supervisor->starter_fd : supervisor->report_fd;

	if (kind == BERTH_NOTE_READY && !are_all_ready(supervisor))
		return;
	if (err)
		note.err = *err;
	document = describe(supervisor);
	/* A starter that waits no longer needs no answer. */
	(void)!berth_note_send(fd, &note, document, -1);
	if (supervisor->starter_fd >= 0 && kind == BERTH_NOTE_READY)
		berth_fd_close(&supervisor->starter_fd);
}

void berth_supervisor_tell_stack(struct berth_supervisor *supervisor, enum berth_note_kind kind,
				 int value, const struct berth_err *err)
{
	struct berth_note note = { .kind = kind, .value = value };
	int fd = supervisor->starter_fd >= 0 ? supervisor->starter_fd : supervisor->report_fd;

	BERTH_AUTO_JSON json_t *document = berth_stack_run_document(supervisor, NULL);

	if (err)
		note.err = *err;
	(void)!berth_note_send(fd, &note, document, -1);
	/* The guardian hears of it too, in the background as well: a service manager may ask it. */
	if (supervisor->starter_fd >= 0 && kind == BERTH_NOTE_READY)
		berth_supervisor_report(supervisor, kind, value, 0);
	berth_fd_close(&supervisor->starter_fd);
}

/*
 * A command that has not listened yet may be anything: in a REPL or a prompt Ctrl-C is a word of
 * its language, not the end. It is the command's own affair until somebody presses it three times
 * in two seconds.
 */
static bool is_pressed_thrice(struct berth_supervisor *supervisor)
{
	int64_t now = berth_time_mono_ns();

	if (now - supervisor->interrupt_ns > INTERRUPTS_NS)
		supervisor->interrupts = 0;
	if (!supervisor->interrupts++)
		supervisor->interrupt_ns = now;
	return supervisor->interrupts >= INTERRUPTS;
}

static void signal_mains(struct berth_supervisor *supervisor, int signo)
{
	for (size_t i = 0; i < supervisor->unit_count; i++)
		for (size_t j = 0; j < supervisor->units[i]->worker_count; j++)
			berth_unit_signal_main(supervisor->units[i]->workers[j], signo);
}

bool berth_supervisor_was_interrupted(const struct berth_supervisor *supervisor)
{
	return supervisor->interrupts &&
	       berth_time_mono_ns() - supervisor->interrupt_ns <= INTERRUPTS_NS;
}

/* Between two lives there is nobody who could take it for a word. */
static bool is_anybody_there(const struct berth_supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->unit_count; i++)
		for (size_t j = 0; j < supervisor->units[i]->worker_count; j++) {
			enum berth_service_state state =
				supervisor->units[i]->workers[j]->service.state;

			if (state != BERTH_SERVICE_WAITING && state != BERTH_SERVICE_STOPPED &&
			    state != BERTH_SERVICE_FAILED)
				return true;
		}
	return false;
}

static void on_interrupt(struct berth_supervisor *supervisor, const struct berth_note *note)
{
	bool again = berth_supervisor_is_stopping(supervisor);
	bool is_end = berth_supervisor_was_ready(supervisor) || !is_anybody_there(supervisor);

	/* The services of a stack are in sessions of their own. */
	if (supervisor->stack) {
		berth_supervisor_end(supervisor, BERTH_END_BY_INTERRUPT,
				     again ? BERTH_SERVICE_ON_KILL : BERTH_SERVICE_ON_STOP);
		return;
	}
	if (!note->extra)
		signal_mains(supervisor, SIGINT);
	if (!again && !is_end && !is_pressed_thrice(supervisor))
		return;
	berth_supervisor_end(supervisor, BERTH_END_BY_INTERRUPT,
			     again || !is_end ? BERTH_SERVICE_ON_KILL : BERTH_SERVICE_ON_INTERRUPT);
}

/* In the foreground the guardian is what the user, an IDE or a test runner kills. */
static void on_guardian_gone(struct berth_supervisor *supervisor)
{
	berth_loop_remove(&supervisor->loop, &supervisor->report_source);
	berth_fd_close(&supervisor->report_fd);
	supervisor->guardian_gone = true;
	for (size_t i = 0; i < supervisor->unit_count && supervisor->job->detach; i++)
		berth_unit_touch(supervisor->units[i]);
	if (!supervisor->job->detach)
		berth_supervisor_end(supervisor, BERTH_END_BY_GUARDIAN, BERTH_SERVICE_ON_KILL);
}

/* A service may have a meaning for it; a stack has none but the end. */
static bool is_end_of_stack(int signo)
{
	return signo == SIGHUP || signo == SIGQUIT;
}

void berth_supervisor_on_report(struct berth_loop_source *source, uint32_t events)
{
	struct berth_supervisor *supervisor =
		berth_container_of(source, struct berth_supervisor, report_source);
	struct berth_note note;

	if (berth_note_recv(supervisor->report_fd, &note, NULL, NULL) <= 0) {
		on_guardian_gone(supervisor);
		return;
	}
	if (note.kind == BERTH_NOTE_HANGUP)
		berth_supervisor_end(supervisor, BERTH_END_BY_INTERRUPT, BERTH_SERVICE_ON_STOP);
	else if (note.kind == BERTH_NOTE_SIGNAL && note.value == SIGINT)
		on_interrupt(supervisor, &note);
	else if (note.kind == BERTH_NOTE_SIGNAL &&
		 (note.value == SIGTERM || (supervisor->stack && is_end_of_stack(note.value))))
		berth_supervisor_end(supervisor, BERTH_END_BY_USER, BERTH_SERVICE_ON_STOP);
	else if (note.kind == BERTH_NOTE_SIGNAL && !note.extra)
		signal_mains(supervisor, note.value);
}
