/* SPDX-License-Identifier: MIT */
/*
 * app/guardian.c - the front and the ancestor: what the shell sees, and who clears up if the
 * supervisor can't
 *
 * shell -> guardian -> supervisor -> service. As an ancestor and a subreaper
 * (PR_SET_CHILD_SUBREAPER) the guardian inherits every process of the service when the supervisor
 * is killed, whatever that process has done to its session, environment and descriptors; it ends
 * them until none is left. It holds no port and no name, so that the kernel has freed them by then.
 * What it does hold is a duplicate of the notify descriptor of each tree: a call that is trapped at
 * that moment waits, to be killed, and does not fail. It is closed when nobody of the tree is left.
 *
 * Some services have a part that is nobody's child, a container of Docker's. For that there is the
 * stop command (app/ending.c), of which the supervisor tells before each life; when that is killed,
 * it is carried out here, after all descendants have been ended, the supervisor's own attempt at it
 * among them: so it never runs twice at a time.
 *
 * As the first process of a container (pid 1) it is the same. It takes its signals from a
 * descriptor, so it needs no dispositions, which pid 1 does not have; nobody inside can kill it,
 * and its end is everybody's. What others leave to it (podman exec) it reaps, and else leaves
 * alone.
 */
#include "app/guardian.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "app/front.h"
#include "app/note.h"
#include "app/stop-order.h"
#include "app/sweep.h"
#include "base/str.h"
#include "os/sdnotify.h"
#include "os/tree.h"

enum {
	SPARE_MAX = 64,
	TREES_MAX = 4096,
	TREES_FIRST = 13,
	TREES_OF_ANY_LIMIT = 512, /* descriptors that every process may have */
};

/* What is polled: three of our own, then a notify descriptor for each tree that lives. */
enum {
	FD_REPORT,
	FD_FRONT,
	FD_SUPERVISOR,
	FD_FIRST_TREE,
};

struct guardian {
	const struct berth_job *job;
	int report_fd, front_fd, supervisor_fd;
	struct pollfd *fds; /* the first ones, then allocated; those of the trees are owned */
	size_t fd_count, fd_size;
	struct pollfd first[FD_FIRST_TREE + TREES_FIRST];
	pid_t supervisor;
	bool foreground;
	bool has_terminal; /* had, at the start: only then its hang-up can be meant */
	bool ended; /* the supervisor has said how */
	bool started; /* there are records of what it had started */
	pid_t spare[SPARE_MAX + 1]; /* children from before an exec of ours, and what was opened for
				       the service; zero-terminated */
	size_t spare_count;
	json_t *orders; /* owned; stop commands by the id of their unit; NULL: none */
	struct berth_guardian_end end;
	struct berth_err *err;
};

void berth_guardian_prepare(void)
{
	berth_front_block();
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static void spare(struct guardian *guardian, pid_t pid)
{
	if (guardian->spare_count < SPARE_MAX)
		guardian->spare[guardian->spare_count++] = pid;
}

/*
 * `exec berth run` in a script with jobs of its own: they are our children, and none of the
 * service.
 */
static void spare_children(struct guardian *guardian)
{
	struct berth_tree tree;
	siginfo_t info = { 0 };

	/* The supervisor is one; with nobody else, the look at all processes can be spared. */
	if (berth_tree_has_one_child(guardian->supervisor) ||
	    waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    berth_tree_load(getpid(), NULL, &tree) < 0)
		return;
	for (size_t i = 0; i < tree.count; i++)
		if (tree.procs[i].ppid == getpid() && tree.procs[i].id.pid != guardian->supervisor)
			spare(guardian, tree.procs[i].id.pid);
	berth_tree_deinit(&tree);
}

/* It has ended: the number may come again, for one of the service. */
static void unspare(struct guardian *guardian, pid_t pid)
{
	for (size_t i = 0; i < guardian->spare_count; i++)
		if (guardian->spare[i] == pid) {
			guardian->spare[i] = guardian->spare[--guardian->spare_count];
			guardian->spare[guardian->spare_count] = 0;
			return;
		}
}

/*
 * While the supervisor lives these are orphans of others: jobs of a script that has become us by
 * exec, in a container what podman exec left. The supervisor itself is left for the end.
 */
static void reap_strangers(struct guardian *guardian)
{
	for (;;) {
		siginfo_t info = { 0 };

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid ||
		    info.si_pid == guardian->supervisor)
			return;
		unspare(guardian, info.si_pid);
		waitpid(info.si_pid, NULL, WNOHANG);
	}
}

static bool make_room(struct guardian *guardian)
{
	struct pollfd *grown;

	if (guardian->fd_count < guardian->fd_size)
		return true;
	grown = reallocarray(guardian->fds == guardian->first ? NULL : guardian->fds,
			     guardian->fd_size * 2, sizeof(*grown));
	if (!grown)
		return false;
	if (guardian->fds == guardian->first)
		memcpy(grown, guardian->first, sizeof(guardian->first));
	guardian->fds = grown;
	guardian->fd_size *= 2;
	return true;
}

static void raise_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Consumes @fd. One more than we can hold is not held: its trapped calls fail if we are needed. */
static void watch_tree(struct guardian *guardian, int fd)
{
	if (fd < 0)
		return;
	if (guardian->fd_count == FD_FIRST_TREE + TREES_OF_ANY_LIMIT)
		raise_open_files();
	if (guardian->fd_count == FD_FIRST_TREE + TREES_MAX || !make_room(guardian)) {
		close(fd);
		return;
	}
	/* No events: only of its end, which comes unasked, will we be told. */
	guardian->fds[guardian->fd_count++] = (struct pollfd){ .fd = fd };
}

static void close_ended_trees(struct guardian *guardian)
{
	for (size_t i = FD_FIRST_TREE; i < guardian->fd_count;) {
		if (!guardian->fds[i].revents) {
			i++;
			continue;
		}
		close(guardian->fds[i].fd);
		guardian->fds[i] = guardian->fds[--guardian->fd_count];
	}
}

static void tell(struct guardian *guardian, enum berth_note_kind kind, int value, int extra)
{
	const struct berth_note note = { .kind = kind, .value = value, .extra = extra };

	/* Full or gone: its end will show. */
	if (guardian->report_fd >= 0)
		(void)!berth_note_send(guardian->report_fd, &note, NULL, -1);
}

/*
 * A stack may be a unit of systemd's, of which we are the main process. What a single service has to
 * say is its own affair.
 */
static void say_to_manager(const struct guardian *guardian, const char *text)
{
	if (guardian->foreground && guardian->job->stack)
		(void)!berth_sdnotify_send(text);
}

/* One without a command takes back what was told of that unit. */
static void keep_order(struct guardian *guardian, json_t *order)
{
	const char *id = berth_json_string(order, "id", "");

	if (!guardian->orders)
		guardian->orders = json_object();
	if (!json_object_get(order, "argv"))
		json_object_del(guardian->orders, id);
	else if (json_object_size(guardian->orders) < BERTH_STOP_ORDERS_MAX)
		json_object_set(guardian->orders, id, order);
}

static void on_note(struct guardian *guardian)
{
	BERTH_AUTO_JSON json_t *document = NULL;
	struct berth_note note;
	int fd = -1;
	int r;

	r = berth_note_recv(guardian->report_fd, &note, &document, &fd);
	if (r == -EINTR || r == -EAGAIN)
		return;
	if (r <= 0) {
		berth_fd_close(&guardian->report_fd);
		return;
	}
	switch (note.kind) {
	case BERTH_NOTE_STARTED:
		guardian->started = true;
		break;
	case BERTH_NOTE_WATCH:
		watch_tree(guardian, berth_fd_steal(&fd));
		break;
	case BERTH_NOTE_SPARE:
		spare(guardian, note.value);
		break;
	case BERTH_NOTE_ORDER:
		keep_order(guardian, document);
		break;
	case BERTH_NOTE_STOPPED:
		if (guardian->foreground)
			berth_front_stop();
		break;
	case BERTH_NOTE_FAILED:
		*guardian->err = note.err;
		guardian->end.exit_code = note.value;
		break;
	case BERTH_NOTE_ENDED:
		say_to_manager(guardian, "STOPPING=1");
		guardian->ended = true;
		guardian->end.signal = note.extra;
		if (guardian->err->code == BERTH_ERR_NONE)
			guardian->end.exit_code = note.value;
		break;
	case BERTH_NOTE_READY:
		say_to_manager(guardian, "READY=1");
		break;
	case BERTH_NOTE_SIGNAL:
	case BERTH_NOTE_HANGUP:
		break;
	}
	berth_fd_close(&fd);
}

static bool has_note(const struct guardian *guardian)
{
	struct pollfd poll_fd = { .fd = guardian->report_fd, .events = POLLIN };

	return guardian->report_fd >= 0 && poll(&poll_fd, 1, 0) == 1;
}

static bool is_pause(int signo)
{
	return signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU;
}

static void on_front(struct guardian *guardian)
{
	struct berth_front_signal signal;

	while (berth_front_next(guardian->front_fd, &signal)) {
		if (signal.signo == SIGCHLD) {
			reap_strangers(guardian);
			continue;
		}
		if (!guardian->foreground && signal.signo == SIGINT)
			continue;
		if (is_pause(signal.signo) && guardian->job->stack) {
			/* Its services are in sessions of their own, and go on. */
			berth_front_stop();
			continue;
		}
		if (signal.signo == SIGINT || signal.signo == SIGTERM)
			say_to_manager(guardian, "STOPPING=1");
		if (signal.signo == SIGINT && signal.from_terminal)
			guardian->end.interrupted = true;
		if (signal.hangup && guardian->has_terminal)
			tell(guardian, BERTH_NOTE_HANGUP, 0, 0);
		else
			tell(guardian, BERTH_NOTE_SIGNAL, signal.signo, signal.from_terminal);
	}
}

/* What they say is told where berth itself says it: in the background, nowhere. */
static void carry_out_orders(struct guardian *guardian)
{
	BERTH_AUTO_JSON json_t *orders = NULL;
	const char *id;
	json_t *order;

	if (!json_object_size(guardian->orders))
		return;
	orders = json_array();
	json_object_foreach (guardian->orders, id, order)
		json_array_append(orders, order);
	guardian->end.stop_failures = (unsigned int)berth_stop_order_run_all(orders, STDERR_FILENO);
	/* What they have left behind has fallen to us. */
	berth_sweep_descendants(guardian->spare);
}

/* The supervisor was killed: all that it had told of is cleared up. */
static void clear_up(struct guardian *guardian)
{
	BERTH_AUTO_JSON json_t *records = NULL;
	struct berth_registry registry;
	json_t *record;
	size_t i;

	guardian->end.lost = true;
	guardian->end.exit_code = 125;
	guardian->end.swept = berth_sweep_descendants(guardian->spare);
	carry_out_orders(guardian);
	if (!guardian->started || berth_registry_open(&registry, NULL) < 0)
		return;
	if (berth_registry_load(&registry, &records) == 0)
		json_array_foreach (records, i, record)
			if (berth_registry_process(record, "guardian").pid == getpid())
				berth_sweep_record(&registry, record);
	berth_registry_close(&registry);
}

/* Until the supervisor has ended. */
static void watch(struct guardian *guardian)
{
	const int fixed[FD_FIRST_TREE] = {
		[FD_REPORT] = guardian->report_fd,
		[FD_FRONT] = guardian->front_fd,
		[FD_SUPERVISOR] = guardian->supervisor_fd,
	};

	guardian->fds = guardian->first;
	guardian->fd_size = BERTH_ARRAY_SIZE(guardian->first);
	for (size_t i = 0; i < FD_FIRST_TREE; i++)
		guardian->fds[i] = (struct pollfd){ .fd = fixed[i], .events = POLLIN };
	guardian->fd_count = FD_FIRST_TREE;
	for (;;) {
		guardian->fds[FD_REPORT].fd = guardian->report_fd;
		if (poll(guardian->fds, guardian->fd_count, -1) < 0)
			continue;
		close_ended_trees(guardian);
		if (guardian->fds[FD_FRONT].revents)
			on_front(guardian);
		if (guardian->fds[FD_REPORT].revents)
			on_note(guardian);
		if (guardian->fds[FD_SUPERVISOR].revents)
			return;
	}
}

void berth_guardian_run(const struct berth_job *job, int report_fd, pid_t pid, int pidfd,
			bool foreground, struct berth_guardian_end *ret_end, struct berth_err *err)
{
	struct guardian guardian = {
		.job = job,
		.report_fd = report_fd,
		.supervisor_fd = pidfd,
		.supervisor = pid,
		.front_fd = berth_front_open(),
		.foreground = foreground,
		.has_terminal = berth_front_has_terminal(),
		.err = err,
	};

	spare_children(&guardian);
	watch(&guardian);
	/* Its last words: they may have come after the look at the socket, before that at the process. */
	while (has_note(&guardian))
		on_note(&guardian);
	if (!guardian.ended)
		clear_up(&guardian);
	waitpid(guardian.supervisor, NULL, 0);
	berth_fd_close(&guardian.supervisor_fd);
	berth_fd_close(&guardian.report_fd);
	berth_fd_close(&guardian.front_fd);
	for (size_t i = FD_FIRST_TREE; i < guardian.fd_count; i++)
		close(guardian.fds[i].fd);
	if (guardian.fds != guardian.first)
		free(guardian.fds);
	json_decref(guardian.orders);
	*ret_end = guardian.end;
}
