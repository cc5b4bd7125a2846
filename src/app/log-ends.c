/* SPDX-License-Identifier: MIT */
/* app/log-ends.c - what a service writes to, and we read from: pipes, or a terminal */
#include "app/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

enum {
	/*
	 * Larger ones were no faster, and all pipes of a user share 64 MiB: beyond that the kernel
	 * makes those of his other programs small (pipe(7), pipe-user-pages-soft).
	 */
	SIZE_MAX_WANTED = 256 * 1024,
	SIZE_DEFAULT = 64 * 1024, /* what there is without asking */
};

int berth_log_pipe(int ret_ends[2])
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	/* Of our end alone: the service has a description of its own. */
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
		int r = -errno;

		close(ends[0]);
		close(ends[1]);
		return r;
	}
	for (int size = SIZE_MAX_WANTED; size > SIZE_DEFAULT; size /= 2)
		if (fcntl(ends[0], F_SETPIPE_SZ, size) >= 0)
			break;
	memcpy(ret_ends, ends, sizeof(ends));
	return 0;
}

static void set_window(int slave)
{
	struct winsize window = { 0 };

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && !window.ws_col; fd++)
		if (ioctl(fd, TIOCGWINSZ, &window) < 0)
			window = (struct winsize){ 0 };
	if (!window.ws_col || !window.ws_row)
		window = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	(void)ioctl(slave, TIOCSWINSZ, &window);
}

int berth_log_tty(int *ret_master, int *ret_slave)
{
	BERTH_AUTO_FD int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	BERTH_AUTO_FD int slave = -1;
	struct termios mode;

	if (master < 0 || unlockpt(master) < 0)
		return -errno;
	/* By the master, not by name: /dev/pts may be another one here. */
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0 || tcgetattr(slave, &mode) < 0)
		return -errno;
	mode.c_oflag &= (tcflag_t)~OPOST;
	mode.c_lflag &= (tcflag_t)~ECHO;
	if (tcsetattr(slave, TCSANOW, &mode) < 0)
		return -errno;
	set_window(slave);
	*ret_master = berth_fd_steal(&master);
	*ret_slave = berth_fd_steal(&slave);
	return 0;
}
