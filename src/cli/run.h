/* SPDX-License-Identifier: MIT */
/*
 * cli/run.h - berth run, in four files: cmd-run.c the options, run-job.c what they mean, run-free.c
 * who is in the way, run.c the start
 */
#pragma once

#include "app/job.h"
#include "cli/cli.h"
#include "service/defaults.h"

#include <limits.h>

enum {
	BERTH_RUN_WORKERS_MAX = BERTH_WORKERS_MAX,
	BERTH_RUN_INSTANCES_MAX = BERTH_INSTANCES_MAX,
};

struct berth_run_args {
	const char *name;
	struct berth_opt_list ports, maps;
	struct berth_range range;
	uint16_t step, around;
	bool any, strict;
	const char *skip;

	bool fresh, reuse, force;
	unsigned int free_first;
	bool ask;
	bool detach;
	int64_t wait_ms;
	const char *owner;
	int64_t ttl_ms, grace_ms;
	bool grace_given; /* else the user's settings may say another one */
	int stop_signal;
	const char *stop_command; /* NULL: not given */

	uint16_t workers, instances;
	unsigned int restart;
	int64_t backoff_ms, backoff_max_ms;
	struct berth_value_limit restart_limit;
	int64_t hold_ms;

	const char *ready, *live; /* NULL: not given */
	int64_t start_timeout_ms;
	int64_t probe_initial_delay_ms, probe_period_ms, probe_timeout_ms;
	uint16_t probe_success_threshold, probe_failure_threshold;

	bool tty;
	int64_t log_size, log_age_ms; /* 0: not given */
	uint16_t log_files; /* 0: not given */

	unsigned int steer;
	bool loopback, pass_socket, outside;

	struct berth_opt_list env;
	const char *env_file, *pid_file, *lock_file, *ports_file;
	int status_fd;
};

/* What a job borrows from, for the life of the process. */
struct berth_run_files {
	char cwd[PATH_MAX];
	struct berth_dotenv dotenv, env_file;
	const char *stop_argv[4]; /* of --stop-command, NULL-terminated */
};

/* Are those of -e NAME=VALUE? USAGE. */
BERTH_MUST_USE int berth_run_check_env(const struct berth_opt_list *env, struct berth_err *err);

/* Check @args and fill @job from them, the environment, .env and the folder. USAGE, CONFIG. */
BERTH_MUST_USE int berth_run_fill(const struct berth_run_args *args, struct berth_cli *cli,
				  struct berth_run_files *files, struct berth_job *job,
				  struct berth_err *err);

/* BERTH=0: the command takes our place as if berth were not there. Returns only on failure. */
BERTH_MUST_USE int berth_run_bare(struct berth_job *job, struct berth_err *err);

/* End who holds the wish or the range, and say so. Who must not be ended is left alone. */
BERTH_MUST_USE int berth_run_free_any(struct berth_cli *cli, const struct berth_job *job,
				      struct berth_err *err);
/* Where the wish is held: show by whom, ask, and do what was answered. -EADDRINUSE: quit, NO_PORT. */
BERTH_MUST_USE int berth_run_ask(struct berth_cli *cli, const struct berth_job *job,
				 struct berth_err *err);

/* Free, start, wait, say: the exit code, or -errno with @err (and cli->error_exit). */
BERTH_MUST_USE int berth_run_start(struct berth_cli *cli, struct berth_job *job,
				   struct berth_err *err);
