/* SPDX-License-Identifier: MIT */
/* app/serve.c - the control socket of a unit, seen from inside the supervisor */
#include "app/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

#include "app/control.h"
#include "app/stack-run.h"
#include "os/uds.h"

static void close_client(struct berth_client *client)
{
	struct berth_supervisor *supervisor = client->supervisor;

	berth_loop_remove(&supervisor->loop, &client->source);
	berth_fd_close(&client->fd);
	for (size_t i = 0; i < BERTH_SUPERVISOR_CLIENTS_MAX; i++)
		if (supervisor->clients[i] == client)
			supervisor->clients[i] = NULL;
	json_decref(client->services);
	free(client);
}

void berth_client_reply(struct berth_client *client, json_t *answer)
{
	BERTH_AUTO_JSON json_t *owned = answer;
	BERTH_AUTO_FREE char *text = owned ? berth_json_line(owned) : NULL;

	/* Its end of file follows. */
	if (!text || berth_uds_send(client->fd, text, strlen(text), -1) < 0)
		shutdown(client->fd, SHUT_RDWR);
}

void berth_client_fail_with(struct berth_client *client, const struct berth_err *err)
{
	berth_client_reply(client, json_pack("{s:b,s:{s:s,s:o,s:o}}", "ok", 0, "error", "code",
					     berth_err_code_name(err->code), "message",
					     berth_json_text(err->msg), "hint",
					     berth_json_text_or_null(err->hint)));
}

void berth_client_fail(struct berth_client *client, enum berth_err_code code, const char *message)
{
	struct berth_err err = { 0 };

	berth_err_set(&err, -EPROTO, code, "%s", message);
	berth_client_fail_with(client, &err);
}

void berth_client_reply_service(struct berth_client *client)
{
	struct berth_unit *unit = client->unit;

	berth_client_reply(client, json_pack("{s:b,s:o,s:s,s:b}", "ok", 1, "service",
					     berth_unit_document(unit), "also_ended",
					     unit->also_ended ? unit->also_ended : "", "others",
					     unit->supervisor->unit_count > 1));
}

/* No place, or no descriptor, for one more: it comes again. */
static void send_busy(int fd)
{
	BERTH_AUTO_JSON json_t *answer =
		json_pack("{s:b,s:b,s:{s:s,s:s}}", "ok", 0, "busy", 1, "error", "code",
			  berth_err_code_name(BERTH_ERR_REFUSED), "message",
			  "too many clients wait for this supervisor");
	BERTH_AUTO_FREE char *text = answer ? berth_json_line(answer) : NULL;

	if (text)
		(void)!berth_uds_send(fd, text, strlen(text), -1);
}

/* What ends a service, and what is asked to see whether anybody is there. */
static bool has_precedence(const json_t *request)
{
	static const char *const names[] = { "stop", "down", "status" };
	const char *name = berth_json_string(request, "do", "");

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void on_client(struct berth_loop_source *source, uint32_t events)
{
	struct berth_client *client = berth_container_of(source, struct berth_client, source);
	BERTH_AUTO_FREE char *text = malloc(BERTH_CONTROL_MAX);
	BERTH_AUTO_JSON json_t *request = NULL;
	BERTH_AUTO_FD int fd = -1;
	ssize_t n;

	n = text ? berth_uds_recv(client->fd, text, BERTH_CONTROL_MAX, &fd) : 0;
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		close_client(client);
		return;
	}
	request = berth_json_parse(text, (size_t)n);
	if (client->reserved && !has_precedence(request)) {
		send_busy(client->fd);
		close_client(client);
		return;
	}
	berth_client_ask(client, request, fd);
}

/*
 * There is no descriptor left for one more client: it hears so at once. Left in the queue, it would
 * wake us again and again.
 */
static void turn_away(struct berth_supervisor *supervisor, int listen_fd)
{
	int fd;

	berth_fd_close(&supervisor->spare_fd);
	fd = berth_uds_accept(listen_fd);
	if (fd >= 0)
		send_busy(fd);
	berth_fd_close(&fd);
	supervisor->spare_fd = fcntl(supervisor->signal_fd, F_DUPFD_CLOEXEC, 0);
}

/* @unit NULL: of the stack. */
static void take_client(struct berth_supervisor *supervisor, struct berth_unit *unit, int listen_fd)
{
	BERTH_AUTO_FD int fd = berth_uds_accept(listen_fd);
	struct berth_client *client;
	size_t slot = 0;
	uid_t uid;
	pid_t pid;

	if (fd == -EMFILE || fd == -ENFILE)
		turn_away(supervisor, listen_fd);
	if (fd < 0 || berth_uds_peer(fd, &pid, &uid) < 0 || (uid != geteuid() && uid != 0))
		return;
	while (slot < BERTH_SUPERVISOR_CLIENTS_MAX && supervisor->clients[slot])
		slot++;
	client = slot < BERTH_SUPERVISOR_CLIENTS_MAX ? calloc(1, sizeof(*client)) : NULL;
	if (!client) {
		send_busy(fd);
		return;
	}
	client->reserved = slot >= BERTH_SUPERVISOR_CLIENTS_MAX - BERTH_SUPERVISOR_CLIENTS_RESERVED;
	client->supervisor = supervisor;
	client->unit = unit;
	client->fd = fd;
	if (berth_loop_add(&supervisor->loop, &client->source, fd, EPOLLIN, on_client) < 0) {
		free(client);
		return;
	}
	supervisor->clients[slot] = client;
	(void)berth_fd_steal(&fd);
}

static void on_connection(struct berth_loop_source *source, uint32_t events)
{
	struct berth_unit *unit = berth_container_of(source, struct berth_unit, control_source);

	take_client(unit->supervisor, unit, unit->control_fd);
}

static void on_stack_connection(struct berth_loop_source *source, uint32_t events)
{
	struct berth_stack_run *run =
		berth_container_of(source, struct berth_stack_run, control_source);

	take_client(run->supervisor, NULL, run->control_fd);
}

static int listen_at(struct berth_supervisor *supervisor, const char *name,
		     struct berth_loop_source *source,
		     void (*fn)(struct berth_loop_source *source, uint32_t events), int *ret_fd)
{
	int fd = berth_uds_listen_abstract(name, SOCK_SEQPACKET);
	int r;

	if (fd < 0)
		return fd;
	r = berth_loop_add(&supervisor->loop, source, fd, EPOLLIN, fn);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int berth_client_listen(struct berth_unit *unit)
{
	return listen_at(unit->supervisor, unit->socket_name, &unit->control_source, on_connection,
			 &unit->control_fd);
}

int berth_client_listen_stack(struct berth_stack_run *run, const char *name)
{
	return listen_at(run->supervisor, name, &run->control_source, on_stack_connection,
			 &run->control_fd);
}

/* As many as are wanted, each ready, and nothing that is still to go. */
static bool is_complete(const struct berth_unit *unit)
{
	for (size_t i = 0; i < unit->worker_count; i++)
		if (unit->workers[i]->service.state != BERTH_SERVICE_READY)
			return false;
	return unit->worker_count == unit->job->workers;
}

/* All instances of its service. */
static bool are_all_complete(const struct berth_unit *unit)
{
	const struct berth_supervisor *supervisor = unit->supervisor;

	for (size_t i = 0; i < supervisor->unit_count; i++)
		if (supervisor->units[i]->job->member == unit->job->member &&
		    !is_complete(supervisor->units[i]))
			return false;
	return true;
}

static bool is_answered(const struct berth_client *client, bool final)
{
	const struct berth_unit *unit = client->unit;

	if (final)
		return client->waits;
	return ((client->waits & BERTH_CLIENT_WAITS_FOR_READY) &&
		unit->state == BERTH_SERVICE_READY) ||
	       ((client->waits & BERTH_CLIENT_WAITS_FOR_RESTART) && is_complete(unit)) ||
	       ((client->waits & BERTH_CLIENT_WAITS_FOR_SCALE) && are_all_complete(unit)) ||
	       ((client->waits & BERTH_CLIENT_WAITS_FOR_ROLLOUT) &&
		!berth_rollout_is_rolling(&unit->rollout));
}

void berth_client_fail_waiting(struct berth_unit *unit, unsigned int waits,
			       const struct berth_err *err)
{
	for (size_t i = 0; i < BERTH_SUPERVISOR_CLIENTS_MAX; i++) {
		struct berth_client *client = unit->supervisor->clients[i];

		if (!client || !(client->waits & waits))
			continue;
		/* Of instances all are waited for by one client. */
		if (client->unit != unit &&
		    (!client->unit || client->unit->job->member != unit->job->member ||
		     !(client->waits & waits & BERTH_CLIENT_WAITS_FOR_SCALE)))
			continue;
		client->waits = 0;
		berth_client_fail_with(client, err);
	}
}

void berth_client_answer_waiting(struct berth_unit *unit, bool final)
{
	bool answered;

	for (size_t i = 0; i < BERTH_SUPERVISOR_CLIENTS_MAX; i++) {
		struct berth_client *client = unit->supervisor->clients[i];
		bool rollout = client && (client->waits & BERTH_CLIENT_WAITS_FOR_ROLLOUT);

		if (!client || client->unit != unit)
			continue;
		answered = is_answered(client, final);
		/* Whoever is answered finds the record as the answer says. */
		if (answered && !final && unit->save_ns)
			berth_unit_save(unit);
		if (answered && rollout && unit->rollout_fault)
			berth_client_fail(client,
					  unit->rollout_refused ? BERTH_ERR_REFUSED
								: BERTH_ERR_START_FAILED,
					  unit->rollout_fault);
		else if (answered)
			berth_client_reply_service(client);
		else if (!final)
			continue;
		client->waits = 0;
		if (final)
			close_client(client);
	}
}

void berth_client_answer_all(struct berth_supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->unit_count; i++)
		berth_client_answer_waiting(supervisor->units[i], false);
}

void berth_client_answer_ended(struct berth_supervisor *supervisor, pid_t pid,
			       const struct berth_child_end *end)
{
	for (size_t i = 0; i < BERTH_SUPERVISOR_CLIENTS_MAX; i++) {
		struct berth_client *client = supervisor->clients[i];

		if (!client || client->waits_for_pid != pid)
			continue;
		client->waits_for_pid = 0;
		berth_client_reply(
			client, json_pack("{s:b,s:i}", "ok", 1, "exit", berth_child_end_exit(end)));
	}
}
