/* SPDX-License-Identifier: MIT */
/* unit/app/test-holders-join.c - sockets, processes, rules and settings become one answer */
#include "app/holders-join.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <arpa/inet.h>

#include <cmocka.h>

enum {
	SOCKETS_MAX = 256,
	INODE = 7001, /* any number: nothing here has a socket */
	OTHER_INODE = 7002,
};

/* What is found, made up; and what is known besides. */
struct scene {
	struct berth_look_socket sockets[SOCKETS_MAX];
	struct berth_look_holder holders[8];
	struct berth_look look;
	struct berth_holders_processes processes;
	struct berth_reserved reserved;
	json_t *records;
	struct berth_holders_sources sources;
};

static struct berth_proc_id self(void)
{
	struct berth_proc_stat stat;

	assert_int_equal(berth_procfs_stat(getpid(), &stat), 0);
	return stat.id;
}

static struct berth_addr address(const char *text, uint16_t port)
{
	struct berth_addr addr = berth_addr_any(strchr(text, ':') ? AF_INET6 : AF_INET, port);

	if (addr.sa.sa_family == AF_INET6)
		assert_int_equal(inet_pton(AF_INET6, text, &addr.in6.sin6_addr), 1);
	else
		assert_int_equal(inet_pton(AF_INET, text, &addr.in.sin_addr), 1);
	return addr;
}

/* The scene is on the test's stack, and what refers to itself is set here. */
static void scene_init(struct scene *scene, json_t *records)
{
	*scene = (struct scene){ .records = records ? records : json_array() };
	scene->look.sockets = scene->sockets;
	scene->look.holders = scene->holders;
	assert_int_equal(berth_holders_processes_init(&scene->processes, scene->records), 0);
	scene->reserved.unprivileged_start = 1024;
	scene->reserved.may_privileged = true;
	scene->sources = (struct berth_holders_sources){
		.look = &scene->look,
		.processes = &scene->processes,
		.reserved = &scene->reserved,
		.ephemeral = { 32768, 60999 },
		.uid = getuid(),
		.all_pids = true,
	};
}

static void scene_deinit(struct scene *scene)
{
	berth_holders_processes_deinit(&scene->processes);
	json_decref(scene->records);
}

static struct berth_look_socket *add(struct scene *scene, enum berth_look_kind kind,
				     const char *text, uint16_t port, uint64_t inode)
{
	struct berth_look_socket *socket = &scene->sockets[scene->look.socket_count++];

	assert_true(scene->look.socket_count <= SOCKETS_MAX);
	*socket = (struct berth_look_socket){
		.kind = kind,
		.protocol = IPPROTO_TCP,
		.local = address(text, port),
		.inode = inode,
		.uid = 70,
	};
	if (kind == BERTH_LOOK_CONNECTION || kind == BERTH_LOOK_TIME_WAIT)
		socket->peer = address("10.1.2.3", 443);
	return socket;
}

static void hold(struct scene *scene, uint64_t inode, struct berth_proc_id id)
{
	scene->holders[scene->look.holder_count++] =
		(struct berth_look_holder){ .inode = inode, .proc = id, .fd = 3 };
}

static json_t *join(struct scene *scene, uint16_t port)
{
	json_t *document = berth_holders_join(&scene->sources, port, IPPROTO_TCP, NULL);

	assert_non_null(document);
	return document;
}

static const json_t *holder_at(const json_t *document, size_t index)
{
	const json_t *holder = json_array_get(json_object_get(document, "holders"), index);

	assert_non_null(holder);
	return holder;
}

static bool is_bindable(const json_t *document)
{
	return json_is_true(json_object_get(document, "bindable"));
}

static void assert_hint(const json_t *document, const char *part)
{
	const char *hint = berth_json_string(document, "hint", "(none)");

	if (!strstr(hint, part))
		fail_msg("'%s' is not in the hint: %s", part, hint);
}

static void assert_fix(const json_t *document, const char *expected)
{
	const json_t *word;
	char text[256] = "";
	size_t i;

	json_array_foreach (json_object_get(document, "fix"), i, word)
		sprintf(text + strlen(text), "%s%s", i ? " " : "", json_string_value(word));
	assert_string_equal(text, expected);
}

/* ---- */

static void nobody_has_it_and_nothing_is_said(void **state)
{
	struct scene scene;
	json_t *document;

	scene_init(&scene, NULL);
	document = join(&scene, 5000);
	assert_true(is_bindable(document));
	assert_int_equal(json_array_size(json_object_get(document, "holders")), 0);
	assert_true(json_is_null(json_object_get(document, "hint")));
	assert_true(json_is_null(json_object_get(document, "fix")));
	json_decref(document);
	scene_deinit(&scene);
}

static void a_process_is_told_with_all_that_is_known(void **state)
{
	struct scene scene;
	const json_t *holder;
	json_t *document;
	char cwd[4096];

	scene_init(&scene, NULL);
	add(&scene, BERTH_LOOK_LISTENER, "127.0.0.1", 5000, INODE);
	hold(&scene, INODE, self());
	document = join(&scene, 5000);
	holder = holder_at(document, 0);
	assert_false(is_bindable(document));
	assert_string_equal(berth_json_string(holder, "kind", ""), "listener");
	assert_true(json_is_true(json_object_get(holder, "in_the_way")));
	assert_int_equal(berth_json_int(holder, "pid", 0), getpid());
	assert_int_equal(berth_json_int(holder, "uid", -1), getuid());
	assert_string_equal(berth_json_string(holder, "address", ""), "127.0.0.1");
	assert_string_equal(berth_json_string(holder, "netns", ""), "same");
	assert_string_equal(berth_json_string(holder, "cwd", ""), getcwd(cwd, sizeof(cwd)));
	assert_true(json_array_size(json_object_get(holder, "command")) > 0);
	assert_int_equal(
		berth_json_int(json_array_get(json_object_get(holder, "parents"), 0), "pid", 0),
		getppid());
	assert_fix(document, "berth free 5000");
	json_decref(document);
	scene_deinit(&scene);
}

static void what_may_not_be_seen_is_said(void **state)
{
	struct scene scene;
	const json_t *holder;
	json_t *document;

	scene_init(&scene, NULL);
	scene.look.hidden_processes = 3;
	add(&scene, BERTH_LOOK_LISTENER, "0.0.0.0", 5432, INODE);
	document = join(&scene, 5432);
	holder = holder_at(document, 0);
	assert_true(json_is_null(json_object_get(holder, "pid")));
	assert_true(json_is_false(json_object_get(holder, "pid_visible")));
	assert_int_equal(berth_json_int(holder, "uid", 0), 70);
	assert_fix(document, "berth who 5432");
	json_decref(document);
	scene_deinit(&scene);
}

static void a_socket_without_a_process_is_the_kernels_own(void **state)
{
	struct scene scene;
	const json_t *holder;
	json_t *document;

	scene_init(&scene, NULL);
	add(&scene, BERTH_LOOK_LISTENER, "0.0.0.0", 2049, INODE);
	document = join(&scene, 2049);
	holder = holder_at(document, 0);
	assert_true(json_is_null(json_object_get(holder, "pid")));
	assert_true(json_is_true(json_object_get(holder, "pid_visible")));
	assert_true(json_is_null(json_object_get(document, "fix")));
	json_decref(document);
	/* In a container's /proc, processes outside are as hidden as another user's. */
	scene.sources.all_pids = false;
	document = join(&scene, 2049);
	assert_true(json_is_false(json_object_get(holder_at(document, 0), "pid_visible")));
	json_decref(document);
	scene_deinit(&scene);
}

static void who_ended_meanwhile_is_told_so_that_one_looks_again(void **state)
{
	struct berth_proc_id gone = self();
	struct scene scene;
	json_t *document;
	bool is_gone = false;

	scene_init(&scene, NULL);
	gone.start_ticks--; /* somebody else has the number by now */
	add(&scene, BERTH_LOOK_LISTENER, "0.0.0.0", 5000, INODE);
	hold(&scene, INODE, gone);
	document = berth_holders_join(&scene.sources, 5000, IPPROTO_TCP, &is_gone);
	assert_true(is_gone);
	assert_int_equal(json_array_size(json_object_get(document, "holders")), 0);
	json_decref(document);
	scene_deinit(&scene);
}

static void the_elder_has_it_and_the_others_share_it(void **state)
{
	struct berth_proc_stat child_stat;
	struct scene scene;
	const json_t *holder, *shared;
	json_t *document;
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	scene_init(&scene, NULL);
	assert_int_equal(berth_procfs_stat(child, &child_stat), 0);
	add(&scene, BERTH_LOOK_LISTENER, "0.0.0.0", 5000, INODE);
	hold(&scene, INODE, child_stat.id);
	hold(&scene, INODE, self());
	document = join(&scene, 5000);
	holder = holder_at(document, 0);
	shared = json_object_get(holder, "shared_with");
	assert_int_equal(berth_json_int(holder, "pid", 0), getpid());
	assert_int_equal(json_array_size(shared), 1);
	assert_int_equal(berth_json_int(json_array_get(shared, 0), "pid", 0), child);
	json_decref(document);
	scene_deinit(&scene);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* A record of a supervisor, which is this process. */
static json_t *own_record(uint16_t port)
{
	struct berth_proc_id id = self();
	json_t *record =
		json_pack("{s:{s:s,s:s,s:s,s:s,s:s,s:i,s:[{s:i}]},s:{}}", "service", "id", "2aaaaa",
			  "project", "shop", "root", "/home/ann/shop", "service", "api", "branch",
			  "main", "instance", 1, "ports", "port", (int)port, "berth");

	json_object_set_new(json_object_get(record, "berth"), "supervisor",
			    berth_registry_process_json(&id));
	return json_pack("[o]", record);
}

static void what_berth_holds_for_a_service_is_a_lease(void **state)
{
	json_t *records = own_record(5000), *document;
	struct scene scene;
	const json_t *holder;

	berth_registry_label(records);
	scene_init(&scene, records);
	add(&scene, BERTH_LOOK_BOUND, "0.0.0.0", 5000, INODE);
	hold(&scene, INODE, self());
	document = join(&scene, 5000);
	holder = holder_at(document, 0);
	assert_string_equal(berth_json_string(holder, "kind", ""), "lease");
	assert_string_equal(berth_json_string(json_object_get(holder, "service"), "label", ""),
			    "shop/api");
	assert_fix(document, "berth stop 5000");
	json_decref(document);
	scene_deinit(&scene);
}

static void a_service_goes_before_the_duplicate_that_berth_keeps(void **state)
{
	struct berth_proc_stat child_stat;
	json_t *records = own_record(5000), *document;
	struct scene scene;
	const json_t *holder;
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	berth_registry_label(records);
	scene_init(&scene, records);
	assert_int_equal(berth_procfs_stat(child, &child_stat), 0);
	add(&scene, BERTH_LOOK_LISTENER, "0.0.0.0", 5000, INODE);
	hold(&scene, INODE, self());
	hold(&scene, INODE, child_stat.id);
	document = join(&scene, 5000);
	holder = holder_at(document, 0);
	assert_string_equal(berth_json_string(holder, "kind", ""), "listener");
	assert_int_equal(berth_json_int(holder, "pid", 0), child);
	assert_int_equal(json_array_size(json_object_get(holder, "shared_with")), 0);
	assert_string_equal(berth_json_string(json_object_get(holder, "service"), "id", ""),
			    "2aaaaa");
	json_decref(document);
	scene_deinit(&scene);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void an_outgoing_connection_fails_a_bind_and_how_to_avoid_it_is_said(void **state)
{
	struct scene scene;
	json_t *document;

	scene_init(&scene, NULL);
	add(&scene, BERTH_LOOK_CONNECTION, "10.0.0.4", 40000, INODE);
	hold(&scene, INODE, self());
	document = join(&scene, 40000);
	assert_false(is_bindable(document));
	assert_string_equal(berth_json_string(holder_at(document, 0), "peer", ""), "10.1.2.3:443");
	assert_hint(document, "move your fallback range out of 32768-60999, or reserve 40000 with "
			      "net.ipv4.ip_local_reserved_ports");
	json_decref(document);
	scene_deinit(&scene);
}

static void thousands_of_closed_connections_are_counted(void **state)
{
	struct scene scene;
	json_t *document;

	scene_init(&scene, NULL);
	for (unsigned int i = 0; i < 250; i++)
		add(&scene, BERTH_LOOK_TIME_WAIT, "127.0.0.1", 5000, 0)->reuse = true;
	document = join(&scene, 5000);
	assert_true(is_bindable(document));
	assert_int_equal(json_array_size(json_object_get(document, "holders")), 100);
	assert_int_equal(berth_json_int(document, "more", 0), 150);
	assert_hint(document, "SO_REUSEADDR can bind it");
	json_decref(document);
	scene_deinit(&scene);
}

static void two_programs_on_localhost_are_pointed_out(void **state)
{
	struct scene scene;
	json_t *document;
	char part[160];

	scene_init(&scene, NULL);
	scene.look.hidden_processes = 1;
	add(&scene, BERTH_LOOK_LISTENER, "127.0.0.1", 8080, INODE);
	add(&scene, BERTH_LOOK_LISTENER, "::1", 8080, OTHER_INODE)->v6only = true;
	hold(&scene, INODE, self());
	document = join(&scene, 8080);
	snprintf(part, sizeof(part), " %d, [::1] is uid 70", (int)getpid());
	assert_hint(document, part);
	assert_int_equal(json_array_size(json_object_get(document, "answers")), 2);
	json_decref(document);
	scene_deinit(&scene);
}

static void a_group_of_sockets_is_pointed_out(void **state)
{
	struct scene scene;
	json_t *document;

	scene_init(&scene, NULL);
	for (unsigned int i = 0; i < 3; i++)
		add(&scene, BERTH_LOOK_LISTENER, "0.0.0.0", 8080, INODE + i);
	document = join(&scene, 8080);
	assert_hint(document, "3 sockets share it (SO_REUSEPORT)");
	json_decref(document);
	scene_deinit(&scene);
}

static void assert_no_hint(const json_t *document, const char *part)
{
	const char *hint = berth_json_string(document, "hint", "");

	if (strstr(hint, part))
		fail_msg("'%s' is in the hint: %s", part, hint);
}

static void sockets_of_different_devices_are_no_group(void **state)
{
	struct scene scene;
	json_t *document;

	scene_init(&scene, NULL);
	add(&scene, BERTH_LOOK_LISTENER, "0.0.0.0", 8080, INODE)->interface = 2;
	add(&scene, BERTH_LOOK_LISTENER, "0.0.0.0", 8080, OTHER_INODE)->interface = 3;
	document = join(&scene, 8080);
	assert_no_hint(document, "share it");
	json_decref(document);
	scene_deinit(&scene);
}

/* UDP has no clients to be shared by SO_REUSEADDR, and no TIME_WAIT. */
static void what_is_said_of_udp_is_true_of_udp(void **state)
{
	struct scene scene;
	json_t *document;

	scene_init(&scene, NULL);
	add(&scene, BERTH_LOOK_LISTENER, "127.0.0.1", 5353, INODE)->protocol = IPPROTO_UDP;
	add(&scene, BERTH_LOOK_LISTENER, "127.0.0.1", 5353, OTHER_INODE)->protocol = IPPROTO_UDP;
	document = berth_holders_join(&scene.sources, 5353, IPPROTO_UDP, NULL);
	assert_no_hint(document, "share it");
	assert_hint(document, "2 sockets have it: with SO_REUSEPORT each sender");
	assert_hint(document, "SO_REUSEADDR alone all get to the one that was bound last");
	json_decref(document);
	scene.look.socket_count = 0;
	add(&scene, BERTH_LOOK_CONNECTION, "127.0.0.1", 5353, INODE)->protocol = IPPROTO_UDP;
	document = berth_holders_join(&scene.sources, 5353, IPPROTO_UDP, NULL);
	assert_no_hint(document, "TIME_WAIT");
	assert_hint(document, "bind() fails until that socket is closed");
	json_decref(document);
	scene_deinit(&scene);
}

static void an_ipv4_address_of_an_ipv6_socket_answers_on_localhost(void **state)
{
	struct scene scene;
	json_t *document;

	scene_init(&scene, NULL);
	add(&scene, BERTH_LOOK_LISTENER, "::ffff:127.0.0.1", 8080, INODE);
	add(&scene, BERTH_LOOK_LISTENER, "::1", 8080, OTHER_INODE)->uid = 71;
	document = join(&scene, 8080);
	assert_hint(document, "127.0.0.1 is uid 70, [::1] is uid 71");
	json_decref(document);
	scene_deinit(&scene);
}

static void another_network_namespace_is_not_in_the_way(void **state)
{
	struct scene scene;
	json_t *document;

	scene_init(&scene, NULL);
	add(&scene, BERTH_LOOK_LISTENER, "0.0.0.0", 5432, INODE)->netns = 4026539999;
	hold(&scene, INODE, self());
	document = join(&scene, 5432);
	assert_true(is_bindable(document));
	assert_string_equal(berth_json_string(holder_at(document, 0), "netns", ""),
			    "net:[4026539999]");
	assert_hint(document, "not in the way here");
	json_decref(document);
	scene_deinit(&scene);
}

static void a_container_without_a_socket_is_found_by_rule_and_engine(void **state)
{
	struct berth_engine_port published = { .host_port = 8080,
					       .container_port = 80,
					       .protocol = IPPROTO_TCP };
	struct berth_engine_container web = { .id = "0123456789abcdef",
					      .name = "web",
					      .image = "nginx",
					      .engine = "docker",
					      .ports = &published,
					      .port_count = 1 };
	struct berth_engine engine = { .containers = &web, .count = 1, .asked = true };
	struct berth_nat_rule rule = {
		.port_lo = 8080, .port_hi = 8080, .protocol = IPPROTO_TCP, .target = "10.88.0.2:80"
	};
	struct berth_nat nat = { .rules = &rule, .count = 1 };
	struct scene scene;
	const json_t *holder;
	json_t *document;

	scene_init(&scene, NULL);
	scene.sources.engine = &engine;
	scene.sources.nat = &nat;
	document = join(&scene, 8080);
	holder = holder_at(document, 0);
	assert_string_equal(berth_json_string(holder, "kind", ""), "container");
	assert_string_equal(berth_json_string(holder, "peer", ""), "10.88.0.2:80");
	assert_string_equal(berth_json_string(json_object_get(holder, "container"), "name", ""),
			    "web");
	assert_fix(document, "docker stop web");
	assert_hint(document, "clients from outside are led to the container");
	json_decref(document);
	scene_deinit(&scene);
}

static void reserved_numbers_are_told_by_what_reserves_them(void **state)
{
	struct scene scene;
	json_t *document;

	scene_init(&scene, NULL);
	berth_portset_add(&scene.reserved.kernel, (struct berth_range){ 8080, 8080 });
	scene.reserved.may_privileged = false;
	document = join(&scene, 8080);
	assert_true(is_bindable(document));
	assert_string_equal(berth_json_string(holder_at(document, 0), "kind", ""), "reserved");
	assert_true(json_is_false(json_object_get(holder_at(document, 0), "in_the_way")));
	assert_hint(document, "ip_local_reserved_ports");
	json_decref(document);
	document = join(&scene, 80);
	assert_false(is_bindable(document));
	assert_true(json_is_true(json_object_get(holder_at(document, 0), "in_the_way")));
	assert_fix(document, "sysctl -w net.ipv4.ip_unprivileged_port_start=80");
	assert_string_equal(berth_json_string(document, "fix_needs", ""), "root");
	json_decref(document);
	scene_deinit(&scene);
}

/* Whoever asks, podman knows only what its own user has started. */
static void a_container_of_another_user_is_stopped_as_that_user(void **state)
{
	static const struct {
		uid_t asker, owner;
		const char *fix;
		bool root;
	} cases[] = {
		{ 0, 0, "podman stop web", false },
		{ 1000, 1000, "podman stop web", false },
		{ 1000, 0, "podman stop web", true },
		{ 0, 65534, "sudo -i -u nobody podman stop web", false },
		{ 1000, 65534, "sudo -i -u nobody podman stop web", true },
		{ 0, 54321, "", false }, /* who has no name */
	};
	struct berth_engine_port published = { .host_port = 8080, .protocol = IPPROTO_TCP };
	struct berth_engine_container web = { .id = "0123456789abcdef",
					      .name = "web",
					      .engine = "podman",
					      .ports = &published,
					      .port_count = 1 };
	struct berth_engine engine = { .containers = &web, .count = 1, .asked = true };
	struct scene scene;
	json_t *document;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		scene_init(&scene, NULL);
		web.uid = cases[i].owner;
		scene.sources.uid = cases[i].asker;
		scene.sources.engine = &engine;
		document = join(&scene, 8080);
		assert_fix(document, cases[i].fix);
		assert_int_equal(json_is_string(json_object_get(document, "fix_needs")),
				 cases[i].root);
		json_decref(document);
		scene_deinit(&scene);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_has_it_and_nothing_is_said),
		cmocka_unit_test(a_process_is_told_with_all_that_is_known),
		cmocka_unit_test(what_may_not_be_seen_is_said),
		cmocka_unit_test(a_socket_without_a_process_is_the_kernels_own),
		cmocka_unit_test(who_ended_meanwhile_is_told_so_that_one_looks_again),
		cmocka_unit_test(the_elder_has_it_and_the_others_share_it),
		cmocka_unit_test(what_berth_holds_for_a_service_is_a_lease),
		cmocka_unit_test(a_service_goes_before_the_duplicate_that_berth_keeps),
		cmocka_unit_test(an_outgoing_connection_fails_a_bind_and_how_to_avoid_it_is_said),
		cmocka_unit_test(thousands_of_closed_connections_are_counted),
		cmocka_unit_test(two_programs_on_localhost_are_pointed_out),
		cmocka_unit_test(a_group_of_sockets_is_pointed_out),
		cmocka_unit_test(sockets_of_different_devices_are_no_group),
		cmocka_unit_test(what_is_said_of_udp_is_true_of_udp),
		cmocka_unit_test(an_ipv4_address_of_an_ipv6_socket_answers_on_localhost),
		cmocka_unit_test(another_network_namespace_is_not_in_the_way),
		cmocka_unit_test(a_container_of_another_user_is_stopped_as_that_user),
		cmocka_unit_test(a_container_without_a_socket_is_found_by_rule_and_engine),
		cmocka_unit_test(reserved_numbers_are_told_by_what_reserves_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
