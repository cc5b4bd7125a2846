/* SPDX-License-Identifier: MIT */
/*
 * app/registry.c - what runs: one record per supervisor, true because that process lives
 *
 * Nothing here decides who owns a port or a name: sockets do. A record only says what they stand
 * for, and is believed as long as the process that wrote it lives (pid, start time and boot). So
 * there is nothing to lock, and nothing to repair.
 */
#include "app/registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/str.h"
#include "os/netns.h"
#include "os/statefile.h"
#include "service/name.h"

enum {
	RECORD_MAX = 256 * 1024,
	RECORDS_MAX = 20000, /* of one user: more is a runaway loop */
};

static const char id_letters[] = "abcdefghijklmnopqrstuvwxyz234567";

int berth_registry_open(struct berth_registry *ret_registry, struct berth_err *err)
{
	struct berth_registry registry = { .dir_fd = -1, .ports_fd = -1 };
	char ports[PATH_MAX];
	int r;

	r = berth_statefile_path(BERTH_PLACE_RUNTIME, registry.path, sizeof(registry.path));
	if (r < 0)
		return berth_err_errno(err, r, "cannot find a folder for what runs");
	registry.dir_fd = berth_statefile_open_dir(registry.path);
	if (registry.dir_fd < 0) {
		berth_err_errno(err, registry.dir_fd, "cannot use '%s'", registry.path);
		berth_err_hint(err,
			       "it must be a folder of your own that nobody else can write to; "
			       "set XDG_RUNTIME_DIR to another one");
		return registry.dir_fd;
	}
	if ((size_t)snprintf(ports, sizeof(ports), "%s/ports", registry.path) >= sizeof(ports))
		r = -ENAMETOOLONG;
	registry.ports_fd = r < 0 ? r : berth_statefile_open_dir(ports);
	if (registry.ports_fd < 0) {
		r = berth_err_errno(err, registry.ports_fd, "cannot use '%s'", ports);
		berth_registry_close(&registry);
		return r;
	}
	if (berth_procfs_boot_id(registry.boot) < 0)
		registry.boot[0] = '\0';
	registry.netns = berth_netns_own();
	*ret_registry = registry;
	return 0;
}

int berth_registry_reopen(struct berth_registry *registry)
{
	struct berth_registry again = *registry;
	char ports[PATH_MAX];

	if (mkdir(registry->path, 0700) < 0 && errno != EEXIST)
		return -errno;
	if ((size_t)snprintf(ports, sizeof(ports), "%s/ports", registry->path) >= sizeof(ports))
		return -ENAMETOOLONG;
	again.dir_fd = berth_statefile_open_dir(registry->path);
	if (again.dir_fd < 0)
		return again.dir_fd;
	again.ports_fd = berth_statefile_open_dir(ports);
	if (again.ports_fd < 0) {
		close(again.dir_fd);
		return again.ports_fd;
	}
	berth_registry_close(registry);
	*registry = again;
	return 0;
}

bool berth_registry_is_lost(const struct berth_registry *registry)
{
	struct stat held, named;

	return fstat(registry->dir_fd, &held) < 0 || stat(registry->path, &named) < 0 ||
	       held.st_ino != named.st_ino || held.st_dev != named.st_dev;
}

void berth_registry_close(struct berth_registry *registry)
{
	berth_fd_close(&registry->dir_fd);
	berth_fd_close(&registry->ports_fd);
}

int berth_registry_new_id(char ret_id[BERTH_ID_SIZE])
{
	unsigned char random[6];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -errno;
	for (size_t i = 0; i < sizeof(random); i++)
		ret_id[i] = id_letters[random[i] % 32];
	ret_id[sizeof(random)] = '\0';
	/* An id with no digit in it could be a name; one with nothing else, a port. */
	ret_id[0] = (char)('2' + random[0] % 6);
	ret_id[1] = id_letters[random[1] % 26];
	return 0;
}

bool berth_registry_is_id(const char *text)
{
	return strlen(text) == 6 && text[0] >= '2' && text[0] <= '7' &&
	       strspn(text, id_letters) == 6;
}

static void file_name(const char *id, char *buf, size_t size)
{
	snprintf(buf, size, "%s.json", id);
}

/*
 * A file has four lines: what tells whether the service lives, as plain words; what `ls` shows of
 * it; the other members of its document; what only we need. `ls` reads the first two of all files
 * there are, and JSON is read by the byte: the others are parsed when somebody asks for them.
 */
#define HEAD_FORMAT "berth 1 %lld %llu %lld %llu %d %36s %99s"

static void add_head(struct berth_str *text, const json_t *record)
{
	struct berth_proc_id supervisor = berth_registry_process(record, "supervisor");
	struct berth_proc_id guardian = berth_registry_process(record, "guardian");
	const char *boot = json_string_value(berth_registry_private(record, "boot"));
	const char *socket = json_string_value(berth_registry_private(record, "socket"));

	berth_str_addf(text, "berth 1 %lld %llu %lld %llu %d %s %s\n", (long long)supervisor.pid,
		       (unsigned long long)supervisor.start_ticks, (long long)guardian.pid,
		       (unsigned long long)guardian.start_ticks,
		       json_is_true(berth_registry_private(record, "linked")), boot ? boot : "-",
		       socket ? socket : "-");
}

/* Move what `ls` shows out of @document, a shallow copy. New reference. */
static json_t *split_summary(json_t *document)
{
	static const char *const members[] = {
		"id",	   "project",  "root",	"branch",     "copy",
		"service", "instance", "state", "started_at", "ports"
	};
	json_t *summary = json_object();

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(members); i++) {
		json_object_set(summary, members[i], json_object_get(document, members[i]));
		json_object_del(document, members[i]);
	}
	return summary;
}

int berth_registry_write(struct berth_registry *registry, const char *id, const json_t *record)
{
	BERTH_AUTO_JSON json_t *more = json_copy(berth_registry_service(record));
	BERTH_AUTO_JSON json_t *summary = split_summary(more);
	BERTH_AUTO_FREE char *first = summary ? berth_json_line(summary) : NULL;
	BERTH_AUTO_FREE char *second = more ? berth_json_line(more) : NULL;
	BERTH_AUTO_FREE char *rest = berth_json_line(json_object_get(record, "berth"));
	struct berth_str text = { 0 };
	char name[32];
	int r = -ENOMEM;

	add_head(&text, record);
	if (first && second && rest)
		berth_str_addf(&text, "%s\n%s\n%s\n", first, second, rest);
	file_name(id, name, sizeof(name));
	if (first && second && rest && berth_str_text(&text))
		r = berth_statefile_write(registry->dir_fd, name, text.text, text.len);
	berth_str_deinit(&text);
	return r;
}

bool berth_registry_has(const struct berth_registry *registry, const char *id)
{
	char name[32];

	file_name(id, name, sizeof(name));
	return faccessat(registry->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void berth_registry_remove(struct berth_registry *registry, const char *id)
{
	char name[32];

	file_name(id, name, sizeof(name));
	unlinkat(registry->dir_fd, name, 0);
}

static void port_name(const struct berth_registry *registry, uint16_t port, char *buf, size_t size)
{
	snprintf(buf, size, "%llu-%u", (unsigned long long)registry->netns, port);
}

void berth_registry_claim_port(struct berth_registry *registry, uint16_t port, const char *id)
{
	char name[48];

	port_name(registry, port, name, sizeof(name));
	if (symlinkat(id, registry->ports_fd, name) < 0 && errno == EEXIST) {
		/* Left by somebody who is gone: the socket says that it is ours now. */
		unlinkat(registry->ports_fd, name, 0);
		(void)!symlinkat(id, registry->ports_fd, name);
	}
}

static bool is_port_of(struct berth_registry *registry, const char *name, const char *id)
{
	char target[BERTH_ID_SIZE];
	ssize_t n = readlinkat(registry->ports_fd, name, target, sizeof(target));

	return n == (ssize_t)strlen(id) && memcmp(target, id, (size_t)n) == 0;
}

void berth_registry_unclaim_port(struct berth_registry *registry, uint16_t port, const char *id)
{
	char name[48];

	port_name(registry, port, name, sizeof(name));
	if (is_port_of(registry, name, id))
		unlinkat(registry->ports_fd, name, 0);
}

/* The words of the first line as members of "berth"; NULL: not such a line. */
static json_t *parse_head(const struct berth_registry *registry, const char *line)
{
	long long supervisor, guardian;
	unsigned long long supervisor_start, guardian_start;
	char boot[37], socket[100];
	int linked;

	if (sscanf(line, HEAD_FORMAT, &supervisor, &supervisor_start, &guardian, &guardian_start,
		   &linked, boot, socket) != 7)
		return NULL;
	return json_pack("{s:{s:I,s:I},s:{s:I,s:I},s:b,s:o,s:s}", "supervisor", "pid",
			 (json_int_t)supervisor, "start", (json_int_t)supervisor_start, "guardian",
			 "pid", (json_int_t)guardian, "start", (json_int_t)guardian_start, "linked",
			 linked, "boot",
			 strcmp(boot, registry->boot) == 0 ? json_string(boot) : json_null(),
			 "socket", socket);
}

static json_t *read_file(struct berth_registry *registry, const char *name)
{
	BERTH_AUTO_FREE char *text = NULL;
	BERTH_AUTO_JSON json_t *head = NULL;
	char *service, *more, *rest;
	json_t *record;
	size_t len;

	if (berth_statefile_read(registry->dir_fd, name, RECORD_MAX, &text, &len) < 0)
		return NULL;
	service = memchr(text, '\n', len);
	more = service ? strchr(service + 1, '\n') : NULL;
	rest = more ? strchr(more + 1, '\n') : NULL;
	if (!rest)
		return NULL;
	*service++ = *more++ = *rest++ = '\0';
	head = parse_head(registry, text);
	/* Written by us: no need to look for members that come twice. */
	record = head ? json_pack("{s:o}", "service", json_loads(service, 0, NULL)) : NULL;
	if (!json_is_object(berth_registry_summary(record))) {
		json_decref(record);
		return NULL;
	}
	json_object_set_new(head, "more", json_string(more));
	json_object_set_new(head, "rest", json_string(rest));
	json_object_set(record, "berth", head);
	return record;
}

json_t *berth_registry_read(struct berth_registry *registry, const char *id)
{
	char name[32];

	if (!berth_registry_is_id(id))
		return NULL;
	file_name(id, name, sizeof(name));
	return read_file(registry, name);
}

static bool has_port(const json_t *record, uint16_t port)
{
	const json_t *ports = json_object_get(berth_registry_summary(record), "ports");
	const json_t *entry;
	size_t i;

	json_array_foreach (ports, i, entry)
		if (berth_json_int(entry, "port", 0) == port)
			return true;
	return false;
}

json_t *berth_registry_find_port(struct berth_registry *registry, uint16_t port)
{
	char name[48], id[BERTH_ID_SIZE + 1];
	json_t *record;
	ssize_t n;

	port_name(registry, port, name, sizeof(name));
	n = readlinkat(registry->ports_fd, name, id, sizeof(id) - 1);
	if (n <= 0)
		return NULL;
	id[n] = '\0';
	record = berth_registry_read(registry, id);
	if (record && berth_registry_life(record) == BERTH_REGISTRY_LIVE && has_port(record, port))
		return record;
	json_decref(record);
	return NULL;
}

json_t *berth_registry_summary(const json_t *record)
{
	return json_object_get(record, "service");
}

/* Parse the line that a record still keeps as text under @name, into @members. */
static void complete(const json_t *record, const char *name, json_t *members)
{
	json_t *head = json_object_get(record, "berth");
	const char *line = json_string_value(json_object_get(head, name));
	BERTH_AUTO_JSON json_t *parsed = line ? berth_json_parse(line, strlen(line)) : NULL;

	if (!line)
		return;
	json_object_update_missing(members, parsed);
	json_object_del(head, name);
}

json_t *berth_registry_service(const json_t *record)
{
	json_t *service = berth_registry_summary(record);

	complete(record, "more", service);
	return service;
}

json_t *berth_registry_private(const json_t *record, const char *key)
{
	json_t *members = json_object_get(record, "berth");

	if (!json_object_get(members, key))
		complete(record, "rest", members);
	return json_object_get(members, key);
}

struct berth_proc_id berth_registry_process(const json_t *record, const char *which)
{
	const json_t *process = berth_registry_private(record, which);

	return (struct berth_proc_id){
		.pid = (pid_t)berth_json_int(process, "pid", 0),
		.start_ticks = (uint64_t)berth_json_int(process, "start", 0),
	};
}

json_t *berth_registry_process_json(const struct berth_proc_id *id)
{
	return json_pack("{s:I,s:I}", "pid", (json_int_t)id->pid, "start",
			 (json_int_t)id->start_ticks);
}

enum berth_registry_life berth_registry_life(const json_t *record)
{
	struct berth_proc_id supervisor = berth_registry_process(record, "supervisor");
	struct berth_proc_id guardian = berth_registry_process(record, "guardian");

	if (!json_is_string(berth_registry_private(record, "boot")))
		return BERTH_REGISTRY_DEAD;
	if (berth_procfs_is_alive(&supervisor))
		return BERTH_REGISTRY_LIVE;
	return guardian.pid && berth_procfs_is_alive(&guardian) ? BERTH_REGISTRY_ENDING
								: BERTH_REGISTRY_DEAD;
}

/* What they are sorted by, looked up once. */
struct entry {
	const char *started_at, *id; /* the record's own */
	json_t *record;
};

static int by_start(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;
	int order = strcmp(left->started_at, right->started_at);

	return order ? order : strcmp(left->id, right->id);
}

static json_t *sorted(struct entry *entries, size_t count)
{
	json_t *array = json_array();

	if (count)
		qsort(entries, count, sizeof(*entries), by_start);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, entries[i].record);
	return array;
}

int berth_registry_load(struct berth_registry *registry, json_t **ret_records)
{
	int fd = openat(registry->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	BERTH_AUTO_FREE struct entry *entries = NULL;
	size_t count = 0, size = 0;
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(dir)) && count < RECORDS_MAX) {
		const char *dot = strchr(entry->d_name, '.');
		json_t *record;

		if (!dot || dot - entry->d_name != 6 || strcmp(dot, ".json") != 0)
			continue;
		record = read_file(registry, entry->d_name);
		if (!record)
			continue;
		if (count == size) {
			size_t grown_size = size ? size * 2 : 64;
			struct entry *grown = reallocarray(entries, grown_size, sizeof(*entries));

			if (!grown) {
				json_decref(record);
				break;
			}
			entries = grown;
			size = grown_size;
		}
		entries[count++] = (struct entry){
			.started_at =
				berth_json_string(berth_registry_summary(record), "started_at", ""),
			.id = berth_json_string(berth_registry_summary(record), "id", ""),
			.record = record,
		};
	}
	closedir(dir);
	*ret_records = sorted(entries, count);
	return *ret_records ? 0 : -ENOMEM;
}

/*
 * {project: {root: branch}}: looked through once, so that many services of one folder cost nothing
 * more.
 */
static json_t *collect_roots(const json_t *records)
{
	json_t *projects = json_object();
	const json_t *record;
	size_t i;

	json_array_foreach (records, i, record) {
		const json_t *service = berth_registry_summary(record);
		const char *project = berth_json_string(service, "project", "");
		json_t *roots = json_object_get(projects, project);

		if (!roots) {
			roots = json_object();
			json_object_set_new(projects, project, roots);
		}
		json_object_set_new(roots, berth_json_string(service, "root", ""),
				    json_string(berth_json_string(service, "branch", "")));
	}
	return projects;
}

/*
 * Does another root of this project run something (on the same branch)? Then the plain label would
 * not tell them apart.
 */
static bool has_twin(json_t *projects, const json_t *service, bool same_branch)
{
	json_t *roots = json_object_get(projects, berth_json_string(service, "project", ""));
	const char *own_root = berth_json_string(service, "root", "");
	const char *own_branch = berth_json_string(service, "branch", "");
	const char *root;
	json_t *branch;

	if (json_object_size(roots) < 2)
		return false;
	json_object_foreach (roots, root, branch) {
		if (strcmp(root, own_root) == 0)
			continue;
		if (!same_branch || strcmp(json_string_value(branch), own_branch) == 0)
			return true;
	}
	return false;
}

static void parent_name(const char *root, char *buf, size_t size)
{
	const char *end = strrchr(root, '/');
	const char *begin = end;

	while (begin && begin > root && begin[-1] != '/')
		begin--;
	berth_str_copy(buf, size, "");
	if (end && begin && end > begin)
		snprintf(buf, size, "%.*s", (int)(end - begin), begin);
}

/*
 * What tells a folder from another one of the same project: its own name where the project has
 * another (of berth.yaml), else that of the folder above.
 */
static void place_name(const json_t *service, char *buf, size_t size)
{
	const char *root = berth_json_string(service, "root", "");
	const char *slash = strrchr(root, '/');
	char own[BERTH_NAME_MAX];

	berth_name_from(slash ? slash + 1 : root, own);
	if (strcmp(own, berth_json_string(service, "project", "")) != 0)
		berth_str_copy(buf, size, slash ? slash + 1 : root);
	else
		parent_name(root, buf, size);
}

static void label_service(json_t *projects, const json_t *record, json_t *service)
{
	const char *branch = berth_json_string(service, "branch", "");
	const char *copy = berth_json_string(service, "copy", "");
	bool linked = json_is_true(berth_registry_private(record, "linked"));
	int64_t instance = berth_json_int(service, "instance", 1);
	struct berth_str label = { 0 };
	char parent[64];

	berth_str_add(&label, berth_json_string(service, "project", ""));
	if (*branch && (linked || has_twin(projects, service, false)) &&
	    !has_twin(projects, service, true)) {
		berth_str_addf(&label, "@%s", branch);
	} else if (has_twin(projects, service, true)) {
		place_name(service, parent, sizeof(parent));
		berth_str_addf(&label, "~%s", parent);
	}
	if (*copy)
		berth_str_addf(&label, "+%s", copy);
	berth_str_addf(&label, "/%s", berth_json_string(service, "service", ""));
	if (instance > 1)
		berth_str_addf(&label, ".%lld", (long long)instance);
	if (berth_str_text(&label))
		json_object_set_new(service, "label", berth_json_text(berth_str_text(&label)));
	berth_str_deinit(&label);
}

void berth_registry_label(json_t *records)
{
	BERTH_AUTO_JSON json_t *projects = collect_roots(records);
	json_t *record;
	size_t i;

	json_array_foreach (records, i, record)
		label_service(projects, record, berth_registry_summary(record));
}
