/* SPDX-License-Identifier: MIT */
/* cli/cmd-doctor.c - berth doctor: what works on this machine or of a service, and why not */
#include <errno.h>
#include <string.h>

#include "app/doctor-service.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/services.h"

enum {
	EXIT_NOT_RUNNING = 3,
	RESULT_WIDTH = 10, /* "degraded", and two blanks */
	NAME_WIDTH = 16,
	INDENT = RESULT_WIDTH + NAME_WIDTH,
};

static const enum berth_out_tone tones[] = {
	[BERTH_DOCTOR_OK] = BERTH_TONE_GOOD,
	[BERTH_DOCTOR_DEGRADED] = BERTH_TONE_WARN,
	[BERTH_DOCTOR_MISSING] = BERTH_TONE_BAD,
};

_Static_assert(BERTH_ARRAY_SIZE(tones) == BERTH_DOCTOR_RESULT_COUNT_, "one tone per result");

/* @words from column @at on; where a terminal is too narrow, further lines begin at INDENT. */
static void print_wrapped(struct berth_out *out, const char *words, size_t at)
{
	size_t width = out->width ? out->width : (size_t)-1;
	bool first = true;

	for (;;) {
		size_t len;

		words += strspn(words, " ");
		len = strcspn(words, " ");
		if (!len)
			break;
		if (!first && at + 1 + len > width) {
			berth_out_result(out, "\n%*s", INDENT, "");
			at = INDENT;
		} else if (!first) {
			berth_out_result(out, " ");
			at++;
		}
		berth_out_result(out, "%.*s", (int)len, words);
		at += len;
		words += len;
		first = false;
	}
	berth_out_result(out, "\n");
}

/* What belongs to a finding, below its text. Commands are for copying: never broken. */
static void print_detail(struct berth_out *out, const char *label, const char *text, bool whole)
{
	if (!*text)
		return;
	berth_out_result(out, "%*s%s%s%s ", INDENT, "", berth_out_tone(out, BERTH_TONE_DIM), label,
			 berth_out_tone(out, BERTH_TONE_PLAIN));
	if (whole)
		berth_out_result(out, "%s\n", text);
	else
		print_wrapped(out, text, INDENT + strlen(label) + 1);
}

static void print_finding(struct berth_out *out, const char *name,
			  const struct berth_doctor_finding *finding)
{
	if (finding->result == BERTH_DOCTOR_OK && out->quiet)
		return;
	berth_out_result(out, "%s%-*s%s%-*s ", berth_out_tone(out, tones[finding->result]),
			 RESULT_WIDTH, berth_doctor_result_name(finding->result),
			 berth_out_tone(out, BERTH_TONE_PLAIN), NAME_WIDTH - 1, name);
	print_wrapped(out, finding->found, INDENT);
	print_detail(out, "cost:", finding->cost, false);
	print_detail(out, "fix:", finding->fix, true);
}

static json_t *finding_document(const char *name, const struct berth_doctor_finding *finding)
{
	return json_pack("{s:s,s:s,s:o,s:o,s:o}", "name", name, "result",
			 berth_doctor_result_name(finding->result), "found",
			 berth_json_text(finding->found), "cost",
			 berth_json_text_or_null(finding->cost), "fix",
			 berth_json_text_or_null(finding->fix));
}

/* ---- this machine ---- */

static int check_machine(struct berth_cli *cli, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *documents = json_array();
	BERTH_AUTO_JSON json_t *document = NULL;
	struct berth_doctor_place place;
	unsigned int missing = 0;

	berth_doctor_look(&place);
	for (const struct berth_doctor_check *check = berth_doctor_checks; check->name; check++) {
		struct berth_doctor_finding finding = { 0 };

		check->run(&place, &finding);
		missing += finding.result == BERTH_DOCTOR_MISSING;
		if (cli->out.json)
			json_array_append_new(documents, finding_document(check->name, &finding));
		else
			print_finding(&cli->out, check->name, &finding);
	}
	if (cli->out.json) {
		document = json_pack("{s:i,s:O,s:b}", "version", 1, "checks", documents, "ok",
				     !missing);
		if (!document)
			return berth_err_errno(err, -ENOMEM, "cannot make the document");
		berth_out_json(&cli->out, document);
	} else if (missing) {
		berth_out_say(&cli->out, "%u of berth's promises %s not hold here", missing,
			      missing == 1 ? "does" : "do");
	}
	return missing ? 1 : 0;
}

/* ---- a service ---- */

struct visit {
	struct berth_cli *cli;
	json_t *checks; /* owned; with --json */
	unsigned int missing;
};

static json_t *row_document(const struct berth_doctor_row *row)
{
	json_t *document = finding_document(row->name, &row->finding);

	json_object_set_new(document, "port", berth_json_text_or_null(row->port));
	json_object_set_new(document, "origin", berth_json_text_or_null(row->origin));
	return document;
}

static void on_row(const struct berth_doctor_row *row, void *arg)
{
	struct visit *visit = arg;
	bool named = row->port && strcmp(row->port, "main") != 0;
	char name[96];

	visit->missing += row->finding.result == BERTH_DOCTOR_MISSING;
	if (visit->cli->out.json) {
		json_array_append_new(visit->checks, row_document(row));
		return;
	}
	snprintf(name, sizeof(name), "%s%s%s", row->name, named ? ":" : "", named ? row->port : "");
	print_finding(&visit->cli->out, name, &row->finding);
}

static bool has_ended(const json_t *service)
{
	const char *state = berth_json_string(service, "state", "");

	return strcmp(state, "stopped") == 0 || strcmp(state, "failed") == 0;
}

/* The exit code that it deserves; its document is added to @documents. */
static int visit_service(struct berth_cli *cli, const json_t *record, bool one, json_t *documents)
{
	const char *label = berth_json_string(berth_registry_summary(record), "label", "?");
	struct visit visit = { .cli = cli, .checks = json_array() };
	json_t *service = NULL;
	int code;

	if (!one && !cli->out.json)
		berth_out_result(&cli->out, "%s%s%s\n", berth_out_tone(&cli->out, BERTH_TONE_BOLD),
				 label, berth_out_tone(&cli->out, BERTH_TONE_PLAIN));
	berth_doctor_service(record, on_row, &visit, &service);
	code = has_ended(service) ? EXIT_NOT_RUNNING : visit.missing ? 1 : 0;
	if (!cli->out.json && visit.missing)
		berth_out_say(&cli->out, "%u thing%s wrong with '%s'", visit.missing,
			      visit.missing == 1 ? " is" : "s are", label);
	json_array_append_new(documents, json_pack("{s:o,s:o,s:b}", "service", service, "checks",
						   visit.checks, "ok", !visit.missing));
	return code;
}

static int check_services(struct berth_cli *cli, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *documents = json_array();
	BERTH_AUTO_JSON json_t *document = NULL;
	BERTH_AUTO_JSON json_t *found = NULL;
	struct berth_services services;
	json_t *record;
	int code = 0, r;
	size_t i;

	r = berth_services_load(&services, err);
	if (r < 0)
		return r;
	r = berth_services_select(&services, &cli->operands, &found, err);
	if (r < 0)
		berth_services_explain_missing(&services, &cli->operands, err);
	json_array_foreach (found, i, record) {
		int deserved = visit_service(cli, record, json_array_size(found) == 1, documents);

		/* Not to run is worse than to be ill. */
		if (deserved > code)
			code = deserved;
	}
	berth_services_deinit(&services);
	if (r < 0)
		return r;
	if (cli->out.json) {
		document = json_pack("{s:i,s:O,s:b}", "version", 1, "services", documents, "ok",
				     !code);
		if (!document)
			return berth_err_errno(err, -ENOMEM, "cannot make the document");
		berth_out_json(&cli->out, document);
	}
	return code;
}

static int run_doctor(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	return cli->operands.count ? check_services(cli, err) : check_machine(cli, err);
}

const struct berth_cmd berth_cmd_doctor = {
	.name = "doctor",
	.synopsis = "[options] [SERVICE | PORT | ID]...",
	.summary = "check what works here, or why a service is not reached",
	.details =
		"Tries what berth stands on: that a port can be kept from other programs, that the "
		"bind() of a program can be answered, that all it starts can be found and ended. "
		"What it makes for that it takes away again.\n"
		"\n"
		"  ok        works\n"
		"  degraded  all promises hold, with less comfort\n"
		"  missing   a promise of berth does not hold here: exit code 1\n"
		"\n"
		"For what is not ok it says what that costs, and the command that mends it, if "
		"there is one. With -q only these.\n"
		"\n"
		"With a service it asks that one, as a browser would: does it run, where does it "
		"listen and in which family, who else answers on localhost with its number, does it "
		"answer HTTP, is a browser going to reach it, and may the pages of each origin in "
		"its BERTH_CORS_ORIGINS read the answers. Only / is asked for.\n"
		"\n"
		"Exit: 0 all is well, 1 something is missing, 3 it does not run.",
	.max = -1,
	.complete = BERTH_COMPLETE_SERVICE,
	.group = BERTH_CMD_LOOK,
	.run = run_doctor,
};
