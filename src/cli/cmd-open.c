/* SPDX-License-Identifier: MIT */
/* cli/cmd-open.c - berth open: open a service's page in the user's browser */
#include <errno.h>
#include <string.h>

#include "app/control.h"
#include "app/find.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/services.h"

enum {
	ANSWER_MS = 5000
};

static bool is_url(const char *text)
{
	return strstr(text, "://") != NULL;
}

/*
 * From inside of a service (BROWSER points to us): its own supervisor opens the page, outside of
 * the tree.
 */
static int open_from_inside(const char *url, struct berth_err *err)
{
	const char *name = getenv("BERTH_SOCKET");
	BERTH_AUTO_JSON json_t *request = json_pack("{s:s,s:s}", "do", "open", "url", url);
	BERTH_AUTO_JSON json_t *answer = NULL;
	BERTH_AUTO_FD int fd = name ? berth_control_connect(name) : -ENOENT;

	if (fd < 0) {
		berth_err_set(err, fd, BERTH_ERR_NOT_FOUND, "no service to open '%s' for", url);
		berth_err_hint(err, "berth open SERVICE opens the page of one that runs");
		return fd;
	}
	return berth_control_ask(fd, request, -1, ANSWER_MS, &answer, err);
}

static int open_service(const char *operand, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *request = NULL;
	BERTH_AUTO_JSON json_t *answer = NULL;
	struct berth_services services;
	json_t *record;
	char url[64];
	int r = berth_services_load(&services, err);

	if (r < 0)
		return r;
	r = berth_services_one(&services, operand, &record, err);
	if (r == 0) {
		berth_services_url(berth_registry_service(record), url, sizeof(url));
		if (!is_url(url))
			r = berth_err_set(
				err, -ENOENT, BERTH_ERR_NOT_FOUND, "'%s' has no page",
				berth_json_string(berth_registry_service(record), "label", "?"));
	}
	if (r == 0) {
		request = json_pack("{s:s,s:s}", "do", "open", "url", url);
		r = berth_find_ask(record, request, ANSWER_MS, &answer, err);
	}
	berth_services_deinit(&services);
	return r;
}

static int run_open(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const char *operand = cli->operands.count ? cli->operands.items[0] : NULL;

	return operand && is_url(operand) ? open_from_inside(operand, err)
					  : open_service(operand, err);
}

const struct berth_cmd berth_cmd_open = {
	.name = "open",
	.synopsis = "[SERVICE | PORT | URL]",
	.summary = "open a service's page in the browser",
	.details =
		"The browser is the user's own (xdg-open, or BERTH_BROWSER), started outside of the service, so that it stays when "
		"the service is stopped. Services find this command in BROWSER.",
	.max = 1,
	.group = BERTH_CMD_LOOK,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_open,
};
