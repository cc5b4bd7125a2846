/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-opt.c - any command line: parsed within its bounds, or refused in printable words */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/opt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	WORDS_MAX = 256
};

enum steer {
	STEER_ALL = 1,
	STEER_BIND,
	STEER_OFF,
};

struct args {
	bool detach;
	unsigned int count;
	const char *name;
	const char *file;
	uint16_t port;
	uint16_t step;
	int64_t grace;
	struct berth_range range;
	struct berth_opt_list ports;
	enum steer steer;
	int fd;
	int stop_signal;
	int64_t log_size;
	struct berth_value_limit limit;
};

static const char *const steer_words[] = { "all", "bind", "off", NULL };

static const struct berth_opt opts[] = {
	{ 'd', "detach", NULL, BERTH_AT(FLAG, struct args, detach), "h" },
	{ 'c', "count", NULL, BERTH_AT(COUNT, struct args, count), "h" },
	{ 'n', "name", "NAME", BERTH_AT(STRING, struct args, name), "h" },
	{ 0, "file", "FILE", BERTH_AT(STRING, struct args, file), "h", .bare = "f" },
	{ 'P', "main", "PORT", BERTH_AT(PORT, struct args, port), "h", .preset = "1" },
	{ 's', "step", "N", BERTH_AT(U16, struct args, step), "h", .preset = "1", .min = 1,
	  .max = 1000 },
	{ 'g', "grace", "TIME", BERTH_AT(DURATION, struct args, grace), "h", .preset = "10s",
	  .min = 100, .max = 60000 },
	{ 'r', "range", "LO-HI", BERTH_AT(RANGE, struct args, range), "h" },
	{ 'p', "port", "PORT", BERTH_AT(LIST, struct args, ports), "h" },
	{ 0, "steer", "WHAT", BERTH_AT(CHOICE, struct args, steer), "h", .words = steer_words,
	  .base = STEER_ALL, .preset = "all" },
	{ 0, "status-fd", "FD", BERTH_AT(FD, struct args, fd), "h" },
	{ 0, "stop-signal", "SIGNAL", BERTH_AT(SIGNAL, struct args, stop_signal), "h",
	  .preset = "TERM" },
	{ 0, "log-size", "SIZE", BERTH_AT(SIZE, struct args, log_size), "h", .min = 64 * 1024,
	  .max = 1 << 30 },
	{ 0, "restart-limit", "N/TIME", BERTH_AT(LIMIT, struct args, limit), "h", .preset = "5/10s",
	  .max = 32 },
	{ 0 },
};

static const struct berth_cmd cmds[] = {
	{ .name = "stop",
	  .synopsis = "SERVICE",
	  .opts = opts,
	  .args_size = sizeof(struct args),
	  .max = 3 },
	{ .name = "run",
	  .synopsis = "COMMAND",
	  .opts = opts,
	  .args_size = sizeof(struct args),
	  .min = 1,
	  .max = -1,
	  .command_rest = true },
};

static void require(bool holds)
{
	if (!holds)
		__builtin_trap();
}

static void check_args(const struct args *args)
{
	require(args->port >= 1);
	require(args->step >= 1 && args->step <= 1000);
	require(args->grace >= 100 && args->grace <= 60000);
	require(args->range.lo <= args->range.hi);
	require(args->steer >= STEER_ALL && args->steer <= STEER_OFF);
	require(args->fd >= -1);
	require(args->stop_signal > 0 && args->stop_signal <= SIGRTMAX);
	require(!args->log_size || (args->log_size >= 64 * 1024 && args->log_size <= 1 << 30));
	require(args->limit.count <= 32 && (!args->limit.count || args->limit.ms > 0));
	require(!args->name || *args->name);
	require(!args->file || *args->file);
	for (size_t i = 0; i < args->ports.count; i++)
		require(*args->ports.items[i] != '\0');
}

static void check_error(const struct berth_err *err)
{
	char buf[2 * sizeof(err->msg)];

	require(err->code == BERTH_ERR_USAGE);
	require(err->msg[0] != '\0');
	berth_str_printable(err->msg, (size_t)-1, buf, sizeof(buf));
	require(strcmp(buf, err->msg) == 0);
	berth_str_printable(err->hint, (size_t)-1, buf, sizeof(buf));
	require(strcmp(buf, err->hint) == 0);
}

/* The first byte chooses the command; the rest are its words, a newline after each. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BERTH_AUTO_FREE char *text = NULL;
	const char *words[WORDS_MAX + 1] = { NULL };
	struct berth_opt_list operands = { 0 };
	struct berth_common common = { 0 };
	struct berth_err err = { 0 };
	struct args args = { 0 };
	const struct berth_cmd *cmd;
	size_t count = 0;
	char *rest;

	if (size == 0)
		return 0;
	cmd = &cmds[data[0] % BERTH_ARRAY_SIZE(cmds)];
	text = strndup((const char *)data + 1, size - 1);
	rest = text;
	while (rest && count < WORDS_MAX)
		words[count++] = strsep(&rest, "\n");

	if (berth_opt_parse(cmd, words, &common, &args, &operands, &err) < 0) {
		check_error(&err);
		require(!operands.items && !args.ports.items && !args.name);
		return 0;
	}
	check_args(&args);
	require(operands.count <= count);
	require(!operands.items || !operands.items[operands.count]);
	require(common.help || operands.count >= (size_t)cmd->min);
	berth_opt_deinit(cmd, &args, &operands);
	return 0;
}
