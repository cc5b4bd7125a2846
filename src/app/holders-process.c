/* SPDX-License-Identifier: MIT */
/*
 * app/holders-process.c - what there is to say of a process, asked once for each
 *
 * What may not be read is null, and never a reason to fail: another user's working folder, a
 * process that ends meanwhile. All text is the process's own and may hold anything: whoever prints
 * it makes it printable.
 */
#include "app/holders-process.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "look/place.h"
#include "os/cgroup.h"
#include "os/netns.h"

enum {
	COMMAND_MAX = 64 * 1024, /* bytes of a command line; longer ones are cut */
	PARENTS_MAX = 64, /* a deeper chain is nobody's to read */
	PASSWD_MAX = 16 * 1024,
};

/* What makes a folder a project, by weight: the first one wins wherever it lies above. */
static const char *const markers[] = {
	".git",	   "berth.yaml", "package.json",  "pyproject.toml", "Cargo.toml", "go.mod",
	"pom.xml", "Gemfile",	 "composer.json", "mix.exs",	    "Procfile",	  "Makefile",
};

static void format_pid(pid_t pid, char key[16])
{
	snprintf(key, 16, "%d", (int)pid);
}

/* Which records each supervisor has. */
static json_t *collect_supervisors(json_t *records)
{
	json_t *supervisors = json_object();
	json_t *record;
	char key[16];
	size_t i;

	json_array_foreach (records, i, record) {
		json_t *those;

		format_pid(berth_registry_process(record, "supervisor").pid, key);
		those = json_object_get(supervisors, key);
		if (!those) {
			those = json_array();
			json_object_set_new(supervisors, key, those);
		}
		json_array_append(those, record);
	}
	return supervisors;
}

int berth_holders_processes_init(struct berth_holders_processes *processes, json_t *records)
{
	const char *home = getenv("HOME");

	*processes = (struct berth_holders_processes){
		.supervisors = collect_supervisors(records),
		.parents = json_object(),
		.roots = json_object(),
		.users = json_object(),
		.groups = json_object(),
		.scratch = malloc(COMMAND_MAX),
	};
	if (home && home[0] == '/')
		snprintf(processes->home, sizeof(processes->home), "%s", home);
	if (processes->supervisors && processes->parents && processes->roots && processes->users &&
	    processes->groups && processes->scratch)
		return 0;
	berth_holders_processes_deinit(processes);
	return -ENOMEM;
}

void berth_holders_processes_forget(struct berth_holders_processes *processes)
{
	for (size_t i = 0; i < processes->count; i++) {
		json_decref(processes->known[i]->document);
		free(processes->known[i]);
	}
	processes->count = 0;
	json_object_clear(processes->parents);
}

void berth_holders_processes_deinit(struct berth_holders_processes *processes)
{
	berth_holders_processes_forget(processes);
	free(processes->known);
	json_decref(processes->supervisors);
	json_decref(processes->parents);
	json_decref(processes->roots);
	json_decref(processes->users);
	json_decref(processes->groups);
	free(processes->scratch);
	*processes = (struct berth_holders_processes){ 0 };
}

/* ---- users ---- */

json_t *berth_holders_process_user(struct berth_holders_processes *processes, uid_t uid)
{
	struct passwd passwd, *found = NULL;
	char key[16], buf[PASSWD_MAX];
	json_t *name;

	snprintf(key, sizeof(key), "%u", (unsigned int)uid);
	name = json_object_get(processes->users, key);
	if (!name) {
		(void)getpwuid_r(uid, &passwd, buf, sizeof(buf), &found);
		name = found ? berth_json_text_or_null(found->pw_name) : json_null();
		json_object_set_new(processes->users, key, name);
	}
	return json_incref(name);
}

/* ---- projects ---- */

static bool exists(const char *folder, const char *name, bool *ret_is_folder)
{
	char path[PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof(path), "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);

	if (n >= (int)sizeof(path) || stat(path, &st) < 0)
		return false;
	*ret_is_folder = S_ISDIR(st.st_mode);
	return true;
}

/* git passes over an empty folder of that name, and so does service/identity.c. */
static bool has_marker(const char *folder, const char *marker)
{
	bool is_folder;

	return exists(folder, marker, &is_folder) &&
	       (!is_folder ||
		(strcmp(marker, ".git") == 0 && exists(folder, ".git/HEAD", &is_folder)));
}

/* The nearest folder with @marker, from @cwd upwards; what lies in $HOME counts only there. */
static bool find_above(const struct berth_holders_processes *processes, const char *cwd,
		       const char *marker, char root[PATH_MAX])
{
	char *slash;

	if (snprintf(root, PATH_MAX, "%s", cwd) >= PATH_MAX)
		return false;
	for (;;) {
		bool home = strcmp(root, processes->home) == 0 && strcmp(root, cwd) != 0;

		if (!home && has_marker(root, marker))
			return true;
		slash = strrchr(root, '/');
		if (!slash || !slash[1])
			return false;
		slash[slash == root] = '\0';
	}
}

json_t *berth_holders_process_project(struct berth_holders_processes *processes, const char *cwd)
{
	json_t *project = json_object_get(processes->roots, cwd);
	char root[PATH_MAX];

	if (project)
		return json_incref(project);
	for (size_t i = 0; !project && i < BERTH_ARRAY_SIZE(markers); i++)
		if (find_above(processes, cwd, markers[i], root))
			project = json_pack("{s:o,s:s}", "root", berth_json_text(root), "kind",
					    markers[i]);
	if (!project)
		project = json_null();
	json_object_set(processes->roots, cwd, project);
	return project;
}

/* Is the working folder of the process what we find under that path? In a container it is not. */
static bool is_our_folder(pid_t pid, const char *cwd)
{
	char link[64];
	struct stat theirs, ours;

	snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
	return stat(link, &theirs) == 0 && stat(cwd, &ours) == 0 && theirs.st_ino == ours.st_ino &&
	       theirs.st_dev == ours.st_dev;
}

/* "cwd" and "project" of @document. */
static void add_folder(struct berth_holders_processes *processes, pid_t pid, json_t *document)
{
	char cwd[PATH_MAX + 16];
	bool ours;

	if (berth_procfs_cwd(pid, cwd, sizeof(cwd)) < 0) {
		json_object_set_new(document, "cwd", json_null());
		json_object_set_new(document, "project", json_null());
		return;
	}
	ours = is_our_folder(pid, cwd);
	json_object_set_new(document, "cwd", berth_json_text_or_null(cwd));
	json_object_set_new(document, "project",
			    ours ? berth_holders_process_project(processes, cwd) : json_null());
}

/* ---- control groups ---- */

static void set_place(const struct berth_place *place, json_t *document)
{
	json_t *container = json_null();

	if (place->container[0])
		container = json_pack("{s:o,s:n,s:o,s:n}", "id", berth_json_text(place->container),
				      "name", "engine", berth_json_text_or_null(place->engine),
				      "image");
	json_object_set_new(document, "unit", berth_json_text_or_null(place->unit));
	json_object_set_new(document, "container", container);
}

void berth_holders_process_place(struct berth_holders_processes *processes, uint64_t cgroup_id,
				 json_t *holder)
{
	struct berth_place place = { 0 };
	char path[PATH_MAX], key[24];
	const char *known;

	snprintf(key, sizeof(key), "%llu", (unsigned long long)cgroup_id);
	known = json_string_value(json_object_get(processes->groups, key));
	if (!known && cgroup_id) {
		if (berth_cgroup_find(cgroup_id, path, sizeof(path)) < 0)
			path[0] = '\0';
		json_object_set_new(processes->groups, key, berth_json_text(path));
		known = path;
	}
	if (known && *known)
		berth_place_parse(known, &place);
	set_place(&place, holder);
}

static void add_place(struct berth_holders_process *process)
{
	BERTH_AUTO_FREE char *text = NULL;
	struct berth_place place = { 0 };

	if (berth_cgroup_of(process->id.pid, &text) == 0)
		berth_place_parse_file(text, &place);
	set_place(&place, process->document);
}

/* ---- parents ---- */

/* {"pid","process","ppid","start"}; borrowed, NULL: gone. */
static json_t *parent_of(struct berth_holders_processes *processes, pid_t pid)
{
	struct berth_proc_stat stat;
	json_t *parent;
	char key[16];

	format_pid(pid, key);
	parent = json_object_get(processes->parents, key);
	if (!parent && berth_procfs_stat(pid, &stat) == 0) {
		parent = json_pack("{s:i,s:o,s:i,s:I}", "pid", (int)pid, "process",
				   berth_json_text(stat.comm), "ppid", (int)stat.ppid, "start",
				   (json_int_t)stat.id.start_ticks);
		json_object_set_new(processes->parents, key, parent);
	}
	return parent;
}

/* Who lives under that number is who the record means: dead ones are not among them. */
static const json_t *records_of(const struct berth_holders_processes *processes, pid_t supervisor)
{
	char key[16];

	format_pid(supervisor, key);
	return json_object_get(processes->supervisors, key);
}

static void add_parents(struct berth_holders_processes *processes,
			struct berth_holders_process *process, pid_t ppid)
{
	json_t *parents = json_array();

	if (records_of(processes, process->id.pid))
		process->supervisor = process->id.pid;
	for (size_t i = 0; ppid > 0 && i < PARENTS_MAX; i++) {
		json_t *parent = parent_of(processes, ppid);

		if (!parent)
			break;
		if (!process->supervisor && records_of(processes, ppid))
			process->supervisor = ppid;
		json_array_append_new(parents, json_pack("{s:i,s:O}", "pid", (int)ppid, "process",
							 json_object_get(parent, "process")));
		ppid = (pid_t)berth_json_int(parent, "ppid", 0);
	}
	json_object_set_new(process->document, "parents", parents);
}

/* ---- one process ---- */

json_t *berth_holders_process_command(const char *text, size_t len)
{
	json_t *command = json_array();

	for (const char *at = text, *end = text + len; len && at <= end; at += strlen(at) + 1)
		json_array_append_new(command, berth_json_text(at));
	return command;
}

/* New reference. */
static json_t *command_of(struct berth_holders_processes *processes, pid_t pid)
{
	size_t len;

	if (berth_procfs_cmdline(pid, processes->scratch, COMMAND_MAX, &len) < 0)
		return json_array();
	return berth_holders_process_command(processes->scratch, len);
}

static struct berth_holders_process *describe(struct berth_holders_processes *processes,
					      const struct berth_proc_id *id)
{
	struct berth_proc_status status;
	struct berth_proc_stat stat;
	struct berth_holders_process *process;

	if (berth_procfs_stat(id->pid, &stat) < 0 || stat.id.start_ticks != id->start_ticks ||
	    berth_procfs_status(id->pid, &status) < 0)
		return NULL;
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	process->id = *id;
	process->document = json_object();
	json_object_set_new(process->document, "pid", json_integer(id->pid));
	json_object_set_new(process->document, "process", berth_json_text(stat.comm));
	json_object_set_new(process->document, "command", command_of(processes, id->pid));
	json_object_set_new(process->document, "user",
			    berth_holders_process_user(processes, status.uid));
	json_object_set_new(process->document, "uid", json_integer(status.uid));
	json_object_set_new(process->document, "started_at",
			    berth_json_time(berth_procfs_start_ms(id->start_ticks)));
	add_folder(processes, id->pid, process->document);
	add_place(process);
	add_parents(processes, process, stat.ppid);
	return process;
}

/* Where @pid is among the known, or would be. */
static size_t place_of(const struct berth_holders_processes *processes, pid_t pid)
{
	size_t lo = 0, hi = processes->count;

	while (lo < hi) {
		size_t middle = (lo + hi) / 2;

		if (processes->known[middle]->id.pid < pid)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

const struct berth_holders_process *berth_holders_process_find(
	struct berth_holders_processes *processes, const struct berth_proc_id *id)
{
	size_t at = place_of(processes, id->pid);
	struct berth_holders_process *process;

	if (at < processes->count && processes->known[at]->id.pid == id->pid)
		return processes->known[at]->id.start_ticks == id->start_ticks
			       ? processes->known[at]
			       : NULL;
	if (processes->count == processes->size) {
		size_t size = processes->size ? processes->size * 2 : 64;
		struct berth_holders_process **grown =
			reallocarray(processes->known, size, sizeof(*grown));

		if (!grown)
			return NULL;
		processes->known = grown;
		processes->size = size;
	}
	process = describe(processes, id);
	if (!process)
		return NULL;
	memmove(&processes->known[at + 1], &processes->known[at],
		(processes->count - at) * sizeof(*processes->known));
	processes->known[at] = process;
	processes->count++;
	return process;
}

/* ---- services ---- */

static bool has_port(const json_t *record, uint16_t port)
{
	const json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(berth_registry_summary(record), "ports"), i, entry)
		if (berth_json_int(entry, "port", 0) == port)
			return true;
	return false;
}

/* Read whole only where the port is the one: `who` reads all records there are. */
static bool is_outside(const json_t *record, uint16_t port)
{
	const json_t *netns;

	if (!has_port(record, port) ||
	    !berth_json_bool(berth_registry_service(record), "outside", false))
		return false;
	netns = berth_registry_private(record, "netns");
	return !json_is_integer(netns) || (uint64_t)json_integer_value(netns) == berth_netns_own();
}

const json_t *berth_holders_process_outside(const struct berth_holders_processes *processes,
					    uint16_t port)
{
	const char *supervisor;
	json_t *records, *record;
	size_t i;

	json_object_foreach (processes->supervisors, supervisor, records)
		json_array_foreach (records, i, record)
			if (is_outside(record, port))
				return record;
	return NULL;
}

/*
 * Who hangs directly below the supervisor, of @process and its parents: the keeper of its tree, the
 * command itself, or, where that tree has no keeper, whose own parent has ended.
 */
static struct berth_proc_id top_of(const struct berth_holders_processes *processes,
				   const struct berth_holders_process *process)
{
	struct berth_proc_id top = process->id;
	const json_t *parent;
	char key[16];
	size_t i;

	json_array_foreach (json_object_get(process->document, "parents"), i, parent) {
		pid_t pid = (pid_t)berth_json_int(parent, "pid", 0);

		if (pid == process->supervisor)
			break;
		format_pid(pid, key);
		top.pid = pid;
		top.start_ticks = (uint64_t)berth_json_int(json_object_get(processes->parents, key),
							   "start", 0);
	}
	return top;
}

/* What there is of a process to tell whose it is. */
struct marks {
	struct berth_proc_id top;
	struct berth_proc_stat stat;
	char *cgroups; /* owned; NULL: not to be had */
};

static bool has_tree(const json_t *record, const struct marks *marks)
{
	const json_t *tree;
	size_t i;

	json_array_foreach (berth_registry_private(record, "trees"), i, tree)
		if (berth_json_int(tree, "pid", 0) == marks->top.pid &&
		    (uint64_t)berth_json_int(tree, "start", 0) == marks->top.start_ticks)
			return true;
	return false;
}

/* The groups are named by the id of the service; there may be others below them. */
static bool has_cgroup(const json_t *record, const struct marks *marks)
{
	const json_t *path;
	size_t i;

	json_array_foreach (berth_registry_private(record, "cgroups"), i, path) {
		const char *name = strrchr(json_string_value(path), '/');
		const char *at = name && marks->cgroups ? strstr(marks->cgroups, name) : NULL;

		if (at && strchr("/\n", at[strlen(name)]))
			return true;
	}
	return false;
}

static bool has_session(const json_t *record, const struct marks *marks)
{
	const json_t *session;
	size_t i;

	json_array_foreach (berth_registry_private(record, "sessions"), i, session)
		if (berth_json_int(session, "pid", 0) == marks->stat.session &&
		    marks->stat.id.start_ticks >= (uint64_t)berth_json_int(session, "start", 0))
			return true;
	return false;
}

static bool has_environment(const json_t *record, const struct marks *marks)
{
	bool has = false;
	char mark[32];

	snprintf(mark, sizeof(mark), "BERTH_ID=%.16s",
		 berth_json_string(berth_registry_summary(record), "id", "?"));
	return berth_procfs_environ_has(marks->stat.id.pid, mark, &has) == 0 && has;
}

/*
 * Of @records of one supervisor, the one whose tree @process is in; NULL: that does not show.
 * @likely (NULL: none) is looked at first: a record is not read whole before it is.
 */
static const json_t *find_by_tree(const struct berth_holders_processes *processes,
				  const struct berth_holders_process *process,
				  const json_t *records, const json_t *likely)
{
	/* The surest and cheapest first. Only orphans of a tree without a keeper need the others. */
	static bool (*const has[])(const json_t *record, const struct marks *marks) = {
		has_tree,
		has_cgroup,
		has_session,
		has_environment,
	};
	struct marks marks = { .top = top_of(processes, process) };
	const json_t *record, *found = NULL;
	size_t i;

	if (likely && has_tree(likely, &marks))
		return likely;
	for (size_t k = 0; !found && k < BERTH_ARRAY_SIZE(has); k++) {
		if (k == 1 && (berth_procfs_stat(process->id.pid, &marks.stat) < 0 ||
			       berth_cgroup_of(process->id.pid, &marks.cgroups) < 0))
			break;
		json_array_foreach (records, i, record)
			if (!found && has[k](record, &marks))
				found = record;
	}
	free(marks.cgroups);
	return found;
}

const json_t *berth_holders_process_record(const struct berth_holders_processes *processes,
					   const struct berth_holders_process *process,
					   uint16_t port)
{
	const json_t *records = NULL, *record, *by_port = NULL, *by_tree;
	size_t i;

	if (!process->supervisor)
		return berth_holders_process_outside(processes, port);
	records = records_of(processes, process->supervisor);
	if (json_array_size(records) < 2)
		return json_array_get(records, 0);
	json_array_foreach (records, i, record)
		if (!by_port && has_port(record, port))
			by_port = record;
	/* The supervisor holds ports for all of them. */
	if (process->id.pid == process->supervisor)
		return by_port;
	/* The number alone does not tell: it may be another one's in UDP, or of a connection. */
	by_tree = find_by_tree(processes, process, records, by_port);
	return by_tree ? by_tree : by_port;
}

bool berth_holders_process_means(const struct berth_holders_processes *processes, uint16_t port,
				 const char *id)
{
	const char *supervisor;
	json_t *records, *record;
	bool means = false;
	size_t i;

	json_object_foreach (processes->supervisors, supervisor, records)
		json_array_foreach (records, i, record) {
			if (!has_port(record, port))
				continue;
			if (strcmp(berth_json_string(berth_registry_summary(record), "id", ""),
				   id) != 0)
				return false;
			means = true;
		}
	return means;
}
