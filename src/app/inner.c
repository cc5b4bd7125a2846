/* SPDX-License-Identifier: MIT */
/* app/inner.c - berth inside berth: what a start does in the tree of another one */
#include "app/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "app/control.h"
#include "base/str.h"
#include "os/statefile.h"
#include "stack/template.h"

enum {
	ANSWER_MS = 5000,
	OUTPUT_MAX = 256 * 1024
};

static json_t *wish_document(const struct berth_wish *wish)
{
	json_t *ports = json_array();

	for (size_t i = 0; i < wish->port_count; i++) {
		const struct berth_wish_port *port = &wish->ports[i];
		json_t *list = json_array();

		for (size_t j = 0; j < port->list_len; j++)
			json_array_append_new(list, json_integer(port->list[j]));
		json_array_append_new(ports, json_pack("{s:s,s:b,s:o}", "name", port->name, "udp",
						       port->udp, "list", list));
	}
	return ports;
}

static json_t *lease_request(const struct berth_wish *wish, const char *service)
{
	json_t *request = json_pack("{s:s,s:s,s:o}", "do", "lease", "service", service, "ports",
				    wish_document(wish));

	if (wish->range.lo)
		json_object_set_new(request, "range",
				    json_pack("[i,i]", wish->range.lo, wish->range.hi));
	return request;
}

/* The supervisor that we may be below; -errno: none. */
static int connect_outer(void)
{
	const char *name = secure_getenv("BERTH_SOCKET");

	return name ? berth_control_connect(name) : -ENOENT;
}

/*
 * The variable came from somewhere (a terminal that was opened from inside, long ago): if the
 * supervisor does not know us, we are not in that tree.
 */
static int outside_if_denied(int r, struct berth_err *err)
{
	if (r >= 0 || err->code != BERTH_ERR_DENIED)
		return r;
	*err = (struct berth_err){ 0 };
	return BERTH_INNER_E_OUTSIDE;
}

int berth_inner_lease(const struct berth_wish *wish, const char *service, json_t **ret_answer,
		      struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *request = NULL;
	BERTH_AUTO_FD int fd = connect_outer();

	if (fd < 0)
		return BERTH_INNER_E_OUTSIDE;
	request = lease_request(wish, service);
	return outside_if_denied(berth_control_ask(fd, request, -1, ANSWER_MS, ret_answer, err),
				 err);
}

static bool export_pair(const char *pair)
{
	const char *equals = strchr(pair, '=');
	BERTH_AUTO_FREE char *name = equals ? strndup(pair, (size_t)(equals - pair)) : NULL;

	return name && setenv(name, equals + 1, 1) == 0;
}

int berth_inner_exec(char **argv, const struct berth_job *job, const json_t *env,
		     struct berth_err *err)
{
	const json_t *pair;
	size_t i;
	bool ok = true;

	for (i = 0; job->env_file && i < job->env_file->count; i++)
		ok &= setenv(job->env_file->entries[i].key, job->env_file->entries[i].value, 1) ==
		      0;
	json_array_foreach (env, i, pair)
		ok &= json_is_string(pair) && export_pair(json_string_value(pair));
	for (i = 0; i < job->extra_env_count; i++)
		ok &= export_pair(job->extra_env[i]);
	if (!ok)
		return berth_err_errno(err, -ENOMEM, "cannot set the variables of '%s'", argv[0]);
	sigprocmask(SIG_SETMASK, &job->signal_mask, NULL);
	execvp(argv[0], argv);
	return berth_err_errno(err, -errno, "cannot run '%s'", argv[0]);
}

/* {port}, {port.NAME}, {url} of the numbers that the outer supervisor gave. */
static int expand(const struct berth_job *job, const json_t *numbers, char ***ret_argv,
		  struct berth_err *err)
{
	struct berth_template_var vars[3 + BERTH_WISH_PORTS_MAX];
	char text[BERTH_WISH_PORTS_MAX][8], names[BERTH_WISH_PORTS_MAX][BERTH_PORT_NAME_MAX + 8],
		url[40];
	size_t count = 0, argc = 0;
	char **argv;

	vars[count++] = (struct berth_template_var){ "host", "localhost" };
	for (size_t i = 0; i < job->wish.port_count && i < json_array_size(numbers); i++) {
		snprintf(text[i], sizeof(text[i]), "%u",
			 (unsigned int)(uint16_t)json_integer_value(json_array_get(numbers, i)));
		snprintf(names[i], sizeof(names[i]), "port.%s", job->wish.ports[i].name);
		vars[count++] = (struct berth_template_var){ names[i], text[i] };
	}
	if (count > 1) {
		snprintf(url, sizeof(url), "http://localhost:%s", text[0]);
		vars[count++] = (struct berth_template_var){ "port", text[0] };
		vars[count++] = (struct berth_template_var){ "url", url };
		if (setenv("PORT", text[0], 1) < 0)
			return berth_err_errno(err, -ENOMEM, "cannot set PORT");
	}
	while (job->argv[argc])
		argc++;
	argv = calloc(argc + 1, sizeof(*argv));
	for (size_t i = 0; argv && i < argc; i++) {
		int r = berth_template_expand(job->argv[i], vars, count, false, &argv[i], err);

		if (r < 0)
			return r; /* what was allocated goes with the process, at once */
	}
	if (!argv)
		return berth_err_errno(err, -ENOMEM, "cannot run '%s'", job->argv[0]);
	*ret_argv = argv;
	return 0;
}

static int run_through(struct berth_job *job, const json_t *answer, struct berth_err *err)
{
	const json_t *numbers = json_object_get(answer, "ports");
	BERTH_AUTO_JSON json_t *env = json_deep_copy(json_object_get(answer, "env"));
	char port[16];
	char **argv;
	int r = expand(job, numbers, &argv, err);

	if (r < 0)
		return r;
	/* The variables are those of the outer service; PORT is that of this command. */
	if (json_array_size(numbers)) {
		snprintf(port, sizeof(port), "PORT=%u",
			 (unsigned int)(uint16_t)json_integer_value(json_array_get(numbers, 0)));
		json_array_append_new(env, json_string(port));
	}
	return berth_inner_exec(argv, job, env, err);
}

static json_t *own_argv(void)
{
	BERTH_AUTO_FREE char *text = NULL;
	json_t *argv = json_array();
	size_t len;

	if (berth_statefile_read(AT_FDCWD, "/proc/self/cmdline", 1024 * 1024, &text, &len) < 0)
		return argv;
	for (char *word = text; word < text + len; word += strlen(word) + 1)
		json_array_append_new(argv, berth_json_text(word));
	json_array_set_new(argv, 0, json_string("/proc/self/exe"));
	return argv;
}

static json_t *own_env(void)
{
	json_t *env = json_array();

	/* Outside, it is in nobody's tree. */
	for (char **word = environ; *word; word++)
		if (strncmp(*word, "BERTH_SOCKET=", 13) != 0)
			json_array_append_new(env, berth_json_text(*word));
	return env;
}

/* Copy what the start outside says to where we would have said it, until it has ended. */
static void copy_output(int from)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0 && write(STDOUT_FILENO, buf, (size_t)n) < 0)
			return;
}

static int run_outside(int fd, const struct berth_job *job, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *request = NULL;
	BERTH_AUTO_JSON json_t *answer = NULL;
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int ends[2];
	int r;

	if (n <= 0 || pipe2(ends, O_CLOEXEC) < 0)
		return berth_err_errno(err, -errno, "cannot start outside of the service");
	self[n] = '\0';
	request = json_pack("{s:s,s:o,s:o,s:s}", "do", "start", "argv", own_argv(), "env",
			    own_env(), "cwd", job->cwd);
	json_array_set_new(json_object_get(request, "argv"), 0, berth_json_text(self));
	/* Answered when that process has ended, which is bounded by the time it waits for ready. */
	r = berth_control_ask(fd, request, ends[1], (int)job->wait_ms + ANSWER_MS, &answer, err);
	close(ends[1]);
	if (r == 0)
		copy_output(ends[0]);
	close(ends[0]);
	return r < 0 ? r : (int)berth_json_int(answer, "exit", 1);
}

/* The command takes our place: nobody would be left to open its port, or to run something after it. */
static int refuse_inside(const struct berth_job *job, struct berth_err *err)
{
	static const struct berth_wish nothing;
	BERTH_AUTO_JSON json_t *answer = NULL;
	int r = berth_inner_lease(&nothing, job->identity.service, &answer, err);

	if (r < 0)
		return r;
	berth_err_set(err, -EOPNOTSUPP, BERTH_ERR_UNSUPPORTED,
		      "%s does nothing inside of another service",
		      job->outside ? "--outside" : "--stop-command");
	berth_err_hint(err, "with -d it is started outside of that");
	return -EOPNOTSUPP;
}

int berth_inner_run(struct berth_job *job, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *answer = NULL;
	BERTH_AUTO_FD int fd = -1;
	int r;

	if (!job->detach && (job->outside || job->stop_argv))
		return refuse_inside(job, err);
	if (!job->detach) {
		r = berth_inner_lease(&job->wish, job->identity.service, &answer, err);
		return r < 0 ? r : run_through(job, answer, err);
	}
	fd = connect_outer();
	if (fd < 0)
		return BERTH_INNER_E_OUTSIDE;
	return outside_if_denied(run_outside(fd, job, err), err);
}

int berth_inner_up(const struct berth_job *job, struct berth_err *err)
{
	static const struct berth_wish nothing;
	BERTH_AUTO_JSON json_t *answer = NULL;
	BERTH_AUTO_FD int fd = connect_outer();
	int r;

	if (fd < 0)
		return BERTH_INNER_E_OUTSIDE;
	if (job->detach)
		return outside_if_denied(run_outside(fd, job, err), err);
	r = berth_inner_lease(&nothing, job->identity.service, &answer, err);
	if (r < 0)
		return r;
	berth_err_set(
		err, -EOPNOTSUPP, BERTH_ERR_UNSUPPORTED,
		"a stack can't be started inside of another service: its calls are answered already");
	berth_err_hint(err, "with -d it is started outside of that");
	return -EOPNOTSUPP;
}
