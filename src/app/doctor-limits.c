/* SPDX-License-Identifier: MIT */
/* app/doctor-limits.c - the limits that this session has (getrlimit(2)), where berth meets them */
#include "app/doctor.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/procfs.h"

enum {
	/* A service with the most ports, views and clients needs about 300. */
	OPEN_FILES_GOOD = 1024,
	OPEN_FILES_MIN = 128,
	/* Above that nobody comes near it by accident; below, processes are counted. */
	PROCESSES_GOOD = 4096,
	PROCESSES_LEFT = 64,
};

void berth_doctor_open_files(const struct berth_doctor_place *place,
			     struct berth_doctor_finding *finding)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max >= OPEN_FILES_GOOD) {
		/* A supervisor raises its own, and leaves that of the service as it is. */
		berth_doctor_found(finding, BERTH_DOCTOR_OK, "a supervisor may open enough files");
		return;
	}
	berth_doctor_found(finding,
			   limit.rlim_max < OPEN_FILES_MIN ? BERTH_DOCTOR_MISSING
							   : BERTH_DOCTOR_DEGRADED,
			   "a process may open %llu files", (unsigned long long)limit.rlim_max);
	berth_doctor_cost(
		finding,
		"a service with many ports, or many clients of its supervisor, does not start");
	berth_doctor_fix(finding, true, "prlimit --pid $$ --nofile=%d", OPEN_FILES_GOOD);
}

/* ---- processes ---- */

struct tally {
	uid_t uid;
	size_t threads;
};

static int count_threads(pid_t pid, void *arg)
{
	struct tally *tally = arg;
	struct berth_proc_stat stat;
	struct berth_proc_status status;

	if (berth_procfs_status(pid, &status) == 0 && status.uid == tally->uid &&
	    berth_procfs_stat(pid, &stat) == 0)
		tally->threads += stat.threads;
	return 0;
}

void berth_doctor_process_limit(const struct berth_doctor_place *place,
				struct berth_doctor_finding *finding)
{
	struct tally tally = { .uid = getuid() };
	struct rlimit limit;

	/* For root it does not count. */
	if (getuid() == 0 || getrlimit(RLIMIT_NPROC, &limit) < 0 ||
	    limit.rlim_cur >= PROCESSES_GOOD || berth_procfs_each(count_threads, &tally) < 0 ||
	    tally.threads + PROCESSES_LEFT <= limit.rlim_cur) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK, "there is room for more processes");
		return;
	}
	berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
			   "this user may have %llu processes and threads, and has %zu",
			   (unsigned long long)limit.rlim_cur, tally.threads);
	berth_doctor_cost(finding, "starts fail with 'Resource temporarily unavailable', those of "
				   "berth (three processes) and those of the services");
	if (limit.rlim_max >= PROCESSES_GOOD)
		berth_doctor_fix(finding, false, "ulimit -S -u %d", PROCESSES_GOOD);
	else
		berth_doctor_fix(finding, true, "prlimit --pid $$ --nproc=%d", PROCESSES_GOOD);
}

/* ---- files ---- */

void berth_doctor_file_size(const struct berth_doctor_place *place,
			    struct berth_doctor_finding *finding)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK, "a file may be of any size");
		return;
	}
	berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED, "a file may have %llu bytes",
			   (unsigned long long)limit.rlim_cur);
	berth_doctor_cost(finding, "a log ends there, and what a background service says after "
				   "that is lost");
	if (limit.rlim_max == RLIM_INFINITY)
		berth_doctor_fix(finding, false, "ulimit -S -f unlimited");
	else
		berth_doctor_fix(finding, true, "prlimit --pid $$ --fsize=unlimited");
}
