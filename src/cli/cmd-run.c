/* SPDX-License-Identifier: MIT */
/* cli/cmd-run.c - berth run: run one service on a port of its own */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "app/control.h"
#include "app/find.h"
#include "app/front.h"
#include "app/history.h"
#include "app/inner.h"
#include "app/start.h"
#include "app/stop.h"
#include "base/parse.h"
#include "base/str.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/services.h"
#include "os/statefile.h"
#include "service/name.h"
#include "stack/template.h"

struct run_args {
	const char *name;
	struct berth_opt_list ports, maps;
	struct berth_range range;
	uint16_t step, around;
	bool any, strict;
	const char *skip;

	bool fresh, reuse, force;
	unsigned int free_first;
	bool detach;
	int64_t wait_ms;
	const char *owner;
	int64_t ttl_ms, grace_ms;

	unsigned int steer;
	bool loopback, pass_socket;

	struct berth_opt_list env;
	const char *env_file, *pid_file, *lock_file, *ports_file;
	int status_fd;
};

static const char *const steer_words[] = { "all", "declared", "bind", "off", NULL };
static const char *const free_words[] = { "own", NULL };

static const struct berth_opt run_opts[] = {
	{ 'p', "port", "PORT", BERTH_AT(LIST, struct run_args, ports),
	  "the port it wants, or a list to try in order; NAME=PORT for several, none for no port at all",
	  .group = "Ports" },
	{ 0, "range", "FROM-TO", BERTH_AT(RANGE, struct run_args, range), "take one of these numbers" },
	{ 0, "step", "N", BERTH_AT(U16, struct run_args, step), "move a group of ports by N at a time", .min = 1,
	  .max = 10000 },
	{ 0, "around", "N", BERTH_AT(U16, struct run_args, around), "try up to N numbers above and below the wish",
	  .min = 1, .max = 30000 },
	{ 0, "any", NULL, BERTH_AT(FLAG, struct run_args, any), "when all else is taken, any free number" },
	{ 0, "strict", NULL, BERTH_AT(FLAG, struct run_args, strict), "the wish or nothing" },
	{ 0, "skip", "LIST", BERTH_AT(STRING, struct run_args, skip), "numbers never to take: 6000,7000-7010" },
	{ 0, "map", "FROM:TO", BERTH_AT(LIST, struct run_args, maps),
	  "what the program binds as FROM becomes exactly TO" },

	{ 0, "name", "NAME", BERTH_AT(STRING, struct run_args, name), "call the service NAME", .group = "Instances" },
	{ 0, "new", NULL, BERTH_AT(FLAG, struct run_args, fresh), "one more instance, beside what runs already" },
	{ 0, "reuse", NULL, BERTH_AT(FLAG, struct run_args, reuse), "with -d: if the same command runs already, use it" },
	{ 0, "force", NULL, BERTH_AT(FLAG, struct run_args, force), "end what runs of this service, then start" },
	{ 0, "free", "own", BERTH_AT(CHOICE, struct run_args, free_first),
	  "end what berth started on the wish or in the range, then start", .bare = "own", .words = free_words,
	  .base = BERTH_JOB_FREE_OWN },

	{ 'd', "detach", NULL, BERTH_AT(FLAG, struct run_args, detach), "run in the background; return when it is ready",
	  .group = "Life" },
	{ 0, "wait", "TIME", BERTH_AT(DURATION, struct run_args, wait_ms), "with -d: how long to wait for ready",
	  .preset = "30s", .bare = "30s", .min = 1 },
	{ 0, "owner", "PID", BERTH_AT(STRING, struct run_args, owner), "end with process PID, or with the \"parent\" of this one" },
	{ 0, "ttl", "TIME", BERTH_AT(DURATION, struct run_args, ttl_ms), "end after TIME (90, 30m, 2h)", .min = 1 },
	{ 0, "grace", "TIME", BERTH_AT(DURATION, struct run_args, grace_ms), "from SIGTERM to SIGKILL", .preset = "10s" },

	{ 0, "steer", "WHAT", BERTH_AT(CHOICE, struct run_args, steer),
	  "whose calls are answered: all; declared ports only; bind without connect; off", .group = "Steering",
	  .preset = "all", .words = steer_words, .base = BERTH_STEER_ALL },
	{ 0, "loopback", NULL, BERTH_AT(FLAG, struct run_args, loopback), "listen on this machine only, whatever it asks for" },
	{ 0, "pass-socket", NULL, BERTH_AT(FLAG, struct run_args, pass_socket),
	  "hand over the listening socket (LISTEN_FDS), for programs that take one" },

	{ 'e', "env", "NAME=VALUE", BERTH_AT(LIST, struct run_args, env), "set a variable for the command",
	  .group = "Files and variables" },
	{ 0, "env-file", "FILE", BERTH_AT(STRING, struct run_args, env_file), "set the variables of a .env file",
	  .complete = BERTH_COMPLETE_FILE },
	{ 0, "pid-file", "FILE", BERTH_AT(STRING, struct run_args, pid_file), "write the command's pid while it lives",
	  .complete = BERTH_COMPLETE_FILE },
	{ 0, "lock-file", "FILE", BERTH_AT(STRING, struct run_args, lock_file), "write who runs, as JSON, while it lives",
	  .complete = BERTH_COMPLETE_FILE },
	{ 0, "ports-file", "FILE", BERTH_AT(STRING, struct run_args, ports_file),
	  "keep NAME_port and NAME_url in a JSON file while it lives", .bare = ".ports.json",
	  .complete = BERTH_COMPLETE_FILE },
	{ 0, "status-fd", "FD", BERTH_AT(FD, struct run_args, status_fd), "write events to descriptor FD, a JSON line each" },
	{ 0 },
};

static int usage(struct berth_err *err, const char *message, const char *hint)
{
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "%s", message);
	if (hint)
		berth_err_hint(err, "%s", hint);
	return -EINVAL;
}

/* What only combinations can get wrong. */
static int check_args(const struct run_args *args, const struct berth_cli *cli, struct berth_err *err)
{
	if (cli->common.json && !args->detach)
		return usage(err, "--json needs -d: in the foreground, standard output is the command's",
			     "--status-fd gives the events of a foreground run");
	if (args->reuse && !args->detach)
		return usage(err, "--reuse needs -d", NULL);
	if (args->fresh && (args->reuse || args->force))
		return usage(err, "--new goes neither with --reuse nor with --force", NULL);
	if (args->status_fd >= 0 && fcntl(args->status_fd, F_GETFD) < 0)
		return berth_err_set(err, -EBADF, BERTH_ERR_USAGE, "--status-fd: descriptor %d is not open",
				     args->status_fd);
	if (args->name && !berth_name_is_valid(args->name)) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "--name: '%s' is not a name", args->name);
		berth_err_hint(err, "a letter, then letters, digits and '-', all lower case: numbers are ports");
		return -EINVAL;
	}
	return 0;
}

static int parse_maps(const struct run_args *args, struct berth_job *job, struct berth_err *err)
{
	for (size_t i = 0; i < args->maps.count; i++) {
		const char *text = args->maps.items[i];
		const char *colon = strchr(text, ':');
		struct berth_job_map *map = &job->maps[job->map_count];
		char from[8] = "";

		if (job->map_count == BERTH_JOB_MAPS_MAX)
			return usage(err, "--map: too many of them", NULL);
		if (colon && (size_t)(colon - text) < sizeof(from))
			snprintf(from, sizeof(from), "%.*s", (int)(colon - text), text);
		if (!colon || berth_parse_port(from, &map->from) < 0 || berth_parse_port(colon + 1, &map->to) < 0)
			return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "--map: '%s' is not FROM:TO, two ports",
					     text);
		job->map_count++;
	}
	return 0;
}

static int parse_ports(const struct run_args *args, struct berth_job *job, struct berth_err *err)
{
	int r;

	for (size_t i = 0; i < args->ports.count; i++) {
		bool none = false;

		r = berth_wish_add_port(&job->wish, args->ports.items[i], &none, err);
		if (r < 0)
			return r;
		job->no_port |= none;
	}
	if (job->no_port && job->wish.port_count)
		return usage(err, "--port none goes with no other port", NULL);
	job->wish.range = args->range;
	job->wish.step = args->step;
	job->wish.around = args->around;
	job->wish.any = args->any;
	job->wish.strict = args->strict;
	return parse_maps(args, job, err);
}

/* --owner, else BERTH_OWNER: a process that lives now, known by its start time from here on. */
static int parse_owner(const struct run_args *args, struct berth_job *job, struct berth_err *err)
{
	const char *text = args->owner ? args->owner : getenv("BERTH_OWNER");
	struct berth_proc_stat stat;
	uint64_t pid;

	if (!text || !*text)
		return 0;
	if (strcmp(text, "parent") == 0)
		pid = (uint64_t)getppid();
	else if (berth_parse_u64(text, INT_MAX, &pid) < 0 || pid == 0)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "--owner: '%s' is neither a pid nor \"parent\"", text);
	if (berth_procfs_stat((pid_t)pid, &stat) < 0)
		return berth_err_set(err, -ESRCH, BERTH_ERR_USAGE, "--owner: there is no process %s", text);
	job->owner = stat.id;
	return 0;
}

static int absolute(const char *cwd, const char *path, const char **ret_path, struct berth_err *err)
{
	struct berth_str text = { 0 };

	if (!path)
		return 0;
	if (*path != '/')
		berth_str_addf(&text, "%s/", cwd);
	berth_str_add(&text, path);
	if (text.failed)
		return berth_err_errno(err, -ENOMEM, "cannot remember a path");
	*ret_path = text.text; /* for the life of the process */
	return 0;
}

static int load_dotenv(const char *path, bool must, struct berth_dotenv *ret_env, struct berth_err *err)
{
	BERTH_AUTO_FREE char *text = NULL;
	size_t len;
	int r = berth_statefile_read(AT_FDCWD, path, 1024 * 1024, &text, &len);

	if (r < 0 && !must)
		return 0;
	if (r < 0)
		return berth_err_errno(err, r, "cannot read '%s'", path);
	return berth_dotenv_parse(text, len, path, ret_env, err);
}

/* The "name" of package.json: what to call a command that says nothing by itself. */
static json_t *load_package(void)
{
	BERTH_AUTO_FREE char *text = NULL;
	size_t len;

	if (berth_statefile_read(AT_FDCWD, "package.json", 1024 * 1024, &text, &len) < 0)
		return NULL;
	return berth_json_parse(text, len);
}

static int identify(const struct run_args *args, const char *const *argv, const char *cwd,
		    struct berth_identity *identity, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *package = NULL;
	const char *folder = strrchr(cwd, '/');
	int r = berth_identity_load(cwd, identity, err);

	if (r < 0)
		return r;
	identity->instance = 1;
	if (args->name) {
		berth_str_copy(identity->service, sizeof(identity->service), args->name);
	} else {
		package = load_package();
		berth_name_guess(argv, berth_json_string(package, "name", NULL), folder ? folder + 1 : cwd,
				 identity->service);
	}
	berth_identity_seal(identity);
	return 0;
}

/* {port} in the command needs a number before the command runs. */
static bool uses_port(const char *const *argv)
{
	static const struct berth_template_var vars[] = { { "port", "" }, { "url", "" } };

	for (; *argv; argv++)
		if (berth_template_has(*argv, vars, BERTH_ARRAY_SIZE(vars)))
			return true;
	return false;
}

static bool env_says(const char *name)
{
	const char *value = getenv(name);

	return value && *value && strcmp(value, "0") != 0;
}

static int check_env(const struct berth_opt_list *env, struct berth_err *err)
{
	for (size_t i = 0; i < env->count; i++)
		if (!strchr(env->items[i], '=') || env->items[i][0] == '=')
			return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "--env: '%s' is not NAME=VALUE",
					     env->items[i]);
	return 0;
}

struct run_files {
	char cwd[PATH_MAX];
	struct berth_dotenv dotenv, env_file;
};

static int fill_job(const struct run_args *args, struct berth_cli *cli, struct run_files *files, struct berth_job *job,
		    struct berth_err *err)
{
	struct rlimit limit;
	int r;

	if (!getcwd(files->cwd, sizeof(files->cwd)))
		return berth_err_errno(err, -errno, "cannot tell the working folder");
	*job = (struct berth_job){
		.cwd = files->cwd,
		.argv = cli->operands.items,
		.extra_env = args->env.items,
		.extra_env_count = args->env.count,
		.env_file = &files->env_file,
		.skip = args->skip,
		.scope = (enum berth_steer_scope)args->steer,
		.loopback = args->loopback,
		.pass_socket = args->pass_socket,
		.detach = args->detach,
		.fresh = args->fresh || env_says("BERTH_NEW"),
		.reuse = args->reuse,
		.force = args->force,
		.free_first = (enum berth_job_free)args->free_first,
		.ttl_ms = args->ttl_ms,
		.grace_ms = args->grace_ms,
		.wait_ms = args->wait_ms,
		.status_fd = args->status_fd,
		.quiet = cli->common.quiet,
		.verbose = cli->common.verbose,
	};
	sigprocmask(SIG_SETMASK, NULL, &job->signal_mask);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		job->open_files = limit.rlim_cur;
	r = check_env(&args->env, err);
	if (r == 0)
		r = parse_ports(args, job, err);
	if (r == 0)
		r = parse_owner(args, job, err);
	if (r == 0)
		r = absolute(files->cwd, args->pid_file, &job->pid_file, err);
	if (r == 0)
		r = absolute(files->cwd, args->lock_file, &job->lock_file, err);
	if (r == 0)
		r = absolute(files->cwd, args->ports_file, &job->ports_file, err);
	if (r == 0 && args->env_file)
		r = load_dotenv(args->env_file, true, &files->env_file, err);
	if (r == 0)
		r = load_dotenv(".env", false, &files->dotenv, err);
	if (r == 0)
		r = identify(args, job->argv, files->cwd, &job->identity, err);
	job->tell_port = job->fresh || args->pass_socket || uses_port(cli->operands.items);
	return r < 0 ? r : berth_job_settle(job, &files->dotenv, err);
}

/* BERTH=0: as if berth were not there; {port} gets the wish, for want of a lease. */
static int run_bare(struct berth_job *job, struct berth_err *err)
{
	uint16_t wish = job->wish.port_count && job->wish.ports[0].list_len ? job->wish.ports[0].list[0] :
									       job->wish.range.lo;
	char number[8], url[32];
	const struct berth_template_var vars[] = { { "port", number }, { "url", url }, { "host", "localhost" } };
	BERTH_AUTO_FREE char **argv = NULL;
	size_t count = 0;

	if (uses_port(job->argv) && !wish)
		return usage(err, "BERTH=0, and no --port to fill {port} with", NULL);
	snprintf(number, sizeof(number), "%u", wish);
	snprintf(url, sizeof(url), "http://localhost:%u", wish);
	while (job->argv[count])
		count++;
	argv = calloc(count + 1, sizeof(*argv));
	for (size_t i = 0; argv && i < count; i++) {
		int r = berth_template_expand(job->argv[i], vars, BERTH_ARRAY_SIZE(vars), false, &argv[i], err);

		if (r < 0)
			return r;
	}
	if (!argv)
		return berth_err_errno(err, -ENOMEM, "cannot run the command");
	return berth_inner_exec(argv, job, NULL, err);
}

/* "~/a/shop" of what lies in the home folder. */
static const char *tilde(const char *path, char *buf, size_t size)
{
	const char *home = getenv("HOME");
	size_t len = home ? strlen(home) : 0;

	if (len > 1 && strncmp(path, home, len) == 0 && (path[len] == '/' || path[len] == '\0'))
		snprintf(buf, size, "~%s", path + len);
	else
		snprintf(buf, size, "%s", path);
	return buf;
}

/* The instance that has our name: asked itself, since its record may not be written yet. NULL: it has gone meanwhile. */
static json_t *ask_running(struct berth_job *job, const char *what, int timeout_ms)
{
	BERTH_AUTO_JSON json_t *request = json_pack("{s:s}", "do", what);
	BERTH_AUTO_JSON json_t *answer = NULL;
	BERTH_AUTO_FD int fd = -1;
	char name[100];

	snprintf(name, sizeof(name), "berth/%u/%s", geteuid(), job->identity.key);
	fd = berth_control_connect(name);
	if (fd < 0 || berth_control_ask(fd, request, -1, timeout_ms, &answer, NULL) < 0)
		return NULL;
	return json_incref(json_object_get(answer, "service"));
}

static void explain_running(struct berth_cli *cli, const struct berth_job *job, json_t *service, struct berth_err *err)
{
	char folder[PATH_MAX], root[256], url[64], clock[BERTH_TIME_RFC3339_SIZE], age[BERTH_TIME_AGE_SIZE];
	int64_t started = 0, now = berth_time_now_ms();
	const char *name = job->identity.service;

	tilde(berth_json_string(service, "root", job->identity.root), folder, sizeof(folder));
	berth_str_printable(folder, (size_t)-1, root, sizeof(root));
	berth_services_url(service, url, sizeof(url));
	if (berth_time_parse(berth_json_string(service, "started_at", ""), &started) < 0)
		started = now;
	berth_err_set(err, -EADDRINUSE, BERTH_ERR_ALREADY_RUNNING,
		      "'%s' of %s is already running: %s%spid %lld, since %s (%s)", name, root, url, *url ? ", " : "",
		      (long long)berth_json_int(service, "pid", 0), berth_time_clock(started, now, clock),
		      berth_time_age(now - started, age));
	berth_err_hint(err, "use it, or berth restart %s, or --new for another, or --force to end it first", name);
	berth_out_error_extra(&cli->out, "service", json_incref(service));
}

static bool is_same_command(const struct berth_job *job, const json_t *service)
{
	const json_t *command = json_object_get(service, "command");
	size_t i;

	for (i = 0; job->argv[i]; i++) {
		const char *word = json_string_value(json_array_get(command, i));

		if (!word || strcmp(word, job->argv[i]) != 0)
			return false;
	}
	return json_array_size(command) == i;
}

static void print_started(struct berth_cli *cli, json_t *service, bool reused)
{
	BERTH_AUTO_JSON json_t *document = json_pack("{s:i,s:b,s:O}", "version", 1, "reused", reused, "service", service);
	const json_t *port;
	size_t i;

	if (cli->out.json) {
		berth_out_json(&cli->out, document);
		return;
	}
	json_array_foreach(json_object_get(service, "ports"), i, port) {
		const char *url = berth_json_string(port, "url", NULL);
		const char *name = berth_json_string(port, "name", "");
		int64_t asked = berth_json_int(port, "asked", 0), number = berth_json_int(port, "port", 0);
		char where[64], moved[48] = "";

		snprintf(where, sizeof(where), "%s%.0lld", url ? url : "port ", url ? 0 : (long long)number);
		if (asked && asked != number)
			snprintf(moved, sizeof(moved), " (it asked for %lld)", (long long)asked);
		berth_out_say(&cli->out, "%s%s%s is %s%s%s", berth_json_string(service, "service", ""),
			      strcmp(name, "main") ? ":" : "", strcmp(name, "main") ? name : "", where, moved,
			      reused ? ", running already" : "");
	}
}

/* The end of its log, as it is, for the one who waits. */
static void print_last_lines(struct berth_cli *cli, const json_t *service)
{
	BERTH_AUTO_JSON json_t *lines = berth_history_tail(berth_json_string(service, "log", NULL), 20);
	const json_t *line;
	size_t i;

	json_array_foreach(lines, i, line)
		berth_out_say(&cli->out, "| %s", json_string_value(line));
}

static int stop_record(struct berth_registry *registry, json_t *record, struct berth_err *err)
{
	const struct berth_stop_spec spec = { .grace_ms = -1, .force = true };
	BERTH_AUTO_JSON json_t *answer = NULL;

	return berth_stop(registry, record, &spec, &answer, err);
}

/* --force: end what has our name. */
static int end_running(struct berth_job *job, struct berth_err *err)
{
	struct berth_services services;
	json_t *record;
	size_t i;
	int r = berth_services_load(&services, err);

	if (r < 0)
		return r;
	json_array_foreach(services.records, i, record) {
		const char *key = json_string_value(berth_registry_private(record, "key"));

		if (r == 0 && key && strcmp(key, job->identity.key) == 0)
			r = stop_record(&services.registry, record, err);
	}
	berth_services_deinit(&services);
	return r;
}

static bool is_wished(const struct berth_wish *wish, uint16_t port)
{
	if (wish->range.lo && berth_range_has(&wish->range, port))
		return true;
	for (size_t i = 0; i < wish->port_count; i++)
		if (wish->ports[i].list_len && wish->ports[i].list[0] == port)
			return true;
	return false;
}

/* --free=own: end what berth started on the numbers that we want. */
static int free_wish(struct berth_cli *cli, struct berth_job *job, struct berth_err *err)
{
	struct berth_services services;
	json_t *record;
	size_t i, j;
	int r = berth_services_load(&services, err);

	if (r < 0)
		return r;
	json_array_foreach(services.records, i, record) {
		const json_t *service = berth_registry_service(record);
		const json_t *port;
		bool wished = false;

		json_array_foreach(json_object_get(service, "ports"), j, port)
			wished |= is_wished(&job->wish, (uint16_t)berth_json_int(port, "port", 0));
		if (!wished || r < 0)
			continue;
		r = stop_record(&services.registry, record, err);
		if (r == 0)
			berth_out_say(&cli->out, "ended %s, which had the port", berth_json_string(service, "label", "?"));
	}
	berth_services_deinit(&services);
	return r;
}

enum { START_TRIES = 3 };

/*
 * One start, by @fn; again after what has the name was ended (--force), or has ended by itself just now. Returns what @fn returned, or 1 where a
 * running instance serves (--reuse), which is then in *ret_service.
 */
static int start_or_use(struct berth_cli *cli, struct berth_job *job,
			int (*fn)(struct berth_cli *cli, struct berth_job *job, json_t **ret_service, struct berth_err *err),
			json_t **ret_service, struct berth_err *err)
{
	int r = -EAGAIN;

	for (int tries = 0; tries < START_TRIES; tries++) {
		BERTH_AUTO_JSON json_t *service = NULL;

		*err = (struct berth_err){ 0 };
		r = fn(cli, job, ret_service, err);
		if (r >= 0 || err->code != BERTH_ERR_ALREADY_RUNNING)
			return r;
		service = ask_running(job, job->reuse ? "await" : "status", job->reuse ? (int)job->wait_ms : 2000);
		if (!service && !job->force)
			continue;
		if (job->force) {
			r = end_running(job, err);
			if (r < 0)
				return r;
			continue;
		}
		if (job->reuse && is_same_command(job, service) &&
		    strcmp(berth_json_string(service, "state", ""), "ready") == 0) {
			*ret_service = BERTH_STEAL(service);
			*err = (struct berth_err){ 0 };
			return 1;
		}
		explain_running(cli, job, service, err);
		return -EADDRINUSE;
	}
	return r;
}

static int start_detached(struct berth_cli *cli, struct berth_job *job, json_t **ret_service, struct berth_err *err)
{
	int exit_code;
	int r = berth_start_detached(job, ret_service, &exit_code, err);

	if (r < 0)
		cli->error_exit = exit_code;
	return r;
}

static int run_detached(struct berth_cli *cli, struct berth_job *job, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *service = NULL;
	int r = start_or_use(cli, job, start_detached, &service, err);

	if (err->code == BERTH_ERR_ALREADY_RUNNING)
		cli->error_exit = 0;
	if (r >= 0) {
		print_started(cli, service, r == 1);
		return 0;
	}
	if (service && err->code == BERTH_ERR_START_FAILED && !cli->out.json)
		print_last_lines(cli, service);
	if (service && cli->out.json)
		berth_out_error_extra(&cli->out, "service", json_incref(service));
	return r;
}

static int start_foreground(struct berth_cli *cli, struct berth_job *job, json_t **ret_service, struct berth_err *err)
{
	struct berth_guardian_end end;
	int r = berth_start_foreground(job, &end, err);

	if (r < 0) {
		cli->error_exit = err->code == BERTH_ERR_ALREADY_RUNNING ? 0 : end.exit_code;
		return r;
	}
	if (end.lost)
		berth_out_say(&cli->out, "the supervisor of %s was killed; ended what it had started (%d process%s)",
			      job->identity.service, end.swept, end.swept == 1 ? "" : "es");
	if (end.interrupted)
		berth_front_die_of(end.signal);
	return end.exit_code;
}

static int run_run(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct run_args *args = arguments;
	static struct run_files files;
	static struct berth_job job;
	json_t *unused = NULL;
	int r;

	r = check_args(args, cli, err);
	if (r == 0)
		r = fill_job(args, cli, &files, &job, err);
	if (r < 0)
		return r;
	if (getenv("BERTH") && strcmp(getenv("BERTH"), "0") == 0)
		r = run_bare(&job, err);
	else
		r = berth_inner_run(&job, err);
	if (r != BERTH_INNER_E_OUTSIDE)
		return r;
	if (job.free_first) {
		r = free_wish(cli, &job, err);
		if (r < 0)
			return r;
	}
	return job.detach ? run_detached(cli, &job, err) : start_or_use(cli, &job, start_foreground, &unused, err);
}

const struct berth_cmd berth_cmd_run = {
	.name = "run",
	.synopsis = "[options] [--] COMMAND [ARG...]",
	.summary = "run one service on a port of its own",
	.details =
		"COMMAND gets the port it asks for in its own bind() if that is free, else the next one; nobody else can take it "
		"until the service ends, and nothing of the service stays behind.\n"
		"\n"
		"With a wish (--port, --range, or PORT in the environment or in .env) the port is known before COMMAND runs: it is in "
		"PORT, and {port}, {port.NAME}, {url}, {host} and {id} in COMMAND are filled in.\n"
		"\n"
		"The exit code is COMMAND's own, 128 + signal, or: 75 no port to be had, 4 already running, 2 usage, 125 berth's "
		"own failure, 126 and 127 as shells say it.",
	.opts = run_opts,
	.args_size = sizeof(struct run_args),
	.min = 1,
	.max = -1,
	.command_rest = true,
	.group = BERTH_CMD_START,
	.complete = BERTH_COMPLETE_FOREIGN,
	.run = run_run,
};
