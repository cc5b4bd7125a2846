/* SPDX-License-Identifier: MIT */
/* unit/stack/test-compose.c - Compose files, as a berth.yaml that starts the same containers */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stack/compose.h"
#include "stack/manifest.h"

/* What is made of @compose: its services, and its notes. It must be a berth.yaml. */
static void draft(const char *compose, struct berth_str *ret_services, struct berth_str *ret_notes)
{
	BERTH_CLEANUP(berth_draft_deinit) struct berth_draft made = { 0 };
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_manifest_deinit) struct berth_manifest manifest = { 0 };
	BERTH_AUTO_FREE char *yaml = NULL;
	char project[BERTH_NAME_MAX];

	if (berth_compose_draft(compose, strlen(compose), &faults, &made, project) != 0)
		fail_msg("%s\n%s", compose, faults.items[0].text);
	berth_str_add(ret_services, berth_str_text(&made.services));
	berth_str_add(ret_notes, berth_str_text(&made.notes));
	if (made.count == 0)
		return;
	yaml = berth_draft_finish(&made, "a test", project);
	if (berth_manifest_parse(yaml, strlen(yaml), &faults, &manifest) != 0)
		fail_msg("%s\n%u: %s", yaml, faults.items[0].at.line, faults.items[0].text);
}

#define RUN "\"docker run --rm --name {id} "
#define END "    stop_command: \"docker stop -t 5 {id} || docker rm -f {id}\"\n"
#define OUTSIDE "    outside: true # bound by the container engine, not by us\n"

static void services_are_containers(void **state)
{
	static const struct {
		const char *compose, *services;
	} rows[] = {
		{ "services: {db: {image: postgres:16, ports: ['5433:5432']}}",
		  "  db:\n    command: " RUN "-p {port}:5432 postgres:16\"\n" END
		  "    port: 5433\n" OUTSIDE },
		{ "services: {db: {image: redis}}",
		  "  db:\n    command: " RUN "-p {port}:6379 redis\"\n" END
		  "    port: 6379\n" OUTSIDE },
		{ "services: {Job_1: {image: acme/job, command: run it}}",
		  "  job-1:\n    command: " RUN "acme/job run it\"\n" END "    port: none\n" },
		{ "services: {a: {image: x, expose: ['8000']}}",
		  "  a:\n    command: " RUN "-p {port}:8000 x\"\n" END "    port: 8000\n" OUTSIDE },
		{ "services: {a: {image: x, ports: ['${P:-81}:80', {target: 53, published: 54, protocol: "
		  "udp}, '127.0.0.1:9:90']}}",
		  "  a:\n    command: " RUN
		  "-p {port}:80 -p {port.udp53}:53/udp -p 127.0.0.1:{port.p90}:90 x\"\n" END
		  "    ports:\n      main: 81\n      udp53: 54/udp\n      p90: 9\n" OUTSIDE },
		{ "services: {a: {image: x, ports: ['80:80']}, b: {image: y, ports: ['80:80']}}",
		  "  a:\n    command: " RUN "-p {port}:80 x\"\n" END "    port: 80\n" OUTSIDE
		  "\n  b:\n    command: " RUN "-p {port}:80 y\"\n" END
		  "    port: 81 # 80 is another's here\n" OUTSIDE },
		{ "services: {a: {image: x, ports: ['127.0.0.1:80:80', '[::1]:80:80']}}",
		  "  a:\n    command: [docker, run, \"--rm\", \"--name\", \"{id}\", \"-p\", \"127.0.0.1:{port}:80\", \"-p\", "
		  "\"[::1]:{port}:80\", x]\n" END "    port: 80\n" OUTSIDE },
		{ "services: {a: {image: x, ports: ['80:80', '81:80', '81:80']}}",
		  "  a:\n    command: " RUN
		  "-p {port}:80 -p {port.p80-2}:80 -p {port.p80-2}:80 x\"\n" END
		  "    ports:\n      main: 80\n      p80-2: 81\n" OUTSIDE },
		{ "services: {a: {image: x, environment: [A=1, B=2, A=3]}}",
		  "  a:\n    command: " RUN "-e B -e A x\"\n" END
		  "    port: none\n    environment:\n      B: \"2\"\n      A: \"3\"\n" },
		/* A shell would change words: then it is a list. */
		{ "services: {a: {image: 'x:${TAG:-1}', command: [echo, a b, '{x}', $$HOME]}}",
		  "  a:\n    command: [docker, run, \"--rm\", \"--name\", \"{id}\", \"x:${TAG:-1}\", echo, a b, "
		  "\"{{x}}\", \"$$HOME\"]\n" END "    port: none\n" },
		{ "services: {a: {image: x, entrypoint: [sh, -c], command: \"'a b'\"}}",
		  "  a:\n    command: [docker, run, \"--rm\", \"--name\", \"{id}\", \"--entrypoint\", sh, x, \"-c\", a "
		  "b]\n" END "    port: none\n" },
		{ "services: {a: {image: x, user: '1:2', working_dir: /w, tmpfs: [/a, /b], init: true, "
		  "privileged: false, cap_add: [NET_ADMIN]}}",
		  "  a:\n    command: " RUN
		  "--user 1:2 --workdir /w --tmpfs /a --tmpfs /b --init --cap-add "
		  "NET_ADMIN x\"\n" END "    port: none\n" },
		{ "services: {a: {image: x, restart: 'no', stop_signal: SIGINT, stop_grace_period: 1m30s}}",
		  "  a:\n    command: " RUN "x\"\n" END
		  "    port: none\n    restart: \"no\"\n    stop_signal: SIGINT\n    stop_grace_period: "
		  "1m30s\n" },
		{ "services: {a: {image: x, environment: [A=1, B, 'C=$$x {port} $D']}}",
		  "  a:\n    command: " RUN "-e A -e B -e C x\"\n" END
		  "    port: none\n    environment:\n      A: \"1\"\n      C: \"$$x {{port}} ${D}\"\n" },
		/* With these docker itself was not found, or asked another engine. */
		{ "services: {a: {image: x, environment: {PATH: /app/bin, A: 1, HOME: /h, DOCKER_HOST: 'tcp://d', "
		  "http_proxy: 'p:1', NO_PROXY: n, LD_PRELOAD: l}}}",
		  "  a:\n    command: " RUN
		  "-e PATH=/app/bin -e A -e HOME=/h -e DOCKER_HOST=tcp://d -e http_proxy=p:1 "
		  "-e NO_PROXY=n -e LD_PRELOAD=l x\"\n" END
		  "    port: none\n    environment:\n      A: \"1\"\n" },
		{ "services: {a: {image: x, environment: ['PATH=/a:$PATH', HOME, _PROXY=1]}}",
		  "  a:\n    command: [docker, run, \"--rm\", \"--name\", \"{id}\", \"-e\", "
		  "\"PATH=/a:${PATH}\", \"-e\", HOME, \"-e\", _PROXY, x]\n" END
		  "    port: none\n    environment:\n      _PROXY: \"1\"\n" },
		{ "services: {a: {image: x, ports: ['53:53/udp', '53:53/tcp']}, b: {image: y, ports: ['53:53']}}",
		  "  a:\n    command: " RUN "-p {port}:53/udp -p {port.p53}:53 x\"\n" END
		  "    ports:\n      main: 53/udp\n      p53: 53\n" OUTSIDE
		  "\n  b:\n    command: " RUN "-p {port}:53 y\"\n" END
		  "    port: 54 # 53 is another's here\n" OUTSIDE },
		{ "services: {a: {image: x, pull_policy: if_not_present}, b: {image: y, pull_policy: never}}",
		  "  a:\n    command: " RUN "--pull missing x\"\n" END
		  "    port: none\n\n  b:\n    command: " RUN "--pull never y\"\n" END
		  "    port: none\n" },
		/* No entry point at all is not that of the image. */
		{ "services: {a: {image: x, entrypoint: [], command: [run, it]}}",
		  "  a:\n    command: " RUN "--entrypoint= x run it\"\n" END "    port: none\n" },
		{ "services: {a: {image: x, entrypoint: '', command: run}}",
		  "  a:\n    command: " RUN "--entrypoint= x run\"\n" END "    port: none\n" },
		{ "services: {a: {image: x, entrypoint: ['']}, b: {image: y, entrypoint: null}}",
		  "  a:\n    command: " RUN "--entrypoint= x\"\n" END
		  "    port: none\n\n  b:\n    command: " RUN "y\"\n" END "    port: none\n" },
		{ "services: {a: {image: x, environment: {A: 'no', B: null, C: ''}}}",
		  "  a:\n    command: " RUN "-e A -e B -e C x\"\n" END
		  "    port: none\n    environment:\n      A: \"no\"\n      C: \"\"\n" },
		{ "services: {a: {image: x, depends_on: [B]}, B: {image: y}}",
		  "  a:\n    command: " RUN "x\"\n" END
		  "    port: none\n    depends_on: [b]\n\n  b:\n    "
		  "command: " RUN "y\"\n" END "    port: none\n" },
		{ "services: {a: {image: x, depends_on: [b, b]}, b: {image: y}}",
		  "  a:\n    command: " RUN "x\"\n" END
		  "    port: none\n    depends_on: [b]\n\n  b:\n    "
		  "command: " RUN "y\"\n" END "    port: none\n" },
		{ "services: {host: {image: x, depends_on: [id]}, id: {image: y}}",
		  "  host-2:\n    command: " RUN "x\"\n" END
		  "    port: none\n    depends_on: [id-2]\n\n  id-2:\n    "
		  "command: " RUN "y\"\n" END "    port: none\n" },
		{ "services: {a: {image: x, ports: ['65535:80']}, b: {image: y, ports: ['65535:80']}}",
		  "  a:\n    command: " RUN "-p {port}:80 x\"\n" END "    port: 65535\n" OUTSIDE
		  "\n  b:\n    command: " RUN "-p {port}:80 y\"\n" END
		  "    port: 65534 # 65535 is another's here\n" OUTSIDE },
		{ "services: {web: {image: x, ports: ['80:80']}, web-main: {image: y}}",
		  "  web:\n    command: " RUN "-p {port}:80 x\"\n" END "    port: 80\n" OUTSIDE
		  "\n  web-main:\n    command: " RUN "y\"\n" END "    port: none\n" },
		{ "services: {a: {image: x, ports: [{target: 80, published: 80, host_ip: '${IP:-::1}'}]}}",
		  "  a:\n    command: " RUN "-p ::1:{port}:80 x\"\n" END "    port: 80\n" OUTSIDE },
		{ "services: {a: {image: x, depends_on: {b: {condition: service_started}, c: {condition: "
		  "service_completed_successfully}}}, b: {image: y}, c: {image: z}}",
		  "  a:\n    command: " RUN "x\"\n" END
		  "    port: none\n    depends_on:\n      b:\n        condition: started\n      c:\n        "
		  "condition: completed\n\n  b:\n    command: " RUN "y\"\n" END
		  "    port: none\n\n  c:\n    command: " RUN "z\"\n" END "    port: none\n" },
		{ "services: {a: {image: redis, healthcheck: {test: [CMD, redis-cli, ping], interval: 5s, "
		  "retries: 3}}}",
		  "  a:\n    command: " RUN "-p {port}:6379 redis\"\n" END
		  "    port: 6379\n" OUTSIDE
		  "    healthcheck:\n      test: [CMD, docker, exec, \"{id}\", redis-cli, ping]\n      "
		  "interval: 5s\n      retries: 3\n" },
		{ "services: {a: {image: redis, healthcheck: {test: 'x | y'}}}",
		  "  a:\n    command: " RUN "-p {port}:6379 redis\"\n" END
		  "    port: 6379\n" OUTSIDE
		  "    healthcheck:\n      test: [CMD, docker, exec, \"{id}\", sh, \"-c\", \"x | y\"]\n" },
		{ "services: {a: {image: x, healthcheck: {test: [NONE]}}}",
		  "  a:\n    command: " RUN "x\"\n" END "    port: none\n" },
		{ "services: {a: {image: x, healthcheck: {disable: true, test: y}, x-own: 1, profiles: [dev]}}\n"
		  "version: '3'\nname: shop\nx-own: 2\n",
		  "  a:\n    command: " RUN "x\"\n" END "    port: none\n    profiles: [dev]\n" },
		{ "x-a: &a {image: x}\nservices: {a: {<<: *a, user: u}}",
		  "  a:\n    command: " RUN "--user u x\"\n" END "    port: none\n" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str services = { 0 };
		BERTH_CLEANUP(berth_str_deinit) struct berth_str notes = { 0 };

		draft(rows[i].compose, &services, &notes);
		assert_string_equal(berth_str_text(&services), rows[i].services);
		assert_string_equal(berth_str_text(&notes), "");
	}
}

static void what_is_left_out_is_told_with_its_reason(void **state)
{
	static const struct {
		const char *compose, *note; /* the only one, or the beginning of the first */
	} rows[] = {
		{ "services: {a: {image: x, volumes: ['v:/v']}}",
		  "a: 'volumes' is left out: two copies would write to the same data; add -v to the "
		  "command where they may\n" },
		{ "services: {a: {build: .}}", "a: left out: it is built ('build'); " },
		{ "services: {a: {image: x, build: .}}", "a: left out: it is built ('build'); " },
		{ "services: {a: {}}", "a: left out: it has no 'image'\n" },
		{ "services: {a: null}", "a: left out: it says nothing\n" },
		{ "services: {a: {image: x, depends_on: [b]}, b: {build: .}}",
		  "b: left out: it is built ('build'); " },
		{ "services: {a: {image: x, odd: 1}}",
		  "a: 'odd' is left out: berth does not know it\n" },
		{ "services: {a: {image: x, deploy: {replicas: 2}}}", "a: 'deploy' is left out: " },
		{ "services: {a: {image: x, secrets: [s]}}", "a: 'secrets' is left out: " },
		{ "services: {a: {image: x, networks: [n]}}", "a: 'networks' is left out: " },
		{ "services: {a: {image: x}}\nvolumes: {v: }\n", "'volumes' is left out: " },
		{ "services: {a: {image: x, ports: ['3000-3005:3000-3005']}}",
		  "a: 'ports' is left out: one of them is no single number\n" },
		{ "services: {a: {image: x, command: \"'a\"}}",
		  "a: 'command' is left out: it can't be taken apart into words\n" },
		{ "services: {a: {image: x, environment: {A: '${B:+c}'}}}",
		  "a: look at 'A': only ${X}, ${X:-text} and ${X:?text} are known here\n" },
		{ "services: {a: {image: x, environment: {U: 'pg://u@db/x'}}, db: {image: y}}",
		  "a: look at U: 'db' is no host name here; " },
		{ "services: {a: {image: x, environment: {U: 'db:1'}}, db: {image: y}}",
		  "a: look at U: 'db' is no host name here; " },
		{ "services: {a: {image: x, profiles: [Dev]}}", "a: 'profiles' is left out: " },
		{ "services: {a: {image: x, env_file: [a.env, {path: b.env}]}}",
		  "a: look at 'env_file': docker run takes quotes in it as they stand\n" },
		{ "services: {a: {image: x, env_file: [{path: .env.local, required: false}]}}",
		  "a: 'required' is left out: docker run needs each env_file; drop --env-file where it is "
		  "not there\n"
		  "a: look at 'env_file': docker run takes quotes in it as they stand\n" },
		{ "services: {a: {image: x, pull_policy: daily}}",
		  "a: 'pull_policy' is left out: docker run has always, never and missing\n" },
		{ "services: {a: {image: x, command: []}}", "a: 'command' is left out: " },
		/* Each of these made all of `berth init` fail. */
		{ "services: {a: {image: x, stop_signal: SIGKILL}}",
		  "a: 'stop_signal' is left out: SIGKILL does not ask, and leaves no time to "
		  "end\n" },
		{ "services: {a: {image: x, healthcheck: {test: y, interval: 50ms}}}",
		  "a: 'interval' is left out: 'interval' takes a time of at least 100ms, not "
		  "'50ms'\n" },
		{ "services: {a: {image: x, healthcheck: {test: y, interval: 0s, retries: 0}}}",
		  "a: 'interval' is left out: 'interval' takes a time of at least 100ms, not "
		  "'0s'\na: 'retries' is left out: " },
		{ "services: {a: {image: x, restart: 'on-failure:50'}}",
		  "a: 'restart' is left out: 'restart' takes on-failure:N with N from 1 to 32, not "
		  "'on-failure:50'\n" },
		{ "services: {a: {image: x, restart: '${R}'}}",
		  "a: 'restart: ${R}' is left out: 'restart' takes one of " },
		{ "services: {a: {image: x, stop_grace_period: soon}}",
		  "a: 'stop_grace_period' is left out: " },
		{ "services: {a: {image: x, environment: {weird name: 1, B: 2}}}",
		  "a: 'weird name' is left out: 'weird name' is no name for a variable\n" },
		{ "services: {a: {image: x, environment: [weird name, =x]}}",
		  "a: 'weird name' is left out: 'weird name' is no name for a variable\n"
		  "a: '' is left out: '' is no name for a variable\n" },
		{ "services: {a: {image: x, restart: always}, b: {image: y, depends_on: {a: {condition: "
		  "service_completed_successfully}}}}",
		  "a: 'restart' is left out: 'a' is never completed: it is always started again\n" },
		{ "services: {a: {image: x, environment: {A: '${B:-{foo}}'}}}",
		  "a: 'A: ${B:-{foo}}' is left out: nothing is called '{foo}' here\n" },
		{ "services: {a: {image: x, user: '${B:-{foo}}'}}",
		  "a: 'user' is left out: nothing is called '{foo}' here\n" },
		{ "services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a, b]}}",
		  "b: does not wait for 'a', which waits for it\n"
		  "b: does not wait for 'b', which waits for it\n" },
		{ "services: {a: {image: x, \"o\\e\": 1}}", "a: 'o\\e' is left out: " },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str services = { 0 };
		BERTH_CLEANUP(berth_str_deinit) struct berth_str notes = { 0 };
		size_t len = strlen(rows[i].note);

		draft(rows[i].compose, &services, &notes);
		if (strncmp(berth_str_text(&notes), rows[i].note, len) != 0)
			fail_msg("'%s'\n%s", rows[i].compose, berth_str_text(&notes));
		if (rows[i].note[len - 1] == '\n')
			assert_int_equal(notes.len, len);
	}
}

/* A Compose file with @count variables in one service. */
static char *with_variables(unsigned int count)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };

	berth_str_add(&text, "services:\n  a:\n    image: x\n    environment:\n");
	for (unsigned int i = 0; i < count; i++)
		berth_str_addf(&text, "      V%u: x\n", i);
	berth_str_add(&text, "  b: {image: y, depends_on: [a]}\n");
	return berth_str_steal(&text);
}

/* 300 were "cannot read 'compose.yaml': Cannot allocate memory". */
static void a_service_has_as_many_variables_as_its_command_has_words_for(void **state)
{
	static const struct {
		unsigned int count;
		const char *notes;
	} rows[] = {
		{ 300, "" },
		{ 480, "" },
		{ 500,
		  "a: left out: its variables, ports and options are more than a command can have "
		  "words (1000, of which each takes two)\n"
		  "b: does not wait for 'a', which is not here\n" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str services = { 0 };
		BERTH_CLEANUP(berth_str_deinit) struct berth_str notes = { 0 };
		BERTH_AUTO_FREE char *compose = with_variables(rows[i].count);

		draft(compose, &services, &notes);
		assert_string_equal(berth_str_text(&notes), rows[i].notes);
		assert_int_equal(!strstr(berth_str_text(&services), "      V299: x\n"),
				 *rows[i].notes != '\0');
	}
}

static void no_note_where_nothing_is_lost(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str services = { 0 };
	BERTH_CLEANUP(berth_str_deinit) struct berth_str notes = { 0 };

	draft("services: {a: {image: x, environment: {A: adb, B: 'xdb:1', C: dbs}}, db: {image: y}}",
	      &services, &notes);
	assert_string_equal(berth_str_text(&notes), "");
}

static void what_is_no_compose_file_has_faults(void **state)
{
	static const struct {
		const char *text, *fault; /* NULL: whatever the parser says */
	} rows[] = {
		{ "", "there is no map of 'services'" },
		{ "a: 1", "there is no map of 'services'" },
		{ "services: [a]", "there is no map of 'services'" },
		{ "services: {a: [}", NULL },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
		BERTH_CLEANUP(berth_draft_deinit) struct berth_draft made = { 0 };
		char project[BERTH_NAME_MAX];

		assert_int_equal(berth_compose_draft(rows[i].text, strlen(rows[i].text), &faults,
						     &made, project),
				 -EINVAL);
		assert_true(faults.count > 0);
		if (rows[i].fault)
			assert_string_equal(faults.items[0].text, rows[i].fault);
	}
}

static void the_project_has_its_name(void **state)
{
	static const struct {
		const char *compose, *project;
	} rows[] = {
		{ "name: shop\nservices: {}", "shop" },
		{ "name: Shop_1\nservices: {}", "" },
		{ "services: {}", "" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
		BERTH_CLEANUP(berth_draft_deinit) struct berth_draft made = { 0 };
		char project[BERTH_NAME_MAX] = "untouched";

		assert_int_equal(berth_compose_draft(rows[i].compose, strlen(rows[i].compose),
						     &faults, &made, project),
				 0);
		assert_string_equal(project, rows[i].project);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_are_containers),
		cmocka_unit_test(what_is_left_out_is_told_with_its_reason),
		cmocka_unit_test(a_service_has_as_many_variables_as_its_command_has_words_for),
		cmocka_unit_test(no_note_where_nothing_is_lost),
		cmocka_unit_test(what_is_no_compose_file_has_faults),
		cmocka_unit_test(the_project_has_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
