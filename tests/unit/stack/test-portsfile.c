/* SPDX-License-Identifier: MIT */
/* unit/stack/test-portsfile.c - one file, three authors: what each finds when another has gone */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stack/portsfile.h"

#define ALIVE \
	{ \
		{ 810, 12345 }, "boot-1" \
	}
static const struct berth_portsfile_owner alive = ALIVE;
static const struct berth_portsfile_owner dead = { { 811, 23456 }, "boot-1" };

static const struct berth_portsfile_port backend_ports[] = {
	{ "main", 9001, 9000, "http://localhost:9001" },
};
static const struct berth_portsfile_port viewer_ports[] = {
	{ "http", 8081, 8080, "http://localhost:8081" },
	{ "ws", 8082, 8081, "" },
};
static const struct berth_portsfile_port api_ports[] = {
	{ "main", 5001, 5000, "http://localhost:5001" },
};
static const struct berth_portsfile_port worker_2_ports[] = {
	{ "main", 7001, 0, "http://localhost:7001" },
};

static const struct berth_portsfile_unit units[] = {
	{ "backend", 1, "ready", backend_ports, 1 },
	{ "my-viewer", 1, "starting", viewer_ports, 2 },
	{ "my-viewer", 2, "waiting", worker_2_ports, 1 },
	{ "worker", 1, "ready", NULL, 0 },
};
static const struct berth_portsfile_stack stack = {
	.project = "shop",
	.key = "k1",
	.owner = ALIVE,
	.started_ms = 1763717400123,
	.units = units,
	.unit_count = BERTH_ARRAY_SIZE(units),
};
static const struct berth_portsfile_unit api = { "api", 1, "ready", api_ports, 1 };

static struct berth_portsfile parse(const char *text)
{
	struct berth_portsfile file = { 0 };
	struct berth_faults faults = { 0 };

	if (berth_portsfile_parse(text, strlen(text), &faults, &file) < 0)
		fail_msg("'%s': %s", text, faults.items[0].text);
	assert_int_equal(faults.count, 0);
	return file;
}

/* As a file that is read again; the text is the caller's. */
static char *save(struct berth_portsfile *file)
{
	char *text;

	assert_int_equal(berth_portsfile_format(file, &text), 0);
	berth_portsfile_deinit(file);
	return text;
}

static json_t *load(const char *text)
{
	json_t *root = text ? json_loads(text, 0, NULL) : NULL;

	assert_non_null(root);
	return root;
}

static char *after(const char *text, void (*change)(struct berth_portsfile *file))
{
	struct berth_portsfile file = parse(text);

	change(&file);
	return save(&file);
}

static void up(struct berth_portsfile *file)
{
	assert_int_equal(berth_portsfile_set_stack(file, &stack), 0);
}

static void down(struct berth_portsfile *file)
{
	berth_portsfile_drop_stack(file, "k1");
}

static void run_api(struct berth_portsfile *file)
{
	assert_int_equal(berth_portsfile_set_run(file, &alive, &api), 0);
}

static void end_api(struct berth_portsfile *file)
{
	berth_portsfile_drop_run(file, "api", 1);
}

static bool is_alive(const struct berth_portsfile_owner *owner, void *arg)
{
	(void)arg;
	return owner->supervisor.pid == alive.supervisor.pid &&
	       owner->supervisor.start_ticks == alive.supervisor.start_ticks &&
	       strcmp(owner->boot, alive.boot) == 0;
}

static void drop_dead(struct berth_portsfile *file)
{
	berth_portsfile_drop_dead(file, is_alive, NULL);
}

static void the_keys_are_those_that_programs_look_for(void **state)
{
	BERTH_AUTO_FREE char *text = after("", up);
	BERTH_AUTO_JSON json_t *root = load(text), *top = NULL;

	(void)state;
	top = json_pack("{s:i,s:s,s:i,s:s,s:i,s:s,s:i,s:O}", "backend_port", 9001, "backend_url",
			"http://localhost:9001", "my_viewer_port", 8081, "my_viewer_url",
			"http://localhost:8081", "my_viewer_http_port", 8081, "my_viewer_http_url",
			"http://localhost:8081", "my_viewer_ws_port", 8082, "berth",
			json_object_get(root, "berth"));
	assert_true(json_equal(root, top));
	assert_int_equal(text[strlen(text) - 1], '\n');
}

static void the_rest_is_below_berth(void **state)
{
	BERTH_AUTO_FREE char *text = after("", up);
	BERTH_AUTO_JSON json_t *root = load(text), *expected = NULL;

	(void)state;
	expected = json_loads(
		"{\"version\":1,\"project\":\"shop\",\"copy\":null,\"pid\":810,\"start\":12345,"
		"\"boot\":\"boot-1\",\"started_at\":\"2025-11-21T09:30:00.123Z\",\"stack\":\"k1\","
		"\"services\":{"
		"\"backend\":{\"state\":\"ready\",\"port\":9001,\"url\":\"http://localhost:9001\","
		"\"asked\":9000,\"ports\":{},\"instances\":[{\"instance\":1,\"state\":\"ready\","
		"\"port\":9001,\"url\":\"http://localhost:9001\",\"asked\":9000}]},"
		"\"my-viewer\":{\"state\":\"starting\",\"port\":8081,"
		"\"url\":\"http://localhost:8081\",\"asked\":8080,\"ports\":{"
		"\"http\":{\"port\":8081,\"url\":\"http://localhost:8081\",\"asked\":8080},"
		"\"ws\":{\"port\":8082,\"url\":null,\"asked\":8081}},\"instances\":["
		"{\"instance\":1,\"state\":\"starting\",\"port\":8081,"
		"\"url\":\"http://localhost:8081\",\"asked\":8080},"
		"{\"instance\":2,\"state\":\"waiting\",\"port\":7001,"
		"\"url\":\"http://localhost:7001\",\"asked\":null}]},"
		"\"worker\":{\"state\":\"ready\",\"port\":null,\"url\":null,\"asked\":null,"
		"\"ports\":{},\"instances\":[{\"instance\":1,\"state\":\"ready\",\"port\":null,"
		"\"url\":null,\"asked\":null}]}},\"before\":{}}",
		0, NULL);
	assert_non_null(expected);
	assert_true(json_equal(json_object_get(root, "berth"), expected));
}

static void an_end_leaves_the_file_as_it_was(void **state)
{
	static const char *const texts[] = {
		"{\n  \"note\": \"mine\"\n}\n",
		"{\n  \"backend_port\": 9005,\n  \"note\": [\n    1\n  ]\n}\n",
		"{\n  \"backend_port\": 9001\n}\n", /* by chance what it got */
		"{\n  \"backend_url\": \"x\",\n  \"my_viewer_ws_port\": \"8090\"\n}\n",
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(texts); i++) {
		BERTH_AUTO_FREE char *while_up = after(texts[i], up);
		BERTH_AUTO_FREE char *again = after(while_up, up);
		BERTH_AUTO_FREE char *ended = after(again, down);
		BERTH_AUTO_JSON json_t *root = load(while_up);

		assert_string_equal(while_up, again);
		assert_int_equal(berth_json_int(root, "backend_port", 0), 9001);
		assert_string_equal(ended, texts[i]);
	}
}

static void with_nothing_of_the_users_the_file_goes(void **state)
{
	static const char *const texts[] = { "", " \n", "{}" };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(texts); i++) {
		BERTH_AUTO_FREE char *while_up = after(texts[i], up);

		assert_null(after(while_up, down));
	}
}

static uint16_t wish_in(const char *text, const char *service, const char *port)
{
	struct berth_portsfile file = parse(text);
	struct berth_faults faults = { 0 };
	uint16_t wish = 1;

	assert_int_equal(berth_portsfile_wish(&file, service, port, &faults, &wish), 0);
	assert_int_equal(faults.count, 0);
	berth_portsfile_deinit(&file);
	return wish;
}

static void what_the_user_has_written_is_a_wish(void **state)
{
	static const char text[] =
		"{\"backend_port\":9005,\"my_viewer_ws_port\":\"8090\",\"web_port\":null}";

	(void)state;
	assert_int_equal(wish_in(text, "backend", NULL), 9005);
	assert_int_equal(wish_in(text, "backend", "main"), 9005);
	assert_int_equal(wish_in(text, "backend", "ws"), 0);
	assert_int_equal(wish_in(text, "my-viewer", "ws"), 8090);
	assert_int_equal(wish_in(text, "my-viewer", NULL), 0);
	assert_int_equal(wish_in(text, "web", NULL), 0);
	assert_int_equal(wish_in("", "backend", NULL), 0);
}

static void a_wish_can_be_written_for_the_user(void **state)
{
	BERTH_AUTO_FREE char *while_up = after("{\"backend_url\":\"x\"}", up);
	struct berth_portsfile file = parse(while_up);
	BERTH_AUTO_FREE char *text = NULL, *ended = NULL;
	BERTH_AUTO_JSON json_t *root = NULL;

	(void)state;
	assert_int_equal(berth_portsfile_set_wish(&file, "backend", NULL, 9005, ""), 0);
	assert_int_equal(berth_portsfile_set_wish(&file, "my-viewer", "ws", 8090, "ws://x"), 0);
	text = save(&file);
	assert_int_equal(wish_in(text, "backend", NULL), 9005);
	ended = after(text, down);
	root = load(ended);
	assert_int_equal(json_object_size(root), 3);
	assert_int_equal(berth_json_int(root, "my_viewer_ws_port", 0), 8090);
	assert_string_equal(berth_json_string(root, "my_viewer_ws_url", ""), "ws://x");
}

static void what_we_have_written_is_none(void **state)
{
	BERTH_AUTO_FREE char *fresh = after("", up);
	BERTH_AUTO_FREE char *over = after("{\"backend_port\":9005}", up);

	(void)state;
	assert_int_equal(wish_in(fresh, "backend", NULL), 0);
	assert_int_equal(wish_in(fresh, "my-viewer", "ws"), 0);
	assert_int_equal(wish_in(over, "backend", NULL), 9005);
}

static void what_was_edited_since_is_a_wish_and_survives(void **state)
{
	BERTH_AUTO_FREE char *text = after("{\"backend_port\":9005}", up);
	BERTH_AUTO_JSON json_t *edited = load(text), *root = NULL;
	BERTH_AUTO_FREE char *changed = NULL, *written = NULL, *ended = NULL;

	(void)state;
	json_object_set_new(edited, "backend_port", json_integer(9007));
	changed = json_dumps(edited, 0);
	assert_int_equal(wish_in(changed, "backend", NULL), 9007);
	/* the next change of the stack: true again, and the wish is kept */
	written = after(changed, up);
	root = load(written);
	assert_int_equal(berth_json_int(root, "backend_port", 0), 9001);
	assert_int_equal(wish_in(written, "backend", NULL), 9007);
	ended = after(written, down);
	assert_int_equal(wish_in(ended, "backend", NULL), 9007);
}

static void a_stack_that_was_killed_leaves_nothing_that_counts(void **state)
{
	const struct berth_portsfile_stack killed = {
		.project = "shop",
		.key = "k1",
		.owner = dead,
		.units = units,
		.unit_count = 1,
	};
	struct berth_portsfile file = parse("{\"backend_port\":9005,\"x\":1}");
	BERTH_AUTO_FREE char *left = NULL, *clean = NULL;
	BERTH_AUTO_JSON json_t *root = NULL;

	(void)state;
	assert_int_equal(berth_portsfile_set_stack(&file, &killed), 0);
	left = save(&file);
	assert_int_equal(wish_in(left, "backend", NULL), 9005);
	clean = after(left, drop_dead);
	root = load(clean);
	assert_int_equal(json_object_size(root), 2);
	assert_int_equal(berth_json_int(root, "backend_port", 0), 9005);
}

static void another_stack_is_not_ended_by_ours(void **state)
{
	BERTH_AUTO_FREE char *text = after("", up);
	struct berth_portsfile file = parse(text);
	BERTH_AUTO_FREE char *same = NULL;

	(void)state;
	berth_portsfile_drop_stack(&file, "k2");
	same = save(&file);
	assert_string_equal(same, text);
}

static void single_services_and_a_stack_come_and_go_in_any_order(void **state)
{
	BERTH_AUTO_FREE char *one = after("{\"api_port\":1}", run_api);
	BERTH_AUTO_FREE char *two = after(one, up);
	BERTH_AUTO_FREE char *three = after(two, end_api);
	BERTH_AUTO_FREE char *four = after(three, down);
	BERTH_AUTO_FREE char *other = after(two, down);
	BERTH_AUTO_FREE char *living = after(two, drop_dead);
	BERTH_AUTO_FREE char *last = after(other, end_api);
	BERTH_AUTO_JSON json_t *first = load(one), *both = load(two), *alone = load(three),
			       *rest = load(other), *end = load(four), *start = NULL;

	(void)state;
	start = load("{\"api_port\":1}");
	assert_int_equal(berth_json_int(first, "api_port", 0), 5001);
	assert_string_equal(berth_json_string(first, "api_url", ""), "http://localhost:5001");
	assert_int_equal(berth_json_int(both, "api_port", 0), 5001);
	assert_int_equal(berth_json_int(both, "backend_port", 0), 9001);
	assert_int_equal(berth_json_int(alone, "api_port", 0), 1);
	assert_int_equal(berth_json_int(alone, "backend_port", 0), 9001);
	assert_int_equal(berth_json_int(rest, "api_port", 0), 5001);
	assert_null(json_object_get(rest, "backend_port"));
	assert_true(json_equal(end, start));
	assert_string_equal(last, four);
	assert_string_equal(living, two);
}

static void of_two_that_would_have_one_member_the_first_keeps_it(void **state)
{
	static const struct berth_portsfile_port second_ports[] = { { "main", 5002, 0, "" } };
	static const struct berth_portsfile_port named_ports[] = { { "main", 6001, 0, "" },
								   { "b", 6002, 0, "" } };
	static const struct berth_portsfile_port plain_ports[] = { { "main", 6003, 0, "" } };
	const struct berth_portsfile_unit second = { "api", 2, "ready", second_ports, 1 };
	const struct berth_portsfile_unit named = { "a", 1, "ready", named_ports, 2 };
	const struct berth_portsfile_unit plain = { "a-b", 1, "ready", plain_ports, 1 };
	struct berth_portsfile file = parse("");
	BERTH_AUTO_FREE char *text = NULL;
	BERTH_AUTO_JSON json_t *root = NULL;

	(void)state;
	assert_int_equal(berth_portsfile_set_run(&file, &alive, &second), 0);
	assert_int_equal(berth_portsfile_set_run(&file, &alive, &api), 0);
	assert_int_equal(berth_portsfile_set_run(&file, &alive, &named), 0);
	assert_int_equal(berth_portsfile_set_run(&file, &alive, &plain), 0);
	text = save(&file);
	root = load(text);
	assert_int_equal(berth_json_int(root, "api_port", 0), 5001);
	/* a service before a port of another one */
	assert_int_equal(berth_json_int(root, "a_b_port", 0), 6003);
}

static void what_is_no_such_file_is_a_fault_with_its_place(void **state)
{
	static const struct {
		const char *text;
		unsigned int line, column;
		const char *says;
	} rows[] = {
		{ "{\n  \"a\": 1,\n  x\n}", 3, 3, "no JSON" },
		{ "{\"a\":1,\"a\":2}", 1, 8, "duplicate" },
		{ "[5000]", 1, 1, "not an object" },
		{ "5000", 1, 1, "no JSON" },
		{ "{\"a_port\": nul}", 1, 12, "no JSON" },
		{ "{\"a\": 1", 1, 7, "no JSON" },
		{ "{\"a\": 1e999}", 1, 7, "no JSON" },
		{ "{\"a\":\"\\u0000\"}", 1, 0, "no JSON" },
		{ "{\"x\": {\"berth\": 1},\n \"berth\": 5}", 2, 2, "an object" },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
		struct berth_portsfile file = { 0 };

		assert_int_equal(
			berth_portsfile_parse(rows[i].text, strlen(rows[i].text), &faults, &file),
			-EINVAL);
		assert_null(file.user);
		assert_int_equal(faults.count, 1);
		if (!strstr(faults.items[0].text, rows[i].says))
			fail_msg("'%s': %s", rows[i].text, faults.items[0].text);
		assert_int_equal(faults.items[0].at.line, rows[i].line);
		if (rows[i].column)
			assert_int_equal(faults.items[0].at.column, rows[i].column);
	}
}

static void a_wish_that_is_no_port_is_a_fault_with_its_place(void **state)
{
	static const char *const values[] = { "0",	   "65536",    "-1",   "9000.5",
					      "true",	   "\"auto\"", "\"\"", "[9000]",
					      "{\"a\":1}", "\"9000 \"" };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(values); i++) {
		BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
		BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
		struct berth_portsfile file;
		uint16_t wish = 7;

		berth_str_addf(&text, "{\"x\": {\"a_port\": 1},\n   \"a_port\": %s}", values[i]);
		file = parse(text.text);
		assert_int_equal(berth_portsfile_wish(&file, "a", NULL, &faults, &wish), -EINVAL);
		assert_int_equal(wish, 7);
		assert_int_equal(faults.count, 1);
		assert_non_null(strstr(faults.items[0].text, "a_port is "));
		assert_non_null(strstr(faults.items[0].text, "no port (1-65535)"));
		assert_int_equal(faults.items[0].at.line, 2);
		assert_int_equal(faults.items[0].at.column, 4);
		assert_int_equal(faults.items[0].at.len, strlen("\"a_port\""));
		/* nobody asks for it: no fault */
		assert_int_equal(berth_portsfile_wish(&file, "b", NULL, &faults, &wish), 0);
		berth_portsfile_deinit(&file);
	}
}

static void notes_of_any_shape_are_survived(void **state)
{
	static const char *const texts[] = {
		"{\"berth\":{}}",
		"{\"berth\":{\"stack\":5,\"services\":5,\"runs\":5,\"before\":5}}",
		"{\"berth\":{\"stack\":\"k\",\"services\":{\"a\":5,\"b\":{\"port\":{}}},\"runs\":{}}}",
		"{\"berth\":{\"runs\":{\"a\":[],\"b.2.3\":{\"ports\":[1]},\"\":{\"port\":1}}}}",
		"{\"berth\":{\"before\":{\"berth\":{\"x\":1}}},\"a\":1}",
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(texts); i++) {
		struct berth_portsfile file = parse(texts[i]);
		BERTH_AUTO_FREE char *text = NULL;
		BERTH_AUTO_JSON json_t *root = NULL;

		drop_dead(&file);
		up(&file);
		text = save(&file);
		root = load(text);
		assert_int_equal(berth_json_int(root, "backend_port", 0), 9001);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_keys_are_those_that_programs_look_for),
		cmocka_unit_test(the_rest_is_below_berth),
		cmocka_unit_test(an_end_leaves_the_file_as_it_was),
		cmocka_unit_test(with_nothing_of_the_users_the_file_goes),
		cmocka_unit_test(what_the_user_has_written_is_a_wish),
		cmocka_unit_test(a_wish_can_be_written_for_the_user),
		cmocka_unit_test(what_we_have_written_is_none),
		cmocka_unit_test(what_was_edited_since_is_a_wish_and_survives),
		cmocka_unit_test(a_stack_that_was_killed_leaves_nothing_that_counts),
		cmocka_unit_test(another_stack_is_not_ended_by_ours),
		cmocka_unit_test(single_services_and_a_stack_come_and_go_in_any_order),
		cmocka_unit_test(of_two_that_would_have_one_member_the_first_keeps_it),
		cmocka_unit_test(what_is_no_such_file_is_a_fault_with_its_place),
		cmocka_unit_test(a_wish_that_is_no_port_is_a_fault_with_its_place),
		cmocka_unit_test(notes_of_any_shape_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
