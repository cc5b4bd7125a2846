/* SPDX-License-Identifier: MIT */
/* app/serve.c - the control socket of a supervisor, seen from inside it */
#include "app/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "app/control.h"
#include "app/steering.h"
#include "base/str.h"
#include "base/time.h"
#include "os/uds.h"

/* Longer than anybody waits, and far from overflowing in ns. */
#define GRACE_MAX_MS (366 * 24 * 3600 * 1000LL)

static void close_client(struct berth_client *client)
{
	berth_loop_remove(&client->supervisor->loop, &client->source);
	berth_fd_close(&client->fd);
	client->waits_for_end = client->waits_for_ready = false;
	client->waits_for_pid = 0;
}

/* Consumes @answer. A client that does not read its answer is cut off: nobody waits for it. */
static void reply(struct berth_client *client, json_t *answer)
{
	BERTH_AUTO_JSON json_t *owned = answer;
	BERTH_AUTO_FREE char *text = owned ? berth_json_line(owned) : NULL;

	if (!text || berth_uds_send(client->fd, text, strlen(text), -1) < 0)
		close_client(client);
}

static void reply_error(struct berth_client *client, enum berth_err_code code, const char *message)
{
	reply(client, json_pack("{s:b,s:{s:s,s:s,s:n}}", "ok", 0, "error", "code",
				berth_err_code_name(code), "message", message, "hint"));
}

static void reply_service(struct berth_client *client)
{
	reply(client, json_pack("{s:b,s:o,s:s}", "ok", 1, "service",
				berth_supervisor_document(client->supervisor), "also_ended",
				client->supervisor->also_ended));
}

static json_t *environment_answer(struct berth_client *client)
{
	json_t *words = json_array();
	char **env;

	if (berth_supervisor_environment(client->supervisor, &env) < 0) {
		json_decref(words);
		return NULL;
	}
	for (char **word = env; *word; word++)
		json_array_append_new(words, berth_json_text(*word));
	berth_supervisor_free_words(env);
	return json_pack("{s:b,s:s,s:o}", "ok", 1, "id", client->supervisor->id, "env", words);
}

static void do_status(struct berth_client *client, const json_t *request, int fd)
{
	berth_supervisor_check_all(client->supervisor);
	berth_supervisor_recover(client->supervisor);
	reply_service(client);
}

/* Answered when it is ready, or has ended. */
static void do_await(struct berth_client *client, const json_t *request, int fd)
{
	if (client->supervisor->service.state == BERTH_SERVICE_READY)
		reply_service(client);
	else
		client->waits_for_ready = true;
}

static void do_stop(struct berth_client *client, const json_t *request, int fd)
{
	struct berth_supervisor *supervisor = client->supervisor;
	int64_t grace_ms = berth_json_int(request, "grace_ms", -1);
	bool force = strcmp(berth_json_string(request, "cause", "user"), "force") == 0;
	bool hard = berth_json_bool(request, "kill", false);

	client->waits_for_end = true;
	if (grace_ms >= 0 && grace_ms <= GRACE_MAX_MS)
		supervisor->service.times.grace_ns = grace_ms * 1000000;
	berth_supervisor_end(supervisor, force ? BERTH_END_BY_FORCE : BERTH_END_BY_USER,
			     hard ? BERTH_SERVICE_ON_KILL : BERTH_SERVICE_ON_STOP);
}

static void do_restart(struct berth_client *client, const json_t *request, int fd)
{
	client->waits_for_ready = true;
	client->supervisor->cause = BERTH_END_BY_USER;
	berth_supervisor_step(client->supervisor, BERTH_SERVICE_ON_RESTART);
}

static void do_environment(struct berth_client *client, const json_t *request, int fd)
{
	reply(client, environment_answer(client));
}

static void do_view(struct berth_client *client, const json_t *request, int fd)
{
	int duplicate = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

	if (duplicate < 0) {
		reply_error(client, BERTH_ERR_USAGE, "a view needs its notify descriptor");
		return;
	}
	if (berth_steering_add_view(client->supervisor, duplicate, false) < 0) {
		close(duplicate);
		reply_error(client, BERTH_ERR_REFUSED, "too many commands run in this copy's view");
		return;
	}
	reply(client, json_pack("{s:b}", "ok", 1));
}

/*
 * Leases and starts are for processes of the service itself: nobody else has a claim to this copy's
 * table.
 */
static bool is_from_inside(struct berth_client *client)
{
	struct berth_proc_stat stat;
	uid_t uid;
	pid_t pid;

	if (berth_uds_peer(client->fd, &pid, &uid) < 0)
		return false;
	for (int depth = 0; depth < 64 && pid > 1; depth++) {
		if (pid == client->supervisor->self.pid)
			return true;
		if (berth_procfs_stat(pid, &stat) < 0)
			return false;
		pid = stat.ppid;
	}
	return false;
}

static int read_wish(const json_t *request, struct berth_wish *wish)
{
	const json_t *ports = json_object_get(request, "ports");
	const json_t *range = json_object_get(request, "range");
	const json_t *port, *number;
	size_t i, j;

	json_array_foreach (ports, i, port) {
		struct berth_wish_port *wished = &wish->ports[wish->port_count];

		if (wish->port_count == BERTH_WISH_PORTS_MAX)
			return -E2BIG;
		berth_str_copy(wished->name, sizeof(wished->name),
			       berth_json_string(port, "name", "main"));
		wished->udp = berth_json_bool(port, "udp", false);
		json_array_foreach (json_object_get(port, "list"), j, number) {
			json_int_t value = json_integer_value(number);

			if (wished->list_len == BERTH_WISH_LIST_MAX || value < 1 ||
			    value > UINT16_MAX)
				return -ERANGE;
			wished->list[wished->list_len++] = (uint16_t)value;
		}
		wish->port_count++;
	}
	if (json_array_size(range) == 2) {
		wish->range.lo = (uint16_t)json_integer_value(json_array_get(range, 0));
		wish->range.hi = (uint16_t)json_integer_value(json_array_get(range, 1));
	}
	return berth_wish_check(wish, NULL);
}

/* What the ports of @wish have become, in its order. */
static json_t *numbers_of(const struct berth_supervisor *supervisor, const struct berth_wish *wish)
{
	const struct berth_ports *ports = &supervisor->ports;
	json_t *numbers = json_array();

	for (size_t i = 0; i < wish->port_count; i++) {
		uint16_t wished = wish->ports[i].list_len ? wish->ports[i].list[0] : wish->range.lo;

		for (size_t j = 0; j < ports->count; j++)
			if (ports->steer[j].kind == BERTH_STEER_DECLARED && ports->steer[j].given &&
			    (ports->steer[j].given == wished ||
			     berth_steer_port_is_asked(&ports->steer[j], wished))) {
				json_array_append_new(numbers, json_integer(ports->steer[j].given));
				break;
			}
	}
	return numbers;
}

static void do_lease(struct berth_client *client, const json_t *request, int fd)
{
	struct berth_supervisor *supervisor = client->supervisor;
	struct berth_wish wish = { 0 };
	struct berth_err err = { 0 };
	json_t *answer;

	if (!is_from_inside(client)) {
		reply_error(client, BERTH_ERR_DENIED,
			    "only processes of the service itself can lease through it");
		return;
	}
	if (read_wish(request, &wish) < 0) {
		reply_error(client, BERTH_ERR_USAGE, "the wish can't be read");
		return;
	}
	if (wish.port_count &&
	    berth_ports_lease_more(&supervisor->ports, &wish,
				   berth_json_string(request, "service", "inner"), &err)) {
		reply_error(client, BERTH_ERR_NO_PORT, err.msg);
		return;
	}
	berth_supervisor_touch(supervisor);
	answer = environment_answer(client);
	json_object_set_new(answer, "ports", numbers_of(supervisor, &wish));
	reply(client, answer);
}

/* A JSON array of strings as an argv; the strings stay the array's. */
static const char **strings_of(const json_t *array)
{
	const char **strings = calloc(json_array_size(array) + 1, sizeof(*strings));
	const json_t *item;
	size_t i;

	json_array_foreach (array, i, item)
		if (strings && !(strings[i] = json_string_value(item))) {
			free(strings);
			return NULL;
		}
	return strings;
}

static void do_start(struct berth_client *client, const json_t *request, int fd)
{
	struct berth_supervisor *supervisor = client->supervisor;
	BERTH_AUTO_FREE const char **argv = strings_of(json_object_get(request, "argv"));
	BERTH_AUTO_FREE const char **env = strings_of(json_object_get(request, "env"));
	struct berth_child_spec spec = {
		.argv = argv,
		.envp = env,
		.cwd = berth_json_string(request, "cwd", NULL),
		.stdin_fd = -1,
		.stdout_fd = fd,
		.stderr_fd = -1,
		.new_session = true,
		.cgroup_fd = -1,
		.signal_mask = supervisor->job->signal_mask,
		.open_files = supervisor->job->open_files,
	};
	enum berth_child_stage stage;
	struct berth_child child;

	if (!is_from_inside(client) || !argv || !argv[0] || !env || fd < 0) {
		reply_error(client, BERTH_ERR_DENIED,
			    "only processes of the service itself can start through it");
		return;
	}
	if (berth_supervisor_start_outside(supervisor, &spec, &child, &stage) < 0) {
		reply_error(client, BERTH_ERR_START_FAILED,
			    "cannot start a process outside of the service");
		return;
	}
	client->waits_for_pid = child.pid;
	berth_child_deinit(&child);
}

static void do_open(struct berth_client *client, const json_t *request, int fd)
{
	int r = berth_supervisor_open_url(client->supervisor,
					  berth_json_string(request, "url", ""));

	if (r == -ENOENT)
		reply_error(client, BERTH_ERR_UNSUPPORTED,
			    "no browser found (xdg-open, sensible-browser; BERTH_BROWSER)");
	else if (r == -EINVAL)
		reply_error(client, BERTH_ERR_USAGE, "not an http:// or https:// address");
	else if (r < 0)
		reply_error(client, BERTH_ERR_START_FAILED, "the browser can't be started");
	else
		reply(client, json_pack("{s:b}", "ok", 1));
}

static const struct {
	const char *name;
	void (*fn)(struct berth_client *client, const json_t *request, int fd);
} requests[] = {
	{ "status", do_status },
	{ "await", do_await },
	{ "stop", do_stop },
	{ "restart", do_restart },
	{ "environment", do_environment },
	{ "view", do_view },
	{ "lease", do_lease },
	{ "start", do_start },
	{ "open", do_open },
};

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
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(requests); i++)
		if (strcmp(requests[i].name, berth_json_string(request, "do", "")) == 0) {
			requests[i].fn(client, request, fd);
			return;
		}
	reply_error(client, BERTH_ERR_USAGE, "the supervisor does not know this request");
}

static void on_connection(struct berth_loop_source *source, uint32_t events)
{
	struct berth_supervisor *supervisor =
		berth_container_of(source, struct berth_supervisor, control_source);
	BERTH_AUTO_FD int fd = berth_uds_accept(supervisor->control_fd);
	uid_t uid;
	pid_t pid;

	if (fd < 0 || berth_uds_peer(fd, &pid, &uid) < 0 || (uid != geteuid() && uid != 0))
		return;
	for (size_t i = 0; i < BERTH_SUPERVISOR_CLIENTS_MAX; i++) {
		struct berth_client *client = &supervisor->clients[i];

		if (client->fd >= 0)
			continue;
		client->supervisor = supervisor;
		if (berth_loop_add(&supervisor->loop, &client->source, fd, EPOLLIN, on_client) == 0)
			client->fd = berth_fd_steal(&fd);
		return;
	}
}

int berth_supervisor_open_control(struct berth_supervisor *supervisor)
{
	int fd = berth_uds_listen_abstract(supervisor->socket_name, SOCK_SEQPACKET);
	int r;

	if (fd < 0)
		return fd;
	r = berth_loop_add(&supervisor->loop, &supervisor->control_source, fd, EPOLLIN,
			   on_connection);
	if (r < 0) {
		close(fd);
		return r;
	}
	supervisor->control_fd = fd;
	return 0;
}

void berth_supervisor_answer_waiting(struct berth_supervisor *supervisor, bool final)
{
	for (size_t i = 0; i < BERTH_SUPERVISOR_CLIENTS_MAX; i++) {
		struct berth_client *client = &supervisor->clients[i];

		if (client->fd < 0)
			continue;
		if ((final && client->waits_for_end) || client->waits_for_ready)
			reply_service(client);
		client->waits_for_ready = false;
		if (final && client->fd >= 0)
			close_client(client);
	}
}

void berth_supervisor_answer_ended(struct berth_supervisor *supervisor, pid_t pid,
				   const struct berth_child_end *end)
{
	for (size_t i = 0; i < BERTH_SUPERVISOR_CLIENTS_MAX; i++) {
		struct berth_client *client = &supervisor->clients[i];

		if (client->fd < 0 || client->waits_for_pid != pid)
			continue;
		client->waits_for_pid = 0;
		reply(client, json_pack("{s:b,s:i}", "ok", 1, "exit", berth_child_end_exit(end)));
	}
}
