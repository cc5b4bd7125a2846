/* SPDX-License-Identifier: MIT */
/* port/remembered.c - the numbers that a folder's service had last time */
/*
 * Nothing here decides who owns a port, so nothing is locked: two writers of one file leave the
 * whole of either, and what can't be read is as if it had never been. The folder is ours alone
 * (os/statefile), the files in it may be of any age and version.
 */
#include "port/remembered.h"

#include "base/json.h"
#include "base/str.h"
#include "os/statefile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
	KEY_LEN_MAX = 40,
	NAME_SIZE = KEY_LEN_MAX + sizeof(".json"),
	FILE_SIZE_MAX = 64 << 10, /* a path of 4 KiB may be escaped to six times that */
	READ_MAX = 1000,
	LISTED_MAX = 1 << 16,
};

static const char suffix[] = ".json";

static bool is_key(const char *text, size_t len)
{
	return len > 0 && len <= KEY_LEN_MAX &&
	       strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz") >= len;
}

static int file_name(const char *key, char ret_name[NAME_SIZE])
{
	size_t len = strlen(key);

	if (!is_key(key, len))
		return -EINVAL;
	memcpy(ret_name, key, len);
	memcpy(ret_name + len, suffix, sizeof(suffix));
	return 0;
}

/* New reference; NULL where there is no such file, or it is not ours to understand. */
static json_t *read_file(int dir_fd, const char *name)
{
	BERTH_AUTO_FREE char *text = NULL;
	size_t len;

	if (berth_statefile_read(dir_fd, name, FILE_SIZE_MAX, &text, &len) < 0)
		return NULL;
	return berth_json_parse(text, len);
}

static bool parse_port(const json_t *json, struct berth_remembered_port *ret_port)
{
	struct berth_remembered_port port = { 0 };
	const char *name = berth_json_string(json, "name", NULL);
	int64_t asked = berth_json_int(json, "asked", -1);
	int64_t given = berth_json_int(json, "given", -1);
	int64_t home = berth_json_int(json, "home", given);

	if (!name || !berth_str_copy(port.name, sizeof(port.name), name))
		return false;
	if (asked < 0 || asked > UINT16_MAX || given < 1 || given > UINT16_MAX)
		return false;
	if (home < 1 || home > UINT16_MAX)
		home = given;
	port.asked = (uint16_t)asked;
	port.given = (uint16_t)given;
	port.home = (uint16_t)home;
	*ret_port = port;
	return true;
}

static void parse_memory(const json_t *json, struct berth_remembered *ret_memory)
{
	const json_t *ports = json_object_get(json, "ports");
	size_t count = json_array_size(ports);

	*ret_memory = (struct berth_remembered){ 0 };
	for (size_t i = 0; i < count && ret_memory->count < BERTH_WISH_PORTS_MAX; i++)
		if (parse_port(json_array_get(ports, i), &ret_memory->ports[ret_memory->count]))
			ret_memory->count++;
}

int berth_remembered_load(int dir_fd, const char *key, struct berth_remembered *ret_memory)
{
	BERTH_AUTO_JSON json_t *json = NULL;
	char name[NAME_SIZE];
	int r;

	r = file_name(key, name);
	if (r < 0)
		return r;
	json = read_file(dir_fd, name);
	parse_memory(json, ret_memory);
	return 0;
}

static json_t *format_memory(const char *root, const char *copy, const char *service,
			     const struct berth_remembered *memory)
{
	BERTH_AUTO_JSON json_t *ports = json_array();
	json_t *json = json_object();

	for (size_t i = 0; i < memory->count; i++) {
		const struct berth_remembered_port *port = &memory->ports[i];
		json_t *entry = json_object();

		json_object_set_new(entry, "name", berth_json_text(port->name));
		json_object_set_new(entry, "asked", json_integer(port->asked));
		json_object_set_new(entry, "given", json_integer(port->given));
		json_object_set_new(entry, "home",
				    json_integer(port->home ? port->home : port->given));
		json_array_append_new(ports, entry);
	}
	json_object_set_new(json, "version", json_integer(1));
	/*
	 * A path that is no UTF-8 has no place in JSON: the file then never counts as left behind.
	 */
	json_object_set_new(json, "root", json_string(root));
	json_object_set_new(json, "copy", berth_json_text_or_null(copy));
	json_object_set_new(json, "service", berth_json_text(service));
	json_object_set(json, "ports", ports);
	return json;
}

int berth_remembered_save(int dir_fd, const char *key, const char *root, const char *copy,
			  const char *service, const struct berth_remembered *memory)
{
	BERTH_AUTO_JSON json_t *json = NULL;
	BERTH_AUTO_FREE char *line = NULL;
	char name[NAME_SIZE];
	int r;

	r = file_name(key, name);
	if (r < 0)
		return r;
	if (memory->count > BERTH_WISH_PORTS_MAX)
		return -EINVAL;
	/*
	 * Out of memory jansson leaves members away: less is remembered, or nothing can be printed.
	 */
	json = format_memory(root, copy, service, memory);
	line = json ? berth_json_line(json) : NULL;
	if (!line)
		return -ENOMEM;
	return berth_statefile_write(dir_fd, name, line, strlen(line));
}

struct listed {
	char name[NAME_SIZE];
	struct timespec changed;
};

static int compare_newest_first(const void *a, const void *b)
{
	const struct timespec *x = &((const struct listed *)a)->changed;
	const struct timespec *y = &((const struct listed *)b)->changed;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? 1 : -1;
	return x->tv_nsec < y->tv_nsec ? 1 : x->tv_nsec > y->tv_nsec ? -1 : 0;
}

static bool is_file_name(const char *name)
{
	size_t len = strlen(name);

	return len >= sizeof(suffix) && strcmp(name + len - strlen(suffix), suffix) == 0 &&
	       is_key(name, len - strlen(suffix));
}

/* All files but @own. The caller frees the list. */
static int list_files(int dir_fd, const char *own, struct listed **ret_list, size_t *ret_count)
{
	BERTH_AUTO_FREE struct listed *list = NULL;
	struct listed *more;
	size_t count = 0, size = 0;
	struct dirent *entry;
	DIR *dir;
	int fd;

	/* A descriptor of its own: closedir() closes it, and reading moves it. */
	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (count < LISTED_MAX && (entry = readdir(dir))) {
		if (!is_file_name(entry->d_name) || strcmp(entry->d_name, own) == 0)
			continue;
		if (count == size) {
			size = size ? 2 * size : 64;
			more = realloc(list, size * sizeof(*list));
			if (!more) {
				closedir(dir);
				return -ENOMEM;
			}
			list = more;
		}
		list[count] = (struct listed){ 0 };
		strcpy(list[count++].name, entry->d_name);
	}
	closedir(dir);
	*ret_list = BERTH_STEAL(list);
	*ret_count = count;
	return 0;
}

static void sort_newest_first(int dir_fd, struct listed *list, size_t count)
{
	struct stat st;

	for (size_t i = 0; i < count; i++)
		if (fstatat(dir_fd, list[i].name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			list[i].changed = st.st_mtim;
	qsort(list, count, sizeof(*list), compare_newest_first);
}

/*
 * Only what is surely not there: a folder that we may not see, or that is not mounted where it is,
 * stays.
 */
static bool has_gone(const char *root)
{
	struct stat st;

	return stat(root, &st) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* Asked for the same number, or both for none in particular. */
static bool is_same_wish(const struct berth_remembered_port *a,
			 const struct berth_remembered_port *b)
{
	return strcmp(a->name, b->name) == 0 &&
	       (a->asked == b->asked || (a->asked == a->given && b->asked == b->given));
}

void berth_remembered_find_homes(struct berth_remembered *memory,
				 const struct berth_remembered *old)
{
	for (size_t i = 0; i < memory->count; i++) {
		struct berth_remembered_port *port = &memory->ports[i];

		for (size_t k = 0; k < old->count && !port->home; k++)
			if (is_same_wish(&old->ports[k], port))
				port->home = old->ports[k].home;
		if (!port->home)
			port->home = port->given;
	}
}

int berth_remembered_foreign(int dir_fd, const char *key, const char *root, const char *copy,
			     struct berth_portset *ret_set)
{
	BERTH_AUTO_FREE struct listed *list = NULL;
	struct berth_remembered memory;
	char own[NAME_SIZE];
	const char *theirs;
	size_t count = 0;
	int r;

	r = file_name(key, own);
	if (r < 0)
		return r;
	r = list_files(dir_fd, own, &list, &count);
	if (r < 0)
		return r;
	if (count > READ_MAX) {
		sort_newest_first(dir_fd, list, count);
		count = READ_MAX;
	}
	memset(ret_set, 0, sizeof(*ret_set));
	for (size_t i = 0; i < count; i++) {
		BERTH_AUTO_JSON json_t *json = read_file(dir_fd, list[i].name);

		theirs = berth_json_string(json, "root", NULL);
		if (theirs && strcmp(theirs, root) == 0 &&
		    strcmp(berth_json_string(json, "copy", ""), copy) == 0)
			continue;
		if (theirs && theirs[0] == '/' && has_gone(theirs)) {
			(void)!unlinkat(dir_fd, list[i].name, 0);
			continue;
		}
		parse_memory(json, &memory);
		for (size_t k = 0; k < memory.count; k++) {
			const struct berth_remembered_port *port = &memory.ports[k];

			berth_portset_add(ret_set,
					  (struct berth_range){ port->given, port->given });
			berth_portset_add(ret_set, (struct berth_range){ port->home, port->home });
		}
	}
	return 0;
}
