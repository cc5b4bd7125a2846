/* SPDX-License-Identifier: MIT */
/* unit/app/test-history-find.c - which ends a word means, seen from one folder */
#include "app/history-find.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
	FOUND_SIZE = 64
};

/* Newest first. "jobs" is of one project only, "web" of two that run here, "api" has a copy. */
static const struct {
	const char *id, *project, *root, *copy, *service;
	int instance, port;
} services[] = {
	{ "2aaaaa", "ha", "/home/ann/ha", NULL, "web", 1, 5000 },
	{ "2bbbbb", "hb", "/home/ann/hb", NULL, "web", 1, 5000 },
	{ "2ccccc", "hb", "/home/ann/hb", NULL, "web", 2, 5001 },
	{ "2ddddd", "hb", "/home/ann/hb", NULL, "jobs", 1, 5002 },
	{ "2eeeee", "ha", "/home/ann/ha", NULL, "api", 1, 5003 },
	{ "2fffff", "ha", "/home/ann/ha", "demo", "api", 1, 5004 },
	{ "2ggggg", "hc", "/home/ann/hc", NULL, "lone", 1, 5005 },
	{ "2hhhhh", "hb", "/home/ann/hb", NULL, "lone", 1, 5006 },
};

/* And what was freed from within the first project, of which only the ports are known. */
static json_t *load(void)
{
	json_t *ends = json_array();

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(services); i++)
		json_array_append_new(
			ends, json_pack("{s:s,s:s,s:s,s:s?,s:s,s:i,s:s,s:[{s:i}]}", "id",
					services[i].id, "project", services[i].project, "root",
					services[i].root, "copy", services[i].copy, "service",
					services[i].service, "instance", services[i].instance,
					"state", "stopped", "ports", "port", services[i].port));
	json_array_append_new(ends, json_pack("{s:s,s:[i,i],s:s,s:n}", "state", "freed", "ports",
					      5000, 6000, "from", "/home/ann/ha/src", "project"));
	return ends;
}

/* The ids of @found, one after the other; "-" for what was freed. */
static const char *ids_of(const json_t *found, char buf[FOUND_SIZE])
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < json_array_size(found); i++)
		len += (size_t)snprintf(buf + len, FOUND_SIZE - len, "%s%s", i ? " " : "",
					berth_json_string(json_array_get(found, i), "id", "-"));
	return buf;
}

static void a_word_means_what_it_means_to_other_commands(void **state)
{
	static const struct {
		const char *root, *word;
		bool all;
		const char *ids; /* NULL: none */
	} rows[] = {
		{ "/home/ann/ha", "web", false, "2aaaaa" },
		{ "/home/ann/hb", "web", false, "2bbbbb 2ccccc" },
		{ "/home/ann/ha", "web", true, "2aaaaa 2bbbbb 2ccccc" },
		{ "/home/ann/ha", "hb/web", false, "2bbbbb 2ccccc" },
		{ "/home/ann/ha", "hb/web.2", false, "2ccccc" },
		{ "/home/ann/hb", "web.1", false, "2bbbbb" },
		{ "/home/ann/ha", "2ccccc", false, "2ccccc" },
		{ "/home/ann/ha", "jobs", false, "2ddddd" },
		{ "/home/ann/ha", "lone", false, NULL },
		{ "/home/ann/ha", "lone", true, "2ggggg 2hhhhh" },
		{ "/home/ann/ha", "api", false, "2eeeee" },
		{ "/home/ann/ha", "ha+demo/api", false, "2fffff" },
		{ "/home/ann/ha", "hb", false, "2bbbbb 2ccccc 2ddddd 2hhhhh" },
		{ "/home/ann/ha", "5000", false, "2aaaaa -" },
		{ "/home/ann/hb", ":5000", false, "2bbbbb" },
		{ "/home/ann/hb", "5000", true, "2aaaaa 2bbbbb -" },
		{ "/home/ann/ha", "6000", false, "-" },
		{ "/home/ann/hb", "6000", false, NULL },
		{ "/home/ann/ha", "nosuch", false, NULL },
		{ "/home/ann/ha", "", true, NULL },
		{ "/home/ann/ha", "/", true, NULL },
	};
	BERTH_AUTO_JSON json_t *ends = load();
	char buf[FOUND_SIZE];

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		const struct berth_identity here = { .root = rows[i].root };
		BERTH_AUTO_JSON json_t *found = NULL;
		struct berth_err err = { 0 };
		int r = berth_history_find(ends, rows[i].word, &here, rows[i].all, &found, &err);

		if (r != (rows[i].ids ? 0 : -ENOENT))
			fail_msg("'%s' at %s: %d", rows[i].word, rows[i].root, r);
		if (rows[i].ids && strcmp(ids_of(found, buf), rows[i].ids) != 0)
			fail_msg("'%s' at %s: %s, not %s", rows[i].word, rows[i].root, buf,
				 rows[i].ids);
	}
}

static void a_word_that_means_nothing_says_what_it_may_have_meant(void **state)
{
	static const struct {
		const char *word, *msg, *hint;
	} rows[] = {
		{ "nosuch", "no end of 'nosuch' is known", "" },
		{ "jbos", "no end of 'jbos' is known", "did you mean 'jobs'?" },
		{ "lone", "no end of 'lone' is known in this project",
		  "berth history -a shows that of others" },
		{ "5006", "no end of '5006' is known in this project",
		  "berth history -a shows that of others" },
	};
	const struct berth_identity here = { .root = "/home/ann/ha" };
	BERTH_AUTO_JSON json_t *ends = load();

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_err err = { 0 };
		json_t *found = ends;

		assert_int_equal(berth_history_find(ends, rows[i].word, &here, false, &found, &err),
				 -ENOENT);
		assert_ptr_equal(found, ends);
		assert_int_equal(err.code, BERTH_ERR_NOT_FOUND);
		assert_string_equal(err.msg, rows[i].msg);
		assert_string_equal(err.hint, rows[i].hint);
	}
}

static void a_number_that_can_be_no_port_is_a_usage_error(void **state)
{
	const struct berth_identity here = { .root = "/home/ann/ha" };
	BERTH_AUTO_JSON json_t *ends = load();
	struct berth_err err = { 0 };
	json_t *found;

	(void)state;
	assert_int_equal(berth_history_find(ends, "70000", &here, false, &found, &err), -EINVAL);
	assert_int_equal(err.code, BERTH_ERR_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_means_what_it_means_to_other_commands),
		cmocka_unit_test(a_word_that_means_nothing_says_what_it_may_have_meant),
		cmocka_unit_test(a_number_that_can_be_no_port_is_a_usage_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
