/* SPDX-License-Identifier: MIT */
/* app/history.c - how services ended: the last ones are kept */
#include "app/history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "app/log-read.h"
#include "base/time.h"
#include "os/logfile.h"
#include "os/statefile.h"

enum {
	/*
	 * Of a file that is read, and so of what is written. Only a command can be long, above all
	 * one of control characters, which are six bytes each in JSON; all else fits in any case.
	 */
	END_MAX = 1024 * 1024,
	COMMAND_MAX = 16 * 1024,
	NAMES_MAX =
		4 *
		BERTH_HISTORY_ALL, /* what several enders may leave before one of them clears up */
};

/* 0000019f3a2b4c5d-KEY-ID.json: time in ms, hexadecimal; as late as those before it at least. */
static bool is_end(const char *name)
{
	return strlen(name) > 17 && name[16] == '-' && strspn(name, "0123456789abcdef") == 16;
}

static int newest_first(const void *a, const void *b)
{
	return strcmp(*(char *const *)b, *(char *const *)a);
}

static int list(int dir_fd, char **ret_names, size_t *ret_count)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	size_t count = 0;
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(dir)) && count < NAMES_MAX)
		if (is_end(entry->d_name) && (ret_names[count] = strdup(entry->d_name)))
			count++;
	closedir(dir);
	qsort(ret_names, count, sizeof(*ret_names), newest_first);
	*ret_count = count;
	return 0;
}

static void free_names(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
}

/* A log and its older ones. */
static void remove_log(const char *path)
{
	const char *slash = strrchr(path, '/');
	BERTH_AUTO_FREE char *folder = slash ? strndup(path, (size_t)(slash - path)) : NULL;
	BERTH_AUTO_FD int dir_fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (dir_fd >= 0)
		berth_logfile_remove(dir_fd, slash + 1);
}

/* The end's log goes with it; a log that a living service writes has no end yet. */
static void remove_end(int dir_fd, const char *name)
{
	BERTH_AUTO_FREE char *text = NULL;
	BERTH_AUTO_JSON json_t *end = NULL;
	const char *log;
	size_t len;

	if (berth_statefile_read(dir_fd, name, END_MAX, &text, &len) == 0) {
		end = berth_json_parse(text, len);
		log = berth_json_string(end, "log", NULL);
		if (log)
			remove_log(log);
	}
	unlinkat(dir_fd, name, 0);
}

static void prune(int dir_fd, const char *key)
{
	char *names[NAMES_MAX];
	size_t count = 0, same = 0;

	if (list(dir_fd, names, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		same += strstr(names[i], key) != NULL;
		if (i >= BERTH_HISTORY_ALL ||
		    (strstr(names[i], key) && same > BERTH_HISTORY_PER_SERVICE))
			remove_end(dir_fd, names[i]);
	}
	free_names(names, count);
}

/* Never before one that is there: where the clock was set back, what ends now is the newest still. */
static uint64_t next_name(int dir_fd)
{
	uint64_t now = (uint64_t)berth_time_now_ms(), newest = 0;
	char *names[NAMES_MAX];
	size_t count = 0;

	if (list(dir_fd, names, &count) == 0 && count)
		newest = strtoull(names[0], NULL, 16);
	free_names(names, count);
	return newest >= now && newest < UINT64_MAX ? newest + 1 : now;
}

/* How many bytes of @text there is room for, as JSON; *room is what is left then. */
static size_t fitting(const char *text, size_t *room)
{
	size_t len = 0, left = *room;

	for (; text[len]; len++) {
		unsigned char c = (unsigned char)text[len];
		size_t size = c < ' ' || c == 0x7f ? 6 : c == '"' || c == '\\' ? 2 : 1;

		if (size > left)
			break;
		left -= size;
	}
	while (len && text[len] && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	*room = left;
	return len;
}

/* The words that there is room for; "..." stands for the rest. New reference. */
static json_t *cut_command(const json_t *command)
{
	size_t room = COMMAND_MAX, len, i;
	json_t *cut = json_array();
	json_t *word;

	json_array_foreach (command, i, word) {
		const char *text = json_string_value(word);
		BERTH_AUTO_FREE char *shortened = NULL;

		len = text && room > sizeof("\"...\",") ? fitting(text, &room) : 0;
		room -= room > sizeof("\"\",") ? sizeof("\"\",") : room;
		if (text && !text[len]) {
			json_array_append(cut, word);
			continue;
		}
		if (asprintf(&shortened, "%.*s...", (int)len, text ? text : "") >= 0)
			json_array_append_new(cut, berth_json_text(shortened));
		break;
	}
	return cut;
}

/* The line of @document, with a command that is not too long. NULL: out of memory. */
static char *line_of(const json_t *document)
{
	const json_t *command = json_object_get(document, "command");
	BERTH_AUTO_JSON json_t *shorter = NULL;
	char *text = berth_json_line(document);

	if (!text || strlen(text) <= 4 * COMMAND_MAX || !json_is_array(command))
		return text;
	free(text);
	shorter = json_copy((json_t *)(uintptr_t)document);
	json_object_set_new(shorter, "command", cut_command(command));
	return berth_json_line(shorter);
}

int berth_history_add(const json_t *document, const char *key)
{
	BERTH_AUTO_FREE char *text = line_of(document);
	BERTH_AUTO_FD int dir_fd = berth_statefile_open_below(BERTH_PLACE_STATE, "ends");
	char name[128];
	int r;

	if (dir_fd < 0)
		return dir_fd;
	if (!text)
		return -ENOMEM;
	snprintf(name, sizeof(name), "%016" PRIx64 "-%s-%s.json", next_name(dir_fd), key,
		 berth_json_string(document, "id", "none"));
	r = berth_statefile_write(dir_fd, name, text, strlen(text));
	if (r == 0)
		prune(dir_fd, key);
	return r;
}

/* In the place of a key, which is hexadecimal: they have their own bound, all together. */
int berth_history_add_freed(const json_t *freed)
{
	return berth_history_add(freed, "freed");
}

bool berth_history_is_freed(const json_t *end)
{
	return strcmp(berth_json_string(end, "state", ""), "freed") == 0;
}

int berth_history_load(json_t **ret_ends)
{
	BERTH_AUTO_FD int dir_fd = berth_statefile_open_below(BERTH_PLACE_STATE, "ends");
	json_t *ends = json_array();
	char *names[NAMES_MAX];
	size_t count = 0;

	if (!ends)
		return -ENOMEM;
	if (dir_fd >= 0 && list(dir_fd, names, &count) < 0)
		count = 0;
	for (size_t i = 0; i < count; i++) {
		BERTH_AUTO_FREE char *text = NULL;
		size_t len;

		if (berth_statefile_read(dir_fd, names[i], END_MAX, &text, &len) == 0) {
			json_t *end = berth_json_parse(text, len);

			if (json_is_object(end))
				json_array_append_new(ends, end);
			else
				json_decref(end);
		}
	}
	free_names(names, count);
	*ret_ends = ends;
	return 0;
}

bool berth_history_has(const char *id)
{
	BERTH_AUTO_FD int dir_fd = berth_statefile_open_below(BERTH_PLACE_STATE, "ends");
	char *names[NAMES_MAX], end[64];
	size_t count = 0;
	bool has = false;

	if (dir_fd < 0 || list(dir_fd, names, &count) < 0)
		return false;
	snprintf(end, sizeof(end), "-%s.json", id);
	for (size_t i = 0; i < count && !has; i++)
		has = strlen(names[i]) > strlen(end) &&
		      strcmp(names[i] + strlen(names[i]) - strlen(end), end) == 0;
	free_names(names, count);
	return has;
}

json_t *berth_history_tail(const char *path, size_t count)
{
	return berth_log_read_tail(path, count);
}
