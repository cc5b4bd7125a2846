/* SPDX-License-Identifier: MIT */
/* service/defaults.h - how a service is run where nobody says otherwise */
/*
 * `berth run` and berth.yaml have the same ones: the presets of run's options are written out in its
 * table, and a test holds the two together.
 */
#pragma once

enum {
	BERTH_DEFAULT_GRACE_MS = 10 * 1000,
	BERTH_DEFAULT_BACKOFF_MS = 100,
	BERTH_DEFAULT_BACKOFF_MAX_MS = 30 * 1000,
	BERTH_DEFAULT_LIMIT = 5,
	BERTH_DEFAULT_LIMIT_MS = 10 * 1000,
	/* After a life so long restarts begin anew: no delay, then the first one. */
	BERTH_DEFAULT_STABLE_MS = 10 * 1000,
	/* Not ready yet: that is said. */
	BERTH_DEFAULT_NOTICE_MS = 30 * 1000,
	/* What a program that puts itself in the background may take to listen. */
	BERTH_DEFAULT_DAEMON_MS = 5 * 1000,
	BERTH_DEFAULT_HOLD_MS = 30 * 1000,

	BERTH_DEFAULT_PROBE_PERIOD_MS = 10 * 1000,
	BERTH_DEFAULT_PROBE_TIMEOUT_MS = 1000,
	BERTH_DEFAULT_PROBE_SUCCESSES = 1,
	BERTH_DEFAULT_PROBE_FAILURES = 3,

	BERTH_DEFAULT_LOG_SIZE = 10 * 1024 * 1024,
	BERTH_DEFAULT_LOG_FILES = 5,
	BERTH_DEFAULT_LOG_AGE_MS = 7 * 24 * 3600 * 1000,

	BERTH_WORKERS_MAX = 64,
	BERTH_INSTANCES_MAX = 100,
};
