/* SPDX-License-Identifier: MIT */
/* unit/app/test-sweep.c - what a killed supervisor leaves behind, and who is none of it */
#include "app/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "app/history.h"
#include "app/ports-file.h"
#include "os/child.h"
#include "os/notify.h"

#include "../own-folder.h"

enum {
	DEADLINE_MS = 10000,
	PATH_SIZE = 128,
	ORPHAN_SECONDS = 60,
};

static char top[OWN_FOLDER_SIZE];
static struct berth_registry registry;
static char id[BERTH_ID_SIZE];
static struct berth_proc_id supervisor; /* dead, and older than what the tests start */
static unsigned int own_filters;

static struct berth_proc_id id_of(pid_t pid)
{
	struct berth_proc_stat stat;

	assert_int_equal(berth_procfs_stat(pid, &stat), 0);
	return stat.id;
}

static int set_up(void **state)
{
	struct berth_proc_status own;
	pid_t pid;

	(void)state;
	assert_true(own_folder_make(top));
	assert_int_equal(berth_registry_open(&registry, NULL), 0);
	assert_int_equal(berth_registry_new_id(id), 0);
	assert_int_equal(berth_procfs_status(getpid(), &own), 0);
	own_filters = own.seccomp_filters;
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	supervisor = id_of(pid);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	berth_registry_close(&registry);
	return own_folder_remove(top) ? 0 : -1;
}

/* A process without an ancestor of ours, in a session of its own. */
struct orphan {
	struct berth_proc_id id;
};

enum {
	FILTERED = 1,
	MARKED = 2,
};

static void live_on(int told_fd, unsigned int how)
{
	static char mark[32];
	pid_t pid;

	/* Should the test itself die: nobody else looks after it. */
	alarm(ORPHAN_SECONDS);
	if (setsid() < 0)
		_exit(1);
	if (how & FILTERED) {
		struct berth_notify_program program;
		int fd;

		if (berth_notify_program_new(false, &program) < 0 ||
		    berth_notify_install(&program, &fd) < 0)
			_exit(1);
	}
	pid = getpid();
	if (write(told_fd, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	if (how & MARKED) {
		int never[2];

		snprintf(mark, sizeof(mark), "BERTH_ID=%s", id);
		/* Waits for ever: it holds both ends itself. */
		if (pipe(never) < 0 || dup2(never[0], 0) < 0)
			_exit(1);
		execle("/bin/cat", "cat", (char *)NULL, (char *const[]){ mark, NULL });
		_exit(1);
	}
	for (;;)
		pause();
}

static void wait_until_it_has_begun(pid_t pid)
{
	char comm[16];
	size_t len;

	/* exec() tells nobody but /proc. */
	do {
		sched_yield();
		assert_int_equal(berth_procfs_cmdline(pid, comm, sizeof(comm), &len), 0);
	} while (strcmp(comm, "cat") != 0);
}

static struct orphan start_orphan(unsigned int how)
{
	struct orphan orphan;
	struct pollfd poll_fd;
	pid_t parent, pid = 0;
	int told[2];

	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	parent = fork();
	if (parent == 0) {
		if (fork() == 0) {
			/* Other orphans' pipes are not to be held. */
			for (int fd = 3; fd < 64; fd++)
				if (fd != told[1])
					close(fd);
			live_on(told[1], how);
		}
		_exit(0);
	}
	close(told[1]);
	poll_fd = (struct pollfd){ .fd = told[0], .events = POLLIN };
	assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
	assert_int_equal(read(told[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	if (how & MARKED)
		wait_until_it_has_begun(pid);
	orphan.id = id_of(pid);
	close(told[0]);
	return orphan;
}

static bool is_alive(const struct orphan *orphan)
{
	return berth_procfs_is_alive(&orphan->id);
}

static void end_orphan(struct orphan *orphan)
{
	if (is_alive(orphan))
		kill(orphan->id.pid, SIGKILL);
}

/* As the supervisor would have left it; @session NULL: none was begun. */
static json_t *record_of(const struct orphan *session)
{
	json_t *record =
		json_pack("{s:{s:s,s:s,s:s,s:[{s:i,s:s}]},s:{s:s,s:s,s:o,s:b,s:i,s:[],s:[]}}",
			  "service", "id", id, "service", "api", "state", "ready", "ports", "port",
			  5000, "url", "http://localhost:5000", "berth", "boot", registry.boot,
			  "key", "0123456789abcdef0123456789abcdef", "supervisor",
			  berth_registry_process_json(&supervisor), "steered", false, "filters",
			  (int)own_filters, "sessions", "files");

	assert_non_null(record);
	if (session)
		json_array_append_new(berth_registry_private(record, "sessions"),
				      berth_registry_process_json(&session->id));
	return record;
}

static void set(json_t *record, const char *key, json_t *value)
{
	assert_int_equal(json_object_set_new(json_object_get(record, "berth"), key, value), 0);
}

static void who_began_a_session_is_ended_and_a_neighbour_is_not(void **state)
{
	struct orphan orphan = start_orphan(0), neighbour = start_orphan(0);
	BERTH_AUTO_JSON json_t *record = record_of(&orphan);

	(void)state;
	assert_int_equal(berth_registry_write(&registry, id, record), 0);
	assert_int_equal(berth_sweep(&registry, record), 1);
	assert_false(is_alive(&orphan));
	assert_true(is_alive(&neighbour));
	assert_null(berth_registry_read(&registry, id));
	end_orphan(&orphan);
	end_orphan(&neighbour);
}

static void a_session_whose_number_came_again_is_a_neighbours(void **state)
{
	struct orphan orphan = start_orphan(0);
	struct orphan later = orphan;
	BERTH_AUTO_JSON json_t *record = NULL;

	(void)state;
	later.id.start_ticks += 100;
	record = record_of(&later);
	assert_int_equal(berth_sweep(&registry, record), 0);
	assert_true(is_alive(&orphan));
	end_orphan(&orphan);
}

static void who_is_older_than_the_supervisor_is_none_of_it(void **state)
{
	struct orphan orphan = start_orphan(MARKED);
	BERTH_AUTO_JSON json_t *record = record_of(&orphan);
	struct berth_proc_id younger = supervisor;

	(void)state;
	younger.start_ticks = orphan.id.start_ticks + 100;
	set(record, "supervisor", berth_registry_process_json(&younger));
	assert_int_equal(berth_sweep(&registry, record), 0);
	assert_true(is_alive(&orphan));
	end_orphan(&orphan);
}

static void of_a_steered_service_only_who_has_its_filter_is_ended(void **state)
{
	struct orphan with = start_orphan(FILTERED), without = start_orphan(0);
	BERTH_AUTO_JSON json_t *record = record_of(&with);

	(void)state;
	json_array_append_new(berth_registry_private(record, "sessions"),
			      berth_registry_process_json(&without.id));
	set(record, "steered", json_true());
	assert_int_equal(berth_sweep(&registry, record), 1);
	assert_false(is_alive(&with));
	assert_true(is_alive(&without));
	end_orphan(&with);
	end_orphan(&without);
}

static void in_the_fronts_group_the_filter_tells_it_from_a_pipelines_others(void **state)
{
	struct orphan with = start_orphan(FILTERED), without = start_orphan(0);
	BERTH_AUTO_JSON json_t *record = record_of(NULL);

	(void)state;
	set(record, "group", json_integer(without.id.pid));
	assert_int_equal(berth_sweep(&registry, record), 0);
	set(record, "steered", json_true());
	assert_int_equal(berth_sweep(&registry, record), 0);
	set(record, "group", json_integer(with.id.pid));
	assert_int_equal(berth_sweep(&registry, record), 1);
	assert_false(is_alive(&with));
	assert_true(is_alive(&without));
	end_orphan(&with);
	end_orphan(&without);
}

static void who_has_kept_the_mark_is_ended(void **state)
{
	struct orphan marked = start_orphan(MARKED), neighbour = start_orphan(0);
	BERTH_AUTO_JSON json_t *record = record_of(NULL);

	(void)state;
	assert_int_equal(berth_sweep(&registry, record), 1);
	assert_false(is_alive(&marked));
	assert_true(is_alive(&neighbour));
	end_orphan(&marked);
	end_orphan(&neighbour);
}

static void after_a_reboot_only_the_record_goes(void **state)
{
	struct orphan orphan = start_orphan(MARKED);
	BERTH_AUTO_JSON json_t *record = record_of(&orphan);

	(void)state;
	set(record, "boot", json_string("00000000-0000-0000-0000-000000000000"));
	assert_int_equal(berth_registry_write(&registry, id, record), 0);
	json_decref(record);
	record = berth_registry_read(&registry, id);
	assert_int_equal(berth_sweep(&registry, record), 0);
	assert_true(is_alive(&orphan));
	assert_null(berth_registry_read(&registry, id));
	end_orphan(&orphan);
}

static json_t *order_of(const char *script)
{
	return json_pack("{s:[s,s,s],s:s,s:[s]}", "argv", "/bin/sh", "-c", script, "cwd", top,
			 "env", "WORD=told");
}

static bool take_file(const char *name)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return unlink(path) == 0;
}

static void the_stop_command_of_the_record_is_carried_out_once(void **state)
{
	struct orphan marked = start_orphan(MARKED);
	BERTH_AUTO_JSON json_t *record = record_of(NULL);

	(void)state;
	/* By then nothing of it lives that could be in its way. */
	set(record, "stop", order_of("echo >> $WORD; exit 3"));
	assert_int_equal(berth_registry_write(&registry, id, record), 0);
	assert_int_equal(berth_sweep(&registry, record), 1);
	assert_false(is_alive(&marked));
	assert_true(take_file("told"));
	assert_null(berth_registry_read(&registry, id));
	/* Who comes late with a copy of the record has nothing to do. */
	assert_int_equal(berth_sweep(&registry, record), 0);
	assert_false(take_file("told"));
	end_orphan(&marked);
}

static void after_a_reboot_no_stop_command_is_run(void **state)
{
	BERTH_AUTO_JSON json_t *record = record_of(NULL);

	(void)state;
	set(record, "stop", order_of("echo >> $WORD"));
	set(record, "boot", json_string("00000000-0000-0000-0000-000000000000"));
	assert_int_equal(berth_registry_write(&registry, id, record), 0);
	json_decref(record);
	record = berth_registry_read(&registry, id);
	assert_int_equal(berth_sweep(&registry, record), 0);
	assert_false(take_file("told"));
	assert_null(berth_registry_read(&registry, id));
}

static void a_damaged_stop_command_is_none(void **state)
{
	static const char *const texts[] = { "7",
					     "[]",
					     "{}",
					     "{\"argv\":[]}",
					     "{\"argv\":[7]}",
					     "{\"argv\":[\"/no/such\"],\"env\":[7,\"=\"]}" };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(texts); i++) {
		BERTH_AUTO_JSON json_t *record = record_of(NULL);

		set(record, "stop", json_loads(texts[i], JSON_DECODE_ANY, NULL));
		assert_int_equal(berth_registry_write(&registry, id, record), 0);
		assert_int_equal(berth_sweep(&registry, record), 0);
		assert_null(berth_registry_read(&registry, id));
	}
}

static void damaged_sessions_mean_nobody(void **state)
{
	static const char *const texts[] = { "[]",
					     "[{}]",
					     "[{\"pid\":0,\"start\":0}]",
					     "[{\"pid\":-1,\"start\":0}]",
					     "[{\"pid\":\"1\"}]",
					     "[7,null,[]]",
					     "{\"pid\":1}" };
	struct orphan neighbour = start_orphan(0);

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(texts); i++) {
		BERTH_AUTO_JSON json_t *record = record_of(NULL);

		set(record, "sessions", berth_json_parse(texts[i], strlen(texts[i])));
		assert_int_equal(berth_sweep(&registry, record), 0);
	}
	assert_true(is_alive(&neighbour));
	end_orphan(&neighbour);
}

static const char *write_file(const char *name, const char *text, char path[PATH_SIZE])
{
	FILE *file;

	snprintf(path, PATH_SIZE, "%s/%s", top, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	return path;
}

/* What a service whose supervisor was @owner has said in a ports file that others use too. */
static void say_in_ports_file(const char *path, const struct berth_proc_id *owner,
			      const char *service, uint16_t number)
{
	char boot[37];
	const struct berth_portsfile_port port = { "main", number, 0, "http://localhost:1" };
	const struct berth_portsfile_unit unit = { service, 1, "ready", &port, 1 };
	const struct berth_portsfile_owner who = { *owner, boot };

	assert_int_equal(berth_procfs_boot_id(boot), 0);
	assert_int_equal(berth_ports_file_set_run(path, &who, &unit, NULL, NULL), 0);
}

static void what_a_record_has_put_around_is_taken_back(void **state)
{
	const struct berth_proc_id self = id_of(getpid());
	BERTH_AUTO_JSON json_t *record = record_of(NULL), *shared = NULL, *ends = NULL;
	char pid_file[PATH_SIZE], ports_file[PATH_SIZE];
	const json_t *end;

	(void)state;
	json_array_append_new(berth_registry_private(record, "files"),
			      json_string(write_file("api.pid", "1\n", pid_file)));
	write_file("ports.json", "{\"api_port\":4999,\"x\":\"5000\"}", ports_file);
	say_in_ports_file(ports_file, &self, "web", 5001);
	say_in_ports_file(ports_file, &supervisor, "api", 5000);
	set(record, "ports_file", json_string(ports_file));
	assert_int_equal(berth_registry_write(&registry, id, record), 0);
	berth_registry_claim_port(&registry, 5000, id);
	berth_sweep_record(&registry, record);

	assert_int_equal(access(pid_file, F_OK), -1);
	shared = json_load_file(ports_file, 0, NULL);
	assert_int_equal(berth_json_int(shared, "web_port", 0), 5001);
	/* as it was before */
	assert_int_equal(berth_json_int(shared, "api_port", 0), 4999);
	assert_null(json_object_get(shared, "api_url"));
	assert_string_equal(berth_json_string(shared, "x", ""), "5000");
	assert_null(berth_registry_read(&registry, id));
	assert_null(berth_registry_find_port(&registry, 5000));

	assert_int_equal(berth_history_load(&ends), 0);
	assert_int_equal(json_array_size(ends), 1);
	end = json_array_get(ends, 0);
	assert_string_equal(berth_json_string(end, "state", ""), "failed");
	assert_string_equal(berth_json_string(json_object_get(end, "exit"), "by", ""),
			    "supervisor");
	assert_true(json_is_string(json_object_get(end, "ended_at")));
}

static void a_ports_file_of_nobody_else_goes_whole(void **state)
{
	BERTH_AUTO_JSON json_t *record = record_of(NULL);
	char ports_file[PATH_SIZE];

	(void)state;
	set(record, "ports_file", json_string(write_file("ports.json", "", ports_file)));
	say_in_ports_file(ports_file, &supervisor, "api", 5000);
	berth_sweep_record(&registry, record);
	assert_int_equal(access(ports_file, F_OK), -1);
	/* and what is none is left as it is */
	write_file("ports.json", "[5000]", ports_file);
	berth_sweep_record(&registry, record);
	assert_int_equal(access(ports_file, F_OK), 0);
}

static void dead_records_are_swept_and_live_ones_left(void **state)
{
	const struct berth_proc_id self = id_of(getpid());
	struct orphan orphan = start_orphan(0);
	BERTH_AUTO_JSON json_t *live = record_of(NULL), *ending = record_of(NULL),
			       *dead = record_of(&orphan);
	BERTH_AUTO_JSON json_t *records = json_array();

	(void)state;
	set(live, "supervisor", berth_registry_process_json(&self));
	set(ending, "guardian", berth_registry_process_json(&self));
	json_array_append(records, live);
	json_array_append(records, dead);
	json_array_append(records, ending);
	assert_int_equal(berth_registry_write(&registry, id, dead), 0);
	berth_sweep_dead(&registry, records);
	assert_int_equal(json_array_size(records), 2);
	assert_ptr_equal(json_array_get(records, 0), live);
	assert_ptr_equal(json_array_get(records, 1), ending);
	assert_false(is_alive(&orphan));
	end_orphan(&orphan);
}

/*
 * `berth wait` had read the record, then the supervisor ended: its good end was followed by one "by
 * the supervisor" in the history, and the pid file of the next start was removed.
 */
static void a_record_that_has_gone_since_it_was_read_is_none(void **state)
{
	BERTH_AUTO_JSON json_t *records = json_array(), *ends = NULL;
	json_t *record = record_of(NULL);
	char pid_file[PATH_SIZE];

	(void)state;
	json_array_append_new(berth_registry_private(record, "files"),
			      json_string(write_file("api.pid", "1\n", pid_file)));
	json_array_append_new(records, record);
	berth_registry_remove(&registry, id);
	berth_sweep_dead(&registry, records);
	assert_int_equal(json_array_size(records), 0);
	assert_int_equal(access(pid_file, F_OK), 0);
	assert_int_equal(berth_history_load(&ends), 0);
	assert_int_equal(json_array_size(ends), 0);
}

static void all_descendants_are_ended_but_those_below_a_spared_one(void **state)
{
	struct orphan first, second, spared;
	pid_t spare[2] = { 0 };

	(void)state;
	assert_int_equal(berth_sweep_descendants(NULL), 0);
	/* Orphans hang at us then. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	first = start_orphan(0);
	second = start_orphan(FILTERED);
	spared = start_orphan(0);
	spare[0] = spared.id.pid;
	assert_int_equal(berth_sweep_descendants(spare), 2);
	assert_false(is_alive(&first));
	assert_false(is_alive(&second));
	assert_true(is_alive(&spared));
	assert_int_equal(berth_sweep_descendants(NULL), 1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_began_a_session_is_ended_and_a_neighbour_is_not,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_session_whose_number_came_again_is_a_neighbours,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_is_older_than_the_supervisor_is_none_of_it,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			of_a_steered_service_only_who_has_its_filter_is_ended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			in_the_fronts_group_the_filter_tells_it_from_a_pipelines_others, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(who_has_kept_the_mark_is_ended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(after_a_reboot_only_the_record_goes, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_stop_command_of_the_record_is_carried_out_once,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(after_a_reboot_no_stop_command_is_run, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_stop_command_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged_sessions_mean_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_record_has_put_around_is_taken_back, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_ports_file_of_nobody_else_goes_whole, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(dead_records_are_swept_and_live_ones_left, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_record_that_has_gone_since_it_was_read_is_none,
						set_up, tear_down),
		cmocka_unit_test(all_descendants_are_ended_but_those_below_a_spared_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
