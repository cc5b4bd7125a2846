/* SPDX-License-Identifier: MIT */
/* unit/app/test-stack.c - from a folder to jobs: what is wanted, and who wishes which number */
#include "app/stack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../own-folder.h"
#include "base/str.h"
#include "service/defaults.h"

enum {
	WORDS_MAX = 4,
};

static char top[OWN_FOLDER_SIZE];

static int set_up(void **state)
{
	(void)state;
	unsetenv("BACKEND_PORT");
	unsetenv("VIEWER_WS_PORT");
	return own_folder_make(top) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return own_folder_remove(top) ? 0 : -1;
}

static const char *in_top(const char *name, char path[OWN_FOLDER_SIZE + 64])
{
	snprintf(path, OWN_FOLDER_SIZE + 64, "%s/%s", top, name);
	return path;
}

/* NULL: no such file. */
static void write_text(const char *name, const char *text)
{
	char path[OWN_FOLDER_SIZE + 64];
	FILE *file;

	if (!text) {
		unlink(in_top(name, path));
		return;
	}
	file = fopen(in_top(name, path), "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int load(const struct berth_stack_spec *how, struct berth_stack **ret_stack,
		struct berth_err *err)
{
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	struct berth_stack_spec spec = *how;
	int r;

	spec.cwd = top;
	r = berth_stack_load(&spec, &faults, ret_stack, err);
	if (faults.count)
		assert_int_equal(err->code, BERTH_ERR_CONFIG);
	return r;
}

static struct berth_stack *load_well(const struct berth_stack_spec *how)
{
	struct berth_stack *stack = NULL;
	struct berth_err err = { 0 };

	if (load(how, &stack, &err) < 0)
		fail_msg("%s", err.msg);
	return stack;
}

/* "backend: main(9000)=9005 in 9000-9099; viewer: ..." of those that are wanted. */
static void write_wishes(const struct berth_stack *stack, struct berth_str *ret_text)
{
	for (size_t i = 0; i < stack->manifest.service_count; i++) {
		const struct berth_job *job = stack->services[i].job;
		const struct berth_wish *wish = &job->wish;

		if (!stack->services[i].wanted)
			continue;
		berth_str_addf(ret_text, "%s%s:", ret_text->len ? "; " : "", job->identity.service);
		for (size_t k = 0; k < wish->port_count; k++) {
			berth_str_addf(ret_text, " %s", wish->ports[k].name);
			if (wish->ports[k].alias)
				berth_str_addf(ret_text, "(%u)", wish->ports[k].alias);
			for (size_t n = 0; n < wish->ports[k].list_len; n++)
				berth_str_addf(ret_text, "%c%u", n ? ',' : '=',
					       wish->ports[k].list[n]);
		}
		if (wish->range.lo)
			berth_str_addf(ret_text, " in %u-%u", wish->range.lo, wish->range.hi);
		if (wish->any)
			berth_str_add(ret_text, " any");
		if (job->skip)
			berth_str_addf(ret_text, " but %s", job->skip);
	}
}

static void assert_wishes(const char *what, const struct berth_stack_spec *how, const char *wishes)
{
	BERTH_CLEANUP(berth_stack_freep) struct berth_stack *stack = load_well(how);
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };

	write_wishes(stack, &text);
	if (strcmp(berth_str_text(&text), wishes) != 0)
		fail_msg("%s: '%s', expected '%s'", what, berth_str_text(&text), wishes);
}

/* As a stack that was killed has left it: backend had 9021, which is @number now. */
#define WRITTEN(number, before) \
	"{\"backend_port\": " number ", \"berth\": {\"version\": 1, \"pid\": 1, \"start\": 1, " \
	"\"boot\": \"\", \"project\": \"shop\", \"copy\": null, \"stack\": \"0\", \"services\": " \
	"{\"backend\": {\"state\": \"ready\", \"port\": 9021, \"url\": null, \"asked\": 9000, " \
	"\"ports\": {}, \"instances\": []}}, \"before\": {" before "}}}"

static void the_stronger_word_is_the_wish(void **state)
{
	static const struct {
		const char *what, *dotenv, *file, *variable, *flag, *wishes;
	} rows[] = {
		{ "the manifest", .wishes = "backend: main=9000 in 9000-9099" },
		{ ".env", "BACKEND_PORT=9010\n",
		  .wishes = "backend: main(9000)=9010 in 9000-9099" },
		{ "the ports file", "BACKEND_PORT=9010\n", "{\"backend_port\": 9020}",
		  .wishes = "backend: main(9000)=9020 in 9000-9099" },
		{ "the environment", "BACKEND_PORT=9010\n", "{\"backend_port\": 9020}", "9030",
		  .wishes = "backend: main(9000)=9030 in 9000-9099" },
		{ "the flag", "BACKEND_PORT=9010\n", "{\"backend_port\": 9020}", "9030",
		  "backend=9040", "backend: main(9000)=9040 in 9000-9099" },
		{ "a number in a text", .file = "{\"backend_port\": \"9020\"}",
		  .wishes = "backend: main(9000)=9020 in 9000-9099" },
		{ "what a stack wrote is not what a user did", .file = WRITTEN("9021", ""),
		  .wishes = "backend: main=9000 in 9000-9099" },
		{ "unless the user has changed it", .file = WRITTEN("9022", ""),
		  .wishes = "backend: main(9000)=9022 in 9000-9099" },
		{ "or had written one before", .file = WRITTEN("9021", "\"backend_port\": 9023"),
		  .wishes = "backend: main(9000)=9023 in 9000-9099" },
		{ "a link to a container is no number", .variable = "tcp://172.17.0.2:5432",
		  .wishes = "backend: main=9000 in 9000-9099" },
		{ "empty is unset", "BACKEND_PORT=\n", .variable = "",
		  .wishes = "backend: main=9000 in 9000-9099" },
		{ "out of the range: as many from there", .flag = "backend=7000",
		  .wishes = "backend: main(9000)=7000 in 7000-7099" },
	};

	(void)state;
	write_text("berth.yaml", "services:\n"
				 "  backend: {command: sleep 1, port: 9000, range: 9000-9099}\n");
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		const struct berth_stack_spec how = { .wishes = &rows[i].flag,
						      .wish_count = rows[i].flag != NULL };

		write_text(".env", rows[i].dotenv);
		write_text(".ports.json", rows[i].file);
		if (rows[i].variable)
			setenv("BACKEND_PORT", rows[i].variable, 1);
		else
			unsetenv("BACKEND_PORT");
		assert_wishes(rows[i].what, &how, rows[i].wishes);
	}
}

static void named_ports_are_wished_by_their_names(void **state)
{
	const char *const flags[] = { "viewer:ws=8191" };
	const struct berth_stack_spec with_flag = { .wishes = flags, .wish_count = 1 };

	(void)state;
	write_text("berth.yaml", "services:\n"
				 "  viewer: {command: sleep 1, ports: {http: 8080, ws: 8081}}\n");
	assert_wishes("plain", &(struct berth_stack_spec){ 0 }, "viewer: http=8080 ws=8081");
	write_text(".ports.json", "{\"viewer_ws_port\": 8101}");
	assert_wishes("the file: they keep their distance", &(struct berth_stack_spec){ 0 },
		      "viewer: http(8080)=8100 ws(8081)=8101");
	setenv("VIEWER_WS_PORT", "8111", 1);
	assert_wishes("the environment", &(struct berth_stack_spec){ 0 },
		      "viewer: http(8080)=8110 ws(8081)=8111");
	assert_wishes("the flag", &with_flag, "viewer: http(8080)=8190 ws(8081)=8191");
}

static void the_first_of_named_ports_has_two_names(void **state)
{
	static const struct {
		const char *what, *dotenv, *file, *own, *named, *wishes;
	} rows[] = {
		{ ".env", .dotenv = "VIEWER_HTTP_PORT=8090\n",
		  .wishes = "viewer: http(8080)=8090 ws(8081)=8091" },
		{ "the file", .file = "{\"viewer_http_port\": 8100}",
		  .wishes = "viewer: http(8080)=8100 ws(8081)=8101" },
		{ "the environment", .named = "8110",
		  .wishes = "viewer: http(8080)=8110 ws(8081)=8111" },
		{ "in .env the short one goes first", "VIEWER_HTTP_PORT=8090\nVIEWER_PORT=8120\n",
		  .wishes = "viewer: http(8080)=8120 ws(8081)=8121" },
		{ "in the file, too", .file = "{\"viewer_http_port\": 8100, \"viewer_port\": 8130}",
		  .wishes = "viewer: http(8080)=8130 ws(8081)=8131" },
		{ "and in the environment", .own = "8140", .named = "8110",
		  .wishes = "viewer: http(8080)=8140 ws(8081)=8141" },
		{ "unless it is none", .own = "tcp://10.0.0.1:80", .named = "8110",
		  .wishes = "viewer: http(8080)=8110 ws(8081)=8111" },
		{ "the stronger place goes before both", "VIEWER_PORT=8120\n", .named = "8110",
		  .wishes = "viewer: http(8080)=8110 ws(8081)=8111" },
	};

	(void)state;
	write_text("berth.yaml", "services:\n"
				 "  viewer: {command: sleep 1, ports: {http: 8080, ws: 8081}}\n");
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		write_text(".env", rows[i].dotenv);
		write_text(".ports.json", rows[i].file);
		setenv("VIEWER_PORT", rows[i].own ? rows[i].own : "", 1);
		setenv("VIEWER_HTTP_PORT", rows[i].named ? rows[i].named : "", 1);
		assert_wishes(rows[i].what, &(struct berth_stack_spec){ 0 }, rows[i].wishes);
	}
	unsetenv("VIEWER_PORT");
	unsetenv("VIEWER_HTTP_PORT");
}

static void what_is_no_wish_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *dotenv, *file, *variable, *flag;
		enum berth_err_code code;
		const char *words[WORDS_MAX];
	} rows[] = {
		{ .dotenv = "BACKEND_PORT=many\n",
		  .code = BERTH_ERR_CONFIG,
		  .words = { "BACKEND_PORT", ".env", "many" } },
		{ .variable = "70000",
		  .code = BERTH_ERR_CONFIG,
		  .words = { "BACKEND_PORT", "environment", "70000" } },
		{ .flag = "backend", .code = BERTH_ERR_USAGE, .words = { "-p", "SERVICE=PORT" } },
		{ .flag = "=9000", .code = BERTH_ERR_USAGE, .words = { "-p", "SERVICE=PORT" } },
		{ .flag = "nobody=9000", .code = BERTH_ERR_USAGE, .words = { "-p", "nobody" } },
		{ .flag = "backend:ws=9000", .code = BERTH_ERR_USAGE, .words = { "-p", "ws" } },
		{ .flag = "worker=9000", .code = BERTH_ERR_USAGE, .words = { "-p", "worker" } },
		{ .flag = "backend:=9000",
		  .code = BERTH_ERR_USAGE,
		  .words = { "-p", "no port ''" } },
		{ .flag = "backend:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=9000",
		  .code = BERTH_ERR_USAGE,
		  .words = { "-p", "no port 'aaaa" } },
		{ .flag = "backend=", .code = BERTH_ERR_USAGE, .words = { "-p", "SERVICE=PORT" } },
		{ .flag = "backend=tcp://1.2.3.4:5",
		  .code = BERTH_ERR_USAGE,
		  .words = { "-p", "not a port" } },
		{ .flag = "backend=0", .code = BERTH_ERR_USAGE, .words = { "-p", "'0'" } },
		{ .file = "{\"backend_port\": 70000}",
		  .code = BERTH_ERR_CONFIG,
		  .words = { ".ports.json" } },
		{ .file = "{\"backend_port\": ", .code = BERTH_ERR_CONFIG, .words = { "fault" } },
		{ .file = "[]", .code = BERTH_ERR_CONFIG, .words = { "fault" } },
	};

	(void)state;
	write_text("berth.yaml", "services:\n"
				 "  backend: {command: sleep 1, port: 9000}\n"
				 "  worker: {command: sleep 1, port: none}\n");
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		const struct berth_stack_spec how = { .wishes = &rows[i].flag,
						      .wish_count = rows[i].flag != NULL };
		BERTH_CLEANUP(berth_stack_freep) struct berth_stack *stack = NULL;
		struct berth_err err = { 0 };

		write_text(".env", rows[i].dotenv);
		write_text(".ports.json", rows[i].file);
		if (rows[i].variable)
			setenv("BACKEND_PORT", rows[i].variable, 1);
		else
			unsetenv("BACKEND_PORT");
		assert_true(load(&how, &stack, &err) < 0);
		if (err.code != rows[i].code)
			fail_msg("row %zu: code %d: %s", i, err.code, err.msg);
		for (size_t k = 0; k < WORDS_MAX && rows[i].words[k]; k++)
			if (!strstr(err.msg, rows[i].words[k]) && !rows[i].file)
				fail_msg("row %zu: '%s' is not in: %s", i, rows[i].words[k],
					 err.msg);
		/* What is shown beside the fault is that file. */
		if (rows[i].file) {
			assert_non_null(stack);
			assert_non_null(strstr(stack->file, ".ports.json"));
			assert_string_equal(stack->text, rows[i].file);
		}
	}
}

static void a_profile_has_numbers_of_its_own(void **state)
{
	const char *const flags[] = { "backend=20005" };

	(void)state;
	write_text("berth.yaml",
		   "services:\n"
		   "  backend: {command: sleep 1, port: 9000, range: 9000-9099}\n"
		   "  viewer: {command: sleep 1, ports: {http: 8080, ws: 8081}, skip: 8090}\n"
		   "  tools: {command: sleep 1, port: 7000, profiles: [test]}\n"
		   "  debug: {command: sleep 1, port: 7100, profiles: [debug]}\n"
		   "profiles:\n"
		   "  test: {range: 20000-20999}\n"
		   "  stage: {range: 21000-21999}\n");
	assert_wishes("none: neither range is touched", &(struct berth_stack_spec){ 0 },
		      "backend: main=9000 in 9000-9099 but 20000-20999,21000-21999; "
		      "viewer: http=8080 ws=8081 but 8090,20000-20999,21000-21999");
	assert_wishes("one: all of its range", &(struct berth_stack_spec){ .profile = "test" },
		      "backend: main(9000) in 20000-20999 but 21000-21999; "
		      "viewer: http(8080) ws(8081) in 20000-20999 but 8090,21000-21999; "
		      "tools: main(7000) in 20000-20999 but 21000-21999");
	assert_wishes("one without a range: only who is part of it",
		      &(struct berth_stack_spec){ .profile = "debug" },
		      "backend: main=9000 in 9000-9099 but 20000-20999,21000-21999; "
		      "viewer: http=8080 ws=8081 but 8090,20000-20999,21000-21999; "
		      "debug: main=7100 but 20000-20999,21000-21999");
	setenv("BACKEND_PORT", "9030", 1);
	write_text(".env", "BACKEND_PORT=9010\n");
	assert_wishes(
		"the flag alone is meant for it",
		&(struct berth_stack_spec){ .profile = "stage", .wishes = flags, .wish_count = 1 },
		"backend: main(9000)=20005 in 20005-21004 but 20000-20999; "
		"viewer: http(8080) ws(8081) in 21000-21999 but 8090,20000-20999");
}

static void the_range_of_a_profile_has_a_number_for_all_that_would_start(void **state)
{
	const char *const web = "web", *const flag = "web=19000";
	static const char *const formation = "web=3";
	struct berth_stack_spec how = { .profile = "test", .services = &web };
	BERTH_CLEANUP(berth_stack_freep) struct berth_stack *stack = NULL;
	struct berth_err err = { 0 };

	(void)state;
	write_text("berth.yaml", "services:\n"
				 "  web: {command: sleep 1, port: 9000, strict: true}\n"
				 "  api: {command: sleep 1, profiles: [x]}\n"
				 "profiles:\n  test: {range: 20000-20001}\n");
	how.formation = formation;
	assert_int_equal(load(&how, &stack, &err), -EINVAL);
	assert_int_equal(err.code, BERTH_ERR_USAGE);
	assert_string_equal(err.msg, "the range of the profile 'test' has 2 numbers, and what "
				     "would start needs 3");
	how.formation = "web=2";
	assert_wishes("as many as there are", &how, "web: main(9000) in 20000-20001");
	how.formation = formation;
	how.wishes = &flag;
	how.wish_count = 1;
	assert_wishes("elsewhere", &how, "web: main(9000)=19000 in 19000-19001");
}

static void copies_have_names_and_files_of_their_own(void **state)
{
	static const struct {
		const char *copy, *profile, *is, *file;
	} rows[] = {
		{ NULL, NULL, "", "/.ports.json" },
		{ "demo", NULL, "demo", "/.ports.demo.json" },
		{ NULL, "test", "test", "/.ports.test.json" },
		{ "demo", "test", "demo", "/.ports.demo.json" },
	};
	char keys[BERTH_ARRAY_SIZE(rows)][BERTH_KEY_MAX];

	(void)state;
	write_text("berth.yaml", "project: shop\n"
				 "services:\n  web: {command: sleep 1, profiles: [test, x]}\n"
				 "  api: {command: sleep 1}\n");
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		const struct berth_stack_spec how = { .copy = rows[i].copy,
						      .profile = rows[i].profile };
		BERTH_CLEANUP(berth_stack_freep) struct berth_stack *stack = load_well(&how);
		struct berth_identity identity = { 0 };
		struct berth_stack_spec spec = how;
		struct berth_err err = { 0 };

		assert_string_equal(stack->identity.copy, rows[i].is);
		assert_string_equal(stack->identity.project, "shop");
		assert_string_equal(stack->services[0].job->identity.copy, rows[i].is);
		assert_string_equal(stack->ports_file + strlen(stack->folder), rows[i].file);
		assert_string_equal(stack->services[0].job->identity.service, "web");
		berth_str_copy(keys[i], sizeof(keys[i]), stack->identity.key);
		for (size_t k = 0; k < i && i < 3; k++)
			assert_string_not_equal(keys[i], keys[k]);
		/* Whoever stops it needs no manifest for that. */
		spec.cwd = top;
		assert_int_equal(berth_stack_identify(&spec, &identity, &err), 0);
		assert_string_equal(identity.key, keys[i]);
		berth_identity_deinit(&identity);
	}
	assert_string_equal(keys[1], keys[3]);
}

static void names_of_copies_are_no_paths(void **state)
{
	static const char *const names[] = { "", "../x", "a/b", "A", "1a", ".", "a b" };

	(void)state;
	write_text("berth.yaml", "services: {web: {command: sleep 1}}\n");
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(names); i++) {
		const struct berth_stack_spec how = { .copy = names[i] };
		BERTH_CLEANUP(berth_stack_freep) struct berth_stack *stack = NULL;
		struct berth_err err = { 0 };

		assert_true(load(&how, &stack, &err) < 0);
		assert_int_equal(err.code, BERTH_ERR_USAGE);
		assert_non_null(strstr(err.msg, "--as"));
	}
}

static void numbers_that_siblings_are_known_by_are_not_taken(void **state)
{
	const char *const flags[] = { "api=9500" };
	const struct berth_stack_spec how = { .wishes = flags, .wish_count = 1 };
	BERTH_CLEANUP(berth_stack_freep) struct berth_stack *stack = NULL;
	BERTH_AUTO_FREE struct berth_portset *set = calloc(1, sizeof(*set));

	(void)state;
	assert_non_null(set);
	write_text("berth.yaml", "services:\n"
				 "  api: {command: sleep 1, port: 9000}\n"
				 "  ws: {command: sleep 1, port: '9001,9011'}\n"
				 "  viewer: {command: sleep 1, ports: {http: 8080, ws: 8081}}\n"
				 "  debug: {command: sleep 1, port: 7100, profiles: [debug]}\n"
				 "  worker: {command: sleep 1, port: none}\n");
	stack = load_well(&how);
	berth_stack_add_others(stack, 1, set);
	assert_true(berth_portset_has(set, 9500));
	assert_true(berth_portset_has(set, 8080));
	assert_true(berth_portset_has(set, 8081));
	assert_false(berth_portset_has(set, 9001));
	assert_false(berth_portset_has(set, 9011));
	assert_false(berth_portset_has(set, 7100));
}

/* Whom a number was told for goes before whom it was written for; nobody is kept from it by both. */
static void of_two_that_wish_one_number_one_is_kept_from_it(void **state)
{
	static const struct {
		const char *flag, *manifest;
		uint16_t number;
		size_t kept; /* service */
	} rows[] = {
		{ "api=9710", "{api: {command: x, port: 9700}, web: {command: x, port: 9710}}",
		  9710, 1 },
		{ "web=9700", "{api: {command: x, port: 9700}, web: {command: x, port: 9710}}",
		  9700, 0 },
		{ "web=9700", "{api: {command: x, port: 9700}, web: {command: x}}", 9700, 0 },
		{ NULL, "{api: {command: x, port: 53/udp}, web: {command: x, port: 53}}", 53, 2 },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		const struct berth_stack_spec how = { .wishes = &rows[i].flag,
						      .wish_count = rows[i].flag ? 1 : 0 };
		BERTH_CLEANUP(berth_stack_freep) struct berth_stack *stack = NULL;
		char text[256];

		snprintf(text, sizeof(text), "services: %s\n", rows[i].manifest);
		write_text("berth.yaml", text);
		stack = load_well(&how);
		for (size_t member = 0; member < 2; member++) {
			BERTH_AUTO_FREE struct berth_portset *set = calloc(1, sizeof(*set));

			assert_non_null(set);
			berth_stack_add_others(stack, member, set);
			if (berth_portset_has(set, rows[i].number) != (member == rows[i].kept))
				fail_msg("%s, service %zu", rows[i].manifest, member);
		}
	}
}

/* "backend frontend" */
static void assert_wanted(const char *what, const struct berth_stack_spec *how, const char *names)
{
	BERTH_CLEANUP(berth_stack_freep) struct berth_stack *stack = load_well(how);
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };

	for (size_t i = 0; i < stack->manifest.service_count; i++)
		if (stack->services[stack->order[i]].wanted)
			berth_str_addf(&text, "%s%s", text.len ? " " : "",
				       stack->manifest.services[stack->order[i]].name);
	if (strcmp(berth_str_text(&text), names) != 0)
		fail_msg("%s: '%s', expected '%s'", what, berth_str_text(&text), names);
}

static void who_is_wanted_brings_whom_it_needs_or_mentions(void **state)
{
	static const struct {
		const char *what, *service, *profile, *formation, *names;
	} rows[] = {
		{ "all, but those of profiles", .names = "backend frontend docs worker" },
		{ "one", "worker", .names = "worker" },
		{ "with what it needs", "frontend", .names = "backend frontend" },
		{ "and what it is told of", "docs", .names = "backend frontend docs" },
		{ "one of a profile, by its name", "debug", .names = "backend debug" },
		{ "the profile", .profile = "tools",
		  .names = "backend frontend docs worker debug" },
		{ "a formation", .formation = "all=1,worker=0", .names = "backend frontend docs" },
		{ "of one alone", .formation = "worker=2", .names = "worker" },
		{ "which leaves what is needed", .formation = "all=1,backend=0,worker=0",
		  .names = "backend frontend docs" },
	};

	(void)state;
	write_text(
		"berth.yaml",
		"services:\n"
		"  frontend: {command: sleep 1, depends_on: [backend]}\n"
		"  backend: {command: sleep 1}\n"
		"  docs: {command: 'sleep {frontend.port}'}\n"
		"  worker: {command: sleep 1, port: none}\n"
		"  debug: {command: sleep 1, profiles: [tools], environment: {A: '{backend.url}'}}\n");
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		const struct berth_stack_spec how = { .services = &rows[i].service,
						      .service_count = rows[i].service != NULL,
						      .profile = rows[i].profile,
						      .formation = rows[i].formation };

		assert_wanted(rows[i].what, &how, rows[i].names);
	}
}

static void what_is_not_there_is_named_with_the_closest(void **state)
{
	static const struct {
		const char *service, *profile;
		enum berth_err_code code;
		const char *hint;
	} rows[] = {
		{ "backned", NULL, BERTH_ERR_NOT_FOUND, "did you mean 'backend'?" },
		{ NULL, "tool", BERTH_ERR_USAGE, "did you mean 'tools'?" },
		{ NULL, "tets", BERTH_ERR_USAGE, "did you mean 'test'?" },
	};

	(void)state;
	write_text("berth.yaml", "services:\n"
				 "  backend: {command: sleep 1}\n"
				 "  debug: {command: sleep 1, profiles: [tools]}\n"
				 "profiles: {test: {range: 20000-20999}}\n");
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		const struct berth_stack_spec how = { .services = &rows[i].service,
						      .service_count = rows[i].service != NULL,
						      .profile = rows[i].profile };
		BERTH_CLEANUP(berth_stack_freep) struct berth_stack *stack = NULL;
		struct berth_err err = { 0 };

		assert_true(load(&how, &stack, &err) < 0);
		assert_int_equal(err.code, rows[i].code);
		assert_string_equal(err.hint, rows[i].hint);
	}
}

static void a_job_has_what_the_manifest_says(void **state)
{
	BERTH_CLEANUP(berth_stack_freep) struct berth_stack *stack = NULL;
	const struct berth_job *job;
	char path[OWN_FOLDER_SIZE + 64];

	(void)state;
	assert_int_equal(setenv("OWN", "p{port}", 1), 0);
	assert_int_equal(unsetenv("NOBODYS"), 0);
	assert_int_equal(mkdir(in_top("api", path), 0700), 0);
	write_text("one.env", "A=1\nB=1\n");
	write_text("two.env", "B=2\n");
	write_text("berth.yaml", "services:\n"
				 "  api:\n"
				 "    command: [run, '{port}']\n"
				 "    stop_command: halt now\n"
				 "    working_dir: api\n"
				 "    env_file: [one.env, two.env]\n"
				 "    environment: {C: '3', OWN: , NOBODYS: }\n"
				 "    instances: 3\n"
				 "    stop_grace_period: 5s\n"
				 "  sh: {command: 'echo $HOME', port: none}\n");
	stack = load_well(&(struct berth_stack_spec){ 0 });
	job = stack->services[0].job;
	assert_string_equal(job->argv[0], "run");
	assert_string_equal(job->argv[1], "{port}");
	assert_null(job->argv[2]);
	assert_string_equal(job->stop_argv[0], "halt");
	assert_string_equal(job->cwd, path);
	assert_string_equal(berth_dotenv_get(job->env_file, "A"), "1");
	assert_string_equal(berth_dotenv_get(job->env_file, "B"), "2");
	assert_string_equal(job->extra_env[0], "C=3");
	/* Ours, which goes before an env_file; no part of it is a template. */
	assert_string_equal(job->extra_env[1], "OWN=p{{port}}");
	assert_null(job->extra_env[2]);
	assert_int_equal(job->instances, 3);
	assert_int_equal(job->policy.grace_ns, INT64_C(5000000000));
	assert_true(job->tell_port && job->apart);
	job = stack->services[1].job;
	assert_string_equal(job->argv[0], "/bin/sh");
	assert_string_equal(job->argv[2], "echo $HOME");
	assert_string_equal(job->cwd, stack->folder);
	assert_int_equal(job->policy.grace_ns, BERTH_DEFAULT_GRACE_MS * INT64_C(1000000));
	assert_true(job->no_port && !job->tell_port);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(the_stronger_word_is_the_wish),
		in_folder(named_ports_are_wished_by_their_names),
		in_folder(the_first_of_named_ports_has_two_names),
		in_folder(what_is_no_wish_is_refused_with_its_place),
		in_folder(a_profile_has_numbers_of_its_own),
		in_folder(the_range_of_a_profile_has_a_number_for_all_that_would_start),
		in_folder(copies_have_names_and_files_of_their_own),
		in_folder(names_of_copies_are_no_paths),
		in_folder(numbers_that_siblings_are_known_by_are_not_taken),
		in_folder(of_two_that_wish_one_number_one_is_kept_from_it),
		in_folder(who_is_wanted_brings_whom_it_needs_or_mentions),
		in_folder(what_is_not_there_is_named_with_the_closest),
		in_folder(a_job_has_what_the_manifest_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
