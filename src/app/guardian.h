/* SPDX-License-Identifier: MIT */
/*
 * app/guardian.h - the front and the ancestor: what the shell sees, and who clears up if the
 * supervisor can't
 */
#pragma once

#include "app/job.h"

struct berth_guardian_end {
	int exit_code;
	int signal; /* that ended the command; 0: none */
	bool interrupted; /* Ctrl-C was pressed on our terminal */
	bool lost; /* the supervisor was killed, and we have cleared up */
	int swept; /* then: how many processes were ended */
	unsigned int stop_failures; /* and how many stop commands have failed */
};

/*
 * Watch over a supervisor, our child @pid (@pidfd, consumed), at the other end of @report_fd
 * (consumed), until it has ended. @err is what it failed with before the command ran, if it did.
 * @foreground: we are the job of a shell.
 */
void berth_guardian_run(const struct berth_job *job, int report_fd, pid_t pid, int pidfd,
			bool foreground, struct berth_guardian_end *ret_end, struct berth_err *err);

/*
 * Before the fork of the supervisor: block what berth_guardian_run() will take from a descriptor;
 * subreaper.
 */
void berth_guardian_prepare(void);
