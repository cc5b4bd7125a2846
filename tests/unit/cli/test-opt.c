/* SPDX-License-Identifier: MIT */
/* unit/cli/test-opt.c - command lines in, structs and messages out */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/opt.h"

enum {
	MAX_WORDS = 12
};

enum whose {
	WHOSE_NOBODYS,
	WHOSE_OWN,
	WHOSE_ANY,
};

struct args {
	bool detach;
	bool strict;
	const char *name;
	const char *file;
	uint16_t main_port;
	uint16_t step;
	int64_t grace;
	bool grace_given;
	int64_t wait;
	struct berth_range range;
	struct berth_opt_list ports;
	enum whose free;
	int fd;
	int signal;
	int64_t size;
	struct berth_value_limit limit;
	bool secret;
};

static const char *const whose_words[] = { "own", "any", NULL };

static const struct berth_opt opts[] = {
	{ 'd', "detach", NULL, BERTH_AT(FLAG, struct args, detach), "h" },
	{ 's', "strict", NULL, BERTH_AT(FLAG, struct args, strict), "h" },
	{ 'n', "name", "NAME", BERTH_AT(STRING, struct args, name), "h" },
	{ 0, "file", "FILE", BERTH_AT(STRING, struct args, file), "h", .bare = ".ports.json" },
	{ 'P', "main-port", "PORT", BERTH_AT(PORT, struct args, main_port), "h" },
	{ 0, "step", "N", BERTH_AT(U16, struct args, step), "h", .min = 1, .max = 1000 },
	{ 0, "grace", "TIME", BERTH_AT(DURATION, struct args, grace), "h", .preset = "10s",
	  .min = 100, .max = 3600000, .given_at = offsetof(struct args, grace_given) },
	{ 'w', "wait", "TIME", BERTH_AT(DURATION, struct args, wait), "h", .bare = "30s" },
	{ 0, "range", "LO-HI", BERTH_AT(RANGE, struct args, range), "h" },
	{ 'p', "port", "PORT", BERTH_AT(LIST, struct args, ports), "h" },
	{ 0, "free", "WHOSE", BERTH_AT(CHOICE, struct args, free), "h", .words = whose_words,
	  .base = WHOSE_OWN, .bare = "own" },
	{ 0, "status-fd", "FD", BERTH_AT(FD, struct args, fd), "h" },
	{ 0, "signal", "SIGNAL", BERTH_AT(SIGNAL, struct args, signal), "h" },
	{ 0, "size", "SIZE", BERTH_AT(SIZE, struct args, size), "h", .preset = "10M", .min = 4096,
	  .max = 1 << 30 },
	{ 0, "limit", "N/TIME", BERTH_AT(LIMIT, struct args, limit), "h", .preset = "5/10s",
	  .max = 32 },
	{ 0, "secret", NULL, BERTH_AT(FLAG, struct args, secret), NULL },
	{ 0 },
};

static const struct berth_cmd stop = {
	.name = "stop",
	.synopsis = "[options] SERVICE...",
	.opts = opts,
	.args_size = sizeof(struct args),
	.min = 1,
	.max = 2,
};

static const struct berth_cmd run = {
	.name = "run",
	.synopsis = "[options] [--] COMMAND [ARG...]",
	.opts = opts,
	.args_size = sizeof(struct args),
	.min = 1,
	.max = -1,
	.command_rest = true,
};

static const struct berth_cmd bare = { .name = "bare", .synopsis = "", .max = -1 };

/* A parsed command line, and what it left behind. */
struct parsed {
	const struct berth_cmd *cmd;
	struct args args;
	struct berth_common common;
	struct berth_opt_list operands;
	struct berth_err err;
	int r;
};

static void parse(struct parsed *p, const struct berth_cmd *cmd, const char *const *words)
{
	*p = (struct parsed){ .cmd = cmd };
	p->r = berth_opt_parse(cmd, words, &p->common, cmd->args_size ? &p->args : NULL,
			       &p->operands, &p->err);
}

static void forget(struct parsed *p)
{
	berth_opt_deinit(p->cmd, p->cmd->args_size ? &p->args : NULL, &p->operands);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void assert_words(const struct berth_opt_list *list, const char *const *words)
{
	size_t count = 0;

	for (; words[count]; count++) {
		assert_true(count < list->count);
		assert_string_equal(list->items[count], words[count]);
	}
	assert_int_equal(list->count, count);
	if (count)
		assert_null(list->items[count]);
}

static void a_value_may_be_joined_or_the_next_word(void **state)
{
	static const char *const lines[][MAX_WORDS] = {
		{ "--name", "web", "x" }, { "--name=web", "x" }, { "-n", "web", "x" },
		{ "-nweb", "x" },	  { "-dnweb", "x" },	 { "-dn", "web", "x" },
		{ "x", "--name", "web" }, { "x", "-nweb" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(lines); i++) {
		struct parsed p;

		parse(&p, &stop, lines[i]);
		assert_int_equal(p.r, 0);
		assert_string_equal(p.args.name, "web");
		assert_words(&p.operands, WORDS("x"));
		forget(&p);
	}
}

static void each_kind_lands_in_its_member(void **state)
{
	struct parsed p;

	parse(&p, &stop,
	      WORDS("-ds", "-P:8080", "--step=7", "--grace", "1m30s", "--range=5002-5012", "-p80",
		    "--port", "http=8080", "--free=any", "--status-fd=9", "x", "-vv", "--json"));
	assert_int_equal(p.r, 0);
	assert_true(p.args.detach);
	assert_true(p.args.strict);
	assert_int_equal(p.args.main_port, 8080);
	assert_int_equal(p.args.step, 7);
	assert_int_equal(p.args.grace, 90000);
	assert_int_equal(p.args.range.lo, 5002);
	assert_int_equal(p.args.range.hi, 5012);
	assert_words(&p.args.ports, WORDS("80", "http=8080"));
	assert_int_equal(p.args.free, WHOSE_ANY);
	assert_int_equal(p.args.fd, 9);
	assert_int_equal(p.common.verbose, 2);
	assert_true(p.common.json);
	forget(&p);
}

static void signals_sizes_and_limits_land_in_theirs(void **state)
{
	struct parsed p;

	parse(&p, &stop, WORDS("--signal=INT", "--size", "64k", "--limit=3/1m", "x"));
	assert_int_equal(p.r, 0);
	assert_int_equal(p.args.signal, SIGINT);
	assert_int_equal(p.args.size, 65536);
	assert_int_equal(p.args.limit.count, 3);
	assert_int_equal(p.args.limit.ms, 60000);
	forget(&p);

	parse(&p, &stop, WORDS("--limit=none", "x"));
	assert_int_equal(p.r, 0);
	assert_int_equal(p.args.signal, 0);
	assert_int_equal(p.args.size, 10 << 20);
	assert_int_equal(p.args.limit.count, 0);
	forget(&p);
}

static void it_is_known_what_stood_before_the_dashes(void **state)
{
	static const struct {
		const char *line[MAX_WORDS];
		size_t before, count;
	} cases[] = {
		{ { "a" }, 1, 1 },
		{ { "a", "b" }, 2, 2 },
		{ { "a", "--", "b", "-d" }, 1, 3 },
		{ { "a", "-d", "b", "--", "--", "c" }, 2, 4 },
		{ { "--", "a" }, 0, 1 },
		{ { "a", "--" }, 1, 1 },
	};
	struct berth_cmd any = stop;

	any.max = -1;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		struct parsed p;

		parse(&p, &any, cases[i].line);
		assert_int_equal(p.r, 0);
		assert_int_equal(p.operands.before_dashes, cases[i].before);
		assert_int_equal(p.operands.count, cases[i].count);
		forget(&p);
	}
}

static void what_is_not_given_has_its_preset(void **state)
{
	struct parsed p;

	parse(&p, &stop, WORDS("x"));
	assert_int_equal(p.r, 0);
	assert_int_equal(p.args.grace, 10000);
	assert_false(p.args.grace_given);
	assert_int_equal(p.args.fd, -1);
	assert_int_equal(p.args.free, WHOSE_NOBODYS);
	assert_int_equal(p.args.wait, 0);
	assert_null(p.args.name);
	assert_null(p.args.ports.items);
	assert_false(p.args.detach);
	forget(&p);
}

static void what_is_given_can_be_told_from_its_preset(void **state)
{
	struct parsed p;

	parse(&p, &stop, WORDS("--grace", "10s", "x"));
	assert_int_equal(p.r, 0);
	assert_int_equal(p.args.grace, 10000);
	assert_true(p.args.grace_given);
	forget(&p);
}

static void an_optional_value_comes_only_with_an_equals_sign(void **state)
{
	struct parsed p;

	parse(&p, &stop, WORDS("--free", "any", "--file", "-w", "5"));
	assert_int_equal(p.r, 0);
	assert_int_equal(p.args.free, WHOSE_OWN);
	assert_string_equal(p.args.file, ".ports.json");
	assert_int_equal(p.args.wait, 30000);
	assert_words(&p.operands, WORDS("any", "5"));
	forget(&p);

	parse(&p, &stop, WORDS("--free=any", "--file=f", "--wait=5", "x"));
	assert_int_equal(p.r, 0);
	assert_int_equal(p.args.free, WHOSE_ANY);
	assert_string_equal(p.args.file, "f");
	assert_int_equal(p.args.wait, 5000);
	forget(&p);
}

static void the_last_of_two_values_counts(void **state)
{
	struct parsed p;

	parse(&p, &stop, WORDS("--name=a", "--free=any", "-nb", "--free", "x"));
	assert_int_equal(p.r, 0);
	assert_string_equal(p.args.name, "b");
	assert_int_equal(p.args.free, WHOSE_OWN);
	forget(&p);
}

static void a_foreign_command_begins_at_the_first_operand(void **state)
{
	static const struct {
		const char *line[MAX_WORDS], *rest[MAX_WORDS];
	} cases[] = {
		{ { "-d", "npm", "run", "-d", "--json", "--" },
		  { "npm", "run", "-d", "--json", "--" } },
		{ { "-d", "--", "-x", "--help" }, { "-x", "--help" } },
		{ { "-d", "--", "--", "a" }, { "--", "a" } },
		{ { "-d", "-", "a" }, { "-", "a" } },
		{ { "-d", "", "a" }, { "", "a" } },
		{ { "-p", "--", "-d", "a" }, { "a" } }, /* the value of -p is "--" */
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		struct parsed p;

		parse(&p, &run, cases[i].line);
		assert_int_equal(p.r, 0);
		assert_true(p.args.detach);
		assert_false(p.common.json);
		assert_false(p.common.help);
		assert_words(&p.operands, cases[i].rest);
		forget(&p);
	}
}

static void two_dashes_end_the_options_of_our_own_commands_too(void **state)
{
	struct parsed p;

	parse(&p, &stop, WORDS("-d", "--", "--json", "-d"));
	assert_int_equal(p.r, 0);
	assert_false(p.common.json);
	assert_words(&p.operands, WORDS("--json", "-d"));
	forget(&p);
}

static void a_wrong_line_says_what_and_what_to_do(void **state)
{
	static const struct {
		const struct berth_cmd *cmd;
		const char *line[MAX_WORDS];
		const char *msg, *hint;
	} cases[] = {
		{ &run,
		  { "--prot", "5", "x" },
		  "unknown option '--prot'",
		  "did you mean '--port'? try 'berth run --help'" },
		{ &run,
		  { "--jsno", "x" },
		  "unknown option '--jsno'",
		  "did you mean '--json'? try 'berth run --help'" },
		{ &run,
		  { "--zzzzzz=5", "x" },
		  "unknown option '--zzzzzz'",
		  "try 'berth run --help'" },
		{ &run,
		  { "--det", "x" },
		  "unknown option '--det'",
		  "did you mean '--detach'? try 'berth run --help'" },
		{ &run, { "--secre", "x" }, "unknown option '--secre'", "try 'berth run --help'" },
		{ &run, { "-dxs", "x" }, "unknown option '-x'", "try 'berth run --help'" },
		{ &run, { "-\033", "x" }, "unknown option '-\\e'", "try 'berth run --help'" },
		{ &stop,
		  { "--\033[31mx" },
		  "unknown option '--\\e[31mx'",
		  "try 'berth stop --help'" },
		{ &stop,
		  { "--main-port", "99999" },
		  "--main-port: '99999' is not a port (1-65535)",
		  "" },
		{ &stop, { "-P0" }, "-P: '0' is not a port (1-65535)", "" },
		{ &stop, { "-dP", "1\n2" }, "-P: '1\\n2' is not a port (1-65535)", "" },
		{ &stop, { "--step=0" }, "--step: '0' is not a number from 1 to 1000", "" },
		{ &stop, { "--step=1001" }, "--step: '1001' is not a number from 1 to 1000", "" },
		{ &stop,
		  { "--grace=soon" },
		  "--grace: 'soon' is not a duration (10, 1.5s, 500ms, 1h30m)",
		  "" },
		{ &stop, { "--grace=50ms" }, "--grace: '50ms' is too short, at least 100ms", "" },
		{ &stop, { "--grace=2h" }, "--grace: '2h' is too long, at most 1h", "" },
		{ &stop,
		  { "--range=9-5" },
		  "--range: '9-5' is not a range of ports (5002-5012)",
		  "" },
		{ &stop,
		  { "--free=anny" },
		  "--free: 'anny' is not own or any",
		  "did you mean 'any'?" },
		{ &stop, { "--free=" }, "--free: '' is not own or any", "" },
		{ &stop,
		  { "--status-fd=-1" },
		  "--status-fd: '-1' is not the number of a file descriptor",
		  "" },
		{ &stop,
		  { "--signal=TEMR" },
		  "--signal: 'TEMR' is not a signal (TERM, SIGINT, 15)",
		  "did you mean 'TERM'?" },
		{ &stop, { "--size=9Q" }, "--size: '9Q' is not a size (10M, 512k, 65536)", "" },
		{ &stop, { "--size=1k" }, "--size: '1k' is too small, at least 4K", "" },
		{ &stop, { "--size=2G" }, "--size: '2G' is too large, at most 1G", "" },
		{ &stop,
		  { "--size=99999999999G" },
		  "--size: '99999999999G' is too large, at most 1G",
		  "" },
		{ &stop,
		  { "--limit=5" },
		  "--limit: '5' is not NUMBER/TIME (5/10s), nor \"none\"",
		  "" },
		{ &stop,
		  { "--limit=33/1s" },
		  "--limit: '33/1s' is not a limit of 1 to 32 in a time above 0, nor \"none\"",
		  "" },
		{ &stop, { "--name=" }, "--name: NAME is empty", "" },
		{ &stop, { "--file=" }, "--file: FILE is empty", "" },
		{ &stop, { "-p", "" }, "-p: PORT is empty", "" },
		{ &stop,
		  { "x", "--name" },
		  "--name needs a value: NAME",
		  "try 'berth stop --help'" },
		{ &stop, { "x", "-dn" }, "-n needs a value: NAME", "try 'berth stop --help'" },
		{ &stop, { "--detach=yes" }, "--detach takes no value", "" },
		{ &stop, { "--json=" }, "--json takes no value", "" },
		{ &stop,
		  { "-d" },
		  "no argument given to 'berth stop'",
		  "usage: berth stop [options] SERVICE...; try 'berth stop --help'" },
		{ &stop,
		  { "a", "b", "c\t" },
		  "unexpected argument 'c\\t'",
		  "usage: berth stop [options] SERVICE...; try 'berth stop --help'" },
		{ &run,
		  { "-d", "--" },
		  "no command given to 'berth run'",
		  "usage: berth run [options] [--] COMMAND [ARG...]; try 'berth run --help'" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		struct parsed p;

		parse(&p, cases[i].cmd, cases[i].line);
		assert_string_equal(p.err.msg, cases[i].msg);
		assert_string_equal(p.err.hint, cases[i].hint);
		assert_int_equal(p.r, -EINVAL);
		assert_int_equal(p.err.code, BERTH_ERR_USAGE);
	}
}

static void after_an_error_nothing_is_left_but_how_to_report_it(void **state)
{
	static const struct args zero;
	struct parsed p;

	parse(&p, &stop,
	      WORDS("--name=a", "-p1", "-p2", "a", "--prot", "--step=0", "-qv", "--json"));
	assert_int_equal(p.r, -EINVAL);
	assert_string_equal(p.err.msg, "unknown option '--prot'"); /* the first one */
	assert_true(p.common.json);
	assert_true(p.common.quiet);
	assert_int_equal(p.common.verbose, 1);
	assert_memory_equal(&p.args, &zero, sizeof(zero));
	assert_int_equal(p.operands.count, 0);
	assert_null(p.operands.items);
}

static void help_needs_no_operands(void **state)
{
	static const char *const lines[][MAX_WORDS] = { { "--help" }, { "-h" }, { "-dh" } };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(lines); i++) {
		struct parsed p;

		parse(&p, &run, lines[i]);
		assert_int_equal(p.r, 0);
		assert_true(p.common.help);
		forget(&p);
	}
}

static void hidden_options_work(void **state)
{
	struct parsed p;

	parse(&p, &stop, WORDS("--secret", "x"));
	assert_int_equal(p.r, 0);
	assert_true(p.args.secret);
	forget(&p);
}

static void a_command_without_a_table_has_the_common_options(void **state)
{
	struct parsed p;

	parse(&p, &bare, WORDS("-C", "/tmp", "--no-color", "a", "b", "c"));
	assert_int_equal(p.r, 0);
	assert_string_equal(p.common.folder, "/tmp");
	assert_true(p.common.no_color);
	assert_words(&p.operands, WORDS("a", "b", "c"));
	forget(&p);

	parse(&p, &bare, (const char *const[]){ NULL });
	assert_int_equal(p.r, 0);
	assert_int_equal(p.operands.count, 0);
	forget(&p);
}

static void an_error_may_go_nowhere(void **state)
{
	struct berth_opt_list operands = { 0 };
	struct berth_common common = { 0 };
	struct args args = { 0 };

	assert_int_equal(berth_opt_parse(&stop, WORDS("--free=x", "-z", "--zz", "-P"), &common,
					 &args, &operands, NULL),
			 -EINVAL);
}

static void a_row_is_found_by_any_of_its_spellings(void **state)
{
	static const struct {
		const char *word, *long_name;
	} cases[] = {
		{ "--port", "port" }, { "--port=5", "port" }, { "-p", "port" }, { "-p5", "port" },
		{ "--json", "json" }, { "-C", "directory" },  { "-", NULL },	{ "--", NULL },
		{ "port", NULL },     { "--por", NULL },      { "", NULL },	{ "--=", NULL },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		const struct berth_opt *opt = berth_opt_find(&stop, cases[i].word);

		assert_int_equal(opt != NULL, cases[i].long_name != NULL);
		if (opt)
			assert_string_equal(opt->long_name, cases[i].long_name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_may_be_joined_or_the_next_word),
		cmocka_unit_test(each_kind_lands_in_its_member),
		cmocka_unit_test(signals_sizes_and_limits_land_in_theirs),
		cmocka_unit_test(it_is_known_what_stood_before_the_dashes),
		cmocka_unit_test(what_is_not_given_has_its_preset),
		cmocka_unit_test(what_is_given_can_be_told_from_its_preset),
		cmocka_unit_test(an_optional_value_comes_only_with_an_equals_sign),
		cmocka_unit_test(the_last_of_two_values_counts),
		cmocka_unit_test(a_foreign_command_begins_at_the_first_operand),
		cmocka_unit_test(two_dashes_end_the_options_of_our_own_commands_too),
		cmocka_unit_test(a_wrong_line_says_what_and_what_to_do),
		cmocka_unit_test(after_an_error_nothing_is_left_but_how_to_report_it),
		cmocka_unit_test(help_needs_no_operands),
		cmocka_unit_test(hidden_options_work),
		cmocka_unit_test(a_command_without_a_table_has_the_common_options),
		cmocka_unit_test(an_error_may_go_nowhere),
		cmocka_unit_test(a_row_is_found_by_any_of_its_spellings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
