/* SPDX-License-Identifier: MIT */
/* unit/port/test-choose.c - wishes against a kernel where some numbers are taken */
/*
 * In a network namespace of its own: numbers are fixed, and the holders that messages name are this
 * very process.
 */
#include "port/choose.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "../own-netns.h"

enum {
	TAKEN_MAX = 2048
};

static const struct berth_lease_means means = { .ipv6 = true };

/* Everything of one test, so that it is gone with it. */
struct fixture {
	int taken[TAKEN_MAX];
	size_t taken_count;
	struct berth_wish wish;
	struct berth_reserved reserved;
	struct berth_portset foreign;
	struct berth_choose_spec spec;
	struct berth_choice choice;
	struct berth_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f || !own_netns_enter() || berth_reserved_load(&f->reserved, NULL) < 0)
		return -1;
	f->spec = (struct berth_choose_spec){
		.wish = &f->wish,
		.reserved = &f->reserved,
		.means = means,
		.service = "web",
	};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < f->taken_count; i++)
		close(f->taken[i]);
	free(f);
	return 0;
}

static void take_as(struct fixture *f, int family, int type, uint16_t port)
{
	struct berth_addr addr = berth_addr_any(family, port);
	int fd = berth_sock_new(family, type, 0);

	assert_true(fd >= 0);
	if (family == AF_INET6)
		assert_int_equal(berth_sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
	assert_int_equal(berth_sock_bind(fd, &addr), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(berth_sock_listen(fd, 8), 0);
	assert_true(f->taken_count < TAKEN_MAX);
	f->taken[f->taken_count++] = fd;
}

static void take(struct fixture *f, uint16_t lo, uint16_t hi)
{
	for (unsigned int port = lo; port <= hi; port++)
		take_as(f, AF_INET, SOCK_STREAM, (uint16_t)port);
}

static void wish(struct fixture *f, const char *text)
{
	bool none = false;

	assert_int_equal(berth_wish_add_port(&f->wish, text, &none, NULL), 0);
}

static void range(struct fixture *f, uint16_t lo, uint16_t hi)
{
	f->wish.range = (struct berth_range){ lo, hi };
}

static int choose(struct fixture *f)
{
	assert_int_equal(berth_wish_check(&f->wish, NULL), 0);
	return berth_choose(&f->spec, &f->choice, &f->err);
}

static void assert_chosen(struct fixture *f, uint16_t port, enum berth_port_reason reason)
{
	int r = choose(f);

	if (r != 0)
		fail_msg("%d: %s", r, f->err.msg);
	assert_int_equal(f->choice.ports.port[0], port);
	assert_int_equal(f->choice.leases[0].port, port);
	assert_string_equal(berth_port_reason_name(f->choice.reason),
			    berth_port_reason_name(reason));
}

/* @message with "ME" for this process, as the kernel names it. */
static void assert_refused(struct fixture *f, const char *message, const char *hint)
{
	char expected[1024] = "", me[64];

	assert_int_equal(choose(f), BERTH_CHOOSE_E_NO_PORT);
	snprintf(me, sizeof(me), "%.15s %d", program_invocation_short_name, (int)getpid());
	for (const char *p = message; *p; p++) {
		size_t len = strlen(expected);

		if (!strncmp(p, "ME", 2))
			snprintf(expected + len, sizeof(expected) - len, "%s", me);
		else
			snprintf(expected + len, sizeof(expected) - len, "%c", *p);
		p += !strncmp(p, "ME", 2);
	}
	assert_string_equal(f->err.msg, expected);
	assert_string_equal(f->err.hint, hint);
	assert_int_equal(f->err.code, BERTH_ERR_NO_PORT);
	for (size_t i = 0; i < BERTH_WISH_PORTS_MAX; i++)
		assert_int_equal(f->choice.leases[i].port, 0);
}

static size_t open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

#define END_ONE \
	"end one of them (berth stop), give another --range, or --any for a number from the " \
	"kernel"

static void a_free_wish_is_granted_and_held(void **state)
{
	struct fixture *f = *state;

	wish(f, "5000");
	assert_chosen(f, 5000, BERTH_PORT_WISHED);
	assert_int_equal(f->choice.count, 1);
	assert_int_equal(f->choice.reasons[0], BERTH_PORT_WISHED);
	assert_int_equal(f->choice.tried, 0);
	assert_int_equal(f->choice.refused_count, 0);
	assert_false(berth_lease_is_bindable(5000, SOCK_STREAM, means));
	berth_choice_release(&f->choice);
	assert_true(berth_lease_is_bindable(5000, SOCK_STREAM, means));
	berth_choice_release(&f->choice);
}

static void a_taken_wish_moves_to_the_next_free_number(void **state)
{
	struct fixture *f = *state;

	take(f, 5000, 5001);
	take_as(f, AF_INET6, SOCK_STREAM, 5002);
	wish(f, "5000");
	assert_chosen(f, 5003, BERTH_PORT_TAKEN);
	assert_int_equal(f->choice.reasons[0], BERTH_PORT_TAKEN);
	assert_int_equal(f->choice.tried, 3);
	assert_int_equal(f->choice.refused_count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(f->choice.refused[i].port, 5000 + i);
		assert_int_equal(f->choice.refused[i].why, BERTH_CHOOSE_TAKEN);
	}
	berth_choice_release(&f->choice);
}

static void of_many_refused_the_first_are_told(void **state)
{
	struct fixture *f = *state;

	take(f, 5000, 5019);
	wish(f, "5000");
	assert_chosen(f, 5020, BERTH_PORT_TAKEN);
	assert_int_equal(f->choice.tried, 20);
	assert_int_equal(f->choice.refused_count, BERTH_CHOOSE_REFUSED_MAX);
	assert_int_equal(f->choice.refused[7].port, 5007);
	berth_choice_release(&f->choice);
}

static void a_list_goes_in_its_order(void **state)
{
	struct fixture *f = *state;

	take(f, 5000, 5001);
	wish(f, "5000,5001,3000,8000");
	assert_chosen(f, 3000, BERTH_PORT_TAKEN);
	berth_choice_release(&f->choice);
}

static void a_remembered_number_comes_back(void **state)
{
	struct fixture *f = *state;
	const struct berth_candidate remembered = { { 5007 } };

	f->spec.remembered = &remembered;
	f->spec.remembered_count = 1;
	take(f, 5000, 5000);
	wish(f, "5000");
	assert_chosen(f, 5007, BERTH_PORT_REMEMBERED);
	berth_choice_release(&f->choice);
}

static void three_viewers_move_as_groups(void **state)
{
	struct fixture *f = *state;
	struct berth_choice others[2];

	wish(f, "http=8100");
	wish(f, "ws=8101");
	for (size_t i = 0; i < 2; i++) {
		assert_chosen(f, (uint16_t)(8100 + 10 * i),
			      i ? BERTH_PORT_TAKEN : BERTH_PORT_WISHED);
		others[i] = f->choice;
	}
	assert_chosen(f, 8120, BERTH_PORT_TAKEN);
	assert_int_equal(f->choice.count, 2);
	assert_int_equal(f->choice.ports.port[1], 8121);
	assert_int_equal(f->choice.leases[1].port, 8121);
	berth_choice_release(&f->choice);
	berth_choice_release(&others[0]);
	berth_choice_release(&others[1]);
}

static void of_a_group_that_fails_nothing_is_kept(void **state)
{
	struct fixture *f = *state;

	take(f, 8101, 8101);
	wish(f, "http=8100");
	wish(f, "ws=8101");
	assert_chosen(f, 8110, BERTH_PORT_TAKEN);
	assert_int_equal(f->choice.reasons[0], BERTH_PORT_GROUP);
	assert_int_equal(f->choice.reasons[1], BERTH_PORT_TAKEN);
	assert_int_equal(f->choice.tried, 1);
	assert_int_equal(f->choice.refused[0].port, 8101);
	assert_true(berth_lease_is_bindable(8100, SOCK_STREAM, means));
	berth_choice_release(&f->choice);
}

static void one_number_serves_tcp_and_udp(void **state)
{
	struct fixture *f = *state;

	take_as(f, AF_INET, SOCK_DGRAM, 8443);
	wish(f, "https=8443");
	wish(f, "quic=8443/udp");
	assert_chosen(f, 8453, BERTH_PORT_TAKEN);
	assert_int_equal(f->choice.ports.port[1], 8453);
	assert_int_equal(f->choice.leases[1].type, SOCK_DGRAM);
	assert_true(f->choice.refused[0].udp);
	assert_false(berth_lease_is_bindable(8453, SOCK_DGRAM, means));
	berth_choice_release(&f->choice);
}

static void another_folders_number_is_left_to_it_while_there_is_any_other(void **state)
{
	struct fixture *f = *state;

	f->spec.foreign = &f->foreign;
	berth_portset_add(&f->foreign, (struct berth_range){ 5000, 5001 });
	wish(f, "5000");
	range(f, 5000, 5002);
	assert_chosen(f, 5002, BERTH_PORT_TAKEN);
	assert_int_equal(f->choice.reasons[0], BERTH_PORT_TAKEN);
	assert_int_equal(f->choice.tried, 1);
	assert_int_equal(f->choice.refused[0].port, 5000);
	assert_int_equal(f->choice.refused[0].why, BERTH_CHOOSE_FOREIGN);
	berth_choice_release(&f->choice);

	take(f, 5002, 5002);
	assert_chosen(f, 5000, BERTH_PORT_WISHED);
	assert_int_equal(f->choice.tried, 1);
	assert_int_equal(f->choice.refused[0].port, 5002);
	berth_choice_release(&f->choice);

	take(f, 5000, 5001);
	assert_refused(
		f, "no port for 'web' in 5000-5002: all 3 are taken (5002 ME, 5000 ME, 5001 ME)",
		END_ONE);
}

static void what_two_rounds_refuse_counts_once(void **state)
{
	struct fixture *f = *state;

	f->spec.foreign = &f->foreign;
	berth_portset_add(&f->foreign, (struct berth_range){ 5063, 5063 });
	take(f, 5059, 5059);
	take(f, 5062, 5063);
	range(f, 5059, 5063);
	assert_int_equal(choose(f), BERTH_CHOOSE_E_NO_PORT);
	assert_int_equal(f->choice.tried, 5);
	assert_non_null(strstr(f->err.msg, ": 3 are taken, 2 are reserved ("));
}

static void a_foreign_wish_is_told_even_among_many_refused(void **state)
{
	struct fixture *f = *state;

	f->spec.foreign = &f->foreign;
	berth_portset_add(&f->foreign, (struct berth_range){ 5000, 5000 });
	take(f, 5001, 5012);
	wish(f, "5000");
	assert_chosen(f, 5013, BERTH_PORT_TAKEN);
	assert_int_equal(f->choice.tried, 13);
	assert_int_equal(f->choice.refused_count, BERTH_CHOOSE_REFUSED_MAX);
	assert_int_equal(f->choice.refused[0].port, 5000);
	assert_int_equal(f->choice.refused[1].port, 5001);
	berth_choice_release(&f->choice);
}

static void a_reserved_wish_is_passed_over(void **state)
{
	struct fixture *f = *state;

	wish(f, "6000");
	assert_chosen(f, 6001, BERTH_PORT_RESERVED);
	assert_int_equal(f->choice.reasons[0], BERTH_PORT_RESERVED);
	assert_int_equal(f->choice.refused[0].port, 6000);
	assert_int_equal(f->choice.refused[0].why, BERTH_CHOOSE_RESERVED);
	assert_int_equal(f->choice.refused[0].reserved, BERTH_RESERVED_BROWSER);
	berth_choice_release(&f->choice);
}

static void no_browser_comes_to_a_udp_port(void **state)
{
	struct fixture *f = *state;

	wish(f, "sip=5060/udp");
	assert_chosen(f, 5060, BERTH_PORT_WISHED);
	berth_choice_release(&f->choice);
}

static void a_named_number_may_be_privileged_if_we_are(void **state)
{
	struct fixture *f = *state;

	f->reserved.may_privileged = true;
	take(f, 81, 81);
	wish(f, "81,82");
	assert_chosen(f, 82, BERTH_PORT_TAKEN);
	berth_choice_release(&f->choice);

	f->reserved.may_privileged = false;
	assert_chosen(f, 8081, BERTH_PORT_RESERVED);
	berth_choice_release(&f->choice);
}

static void a_strict_wish_is_that_number_or_an_error(void **state)
{
	struct fixture *f = *state;

	f->wish.strict = true;
	wish(f, "5000");
	assert_chosen(f, 5000, BERTH_PORT_WISHED);
	berth_choice_release(&f->choice);
	take(f, 5000, 5000);
	assert_refused(f, "port 5000 is taken (ME)",
		       "end what holds it, or leave out --strict for the next free number");
}

static void what_a_server_without_so_reuseaddr_left_is_named(void **state)
{
	struct berth_addr addr = berth_addr_loopback(AF_INET, 5000);
	struct fixture *f = *state;
	int client, server;
	char byte;

	f->wish.strict = true;
	wish(f, "5000");
	take(f, 5000, 5000);
	client = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client, &addr.sa, addr.len), 0);
	server = accept4(f->taken[0], NULL, NULL, SOCK_CLOEXEC);
	assert_true(server >= 0);
	close(server);
	assert_int_equal(read(client, &byte, 1), 0);
	close(client);
	close(f->taken[--f->taken_count]);
	assert_int_equal(choose(f), BERTH_CHOOSE_E_NO_PORT);
	assert_non_null(
		strstr(f->err.msg, "port 5000 is taken (a closed connection to 127.0.0.1:"));
	assert_non_null(strstr(f->err.msg, "in TIME_WAIT)"));
}

static void a_strict_reserved_wish_is_an_error(void **state)
{
	struct fixture *f = *state;

	f->wish.strict = true;
	wish(f, "6000");
	assert_refused(f, "port 6000 is reserved: browsers refuse to connect to it",
		       "wish another number, or leave out --strict for the next free one");
}

static void a_full_range_names_its_first_holders(void **state)
{
	struct fixture *f = *state;

	take(f, 5002, 5012);
	wish(f, "5002");
	range(f, 5002, 5012);
	assert_refused(
		f,
		"no port for 'web' in 5002-5012: all 11 are taken (5002 ME, 5003 ME, 5004 ME, 5005 ME, ...)",
		END_ONE);
	assert_int_equal(f->choice.tried, 11);
	assert_int_equal(f->choice.refused_count, 8);
}

static void the_kinds_of_refusal_are_told_apart(void **state)
{
	struct fixture *f = *state;

	take(f, 5059, 5059);
	take(f, 5062, 5062);
	range(f, 5059, 5062);
	assert_refused(
		f,
		"no port for 'web' in 5059-5062: 2 are taken, 2 are reserved (5059 ME, 5060: browsers refuse "
		"to connect to it, 5061: browsers refuse to connect to it, 5062 ME)",
		END_ONE);
	range(f, 5060, 5061);
	assert_refused(
		f,
		"no port for 'web' in 5060-5061: both are reserved (5060: browsers refuse to connect to it, "
		"5061: browsers refuse to connect to it)",
		"give another --range, or --any for a number from the kernel");
}

static void a_lone_number_is_told_plainly(void **state)
{
	struct fixture *f = *state;

	take(f, 5000, 5000);
	wish(f, "5000");
	range(f, 5000, 5000);
	assert_refused(f, "no port for 'web': port 5000 is taken (ME)", END_ONE);
	f->spec.service = NULL;
	f->wish.any = true;
	assert_true(own_netns_sysctl("ipv4/ip_local_port_range", "5000 5000"));
	assert_refused(f, "no port: port 5000 is taken (ME), and the kernel has none left",
		       "end one of them (berth stop), or give another --range");
}

static void a_group_that_finds_no_place_says_so(void **state)
{
	struct fixture *f = *state;

	take(f, 8101, 8101);
	take(f, 8110, 8110);
	wish(f, "http=8100");
	wish(f, "ws=8101");
	range(f, 8100, 8119);
	assert_refused(f, "no 2 ports for 'web' in 8100-8119: 2 are taken (8101 ME, 8110 ME)",
		       END_ONE);
	assert_true(berth_lease_is_bindable(8100, SOCK_STREAM, means));
}

static void a_list_without_a_range_says_where_it_looked(void **state)
{
	struct fixture *f = *state;

	take(f, 3000, 3000);
	take(f, 5000, 5001);
	wish(f, "5000,3000");
	f->wish.attempts = 2;
	assert_refused(
		f,
		"no port for 'web' between 3000 and 5001: all 3 are taken (5000 ME, 3000 ME, 5001 ME)",
		END_ONE);
}

static void a_wish_for_nothing_finds_nothing(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, "no port for 'web': there is no number to try",
		       "name a number with --port, or more of them with --range");
	wish(f, "a=8000");
	wish(f, "b=8001");
	wish(f, "c=8002");
	f->wish.range = (struct berth_range){ 9000, 9001 };
	assert_int_equal(berth_choose(&f->spec, &f->choice, &f->err), 0);
	berth_choice_release(&f->choice);
}

static void the_kernel_is_asked_last(void **state)
{
	struct fixture *f = *state;

	f->wish.any = true;
	assert_true(own_netns_sysctl("ipv4/ip_local_port_range", "5059 5064"));
	take(f, 5000, 5000);
	take(f, 5062, 5063);
	wish(f, "5000");
	range(f, 5000, 5000);
	/* 5060 and 5061 are closed to browsers; of the two others one is another folder's. */
	f->spec.foreign = &f->foreign;
	for (uint16_t i = 0; i < 8; i++) {
		uint16_t other = i % 2 ? 5059 : 5064, ours = i % 2 ? 5064 : 5059;

		memset(&f->foreign, 0, sizeof(f->foreign));
		berth_portset_add(&f->foreign, (struct berth_range){ other, other });
		assert_chosen(f, ours, BERTH_PORT_ANY);
		assert_int_equal(f->choice.reasons[0], BERTH_PORT_ANY);
		berth_choice_release(&f->choice);
	}
}

static void a_deadline_stops_the_search_but_not_the_first_try(void **state)
{
	struct fixture *f = *state;

	f->spec.deadline_ns = 1;
	wish(f, "5000");
	range(f, 5000, 5999);
	assert_chosen(f, 5000, BERTH_PORT_WISHED);
	berth_choice_release(&f->choice);
	take(f, 5000, 5001);
	wish(f, "5001");
	assert_int_equal(choose(f), BERTH_CHOOSE_E_NO_PORT);
	assert_int_equal(f->choice.tried, 1);
	assert_non_null(strstr(f->err.msg, "the time is up, port 5000 is taken"));
	f->spec.deadline_ns = INT64_MAX;
	assert_chosen(f, 5002, BERTH_PORT_TAKEN);
	berth_choice_release(&f->choice);
}

static void what_the_kernel_denies_is_passed_over(void **state)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2], all[2];
	struct fixture *f = *state;

	/* Nobody said that 80 is reserved: the kernel does. */
	f->spec.reserved = NULL;
	assert_int_equal(syscall(SYS_capget, &header, all), 0);
	memcpy(data, all, sizeof(data));
	data[0].effective &= ~(1u << CAP_NET_BIND_SERVICE);
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
	wish(f, "80");
	assert_chosen(f, 8080, BERTH_PORT_TAKEN);
	assert_int_equal(f->choice.refused[0].why, BERTH_CHOOSE_DENIED);
	berth_choice_release(&f->choice);
	f->wish.strict = true;
	assert_refused(f, "port 80 is not for us: Permission denied",
		       "wish another number, or leave out --strict for the next free one");
	assert_int_equal(syscall(SYS_capset, &header, all), 0);
}

static void a_long_taken_stretch_is_skipped(void **state)
{
	struct fixture *f = *state;
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	take(f, 20000, 20999);
	wish(f, "20000");
	range(f, 20000, 29999);
	assert_chosen(f, 21000, BERTH_PORT_TAKEN);
	assert_int_equal(f->choice.tried, 1000);
	berth_choice_release(&f->choice);
	range(f, 20000, 20999);
	assert_int_equal(choose(f), BERTH_CHOOSE_E_NO_PORT);
	assert_non_null(strstr(f->err.msg, "in 20000-20999: all 1000 are taken ("));
}

static void nothing_leaks(void **state)
{
	struct fixture *f = *state;
	size_t before;

	take(f, 5000, 5001);
	take(f, 5010, 5011);
	wish(f, "http=5000");
	wish(f, "ws=5001");
	before = open_fds();
	assert_chosen(f, 5020, BERTH_PORT_TAKEN);
	berth_choice_release(&f->choice);
	range(f, 5000, 5019);
	assert_int_equal(choose(f), BERTH_CHOOSE_E_NO_PORT);
	assert_int_equal(open_fds(), before);
}

static void no_descriptors_left_is_no_refusal(void **state)
{
	struct fixture *f = *state;
	struct rlimit limit, none;

	wish(f, "5000");
	memset(&f->choice, 0x5a, sizeof(f->choice));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(choose(f), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_string_equal(f->err.msg, "cannot lease a port: Too many open files");
	assert_int_equal(f->err.code, BERTH_ERR_INTERNAL);
	assert_int_equal(f->choice.leases[0].port, 0x5a5a); /* untouched */
}

/* The taken numbers of a range are asked for once, and not once for each service of a stack. */
static void what_one_search_found_taken_the_next_does_not_ask_for(void **state)
{
	struct berth_portset *taken = calloc(1, sizeof(*taken));
	struct fixture *f = *state;

	assert_non_null(taken);
	f->spec.taken = taken;
	take(f, 5000, 5002);
	wish(f, "5000");
	assert_chosen(f, 5003, BERTH_PORT_TAKEN);
	berth_choice_release(&f->choice);
	for (uint16_t port = 5000; port <= 5002; port++)
		assert_true(berth_portset_has(taken, port));
	assert_false(berth_portset_has(taken, 5003));
	/* Said to be taken, it is believed. */
	berth_portset_add(taken, (struct berth_range){ 5003, 5003 });
	assert_chosen(f, 5004, BERTH_PORT_TAKEN);
	assert_int_equal(f->choice.refused_count, 4);
	berth_choice_release(&f->choice);
	free(taken);
}

#define CHOOSES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHOOSES(what_one_search_found_taken_the_next_does_not_ask_for),
		CHOOSES(a_free_wish_is_granted_and_held),
		CHOOSES(a_taken_wish_moves_to_the_next_free_number),
		CHOOSES(of_many_refused_the_first_are_told),
		CHOOSES(a_list_goes_in_its_order),
		CHOOSES(a_remembered_number_comes_back),
		CHOOSES(three_viewers_move_as_groups),
		CHOOSES(of_a_group_that_fails_nothing_is_kept),
		CHOOSES(one_number_serves_tcp_and_udp),
		CHOOSES(another_folders_number_is_left_to_it_while_there_is_any_other),
		CHOOSES(what_two_rounds_refuse_counts_once),
		CHOOSES(a_foreign_wish_is_told_even_among_many_refused),
		CHOOSES(a_reserved_wish_is_passed_over),
		CHOOSES(no_browser_comes_to_a_udp_port),
		CHOOSES(a_named_number_may_be_privileged_if_we_are),
		CHOOSES(a_strict_wish_is_that_number_or_an_error),
		CHOOSES(what_a_server_without_so_reuseaddr_left_is_named),
		CHOOSES(a_strict_reserved_wish_is_an_error),
		CHOOSES(a_full_range_names_its_first_holders),
		CHOOSES(the_kinds_of_refusal_are_told_apart),
		CHOOSES(a_lone_number_is_told_plainly),
		CHOOSES(a_group_that_finds_no_place_says_so),
		CHOOSES(a_list_without_a_range_says_where_it_looked),
		CHOOSES(a_wish_for_nothing_finds_nothing),
		CHOOSES(the_kernel_is_asked_last),
		CHOOSES(a_deadline_stops_the_search_but_not_the_first_try),
		CHOOSES(what_the_kernel_denies_is_passed_over),
		CHOOSES(a_long_taken_stretch_is_skipped),
		CHOOSES(nothing_leaks),
		CHOOSES(no_descriptors_left_is_no_refusal),
	};
	return own_netns_run_group_tests(tests);
}
