/* SPDX-License-Identifier: MIT */
/* app/requests.c - what can be asked of a unit over its control socket */
#include "app/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "app/stack-serve.h"
#include "app/steering.h"
#include "base/str.h"
#include "os/uds.h"

/* @whole: of the stack that it is part of, and not of this service alone. */
static json_t *environment_answer(struct berth_client *client, bool whole)
{
	json_t *words = json_array();
	char **env;

	if (berth_unit_environment(client->unit, whole, &env) < 0) {
		json_decref(words);
		return NULL;
	}
	for (char **word = env; *word; word++)
		json_array_append_new(words, berth_json_text(*word));
	berth_unit_free_words(env);
	return json_pack("{s:b,s:s,s:o}", "ok", 1, "id", client->unit->id, "env", words);
}

static void do_status(struct berth_client *client, const json_t *request, int fd)
{
	berth_unit_check_all(client->unit);
	berth_unit_recover(client->unit);
	berth_client_reply_service(client);
}

/* Answered when it is ready, or has ended; "for":"stopped": when it has ended. */
static void do_await(struct berth_client *client, const json_t *request, int fd)
{
	if (strcmp(berth_json_string(request, "for", "ready"), "stopped") == 0)
		client->waits |= BERTH_CLIENT_WAITS_FOR_END;
	else if (client->unit->state == BERTH_SERVICE_READY)
		berth_client_reply_service(client);
	else
		client->waits |= BERTH_CLIENT_WAITS_FOR_READY;
}

static void do_stop(struct berth_client *client, const json_t *request, int fd)
{
	struct berth_unit *unit = client->unit;
	int64_t grace_ms = berth_json_int(request, "grace_ms", -1);
	bool force = strcmp(berth_json_string(request, "cause", "user"), "force") == 0;
	bool hard = berth_json_bool(request, "kill", false);

	client->waits |= BERTH_CLIENT_WAITS_FOR_END;
	berth_unit_set_grace(unit, grace_ms);
	berth_unit_end(unit, force ? BERTH_END_BY_FORCE : BERTH_END_BY_USER,
		       hard ? BERTH_SERVICE_ON_KILL : BERTH_SERVICE_ON_STOP);
}

/* Copies of a JSON array of strings, for berth_unit_change_command(); NULL: it is none. */
static char **words_of(const json_t *array)
{
	struct berth_unit_words words = { 0 };
	const json_t *item;
	size_t i;

	json_array_foreach (array, i, item)
		berth_unit_add_word(&words,
				    json_is_string(item) ? strdup(json_string_value(item)) : NULL);
	if (!words.failed)
		return words.items;
	berth_unit_free_words(words.items);
	return NULL;
}

/* "env_files", as they are now; *ret_env_file is NULL where there is no such member. */
static int read_env_files(const json_t *request, struct berth_dotenv **ret_env_file,
			  struct berth_err *err)
{
	BERTH_AUTO_FREE const char **paths =
		berth_json_strings(json_object_get(request, "env_files"));
	struct berth_dotenv *env_file;
	int r;

	*ret_env_file = NULL;
	if (!json_object_get(request, "env_files"))
		return 0;
	env_file = paths ? calloc(1, sizeof(*env_file)) : NULL;
	if (!env_file)
		return berth_err_errno(err, -ENOMEM, "cannot keep the variables");
	r = berth_stack_read_env_files(paths, env_file, err);
	if (r < 0) {
		free(env_file);
		return r;
	}
	*ret_env_file = env_file;
	return 0;
}

/* "argv", "env", "env_files" where they are changed; answered when it is ready again, or why not. */
static void do_restart(struct berth_client *client, const json_t *request, int fd)
{
	struct berth_unit *unit = client->unit;
	bool rolling = berth_json_bool(request, "rolling", false);
	struct berth_dotenv *env_file;
	struct berth_err err = { 0 };

	if (rolling && berth_rollout_is_rolling(&unit->rollout)) {
		berth_client_fail(client, BERTH_ERR_REFUSED, "a rolling restart is under way");
		return;
	}
	if (read_env_files(request, &env_file, &err) < 0) {
		berth_client_fail_with(client, &err);
		return;
	}
	/* What it has begun is undone before anything is changed anew. */
	berth_unit_roll(unit, BERTH_ROLLOUT_ON_STOP);
	berth_unit_change_command(unit, words_of(json_object_get(request, "argv")),
				  words_of(json_object_get(request, "env")), env_file);
	if (berth_unit_check_command(unit, &err) < 0) {
		berth_unit_restore_command(unit);
		berth_client_fail_with(client, &err);
		return;
	}
	if (rolling) {
		client->waits |= BERTH_CLIENT_WAITS_FOR_ROLLOUT;
		if (berth_unit_begin_rollout(unit, &err) < 0) {
			client->waits = 0;
			berth_unit_restore_command(unit);
			berth_client_fail_with(client, &err);
		}
		return;
	}
	client->waits |= BERTH_CLIENT_WAITS_FOR_RESTART;
	berth_unit_restart(unit);
}

/* Workers of this unit, or, where the service has instances, how many of those. */
static void do_scale(struct berth_client *client, const json_t *request, int fd)
{
	struct berth_unit *unit = client->unit;
	int64_t count = berth_json_int(request, "count", 0);
	bool instances = berth_supervisor_has_instances(unit);
	struct berth_err err = { 0 };
	const char *why;

	if (count < 1 || count > (instances ? (int64_t)BERTH_SUPERVISOR_UNITS_MAX
					    : (int64_t)BERTH_UNIT_WORKERS_MAX)) {
		berth_client_fail(client, BERTH_ERR_USAGE, "no number of workers or instances");
		return;
	}
	if (!instances && count < unit->job->workers && berth_rollout_is_rolling(&unit->rollout)) {
		berth_client_fail(client, BERTH_ERR_REFUSED,
				  "a rolling restart is under way: fewer workers when it is over");
		return;
	}
	if (!instances && count > 1 && !berth_unit_can_share(unit, &why)) {
		berth_err_set(&err, -EOPNOTSUPP, BERTH_ERR_UNSUPPORTED,
			      "several workers can't have one port here: %s", why);
		berth_client_fail_with(client, &err);
		return;
	}
	if (!instances) {
		berth_unit_scale(unit, (unsigned int)count);
	} else if (berth_supervisor_scale(unit, (size_t)count, &err) < 0) {
		berth_client_fail_with(client, &err);
		return;
	}
	/* Not before all are there: those that there are may be ready, all of them. */
	client->waits |= BERTH_CLIENT_WAITS_FOR_SCALE;
	berth_client_answer_waiting(unit, false);
}

static void do_environment(struct berth_client *client, const json_t *request, int fd)
{
	berth_client_reply(client,
			   environment_answer(client, berth_json_bool(request, "whole", false)));
}

static void do_view(struct berth_client *client, const json_t *request, int fd)
{
	int duplicate = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

	if (duplicate < 0) {
		berth_client_fail(client, BERTH_ERR_USAGE, "a view needs its notify descriptor");
		return;
	}
	if (berth_steering_add_view(client->unit, duplicate) < 0) {
		close(duplicate);
		berth_client_fail(client, BERTH_ERR_REFUSED,
				  "too many commands run in this copy's view");
		return;
	}
	berth_client_reply(client, json_pack("{s:b}", "ok", 1));
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
		if (pid == client->unit->supervisor->self.pid)
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
static json_t *numbers_of(const struct berth_unit *unit, const struct berth_wish *wish)
{
	const struct berth_ports *ports = &unit->ports;
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
	struct berth_unit *unit = client->unit;
	struct berth_wish wish = { 0 };
	struct berth_err err = { 0 };
	json_t *answer;

	if (!is_from_inside(client)) {
		berth_client_fail(client, BERTH_ERR_DENIED,
				  "only processes of the service itself can lease through it");
		return;
	}
	if (read_wish(request, &wish) < 0) {
		berth_client_fail(client, BERTH_ERR_USAGE, "the wish can't be read");
		return;
	}
	if (wish.port_count &&
	    berth_ports_lease_more(&unit->ports, &wish,
				   berth_json_string(request, "service", "inner"), &err)) {
		berth_client_fail_with(client, &err);
		return;
	}
	berth_unit_touch(unit);
	answer = environment_answer(client, false);
	json_object_set_new(answer, "ports", numbers_of(unit, &wish));
	berth_client_reply(client, answer);
}

static void do_start(struct berth_client *client, const json_t *request, int fd)
{
	struct berth_unit *unit = client->unit;
	BERTH_AUTO_FREE const char **argv = berth_json_strings(json_object_get(request, "argv"));
	BERTH_AUTO_FREE const char **env = berth_json_strings(json_object_get(request, "env"));
	struct berth_child_spec spec = {
		.argv = argv,
		.envp = env,
		.cwd = berth_json_string(request, "cwd", NULL),
		.stdin_fd = -1,
		.stdout_fd = fd,
		.stderr_fd = -1,
		.new_session = true,
		.cgroup_fd = -1,
		.signal_mask = unit->job->signal_mask,
		.open_files = unit->job->open_files,
	};
	enum berth_child_stage stage;
	struct berth_child child;

	if (!is_from_inside(client) || !argv || !argv[0] || !env || fd < 0) {
		berth_client_fail(client, BERTH_ERR_DENIED,
				  "only processes of the service itself can start through it");
		return;
	}
	if (berth_supervisor_start_outside(unit->supervisor, &spec, &child, &stage) < 0) {
		berth_client_fail(client, BERTH_ERR_START_FAILED,
				  "cannot start a process outside of the service");
		return;
	}
	client->waits_for_pid = child.pid;
	berth_child_deinit(&child);
}

static void do_open(struct berth_client *client, const json_t *request, int fd)
{
	int r = berth_supervisor_open_url(client->unit, berth_json_string(request, "url", ""));

	if (r == -ENOENT)
		berth_client_fail(client, BERTH_ERR_UNSUPPORTED,
				  "no browser found (xdg-open, sensible-browser; BERTH_BROWSER)");
	else if (r == -EINVAL)
		berth_client_fail(client, BERTH_ERR_USAGE, "not an http:// or https:// address");
	else if (r < 0)
		berth_client_fail(client, BERTH_ERR_START_FAILED, "the browser can't be started");
	else
		berth_client_reply(client, json_pack("{s:b}", "ok", 1));
}

static const struct {
	const char *name;
	void (*fn)(struct berth_client *client, const json_t *request, int fd);
} requests[] = {
	{ "status", do_status },   { "await", do_await }, { "stop", do_stop },
	{ "restart", do_restart }, { "scale", do_scale }, { "environment", do_environment },
	{ "view", do_view },	   { "lease", do_lease }, { "start", do_start },
	{ "open", do_open },
};

void berth_client_ask(struct berth_client *client, const json_t *request, int fd)
{
	const char *name = berth_json_string(request, "do", "");

	if (!client->unit) {
		berth_stack_serve_ask(client, request);
		return;
	}
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(requests); i++)
		if (strcmp(requests[i].name, name) == 0) {
			requests[i].fn(client, request, fd);
			return;
		}
	berth_client_fail(client, BERTH_ERR_USAGE, "the supervisor does not know this request");
}
