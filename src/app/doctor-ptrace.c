/* SPDX-License-Identifier: MIT */
/*
 * app/doctor-ptrace.c - may one process look into another one here, and who forbids it
 *
 * berth reads what a program passes to bind(), and takes its socket (pidfd_getfd(2)): as its
 * ancestor, and for "berth exec" as somebody who is not. Three things forbid that: Yama
 * (kernel.yama.ptrace_scope), a container without CAP_SYS_PTRACE, a seccomp profile. Tried on a
 * copy of this process.
 */
#include "app/doctor-ptrace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/scratch.h"
#include "os/procfs.h"
#include "os/statefile.h"

enum {
	FOR_NOBODY = 3, /* of ptrace_scope: not even for root */
};

int berth_doctor_ptrace_scope(void)
{
	BERTH_AUTO_FREE char *text = NULL;
	size_t len;

	if (berth_statefile_read(AT_FDCWD, "/proc/sys/kernel/yama/ptrace_scope", 64, &text, &len) <
	    0)
		return -1;
	return atoi(text);
}

const char *berth_doctor_ptrace_engine(void)
{
	if (access("/run/.containerenv", F_OK) == 0)
		return "podman";
	return access("/.dockerenv", F_OK) == 0 ? "docker" : NULL;
}

void berth_doctor_ptrace_fix(int error, struct berth_doctor_finding *finding)
{
	if (error != -EPERM && error != -EACCES && error != -ENOSYS)
		return;
	if (berth_doctor_ptrace_scope() > 0)
		berth_doctor_fix(finding, true, "sysctl -w kernel.yama.ptrace_scope=0");
	else if (berth_doctor_ptrace_engine())
		berth_doctor_fix(finding, false, "%s run --cap-add=SYS_PTRACE ...",
				 berth_doctor_ptrace_engine());
}

/* ---- pidfd_getfd(2) ---- */

struct owner_report {
	int fd; /* a descriptor of the process that says this */
};

/* A process with a descriptor, until it is ended. */
static void be_owner(int fd, const void *arg)
{
	const struct owner_report report = { .fd = fd };
	char byte;

	/* An ordinary program may be looked at; ours may not where its file can't be read. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	berth_scratch_say(fd, &report, sizeof(report), -1);
	(void)!read(fd, &byte, sizeof(byte));
}

struct prey {
	int pidfd, fd;
};

static int take(const struct prey *prey)
{
	BERTH_AUTO_FD int fd = (int)syscall(SYS_pidfd_getfd, prey->pidfd, prey->fd, 0);

	return fd < 0 ? -errno : 0;
}

static void be_stranger(int fd, const void *arg)
{
	int r = take(arg);

	berth_scratch_say(fd, &r, sizeof(r), -1);
}

/* The same by a process that has not started the owner. */
static int take_as_stranger(const struct prey *prey)
{
	struct berth_scratch stranger = { 0 };
	int r, answer = 0;

	r = berth_scratch_start(&stranger, be_stranger, prey);
	if (r == 0)
		r = berth_scratch_hear(stranger.fd, &answer, sizeof(answer), NULL);
	berth_scratch_end(&stranger);
	return r < 0 ? r : answer;
}

void berth_doctor_ptrace_getfd(const struct berth_doctor_place *place,
			       struct berth_doctor_finding *finding)
{
	struct berth_scratch owner = { 0 };
	struct owner_report report = { .fd = -1 };
	int r, stranger = 0;

	r = berth_scratch_start(&owner, be_owner, NULL);
	if (r == 0)
		r = berth_scratch_hear(owner.fd, &report, sizeof(report), NULL);
	if (r == 0)
		r = take(&(struct prey){ owner.pidfd, report.fd });
	if (r == 0)
		stranger = take_as_stranger(&(struct prey){ owner.pidfd, report.fd });
	berth_scratch_end(&owner);
	if (r == 0 && stranger == 0) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   "a socket of another process was taken, by the one that had "
				   "started it and by a third one");
		return;
	}
	if (r == 0) {
		berth_doctor_found(
			finding, BERTH_DOCTOR_DEGRADED,
			"only the one that started a process can take a socket of it: %s",
			berth_scratch_error(stranger));
		berth_doctor_cost(finding,
				  "what 'berth exec' starts is not answered for, and whether a "
				  "stranger's socket would let a server in is guessed");
		berth_doctor_ptrace_fix(stranger, finding);
		return;
	}
	berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
			   "a socket of a process that we started cannot be taken: %s",
			   berth_scratch_error(r));
	berth_doctor_cost(finding, "no program is moved to another port by its bind(), and no "
				   "socket is kept over a restart");
	berth_doctor_ptrace_fix(r, finding);
}

/* ---- Yama ---- */

static bool may_ptrace(void)
{
	struct berth_proc_status status;

	return berth_procfs_status(getpid(), &status) == 0 &&
	       (status.cap_eff & (1ULL << CAP_SYS_PTRACE));
}

void berth_doctor_ptrace_judge(int scope, bool free, struct berth_doctor_finding *finding)
{
	if (scope <= 0) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   scope < 0 ? "there is no Yama here"
					     : "a user's processes may look into each other "
					       "(kernel.yama.ptrace_scope is 0)");
		return;
	}
	if (scope < FOR_NOBODY && free) {
		berth_doctor_found(
			finding, BERTH_DOCTOR_OK,
			"kernel.yama.ptrace_scope is %d, from which CAP_SYS_PTRACE frees "
			"us",
			scope);
		return;
	}
	berth_doctor_found(finding, scope == 1 ? BERTH_DOCTOR_DEGRADED : BERTH_DOCTOR_MISSING,
			   "%s may look into a process (kernel.yama.ptrace_scope is %d)",
			   scope == 1		? "only ancestors"
			   : scope < FOR_NOBODY ? "nobody but root"
						: "nobody",
			   scope);
	berth_doctor_cost(finding, "%s",
			  scope == 1 ? "what 'berth exec' starts is not answered for by the "
				       "supervisor of the copy"
				     : "no program is moved to another port by its bind()");
	/* The highest cannot be taken back before the next boot. */
	if (scope < FOR_NOBODY)
		berth_doctor_fix(finding, true, "sysctl -w kernel.yama.ptrace_scope=0");
}

void berth_doctor_ptrace_yama(const struct berth_doctor_place *place,
			      struct berth_doctor_finding *finding)
{
	berth_doctor_ptrace_judge(berth_doctor_ptrace_scope(), may_ptrace(), finding);
}
