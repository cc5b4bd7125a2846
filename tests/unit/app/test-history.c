/* SPDX-License-Identifier: MIT */
/* unit/app/test-history.c - the last ends are kept, and no more */
#include "app/history.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../own-folder.h"

#define KEY "0123456789abcdef0123456789abcdef"

enum {
	PATH_SIZE = 128
};

static char top[OWN_FOLDER_SIZE];

static int set_up(void **state)
{
	(void)state;
	return own_folder_make(top) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return own_folder_remove(top) ? 0 : -1;
}

static const char *in_top(const char *name, char buf[PATH_SIZE])
{
	snprintf(buf, PATH_SIZE, "%s/%s", top, name);
	return buf;
}

static const char *write_file(const char *name, const char *text, size_t len, char buf[PATH_SIZE])
{
	int fd = open(in_top(name, buf), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
	return buf;
}

/* Ends of one key sort by their id, should they come in one millisecond. */
static void add(const char *key, int number, const char *log)
{
	BERTH_AUTO_JSON json_t *document = NULL;
	char id[16];

	snprintf(id, sizeof(id), "%06d", number);
	document = json_pack("{s:s,s:s?}", "id", id, "log", log);
	assert_int_equal(berth_history_add(document, key), 0);
}

static int number_of(const json_t *ends, size_t i)
{
	return atoi(berth_json_string(json_array_get(ends, i), "id", "-1"));
}

static void nothing_is_kept_at_first(void **state)
{
	BERTH_AUTO_JSON json_t *ends = NULL;

	(void)state;
	assert_int_equal(berth_history_load(&ends), 0);
	assert_int_equal(json_array_size(ends), 0);
}

static void twenty_ends_of_a_service_are_kept_newest_first(void **state)
{
	BERTH_AUTO_JSON json_t *ends = NULL;

	(void)state;
	add("ffffffffffffffffffffffffffffffff", 500, NULL);
	for (int i = 1; i <= BERTH_HISTORY_PER_SERVICE + 3; i++)
		add(KEY, i, NULL);
	assert_int_equal(berth_history_load(&ends), 0);
	/* and none of another one is lost */
	assert_int_equal(json_array_size(ends), BERTH_HISTORY_PER_SERVICE + 1);
	for (size_t i = 0, number = BERTH_HISTORY_PER_SERVICE + 3; i < json_array_size(ends); i++)
		if (number_of(ends, i) != 500)
			assert_int_equal(number_of(ends, i), number--);
}

static void what_came_last_is_the_newest_whatever_the_clock_said(void **state)
{
	BERTH_AUTO_JSON json_t *ends = NULL;
	static const char early[] = "{\"id\":\"000002\"}";
	char path[PATH_SIZE];

	(void)state;
	add("ffffffffffffffffffffffffffffffff", 1, NULL);
	/* One of the year 2128, before the clock was set right. */
	write_file("state/berth/ends/0000048c27395000-" KEY "-000002.json", early,
		   sizeof(early) - 1, path);
	for (int i = 3; i <= BERTH_HISTORY_PER_SERVICE + 2; i++)
		add(KEY, i, NULL);
	assert_int_equal(berth_history_load(&ends), 0);
	assert_int_equal(json_array_size(ends), BERTH_HISTORY_PER_SERVICE + 1);
	for (int i = 0; i < BERTH_HISTORY_PER_SERVICE; i++)
		assert_int_equal(number_of(ends, (size_t)i), BERTH_HISTORY_PER_SERVICE + 2 - i);
}

static void two_hundred_ends_are_kept_in_all(void **state)
{
	BERTH_AUTO_JSON json_t *ends = NULL;
	bool kept[BERTH_HISTORY_ALL + 6] = { 0 };

	(void)state;
	for (int i = 1; i <= BERTH_HISTORY_ALL + 5; i++) {
		char key[40];

		snprintf(key, sizeof(key), "%032d", i);
		add(key, i, NULL);
	}
	assert_int_equal(berth_history_load(&ends), 0);
	assert_int_equal(json_array_size(ends), BERTH_HISTORY_ALL);
	for (size_t i = 0; i < json_array_size(ends); i++)
		kept[number_of(ends, i)] = true;
	for (int i = 1; i <= BERTH_HISTORY_ALL + 5; i++)
		assert_int_equal(kept[i], i > 5);
}

/* Six bytes each in JSON: 90,000 of them made a file that was too long to be read. */
static void a_command_that_is_very_long_is_cut_and_the_end_is_kept(void **state)
{
	enum {
		LENGTH = 90000
	};
	static char word[LENGTH + 1];
	BERTH_AUTO_JSON json_t *document = NULL, *ends = NULL;
	const json_t *command;
	const char *last;

	(void)state;
	memset(word, '\033', LENGTH);
	document = json_pack("{s:s,s:[s,s,s]}", "id", "000001", "command", "program", word, "end");
	assert_int_equal(berth_history_add(document, KEY), 0);
	assert_int_equal(json_array_size(json_object_get(document, "command")), 3);
	assert_int_equal(berth_history_load(&ends), 0);
	assert_int_equal(json_array_size(ends), 1);
	command = json_object_get(json_array_get(ends, 0), "command");
	assert_int_equal(json_array_size(command), 2);
	assert_string_equal(json_string_value(json_array_get(command, 0)), "program");
	last = json_string_value(json_array_get(command, 1));
	assert_in_range(strlen(last), 2000, 4000);
	assert_string_equal(last + strspn(last, "\033"), "...");
}

static void a_long_command_is_cut_between_characters_and_words(void **state)
{
	BERTH_AUTO_JSON json_t *document = json_pack("{s:s,s:[]}", "id", "000001", "command");
	json_t *command = json_object_get(document, "command");
	BERTH_AUTO_JSON json_t *ends = NULL;
	const char *last;

	(void)state;
	for (int i = 0; i < 30000; i++)
		json_array_append_new(command, json_string("\303\244"));
	assert_int_equal(berth_history_add(document, KEY), 0);
	assert_int_equal(berth_history_load(&ends), 0);
	command = json_object_get(json_array_get(ends, 0), "command");
	assert_in_range(json_array_size(command), 1000, 10000);
	last = json_string_value(json_array_get(command, json_array_size(command) - 1));
	assert_string_equal(last + strspn(last, "\303\244"), "...");
}

static void a_log_goes_with_its_end(void **state)
{
	char old_log[PATH_SIZE], new_log[PATH_SIZE];

	(void)state;
	write_file("old.log", "x\n", 2, old_log);
	write_file("new.log", "x\n", 2, new_log);
	add(KEY, 1, old_log);
	add(KEY, 2, new_log);
	for (int i = 3; i <= BERTH_HISTORY_PER_SERVICE; i++)
		add(KEY, i, NULL);
	assert_int_equal(access(old_log, F_OK), 0);
	add(KEY, BERTH_HISTORY_PER_SERVICE + 1, NULL);
	assert_int_equal(access(old_log, F_OK), -1);
	assert_int_equal(access(new_log, F_OK), 0);
}

static void what_is_no_end_is_neither_read_nor_removed(void **state)
{
	static const char *const names[] = { "state/berth/ends/notes.txt",
					     "state/berth/ends/00000000-short",
					     "state/berth/ends/000000000000000g-x.json" };
	BERTH_AUTO_JSON json_t *ends = NULL;
	char path[PATH_SIZE];

	(void)state;
	add(KEY, 1, NULL);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(names); i++)
		write_file(names[i], "{}", 2, path);
	write_file("state/berth/ends/0000000000000000-" KEY "-a.json", "{", 1, path);
	write_file("state/berth/ends/0000000000000000-" KEY "-b.json", "[]", 2, path);
	assert_int_equal(berth_history_load(&ends), 0);
	assert_int_equal(json_array_size(ends), 1);
	for (int i = 2; i <= BERTH_HISTORY_PER_SERVICE + 1; i++)
		add(KEY, i, NULL);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(names); i++)
		assert_int_equal(access(in_top(names[i], path), F_OK), 0);
	/* Broken ones count, and go first. */
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(
		access(in_top("state/berth/ends/0000000000000000-" KEY "-a.json", path), F_OK), -1);
}

static void without_a_state_folder_there_is_no_history(void **state)
{
	BERTH_AUTO_JSON json_t *document = json_object(), *ends = NULL;
	char path[PATH_SIZE];

	(void)state;
	setenv("XDG_STATE_HOME", write_file("file", "x", 1, path), 1);
	assert_int_equal(berth_history_add(document, KEY), -ENOTDIR);
	assert_int_equal(berth_history_load(&ends), 0);
	assert_int_equal(json_array_size(ends), 0);
}

static void the_tail_of_a_log_is_its_last_lines(void **state)
{
	static const struct {
		const char *what, *text;
		size_t count;
		const char *lines[4];
	} rows[] = {
		{ "nothing", "", 3, { NULL } },
		{ "one line", "one\n", 3, { "one" } },
		{ "no last newline", "one\ntwo", 3, { "one", "two" } },
		{ "as many as asked for", "one\ntwo\nthree\n", 3, { "one", "two", "three" } },
		{ "more than asked for", "one\ntwo\nthree\n", 2, { "two", "three" } },
		{ "the last one", "one\ntwo\nthree", 1, { "three" } },
		{ "none", "one\ntwo\n", 0, { NULL } },
		{ "empty lines count", "one\n\ntwo\n", 2, { "", "two" } },
		{ "an empty last line", "one\n\n", 1, { "" } },
		{ "an empty line alone", "\n", 3, { "" } },
		{ "letters beyond ASCII", "gr\xc3\xbc\xc3\x9f\n", 1, { "gr\xc3\xbc\xc3\x9f" } },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		char path[PATH_SIZE];
		BERTH_AUTO_JSON json_t *lines = berth_history_tail(
			write_file("log", rows[i].text, strlen(rows[i].text), path), rows[i].count);
		size_t count = 0;

		for (; count < BERTH_ARRAY_SIZE(rows[i].lines) && rows[i].lines[count]; count++) {
			const char *line = json_string_value(json_array_get(lines, count));

			if (!line || strcmp(line, rows[i].lines[count]) != 0)
				fail_msg("%s: line %zu is '%s'", rows[i].what, count,
					 line ? line : "none");
		}
		if (json_array_size(lines) != count)
			fail_msg("%s: %zu lines", rows[i].what, json_array_size(lines));
	}
}

static void a_log_can_not_play_with_the_terminal(void **state)
{
	static const char text[] = "\x1b[31mred\x07\r\n"
				   "bad \xff\xfe bytes\n"
				   "nul \0 inside\n"
				   "\xc2\x9b"
				   "31m\t\x7f\n";
	char path[PATH_SIZE];
	BERTH_AUTO_JSON json_t *lines =
		berth_history_tail(write_file("log", text, sizeof(text) - 1, path), 10);

	(void)state;
	assert_int_equal(json_array_size(lines), 4);
	for (size_t i = 0; i < 4; i++) {
		const char *line = json_string_value(json_array_get(lines, i));

		assert_non_null(line);
		for (; *line; line++) {
			assert_true((unsigned char)*line >= ' ' && *line != 0x7f);
			assert_false(line[0] == '\xc2' && (unsigned char)line[1] < 0xa0);
		}
	}
	assert_non_null(strstr(json_string_value(json_array_get(lines, 0)), "red"));
	assert_non_null(strstr(json_string_value(json_array_get(lines, 2)), "inside"));
}

static void a_long_log_is_read_from_its_end(void **state)
{
	enum {
		SIZE = 1 << 20,
	};
	char *text = malloc(SIZE), path[PATH_SIZE];
	json_t *lines;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', SIZE);
	memcpy(text + SIZE - 10, "\nlast but\n", 10);
	lines = berth_history_tail(write_file("log", text, SIZE, path), 1);
	assert_int_equal(json_array_size(lines), 1);
	assert_string_equal(json_string_value(json_array_get(lines, 0)), "last but");
	json_decref(lines);
	/* The endless line before it is cut. */
	lines = berth_history_tail(path, 5);
	assert_int_equal(json_array_size(lines), 2);
	assert_true(strlen(json_string_value(json_array_get(lines, 0))) < 4096);
	json_decref(lines);
	memset(text, '\n', SIZE);
	lines = berth_history_tail(write_file("log", text, SIZE, path), 7);
	assert_int_equal(json_array_size(lines), 7);
	json_decref(lines);
	free(text);
}

static void what_is_no_log_has_no_lines(void **state)
{
	const char *paths[5] = { NULL, "", "/nonexistent/log", "/tmp" };
	char fifo[PATH_SIZE], link_path[PATH_SIZE], log[PATH_SIZE];

	(void)state;
	assert_int_equal(mkfifo(in_top("fifo", fifo), 0600), 0);
	paths[4] = fifo;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(paths); i++) {
		BERTH_AUTO_JSON json_t *lines = berth_history_tail(paths[i], 5);

		assert_true(json_is_array(lines));
		assert_int_equal(json_array_size(lines), 0);
	}
	assert_int_equal(symlink(write_file("log", "one\n", 4, log), in_top("link", link_path)), 0);
	{
		BERTH_AUTO_JSON json_t *lines = berth_history_tail(link_path, 5);

		assert_int_equal(json_array_size(lines), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_kept_at_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(twenty_ends_of_a_service_are_kept_newest_first,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_came_last_is_the_newest_whatever_the_clock_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_hundred_ends_are_kept_in_all, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			a_command_that_is_very_long_is_cut_and_the_end_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_long_command_is_cut_between_characters_and_words,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_log_goes_with_its_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_end_is_neither_read_nor_removed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(without_a_state_folder_there_is_no_history, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_tail_of_a_log_is_its_last_lines, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_log_can_not_play_with_the_terminal, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_long_log_is_read_from_its_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_log_has_no_lines, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
