/* SPDX-License-Identifier: MIT */
/* unit/app/test-doctor.c - the checks of berth doctor in good and bad worlds */
/*
 * The tests run in this order: first those about folders, then all enter a network namespace of
 * their own, whose settings get worse from one to the next.
 */
#include "app/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../own-netns.h"
#include "app/doctor-ptrace.h"
#include "os/cgroup.h"
#include "os/sockdiag.h"

enum {
	FEW_FILES = 100,
	FEW_PROCESSES = 60,
	NOBODY = 65534,
};

static char folder[64];

static struct berth_doctor_place look(void)
{
	struct berth_doctor_place place;

	berth_doctor_look(&place);
	return place;
}

static struct berth_doctor_finding run_in(const struct berth_doctor_place *place, const char *name)
{
	struct berth_doctor_finding finding = { 0 };

	for (const struct berth_doctor_check *check = berth_doctor_checks; check->name; check++) {
		if (strcmp(check->name, name) != 0)
			continue;
		check->run(place, &finding);
		return finding;
	}
	fail_msg("there is no check '%s'", name);
	return finding;
}

static struct berth_doctor_finding run(const char *name)
{
	struct berth_doctor_place place = look();

	return run_in(&place, name);
}

static void assert_result(const struct berth_doctor_finding *finding,
			  enum berth_doctor_result expected)
{
	if (finding->result != expected)
		fail_msg("%s, not %s: %s", berth_doctor_result_name(finding->result),
			 berth_doctor_result_name(expected), finding->found);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in '%s'", part, text);
}

/* "FOLDER/name", made with @mode. */
static void make_folder(const char *name, mode_t mode, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", folder, name);
	assert_true(mkdir(buf, 0700) == 0 || errno == EEXIST);
	assert_int_equal(chmod(buf, mode), 0);
}

static void a_folder_open_to_others_is_refused_with_the_command_that_closes_it(void **state)
{
	struct berth_doctor_finding finding;
	char path[128], command[192];

	make_folder("open", 0700, path, sizeof(path));
	assert_int_equal(setenv("XDG_RUNTIME_DIR", path, 1), 0);
	make_folder("open/berth", 0777, path, sizeof(path));
	finding = run("runtime-folder");
	assert_result(&finding, BERTH_DOCTOR_MISSING);
	snprintf(command, sizeof(command), "chmod 700 %s", path);
	assert_string_equal(finding.fix, command);
	assert_int_equal(chmod(path, 0700), 0);
	finding = run("runtime-folder");
	assert_result(&finding, BERTH_DOCTOR_OK);
	assert_string_equal(finding.found, path);
}

static void a_folder_that_cannot_be_made_degrades(void **state)
{
	struct berth_doctor_finding finding;

	assert_int_equal(setenv("XDG_STATE_HOME", "/dev/null", 1), 0);
	finding = run("state-folder");
	assert_result(&finding, BERTH_DOCTOR_DEGRADED);
	assert_has(finding.found, strerror(ENOTDIR));
	assert_has(finding.fix, "XDG_STATE_HOME");
}

static void a_folder_that_is_not_there_yet_is_not_made(void **state)
{
	struct berth_doctor_finding finding;
	char path[128];

	snprintf(path, sizeof(path), "%s/a", folder);
	assert_int_equal(setenv("XDG_STATE_HOME", path, 1), 0);
	finding = run("state-folder");
	assert_result(&finding, BERTH_DOCTOR_OK);
	assert_has(finding.found, "first start");
	assert_int_equal(access(path, F_OK), -1);
}

static void a_path_is_never_printed_raw(void **state)
{
	struct berth_doctor_finding finding;

	assert_int_equal(setenv("XDG_STATE_HOME", "/\033[2J/\x80", 1), 0);
	finding = run("state-folder");
	assert_null(strpbrk(finding.found, "\033\x80"));
	assert_has(finding.found, "\\e[2J");
	assert_int_equal(unsetenv("XDG_STATE_HOME"), 0);
}

static void a_record_of_killed_processes_is_told(void **state)
{
	struct berth_doctor_finding finding;
	char path[128];
	FILE *file;

	make_folder("open/berth", 0700, path, sizeof(path));
	snprintf(path, sizeof(path), "%s/open/berth/2aaaaa.json", folder);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs("berth 1 1 1 0 0 0 another-boot -\n{}\n{}\n{}\n", file);
	assert_int_equal(fclose(file), 0);
	finding = run("runtime-folder");
	assert_result(&finding, BERTH_DOCTOR_DEGRADED);
	assert_string_equal(finding.fix, "berth ls");
	assert_int_equal(unlink(path), 0);
}

static size_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static int count_socket(const struct berth_sockdiag_entry *entry, void *arg)
{
	size_t *count = arg;

	(*count)++;
	return 0;
}

static size_t count_sockets(void)
{
	const struct berth_sockdiag_query query = { .protocol = IPPROTO_TCP,
						    .states = BERTH_SOCKDIAG_ANY };
	size_t count = 0;

	assert_int_equal(berth_sockdiag_each(&query, count_socket, &count), 0);
	return count;
}

static void assert_no_cgroup(void)
{
	struct berth_cgroup cgroup;
	char name[48];

	snprintf(name, sizeof(name), "berth-doctor-%d", getpid());
	if (berth_cgroup_new(name, &cgroup) == 0)
		assert_int_equal(berth_cgroup_remove(&cgroup), 0);
	else
		assert_int_not_equal(errno, EEXIST);
}

static void assert_line(const char *check, const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ')
			fail_msg("%s: byte %d", check, *text);
}

static bool enter_netns(void)
{
	static bool inside;

	inside = inside || own_netns_enter();
	return inside;
}

static void every_check_says_what_it_found_and_leaves_nothing(void **state)
{
	struct berth_doctor_place place;
	size_t fds;

	if (!enter_netns()) {
		print_message("no network namespace can be had\n");
		skip();
	}
	place = look();
	fds = count_fds();
	for (const struct berth_doctor_check *check = berth_doctor_checks; check->name; check++) {
		struct berth_doctor_finding finding = { 0 };

		check->run(&place, &finding);
		assert_int_equal(strspn(check->name, "abcdefghijklmnopqrstuvwxyz0123456789-"),
				 strlen(check->name));
		assert_true(finding.found[0]);
		if ((finding.result == BERTH_DOCTOR_OK) != !finding.cost[0])
			fail_msg("%s is %s and costs '%s'", check->name,
				 berth_doctor_result_name(finding.result), finding.cost);
		if (finding.result == BERTH_DOCTOR_OK)
			assert_string_equal(finding.fix, "");
		assert_line(check->name, finding.found);
		assert_line(check->name, finding.cost);
		assert_line(check->name, finding.fix);
		if (waitpid(-1, NULL, WNOHANG) != -1)
			fail_msg("%s leaves a process", check->name);
		if (count_sockets())
			fail_msg("%s leaves a socket", check->name);
		if (count_fds() != fds)
			fail_msg("%s leaves a descriptor", check->name);
	}
	assert_no_cgroup();
}

static void a_lease_keeps_its_port_on_this_kernel(void **state)
{
	struct berth_doctor_place place = look();
	struct berth_doctor_finding finding;

	for (int interfaces = place.means.interfaces; interfaces >= 0; interfaces--) {
		place.means.interfaces = interfaces;
		finding = run_in(&place, "lease");
		assert_result(&finding, BERTH_DOCTOR_OK);
		assert_has(finding.found, interfaces ? "without an open moment" : "microseconds");
		finding = run_in(&place, "time-wait");
		assert_result(&finding, BERTH_DOCTOR_OK);
	}
}

static void a_daemon_is_found_with_and_without_a_filter(void **state)
{
	struct berth_doctor_place place = look();
	struct berth_doctor_finding finding = run_in(&place, "containment");

	assert_result(&finding, BERTH_DOCTOR_OK);
	if (!place.filter_error)
		assert_has(finding.found, "its end was told");
	place.filter_error = -EBUSY;
	finding = run_in(&place, "containment");
	assert_result(&finding, BERTH_DOCTOR_OK);
	assert_null(strstr(finding.found, "told"));
}

static void what_a_filter_error_costs(void **state)
{
	static const struct {
		int error;
		const char *above, *check;
		enum berth_doctor_result result;
		const char *found;
	} cases[] = {
		{ -EBUSY, "", "above", BERTH_DOCTOR_MISSING, "answers system calls already" },
		{ -EBUSY, "shop/web", "above", BERTH_DOCTOR_OK, "'shop/web'" },
		{ -EPERM, "", "above", BERTH_DOCTOR_OK, "no program above us" },
		{ -EBUSY, "", "steering", BERTH_DOCTOR_MISSING, "another program answers" },
		{ -EBUSY, "", "view", BERTH_DOCTOR_MISSING, "without steering" },
		{ -EBUSY, "", "lease", BERTH_DOCTOR_DEGRADED, "not tried" },
		{ -EBUSY, "", "time-wait", BERTH_DOCTOR_DEGRADED, "not tried" },
		{ -EBUSY, "shop/web", "steering", BERTH_DOCTOR_OK, "'shop/web'" },
		{ -EBUSY, "shop/web", "view", BERTH_DOCTOR_OK, "'shop/web'" },
		{ -EBUSY, "shop/web", "lease", BERTH_DOCTOR_OK, "'shop/web'" },
		{ -EPERM, "", "steering", BERTH_DOCTOR_MISSING, "Operation not permitted" },
		{ -ENOSYS, "", "view", BERTH_DOCTOR_MISSING, "without steering" },
		{ -EPERM, "", "lease", BERTH_DOCTOR_OK, "taken back" },
		{ -EPERM, "", "new-privileges", BERTH_DOCTOR_OK, "given up" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		struct berth_doctor_place place = { .means = berth_lease_probe(),
						    .filter_error = cases[i].error };
		struct berth_doctor_finding finding;

		snprintf(place.above, sizeof(place.above), "%s", cases[i].above);
		finding = run_in(&place, cases[i].check);
		assert_result(&finding, cases[i].result);
		assert_has(finding.found, cases[i].found);
	}
}

static void what_no_new_privileges_cost(void **state)
{
	struct berth_doctor_place place = { .needs_no_new_privs = true };
	struct berth_doctor_finding finding = run_in(&place, "new-privileges");

	assert_result(&finding, BERTH_DOCTOR_DEGRADED);
	assert_has(finding.cost, "sudo");
	assert_has(finding.fix, "--steer=off");
	place = (struct berth_doctor_place){ .had_no_new_privs = true };
	finding = run_in(&place, "new-privileges");
	assert_result(&finding, BERTH_DOCTOR_OK);
}

static void outgoing_connections_among_the_ports_of_services_degrade(void **state)
{
	static const struct {
		const char *range;
		enum berth_doctor_result result;
	} cases[] = {
		{ "1024 65535", BERTH_DOCTOR_DEGRADED },
		{ "10099 65535", BERTH_DOCTOR_DEGRADED },
		{ "10100 65535", BERTH_DOCTOR_OK },
		{ "32768 60999", BERTH_DOCTOR_OK },
	};

	if (!enter_netns()) {
		print_message("no network namespace can be had\n");
		skip();
	}
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		struct berth_doctor_finding finding;

		assert_true(own_netns_sysctl("ipv4/ip_local_port_range", cases[i].range));
		finding = run("port-range");
		assert_result(&finding, cases[i].result);
		if (cases[i].result != BERTH_DOCTOR_OK)
			assert_has(finding.fix, "sysctl -w net.ipv4.ip_local_port_range=");
	}
}

static void a_machine_without_ipv6_addresses_is_told(void **state)
{
	struct berth_doctor_finding finding;

	if (!enter_netns() || !own_netns_sysctl("ipv6/conf/all/disable_ipv6", "1")) {
		print_message("IPv6 cannot be switched off\n");
		skip();
	}
	finding = run("ipv6");
	assert_result(&finding, BERTH_DOCTOR_DEGRADED);
	assert_has(finding.fix, "disable_ipv6=0");
	finding = run("lease");
	assert_result(&finding, BERTH_DOCTOR_OK);
}

static void a_loopback_that_is_down_is_told_with_the_command(void **state)
{
	static const char *const checks[] = { "lease", "time-wait" };
	struct ifreq lo = { .ifr_name = "lo" };
	int fd;

	if (!enter_netns()) {
		print_message("no network namespace can be had\n");
		skip();
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(checks); i++) {
		struct berth_doctor_finding finding = run(checks[i]);

		assert_result(&finding, BERTH_DOCTOR_MISSING);
		assert_has(finding.fix, "ip link set lo up");
	}
}

static void a_scope_of_yama_costs_what_it_forbids(void **state)
{
	static const struct {
		int scope;
		bool free;
		enum berth_doctor_result result;
		const char *found, *fix;
	} cases[] = {
		{ -1, false, BERTH_DOCTOR_OK, "no Yama", "" },
		{ 0, false, BERTH_DOCTOR_OK, "each other", "" },
		{ 1, true, BERTH_DOCTOR_OK, "CAP_SYS_PTRACE", "" },
		{ 1, false, BERTH_DOCTOR_DEGRADED, "only ancestors", "ptrace_scope=0" },
		{ 2, true, BERTH_DOCTOR_OK, "CAP_SYS_PTRACE", "" },
		{ 2, false, BERTH_DOCTOR_MISSING, "nobody but root", "ptrace_scope=0" },
		{ 3, true, BERTH_DOCTOR_MISSING, "nobody may", "" },
		{ 3, false, BERTH_DOCTOR_MISSING, "nobody may", "" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		struct berth_doctor_finding finding = { 0 };

		berth_doctor_ptrace_judge(cases[i].scope, cases[i].free, &finding);
		assert_result(&finding, cases[i].result);
		assert_has(finding.found, cases[i].found);
		assert_has(finding.fix, cases[i].fix);
		assert_int_equal(!finding.cost[0], cases[i].result == BERTH_DOCTOR_OK);
		if (!cases[i].fix[0])
			assert_string_equal(finding.fix, "");
	}
}

/* What @check finds in a process that @change has altered, for good. */
static void run_changed(const char *check, bool (*change)(void),
			struct berth_doctor_finding *ret_finding)
{
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct berth_doctor_place place = { 0 };
		struct berth_doctor_finding finding = { 0 };

		if (change())
			finding = run_in(&place, check);
		_exit(write(ends[1], &finding, sizeof(finding)) != sizeof(finding));
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], ret_finding, sizeof(*ret_finding)), sizeof(*ret_finding));
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(ret_finding->found[0]);
}

static bool forbid_pidfd_getfd(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	bool done;

	done = filter &&
	       seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(pidfd_getfd), 0) == 0 &&
	       seccomp_load(filter) == 0;
	seccomp_release(filter);
	return done;
}

static void a_profile_that_forbids_to_take_sockets_is_told(void **state)
{
	struct berth_doctor_finding finding = run("pidfd-getfd");

	assert_result(&finding, BERTH_DOCTOR_OK);
	assert_has(finding.found, "by a third one");
	run_changed("pidfd-getfd", forbid_pidfd_getfd, &finding);
	assert_result(&finding, BERTH_DOCTOR_MISSING);
	assert_has(finding.found, strerror(EPERM));
	assert_has(finding.cost, "bind()");
}

static bool have_few_processes(void)
{
	const struct rlimit few = { FEW_PROCESSES, FEW_PROCESSES };

	return setrlimit(RLIMIT_NPROC, &few) == 0 &&
	       (getuid() || setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

static void a_user_who_may_have_few_processes_is_told(void **state)
{
	struct berth_doctor_finding finding;

	run_changed("process-limit", have_few_processes, &finding);
	assert_result(&finding, BERTH_DOCTOR_DEGRADED);
	assert_has(finding.found, "may have 60 processes");
	assert_has(finding.fix, "--nproc=");
}

static bool have_small_files(void)
{
	const struct rlimit small = { 1 << 20, RLIM_INFINITY };

	return setrlimit(RLIMIT_FSIZE, &small) == 0;
}

static void a_limit_of_the_size_of_files_is_told(void **state)
{
	struct berth_doctor_finding finding = run("file-size");

	assert_result(&finding, BERTH_DOCTOR_OK);
	run_changed("file-size", have_small_files, &finding);
	assert_result(&finding, BERTH_DOCTOR_DEGRADED);
	assert_has(finding.found, "1048576");
	assert_string_equal(finding.fix, "ulimit -S -f unlimited");
}

static void make_old(const char *path)
{
	const struct timespec times[2] = { 0 };

	assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void what_a_killed_writer_left_is_told_with_the_command_that_removes_it(void **state)
{
	struct berth_doctor_finding finding;
	char path[128], link[160], text[512];

	make_folder("open/berth", 0700, path, sizeof(path));
	make_folder("open/berth/ports", 0700, path, sizeof(path));
	finding = run("stale-files");
	assert_result(&finding, BERTH_DOCTOR_OK);

	/* Young: somebody is about to rename it. */
	snprintf(text, sizeof(text), "%s/open/berth/.berth-0123456789abcdef", folder);
	assert_int_equal(close(open(text, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	finding = run("stale-files");
	assert_result(&finding, BERTH_DOCTOR_OK);
	make_old(text);
	snprintf(link, sizeof(link), "%s/1-5000", path);
	assert_int_equal(symlink("2aaaaa", link), 0);
	make_old(link);
	finding = run("stale-files");
	assert_result(&finding, BERTH_DOCTOR_DEGRADED);
	assert_has(finding.found, "1 half-written file, and 1 link");
	assert_has(finding.fix, "rm -- ");
	assert_int_equal(system(finding.fix), 0);
	finding = run("stale-files");
	assert_result(&finding, BERTH_DOCTOR_OK);
	assert_int_equal(rmdir(path), 0);
}

static void numbers_that_are_reserved_are_no_clash(void **state)
{
	struct berth_doctor_finding finding;

	if (!enter_netns() || !own_netns_sysctl("ipv4/ip_local_port_range", "10000 60999")) {
		print_message("no network namespace can be had\n");
		skip();
	}
	finding = run("port-range");
	assert_result(&finding, BERTH_DOCTOR_DEGRADED);
	assert_true(own_netns_sysctl("ipv4/ip_local_reserved_ports", "10000-10099"));
	finding = run("port-range");
	assert_result(&finding, BERTH_DOCTOR_OK);
	assert_true(own_netns_sysctl("ipv4/ip_local_reserved_ports", "10000-10098"));
	finding = run("port-range");
	assert_result(&finding, BERTH_DOCTOR_DEGRADED);
}

/* Last: without root it can't be taken back. */
static void a_low_limit_of_open_files_is_told(void **state)
{
	const struct rlimit few = { FEW_FILES, FEW_FILES };
	struct berth_doctor_finding finding;

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	finding = run("open-files");
	assert_result(&finding, BERTH_DOCTOR_MISSING);
	assert_has(finding.found, "100");
	assert_has(finding.fix, "prlimit");
}

static int make_own_folder(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/berth-doctor-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_own_folder(void **state)
{
	static const char *const names[] = { "open/berth", "open", "" };
	char path[128];

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		if (rmdir(path) < 0)
			return -1;
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_folder_open_to_others_is_refused_with_the_command_that_closes_it),
		cmocka_unit_test(a_folder_that_cannot_be_made_degrades),
		cmocka_unit_test(a_folder_that_is_not_there_yet_is_not_made),
		cmocka_unit_test(a_path_is_never_printed_raw),
		cmocka_unit_test(a_record_of_killed_processes_is_told),
		cmocka_unit_test(
			what_a_killed_writer_left_is_told_with_the_command_that_removes_it),
		cmocka_unit_test(a_scope_of_yama_costs_what_it_forbids),
		cmocka_unit_test(a_profile_that_forbids_to_take_sockets_is_told),
		cmocka_unit_test(a_user_who_may_have_few_processes_is_told),
		cmocka_unit_test(a_limit_of_the_size_of_files_is_told),
		cmocka_unit_test(every_check_says_what_it_found_and_leaves_nothing),
		cmocka_unit_test(a_lease_keeps_its_port_on_this_kernel),
		cmocka_unit_test(a_daemon_is_found_with_and_without_a_filter),
		cmocka_unit_test(what_a_filter_error_costs),
		cmocka_unit_test(what_no_new_privileges_cost),
		cmocka_unit_test(outgoing_connections_among_the_ports_of_services_degrade),
		cmocka_unit_test(numbers_that_are_reserved_are_no_clash),
		cmocka_unit_test(a_machine_without_ipv6_addresses_is_told),
		cmocka_unit_test(a_loopback_that_is_down_is_told_with_the_command),
		cmocka_unit_test(a_low_limit_of_open_files_is_told),
	};

	return cmocka_run_group_tests(tests, make_own_folder, remove_own_folder);
}
