/* SPDX-License-Identifier: MIT */
/* unit/cli/test-run-job.c - command lines of berth run in, jobs and refusals out */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/commands.h"
#include "cli/run.h"
#include "stack/manifest.h"

enum {
	MAX_WORDS = 12
};

/* One parsed line, and the job it came to. */
struct filled {
	struct berth_cli cli;
	struct berth_run_args args;
	struct berth_job job;
	struct berth_err err;
	int r;
};

/* With what the user has settled; @grace_ms 0: nothing. */
static void fill_settled(struct filled *f, const char *const *words, int64_t grace_ms)
{
	/* Large, and of use to one job at a time. */
	static struct berth_run_files files;

	memset(&files, 0, sizeof(files));
	*f = (struct filled){ .cli.cmd = &berth_cmd_run };
	f->cli.settings.has_grace = grace_ms != 0;
	f->cli.settings.grace_ms = grace_ms;
	f->r = berth_opt_parse(&berth_cmd_run, words, &f->cli.common, &f->args, &f->cli.operands,
			       &f->err);
	if (f->r == 0)
		f->r = berth_run_fill(&f->args, &f->cli, &files, &f->job, &f->err);
}

static void fill(struct filled *f, const char *const *words)
{
	fill_settled(f, words, 0);
}

/* A job keeps its paths for the life of the process: that of a test is over here. */
static void forget(struct filled *f)
{
	free((void *)(uintptr_t)f->job.pid_file);
	free((void *)(uintptr_t)f->job.lock_file);
	free((void *)(uintptr_t)f->job.ports_file);
	berth_identity_deinit(&f->job.identity);
	berth_opt_deinit(&berth_cmd_run, &f->args, &f->cli.operands);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void a_plain_line_has_the_documented_defaults(void **state)
{
	struct filled f;

	fill(&f, WORDS("x"));
	assert_int_equal(f.r, 0);
	assert_int_equal(f.job.workers, 1);
	assert_int_equal(f.job.instances, 1);
	assert_int_equal(f.job.policy.restart, BERTH_SERVICE_RESTART_NO);
	assert_true(f.job.policy.backoff_ns == INT64_C(100000000));
	assert_true(f.job.policy.backoff_max_ns == INT64_C(30000000000));
	assert_true(f.job.policy.stable_ns == INT64_C(10000000000));
	assert_int_equal(f.job.policy.limit, 5);
	assert_true(f.job.policy.limit_ns == INT64_C(10000000000));
	assert_true(f.job.policy.start_timeout_ns == 0);
	assert_true(f.job.policy.grace_ns == INT64_C(10000000000));
	assert_true(f.job.policy.notice_ns == INT64_C(30000000000));
	assert_true(f.job.policy.daemon_ns == INT64_C(5000000000));
	assert_int_equal(f.job.stop_signal, SIGTERM);
	assert_int_equal(f.job.hold_ms, 30000);
	assert_int_equal(f.job.ready.kind, BERTH_CHECK_LISTEN);
	assert_int_equal(f.job.live.kind, BERTH_CHECK_NONE);
	assert_int_equal(f.job.probe.initial_delay_ms, 0);
	assert_int_equal(f.job.probe.period_ms, 10000);
	assert_int_equal(f.job.probe.timeout_ms, 1000);
	assert_int_equal(f.job.probe.success_threshold, 1);
	assert_int_equal(f.job.probe.failure_threshold, 3);
	assert_int_equal(f.job.log.size, 10 << 20);
	assert_int_equal(f.job.log.files, 5);
	assert_int_equal(f.job.log.age_ms, 7 * 24 * 3600 * 1000);
	assert_false(f.job.tty);
	forget(&f);
}

static void the_users_grace_counts_where_no_option_says_another(void **state)
{
	struct filled f;

	fill_settled(&f, WORDS("x"), 3000);
	assert_true(f.job.policy.grace_ns == INT64_C(3000000000));
	forget(&f);
	fill_settled(&f, WORDS("--grace", "10s", "x"), 3000);
	assert_true(f.job.policy.grace_ns == INT64_C(10000000000));
	forget(&f);
}

static void a_service_of_a_stack_has_the_same_ones(void **state)
{
	struct berth_manifest_service service;
	struct filled f;

	berth_manifest_service_init(&service, "x");
	fill(&f, WORDS("x"));
	assert_int_equal(f.r, 0);
	assert_int_equal(service.policy.grace_ns, BERTH_MANIFEST_UNSAID);
	service.policy.grace_ns = f.job.policy.grace_ns; /* test-stack.c: what its job has then */
	assert_memory_equal(&service.policy, &f.job.policy, sizeof(service.policy));
	assert_memory_equal(&service.probe, &f.job.probe, sizeof(service.probe));
	assert_memory_equal(&service.log, &f.job.log, sizeof(service.log));
	assert_memory_equal(&service.wish, &f.job.wish, sizeof(service.wish));
	assert_int_equal(service.ready.kind, f.job.ready.kind);
	assert_int_equal(service.live.kind, f.job.live.kind);
	assert_int_equal(service.stop_signal, f.job.stop_signal);
	assert_int_equal(service.hold_ms, f.job.hold_ms);
	assert_int_equal(service.workers, f.job.workers);
	assert_int_equal(service.instances, f.job.instances);
	assert_int_equal(service.steer, f.job.scope);
	assert_int_equal(service.loopback, f.job.loopback);
	assert_int_equal(service.outside, f.job.outside);
	forget(&f);

	fill(&f, WORDS("--port=none", "x"));
	assert_int_equal(f.r, 0);
	assert_int_equal(f.job.ready.kind, BERTH_CHECK_NONE);
	forget(&f);
}

static void each_option_of_a_life_reaches_the_job(void **state)
{
	struct filled f;

	fill(&f, WORDS("-d", "--restart=on-failure", "--backoff=0", "--backoff-max=2s",
		       "--restart-limit=none", "--hold=0", "--stop-signal=SIGINT",
		       "--start-timeout=5s", "--workers=4", "--tty", "x"));
	assert_int_equal(f.r, 0);
	assert_int_equal(f.job.policy.restart, BERTH_SERVICE_RESTART_ON_FAILURE);
	assert_true(f.job.policy.backoff_ns == 0);
	assert_true(f.job.policy.backoff_max_ns == INT64_C(2000000000));
	assert_int_equal(f.job.policy.limit, 0);
	assert_true(f.job.hold_ms == 0);
	assert_int_equal(f.job.stop_signal, SIGINT);
	assert_true(f.job.policy.start_timeout_ns == INT64_C(5000000000));
	assert_int_equal(f.job.workers, 4);
	assert_true(f.job.tty);
	forget(&f);
}

static void each_option_of_checks_and_logs_reaches_the_job(void **state)
{
	struct filled f;

	fill(&f, WORDS("-d", "--ready=http /up", "--live=tcp", "--probe-initial-delay=1s",
		       "--probe-period=2s", "--probe-timeout=3s", "--probe-success-threshold=4",
		       "--probe-failure-threshold=5", "--log-size=1M", "--log-files=2",
		       "--log-age=1h", "x"));
	assert_int_equal(f.r, 0);
	assert_int_equal(f.job.ready.kind, BERTH_CHECK_HTTP);
	assert_string_equal(f.job.ready.arg, "/up");
	assert_int_equal(f.job.live.kind, BERTH_CHECK_TCP);
	assert_int_equal(f.job.probe.initial_delay_ms, 1000);
	assert_int_equal(f.job.probe.period_ms, 2000);
	assert_int_equal(f.job.probe.timeout_ms, 3000);
	assert_int_equal(f.job.probe.success_threshold, 4);
	assert_int_equal(f.job.probe.failure_threshold, 5);
	assert_int_equal(f.job.log.size, 1 << 20);
	assert_int_equal(f.job.log.files, 2);
	assert_int_equal(f.job.log.age_ms, 3600000);
	forget(&f);
}

static void what_goes_not_together_is_refused(void **state)
{
	static const struct {
		const char *line[MAX_WORDS];
		const char *msg;
	} cases[] = {
		{ { "--workers=2", "--instances=2" }, "--workers goes not with --instances" },
		{ { "--outside", "--workers=2" }, "--outside goes not with --workers" },
		{ { "--outside", "--pass-socket" }, "--outside goes not with --pass-socket" },
		{ { "--outside", "--loopback" }, "--outside goes not with --loopback" },
		{ { "--outside", "--map=1:2" }, "--outside goes not with --map" },
		{ { "--outside", "--port=none" },
		  "--outside needs a port, and --port none is none" },
		{ { "--outside", "--ready=listen" },
		  "--outside: a listen() of a process that is not ours is not seen" },
		{ { "--stop-command=x", "--workers=2" }, "--stop-command goes not with --workers" },
		{ { "--workers=65" }, "--workers: '65' is not a number from 1 to 64" },
		{ { "--instances=101" }, "--instances: '101' is not a number from 1 to 100" },
		{ { "--workers=2", "--pid-file=f" },
		  "--pid-file and --lock-file name one process, not several workers" },
		{ { "--instances=2", "--lock-file=f" },
		  "--pid-file and --lock-file name one process, not several instances" },
		{ { "--instances=2", "--ports-file" },
		  "--ports-file has one port for each name, not several instances" },
		{ { "--instances=2", "--new" },
		  "--new is one more instance; --instances counts them all" },
		{ { "--instances=2", "--strict" },
		  "--strict: only one instance can have the wish" },
		{ { "--instances=2", "--map=1:2" }, "--map: only one instance can have the port" },
		{ { "--ask", "--free" }, "--ask goes not with --free" },
		{ { "--ask", "--port=5000" }, "--ask needs a terminal, and somebody at it" },
		{ { "--tty" }, "--tty needs -d: in the foreground it has your terminal" },
		{ { "--log-size=1M" }, "--log-size, --log-files and --log-age need -d" },
		{ { "--log-files=1" }, "--log-size, --log-files and --log-age need -d" },
		{ { "--log-age=1h" }, "--log-size, --log-files and --log-age need -d" },
		{ { "-d", "--log-size=1k" }, "--log-size: '1k' is too small, at least 64K" },
		{ { "--stop-signal=KILL" },
		  "--stop-signal: SIGKILL does not ask, and leaves no time to end" },
		{ { "--stop-signal=STOP" }, "--stop-signal: SIGSTOP ends nothing" },
		{ { "--stop-signal=CONT" }, "--stop-signal: SIGCONT ends nothing" },
		{ { "--backoff=1m" }, "--backoff is longer than --backoff-max" },
		{ { "--restart-limit=33/10s" },
		  "--restart-limit: '33/10s' is not a limit of 1 to 32 in a time above 0, nor \"none\"" },
		{ { "--port=none", "--ready=listen" },
		  "--port none: nothing can be asked on a port" },
		{ { "--port=none", "--ready=tcp" }, "--port none: nothing can be asked on a port" },
		{ { "--port=none", "--ready=http /" },
		  "--port none: nothing can be asked on a port" },
		{ { "--port=none", "--live=tcp" }, "--live needs a port, and --port none is none" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		const char *line[MAX_WORDS + 1] = { 0 };
		struct filled f;
		size_t count = 0;

		while (cases[i].line[count]) {
			line[count] = cases[i].line[count];
			count++;
		}
		line[count] = "x";
		fill(&f, line);
		assert_int_equal(f.r, -EINVAL);
		assert_int_equal(f.err.code, BERTH_ERR_USAGE);
		assert_string_equal(f.err.msg, cases[i].msg);
		forget(&f);
	}
}

static void what_goes_together_is_taken(void **state)
{
	static const char *const lines[][MAX_WORDS] = {
		{ "--workers=64", "x" },
		{ "--instances=100", "--port=5000", "x" },
		{ "--workers=1", "--instances=1", "--pid-file=f", "--new", "x" },
		{ "--workers=2", "--new", "--ports-file", "--strict", "--map=1:2", "x" },
		{ "--workers=2", "--pass-socket", "--port=5000", "x" },
		{ "--free", "--port=5000", "x" },
		{ "--free=any", "--range=5000-5010", "x" },
		{ "--ready=notify", "x" },
		{ "--ready=log listening on", "x" },
		{ "--port=none", "--ready=notify", "x" },
		{ "--port=none", "--ready=log up", "x" },
		{ "--steer=off", "--restart=always", "--hold=1m", "x" },
		{ "--stop-signal=WINCH", "x" },
		{ "-d", "--tty", "--workers=2", "--log-age=1m", "x" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(lines); i++) {
		struct filled f;

		fill(&f, lines[i]);
		assert_string_equal(f.err.msg, "");
		assert_int_equal(f.r, 0);
		forget(&f);
	}
}

static void without_a_port_a_service_is_ready_when_it_runs(void **state)
{
	struct filled f;

	fill(&f, WORDS("--port=none", "x"));
	assert_int_equal(f.r, 0);
	assert_true(f.job.no_port);
	assert_int_equal(f.job.ready.kind, BERTH_CHECK_NONE);
	forget(&f);
}

static void what_has_ports_may_be_ready_when_it_runs_too(void **state)
{
	static const char *const lines[][MAX_WORDS] = {
		{ "--ready=started", "x" },
		{ "--ready=started", "--port=80", "x" },
		{ "--ready=started", "--port=none", "x" },
		{ "--ready=started", "--outside", "--port=80", "x" },
	};
	struct filled f;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(lines); i++) {
		fill(&f, lines[i]);
		assert_string_equal(f.err.msg, "");
		assert_int_equal(f.job.ready.kind, BERTH_CHECK_NONE);
		forget(&f);
	}
}

static void instances_do_not_tell_a_port_that_nobody_wished_for(void **state)
{
	struct filled f;

	fill(&f, WORDS("--instances=3", "x"));
	assert_int_equal(f.r, 0);
	assert_false(f.job.tell_port);
	forget(&f);
	fill(&f, WORDS("--instances=3", "--port=5000", "x"));
	assert_int_equal(f.r, 0);
	assert_true(f.job.tell_port);
	forget(&f);
}

static void outside_is_ready_by_a_probe_and_has_no_filter(void **state)
{
	struct filled f;

	fill(&f, WORDS("--outside", "--stop-command", "docker rm -f {id}", "x"));
	assert_int_equal(f.r, 0);
	assert_true(f.job.outside);
	assert_true(f.job.tell_port);
	assert_int_equal(f.job.scope, BERTH_STEER_OFF);
	assert_int_equal(f.job.ready.kind, BERTH_CHECK_TCP);
	assert_string_equal(f.job.stop_argv[0], "/bin/sh");
	assert_string_equal(f.job.stop_argv[1], "-c");
	assert_string_equal(f.job.stop_argv[2], "docker rm -f {id}");
	assert_null(f.job.stop_argv[3]);
	forget(&f);
	fill(&f, WORDS("--outside", "--ready=http /", "--live=exec true", "x"));
	assert_int_equal(f.r, 0);
	assert_int_equal(f.job.ready.kind, BERTH_CHECK_HTTP);
	assert_int_equal(f.job.live.kind, BERTH_CHECK_EXEC);
	assert_null(f.job.stop_argv);
	forget(&f);
}

static void a_stop_command_with_a_port_needs_its_number_beforehand(void **state)
{
	struct filled f;

	fill(&f, WORDS("--stop-command=fuser -k {port}/tcp", "x"));
	assert_int_equal(f.r, 0);
	assert_true(f.job.tell_port);
	assert_false(f.job.outside);
	forget(&f);
	fill(&f, WORDS("--stop-command=rm -f lock", "x"));
	assert_int_equal(f.r, 0);
	assert_false(f.job.tell_port);
	forget(&f);
}

static void without_a_port_a_command_can_be_the_check(void **state)
{
	struct filled f;

	fill(&f, WORDS("--port=none", "--ready=exec true", "--live=exec:true", "x"));
	assert_int_equal(f.r, 0);
	assert_int_equal(f.job.ready.kind, BERTH_CHECK_EXEC);
	assert_int_equal(f.job.live.kind, BERTH_CHECK_EXEC);
	forget(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_line_has_the_documented_defaults),
		cmocka_unit_test(the_users_grace_counts_where_no_option_says_another),
		cmocka_unit_test(a_service_of_a_stack_has_the_same_ones),
		cmocka_unit_test(each_option_of_a_life_reaches_the_job),
		cmocka_unit_test(each_option_of_checks_and_logs_reaches_the_job),
		cmocka_unit_test(what_goes_not_together_is_refused),
		cmocka_unit_test(what_goes_together_is_taken),
		cmocka_unit_test(without_a_port_a_service_is_ready_when_it_runs),
		cmocka_unit_test(what_has_ports_may_be_ready_when_it_runs_too),
		cmocka_unit_test(instances_do_not_tell_a_port_that_nobody_wished_for),
		cmocka_unit_test(outside_is_ready_by_a_probe_and_has_no_filter),
		cmocka_unit_test(a_stop_command_with_a_port_needs_its_number_beforehand),
		cmocka_unit_test(without_a_port_a_command_can_be_the_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
