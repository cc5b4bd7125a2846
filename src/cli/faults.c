/* SPDX-License-Identifier: MIT */
/* cli/faults.c - what is wrong with a user's file, shown */
#include "cli/faults.h"

#include <limits.h>
#include <string.h>

/* @path from the working folder, if it is below that. */
static const char *name_of(const char *path)
{
	char cwd[PATH_MAX];
	size_t len;

	if (!getcwd(cwd, sizeof(cwd)))
		return path;
	len = strlen(cwd);
	return !strncmp(path, cwd, len) && path[len] == '/' ? path + len + 1 : path;
}

static json_t *document_of(const struct berth_faults *faults, const char *name)
{
	json_t *document = json_array();

	for (size_t i = 0; i < faults->count; i++) {
		const struct berth_fault *fault = &faults->items[i];
		json_t *line = fault->at.line ? json_integer(fault->at.line) : json_null();
		json_t *column = fault->at.line ? json_integer(fault->at.column) : json_null();

		json_array_append_new(document,
				      json_pack("{s:o,s:o,s:o,s:o,s:o}", "file",
						berth_json_text(name), "line", line, "column",
						column, "message", berth_json_text(fault->text),
						"hint", berth_json_text_or_null(fault->hint)));
	}
	return document;
}

void berth_cli_faults(struct berth_cli *cli, struct berth_faults *faults, const char *path,
		      const char *text, size_t len)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };

	berth_faults_sort(faults);
	if (cli->out.json) {
		berth_out_error_extra(&cli->out, "faults", document_of(faults, name_of(path)));
		return;
	}
	berth_faults_format(faults, name_of(path), text, len, &out);
	fputs(berth_str_text(&out) ? berth_str_text(&out) : "", cli->out.messages);
}
