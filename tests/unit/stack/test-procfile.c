/* SPDX-License-Identifier: MIT */
/* unit/stack/test-procfile.c - Procfiles, as foreman and honcho read them */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/yaml-write.h"
#include "stack/manifest-json.h"
#include "stack/procfile.h"

/* "[name 5000 command]" for each service. */
static void write_services(const struct berth_manifest *manifest, struct berth_str *out)
{
	for (size_t i = 0; i < manifest->service_count; i++) {
		const struct berth_manifest_service *service = &manifest->services[i];

		assert_int_equal(service->wish.port_count, 1);
		assert_string_equal(service->wish.ports[0].name, "main");
		assert_int_equal(service->wish.ports[0].list_len, 1);
		assert_int_equal(service->instances, 1);
		assert_null(service->command.argv);
		berth_str_addf(out, "[%s %u %s]", service->name, service->wish.ports[0].list[0],
			       service->command.text);
	}
}

static void lines_are_services(void **state)
{
	static const struct {
		const char *text, *services;
	} rows[] = {
		{ "web: ruby web.rb", "[web 5000 ruby web.rb]" },
		{ "web: a\nworker: b\n", "[web 5000 a][worker 5100 b]" },
		{ "web:a", "[web 5000 a]" },
		{ "web: \t  a  b \t", "[web 5000 a  b]" },
		{ "web: a\r\nworker: b\r\n", "[web 5000 a][worker 5100 b]" },
		{ "web: a: b: c", "[web 5000 a: b: c]" },
		{ "web: PORT=$PORT FOO='x y' a | b && c # d",
		  "[web 5000 PORT=$PORT FOO='x y' a | b && c # d]" },
		{ "web: awk '{print $1}' {port}", "[web 5000 awk '{print $1}' {port}]" },
		{ "# web: no\n\nweb: a\n#x\n\n\nb: c", "[web 5000 a][b 5100 c]" },
		{ "#web: no\nweb: a", "[web 5000 a]" },
		{ "web_1: a\nweb-2: b", "[web-1 5000 a][web-2 5100 b]" },
		{ "Web: a", "[web 5000 a]" },
		{ "2web: a", "[web 5000 a]" },
		/* What is no line of a Procfile is passed over and has no number. */
		{ "no colon\nweb: a", "[web 5000 a]" },
		{ " web: a\nx: b", "[x 5000 b]" },
		{ "web : a\nx: b", "[x 5000 b]" },
		{ "we.b: a\nx: b", "[x 5000 b]" },
		{ ": a\nx: b", "[x 5000 b]" },
		{ "web:\nx: b", "[x 5000 b]" },
		{ "web:  \t\nx: b", "[x 5000 b]" },
		{ "\xef\xbb\xbfweb: a", "[web 5000 a]" },
		{ "web: na\xc3\xafve \xff", "[web 5000 na\xc3\xafve \xff]" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };
		BERTH_CLEANUP(berth_manifest_deinit) struct berth_manifest manifest = { 0 };
		BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };

		if (berth_procfile_parse(rows[i].text, strlen(rows[i].text), 0, &faults,
					 &manifest) != 0)
			fail_msg("'%s': %s", rows[i].text, faults.items[0].text);
		write_services(&manifest, &out);
		assert_string_equal(berth_str_text(&out), rows[i].services);
	}
}

static void faults_have_their_place(void **state)
{
	static const struct {
		const char *text;
		unsigned int line, len;
		const char *fault;
	} rows[] = {
		{ "web: a\nweb: b\n", 2, 3, "'web' is there already, in line 1" },
		{ "web_1: a\n\nWeb-1: b", 3, 5,
		  "'Web-1' and 'web_1' of line 1 are both called 'web-1'" },
		{ "", 0, 0, "no line of it is a service" },
		{ "# web: a\n web: b", 0, 0, "no line of it is a service" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
		struct berth_manifest manifest = { .service_count = 77 };

		assert_int_equal(berth_procfile_parse(*rows[i].text ? rows[i].text : NULL,
						      strlen(rows[i].text), 0, &faults, &manifest),
				 -EINVAL);
		assert_int_equal(manifest.service_count, 77);
		assert_int_equal(faults.count, 1);
		assert_string_equal(faults.items[0].text, rows[i].fault);
		assert_int_equal(faults.items[0].at.line, rows[i].line);
		assert_int_equal(faults.items[0].at.len, rows[i].len);
	}
}

static void a_nul_byte_is_a_fault_at_its_line(void **state)
{
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	struct berth_manifest manifest;

	assert_int_equal(berth_procfile_parse("web: a\nb: \0", 11, 0, &faults, &manifest), -EINVAL);
	assert_int_equal(faults.items[0].at.line, 2);
	assert_string_equal(faults.items[0].text, "a NUL byte");
}

static void no_port_is_above_65535(void **state)
{
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_manifest_deinit) struct berth_manifest manifest = { 0 };
	struct berth_manifest untouched;

	assert_int_equal(berth_procfile_parse("a: x\nb: y", 9, 65435, &faults, &manifest), 0);
	assert_int_equal(manifest.services[1].wish.ports[0].list[0], 65535);
	assert_int_equal(berth_procfile_parse("a: x\nb: y", 9, 65436, &faults, &untouched),
			 -EINVAL);
	assert_int_equal(faults.count, 1);
	assert_string_equal(faults.items[0].text, "the port of 'b' would be 65536, above 65535");
}

static void at_most_256_lines_are_services(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_manifest_deinit) struct berth_manifest manifest = { 0 };
	struct berth_manifest untouched;

	for (int i = 0; i < 256; i++)
		berth_str_addf(&text, "s%d: x\n", i);
	assert_int_equal(berth_procfile_parse(text.text, text.len, 5000, &faults, &manifest), 0);
	assert_int_equal(manifest.service_count, 256);
	assert_int_equal(manifest.services[255].wish.ports[0].list[0], 30500);
	berth_str_add(&text, "more: x\n");
	assert_int_equal(berth_procfile_parse(text.text, text.len, 5000, &faults, &untouched),
			 -EINVAL);
	assert_string_equal(faults.items[0].text, "more than 256 services");
	assert_int_equal(faults.items[0].at.line, 257);
}

static void the_place_of_a_command_is_known(void **state)
{
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_manifest_deinit) struct berth_manifest manifest = { 0 };

	assert_int_equal(berth_procfile_parse("# x\nweb:  a b\r\n", 15, 0, &faults, &manifest), 0);
	assert_int_equal(manifest.services[0].command.at.line, 2);
	assert_int_equal(manifest.services[0].command.at.column, 7);
	assert_int_equal(manifest.services[0].command.at.len, 3);
}

static void the_base_is_that_of_env_before_the_environment(void **state)
{
	BERTH_CLEANUP(berth_dotenv_deinit) struct berth_dotenv env = { 0 };
	BERTH_CLEANUP(berth_dotenv_deinit) struct berth_dotenv bad = { 0 };
	struct berth_err err = { 0 };
	uint16_t base = 0;

	assert_int_equal(berth_dotenv_parse("A=1\nPORT=7000\n", 14, ".env", &env, &err), 0);
	assert_int_equal(berth_dotenv_parse("PORT=seven", 10, ".env", &bad, &err), 0);
	assert_int_equal(berth_procfile_base(NULL, NULL, &base, &err), 0);
	assert_int_equal(base, 5000);
	assert_int_equal(berth_procfile_base(NULL, "", &base, &err), 0);
	assert_int_equal(base, 5000);
	assert_int_equal(berth_procfile_base(NULL, "6000", &base, &err), 0);
	assert_int_equal(base, 6000);
	assert_int_equal(berth_procfile_base(&env, "6000", &base, &err), 0);
	assert_int_equal(base, 7000);

	assert_int_equal(berth_procfile_base(&bad, "6000", &base, &err), -EINVAL);
	assert_int_equal(err.code, BERTH_ERR_CONFIG);
	assert_string_equal(err.msg, "PORT in '.env': 'seven' is not a port (1-65535)");
	assert_int_equal(berth_procfile_base(NULL, "0", &base, &err), -EINVAL);
	assert_string_equal(err.msg, "PORT in the environment: '0' is not a port (1-65535)");
	assert_int_equal(base, 7000);
}

/* The berth.yaml that `berth config` prints of a Procfile. */
static char *as_yaml(const struct berth_manifest *manifest)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str yaml = { 0 };
	BERTH_AUTO_JSON json_t *json =
		berth_manifest_json(manifest, NULL, BERTH_MANIFEST_JSON_PROCFILE);

	berth_yaml_write(json, 0, &yaml);
	return berth_str_steal(&yaml);
}

/*
 * {worker.port} became {{worker.port}}, which is a text; what is ready when it runs waited for its
 * port; and {{x}} lost its braces.
 */
static void as_a_berth_yaml_it_is_the_same(void **state)
{
	static const struct {
		const char *procfile, *yaml;
	} rows[] = {
		{ "web: x {port} {worker.port} {worker.url.main} {id}\nworker: y {web.host}\n",
		  "services:\n  web:\n    command: \"x {port} {worker.port} {worker.url.main} {id}\"\n    port: "
		  "5000\n  worker:\n    command: \"y {web.host}\"\n    port: 5100\n    ready: started\n" },
		{ "web: {name} {worker.prot} {worker} {nobody.port} {port.x} {web.id}\nworker: {{x}} {{port}}\n",
		  "services:\n  web:\n    command: \"{{name}} {{worker.prot}} {{worker}} {{nobody.port}} {{port.x}} "
		  "{{web.id}}\"\n    port: 5000\n  worker:\n    command: \"{{{x}}} {{port}}\"\n    "
		  "port: 5100\n    ready: started\n" },
		/* There no service is called so. */
		{ "host: x {port.port} {host} {host.port}\nhost-2: y\nport: z\n",
		  "services:\n  host-3:\n    command: \"x {port-2.port} {host} {host-3.port}\"\n    port: 5000\n    "
		  "ready: started\n  host-2:\n    command: \"y\"\n    port: 5100\n    ready: started\n  "
		  "port-2:\n    command: z\n    port: 5200\n    ready: started\n" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
		BERTH_CLEANUP(berth_manifest_deinit) struct berth_manifest manifest = { 0 };
		BERTH_CLEANUP(berth_manifest_deinit) struct berth_manifest again = { 0 };
		BERTH_AUTO_FREE char *yaml = NULL;

		assert_int_equal(berth_procfile_parse(rows[i].procfile, strlen(rows[i].procfile), 0,
						      &faults, &manifest),
				 0);
		yaml = as_yaml(&manifest);
		assert_string_equal(yaml, rows[i].yaml);
		if (berth_manifest_parse(yaml, strlen(yaml), &faults, &again) != 0)
			fail_msg("%s\n%s", yaml, faults.items[0].text);
		for (size_t k = 0; k < manifest.service_count; k++)
			assert_int_equal(again.services[k].ready.kind,
					 manifest.services[k].ready.kind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_services),
		cmocka_unit_test(faults_have_their_place),
		cmocka_unit_test(a_nul_byte_is_a_fault_at_its_line),
		cmocka_unit_test(no_port_is_above_65535),
		cmocka_unit_test(at_most_256_lines_are_services),
		cmocka_unit_test(the_place_of_a_command_is_known),
		cmocka_unit_test(as_a_berth_yaml_it_is_the_same),
		cmocka_unit_test(the_base_is_that_of_env_before_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
