/* SPDX-License-Identifier: MIT */
/* cli/cmd-scan.c - berth scan: which numbers are free, without disturbing anything */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/time.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/spans.h"
#include "cli/table.h"
#include "os/sock.h"

enum {
	PORT_FIRST = 1024, /* of those that anybody may be given */
	LINE_MAX_LEN = 64,
};

struct scan_args {
	uint16_t count;
	bool udp;
};

static const struct berth_opt scan_opts[] = {
	{ 'c', "count", "N", BERTH_AT(U16, struct scan_args, count),
	  "print N free numbers, one a line, and nothing else", .min = 1, .max = UINT16_MAX },
	{ 'u', "udp", NULL, BERTH_AT(FLAG, struct scan_args, udp),
	  "free for TCP and UDP, not for TCP alone" },
	{ 0 },
};

/* ---- columns ---- */

static void format_ports(const json_t *row, const json_t *value, int64_t now_ms,
			 struct berth_str *text)
{
	int64_t from = berth_json_int(row, "from", 0), to = berth_json_int(row, "to", 0);

	if (from == to)
		berth_str_addf(text, "%lld", (long long)from);
	else
		berth_str_addf(text, "%lld-%lld", (long long)from, (long long)to);
}

/* The words of `berth who`, for what is there. */
static void format_by(const json_t *row, const json_t *value, int64_t now_ms,
		      struct berth_str *text)
{
	static const char *const words[][2] = {
		{ "listener", "listening" },
		{ "bound", "bound" },
		{ "connection", "outgoing" },
		{ "time_wait", "time-wait" },
	};
	const char *state = berth_json_string(row, "state", "");
	const char *kind = berth_json_string(row, "kind", "");

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(words); i++)
		if (strcmp(words[i][0], kind) == 0)
			berth_str_add(text, words[i][1]);
	if (strcmp(state, "changing") == 0)
		berth_str_addf(text, "outgoing: %lld now",
			       (long long)berth_json_int(row, "taken", 0));
	else if (strcmp(state, "reserved") == 0)
		berth_str_add(text, "ip_local_reserved_ports");
	else if (strcmp(state, "privileged") == 0)
		berth_str_add(text, "root alone may bind it");
}

static enum berth_out_tone state_tone(const json_t *value)
{
	const char *state = json_string_value(value);

	if (!state)
		return BERTH_TONE_PLAIN;
	if (strcmp(state, "free") == 0)
		return BERTH_TONE_GOOD;
	if (strcmp(state, "taken") == 0)
		return BERTH_TONE_BAD;
	return strcmp(state, "changing") == 0 ? BERTH_TONE_WARN : BERTH_TONE_DIM;
}

static const struct berth_column columns[] = {
	{ "ports", "PORTS", BERTH_COLUMN_STRING, NULL, "the span", .format = format_ports },
	{ "count", "COUNT", BERTH_COLUMN_INTEGER, "count", "how many they are" },
	{ "state", "STATE", BERTH_COLUMN_STRING, "state", "free, taken, reserved, privileged",
	  .tone = state_tone },
	{ "by", "BY", BERTH_COLUMN_STRING, NULL, "what is there", .format = format_by },
	{ 0 },
};

/* ---- looking ---- */

/* lo 0: not to be had. */
static struct berth_range load_ephemeral(void)
{
	struct berth_range range = { 0 };

	(void)!berth_sock_outgoing_range(&range.lo, &range.hi);
	return range;
}

/* ---- telling ---- */

static const char *const unseen_always[] = {
	"a free number may be taken the next moment: berth run picks one and keeps it",
	"other network namespaces, and what the packet filter leads to containers, are not looked "
	"at: berth who PORT does",
};
static const char unseen_bound[] =
	"sockets of other users that are bound and do not listen: this kernel does not tell of them "
	"(Linux 6.8 does); root sees them";

static json_t *list_unseen(const struct berth_spans_spec *spec)
{
	json_t *unseen = json_array();

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(unseen_always); i++)
		json_array_append_new(unseen, json_string(unseen_always[i]));
	if (spec->scan->bound_unseen)
		json_array_append_new(unseen, json_string(unseen_bound));
	return unseen;
}

static void hint_unseen(struct berth_cli *cli, const struct berth_spans_spec *spec)
{
	BERTH_AUTO_JSON json_t *unseen = list_unseen(spec);
	const json_t *sentence;
	size_t i;

	json_array_foreach (unseen, i, sentence)
		berth_out_hint(&cli->out, "%s", json_string_value(sentence));
}

static int print_document(struct berth_cli *cli, const struct berth_spans_spec *spec, bool udp,
			  json_t *picked, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *document = json_pack(
		"{s:i,s:i,s:i,s:s,s:o,s:o,s:o,s:o}", "version", 1, "from", (int)spec->range.lo,
		"to", (int)spec->range.hi, "protocol", udp ? "both" : "tcp", "counts",
		berth_spans_count(spec), "spans", berth_spans_make(spec, false), "ports",
		picked ? json_incref(picked) : json_null(), "unseen", list_unseen(spec));

	if (!document)
		return berth_err_errno(err, -ENOMEM, "cannot print what was found");
	berth_out_json(&cli->out, document);
	return 0;
}

static int print_picked(struct berth_cli *cli, const struct berth_spans_spec *spec,
			const json_t *picked)
{
	const json_t *port;
	size_t i;

	json_array_foreach (picked, i, port)
		berth_out_result(&cli->out, "%lld\n", (long long)json_integer_value(port));
	hint_unseen(cli, spec);
	return 0;
}

static int print_spans(struct berth_cli *cli, const struct berth_spans_spec *spec,
		       struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *spans = berth_spans_make(spec, true);
	BERTH_AUTO_JSON json_t *counts = berth_spans_count(spec);
	struct berth_table table;
	int r = berth_table_select(columns, NULL, &table, err);

	if (r == 0)
		r = berth_table_print(&table, "spans", spans, berth_time_now_ms(), &cli->out, err);
	if (r < 0)
		return r;
	berth_out_say(&cli->out, "%lld of %d are free",
		      (long long)berth_json_int(counts, "free", 0),
		      spec->range.hi - spec->range.lo + 1);
	hint_unseen(cli, spec);
	return 0;
}

/* ---- the command ---- */

static int parse_operand(struct berth_cli *cli, const struct scan_args *args,
			 struct berth_range *ret_range, struct berth_err *err)
{
	char word[LINE_MAX_LEN];

	if (!cli->operands.count) {
		*ret_range = (struct berth_range){ args->count ? PORT_FIRST : 1, UINT16_MAX };
		return 0;
	}
	if (berth_range_parse(cli->operands.items[0], ret_range) == 0)
		return 0;
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' is no range of ports",
		      berth_str_printable(cli->operands.items[0], (size_t)-1, word, sizeof(word)));
	berth_err_hint(err, "as in: berth scan 5000-5100");
	return -EINVAL;
}

static int scan(struct berth_cli *cli, const struct scan_args *args, struct berth_spans_spec *spec,
		struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *picked = args->count ? berth_spans_pick(spec, args->count) : NULL;

	size_t count = json_array_size(picked);

	if (picked && count < args->count) {
		berth_err_set(err, -EADDRINUSE, BERTH_ERR_NO_PORT,
			      "%u-%u has %zu number%s to give, not %u", spec->range.lo,
			      spec->range.hi, count, count == 1 ? "" : "s", args->count);
		berth_err_hint(err, "berth scan %u-%u shows what has the others", spec->range.lo,
			       spec->range.hi);
		return -EADDRINUSE;
	}
	if (cli->out.json)
		return print_document(cli, spec, args->udp, picked, err);
	return picked ? print_picked(cli, spec, picked) : print_spans(cli, spec, err);
}

static int run_scan(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct scan_args *args = arguments;
	struct berth_scan *found BERTH_AUTO_FREE = calloc(1, sizeof(*found));
	struct berth_reserved *reserved BERTH_AUTO_FREE = calloc(1, sizeof(*reserved));
	struct berth_spans_spec spec = { .scan = found, .reserved = reserved };
	int r = parse_operand(cli, args, &spec.range, err);

	if (r < 0)
		return r;
	if (!found || !reserved)
		return berth_err_errno(err, -ENOMEM, "cannot look");
	r = berth_reserved_load(reserved, NULL);
	if (r == 0)
		r = berth_scan_load(spec.range.lo, spec.range.hi, args->udp, found);
	if (r < 0)
		return berth_err_errno(err, r, "cannot ask the kernel for its sockets");
	spec.ephemeral = load_ephemeral();
	return scan(cli, args, &spec, err);
}

const struct berth_cmd berth_cmd_scan = {
	.name = "scan",
	.synopsis = "[options] [RANGE]",
	.summary = "show which ports are free and which are taken",
	.details =
		"Without a RANGE: all of them. Nothing is bound and nobody is disturbed: the kernel tells. A number that is free now may "
		"be taken the next moment; 'berth run' picks one and keeps it.\n"
		"\n"
		"  berth scan 5000-5100\n"
		"  port=$(berth scan -q --count 1 5000-5100)",
	.opts = scan_opts,
	.args_size = sizeof(struct scan_args),
	.max = 1,
	.group = BERTH_CMD_LOOK,
	.run = run_scan,
};
