/* SPDX-License-Identifier: MIT */
/* cli/cmd-run.c - berth run: run one service on a port of its own */
#include "cli/run.h"

#include <string.h>

#include "app/inner.h"
#include "cli/commands.h"

static const char *const steer_words[] = { "all", "declared", "bind", "off", NULL };
static const char *const free_words[] = { "own", "any", NULL };
static const char *const restart_words[] = {
#define X(id, name) name,
	BERTH_SERVICE_RESTARTS(X)
#undef X
		NULL,
};
/* What to complete; "http PATH" and its like are written with ':' where a blank is awkward. */
static const char *const ready_words[] = { "listen", "tcp",   "http:/",	 "log:",
					   "notify", "exec:", "started", NULL };
static const char *const signal_words[] = { "TERM", "INT", "QUIT", "HUP", "USR1", "USR2", NULL };
static const char *const live_words[] = { "tcp", "http:/", "exec:", NULL };

static const struct berth_opt run_opts[] = {
	{ 'p', "port", "PORT", BERTH_AT(LIST, struct berth_run_args, ports),
	  "the port it wants, or a list to try in order; NAME=PORT for several, none for no port at all",
	  .group = "Ports" },
	{ 0, "range", "FROM-TO", BERTH_AT(RANGE, struct berth_run_args, range),
	  "take one of these numbers" },
	{ 0, "step", "N", BERTH_AT(U16, struct berth_run_args, step),
	  "move a group of ports by N at a time", .min = 1, .max = 10000 },
	{ 0, "around", "N", BERTH_AT(U16, struct berth_run_args, around),
	  "try up to N numbers above and below the wish", .min = 1, .max = 30000 },
	{ 0, "any", NULL, BERTH_AT(FLAG, struct berth_run_args, any),
	  "when all else is taken, any free number" },
	{ 0, "strict", NULL, BERTH_AT(FLAG, struct berth_run_args, strict), "the wish or nothing" },
	{ 0, "skip", "LIST", BERTH_AT(STRING, struct berth_run_args, skip),
	  "numbers never to take: 6000,7000-7010" },
	{ 0, "map", "FROM:TO", BERTH_AT(LIST, struct berth_run_args, maps),
	  "what the program binds as FROM becomes exactly TO" },

	{ 0, "name", "NAME", BERTH_AT(STRING, struct berth_run_args, name), "call the service NAME",
	  .group = "Instances" },
	{ 0, "workers", "N", BERTH_AT(U16, struct berth_run_args, workers),
	  "run N of it, which share one port", .preset = "1", .min = 1,
	  .max = BERTH_RUN_WORKERS_MAX },
	{ 0, "instances", "N", BERTH_AT(U16, struct berth_run_args, instances),
	  "run N of it, each on a port of its own", .preset = "1", .min = 1,
	  .max = BERTH_RUN_INSTANCES_MAX },
	{ 0, "new", NULL, BERTH_AT(FLAG, struct berth_run_args, fresh),
	  "one more instance, beside what runs already" },
	{ 0, "reuse", NULL, BERTH_AT(FLAG, struct berth_run_args, reuse),
	  "with -d: if the same command runs already, use it" },
	{ 0, "force", NULL, BERTH_AT(FLAG, struct berth_run_args, force),
	  "end what runs of this service, then start" },
	{ 0, "free", "WHOSE", BERTH_AT(CHOICE, struct berth_run_args, free_first),
	  "end what berth started on the wish or in the range, or whoever holds that, then start",
	  .bare = "own", .words = free_words, .base = BERTH_JOB_FREE_OWN },
	{ 0, "ask", NULL, BERTH_AT(FLAG, struct berth_run_args, ask),
	  "on a terminal: when the wish is taken, ask what to do" },

	{ 'd', "detach", NULL, BERTH_AT(FLAG, struct berth_run_args, detach),
	  "run in the background; return when it is ready", .group = "Life" },
	{ 0, "wait", "TIME", BERTH_AT(DURATION, struct berth_run_args, wait_ms),
	  "with -d: how long to wait for ready", .preset = "30s", .bare = "30s", .min = 1,
	  .max = BERTH_CLI_WAIT_MAX_MS },
	{ 0, "owner", "PID", BERTH_AT(STRING, struct berth_run_args, owner),
	  "end with process PID, or with the \"parent\" of this one" },
	{ 0, "ttl", "TIME", BERTH_AT(DURATION, struct berth_run_args, ttl_ms),
	  "end after TIME (90, 30m, 2h)", .min = 1 },
	{ 0, "grace", "TIME", BERTH_AT(DURATION, struct berth_run_args, grace_ms),
	  "from the stop signal to SIGKILL", .preset = "10s",
	  .given_at = offsetof(struct berth_run_args, grace_given) },
	{ 0, "stop-signal", "SIGNAL", BERTH_AT(SIGNAL, struct berth_run_args, stop_signal),
	  "what asks it to end", .preset = "TERM", .complete = BERTH_COMPLETE_WORDS,
	  .words = signal_words },
	{ 0, "stop-command", "COMMAND", BERTH_AT(STRING, struct berth_run_args, stop_command),
	  "what the shell runs when it ends, whatever ended it: \"docker rm -f {id}\"" },

	{ 0, "restart", "WHEN", BERTH_AT(CHOICE, struct berth_run_args, restart),
	  "start it again when it has ended by itself: never, after a failure, after any end",
	  .group = "Restart", .preset = "no", .words = restart_words,
	  .base = BERTH_SERVICE_RESTART_NO },
	{ 0, "backoff", "TIME", BERTH_AT(DURATION, struct berth_run_args, backoff_ms),
	  "delay of a restart, doubled each time; none after a life of 10 s; 0: never any",
	  .preset = "100ms" },
	{ 0, "backoff-max", "TIME", BERTH_AT(DURATION, struct berth_run_args, backoff_max_ms),
	  "the longest delay", .preset = "30s" },
	{ 0, "restart-limit", "N/TIME", BERTH_AT(LIMIT, struct berth_run_args, restart_limit),
	  "more restarts than N within TIME: it has failed; or none", .preset = "5/10s",
	  .max = BERTH_SERVICE_LIMIT_MAX },
	{ 0, "hold", "TIME", BERTH_AT(DURATION, struct berth_run_args, hold_ms),
	  "let clients wait so long for the next life; 0: they are refused", .preset = "30s" },

	{ 0, "ready", "HOW", BERTH_AT(STRING, struct berth_run_args, ready),
	  "what makes it ready: listen, tcp, \"http PATH\", \"log PATTERN\", notify, \"exec COMMAND\" or started; default listen",
	  .group = "Ready and alive", .complete = BERTH_COMPLETE_WORDS, .words = ready_words },
	{ 0, "start-timeout", "TIME", BERTH_AT(DURATION, struct berth_run_args, start_timeout_ms),
	  "not ready after TIME: it has failed", .min = 1 },
	{ 0, "live", "HOW", BERTH_AT(STRING, struct berth_run_args, live),
	  "what shows that it lives, tcp, \"http PATH\" or \"exec COMMAND\"; it has failed when that does",
	  .complete = BERTH_COMPLETE_WORDS, .words = live_words },
	{ 0, "probe-initial-delay", "TIME",
	  BERTH_AT(DURATION, struct berth_run_args, probe_initial_delay_ms),
	  "before the first probe", .preset = "0" },
	{ 0, "probe-period", "TIME", BERTH_AT(DURATION, struct berth_run_args, probe_period_ms),
	  "from one probe to the next", .preset = "10s", .min = 100 },
	{ 0, "probe-timeout", "TIME", BERTH_AT(DURATION, struct berth_run_args, probe_timeout_ms),
	  "an answer that takes longer is a failure", .preset = "1s", .min = 1 },
	{ 0, "probe-success-threshold", "N",
	  BERTH_AT(U16, struct berth_run_args, probe_success_threshold),
	  "so many successes in a row make it ready", .preset = "1", .min = 1, .max = 1000 },
	{ 0, "probe-failure-threshold", "N",
	  BERTH_AT(U16, struct berth_run_args, probe_failure_threshold),
	  "so many failures in a row count", .preset = "3", .min = 1, .max = 1000 },

	{ 0, "tty", NULL, BERTH_AT(FLAG, struct berth_run_args, tty),
	  "with -d: give it a terminal, which goes to the log", .group = "Output" },
	{ 0, "log-size", "SIZE", BERTH_AT(SIZE, struct berth_run_args, log_size),
	  "with -d: begin a new log file at SIZE; default 10M", .min = 64 * 1024 },
	{ 0, "log-files", "N", BERTH_AT(U16, struct berth_run_args, log_files),
	  "with -d: keep N older log files; default 5", .min = 1, .max = 1000 },
	{ 0, "log-age", "TIME", BERTH_AT(DURATION, struct berth_run_args, log_age_ms),
	  "with -d: remove log files older than TIME; default 7d", .min = 60000 },

	{ 0, "steer", "WHAT", BERTH_AT(CHOICE, struct berth_run_args, steer),
	  "whose calls are answered: all; declared ports only; bind without connect; off",
	  .group = "Steering", .preset = "all", .words = steer_words, .base = BERTH_STEER_ALL },
	{ 0, "loopback", NULL, BERTH_AT(FLAG, struct berth_run_args, loopback),
	  "listen on this machine only, whatever it asks for" },
	{ 0, "outside", NULL, BERTH_AT(FLAG, struct berth_run_args, outside),
	  "its port is bound by a process that is not ours: Docker's; ready when somebody answers there" },
	{ 0, "pass-socket", NULL, BERTH_AT(FLAG, struct berth_run_args, pass_socket),
	  "hand over the listening socket (LISTEN_FDS), for programs that take one" },

	{ 'e', "env", "NAME=VALUE", BERTH_AT(LIST, struct berth_run_args, env),
	  "set a variable for the command", .group = "Files and variables" },
	{ 0, "env-file", "FILE", BERTH_AT(STRING, struct berth_run_args, env_file),
	  "set the variables of a .env file", .complete = BERTH_COMPLETE_FILE },
	{ 0, "pid-file", "FILE", BERTH_AT(STRING, struct berth_run_args, pid_file),
	  "write the command's pid while it lives", .complete = BERTH_COMPLETE_FILE },
	{ 0, "lock-file", "FILE", BERTH_AT(STRING, struct berth_run_args, lock_file),
	  "write who runs, as JSON, while it lives", .complete = BERTH_COMPLETE_FILE },
	{ 0, "ports-file", "FILE", BERTH_AT(STRING, struct berth_run_args, ports_file),
	  "keep NAME_port and NAME_url in a JSON file while it lives", .bare = ".ports.json",
	  .complete = BERTH_COMPLETE_FILE },
	{ 0, "status-fd", "FD", BERTH_AT(FD, struct berth_run_args, status_fd),
	  "write events to descriptor FD, a JSON line each" },
	{ 0 },
};

/* What a shell's exit codes leave for berth itself: an error that has no code of its own. */
static int own_failure(struct berth_cli *cli, int r, const struct berth_err *err)
{
	bool named = err->code == BERTH_ERR_USAGE || err->code == BERTH_ERR_CONFIG ||
		     err->code == BERTH_ERR_ALREADY_RUNNING || err->code == BERTH_ERR_NO_PORT;

	if (r < 0 && !named && !cli->error_exit)
		cli->error_exit = 125;
	return r;
}

static int run_run(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	/* Some hundred KiB, needed until the end, by our forks too. */
	static struct berth_run_files files;
	static struct berth_job job;
	int r;

	r = berth_run_fill(arguments, cli, &files, &job, err);
	if (r < 0)
		return own_failure(cli, r, err);
	if (getenv("BERTH") && strcmp(getenv("BERTH"), "0") == 0)
		r = berth_run_bare(&job, err);
	else
		r = berth_inner_run(&job, err);
	if (r == BERTH_INNER_E_OUTSIDE)
		r = berth_run_start(cli, &job, err);
	return own_failure(cli, r, err);
}

const struct berth_cmd berth_cmd_run = {
	.name = "run",
	.synopsis = "[options] [--] COMMAND [ARG...]",
	.summary = "run one service on a port of its own",
	.details =
		"COMMAND gets the port it asks for in its own bind() if that is free, else the next one; nobody else can take it "
		"until the service ends, and nothing of the service stays behind.\n"
		"\n"
		"With a wish (--port, --range, or PORT in the environment or in .env) the port is known before COMMAND runs: it is in "
		"PORT, and {port}, {port.NAME}, {url}, {host} and {id} in COMMAND are filled in.\n"
		"\n"
		"With --workers, several processes share the port; with --instances each has its own: 5000, 5001, 5002. "
		"BERTH_WORKER and BERTH_INSTANCE tell them apart. Over a restart the listening socket is kept: clients wait "
		"and are not refused.\n"
		"\n"
		"The exit code is COMMAND's own, 128 + signal, or: 75 no port to be had, 4 already running, 2 usage, 125 berth's "
		"own failure, 126 and 127 as shells say it.",
	.opts = run_opts,
	.args_size = sizeof(struct berth_run_args),
	.min = 1,
	.max = -1,
	.command_rest = true,
	.group = BERTH_CMD_START,
	.complete = BERTH_COMPLETE_FOREIGN,
	.starts = true,
	.run = run_run,
};
