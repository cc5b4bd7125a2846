/* SPDX-License-Identifier: MIT */
/*
 * app/log-read.c - the lines of a log, oldest first, across its rotation
 *
 * Rotation renames (os/logfile.c): the file that we have open keeps its content, and stays known by
 * its inode as long as it is open. At its end we look whether the name stands for another file by
 * now. If so, nothing more is written to ours, but something may have been since our last read: so
 * it is read to its end once more, and only then comes the next, which is the file whose number is
 * one lower than what ours has now.
 */
#include "app/log-read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/lines.h"
#include "base/str.h"
#include "base/time.h"

enum {
	STAMP_LEN = 24, /* 2026-11-21T09:30:00.123Z */
	HEAD_MAX = STAMP_LEN + 16,
	BUF_SIZE = 2 * BERTH_LINES_MAX,
	BLOCK = 32 * 1024,
	NUMBER_MAX = 100000,
	TRIES = 16,
	SHOWN_MAX = 2048,
};

/* --- one line --- */

void berth_log_read_parse(const char *line, size_t len, struct berth_log_entry *ret_entry)
{
	char stamp[STAMP_LEN + 1] = "";
	struct berth_log_entry entry = { .text = line, .len = len };
	size_t at = STAMP_LEN + 2;

	*ret_entry = entry;
	if (len < STAMP_LEN + 3 || line[STAMP_LEN] != ' ' || !memchr("oOeEb", line[at - 1], 5))
		return;
	memcpy(stamp, line, STAMP_LEN);
	if (strlen(stamp) != STAMP_LEN || berth_time_parse(stamp, &entry.at_ms) < 0)
		return;
	entry.is_own = line[at - 1] == 'b';
	entry.is_stderr = line[at - 1] == 'e' || line[at - 1] == 'E';
	entry.continued = line[at - 1] == 'O' || line[at - 1] == 'E';
	for (; at < len && at < HEAD_MAX - 6 && line[at] >= '0' && line[at] <= '9'; at++)
		entry.worker = entry.worker * 10 + (unsigned int)(line[at] - '0');
	if (at >= len || line[at] != ' ')
		return;
	entry.text = line + at + 1;
	entry.len = len - at - 1;
	*ret_entry = entry;
}

/* --- files --- */

/* The present file, or the older one of that number. */
static int open_numbered(const char *path, unsigned int number, struct stat *ret_st)
{
	BERTH_AUTO_FREE char *name = NULL;
	BERTH_AUTO_FD int fd = -1;

	if (number && asprintf(&name, "%s.%u", path, number) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	fd = open(number ? name : path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, ret_st) < 0)
		return -errno;
	return S_ISREG(ret_st->st_mode) ? berth_fd_steal(&fd) : -EINVAL;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_younger(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec > b->st_mtim.tv_sec
						      : a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

/* Where our file is, and which is to be read after it. */
struct place {
	unsigned int own; /* its number; 0: it has been removed */
	unsigned int next; /* one less; of a removed one, the oldest that is younger */
	struct stat st; /* of that */
};

/*
 * -EAGAIN: it is just being renamed. Rotation goes from the oldest to the youngest, so that one
 * number is missing for a moment; where two are, there are no more.
 */
static int find_place(const char *path, const struct stat *own, struct place *ret_place)
{
	struct place place = { 0 };
	unsigned int missing = 0;
	int fd;

	for (unsigned int i = 1; i < NUMBER_MAX && missing < 2 && !place.own; i++) {
		struct stat st;

		fd = open_numbered(path, i, &st);
		missing = fd < 0 ? missing + 1 : 0;
		if (fd < 0)
			continue;
		close(fd);
		if (is_same(&st, own))
			place.own = i;
		else if (is_younger(&st, own))
			place.next = i;
	}
	if (place.own)
		place.next = place.own - 1;
	else if (own->st_nlink)
		return -EAGAIN;
	fd = open_numbered(path, place.next, &place.st);
	if (fd < 0)
		return fd == -ENOENT ? -EAGAIN : fd;
	close(fd);
	*ret_place = place;
	return 0;
}

/*
 * The next file in place of that which is read to its end; -EAGAIN: with a later call. What was
 * found counts if it is the same after the opening: nothing was renamed meanwhile.
 */
static int open_next(struct berth_log_reader *reader)
{
	struct place place, again;
	struct stat own, st;
	int r = -EAGAIN;

	for (int i = 0; i < TRIES && r == -EAGAIN; i++) {
		BERTH_AUTO_FD int fd = -1;

		if (fstat(reader->fd, &own) < 0)
			return -errno;
		r = find_place(reader->path, &own, &place);
		if (r < 0)
			continue;
		fd = open_numbered(reader->path, place.next, &st);
		r = fd < 0 ? -EAGAIN : find_place(reader->path, &own, &again);
		if (r < 0)
			continue;
		if (place.own != again.own || place.next != again.next ||
		    !is_same(&st, &again.st) || is_same(&st, &own)) {
			r = -EAGAIN;
			continue;
		}
		close(reader->fd);
		reader->fd = berth_fd_steal(&fd);
		reader->last_look = false;
	}
	return r;
}

static bool is_replaced(const struct berth_log_reader *reader)
{
	struct stat own, present;

	return fstat(reader->fd, &own) == 0 && lstat(reader->path, &present) == 0 &&
	       !is_same(&own, &present);
}

/* --- where to begin --- */

static bool is_whole(const char *line, size_t len)
{
	struct berth_log_entry entry;

	berth_log_read_parse(line, len, &entry);
	return !entry.continued;
}

/*
 * Where the last *lines lines of the file begin, *lines being what is still missing afterwards.
 * From the back, in blocks; each with the head of the line that begins at its end.
 */
static off_t find_tail(int fd, off_t end, uint64_t *lines)
{
	char buf[BLOCK + HEAD_MAX];
	off_t start = end;

	for (off_t from, to = end; to > 0; to = from) {
		size_t len, n;

		from = to > BLOCK ? to - BLOCK : 0;
		len = (size_t)(end - from) < sizeof(buf) ? (size_t)(end - from) : sizeof(buf);
		if (pread(fd, buf, len, from) != (ssize_t)len)
			return start;
		for (n = (size_t)(to - from); n > 0; n--) {
			off_t at = from + (off_t)n;

			if (buf[n - 1] != '\n' || at >= end)
				continue;
			if (is_whole(buf + n, len - n) && (*lines)-- == 0)
				goto found;
			start = at;
		}
		if (from == 0 && is_whole(buf, len) && (*lines)-- == 0)
			goto found;
	}
	return 0;
found:
	*lines = 0;
	return start;
}

/* The number that @own has now, which grows with each rotation; -ENOENT: it has been removed. */
static int find_number(const char *path, const struct stat *own, unsigned int from)
{
	unsigned int missing = 0;

	for (unsigned int i = from; i < NUMBER_MAX && missing < 2; i++) {
		struct stat st;
		int fd = open_numbered(path, i, &st);

		missing = fd < 0 ? missing + 1 : 0;
		if (fd < 0)
			continue;
		close(fd);
		if (is_same(&st, own))
			return (int)i;
	}
	return -ENOENT;
}

/*
 * The file before @st, whose number was one less than *number. Numbers tell, not times: after the
 * clock was set back the older file looks younger. It is the right one if ours has the same number
 * before and afterwards; a rotation lacks one number while it is at it.
 */
static int open_older(const char *path, const struct stat *st, unsigned int *number,
		      struct stat *ret_older)
{
	for (int i = 0; i < TRIES; i++) {
		int own = find_number(path, st, *number - 1);
		unsigned int older = (unsigned int)own + 1;
		int fd;

		if (own < 0)
			return own;
		fd = open_numbered(path, older, ret_older);
		if (fd == -ENOENT)
			fd = open_numbered(path, ++older, ret_older);
		if (find_number(path, st, (unsigned int)own) == own) {
			*number = older;
			return fd;
		}
		berth_fd_close(&fd);
	}
	return -ENOENT;
}

/* From the present file back to the one that holds the first line that is wanted. */
static int open_first(struct berth_log_reader *reader, uint64_t lines)
{
	struct stat st, older;
	off_t start = 0;
	int fd = open_numbered(reader->path, 0, &st);

	if (fd == -ENOENT)
		fd = open_numbered(reader->path, 1, &st); /* just being rotated */
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	for (unsigned int number = 1;; number++) {
		int older_fd;

		if (lines != UINT64_MAX)
			start = find_tail(fd, st.st_size, &lines);
		older_fd = lines ? open_older(reader->path, &st, &number, &older) : -ENOENT;
		if (older_fd >= 0 && (int64_t)older.st_mtim.tv_sec * 1000 + 999 < reader->since_ms)
			berth_fd_close(&older_fd);
		if (older_fd < 0)
			break;
		close(fd);
		fd = older_fd;
		st = older;
	}
	reader->fd = fd;
	return lseek(fd, start, SEEK_SET) < 0 ? -errno : 0;
}

int berth_log_read_open(struct berth_log_reader *reader, const char *path, uint64_t lines,
			int64_t since_ms)
{
	int r;

	*reader = (struct berth_log_reader){ .fd = -1, .since_ms = since_ms };
	reader->path = strdup(path);
	reader->buf = malloc(BUF_SIZE);
	r = reader->path && reader->buf ? open_first(reader, lines) : -ENOMEM;
	if (r < 0)
		berth_log_read_close(reader);
	return r;
}

void berth_log_read_close(struct berth_log_reader *reader)
{
	if (reader->path)
		berth_fd_close(&reader->fd);
	free(BERTH_STEAL(reader->path));
	free(BERTH_STEAL(reader->buf));
}

/* --- one after the other --- */

/* @len bytes of the buffer are a line, or with @cut its next piece. */
static void take_line(struct berth_log_reader *reader, size_t len, bool cut,
		      struct berth_log_entry *ret_entry)
{
	const char *line = reader->buf + reader->at;

	if (reader->cut) {
		*ret_entry = reader->head;
		ret_entry->text = line;
		ret_entry->len = len;
	} else {
		berth_log_read_parse(line, len, ret_entry);
		reader->head = *ret_entry;
	}
	if (cut)
		ret_entry->continued = true;
	reader->cut = cut;
	reader->at += len;
}

/* A line that is there as a whole, or as much as the buffer takes. */
static bool find_line(struct berth_log_reader *reader, struct berth_log_entry *ret_entry)
{
	const char *text = reader->buf + reader->at;
	size_t len = reader->len - reader->at;
	const char *stop = len ? memchr(text, '\n', len) : NULL;

	if (stop) {
		take_line(reader, (size_t)(stop - text), false, ret_entry);
		reader->at++;
		return true;
	}
	if (len < BUF_SIZE)
		return false;
	take_line(reader, len, true, ret_entry);
	return true;
}

/* What is left without a newline, when nothing will follow. */
static bool find_rest(struct berth_log_reader *reader, struct berth_log_entry *ret_entry)
{
	if (reader->at == reader->len && !reader->cut)
		return false;
	take_line(reader, reader->len - reader->at, false, ret_entry);
	return true;
}

static ssize_t fill(struct berth_log_reader *reader)
{
	ssize_t n;

	memmove(reader->buf, reader->buf + reader->at, reader->len - reader->at);
	reader->len -= reader->at;
	reader->at = 0;
	do
		n = read(reader->fd, reader->buf + reader->len, BUF_SIZE - reader->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	reader->len += (size_t)n;
	return n;
}

/* Like berth_log_read_next(), whatever its age. */
static int next_entry(struct berth_log_reader *reader, bool final,
		      struct berth_log_entry *ret_entry)
{
	while (!find_line(reader, ret_entry)) {
		ssize_t n = fill(reader);
		int r;

		if (n < 0)
			return (int)n;
		if (n > 0)
			continue;
		if (!reader->last_look && is_replaced(reader)) {
			reader->last_look = true;
			continue;
		}
		if ((reader->last_look || final) && find_rest(reader, ret_entry))
			return 0;
		if (!reader->last_look)
			return BERTH_LOG_READ_E_END;
		r = open_next(reader);
		if (r < 0)
			return r == -EAGAIN ? BERTH_LOG_READ_E_END : r;
	}
	return 0;
}

int berth_log_read_next(struct berth_log_reader *reader, bool final,
			struct berth_log_entry *ret_entry)
{
	int r;

	if (reader->fd < 0) {
		r = open_first(reader, UINT64_MAX);
		if (r < 0)
			return r;
		if (reader->fd < 0)
			return BERTH_LOG_READ_E_END;
	}
	do
		r = next_entry(reader, final, ret_entry);
	while (r == 0 && ret_entry->at_ms < reader->since_ms);
	return r;
}

json_t *berth_log_read_tail(const char *path, size_t count)
{
	json_t *lines = json_array();
	struct berth_log_reader reader;
	struct berth_log_entry entry;
	bool goes_on = false;
	char shown[SHOWN_MAX];

	if (!count || !path || !*path || berth_log_read_open(&reader, path, count, 0) < 0)
		return lines;
	while (json_array_size(lines) < count && berth_log_read_next(&reader, true, &entry) == 0) {
		if (entry.is_own)
			continue;
		if (!goes_on) {
			berth_str_printable(entry.text, entry.len, shown, sizeof(shown));
			json_array_append_new(lines, json_string(shown));
		}
		goes_on = entry.continued;
	}
	berth_log_read_close(&reader);
	return lines;
}
