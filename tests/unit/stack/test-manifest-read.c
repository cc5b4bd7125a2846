/* SPDX-License-Identifier: MIT */
/* unit/stack/test-manifest-read.c - berth.yaml: what is understood of it */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/yaml-write.h"
#include "stack/manifest-json.h"

static struct berth_manifest parse(const char *text)
{
	struct berth_manifest manifest = { 0 };
	struct berth_faults faults = { 0 };
	int r = berth_manifest_parse(text, strlen(text), &faults, &manifest);

	if (r != 0)
		fail_msg("%s: %s; %s", text, faults.count ? faults.items[0].text : "?",
			 faults.count ? faults.items[0].hint : "");
	return manifest;
}

static void a_service_is_what_its_keys_say(void **state)
{
	struct berth_manifest manifest = parse("project: shop\n"
					       "services:\n"
					       "  web:\n"
					       "    command: run --port {port}\n"
					       "    stop_command: [docker, rm, -f, '{id}']\n"
					       "    working_dir: api\n"
					       "    env_file: [.env, a]\n"
					       "    environment: [A=1, B, C=]\n"
					       "    port: 9000, 9001\n"
					       "    range: 9000-9099\n"
					       "    around: 3\n"
					       "    any: yes\n"
					       "    skip: [9005, 9010-9012]\n"
					       "    instances: 2\n"
					       "    ready: http /healthz\n"
					       "    live: tcp\n"
					       "    probe: {period: 2s, failure_threshold: 5}\n"
					       "    start_timeout: 1m\n"
					       "    restart: unless-stopped\n"
					       "    restart_limit: 3/1m\n"
					       "    backoff: 1s\n"
					       "    hold: 0\n"
					       "    stop_signal: int\n"
					       "    stop_grace_period: 1m30s\n"
					       "    steer: bind\n"
					       "    log: {size: 1M, files: 2, age: 1d}\n"
					       "    links: {docs: /docs}\n"
					       "    profiles: [dev]\n"
					       "    x-note: {whatever: [1]}\n"
					       "x-more: ~\n");
	const struct berth_manifest_service *web = &manifest.services[0];

	assert_string_equal(manifest.project, "shop");
	assert_string_equal(web->command.text, "run --port {port}");
	assert_string_equal(web->stop_command.argv[3], "{id}");
	assert_string_equal(web->working_dir, "api");
	assert_string_equal(web->env_files[1], "a");
	assert_int_equal(web->environment_count, 3);
	assert_string_equal(web->environment[0].value, "1");
	assert_null(web->environment[1].value);
	assert_string_equal(web->environment[2].value, "");
	assert_int_equal(web->wish.ports[0].list_len, 2);
	assert_int_equal(web->wish.ports[0].list[1], 9001);
	assert_int_equal(web->wish.range.hi, 9099);
	assert_int_equal(web->wish.around, 3);
	assert_true(web->wish.any);
	assert_string_equal(web->skip, "9005,9010-9012");
	assert_int_equal(web->instances, 2);
	assert_int_equal(web->ready.kind, BERTH_CHECK_HTTP);
	assert_string_equal(web->ready.arg, "/healthz");
	assert_int_equal(web->live.kind, BERTH_CHECK_TCP);
	assert_int_equal(web->probe.period_ms, 2000);
	assert_int_equal(web->probe.timeout_ms, 1000);
	assert_int_equal(web->probe.failure_threshold, 5);
	assert_true(web->policy.start_timeout_ns == INT64_C(60000000000));
	assert_int_equal(web->policy.restart, BERTH_SERVICE_RESTART_ALWAYS);
	assert_int_equal(web->policy.limit, 3);
	assert_true(web->policy.limit_ns == INT64_C(60000000000));
	assert_true(web->policy.backoff_ns == INT64_C(1000000000));
	assert_int_equal(web->hold_ms, 0);
	assert_int_equal(web->stop_signal, SIGINT);
	assert_true(web->policy.grace_ns == INT64_C(90000000000));
	assert_int_equal(web->steer, BERTH_STEER_BIND);
	assert_int_equal(web->log.size, 1024 * 1024);
	assert_int_equal(web->log.files, 2);
	assert_int_equal(web->log.age_ms, 24 * 3600 * 1000);
	assert_string_equal(web->links[0].path, "/docs");
	assert_string_equal(web->profiles[0], "dev");
	assert_int_equal(web->at.line, 3);
	berth_manifest_deinit(&manifest);
}

static void what_looks_like_a_type_is_a_text(void **state)
{
	struct berth_manifest manifest =
		parse("services:\n  no:\n    command: [echo, 3.10, 22:22, no, ~x, 0x1]\n"
		      "    environment: {A: no, B: 3.10, C: 22:22, D: ~}\n"
		      "    restart: no\n    port: none\n");
	const struct berth_manifest_service *service = &manifest.services[0];

	assert_string_equal(service->command.argv[1], "3.10");
	assert_string_equal(service->command.argv[2], "22:22");
	assert_string_equal(service->command.argv[3], "no");
	assert_string_equal(service->environment[0].value, "no");
	assert_string_equal(service->environment[1].value, "3.10");
	assert_string_equal(service->environment[2].value, "22:22");
	assert_null(service->environment[3].value);
	assert_int_equal(service->policy.restart, BERTH_SERVICE_RESTART_NO);
	assert_true(service->no_port);
	assert_int_equal(service->ready.kind, BERTH_CHECK_NONE);
	berth_manifest_deinit(&manifest);
}

static void services_are_named_before_they_come(void **state)
{
	struct berth_manifest manifest = parse(
		"services:\n"
		"  a:\n"
		"    command: a {b.port} {c.url.ws} {port.main} {url}\n"
		"    depends_on: {b: {condition: service_started}, c: , d: {condition: completed}}\n"
		"    cors: {origins: [b, 3000, https://app.example, c], variable: ORIGINS}\n"
		"  b: {command: b, port: 1}\n"
		"  c: {command: c, ports: {http: 8080, ws: [8081, 8082], dns: 53/udp}}\n"
		"  d: {command: d, port: none}\n");
	const struct berth_manifest_service *a = &manifest.services[0];

	assert_int_equal(a->depend_count, 3);
	assert_int_equal(a->depends[0].condition, BERTH_MANIFEST_STARTED);
	assert_int_equal(a->depends[1].service, 2);
	assert_int_equal(a->depends[1].condition, BERTH_MANIFEST_READY);
	assert_int_equal(a->depends[2].condition, BERTH_MANIFEST_COMPLETED);
	assert_int_equal(a->origin_count, 4);
	assert_int_equal(a->origins[0].service, 1);
	assert_int_equal(a->origins[1].port, 3000);
	assert_string_equal(a->origins[2].origin, "https://app.example");
	assert_int_equal(a->origins[3].service, 2);
	assert_string_equal(a->origins_variable, "ORIGINS");
	assert_int_equal(manifest.services[2].wish.port_count, 3);
	assert_true(manifest.services[2].wish.ports[2].udp);
	berth_manifest_deinit(&manifest);
}

static void a_healthcheck_of_compose_makes_it_ready(void **state)
{
	static const struct {
		const char *yaml;
		enum berth_check_kind kind;
		const char *arg;
	} rows[] = {
		{ "{test: [CMD, curl, -f, \"it's\"]}", BERTH_CHECK_EXEC, "'curl' '-f' 'it'\\''s'" },
		{ "{test: [CMD-SHELL, \"a || exit 1\"]}", BERTH_CHECK_EXEC, "a || exit 1" },
		{ "{test: \"pg_isready -p $$PORT ${X}\"}", BERTH_CHECK_EXEC,
		  "pg_isready -p $$PORT ${X}" },
		{ "{test: http /x}", BERTH_CHECK_HTTP, "/x" },
		{ "{test: tcp}", BERTH_CHECK_TCP, NULL },
		{ "{test: [NONE]}", BERTH_CHECK_LISTEN, NULL },
		{ "{test: tcp, disable: true}", BERTH_CHECK_LISTEN, NULL },
		{ "{disable: yes, test: [CMD, 'false']}", BERTH_CHECK_LISTEN, NULL },
		{ "{disable: no, test: tcp}", BERTH_CHECK_TCP, NULL },
		{ "{interval: 3s, timeout: 2s, retries: 7, start_period: 9s}", BERTH_CHECK_LISTEN,
		  NULL },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
		struct berth_manifest manifest;
		const struct berth_manifest_service *web;

		berth_str_addf(&text, "services: {web: {command: x, healthcheck: %s}}\n",
			       rows[i].yaml);
		manifest = parse(berth_str_text(&text));
		web = &manifest.services[0];
		assert_int_equal(web->ready.kind, rows[i].kind);
		if (rows[i].arg)
			assert_string_equal(web->ready.arg, rows[i].arg);
		if (strstr(rows[i].yaml, "retries")) {
			assert_int_equal(web->probe.period_ms, 3000);
			assert_int_equal(web->probe.timeout_ms, 2000);
			assert_int_equal(web->probe.failure_threshold, 7);
		}
		berth_manifest_deinit(&manifest);
	}
}

static const char *find(const void *arg, const char *name)
{
	(void)arg;
	return !strcmp(name, "PORT") ? "9001" : !strcmp(name, "SECRET") ? "s3cret" : NULL;
}

static void variables_are_filled_in_but_for_a_shell(void **state)
{
	static const char text[] = "services:\n  web:\n    command: echo ${PORT} $$\n"
				   "    port: ${PORT:-1}\n    working_dir: a${NONE:-b}\n"
				   "    environment: {A: \"${SECRET}\", B: \"$${X} $$\"}\n"
				   "    stop_command: [echo, \"${PORT}\"]\n"
				   "    ready: exec test ${X}\n    live: http /${PORT}\n";
	const struct berth_interpolate_source source = { .find = find };
	struct berth_manifest manifest = { 0 };
	struct berth_faults faults = { 0 };
	const struct berth_manifest_service *web;
	BERTH_AUTO_JSON json_t *json = NULL;
	BERTH_AUTO_FREE char *line = NULL;

	assert_int_equal(berth_manifest_parse_with(text, strlen(text), &source, &faults, &manifest),
			 0);
	web = &manifest.services[0];
	assert_string_equal(web->command.text, "echo ${PORT} $$");
	assert_int_equal(web->wish.ports[0].list[0], 9001);
	assert_string_equal(web->working_dir, "ab");
	assert_string_equal(web->environment[0].value, "s3cret");
	assert_string_equal(web->environment[1].value, "${X} $");
	assert_string_equal(web->stop_command.argv[1], "9001");
	assert_string_equal(web->ready.arg, "test ${X}");
	assert_string_equal(web->live.arg, "/9001");
	/* What may be a secret is shown as it is written. */
	json = berth_manifest_json(&manifest, NULL, BERTH_MANIFEST_JSON_WHOLE);
	line = berth_json_line(json);
	assert_null(strstr(line, "s3cret"));
	assert_non_null(strstr(line, "${SECRET}"));
	berth_manifest_deinit(&manifest);
}

/* What `berth config` prints is a berth.yaml that says the same. */
static void what_is_written_is_read_again(void **state)
{
	static const char *const texts[] = {
		"services: {a: {command: x}}",
		"services: {a: {command: [x, '', \"a b\", '{port}', \"$${X}\", \"$$$$\", '~', 'no']}}",
		"services: {a: {command: \"a\\nb\\t\\x01 \\\"q\\\" # c: d\", port: none}}",
		"services: {a: {command: x, port: [1, 2], range: 1-9, any: true, step: 3}}",
		"services: {a: {command: x, ports: {b: 1, c: [2, 3], d: '5,6/udp'}}}",
		"services: {a: {command: x, port: 53/udp, strict: true, skip: [7, 8-9]}}",
		"services: {a: {command: x, restart: 'on-failure:3'}}",
		"services: {a: {command: x, restart_limit: none, hold: 0, backoff: 0}}",
		"services: {a: {command: x, healthcheck: {test: [CMD, a, \"b'c\"], retries: 4}}}",
		"services: {a: {command: x, environment: {A: , B: '', C: 'x: y', D: \"$${A}\"}}}",
		"services: {a: {command: x, environment: {A: \"${B:-c}\", B: \"$$${A}\"}}}",
		"services: {a: {command: x, port: none, ready: log ^a$}}",
		"services: {a: {command: x, port: 80, ready: started}, b: {command: y, port: none, "
		"ready: started}}",
		"services: {a: {command: x, ready: notify, live: exec true, loopback: true}}",
		"services: {a: {command: x, cors: {variable: X}}, b: {command: y, cors: [a, 1, "
		"http://x]}}",
		"services: {a: {command: x, depends_on: [b]}, b: {command: y, profiles: [p]}}\n"
		"profiles: {p: {range: 1000-2000}, q: }\nproject: p",
		"services: {a: {command: x, log: {size: 128k, age: 90m}, stop_signal: RTMIN+1}}",
		"services: {a: {command: x, links: {'a b': '/x', \"\\n\": /y}, scheme: none}}",
		"services: {a: {command: x, env_file: a, working_dir: ../b, outside: true, stop_command: "
		"y, instances: 3, start_timeout: 1500ms}}",
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(texts); i++) {
		struct berth_manifest first = parse(texts[i]), second;
		BERTH_CLEANUP(berth_str_deinit) struct berth_str yaml = { 0 };
		BERTH_AUTO_JSON json_t *json =
			berth_manifest_json(&first, NULL, BERTH_MANIFEST_JSON_YAML);
		BERTH_AUTO_JSON json_t *before =
			berth_manifest_json(&first, NULL, BERTH_MANIFEST_JSON_WHOLE);
		BERTH_AUTO_JSON json_t *after = NULL;
		BERTH_AUTO_FREE char *one = NULL, *other = NULL;

		berth_yaml_write(json, 0, &yaml);
		second = parse(berth_str_text(&yaml));
		after = berth_manifest_json(&second, NULL, BERTH_MANIFEST_JSON_WHOLE);
		one = berth_json_line(before);
		other = berth_json_line(after);
		assert_string_equal(one, other);
		berth_manifest_deinit(&first);
		berth_manifest_deinit(&second);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_is_what_its_keys_say),
		cmocka_unit_test(what_looks_like_a_type_is_a_text),
		cmocka_unit_test(services_are_named_before_they_come),
		cmocka_unit_test(a_healthcheck_of_compose_makes_it_ready),
		cmocka_unit_test(variables_are_filled_in_but_for_a_shell),
		cmocka_unit_test(what_is_written_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
