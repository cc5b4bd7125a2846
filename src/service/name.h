/* SPDX-License-Identifier: MIT */
/* service/name.h - what to call a service without a name: rules over its command line */
#pragma once

#include "base/attr.h"

#include <stdbool.h>

enum {
	BERTH_NAME_MAX = 64, /* with NUL: [a-z][a-z0-9-]{0,62} */
};

/* Does @text match [a-z][a-z0-9-]{0,62}? */
bool berth_name_is_valid(const char *text);
/*
 * Make a name of any text: lower case, runs of other characters to one '-', none at the ends, no
 * digits in front, cut; "service" if nothing is left.
 */
void berth_name_from(const char *text, char ret_name[BERTH_NAME_MAX]);

/*
 * @package: the "name" of package.json in the working folder, or NULL; @folder: path or name of
 * that folder, or NULL. First match wins, each a row of a table, options being passed over:
 *
 *   npm|pnpm|yarn|bun run X        X; yarn|pnpm X, npm start|test the same; bun FILE its stem
 *   npx|bunx|uvx X, pipx|uv|poetry run X, bundle exec X, npm exec X     X by these rules
 *   env|nohup|sudo ... [A=B] X     X by these rules
 *   sh -c "A=B cd x && X ..."      X by these rules: the first command that is no preparation
 *   python -m http.server          http-server, but the module by these rules where they know it
 *   python|node|ruby|perl|php|deno run|bash FILE     its stem
 *   go run ./cmd/api               api; go run . and cargo run: the folder; cargo run --bin X: X
 *   java -jar .jar            X; java com.acme.X: X
 *   uvicorn|gunicorn|hypercorn pkg.app:app           pkg
 *   docker run --name X            X
 *   anything else                  the stem of argv[0]: ./bin/api.sh is api
 *
 * Version suffixes of programs (python3.11, vite@5) are seen through. Stems that say nothing
 * (index, main, app, server, src, cli, __main__) give way to @package, else to @folder, else stay.
 */
void berth_name_guess(const char *const *argv, const char *package, const char *folder,
		      char ret_name[BERTH_NAME_MAX]);
