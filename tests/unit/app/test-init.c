/* SPDX-License-Identifier: MIT */
/* unit/app/test-init.c - a first berth.yaml, from what a project has already */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../own-folder.h"
#include "app/init.h"

static char folder[OWN_FOLDER_SIZE];

/* The services of @yaml, without what stands above and below them. */
static char *services_of(const char *yaml)
{
	const char *begin = strstr(yaml, "services:\n"), *end = strstr(yaml, "\n# What else");

	assert_non_null(begin);
	assert_non_null(end);
	begin += strlen("services:\n");
	return strndup(begin, (size_t)(end - begin));
}

static void each_project_has_its_services(void **state)
{
	static const struct {
		struct own_file files[10];
		const char *from; /* of --from */
		const char *services, *notes, *told;
	} rows[] = {
		{ { { "package.json", "{\"scripts\": {\"dev\": \"vite\"}}" } },
		  NULL,
		  "  dev:\n    command: npm run dev\n    port: 5173 # Vite\n",
		  "",
		  "package.json" },
		{ { { "package.json", "{\"scripts\": {\"start\": \"node x.js\"}}" },
		    { "yarn.lock", "" } },
		  NULL,
		  "  start:\n    command: yarn run start\n    # port: 3000   the number that it asks for by "
		  "itself\n",
		  "",
		  "package.json" },
		{ { { "package.json",
		      "{\"packageManager\": \"bun@1\", \"scripts\": {\"serve\": \"x --port "
		      "4000\"}}" },
		    { "yarn.lock", "" } },
		  NULL,
		  "  serve:\n    command: bun run serve\n    port: 4000 # as it says itself\n",
		  "",
		  "package.json" },
		{ { { "package.json",
		      "{\"workspaces\": [\"apps/*\"], \"scripts\": {\"dev\": \"turbo dev\"}}" },
		    { "apps/", NULL },
		    { "apps/b/", NULL },
		    { "apps/b/package.json",
		      "{\"name\": \"@shop/api\", \"scripts\": {\"dev\": \"vite\"}}" },
		    { "apps/a/", NULL },
		    { "apps/a/package.json",
		      "{\"name\": \"Web\", \"scripts\": {\"start\": \"vite\"}}" },
		    { "apps/c/", NULL },
		    { "apps/c/package.json", "{\"scripts\": {\"build\": \"vite build\"}}" } },
		  NULL,
		  "  web:\n    command: npm run start\n    working_dir: apps/a\n    port: 5173 # Vite\n"
		  "\n"
		  "  api:\n    command: npm run dev\n    working_dir: apps/b\n    port: 5174 # Vite; 5173 is "
		  "another's here\n",
		  "the script 'dev' of the root package is left out: its workspaces have their own\n",
		  "package.json" },
		{ { { "package.json", "{}" },
		    { "pnpm-workspace.yaml", "packages:\n  - a\n" },
		    { "a/", NULL },
		    { "a/package.json", "{\"scripts\": {\"dev\": \"tsc --watch\"}}" } },
		  NULL,
		  "  a:\n    command: pnpm run dev\n    working_dir: a\n    port: none\n",
		  "",
		  "package.json" },
		{ { { "package.json", "{\"scripts\": {\"dev\": \"next\"}}" },
		    { "docker-compose.yml",
		      "name: shop\nservices: {dev: {image: redis, volumes: [x]}}" } },
		  NULL,
		  "  dev:\n    command: npm run dev\n    port: 3000 # Next.js\n"
		  "\n"
		  "  dev-2:\n    command: \"docker run --rm --name {id} -p {port}:6379 redis\"\n    "
		  "stop_command: \"docker stop -t 5 {id} || docker rm -f {id}\"\n    port: 6379\n    outside: true # bound by the container engine, not by "
		  "us\n",
		  "dev: 'volumes' is left out: two copies would write to the same data; add -v to the command "
		  "where they may\n",
		  "package.json and docker-compose.yml" },
		/* These words are the templates'. */
		{ { { "package.json", "{\"workspaces\": [\"*\"]}" },
		    { "a/", NULL },
		    { "a/package.json",
		      "{\"name\": \"@shop/host\", \"scripts\": {\"dev\": \"tsc -w\"}}" } },
		  NULL,
		  "  host-2:\n    command: npm run dev\n    working_dir: a\n    port: none\n",
		  "",
		  "package.json" },
		{ { { "compose.yaml",
		      "services: {url: {image: x, stop_signal: KILL, restart: always}}" } },
		  NULL,
		  "  url-2:\n    command: \"docker run --rm --name {id} x\"\n    stop_command: \"docker stop -t 5 "
		  "{id} || docker rm -f {id}\"\n    port: none\n    restart: always\n",
		  "url: 'stop_signal' is left out: SIGKILL does not ask, and leaves no time to end\n",
		  "compose.yaml" },
		{ { { "package.json", "{\"scripts\": {\"dev\": \"next\"}}" },
		    { "compose.yaml", "services: {db: {image: redis}}" } },
		  "package",
		  "  dev:\n    command: npm run dev\n    port: 3000 # Next.js\n",
		  "",
		  "package.json" },
		{ { { "Procfile", "web_1: rails s -p $PORT {name} {port}\nworker: x\n" },
		    { ".env", "PORT=7000\n" } },
		  "procfile",
		  "  web-1:\n    command: \"rails s -p $PORT {{name}} {port}\"\n    port: 7000\n    env_file: .env\n"
		  "\n"
		  "  worker:\n    command: x\n    port: 7100\n    ready: started\n    env_file: .env\n",
		  "",
		  "Procfile" },
		{ { { "Procfile", "host: x {web.port} {port.url}\nweb: y {host.port}\nport: z\n" },
		    { ".env", "# nothing\n" } },
		  "procfile",
		  "  host-2:\n    command: \"x {web.port} {port-2.url}\"\n    port: 5000\n    ready: started\n"
		  "\n"
		  "  web:\n    command: \"y {host-2.port}\"\n    port: 5100\n"
		  "\n"
		  "  port-2:\n    command: z\n    port: 5200\n    ready: started\n",
		  "",
		  "Procfile" },
		{ { { "Procfile.dev", "web: x" } },
		  "Procfile.dev",
		  "  web:\n    command: x\n    port: 5000\n",
		  "",
		  "Procfile.dev" },
		{ { { "infra.yml", "services: {db: {image: redis}}" } },
		  "infra.yml",
		  "  db:\n    command: \"docker run --rm --name {id} -p {port}:6379 redis\"\n    "
		  "stop_command: \"docker stop -t 5 {id} || docker rm -f {id}\"\n    port: 6379\n    outside: true # bound by the container engine, not by us\n",
		  "",
		  "infra.yml" },
	};

	unsetenv("PORT");
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_init_deinit) struct berth_init init = { 0 };
		BERTH_AUTO_FREE char *services = NULL;
		struct berth_err err = { 0 };

		assert_true(own_folder_make_with(folder, rows[i].files));
		if (berth_init_make(folder, rows[i].from, &init, &err) != 0)
			fail_msg("row %zu: %s", i, err.msg);
		services = services_of(init.yaml);
		assert_string_equal(services, rows[i].services);
		assert_string_equal(init.notes, rows[i].notes);
		assert_string_equal(init.from, rows[i].told);
		assert_true(own_folder_remove(folder));
	}
}

static void where_nothing_can_be_told_that_is_said(void **state)
{
	static const struct {
		struct own_file files[4];
		const char *from;
		int r;
		const char *msg, *hint;
	} rows[] = {
		{ { { NULL } }, NULL, BERTH_INIT_E_NOTHING, "", "" },
		{ { { "package.json", "{}" } }, NULL, BERTH_INIT_E_NOTHING, "", "" },
		{ { { "package.json", "{\"scripts\": {\"build\": \"x\"}}" } },
		  NULL,
		  BERTH_INIT_E_NOTHING,
		  "",
		  "" },
		{ { { "Procfile", "web: x" },
		    { "package.json", "{\"scripts\": {\"dev\": \"x\"}}" } },
		  NULL,
		  BERTH_INIT_E_PROCFILE,
		  "",
		  "" },
		{ { { "package.json", "{" } },
		  NULL,
		  -EINVAL,
		  "package.json:1:1: string or '}' expected near end of file",
		  "" },
		{ { { "compose.yml", "a: 1" } },
		  NULL,
		  -EINVAL,
		  "compose.yml: there is no map of 'services'",
		  "" },
		{ { { "compose.yml", "services: {a: {build: .}}" } },
		  NULL,
		  -ENOENT,
		  "nothing of what is here can be translated",
		  "a: left out: it is built ('build'); write the command that starts it without a container, or "
		  "docker run of the image that you have built" },
		{ { { NULL } }, "package", -ENOENT, "there is no package.json here", "" },
		{ { { NULL } }, "procfile", -ENOENT, "there is no Procfile here", "" },
		{ { { NULL } },
		  "other.json",
		  -ENOENT,
		  "cannot read 'other.json': No such file or directory",
		  "" },
		{ { { NULL } },
		  "Makefile",
		  -EINVAL,
		  "'Makefile' is nothing that can be translated",
		  "package, compose, procfile, or a file of one of those kinds" },
		{ { { "Procfile", "web: x\nweb: y" } },
		  "procfile",
		  -EINVAL,
		  "Procfile:2:1: 'web' is there already, in line 1",
		  "each service has a name of its own, of a-z, 0-9 and '-'" },
		{ { { "Procfile", "web: x" }, { ".env", "PORT=x" } },
		  "procfile",
		  -EINVAL,
		  "PORT in '.env': 'x' is not a port (1-65535)",
		  "" },
		/* What nobody has looked at before: then it is our fault. */
		{ { { "compose.yml",
		      "services: {a: {image: x, ports: ['1:1', '2:80']}, a-p80: {image: y}}" } },
		  NULL,
		  -EINVAL,
		  "a fault of berth: it does not understand what it would write: the port 'p80' of 'a' and the "
		  "service 'a-p80' would have the same variables",
		  "call one of them something else" },
	};

	unsetenv("PORT");
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_init init = { .count = 77 };
		struct berth_err err = { 0 };

		assert_true(own_folder_make_with(folder, rows[i].files));
		if (berth_init_make(folder, rows[i].from, &init, &err) != rows[i].r)
			fail_msg("row %zu: %s", i, err.msg);
		assert_string_equal(err.msg, rows[i].msg);
		assert_string_equal(err.hint, rows[i].hint);
		assert_int_equal(init.count, 77);
		assert_true(own_folder_remove(folder));
	}
}

static void up_is_told_what_init_would_write(void **state)
{
	static const struct own_file files[] = {
		{ "package.json", "{\"scripts\": {\"dev\": \"vite\"}}" },
		{ "compose.yaml", "services: {db: {image: redis, volumes: [x]}}" },
		{ NULL, NULL },
	};
	static const struct own_file procfile[] = { { "Procfile", "web: x" }, { NULL, NULL } };
	BERTH_CLEANUP(berth_str_deinit) struct berth_str yaml = { 0 };
	BERTH_CLEANUP(berth_str_deinit) struct berth_str notes = { 0 };
	struct berth_err err = { 0 };

	assert_true(own_folder_make_with(folder, files));
	assert_int_equal(berth_init_propose(folder, &yaml, &notes, &err), 0);
	assert_non_null(strstr(berth_str_text(&yaml), "command: npm run dev\n"));
	assert_non_null(strstr(berth_str_text(&notes), "db: 'volumes' is left out"));
	assert_true(own_folder_remove(folder));
	assert_true(own_folder_make_with(folder, procfile));
	assert_int_equal(berth_init_propose(folder, &yaml, &notes, &err), BERTH_INIT_E_NOTHING);
	assert_true(own_folder_remove(folder));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_project_has_its_services),
		cmocka_unit_test(where_nothing_can_be_told_that_is_said),
		cmocka_unit_test(up_is_told_what_init_would_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
