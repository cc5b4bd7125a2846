/* SPDX-License-Identifier: MIT */
/* cli/run-job.c - from the options of berth run to a job: what they mean, and what they can't */
#include "cli/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "app/inner.h"
#include "app/ports-file.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/str.h"
#include "base/time.h"
#include "cli/ask.h"
#include "cli/owner.h"
#include "os/userfile.h"
#include "service/defaults.h"
#include "service/name.h"
#include "stack/template.h"

enum {
	STOP_COMMAND_MAX = 32 * 1024,
};

static int usage(struct berth_err *err, const char *message, const char *hint)
{
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "%s", message);
	if (hint)
		berth_err_hint(err, "%s", hint);
	return -EINVAL;
}

/* What only combinations can get wrong. */
static int check_args(const struct berth_run_args *args, const struct berth_cli *cli,
		      struct berth_err *err)
{
	if (cli->common.json && !args->detach)
		return usage(err,
			     "--json needs -d: in the foreground, standard output is the command's",
			     "--status-fd gives the events of a foreground run");
	if (args->reuse && !args->detach)
		return usage(err, "--reuse needs -d", NULL);
	if (args->ask && args->free_first)
		return usage(err, "--ask goes not with --free", "one asks, the other does not");
	if (args->ask && !berth_ask_can(&cli->out))
		return usage(
			err, "--ask needs a terminal, and somebody at it",
			"--free=any ends who holds the wish, --strict fails where it is taken");
	if (args->fresh && (args->reuse || args->force))
		return usage(err, "--new goes neither with --reuse nor with --force", NULL);
	/* Ours from here on, and none of the command's. */
	if (args->status_fd >= 0 && fcntl(args->status_fd, F_SETFD, FD_CLOEXEC) < 0)
		return berth_err_set(err, -EBADF, BERTH_ERR_USAGE,
				     "--status-fd: descriptor %d is not open", args->status_fd);
	if (args->name && !berth_name_is_valid(args->name)) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "--name: '%s' is not a name",
			      args->name);
		berth_err_hint(
			err,
			"a letter, then letters, digits and '-', all lower case: numbers are ports");
		return -EINVAL;
	}
	return 0;
}

/* What belongs to one process, one number or one start, and so not to several. */
static int check_count(const struct berth_run_args *args, struct berth_err *err)
{
	static const char status_has_them[] = "berth status --json has the pids of all of them";
	static const char workers_share[] = "workers share one port: --workers";

	if (args->workers > 1 && args->instances > 1)
		return usage(err, "--workers goes not with --instances",
			     "workers share one port, instances have a port each");
	if (args->workers > 1 && (args->pid_file || args->lock_file))
		return usage(err,
			     "--pid-file and --lock-file name one process, not several workers",
			     status_has_them);
	if (args->instances == 1)
		return 0;
	if (args->pid_file || args->lock_file)
		return usage(err,
			     "--pid-file and --lock-file name one process, not several instances",
			     status_has_them);
	if (args->ports_file)
		return usage(err, "--ports-file has one port for each name, not several instances",
			     "berth ls --json has the ports of all of them");
	if (args->fresh)
		return usage(err, "--new is one more instance; --instances counts them all",
			     "berth scale SERVICE=N adds to those that run");
	if (args->strict)
		return usage(err, "--strict: only one instance can have the wish", workers_share);
	if (args->maps.count)
		return usage(err, "--map: only one instance can have the port", workers_share);
	return 0;
}

/* What has no effect, or none that anybody wants. */
static int check_life(const struct berth_run_args *args, struct berth_err *err)
{
	static const int no_end[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT };

	if (args->tty && !args->detach)
		return usage(err, "--tty needs -d: in the foreground it has your terminal", NULL);
	if ((args->log_size || args->log_files || args->log_age_ms) && !args->detach)
		return usage(err, "--log-size, --log-files and --log-age need -d",
			     "in the foreground, the output goes to where berth's own goes");
	if (args->stop_signal == SIGKILL)
		return usage(err, "--stop-signal: SIGKILL does not ask, and leaves no time to end",
			     "--grace 0 sends it at once after the stop signal");
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(no_end); i++)
		if (args->stop_signal == no_end[i])
			return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
					     "--stop-signal: SIG%s ends nothing",
					     sigabbrev_np(no_end[i]));
	if (args->backoff_ms > args->backoff_max_ms)
		return usage(err, "--backoff is longer than --backoff-max",
			     "the first delay, and the longest one");
	return 0;
}

/* What is not ours to bind can't be answered for, shared or narrowed. */
static int check_outside(const struct berth_run_args *args, struct berth_err *err)
{
	static const char others[] = "its port is bound by a process that is not ours";

	if (args->stop_command && strlen(args->stop_command) > STOP_COMMAND_MAX)
		return usage(err, "--stop-command is too long", "put it into a script");
	if (args->stop_command && args->workers > 1)
		return usage(err, "--stop-command goes not with --workers",
			     "it would end all of them; --instances have one each");
	if (!args->outside)
		return 0;
	if (args->workers > 1)
		return usage(err, "--outside goes not with --workers", others);
	if (args->pass_socket)
		return usage(err, "--outside goes not with --pass-socket", others);
	if (args->loopback)
		return usage(err, "--outside goes not with --loopback",
			     "docker run -p 127.0.0.1:{port}:80");
	if (args->maps.count)
		return usage(err, "--outside goes not with --map", others);
	return 0;
}

static int parse_maps(const struct berth_run_args *args, struct berth_job *job,
		      struct berth_err *err)
{
	for (size_t i = 0; i < args->maps.count; i++) {
		const char *text = args->maps.items[i];
		const char *colon = strchr(text, ':');
		struct berth_job_map *map = &job->maps[job->map_count];
		char from[8] = "";

		if (job->map_count == BERTH_JOB_MAPS_MAX)
			return usage(err, "--map: too many of them", NULL);
		if (colon && (size_t)(colon - text) < sizeof(from))
			snprintf(from, sizeof(from), "%.*s", (int)(colon - text), text);
		if (!colon || berth_parse_port(from, &map->from) < 0 ||
		    berth_parse_port(colon + 1, &map->to) < 0)
			return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
					     "--map: '%s' is not FROM:TO, two ports", text);
		job->map_count++;
	}
	return 0;
}

static int parse_ports(const struct berth_run_args *args, struct berth_job *job,
		       struct berth_err *err)
{
	int r;

	for (size_t i = 0; i < args->ports.count; i++) {
		bool none = false;

		r = berth_wish_add_port(&job->wish, args->ports.items[i], &none, err);
		if (r < 0)
			return r;
		job->no_port |= none;
	}
	if (job->no_port && job->wish.port_count)
		return usage(err, "--port none goes with no other port", NULL);
	job->wish.range = args->range;
	job->wish.step = args->step;
	job->wish.around = args->around;
	job->wish.any = args->any;
	job->wish.strict = args->strict;
	return parse_maps(args, job, err);
}

static int absolute(const char *cwd, const char *path, const char **ret_path, struct berth_err *err)
{
	struct berth_str text = { 0 };

	if (!path)
		return 0;
	if (*path != '/')
		berth_str_addf(&text, "%s/", cwd);
	berth_str_add(&text, path);
	if (text.failed)
		return berth_err_errno(err, -ENOMEM, "cannot remember a path");
	*ret_path = text.text; /* for the life of the process */
	return 0;
}

static int load_dotenv(const char *path, bool must, struct berth_dotenv *ret_env,
		       struct berth_err *err)
{
	BERTH_AUTO_FREE char *text = NULL;
	size_t len;
	int r = berth_userfile_read(path, 1024 * 1024, &text, &len);

	/* Python's virtual environments are folders of that name. */
	if (!must && (r == -ENOENT || r == -EISDIR))
		return 0;
	if (r < 0)
		return berth_err_errno(err, r, "cannot read '%s'", path);
	return berth_dotenv_parse(text, len, path, ret_env, err);
}

/* The "name" of package.json: what to call a command that says nothing by itself. */
static json_t *load_package(void)
{
	BERTH_AUTO_FREE char *text = NULL;
	size_t len;

	if (berth_userfile_read("package.json", 1024 * 1024, &text, &len) < 0)
		return NULL;
	return berth_json_parse(text, len);
}

static int identify(const struct berth_run_args *args, const char *const *argv, const char *cwd,
		    struct berth_identity *identity, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *package = NULL;
	const char *folder = strrchr(cwd, '/');
	int r = berth_identity_load(cwd, identity, err);

	if (r < 0)
		return r;
	identity->instance = 1;
	if (args->name) {
		berth_str_copy(identity->service, sizeof(identity->service), args->name);
	} else {
		package = load_package();
		berth_name_guess(argv, berth_json_string(package, "name", NULL),
				 folder ? folder + 1 : cwd, identity->service);
	}
	berth_identity_seal(identity);
	return 0;
}

/* {port} in the command needs a number before the command runs. */
static bool uses_port(const char *const *argv)
{
	static const struct berth_template_var vars[] = { { "port", "" }, { "url", "" } };

	for (; *argv; argv++)
		if (berth_template_has(*argv, vars, BERTH_ARRAY_SIZE(vars)))
			return true;
	return false;
}

static bool env_says(const char *name)
{
	const char *value = getenv(name);

	return value && *value && strcmp(value, "0") != 0;
}

int berth_run_check_env(const struct berth_opt_list *env, struct berth_err *err)
{
	for (size_t i = 0; i < env->count; i++)
		if (!strchr(env->items[i], '=') || env->items[i][0] == '=')
			return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
					     "--env: '%s' is not NAME=VALUE", env->items[i]);
	return 0;
}

static struct berth_service_policy policy_of(const struct berth_run_args *args)
{
	return (struct berth_service_policy){
		.restart = (enum berth_service_restart)args->restart,
		.backoff_ns = args->backoff_ms * BERTH_NS_PER_MS,
		.backoff_max_ns = args->backoff_max_ms * BERTH_NS_PER_MS,
		.stable_ns = BERTH_DEFAULT_STABLE_MS * BERTH_NS_PER_MS,
		.limit = args->restart_limit.count,
		.limit_ns = args->restart_limit.ms * BERTH_NS_PER_MS,
		.start_timeout_ns = args->start_timeout_ms * BERTH_NS_PER_MS,
		.grace_ns = args->grace_ms * BERTH_NS_PER_MS,
		.notice_ns = BERTH_DEFAULT_NOTICE_MS * BERTH_NS_PER_MS,
		.daemon_ns = BERTH_DEFAULT_DAEMON_MS * BERTH_NS_PER_MS,
	};
}

/* Only the user's options; what files and the environment add comes after. */
static struct berth_job job_of(const struct berth_run_args *args, const struct berth_cli *cli)
{
	return (struct berth_job){
		.argv = cli->operands.items,
		.extra_env = args->env.items,
		.extra_env_count = args->env.count,
		.skip = args->skip,
		.settings = &cli->settings,
		.scope = args->outside ? BERTH_STEER_OFF : (enum berth_steer_scope)args->steer,
		.outside = args->outside,
		.loopback = args->loopback,
		.pass_socket = args->pass_socket,
		.workers = args->workers,
		.instances = args->instances,
		.policy = policy_of(args),
		.stop_signal = args->stop_signal,
		.hold_ms = args->hold_ms,
		.probe = { .initial_delay_ms = args->probe_initial_delay_ms,
			   .period_ms = args->probe_period_ms,
			   .timeout_ms = args->probe_timeout_ms,
			   .success_threshold = args->probe_success_threshold,
			   .failure_threshold = args->probe_failure_threshold },
		.log = { .size = args->log_size ? args->log_size : BERTH_DEFAULT_LOG_SIZE,
			 .files = args->log_files ? args->log_files : BERTH_DEFAULT_LOG_FILES,
			 .age_ms = args->log_age_ms ? args->log_age_ms : BERTH_DEFAULT_LOG_AGE_MS },
		.tty = args->tty,
		.detach = args->detach,
		.apart = args->detach,
		.fresh = args->fresh || env_says("BERTH_NEW"),
		.reuse = args->reuse,
		.force = args->force,
		.free_first = (enum berth_job_free)args->free_first,
		.ask = args->ask,
		.ttl_ms = args->ttl_ms,
		.wait_ms = args->wait_ms,
		.status_fd = args->status_fd,
		.quiet = cli->common.quiet,
		.verbose = cli->common.verbose,
	};
}

/* After the ports: a service without one is ready when it runs, unless something else is said. */
static int parse_checks(const struct berth_run_args *args, struct berth_job *job,
			struct berth_err *err)
{
	int r = 0;

	if (args->ready)
		r = berth_check_parse(args->ready, false, &job->ready, err);
	else if (!job->no_port)
		job->ready.kind = job->outside ? BERTH_CHECK_TCP : BERTH_CHECK_LISTEN;
	if (r < 0)
		return berth_err_wrap(err, r, "--ready");
	if (args->live)
		r = berth_check_parse(args->live, true, &job->live, err);
	if (r < 0)
		return berth_err_wrap(err, r, "--live");
	if (job->outside && job->ready.kind == BERTH_CHECK_LISTEN)
		return usage(err, "--outside: a listen() of a process that is not ours is not seen",
			     "--ready tcp, which is the default then, or \"http PATH\"");
	if (!job->no_port)
		return 0;
	if (job->outside)
		return usage(err, "--outside needs a port, and --port none is none", NULL);
	if (args->live && job->live.kind != BERTH_CHECK_EXEC)
		return usage(err, "--live needs a port, and --port none is none",
			     "--live \"exec COMMAND\" needs none");
	if (args->ready && job->ready.kind != BERTH_CHECK_LOG &&
	    job->ready.kind != BERTH_CHECK_NOTIFY && job->ready.kind != BERTH_CHECK_EXEC &&
	    job->ready.kind != BERTH_CHECK_NONE)
		return usage(err, "--port none: nothing can be asked on a port",
			     "--ready \"log PATTERN\", \"exec COMMAND\", notify and started need "
			     "none");
	return 0;
}

/* What can't be understood is not written over, so it would never be true: better said at once. */
static int check_ports_file(const char *path, struct berth_err *err)
{
	BERTH_CLEANUP(berth_portsfile_deinit) struct berth_portsfile file = { 0 };
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_AUTO_FREE char *text = NULL;

	return berth_ports_file_load(path, &faults, &text, &file, err);
}

static int parse_paths(const struct berth_run_args *args, struct berth_job *job,
		       struct berth_err *err)
{
	int r = absolute(job->cwd, args->pid_file, &job->pid_file, err);

	if (r == 0)
		r = absolute(job->cwd, args->lock_file, &job->lock_file, err);
	if (r == 0)
		r = absolute(job->cwd, args->ports_file, &job->ports_file, err);
	return r == 0 && job->ports_file ? check_ports_file(job->ports_file, err) : r;
}

static int check_all(const struct berth_run_args *args, const struct berth_cli *cli,
		     struct berth_err *err)
{
	int r = check_args(args, cli, err);

	if (r == 0)
		r = check_count(args, err);
	if (r == 0)
		r = check_life(args, err);
	if (r == 0)
		r = check_outside(args, err);
	return r == 0 ? berth_run_check_env(&args->env, err) : r;
}

static bool has_wish(const struct berth_wish *wish)
{
	for (size_t i = 0; i < wish->port_count; i++)
		if (wish->ports[i].list_len && !wish->ports[i].udp)
			return true;
	return wish->range.lo;
}

int berth_run_fill(const struct berth_run_args *args, struct berth_cli *cli,
		   struct berth_run_files *files, struct berth_job *job, struct berth_err *err)
{
	struct rlimit limit;
	int r;

	r = check_all(args, cli, err);
	if (r < 0)
		return r;
	if (!getcwd(files->cwd, sizeof(files->cwd)))
		return berth_err_errno(err, -errno, "cannot tell the working folder");
	*job = job_of(args, cli);
	if (!args->grace_given && cli->settings.has_grace)
		job->policy.grace_ns = cli->settings.grace_ms * BERTH_NS_PER_MS;
	job->cwd = files->cwd;
	if (args->stop_command) {
		files->stop_argv[0] = "/bin/sh";
		files->stop_argv[1] = "-c";
		files->stop_argv[2] = args->stop_command;
		job->stop_argv = files->stop_argv;
	}
	job->env_file = &files->env_file;
	sigprocmask(SIG_SETMASK, NULL, &job->signal_mask);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		job->open_files = limit.rlim_cur;
	r = parse_ports(args, job, err);
	if (r == 0)
		r = parse_checks(args, job, err);
	if (r == 0)
		r = berth_owner_parse(args->owner, &job->owner, err);
	if (r == 0)
		r = parse_paths(args, job, err);
	if (r == 0 && args->env_file)
		r = load_dotenv(args->env_file, true, &files->env_file, err);
	if (r == 0)
		r = load_dotenv(".env", false, &files->dotenv, err);
	if (r == 0)
		r = identify(args, job->argv, files->cwd, &job->identity, err);
	job->tell_port = job->fresh || job->outside || args->pass_socket ||
			 uses_port(cli->operands.items) ||
			 (job->stop_argv && uses_port(job->stop_argv));
	if (r == 0)
		r = berth_job_settle(job, &files->dotenv, err);
	if (r == 0 && job->ask && !has_wish(&job->wish))
		r = usage(err, "--ask: there is no wish that could be taken",
			  "--port, --range, or PORT in the environment or in .env");
	return r;
}

/* BERTH=0: as if berth were not there; {port} gets the wish, for want of a lease. */
int berth_run_bare(struct berth_job *job, struct berth_err *err)
{
	uint16_t wish = job->wish.port_count && job->wish.ports[0].list_len
				? job->wish.ports[0].list[0]
				: job->wish.range.lo;
	char number[8], url[32];
	const struct berth_template_var vars[] = { { "port", number },
						   { "url", url },
						   { "host", "localhost" } };
	BERTH_AUTO_FREE char **argv = NULL;
	size_t count = 0;

	if (uses_port(job->argv) && !wish)
		return usage(err, "BERTH=0, and no --port to fill {port} with", NULL);
	snprintf(number, sizeof(number), "%u", wish);
	snprintf(url, sizeof(url), "http://localhost:%u", wish);
	while (job->argv[count])
		count++;
	argv = calloc(count + 1, sizeof(*argv));
	for (size_t i = 0; argv && i < count; i++) {
		int r = berth_template_expand(job->argv[i], vars, BERTH_ARRAY_SIZE(vars), false,
					      &argv[i], err);

		if (r < 0)
			return r;
	}
	if (!argv)
		return berth_err_errno(err, -ENOMEM, "cannot run the command");
	return berth_inner_exec(argv, job, NULL, err);
}
