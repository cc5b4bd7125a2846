/* SPDX-License-Identifier: MIT */
/* unit/service/test-name.c - command lines and the names that come of them */
#include "service/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
	WORDS_MAX = 24
};

/* The words of a command with one blank between; '~' stands for a blank inside of a word. */
struct row {
	const char *command;
	const char *name;
};

static const char *guess(const char *command, const char *package, const char *folder,
			 char name[BERTH_NAME_MAX])
{
	char text[512], *word, *rest = NULL;
	const char *argv[WORDS_MAX + 1] = { NULL };
	size_t count = 0;

	assert_true(strlen(command) < sizeof(text));
	strcpy(text, command);
	for (word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		assert_true(count < WORDS_MAX);
		argv[count++] = word;
		for (; *word; word++)
			if (*word == '~')
				*word = ' ';
	}
	memset(name, 'x', BERTH_NAME_MAX);
	berth_name_guess(argv, package, folder, name);
	assert_true(berth_name_is_valid(name));
	return name;
}

static void check(const struct row *rows, size_t count, const char *package, const char *folder)
{
	char name[BERTH_NAME_MAX];

	for (size_t i = 0; i < count; i++) {
		if (strcmp(guess(rows[i].command, package, folder, name), rows[i].name) != 0)
			fail_msg("'%s' gave '%s', not '%s'", rows[i].command, name, rows[i].name);
	}
}

static void commands_have_names_of_their_own(void **state)
{
	static const struct row rows[] = {
		/* package managers */
		{ "npm run dev", "dev" },
		{ "npm run dev:server", "dev-server" },
		{ "npm --prefix web run dev -- --host", "dev" },
		{ "npm -w web run dev", "dev" },
		{ "npm --workspace=web run-script dev", "dev" },
		{ "npm run build.prod", "build-prod" },
		{ "npm start", "start" },
		{ "npm test", "test" },
		{ "npm", "npm" },
		{ "npm run", "npm" },
		{ "npm exec vite", "vite" },
		{ "npm exec -- vite@5 --port 1", "vite" },
		{ "pnpm dev", "dev" },
		{ "pnpm --filter web dev", "dev" },
		{ "pnpm dlx serve dist", "serve" },
		{ "yarn dev", "dev" },
		{ "yarn workspace web run dev", "dev" },
		{ "yarn workspace", "workspace" },
		{ "yarn", "yarn" },
		{ "bun run dev", "dev" },
		{ "bun --watch api.ts", "api" },
		{ "bun run ./services/mail.ts", "mail" },
		{ "bun x vite", "vite" },
		{ "/usr/local/bin/npm run dev", "dev" },
		/* interpreters */
		{ "python -m http.server", "http-server" },
		{ "python3 -m http.server 8000", "http-server" },
		{ "python3.11 -u -W ignore -m http.server", "http-server" },
		{ "python -m flask run", "flask" },
		{ "python -m uvicorn shop.main:app", "shop" },
		{ "python -m shop.__main__", "shop" },
		{ "python -m", "python" },
		{ "python -c print(1)", "python" },
		{ "python3.11", "python" },
		{ "python -", "python" },
		{ "python face_detection_service.py", "face-detection-service" },
		{ "/opt/venv/bin/python3 -X dev ./tools/worker.py -m x", "worker" },
		{ "node api.js", "api" },
		{ "node --inspect --require ./register.js api.mjs --port 1", "api" },
		{ "node -e code", "node" },
		{ "node", "node" },
		{ "node ./dist", "dist" },
		{ "nodejs worker.js", "worker" },
		{ "tsx watch mail.ts", "mail" },
		{ "nodemon --exec ts-node mail.ts", "mail" },
		{ "deno run -A mail.ts", "mail" },
		{ "deno task dev", "dev" },
		{ "deno serve mail.ts", "mail" },
		{ "ruby -I lib web.rb", "web" },
		{ "perl -w daemon.pl", "daemon" },
		{ "php -S localhost:8000 router.php", "php" },
		{ "php8.2 artisan serve", "artisan" },
		{ "bash run-all.sh", "run-all" },
		{ "bash -eu -o pipefail deploy.sh", "deploy" },
		{ "sh", "sh" },
		/* compiled on the way */
		{ "go run ./cmd/api", "api" },
		{ "go run ./cmd/api/", "api" },
		{ "go run -race -tags x ./cmd/api -v", "api" },
		{ "go run example.com/x/cmd/mail@latest", "mail" },
		{ "go run mail.go", "mail" },
		{ "go run .", "shop" },
		{ "go test ./...", "go" },
		{ "cargo run --bin mail", "mail" },
		{ "cargo +nightly run --release --bin=mail", "mail" },
		{ "cargo r -p mail", "mail" },
		{ "cargo run -- --bin mail", "shop" },
		{ "cargo build", "cargo" },
		{ "java -jar mail.jar", "mail" },
		{ "java -Xmx1g -jar target/shop-mail-1.4.2-SNAPSHOT.jar", "shop-mail" },
		{ "java -cp a:b com.acme.MailServer", "mailserver" },
		{ "java Mail.java", "mail" },
		{ "java", "java" },
		/* what starts something else */
		{ "npx vite", "vite" },
		{ "npx -y serve@14 -l 3000", "serve" },
		{ "npx --package @acme/tool acme", "acme" },
		{ "npx @acme/mailer@latest", "mailer" },
		{ "npx npm run dev", "dev" },
		{ "npx", "npx" },
		{ "bunx vite", "vite" },
		{ "uvx --from httpie http", "http" },
		{ "pipx run mkdocs serve", "mkdocs" },
		{ "uv run mail.py", "mail" },
		{ "uv run --with x python -m http.server", "http-server" },
		{ "uv sync", "uv" },
		{ "poetry run uvicorn shop.web:app", "shop" },
		{ "bundle exec puma", "puma" },
		{ "bundle exec ruby web.rb", "web" },
		{ "env A=1 B=2 node mail.js", "mail" },
		{ "env -u A node mail.js", "mail" },
		{ "env -i node mail.js", "mail" },
		{ "env", "env" },
		{ "env A=1", "env" },
		{ "cross-env NODE_ENV=x npm run dev", "dev" },
		{ "sudo -u ann nice -n 5 nohup node mail.js", "mail" },
		{ "env env env env mail", "mail" },
		/* application servers */
		{ "uvicorn shop.main:app --port 1", "shop" },
		{ "uvicorn --host 0.0.0.0 --reload mail:api", "mail" },
		{ "gunicorn -b localhost:8000 shop.wsgi:application", "shop" },
		{ "gunicorn -k uvicorn.workers.UvicornWorker mail:api", "mail" },
		{ "gunicorn -b 127.0.0.1:8000", "gunicorn" },
		{ "hypercorn --bind unix:/tmp/x mail:api", "mail" },
		/* containers */
		{ "docker run --rm --name db -p 1:1 postgres:16", "db" },
		{ "podman run --name=db postgres", "db" },
		{ "docker run --name {id} postgres", "docker" },
		{ "docker run --name", "docker" },
		{ "docker compose up", "docker" },
		/* a shell's text */
		{ "sh -c node~mail.js", "mail" },
		{ "bash -lc exec~node~mail.js~>log", "mail" },
		{ "sh -c cd~api~&&~PORT=1~npm~run~dev", "dev" },
		{ "sh -c export~A=1;'node'~\"mail.js\"", "mail" },
		{ "sh -c ./bin/a\\~b.sh~&~x", "a-b" },
		{ "sh -c 'my~prog'~x", "my-prog" },
		{ "sh -c cd~/x", "sh" },
		{ "sh -c A=1", "sh" },
		{ "sh -c", "sh" },
		{ "sh -c sh~-c~mail", "sh" },
		{ "sh -c env~A=1~mail~2>&1~|~tee~log", "mail" },
		/* all else */
		{ "./bin/api", "api" },
		{ "./bin/mail.sh x", "mail" },
		{ "nginx -g daemon~off;", "nginx" },
		{ "redis-server", "redis-server" },
		{ "/opt/My~App/Runner", "runner" },
		{ "8080", "service" },
		{ "./.hidden", "hidden" },
		{ "/", "service" },
	};

	(void)state;
	check(rows, BERTH_ARRAY_SIZE(rows), "@acme/pack", "/home/ann/shop");
}

static const struct row empty_stems[] = {
	{ "node index.js", "index" },
	{ "python main.py", "main" },
	{ "uvicorn app:app", "app" },
	{ "uvicorn app.main:app", "app" },
	{ "./server", "server" },
	{ "node ./src/", "src" },
	{ "npx @acme/cli", "cli" },
	{ "python __main__.py", "main" },
	{ "go run ./cmd/server", "server" },
	{ "go run main.go", "main" },
	{ "bun server.ts", "server" },
	{ "sh -c node~server.js", "server" },
};

static void stems_that_say_nothing_give_way_to_package_and_folder(void **state)
{
	char name[BERTH_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(empty_stems); i++) {
		const char *command = empty_stems[i].command;

		assert_string_equal(guess(command, "@acme/web", "shop", name), "acme-web");
		assert_string_equal(guess(command, NULL, "/home/ann/shop/", name), "shop");
		assert_string_equal(guess(command, "", "shop", name), "shop");
		assert_string_equal(guess(command, NULL, NULL, name), empty_stems[i].name);
		assert_string_equal(guess(command, NULL, "", name), empty_stems[i].name);
	}
	/* A script's name is a name, whatever it is. */
	assert_string_equal(guess("npm run server", "pack", "shop", name), "server");
	assert_string_equal(guess("docker run --name app x", "pack", "shop", name), "app");
}

static void without_a_folder_its_program_stays(void **state)
{
	char name[BERTH_NAME_MAX];

	(void)state;
	assert_string_equal(guess("go run .", "pack", NULL, name), "go");
	assert_string_equal(guess("cargo run", NULL, "", name), "cargo");
	assert_string_equal(guess("", NULL, NULL, name), "service");
	assert_string_equal(guess("", NULL, "shop", name), "shop");
}

static void words_of_any_length_and_number_are_bounded(void **state)
{
	static char huge[100000];
	static const char *many[5000];
	const char *argv[4] = { "sh", "-c", huge, NULL };
	char name[BERTH_NAME_MAX];

	(void)state;
	memset(huge, 'a', sizeof(huge) - 1);
	berth_name_guess(argv, NULL, NULL, name);
	assert_int_equal(strlen(name), BERTH_NAME_MAX - 1);
	argv[0] = huge;
	argv[1] = NULL;
	berth_name_guess(argv, huge, huge, name);
	assert_int_equal(strlen(name), BERTH_NAME_MAX - 1);
	for (size_t i = 0; i < sizeof(huge) - 2; i += 2)
		memcpy(huge + i, "a ", 2);
	argv[0] = "sh";
	argv[1] = "-c";
	berth_name_guess(argv, NULL, NULL, name);
	assert_string_equal(name, "a");
	memcpy(huge, "cd ", 3);
	berth_name_guess(argv, NULL, NULL, name);
	assert_true(berth_name_is_valid(name));
	memset(huge, '\'', sizeof(huge) - 1);
	berth_name_guess(argv, NULL, NULL, name);
	assert_true(berth_name_is_valid(name));
	memset(huge, '\\', sizeof(huge) - 1);
	berth_name_guess(argv, NULL, NULL, name);
	assert_true(berth_name_is_valid(name));
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(many) - 1; i++)
		many[i] = "env";
	berth_name_guess(many, NULL, NULL, name);
	assert_string_equal(name, "env");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_have_names_of_their_own),
		cmocka_unit_test(stems_that_say_nothing_give_way_to_package_and_folder),
		cmocka_unit_test(without_a_folder_its_program_stays),
		cmocka_unit_test(words_of_any_length_and_number_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
