/* SPDX-License-Identifier: MIT */
/* app/doctor-machine.c - what this machine and this session are like, where berth depends on it */
#include "app/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/registry.h"
#include "base/str.h"
#include "os/procfs.h"
#include "os/procsock.h"
#include "os/sock.h"
#include "os/sockdiag.h"
#include "os/statefile.h"
#include "os/uds.h"
#include "port/reserved.h"

enum {
	PATH_SHOWN = 160,
};

/* Where programs have their numbers, and a start looks for the next one (from a wish 100 up). */
static const struct berth_range usual_ports = { 1024, 10099 };

/* ---- looking at sockets and processes ---- */

struct sought {
	uint64_t inode;
	bool seen;
};

static int compare_entry(const struct berth_sockdiag_entry *entry, void *arg)
{
	struct sought *sought = arg;

	sought->seen |= entry->inode == sought->inode;
	return sought->seen;
}

/* The kernel shows a listener of ours, and /proc that it is ours. */
static int find_own_listener(bool *ret_seen, bool *ret_found)
{
	struct berth_addr addr = berth_addr_loopback(AF_INET, 0);
	BERTH_AUTO_FD int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	struct berth_sockdiag_query query = { AF_INET, IPPROTO_TCP, BERTH_SOCKDIAG_LISTEN, 0, 0 };
	struct berth_procsock socket;
	struct sought sought = { 0 };
	pid_t self = getpid();
	size_t count = 0;
	int r = fd;

	if (r >= 0)
		r = berth_sock_bind(fd, &addr);
	if (r >= 0)
		r = berth_sock_listen(fd, 1);
	if (r >= 0)
		r = berth_sock_name(fd, &addr);
	if (r < 0)
		return r;
	sought.inode = berth_sock_inode(fd);
	query.port_lo = query.port_hi = berth_addr_port(&addr);
	r = berth_sockdiag_each(&query, compare_entry, &sought);
	if (r < 0)
		return r;
	r = berth_procsock_find(&sought.inode, 1, &self, 1, &socket, 1, &count, NULL);
	if (r < 0)
		return r;
	*ret_seen = sought.seen;
	*ret_found = count == 1;
	return 0;
}

void berth_doctor_sockets(const struct berth_doctor_place *place,
			  struct berth_doctor_finding *finding)
{
	bool seen = false, found = false;
	int r = find_own_listener(&seen, &found);

	if (seen && found) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   "the kernel told of a listening socket, and /proc whose it is");
		return;
	}
	berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
			   "a listening socket of our own is not to be found: %s",
			   r < 0  ? strerror(-r)
			   : seen ? "/proc does not show it"
				  : "sock_diag(7) does not show it");
	berth_doctor_cost(finding,
			  "who holds a port is not told, and a service that cannot be steered is "
			  "never seen to listen");
	if (!seen)
		berth_doctor_fix(finding, true, "modprobe -a inet_diag tcp_diag udp_diag");
}

void berth_doctor_processes(const struct berth_doctor_place *place,
			    struct berth_doctor_finding *finding)
{
	struct berth_proc_stat stat;
	char boot[37];
	int r;

	r = berth_procfs_stat(getpid(), &stat);
	if (r == 0)
		r = berth_procfs_boot_id(boot);
	if (r < 0) {
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
				   "/proc does not tell who we are: %s", strerror(-r));
		berth_doctor_cost(finding,
				  "no process is known by more than its number: what is left of a "
				  "service is not ended");
		berth_doctor_fix(finding, true, "mount -t proc proc /proc");
		return;
	}
	r = berth_procfs_stat(1, &stat);
	if (r < 0) {
		berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
				   "/proc hides the processes of other users (hidepid)");
		berth_doctor_cost(
			finding,
			"a port that another user holds is said to be held by a hidden process");
		berth_doctor_fix(finding, true, "mount -o remount,hidepid=0 /proc");
		return;
	}
	berth_doctor_found(finding, BERTH_DOCTOR_OK, "/proc shows who runs, since when");
}

/* ---- numbers ---- */

/* The records of the runtime folder, which is not made for that; NULL: none. */
static json_t *load_records(void)
{
	struct berth_registry registry = { .dir_fd = -1, .ports_fd = -1 };
	json_t *records = NULL;

	if (berth_statefile_path(BERTH_PLACE_RUNTIME, registry.path, sizeof(registry.path)) < 0 ||
	    access(registry.path, F_OK) < 0)
		return NULL;
	registry.dir_fd = berth_statefile_open_dir(registry.path);
	if (registry.dir_fd >= 0 && berth_procfs_boot_id(registry.boot) == 0)
		(void)!berth_registry_load(&registry, &records);
	berth_registry_close(&registry);
	return records;
}

/* Where outgoing connections have their numbers; lo 0: not told. */
static struct berth_range outgoing_range(void)
{
	struct berth_range range = { 0 };

	(void)!berth_sock_outgoing_range(&range.lo, &range.hi);
	return range;
}

/* Is there a number in both that outgoing connections may really have? */
static bool clashes(const struct berth_range *outgoing, const struct berth_range *ours,
		    const struct berth_reserved *reserved)
{
	for (unsigned int port = ours->lo; port <= ours->hi; port++)
		if (berth_range_has(outgoing, (uint16_t)port) &&
		    !berth_portset_has(&reserved->kernel, (uint16_t)port))
			return true;
	return false;
}

/* A port of a service that runs now, and that could be lost to a connection while it does not. */
static uint16_t find_clash(const struct berth_range *outgoing,
			   const struct berth_reserved *reserved, char *name, size_t size)
{
	BERTH_AUTO_JSON json_t *records = load_records();
	const json_t *record, *port;
	size_t i, j;

	json_array_foreach (records, i, record) {
		const json_t *service = berth_registry_summary(record);

		json_array_foreach (json_object_get(service, "ports"), j, port) {
			uint16_t number = (uint16_t)berth_json_int(port, "port", 0);

			if (!number ||
			    !clashes(outgoing, &(struct berth_range){ number, number }, reserved))
				continue;
			snprintf(name, size, "%s/%s", berth_json_string(service, "project", "?"),
				 berth_json_string(service, "service", "?"));
			return number;
		}
	}
	return 0;
}

/* What is reserved already stays so. */
static void fix_clash(uint16_t port, struct berth_doctor_finding *finding)
{
	BERTH_AUTO_FREE char *list = NULL;
	size_t len = 0;

	if (berth_statefile_read(AT_FDCWD, "/proc/sys/net/ipv4/ip_local_reserved_ports",
				 sizeof(finding->fix) / 2, &list, &len) < 0)
		return;
	len = strcspn(list, "\n");
	berth_doctor_fix(finding, true, "sysctl -w net.ipv4.ip_local_reserved_ports=%.*s%s%u",
			 (int)len, list, len ? "," : "", port);
}

static void judge_range(const struct berth_range *outgoing, const struct berth_reserved *reserved,
			struct berth_doctor_finding *finding)
{
	char name[160];
	uint16_t port;

	if (clashes(outgoing, &usual_ports, reserved)) {
		berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
				   "outgoing connections use %u-%u, among the ports of services",
				   outgoing->lo, outgoing->hi);
		berth_doctor_cost(finding,
				  "any program's connection can have the number that a service "
				  "wants; the service then moves to the next one");
		berth_doctor_fix(finding, true,
				 "sysctl -w net.ipv4.ip_local_port_range='32768 60999'");
		return;
	}
	port = find_clash(outgoing, reserved, name, sizeof(name));
	if (port) {
		berth_doctor_found(
			finding, BERTH_DOCTOR_DEGRADED,
			"outgoing connections use %u-%u, and port %u of '%s' is one of these",
			outgoing->lo, outgoing->hi, port, name);
		berth_doctor_cost(finding,
				  "while it does not run, any program's connection can have that "
				  "number; the next start then moves to another one");
		fix_clash(port, finding);
		return;
	}
	berth_doctor_found(finding, BERTH_DOCTOR_OK,
			   "outgoing connections use %u-%u, away from the ports of services",
			   outgoing->lo, outgoing->hi);
}

void berth_doctor_port_range(const struct berth_doctor_place *place,
			     struct berth_doctor_finding *finding)
{
	BERTH_AUTO_FREE struct berth_reserved *reserved = calloc(1, sizeof(*reserved));
	struct berth_range outgoing = outgoing_range();

	if (!reserved || !outgoing.lo || berth_reserved_load(reserved, NULL) < 0) {
		berth_doctor_found(
			finding, BERTH_DOCTOR_OK,
			"the range of outgoing connections is not told here; the usual one is "
			"32768-60999");
		return;
	}
	judge_range(&outgoing, reserved, finding);
}

void berth_doctor_ipv6(const struct berth_doctor_place *place, struct berth_doctor_finding *finding)
{
	struct berth_addr addr = berth_addr_loopback(AF_INET6, 0);
	BERTH_AUTO_FD int fd = berth_sock_new(AF_INET6, SOCK_STREAM, 0);
	int r = fd < 0 ? fd : berth_sock_bind(fd, &addr);

	if (place->means.ipv6 && r == 0) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK, "ports are leased in both families");
		return;
	}
	berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED, "%s: %s",
			   place->means.ipv6 ? "this machine has no address [::1]"
					     : "IPv6 is switched off",
			   strerror(-r));
	berth_doctor_cost(
		finding, "%s",
		place->means.ipv6
			? "a program that listens on [::1] alone fails"
			: "ports are leased in IPv4 only, and a program that listens on [::] "
			  "alone fails");
	if (access("/proc/sys/net/ipv6/conf/all/disable_ipv6", F_OK) == 0)
		berth_doctor_fix(finding, true,
				 "sysctl -w net.ipv6.conf.all.disable_ipv6=0 "
				 "net.ipv6.conf.lo.disable_ipv6=0");
}

/* ---- names ---- */

void berth_doctor_names(const struct berth_doctor_place *place,
			struct berth_doctor_finding *finding)
{
	BERTH_AUTO_FD int first = -1;
	BERTH_AUTO_FD int second = -1;
	BERTH_AUTO_FD int client = -1;
	char name[64];

	snprintf(name, sizeof(name), "berth/%u/doctor-%d", geteuid(), getpid());
	first = berth_uds_listen_abstract(name, SOCK_SEQPACKET);
	second = berth_uds_listen_abstract(name, SOCK_SEQPACKET);
	client = berth_uds_connect_abstract(name, SOCK_SEQPACKET);
	if (first >= 0 && second == -EADDRINUSE && client >= 0) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   "a name was given to one process and refused to a second one");
		return;
	}
	berth_doctor_found(finding, BERTH_DOCTOR_MISSING, "an abstract unix socket %s%s",
			   first < 0	? "cannot be had: "
			   : client < 0 ? "cannot be reached: "
					: "was given to two processes",
			   first < 0	? strerror(-first)
			   : client < 0 ? strerror(-client)
					: "");
	berth_doctor_cost(
		finding,
		"two starts of one service are not kept apart, and 'berth stop' does not reach it");
}

/* ---- folders ---- */

/* The nearest folder above @path that exists, in the place of it. */
static void climb(char *path)
{
	struct stat st;

	while (lstat(path, &st) < 0 && errno == ENOENT) {
		char *slash = strrchr(path, '/');

		if (!slash || slash == path) {
			berth_str_copy(path, 2, "/");
			return;
		}
		*slash = '\0';
	}
}

/* Can a file be made in @path? A folder that is not there yet is left to the first start. */
static int try_folder(const char *path, bool *ret_exists)
{
	BERTH_AUTO_FD int dir_fd = -1;
	char above[PATH_MAX], name[48];
	struct stat st;
	int r;

	*ret_exists = lstat(path, &st) == 0 || errno != ENOENT;
	if (!*ret_exists) {
		if (!berth_str_copy(above, sizeof(above), path))
			return -ENAMETOOLONG;
		climb(above);
		return faccessat(AT_FDCWD, above, W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
	}
	dir_fd = berth_statefile_open_dir(path);
	if (dir_fd < 0)
		return dir_fd;
	snprintf(name, sizeof(name), ".berth-doctor-%d", getpid());
	r = berth_statefile_write(dir_fd, name, "\n", 1);
	if (r == 0 && unlinkat(dir_fd, name, 0) < 0)
		r = -errno;
	return r;
}

/* @variable names another folder. */
static void fix_folder(const char *path, int r, const char *variable,
		       struct berth_doctor_finding *finding)
{
	const char *const words[] = { "chmod", "700", path, NULL };
	char command[sizeof(finding->fix)];
	struct stat st;

	if (r == -EPERM && lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		berth_doctor_fix(finding, false, "%s",
				 berth_str_quote_argv(words, command, sizeof(command)));
	else
		berth_doctor_fix(finding, false, "export %s=FOLDER", variable);
}

/* Fills @finding; returns whether @path is there and can be used. */
static bool check_folder(enum berth_statefile_place place, const char *variable, char *path,
			 size_t size, struct berth_doctor_finding *finding)
{
	char shown[PATH_SHOWN];
	bool exists = false;
	int r;

	r = berth_statefile_path(place, path, size);
	if (r < 0) {
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
				   "there is no place for it: %s and HOME are not set", variable);
		berth_doctor_fix(finding, false, "export %s=FOLDER", variable);
		return false;
	}
	r = try_folder(path, &exists);
	berth_str_printable(path, (size_t)-1, shown, sizeof(shown));
	if (r < 0) {
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING, "cannot write to '%s': %s", shown,
				   r == -EPERM ? "it must be yours, and closed to others"
					       : strerror(-r));
		fix_folder(path, r, variable, finding);
		return false;
	}
	berth_doctor_found(finding, BERTH_DOCTOR_OK, exists ? "%s" : "%s (made by the first start)",
			   shown);
	return exists;
}

/* Services whose supervisor and guardian were both killed: something of them may live. */
static size_t count_left_over(void)
{
	BERTH_AUTO_JSON json_t *records = load_records();
	const json_t *record;
	size_t count = 0, i;

	json_array_foreach (records, i, record)
		count += berth_registry_life(record) == BERTH_REGISTRY_DEAD;
	return count;
}

void berth_doctor_runtime_folder(const struct berth_doctor_place *place,
				 struct berth_doctor_finding *finding)
{
	char path[PATH_MAX];
	size_t left_over;

	if (!check_folder(BERTH_PLACE_RUNTIME, "XDG_RUNTIME_DIR", path, sizeof(path), finding)) {
		if (finding->result != BERTH_DOCTOR_OK)
			berth_doctor_cost(
				finding, "nothing can be started: what runs is written down there");
		return;
	}
	left_over = count_left_over();
	if (!left_over)
		return;
	berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
			   "%zu service%s lost both supervisor and guardian", left_over,
			   left_over == 1 ? "" : "s");
	berth_doctor_cost(finding, "what is left of %s may still run, and hold ports",
			  left_over == 1 ? "it" : "them");
	berth_doctor_fix(finding, false, "berth ls");
}

void berth_doctor_state_folder(const struct berth_doctor_place *place,
			       struct berth_doctor_finding *finding)
{
	char path[PATH_MAX];

	check_folder(BERTH_PLACE_STATE, "XDG_STATE_HOME", path, sizeof(path), finding);
	if (finding->result == BERTH_DOCTOR_OK)
		return;
	finding->result = BERTH_DOCTOR_DEGRADED; /* services run all the same */
	berth_doctor_cost(finding,
			  "no number is remembered for the next start, there is no history, and "
			  "no log with -d");
}
