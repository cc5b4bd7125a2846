/* SPDX-License-Identifier: MIT */
/*
 * app/doctor-steering.c - can we answer for a program here?
 *
 * Tried on a copy of this process that behaves like a program: it binds a number that it has in its
 * code, listens, and connects to itself. What the supervisor does for a service is done for it, by
 * its ancestor, and once more by a process that has not started it ("berth exec": the supervisor
 * answers for what another berth started), which security modules may forbid.
 */
#include "app/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "app/doctor-ptrace.h"
#include "app/scratch.h"
#include "base/time.h"
#include "os/notify.h"
#include "os/statefile.h"

enum {
	ASKED = 3000, /* what the program has in its code; nothing is ever bound to it */
};

struct filter_report {
	int error;
	bool no_new_privs_before, no_new_privs_after;
};

/* Returns false where no filter could be had. */
static bool install_and_say(int fd, const struct berth_notify_program *program)
{
	struct filter_report report = { .no_new_privs_before =
						prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) > 0 };
	int notify_fd = -1;

	report.error = berth_notify_install(program, &notify_fd);
	report.no_new_privs_after = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) > 0;
	berth_scratch_say(fd, &report, sizeof(report), notify_fd);
	berth_fd_close(&notify_fd);
	return report.error == 0;
}

static void be_filtered(int fd, const void *arg)
{
	install_and_say(fd, arg);
}

void berth_doctor_try_filter(struct berth_doctor_place *place)
{
	struct berth_notify_program program = { 0 };
	struct filter_report report = { 0 };
	struct berth_scratch scratch = { 0 };
	BERTH_AUTO_FD int notify_fd = -1;
	int r;

	r = berth_notify_program_new(true, &program);
	if (r == 0)
		r = berth_scratch_start(&scratch, be_filtered, &program);
	if (r == 0)
		r = berth_scratch_hear(scratch.fd, &report, sizeof(report), &notify_fd);
	berth_scratch_end(&scratch);
	berth_notify_program_deinit(&program);
	place->filter_error = r < 0 ? r : report.error;
	place->had_no_new_privs = report.no_new_privs_before;
	place->needs_no_new_privs = report.no_new_privs_after && !report.no_new_privs_before;
}

/* What happens to one call of the program, in the order of the calls. */
enum step {
	STEP_START,
	STEP_READ,
	STEP_FETCH,
	STEP_BIND,
	STEP_LISTEN,
	STEP_CONNECT,
	STEP_END,
	STEP_COUNT_,
};

static const char *const step_texts[] = {
	[STEP_START] = "start a program with a filter",
	[STEP_READ] = "read the memory of a program",
	[STEP_FETCH] = "take the socket of a program",
	[STEP_BIND] = "answer a bind()",
	[STEP_LISTEN] = "answer a listen()",
	[STEP_CONNECT] = "answer a connect()",
	[STEP_END] = "learn of the end of a program",
};

_Static_assert(BERTH_ARRAY_SIZE(step_texts) == STEP_COUNT_, "one text per step");

struct round {
	enum step step; /* the first that failed */
	int error; /* 0: none did */
};

struct program_report {
	int bind, listen, connect; /* 0, -errno */
	uint16_t bound, reached;
};

/* A server with a number in its code that then asks itself something. */
static void be_server(int fd, const void *arg)
{
	const struct linger now = { .l_onoff = 1 };
	struct berth_addr asked = berth_addr_loopback(AF_INET, ASKED), addr = asked;
	struct program_report report = { 0 };
	int server, client;

	/* An ordinary program may be looked at; ours may not where its file can't be read. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	if (!install_and_say(fd, arg))
		return;
	server = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	client = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	report.bind = berth_sock_bind(server, &asked);
	if (report.bind == 0 && berth_sock_name(server, &addr) == 0)
		report.bound = berth_addr_port(&addr);
	report.listen = report.bind ? report.bind : berth_sock_listen(server, 1);
	/* Closed by a reset: no TIME_WAIT stays. */
	(void)!setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	report.connect = report.listen				     ? report.listen
			 : connect(client, &asked.sa, asked.len) < 0 ? -errno
								     : 0;
	if (report.connect == 0 && getpeername(client, &addr.sa, &addr.len) == 0)
		report.reached = berth_addr_port(&addr);
	berth_scratch_say(fd, &report, sizeof(report), -1);
}

static int fail_at(struct round *round, enum step step, int error)
{
	if (!round->error)
		*round = (struct round){ .step = step, .error = error };
	return error;
}

static int carry_out(struct berth_lease *lease, const struct berth_notify_call *call, int fd,
		     struct berth_addr *addr)
{
	int r = 0;

	switch (call->kind) {
	case BERTH_NOTIFY_BIND:
		r = berth_lease_bind(lease, fd, addr);
		break;
	case BERTH_NOTIFY_LISTEN:
		r = berth_lease_listen(lease, fd, call->backlog);
		break;
	case BERTH_NOTIFY_CONNECT:
		berth_addr_set_port(addr, lease->port);
		r = connect(fd, &addr->sa, addr->len) < 0 ? -errno : 0;
		break;
	case BERTH_NOTIFY_SETSID:
	case BERTH_NOTIFY_LANDLOCK:
	case BERTH_NOTIFY_OTHER:
		break;
	}
	return r > 0 ? -EADDRINUSE : r;
}

/* Never continued on failure: the program would then really get the number that it asks for. */
static void answer(int notify_fd, struct berth_lease *lease, struct round *round)
{
	struct berth_notify_call call;
	struct berth_addr addr = { .len = 0 };
	BERTH_AUTO_FD int fd = -1;
	int r = 0;

	if (berth_notify_recv(notify_fd, &call) < 0)
		return;
	if (call.kind != BERTH_NOTIFY_LISTEN) {
		r = berth_notify_read_addr(notify_fd, &call, &addr);
		if (r < 0)
			fail_at(round, STEP_READ, r);
	}
	if (r == 0) {
		fd = berth_notify_get_fd(notify_fd, &call);
		r = fd < 0 ? fail_at(round, STEP_FETCH, fd) : carry_out(lease, &call, fd, &addr);
	}
	berth_notify_answer(notify_fd, &call, r);
}

static void judge(const struct program_report *report, uint16_t given, struct round *round)
{
	if (report->bind || report->bound != given)
		fail_at(round, STEP_BIND, report->bind ? report->bind : -EREMCHG);
	if (report->listen)
		fail_at(round, STEP_LISTEN, report->listen);
	if (report->connect || report->reached != given)
		fail_at(round, STEP_CONNECT, report->connect ? report->connect : -EREMCHG);
}

/* Answer the calls behind @notify_fd until the program has told on @program_fd how it fared. */
static void answer_all(int notify_fd, int program_fd, struct berth_lease *lease,
		       struct round *round)
{
	int64_t deadline = berth_time_mono_ns() + BERTH_SCRATCH_DEADLINE_MS * BERTH_NS_PER_MS;
	struct program_report report;
	struct pollfd fds[] = {
		{ .fd = notify_fd, .events = POLLIN },
		{ .fd = program_fd, .events = POLLIN },
	};

	while (!fds[1].revents) {
		int64_t left_ms = (deadline - berth_time_mono_ns()) / BERTH_NS_PER_MS;

		if (poll(fds, BERTH_ARRAY_SIZE(fds), left_ms > 0 ? (int)left_ms : 0) <= 0) {
			fail_at(round, STEP_BIND, -ETIMEDOUT);
			return;
		}
		if (fds[0].revents & POLLIN)
			answer(notify_fd, lease, round);
	}
	if (berth_scratch_hear(program_fd, &report, sizeof(report), NULL) < 0) {
		fail_at(round, STEP_BIND, -ECHILD);
		return;
	}
	judge(&report, lease->port, round);
	fds[0].events = 0; /* POLLHUP needs no asking */
	if (poll(fds, 1, BERTH_SCRATCH_DEADLINE_MS) <= 0)
		fail_at(round, STEP_END, -ETIMEDOUT);
}

struct answering {
	int notify_fd, program_fd;
	struct berth_lease *lease;
};

static void be_stranger(int fd, const void *arg)
{
	const struct answering *answering = arg;
	struct round round = { 0 };

	answer_all(answering->notify_fd, answering->program_fd, answering->lease, &round);
	berth_scratch_say(fd, &round, sizeof(round), -1);
}

/* The same by a process that is no ancestor of the program. */
static void answer_as_stranger(const struct answering *answering, struct round *round)
{
	struct berth_scratch stranger = { 0 };
	int r;

	r = berth_scratch_start(&stranger, be_stranger, answering);
	if (r == 0)
		r = berth_scratch_hear(stranger.fd, round, sizeof(*round), NULL);
	if (r < 0)
		fail_at(round, STEP_START, r);
	berth_scratch_end(&stranger);
}

/* A program asks for ASKED, and gets *@ret_port. */
static void play_round(const struct berth_doctor_place *place, bool stranger, struct round *round,
		       uint16_t *ret_port)
{
	struct berth_notify_program filter = { 0 };
	struct filter_report report = { 0 };
	struct berth_scratch program = { 0 };
	BERTH_AUTO_FD int notify_fd = -1;
	struct berth_lease lease;
	int r;

	berth_lease_init(&lease, place->means, SOCK_STREAM);
	r = berth_notify_program_new(true, &filter);
	if (r == 0)
		r = berth_lease_take_any(&lease);
	if (r == 0)
		r = berth_scratch_start(&program, be_server, &filter);
	if (r == 0)
		r = berth_scratch_hear(program.fd, &report, sizeof(report), &notify_fd);
	if (r == 0)
		r = report.error;
	if (r)
		fail_at(round, STEP_START, r > 0 ? -EADDRINUSE : r);
	else if (stranger)
		answer_as_stranger(&(struct answering){ notify_fd, program.fd, &lease }, round);
	else
		answer_all(notify_fd, program.fd, &lease, round);
	*ret_port = lease.port;
	berth_scratch_end(&program);
	berth_lease_release(&lease);
	berth_notify_program_deinit(&filter);
}

static void fix_refusal(const struct round *round, struct berth_doctor_finding *finding)
{
	if (round->step == STEP_READ || round->step == STEP_FETCH)
		berth_doctor_ptrace_fix(round->error, finding);
	else if ((round->error == -EPERM || round->error == -EACCES || round->error == -ENOSYS) &&
		 berth_doctor_ptrace_engine())
		berth_doctor_fix(finding, false, "%s run --security-opt seccomp=unconfined ...",
				 berth_doctor_ptrace_engine());
}

void berth_doctor_above(const struct berth_doctor_place *place,
			struct berth_doctor_finding *finding)
{
	if (*place->above) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   "we are inside of '%s', whose berth leases for all in here",
				   place->above);
	} else if (place->filter_error == -EBUSY) {
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
				   "a program above us answers system calls already "
				   "(SECCOMP_FILTER_FLAG_NEW_LISTENER)");
		berth_doctor_cost(finding, "there can be only one: nothing is steered here, and "
					   "'berth exec' has no view");
	} else {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   "no program above us answers system calls");
	}
}

void berth_doctor_steering(const struct berth_doctor_place *place,
			   struct berth_doctor_finding *finding)
{
	struct round round = { 0 };
	uint16_t port = 0;

	if (*place->above) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   "the berth of '%s' answers for all programs in here",
				   place->above);
		return;
	}
	if (place->filter_error)
		round = (struct round){ .step = STEP_START, .error = place->filter_error };
	else
		play_round(place, false, &round, &port);
	if (!round.error) {
		berth_doctor_found(
			finding, BERTH_DOCTOR_OK,
			"bind(), listen() and connect() of a program were answered: it asked "
			"for %u and got %u",
			ASKED, port);
		return;
	}
	if (round.error == -EBUSY)
		berth_doctor_found(
			finding, BERTH_DOCTOR_MISSING,
			"another program answers bind() here already, and there can be only "
			"one (WSL's mirrored networking, a sandbox)");
	else
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING, "cannot %s: %s",
				   step_texts[round.step], berth_scratch_error(round.error));
	berth_doctor_cost(finding,
			  "a program that has its port in its code is not moved to another one; "
			  "PORT and {port} still tell those that ask");
	fix_refusal(&round, finding);
}

void berth_doctor_view(const struct berth_doctor_place *place, struct berth_doctor_finding *finding)
{
	struct round round = { 0 };
	uint16_t port;

	if (*place->above) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK, "in here is the view of '%s' already",
				   place->above);
		return;
	}
	if (!place->filter_error)
		play_round(place, true, &round, &port);
	if (!place->filter_error && !round.error) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   "a program was answered by a process that had not started it");
		return;
	}
	if (place->filter_error)
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING, "there is none without steering");
	else
		berth_doctor_found(
			finding, BERTH_DOCTOR_MISSING,
			"a process that has not started a program cannot %s: %s%s",
			step_texts[round.step], berth_scratch_error(round.error),
			berth_doctor_ptrace_scope() > 0 ? " (Yama: kernel.yama.ptrace_scope)" : "");
	berth_doctor_cost(finding,
			  "what 'berth exec' starts reaches a moved service only at its real port");
	fix_refusal(&round, finding);
}

void berth_doctor_new_privileges(const struct berth_doctor_place *place,
				 struct berth_doctor_finding *finding)
{
	if (place->had_no_new_privs) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   "given up by what started this process: berth changes nothing");
	} else if (place->filter_error) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   "not given up: no filter can be had here");
	} else if (!place->needs_no_new_privs) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   "not given up: this user may steer without");
	} else {
		berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
				   "given up by all that is steered (no_new_privs)");
		berth_doctor_cost(finding, "sudo, su, fusermount, newuidmap (rootless "
					   "containers) and snaps fail in a service");
		berth_doctor_fix(finding, false, "berth run --steer=off COMMAND");
	}
}
