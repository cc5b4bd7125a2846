/* SPDX-License-Identifier: MIT */
/* unit/app/test-ports-file.c - .ports.json on disk: whole, true, and never somebody else's */
#include "app/ports-file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "../own-folder.h"

static char top[OWN_FOLDER_SIZE], path[OWN_FOLDER_SIZE + 16];
static char boot[37];
static struct berth_portsfile_owner self = { .boot = boot };

static int set_up(void **state)
{
	struct berth_proc_stat stat;

	(void)state;
	if (!own_folder_make(top) || berth_procfs_boot_id(boot) < 0 ||
	    berth_procfs_stat(getpid(), &stat) < 0)
		return -1;
	self.supervisor = stat.id;
	snprintf(path, sizeof(path), "%s/.ports.json", top);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return own_folder_remove(top) ? 0 : -1;
}

static void write_text(const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int set_run(const char *service, uint16_t number, struct berth_err *err)
{
	const struct berth_portsfile_port port = { "main", number, number, "" };
	const struct berth_portsfile_unit unit = { service, 1, "ready", &port, 1 };

	return berth_ports_file_set_run(path, &self, &unit, NULL, err);
}

static int64_t member(const char *key)
{
	BERTH_AUTO_JSON json_t *root = json_load_file(path, 0, NULL);

	return berth_json_int(root, key, 0);
}

static void it_comes_with_the_first_and_goes_with_the_last(void **state)
{
	(void)state;
	assert_int_equal(set_run("api", 5000, NULL), 0);
	assert_int_equal(set_run("web", 5001, NULL), 0);
	assert_int_equal(member("api_port"), 5000);
	assert_int_equal(berth_ports_file_drop_run(path, "api", 1, NULL), 0);
	assert_int_equal(member("api_port"), 0);
	assert_int_equal(member("web_port"), 5001);
	assert_int_equal(berth_ports_file_drop_run(path, "web", 1, NULL), 0);
	assert_int_equal(access(path, F_OK), -1);
	/* there is nothing to take back, and nothing to clean */
	assert_int_equal(berth_ports_file_drop_run(path, "web", 1, NULL), 0);
	assert_int_equal(berth_ports_file_clean(path, NULL), 0);
	assert_int_equal(access(path, F_OK), -1);
}

/* Watchers of the file (Vite is one) are woken by changes only. */
static void it_is_written_where_that_makes_a_difference(void **state)
{
	struct stat before, after;

	(void)state;
	assert_int_equal(set_run("api", 5000, NULL), 0);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(before.st_mode & 0777, 0644);
	assert_int_equal(set_run("api", 5000, NULL), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(set_run("api", 5001, NULL), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_not_equal(after.st_ino, before.st_ino);
}

static void what_a_killed_one_has_left_is_taken_out_by_the_next(void **state)
{
	const struct berth_portsfile_port port = { "main", 5000, 0, "" };
	const struct berth_portsfile_unit unit = { "api", 1, "ready", &port, 1 };
	struct berth_portsfile_owner dead = self;

	(void)state;
	write_text("{\"api_port\": 4999}");
	dead.supervisor.start_ticks--;
	assert_int_equal(berth_ports_file_set_run(path, &dead, &unit, NULL, NULL), 0);
	assert_int_equal(member("api_port"), 5000);
	assert_int_equal(set_run("web", 5001, NULL), 0);
	assert_int_equal(member("api_port"), 4999);
	dead = self;
	dead.boot = "another";
	assert_int_equal(berth_ports_file_set_run(path, &dead, &unit, NULL, NULL), 0);
	assert_int_equal(berth_ports_file_clean(path, NULL), 0);
	assert_int_equal(member("api_port"), 4999);
	assert_int_equal(member("web_port"), 5001);
}

static void what_is_no_json_is_left_alone(void **state)
{
	struct berth_err err = { 0 };
	char expected[128];

	(void)state;
	write_text("{\n  // mine\n}\n");
	assert_int_equal(set_run("api", 5000, &err), -EINVAL);
	assert_int_equal(err.code, BERTH_ERR_CONFIG);
	snprintf(expected, sizeof(expected), "%s:2:3: no JSON", path);
	assert_non_null(strstr(err.msg, expected));
	assert_int_equal(berth_ports_file_drop_run(path, "api", 1, &err), -EINVAL);
	assert_int_equal(access(path, F_OK), 0);
}

static void a_link_is_neither_followed_nor_replaced(void **state)
{
	struct berth_err err = { 0 };
	struct stat st;

	(void)state;
	assert_int_equal(symlink("elsewhere", path), 0);
	assert_int_equal(set_run("api", 5000, &err), -ELOOP);
	assert_int_equal(err.code, BERTH_ERR_CONFIG);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(set_run("api", 5000, &err), -EINVAL);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
	struct berth_err err = { 0 };

	(void)state;
	strcpy(path, "/proc/self/none/.ports.json");
	assert_true(set_run("api", 5000, &err) < 0);
	assert_non_null(strstr(err.msg, "cannot write '/proc/self/none/.ports.json'"));
}

/* As a supervisor does it: it is told to come again. */
static int set_run_soon(const char *service, uint16_t number, int64_t *since_ns)
{
	const struct berth_portsfile_port port = { "main", number, number, "" };
	const struct berth_portsfile_unit unit = { service, 1, "ready", &port, 1 };

	return berth_ports_file_set_run(path, &self, &unit, since_ns, NULL);
}

/* Whoever holds the lock for ever holds nobody up for ever. */
static void a_lock_that_is_never_given_back_is_not_waited_for(void **state)
{
	int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int64_t since_ns = 0;
	int again = 0;

	(void)state;
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(set_run("api", 5000, NULL), 0);
	assert_int_equal(member("api_port"), 5000);
	for (; set_run_soon("web", 5001, &since_ns) == -EAGAIN; again++) {
		assert_true(since_ns > 0);
		assert_int_equal(member("web_port"), 0);
	}
	assert_true(again > 0);
	assert_int_equal(since_ns, 0);
	assert_int_equal(member("web_port"), 5001);
	close(fd);
}

static void one_that_is_given_back_is_had_the_next_time(void **state)
{
	int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int64_t since_ns = 0;

	(void)state;
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(set_run_soon("api", 5000, &since_ns), -EAGAIN);
	close(fd);
	assert_int_equal(set_run_soon("api", 5000, &since_ns), 0);
	assert_int_equal(since_ns, 0);
	assert_int_equal(member("api_port"), 5000);
}

static void of_many_at_once_none_is_lost(void **state)
{
	enum {
		MANY = 3,
		ROUNDS = 20
	};
	int status;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		if (fork() != 0)
			continue;
		for (int round = 0; round < ROUNDS; round++) {
			uint16_t number = (uint16_t)(5000 + i * ROUNDS + round);
			int64_t since_ns = 0;
			char service[16];
			int r;

			snprintf(service, sizeof(service), "s%d", i);
			do
				r = set_run_soon(service, number, &since_ns);
			while (r == -EAGAIN);
			if (r < 0)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < MANY; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	for (int i = 0; i < MANY; i++) {
		char key[32];

		snprintf(key, sizeof(key), "s%d_port", i);
		assert_int_equal(member(key), 5000 + i * ROUNDS + ROUNDS - 1);
	}
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(it_comes_with_the_first_and_goes_with_the_last),
		IN_FOLDER(it_is_written_where_that_makes_a_difference),
		IN_FOLDER(what_a_killed_one_has_left_is_taken_out_by_the_next),
		IN_FOLDER(what_is_no_json_is_left_alone),
		IN_FOLDER(a_link_is_neither_followed_nor_replaced),
		IN_FOLDER(a_folder_that_is_not_there_is_an_error),
		IN_FOLDER(a_lock_that_is_never_given_back_is_not_waited_for),
		IN_FOLDER(one_that_is_given_back_is_had_the_next_time),
		IN_FOLDER(of_many_at_once_none_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
