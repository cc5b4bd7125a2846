/* SPDX-License-Identifier: MIT */
/* unit/look/test-collect.c - pipes that end, are full, or say nothing */
#include "look/collect.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/time.h"

static int64_t in_ms(int64_t ms)
{
	return berth_time_mono_ns() + ms * 1000000;
}

static void all_up_to_the_end_is_taken(void **state)
{
	struct berth_str text = { 0 };
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(write(ends[1], "a\0b", 3), 3);
	close(ends[1]);
	assert_int_equal(berth_collect(ends[0], 3, in_ms(5000), &text), 0);
	assert_int_equal(text.len, 3);
	assert_memory_equal(text.text, "a\0b", 4);
	assert_int_equal(berth_collect_await(ends[0], 0), 0); /* the end is there, too */
	close(ends[0]);
	berth_str_deinit(&text);
}

static void more_than_allowed_is_refused(void **state)
{
	struct berth_str text = { 0 };
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "abcd", 4), 4);
	assert_int_equal(berth_collect(ends[0], 3, in_ms(5000), &text), -EFBIG);
	close(ends[0]);
	close(ends[1]);
	berth_str_deinit(&text);
}

static void nothing_more_at_the_deadline_is_too_late(void **state)
{
	struct berth_str text = { 0 };
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "a", 1), 1);
	assert_int_equal(berth_collect(ends[0], 3, in_ms(10), &text), -ETIMEDOUT);
	assert_int_equal(berth_collect_await(ends[0], 0), -ETIMEDOUT);
	close(ends[0]);
	close(ends[1]);
	berth_str_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_up_to_the_end_is_taken),
		cmocka_unit_test(more_than_allowed_is_refused),
		cmocka_unit_test(nothing_more_at_the_deadline_is_too_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
