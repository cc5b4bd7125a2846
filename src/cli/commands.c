/* SPDX-License-Identifier: MIT */
/* cli/commands.c - the commands of berth, and what to say of a word that is none */
#include "cli/commands.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"

/* clang-format off */
const struct berth_cmd *const berth_commands[] = {
#define X(name) &berth_cmd_##name,
	BERTH_COMMANDS(X)
#undef X
	NULL,
};
/* clang-format on */

/* Words of other tools that mean exactly one of ours: they work, without a word about it. */
static const struct {
	const char *word;
	const struct berth_cmd *cmd;
} aliases[] = {
	{ "list", &berth_cmd_ls },
	{ "ps", &berth_cmd_ls },
};

/*
 * Words that people try, and the nearest thing that berth has. By pointer, so that none can be
 * named that does not exist.
 */
static const struct {
	const char *word;
	const struct berth_cmd *cmd;
	const char *arguments; /* with a blank before them */
	const char *does;
} substitutes[] = {
	{ "start", &berth_cmd_run, " -d COMMAND", "starts a service in the background" },
	{ "serve", &berth_cmd_run, " COMMAND", "starts a service" },
	{ "dev", &berth_cmd_run, " npm run dev", "starts a script of package.json" },
	{ "take", &berth_cmd_run, " COMMAND", "holds a port while COMMAND lives" },
	{ "find", &berth_cmd_scan, " --count 1", "prints a free port" },
	{ "kill", &berth_cmd_stop, " SERVICE", "ends a service and all it started" },
	{ "end", &berth_cmd_stop, " SERVICE", "ends a service and all it started" },
	{ "rm", &berth_cmd_stop, " SERVICE", "ends a service; nothing of it stays" },
	{ "remove", &berth_cmd_stop, " SERVICE", "ends a service; nothing of it stays" },
	{ "delete", &berth_cmd_stop, " SERVICE", "ends a service; nothing of it stays" },
	{ "release", &berth_cmd_stop, " PORT", "ends the service of berth that has it" },
	{ "restart-all", &berth_cmd_restart, " SERVICE...", "restarts services" },
	{ "reload", &berth_cmd_restart, " --rolling SERVICE", "restarts it one after the other" },
	{ "workers", &berth_cmd_scale, " SERVICE=N", "changes how many there are" },
	{ "await", &berth_cmd_wait, " SERVICE", "returns when it is ready" },
	{ "log", &berth_cmd_logs, " SERVICE", "shows what a service in the background says" },
	{ "tail", &berth_cmd_logs, " -f SERVICE", "shows what it says from now on" },
	{ "output", &berth_cmd_logs, " SERVICE", "shows what a service in the background says" },
	{ "whose", &berth_cmd_who, " PORT", "tells who holds a port" },
	{ "lsof", &berth_cmd_who, " PORT", "tells who holds a port" },
	{ "fuser", &berth_cmd_who, " PORT", "tells who holds a port" },
	{ "ss", &berth_cmd_who, " PORT", "tells who holds a port" },
	{ "netstat", &berth_cmd_who, " PORT", "tells who holds a port" },
	{ "ports", &berth_cmd_ls, " -m", "has every listening port of this machine" },
	{ "services", &berth_cmd_ls, "", "has what berth started" },
	{ "top", &berth_cmd_ls, " --watch", "has what berth started, and each change" },
	{ "watch", &berth_cmd_ls, " --watch", "shows each change of what runs" },
	{ "inspect", &berth_cmd_status, " SERVICE", "has all that is known of a service" },
	{ "show", &berth_cmd_status, " SERVICE", "has all that is known of a service" },
	{ "info", &berth_cmd_status, " SERVICE", "has all that is known of a service" },
	{ "shell", &berth_cmd_exec, " -- sh", "is a shell in a copy's view" },
	{ "browse", &berth_cmd_open, " SERVICE", "opens its page" },
	{ "check", &berth_cmd_doctor, "", "checks this machine" },
};

enum {
	WORD_SHOWN = 64
};

const struct berth_cmd *berth_commands_find(const char *word)
{
	for (size_t i = 0; berth_commands[i]; i++)
		if (strcmp(berth_commands[i]->name, word) == 0)
			return berth_commands[i];
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(aliases); i++)
		if (strcmp(aliases[i].word, word) == 0)
			return aliases[i].cmd;
	return NULL;
}

static const char *closest_command(const char *word)
{
	const char *names[BERTH_ARRAY_SIZE(berth_commands)];
	size_t count = 0;

	for (size_t i = 0; berth_commands[i]; i++)
		if (!berth_commands[i]->hidden)
			names[count++] = berth_commands[i]->name;
	names[count] = NULL;
	return berth_str_closest(word, names);
}

int berth_commands_unknown(const char *word, struct berth_err *err)
{
	const char *closest = closest_command(word);
	char buf[WORD_SHOWN];
	uint16_t port;

	berth_str_printable(word, (size_t)-1, buf, sizeof(buf));
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "there is no command '%s'", buf);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(substitutes); i++) {
		if (strcmp(substitutes[i].word, word) != 0)
			continue;
		berth_err_hint(err, "'berth %s%s' %s", substitutes[i].cmd->name,
			       substitutes[i].arguments, substitutes[i].does);
		return -EINVAL;
	}
	if (closest)
		berth_err_hint(err, "did you mean 'berth %s'?", closest);
	else if (berth_parse_port(word, &port) == 0)
		berth_err_hint(err, "'berth who %u' tells who holds that port", port);
	else if (*word)
		berth_err_hint(err,
			       "to start a program: 'berth run %s'; all commands: 'berth --help'",
			       buf);
	else
		berth_err_hint(err, "all commands: 'berth --help'");
	return -EINVAL;
}
