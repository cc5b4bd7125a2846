/* SPDX-License-Identifier: MIT */
/* unit/os/test-statefile.c - whole or not at all, and never through somebody else's hands */
#include "os/statefile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	NOBODY = 65534
};

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

static void remove_below(int dir_fd)
{
	DIR *dir = fdopendir(dir_fd);
	struct dirent *entry;
	int sub;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) == 0)
			continue;
		sub = openat(dirfd(dir), entry->d_name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		assert_true(sub >= 0);
		remove_below(sub);
		assert_int_equal(unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR), 0);
	}
	closedir(dir);
}

static int tear_down(void **state)
{
	struct folder *folder = *state;

	remove_below(folder->fd);
	assert_int_equal(rmdir(folder->path), 0);
	free(folder);
	return 0;
}

static const char *in(const struct folder *folder, const char *name, char buf[PATH_MAX])
{
	snprintf(buf, PATH_MAX, "%s/%s", folder->path, name);
	return buf;
}

static size_t entries(const struct folder *folder)
{
	DIR *dir = opendir(folder->path);
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

static void assert_holds(const struct folder *folder, const char *name, const char *text,
			 mode_t mode)
{
	char *data = NULL;
	size_t len = 0;
	struct stat st;

	assert_int_equal(berth_statefile_read(folder->fd, name, 1 << 20, &data, &len), 0);
	assert_string_equal(data, text);
	assert_int_equal(len, strlen(text));
	free(data);
	assert_int_equal(fstatat(folder->fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 07777, mode);
}

static void what_is_written_is_read_and_replaced_whole(void **state)
{
	struct folder *folder = *state;
	mode_t old = umask(0);

	assert_int_equal(berth_statefile_write(folder->fd, "a", "one", 3), 0);
	assert_holds(folder, "a", "one", 0600);
	assert_int_equal(berth_statefile_write(folder->fd, "a", "two!", 4), 0);
	assert_holds(folder, "a", "two!", 0600);
	assert_int_equal(berth_statefile_write(folder->fd, "a", "", 0), 0);
	assert_holds(folder, "a", "", 0600);
	umask(0777);
	assert_int_equal(berth_statefile_write(folder->fd, "b", "x", 1), 0);
	umask(old);
	assert_holds(folder, "b", "x", 0600);
	assert_int_equal(entries(folder), 2);
}

static void who_has_the_old_file_open_keeps_reading_it(void **state)
{
	struct folder *folder = *state;
	char buf[4];
	int fd;

	assert_int_equal(berth_statefile_write(folder->fd, "a", "old", 3), 0);
	fd = openat(folder->fd, "a", O_RDONLY | O_CLOEXEC);
	assert_int_equal(berth_statefile_write(folder->fd, "a", "new", 3), 0);
	assert_int_equal(read(fd, buf, 4), 3);
	assert_memory_equal(buf, "old", 3);
	close(fd);
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const names[] = { "", ".", "..", "a/b", "/etc/x", "../x", "x/" };
	struct folder *folder = *state;
	char path[PATH_MAX];

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(names); i++)
		assert_int_equal(berth_statefile_write(folder->fd, names[i], "x", 1), -EINVAL);
	assert_int_equal(berth_statefile_write_path("", "x", 1, 0600), -EINVAL);
	assert_int_equal(berth_statefile_write_path("/", "x", 1, 0600), -EINVAL);
	assert_int_equal(berth_statefile_write_path(in(folder, "..", path), "x", 1, 0600), -EINVAL);
	assert_int_equal(berth_statefile_write_path(in(folder, "no/x", path), "x", 1, 0600),
			 -ENOENT);
	assert_int_equal(entries(folder), 0);
}

static void the_longest_name_works_and_a_longer_one_leaves_nothing(void **state)
{
	struct folder *folder = *state;
	char name[NAME_MAX + 2];

	memset(name, 'n', sizeof(name));
	name[NAME_MAX] = '\0';
	assert_int_equal(berth_statefile_write(folder->fd, name, "x", 1), 0);
	assert_holds(folder, name, "x", 0600);
	name[NAME_MAX] = 'n';
	name[NAME_MAX + 1] = '\0';
	assert_int_equal(berth_statefile_write(folder->fd, name, "x", 1), -ENAMETOOLONG);
	assert_int_equal(entries(folder), 1);
}

static void a_symlink_is_replaced_and_its_target_left_alone(void **state)
{
	struct folder *folder = *state;
	char path[PATH_MAX];

	assert_int_equal(berth_statefile_write(folder->fd, "victim", "precious", 8), 0);
	assert_int_equal(symlinkat("victim", folder->fd, "link"), 0);
	assert_int_equal(symlinkat("nowhere", folder->fd, "dangling"), 0);
	assert_int_equal(symlinkat("victim", folder->fd, "other"), 0);
	assert_int_equal(berth_statefile_write(folder->fd, "link", "new", 3), 0);
	assert_holds(folder, "link", "new", 0600);
	assert_int_equal(berth_statefile_write_path(in(folder, "other", path), "new", 3, 0644), 0);
	assert_holds(folder, "other", "new", 0644);
	assert_int_equal(berth_statefile_write_path(in(folder, "dangling", path), "new", 3, 0640),
			 0);
	assert_holds(folder, "dangling", "new", 0640);
	assert_holds(folder, "victim", "precious", 0600);
	assert_int_equal(entries(folder), 4);
}

static void devices_fifos_and_folders_are_not_replaced(void **state)
{
	struct folder *folder = *state;
	char path[PATH_MAX];
	struct stat st;

	assert_int_equal(mkfifoat(folder->fd, "fifo", 0600), 0);
	assert_int_equal(mkdirat(folder->fd, "folder", 0700), 0);
	assert_int_equal(symlinkat("/dev/null", folder->fd, "null"), 0);
	assert_int_equal(berth_statefile_write_path(in(folder, "fifo", path), "x", 1, 0600),
			 -EINVAL);
	assert_int_equal(berth_statefile_write_path(in(folder, "folder", path), "x", 1, 0600),
			 -EINVAL);
	assert_int_equal(berth_statefile_write_path(in(folder, "null", path), "x", 1, 0600),
			 -EINVAL);
	assert_int_equal(berth_statefile_write_path("/dev/null", "x", 1, 0600), -EINVAL);
	assert_int_equal(fstatat(folder->fd, "null", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(st.st_mode));
	/* The temporary file has gone where rename(2) fails, too. */
	assert_int_equal(berth_statefile_write(folder->fd, "folder", "x", 1), -EISDIR);
	assert_int_equal(entries(folder), 3);
}

static void a_path_without_a_folder_is_beside_us(void **state)
{
	struct folder *folder = *state;
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(fchdir(folder->fd), 0);
	assert_int_equal(berth_statefile_write_path("pid", "812\n", 4, 0644), 0);
	assert_holds(folder, "pid", "812\n", 0644);
	assert_int_equal(fchdir(here), 0);
	close(here);
}

static void a_write_that_fails_midway_keeps_the_old_content(void **state)
{
	struct folder *folder = *state;
	struct rlimit old, tight;
	static char big[8192];

	assert_int_equal(berth_statefile_write(folder->fd, "a", "old", 3), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	assert_int_equal(berth_statefile_write(folder->fd, "a", big, sizeof(big)), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_holds(folder, "a", "old", 0600);
	assert_int_equal(entries(folder), 1);
}

static void only_plain_files_are_read(void **state)
{
	struct folder *folder = *state;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char *data = (char *)1;
	size_t len = 9;
	int fd;

	assert_int_equal(berth_statefile_write(folder->fd, "file", "x", 1), 0);
	assert_int_equal(symlinkat("file", folder->fd, "link"), 0);
	assert_int_equal(mkfifoat(folder->fd, "fifo", 0600), 0);
	assert_int_equal(mkdirat(folder->fd, "folder", 0700), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/sock", folder->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);

	assert_int_equal(berth_statefile_read(folder->fd, "link", 100, &data, &len), -ELOOP);
	assert_int_equal(berth_statefile_read(folder->fd, "fifo", 100, &data, &len), -EINVAL);
	assert_int_equal(berth_statefile_read(folder->fd, "folder", 100, &data, &len), -EINVAL);
	assert_int_equal(berth_statefile_read(folder->fd, "sock", 100, &data, &len), -EINVAL);
	assert_int_equal(berth_statefile_read(AT_FDCWD, "/dev/zero", 100, &data, &len), -EINVAL);
	assert_int_equal(berth_statefile_read(folder->fd, "none", 100, &data, &len), -ENOENT);
	assert_ptr_equal(data, (char *)1);
	assert_int_equal(len, 9);
}

static void a_file_is_read_up_to_its_limit_and_no_further(void **state)
{
	struct folder *folder = *state;
	static char big[20000];
	char *data = NULL;
	size_t len = 0;

	memset(big, 'b', sizeof(big));
	big[7] = '\0';
	assert_int_equal(berth_statefile_write(folder->fd, "big", big, sizeof(big)), 0);
	assert_int_equal(berth_statefile_read(folder->fd, "big", sizeof(big) - 1, &data, &len),
			 -EFBIG);
	assert_null(data);
	assert_int_equal(berth_statefile_read(folder->fd, "big", sizeof(big), &data, &len), 0);
	assert_int_equal(len, sizeof(big));
	assert_memory_equal(data, big, sizeof(big));
	assert_int_equal(data[len], '\0');
	free(data);
	assert_int_equal(berth_statefile_read(folder->fd, "big", SIZE_MAX, &data, &len), -EFBIG);
}

static void files_that_do_not_tell_their_size_are_read_too(void **state)
{
	char *data = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(berth_statefile_read(AT_FDCWD, "/proc/cpuinfo", 1 << 20, &data, &len), 0);
	assert_true(len > 0);
	assert_int_equal(strlen(data), len);
	free(data);
	data = NULL;
	assert_int_equal(berth_statefile_read(AT_FDCWD, "/proc/cpuinfo", 16, &data, &len), -EFBIG);
	assert_null(data);
}

static void folders_are_made_closed_to_others(void **state)
{
	struct folder *folder = *state;
	char path[PATH_MAX];
	struct stat st;
	int fd, again;

	fd = berth_statefile_open_dir(in(folder, "a/b/c///", path));
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	for (size_t i = 0; i < 3; i++) {
		static const char *const made[] = { "a", "a/b", "a/b/c" };

		assert_int_equal(fstatat(folder->fd, made[i], &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(st.st_mode, S_IFDIR | 0700);
	}
	assert_int_equal(berth_statefile_write(fd, "x", "y", 1), 0);
	again = berth_statefile_open_dir(in(folder, "a/b/c", path));
	assert_true(again >= 0);
	assert_int_equal(faccessat(again, "x", R_OK, 0), 0);
	close(fd);
	close(again);
}

static void folders_that_others_could_have_made_are_refused(void **state)
{
	struct folder *folder = *state;
	char path[PATH_MAX], target[PATH_MAX];

	assert_int_equal(mkdir(in(folder, "real", target), 0700), 0);
	assert_int_equal(symlink(target, in(folder, "link", path)), 0);
	assert_int_equal(berth_statefile_open_dir(path), -ENOTDIR);
	assert_int_equal(berth_statefile_open_dir(in(folder, "link/", path)), -ENOTDIR);
	assert_int_equal(symlinkat("nowhere", folder->fd, "dangling"), 0);
	assert_true(berth_statefile_open_dir(in(folder, "dangling", path)) < 0);
	assert_int_equal(faccessat(folder->fd, "nowhere", F_OK, 0), -1);
	assert_int_equal(berth_statefile_write(folder->fd, "file", "", 0), 0);
	assert_int_equal(berth_statefile_open_dir(in(folder, "file", path)), -ENOTDIR);
	assert_int_equal(berth_statefile_open_dir(in(folder, "file/below", path)), -ENOTDIR);
	assert_int_equal(chmod(target, 0770), 0);
	assert_int_equal(berth_statefile_open_dir(target), -EPERM);
	assert_int_equal(chmod(target, 01777), 0);
	assert_int_equal(berth_statefile_open_dir(target), -EPERM);
	assert_int_equal(chmod(target, 0755), 0);
	close(berth_statefile_open_dir(target));
	assert_int_equal(berth_statefile_open_dir(""), -ENOENT);
	memset(path, 'p', sizeof(path));
	path[PATH_MAX - 1] = '\0';
	path[0] = '/';
	assert_true(berth_statefile_open_dir(path) == -ENAMETOOLONG);
}

static void a_folder_of_somebody_else_is_refused(void **state)
{
	struct folder *folder = *state;
	char path[PATH_MAX];

	if (geteuid() != 0) {
		assert_int_equal(berth_statefile_open_dir("/usr"), -EPERM);
		return;
	}
	assert_int_equal(mkdir(in(folder, "theirs", path), 0700), 0);
	assert_int_equal(chown(path, NOBODY, NOBODY), 0);
	assert_int_equal(berth_statefile_open_dir(path), -EPERM);
}

static void a_folder_that_can_not_be_made_says_why(void **state)
{
	struct folder *folder = *state;
	char path[PATH_MAX];
	int status;
	pid_t child;

	assert_int_equal(chmod(folder->path, 0711), 0);
	assert_int_equal(mkdir(in(folder, "shut", path), 0500), 0);
	assert_int_equal(chmod(path, 0555), 0);
	in(folder, "shut/a/b", path);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (geteuid() == 0 && syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) < 0)
			_exit(1);
		_exit(-berth_statefile_open_dir(path));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), EACCES);
}

static const char *path_of(enum berth_statefile_place place, char buf[PATH_MAX])
{
	assert_int_equal(berth_statefile_path(place, buf, PATH_MAX), 0);
	return buf;
}

static void places_follow_the_environment_where_it_is_absolute(void **state)
{
	struct folder *folder = *state;
	char buf[PATH_MAX], expected[PATH_MAX], long_path[PATH_MAX + 10];

	setenv("XDG_RUNTIME_DIR", folder->path, 1);
	setenv("XDG_STATE_HOME", "/x/state", 1);
	setenv("XDG_CONFIG_HOME", "/x/config", 1);
	assert_string_equal(path_of(BERTH_PLACE_RUNTIME, buf), in(folder, "berth", expected));
	assert_string_equal(path_of(BERTH_PLACE_STATE, buf), "/x/state/berth");
	assert_string_equal(path_of(BERTH_PLACE_CONFIG, buf), "/x/config/berth");
	assert_int_equal(berth_statefile_path(BERTH_PLACE_STATE, buf, 14), -ENAMETOOLONG);
	assert_int_equal(berth_statefile_path(BERTH_PLACE_STATE, buf, 15), 0);

	setenv("HOME", "/home/ann", 1);
	setenv("XDG_STATE_HOME", "", 1);
	setenv("XDG_CONFIG_HOME", "relative", 1);
	assert_string_equal(path_of(BERTH_PLACE_STATE, buf), "/home/ann/.local/state/berth");
	assert_string_equal(path_of(BERTH_PLACE_CONFIG, buf), "/home/ann/.config/berth");

	memset(long_path, '/', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	setenv("XDG_STATE_HOME", long_path, 1);
	strcpy(buf, "kept");
	assert_int_equal(berth_statefile_path(BERTH_PLACE_STATE, buf, PATH_MAX), -ENAMETOOLONG);
	assert_string_equal(buf, "kept");
}

static void without_a_home_the_password_database_knows(void **state)
{
	struct passwd *pw = getpwuid(geteuid());
	char buf[PATH_MAX], expected[PATH_MAX];

	(void)state;
	if (!pw || pw->pw_dir[0] != '/') {
		print_message("we are not in the password database\n");
		skip();
	}
	snprintf(expected, sizeof(expected), "%s/.config/berth", pw->pw_dir);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("HOME");
	assert_string_equal(path_of(BERTH_PLACE_CONFIG, buf), expected);
	setenv("HOME", "not/absolute", 1);
	assert_string_equal(path_of(BERTH_PLACE_CONFIG, buf), expected);
}

static void without_a_runtime_folder_there_is_always_one_place(void **state)
{
	char buf[PATH_MAX], user[32], expected[64];
	struct stat st;

	(void)state;
	setenv("TMPDIR", "/somewhere", 1);
	snprintf(user, sizeof(user), "/run/user/%u", (unsigned int)geteuid());
	if (geteuid() == 0)
		strcpy(expected, "/run/berth");
	else if (stat(user, &st) == 0 && st.st_uid == geteuid())
		snprintf(expected, sizeof(expected), "%s/berth", user);
	else
		snprintf(expected, sizeof(expected), "/tmp/berth-%u", (unsigned int)geteuid());
	unsetenv("XDG_RUNTIME_DIR");
	assert_string_equal(path_of(BERTH_PLACE_RUNTIME, buf), expected);
	setenv("XDG_RUNTIME_DIR", "run/me", 1);
	assert_string_equal(path_of(BERTH_PLACE_RUNTIME, buf), expected);
}

/* `sudo -E berth ...` used to be able to leave a folder of root's in the user's runtime folder. */
static void the_runtime_folder_of_somebody_else_is_not_ours(void **state)
{
	struct folder *folder = *state;
	char path[PATH_MAX], buf[PATH_MAX], expected[PATH_MAX];

	setenv("XDG_RUNTIME_DIR", in(folder, "gone", path), 1);
	snprintf(expected, sizeof(expected), "%s/gone/berth", folder->path);
	assert_string_equal(path_of(BERTH_PLACE_RUNTIME, buf), expected);
	if (geteuid() != 0) {
		setenv("XDG_RUNTIME_DIR", "/usr", 1);
		assert_string_not_equal(path_of(BERTH_PLACE_RUNTIME, buf), "/usr/berth");
		return;
	}
	assert_int_equal(mkdir(path, 0700), 0);
	assert_string_equal(path_of(BERTH_PLACE_RUNTIME, buf), expected);
	assert_int_equal(chown(path, NOBODY, NOBODY), 0);
	assert_string_equal(path_of(BERTH_PLACE_RUNTIME, buf), "/run/berth");
}

#define with_folder(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_folder(what_is_written_is_read_and_replaced_whole),
		with_folder(who_has_the_old_file_open_keeps_reading_it),
		with_folder(names_that_lead_elsewhere_are_refused),
		with_folder(the_longest_name_works_and_a_longer_one_leaves_nothing),
		with_folder(a_symlink_is_replaced_and_its_target_left_alone),
		with_folder(devices_fifos_and_folders_are_not_replaced),
		with_folder(a_path_without_a_folder_is_beside_us),
		with_folder(a_write_that_fails_midway_keeps_the_old_content),
		with_folder(only_plain_files_are_read),
		with_folder(a_file_is_read_up_to_its_limit_and_no_further),
		cmocka_unit_test(files_that_do_not_tell_their_size_are_read_too),
		with_folder(folders_are_made_closed_to_others),
		with_folder(folders_that_others_could_have_made_are_refused),
		with_folder(a_folder_of_somebody_else_is_refused),
		with_folder(a_folder_that_can_not_be_made_says_why),
		with_folder(places_follow_the_environment_where_it_is_absolute),
		cmocka_unit_test(without_a_home_the_password_database_knows),
		cmocka_unit_test(without_a_runtime_folder_there_is_always_one_place),
		with_folder(the_runtime_folder_of_somebody_else_is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
