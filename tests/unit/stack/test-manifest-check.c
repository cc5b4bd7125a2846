/* SPDX-License-Identifier: MIT */
/* unit/stack/test-manifest-check.c - berth.yaml: every kind of fault with its place */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "stack/manifest.h"

/* "LINE:COLUMN+LEN: MESSAGE; HINT" a line. */
static void assert_faults(const char *text, const char *wanted)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };
	struct berth_manifest manifest = { .service_count = 77 };
	struct berth_faults faults = { 0 };
	int r = berth_manifest_parse(text, strlen(text), &faults, &manifest);

	for (size_t i = 0; i < faults.count; i++) {
		const struct berth_fault *fault = &faults.items[i];

		berth_str_addf(&out, "%u:%u+%u: %s%s%s\n", fault->at.line, fault->at.column,
			       fault->at.len, fault->text, *fault->hint ? "; " : "", fault->hint);
	}
	assert_string_equal(berth_str_text(&out), wanted);
	assert_int_equal(r, -EINVAL);
	assert_int_equal(manifest.service_count, 77);
	berth_faults_deinit(&faults);
}

/* One service, of which @keys are the lines from the third on. */
static void assert_service_faults(const char *keys, const char *wanted)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };

	berth_str_addf(&text, "services:\n  web:\n%s", keys);
	assert_faults(berth_str_text(&text), wanted);
}

static void unknown_keys_are_told_with_the_closest_word(void **state)
{
	assert_faults("project: x\n",
		      "1:1+0: there are no 'services'; services: {web: {command: ...}}\n");
	assert_faults("servces: {}\n",
		      "1:1+7: 'servces' is no key of the file; did you mean 'services'?\n");
	assert_faults("version: 3\nname: x\nservices: {a: {command: x}}\n",
		      "1:1+7: 'version' is no key of the file; leave it out\n"
		      "2:1+4: 'name' is no key of the file; it is called 'project' here\n");
	assert_service_faults("    comand: x\n    command: x\n",
			      "3:5+6: 'comand' is no key of a service; did you mean 'command'?\n");
	assert_service_faults("    command: x\n    log: {sise: 1M}\n",
			      "4:11+4: 'sise' is no key of 'log'; did you mean 'size'?\n");
	assert_service_faults("    command: x\n    probe: {interval: 1s}\n",
			      "4:13+8: 'interval' is no key of 'probe'\n");
	assert_service_faults(
		"    image: redis\n    volumes: [a]\n    build: .\n",
		"3:5+5: 'image' is no key of a service; command: docker run --rm --name {id} -p "
		"{port}:80 IMAGE, with outside: true\n"
		"4:5+7: 'volumes' is no key of a service; leave it out, or docker run -v within "
		"'command'\n"
		"5:5+5: 'build' is no key of a service; build the image beforehand; command: docker "
		"run --rm --name {id} ...\n");
}

static void values_of_another_type_are_told(void **state)
{
	assert_service_faults(
		"    command: x\n    workers: 65\n    instances: two\n    any: maybe\n",
		"4:14+2: 'workers' takes a number from 1 to 64, not '65'\n"
		"5:16+3: 'instances' takes a number from 1 to 100, not 'two'\n"
		"6:10+5: 'any' takes true or false, not 'maybe'\n");
	assert_service_faults("    command: x\n    hold: soon\n    probe: {period: 5ms}\n",
			      "4:11+4: 'hold' takes a time such as 500ms, 30s or 2h, not 'soon'\n"
			      "5:21+3: 'period' takes a time of at least 100ms, not '5ms'\n");
	assert_service_faults("    command: x\n    log: {size: big}\n    stop_signal: TEMR\n",
			      "4:17+3: 'size' takes a size such as 512k or 10M, not 'big'\n"
			      "5:18+4: 'stop_signal' takes a signal such as TERM or SIGINT, not "
			      "'TEMR'; did you mean 'TERM'?\n");
	assert_service_faults(
		"    command: x\n    steer: of\n    restart: never\n    range: 9-5\n",
		"4:12+2: 'steer' takes all, declared, bind or off, not 'of'; did you "
		"mean 'off'?\n"
		"5:14+5: 'restart' takes one of no, on-failure[:N], always and "
		"unless-stopped, not 'never'\n"
		"6:12+3: 'range' takes a range of ports such as 9000-9099, not '9-5'\n");
	assert_service_faults("    command: x\n    restart: on-failure:99\n    restart_limit: 9\n",
			      "4:14+13: 'restart' takes on-failure:N with N from 1 to 32, not "
			      "'on-failure:99'\n"
			      "5:20+1: 'restart_limit' takes restarts per time such as 5/10s, or "
			      "none, not '9'; at most 32 of them\n");
	assert_service_faults(
		"    command: x\n    working_dir: [a]\n    env_file: {a: b}\n    skip: x\n",
		"4:18+3: 'working_dir' takes a text, not a list\n"
		"5:15+6: 'env_file' takes a text or a list of texts, not a map\n"
		"6:11+1: 'skip' takes ports and ranges such as 6000,7000-7010, not 'x'\n");
	assert_service_faults(
		"    command:\n    port: ~\n    profiles: Dev\n",
		"3:5+7: 'command' has no value; it takes a text, or a list of words\n"
		"4:11+1: 'port' has no value; it takes a port such as 9000, or a list "
		"of them\n"
		"5:15+3: 'profiles' takes a name such as shop or my-shop, not 'Dev'; "
		"did you mean 'dev'?\n");
	assert_service_faults(
		"    command: []\n    links: {a: b}\n    scheme: HTTP\n",
		"3:14+2: 'command' has an empty list\n"
		"4:16+1: 'links' takes paths that begin with '/', not 'b'\n"
		"5:13+4: 'scheme' takes the scheme of a URL such as http, or none, not "
		"'HTTP'\n");
	assert_service_faults(
		"    command: x\n    log: 5\n    healthcheck: {test: [CMD]}\n",
		"4:10+1: 'log' takes a map of keys, not '5'\n"
		"5:25+5: 'test' takes [CMD, word, ...], [CMD-SHELL, text] or [NONE]\n");
}

static void an_unquoted_placeholder_is_told(void **state)
{
	assert_service_faults(
		"    command: [run, {port}]\n    environment: {URL: {backend.url}}\n",
		"3:20+6: 'command' takes a text, or a list of words, not a map; quote "
		"it: \"{port}\"\n"
		"4:24+13: 'environment' takes texts, not a map; quote it: "
		"\"{backend.url}\"\n");
	assert_service_faults("    command: {port} x\n",
			      "3:21+1: invalid value after mapping; quote it: \"{port} x\"\n");
}

static void ports_that_are_none_are_told(void **state)
{
	assert_service_faults("    command: x\n    port: 9000x\n",
			      "4:11+5: '9000x' is no port number\n");
	assert_service_faults("    command: x\n    port: \"30 00\"\n",
			      "4:11+7: '30 00' is no port number\n");
	assert_service_faults("    command: x\n    ports: {a: [1, 20  00], b: [4, 5]}\n",
			      "4:20+6: '20  00' is no port number\n");
	assert_service_faults("    command: x\n    port: 70000\n",
			      "4:11+5: port '70000' is not in 1-65535\n");
	assert_service_faults("    command: x\n    port: 9000-9005\n",
			      "4:11+9: '9000-9005' is no port number; a range goes to 'range'\n");
	assert_service_faults("    command: x\n    port: any\n",
			      "4:11+3: 'any' is no port number; for any free number: any: true\n");
	assert_service_faults("    command: x\n    port: http=1\n",
			      "4:11+6: 'port' takes a port such as 9000, or a list of them, not "
			      "'http=1'; named ports go to 'ports'\n");
	assert_service_faults("    command: x\n    ports: [\"8080:80\"]\n",
			      "4:12+11: 'ports' takes a map from names to ports, not a list; the "
			      "number that berth leases is enough: port: 8080, and {port} in the "
			      "command\n");
	assert_service_faults(
		"    command: x\n    port: 8080:80\n",
		"4:11+7: '8080:80' is no port number; the number that berth leases is "
		"enough: port: 8080, and {port} in the command\n");
	assert_service_faults(
		"    command: x\n    ports: {HTTP: 1}\n",
		"4:13+4: 'HTTP' is no name for a port; lower-case letters, digits and "
		"'-', a letter first, at most 31, not 'none' or 'any'\n");
	assert_service_faults(
		"    command: x\n    ports: {a: [1, 2], b: [3, 4, 5]}\n",
		"4:28+1: ports 'a' and 'b' have lists of different length (2, 3); ports "
		"of one service are tried in step: first with first, second with "
		"second\n");
	assert_service_faults(
		"    command: x\n    port: 5011\n    range: 5000-5010\n",
		"4:11+4: port 'main' wishes 5011, which is not in the range 5000-5010; "
		"the search begins at the wish and stays in the range\n");
	assert_service_faults("    command: x\n    range: 5000-5002\n    instances: 4\n",
			      "4:12+9: the range has 3 numbers, and 4 instances need 4; at least "
			      "5000-5003\n");
	assert_service_faults(
		"    command: x\n    ports: {a: 5000, b: 5020}\n    range: 5000-5010\n",
		"4:25+4: port 'b' wishes 5020, which is not in the range 5000-5010; the "
		"search begins at the wish and stays in the range\n"
		"5:12+9: the ports of 'web' span 21 numbers, and the range has 11; "
		"at least 5000-5020\n");
}

static void names_that_nobody_has_are_told(void **state)
{
	assert_faults("services:\n  Web_1: {command: x}\n  a: {command: x}\n",
		      "2:3+5: 'Web_1' is no name for a service; did you mean 'web-1'?\n");
	assert_faults("services:\n  url: {command: x}\n",
		      "2:3+3: 'url' is no name for a service: {url} is something else\n");
	assert_faults("project: My Shop\nservices: {a: {command: x}}\n",
		      "1:10+7: 'project' takes a name such as shop or my-shop, not 'My Shop'; did "
		      "you mean 'my-shop'?\n");
	assert_faults(
		"services:\n  a: {command: x, depends_on: [backnd]}\n  backend: {command: y}\n",
		"2:32+6: there is no service 'backnd'; did you mean 'backend'?\n");
	assert_faults("services:\n  a: {command: x, depends_on: [a, b, b]}\n  b: {command: y}\n",
		      "2:32+1: 'a' depends on itself\n"
		      "2:38+1: 'b' is named twice\n");
	assert_faults("services:\n  a: {command: x, cors: [b, '*', 0, https://a/b, c]}\n"
		      "  c: {command: x, port: none}\n",
		      "2:26+1: there is no service 'b'\n"
		      "2:29+3: '*' would let any page in; name the services whose pages they are\n"
		      "2:34+1: port '0' is not in 1-65535\n"
		      "2:37+11: 'https://a/b' is no origin; scheme and host alone, as in "
		      "https://app.example:8443\n"
		      "2:50+1: 'c' has no port, and so no pages (port: none)\n");
	assert_faults("services:\n  a: {command: x, depends_on: {b: {condition: raedy}}}\n"
		      "  b: {command: y}\n",
		      "2:47+5: 'condition' takes started, ready or completed, not 'raedy'; did you "
		      "mean 'ready'?\n");
	assert_service_faults(
		"    command: x\n    environment: {1A: x, 'B C': y}\n",
		"4:23+1: '1A' is no name for a variable; letters, digits and '_', no "
		"digit first\n"
		"4:33+1: 'B C' is no name for a variable; letters, digits and '_', no "
		"digit first\n");
	assert_service_faults("    command: x\n    environment: [A=1, A=2]\n",
			      "4:24+3: the variable 'A' comes twice\n");
	assert_service_faults(
		"    command: x\n    cors: {variable: 1X}\n",
		"4:22+2: 'variable' takes the name of a variable such as CORS_ORIGINS, "
		"not '1X'\n");
}

static void placeholders_that_nobody_can_fill_in_are_told(void **state)
{
	assert_faults("services:\n"
		      "  a:\n"
		      "    command: run {prot} {b.ulr}\n"
		      "    environment: {A: \"x {w.port}\", B: \"{b.port.wss} {b.url.ws}\"}\n"
		      "  b: {command: x, ports: {ws: 1}, scheme: none}\n"
		      "  w: {command: \"x {port}\", port: none}\n",
		      "3:18+6: nothing is called '{prot}' here; did you mean '{port}'?\n"
		      "3:25+7: nothing is called '{b.ulr}' here; did you mean '{b.url}'?\n"
		      "4:25+8: 'w' has no port (port: none)\n"
		      "4:40+12: 'b' has no port 'wss'\n"
		      "4:53+10: 'b' has no URL (scheme: none)\n"
		      "6:19+6: 'w' has no port (port: none)\n");
	assert_service_faults("    command: |\n      one\n      two {print}\n",
			      "5:11+7: nothing is called '{print}' here; for the braces themselves "
			      "write '{{print}}'\n");
	assert_service_faults(
		"    command: x\n    ready: http /{x}\n    links: {a: '/{y}'}\n",
		"4:18+3: nothing is called '{x}' here; for the braces themselves write "
		"'{{x}}'\n"
		"5:18+3: nothing is called '{y}' here; for the braces themselves write "
		"'{{y}}'\n");
	assert_service_faults("    command: x\n    working_dir: ${A\n",
			      "4:18+3: '${A' has no closing brace; ${NAME}, ${NAME:-text} or "
			      "${NAME:?text}; '$$' is a dollar\n");
}

static void keys_that_go_not_together_are_told(void **state)
{
	assert_service_faults("    port: 1\n", "2:3+3: the service 'web' has no command\n");
	assert_service_faults(
		"    command: x\n    port: 1\n    ports: {a: 2}\n",
		"5:12+6: 'ports' goes not with 'port'; one port is 'port', several are "
		"'ports'\n");
	assert_service_faults("    command: x\n    ready: tcp\n    healthcheck: {test: tcp}\n",
			      "5:18+11: 'healthcheck' goes not with 'ready'; both say when it is "
			      "ready: keep one\n");
	assert_service_faults(
		"    command: x\n    restart: on-failure:2\n    restart_limit: 3/1s\n",
		"5:20+4: 'restart_limit' goes not with on-failure:N; both say how often "
		"it is restarted: keep one\n");
	assert_service_faults("    command: x\n    port: none\n    live: tcp\n    range: 1-2\n",
			      "5:11+3: such a check needs a port; 'web' has port: none\n"
			      "6:12+3: 'range' needs a port; 'web' has port: none\n");
	assert_service_faults(
		"    command: x\n    port: none\n    ready: http /\n    outside: true\n",
		"5:12+6: such a check needs a port; 'web' has port: none\n"
		"6:14+4: 'outside' needs a port; 'web' has port: none\n");
	assert_service_faults(
		"    command: x\n    instances: 2\n    workers: 2\n    strict: true\n",
		"5:14+1: 'workers' goes not with 'instances'; workers share one port, "
		"instances have a port each\n"
		"6:13+4: 'strict' with 2 instances: only one can have the wish; "
		"'workers' share one port\n");
	assert_service_faults(
		"    command: x\n    stop_signal: KILL\n    backoff: 1m\n",
		"4:18+4: SIGKILL does not ask, and leaves no time to end; "
		"stop_grace_period: 0 sends it after the stop signal\n"
		"5:14+2: 'backoff' is longer than 'backoff_max'; the first delay, and "
		"the longest one\n");
	assert_service_faults("    command: x\n    stop_signal: STOP\n",
			      "4:18+4: SIGSTOP ends nothing\n");
	assert_service_faults(
		"    command: x\n    ready: http\n    live: listen\n",
		"4:12+4: 'http' needs a PATH; 'http /health'\n"
		"5:11+6: 'listen' tells when a service is ready, not whether it is still "
		"alive; tcp, 'http PATH' or 'exec COMMAND'\n");
}

static void clashes_are_told(void **state)
{
	assert_faults(
		"services:\n  a: {command: x, depends_on: [b]}\n  b: {command: x, depends_on: [c]}\n"
		"  c: {command: x, depends_on: [d, a]}\n  d: {command: x}\n",
		"4:35+1: these wait for each other: a -> b -> c -> a\n");
	assert_faults(
		"services:\n  a: {command: x, port: 9000}\n  b: {command: x, port: [9000, 9001]}\n",
		"3:26+4: 'a' and 'b' both wish 9000; the first is in line 2\n");
	assert_faults(
		"services:\n  a: {command: x, ports: {p: 1, q: 2}}\n  b: {command: x, port: 2}\n",
		"3:25+1: 'a:q' and 'b' both wish 2; the first is in line 2\n");
	assert_faults(
		"services:\n  a: {command: x, ports: {ws: 1, b: 2}}\n  a-ws: {command: x, port: 5}\n",
		"2:31+1: the port 'ws' of 'a' and the service 'a-ws' would have the same "
		"variables; call one of them something else\n");
	assert_faults("services: {a: {command: x}}\nprofiles:\n  p: {range: 1000-2000}\n"
		      "  q: {range: 2000-3000}\n",
		      "4:3+1: the ranges of the profiles 'p' and 'q' overlap (1000-2000, "
		      "2000-3000)\n");
	assert_faults(
		"services: {a: {command: x, instances: 3}, b: {command: y, port: none}}\n"
		"profiles:\n  p: {range: 1000-1001}\n",
		"3:3+1: the range of the profile 'p' has 2 numbers, and its services need 3\n");
	assert_faults(
		"services:\n  a: {command: x, profiles: [q]}\n"
		"  b: {command: 'echo {c.port}', profiles: [p], depends_on: [a]}\n"
		"  c: {command: x, instances: 3, profiles: [q]}\n"
		"  d: {command: x, profiles: [q]}\n"
		"profiles:\n  p: {range: 1000-1000}\n",
		"7:3+1: the range of the profile 'p' has 1 number, and its services need 5\n");
	assert_faults(
		"services:\n  a: {command: x, port: 1500}\nprofiles:\n  p: {range: 1000-2000}\n",
		"2:25+4: 'a' wishes 1500, which the profile 'p' keeps for itself (1000-2000)\n");
	assert_faults("services: {a: {command: x}}\nprofiles: {P: }\n",
		      "2:12+1: 'P' is no name for a profile; did you mean 'p'?\n");
}

static void what_never_ends_is_waited_for_by_nobody(void **state)
{
	assert_faults("services:\n  a: {command: x, depends_on: {b: {condition: completed}}}\n"
		      "  b: {command: y, restart: always}\n",
		      "2:32+1: 'b' is never completed: it is always started again; restart: "
		      "on-failure, for 'b'\n");
}

static void what_never_meets_does_not_clash(void **state)
{
	struct berth_manifest manifest = { 0 };
	struct berth_faults faults = { 0 };
	static const char text[] = "services:\n"
				   "  a: {command: x, port: 9000, profiles: [dev]}\n"
				   "  b: {command: x, port: 9000, profiles: [test]}\n"
				   "  c: {command: x, port: 53}\n"
				   "  d: {command: x, port: 53/udp}\n"
				   "  e: {command: x, port: 1500, profiles: [test]}\n"
				   "profiles: {test: {range: 1000-2000}}\n";

	assert_int_equal(berth_manifest_parse(text, strlen(text), &faults, &manifest), 0);
	assert_int_equal(manifest.service_count, 5);
	berth_manifest_deinit(&manifest);
}

static void files_that_are_none_are_told(void **state)
{
	assert_faults("", "1:1+0: the file is empty; services: {web: {command: ...}}\n");
	assert_faults("- a\n", "1:1+1: this is no map of keys; services: {web: {command: ...}}\n");
	assert_faults("services:\n", "1:1+8: 'services' has no value; it takes a map from names to "
				     "services\n");
	assert_faults("services: {}\n", "1:11+2: there is no service\n");
	assert_faults("services: {a: x y}\n",
		      "1:15+3: the service 'a' takes a map of keys; command: x y\n");
	assert_faults("services: {a: {command: x}}\na: b: c\n",
		      "2:5+1: invalid nested block mapping on the same line\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_keys_are_told_with_the_closest_word),
		cmocka_unit_test(values_of_another_type_are_told),
		cmocka_unit_test(an_unquoted_placeholder_is_told),
		cmocka_unit_test(ports_that_are_none_are_told),
		cmocka_unit_test(names_that_nobody_has_are_told),
		cmocka_unit_test(placeholders_that_nobody_can_fill_in_are_told),
		cmocka_unit_test(keys_that_go_not_together_are_told),
		cmocka_unit_test(clashes_are_told),
		cmocka_unit_test(what_never_ends_is_waited_for_by_nobody),
		cmocka_unit_test(what_never_meets_does_not_clash),
		cmocka_unit_test(files_that_are_none_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
