/* SPDX-License-Identifier: MIT */
/* unit/app/test-registry.c - records of processes that live, have lived, and never did */
#include "app/registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/parse.h"
#include "os/statefile.h"

#include "../own-folder.h"

static char top[OWN_FOLDER_SIZE];
static struct berth_registry registry;

static int set_up(void **state)
{
	struct berth_err err = { 0 };

	(void)state;
	assert_true(own_folder_make(top));
	assert_int_equal(berth_registry_open(&registry, &err), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	berth_registry_close(&registry);
	return own_folder_remove(top) ? 0 : -1;
}

static struct berth_proc_id id_of(pid_t pid)
{
	struct berth_proc_stat stat;

	assert_int_equal(berth_procfs_stat(pid, &stat), 0);
	return stat.id;
}

/* A process that has gone, and its number. */
static struct berth_proc_id dead_process(void)
{
	struct berth_proc_id id;
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	id = id_of(pid);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return id;
}

static json_t *record_of(const char *id, const char *started_at,
			 const struct berth_proc_id *supervisor,
			 const struct berth_proc_id *guardian)
{
	json_t *record =
		json_pack("{s:{s:s,s:s,s:[{s:i}]},s:{s:s,s:o}}", "service", "id", id, "started_at",
			  started_at, "ports", "port", 5000, "berth", "boot", registry.boot,
			  "supervisor", berth_registry_process_json(supervisor));

	assert_non_null(record);
	if (guardian)
		json_object_set_new(json_object_get(record, "berth"), "guardian",
				    berth_registry_process_json(guardian));
	return record;
}

static void write_record(const char *id, const char *started_at,
			 const struct berth_proc_id *supervisor)
{
	BERTH_AUTO_JSON json_t *record = record_of(id, started_at, supervisor, NULL);

	assert_int_equal(berth_registry_write(&registry, id, record), 0);
}

static void write_text(const char *name, const char *text)
{
	assert_int_equal(berth_statefile_write(registry.dir_fd, name, text, strlen(text)), 0);
}

static void the_folder_is_ours_alone_or_not_used(void **state)
{
	struct berth_registry other = { .dir_fd = 77 };
	struct berth_err err = { 0 };
	struct stat st;

	(void)state;
	assert_int_equal(fstat(registry.dir_fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(chmod(registry.path, 0777), 0);
	assert_int_equal(berth_registry_open(&other, &err), -EPERM);
	assert_int_equal(err.code, BERTH_ERR_DENIED);
	assert_non_null(strstr(err.msg, registry.path));
	assert_non_null(strstr(err.hint, "XDG_RUNTIME_DIR"));
	assert_int_equal(other.dir_fd, 77);
	assert_int_equal(chmod(registry.path, 0700), 0);
}

static void an_id_is_neither_a_name_nor_a_number(void **state)
{
	static const struct {
		const char *text;
		bool is_id;
	} rows[] = {
		{ "7f3k2m", true },   { "2abcde", true },  { "", false },	{ "7f3k2", false },
		{ "7f3k2mm", false }, { "af3k2m", false }, { "8f3k2m", false }, { "7F3K2M", false },
		{ "7f3k2/", false },  { "../../", false }, { "7f3k1m", false },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++)
		if (berth_registry_is_id(rows[i].text) != rows[i].is_id)
			fail_msg("'%s'", rows[i].text);
	for (int i = 0; i < 200000; i++) {
		char id[BERTH_ID_SIZE];
		uint16_t port;

		assert_int_equal(berth_registry_new_id(id), 0);
		if (!berth_registry_is_id(id) || berth_parse_port(id, &port) != -EINVAL)
			fail_msg("'%s'", id);
	}
}

static void what_was_written_is_read_until_it_is_removed(void **state)
{
	const struct berth_proc_id self = id_of(getpid());
	json_t *record;

	(void)state;
	assert_null(berth_registry_read(&registry, "7f3k2m"));
	write_record("7f3k2m", "2026-01-01T00:00:00.000Z", &self);
	record = berth_registry_read(&registry, "7f3k2m");
	assert_string_equal(berth_json_string(berth_registry_service(record), "id", ""), "7f3k2m");
	assert_int_equal(berth_registry_process(record, "supervisor").pid, getpid());
	assert_int_equal(berth_registry_process(record, "supervisor").start_ticks,
			 self.start_ticks);
	assert_int_equal(berth_registry_process(record, "guardian").pid, 0);
	json_decref(record);
	berth_registry_remove(&registry, "7f3k2m");
	assert_null(berth_registry_read(&registry, "7f3k2m"));
	berth_registry_remove(&registry, "7f3k2m");
}

static void a_record_is_true_as_long_as_its_writer_lives(void **state)
{
	const struct berth_proc_id self = id_of(getpid()), gone = dead_process();
	struct berth_proc_id other = self;
	BERTH_AUTO_JSON json_t *live = record_of("7f3k2m", "", &self, &gone);
	BERTH_AUTO_JSON json_t *ending = record_of("7f3k2m", "", &gone, &self);
	BERTH_AUTO_JSON json_t *dead = record_of("7f3k2m", "", &gone, &gone);
	BERTH_AUTO_JSON json_t *alone = record_of("7f3k2m", "", &gone, NULL);
	BERTH_AUTO_JSON json_t *again = NULL;

	(void)state;
	other.start_ticks++;
	again = record_of("7f3k2m", "", &other, NULL);
	assert_int_equal(berth_registry_life(live), BERTH_REGISTRY_LIVE);
	assert_int_equal(berth_registry_life(ending), BERTH_REGISTRY_ENDING);
	assert_int_equal(berth_registry_life(dead), BERTH_REGISTRY_DEAD);
	assert_int_equal(berth_registry_life(alone), BERTH_REGISTRY_DEAD);
	/* the number was given again */
	assert_int_equal(berth_registry_life(again), BERTH_REGISTRY_DEAD);
}

static void a_record_of_another_boot_is_dead_whoever_has_the_numbers_now(void **state)
{
	const struct berth_proc_id self = id_of(getpid());
	BERTH_AUTO_JSON json_t *record = record_of("7f3k2m", "", &self, &self);
	BERTH_AUTO_JSON json_t *read = NULL;

	(void)state;
	json_object_set_new(json_object_get(record, "berth"), "boot",
			    json_string("00000000-0000-0000-0000-000000000000"));
	assert_int_equal(berth_registry_write(&registry, "7f3k2m", record), 0);
	read = berth_registry_read(&registry, "7f3k2m");
	assert_true(json_is_null(berth_registry_private(read, "boot")));
	assert_int_equal(berth_registry_life(read), BERTH_REGISTRY_DEAD);
}

static void all_records_are_loaded_in_the_order_of_their_start(void **state)
{
	static const char *const expected[] = { "5aaaaa", "2aaaaa", "2bbbbb", "3aaaaa" };
	const struct berth_proc_id self = id_of(getpid());
	BERTH_AUTO_JSON json_t *records = NULL;

	(void)state;
	write_record("3aaaaa", "2026-03-01T00:00:00.000Z", &self);
	write_record("2bbbbb", "2026-02-01T00:00:00.000Z", &self);
	write_record("5aaaaa", "2026-01-01T00:00:00.000Z", &self);
	write_record("2aaaaa", "2026-02-01T00:00:00.000Z", &self);
	assert_int_equal(berth_registry_load(&registry, &records), 0);
	assert_int_equal(json_array_size(records), BERTH_ARRAY_SIZE(expected));
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(expected); i++)
		assert_string_equal(
			berth_json_string(berth_registry_service(json_array_get(records, i)), "id",
					  ""),
			expected[i]);
}

static void what_is_no_record_is_passed_over(void **state)
{
	const struct berth_proc_id self = id_of(getpid());
	BERTH_AUTO_JSON json_t *records = NULL;
	char *huge = calloc(1, 300 * 1024 + 1);

	(void)state;
	assert_non_null(huge);
	memset(huge, ' ', 300 * 1024);
	write_text("2aaaaa.json", "");
	write_text("2baaaa.json", "{");
	write_text("2caaaa.json", "[]");
	write_text("2daaaa.json", "{\"service\":{},\"berth\":[]}");
	write_text("2eaaaa.json", "{\"service\":7,\"berth\":{}}");
	write_text("2faaaa.json", huge);
	write_text("name.json", "{\"service\":{},\"berth\":{}}");
	write_text(".berth-0123456789abcdef", "{\"service\":{},\"berth\":{}}");
	assert_int_equal(symlinkat("/etc/passwd", registry.dir_fd, "2gaaaa.json"), 0);
	assert_int_equal(mkfifoat(registry.dir_fd, "2haaaa.json", 0600), 0);
	free(huge);
	write_record("7f3k2m", "2026-01-01T00:00:00.000Z", &self);
	assert_int_equal(berth_registry_load(&registry, &records), 0);
	assert_int_equal(json_array_size(records), 1);
	assert_null(berth_registry_read(&registry, "2aaaaa"));
	assert_null(berth_registry_read(&registry, "../x/y"));
}

static void the_index_finds_the_live_record_of_a_port(void **state)
{
	const struct berth_proc_id self = id_of(getpid()), gone = dead_process();
	json_t *record;

	(void)state;
	assert_null(berth_registry_find_port(&registry, 5000));
	write_record("7f3k2m", "", &self);
	write_record("2aaaaa", "", &gone);
	berth_registry_claim_port(&registry, 5000, "7f3k2m");
	record = berth_registry_find_port(&registry, 5000);
	assert_string_equal(berth_json_string(berth_registry_service(record), "id", ""), "7f3k2m");
	json_decref(record);

	/* A link to somebody who does not have the port says nothing. */
	berth_registry_claim_port(&registry, 5001, "7f3k2m");
	assert_null(berth_registry_find_port(&registry, 5001));

	/* The latest to claim it has it, and nobody else gives it back. */
	berth_registry_claim_port(&registry, 5000, "2aaaaa");
	assert_null(berth_registry_find_port(&registry, 5000));
	berth_registry_unclaim_port(&registry, 5000, "7f3k2m");
	berth_registry_claim_port(&registry, 5000, "7f3k2m");
	berth_registry_unclaim_port(&registry, 5000, "2aaaaa");
	record = berth_registry_find_port(&registry, 5000);
	assert_non_null(record);
	json_decref(record);
	berth_registry_unclaim_port(&registry, 5000, "7f3k2m");
	assert_null(berth_registry_find_port(&registry, 5000));
}

static void a_hostile_link_leads_nowhere(void **state)
{
	static const char *const targets[] = { "/etc/passwd", "../7f3k2m", "7f3k2m/", "7f3k2mm",
					       "." };
	const struct berth_proc_id self = id_of(getpid());
	char name[64];

	(void)state;
	write_record("7f3k2m", "", &self);
	snprintf(name, sizeof(name), "%llu-5000", (unsigned long long)registry.netns);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(targets); i++) {
		assert_int_equal(symlinkat(targets[i], registry.ports_fd, name), 0);
		assert_null(berth_registry_find_port(&registry, 5000));
		berth_registry_unclaim_port(&registry, 5000, "7f3k2m");
		assert_int_equal(unlinkat(registry.ports_fd, name, 0), 0);
	}
}

static void another_network_has_its_own_numbers(void **state)
{
	const struct berth_proc_id self = id_of(getpid());
	struct berth_registry other = registry;

	(void)state;
	write_record("7f3k2m", "", &self);
	other.netns++;
	berth_registry_claim_port(&other, 5000, "7f3k2m");
	assert_null(berth_registry_find_port(&registry, 5000));
}

static void folders_that_a_logout_removed_are_made_again(void **state)
{
	const struct berth_proc_id self = id_of(getpid());
	BERTH_AUTO_JSON json_t *record = record_of("7f3k2m", "", &self, NULL);

	(void)state;
	assert_false(berth_registry_is_lost(&registry));
	assert_true(own_folder_remove(registry.path));
	assert_true(berth_registry_is_lost(&registry));
	assert_true(berth_registry_write(&registry, "7f3k2m", record) < 0);
	assert_int_equal(berth_registry_reopen(&registry), 0);
	assert_false(berth_registry_is_lost(&registry));
	assert_int_equal(berth_registry_write(&registry, "7f3k2m", record), 0);
	berth_registry_claim_port(&registry, 5000, "7f3k2m");
	json_decref(record);
	record = berth_registry_find_port(&registry, 5000);
	assert_non_null(record);

	/* With the whole session gone there is no place for it. */
	assert_true(own_folder_remove(registry.path));
	assert_int_equal(rmdir(getenv("XDG_RUNTIME_DIR")), 0);
	assert_int_equal(berth_registry_reopen(&registry), -ENOENT);
	assert_true(registry.dir_fd >= 0);
}

struct named {
	const char *project, *root, *branch, *service;
	int instance;
	bool linked;
	const char *label;
};

static void assert_labels(const char *what, const struct named *rows, size_t count)
{
	BERTH_AUTO_JSON json_t *records = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(
			records, json_pack("{s:{s:s,s:s,s:s?,s:s,s:i},s:{s:b}}", "service",
					   "project", rows[i].project, "root", rows[i].root,
					   "branch", rows[i].branch, "service", rows[i].service,
					   "instance", rows[i].instance ? rows[i].instance : 1,
					   "berth", "linked", rows[i].linked));
	berth_registry_label(records);
	for (size_t i = 0; i < count; i++) {
		const char *label = berth_json_string(
			berth_registry_service(json_array_get(records, i)), "label", "none");

		if (strcmp(label, rows[i].label) != 0)
			fail_msg("%s: '%s', not '%s'", what, label, rows[i].label);
	}
}

#define ASSERT_LABELS(what, ...) \
	assert_labels(what, (const struct named[]){ __VA_ARGS__ }, \
		      sizeof((const struct named[]){ __VA_ARGS__ }) / sizeof(struct named))

static void labels_say_as_much_as_tells_services_apart(void **state)
{
	(void)state;
	ASSERT_LABELS("alone", { "shop", "/home/ann/shop", "main", "api", .label = "shop/api" });
	ASSERT_LABELS("no git", { "shop", "/home/ann/shop", NULL, "api", .label = "shop/api" });
	ASSERT_LABELS("several of one folder",
		      { "shop", "/home/ann/shop", "main", "api", .label = "shop/api" },
		      { "shop", "/home/ann/shop", "main", "web", .label = "shop/web" },
		      { "shop", "/home/ann/shop", "main", "web", 2, .label = "shop/web.2" },
		      { "cafe", "/home/ann/cafe", "main", "web", .label = "cafe/web" });
	ASSERT_LABELS("a linked worktree alone", { "shop", "/home/ann/shop-fix", "fix-1", "api",
						   .linked = true, .label = "shop@fix-1/api" });
	ASSERT_LABELS("worktrees",
		      { "shop", "/home/ann/shop", "main", "api", .label = "shop@main/api" },
		      { "shop", "/home/ann/shop-fix", "fix-1", "api", .linked = true,
			.label = "shop@fix-1/api" },
		      { "shop", "/home/ann/shop-fix", "fix-1", "api", 3, .linked = true,
			.label = "shop@fix-1/api.3" });
	ASSERT_LABELS("clones on one branch",
		      { "shop", "/home/ann/a/shop", "main", "api", .label = "shop~a/api" },
		      { "shop", "/home/ann/b/shop", "main", "api", .label = "shop~b/api" });
	ASSERT_LABELS("copies without git",
		      { "shop", "/home/ann/a/shop", NULL, "api", .label = "shop~a/api" },
		      { "shop", "/home/ann/b/shop", NULL, "api", .label = "shop~b/api" });
	ASSERT_LABELS("clones, one on another branch",
		      { "shop", "/home/ann/a/shop", "main", "api", .label = "shop~a/api" },
		      { "shop", "/home/ann/b/shop", "main", "api", .label = "shop~b/api" },
		      { "shop", "/home/ann/c/shop", "fix-1", "api", .label = "shop@fix-1/api" });
}

static void labels_of_damaged_records_harm_nobody(void **state)
{
	static const char text[] =
		"[{\"service\":{},\"berth\":{}},"
		"{\"service\":{\"root\":\"/\",\"project\":7},\"berth\":{}},"
		"{\"service\":{\"root\":\"shop\",\"branch\":[],\"instance\":\"x\"},\"berth\":{\"linked\":1}}]";
	BERTH_AUTO_JSON json_t *records = berth_json_parse(text, strlen(text));

	(void)state;
	assert_non_null(records);
	berth_registry_label(records);
	for (size_t i = 0; i < 3; i++)
		assert_true(json_is_string(json_object_get(
			berth_registry_service(json_array_get(records, i)), "label")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_folder_is_ours_alone_or_not_used, set_up,
						tear_down),
		cmocka_unit_test(an_id_is_neither_a_name_nor_a_number),
		cmocka_unit_test_setup_teardown(what_was_written_is_read_until_it_is_removed,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_record_is_true_as_long_as_its_writer_lives,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_record_of_another_boot_is_dead_whoever_has_the_numbers_now, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(all_records_are_loaded_in_the_order_of_their_start,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_record_is_passed_over, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_index_finds_the_live_record_of_a_port, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_hostile_link_leads_nowhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_network_has_its_own_numbers, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(folders_that_a_logout_removed_are_made_again,
						set_up, tear_down),
		cmocka_unit_test(labels_say_as_much_as_tells_services_apart),
		cmocka_unit_test(labels_of_damaged_records_harm_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
