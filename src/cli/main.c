/* SPDX-License-Identifier: MIT */
/* cli/main.c - from argv to an exit code: find the command, parse, run, report */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/preferences.h"

struct top_args {
	bool version;
};

static const struct berth_opt top_opts[] = {
	{ 0, "version", NULL, BERTH_AT(FLAG, struct top_args, version), "print the version" },
	{ 0 },
};

/* What may stand in front of the command: it is parsed like a command whose operands are one. */
static const struct berth_cmd top = {
	.opts = top_opts,
	.args_size = sizeof(struct top_args),
	.max = -1,
	.command_rest = true,
};

/*
 * A descriptor 0, 1 or 2 that is closed would be given to the next socket, which then gets what is
 * printed. It is filled with one that fails in the same way: EBADF.
 */
static void hold_standard_fds(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static void do_nothing(int signum)
{
	(void)signum;
}

/*
 * Where RLIMIT_FSIZE is reached, a write shall fail (EFBIG) and be told of as any other. By a
 * handler: what we start has the default again, after execve(2).
 */
static void hear_of_long_files(void)
{
	struct sigaction action = { .sa_handler = do_nothing, .sa_flags = SA_RESTART }, before;

	if (sigaction(SIGXFSZ, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
		sigaction(SIGXFSZ, &action, NULL);
}

static void begin_output(struct berth_cli *cli)
{
	struct berth_out_options options = {
		.json = cli->common.json,
		.quiet = cli->common.quiet,
		.verbose = cli->common.verbose,
		.no_color = cli->common.no_color,
		.colour = cli->settings.colour,
	};

	berth_out_init(&cli->out, stdout, stderr, &options);
}

static int change_folder(const char *folder, struct berth_err *err)
{
	char buf[256];
	int r;

	if (!folder || chdir(folder) == 0)
		return 0;
	r = -errno;
	berth_err_errno(err, r, "cannot change to '%s'",
			berth_str_printable(folder, (size_t)-1, buf, sizeof(buf)));
	err->code = BERTH_ERR_USAGE;
	return r;
}

static int run_command(struct berth_cli *cli, const struct berth_cmd *cmd, const char *const *words,
		       struct berth_err *err)
{
	BERTH_AUTO_FREE void *args = calloc(1, cmd->args_size ? cmd->args_size : 1);
	struct berth_preferences_fault fault = { 0 };
	int r, preferences = 0;

	if (!args)
		return berth_err_errno(err, -ENOMEM, "cannot start 'berth %s'", cmd->name);
	cli->cmd = cmd;
	/*
	 * For the width of text on a terminal; what only starts another command has none, and is in
	 * a hurry.
	 */
	if (!cmd->command_rest)
		(void)setlocale(LC_CTYPE, "");
	r = berth_opt_parse(cmd, words, &cli->common, args, &cli->operands, err);
	if (r == 0 && !cmd->hidden)
		preferences = berth_preferences_load(cli, &fault);
	begin_output(cli);
	if (r == 0 && preferences < 0 && !cli->common.help)
		r = berth_preferences_refuse(cli, &fault, err);
	berth_preferences_fault_deinit(&fault);
	if (r < 0) {
		berth_opt_deinit(cmd, args, &cli->operands);
		return r;
	}
	if (cli->common.help)
		r = berth_help_print(&cli->out, berth_commands, cmd, err);
	else
		r = change_folder(cli->common.folder, err);
	if (r == 0 && !cli->common.help)
		r = cmd->run(cli, args, err);
	berth_opt_deinit(cmd, args, &cli->operands);
	return r;
}

/* `berth` alone, or with nothing but options. */
static int no_command(struct berth_cli *cli, const struct top_args *args, struct berth_err *err)
{
	int r;

	if (args->version)
		return run_command(cli, &berth_cmd_version, (const char *const[]){ NULL }, err);
	begin_output(cli);
	if (cli->common.help)
		return berth_help_print(&cli->out, berth_commands, NULL, err);
	if (cli->common.json) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "no command given");
		berth_err_hint(err, "'berth help --json' lists them");
		return -EINVAL;
	}
	r = berth_help_print_message(&cli->out, berth_commands, err);
	return r < 0 ? r : berth_err_code_exit(BERTH_ERR_USAGE);
}

static int dispatch(struct berth_cli *cli, const char *const *words, struct berth_err *err)
{
	struct berth_opt_list rest = { 0 };
	struct top_args args = { 0 };
	const struct berth_cmd *cmd;
	int r;

	r = berth_opt_parse(&top, words, &cli->common, &args, &rest, err);
	begin_output(cli);
	if (r < 0)
		return r;
	if (rest.count == 0 || args.version) {
		r = no_command(cli, &args, err);
	} else {
		cmd = berth_commands_find(rest.items[0]);
		r = cmd ? run_command(cli, cmd, rest.items + 1, err)
			: berth_commands_unknown(rest.items[0], err);
	}
	berth_opt_deinit(&top, &args, &rest);
	return r;
}

/* As "berth-open" it is what BROWSER can be set to where a command may be one word only. */
static bool is_berth_open(const char *name)
{
	const char *slash = name ? strrchr(name, '/') : NULL;

	return name && strcmp(slash ? slash + 1 : name, "berth-open") == 0;
}

int main(int argc, char *argv[])
{
	const char *const *words = (const char *const *)argv + (argc > 0);
	struct berth_cli cli = { 0 };
	struct berth_err err = { 0 };
	int r;

	hold_standard_fds();
	hear_of_long_files();
	if (is_berth_open(argv[0]))
		r = run_command(&cli, &berth_cmd_open, words, &err);
	else
		r = dispatch(&cli, words, &err);
	if (r < 0) {
		if (err.code == BERTH_ERR_NONE)
			berth_err_errno(&err, r, "berth failed");
		if (err.code == BERTH_ERR_USAGE && !*err.hint)
			berth_err_hint(&err, "try 'berth%s%s --help'", cli.cmd ? " " : "",
				       cli.cmd ? cli.cmd->name : "");
		r = cli.error_exit ? cli.error_exit : berth_err_code_exit(err.code);
		berth_out_error(&cli.out, &err, r);
	}
	r = berth_out_finish(&cli.out, r);
	berth_out_deinit(&cli.out);
	berth_settings_deinit(&cli.settings);
	return r;
}
