/* SPDX-License-Identifier: MIT */
/* unit/look/test-engine.c - what engines say, and engines that lie, hang or are somebody else's */
#include "look/engine.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "../own-folder.h"
#include "../own-netns.h"
#include "base/str.h"
#include "base/time.h"

enum {
	DEADLINE_MS = 10000,
	ENGINE_MS = 5, /* what a real engine takes at the least */
};

#define ID "e34d3ce37699cde25f77c96200e081cc965ed93d63c06730c7a68a4be452395b"
#define OTHER "c5ab87655e27ce497f29530e03cab57285c4e58d008665c0bd50cce643ce1244"
#define WEB \
	"{\"Id\":\"" ID "\",\"Names\":[\"/web\"],\"Image\":\"nginx:1\",\"Ports\":[" \
	"{\"IP\":\"0.0.0.0\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"}," \
	"{\"IP\":\"::\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"}," \
	"{\"PrivatePort\":53,\"PublicPort\":8053,\"Type\":\"udp\"}," \
	"{\"PrivatePort\":443,\"Type\":\"tcp\"}]," \
	"\"NetworkSettings\":{\"Networks\":{\"bridge\":{\"IPAddress\":\"172.17.0.2\"," \
	"\"GlobalIPv6Address\":\"fd00::2\"},\"b\":{\"IPAddress\":\"\"}}}}"

static void parse(const char *text, struct berth_engine *engine)
{
	assert_int_equal(berth_engine_parse(text, strlen(text), "docker", engine), 0);
}

static void a_container_is_found_by_id_port_and_address(void **state)
{
	struct berth_engine engine = { 0 };
	const struct berth_engine_container *web;

	(void)state;
	parse("[" WEB ",{\"Id\":\"" OTHER "\",\"Names\":[\"/web/db\",\"/db\"],\"Ports\":null}]",
	      &engine);
	assert_int_equal(engine.count, 2);
	web = berth_engine_find(&engine, ID);
	assert_non_null(web);
	assert_string_equal(web->name, "web");
	assert_string_equal(web->image, "nginx:1");
	assert_string_equal(web->engine, "docker");
	assert_int_equal(web->port_count, 4);
	assert_string_equal(web->ports[0].address, "0.0.0.0");
	assert_int_equal(web->ports[0].container_port, 80);
	assert_string_equal(berth_engine_find(&engine, OTHER)->name, "db");

	assert_ptr_equal(berth_engine_find(&engine, "e34d3ce37699"), web);
	assert_null(berth_engine_find(&engine, "e34d3ce3769"));
	assert_null(berth_engine_find(&engine, "e34d3ce37690"));
	assert_null(berth_engine_find(&engine, ID "0"));
	assert_null(berth_engine_find(&engine, ""));

	assert_ptr_equal(berth_engine_find_port(&engine, 8080, IPPROTO_TCP), web);
	assert_ptr_equal(berth_engine_find_port(&engine, 8053, IPPROTO_UDP), web);
	assert_null(berth_engine_find_port(&engine, 8080, IPPROTO_UDP));
	assert_null(berth_engine_find_port(&engine, 80, IPPROTO_TCP));
	assert_null(berth_engine_find_port(&engine, 0, IPPROTO_TCP));

	assert_ptr_equal(berth_engine_find_target(&engine, "172.17.0.2:80"), web);
	assert_ptr_equal(berth_engine_find_target(&engine, "172.17.0.2"), web);
	assert_ptr_equal(berth_engine_find_target(&engine, "[fd00::2]:80"), web);
	assert_ptr_equal(berth_engine_find_target(&engine, "fd00::2"), web);
	assert_null(berth_engine_find_target(&engine, "172.17.0.20:80"));
	assert_null(berth_engine_find_target(&engine, ":80"));
	assert_null(berth_engine_find_target(&engine, ""));
	berth_engine_deinit(&engine);
}

static void only_names_that_an_engine_gives_are_names(void **state)
{
	static const struct {
		const char *names, *name;
	} rows[] = {
		{ "[\"/a.b_c-1\"]", "a.b_c-1" },
		{ "[\"web\"]", "web" },
		{ "[\"/--force\"]", "" },
		{ "[\"/a;reboot\"]", "" },
		{ "[\"/a b\"]", "" },
		{ "[\"/\\u001b[2J\"]", "" },
		{ "[\"\", \"/\", 7, null, \"/x\"]", "x" },
		{ "[]", "" },
		{ "null", "" },
		{ "\"/web\"", "" },
	};
	struct berth_engine engine = { 0 };
	char text[512];

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		snprintf(text, sizeof(text),
			 "[{\"Id\":\"%s\",\"Names\":%s,\"Image\":\"a\\u0007\"}]", ID,
			 rows[i].names);
		parse(text, &engine);
		assert_int_equal(engine.count, 1);
		assert_string_equal(engine.containers[0].name, rows[i].name);
		assert_string_equal(engine.containers[0].image, "a\\x07");
		berth_engine_deinit(&engine);
	}
}

static void what_makes_no_sense_is_left_out(void **state)
{
	static const char *const no_containers[] = {
		"[]",
		"[1,null,[],{}]",
		"[{\"Id\":7}]",
		"[{\"Id\":\"xyz\"}]",
		"[{\"Id\":\"e34d3ce3769\"}]",
		"[{\"Id\":\"" ID "0\"}]",
	};
	static const char *const no_answers[] = {
		"", "{}", "{\"message\":\"no\"}", "null", "[", "7"
	};
	struct berth_engine engine = { 0 };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(no_containers); i++) {
		parse(no_containers[i], &engine);
		assert_int_equal(engine.count, 0);
	}
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(no_answers); i++)
		assert_int_equal(
			berth_engine_parse(no_answers[i], strlen(no_answers[i]), "docker", &engine),
			-EPROTO);
	/* Twice the same: as of docker's and podman's name for one socket. */
	parse("[" WEB "," WEB "]", &engine);
	parse("[" WEB "]", &engine);
	assert_int_equal(engine.count, 1);
	berth_engine_deinit(&engine);
	parse("[{\"Id\":\"" ID "\",\"Ports\":[{\"PrivatePort\":0},{\"PrivatePort\":70000},"
	      "{\"PrivatePort\":1,\"PublicPort\":-1},{\"PrivatePort\":1,\"Type\":\"sctp\"},7]}]",
	      &engine);
	assert_int_equal(engine.containers[0].port_count, 0);
	berth_engine_deinit(&engine);
}

static void an_answer_is_whole_and_good_or_none(void **state)
{
	static const struct {
		const char *answer;
		int result;
		const char *engine;
	} rows[] = {
		{ "HTTP/1.0 200 OK\r\n\r\n[" WEB "]", 0, "docker" },
		{ "HTTP/1.1 200 OK\nServer: x\n\n[" WEB "]", 0, "docker" },
		{ "HTTP/1.0 200 OK\r\nLibpod-API-Version: 4.3.1\r\n\r\n[" WEB "]", 0, "podman" },
		{ "HTTP/1.0 200 OK\r\nContent-Length:  2\r\n\r\n[]trailing", 0, NULL },
		{ "HTTP/1.0 200 OK\r\ncontent-length: 4\r\n\r\n[]", -EPROTO, NULL },
		{ "HTTP/1.0 200 OK\r\nContent-Length: x\r\n\r\n[]", -EPROTO, NULL },
		{ "HTTP/1.0 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n[]",
		  -EPROTO, NULL },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n[]", -EPROTO, NULL },
		{ "HTTP/1.0 404 Not Found\r\n\r\n[]", -EPROTO, NULL },
		{ "HTTP/1.0 200 OK\r\n", -EPROTO, NULL },
		{ "HTTP/1.0 200", -EPROTO, NULL },
		{ "\r\n\r\n[]", -EPROTO, NULL },
		{ "SSH-2.0-OpenSSH\r\n\r\n[]", -EPROTO, NULL },
		{ "", -EPROTO, NULL },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_engine engine = { 0 };

		assert_int_equal(berth_engine_parse_answer(rows[i].answer, strlen(rows[i].answer),
							   "docker", &engine),
				 rows[i].result);
		assert_int_equal(engine.count, rows[i].engine != NULL);
		if (rows[i].engine)
			assert_string_equal(engine.containers[0].engine, rows[i].engine);
		berth_engine_deinit(&engine);
	}
}

static void a_conmon_says_whose_monitor_it_is(void **state)
{
#define CONMON(args) \
	{ \
		args, sizeof(args) - 1 \
	}
	static const struct {
		struct {
			const char *text;
			size_t len;
		} args;
		const char *id, *name, *engine; /* id NULL: no container */
	} rows[] = {
		{ CONMON("/usr/bin/conmon\0--api-version\0001\0-c\0" ID "\0-u\0" OTHER
			 "\0-n\0web\0--exit-command\0/usr/bin/podman\0--exit-command-arg\0-c\0"
			 "--exit-command-arg\0" OTHER),
		  ID, "web", "podman" },
		{ CONMON("conmon\0--cid\0" ID "\0--name\0k8s_web_0"), ID, "k8s_web_0",
		  "kubernetes" },
		{ CONMON("conmon\0--exit-command-arg\0-c\0" ID "\0-c\0" OTHER), OTHER, "",
		  "kubernetes" },
		{ CONMON("conmon\0-n\0-c\0" ID), NULL, NULL, NULL },
		{ CONMON("conmon\0-c\0nonsense"), NULL, NULL, NULL },
		{ CONMON("conmon\0-c"), NULL, NULL, NULL },
		{ CONMON("conmon\0-n\0--help\0-c\0" ID "\0"), ID, "", "kubernetes" },
		{ CONMON(""), NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_engine_container container = { 0 };

		assert_int_equal(
			berth_engine_parse_conmon(rows[i].args.text, rows[i].args.len, &container),
			rows[i].id != NULL);
		if (!rows[i].id)
			continue;
		assert_string_equal(container.id, rows[i].id);
		assert_string_equal(container.name, rows[i].name);
		assert_string_equal(container.engine, rows[i].engine);
	}
}

/* --- with somebody who answers --- */

static char folder[OWN_FOLDER_SIZE];

/* A process of its own, which says by its pipe when it is ready; ended by end(). */
struct process {
	pid_t pid;
	int fd; /* it ends when this is closed */
};

static struct process begin(void (*fn)(int go_fd, int ready_fd, const char *arg), const char *arg)
{
	struct process process;
	int go[2], ready[2];
	char byte;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	process.pid = fork();
	assert_true(process.pid >= 0);
	if (process.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(go[1]);
		fn(go[0], ready[1], arg);
		_exit(1);
	}
	close(go[0]);
	close(ready[1]);
	(void)!read(ready[0], &byte, 1); /* or the end, by an exec() */
	close(ready[0]);
	process.fd = go[1];
	return process;
}

static void end(struct process *process)
{
	close(process->fd);
	kill(process->pid, SIGKILL);
	assert_int_equal(waitpid(process->pid, NULL, 0), process->pid);
}

static int listen_on(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 8) < 0)
		_exit(2);
	chmod(path, 0777);
	return fd;
}

/* "PATH ANSWER": answers one client after the other; an empty answer: never. */
static void serve(int go_fd, int ready_fd, const char *arg)
{
	const char *answer = strchr(arg, ' ') + 1;
	char path[100], request[512];
	int fd, client;

	(void)go_fd;
	snprintf(path, sizeof(path), "%.*s", (int)(answer - 1 - arg), arg);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* again: who becomes another user loses it */
	fd = listen_on(path);
	(void)!write(ready_fd, "", 1);
	for (;;) {
		client = accept(fd, NULL, NULL);
		if (client < 0 || read(client, request, sizeof(request)) <= 0)
			continue;
		if (strncmp(request, "GET /containers/json HTTP/1.0\r\n", 31) != 0)
			_exit(3);
		if (!answer[0])
			continue; /* and keeps it open */
		(void)!poll(NULL, 0, ENGINE_MS);
		(void)!write(client, answer, strlen(answer));
		close(client);
	}
}

static void serve_as_nobody(int go_fd, int ready_fd, const char *arg)
{
	if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
	    setresuid(65534, 65534, 65534) < 0)
		_exit(2);
	serve(go_fd, ready_fd, arg);
}

/* Something by which an engine is seen to run. */
static void be_podman(int go_fd, int ready_fd, const char *arg)
{
	char byte;

	(void)arg;
	prctl(PR_SET_NAME, "podman");
	(void)!write(ready_fd, "", 1);
	(void)!read(go_fd, &byte, 1);
	_exit(0);
}

#define ANSWER "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"

static void the_engine_that_the_user_names_is_asked(void **state)
{
	struct berth_engine engine = { 0 };
	char arg[4096], variable[128];
	struct process server;

	(void)state;
	snprintf(arg, sizeof(arg), "%s/engine.sock " ANSWER "[" WEB "]", folder);
	snprintf(variable, sizeof(variable), "unix://%s/engine.sock", folder);
	server = begin(serve, arg);
	assert_int_equal(setenv("DOCKER_HOST", variable, 1), 0);
	assert_int_equal(berth_engine_load(DEADLINE_MS, &engine), 0);
	assert_true(engine.asked && !engine.late);
	assert_non_null(berth_engine_find(&engine, ID));
	assert_int_equal(berth_engine_find(&engine, ID)->uid, geteuid());
	berth_engine_deinit(&engine);

	assert_int_equal(setenv("DOCKER_HOST", "tcp://127.0.0.1:2375", 1), 0);
	assert_int_equal(berth_engine_load(DEADLINE_MS, &engine), 0);
	assert_null(berth_engine_find(&engine, ID));
	berth_engine_deinit(&engine);
	end(&server);
	unsetenv("DOCKER_HOST");
}

static void one_that_hangs_costs_no_other_its_turn(void **state)
{
	struct berth_engine engine = { 0 };
	char arg[4096], variable[128];
	struct process hanging, good, sign;
	int64_t before;

	(void)state;
	snprintf(variable, sizeof(variable), "unix://%s/hangs.sock", folder);
	assert_int_equal(setenv("DOCKER_HOST", variable, 1), 0);
	snprintf(arg, sizeof(arg), "%s/hangs.sock ", folder);
	hanging = begin(serve, arg);
	snprintf(arg, sizeof(arg), "%s/run/docker.sock " ANSWER "[" WEB "]", folder);
	good = begin(serve, arg);
	sign = begin(be_podman, "");
	before = berth_time_mono_ns();
	assert_int_equal(berth_engine_load(500, &engine), 0);
	assert_true(berth_time_mono_ns() - before < (int64_t)DEADLINE_MS * 1000000);
	/* And it has not cost the other one its turn. */
	assert_non_null(berth_engine_find(&engine, ID));
	assert_true(engine.asked && engine.late);
	berth_engine_deinit(&engine);
	end(&hanging);
	end(&good);
	end(&sign);
	unsetenv("DOCKER_HOST");
}

static void a_default_socket_is_asked_only_where_an_engine_runs(void **state)
{
	struct berth_engine engine = { 0 };
	char arg[4096];
	struct process server, sign;

	(void)state;
	snprintf(arg, sizeof(arg), "%s/run/docker.sock " ANSWER "[" WEB "]", folder);
	server = begin(serve, arg);
	sign = begin(be_podman, "");
	assert_int_equal(berth_engine_load(DEADLINE_MS, &engine), 0);
	assert_non_null(berth_engine_find(&engine, ID));
	berth_engine_deinit(&engine);
	end(&sign);
	/* Others of this machine may be at it. */
	if (system("cat /proc/[0-9]*/comm 2>/dev/null | "
		   "grep -Eq '^(dockerd|docker-|com.docker|containerd-shim|podman|conmon)'") != 0) {
		assert_int_equal(berth_engine_load(DEADLINE_MS, &engine), 0);
		assert_null(berth_engine_find(&engine, ID));
		assert_false(engine.asked);
		berth_engine_deinit(&engine);
	}
	end(&server);
}

static void another_user_s_socket_is_not_believed(void **state)
{
	struct berth_engine engine = { 0 };
	struct process server, sign;
	char arg[4096], path[128];

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can become another user\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/run", folder);
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(chmod(path, 0777), 0);
	snprintf(arg, sizeof(arg), "%s/run/docker.sock " ANSWER "[" WEB "]", folder);
	server = begin(serve_as_nobody, arg);
	sign = begin(be_podman, "");
	assert_int_equal(berth_engine_load(DEADLINE_MS, &engine), 0);
	assert_null(berth_engine_find(&engine, ID));
	assert_true(engine.denied);
	berth_engine_deinit(&engine);
	end(&server);
	end(&sign);
}

/* A program of that name, with a listening socket that it has inherited. */
static void be_conmon(int go_fd, int ready_fd, const char *arg)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(8080) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)ready_fd; /* closed by the exec() */
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 1) < 0 ||
	    dup2(go_fd, 0) < 0)
		_exit(2);
	execl(arg, "conmon", "-c", ID, "-n", "web", "--exit-command", "/usr/bin/podman",
	      (char *)NULL);
	_exit(2);
}

static void without_an_engine_conmon_tells_name_and_ports(void **state)
{
	const struct berth_engine_container *web;
	struct berth_engine engine = { 0 };
	struct process conmon;
	char path[128];
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/conmon", folder);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs("#!/bin/sh\nread x\n", file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0700), 0);
	conmon = begin(be_conmon, path);
	assert_int_equal(berth_engine_load(DEADLINE_MS, &engine), 0);
	web = berth_engine_find(&engine, ID);
	assert_non_null(web);
	assert_string_equal(web->name, "web");
	assert_string_equal(web->engine, "podman");
	assert_int_equal(web->monitor, conmon.pid);
	assert_int_equal(web->uid, geteuid());
	assert_ptr_equal(berth_engine_find_port(&engine, 8080, IPPROTO_TCP), web);
	assert_int_equal(web->port_count, 1);
	assert_string_equal(web->ports[0].address, "127.0.0.1");
	berth_engine_deinit(&engine);
	end(&conmon);
}

static int set_up(void **state)
{
	(void)state;
	unsetenv("DOCKER_HOST");
	return own_folder_make(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return own_folder_remove(folder) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_container_is_found_by_id_port_and_address),
		cmocka_unit_test(only_names_that_an_engine_gives_are_names),
		cmocka_unit_test(what_makes_no_sense_is_left_out),
		cmocka_unit_test(an_answer_is_whole_and_good_or_none),
		cmocka_unit_test(a_conmon_says_whose_monitor_it_is),
		cmocka_unit_test_setup_teardown(the_engine_that_the_user_names_is_asked, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(one_that_hangs_costs_no_other_its_turn, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_default_socket_is_asked_only_where_an_engine_runs,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_user_s_socket_is_not_believed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(without_an_engine_conmon_tells_name_and_ports,
						set_up, tear_down),
	};
	return own_netns_run_group_tests(tests);
}
