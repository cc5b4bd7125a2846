/* SPDX-License-Identifier: MIT */
/* cli/cmd-free.c - berth free: end whoever holds a port */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/free.h"
#include "base/str.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/freeing.h"
#include "cli/services.h"

enum {
	RANGES_MAX = 256,
	WORDS_SIZE = 200,
};

struct free_args {
	bool dry_run, yes, force, udp;
	int64_t grace_ms, wait_ms;
};

static const struct berth_opt free_opts[] = {
	{ 'n', "dry-run", NULL, BERTH_AT(FLAG, struct free_args, dry_run),
	  "print what would be done, and do nothing" },
	{ 'y', "yes", NULL, BERTH_AT(FLAG, struct free_args, yes),
	  "do not ask; without a terminal, end what is not of this project too" },
	{ 0, "force", NULL, BERTH_AT(FLAG, struct free_args, force),
	  "also what another user has, process 1, sshd, what berth runs below, and containers" },
	{ 'u', "udp", NULL, BERTH_AT(FLAG, struct free_args, udp), "free it for UDP too" },
	{ 0, "grace", "TIME", BERTH_AT(DURATION, struct free_args, grace_ms),
	  "from SIGTERM to SIGKILL; a service of berth has its own", .preset = "10s",
	  .max = BERTH_CLI_WAIT_MAX_MS },
	{ 0, "wait", "TIME", BERTH_AT(DURATION, struct free_args, wait_ms),
	  "how long to wait for the port when all have ended", .preset = "5s",
	  .max = BERTH_CLI_WAIT_MAX_MS },
	{ 0 },
};

/* --- operands --- */

static int no_port(const char *word, struct berth_err *err)
{
	char shown[64];

	berth_str_printable(word, (size_t)-1, shown, sizeof(shown));
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' is no port and no range", shown);
	if (*word >= 'a' && *word <= 'z')
		berth_err_hint(err, "'berth stop %s' ends a service by its name", shown);
	else
		berth_err_hint(err, "8080, a range 5000-5010, or a list 80,443");
	return -EINVAL;
}

/* "80,443 5000-5010" */
static int read_operands(const struct berth_opt_list *operands, struct berth_range *ranges,
			 size_t *ret_count, struct berth_err *err)
{
	size_t count = 0;

	for (size_t i = 0; i < operands->count; i++) {
		BERTH_AUTO_FREE char *copy = strdup(operands->items[i]);
		char *rest = copy, *word;

		if (!copy)
			return berth_err_errno(err, -ENOMEM, "cannot read the ports");
		while ((word = strsep(&rest, ","))) {
			if (count == RANGES_MAX)
				return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
						     "more than %d ports and ranges", RANGES_MAX);
			if (berth_range_parse(word, &ranges[count++]) < 0)
				return no_port(word, err);
		}
	}
	*ret_count = count;
	return 0;
}

/* --- what is printed --- */

static const char *words_of(const struct berth_cli *cli, char *buf, size_t size)
{
	return berth_str_quote_argv(cli->operands.items, buf, size);
}

static int print_document(struct berth_cli *cli, const struct free_args *args,
			  const struct berth_free *all, bool is_free, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *document =
		json_pack("{s:i,s:b,s:b,s:o}", "version", 1, "dry_run", args->dry_run, "free",
			  is_free, "holders", berth_free_document(all, args->grace_ms));

	if (!document)
		return berth_err_errno(err, -ENOMEM, "cannot make the document");
	berth_out_json(&cli->out, document);
	return 0;
}

/* Exit as the act itself would. */
static int dry_run(struct berth_cli *cli, const struct free_args *args,
		   const struct berth_free *all, struct berth_err *err)
{
	bool all_end = berth_freeing_count(all, BERTH_FREE_END) == all->plan.entry_count;
	const struct berth_look_socket *rest = berth_free_find_rest(all);
	char words[WORDS_SIZE];
	int r = 0;

	if (cli->out.json)
		r = print_document(cli, args, all, !all->plan.entry_count && !rest, err);
	else if (!all->plan.entry_count && !rest)
		berth_out_say(&cli->out, "nobody holds %s", words_of(cli, words, sizeof(words)));
	else
		berth_freeing_print(&cli->out, all, args->grace_ms);
	if (rest && !cli->out.json)
		berth_out_result(&cli->out,
				 "%u  a closed connection  over by itself within a minute\n",
				 berth_addr_port(&rest->local));
	return r < 0 ? r : !all_end || rest;
}

/* --- the question --- */

static bool confirm(struct berth_cli *cli, const struct free_args *args,
		    const struct berth_free *all)
{
	size_t count = berth_freeing_count(all, BERTH_FREE_END);
	char question[64];

	berth_freeing_show(&cli->out, all, args->grace_ms);
	if (count == 1)
		snprintf(question, sizeof(question), "end it? [y/N]");
	else
		snprintf(question, sizeof(question), "end these %zu? [y/N]", count);
	return berth_ask(&cli->out, question, "yn", 'n') == 'y';
}

/* --- the act --- */

static int end_holders(struct berth_cli *cli, const struct free_args *args, struct berth_free *all,
		       struct berth_err *err)
{
	const struct berth_free_spec spec = { .grace_ms = args->grace_ms,
					      .wait_ms = args->wait_ms,
					      .watch_ms = BERTH_FREE_WATCH_MS,
					      .by = "free" };
	char words[WORDS_SIZE];
	int r = berth_free_end(all, &spec, err);

	berth_freeing_say(&cli->out, all);
	if (r == 0 && berth_freeing_count(all, BERTH_FREE_NEVER) +
				      berth_freeing_count(all, BERTH_FREE_NEEDS_FORCE) +
				      berth_freeing_count(all, BERTH_FREE_NEEDS_YES) >
			      1)
		berth_freeing_say_left(&cli->out, all);
	if (r == 0)
		r = berth_freeing_refuse(all, args->force, cli->operands.items, err);
	if (r < 0 && cli->out.json)
		berth_out_error_extra(&cli->out, "holders",
				      berth_free_document(all, args->grace_ms));
	if (r < 0)
		return r;
	if (cli->out.json)
		return print_document(cli, args, all, true, err);
	if (!all->plan.entry_count)
		berth_out_say(&cli->out, "nobody holds %s", words_of(cli, words, sizeof(words)));
	return 0;
}

static int decide(struct berth_cli *cli, const struct free_args *args, struct berth_free *all,
		  struct berth_err *err)
{
	bool ask = !args->yes && !args->dry_run && berth_ask_can(&cli->out);

	berth_free_plan_judge(&all->scene, &all->plan, args->yes || ask, args->force);
	if (args->dry_run)
		return dry_run(cli, args, all, err);
	if (ask && berth_freeing_count(all, BERTH_FREE_END) && !confirm(cli, args, all)) {
		berth_out_say(&cli->out, "nothing was ended");
		return 1;
	}
	return end_holders(cli, args, all, err);
}

static int run_free(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct free_args *args = arguments;
	struct berth_range ranges[RANGES_MAX];
	struct berth_free_query query = { .ranges = ranges, .tcp = true, .udp = args->udp };
	struct berth_services services;
	struct berth_free all;
	int r = read_operands(&cli->operands, ranges, &query.count, err);

	if (r < 0)
		return r;
	r = berth_services_load_anywhere(&services, err);
	if (r < 0)
		return r;
	query.registry = &services.registry;
	query.records = services.records;
	r = berth_free_look(&query, &all, err);
	if (r == 0) {
		r = decide(cli, args, &all, err);
		berth_free_deinit(&all);
	}
	berth_services_deinit(&services);
	return r;
}

const struct berth_cmd berth_cmd_free = {
	.name = "free",
	.synopsis = "[options] PORT | RANGE...",
	.summary = "end whoever holds a port",
	.details =
		"A service of berth is stopped with all that it started; any other process gets SIGTERM, and SIGKILL when the grace "
		"period is over, it alone. Returns when the port can be bound: also what is left of a closed connection (TIME_WAIT) "
		"is waited for, where bind() fails by it. Each process is checked again before each signal. Clients of the port are "
		"never touched.\n"
		"\n"
		"On a terminal it shows who that is and asks. Elsewhere it ends what is berth's or of this project, and for "
		"anything else fails with the command that would. What another user has, process 1, sshd, the shells above berth and "
		"containers need --force.\n"
		"\n"
		"Exit 0: the ports are free, whether or not somebody was there. Exit 1: somebody was left alone, or is back. Exit "
		"124: not free in time.",
	.opts = free_opts,
	.args_size = sizeof(struct free_args),
	.min = 1,
	.max = -1,
	.group = BERTH_CMD_CHANGE,
	.complete = BERTH_COMPLETE_PORT,
	.run = run_free,
};
