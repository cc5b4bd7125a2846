/* SPDX-License-Identifier: MIT */
/* unit/look/test-units.c - the sockets that a systemctl tells of */
#include "look/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../own-folder.h"
#include "base/attr.h"

#define SOCKETS \
	"[{\"listen\":\"/run/dbus/system_bus_socket\",\"unit\":\"dbus.socket\"," \
	"\"activates\":\"dbus.service\"}," \
	"{\"listen\":\"audit 1\",\"unit\":\"systemd-journald-audit.socket\",\"activates\":\"x\"}," \
	"{\"listen\":\"vsock::80\",\"unit\":\"vsock.socket\",\"activates\":\"x\"}," \
	"{\"listen\":\"[::]:22\",\"unit\":\"ssh.socket\",\"activates\":\"ssh.service\"}," \
	"{\"listen\":\"127.0.0.1:631\",\"unit\":\"cups.socket\",\"activates\":[\"cups.service\",\"b\"]}," \
	"{\"listen\":\"[fe80::1]:8080%eth0\",\"unit\":\"web.socket\",\"activates\":null}," \
	"{\"listen\":\"0.0.0.0:79\",\"unit\":\"\",\"activates\":\"none.service\"}," \
	"{\"listen\":\"0.0.0.0:78\",\"unit\":\"a\\u001bb.socket\",\"activates\":\"c\\u0007.service\"}]"

static void the_socket_of_a_port_is_found_with_its_service(void **state)
{
	static const struct {
		uint16_t port;
		const char *unit, *service; /* NULL: not found */
	} rows[] = {
		{ 22, "ssh.socket", "ssh.service" },
		{ 631, "cups.socket", "cups.service" },
		{ 8080, "web.socket", "" },
		{ 78, "a\\eb.socket", "c\\x07.service" },
		{ 80, NULL, NULL },
		{ 2, NULL, NULL },
		{ 79, NULL, NULL },
		{ 1, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		char unit[64] = "u", service[64] = "s";
		bool found = berth_units_parse(SOCKETS, strlen(SOCKETS), rows[i].port, unit,
					       sizeof(unit), service, sizeof(service));

		assert_int_equal(found, rows[i].unit != NULL);
		assert_string_equal(unit, found ? rows[i].unit : "u");
		assert_string_equal(service, found ? rows[i].service : "s");
	}
}

static void nonsense_has_no_sockets(void **state)
{
	static const char *const rows[] = { "",
					    "[",
					    "{}",
					    "[1,null,{}]",
					    "Failed to connect to bus: Host is down",
					    "[{\"listen\":1,\"unit\":2}]",
					    "[{\"listen\":\"[\",\"unit\":\"x\"}]",
					    "[{\"listen\":\":\",\"unit\":\"x\"}]",
					    "[{\"listen\":\"::22\",\"unit\":\"x\"}]",
					    "[{\"listen\":\"22\",\"unit\":\"x\"}]" };
	char unit[8], service[8];

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++)
		assert_false(berth_units_parse(rows[i], strlen(rows[i]), 22, unit, sizeof(unit),
					       service, sizeof(service)));
}

static void names_are_cut_to_what_there_is(void **state)
{
	char unit[8], service[8];

	(void)state;
	assert_true(berth_units_parse(SOCKETS, strlen(SOCKETS), 22, unit, sizeof(unit), service,
				      sizeof(service)));
	assert_string_equal(unit, "ssh....");
	assert_string_equal(service, "ssh....");
}

static void write_program(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0700), 0);
}

static void systemctl_is_asked_for_the_right_manager(void **state)
{
	char folder[OWN_FOLDER_SIZE], path[OWN_FOLDER_SIZE + 16], unit[64], service[256];

	(void)state;
	assert_true(own_folder_make(folder));
	snprintf(path, sizeof(path), "%s/systemctl", folder);
	write_program(path,
		      "#!/bin/sh\n"
		      "printf '[{\"listen\":\"[::]:22\",\"unit\":\"%s\",\"activates\":\"%s\"}]' "
		      "\"$1.socket\" \"$2 $3 $XDG_RUNTIME_DIR\"\n");
	assert_true(berth_units_ask(path, 22, false, unit, sizeof(unit), service, sizeof(service)));
	assert_string_equal(unit, "--system.socket");
	assert_string_equal(service, "list-sockets --output=json ");
	assert_true(berth_units_ask(path, 22, true, unit, sizeof(unit), service, sizeof(service)));
	assert_string_equal(unit, "--user.socket");
	assert_non_null(strstr(service, getenv("XDG_RUNTIME_DIR")));
	assert_false(berth_units_ask(path, 23, true, unit, sizeof(unit), service, sizeof(service)));

	write_program(path, "#!/bin/sh\necho '" SOCKETS "'; exit 1\n");
	assert_false(
		berth_units_ask(path, 22, false, unit, sizeof(unit), service, sizeof(service)));
	assert_int_equal(unlink(path), 0);
	assert_false(
		berth_units_ask(path, 22, false, unit, sizeof(unit), service, sizeof(service)));
	assert_true(own_folder_remove(folder));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_socket_of_a_port_is_found_with_its_service),
		cmocka_unit_test(nonsense_has_no_sockets),
		cmocka_unit_test(names_are_cut_to_what_there_is),
		cmocka_unit_test(systemctl_is_asked_for_the_right_manager),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
