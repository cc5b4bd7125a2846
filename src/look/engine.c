/* SPDX-License-Identifier: MIT */
/*
 * look/engine.c - containers, as a Docker-compatible engine tells of them
 *
 * One fixed request, GET /containers/json by HTTP/1.0, over a unix socket. A client of our own for
 * that, because libcurl would cost more at each start of berth than the question takes. What is not
 * root's and not ours is not asked, unless the user names it (DOCKER_HOST): it would be believed.
 *
 * systemd listens for an engine that does not run, and starts it for whoever connects. Who looks
 * must not start anything: the default sockets are asked only where some process shows that there
 * are containers, or that the engine runs.
 *
 * podman needs no engine that runs. Its conmon processes, one for each container, have the published
 * ports' sockets, and id and name in their command line.
 */
#include "look/engine.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/str.h"
#include "base/time.h"
#include "look/collect.h"
#include "look/look.h"
#include "os/procfs.h"
#include "os/uds.h"

enum {
	SOURCES_MAX = 8,
	ANSWER_MAX = 4 << 20,
	MONITORS_MAX = 4096,
	ARGS_MAX = 16384,
};

/* --- sockets --- */

struct source {
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	const char *name; /* of the engine, unless it says another */
	bool named; /* by the user: whoever answers there */
};

static void BERTH_PRINTF(5, 6) add_source(struct source *sources, size_t *count, const char *name,
					  bool named, const char *fmt, ...)
{
	struct source *source = &sources[*count];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(source->path, sizeof(source->path), fmt, ap);
	va_end(ap);
	if (len <= 0 || len >= (int)sizeof(source->path) || source->path[0] != '/')
		return;
	source->name = name;
	source->named = named;
	for (size_t i = 0; i < *count; i++)
		if (strcmp(sources[i].path, source->path) == 0)
			return;
	(*count)++;
}

static size_t list_sources(struct source sources[SOURCES_MAX])
{
	static const char scheme[] = "unix://";
	const char *host = getenv("DOCKER_HOST");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char folder[32];
	size_t count = 0;

	if (host && strncmp(host, scheme, sizeof(scheme) - 1) == 0)
		add_source(sources, &count, "docker", true, "%s", host + sizeof(scheme) - 1);
	add_source(sources, &count, "docker", false, "/var/run/docker.sock");
	add_source(sources, &count, "podman", false, "/run/podman/podman.sock");
	if (!runtime || runtime[0] != '/') {
		snprintf(folder, sizeof(folder), "/run/user/%u", (unsigned int)getuid());
		runtime = folder;
	}
	add_source(sources, &count, "docker", false, "%s/docker.sock", runtime);
	add_source(sources, &count, "podman", false, "%s/podman/podman.sock", runtime);
	return count;
}

/* Connected, and to whom; -EACCES also where that is neither root nor we ourselves. */
static int connect_to(const struct source *source, uid_t *ret_uid)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	BERTH_AUTO_FD int fd = -1;
	pid_t pid;
	int r;

	memcpy(addr.sun_path, source->path, sizeof(addr.sun_path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* It never takes time: a queue that is full is an engine that does not answer. */
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	r = berth_uds_peer(fd, &pid, ret_uid);
	if (r < 0)
		return r;
	if (!source->named && *ret_uid != 0 && *ret_uid != geteuid())
		return -EACCES;
	return berth_fd_steal(&fd);
}

/* One that has been asked. */
struct question {
	const struct source *source;
	int fd; /* owned */
	uid_t uid;
};

static int ask(const struct source *source, struct question *ret_question)
{
	static const char request[] = "GET /containers/json HTTP/1.0\r\n"
				      "Host: localhost\r\n"
				      "Connection: close\r\n"
				      "\r\n";
	BERTH_AUTO_FD int fd = -1;
	uid_t uid = 0;
	int r;

	fd = connect_to(source, &uid);
	if (fd < 0)
		return fd;
	r = berth_uds_send(fd, request, sizeof(request) - 1, -1);
	if (r == 0)
		*ret_question = (struct question){
			.source = source,
			.fd = berth_fd_steal(&fd),
			.uid = uid,
		};
	return r;
}

static int take_answer(const struct question *question, int64_t deadline_ns,
		       struct berth_engine *engine)
{
	struct berth_str answer = { 0 };
	size_t before = engine->count;
	int r = berth_collect(question->fd, ANSWER_MAX, deadline_ns, &answer);

	if (r == 0)
		r = berth_engine_parse_answer(berth_str_text(&answer), answer.len,
					      question->source->name, engine);
	berth_str_deinit(&answer);
	for (size_t i = before; i < engine->count; i++)
		engine->containers[i].uid = question->uid;
	return r;
}

static void note_outcome(struct berth_engine *engine, int r)
{
	engine->asked |= r == 0;
	engine->denied |= r == -EACCES || r == -EPERM;
	engine->late |= r == -ETIMEDOUT;
}

/* Of one that was reached: whatever else went wrong, there is one. */
static void note_answer(struct berth_engine *engine, int r)
{
	note_outcome(engine, r);
	engine->garbled |= r < 0 && r != -ETIMEDOUT && r != -ENOMEM;
}

/*
 * All at once; then each gets its share of the time that is left: one that hangs must not cost the
 * others theirs.
 */
static int ask_all(int timeout_ms, bool defaults, struct berth_engine *engine)
{
	int64_t end_ns = berth_time_mono_ns() + timeout_ms * BERTH_NS_PER_MS;
	struct source sources[SOURCES_MAX];
	struct question questions[SOURCES_MAX];
	size_t source_count = list_sources(sources), count = 0;
	int r = 0;

	for (size_t i = 0; i < source_count; i++) {
		if (!sources[i].named && !defaults)
			continue;
		r = ask(&sources[i], &questions[count]);
		if (r == 0)
			count++;
		else
			note_outcome(engine, r);
	}
	for (size_t i = 0; i < count; i++) {
		int64_t now_ns = berth_time_mono_ns();
		int64_t share_ns = (end_ns - now_ns) / (int64_t)(count - i);

		if (r != -ENOMEM) {
			r = take_answer(&questions[i], now_ns + share_ns, engine);
			note_answer(engine, r);
		}
		berth_fd_close(&questions[i].fd);
	}
	return r == -ENOMEM ? r : 0;
}

/* --- processes --- */

struct scan {
	pid_t *monitors; /* owned; conmon processes */
	size_t count;
	bool any; /* something of an engine or its containers runs */
};

static int consider_process(pid_t pid, void *arg)
{
	static const char *const prefixes[] = { "dockerd", "docker-", "com.docker",
						"containerd-shim", "podman" };
	struct scan *scan = arg;
	struct berth_proc_stat stat;

	if (berth_procfs_stat(pid, &stat) < 0)
		return 0;
	if (strcmp(stat.comm, "conmon") == 0) {
		if (scan->count < MONITORS_MAX)
			scan->monitors[scan->count++] = pid;
		scan->any = true;
	}
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(prefixes) && !scan->any; i++)
		scan->any = strncmp(stat.comm, prefixes[i], strlen(prefixes[i])) == 0;
	return 0;
}

static int scan_processes(struct scan *scan)
{
	struct berth_proc_stat stat;
	int r;

	scan->monitors = calloc(MONITORS_MAX, sizeof(*scan->monitors));
	if (!scan->monitors)
		return -ENOMEM;
	/* Where others' processes are hidden (hidepid), nothing follows from not seeing any. */
	scan->any = berth_procfs_stat(1, &stat) < 0;
	r = berth_procfs_each(consider_process, scan);
	return r == -ENOMEM ? r : 0;
}

/* The container of a conmon: what an engine told of it, else what its command line tells. */
static int add_monitor(pid_t pid, bool of_root, char *args, struct berth_engine *engine)
{
	struct berth_engine_container container;
	struct berth_proc_status status;
	size_t len = 0;

	if (berth_procfs_status(pid, &status) < 0 || (status.uid == 0) != of_root ||
	    berth_procfs_cmdline(pid, args, ARGS_MAX, &len) < 0 ||
	    !berth_engine_parse_conmon(args, len, &container))
		return 0;
	for (size_t i = 0; i < engine->count; i++) {
		struct berth_engine_container *known = &engine->containers[i];

		if (strcmp(known->id, container.id) == 0) {
			/* Anybody can call himself so: not for what is another user's. */
			if (known->uid == status.uid && !known->monitor)
				known->monitor = pid;
			return 0;
		}
	}
	container.monitor = pid;
	container.uid = status.uid;
	return berth_engine_add(engine, &container);
}

static bool publishes(const struct berth_engine_container *container,
		      const struct berth_engine_port *port)
{
	for (size_t i = 0; i < container->port_count; i++)
		if (container->ports[i].host_port == port->host_port &&
		    container->ports[i].protocol == port->protocol)
			return true;
	return false;
}

static int add_port(pid_t monitor, const struct berth_look_socket *socket,
		    struct berth_engine *engine)
{
	struct berth_engine_port port = {
		.host_port = berth_addr_port(&socket->local),
		.protocol = socket->protocol,
	};
	char host[BERTH_ADDR_STRLEN];

	berth_str_copy(port.address, sizeof(port.address),
		       berth_addr_format_host(&socket->local, host));
	for (size_t i = 0; i < engine->count; i++) {
		struct berth_engine_container *container = &engine->containers[i];
		struct berth_engine_port *ports;

		if (container->monitor != monitor || publishes(container, &port))
			continue;
		ports = reallocarray(container->ports, container->port_count + 1, sizeof(*ports));
		if (!ports)
			return -ENOMEM;
		container->ports = ports;
		ports[container->port_count++] = port;
	}
	return 0;
}

/*
 * The sockets of conmon are the published ports. That is all there is where no engine runs; and of
 * a range, podman 4's answer has only the first port.
 */
static int add_ports(const pid_t *monitors, size_t count, struct berth_engine *engine)
{
	struct berth_look_query query = {
		.port_lo = 1,
		.port_hi = UINT16_MAX,
		.udp = true,
		.processes = true,
		.pids = monitors,
		.pid_count = count,
	};
	struct berth_look look = { 0 };
	int r = berth_look_load(&query, &look);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; i < look.socket_count && r == 0; i++) {
		const struct berth_look_socket *socket = &look.sockets[i];
		const struct berth_look_holder *holder;
		size_t holders = 0;

		if (socket->netns || socket->kind > BERTH_LOOK_BOUND)
			continue;
		holder = berth_look_holders_of(&look, socket->inode, &holders);
		for (size_t k = 0; k < holders && r == 0; k++)
			r = add_port(holder[k].proc.pid, socket, engine);
	}
	berth_look_deinit(&look);
	return r;
}

static int add_monitors(const struct scan *scan, struct berth_engine *engine)
{
	BERTH_AUTO_FREE char *args = malloc(ARGS_MAX);
	int r = 0;

	if (!args)
		return -ENOMEM;
	for (size_t i = 0; i < 2 * scan->count && r == 0; i++)
		r = add_monitor(scan->monitors[i % scan->count], i < scan->count, args, engine);
	if (r == -EFBIG)
		r = 0;
	return r == 0 && scan->count ? add_ports(scan->monitors, scan->count, engine) : r;
}

int berth_engine_load(int timeout_ms, struct berth_engine *ret_engine)
{
	struct berth_engine engine = { 0 };
	struct scan scan = { 0 };
	int r;

	r = scan_processes(&scan);
	if (r == 0)
		r = ask_all(timeout_ms, scan.any, &engine);
	if (r == 0)
		r = add_monitors(&scan, &engine);
	free(scan.monitors);
	if (r < 0) {
		berth_engine_deinit(&engine);
		return r;
	}
	*ret_engine = engine;
	return 0;
}
