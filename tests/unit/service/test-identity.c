/* SPDX-License-Identifier: MIT */
/* unit/service/test-identity.c - roots, branches and keys of real folders */
#include "service/identity.h"

#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HASH "0123456789abcdef0123456789abcdef01234567"

/* A folder of its own, canonical; "%" in the tests' paths stands for it. */
static char top[64];

static int set_up(void **state)
{
	(void)state;
	strcpy(top, "/tmp/berth-test-XXXXXX");
	assert_non_null(mkdtemp(top));
	setenv("HOME", "/nowhere", 1);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* What a test has loaded; given back at its end. */
static struct berth_identity loaded[32];
static size_t loaded_count;

static int tear_down(void **state)
{
	while (loaded_count)
		berth_identity_deinit(&loaded[--loaded_count]);
	(void)state;
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *expand(const char *text, char buf[PATH_MAX])
{
	if (text[0] == '%')
		snprintf(buf, PATH_MAX, "%s%s", top, text + 1);
	else
		snprintf(buf, PATH_MAX, "%s", text);
	return buf;
}

static void make_folders(const char *path)
{
	char buf[PATH_MAX], *slash;

	expand(path, buf);
	for (slash = buf + strlen(top) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		assert_true(mkdir(buf, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
	assert_true(mkdir(buf, 0700) == 0 || errno == EEXIST);
}

/* With the folders above it. */
static void make_file(const char *path, const char *text)
{
	char buf[PATH_MAX], *slash;
	FILE *file;

	strcpy(buf, path);
	slash = strrchr(buf, '/');
	*slash = '\0';
	make_folders(buf);
	file = fopen(expand(path, buf), "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static struct berth_identity load(const char *cwd)
{
	struct berth_identity identity;
	struct berth_err err = { 0 };
	char buf[PATH_MAX];

	memset(&identity, 0x5a, sizeof(identity));
	assert_int_equal(berth_identity_load(expand(cwd, buf), &identity, &err), 0);
	assert_int_equal(err.code, BERTH_ERR_NONE);
	assert_int_equal(identity.instance, 1);
	assert_string_equal(identity.service, "");
	assert_true(loaded_count < BERTH_ARRAY_SIZE(loaded));
	loaded[loaded_count++] = identity;
	return identity;
}

static void assert_root(const struct berth_identity *identity, const char *root, const char *folder)
{
	char buf[PATH_MAX];

	assert_string_equal(identity->root, expand(root, buf));
	assert_string_equal(identity->folder, folder);
}

static void assert_common(const struct berth_identity *identity, const char *common)
{
	char buf[PATH_MAX];

	assert_string_equal(identity->common, expand(common, buf));
}

static void without_git_and_config_the_folder_is_its_own_root(void **state)
{
	struct berth_identity identity;

	(void)state;
	make_folders("%/My Shop 2/api");
	identity = load("%/My Shop 2");
	assert_root(&identity, "%/My Shop 2", "");
	assert_common(&identity, "%/My Shop 2");
	assert_string_equal(identity.project, "my-shop-2");
	assert_string_equal(identity.branch, "");
	assert_false(identity.linked);
}

static void the_nearest_git_root_wins_over_any_config(void **state)
{
	struct berth_identity identity;

	(void)state;
	make_file("%/shop/.git/HEAD", "ref: refs/heads/feature/login\n");
	make_file("%/shop/api/berth.yaml", "");
	make_folders("%/shop/api/src/deep");
	identity = load("%/shop/api/src/deep");
	assert_root(&identity, "%/shop", "api/src/deep");
	assert_string_equal(identity.project, "shop");
	assert_string_equal(identity.branch, "feature/login");
	assert_false(identity.linked);
	make_file("%/shop/api/src/.git/HEAD", "ref: refs/heads/main\n");
	identity = load("%/shop/api/src/deep");
	assert_root(&identity, "%/shop/api/src", "deep");
}

static void without_git_the_nearest_config_is_the_root(void **state)
{
	struct berth_identity identity;

	(void)state;
	make_file("%/stack/berth.yaml", "");
	make_file("%/stack/inner/berth.yaml", "");
	make_folders("%/stack/inner/a");
	make_folders("%/stack/other/b");
	identity = load("%/stack/inner/a");
	assert_root(&identity, "%/stack/inner", "a");
	identity = load("%/stack/other/b");
	assert_root(&identity, "%/stack", "other/b");
	assert_string_equal(identity.project, "stack");
}

static void a_git_root_at_home_counts_only_right_there(void **state)
{
	struct berth_identity identity;
	char home[PATH_MAX], link[PATH_MAX];

	(void)state;
	make_file("%/home/.git/HEAD", "ref: refs/heads/dotfiles\n");
	make_folders("%/home/shop/api");
	setenv("HOME", expand("%/home", home), 1);
	identity = load("%/home/shop/api");
	assert_root(&identity, "%/home/shop/api", "");
	assert_string_equal(identity.branch, "");
	identity = load("%/home");
	assert_root(&identity, "%/home", "");
	assert_string_equal(identity.branch, "dotfiles");
	/* HOME by another name is the same folder. */
	assert_int_equal(symlink(home, expand("%/link", link)), 0);
	setenv("HOME", link, 1);
	identity = load("%/link/shop/api");
	assert_root(&identity, "%/home/shop/api", "");
}

static void branches_are_read_from_head(void **state)
{
	static const struct {
		const char *head, *branch;
	} rows[] = {
		{ "ref: refs/heads/main\n", "main" },
		{ "ref: refs/heads/main", "main" },
		{ "ref: refs/heads/a/b-c.d", "a/b-c.d" },
		{ "ref: refs/heads/main\r\nmore\n", "main" },
		{ "ref: refs/tags/v1\n", "tags/v1" },
		{ HASH "\n", "0123456" },
		{ HASH HASH "\n", "" },
		{ "0123456\n", "" },
		{ "ref: refs/heads/.invalid\n", "" },
		{ "ref: refs/heads/\n", "" },
		{ "ref: refs/heads/a b\n", "" },
		{ "ref: refs/heads/\033[31mred\n", "" },
		{ "ref: refs/heads/a\x7f\n", "" },
		{ "ref: /etc/passwd\n", "" },
		{ "", "" },
	};
	struct berth_identity identity;
	char huge[8192], long_name[400];

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		make_file("%/shop/.git/HEAD", rows[i].head);
		identity = load("%/shop");
		assert_root(&identity, "%/shop", "");
		assert_string_equal(identity.branch, rows[i].branch);
	}
	memset(long_name, 'n', sizeof(long_name));
	memcpy(long_name, "ref: refs/heads/", 16);
	long_name[sizeof(long_name) - 1] = '\0';
	make_file("%/shop/.git/HEAD", long_name);
	identity = load("%/shop");
	assert_int_equal(strlen(identity.branch), sizeof(identity.branch) - 1);
	memset(huge, 'a', sizeof(huge));
	huge[sizeof(huge) - 1] = '\0';
	make_file("%/shop/.git/HEAD", huge);
	identity = load("%/shop");
	assert_string_equal(identity.branch, "");
}

/* As `git worktree add ../fix fix-1` leaves them, with absolute and (git 2.48) relative paths. */
static void a_linked_worktree_knows_the_main_one(void **state)
{
	struct berth_identity linked, main_one;
	char text[PATH_MAX + 64], git[PATH_MAX];

	(void)state;
	make_file("%/shop/.git/HEAD", "ref: refs/heads/main\n");
	make_file("%/shop/.git/worktrees/fix/HEAD", "ref: refs/heads/fix-1\n");
	make_file("%/shop/.git/worktrees/fix/commondir", "../..\n");
	make_folders("%/fix/api");
	make_folders("%/shop/api");
	main_one = load("%/shop/api");
	for (size_t i = 0; i < 2; i++) {
		expand(i ? "../shop/.git/worktrees/fix" : "%/shop/.git/worktrees/fix", git);
		snprintf(text, sizeof(text), "gitdir: %s\n", git);
		make_file("%/fix/.git", text);
		linked = load("%/fix/api");
		assert_root(&linked, "%/fix", "api");
		assert_true(linked.linked);
		assert_string_equal(linked.branch, "fix-1");
		assert_string_equal(linked.project, "shop");
		assert_common(&linked, "%/shop");

		strcpy(linked.service, "api");
		strcpy(main_one.service, "api");
		berth_identity_seal(&linked);
		berth_identity_seal(&main_one);
		assert_string_equal(linked.family, main_one.family);
		assert_string_not_equal(linked.key, main_one.key);
	}
}

static void worktrees_of_bare_repositories_share_their_folder(void **state)
{
	struct berth_identity identity;

	(void)state;
	make_file("%/shop.git/HEAD", "ref: refs/heads/main\n");
	make_file("%/shop.git/worktrees/a/HEAD", "ref: refs/heads/a\n");
	make_file("%/shop.git/worktrees/a/commondir", "../..\n");
	make_file("%/a/.git", "gitdir: ../shop.git/worktrees/a\n");
	identity = load("%/a");
	assert_common(&identity, "%/shop.git");
	assert_string_equal(identity.project, "shop");
	assert_true(identity.linked);

	/* proj/.bare with proj/main and proj/fix beside it. */
	make_file("%/proj/.bare/HEAD", "ref: refs/heads/main\n");
	make_file("%/proj/.bare/worktrees/fix/HEAD", "ref: refs/heads/fix\n");
	make_file("%/proj/.bare/worktrees/fix/commondir", "../..\n");
	make_file("%/proj/fix/.git", "gitdir: ../.bare/worktrees/fix\n");
	identity = load("%/proj/fix");
	assert_root(&identity, "%/proj/fix", "");
	assert_common(&identity, "%/proj");
	assert_string_equal(identity.project, "proj");
}

static void a_submodule_is_a_root_of_its_own_and_not_linked(void **state)
{
	struct berth_identity identity;

	(void)state;
	make_file("%/shop/.git/HEAD", "ref: refs/heads/main\n");
	make_file("%/shop/.git/modules/lib/HEAD", HASH "\n");
	make_file("%/shop/lib/.git", "gitdir: ../.git/modules/lib\n");
	identity = load("%/shop/lib");
	assert_root(&identity, "%/shop/lib", "");
	assert_common(&identity, "%/shop/lib");
	assert_string_equal(identity.project, "lib");
	assert_string_equal(identity.branch, "0123456");
	assert_false(identity.linked);
}

static void a_worktree_whose_main_one_is_out_of_sight_is_still_a_root(void **state)
{
	struct berth_identity identity;

	(void)state;
	make_file("%/fix/.git", "gitdir: /not/mounted/here\n");
	make_folders("%/fix/api");
	identity = load("%/fix/api");
	assert_root(&identity, "%/fix", "api");
	assert_string_equal(identity.branch, "");
	assert_false(identity.linked);
	assert_common(&identity, "%/fix");
}

static void what_only_looks_like_git_is_passed_over(void **state)
{
	static const char *const rows[] = { "", "gitdir:", "gitdirx: ../y", "../y", "x" };
	struct berth_identity identity;
	char huge[3 * PATH_MAX], path[PATH_MAX];

	(void)state;
	make_file("%/outer/berth.yaml", "");
	make_folders("%/outer/a/.git");
	make_folders("%/outer/b");
	identity = load("%/outer/a");
	assert_root(&identity, "%/outer", "a");
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		make_file("%/outer/b/.git", rows[i]);
		identity = load("%/outer/b");
		assert_root(&identity, "%/outer", "b");
	}
	memset(huge, 'x', sizeof(huge));
	memcpy(huge, "gitdir: ", 8);
	huge[sizeof(huge) - 1] = '\0';
	make_file("%/outer/b/.git", huge);
	identity = load("%/outer/b");
	assert_root(&identity, "%/outer", "b");
	/* A FIFO must not hold us. */
	assert_int_equal(unlink(expand("%/outer/b/.git", path)), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	identity = load("%/outer/b");
	assert_root(&identity, "%/outer", "b");
	make_folders("%/outer/c/.git");
	assert_int_equal(mkfifo(expand("%/outer/c/.git/HEAD", path), 0600), 0);
	identity = load("%/outer/c");
	assert_root(&identity, "%/outer/c", "");
	assert_string_equal(identity.branch, "");
}

static void a_path_through_a_symlink_is_the_same_service(void **state)
{
	struct berth_identity direct, through;
	char target[PATH_MAX], link[PATH_MAX];

	(void)state;
	make_file("%/shop/.git/HEAD", "ref: refs/heads/main\n");
	make_folders("%/shop/api");
	assert_int_equal(symlink(expand("%/shop", target), expand("%/s", link)), 0);
	direct = load("%/shop/api");
	through = load("%/s/api/../api/.");
	berth_identity_seal(&direct);
	berth_identity_seal(&through);
	assert_string_equal(direct.key, through.key);
	assert_string_equal(through.folder, "api");
}

static void the_root_of_the_machine_has_a_name(void **state)
{
	struct berth_identity identity;

	(void)state;
	if (access("/.git", F_OK) == 0 || access("/berth.yaml", F_OK) == 0) {
		print_message("/ is a project here\n");
		skip();
	}
	identity = load("/");
	assert_root(&identity, "/", "");
	assert_string_equal(identity.project, "root");
	make_file("%/x/.git/HEAD", "");
	identity = load("/usr");
	assert_root(&identity, "/usr", "");
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
	struct berth_identity identity, before;
	struct berth_err err = { 0 };
	char path[PATH_MAX];

	(void)state;
	memset(&identity, 0x5a, sizeof(identity));
	before = identity;
	assert_int_equal(berth_identity_load(expand("%/none", path), &identity, &err), -ENOENT);
	assert_int_equal(err.code, BERTH_ERR_INTERNAL);
	assert_int_equal(berth_identity_load("relative", &identity, &err), -EINVAL);
	assert_int_equal(err.code, BERTH_ERR_USAGE);
	assert_string_equal(err.msg, "cannot use folder 'relative': the path is not absolute");
	assert_int_equal(berth_identity_load("", &identity, &err), -EINVAL);
	assert_memory_equal(&identity, &before, sizeof(identity));
}

static void each_part_of_an_identity_changes_its_key(void **state)
{
	struct berth_identity base = {
		.root = "/a", .folder = "b", .service = "c", .common = "/a", .instance = 1
	};
	struct berth_identity variants[6];

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(variants); i++)
		variants[i] = base;
	variants[1].root = "/ab";
	variants[2].folder = "";
	strcpy(variants[3].service, "bc");
	variants[4].instance = 11;
	/* The same letters, cut elsewhere. */
	variants[5].root = "/ab";
	variants[5].folder = "";
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(variants); i++) {
		berth_identity_seal(&variants[i]);
		assert_int_equal(strlen(variants[i].key), 32);
		assert_int_equal(strspn(variants[i].key, "0123456789abcdef"), 32);
		assert_int_equal(strlen(variants[i].family), 32);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(variants[i].key, variants[k].key);
	}
	assert_string_equal(variants[0].family, variants[4].family);
	assert_string_equal(variants[0].family, variants[1].family);
	assert_string_not_equal(variants[0].family, variants[2].family);
	assert_string_not_equal(variants[0].family, variants[3].family);
	/* The same for ever: records and remembered ports are found by it. */
	assert_string_equal(variants[0].key, "404fbc0969043b386e814769023e543f");
}

static void a_copy_is_another_one_of_the_same_family(void **state)
{
	struct berth_identity base = {
		.root = "/a", .folder = "b", .service = "c", .common = "/a", .instance = 1
	};
	struct berth_identity variants[5];

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(variants); i++)
		variants[i] = base;
	strcpy(variants[1].copy, "demo");
	strcpy(variants[2].copy, "test");
	variants[3].instance = 2;
	strcpy(variants[4].copy, "demo");
	variants[4].instance = 2;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(variants); i++) {
		berth_identity_seal(&variants[i]);
		assert_string_equal(variants[i].family, variants[0].family);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(variants[i].key, variants[k].key);
	}
	/* Without one, as it was before there were copies. */
	assert_string_equal(variants[0].key, "404fbc0969043b386e814769023e543f");
}

static void the_longest_paths_are_sealed(void **state)
{
	static char root[PATH_MAX], common[PATH_MAX], folder[PATH_MAX];
	struct berth_identity identity = { .root = root, .common = common, .folder = folder };

	(void)state;
	memset(root, 'r', PATH_MAX - 1);
	memset(common, 'c', PATH_MAX - 1);
	memset(folder, 'f', PATH_MAX - 1);
	memset(identity.service, 's', BERTH_NAME_MAX - 1);
	identity.instance = UINT32_MAX;
	berth_identity_seal(&identity);
	assert_int_equal(strlen(identity.key), 32);
}

static void names_are_told_from_numbers_and_the_rest(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} rows[] = {
		{ "a", true },
		{ "api", true },
		{ "a-b-1", true },
		{ "a-", true },
		{ "", false },
		{ "1a", false },
		{ "8080", false },
		{ "-a", false },
		{ "A", false },
		{ "a_b", false },
		{ "a.b", false },
		{ "a b", false },
		{ "a\n", false },
		{ "\xc3\xa4", false },
		{ "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg", true },
		{ "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg", false },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++)
		assert_int_equal(berth_name_is_valid(rows[i].text), rows[i].valid);
}

static void names_are_made_of_any_text(void **state)
{
	static const struct {
		const char *text, *name;
	} rows[] = {
		{ "api", "api" },
		{ "My Shop", "my-shop" },
		{ "@acme/web", "acme-web" },
		{ "dev:server", "dev-server" },
		{ "a__b..c", "a-b-c" },
		{ "--x--", "x" },
		{ "2048-game", "game" },
		{ "v2.1", "v2-1" },
		{ "8080", "service" },
		{ "", "service" },
		{ "\xff\xfe", "service" },
		{ "\033[31mred", "mred" },
		{ "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgg-hh",
		  "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgg" },
	};
	char name[BERTH_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		berth_name_from(rows[i].text, name);
		assert_string_equal(name, rows[i].name);
		assert_true(berth_name_is_valid(name));
	}
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(without_git_and_config_the_folder_is_its_own_root),
		in_folder(the_nearest_git_root_wins_over_any_config),
		in_folder(without_git_the_nearest_config_is_the_root),
		in_folder(a_git_root_at_home_counts_only_right_there),
		in_folder(branches_are_read_from_head),
		in_folder(a_linked_worktree_knows_the_main_one),
		in_folder(worktrees_of_bare_repositories_share_their_folder),
		in_folder(a_submodule_is_a_root_of_its_own_and_not_linked),
		in_folder(a_worktree_whose_main_one_is_out_of_sight_is_still_a_root),
		in_folder(what_only_looks_like_git_is_passed_over),
		in_folder(a_path_through_a_symlink_is_the_same_service),
		in_folder(the_root_of_the_machine_has_a_name),
		in_folder(a_folder_that_is_not_there_is_an_error),
		cmocka_unit_test(each_part_of_an_identity_changes_its_key),
		cmocka_unit_test(a_copy_is_another_one_of_the_same_family),
		cmocka_unit_test(the_longest_paths_are_sealed),
		cmocka_unit_test(names_are_told_from_numbers_and_the_rest),
		cmocka_unit_test(names_are_made_of_any_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
