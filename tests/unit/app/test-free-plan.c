/* SPDX-License-Identifier: MIT */
/* unit/app/test-free-plan.c - whom `berth free` ends, how, and what stands against it */
#include "app/free-plan.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
	ME = 1000,
	OTHER = 1001,
	MAX = 16,
	SELF = 500,
	SHELL = 400,
	SUPERVISOR = 300,
	GUARDIAN = 299,
};

static const pid_t ancestors[] = { SHELL, 350 };
static const uint16_t service_ports[] = { 5000, 5001 };
static const uint16_t container_ports[] = { 8080 };

/* A machine of a few processes and sockets, and the plan for it. */
struct machine {
	struct berth_look_socket sockets[MAX];
	struct berth_look_holder holders[MAX];
	struct berth_free_proc procs[MAX];
	struct berth_free_service services[2];
	struct berth_free_container containers[2];
	struct berth_look look;
	struct berth_free_scene scene;
	struct berth_free_plan plan;
};

static void begin(struct machine *m)
{
	*m = (struct machine){ 0 };
	m->look.sockets = m->sockets;
	m->look.holders = m->holders;
	m->services[0] = (struct berth_free_service){ .supervisor = SUPERVISOR,
						      .guardian = GUARDIAN,
						      .ports = service_ports,
						      .port_count = 2 };
	m->services[1] = (struct berth_free_service){ .supervisor = 310, .guardian = 309 };
	snprintf(m->containers[0].name, sizeof(m->containers[0].name), "db");
	snprintf(m->containers[0].engine, sizeof(m->containers[0].engine), "podman");
	m->containers[0].ports = container_ports;
	m->containers[0].port_count = 1;
	snprintf(m->containers[1].name, sizeof(m->containers[1].name), "web");
	snprintf(m->containers[1].engine, sizeof(m->containers[1].engine), "docker");
	m->scene = (struct berth_free_scene){
		.look = &m->look,
		.procs = m->procs,
		.services = m->services,
		.service_count = 2,
		.containers = m->containers,
		.container_count = 2,
		.self = SELF,
		.ancestors = ancestors,
		.ancestor_count = BERTH_ARRAY_SIZE(ancestors),
		.uid = ME,
		.container = "",
	};
}

/* A process that is no berth's, of us, in the project we are in. */
static struct berth_free_proc *process(struct machine *m, pid_t pid, const char *comm)
{
	struct berth_free_proc *proc = &m->procs[m->scene.proc_count++];

	*proc = (struct berth_free_proc){
		.id = { .pid = pid, .start_ticks = (uint64_t)pid * 10 },
		.parent = 1,
		.uid = ME,
		.service = BERTH_FREE_NONE,
		.here = true,
		.container = BERTH_FREE_NONE,
	};
	snprintf(proc->comm, sizeof(proc->comm), "%s", comm);
	return proc;
}

/* By their inodes, which are the ports: sockets come in that order, and so do holders. */
static struct berth_look_socket *a_socket(struct machine *m, enum berth_look_kind kind,
					  uint16_t port)
{
	struct berth_look_socket *socket = &m->sockets[m->look.socket_count++];

	*socket = (struct berth_look_socket){
		.kind = kind,
		.protocol = IPPROTO_TCP,
		.local = berth_addr_any(AF_INET, port),
		.uid = ME,
		.inode = 100000 + m->look.socket_count,
	};
	return socket;
}

/* Of the socket made last. */
static void held_by(struct machine *m, pid_t pid)
{
	m->holders[m->look.holder_count++] = (struct berth_look_holder){
		.inode = m->sockets[m->look.socket_count - 1].inode,
		.proc = { .pid = pid, .start_ticks = (uint64_t)pid * 10 },
	};
}

static void listener(struct machine *m, uint16_t port, pid_t pid)
{
	a_socket(m, BERTH_LOOK_LISTENER, port);
	held_by(m, pid);
}

static void make(struct machine *m, size_t entries)
{
	assert_int_equal(berth_free_plan_make(&m->scene, &m->plan), 0);
	assert_int_equal(m->plan.entry_count, entries);
}

static void judge(struct machine *m, bool yes, bool force)
{
	berth_free_plan_judge(&m->scene, &m->plan, yes, force);
}

static void end(struct machine *m)
{
	berth_free_plan_deinit(&m->plan);
}

/* --- who is a holder --- */

static void nobody_there_is_an_empty_plan(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	make(&m, 0);
	judge(&m, true, true);
	assert_int_equal(m.plan.entry_count, 0);
	end(&m);
}

static void only_living_sockets_of_our_namespace_are_held(void **state)
{
	static const struct {
		enum berth_look_kind kind;
		bool held;
	} cases[] = {
		{ BERTH_LOOK_LISTENER, true },	 { BERTH_LOOK_BOUND, true },
		{ BERTH_LOOK_CONNECTION, true }, { BERTH_LOOK_TIME_WAIT, false },
		{ BERTH_LOOK_ACCEPTED, false },
	};
	struct berth_look_socket socket = { 0 };

	(void)state;
	assert_int_equal(BERTH_ARRAY_SIZE(cases), BERTH_LOOK_KIND_COUNT_);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		socket = (struct berth_look_socket){ .kind = cases[i].kind, .inode = 7 };
		assert_int_equal(berth_free_plan_is_held(&socket), cases[i].held);
		socket.netns = 4026531840;
		assert_false(berth_free_plan_is_held(&socket));
		socket = (struct berth_look_socket){ .kind = cases[i].kind };
		assert_false(berth_free_plan_is_held(&socket));
	}
}

static void a_client_of_the_port_is_in_no_plan(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	process(&m, 600, "node");
	process(&m, 601, "curl");
	listener(&m, 8000, 600);
	a_socket(&m, BERTH_LOOK_ACCEPTED, 8000);
	held_by(&m, 601);
	make(&m, 1);
	assert_int_equal(m.procs[m.plan.entries[0].proc].id.pid, 600);
	end(&m);
}

static void an_outgoing_connection_is_a_holder(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	process(&m, 600, "curl");
	a_socket(&m, BERTH_LOOK_CONNECTION, 8080);
	held_by(&m, 600);
	make(&m, 1);
	assert_int_equal(m.plan.entries[0].how, BERTH_FREE_PROCESS);
	assert_int_equal(m.plan.entries[0].verdict, BERTH_FREE_END);
	end(&m);
}

static void all_who_inherited_a_socket_are_in_it(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	process(&m, 600, "nginx");
	process(&m, 601, "nginx");
	process(&m, 602, "sh");
	listener(&m, 8000, 600);
	held_by(&m, 601);
	held_by(&m, 602);
	make(&m, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(m.plan.entries[i].verdict, BERTH_FREE_END);
	end(&m);
}

static void a_holder_of_several_ports_is_ended_once(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	process(&m, 600, "node");
	process(&m, 601, "ruby");
	listener(&m, 5002, 600);
	listener(&m, 5003, 601);
	listener(&m, 5004, 600);
	make(&m, 2);
	assert_int_equal(m.plan.link_count, 3);
	assert_true(berth_free_plan_has_port(&m.scene, &m.plan, 0, 5002));
	assert_false(berth_free_plan_has_port(&m.scene, &m.plan, 0, 5003));
	assert_true(berth_free_plan_has_port(&m.scene, &m.plan, 0, 5004));
	assert_true(berth_free_plan_has_port(&m.scene, &m.plan, 1, 5003));
	end(&m);
}

static void who_has_gone_since_the_look_is_not_in_it(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	process(&m, 600, "node");
	listener(&m, 8000, 600);
	held_by(&m, 601); /* found by the look, and not described any more */
	m.holders[0].proc.start_ticks++; /* its pid was given again */
	make(&m, 0);
	end(&m);
}

static void what_we_inherited_ourselves_is_not_ended(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	process(&m, 600, "node");
	process(&m, SELF, "berth");
	listener(&m, 8000, 600);
	held_by(&m, SELF);
	make(&m, 1);
	assert_int_equal(m.procs[m.plan.entries[0].proc].id.pid, 600);
	end(&m);
}

/* --- how --- */

static void all_of_one_service_is_one_entry(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	process(&m, SUPERVISOR, "berth")->service = 0;
	process(&m, 600, "node")->service = 0;
	process(&m, 610, "node")->service = 1;
	listener(&m, 5000, SUPERVISOR);
	held_by(&m, 600);
	listener(&m, 5001, 600);
	listener(&m, 5002, 610);
	make(&m, 2);
	assert_int_equal(m.plan.entries[0].how, BERTH_FREE_SERVICE);
	assert_int_equal(m.plan.entries[0].service, 0);
	assert_int_equal(m.plan.entries[1].service, 1);
	/* The one that is shown is its command. */
	assert_int_equal(m.procs[m.plan.entries[0].proc].id.pid, 600);
	end(&m);
}

static void a_service_of_berth_needs_no_consent_wherever_its_folder_is(void **state)
{
	struct machine m;
	struct berth_free_proc *proc;

	(void)state;
	begin(&m);
	proc = process(&m, 600, "node");
	proc->service = 0;
	proc->here = false;
	listener(&m, 5000, 600);
	make(&m, 1);
	assert_int_equal(m.plan.entries[0].verdict, BERTH_FREE_END);
	assert_false(m.plan.entries[0].stranger);
	end(&m);
}

static void a_port_of_a_service_is_known_by_its_record_where_nobody_is_seen(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	m.look.hidden_processes = 3;
	a_socket(&m, BERTH_LOOK_LISTENER, 5001);
	a_socket(&m, BERTH_LOOK_LISTENER, 5001)->uid = OTHER; /* a stranger's beside it */
	make(&m, 2);
	assert_int_equal(m.plan.entries[0].how, BERTH_FREE_SERVICE);
	assert_int_equal(m.plan.entries[1].how, BERTH_FREE_NOTHING);
	assert_int_equal(m.plan.entries[1].reason, BERTH_FREE_HIDDEN);
	end(&m);
}

static void what_is_bound_outside_for_a_service_is_its_own_whoever_has_it(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	m.services[0].outside = true;
	m.look.hidden_processes = 1;
	a_socket(&m, BERTH_LOOK_LISTENER, 5001)->uid = OTHER; /* docker-proxy, root's */
	make(&m, 1);
	assert_int_equal(m.plan.entries[0].how, BERTH_FREE_SERVICE);
	assert_int_equal(m.plan.entries[0].verdict, BERTH_FREE_END);
	end(&m);
}

static void the_container_behind_its_proxies_is_stopped_once(void **state)
{
	struct machine m;
	const char *argv[BERTH_FREE_ARGV_MAX];

	(void)state;
	begin(&m);
	process(&m, 600, "docker-proxy")->container = 1;
	process(&m, 601, "docker-proxy")->container = 1;
	listener(&m, 8000, 600);
	listener(&m, 8000, 601);
	make(&m, 1);
	assert_int_equal(m.plan.entries[0].how, BERTH_FREE_CONTAINER);
	assert_int_equal(m.plan.entries[0].reason, BERTH_FREE_IN_CONTAINER);
	assert_int_equal(m.plan.entries[0].verdict, BERTH_FREE_NEEDS_FORCE);
	assert_true(berth_free_plan_command(&m.scene, &m.plan.entries[0], argv));
	assert_string_equal(argv[0], "docker");
	assert_string_equal(argv[1], "stop");
	assert_string_equal(argv[2], "web");
	assert_null(argv[3]);
	end(&m);
}

static void a_proxy_that_we_may_not_see_is_known_by_what_publishes_the_port(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	m.look.hidden_processes = 1;
	a_socket(&m, BERTH_LOOK_LISTENER, 8080)->uid = 0;
	a_socket(&m, BERTH_LOOK_CONNECTION, 8080)->uid = 0; /* not what it publishes by */
	make(&m, 2);
	assert_int_equal(m.plan.entries[0].how, BERTH_FREE_CONTAINER);
	assert_int_equal(m.plan.entries[0].verdict, BERTH_FREE_NEEDS_FORCE);
	assert_int_equal(m.plan.entries[1].how, BERTH_FREE_NOTHING);
	m.look.socket_count = 1;
	end(&m);
	make(&m, 1);
	judge(&m, true, true); /* another user's, but it is not by a signal of ours that it ends */
	assert_int_equal(m.plan.entries[0].verdict, BERTH_FREE_END);
	end(&m);
}

static void systemd_is_told_to_stop_the_socket_unit(void **state)
{
	struct machine m;
	struct berth_free_proc *proc;
	const char *argv[BERTH_FREE_ARGV_MAX];

	(void)state;
	begin(&m);
	proc = process(&m, 1, "systemd");
	proc->uid = 0;
	snprintf(proc->socket_unit, sizeof(proc->socket_unit), "ssh.socket");
	proc = process(&m, 700, "systemd");
	snprintf(proc->socket_unit, sizeof(proc->socket_unit), "web.socket");
	listener(&m, 22, 1);
	listener(&m, 8080, 700);
	make(&m, 2);
	assert_int_equal(m.plan.entries[0].how, BERTH_FREE_UNIT);
	assert_int_equal(m.plan.entries[0].reason, BERTH_FREE_INIT);
	assert_true(berth_free_plan_command(&m.scene, &m.plan.entries[0], argv));
	assert_string_equal(argv[0], "systemctl");
	assert_string_equal(argv[1], "stop");
	assert_string_equal(argv[2], "ssh.socket");
	assert_null(argv[3]);
	assert_true(berth_free_plan_command(&m.scene, &m.plan.entries[1], argv));
	assert_string_equal(argv[1], "--user");
	assert_string_equal(argv[2], "stop");
	assert_string_equal(argv[3], "web.socket");
	assert_null(argv[4]);
	end(&m);
}

static void a_process_has_no_command_that_ends_it(void **state)
{
	struct machine m;
	const char *argv[BERTH_FREE_ARGV_MAX];

	(void)state;
	begin(&m);
	process(&m, 600, "node");
	listener(&m, 8000, 600);
	make(&m, 1);
	assert_false(berth_free_plan_command(&m.scene, &m.plan.entries[0], argv));
	end(&m);
}

/* --- what stands against it: a table --- */

struct reason_case {
	const char *what;
	pid_t pid;
	const char *comm;
	uid_t uid;
	bool here;
	const char *container; /* of its cgroup */
	size_t stopped_as; /* index of the container, or NONE */
	enum berth_free_reason reason;
	enum berth_free_how how;
	/* The verdicts: without consent, with yes, with force, with both. */
	enum berth_free_verdict verdicts[4];
};

#define NONE BERTH_FREE_NONE
#define END BERTH_FREE_END
#define YES BERTH_FREE_NEEDS_YES
#define FORCE BERTH_FREE_NEEDS_FORCE
#define NEVER BERTH_FREE_NEVER

static const struct reason_case reason_cases[] = {
	{ "this project's",
	  600,
	  "node",
	  ME,
	  true,
	  "",
	  NONE,
	  BERTH_FREE_NO_REASON,
	  BERTH_FREE_PROCESS,
	  { END, END, END, END } },
	{ "another project's",
	  600,
	  "node",
	  ME,
	  false,
	  "",
	  NONE,
	  BERTH_FREE_NO_REASON,
	  BERTH_FREE_PROCESS,
	  { YES, END, YES, END } },
	{ "another user's, in this project",
	  600,
	  "node",
	  OTHER,
	  true,
	  "",
	  NONE,
	  BERTH_FREE_OTHER_USER,
	  BERTH_FREE_PROCESS,
	  { NEVER, NEVER, NEVER, NEVER } },
	{ "root's",
	  600,
	  "nginx",
	  0,
	  false,
	  "",
	  NONE,
	  BERTH_FREE_OTHER_USER,
	  BERTH_FREE_PROCESS,
	  { NEVER, NEVER, NEVER, NEVER } },
	{ "our shell",
	  SHELL,
	  "bash",
	  ME,
	  true,
	  "",
	  NONE,
	  BERTH_FREE_ANCESTOR,
	  BERTH_FREE_PROCESS,
	  { FORCE, FORCE, END, END } },
	{ "what our shell runs in",
	  350,
	  "tmux: server",
	  ME,
	  false,
	  "",
	  NONE,
	  BERTH_FREE_ANCESTOR,
	  BERTH_FREE_PROCESS,
	  { FORCE, FORCE, YES, END } },
	{ "process 1",
	  1,
	  "node",
	  ME,
	  true,
	  "",
	  NONE,
	  BERTH_FREE_INIT,
	  BERTH_FREE_PROCESS,
	  { FORCE, FORCE, END, END } },
	{ "our systemd",
	  601,
	  "systemd",
	  ME,
	  false,
	  "",
	  NONE,
	  BERTH_FREE_INIT,
	  BERTH_FREE_PROCESS,
	  { FORCE, FORCE, YES, END } },
	{ "an sshd of ours",
	  600,
	  "sshd",
	  ME,
	  true,
	  "",
	  NONE,
	  BERTH_FREE_SSHD,
	  BERTH_FREE_PROCESS,
	  { FORCE, FORCE, END, END } },
	{ "the sshd of a session",
	  600,
	  "sshd-session",
	  ME,
	  false,
	  "",
	  NONE,
	  BERTH_FREE_SSHD,
	  BERTH_FREE_PROCESS,
	  { FORCE, FORCE, YES, END } },
	{ "a client of ssh is none",
	  600,
	  "ssh",
	  ME,
	  true,
	  "",
	  NONE,
	  BERTH_FREE_NO_REASON,
	  BERTH_FREE_PROCESS,
	  { END, END, END, END } },
	{ "a proxy of nobody knows what",
	  600,
	  "rootlessport",
	  ME,
	  false,
	  "",
	  NONE,
	  BERTH_FREE_IN_CONTAINER,
	  BERTH_FREE_PROCESS,
	  { FORCE, FORCE, YES, END } },
	{ "a proxy of a container",
	  600,
	  "rootlessport",
	  ME,
	  false,
	  "",
	  0,
	  BERTH_FREE_IN_CONTAINER,
	  BERTH_FREE_CONTAINER,
	  { FORCE, FORCE, YES, END } },
	{ "within a container",
	  600,
	  "node",
	  ME,
	  false,
	  "4f3a",
	  0,
	  BERTH_FREE_IN_CONTAINER,
	  BERTH_FREE_CONTAINER,
	  { FORCE, FORCE, YES, END } },
	{ "within a container that nobody can stop",
	  600,
	  "node",
	  ME,
	  false,
	  "4f3a",
	  NONE,
	  BERTH_FREE_IN_CONTAINER,
	  BERTH_FREE_PROCESS,
	  { FORCE, FORCE, YES, END } },
	{ "within our own container",
	  600,
	  "node",
	  ME,
	  true,
	  "c0ffee",
	  0,
	  BERTH_FREE_NO_REASON,
	  BERTH_FREE_PROCESS,
	  { END, END, END, END } },
};

static const bool yes_of[] = { false, true, false, true };
static const bool force_of[] = { false, false, true, true };

static void what_stands_against_ending_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(reason_cases); i++) {
		const struct reason_case *c = &reason_cases[i];
		struct berth_free_proc *proc;
		struct machine m;

		begin(&m);
		m.scene.container = "c0ffee";
		proc = process(&m, c->pid, c->comm);
		proc->uid = c->uid;
		proc->here = c->here;
		proc->container = c->stopped_as;
		snprintf(proc->place.container, sizeof(proc->place.container), "%s", c->container);
		listener(&m, 8000, c->pid);
		make(&m, 1);
		for (size_t k = 0; k < 4; k++) {
			judge(&m, yes_of[k], force_of[k]);
			if (m.plan.entries[0].reason != c->reason ||
			    m.plan.entries[0].how != c->how ||
			    m.plan.entries[0].verdict != c->verdicts[k])
				fail_msg("%s, yes %d, force %d: %s, %s, %s", c->what, yes_of[k],
					 force_of[k],
					 berth_free_reason_name(m.plan.entries[0].reason),
					 berth_free_how_name(m.plan.entries[0].how),
					 berth_free_verdict_name(m.plan.entries[0].verdict));
		}
		end(&m);
	}
}

static void root_may_end_another_users_if_it_insists(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	m.scene.uid = 0;
	process(&m, 600, "postgres");
	listener(&m, 5432, 600);
	make(&m, 1);
	assert_int_equal(m.plan.entries[0].reason, BERTH_FREE_OTHER_USER);
	assert_int_equal(m.plan.entries[0].verdict, FORCE);
	judge(&m, true, false);
	assert_int_equal(m.plan.entries[0].verdict, FORCE);
	judge(&m, false, true); /* another user's is no part of our project, wherever it is */
	assert_int_equal(m.plan.entries[0].verdict, YES);
	judge(&m, true, true);
	assert_int_equal(m.plan.entries[0].verdict, END);
	end(&m);
}

static void what_nobody_is_seen_to_hold_is_never_ended(void **state)
{
	static const struct {
		unsigned int hidden;
		enum berth_free_reason reason;
	} cases[] = { { 0, BERTH_FREE_KERNEL }, { 1, BERTH_FREE_HIDDEN } };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		struct machine m;

		begin(&m);
		m.look.hidden_processes = cases[i].hidden;
		a_socket(&m, BERTH_LOOK_LISTENER, 2049)->uid = 70;
		make(&m, 1);
		judge(&m, true, true);
		assert_int_equal(m.plan.entries[0].reason, cases[i].reason);
		assert_int_equal(m.plan.entries[0].how, BERTH_FREE_NOTHING);
		assert_int_equal(m.plan.entries[0].verdict, NEVER);
		assert_int_equal(m.plan.entries[0].uid, 70);
		end(&m);
	}
}

static void the_service_that_we_run_in_is_an_ancestor(void **state)
{
	static const pid_t within[] = { SHELL, SUPERVISOR };
	static const pid_t below[] = { SHELL, GUARDIAN };
	struct machine m;

	(void)state;
	begin(&m);
	process(&m, 600, "node")->service = 0;
	listener(&m, 5000, 600);
	m.scene.ancestors = within;
	make(&m, 1);
	assert_int_equal(m.plan.entries[0].reason, BERTH_FREE_ANCESTOR);
	assert_int_equal(m.plan.entries[0].verdict, FORCE);
	end(&m);
	m.scene.ancestors = below;
	make(&m, 1);
	assert_int_equal(m.plan.entries[0].reason, BERTH_FREE_ANCESTOR);
	end(&m);
	/* A supervisor that has gone has no number: nobody's ancestor. */
	m.services[0].supervisor = m.services[0].guardian = 0;
	m.scene.ancestors = (const pid_t[]){ 0, 0 };
	make(&m, 1);
	assert_int_equal(m.plan.entries[0].reason, BERTH_FREE_NO_REASON);
	end(&m);
}

/* --- nobody is ended for nothing --- */

static void who_shares_his_only_port_with_one_that_stays_is_left_alone(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	process(&m, 600, "node");
	process(&m, SHELL, "bash");
	listener(&m, 8000, SHELL);
	held_by(&m, 600);
	make(&m, 2);
	judge(&m, true, false);
	assert_int_equal(m.plan.entries[0].verdict, FORCE);
	assert_int_equal(m.plan.entries[1].verdict, BERTH_FREE_IN_VAIN);
	assert_ptr_equal(berth_free_plan_stays(&m.scene, &m.plan, 8000), &m.plan.entries[0]);
	judge(&m, true, true);
	assert_int_equal(m.plan.entries[0].verdict, END);
	assert_int_equal(m.plan.entries[1].verdict, END);
	assert_null(berth_free_plan_stays(&m.scene, &m.plan, 8000));
	end(&m);
}

static void another_address_of_the_same_port_counts_as_the_port(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	process(&m, 600, "node");
	process(&m, 601, "node")->here = false;
	listener(&m, 8000, 600);
	listener(&m, 8000, 601);
	m.sockets[1].local = berth_addr_loopback(AF_INET6, 8000);
	make(&m, 2);
	assert_int_equal(m.plan.entries[0].verdict, BERTH_FREE_IN_VAIN);
	assert_int_equal(m.plan.entries[1].verdict, YES);
	end(&m);
}

static void who_has_a_second_port_that_becomes_free_is_ended(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	process(&m, 600, "node");
	process(&m, 601, "sshd");
	listener(&m, 5002, 600);
	listener(&m, 5003, 600);
	listener(&m, 5003, 601);
	make(&m, 2);
	assert_int_equal(m.plan.entries[0].verdict, END);
	assert_int_equal(m.plan.entries[1].verdict, FORCE);
	assert_null(berth_free_plan_stays(&m.scene, &m.plan, 5002));
	assert_ptr_equal(berth_free_plan_stays(&m.scene, &m.plan, 5003), &m.plan.entries[1]);
	end(&m);
}

static void of_a_range_the_ones_are_ended_and_the_others_left(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	process(&m, 600, "node");
	process(&m, 601, "java")->here = false;
	process(&m, 602, "ruby")->service = 1;
	listener(&m, 5002, 600);
	listener(&m, 5003, 601);
	listener(&m, 5004, 602);
	make(&m, 3);
	assert_int_equal(m.plan.entries[0].verdict, END);
	assert_int_equal(m.plan.entries[1].verdict, YES);
	assert_int_equal(m.plan.entries[2].verdict, END);
	end(&m);
}

/* --- whether it may come back --- */

static void it_may_return_where_something_lives_that_would_start_it(void **state)
{
	struct berth_free_proc orphan = { .parent = 1, .container = BERTH_FREE_NONE };
	struct berth_free_proc proc = orphan;

	(void)state;
	assert_false(berth_free_plan_may_return(&proc));
	proc.parent = 0; /* from outside of our pid namespace */
	assert_false(berth_free_plan_may_return(&proc));
	proc.parent = 600;
	assert_true(berth_free_plan_may_return(&proc));
	proc.under_shell = true;
	assert_false(berth_free_plan_may_return(&proc));

	proc = orphan;
	snprintf(proc.place.unit, sizeof(proc.place.unit), "nginx.service");
	assert_true(berth_free_plan_may_return(&proc));
	snprintf(proc.place.unit, sizeof(proc.place.unit), "session-3.scope");
	assert_false(berth_free_plan_may_return(&proc));
	proc = orphan;
	proc.container = 0;
	assert_true(berth_free_plan_may_return(&proc));
	proc = orphan;
	snprintf(proc.place.container, sizeof(proc.place.container), "4f3a");
	assert_true(berth_free_plan_may_return(&proc));
}

static void each_word_of_the_json_has_its_name(void **state)
{
	(void)state;
	assert_string_equal(berth_free_how_name(BERTH_FREE_SERVICE), "service");
	assert_string_equal(berth_free_reason_name(BERTH_FREE_KERNEL), "kernel");
	assert_string_equal(berth_free_verdict_name(BERTH_FREE_IN_VAIN), "in-vain");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_there_is_an_empty_plan),
		cmocka_unit_test(only_living_sockets_of_our_namespace_are_held),
		cmocka_unit_test(a_client_of_the_port_is_in_no_plan),
		cmocka_unit_test(an_outgoing_connection_is_a_holder),
		cmocka_unit_test(all_who_inherited_a_socket_are_in_it),
		cmocka_unit_test(a_holder_of_several_ports_is_ended_once),
		cmocka_unit_test(who_has_gone_since_the_look_is_not_in_it),
		cmocka_unit_test(what_we_inherited_ourselves_is_not_ended),
		cmocka_unit_test(all_of_one_service_is_one_entry),
		cmocka_unit_test(a_service_of_berth_needs_no_consent_wherever_its_folder_is),
		cmocka_unit_test(a_port_of_a_service_is_known_by_its_record_where_nobody_is_seen),
		cmocka_unit_test(what_is_bound_outside_for_a_service_is_its_own_whoever_has_it),
		cmocka_unit_test(the_container_behind_its_proxies_is_stopped_once),
		cmocka_unit_test(a_proxy_that_we_may_not_see_is_known_by_what_publishes_the_port),
		cmocka_unit_test(systemd_is_told_to_stop_the_socket_unit),
		cmocka_unit_test(a_process_has_no_command_that_ends_it),
		cmocka_unit_test(what_stands_against_ending_it),
		cmocka_unit_test(root_may_end_another_users_if_it_insists),
		cmocka_unit_test(what_nobody_is_seen_to_hold_is_never_ended),
		cmocka_unit_test(the_service_that_we_run_in_is_an_ancestor),
		cmocka_unit_test(who_shares_his_only_port_with_one_that_stays_is_left_alone),
		cmocka_unit_test(another_address_of_the_same_port_counts_as_the_port),
		cmocka_unit_test(who_has_a_second_port_that_becomes_free_is_ended),
		cmocka_unit_test(of_a_range_the_ones_are_ended_and_the_others_left),
		cmocka_unit_test(it_may_return_where_something_lives_that_would_start_it),
		cmocka_unit_test(each_word_of_the_json_has_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
