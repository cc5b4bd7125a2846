/* SPDX-License-Identifier: MIT */
/* unit/os/test-userfile.c - what a link leads to is read, and nothing but a regular file */
#include "os/userfile.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../own-folder.h"

static char folder[OWN_FOLDER_SIZE];

static int set_up(void **state)
{
	static const struct own_file files[] = { { "real", "A=1\n" },
						 { "folder/", NULL },
						 { NULL, NULL } };

	(void)state;
	return own_folder_make_with(folder, files) && chdir(folder) == 0 &&
			       symlink("real", "link") == 0 && symlink("folder", "way") == 0 &&
			       symlink("nothing", "dangling") == 0 &&
			       symlink("loop", "loop") == 0 && mkfifo("fifo", 0600) == 0
		       ? 0
		       : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return chdir("/") == 0 && own_folder_remove(folder) ? 0 : -1;
}

static void a_file_is_read_and_what_a_link_leads_to(void **state)
{
	static const char *const names[] = { "real", "link", "way/../link" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = 0;
		char *text = NULL;

		assert_int_equal(berth_userfile_read(names[i], 4, &text, &len), 0);
		assert_int_equal(len, 4);
		assert_string_equal(text, "A=1\n");
		free(text);
	}
}

static void what_is_no_file_says_what_it_is(void **state)
{
	static const struct {
		const char *name;
		int r;
	} rows[] = {
		{ "nothing", -ENOENT }, { "dangling", -ENOENT }, { "loop", -ELOOP },
		{ "folder", -EISDIR },	{ "way", -EISDIR },	 { "fifo", -EINVAL },
		{ "real/x", -ENOTDIR },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = NULL;
		size_t len;

		assert_int_equal(berth_userfile_read(rows[i].name, 4, &text, &len), rows[i].r);
	}
}

static void a_file_beyond_the_bound_is_refused(void **state)
{
	char *text = NULL;
	size_t len;

	(void)state;
	assert_int_equal(berth_userfile_read("link", 3, &text, &len), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read_and_what_a_link_leads_to),
		cmocka_unit_test(what_is_no_file_says_what_it_is),
		cmocka_unit_test(a_file_beyond_the_bound_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
