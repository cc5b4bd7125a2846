/* SPDX-License-Identifier: MIT */
/* app/doctor.h - what of berth works on this machine, found by doing it */
#pragma once

#include "base/attr.h"
#include "port/lease.h"

#include <stdbool.h>

/* The words are those of the JSON output ("result"). */
/* clang-format off */
#define BERTH_DOCTOR_RESULTS(X)                                            \
	X(OK, "ok")                                                        \
	X(DEGRADED, "degraded") /* all promises hold, with less comfort */ \
	X(MISSING, "missing")   /* a promise of berth does not hold here */
/* clang-format on */

enum berth_doctor_result {
#define X(id, name) BERTH_DOCTOR_##id,
	BERTH_DOCTOR_RESULTS(X)
#undef X
	BERTH_DOCTOR_RESULT_COUNT_,
};
const char *berth_doctor_result_name(enum berth_doctor_result result);

/* One line each, printable. */
struct berth_doctor_finding {
	enum berth_doctor_result result;
	char found[320]; /* never empty */
	char cost[320]; /* what the user loses by that; "": nothing */
	char fix[320]; /* a command that mends it; "": none does */
};

/* What several checks depend on, found once. */
struct berth_doctor_place {
	struct berth_lease_means means;
	/* 0: a filter can be installed. -EBUSY: somebody above us answers bind() already. */
	int filter_error;
	bool had_no_new_privs; /* whoever started us had given up new privileges */
	bool needs_no_new_privs; /* the kernel wants us to, for a filter */
	char above[128]; /* the service whose berth it is that answers; "": none */
};
void berth_doctor_look(struct berth_doctor_place *ret_place);

struct berth_doctor_check {
	const char *name; /* NULL closes the list */
	/*
	 * Leaves nothing behind: no process, socket, group or file. Takes some milliseconds; where
	 * nothing answers, a second or two. @finding is zero before.
	 */
	void (*run)(const struct berth_doctor_place *place, struct berth_doctor_finding *finding);
};
extern const struct berth_doctor_check berth_doctor_checks[];

/*
 * What follows is shared by doctor.c and the files doctor-*.c: how a check says what it found, and
 * the checks that doctor.c lists.
 */
void berth_doctor_found(struct berth_doctor_finding *finding, enum berth_doctor_result result,
			const char *fmt, ...) BERTH_PRINTF(3, 4);
void berth_doctor_cost(struct berth_doctor_finding *finding, const char *fmt, ...)
	BERTH_PRINTF(2, 3);
/* A command for root gets "sudo" in front of it unless we are root. */
void berth_doctor_fix(struct berth_doctor_finding *finding, bool as_root, const char *fmt, ...)
	BERTH_PRINTF(3, 4);

/* doctor-lease.c */
void berth_doctor_lease(const struct berth_doctor_place *place,
			struct berth_doctor_finding *finding);
void berth_doctor_time_wait(const struct berth_doctor_place *place,
			    struct berth_doctor_finding *finding);

/* doctor-steering.c */

/*
 * Try to install a filter, in a process that ends at once: fills the members of @place that tell of
 * it.
 */
void berth_doctor_try_filter(struct berth_doctor_place *place);
void berth_doctor_above(const struct berth_doctor_place *place,
			struct berth_doctor_finding *finding);
void berth_doctor_steering(const struct berth_doctor_place *place,
			   struct berth_doctor_finding *finding);
void berth_doctor_view(const struct berth_doctor_place *place,
		       struct berth_doctor_finding *finding);
void berth_doctor_new_privileges(const struct berth_doctor_place *place,
				 struct berth_doctor_finding *finding);

/* doctor-limits.c */
void berth_doctor_open_files(const struct berth_doctor_place *place,
			     struct berth_doctor_finding *finding);
void berth_doctor_process_limit(const struct berth_doctor_place *place,
				struct berth_doctor_finding *finding);
void berth_doctor_file_size(const struct berth_doctor_place *place,
			    struct berth_doctor_finding *finding);

/* doctor-tree.c */
void berth_doctor_containment(const struct berth_doctor_place *place,
			      struct berth_doctor_finding *finding);
void berth_doctor_cgroup(const struct berth_doctor_place *place,
			 struct berth_doctor_finding *finding);

/* doctor-machine.c */
void berth_doctor_sockets(const struct berth_doctor_place *place,
			  struct berth_doctor_finding *finding);
void berth_doctor_processes(const struct berth_doctor_place *place,
			    struct berth_doctor_finding *finding);
void berth_doctor_port_range(const struct berth_doctor_place *place,
			     struct berth_doctor_finding *finding);
void berth_doctor_ipv6(const struct berth_doctor_place *place,
		       struct berth_doctor_finding *finding);
void berth_doctor_names(const struct berth_doctor_place *place,
			struct berth_doctor_finding *finding);
void berth_doctor_runtime_folder(const struct berth_doctor_place *place,
				 struct berth_doctor_finding *finding);
void berth_doctor_state_folder(const struct berth_doctor_place *place,
			       struct berth_doctor_finding *finding);

/* doctor-files.c */
void berth_doctor_settings(const struct berth_doctor_place *place,
			   struct berth_doctor_finding *finding);
void berth_doctor_stale_files(const struct berth_doctor_place *place,
			      struct berth_doctor_finding *finding);
