/* SPDX-License-Identifier: MIT */
/* unit/stack/test-manifest.c - services in the order of their start */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "stack/manifest.h"

/* "a:bc b: c:b" - each service of one letter with what it depends on. */
static struct berth_manifest manifest_of(const char *text)
{
	struct berth_manifest manifest = { 0 };

	for (const char *p = text; *p; p++) {
		if (p[1] == ':')
			assert_non_null(berth_manifest_add(&manifest, (char[]){ *p, '\0' }));
	}
	for (const char *p = text, *last = NULL; *p; p++) {
		struct berth_manifest_service *service;

		if (p[1] == ':') {
			last = p++;
			continue;
		}
		if (*p == ' ')
			continue;
		service =
			&manifest.services[berth_manifest_find(&manifest, (char[]){ *last, '\0' })];
		service->depends = reallocarray(service->depends, service->depend_count + 1,
						sizeof(*service->depends));
		assert_non_null(service->depends);
		service->depends[service->depend_count++] = (struct berth_manifest_dependency){
			.service = (size_t)berth_manifest_find(&manifest, (char[]){ *p, '\0' }),
		};
	}
	return manifest;
}

static void each_comes_behind_what_it_depends_on(void **state)
{
	static const struct {
		const char *text, *order;
	} rows[] = {
		{ "a:", "a" },
		{ "a: b: c:", "abc" },
		{ "a:b b: c:", "bac" },
		{ "a:c b:a c:", "cab" },
		{ "a:bc b:d c:d d:", "dbca" },
		{ "a: b:a c:ba d:cba", "abcd" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_manifest manifest = manifest_of(rows[i].text);
		size_t order[8], loop;

		assert_int_equal(berth_manifest_order(&manifest, order, &loop), 0);
		for (size_t k = 0; k < manifest.service_count; k++)
			assert_int_equal(*manifest.services[order[k]].name, rows[i].order[k]);
		berth_manifest_deinit(&manifest);
	}
}

static void a_cycle_names_one_of_its_members(void **state)
{
	static const struct {
		const char *text, *members;
	} rows[] = {
		{ "a:b b:a", "ab" },
		{ "a:b b:c c:d d:b", "bcd" },
		{ "a: b:a c:d d:c", "cd" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_manifest manifest = manifest_of(rows[i].text);
		size_t order[8] = { 77 }, loop = 99;

		assert_int_equal(berth_manifest_order(&manifest, order, &loop), -ELOOP);
		assert_true(loop < manifest.service_count);
		assert_non_null(strchr(rows[i].members, *manifest.services[loop].name));
		assert_int_equal(order[0], 77);
		berth_manifest_deinit(&manifest);
	}
}

static void a_long_chain_is_no_deep_call(void **state)
{
	struct berth_manifest manifest = { 0 };
	size_t order[BERTH_MANIFEST_SERVICES_MAX], loop;
	char name[BERTH_NAME_MAX];

	for (size_t i = 0; i < BERTH_MANIFEST_SERVICES_MAX; i++) {
		struct berth_manifest_service *service;

		snprintf(name, sizeof(name), "s%zu", i);
		service = berth_manifest_add(&manifest, name);
		assert_non_null(service);
		if (i + 1 == BERTH_MANIFEST_SERVICES_MAX)
			break;
		service->depends = calloc(1, sizeof(*service->depends));
		assert_non_null(service->depends);
		service->depends[0].service = i + 1;
		service->depend_count = 1;
	}
	assert_int_equal(berth_manifest_order(&manifest, order, &loop), 0);
	assert_int_equal(order[0], BERTH_MANIFEST_SERVICES_MAX - 1);
	assert_int_equal(order[BERTH_MANIFEST_SERVICES_MAX - 1], 0);
	berth_manifest_deinit(&manifest);
}

static void a_new_one_has_the_defaults(void **state)
{
	struct berth_manifest_service service;

	berth_manifest_service_init(&service, "web");
	assert_string_equal(service.name, "web");
	assert_int_equal(service.workers, 1);
	assert_int_equal(service.instances, 1);
	assert_int_equal(service.stop_signal, SIGTERM);
	assert_int_equal(service.ready.kind, BERTH_CHECK_LISTEN);
	assert_int_equal(service.live.kind, BERTH_CHECK_NONE);
	assert_null(service.command.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_comes_behind_what_it_depends_on),
		cmocka_unit_test(a_cycle_names_one_of_its_members),
		cmocka_unit_test(a_long_chain_is_no_deep_call),
		cmocka_unit_test(a_new_one_has_the_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
