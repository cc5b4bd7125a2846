/* SPDX-License-Identifier: MIT */
/* unit/os/test-logfile.c - a log stays within its bounds, and says what it could not keep */
#include "os/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../own-folder.h"

enum {
	PATH_SIZE = 128,
	DAY_MS = 24 * 60 * 60 * 1000,
	/* "2026-11-21T09:30:00.123Z o " and the newline */
	HEAD = 24 + 3 + 1,
};

static const int64_t now = 1795253400123; /* 2026-11-21T09:30:00.123Z */
static const struct berth_logfile_limits wide = { .size = 1 << 20, .files = 3 };

static char top[OWN_FOLDER_SIZE];
static struct berth_logfile file;

static int set_up(void **state)
{
	(void)state;
	file = (struct berth_logfile){ .dir_fd = -1, .fd = -1 };
	return own_folder_make(top) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	berth_logfile_close(&file);
	return own_folder_remove(top) ? 0 : -1;
}

static const char *in_top(const char *name, char buf[PATH_SIZE])
{
	snprintf(buf, PATH_SIZE, "%s/%s", top, name);
	return buf;
}

static int open_top(void)
{
	int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void open_log(const struct berth_logfile_limits *limits)
{
	assert_int_equal(berth_logfile_open(&file, open_top(), "a.log", limits, now), 0);
}

static void write_at(int64_t now_ms, const char *text)
{
	static struct berth_logfile_batch batch;

	berth_logfile_begin(&batch, &file, now_ms);
	berth_logfile_add(&batch, "o", text, strlen(text));
	berth_logfile_commit(&batch);
}

/* The text of a file of the folder; "" if there is none. */
static const char *read_log(const char *name)
{
	static char text[1 << 16];
	char path[PATH_SIZE];
	int fd = open(in_top(name, path), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	assert_true(n >= 0);
	text[n] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

static bool has_log(const char *name)
{
	char path[PATH_SIZE];

	return access(in_top(name, path), F_OK) == 0;
}

static int64_t size_of(const char *name)
{
	char path[PATH_SIZE];
	struct stat st;

	return stat(in_top(name, path), &st) == 0 ? st.st_size : -1;
}

static void a_line_has_its_time_and_its_source(void **state)
{
	static struct berth_logfile_batch batch;
	char path[PATH_SIZE];
	struct stat st;

	(void)state;
	open_log(&wide);
	berth_logfile_begin(&batch, &file, now);
	berth_logfile_add(&batch, "o", "one", 3);
	berth_logfile_add(&batch, "E12", "", 0);
	assert_string_equal(read_log("a.log"), "");
	berth_logfile_commit(&batch);
	assert_string_equal(read_log("a.log"), "2026-11-21T09:30:00.123Z o one\n"
					       "2026-11-21T09:30:00.123Z E12 \n");
	assert_int_equal(stat(in_top("a.log", path), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(fcntl(file.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void it_goes_on_behind_what_is_there(void **state)
{
	(void)state;
	open_log(&wide);
	write_at(now, "one");
	berth_logfile_close(&file);
	open_log(&wide);
	write_at(now, "two");
	assert_non_null(strstr(read_log("a.log"), "one\n"));
	assert_non_null(strstr(read_log("a.log"), "two\n"));
}

static void no_file_grows_beyond_its_size_and_no_line_is_lost(void **state)
{
	static const struct berth_logfile_limits narrow = { .size = 1023, .files = 50 };
	static struct berth_logfile_batch batch;
	unsigned int next = 1000, written = 1000;
	char text[16];

	(void)state;
	open_log(&narrow);
	for (int i = 0; i < 10; i++) {
		berth_logfile_begin(&batch, &file, now);
		for (int j = 0; j < 70; j++) {
			snprintf(text, sizeof(text), "%u", written++);
			berth_logfile_add(&batch, "o", text, strlen(text));
		}
		berth_logfile_commit(&batch);
	}
	for (unsigned int i = 60; i-- > 0;) {
		char name[16];

		snprintf(name, sizeof(name), i ? "a.log.%u" : "a.log", i);
		if (!has_log(name))
			continue;
		assert_in_range(size_of(name), 1, narrow.size);
		for (const char *at = read_log(name); (at = strstr(at, " o ")); at++)
			assert_int_equal(strtoul(at + 3, NULL, 10), next++);
	}
	assert_int_equal(next, written);
}

static void only_so_many_older_files_are_kept(void **state)
{
	static const struct berth_logfile_limits narrow = { .size = HEAD + 1, .files = 2 };

	(void)state;
	open_log(&narrow);
	for (const char *text = "abcde"; *text; text++)
		write_at(now, (char[]){ *text, '\0' });
	assert_non_null(strstr(read_log("a.log"), " e\n"));
	assert_non_null(strstr(read_log("a.log.1"), " d\n"));
	assert_non_null(strstr(read_log("a.log.2"), " c\n"));
	assert_false(has_log("a.log.3"));
	berth_logfile_remove(file.dir_fd, "a.log");
	assert_false(has_log("a.log") || has_log("a.log.1") || has_log("a.log.2"));
}

static void with_none_to_keep_the_present_one_is_all(void **state)
{
	static const struct berth_logfile_limits narrow = { .size = HEAD + 1, .files = 0 };

	(void)state;
	open_log(&narrow);
	write_at(now, "a");
	write_at(now, "b");
	assert_non_null(strstr(read_log("a.log"), " b\n"));
	assert_int_equal(size_of("a.log"), HEAD + 1);
	assert_false(has_log("a.log.1"));
}

static void a_line_larger_than_the_bound_has_a_file_of_its_own(void **state)
{
	static const struct berth_logfile_limits narrow = { .size = 40, .files = 3 };
	char text[101];

	(void)state;
	memset(text, 'x', 100);
	text[100] = '\0';
	open_log(&narrow);
	write_at(now, "a");
	write_at(now, text);
	write_at(now, "b");
	assert_int_equal(size_of("a.log"), HEAD + 1);
	assert_int_equal(size_of("a.log.1"), HEAD + 100);
	assert_int_equal(size_of("a.log.2"), HEAD + 1);
}

static void set_age(const char *name, int64_t ms)
{
	struct timespec times[2] = { { .tv_sec = ms / 1000 }, { .tv_sec = ms / 1000 } };
	char path[PATH_SIZE];

	assert_int_equal(utimensat(AT_FDCWD, in_top(name, path), times, 0), 0);
}

static void old_files_are_removed_once_an_hour(void **state)
{
	static const struct berth_logfile_limits week = { .size = HEAD + 1,
							  .files = 5,
							  .age_ms = 7 * (int64_t)DAY_MS };

	(void)state;
	open_log(&week);
	for (const char *text = "abc"; *text; text++)
		write_at(now, (char[]){ *text, '\0' });
	set_age("a.log.1", now - 6 * (int64_t)DAY_MS);
	set_age("a.log.2", now - 8 * (int64_t)DAY_MS);
	file.limits.size = 1 << 20;
	write_at(now + 1000, "x");
	assert_true(has_log("a.log.2"));
	write_at(now + 3601 * 1000, "x");
	assert_false(has_log("a.log.2"));
	assert_true(has_log("a.log.1"));
}

static void a_file_that_has_lasted_its_age_is_rotated(void **state)
{
	static const struct berth_logfile_limits week = { .size = 1 << 20,
							  .files = 5,
							  .age_ms = 7 * (int64_t)DAY_MS };

	(void)state;
	open_log(&week);
	write_at(now, "a");
	write_at(now + 7 * (int64_t)DAY_MS - 1, "b");
	assert_false(has_log("a.log.1"));
	write_at(now + 7 * (int64_t)DAY_MS, "c");
	assert_int_equal(size_of("a.log.1"), 2 * (HEAD + 1));
	assert_int_equal(size_of("a.log"), HEAD + 1);
	/* The clock is set back: from then on it counts. */
	write_at(now - 30 * (int64_t)DAY_MS, "d");
	write_at(now - 24 * (int64_t)DAY_MS, "e");
	assert_false(has_log("a.log.2"));
	write_at(now - 23 * (int64_t)DAY_MS, "f");
	assert_non_null(strstr(read_log("a.log.1"), " e\n"));
}

/* A disk that takes so much: RLIMIT_FSIZE, with its signal ignored, cuts a write short as well. */
static void limit_size(rlim_t size)
{
	struct rlimit limit = { .rlim_cur = size, .rlim_max = RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void what_could_not_be_written_is_told_when_it_can_be_again(void **state)
{
	static struct berth_logfile_batch batch;

	(void)state;
	open_log(&wide);
	write_at(now, "before");
	limit_size(HEAD + 6 + HEAD + 3 + 10);
	berth_logfile_begin(&batch, &file, now);
	berth_logfile_add(&batch, "o", "one", 3);
	berth_logfile_add(&batch, "o", "two", 3);
	berth_logfile_add(&batch, "o", "three", 5);
	berth_logfile_commit(&batch);
	/* What there is, is whole lines. */
	assert_string_equal(read_log("a.log"), "2026-11-21T09:30:00.123Z o before\n"
					       "2026-11-21T09:30:00.123Z o one\n");
	write_at(now, "four");
	assert_int_equal(file.lost, 3);
	limit_size(RLIM_INFINITY);
	write_at(now + 1, "after");
	assert_string_equal(read_log("a.log"),
			    "2026-11-21T09:30:00.123Z o before\n"
			    "2026-11-21T09:30:00.123Z o one\n"
			    "2026-11-21T09:30:00.124Z e berth: 3 lines could not be written: "
			    "File too large\n"
			    "2026-11-21T09:30:00.124Z o after\n");
	assert_int_equal(file.lost, 0);
}

static void what_was_lost_last_is_told_at_the_end(void **state)
{
	(void)state;
	open_log(&wide);
	limit_size(0);
	write_at(now, "one");
	limit_size(RLIM_INFINITY);
	berth_logfile_close(&file);
	assert_non_null(strstr(read_log("a.log"), "berth: 1 line could not be written: "));
}

static void a_file_that_was_removed_is_made_again(void **state)
{
	char path[PATH_SIZE];

	(void)state;
	open_log(&wide);
	write_at(now, "one");
	assert_int_equal(unlink(in_top("a.log", path)), 0);
	write_at(now, "two");
	assert_string_equal(read_log("a.log"), "2026-11-21T09:30:00.123Z o two\n");
	assert_int_equal(file.lost, 0);
}

static void without_its_folder_it_waits_for_another(void **state)
{
	char path[PATH_SIZE], log[PATH_SIZE];
	int dir_fd;

	(void)state;
	assert_int_equal(mkdir(in_top("logs", path), 0700), 0);
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(berth_logfile_open(&file, dir_fd, "a.log", &wide, now), 0);
	write_at(now, "one");
	assert_false(berth_logfile_is_homeless(&file));
	assert_int_equal(unlink(in_top("logs/a.log", log)), 0);
	assert_int_equal(rmdir(path), 0);
	assert_true(berth_logfile_is_homeless(&file));
	write_at(now, "two");
	write_at(now, "three");
	assert_int_equal(file.lost, 2);
	assert_int_equal(berth_logfile_move(&file, open_top(), now), 0);
	assert_false(berth_logfile_is_homeless(&file));
	write_at(now, "four");
	assert_string_equal(read_log("a.log"),
			    "2026-11-21T09:30:00.123Z e berth: 2 lines could not be written: "
			    "No such file or directory\n"
			    "2026-11-21T09:30:00.123Z o four\n");
}

/* Something is in the way of the older file: it neither grows nor is it lost. */
static void a_file_that_can_not_be_rotated_stays_within_its_size(void **state)
{
	static const struct berth_logfile_limits narrow = { .size = HEAD + 1, .files = 1 };
	char path[PATH_SIZE];

	(void)state;
	open_log(&narrow);
	write_at(now, "a");
	assert_int_equal(mkdir(in_top("a.log.1", path), 0700), 0);
	write_at(now, "b");
	write_at(now, "c");
	assert_int_equal(size_of("a.log"), HEAD + 1);
	assert_int_equal(file.lost, 2);
	assert_int_equal(rmdir(path), 0);
	write_at(now, "d");
	assert_non_null(strstr(read_log("a.log.1"), " a\n"));
	assert_non_null(strstr(read_log("a.log"), "berth: 2 lines could not be written"));
	assert_non_null(strstr(read_log("a.log"), " d\n"));
}

static void a_folder_that_can_not_be_written_is_an_error_of_open_only(void **state)
{
	char path[PATH_SIZE];
	int dir_fd;

	(void)state;
	assert_int_equal(symlink("/dev/null", in_top("a.log", path)), 0);
	dir_fd = open_top();
	assert_int_equal(berth_logfile_open(&file, dir_fd, "a.log", &wide, now), -ELOOP);
	assert_int_equal(fcntl(dir_fd, F_GETFD), -1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(berth_logfile_open(&file, open_top(), "a.log", &wide, now), -ENXIO);
	assert_int_equal(unlink(path), 0);
	dir_fd = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(berth_logfile_open(&file, dir_fd, "a.log", &wide, now) < 0);
	assert_int_equal(file.dir_fd, -1);
}

static void whoever_clears_up_sees_that_it_is_written(void **state)
{
	char path[PATH_SIZE];
	int fd;

	(void)state;
	open_log(&wide);
	fd = open(in_top("a.log", path), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	berth_logfile_close(&file);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_line_has_its_time_and_its_source),
		TEST(it_goes_on_behind_what_is_there),
		TEST(no_file_grows_beyond_its_size_and_no_line_is_lost),
		TEST(only_so_many_older_files_are_kept),
		TEST(with_none_to_keep_the_present_one_is_all),
		TEST(a_line_larger_than_the_bound_has_a_file_of_its_own),
		TEST(old_files_are_removed_once_an_hour),
		TEST(a_file_that_has_lasted_its_age_is_rotated),
		TEST(what_could_not_be_written_is_told_when_it_can_be_again),
		TEST(what_was_lost_last_is_told_at_the_end),
		TEST(a_file_that_was_removed_is_made_again),
		TEST(without_its_folder_it_waits_for_another),
		TEST(a_file_that_can_not_be_rotated_stays_within_its_size),
		TEST(a_folder_that_can_not_be_written_is_an_error_of_open_only),
		TEST(whoever_clears_up_sees_that_it_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
