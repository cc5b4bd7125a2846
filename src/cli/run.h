/* SPDX-License-Identifier: MIT */
/* cli/run.h - berth run, in three files: cmd-run.c the options, run-job.c what they mean, run.c the start */
#pragma once

#include "app/job.h"
#include "cli/cli.h"

#include <limits.h>

struct berth_run_args {
	const char *name;
	struct berth_opt_list ports, maps;
	struct berth_range range;
	uint16_t step, around;
	bool any, strict;
	const char *skip;

	bool fresh, reuse, force;
	unsigned int free_first;
	bool detach;
	int64_t wait_ms;
	const char *owner;
	int64_t ttl_ms, grace_ms;

	unsigned int steer;
	bool loopback, pass_socket;

	struct berth_opt_list env;
	const char *env_file, *pid_file, *lock_file, *ports_file;
	int status_fd;
};

/* What a job borrows from, for the life of the process. */
struct berth_run_files {
	char cwd[PATH_MAX];
	struct berth_dotenv dotenv, env_file;
};

/* Check @args and fill @job from them, the environment, .env and the folder. USAGE, CONFIG. */
BERTH_MUST_USE int berth_run_fill(const struct berth_run_args *args, struct berth_cli *cli,
				  struct berth_run_files *files, struct berth_job *job,
				  struct berth_err *err);

/* BERTH=0: the command takes our place as if berth were not there. Returns only on failure. */
BERTH_MUST_USE int berth_run_bare(struct berth_job *job, struct berth_err *err);

/* Free, start, wait, say: the exit code, or -errno with @err (and cli->error_exit). */
BERTH_MUST_USE int berth_run_start(struct berth_cli *cli, struct berth_job *job,
				   struct berth_err *err);
