/* SPDX-License-Identifier: MIT */
/* unit/app/test-log-read.c - a reader sees each line once and in order, however the log is rotated */
#include "app/log-read.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../own-folder.h"
#include "base/lines.h"
#include "base/time.h"
#include "os/logfile.h"

enum {
	PATH_SIZE = 128,
	NUMBER_LEN = 6,
	/* "2026-11-21T09:30:00.123Z o 000000\n" */
	LINE = 24 + 3 + NUMBER_LEN + 1,
};

static const int64_t now = 1795253400123; /* 2026-11-21T09:30:00.123Z */

static char top[OWN_FOLDER_SIZE], path[PATH_SIZE];
static struct berth_logfile file;
static struct berth_log_reader reader;
static unsigned int written;

static int set_up(void **state)
{
	(void)state;
	file = (struct berth_logfile){ .dir_fd = -1, .fd = -1 };
	reader = (struct berth_log_reader){ 0 };
	written = 0;
	if (!own_folder_make(top))
		return -1;
	snprintf(path, sizeof(path), "%s/a.log", top);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	berth_log_read_close(&reader);
	berth_logfile_close(&file);
	return own_folder_remove(top) ? 0 : -1;
}

static void open_log(int64_t lines_each, unsigned int files)
{
	const struct berth_logfile_limits limits = { .size = lines_each * LINE, .files = files };
	int dir_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(dir_fd >= 0);
	assert_int_equal(berth_logfile_open(&file, dir_fd, "a.log", &limits, now), 0);
}

static void add_line(const char *source, const char *text, size_t len, int64_t now_ms)
{
	static struct berth_logfile_batch batch;

	berth_logfile_begin(&batch, &file, now_ms);
	berth_logfile_add(&batch, source, text, len);
	berth_logfile_commit(&batch);
}

/* Lines that count, a second apart. */
static void write_numbers(unsigned int count)
{
	while (count--) {
		char text[NUMBER_LEN + 1];

		snprintf(text, sizeof(text), "%06u", written);
		add_line("o", text, NUMBER_LEN, now + written++ * INT64_C(1000));
	}
}

static void open_reader(uint64_t lines, int64_t since_ms)
{
	berth_log_read_close(&reader);
	assert_int_equal(berth_log_read_open(&reader, path, lines, since_ms), 0);
}

static void assert_numbers(unsigned int from, unsigned int to)
{
	struct berth_log_entry entry;

	for (; from < to; from++) {
		assert_int_equal(berth_log_read_next(&reader, false, &entry), 0);
		assert_int_equal(entry.len, NUMBER_LEN);
		assert_int_equal(strtoul(entry.text, NULL, 10), from);
		assert_int_equal(entry.at_ms, now + from * INT64_C(1000));
	}
	assert_int_equal(berth_log_read_next(&reader, false, &entry), BERTH_LOG_READ_E_END);
}

static void a_line_is_taken_apart(void **state)
{
	static const struct {
		const char *line;
		int64_t at_ms;
		unsigned int worker;
		bool is_stderr, continued;
		const char *text;
	} rows[] = {
#define AT "2026-11-21T09:30:00.123Z"
		{ AT " o text of it", 1795253400123, 0, false, false, "text of it" },
		{ AT " e12 ", 1795253400123, 12, true, false, "" },
		{ AT " O1  blank", 1795253400123, 1, false, true, " blank" },
		{ AT " E x", 1795253400123, 0, true, true, "x" },
		{ AT " b api has failed", 1795253400123, 0, false, false, "api has failed" },
		{ "an old one", 0, 0, false, false, "an old one" },
		{ "", 0, 0, false, false, "" },
		{ AT, 0, 0, false, false, AT },
		{ AT " o", 0, 0, false, false, AT " o" },
		{ AT " x text", 0, 0, false, false, AT " x text" },
		{ AT " o1x text", 0, 0, false, false, AT " o1x text" },
		{ AT " o99999999999999999999 t", 0, 0, false, false,
		  AT " o99999999999999999999 t" },
		{ "2026-13-21T09:30:00.123Z o text", 0, 0, false, false,
		  "2026-13-21T09:30:00.123Z o text" },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_log_entry entry;

		berth_log_read_parse(rows[i].line, strlen(rows[i].line), &entry);
		assert_int_equal(entry.at_ms, rows[i].at_ms);
		assert_int_equal(entry.worker, rows[i].worker);
		assert_int_equal(entry.is_stderr, rows[i].is_stderr);
		assert_int_equal(entry.continued, rows[i].continued);
		assert_int_equal(entry.is_own, strncmp(rows[i].line, AT " b ", 27) == 0);
		assert_int_equal(entry.len, strlen(rows[i].text));
		assert_memory_equal(entry.text, rows[i].text, entry.len);
	}
}

static void older_files_come_first(void **state)
{
	(void)state;
	open_log(4, 5);
	write_numbers(18);
	open_reader(UINT64_MAX, 0);
	assert_numbers(0, 18);
}

static void the_last_lines_may_be_in_older_files(void **state)
{
	(void)state;
	open_log(4, 5);
	write_numbers(18);
	for (unsigned int count = 0; count <= 18; count++) {
		open_reader(count, 0);
		assert_numbers(18 - count, 18);
	}
	open_reader(1000, 0);
	assert_numbers(0, 18);
}

static void the_last_lines_are_found_across_blocks(void **state)
{
	(void)state;
	open_log(1 << 20, 0);
	write_numbers(5000);
	for (unsigned int count = 1; count < 5000; count += 97) {
		open_reader(count, 0);
		assert_numbers(5000 - count, 5000);
	}
}

static void what_is_older_is_left_out(void **state)
{
	(void)state;
	open_log(4, 5);
	write_numbers(18);
	open_reader(UINT64_MAX, now + 7500);
	assert_numbers(8, 18);
	open_reader(12, now + 7000);
	assert_numbers(7, 18);
	open_reader(3, now);
	assert_numbers(15, 18);
	open_reader(UINT64_MAX, now + 1000000);
	assert_numbers(18, 18);
}

static void a_follower_sees_each_line_once_across_rotation(void **state)
{
	unsigned int seen = 0;

	(void)state;
	open_log(4, 6);
	open_reader(UINT64_MAX, 0);
	/* No more at a time than the older files take. */
	for (unsigned int count = 0; count < 24; count++) {
		write_numbers(count);
		assert_numbers(seen, seen + count);
		seen += count;
	}
}

enum {
	RACED = 20000,
};

/* Its older files are then of a later day than the present one. */
static void a_clock_that_was_set_back_hides_no_line(void **state)
{
	const struct timespec later[2] = { { .tv_sec = now / 1000 + 90000000 },
					   { .tv_sec = now / 1000 + 90000000 } };

	(void)state;
	open_log(5, 9);
	write_numbers(23);
	for (int i = 1; i <= 4; i++) {
		char name[PATH_SIZE + 16];

		snprintf(name, sizeof(name), "%s.%d", path, i);
		assert_int_equal(utimensat(AT_FDCWD, name, later, 0), 0);
	}
	open_reader(UINT64_MAX, 0);
	assert_numbers(0, 23);
	open_reader(12, 0);
	assert_numbers(11, 23);
}

static void *write_all(void *arg)
{
	(void)arg;
	write_numbers(RACED);
	return NULL;
}

static void no_moment_of_a_rotation_hides_a_line(void **state)
{
	struct berth_log_entry entry;
	unsigned int next = 0;
	pthread_t writer;

	(void)state;
	open_log(20, 2 * RACED / 20);
	open_reader(UINT64_MAX, 0);
	assert_int_equal(pthread_create(&writer, NULL, write_all, NULL), 0);
	while (next < RACED) {
		int r = berth_log_read_next(&reader, false, &entry);

		if (r == BERTH_LOG_READ_E_END)
			continue;
		assert_int_equal(r, 0);
		assert_int_equal(strtoul(entry.text, NULL, 10), next++);
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
}

static void a_follower_that_is_too_slow_goes_on_with_the_oldest(void **state)
{
	struct berth_log_entry entry;

	(void)state;
	open_log(4, 2);
	write_numbers(4);
	open_reader(UINT64_MAX, 0);
	assert_numbers(0, 4);
	write_numbers(20); /* 12 to 23 are left */
	assert_int_equal(berth_log_read_next(&reader, false, &entry), 0);
	assert_int_equal(strtoul(entry.text, NULL, 10), 12);
	assert_numbers(13, 24);
}

static void a_log_that_comes_later_is_read_then(void **state)
{
	struct berth_log_entry entry;

	(void)state;
	open_reader(UINT64_MAX, 0);
	assert_int_equal(berth_log_read_next(&reader, false, &entry), BERTH_LOG_READ_E_END);
	open_log(4, 5);
	write_numbers(6);
	assert_numbers(0, 6);
	/* And when it is taken away, and made again. */
	assert_int_equal(unlink(path), 0);
	assert_numbers(6, 6);
	write_numbers(1);
	assert_numbers(6, 7);
}

static void write_raw(const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

static void a_line_without_its_end_waits_for_it_or_is_the_last(void **state)
{
	struct berth_log_entry entry;

	(void)state;
	write_raw("one\ntw", 6);
	open_reader(UINT64_MAX, 0);
	assert_int_equal(berth_log_read_next(&reader, false, &entry), 0);
	assert_int_equal(berth_log_read_next(&reader, false, &entry), BERTH_LOG_READ_E_END);
	write_raw("o\nthree", 7);
	assert_int_equal(berth_log_read_next(&reader, false, &entry), 0);
	assert_int_equal(entry.len, 3);
	assert_memory_equal(entry.text, "two", 3);
	assert_int_equal(berth_log_read_next(&reader, false, &entry), BERTH_LOG_READ_E_END);
	assert_int_equal(berth_log_read_next(&reader, true, &entry), 0);
	assert_memory_equal(entry.text, "three", 5);
	assert_int_equal(berth_log_read_next(&reader, true, &entry), BERTH_LOG_READ_E_END);
}

static void pieces_of_a_line_count_as_one(void **state)
{
	static char text[BERTH_LINES_MAX];
	struct berth_log_entry entry;

	(void)state;
	memset(text, 'x', sizeof(text));
	open_log(1 << 20, 0);
	add_line("o", "first", 5, now);
	add_line("O2", text, sizeof(text), now);
	add_line("O2", text, sizeof(text), now);
	add_line("o2", "rest", 4, now);
	open_reader(1, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(berth_log_read_next(&reader, false, &entry), 0);
		assert_int_equal(entry.worker, 2);
		assert_int_equal(entry.continued, i < 2);
		assert_int_equal(entry.len, i < 2 ? sizeof(text) : 4);
	}
	open_reader(2, 0);
	assert_int_equal(berth_log_read_next(&reader, false, &entry), 0);
	assert_memory_equal(entry.text, "first", 5);
}

static void pieces_are_known_where_a_block_ends(void **state)
{
	struct berth_log_entry entry;

	(void)state;
	open_log(1 << 20, 0);
	for (int i = 0; i < 4000; i++)
		add_line(i % 2 ? "o" : "O", "x", 1, now);
	for (unsigned int count = 1; count < 2000; count += 131) {
		unsigned int whole = 0, pieces = 0;

		open_reader(count, 0);
		while (berth_log_read_next(&reader, false, &entry) == 0) {
			whole += !entry.continued;
			pieces += entry.continued;
		}
		assert_int_equal(whole, count);
		assert_int_equal(pieces, count);
	}
}

static void a_line_beyond_all_bounds_comes_in_pieces(void **state)
{
	enum {
		SIZE = 1 << 20
	};
	char *text = malloc(SIZE);
	struct berth_log_entry entry;
	size_t len = 0;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', SIZE);
	text[SIZE - 1] = '\n';
	write_raw(text, SIZE);
	free(text);
	open_reader(UINT64_MAX, 0);
	do {
		assert_int_equal(berth_log_read_next(&reader, false, &entry), 0);
		len += entry.len;
	} while (entry.continued);
	assert_int_equal(len, SIZE - 1);
	assert_int_equal(berth_log_read_next(&reader, true, &entry), BERTH_LOG_READ_E_END);
}

static void the_tail_is_text_without_times(void **state)
{
	json_t *lines;

	(void)state;
	open_log(4, 5);
	write_numbers(9);
	lines = berth_log_read_tail(path, 3);
	assert_int_equal(json_array_size(lines), 3);
	assert_string_equal(json_string_value(json_array_get(lines, 0)), "000006");
	assert_string_equal(json_string_value(json_array_get(lines, 2)), "000008");
	json_decref(lines);
}

static void what_is_no_log_is_none(void **state)
{
	struct berth_log_reader other = { 0 };
	char to[PATH_SIZE];

	(void)state;
	assert_true(berth_log_read_open(&other, "/tmp", UINT64_MAX, 0) < 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(berth_log_read_open(&other, path, UINT64_MAX, 0), -EINVAL);
	snprintf(to, sizeof(to), "%s/link", top);
	assert_int_equal(symlink(path, to), 0);
	assert_int_equal(berth_log_read_open(&other, to, UINT64_MAX, 0), -ELOOP);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_line_is_taken_apart),
		TEST(older_files_come_first),
		TEST(the_last_lines_may_be_in_older_files),
		TEST(the_last_lines_are_found_across_blocks),
		TEST(what_is_older_is_left_out),
		TEST(a_follower_sees_each_line_once_across_rotation),
		TEST(a_clock_that_was_set_back_hides_no_line),
		TEST(no_moment_of_a_rotation_hides_a_line),
		TEST(a_follower_that_is_too_slow_goes_on_with_the_oldest),
		TEST(a_log_that_comes_later_is_read_then),
		TEST(a_line_without_its_end_waits_for_it_or_is_the_last),
		TEST(pieces_of_a_line_count_as_one),
		TEST(pieces_are_known_where_a_block_ends),
		TEST(a_line_beyond_all_bounds_comes_in_pieces),
		TEST(the_tail_is_text_without_times),
		TEST(what_is_no_log_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
