/* SPDX-License-Identifier: MIT */
/*
 * os/logfile.c - a log that is rotated by size and age, and never grows beyond its bounds
 *
 * A batch becomes one write(2). O_APPEND and one writer: what is in the file is whole lines, but
 * for a write that was cut short (disk full), which is cut back to its last whole line.
 *
 * Somebody may take the file or its folder away while we write. Writing into a file without a name
 * succeeds, and nobody will ever read it; so each batch first looks whether the file has a name
 * still (one fstat(2)), and makes it again if not.
 *
 * Readers follow by the open file: rotation renames, and makes a new file; never is one that has
 * been read from cut or written over.
 */
#include "os/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum {
	SIZE_PRESET = 10 * 1024 * 1024,
	AGE_PERIOD_MS = 60 * 60 * 1000,
	NOTE_MAX = 256,
	SOURCE_MAX = 16,
};

static const char *name_of(const struct berth_logfile *file, unsigned int number,
			   char buf[BERTH_LOGFILE_NAME_SIZE + 16])
{
	if (number)
		snprintf(buf, BERTH_LOGFILE_NAME_SIZE + 16, "%s.%u", file->name, number);
	else
		snprintf(buf, BERTH_LOGFILE_NAME_SIZE + 16, "%s", file->name);
	return buf;
}

static int open_present(struct berth_logfile *file, int64_t now_ms)
{
	int fd = openat(file->dir_fd, file->name,
			O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
				O_NOCTTY,
			0600);
	struct stat st;
	int r;

	if (fd < 0)
		return -errno;
	r = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
	if (r < 0) {
		close(fd);
		return r;
	}
	/* For those who clear up. A file system without locks is no reason to go without a log. */
	(void)flock(fd, LOCK_SH | LOCK_NB);
	file->fd = fd;
	file->len = st.st_size;
	file->begun_ms = now_ms;
	file->torn = false;
	return 0;
}

static void remove_aged(struct berth_logfile *file, int64_t now_ms)
{
	char name[BERTH_LOGFILE_NAME_SIZE + 16];
	struct stat st;

	file->aged_ms = now_ms;
	if (!file->limits.age_ms)
		return;
	for (unsigned int i = 1; i <= file->limits.files; i++) {
		if (fstatat(file->dir_fd, name_of(file, i, name), &st, AT_SYMLINK_NOFOLLOW) < 0)
			return;
		if ((int64_t)st.st_mtim.tv_sec * 1000 < now_ms - file->limits.age_ms)
			unlinkat(file->dir_fd, name, 0);
	}
}

int berth_logfile_open(struct berth_logfile *file, int dir_fd, const char *name,
		       const struct berth_logfile_limits *limits, int64_t now_ms)
{
	int r;

	*file = (struct berth_logfile){ .dir_fd = dir_fd, .fd = -1, .limits = *limits };
	if (file->limits.size <= 0)
		file->limits.size = SIZE_PRESET;
	r = snprintf(file->name, sizeof(file->name), "%s", name);
	r = r < (int)sizeof(file->name) ? open_present(file, now_ms) : -ENAMETOOLONG;
	if (r < 0) {
		berth_fd_close(&file->dir_fd);
		return r;
	}
	remove_aged(file, now_ms);
	return 0;
}

static bool has_name(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink > 0;
}

bool berth_logfile_is_homeless(const struct berth_logfile *file)
{
	return !has_name(file->fd) && !has_name(file->dir_fd);
}

int berth_logfile_move(struct berth_logfile *file, int dir_fd, int64_t now_ms)
{
	berth_fd_close(&file->fd);
	berth_fd_close(&file->dir_fd);
	file->dir_fd = dir_fd;
	return open_present(file, now_ms);
}

/* The names are without gaps, unless somebody makes one. */
static unsigned int count_older(const struct berth_logfile *file)
{
	char name[BERTH_LOGFILE_NAME_SIZE + 16];
	unsigned int count = 0;

	while (count < file->limits.files && faccessat(file->dir_fd, name_of(file, count + 1, name),
						       F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		count++;
	return count;
}

/*
 * Oldest first, so that nothing is ever without a name. The last one that is kept is replaced; with
 * none to keep, the present one goes.
 */
static int rotate(struct berth_logfile *file, int64_t now_ms)
{
	char from[BERTH_LOGFILE_NAME_SIZE + 16], to[BERTH_LOGFILE_NAME_SIZE + 16];
	unsigned int older = count_older(file);

	for (unsigned int i = older < file->limits.files ? older + 1 : older; i > 0; i--) {
		if (renameat(file->dir_fd, name_of(file, i - 1, from), file->dir_fd,
			     name_of(file, i, to)) < 0 &&
		    errno != ENOENT)
			return -errno;
	}
	if (!file->limits.files && unlinkat(file->dir_fd, file->name, 0) < 0 && errno != ENOENT)
		return -errno;
	remove_aged(file, now_ms);
	berth_fd_close(&file->fd);
	file->len = 0;
	return open_present(file, now_ms);
}

/*
 * A write that was cut short: back to the last whole line of the @written bytes of @text, whose end
 * is returned.
 */
static size_t cut_back(struct berth_logfile *file, const char *text, size_t written)
{
	const char *last = written ? memrchr(text, '\n', written) : NULL;
	size_t whole = last ? (size_t)(last + 1 - text) : 0;

	file->torn = whole < written && ftruncate(file->fd, file->len + (int64_t)whole) < 0;
	file->len += (int64_t)(file->torn ? written : whole);
	return whole;
}

/* *ret_whole: as many bytes are in the file, whole lines; all of them when 0 is returned. */
static int write_lines(struct berth_logfile *file, const char *text, size_t len, size_t *ret_whole)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(file->fd, text + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int r = n < 0 ? -errno : -EIO;

			*ret_whole = cut_back(file, text, done);
			return r;
		}
		done += (size_t)n;
	}
	file->len += (int64_t)len;
	*ret_whole = len;
	return 0;
}

static uint64_t count_lines(const char *text, size_t len)
{
	const char *end = text + len;
	uint64_t count = 0;

	for (; (text = memchr(text, '\n', (size_t)(end - text))); text++)
		count++;
	return count;
}

static void lose(struct berth_logfile *file, uint64_t lines, int r)
{
	if (!file->lost)
		file->lost_why = -r;
	file->lost += lines;
}

/* What was lost, if lines can be written again. */
static int tell_lost(struct berth_logfile *file, int64_t now_ms)
{
	char text[NOTE_MAX], stamp[BERTH_TIME_RFC3339_SIZE];
	size_t whole;
	int len, r;

	len = snprintf(text, sizeof(text),
		       "%s%s e berth: %" PRIu64 " %s could not be written: %s\n",
		       file->torn ? "\n" : "", berth_time_format(now_ms, stamp), file->lost,
		       file->lost == 1 ? "line" : "lines", strerror(file->lost_why));
	if (len > (int)sizeof(text) - 1)
		len = (int)sizeof(text) - 1;
	text[len - 1] = '\n';
	r = write_lines(file, text, (size_t)len, &whole);
	if (r < 0)
		return r;
	file->lost = 0;
	file->torn = false;
	return 0;
}

/* Is there a file to write into, that can be found by its name? */
static int make_present(struct berth_logfile *file, int64_t now_ms)
{
	struct stat st;

	if (file->fd >= 0 && fstat(file->fd, &st) == 0 && st.st_nlink > 0) {
		file->len = st.st_size;
		return 0;
	}
	berth_fd_close(&file->fd);
	return open_present(file, now_ms);
}

void berth_logfile_begin(struct berth_logfile_batch *batch, struct berth_logfile *file,
			 int64_t now_ms)
{
	/* Not by a literal: that would clear the whole of its text. */
	batch->file = file;
	batch->now_ms = now_ms;
	berth_time_format(now_ms, batch->stamp);
	batch->stamp_len = strlen(batch->stamp);
	batch->len = 0;
	batch->lines = 0;
	batch->stuck = 0;
	if (now_ms < file->begun_ms) /* the clock was set back */
		file->begun_ms = now_ms;
	if (now_ms - file->aged_ms >= AGE_PERIOD_MS || now_ms < file->aged_ms)
		remove_aged(file, now_ms);
}

static bool is_old(const struct berth_logfile *file, int64_t now_ms)
{
	return file->limits.age_ms && file->len && now_ms - file->begun_ms >= file->limits.age_ms;
}

/* A line of @need bytes comes next: does the file have room, after what the batch holds? */
static bool has_room(const struct berth_logfile_batch *batch, size_t need)
{
	int64_t before = batch->file->len + (int64_t)batch->len;

	return before == 0 || before + (int64_t)need <= batch->file->limits.size;
}

static char *put(char *at, const char *text, size_t len)
{
	memcpy(at, text, len);
	return at + len;
}

/* False: it must be, and could not. */
static bool rotate_if_due(struct berth_logfile_batch *batch, size_t need)
{
	int r;

	if (has_room(batch, need) && !is_old(batch->file, batch->now_ms))
		return true;
	r = batch->stuck ? batch->stuck : rotate(batch->file, batch->now_ms);
	if (r == 0)
		return true;
	batch->stuck = r;
	lose(batch->file, 1, r);
	return false;
}

void berth_logfile_add(struct berth_logfile_batch *batch, const char *source, const char *text,
		       size_t len)
{
	size_t source_len = strnlen(source, SOURCE_MAX);
	size_t need = batch->stamp_len + 1 + source_len + 1 + len + 1;
	char *at;

	if (batch->len + need > sizeof(batch->text) || !has_room(batch, need) ||
	    is_old(batch->file, batch->now_ms))
		berth_logfile_commit(batch);
	if (need > sizeof(batch->text)) {
		lose(batch->file, 1, -EMSGSIZE);
		return;
	}
	if (!rotate_if_due(batch, need))
		return;
	at = put(batch->text + batch->len, batch->stamp, batch->stamp_len);
	*at++ = ' ';
	at = put(at, source, source_len);
	*at++ = ' ';
	at = put(at, text, len);
	*at = '\n';
	batch->len += need;
	batch->lines++;
}

void berth_logfile_commit(struct berth_logfile_batch *batch)
{
	struct berth_logfile *file = batch->file;
	size_t whole = 0;
	int r;

	if (!batch->lines)
		return;
	r = make_present(file, batch->now_ms);
	if (r == 0 && file->lost)
		r = tell_lost(file, batch->now_ms);
	if (r == 0)
		r = write_lines(file, batch->text, batch->len, &whole);
	if (r < 0)
		lose(file, batch->lines - count_lines(batch->text, whole), r);
	batch->len = 0;
	batch->lines = 0;
}

void berth_logfile_close(struct berth_logfile *file)
{
	if (!file || file->dir_fd < 0)
		return;
	if (file->fd >= 0 && file->lost)
		(void)!tell_lost(file, berth_time_now_ms());
	berth_fd_close(&file->fd);
	berth_fd_close(&file->dir_fd);
}

void berth_logfile_remove(int dir_fd, const char *name)
{
	char older[BERTH_LOGFILE_NAME_SIZE + 16];

	unlinkat(dir_fd, name, 0);
	for (unsigned int i = 1;; i++) {
		int len = snprintf(older, sizeof(older), "%s.%u", name, i);

		if (len >= (int)sizeof(older) || unlinkat(dir_fd, older, 0) < 0)
			return;
	}
}
