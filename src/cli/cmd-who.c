/* SPDX-License-Identifier: MIT */
/* cli/cmd-who.c - berth who: who holds a port, and why a bind() would fail */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "app/holders.h"
#include "base/parse.h"
#include "base/str.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/holder-columns.h"
#include "cli/services.h"

enum {
	RANGES_MAX = 1024, /* of one command line */
	FREE_EXIT = 3, /* all of them are bindable */
	HINT_SHOWN = 800,
	HINTS_MAX = 16, /* lines of them, after the table of a long range */
};

struct who_args {
	const char *columns;
	bool udp;
};

static const struct berth_opt who_opts[] = {
	{ 'u', "udp", NULL, BERTH_AT(FLAG, struct who_args, udp), "UDP too" },
	{ 'o', "columns", "LIST", BERTH_AT(STRING, struct who_args, columns),
	  "show these columns: port,holder,command", .complete = BERTH_COMPLETE_COLUMN },
	{ 0 },
};

/* ---- operands ---- */

struct ranges {
	struct berth_range items[RANGES_MAX];
	bool datagrams[RANGES_MAX]; /* is it a service's port of UDP? */
	size_t count;
};

static int add_range(struct ranges *ranges, struct berth_range range, bool datagrams,
		     struct berth_err *err)
{
	if (ranges->count == RANGES_MAX)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "more than %d ports and ranges",
				     RANGES_MAX);
	ranges->datagrams[ranges->count] = datagrams;
	ranges->items[ranges->count++] = range;
	return 0;
}

/* "9000-8000": both are ports. */
static bool is_backwards(const char *word)
{
	BERTH_AUTO_FREE char *copy = strdup(word);
	char *dash = copy ? strchr(copy, '-') : NULL;
	uint16_t first, last;

	if (!dash)
		return false;
	*dash = '\0';
	return berth_parse_port(copy, &first) == 0 && berth_parse_port(dash + 1, &last) == 0 &&
	       first > last;
}

static int no_port(const char *word, struct berth_err *err)
{
	char shown[64];

	berth_str_printable(word, (size_t)-1, shown, sizeof(shown));
	if (is_backwards(word))
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' ends before it begins",
				     shown);
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' is no port: 1 to 65535", shown);
	berth_err_hint(err, "8080, a range 5000-5010, a list 80,443, or the name of a service");
	return -EINVAL;
}

/* All ports of the services that @word names, each in its own protocol. */
static int add_service(struct berth_services *services, const char *word, struct ranges *ranges,
		       struct berth_err *err)
{
	const char *const words[] = { word };
	const struct berth_opt_list operand = { .items = (const char **)words, .count = 1 };
	BERTH_AUTO_JSON json_t *found = NULL;
	const json_t *record, *port;
	size_t before = ranges->count, i, j;
	char shown[64];
	int r = berth_services_select(services, &operand, &found, err);

	json_array_foreach (found, i, record)
		json_array_foreach (json_object_get(berth_registry_summary(record), "ports"), j,
				    port) {
			uint16_t number = (uint16_t)berth_json_int(port, "port", 0);
			bool udp = strcmp(berth_json_string(port, "protocol", "tcp"), "udp") == 0;

			if (r == 0 && number)
				r = add_range(ranges, (struct berth_range){ number, number }, udp,
					      err);
		}
	if (r < 0 || ranges->count > before)
		return r;
	return berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND, "'%s' has no port",
			     berth_str_printable(word, (size_t)-1, shown, sizeof(shown)));
}

/* Ids begin with a digit too; whatever else does is a number, or should have been. */
static bool is_name(const char *word)
{
	return berth_registry_is_id(word) || !(isdigit((unsigned char)*word) || *word == ':');
}

static int add_word(struct berth_services *services, bool *loaded, const char *word,
		    struct ranges *ranges, struct berth_err *err)
{
	struct berth_range range;
	int r;

	if (berth_range_parse(word, &range) == 0)
		return add_range(ranges, range, false, err);
	if (!*word || !is_name(word))
		return no_port(word, err);
	if (!*loaded) {
		r = berth_services_load(services, err);
		if (r < 0)
			return r;
		*loaded = true;
	}
	return add_service(services, word, ranges, err);
}

/* "80,443 5000-5010 web" */
static int read_operands(const struct berth_opt_list *operands, struct ranges *ranges,
			 struct berth_err *err)
{
	struct berth_services services = { .registry = { .dir_fd = -1, .ports_fd = -1 } };
	bool loaded = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < operands->count; i++) {
		BERTH_AUTO_FREE char *copy = strdup(operands->items[i]);
		char *rest = copy, *word;

		if (!copy)
			r = berth_err_errno(err, -ENOMEM, "cannot read the ports");
		while (r == 0 && (word = strsep(&rest, ",")))
			r = add_word(&services, &loaded, word, ranges, err);
	}
	if (loaded)
		berth_services_deinit(&services);
	return r;
}

/* ---- what is printed ---- */

/* "80,443: " and the hint that all of them have; false: it was told before. */
static bool print_hint(struct berth_cli *cli, const json_t *ports, size_t index)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str numbers = { 0 };
	const json_t *port, *hint = json_object_get(json_array_get(ports, index), "hint");
	char shown[HINT_SHOWN];
	int64_t last = 0;
	size_t i;

	json_array_foreach (ports, i, port) {
		int64_t number = berth_json_int(port, "port", 0);

		if (!json_equal(json_object_get(port, "hint"), hint))
			continue;
		if (i < index)
			return false;
		/* Of TCP and UDP it is the same one. */
		if (number != last)
			berth_str_addf(&numbers, "%s%lld", last ? "," : "", (long long)number);
		last = number;
	}
	if (berth_str_text(&numbers))
		berth_out_hint(&cli->out, "%.80s%s: %s", berth_str_text(&numbers),
			       numbers.len > 80 ? "..." : "",
			       berth_str_printable(json_string_value(hint), (size_t)-1, shown,
						   sizeof(shown)));
	return true;
}

static void print_hints(struct berth_cli *cli, const json_t *ports, const json_t *unseen)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str sentence = { 0 };
	const json_t *text;
	char shown[HINT_SHOWN];
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(ports) && count < HINTS_MAX; i++)
		if (berth_json_string(json_array_get(ports, i), "hint", NULL))
			count += print_hint(cli, ports, i);
	for (size_t i = 0; i < json_array_size(unseen); i++) {
		text = json_array_get(unseen, i);
		berth_str_addf(&sentence, "%s%s", i ? "; " : "", json_string_value(text));
	}
	if (sentence.len && berth_str_text(&sentence))
		berth_out_hint(
			&cli->out, "%s",
			berth_str_printable(sentence.text, (size_t)-1, shown, sizeof(shown)));
}

/* Is there anything that root would see? */
static bool is_hidden(const json_t *unseen)
{
	const json_t *text;
	size_t i;

	json_array_foreach (unseen, i, text)
		if (strcmp(json_string_value(text), BERTH_HOLDERS_ENGINE_LATE) != 0 &&
		    strcmp(json_string_value(text), BERTH_HOLDERS_ENGINE_GARBLED) != 0)
			return true;
	return false;
}

/* The same question as root. */
static void print_root(struct berth_cli *cli, const json_t *unseen)
{
	char words[HINT_SHOWN];

	if (is_hidden(unseen) && geteuid() != 0)
		berth_out_hint(&cli->out, "as root: sudo berth who %s",
			       berth_str_quote_argv(cli->operands.items, words, sizeof(words)));
}

static bool is_somebody(const json_t *holder)
{
	const char *kind = berth_json_string(holder, "kind", "");

	if (json_is_true(json_object_get(holder, "in_the_way")))
		return true;
	return strcmp(kind, "time_wait") != 0 && strcmp(kind, "reserved") != 0 &&
	       strcmp(berth_json_string(holder, "netns", "same"), "same") == 0;
}

static int exit_of(const json_t *ports)
{
	const json_t *port, *holder;
	size_t i, j;

	json_array_foreach (ports, i, port)
		json_array_foreach (json_object_get(port, "holders"), j, holder)
			if (is_somebody(holder))
				return 0;
	return FREE_EXIT;
}

static bool has_udp(const json_t *ports)
{
	const json_t *port;
	size_t i;

	json_array_foreach (ports, i, port)
		if (strcmp(berth_json_string(port, "protocol", "tcp"), "udp") == 0)
			return true;
	return false;
}

static int print(struct berth_cli *cli, const struct who_args *args, json_t *ports, json_t *unseen,
		 struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *rows = NULL;
	BERTH_AUTO_JSON json_t *document = NULL;
	int r;

	if (cli->out.json && !args->columns) {
		document =
			json_pack("{s:i,s:O,s:O}", "version", 1, "ports", ports, "unseen", unseen);
		if (!document)
			return berth_err_errno(err, -ENOMEM, "cannot make the document");
		berth_out_json(&cli->out, document);
		return 0;
	}
	rows = berth_holder_columns_rows(ports, args->columns);
	r = berth_holder_columns_print(rows, args->columns, args->udp || has_udp(ports), &cli->out,
				       err);
	if (r < 0 || cli->out.json)
		return r;
	if (!json_array_size(rows))
		berth_out_say(&cli->out, "nobody holds any of them");
	print_hints(cli, ports, unseen);
	print_root(cli, unseen);
	return 0;
}

static int run_who(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct who_args *args = arguments;
	BERTH_AUTO_JSON json_t *ports = NULL;
	BERTH_AUTO_JSON json_t *unseen = NULL;
	BERTH_AUTO_FREE struct ranges *ranges = calloc(1, sizeof(*ranges));
	struct berth_holders_query query = { .udp = args->udp, .details = true };
	struct berth_table table;
	int r = berth_table_select(berth_holder_columns, args->columns, &table, err);

	if (r < 0)
		return r;
	/* 3 would say that the port is free. */
	cli->error_exit = berth_err_code_exit(BERTH_ERR_USAGE);
	r = ranges ? read_operands(&cli->operands, ranges, err)
		   : berth_err_errno(err, -ENOMEM, "cannot read the ports");
	if (r == 0) {
		cli->error_exit = 0;
		query.ranges = ranges->items;
		query.datagrams = ranges->datagrams;
		query.count = ranges->count;
		r = berth_holders_load(&query, &ports, &unseen, err);
	}
	if (r == 0)
		r = print(cli, args, ports, unseen, err);
	return r < 0 ? r : exit_of(ports);
}

const struct berth_cmd berth_cmd_who = {
	.name = "who",
	.synopsis = "[options] PORT | RANGE | SERVICE...",
	.summary = "tell who holds a port, and why a bind() would fail",
	.details =
		"Listening or only bound, an outgoing connection or what is left of one, a container, a systemd socket, a lease of "
		"berth: whatever makes a bind() fail. Ranges are 5000-5010, lists have commas; of a range only what is held is shown. "
		"What may not be seen is said: root sees more.\n"
		"\n"
		"Exit 0: somebody holds one of them; 3: all of them can be bound.",
	.opts = who_opts,
	.columns = berth_holder_columns,
	.args_size = sizeof(struct who_args),
	.min = 1,
	.max = -1,
	.group = BERTH_CMD_LOOK,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_who,
};
