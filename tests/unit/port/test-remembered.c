/* SPDX-License-Identifier: MIT */
/* unit/port/test-remembered.c - memories in a real folder, whole, broken and left behind */
#include "port/remembered.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY "0123456789abcdef0123456789abcdef"
#define OTHER "ffffffffffffffffffffffffffffffff"

struct folder {
	char path[64];
	int fd;
};

static int set_up(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	assert_non_null(folder);
	strcpy(folder->path, "/tmp/berth-test-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(folder->fd >= 0);
	*state = folder;
	return 0;
}

static int tear_down(void **state)
{
	struct folder *folder = *state;
	DIR *dir = fdopendir(folder->fd);
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			(void)!unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	closedir(dir);
	assert_int_equal(rmdir(folder->path), 0);
	free(folder);
	return 0;
}

static void put(const struct folder *folder, const char *name, const char *text)
{
	int fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static bool has_file(const struct folder *folder, const char *name)
{
	return faccessat(folder->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct berth_remembered one_port(uint16_t given)
{
	return (struct berth_remembered){ .ports = { { "main", 5000, given } }, .count = 1 };
}

static size_t load_count(const struct folder *folder)
{
	struct berth_remembered memory;

	memset(&memory, 0x5a, sizeof(memory));
	assert_int_equal(berth_remembered_load(folder->fd, KEY, &memory), 0);
	return memory.count;
}

/* The set is too large for the stack of a test. */
static struct berth_portset *foreign(const struct folder *folder)
{
	static struct berth_portset set;

	memset(&set, 0xff, sizeof(set));
	assert_int_equal(berth_remembered_foreign(folder->fd, KEY, "/own", "", &set), 0);
	return &set;
}

static size_t size_of(const struct berth_portset *set)
{
	size_t count = 0;

	for (uint32_t port = 0; port <= UINT16_MAX; port++)
		count += berth_portset_has(set, (uint16_t)port);
	return count;
}

static void what_is_saved_is_loaded(void **state)
{
	struct folder *folder = *state;
	struct berth_remembered saved = {
		.ports = { { "main", 5000, 5003 }, { "ws", 0, 65535 }, { "", 1, 1 } },
		.count = 3,
	};
	struct berth_remembered loaded;

	assert_int_equal(
		berth_remembered_save(folder->fd, KEY, "/home/ann/b\"\n", "", "api", &saved), 0);
	assert_int_equal(berth_remembered_load(folder->fd, KEY, &loaded), 0);
	assert_int_equal(loaded.count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(loaded.ports[i].name, saved.ports[i].name);
		assert_int_equal(loaded.ports[i].asked, saved.ports[i].asked);
		assert_int_equal(loaded.ports[i].given, saved.ports[i].given);
	}
	saved.count = 0;
	assert_int_equal(berth_remembered_save(folder->fd, KEY, "/", "", "api", &saved), 0);
	assert_int_equal(load_count(folder), 0);
	saved.count = BERTH_WISH_PORTS_MAX + 1;
	assert_int_equal(berth_remembered_save(folder->fd, KEY, "/", "", "api", &saved), -EINVAL);
}

static void a_full_table_is_kept_whole(void **state)
{
	struct folder *folder = *state;
	struct berth_remembered memory = { .count = BERTH_WISH_PORTS_MAX };

	for (size_t i = 0; i < BERTH_WISH_PORTS_MAX; i++) {
		memory.ports[i].given = (uint16_t)(5000 + i);
		snprintf(memory.ports[i].name, BERTH_PORT_NAME_MAX, "p%030zu", i);
	}
	assert_int_equal(berth_remembered_save(folder->fd, KEY, "/", "", "api", &memory), 0);
	assert_int_equal(load_count(folder), BERTH_WISH_PORTS_MAX);
}

static void what_is_missing_or_broken_is_an_empty_memory(void **state)
{
	static const char *const rows[] = {
		"",
		"{",
		"[]",
		"null",
		"\xff\xfe",
		"{}",
		"{\"ports\":{}}",
		"{\"ports\":[1,null,[],\"x\"]}",
		"{\"ports\":[{\"name\":\"a\",\"asked\":1,\"given\":0}]}",
		"{\"ports\":[{\"name\":\"a\",\"asked\":1,\"given\":65536}]}",
		"{\"ports\":[{\"name\":\"a\",\"asked\":-1,\"given\":1}]}",
		"{\"ports\":[{\"name\":\"a\",\"asked\":65536,\"given\":1}]}",
		"{\"ports\":[{\"name\":\"a\",\"asked\":1.5,\"given\":1}]}",
		"{\"ports\":[{\"name\":7,\"asked\":1,\"given\":1}]}",
		"{\"ports\":[{\"asked\":1,\"given\":1}]}",
		"{\"ports\":[{\"name\":\"a234567890123456789012345678901x\",\"asked\":1,\"given\":1}]}",
	};
	struct folder *folder = *state;

	assert_int_equal(load_count(folder), 0);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		put(folder, KEY ".json", rows[i]);
		assert_int_equal(load_count(folder), 0);
		put(folder, OTHER ".json", rows[i]);
		assert_int_equal(size_of(foreign(folder)), 0);
	}
	put(folder, KEY ".json",
	    "{\"ports\":[{\"name\":\"a\",\"asked\":1,\"given\":0},"
	    "{\"name\":\"b\",\"asked\":0,\"given\":80}],\"more\":1}");
	assert_int_equal(load_count(folder), 1);
}

static void a_file_with_too_many_ports_or_bytes_is_bounded(void **state)
{
	static char text[100000];
	struct folder *folder = *state;
	size_t len = (size_t)sprintf(text, "{\"ports\":[");

	for (size_t i = 0; i < 100; i++)
		len += (size_t)sprintf(text + len, "%s{\"name\":\"a\",\"asked\":1,\"given\":%zu}",
				       i ? "," : "", 5000 + i);
	sprintf(text + len, "]}");
	put(folder, KEY ".json", text);
	assert_int_equal(load_count(folder), BERTH_WISH_PORTS_MAX);
	memset(text, ' ', sizeof(text) - 1);
	memcpy(text, "{\"ports\":[{\"name\":\"a\",\"asked\":1,\"given\":80}]}", 44);
	put(folder, KEY ".json", text);
	assert_int_equal(load_count(folder), 0);
}

static void a_key_is_no_path(void **state)
{
	static const char *const rows[] = {
		"",
		".",
		"..",
		"../x",
		"a/b",
		"A",
		"a.b",
		"a b",
		"-",
		"\n",
		"01234567890123456789012345678901234567890",
	};
	struct folder *folder = *state;
	struct berth_remembered memory = one_port(1);
	static struct berth_portset set;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		assert_int_equal(berth_remembered_save(folder->fd, rows[i], "/", "", "a", &memory),
				 -EINVAL);
		assert_int_equal(berth_remembered_load(folder->fd, rows[i], &memory), -EINVAL);
		assert_int_equal(berth_remembered_foreign(folder->fd, rows[i], "/own", "", &set),
				 -EINVAL);
	}
	assert_int_equal(memory.count, 1);
}

static void symlinks_and_fifos_are_not_read(void **state)
{
	struct folder *folder = *state;

	put(folder, "real", "{\"ports\":[{\"name\":\"a\",\"asked\":1,\"given\":80}]}");
	assert_int_equal(symlinkat("real", folder->fd, KEY ".json"), 0);
	assert_int_equal(load_count(folder), 0);
	assert_int_equal(mkfifoat(folder->fd, OTHER ".json", 0600), 0);
	assert_int_equal(mkdirat(folder->fd, "abc.json", 0700), 0);
	assert_int_equal(size_of(foreign(folder)), 0);
}

static void numbers_of_others_are_foreign_and_own_ones_are_not(void **state)
{
	struct folder *folder = *state;
	struct berth_remembered own = one_port(5001), other = one_port(5002),
				third = one_port(65535);
	struct berth_portset *set;

	assert_int_equal(berth_remembered_save(folder->fd, KEY, folder->path, "", "a", &own), 0);
	assert_int_equal(berth_remembered_save(folder->fd, OTHER, folder->path, "", "b", &other),
			 0);
	assert_int_equal(berth_remembered_save(folder->fd, "abc", "/", "", "c", &third), 0);
	put(folder, ".berth-0123456789abcdef",
	    "{\"ports\":[{\"name\":\"a\",\"asked\":1,\"given\":80}]}");
	put(folder, "notes.txt", "x");
	set = foreign(folder);
	assert_int_equal(size_of(set), 2);
	assert_true(berth_portset_has(set, 5002));
	assert_true(berth_portset_has(set, 65535));
}

static void the_home_is_kept_while_a_stranger_has_it(void **state)
{
	static const struct {
		const char *title;
		struct berth_remembered_port old, now; /* name, asked, given, home */
		uint16_t home;
	} rows[] = {
		{ "the first time it is at home where it is",
		  { "" },
		  { "main", 5000, 5003 },
		  5003 },
		{ "moved by a stranger",
		  { "main", 5000, 5000, 5000 },
		  { "main", 5000, 5002 },
		  5000 },
		{ "moved again", { "main", 5000, 5002, 5000 }, { "main", 5000, 5003 }, 5000 },
		{ "back at home", { "main", 5000, 5002, 5000 }, { "main", 5000, 5000 }, 5000 },
		{ "its wish has come true",
		  { "main", 5000, 5001, 5001 },
		  { "main", 5000, 5000, 5000 },
		  5000 },
		{ "another wish", { "main", 5000, 5001, 5001 }, { "main", 6000, 6001 }, 6001 },
		{ "another port", { "ws", 5000, 5001, 5001 }, { "main", 5000, 5002 }, 5002 },
		{ "no wish at all", { "main", 3000, 3000, 3000 }, { "main", 3005, 3005 }, 3000 },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_remembered old = { .ports = { rows[i].old }, .count = 1 };
		struct berth_remembered now = { .ports = { rows[i].now }, .count = 1 };

		berth_remembered_find_homes(&now, &old);
		if (now.ports[0].home != rows[i].home)
			fail_msg("%s: %u", rows[i].title, now.ports[0].home);
		assert_int_equal(now.ports[0].given, rows[i].now.given);
	}
}

static void the_home_of_another_folder_is_foreign_too(void **state)
{
	struct folder *folder = *state;
	struct berth_remembered other = { .ports = { { "main", 5000, 5002, 5000 } }, .count = 1 };
	struct berth_remembered loaded;
	struct berth_portset *set;

	assert_int_equal(berth_remembered_save(folder->fd, OTHER, "/", "", "b", &other), 0);
	assert_int_equal(berth_remembered_load(folder->fd, OTHER, &loaded), 0);
	assert_int_equal(loaded.ports[0].home, 5000);
	set = foreign(folder);
	assert_int_equal(size_of(set), 2);
	assert_true(berth_portset_has(set, 5000));
	/* of a file that does not tell it */
	put(folder, OTHER ".json",
	    "{\"root\":\"/\",\"ports\":[{\"name\":\"a\",\"asked\":1,\"given\":80}]}");
	assert_int_equal(berth_remembered_load(folder->fd, OTHER, &loaded), 0);
	assert_int_equal(loaded.ports[0].home, 80);
	assert_int_equal(size_of(foreign(folder)), 1);
}

static void numbers_of_the_same_folder_are_nobody_elses(void **state)
{
	struct folder *folder = *state;
	struct berth_remembered memory = one_port(5002);
	static struct berth_portset set;

	assert_int_equal(berth_remembered_save(folder->fd, OTHER, "/usr", "", "b", &memory), 0);
	assert_int_equal(berth_remembered_foreign(folder->fd, KEY, "/usr", "", &set), 0);
	assert_int_equal(size_of(&set), 0);
	assert_int_equal(berth_remembered_foreign(folder->fd, KEY, "/tmp", "", &set), 0);
	assert_int_equal(size_of(&set), 1);
}

static void numbers_of_another_copy_are_foreign_in_the_same_folder_too(void **state)
{
	struct folder *folder = *state;
	struct berth_remembered memory = one_port(5002);
	static struct berth_portset set;

	assert_int_equal(berth_remembered_save(folder->fd, OTHER, "/usr", "demo", "b", &memory), 0);
	assert_int_equal(berth_remembered_foreign(folder->fd, KEY, "/usr", "demo", &set), 0);
	assert_int_equal(size_of(&set), 0);
	assert_int_equal(berth_remembered_foreign(folder->fd, KEY, "/usr", "", &set), 0);
	assert_int_equal(size_of(&set), 1);
}

static void memories_of_folders_that_have_gone_are_removed(void **state)
{
	struct folder *folder = *state;
	struct berth_remembered memory = one_port(5002);
	char root[128];

	snprintf(root, sizeof(root), "%s/root", folder->path);
	assert_int_equal(mkdir(root, 0700), 0);
	assert_int_equal(berth_remembered_save(folder->fd, KEY, root, "", "a", &memory), 0);
	assert_int_equal(berth_remembered_save(folder->fd, OTHER, root, "", "b", &memory), 0);
	assert_int_equal(size_of(foreign(folder)), 1);
	assert_int_equal(rmdir(root), 0);
	assert_int_equal(size_of(foreign(folder)), 0);
	assert_false(has_file(folder, OTHER ".json"));
	/* Our own we are about to write anyway. */
	assert_true(has_file(folder, KEY ".json"));
}

static void a_root_that_json_can_not_hold_is_never_taken_for_gone(void **state)
{
	struct folder *folder = *state;
	struct berth_remembered memory = one_port(5002);

	assert_int_equal(berth_remembered_save(folder->fd, OTHER, "/b\xfcro", "", "b", &memory), 0);
	assert_true(berth_portset_has(foreign(folder), 5002));
	assert_true(has_file(folder, OTHER ".json"));
	put(folder, OTHER ".json",
	    "{\"root\":\"relative\",\"ports\":[{\"name\":\"a\",\"asked\":1,\"given\":80}]}");
	assert_true(berth_portset_has(foreign(folder), 80));
	assert_true(has_file(folder, OTHER ".json"));
}

static void of_very_many_only_the_newest_are_read(void **state)
{
	enum {
		MANY = 1005
	};
	struct folder *folder = *state;
	struct berth_portset *set;
	char name[64], text[128];

	for (int i = 0; i < MANY; i++) {
		/* The higher the number, the older. */
		struct timespec times[2] = { { .tv_sec = 2000000 - i }, { .tv_sec = 2000000 - i } };

		snprintf(name, sizeof(name), "%032x.json", i * 2654435761u);
		snprintf(text, sizeof(text),
			 "{\"root\":\"/\",\"ports\":[{\"name\":\"a\",\"asked\":1,\"given\":%d}]}",
			 5000 + i);
		put(folder, name, text);
		assert_int_equal(utimensat(folder->fd, name, times, 0), 0);
	}
	set = foreign(folder);
	assert_int_equal(size_of(set), 1000);
	assert_true(berth_portset_has(set, 5000));
	assert_true(berth_portset_has(set, 5999));
	assert_false(berth_portset_has(set, 6000));
}

static void a_folder_that_can_not_be_read_is_an_error(void **state)
{
	struct berth_remembered memory = one_port(1);
	static struct berth_portset set;
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(berth_remembered_foreign(file, KEY, "/own", "", &set), -ENOTDIR);
	assert_int_equal(berth_remembered_save(file, KEY, "/", "", "a", &memory), -ENOTDIR);
	assert_int_equal(berth_remembered_load(file, KEY, &memory), 0);
	assert_int_equal(memory.count, 0);
	close(file);
}

#define with_folder(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_folder(what_is_saved_is_loaded),
		with_folder(a_full_table_is_kept_whole),
		with_folder(what_is_missing_or_broken_is_an_empty_memory),
		with_folder(a_file_with_too_many_ports_or_bytes_is_bounded),
		with_folder(a_key_is_no_path),
		with_folder(symlinks_and_fifos_are_not_read),
		with_folder(numbers_of_others_are_foreign_and_own_ones_are_not),
		cmocka_unit_test(the_home_is_kept_while_a_stranger_has_it),
		with_folder(the_home_of_another_folder_is_foreign_too),
		with_folder(numbers_of_the_same_folder_are_nobody_elses),
		with_folder(numbers_of_another_copy_are_foreign_in_the_same_folder_too),
		with_folder(memories_of_folders_that_have_gone_are_removed),
		with_folder(a_root_that_json_can_not_hold_is_never_taken_for_gone),
		with_folder(of_very_many_only_the_newest_are_read),
		cmocka_unit_test(a_folder_that_can_not_be_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
