/* SPDX-License-Identifier: MIT */
/* app/spawn.c - start the command of a service, with its ports told and its calls trapped */
#include "app/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "stack/template.h"

enum {
	PASSED_BACKLOG = 4096,
	TEMPLATE_VARS_MAX = 4 + 2 * BERTH_PORTS_MAX,
};

/* A growing array of owned strings, NULL-terminated. */
struct words {
	char **items;
	size_t count, size;
	bool failed;
};

static void words_own(struct words *words, char *word)
{
	if (word && words->count + 2 > words->size) {
		size_t size = words->size ? words->size * 2 : 64;
		char **grown = reallocarray(words->items, size, sizeof(*grown));

		if (grown) {
			words->items = grown;
			words->size = size;
		}
	}
	if (!word || words->count + 2 > words->size) {
		words->failed = true;
		free(word);
		return;
	}
	words->items[words->count++] = word;
	words->items[words->count] = NULL;
}

void berth_supervisor_free_words(char **words)
{
	for (char **word = words; word && *word; word++)
		free(*word);
	free(words);
}

/* Set a variable, in the place of an earlier one of that name. */
static void set_value(struct words *env, const char *name, const char *value)
{
	struct berth_str text = { 0 };
	size_t len = strlen(name);

	berth_str_addf(&text, "%s=%s", name, value);
	if (text.failed) {
		berth_str_deinit(&text);
		env->failed = true;
		return;
	}
	for (size_t i = 0; i < env->count; i++) {
		if (strncmp(env->items[i], name, len) == 0 && env->items[i][len] == '=') {
			free(env->items[i]);
			env->items[i] = text.text;
			return;
		}
	}
	words_own(env, text.text);
}

/* The same for what we make ourselves: short. */
BERTH_PRINTF(3, 4)
static void set(struct words *env, const char *name, const char *fmt, ...)
{
	char value[PATH_MAX + 64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	set_value(env, name, value);
}

static bool has(const struct words *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < env->count; i++)
		if (strncmp(env->items[i], name, len) == 0 && env->items[i][len] == '=')
			return true;
	return false;
}

/* PREFIX_PORT, PREFIX_URL, PREFIX_HOST of one port. */
static void set_port(struct words *env, const struct berth_ports *ports, size_t index,
		     const char *prefix)
{
	char name[160], url[64];

	snprintf(name, sizeof(name), "%s_PORT", prefix);
	set(env, name, "%u", ports->steer[index].given);
	snprintf(name, sizeof(name), "%s_HOST", prefix);
	set(env, name, "localhost");
	berth_ports_url(ports, index, url, sizeof(url));
	if (!*url)
		return;
	snprintf(name, sizeof(name), "%s_URL", prefix);
	set(env, name, "%s", url);
}

static void set_ports(struct words *env, const struct berth_ports *ports, const char *service)
{
	char prefix[128], own[BERTH_NAME_MAX + 1], name[BERTH_PORT_NAME_MAX + 1], variable[64];
	bool first = true;

	berth_str_env_name(service, own, sizeof(own));
	for (size_t i = 0; i < ports->count; i++) {
		const struct berth_port *port = &ports->port[i];

		if (ports->steer[i].kind != BERTH_STEER_DECLARED || ports->steer[i].mapped ||
		    !ports->steer[i].given)
			continue;
		berth_str_env_name(port->name, name, sizeof(name));
		snprintf(variable, sizeof(variable), "BERTH_PORT_%s", name);
		set(env, variable, "%u", ports->steer[i].given);
		if (first) {
			set(env, "PORT", "%u", ports->steer[i].given);
			set_port(env, ports, i, own);
		}
		if (strcmp(port->name, "main") != 0) {
			snprintf(prefix, sizeof(prefix), "%s_%s", own, name);
			set_port(env, ports, i, prefix);
		}
		first = false;
	}
}

/*
 * BROWSER is one program without arguments, since some take it for a file name: a link beside the
 * records that is us.
 */
static void set_browser(struct berth_supervisor *supervisor, struct words *env)
{
	if (has(env, "BROWSER"))
		return;
	if (faccessat(supervisor->registry.dir_fd, "berth-open", X_OK, 0) < 0) {
		char self[PATH_MAX];
		ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

		if (n <= 0)
			return;
		self[n] = '\0';
		unlinkat(supervisor->registry.dir_fd, "berth-open", 0);
		if (symlinkat(self, supervisor->registry.dir_fd, "berth-open") < 0 &&
		    errno != EEXIST)
			return;
	}
	set(env, "BROWSER", "%s/berth-open", supervisor->registry.path);
}

static void set_identity(struct berth_supervisor *supervisor, struct words *env)
{
	const struct berth_identity *identity = &supervisor->job->identity;

	set(env, "BERTH_PROJECT", "%s", identity->project);
	set(env, "BERTH_SERVICE", "%s", identity->service);
	set(env, "BERTH_INSTANCE", "%u", identity->instance);
	set(env, "BERTH_ID", "%s", supervisor->id);
	set(env, "BERTH_SOCKET", "%s", supervisor->socket_name);
	set_ports(env, &supervisor->ports, identity->service);
	set_browser(supervisor, env);
}

int berth_supervisor_environment(struct berth_supervisor *supervisor, char ***ret_env)
{
	struct words env = { 0 };

	set_identity(supervisor, &env);
	if (env.failed) {
		berth_supervisor_free_words(env.items);
		return -ENOMEM;
	}
	*ret_env = env.items;
	return 0;
}

static void set_pair(struct words *env, const char *assignment)
{
	char name[256];
	const char *equals = strchr(assignment, '=');

	if (!equals || (size_t)(equals - assignment) >= sizeof(name))
		return;
	snprintf(name, sizeof(name), "%.*s", (int)(equals - assignment), assignment);
	set_value(env, name, equals + 1);
}

/*
 * What the command starts with: ours, the file's, ours about it; what the user said for this very
 * start follows (expand).
 */
static int build_environment(struct berth_supervisor *supervisor, struct words *env)
{
	const struct berth_job *job = supervisor->job;

	for (char **word = environ; *word; word++)
		if (strncmp(*word, "LISTEN_", 7) != 0)
			words_own(env, strdup(*word));
	for (size_t i = 0; job->env_file && i < job->env_file->count; i++)
		set_value(env, job->env_file->entries[i].key, job->env_file->entries[i].value);
	set_identity(supervisor, env);
	return env->failed ? -ENOMEM : 0;
}

/* The names that {…} knows; the values live in @room. */
struct vars {
	struct berth_template_var vars[TEMPLATE_VARS_MAX];
	size_t count;
	char names[BERTH_PORTS_MAX][2][BERTH_PORT_NAME_MAX + 8];
	char ports[BERTH_PORTS_MAX][8];
	char urls[BERTH_PORTS_MAX][64];
};

static void add_var(struct vars *vars, const char *name, const char *value)
{
	vars->vars[vars->count++] = (struct berth_template_var){ .name = name, .value = value };
}

static void collect_vars(const struct berth_supervisor *supervisor, struct vars *vars)
{
	const struct berth_ports *ports = &supervisor->ports;
	bool first = true;

	vars->count = 0;
	add_var(vars, "id", supervisor->id);
	add_var(vars, "host", "localhost");
	for (size_t i = 0; i < ports->count; i++) {
		if (ports->steer[i].kind != BERTH_STEER_DECLARED || ports->steer[i].mapped ||
		    !ports->steer[i].given)
			continue;
		snprintf(vars->ports[i], sizeof(vars->ports[i]), "%u", ports->steer[i].given);
		berth_ports_url(ports, i, vars->urls[i], sizeof(vars->urls[i]));
		snprintf(vars->names[i][0], sizeof(vars->names[i][0]), "port.%s",
			 ports->port[i].name);
		snprintf(vars->names[i][1], sizeof(vars->names[i][1]), "url.%s",
			 ports->port[i].name);
		add_var(vars, vars->names[i][0], vars->ports[i]);
		add_var(vars, vars->names[i][1], vars->urls[i]);
		if (first) {
			add_var(vars, "port", vars->ports[i]);
			add_var(vars, "url", vars->urls[i]);
		}
		first = false;
	}
}

/*
 * The command and the values of -e, with {port} and its like filled in; the latter go into @env,
 * last of all.
 */
static int expand(struct berth_supervisor *supervisor, struct words *argv, struct words *env,
		  struct berth_err *err)
{
	const struct berth_job *job = supervisor->job;
	struct vars *vars = malloc(sizeof(*vars));
	int r = vars ? 0 : -ENOMEM;
	char *word;

	if (vars)
		collect_vars(supervisor, vars);
	for (size_t i = 0; r == 0 && job->argv[i]; i++) {
		r = berth_template_expand(job->argv[i], vars->vars, vars->count, false, &word, err);
		if (r == 0)
			words_own(argv, word);
	}
	for (size_t i = 0; r == 0 && i < job->extra_env_count; i++) {
		r = berth_template_expand(job->extra_env[i], vars->vars, vars->count, false, &word,
					  err);
		if (r == 0) {
			set_pair(env, word);
			free(word);
		}
	}
	free(vars);
	return r < 0 ? r : argv->failed || env->failed ? -ENOMEM : 0;
}

/*
 * --pass-socket: the lease's socket is made by us, listens, and is inherited as number 3 and up
 * (sd_listen_fds(3)).
 */
static int make_passed(struct berth_supervisor *supervisor, size_t index, int *ret_fd)
{
	struct berth_port *port = &supervisor->ports.port[index];
	bool local = supervisor->job->loopback;
	int family = supervisor->ports.means.ipv6 && !local ? AF_INET6 : AF_INET;
	struct berth_addr addr = local ? berth_addr_loopback(family, 0) : berth_addr_any(family, 0);
	BERTH_AUTO_FD int fd = berth_sock_new(family, SOCK_STREAM, 0);
	int r = fd;

	if (r >= 0 && family == AF_INET6)
		r = berth_sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (r >= 0)
		r = berth_lease_bind(&port->lease, fd, &addr);
	if (r == 0)
		r = berth_lease_listen(&port->lease, fd, PASSED_BACKLOG);
	if (r)
		return r < 0 ? r : -EADDRINUSE;
	port->passed = true;
	*ret_fd = berth_fd_steal(&fd);
	return 0;
}

static int pass_sockets(struct berth_supervisor *supervisor, struct berth_child_spec *spec,
			struct words *env)
{
	struct berth_str names = { 0 };

	for (size_t i = 0; i < supervisor->ports.count && spec->pass_count < BERTH_CHILD_PASS_MAX;
	     i++) {
		int r;

		if (supervisor->ports.steer[i].kind != BERTH_STEER_DECLARED ||
		    supervisor->ports.steer[i].udp || !supervisor->ports.steer[i].given)
			continue;
		r = make_passed(supervisor, i, &spec->pass_fds[spec->pass_count]);
		if (r < 0)
			return r;
		berth_str_addf(&names, "%s%s", spec->pass_count ? ":" : "",
			       supervisor->ports.port[i].name);
		spec->pass_count++;
	}
	set(env, "LISTEN_FDS", "%zu", spec->pass_count);
	set(env, "LISTEN_FDNAMES", "%s", berth_str_text(&names) ? berth_str_text(&names) : "");
	set(env, "LISTEN_PID", "%-10s", ""); /* room that the child fills */
	berth_str_deinit(&names);
	return env->failed ? -ENOMEM : 0;
}

/* No steering: whatever we hold would be in the way of the service's own bind(). */
static void give_way(struct berth_supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->ports.count; i++)
		if (!supervisor->ports.port[i].passed)
			berth_lease_leave(&supervisor->ports.port[i].lease);
}

static void lose_steering(struct berth_supervisor *supervisor, int r)
{
	supervisor->scope = BERTH_STEER_OFF;
	snprintf(
		supervisor->scope_why, sizeof(supervisor->scope_why), "%s",
		r == -EBUSY
			? "another program already answers bind() here (WSL's mirrored networking, a sandbox, "
			  "or a berth that was not told to this one)"
			: "this system does not let us answer bind() (seccomp is refused)");
	berth_supervisor_say(
		supervisor,
		"no steering: %s; the port is told in PORT, and a program with a fixed one keeps it",
		supervisor->scope_why);
}

static int say_why(struct berth_supervisor *supervisor, int r, enum berth_child_stage stage,
		   int *ret_exit, struct berth_err *err)
{
	const char *name = supervisor->job->argv[0];
	char shown[256];

	berth_str_printable(name, (size_t)-1, shown, sizeof(shown));
	*ret_exit = 125;
	if (stage == BERTH_CHILD_EXEC) {
		*ret_exit = r == -ENOENT ? 127 : 126;
		berth_err_set(err, r, BERTH_ERR_START_FAILED, "cannot run '%s': %s", shown,
			      r == -ENOENT && !strchr(name, '/') ? "no such command in PATH"
								 : strerror(-r));
		if (r == -ENOEXEC)
			berth_err_hint(err, "a script needs a first line such as #!/bin/sh");
		return r;
	}
	if (stage == BERTH_CHILD_CWD)
		return berth_err_errno(err, r, "cannot change to '%s'", supervisor->job->cwd);
	return berth_err_errno(err, r, "cannot start '%s'", shown);
}

static bool wants_cgroup(void)
{
	const char *wish = getenv("BERTH_CONTAINMENT");

	return !wish || strcmp(wish, "subreaper") != 0;
}

static void make_cgroup(struct berth_supervisor *supervisor)
{
	char name[32];

	if (supervisor->cgroup.path[0] || !wants_cgroup())
		return;
	snprintf(name, sizeof(name), "berth-%s", supervisor->id);
	/* Refused is the ordinary case, and no loss: the subreaper finds all that lives. */
	if (berth_cgroup_new(name, &supervisor->cgroup) < 0)
		supervisor->cgroup = (struct berth_cgroup){ .fd = -1 };
}

static int start(struct berth_supervisor *supervisor, struct berth_child_spec *spec,
		 enum berth_child_stage *ret_stage)
{
	int r;

	if (supervisor->scope != BERTH_STEER_OFF && !supervisor->filter.insns) {
		r = berth_notify_program_new(supervisor->scope != BERTH_STEER_BIND,
					     &supervisor->filter);
		if (r < 0)
			lose_steering(supervisor, r);
	}
	spec->filter = supervisor->scope != BERTH_STEER_OFF ? &supervisor->filter : NULL;
	spec->cgroup_fd = supervisor->cgroup.fd;
	if (!spec->filter)
		give_way(supervisor);
	r = berth_child_start(spec, &supervisor->child, ret_stage);
	if (r < 0 && *ret_stage == BERTH_CHILD_FORK && spec->cgroup_fd >= 0) {
		/*
		 * A group that can be made but not entered (a domain with threads, a limit of
		 * pids).
		 */
		berth_cgroup_remove(&supervisor->cgroup);
		spec->cgroup_fd = -1;
		r = berth_child_start(spec, &supervisor->child, ret_stage);
	}
	if (r < 0 && *ret_stage == BERTH_CHILD_FILTER) {
		lose_steering(supervisor, r);
		spec->filter = NULL;
		give_way(supervisor);
		r = berth_child_start(spec, &supervisor->child, ret_stage);
	}
	return r;
}

int berth_supervisor_spawn(struct berth_supervisor *supervisor, int *ret_exit,
			   struct berth_err *err)
{
	const struct berth_job *job = supervisor->job;
	BERTH_AUTO_FD int null_fd = job->detach ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
	struct berth_child_spec spec = {
		.cwd = job->cwd,
		.stdin_fd = null_fd,
		.stdout_fd = supervisor->log_fd,
		.stderr_fd = supervisor->log_fd,
		.new_session = job->detach,
		.pgrp = job->detach ? 0 : supervisor->front_group,
		.parent_death_signal = SIGKILL,
		.cgroup_fd = -1,
		.signal_mask = job->signal_mask,
		.open_files = job->open_files,
	};
	enum berth_child_stage stage = BERTH_CHILD_FORK;
	struct words argv = { 0 }, env = { 0 };
	int r;

	*ret_exit = 125;
	make_cgroup(supervisor);
	r = build_environment(supervisor, &env);
	if (r == 0)
		r = expand(supervisor, &argv, &env, err);
	if (r == 0 && job->pass_socket)
		r = pass_sockets(supervisor, &spec, &env);
	if (r < 0 && err->code == BERTH_ERR_NONE)
		berth_err_errno(err, r, "cannot prepare '%s'", job->identity.service);
	if (r == 0) {
		spec.argv = (const char *const *)argv.items;
		spec.envp = (const char *const *)env.items;
		r = start(supervisor, &spec, &stage);
		if (r < 0)
			say_why(supervisor, r, stage, ret_exit, err);
	}
	for (size_t i = 0; i < spec.pass_count; i++)
		close(spec.pass_fds[i]);
	berth_supervisor_free_words(argv.items);
	berth_supervisor_free_words(env.items);
	return r;
}
