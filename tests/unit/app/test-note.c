/* SPDX-License-Identifier: MIT */
/* unit/app/test-note.c - notes over a real pair of sockets */
#include "app/note.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static int open_fd_count(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static int set_up(void **state)
{
	int *pair = calloc(2, sizeof(*pair));

	assert_non_null(pair);
	assert_int_equal(berth_uds_pair(SOCK_SEQPACKET, pair), 0);
	*state = pair;
	return 0;
}

static int tear_down(void **state)
{
	int *pair = *state;

	berth_fd_close(&pair[0]);
	berth_fd_close(&pair[1]);
	free(pair);
	return 0;
}

static void a_note_comes_as_it_was_sent(void **state)
{
	const int *pair = *state;
	struct berth_note sent = { .kind = BERTH_NOTE_ENDED, .value = 143, .extra = 15 };
	struct berth_note got = { 0 };
	json_t *document = json_object();
	int fd = 99;

	berth_err_set(&sent.err, 0, BERTH_ERR_NO_PORT, "no port for '%s'", "web");
	berth_err_hint(&sent.err, "try another");
	assert_int_equal(berth_note_send(pair[0], &sent, NULL, -1), 0);
	json_decref(document);
	assert_int_equal(berth_note_recv(pair[1], &got, &document, &fd), 1);
	assert_memory_equal(&got, &sent, sizeof(got));
	assert_null(document);
	assert_int_equal(fd, -1);
}

static void a_document_and_a_descriptor_travel_along(void **state)
{
	const int *pair = *state;
	const struct berth_note note = { .kind = BERTH_NOTE_READY };
	BERTH_AUTO_JSON json_t *sent = json_pack("{s:s,s:i}", "service", "api", "port", 5000),
			       *document = NULL;
	char *long_text = calloc(1, 100 * 1000 + 1);
	struct berth_note got;
	struct stat st, got_st;
	int fd = -1;

	memset(long_text, 'x', 100 * 1000);
	json_object_set_new(sent, "log", json_string(long_text));
	free(long_text);
	assert_int_equal(berth_note_send(pair[0], &note, sent, pair[0]), 0);
	assert_int_equal(berth_note_recv(pair[1], &got, &document, &fd), 1);
	assert_true(json_equal(sent, document));
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &got_st) | fstat(pair[0], &st), 0);
	assert_int_equal(got_st.st_ino, st.st_ino);
	close(fd);
	/* Who does not ask for them gets neither, and loses nothing. */
	fd = open_fd_count();
	assert_int_equal(berth_note_send(pair[0], &note, sent, pair[0]), 0);
	assert_int_equal(berth_note_recv(pair[1], &got, NULL, NULL), 1);
	assert_int_equal(open_fd_count(), fd);
}

static void the_other_sides_end_is_told(void **state)
{
	int *pair = *state;
	struct berth_note note = { .value = 77 };

	berth_fd_close(&pair[0]);
	assert_int_equal(berth_note_recv(pair[1], &note, NULL, NULL), 0);
	assert_int_equal(note.value, 77);
	assert_int_equal(berth_note_send(pair[1], &note, NULL, -1), -EPIPE);
}

static void half_a_note_is_none(void **state)
{
	const int *pair = *state;
	struct berth_note note = { .value = 77 };
	json_t *document = NULL;
	int fd = -1, before = open_fd_count();

	assert_int_equal(berth_uds_send(pair[0], &note, sizeof(note) - 1, pair[0]), 0);
	assert_int_equal(berth_note_recv(pair[1], &note, &document, &fd), -EPROTO);
	assert_null(document);
	assert_int_equal(open_fd_count(), before);
	assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(berth_note_recv(pair[1], &note, &document, &fd), -EAGAIN);
}

static void a_note_with_a_broken_document_comes_without_it(void **state)
{
	const int *pair = *state;
	struct berth_note note = { .kind = BERTH_NOTE_READY };
	char message[sizeof(note) + 1];
	json_t *document = NULL;

	memcpy(message, &note, sizeof(note));
	message[sizeof(note)] = '{';
	assert_int_equal(berth_uds_send(pair[0], message, sizeof(message), -1), 0);
	assert_int_equal(berth_note_recv(pair[1], &note, &document, NULL), 1);
	assert_null(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_note_comes_as_it_was_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_document_and_a_descriptor_travel_along, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_other_sides_end_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(half_a_note_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_note_with_a_broken_document_comes_without_it,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
