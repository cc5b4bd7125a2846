/* SPDX-License-Identifier: MIT */
/* cli/cmd-unpin.c - berth unpin: give up the number that was kept for a service */
#include <errno.h>

#include "app/pins.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/pins.h"

struct unpin_args {
	const char *as;
};

static const struct berth_opt unpin_opts[] = {
	{ 0, "as", "NAME", BERTH_AT(STRING, struct unpin_args, as),
	  "of the copy NAME of the stack (berth up --as)" },
	{ 0 },
};

/* Nothing of `berth pin` was there to be given up: that is the goal, unless the settings pin it. */
static int check_settled(struct berth_cli *cli, const struct berth_pins_operand *operand,
			 struct berth_err *err)
{
	const struct berth_settings *settings = &cli->settings;
	char name[BERTH_PINS_NAME_SIZE];

	for (size_t i = 0; i < settings->pin_count; i++)
		if (berth_pins_is_settled_for(&settings->pins[i], &operand->identity)) {
			berth_err_set(err, -EBUSY, BERTH_ERR_REFUSED,
				      "%s is pinned to %u in config.yaml",
				      berth_pins_operand_name(operand, name, sizeof(name)),
				      settings->pins[i].port);
			berth_err_hint(err, "take it out there");
			return -EBUSY;
		}
	berth_out_say(&cli->out, "%s was not pinned",
		      berth_pins_operand_name(operand, name, sizeof(name)));
	return 0;
}

static int run_unpin(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct unpin_args *args = arguments;
	BERTH_CLEANUP(berth_pins_operand_deinit) struct berth_pins_operand operand = { 0 };
	char name[BERTH_PINS_NAME_SIZE];
	size_t count = 0;
	int r = berth_pins_read_operand(cli->operands.items[0], args->as, &operand, err);

	if (r == 0)
		r = berth_pins_remove(&operand.identity,
				      operand.has_port_name ? operand.port_name : NULL, &count,
				      err);
	if (r == 0 && count == 0)
		r = check_settled(cli, &operand, err);
	else if (r == 0 && !cli->out.json)
		berth_out_say(&cli->out, "%s is not pinned any more",
			      berth_pins_operand_name(&operand, name, sizeof(name)));
	return r < 0 ? r : berth_pins_print_json(cli, &operand.identity, err);
}

const struct berth_cmd berth_cmd_unpin = {
	.name = "unpin",
	.synopsis = "[options] SERVICE[:NAME]",
	.summary = "give up the number that was kept for a service",
	.details =
		"With NAME, that of one port; without, those of all its ports. It is a success where nothing was pinned.",
	.opts = unpin_opts,
	.args_size = sizeof(struct unpin_args),
	.min = 1,
	.max = 1,
	.group = BERTH_CMD_CHANGE,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_unpin,
};
