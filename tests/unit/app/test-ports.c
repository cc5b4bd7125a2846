/* SPDX-License-Identifier: MIT */
/* unit/app/test-ports.c - the rows of a service's ports, with leases of the real kernel */
#include "app/ports.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../own-netns.h"

struct fixture {
	struct berth_job job;
	struct berth_ports ports;
	struct berth_remembered memory;
	struct berth_err err;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	strcpy(fixture->job.identity.service, "api");
	berth_ports_init(&fixture->ports, &fixture->job);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	berth_ports_deinit(&fixture->ports);
	berth_ports_deinit(&fixture->ports);
	free(fixture);
	return 0;
}

static void wish(struct fixture *fixture, const char *port)
{
	assert_int_equal(
		berth_wish_add_port(&fixture->job.wish, port, &fixture->job.no_port, &fixture->err),
		0);
	fixture->job.tell_port = true;
}

static int lease(struct fixture *fixture)
{
	return berth_ports_lease(&fixture->ports, &fixture->memory, -1, &fixture->err);
}

/* Somebody else's listening socket. */
static int take(uint16_t port)
{
	struct berth_addr addr = berth_addr_any(AF_INET, port);
	int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(berth_sock_bind(fd, &addr), 0);
	assert_int_equal(berth_sock_listen(fd, 1), 0);
	return fd;
}

static bool is_free(const struct fixture *fixture, uint16_t port)
{
	return berth_lease_is_bindable(port, SOCK_STREAM, fixture->ports.means);
}

static void a_wish_is_one_row_that_holds_its_port(void **state)
{
	struct fixture *fixture = *state;
	struct berth_ports *ports = &fixture->ports;
	char url[64];

	wish(fixture, "5000");
	assert_int_equal(lease(fixture), 0);
	assert_int_equal(ports->count, 1);
	assert_string_equal(ports->port[0]->name, "main");
	assert_int_equal(ports->steer[0].kind, BERTH_STEER_DECLARED);
	assert_true(ports->steer[0].wished);
	assert_false(ports->steer[0].remembered);
	assert_int_equal(ports->steer[0].given, 5000);
	assert_int_equal(berth_ports_asked(ports, 0), 5000);
	assert_int_equal(ports->port[0]->reason, BERTH_PORT_WISHED);
	assert_int_equal(ports->port[0]->refused.port, 0);
	assert_string_equal(berth_ports_url(ports, 0, url, sizeof(url)), "http://localhost:5000");
	assert_false(is_free(fixture, 5000));
	berth_ports_deinit(ports);
	assert_true(is_free(fixture, 5000));
}

static void a_taken_wish_moves_and_says_what_it_did_not_get(void **state)
{
	struct fixture *fixture = *state;
	struct berth_ports *ports = &fixture->ports;
	BERTH_AUTO_FD int thief = take(5000);

	wish(fixture, "5000");
	assert_int_equal(lease(fixture), 0);
	assert_int_equal(ports->steer[0].given, 5001);
	assert_int_equal(berth_ports_asked(ports, 0), 5000);
	assert_int_equal(ports->port[0]->reason, BERTH_PORT_TAKEN);
	assert_int_equal(ports->port[0]->refused.port, 5000);
	assert_true(thief >= 0);
}

static void without_a_wish_there_is_a_row_that_waits(void **state)
{
	struct fixture *fixture = *state;
	struct berth_ports *ports = &fixture->ports;
	char url[64];

	assert_int_equal(lease(fixture), 0);
	assert_int_equal(ports->count, 1);
	assert_int_equal(ports->steer[0].given, 0);
	assert_false(ports->steer[0].wished);
	assert_int_equal(berth_ports_asked(ports, 0), 0);
	assert_string_equal(berth_ports_url(ports, 0, url, sizeof(url)), "");
	/* It is filled by the first bind(). */
	assert_int_equal(berth_ports_lease_one(ports, 0, 6000, false, &fixture->err), 0);
	assert_int_equal(ports->steer[0].given, 6000);
	assert_int_equal(ports->port[0]->reason, BERTH_PORT_WISHED);
	assert_false(is_free(fixture, 6000));
}

static void no_port_is_no_row(void **state)
{
	struct fixture *fixture = *state;

	wish(fixture, "none");
	assert_int_equal(lease(fixture), 0);
	assert_int_equal(fixture->ports.count, 0);
	assert_false(berth_ports_is_ready(&fixture->ports, 0));
}

static void what_was_bound_last_time_is_leased_before_the_start(void **state)
{
	struct fixture *fixture = *state;
	struct berth_ports *ports = &fixture->ports;
	struct berth_remembered memory;

	fixture->memory.ports[0] = (struct berth_remembered_port){ "main", 3000, 3004 };
	fixture->memory.count = 1;
	assert_int_equal(lease(fixture), 0);
	assert_false(ports->steer[0].wished);
	assert_true(ports->steer[0].remembered);
	assert_int_equal(berth_ports_asked(ports, 0), 3000);
	assert_true(ports->steer[0].given == 3000 || ports->steer[0].given == 3004);
	berth_ports_remember(ports, &memory);
	assert_int_equal(memory.count, 1);
	assert_string_equal(memory.ports[0].name, "main");
	assert_int_equal(memory.ports[0].asked, 3000);
	assert_int_equal(memory.ports[0].given, ports->steer[0].given);
}

static void a_map_is_that_number_or_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct berth_ports *ports = &fixture->ports;
	struct berth_remembered memory;
	int thief;

	wish(fixture, "5000");
	fixture->job.maps[0] = (struct berth_job_map){ 7000, 7100 };
	fixture->job.map_count = 1;
	assert_int_equal(lease(fixture), 0);
	assert_int_equal(ports->count, 2);
	assert_true(ports->steer[1].mapped);
	assert_int_equal(ports->steer[1].given, 7100);
	assert_int_equal(berth_ports_asked(ports, 1), 7000);
	/* A map is told anew each time. */
	berth_ports_remember(ports, &memory);
	assert_int_equal(memory.count, 1);
	berth_ports_deinit(ports);

	thief = take(7100);
	assert_int_equal(lease(fixture), BERTH_CHOOSE_E_NO_PORT);
	assert_int_equal(fixture->err.code, BERTH_ERR_NO_PORT);
	close(thief);
}

static void in_a_bind_the_number_or_the_next_is_taken(void **state)
{
	struct fixture *fixture = *state;
	struct berth_ports *ports = &fixture->ports;
	int extra = berth_ports_add(ports, BERTH_STEER_EXTRA, "extra-6000", 6000);
	int tool = berth_ports_add(ports, BERTH_STEER_TOOL, "tool-9229", 9229);
	BERTH_AUTO_FD int thief = take(6000);
	BERTH_AUTO_FD int debugger = take(9229);

	assert_int_equal(berth_ports_lease_one(ports, (size_t)extra, 6000, false, &fixture->err),
			 0);
	assert_int_equal(ports->steer[extra].given, 6001);
	assert_int_equal(ports->port[extra]->reason, BERTH_PORT_EXTRA);
	assert_int_equal(ports->port[extra]->refused.port, 6000);
	assert_int_equal(berth_ports_lease_one(ports, (size_t)tool, 9229, true, &fixture->err), 0);
	assert_int_equal(ports->steer[tool].given, 9230);
	assert_int_equal(ports->port[tool]->reason, BERTH_PORT_TOOL);
	assert_true(thief >= 0 && debugger >= 0);
}

/* Their sockets are watched by the addresses of the rows. */
static void declared_rows_never_move(void **state)
{
	struct fixture *fixture = *state;
	struct berth_ports *ports = &fixture->ports;
	struct berth_wish more = { .port_count = 1 };
	int extra;

	wish(fixture, "5000");
	assert_int_equal(lease(fixture), 0);
	extra = berth_ports_add(ports, BERTH_STEER_EXTRA, "extra-6000", 6000);
	assert_int_equal(extra, 1);
	assert_int_equal(berth_ports_lease_one(ports, 1, 6000, false, &fixture->err), 0);
	strcpy(more.ports[0].name, "main");
	more.ports[0].list[0] = 7000;
	more.ports[0].list_len = 1;
	assert_int_equal(berth_ports_lease_more(ports, &more, "web", &fixture->err), 0);

	assert_int_equal(ports->count, 3);
	assert_string_equal(ports->port[1]->name, "web");
	assert_int_equal(ports->steer[1].given, 7000);
	assert_string_equal(ports->port[2]->name, "extra-6000");
	assert_int_equal(ports->steer[2].given, 6000);
	assert_int_equal(berth_ports_add(ports, BERTH_STEER_TOOL, "tool-9229", 9229), 3);
	berth_ports_drop(ports, 2);
	assert_int_equal(ports->count, 3);
	assert_string_equal(ports->port[1]->name, "web");
	assert_string_equal(ports->port[2]->name, "tool-9229");
	assert_false(is_free(fixture, 7000));
	assert_true(is_free(fixture, 6000));
}

static void a_wish_that_is_known_already_adds_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct berth_wish more = { .port_count = 1 };

	wish(fixture, "5000");
	assert_int_equal(lease(fixture), 0);
	strcpy(more.ports[0].name, "main");
	more.ports[0].list[0] = 5000;
	more.ports[0].list_len = 1;
	assert_int_equal(berth_ports_lease_more(&fixture->ports, &more, "web", &fixture->err), 0);
	assert_int_equal(fixture->ports.count, 1);
}

static void a_wish_that_finds_no_row_is_refused_and_holds_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct berth_ports *ports = &fixture->ports;

	for (int i = 0; i < BERTH_PORTS_MAX; i++)
		assert_int_equal(berth_ports_add(ports, BERTH_STEER_EXTRA, "extra", 1), i);
	assert_int_equal(lease(fixture), -ENOSPC);
	assert_int_equal(fixture->err.code, BERTH_ERR_REFUSED);
	wish(fixture, "5000");
	assert_int_equal(lease(fixture), -ENOSPC);
	assert_int_equal(ports->count, BERTH_PORTS_MAX);
	assert_true(is_free(fixture, 5000));
}

static void there_are_so_many_rows_and_no_more(void **state)
{
	struct fixture *fixture = *state;
	struct berth_ports *ports = &fixture->ports;

	for (int i = 0; i < BERTH_PORTS_MAX; i++)
		assert_int_equal(berth_ports_add(ports, BERTH_STEER_EXTRA, "extra", 1), i);
	assert_int_equal(berth_ports_add(ports, BERTH_STEER_EXTRA, "extra", 1), -1);
	assert_int_equal(berth_ports_add(ports, BERTH_STEER_DECLARED, "main", 1), -1);
	assert_int_equal(ports->count, BERTH_PORTS_MAX);
}

static void ready_is_when_all_declared_ports_listen(void **state)
{
	struct fixture *fixture = *state;
	struct berth_ports *ports = &fixture->ports;
	struct berth_port_user *http, *found = NULL;

	wish(fixture, "http=5000");
	wish(fixture, "ws=5100");
	wish(fixture, "dns=5353/udp");
	assert_int_equal(lease(fixture), 0);
	assert_int_equal(berth_ports_add(ports, BERTH_STEER_EXTRA, "extra-6000", 6000), 3);
	assert_false(berth_ports_is_ready(ports, 0));
	http = berth_ports_add_user(ports, 0, 100, 7);
	http->listening = true;
	assert_true(berth_ports_is_listening(ports, 0, 0));
	assert_true(berth_ports_is_listening(ports, 0, 7));
	assert_false(berth_ports_is_listening(ports, 0, 8));
	assert_false(berth_ports_is_ready(ports, 0));
	assert_int_equal(berth_ports_find_inode(ports, 100, 0, &found), 0);
	assert_ptr_equal(found, http);
	assert_int_equal(berth_ports_find_inode(ports, 100, 7, NULL), 0);
	assert_int_equal(berth_ports_find_inode(ports, 100, 8, NULL), -1);
	assert_int_equal(berth_ports_find_inode(ports, 101, 0, &found), -1);
	assert_int_equal(berth_ports_find_inode(ports, 0, 0, NULL), -1);
	/* neither UDP nor an extra port is waited for */
	ports->port[1]->passed = true;
	assert_true(berth_ports_is_ready(ports, 0));
	assert_true(berth_ports_is_ready(ports, 7));
	assert_false(berth_ports_is_ready(ports, 8));
	http->inode = 0;
	assert_false(berth_ports_is_ready(ports, 0));
}

static void a_port_has_users_by_socket_and_worker(void **state)
{
	struct fixture *fixture = *state;
	struct berth_ports *ports = &fixture->ports;

	assert_int_equal(lease(fixture), 0);
	assert_false(berth_ports_has_users(ports, 0));
	for (uint64_t inode = 1; inode <= 40; inode++)
		for (unsigned int worker = 1; worker <= 3; worker++)
			assert_non_null(berth_ports_add_user(ports, 0, inode, worker));
	assert_true(berth_ports_has_users(ports, 0));
	/* the same once more */
	assert_ptr_equal(berth_ports_add_user(ports, 0, 3, 2), &ports->port[0]->users[7]);
	/* a place that is free is taken */
	ports->port[0]->users[5].inode = 0;
	assert_ptr_equal(berth_ports_add_user(ports, 0, 99, 1), &ports->port[0]->users[5]);
}

static void a_port_has_so_many_users_and_no_more(void **state)
{
	struct fixture *fixture = *state;
	struct berth_ports *ports = &fixture->ports;
	uint64_t inode = 1;

	assert_int_equal(lease(fixture), 0);
	while (inode < 100000 && berth_ports_add_user(ports, 0, inode, 1))
		inode++;
	assert_int_equal(inode, 4096 + 1);
}

static void numbers_that_people_know_have_their_scheme(void **state)
{
	static const struct {
		uint16_t asked;
		bool udp;
		const char *url;
	} rows[] = {
		{ 3000, false, "http://localhost:9999" },
		{ 443, false, "https://localhost:9999" },
		{ 5432, false, "postgresql://localhost:9999" },
		{ 6379, false, "redis://localhost:9999" },
		{ 3000, true, "" },
	};
	struct fixture *fixture = *state;
	struct berth_ports *ports = &fixture->ports;
	char url[64];

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		int index = berth_ports_add(ports, BERTH_STEER_DECLARED, "x", rows[i].asked);

		ports->steer[index].given = 9999;
		ports->steer[index].udp = rows[i].udp;
		assert_string_equal(berth_ports_url(ports, (size_t)index, url, sizeof(url)),
				    rows[i].url);
	}
}

#define HAS_PORTS(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HAS_PORTS(a_wish_is_one_row_that_holds_its_port),
		HAS_PORTS(a_taken_wish_moves_and_says_what_it_did_not_get),
		HAS_PORTS(without_a_wish_there_is_a_row_that_waits),
		HAS_PORTS(no_port_is_no_row),
		HAS_PORTS(what_was_bound_last_time_is_leased_before_the_start),
		HAS_PORTS(a_map_is_that_number_or_nothing),
		HAS_PORTS(in_a_bind_the_number_or_the_next_is_taken),
		HAS_PORTS(declared_rows_never_move),
		HAS_PORTS(a_wish_that_is_known_already_adds_nothing),
		HAS_PORTS(there_are_so_many_rows_and_no_more),
		HAS_PORTS(a_wish_that_finds_no_row_is_refused_and_holds_nothing),
		HAS_PORTS(ready_is_when_all_declared_ports_listen),
		HAS_PORTS(a_port_has_users_by_socket_and_worker),
		HAS_PORTS(a_port_has_so_many_users_and_no_more),
		HAS_PORTS(numbers_that_people_know_have_their_scheme),
	};
	return own_netns_run_group_tests(tests);
}
