/* SPDX-License-Identifier: MIT */
/*
 * app/doctor-files.c - what berth has left lying in its own folders, and what the user has settled
 *
 * A file is written under another name and then renamed: of a process that is killed in between,
 * that name stays. The index by port has a link for each number, which goes with its service; one
 * of a network namespace that went with its processes stays.
 */
#include "app/doctor.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/registry.h"
#include "base/str.h"
#include "base/time.h"
#include "os/statefile.h"
#include "stack/settings.h"

enum {
	YOUNG_S = 60, /* somebody may be about to rename it */
	SHOWN_MAX = 8, /* words of the command that removes them */
};

struct heap {
	size_t files, links;
	struct berth_str names[SHOWN_MAX];
	size_t name_count;
};

/* ".berth-" and 16 hex digits: os/statefile.h. */
static bool is_temporary(const char *name)
{
	static const char prefix[] = ".berth-";
	size_t len = sizeof(prefix) - 1;

	return strncmp(name, prefix, len) == 0 && strlen(name) == len + 16 &&
	       strspn(name + len, "0123456789abcdef") == 16;
}

/* A link of the index whose service has no record any more. */
static bool is_astray(int dir_fd, const char *name, const char *above)
{
	char id[BERTH_ID_SIZE], record[PATH_MAX];
	ssize_t n = readlinkat(dir_fd, name, id, sizeof(id) - 1);

	if (n <= 0)
		return false;
	id[n] = '\0';
	if (!berth_registry_is_id(id))
		return false;
	return (size_t)snprintf(record, sizeof(record), "%s/%s.json", above, id) < sizeof(record) &&
	       access(record, F_OK) < 0;
}

static void note(const char *path, const char *name, struct heap *heap)
{
	if (heap->name_count < SHOWN_MAX)
		berth_str_addf(&heap->names[heap->name_count++], "%s/%s", path, name);
}

/* The folder @path itself; of its links, where they lead to records in @above; NULL: to none. */
static void look_into(const char *path, const char *above, struct heap *heap)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int64_t old_s = berth_time_now_ms() / 1000 - YOUNG_S;
	struct dirent *entry;
	struct stat st;

	if (!dir) {
		berth_fd_close(&fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    st.st_mtim.tv_sec > old_s)
			continue;
		if (S_ISREG(st.st_mode) && is_temporary(entry->d_name)) {
			heap->files++;
			note(path, entry->d_name, heap);
		} else if (above && S_ISLNK(st.st_mode) && is_astray(fd, entry->d_name, above)) {
			heap->links++;
			note(path, entry->d_name, heap);
		}
	}
	closedir(dir);
}

static void look_below(enum berth_statefile_place place, const char *const *names,
		       struct heap *heap)
{
	char base[PATH_MAX], path[PATH_MAX];

	if (berth_statefile_path(place, base, sizeof(base)) < 0)
		return;
	look_into(base, NULL, heap);
	for (; *names; names++)
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", base, *names) < sizeof(path))
			look_into(path, place == BERTH_PLACE_RUNTIME ? base : NULL, heap);
}

/* As many as the command has room for: the next run tells of the others. */
static void fix_heap(const struct heap *heap, struct berth_doctor_finding *finding)
{
	const char *argv[SHOWN_MAX + 3] = { "rm", "--" };
	char command[8 * PATH_MAX];
	size_t count = heap->name_count;

	for (size_t i = 0; i < count; i++)
		argv[2 + i] = berth_str_text(&heap->names[i]);
	for (; count; count--) {
		argv[2 + count] = NULL;
		if (strlen(berth_str_quote_argv(argv, command, sizeof(command))) <
		    sizeof(finding->fix)) {
			berth_doctor_fix(finding, false, "%s", command);
			return;
		}
	}
}

void berth_doctor_stale_files(const struct berth_doctor_place *place,
			      struct berth_doctor_finding *finding)
{
	static const char *const of_runtime[] = { "ports", NULL };
	static const char *const of_state[] = { "ports", "logs", "ends", NULL };
	struct heap heap = { 0 };

	look_below(BERTH_PLACE_RUNTIME, of_runtime, &heap);
	look_below(BERTH_PLACE_STATE, of_state, &heap);
	if (!heap.files && !heap.links) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK, "nothing is left of what has ended");
	} else {
		berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
				   "%zu half-written file%s, and %zu link%s to services that are "
				   "gone",
				   heap.files, heap.files == 1 ? "" : "s", heap.links,
				   heap.links == 1 ? "" : "s");
		berth_doctor_cost(finding, "some space, and nothing else: nobody reads them");
		fix_heap(&heap, finding);
	}
	for (size_t i = 0; i < heap.name_count; i++)
		berth_str_deinit(&heap.names[i]);
}

void berth_doctor_settings(const struct berth_doctor_place *place,
			   struct berth_doctor_finding *finding)
{
	BERTH_CLEANUP(berth_settings_source_deinit) struct berth_settings_source source = { 0 };
	BERTH_CLEANUP(berth_settings_deinit) struct berth_settings settings = { 0 };
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	const char *words[] = { source.path, NULL };
	char quoted[sizeof(finding->fix)];
	struct berth_err err = { 0 };

	if (berth_settings_load(&settings, &source, &faults, &err) == 0) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   source.text ? "%s is understood"
					       : "there is no %s: the defaults",
				   source.path);
		return;
	}
	if (faults.count)
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING, "%s:%u:%u: %s", source.path,
				   faults.items[0].at.line, faults.items[0].at.column,
				   faults.items[0].text);
	else
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING, "%s", err.msg);
	berth_doctor_cost(finding, "nothing is started until that is mended");
	berth_doctor_fix(finding, false, "${EDITOR:-vi} %s",
			 berth_str_quote_argv(words, quoted, sizeof(quoted)));
}
