/* SPDX-License-Identifier: MIT */
/*
 * app/front.c - be the job that a shell sees: its signals, as data
 *
 * The terminal signals the whole foreground group, so the command has Ctrl-C and Ctrl-Z before us
 * and we must not pass them on; kill(1) reaches us alone, and then we must. siginfo tells them
 * apart: what the kernel's terminal sends has SI_KERNEL.
 */
#include "app/front.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>

static const int passed_on[] = { SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,  SIGUSR2,
				 SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGWINCH, SIGCHLD };

static void collect(sigset_t *ret_set)
{
	sigemptyset(ret_set);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(passed_on); i++) {
		struct sigaction action;

		/*
		 * A blocked signal is kept even where it is ignored, and would come out of the
		 * descriptor.
		 */
		if (sigaction(passed_on[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(ret_set, passed_on[i]);
	}
	sigaddset(ret_set, SIGCHLD);
}

void berth_front_block(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t set;

	/* Started with it ignored, as some do, we would never hear how a child has ended. */
	sigaction(SIGCHLD, &action, NULL);
	collect(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int berth_front_open(void)
{
	sigset_t set;
	int fd;

	collect(&set);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

bool berth_front_has_terminal(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

bool berth_front_next(int fd, struct berth_front_signal *ret_signal)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return false;
	*ret_signal = (struct berth_front_signal){
		.signo = (int)info.ssi_signo,
		.from_terminal = info.ssi_code == SI_KERNEL,
	};
	/*
	 * A shell that is hung up on passes SIGHUP to its jobs by kill(): then the terminal is gone
	 * all the same.
	 */
	ret_signal->hangup = ret_signal->signo == SIGHUP &&
			     (ret_signal->from_terminal || !berth_front_has_terminal());
	return true;
}

void berth_front_stop(void)
{
	kill(getpid(), SIGSTOP);
}

void berth_front_die_of(int signo)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t set;

	if (signo != SIGINT)
		return;
	sigaction(signo, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	kill(getpid(), signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}
