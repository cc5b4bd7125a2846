/* SPDX-License-Identifier: MIT */
/* cli/run-free.c - before a start: end who holds the wish (--free=any), or ask what to do (--ask) */
#include "cli/run.h"

#include <errno.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/freeing.h"
#include "cli/services.h"

/* The number of each port, and the range, where there is one. */
struct wanted {
	struct berth_range ranges[BERTH_WISH_PORTS_MAX + 1];
	size_t count;
};

static void add(struct wanted *wanted, uint16_t lo, uint16_t hi)
{
	if (lo)
		wanted->ranges[wanted->count++] = (struct berth_range){ lo, hi };
}

static void add_ports(struct wanted *wanted, const struct berth_wish *wish, bool udp)
{
	for (size_t i = 0; i < wish->port_count; i++)
		if (wish->ports[i].udp == udp && wish->ports[i].list_len)
			add(wanted, wish->ports[i].list[0], wish->ports[i].list[0]);
}

/* What a start would like best, not all it could do with. */
static struct wanted first_choice(const struct berth_wish *wish)
{
	struct wanted wanted = { 0 };

	add_ports(&wanted, wish, false);
	if (!wanted.count)
		add(&wanted, wish->range.lo, wish->range.lo);
	return wanted;
}

struct round {
	struct berth_services services;
	struct berth_free all;
};

static int look(struct round *round, const struct wanted *wanted, bool udp, struct berth_err *err)
{
	struct berth_free_query query = {
		.ranges = wanted->ranges, .count = wanted->count, .tcp = !udp, .udp = udp
	};
	int r = berth_services_load(&round->services, err);

	if (r < 0)
		return r;
	query.registry = &round->services.registry;
	query.records = round->services.records;
	r = berth_free_look(&query, &round->all, err);
	if (r < 0)
		berth_services_deinit(&round->services);
	else
		berth_free_plan_judge(&round->all.scene, &round->all.plan, true, false);
	return r;
}

static void end_round(struct round *round)
{
	berth_free_deinit(&round->all);
	berth_services_deinit(&round->services);
}

/* Whoever comes back is too late: the port is taken at once. */
static void end_holders(struct berth_cli *cli, struct berth_free *all)
{
	const struct berth_free_spec spec = { .grace_ms = BERTH_FREE_GRACE_MS,
					      .wait_ms = BERTH_FREE_WAIT_MS,
					      .by = "run" };
	struct berth_err err = { 0 };
	int r = berth_free_end(all, &spec, &err);

	berth_freeing_say(&cli->out, all);
	berth_freeing_say_left(&cli->out, all);
	/* No reason not to start: it is a wish, and the next number is as good. */
	if (r < 0)
		berth_out_say(&cli->out, "%s", err.msg);
}

static int free_all(struct berth_cli *cli, const struct wanted *wanted, bool udp,
		    struct berth_err *err)
{
	struct round round;
	int r;

	if (!wanted->count)
		return 0;
	r = look(&round, wanted, udp, err);
	if (r < 0)
		return r;
	if (round.all.plan.entry_count)
		end_holders(cli, &round.all);
	end_round(&round);
	return 0;
}

int berth_run_free_any(struct berth_cli *cli, const struct berth_job *job, struct berth_err *err)
{
	struct wanted tcp = { 0 }, udp = { 0 };
	int r;

	add_ports(&tcp, &job->wish, false);
	add(&tcp, job->wish.range.lo, job->wish.range.hi);
	add_ports(&udp, &job->wish, true);
	r = free_all(cli, &tcp, false, err);
	return r < 0 ? r : free_all(cli, &udp, true, err);
}

/* 'n', 'f' or 'q'; 'n' without a question where nobody is in the way. */
static char ask(struct berth_cli *cli, const struct berth_job *job, const struct berth_free *all)
{
	bool can_end = berth_freeing_count(all, BERTH_FREE_END) > 0;
	bool can_move = !job->wish.strict;

	if (!all->plan.entry_count)
		return 'n';
	berth_freeing_show(&cli->out, all, BERTH_FREE_GRACE_MS);
	if (can_end && can_move)
		return berth_ask(&cli->out, "[n]ext port, [f]ree it, [q]uit?", "nfq", 'q');
	if (can_end)
		return berth_ask(&cli->out, "[f]ree it, [q]uit?", "fq", 'q');
	if (can_move)
		return berth_ask(&cli->out, "[n]ext port, [q]uit?", "nq", 'q');
	return 'q';
}

static int quit(const struct berth_free *all, struct berth_err *err)
{
	char ports[128], name[256];

	return berth_err_set(err, -EADDRINUSE, BERTH_ERR_NO_PORT, "not started: %s is held by %s",
			     berth_free_ports(all, 0, ports, sizeof(ports)),
			     berth_free_name(all, 0, name, sizeof(name)));
}

int berth_run_ask(struct berth_cli *cli, const struct berth_job *job, struct berth_err *err)
{
	struct wanted wanted = first_choice(&job->wish);

	for (;;) {
		struct round round;
		char answer;
		int r = look(&round, &wanted, false, err);

		if (r < 0)
			return r;
		answer = ask(cli, job, &round.all);
		if (answer == 'f')
			end_holders(cli, &round.all);
		else if (answer == 'q')
			r = quit(&round.all, err);
		end_round(&round);
		if (answer != 'f')
			return r;
	}
}
