/* SPDX-License-Identifier: MIT */
/* unit/os/test-cgroup.c - a control group with a process in it, where one is to be had */
#include "os/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "os/child.h"
#include "os/statefile.h"

enum {
	DEADLINE_MS = 10000
};

static const char *unique_name(char buf[64])
{
	snprintf(buf, 64, "berth-test-%d", (int)getpid());
	return buf;
}

/* False where this machine, container or user has none: the ordinary case. */
static bool make(struct berth_cgroup *ret_cgroup)
{
	char name[64];
	int r = berth_cgroup_new(unique_name(name), ret_cgroup);

	if (r < 0)
		print_message("no control group to be had: %s\n", strerror(-r));
	return r == 0;
}

static struct berth_child start_in(const struct berth_cgroup *cgroup)
{
	static const char *const argv[] = { "cat", NULL }, *const envp[] = { "PATH=/usr/bin:/bin",
									     NULL };
	struct berth_child_spec spec = { .argv = argv,
					 .envp = envp,
					 .stdout_fd = -1,
					 .stderr_fd = -1,
					 .parent_death_signal = SIGKILL,
					 .cgroup_fd = cgroup->fd };
	enum berth_child_stage stage;
	struct berth_child child;
	int in[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	/* It waits for input that never comes. */
	spec.stdin_fd = in[0];
	assert_int_equal(berth_child_start(&spec, &child, &stage), 0);
	close(in[0]);
	return child;
}

/* A group that was left cannot be removed while its dead are still counted: the kernel tells in cgroup.events. */
static void remove_when_empty(struct berth_cgroup *cgroup)
{
	char path[PATH_MAX + 32], text[256];
	struct pollfd poll_fd = { .events = POLLPRI };

	snprintf(path, sizeof(path), "%s/cgroup.events", cgroup->path);
	poll_fd.fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(poll_fd.fd >= 0);
	for (;;) {
		ssize_t n = pread(poll_fd.fd, text, sizeof(text) - 1, 0);

		assert_true(n > 0);
		text[n] = '\0';
		if (strstr(text, "populated 0"))
			break;
		assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
	}
	close(poll_fd.fd);
	snprintf(path, sizeof(path), "%s", cgroup->path);
	assert_int_equal(berth_cgroup_remove(cgroup), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(cgroup->fd, -1);
	assert_string_equal(cgroup->path, "");
}

static void a_process_is_born_in_it_and_killed_with_it(void **state)
{
	struct berth_cgroup cgroup, second;
	BERTH_AUTO_FREE char *text = NULL;
	struct pollfd poll_fd = { .events = POLLIN };
	struct berth_child child;
	char name[64], path[64];
	size_t len;

	(void)state;
	if (!make(&cgroup))
		skip();
	assert_true(fcntl(cgroup.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(berth_cgroup_new(unique_name(name), &second), -EEXIST);

	child = start_in(&cgroup);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)child.pid);
	assert_int_equal(berth_statefile_read(AT_FDCWD, path, 65536, &text, &len), 0);
	assert_non_null(strstr(text, name));
	assert_int_equal(berth_cgroup_oom_kills(cgroup.path), 0);

	assert_int_equal(berth_cgroup_kill(cgroup.path), 0);
	poll_fd.fd = child.pidfd;
	assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
	assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
	berth_child_deinit(&child);
	remove_when_empty(&cgroup);
}

static void a_group_with_somebody_in_it_stays(void **state)
{
	struct berth_cgroup cgroup, again;
	struct berth_child child;
	char path[PATH_MAX];

	(void)state;
	if (!make(&cgroup))
		skip();
	child = start_in(&cgroup);
	strcpy(path, cgroup.path);
	assert_int_equal(berth_cgroup_remove(&cgroup), -EBUSY);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(berth_child_signal(child.pidfd, SIGKILL), 0);
	assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
	berth_child_deinit(&child);
	again = (struct berth_cgroup){ .fd = -1 };
	strcpy(again.path, path);
	remove_when_empty(&again);
}

static void none_is_harmless(void **state)
{
	struct berth_cgroup none = { .fd = -1 };

	(void)state;
	assert_int_equal(berth_cgroup_remove(&none), 0);
	assert_int_equal(berth_cgroup_kill("/nonexistent/group"), -ENOENT);
	assert_int_equal(berth_cgroup_oom_kills("/nonexistent/group"), 0);
}

static void kills_for_want_of_memory_are_counted(void **state)
{
	static const struct {
		const char *text;
		unsigned long kills;
	} rows[] = {
		{ "low 0\nhigh 0\nmax 3\noom 2\noom_kill 2\noom_group_kill 0\n", 2 },
		{ "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n", 0 },
		{ "low 0\noom 5\n", 0 },
		{ "oom_kill x\n", 0 },
		{ "", 0 },
	};
	char folder[] = "/tmp/berth-test-XXXXXX";
	int dir_fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		assert_int_equal(berth_statefile_write(dir_fd, "memory.events", rows[i].text,
						       strlen(rows[i].text)),
				 0);
		assert_int_equal(berth_cgroup_oom_kills(folder), rows[i].kills);
	}
	assert_int_equal(unlinkat(dir_fd, "memory.events", 0), 0);
	close(dir_fd);
	assert_int_equal(rmdir(folder), 0);
}

static void a_group_is_found_by_its_id(void **state)
{
	struct berth_cgroup cgroup;
	char path[PATH_MAX];
	struct stat st;

	(void)state;
	if (!make(&cgroup))
		skip();
	assert_int_equal(stat(cgroup.path, &st), 0);
	assert_int_equal(berth_cgroup_find(st.st_ino, path, sizeof(path)), 0);
	/* It is the end of the whole path, without the mount. */
	assert_string_equal(cgroup.path + strlen(cgroup.path) - strlen(path), path);
	assert_int_equal(berth_cgroup_find(st.st_ino, path, 4), -ENAMETOOLONG);
	assert_int_equal(berth_cgroup_remove(&cgroup), 0);
	assert_int_equal(berth_cgroup_find(st.st_ino, path, sizeof(path)), -ENOENT);
}

static void the_groups_of_a_process_are_told(void **state)
{
	BERTH_AUTO_FREE char *text = NULL;

	(void)state;
	assert_int_equal(berth_cgroup_of(getpid(), &text), 0);
	assert_non_null(strchr(text, '/'));
	assert_int_equal(berth_cgroup_of(INT_MAX, &text), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_born_in_it_and_killed_with_it),
		cmocka_unit_test(a_group_with_somebody_in_it_stays),
		cmocka_unit_test(none_is_harmless),
		cmocka_unit_test(kills_for_want_of_memory_are_counted),
		cmocka_unit_test(a_group_is_found_by_its_id),
		cmocka_unit_test(the_groups_of_a_process_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
