/* SPDX-License-Identifier: MIT */
/* app/stop-order.c - stop commands of services whose supervisor was killed, carried out for it */
#include "app/stop-order.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "app/unit.h"
#include "base/time.h"
#include "os/child.h"

enum {
	AT_ONCE = 64, /* a descriptor each */
	PATIENCE_MAX_MS = 24 * 3600 * 1000,
};

struct running {
	struct berth_child child;
	int64_t deadline_ns;
};

/* Ours, and the order's over it. */
static void build_environment(const json_t *order, struct berth_unit_words *env)
{
	const json_t *pair;
	size_t i;

	for (char **word = environ; *word; word++)
		berth_unit_add_word(env, strdup(*word));
	json_array_foreach (json_object_get(order, "env"), i, pair) {
		const char *text = json_string_value(pair);
		const char *equals = text ? strchr(text, '=') : NULL;
		BERTH_AUTO_FREE char *name = equals ? strndup(text, (size_t)(equals - text)) : NULL;

		if (name)
			berth_unit_set(env, name, equals + 1);
	}
}

int64_t berth_stop_order_patience_ms(const json_t *order)
{
	int64_t ms = berth_json_int(order, "patience_ms", 0);

	if (ms < BERTH_STOP_ORDER_PATIENCE_MS)
		return BERTH_STOP_ORDER_PATIENCE_MS;
	return ms < PATIENCE_MAX_MS ? ms : PATIENCE_MAX_MS;
}

static bool start(const json_t *order, int out_fd, struct running *running)
{
	BERTH_AUTO_FREE const char **argv = berth_json_strings(json_object_get(order, "argv"));
	BERTH_AUTO_FD int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct berth_unit_words env = { 0 };
	struct berth_child_spec spec = {
		.argv = argv,
		.cwd = berth_json_string(order, "cwd", "/"),
		.stdin_fd = null_fd,
		.stdout_fd = out_fd,
		.stderr_fd = out_fd,
		.new_session = true,
		.cgroup_fd = -1,
	};
	enum berth_child_stage stage;
	int r = -1;

	if (!argv || !argv[0])
		return false;
	build_environment(order, &env);
	if (!env.failed) {
		spec.envp = (const char *const *)env.items;
		sigemptyset(&spec.signal_mask);
		r = berth_child_start(&spec, &running->child, &stage);
	}
	berth_unit_free_words(env.items);
	running->deadline_ns =
		berth_time_mono_ns() + berth_stop_order_patience_ms(order) * BERTH_NS_PER_MS;
	return r == 0;
}

/* Until it has ended, or its time is over. Has it ended well? */
static bool finish(struct running *running)
{
	int64_t left_ms = (running->deadline_ns - berth_time_mono_ns()) / BERTH_NS_PER_MS;
	struct pollfd poll_fd = { .fd = running->child.pidfd, .events = POLLIN };
	siginfo_t info = { 0 };

	while (poll(&poll_fd, 1, left_ms > 0 ? (int)left_ms : 0) < 0)
		left_ms = (running->deadline_ns - berth_time_mono_ns()) / BERTH_NS_PER_MS;
	/* It leads a session, so it leads its group; and it is not reaped yet, so that is its own. */
	if (!poll_fd.revents)
		kill(-running->child.pid, SIGKILL);
	waitid(P_PIDFD, (id_t)running->child.pidfd, &info, WEXITED);
	berth_child_deinit(&running->child);
	return info.si_code == CLD_EXITED && info.si_status == 0;
}

size_t berth_stop_order_run_all(const json_t *orders, int out_fd)
{
	struct running *running = calloc(AT_ONCE, sizeof(*running));
	size_t size = json_array_size(orders), failed = 0, count;

	for (size_t next = 0; running && next < size;) {
		for (count = 0; next < size && count < AT_ONCE; next++) {
			if (start(json_array_get(orders, next), out_fd, &running[count]))
				count++;
			else
				failed++;
		}
		for (size_t i = 0; i < count; i++)
			failed += !finish(&running[i]);
	}
	if (!running)
		failed = size;
	free(running);
	return failed;
}
