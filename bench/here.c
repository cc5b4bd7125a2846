/* SPDX-License-Identifier: MIT */
/* bench/here.c - a service that says that it is there, and sleeps */
/*
 * usage: here FIFO
 *
 * One byte goes into FIFO, which is the whole of what whoever counts the started ones needs.
 */
#include <err.h>
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd;

	if (argc != 2)
		errx(2, "usage: here FIFO");
	fd = open(argv[1], O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "+", 1) != 1)
		err(1, "cannot write to '%s'", argv[1]);
	close(fd);
	for (;;)
		pause();
}
