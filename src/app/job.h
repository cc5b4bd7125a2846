/* SPDX-License-Identifier: MIT */
/* app/job.h - one start, as it was asked for: everything decided that needs no port yet */
#pragma once

#include "base/err.h"
#include "os/procfs.h"
#include "os/logfile.h"
#include "port/wish.h"
#include "service/check.h"
#include "service/identity.h"
#include "service/state.h"
#include "stack/dotenv.h"
#include "stack/settings.h"
#include "steer/decide.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

enum {
	BERTH_JOB_MAPS_MAX = 16
};

struct berth_stack;
struct berth_manifest_link;

enum berth_job_free {
	BERTH_JOB_FREE_NOTHING,
	BERTH_JOB_FREE_OWN, /* end what berth started on the wish, or in the range, first */
	BERTH_JOB_FREE_ANY, /* whoever holds them */
};

struct berth_job_map {
	uint16_t from, to;
};

/*
 * Filled by cli/cmd-run.c, read by everybody after. Strings are borrowed from there for the life of
 * the process: the guardian and the supervisor are its forks.
 */
struct berth_job {
	struct berth_identity identity;
	const char *cwd; /* of the service */
	const char *const *argv; /* {port} and its like not yet filled in */
	const char *const *extra_env; /* "K=V" of -e, NULL-terminated */
	size_t extra_env_count;
	const struct berth_dotenv *env_file; /* of --env-file; NULL: none */

	struct berth_wish wish;
	bool no_port; /* --port none */
	bool tell_port; /* set PORT: there is a wish, or a number is needed before the first bind()
			 */
	struct berth_job_map maps[BERTH_JOB_MAPS_MAX];
	size_t map_count;
	const char *skip; /* numbers to leave out; NULL: none */
	const struct berth_settings *settings; /* the user's, for all; NULL: none */
	int64_t check_timeout_ms; /* bounds the choice; 0: none */
	enum berth_steer_scope scope;
	bool loopback;
	bool pass_socket;
	bool outside; /* its port is bound by a process that is not ours: Docker's, a rule of NAT */
	const char *scheme; /* of its URLs, "none": it has none; NULL: by the number asked for */
	const struct berth_manifest_link *links; /* pages of its first port */
	size_t link_count;
	bool strict_templates; /* {name} in its words is ours: unknown ones were refused before */

	unsigned int workers, instances; /* at least 1 */
	struct berth_service_policy policy;
	int stop_signal;
	/*
	 * Run when a life ends, for what signals do not reach: `docker rm -f {id}`. {port} and its
	 * like not yet filled in; NULL: none.
	 */
	const char *const *stop_argv;
	int64_t hold_ms; /* how long a listening socket is kept for the next life; 0: never */
	struct berth_check ready, live;
	struct berth_check_timing probe;
	struct berth_logfile_limits log;
	bool tty;

	const struct berth_stack *stack; /* what it is part of; NULL: nothing */
	size_t member; /* its index there */

	bool detach;
	bool apart; /* in a session of its own, its output ours to read: in the background, or in
		       a stack */
	bool fresh; /* --new: take the next free instance number */
	bool reuse;
	bool force;
	enum berth_job_free free_first;
	bool ask; /* who holds the wish: and then? */
	struct berth_proc_id owner; /* pid 0: none */
	int64_t ttl_ms; /* 0: none */
	int64_t wait_ms; /* how long the starter waits for ready */
	const char *pid_file, *lock_file, *ports_file; /* absolute; NULL: none */
	int status_fd; /* -1: none */
	bool quiet;
	unsigned int verbose;

	sigset_t signal_mask; /* as the starter was given them: so gets the service */
	rlim_t open_files;
};

/*
 * Where wishes come from besides flags (P5), weakest first: .env of the working folder, the
 * environment; BERTH_X goes before X in each. PORT moves the start of the search and keeps a
 * configured range's length. Only what a flag left open is filled. Reads PORT, FALLBACK_PORTS,
 * MAX_PORT_ATTEMPTS, PORT_CHECK_TIMEOUT (ms) and BERTH_ANY, BERTH_STRICT, BERTH_SKIP. CONFIG errors
 * name the variable and where it stands.
 */
BERTH_MUST_USE int berth_job_settle(struct berth_job *job, const struct berth_dotenv *dotenv,
				    struct berth_err *err);

/*
 * Of that, how a number is sought, and not which: MAX_PORT_ATTEMPTS, PORT_CHECK_TIMEOUT, BERTH_ANY,
 * BERTH_STRICT, BERTH_SKIP.
 */
BERTH_MUST_USE int berth_job_settle_search(struct berth_job *job, const struct berth_dotenv *dotenv,
					   struct berth_err *err);
