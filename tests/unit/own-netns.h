/* SPDX-License-Identifier: MIT */
/*
 * unit/own-netns.h - a network namespace of its own, so that a test can bind fixed numbers and
 * exhaust ranges
 */
#pragma once

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * Call first in main(), while there is one thread; each further call enters a fresh one. Loopback
 * is up afterwards, in both families.
 */
static inline bool own_netns_enter(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	bool up;
	int fd;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	/* A new user namespace takes it away, and the leak checker with it. */
	prctl(PR_SET_DUMPABLE, 1);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
	if (fd >= 0)
		close(fd);
	return up;
}

/* own_netns_sysctl("ipv4/ip_local_port_range", "20000 20009") */
static inline bool own_netns_sysctl(const char *name, const char *value)
{
	char path[128] = "/proc/sys/net/";
	bool done;
	int fd;

	strncat(path, name, sizeof(path) - strlen(path) - 1);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	done = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	if (fd >= 0)
		close(fd);
	return done;
}

/* A setup: each test in a fresh one, so that a failure leaves the next one a clean floor. */
static inline int own_netns_setup(void **state)
{
	(void)state;
	return own_netns_enter() ? 0 : -1;
}

static inline void nothing_runs_without_a_namespace(void **state)
{
	(void)state;
	print_message("no network namespace to be had\n");
	skip();
}

static inline int own_netns_run_nothing(void)
{
	const struct CMUnitTest skipped[] = {
		cmocka_unit_test(nothing_runs_without_a_namespace),
	};

	return cmocka_run_group_tests(skipped, NULL, NULL);
}

/* cmocka_run_group_tests() of @tests in a namespace of their own. */
#define own_netns_run_group_tests(tests) \
	(own_netns_enter() ? cmocka_run_group_tests(tests, NULL, NULL) : own_netns_run_nothing())
