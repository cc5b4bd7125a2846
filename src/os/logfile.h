/* SPDX-License-Identifier: MIT */
/* os/logfile.h - a log that is rotated by size and age, and never grows beyond its bounds */
#pragma once

#include "base/attr.h"
#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

struct berth_logfile_limits {
	int64_t size; /* bytes of one file */
	unsigned int files; /* older ones that are kept beside the present one */
	int64_t age_ms; /* older files than this are removed; 0: whatever their age */
};

enum {
	BERTH_LOGFILE_NAME_SIZE = 64,
	BERTH_LOGFILE_BATCH = 128 * 1024,
};

/*
 * "NAME", and beside it the older "NAME.1" (the youngest) to "NAME.N". The present one is locked
 * (flock(2), shared) while somebody writes it.
 */
struct berth_logfile {
	int dir_fd; /* owned */
	int fd; /* owned; -1: it can't be opened now */
	char name[BERTH_LOGFILE_NAME_SIZE];
	struct berth_logfile_limits limits;
	int64_t len; /* of the present file */
	int64_t begun_ms; /* when its first line came */
	int64_t aged_ms; /* when the ages were last looked at */
	uint64_t lost; /* lines that could not be written, not yet told */
	int lost_why; /* errno of the first of them */
	bool torn; /* the file ends within a line, and could not be cut back */
};

/*
 * Open or make @name in the folder @dir_fd, which is consumed, also on failure. Size 0 counts as
 * 10 MiB. -errno: nothing is open, and nothing to be closed.
 */
BERTH_MUST_USE int berth_logfile_open(struct berth_logfile *file, int dir_fd, const char *name,
				      const struct berth_logfile_limits *limits, int64_t now_ms);
/* Takes NULL and one that was never opened but has -1 for both descriptors. */
void berth_logfile_close(struct berth_logfile *file);

/* The folder has been removed: the file can be opened only in another one. */
bool berth_logfile_is_homeless(const struct berth_logfile *file);
/* That other one; consumed. -errno: it stays without. */
BERTH_MUST_USE int berth_logfile_move(struct berth_logfile *file, int dir_fd, int64_t now_ms);

/*
 * Lines on their way into the file, all with one time stamp: what one read brought. Lives on the
 * stack from begin to commit.
 *
 * Nothing here fails, since the writer of the lines must go on whatever becomes of them: lines that
 * can't be written (disk full, folder gone) are counted, and as soon as lines can be written again,
 * one of ours comes first: "berth: 12 lines could not be written: No space left on device".
 */
struct berth_logfile_batch {
	struct berth_logfile *file; /* borrowed */
	int64_t now_ms;
	char stamp[BERTH_TIME_RFC3339_SIZE];
	size_t stamp_len;
	size_t len;
	uint64_t lines;
	int stuck; /* -errno: the file is full, and could not be rotated */
	char text[BERTH_LOGFILE_BATCH];
};

void berth_logfile_begin(struct berth_logfile_batch *batch, struct berth_logfile *file,
			 int64_t now_ms);
/*
 * "STAMP SOURCE TEXT\n". @source is one short word; @len at most BERTH_LINES_MAX, and no newline in
 * @text. The file is rotated before the line that would not fit.
 */
void berth_logfile_add(struct berth_logfile_batch *batch, const char *source, const char *text,
		       size_t len);
void berth_logfile_commit(struct berth_logfile_batch *batch);

/* Remove @name and its older ones. */
void berth_logfile_remove(int dir_fd, const char *name);
