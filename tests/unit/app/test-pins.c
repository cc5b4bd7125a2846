/* SPDX-License-Identifier: MIT */
/* unit/app/test-pins.c - whose a pinned number is */
#include "app/pins.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../own-folder.h"

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

static struct berth_identity identity(const char *folder, const char *service,
				      unsigned int instance, const char *copy)
{
	struct berth_identity identity = { .instance = instance };

	identity.root = top;
	identity.common = top;
	identity.folder = folder;
	strcpy(identity.project, "shop");
	strcpy(identity.service, service);
	strcpy(identity.copy, copy);
	berth_identity_seal(&identity);
	return identity;
}

static uint16_t find(const struct berth_settings *settings, const struct berth_identity *of,
		     const char *name, bool first)
{
	BERTH_AUTO_JSON json_t *pins = NULL;

	assert_int_equal(berth_pins_load(&pins, NULL), 0);
	return berth_pins_find(pins, settings, of, name, first);
}

static struct berth_portset *others(const struct berth_settings *settings,
				    const struct berth_identity *than)
{
	static struct berth_portset set;
	BERTH_AUTO_JSON json_t *pins = NULL;

	memset(&set, 0, sizeof(set));
	assert_int_equal(berth_pins_load(&pins, NULL), 0);
	berth_pins_add_others(pins, settings, than, &set);
	return &set;
}

static void a_pin_is_that_of_one_service_alone(void **state)
{
	const struct berth_identity api = identity("", "api", 1, "");
	const struct berth_identity strangers[] = {
		identity("", "web", 1, ""),
		identity("", "api", 2, ""),
		identity("below", "api", 1, ""),
		identity("", "api", 1, "demo"),
	};

	(void)state;
	assert_int_equal(berth_pins_set(&api, "main", 7000, NULL), 0);
	assert_int_equal(find(NULL, &api, "main", true), 7000);
	assert_int_equal(find(NULL, &api, "http", true), 7000);
	assert_int_equal(find(NULL, &api, "ws", false), 0);
	assert_false(berth_portset_has(others(NULL, &api), 7000));
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(strangers); i++) {
		assert_int_equal(find(NULL, &strangers[i], "main", true), 0);
		assert_true(berth_portset_has(others(NULL, &strangers[i]), 7000));
	}
}

static void a_port_has_one_pin_and_a_number_one_port(void **state)
{
	const struct berth_identity api = identity("", "api", 1, "");
	const struct berth_identity web = identity("", "web", 1, "");
	struct berth_err err = { 0 };
	size_t count = 7;

	(void)state;
	assert_int_equal(berth_pins_set(&api, "main", 7000, NULL), 0);
	assert_int_equal(berth_pins_set(&api, "main", 7001, NULL), 0);
	assert_int_equal(berth_pins_set(&api, "ws", 7002, NULL), 0);
	assert_int_equal(find(NULL, &api, "main", true), 7001);
	assert_int_equal(berth_pins_set(&web, "main", 7001, &err), -EADDRINUSE);
	assert_int_equal(err.code, BERTH_ERR_REFUSED);
	assert_int_equal(berth_pins_set(&api, "ws", 7001, &err), -EADDRINUSE);
	assert_int_equal(berth_pins_remove(&api, "ws", &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(find(NULL, &api, "ws", false), 0);
	assert_int_equal(find(NULL, &api, "main", true), 7001);
	assert_int_equal(berth_pins_remove(&api, NULL, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(berth_pins_remove(&api, NULL, &count, NULL), 0);
	assert_int_equal(count, 0);
	assert_int_equal(berth_pins_set(&web, "main", 7001, NULL), 0);
}

static void settings_pin_too_the_nearest_first(void **state)
{
	char folder[OWN_FOLDER_SIZE + 16], slash[OWN_FOLDER_SIZE + 4];
	struct berth_settings_pin pins[] = {
		{ .project = "shop",
		  .service = "api",
		  .instance = 1,
		  .port_name = "main",
		  .port = 1 },
		{ .folder = slash,
		  .service = "api",
		  .instance = 1,
		  .port_name = "main",
		  .port = 2 },
		{ .folder = folder, .service = "api", .instance = 1, .port_name = "ws", .port = 3 },
		{ .project = "shop+demo",
		  .service = "api",
		  .instance = 1,
		  .port_name = "main",
		  .port = 4 },
		{ .project = "shop",
		  .service = "api",
		  .instance = 2,
		  .port_name = "main",
		  .port = 5 },
		{ .project = "shopping",
		  .service = "api",
		  .instance = 1,
		  .port_name = "main",
		  .port = 6 },
	};
	const struct berth_settings settings = { .pins = pins,
						 .pin_count = BERTH_ARRAY_SIZE(pins) };
	const struct berth_identity api = identity("", "api", 1, "");
	const struct berth_identity below = identity("below", "api", 1, "");
	const struct berth_identity demo = identity("", "api", 1, "demo");
	const struct berth_identity second = identity("", "api", 2, "");

	(void)state;
	snprintf(folder, sizeof(folder), "%s/below", top);
	snprintf(slash, sizeof(slash), "%s/", top);
	assert_int_equal(find(&settings, &api, "main", true), 2);
	assert_int_equal(find(&settings, &api, "ws", false), 0);
	assert_int_equal(find(&settings, &below, "ws", false), 3);
	assert_int_equal(find(&settings, &below, "main", true), 2);
	assert_int_equal(find(&settings, &demo, "main", true), 4);
	assert_int_equal(find(&settings, &second, "main", true), 5);
	assert_true(berth_portset_has(others(&settings, &api), 4));
	assert_false(berth_portset_has(others(&settings, &api), 2));
	assert_int_equal(berth_pins_set(&api, "main", 7000, NULL), 0);
	assert_int_equal(find(&settings, &api, "main", true), 7000);
}

static void a_pin_of_a_folder_that_has_gone_keeps_nothing(void **state)
{
	struct berth_identity gone = identity("", "api", 1, "");
	const struct berth_identity web = identity("", "web", 1, "");
	char root[PATH_MAX];

	(void)state;
	assert_true(snprintf(root, sizeof(root), "%s/gone", gone.root) > 0);
	gone.root = root;
	berth_identity_seal(&gone);
	assert_int_equal(berth_pins_set(&gone, "main", 7000, NULL), 0);
	assert_false(berth_portset_has(others(NULL, &web), 7000));
	assert_int_equal(berth_pins_set(&web, "main", 7000, NULL), 0);
}

static void a_label_is_what_people_write(void **state)
{
	const struct berth_identity second = identity("", "api", 2, "demo");
	const struct berth_identity plain = identity("", "api", 1, "");
	BERTH_AUTO_JSON json_t *pins = NULL;
	char label[64];

	(void)state;
	assert_int_equal(berth_pins_set(&second, "ws", 7000, NULL), 0);
	assert_int_equal(berth_pins_set(&plain, "main", 7001, NULL), 0);
	assert_int_equal(berth_pins_load(&pins, NULL), 0);
	assert_string_equal(berth_pins_label(json_array_get(pins, 0), label, sizeof(label)),
			    "shop+demo/api.2:ws");
	assert_string_equal(berth_pins_label(json_array_get(pins, 1), label, sizeof(label)),
			    "shop/api");
}

static void a_list_that_is_none_is_an_error_and_not_written_over(void **state)
{
	const struct berth_identity api = identity("", "api", 1, "");
	struct berth_err err = { 0 };
	json_t *pins = NULL;
	char path[OWN_FOLDER_SIZE + 32];
	FILE *file;

	(void)state;
	assert_int_equal(berth_pins_set(&api, "main", 7000, NULL), 0);
	snprintf(path, sizeof(path), "%s/state/berth/pins.json", top);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs("[]", file);
	fclose(file);
	assert_int_equal(berth_pins_load(&pins, &err), -EINVAL);
	assert_int_equal(err.code, BERTH_ERR_CONFIG);
	assert_int_equal(berth_pins_set(&api, "main", 7000, &err), -EINVAL);
	file = fopen(path, "re");
	assert_int_equal(fgetc(file), '[');
	fclose(file);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_pin_is_that_of_one_service_alone),
		IN_FOLDER(a_port_has_one_pin_and_a_number_one_port),
		IN_FOLDER(settings_pin_too_the_nearest_first),
		IN_FOLDER(a_pin_of_a_folder_that_has_gone_keeps_nothing),
		IN_FOLDER(a_label_is_what_people_write),
		IN_FOLDER(a_list_that_is_none_is_an_error_and_not_written_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
