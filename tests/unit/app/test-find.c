/* SPDX-License-Identifier: MIT */
/* unit/app/test-find.c - which service a word means, seen from one folder */
#include "app/find.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "os/sock.h"

enum {
	FOUND_MAX = 4
};

static const struct {
	const char *id, *project, *root, *branch, *service;
	int instance, port, pid;
} services[] = {
	{ "2aaaaa", "shop", "/home/ann/shop", "main", "api", 1, 5000, 1 },
	{ "2bbbbb", "shop", "/home/ann/shop", "main", "api", 2, 5001, 100 },
	{ "2ccccc", "shop", "/home/ann/shop", "main", "web", 1, 5173, 101 },
	{ "2ddddd", "shop", "/home/ann/fix", "fix-1", "api", 1, 5002, 102 },
	{ "2eeeee", "cafe", "/home/ann/cafe", "main", "api", 1, 5003, 103 },
	{ "2fffff", "cafe", "/home/ann/cafe", "main", "worker", 1, 5004, 104 },
};

static json_t *load(void)
{
	json_t *records = json_array();

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(services); i++)
		json_array_append_new(
			records,
			json_pack("{s:{s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:[{s:i}]},s:{}}", "service",
				  "id", services[i].id, "project", services[i].project, "root",
				  services[i].root, "branch", services[i].branch, "service",
				  services[i].service, "instance", services[i].instance, "pid",
				  services[i].pid, "ports", "port", services[i].port, "berth"));
	berth_registry_label(records);
	return records;
}

/* The ids of @found, one after the other. */
static const char *ids_of(const json_t *found, char buf[64])
{
	buf[0] = '\0';
	for (size_t i = 0; i < json_array_size(found) && i < FOUND_MAX; i++)
		sprintf(buf + strlen(buf), "%s%s", i ? " " : "",
			berth_json_string(berth_registry_service(json_array_get(found, i)), "id",
					  "none"));
	return buf;
}

static void a_word_means_what_is_nearest(void **state)
{
	static const struct {
		const char *word, *root, *ids;
	} rows[] = {
		/* a number is a port, wherever one is */
		{ "5000", "/home/ann/cafe", "2aaaaa" },
		{ ":5003", "/home/ann/shop", "2eeeee" },
		/* an id */
		{ "2bbbbb", "/nowhere", "2bbbbb" },
		/* a service of this folder, before those of others */
		{ "api", "/home/ann/shop", "2aaaaa 2bbbbb" },
		{ "api", "/home/ann/fix", "2ddddd" },
		{ "api", "/home/ann/cafe", "2eeeee" },
		{ "api.2", "/home/ann/shop", "2bbbbb" },
		{ "api.1", "/home/ann/shop", "2aaaaa" },
		/* of another one, if that is one only */
		{ "web", "/home/ann/cafe", "2ccccc" },
		{ "worker", "/nowhere", "2fffff" },
		/* a label */
		{ "shop@fix-1/api", "/home/ann/cafe", "2ddddd" },
		{ "shop@main/api", "/nowhere", "2aaaaa 2bbbbb" },
		{ "shop@main/api.2", "/nowhere", "2bbbbb" },
		{ "cafe/worker", "/nowhere", "2fffff" },
		{ "shop/web", "/nowhere", "2ccccc" },
		{ "shop/api", "/nowhere", "2aaaaa 2bbbbb 2ddddd" },
	};
	BERTH_AUTO_JSON json_t *records = load();
	struct berth_identity *here = calloc(1, sizeof(*here));
	struct berth_registry registry = { .dir_fd = -1, .ports_fd = -1 };

	(void)state;
	assert_non_null(here);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_AUTO_JSON json_t *found = NULL;
		struct berth_err err = { 0 };
		char buf[64];

		here->root = rows[i].root;
		if (berth_find(&registry, records, rows[i].word, here, &found, &err) != 0)
			fail_msg("'%s' at %s: %s", rows[i].word, rows[i].root, err.msg);
		if (strcmp(ids_of(found, buf), rows[i].ids) != 0)
			fail_msg("'%s' at %s: %s, not %s", rows[i].word, rows[i].root, buf,
				 rows[i].ids);
	}
	free(here);
}

static void a_word_that_means_nothing_says_what_it_may_have_meant(void **state)
{
	static const struct {
		const char *word, *msg, *hint;
	} rows[] = {
		{ "wroker", "no service 'wroker' runs", "'worker'" },
		{ "Web", "no service 'Web' runs", "'web'" },
		{ "something-else", "no service 'something-else' runs", "berth ls" },
		{ "api", "'api' runs in more than one project", "berth ls" },
		{ "api.3", "no service 'api.3' runs", "" },
		{ "api.", "no service 'api.' runs", "" },
		{ "api-2", "no service 'api-2' runs", "" },
		{ "api.x", "no service 'api.x' runs", "" },
		{ "cafe/web", "no service 'cafe/web' runs", "" },
		{ "/api", "no service '/api' runs", "" },
		{ "", "no service '' runs", "" },
		{ "1", "no service has port 1", "a pid of 'shop@main/api'" },
	};
	BERTH_AUTO_JSON json_t *records = load();
	struct berth_identity *here = calloc(1, sizeof(*here));
	struct berth_registry registry = { .dir_fd = -1, .ports_fd = -1 };

	(void)state;
	assert_non_null(here);
	here->root = "/nowhere";
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_err err = { 0 };
		json_t *found = records;

		if (berth_find(&registry, records, rows[i].word, here, &found, &err) != -ENOENT)
			fail_msg("'%s' was found", rows[i].word);
		assert_int_equal(err.code, BERTH_ERR_NOT_FOUND);
		assert_ptr_equal(found, records);
		if (!strstr(err.msg, rows[i].msg) || !strstr(err.hint, rows[i].hint))
			fail_msg("'%s': %s (%s)", rows[i].word, err.msg, err.hint);
	}
	free(here);
}

static void a_number_that_can_be_no_port_is_a_usage_error(void **state)
{
	static const char *const words[] = { "0", "65536", "99999999999999999999" };
	BERTH_AUTO_JSON json_t *records = load();
	struct berth_identity *here = calloc(1, sizeof(*here));
	struct berth_registry registry = { .dir_fd = -1, .ports_fd = -1 };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(words); i++) {
		struct berth_err err = { 0 };
		json_t *found = NULL;

		assert_int_equal(berth_find(&registry, records, words[i], here, &found, &err),
				 -EINVAL);
		assert_int_equal(err.code, BERTH_ERR_USAGE);
		assert_null(found);
	}
	free(here);
}

static void a_port_of_somebody_else_names_its_holder(void **state)
{
	BERTH_AUTO_JSON json_t *records = load();
	struct berth_identity *here = calloc(1, sizeof(*here));
	struct berth_registry registry = { .dir_fd = -1, .ports_fd = -1 };
	struct berth_addr addr = berth_addr_loopback(AF_INET, 0);
	BERTH_AUTO_FD int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	struct berth_err err = { 0 };
	char word[8], self[16];
	json_t *found = NULL;

	(void)state;
	assert_int_equal(berth_sock_bind(fd, &addr), 0);
	assert_int_equal(berth_sock_listen(fd, 1), 0);
	assert_int_equal(berth_sock_name(fd, &addr), 0);
	snprintf(word, sizeof(word), "%u", berth_addr_port(&addr));
	snprintf(self, sizeof(self), "%d", (int)getpid());
	assert_int_equal(berth_find(&registry, records, word, here, &found, &err), -ENOENT);
	assert_int_equal(err.code, BERTH_ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "not started by berth"));
	assert_non_null(strstr(err.msg, self));
	free(here);
}

static void a_project_is_all_that_runs_in_its_folder(void **state)
{
	BERTH_AUTO_JSON json_t *records = load(), *found = NULL, *none = NULL;
	struct berth_identity *here = calloc(1, sizeof(*here));
	char buf[64];

	(void)state;
	here->root = "/home/ann/shop";
	found = berth_find_project(records, here);
	assert_string_equal(ids_of(found, buf), "2aaaaa 2bbbbb 2ccccc");
	here->root = "/home/ann";
	none = berth_find_project(records, here);
	assert_int_equal(json_array_size(none), 0);
	free(here);
}

static void who_does_not_answer_is_named(void **state)
{
	BERTH_AUTO_JSON json_t *records = load(), *request = json_pack("{s:s}", "do", "status");
	json_t *record = json_array_get(records, 0), *answer = NULL;
	struct berth_err err = { 0 };
	char name[64];

	(void)state;
	assert_true(berth_find_ask(record, request, 1000, &answer, &err) < 0);
	snprintf(name, sizeof(name), "berth-test/nobody/%d", (int)getpid());
	json_object_set_new(json_object_get(record, "berth"), "socket", json_string(name));
	assert_int_equal(berth_find_ask(record, request, 1000, &answer, &err), -ECONNREFUSED);
	assert_non_null(strstr(err.msg, "shop@main/api"));
	assert_null(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_means_what_is_nearest),
		cmocka_unit_test(a_word_that_means_nothing_says_what_it_may_have_meant),
		cmocka_unit_test(a_number_that_can_be_no_port_is_a_usage_error),
		cmocka_unit_test(a_port_of_somebody_else_names_its_holder),
		cmocka_unit_test(a_project_is_all_that_runs_in_its_folder),
		cmocka_unit_test(who_does_not_answer_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
