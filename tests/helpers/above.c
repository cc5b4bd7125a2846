/* SPDX-License-Identifier: MIT */
/* helpers/above.c - stand above a command as other sandboxes do */
/*
 * Usage: above listener|refuse|getfd COMMAND [ARG...]
 *
 *	listener   install a user notification filter on bind() of its own, let every call pass, and run COMMAND below it: the
 *	           kernel allows one listener for a chain of filters, so berth below gets EBUSY
 *	refuse     answer seccomp(2) and prctl(PR_SET_SECCOMP) with EPERM and run COMMAND: a container's profile
 *	getfd      answer pidfd_getfd(2) with EPERM and run COMMAND: Docker's default profile, Yama
 *
 * Ends as COMMAND ends.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, (value))

static int install(struct sock_filter *filter, unsigned short len, unsigned int flags)
{
	struct sock_fprog program = { .len = len, .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static int install_listener(void)
{
	struct sock_filter filter[] = {
		LOAD(nr),
		IF_EQUAL(SYS_bind, 0, 1),
		ANSWER(SECCOMP_RET_USER_NOTIF),
		ANSWER(SECCOMP_RET_ALLOW),
	};

	return install(filter, sizeof(filter) / sizeof(filter[0]),
		       SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

static int install_refusal(void)
{
	struct sock_filter filter[] = {
		LOAD(nr),
		IF_EQUAL(SYS_seccomp, 3, 0),
		IF_EQUAL(SYS_prctl, 0, 3),
		LOAD(args[0]),
		IF_EQUAL(PR_SET_SECCOMP, 0, 1),
		ANSWER(SECCOMP_RET_ERRNO | EPERM),
		ANSWER(SECCOMP_RET_ALLOW),
	};

	return install(filter, sizeof(filter) / sizeof(filter[0]), 0);
}

static int install_no_getfd(void)
{
	struct sock_filter filter[] = {
		LOAD(nr),
		IF_EQUAL(SYS_pidfd_getfd, 0, 1),
		ANSWER(SECCOMP_RET_ERRNO | EPERM),
		ANSWER(SECCOMP_RET_ALLOW),
	};

	return install(filter, sizeof(filter) / sizeof(filter[0]), 0);
}

static void pass_one(int listener)
{
	struct seccomp_notif call = { 0 };
	struct seccomp_notif_resp response = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
		return;
	response.id = call.id;
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/* Let every bind() pass until @child has ended, hand signals on, and return what a shell would. */
static int stand_above(int listener, pid_t child, const sigset_t *watched)
{
	struct pollfd fds[2] = {
		{ .fd = listener, .events = POLLIN },
		{ .fd = signalfd(-1, watched, SFD_CLOEXEC), .events = POLLIN },
	};
	int status = 0;

	while (poll(fds, 2, -1) > 0 || errno == EINTR) {
		struct signalfd_siginfo info;

		if (fds[0].revents & POLLIN)
			pass_one(listener);
		if (!(fds[1].revents & POLLIN) ||
		    read(fds[1].fd, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo != SIGCHLD)
			(void)kill(child, (int)info.ssi_signo);
		else if (waitpid(child, &status, WNOHANG) == child)
			break;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	sigset_t watched, before;
	int listener = -1;
	pid_t child = 0;
	int r;

	if (argc < 3)
		return 98;
	if (strcmp(argv[1], "listener") == 0)
		r = listener = install_listener();
	else if (strcmp(argv[1], "refuse") == 0)
		r = install_refusal();
	else if (strcmp(argv[1], "getfd") == 0)
		r = install_no_getfd();
	else
		return 98;
	if (r < 0) {
		perror("above: seccomp");
		return 99;
	}
	sigemptyset(&watched);
	sigaddset(&watched, SIGCHLD);
	sigaddset(&watched, SIGTERM);
	sigaddset(&watched, SIGINT);
	if (listener >= 0) {
		(void)sigprocmask(SIG_BLOCK, &watched, &before);
		child = fork();
		if (child > 0)
			return stand_above(listener, child, &watched);
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
		close(listener);
	}
	execvp(argv[2], argv + 2);
	perror("above: exec");
	return 127;
}
