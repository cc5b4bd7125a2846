/* SPDX-License-Identifier: MIT */
/* unit/cli/test-table.c - rows as text and as JSON */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"
#include "cli/table.h"

static void format_name(const json_t *row, const json_t *value, int64_t now_ms,
			struct berth_str *text)
{
	berth_str_addf(text, "%s/%s", berth_json_string(row, "project", ""),
		       berth_json_string(row, "service", ""));
}

static const struct berth_column columns[] = {
	{ "name", "SERVICE", BERTH_COLUMN_STRING, NULL, "h", .format = format_name,
	  .flexible = true },
	{ "state", "STATE", BERTH_COLUMN_STRING, "state", "h", .tone = berth_column_state_tone },
	{ "pid", "PID", BERTH_COLUMN_INTEGER, "pid", "h" },
	{ "since", "SINCE", BERTH_COLUMN_STRING, "started_at", "h", .format = berth_column_age },
	{ "url", "URL", BERTH_COLUMN_STRING, "ports.0.url", "h" },
	{ "ok", "OK", BERTH_COLUMN_BOOLEAN, "ok", "h", .extra = true },
	{ "tags", "TAGS", BERTH_COLUMN_LIST, "tags", "h", .extra = true, .flexible = true },
	{ "port", "PORT", BERTH_COLUMN_INTEGER, "port", "h", .extra = true, .numbered = true },
	{ "command", "COMMAND", BERTH_COLUMN_LIST, "command", "h", .format = berth_column_argv,
	  .extra = true },
	{ 0 },
};

static const char web_and_api[] =
	"[{\"project\":\"shop\",\"service\":\"web\",\"state\":\"ready\",\"pid\":812,\"ok\":true,"
	"  \"started_at\":\"2026-11-21T09:30:00.000Z\",\"tags\":[\"a\",7],\"command\":[\"npm\",\"run x\"],"
	"  \"ports\":[{\"url\":\"http://localhost:5173\"},{\"url\":\"no\"}]},"
	" {\"project\":\"shop\",\"service\":\"a-long-name-of-an-api\",\"state\":\"failed\",\"pid\":null,"
	"  \"ports\":[]}]";

static int64_t half_an_hour_later(void)
{
	int64_t ms;

	assert_int_equal(berth_time_parse("2026-11-21T10:00:00.000Z", &ms), 0);
	return ms;
}

static json_t *make_rows(const char *text)
{
	json_t *rows = berth_json_parse(text, strlen(text));

	assert_non_null(rows);
	return rows;
}

static void assert_table(const char *rows_text, const char *names, const struct berth_out *out,
			 const char *expected)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	BERTH_AUTO_JSON json_t *rows = make_rows(rows_text);
	struct berth_table table;

	assert_int_equal(berth_table_select(columns, names, &table, NULL), 0);
	assert_int_equal(berth_table_text(&table, rows, half_an_hour_later(), out, &text), 0);
	assert_string_equal(berth_str_text(&text), expected);
}

static void columns_stand_under_their_headers(void **state)
{
	const struct berth_out piped = { 0 };

	assert_table(web_and_api, NULL, &piped,
		     "SERVICE                     STATE   PID  SINCE   URL\n"
		     "shop/web                    ready   812  30 min  http://localhost:5173\n"
		     "shop/a-long-name-of-an-api  failed    -  -       -\n");
}

static void chosen_columns_come_in_the_order_of_the_choice(void **state)
{
	const struct berth_out piped = { 0 };

	assert_table(web_and_api, "pid,state,pid", &piped,
		     "PID  STATE   PID\n"
		     "812  ready   812\n"
		     "  -  failed    -\n");
	assert_table(web_and_api, "ok,tags,command", &piped,
		     "OK   TAGS  COMMAND\n"
		     "yes  a,7   npm 'run x'\n"
		     "-    -     -\n");
}

static void only_flexible_columns_are_cut_to_the_terminal(void **state)
{
	const struct berth_out narrow = { .width = 60 }, narrower = { .width = 40 };

	assert_table(web_and_api, NULL, &narrow,
		     "SERVICE           STATE   PID  SINCE   URL\n"
		     "shop/web          ready   812  30 min  http://localhost:5173\n"
		     "shop/a-long-n...  failed    -  -       -\n");
	assert_table(web_and_api, "name,url", &narrower,
		     "SERVICE            URL\n"
		     "shop/web           http://localhost:5173\n"
		     "shop/a-long-na...  -\n");
}

static void a_column_is_never_cut_to_nothing(void **state)
{
	const struct berth_out narrow = { .width = 3 };

	assert_table(web_and_api, "name,pid", &narrow,
		     "SERVICE   PID\n"
		     "shop/web  812\n"
		     "shop/...    -\n");
}

static void a_cut_is_one_column_wide_where_the_terminal_can_show_it(void **state)
{
	const struct berth_out narrow = { .width = 12 };

	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		print_message("no locale C.UTF-8\n");
		skip();
	}
	assert_table("[{\"project\":\"wäschetrommel\",\"service\":\"日本語\"}]", "name", &narrow,
		     "SERVICE\n"
		     "wäschetromm…\n");
	assert_table("[{\"project\":\"日本語日本語\",\"service\":\"x\"}]", "name", &narrow,
		     "SERVICE\n"
		     "日本語日本…\n"); /* ten columns, and the next character takes two */
	setlocale(LC_CTYPE, "C");
}

static void the_states_have_colours_on_a_terminal(void **state)
{
	const struct berth_out terminal = { .width = 80, .color = true };

	assert_table(web_and_api, "state,pid", &terminal,
		     "\033[1mSTATE\033[0m   \033[1mPID\033[0m\n"
		     "\033[32mready\033[0m   812\n"
		     "\033[31mfailed\033[0m    -\n");
}

static void what_a_terminal_would_obey_is_escaped(void **state)
{
	const struct berth_out piped = { 0 };

	assert_table("[{\"state\":\"a\\u001b[31mb\\nc\"}]", "state", &piped,
		     "STATE\n"
		     "a\\e[31mb\\nc\n");
}

static void a_value_of_another_type_is_absent(void **state)
{
	const struct berth_out piped = { 0 };

	assert_table("[{\"state\":7,\"pid\":\"7\",\"ports\":{\"0\":1},\"started_at\":\"x\"}, 7]",
		     "state,pid,url,since", &piped,
		     "STATE  PID  URL  SINCE\n"
		     "-        -  -    -\n"
		     "-        -  -    -\n");
}

static void without_rows_there_is_no_text(void **state)
{
	const struct berth_out piped = { 0 };

	assert_table("[]", NULL, &piped, "");
}

static void rows_that_differ_in_their_number_only_may_be_one_object(void **state)
{
	static const uint16_t numbers[] = { 80, 8080, 80, 65535 };
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	BERTH_AUTO_JSON json_t *rows = make_rows("[{\"pid\":7,\"port\":1},{\"pid\":8,\"port\":1}]");
	const struct berth_out piped = { 0 };
	struct berth_table table;

	json_array_insert(rows, 0, json_array_get(rows, 0));
	json_array_insert(rows, 0, json_array_get(rows, 0));
	assert_int_equal(berth_table_select(columns, "port,pid", &table, NULL), 0);
	table.numbers = numbers;
	assert_int_equal(berth_table_text(&table, rows, 0, &piped, &text), 0);
	assert_string_equal(berth_str_text(&text), " PORT  PID\n"
						   "   80    7\n"
						   " 8080    7\n"
						   "   80    7\n"
						   "65535    8\n");
	/* Without them, it is in the row. */
	table.numbers = NULL;
	text.len = 0;
	assert_int_equal(berth_table_text(&table, rows, 0, &piped, &text), 0);
	assert_string_equal(berth_str_text(&text), "PORT  PID\n"
						   "   1    7\n"
						   "   1    7\n"
						   "   1    7\n"
						   "   1    8\n");
}

static void unknown_columns_are_refused(void **state)
{
	static const struct {
		const char *names, *msg, *hint;
	} cases[] = {
		{ "stat", "there is no column 'stat'",
		  "did you mean 'state'? there are: name, state, pid, since, url, ok, tags, port, command" },
		{ "name,zzz,pid", "there is no column 'zzz'",
		  "there are: name, state, pid, since, url, ok, tags, port, command" },
		{ "name,", "there is no column ''",
		  "there are: name, state, pid, since, url, ok, tags, port, command" },
		{ "\033", "there is no column '\\e'",
		  "there are: name, state, pid, since, url, ok, tags, port, command" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		struct berth_err err = { 0 };
		struct berth_table table;

		assert_int_equal(berth_table_select(columns, cases[i].names, &table, &err),
				 -EINVAL);
		assert_int_equal(err.code, BERTH_ERR_USAGE);
		assert_string_equal(err.msg, cases[i].msg);
		assert_string_equal(err.hint, cases[i].hint);
	}
}

static void too_many_columns_are_refused(void **state)
{
	struct berth_err err = { 0 };
	struct berth_table table;
	char names[4 * (BERTH_TABLE_COLUMNS_MAX + 1)];

	memset(names, 0, sizeof(names));
	for (size_t i = 0; i < BERTH_TABLE_COLUMNS_MAX; i++)
		strcat(names, i ? ",ok" : "ok");
	assert_int_equal(berth_table_select(columns, names, &table, &err), 0);
	assert_int_equal(table.count, BERTH_TABLE_COLUMNS_MAX);
	strcat(names, ",ok");
	assert_int_equal(berth_table_select(columns, names, &table, &err), -EINVAL);
	assert_string_equal(err.msg, "more than 32 columns chosen");
}

static void assert_json(const char *rows_text, const char *names, const char *expected)
{
	BERTH_AUTO_JSON json_t *rows = make_rows(rows_text);
	BERTH_AUTO_JSON json_t *array = NULL, *wanted = make_rows(expected);
	struct berth_table table;

	assert_int_equal(berth_table_select(columns, names, &table, NULL), 0);
	array = berth_table_json(&table, rows, half_an_hour_later());
	assert_true(json_equal(array, wanted));
}

static void json_has_whole_rows_or_the_chosen_members(void **state)
{
	assert_json(web_and_api, NULL, web_and_api);
	assert_json("[]", NULL, "[]");
	assert_json("[]", "pid", "[]");
	assert_json(
		web_and_api, "name,pid,url,ok,since,command",
		"[{\"name\":\"shop/web\",\"pid\":812,\"url\":\"http://localhost:5173\",\"ok\":true,"
		"\"since\":\"2026-11-21T09:30:00.000Z\",\"command\":[\"npm\",\"run x\"]},"
		"{\"name\":\"shop/a-long-name-of-an-api\",\"pid\":null,\"url\":null,\"ok\":null,"
		"\"since\":null,\"command\":null}]");
	/* A column's type is a promise. */
	assert_json("[{\"pid\":\"812\",\"state\":7}]", "pid,state",
		    "[{\"pid\":null,\"state\":null}]");
}

static void it_is_printed_in_the_form_that_was_asked_for(void **state)
{
	BERTH_AUTO_JSON json_t *rows = make_rows(web_and_api);
	struct berth_table table;

	assert_int_equal(berth_table_select(columns, "pid", &table, NULL), 0);
	for (int json = 0; json < 2; json++) {
		BERTH_AUTO_FREE char *printed = NULL;
		size_t size;
		FILE *file = open_memstream(&printed, &size);
		struct berth_out out = { .results = file, .json = json };

		assert_int_equal(berth_table_print(&table, "services", rows, 0, &out, NULL), 0);
		fclose(file);
		assert_string_equal(
			printed,
			json ? "{\"version\":1,\"services\":[{\"pid\":812},{\"pid\":null}]}\n"
			     : "PID\n812\n  -\n");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_stand_under_their_headers),
		cmocka_unit_test(chosen_columns_come_in_the_order_of_the_choice),
		cmocka_unit_test(only_flexible_columns_are_cut_to_the_terminal),
		cmocka_unit_test(a_column_is_never_cut_to_nothing),
		cmocka_unit_test(a_cut_is_one_column_wide_where_the_terminal_can_show_it),
		cmocka_unit_test(the_states_have_colours_on_a_terminal),
		cmocka_unit_test(what_a_terminal_would_obey_is_escaped),
		cmocka_unit_test(a_value_of_another_type_is_absent),
		cmocka_unit_test(without_rows_there_is_no_text),
		cmocka_unit_test(rows_that_differ_in_their_number_only_may_be_one_object),
		cmocka_unit_test(unknown_columns_are_refused),
		cmocka_unit_test(too_many_columns_are_refused),
		cmocka_unit_test(json_has_whole_rows_or_the_chosen_members),
		cmocka_unit_test(it_is_printed_in_the_form_that_was_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
