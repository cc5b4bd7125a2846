/* SPDX-License-Identifier: MIT */
/* cli/log-sources.h - which logs are meant, and who may still write to them */
#pragma once

#include "app/log-line.h"
#include "app/log-read.h"
#include "cli/services.h"

enum {
	BERTH_LOG_SOURCES_NAME_SIZE = 176,
};

/* The log of one instance of a service, of one of its lives or the present one. */
struct berth_log_source {
	struct berth_log_line_source line;
	char name
		[BERTH_LOG_SOURCES_NAME_SIZE]; /* "api.1", or "shop/api.1" where that is not clear */
	json_t *service; /* owned: its document */
	struct berth_log_reader reader;
	struct berth_log_entry entry; /* the next one to print, if has_entry */
	bool has_entry;
	bool running; /* more may come */
	int pidfd; /* of its supervisor; owned, -1: none */
};

struct berth_log_sources {
	struct berth_services services;
	bool whole_project; /* without a word: those that start later belong to it, too */
	uint64_t lines; /* begin with the last so many of each; UINT64_MAX: all */
	int64_t since_ms; /* 0: all */
	struct berth_log_source **items; /* owned, each */
	size_t count;
	size_t width; /* of the longest name, in columns */
};

/*
 * Open the logs that @words mean: of services that run, else of how they ended last. Without one,
 * of all in this project that have a log, and of what has ended beside them under the same
 * supervisor. @sources has its lines and since_ms. To be closed in any case.
 */
BERTH_MUST_USE int berth_log_sources_open(struct berth_log_sources *sources,
					  const struct berth_opt_list *words,
					  struct berth_err *err);
void berth_log_sources_close(struct berth_log_sources *sources);

/* Open what has started since, with all its lines; nothing if words were given. */
BERTH_MUST_USE int berth_log_sources_look(struct berth_log_sources *sources, struct berth_err *err);
/* Is there one of that id, or of the file of its record ("3aaaaa.json")? */
bool berth_log_sources_has(const struct berth_log_sources *sources, const char *id);
/* Who has ended since is not running any more. May any still write? */
bool berth_log_sources_check(struct berth_log_sources *sources);

/* The path of its log, borrowed. */
const char *berth_log_sources_path(const struct berth_log_source *source);
