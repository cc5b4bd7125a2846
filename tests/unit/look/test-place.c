/* SPDX-License-Identifier: MIT */
/* unit/look/test-place.c - the paths that systemd, Docker, podman, Kubernetes and LXC make */
#include "look/place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* clang-format off */
#define NOTHING { .unit = "" }
/* clang-format on */
#define ID "e34d3ce37699cde25f77c96200e081cc965ed93d63c06730c7a68a4be452395b"
#define OTHER "c5ab87655e27ce497f29530e03cab57285c4e58d008665c0bd50cce643ce1244"
#define USER "/user.slice/user-1000.slice/user@1000.service"
#define PODS "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12ab.slice"

static void assert_place(const struct berth_place *place, const struct berth_place *wanted)
{
	assert_string_equal(place->unit, wanted->unit);
	assert_string_equal(place->container, wanted->container);
	assert_string_equal(place->engine, wanted->engine);
	assert_int_equal(place->user_unit, wanted->user_unit);
	assert_int_equal(place->monitor, wanted->monitor);
}

struct row {
	const char *path;
	struct berth_place wanted;
};

static void check_paths(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct berth_place place;

		memset(&place, 0xa5, sizeof(place));
		berth_place_parse(rows[i].path, &place);
		assert_place(&place, &rows[i].wanted);
	}
}

static void the_innermost_service_socket_or_scope_is_the_unit(void **state)
{
	static const struct row rows[] = {
		{ "/system.slice/nginx.service", { .unit = "nginx.service" } },
		{ "/system.slice/system-postgresql.slice/postgresql@15-main.service",
		  { .unit = "postgresql@15-main.service" } },
		{ "/system.slice/nginx.service/workers", { .unit = "nginx.service" } },
		{ "/system.slice/ssh.socket", { .unit = "ssh.socket" } },
		{ "/init.scope", { .unit = "init.scope" } },
		{ "/user.slice/user-1000.slice/session-3.scope", { .unit = "session-3.scope" } },
		{ "/system.slice/_cpu.service", { .unit = "cpu.service" } },
		{ "/system.slice/dev-disk-by\\x2duuid.service",
		  { .unit = "dev-disk-by\\x2duuid.service" } },
		{ "/system.slice/boot.mount", NOTHING },
		{ "/", NOTHING },
		{ "", NOTHING },
		{ "/.service", NOTHING },
		{ "/berth/api", NOTHING },
	};

	(void)state;
	check_paths(rows, BERTH_ARRAY_SIZE(rows));
}

static void a_unit_below_a_user_s_manager_is_the_user_s(void **state)
{
	static const struct row rows[] = {
		{ USER, { .unit = "user@1000.service" } },
		{ USER "/app.slice/web.service", { .unit = "web.service", .user_unit = true } },
		{ USER "/app.slice/app-org.kde.konsole-1.scope",
		  { .unit = "app-org.kde.konsole-1.scope", .user_unit = true } },
		{ USER "/init.scope", { .unit = "init.scope", .user_unit = true } },
	};

	(void)state;
	check_paths(rows, BERTH_ARRAY_SIZE(rows));
}

static void containers_are_known_by_id_or_name(void **state)
{
	static const struct row rows[] = {
		{ "/docker/" ID, { .container = ID, .engine = "docker" } },
		{ "/docker/" ID "/init", { .container = ID, .engine = "docker" } },
		{ "/system.slice/docker-" ID ".scope",
		  { .unit = "docker-" ID ".scope", .container = ID, .engine = "docker" } },
		{ "/libpod_parent/libpod-" ID, { .container = ID, .engine = "podman" } },
		{ "/libpod_parent/" OTHER "/libpod-" ID, { .container = ID, .engine = "podman" } },
		{ "/libpod_parent/conmon", NOTHING },
		{ "/machine.slice/libpod-" ID ".scope/container",
		  { .unit = "libpod-" ID ".scope", .container = ID, .engine = "podman" } },
		{ "/machine.slice/libpod-conmon-" ID ".scope",
		  { .unit = "libpod-conmon-" ID ".scope",
		    .container = ID,
		    .engine = "podman",
		    .monitor = true } },
		{ "/system.slice/web.service/libpod-payload-" ID,
		  { .unit = "web.service", .container = ID, .engine = "podman" } },
		{ USER "/user.slice/libpod-" ID ".scope",
		  { .unit = "libpod-" ID ".scope",
		    .user_unit = true,
		    .container = ID,
		    .engine = "podman" } },
		{ PODS "/cri-containerd-" ID ".scope",
		  { .unit = "cri-containerd-" ID ".scope",
		    .container = ID,
		    .engine = "kubernetes" } },
		{ PODS "/crio-" ID ".scope",
		  { .unit = "crio-" ID ".scope", .container = ID, .engine = "kubernetes" } },
		{ PODS "/docker-" ID ".scope",
		  { .unit = "docker-" ID ".scope", .container = ID, .engine = "kubernetes" } },
		{ "/kubepods/burstable/pod12ab/" ID, { .container = ID, .engine = "kubernetes" } },
		{ "/system.slice/nerdctl-" ID ".scope",
		  { .unit = "nerdctl-" ID ".scope", .container = ID, .engine = "containerd" } },
		{ "/default/" ID, { .container = ID, .engine = "containerd" } },
		{ "/lxc.payload.web/system.slice/nginx.service",
		  { .container = "web", .engine = "lxc" } },
		{ "/lxc.monitor.web", { .container = "web", .engine = "lxc", .monitor = true } },
		{ "/lxc/web", { .container = "web", .engine = "lxc" } },
		/* Not an id: too short, too long, no digits. */
		{ "/docker/e34d3ce37699", NOTHING },
		{ "/docker/" ID "0", NOTHING },
		{ "/docker/E34D3CE37699CDE25F77C96200E081CC965ED93D63C06730C7A68A4BE452395B",
		  NOTHING },
		{ "/system.slice/docker.service", { .unit = "docker.service" } },
		{ "/lxc.payload.", NOTHING },
	};

	(void)state;
	check_paths(rows, BERTH_ARRAY_SIZE(rows));
}

static void the_innermost_container_counts_and_no_unit_inside_of_one(void **state)
{
	static const struct row rows[] = {
		{ "/docker/" OTHER "/docker/" ID, { .container = ID, .engine = "docker" } },
		{ "/lxc.payload.web/docker/" ID, { .container = ID, .engine = "docker" } },
		{ "/machine.slice/libpod-" ID ".scope/system.slice/nginx.service",
		  { .unit = "libpod-" ID ".scope", .container = ID, .engine = "podman" } },
	};

	(void)state;
	check_paths(rows, BERTH_ARRAY_SIZE(rows));
}

static void what_is_told_is_printable_and_fits(void **state)
{
	char path[700] = "/";
	struct berth_place place;

	(void)state;
	berth_place_parse("/system.slice/a\x1b[31mb\x9b.service", &place);
	assert_string_equal(place.unit, "a\\e[31mb\\x9b.service");
	berth_place_parse("/lxc/\x07", &place);
	assert_string_equal(place.container, "\\x07");
	memset(path + 1, 'x', 600);
	strcpy(path + 500, ".service");
	berth_place_parse(path, &place);
	assert_int_equal(strlen(place.unit), BERTH_PLACE_UNIT_MAX - 1);
	strcpy(path, "/lxc/");
	memset(path + 5, 'x', 600);
	berth_place_parse(path, &place);
	assert_int_equal(strlen(place.container), BERTH_PLACE_ID_MAX - 1);
}

static void of_the_hierarchies_the_one_that_tells_most_counts(void **state)
{
	static const struct row rows[] = {
		{ "0::/system.slice/nginx.service\n", { .unit = "nginx.service" } },
		{ "0::/system.slice/nginx.service", { .unit = "nginx.service" } },
		{ "12:pids:/a/b\n1:name=systemd:/system.slice/cron.service\n0::/\n",
		  { .unit = "cron.service" } },
		{ "1:name=systemd:/system.slice/cron.service\n0::/system.slice/nginx.service\n",
		  { .unit = "nginx.service" } },
		/* As podman and runc do it here, where v2 and v1 are mixed. */
		{ "9:name=systemd:/\n8:pids:/libpod_parent/libpod-" ID "\n1:cpu:/\n0::/\n",
		  { .container = ID, .engine = "podman" } },
		/* As Docker does it where v2 is mounted, but v1 is used. */
		{ "9:pids:/docker/" ID "\n1:name=systemd:/docker/" ID
		  "\n0::/system.slice/containerd.service\n",
		  { .container = ID, .engine = "docker" } },
		{ "4:memory:/x:y/lxc/a\n", { .container = "a", .engine = "lxc" } },
		{ "0::/\n", NOTHING },
		{ "nonsense\n\n:\n::\n", NOTHING },
		{ "", NOTHING },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_place place;

		memset(&place, 0xa5, sizeof(place));
		berth_place_parse_file(rows[i].path, &place);
		assert_place(&place, &rows[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_innermost_service_socket_or_scope_is_the_unit),
		cmocka_unit_test(a_unit_below_a_user_s_manager_is_the_user_s),
		cmocka_unit_test(containers_are_known_by_id_or_name),
		cmocka_unit_test(the_innermost_container_counts_and_no_unit_inside_of_one),
		cmocka_unit_test(what_is_told_is_printable_and_fits),
		cmocka_unit_test(of_the_hierarchies_the_one_that_tells_most_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
