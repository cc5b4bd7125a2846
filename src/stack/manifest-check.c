/* SPDX-License-Identifier: MIT */
/* stack/manifest-check.c - keys of one service in berth.yaml that go not together */
#include "stack/manifest-check.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/str.h"
#include "stack/manifest-count.h"

/* One service while it is checked. */
struct subject {
	struct berth_manifest_reader *reader;
	size_t index;
	const struct berth_manifest_service *service;
};

static bool has(const struct subject *subject, const char *key)
{
	return berth_manifest_reader_has(subject->reader, subject->index, key);
}

static struct berth_mark place(const struct subject *subject, const char *key)
{
	return berth_manifest_reader_place(subject->reader, subject->index, key);
}

/* Two keys where one excludes the other; the fault is at the second of them. */
static const struct {
	const char *key, *other, *why;
} pairs[] = {
	{ "port", "ports", "one port is 'port', several are 'ports'" },
	{ "ready", "healthcheck", "both say when it is ready: keep one" },
	{ "probe", "healthcheck", "both say how it is probed: keep one" },
};

static void check_pairs(const struct subject *subject)
{
	const struct berth_manifest_places *places = &subject->reader->places[subject->index];

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(pairs); i++) {
		if (!has(subject, pairs[i].key) || !has(subject, pairs[i].other))
			continue;
		/* A healthcheck without a test only says how often. */
		if (!strcmp(pairs[i].key, "ready") && !places->has_test)
			continue;
		berth_faults_add(subject->reader->faults, place(subject, pairs[i].other),
				 "'%s' goes not with '%s'", pairs[i].other, pairs[i].key);
		berth_faults_hint(subject->reader->faults, "%s", pairs[i].why);
	}
	if (places->has_retries && has(subject, "restart_limit")) {
		berth_faults_add(subject->reader->faults, place(subject, "restart_limit"),
				 "'restart_limit' goes not with on-failure:N");
		berth_faults_hint(subject->reader->faults,
				  "both say how often it is restarted: keep one");
	}
}

static bool is_probe(const struct berth_check *check)
{
	return check->kind == BERTH_CHECK_TCP || check->kind == BERTH_CHECK_HTTP ||
	       check->kind == BERTH_CHECK_LISTEN;
}

static void refuse_without_port(const struct subject *subject, const char *key, const char *what)
{
	berth_faults_add(subject->reader->faults, place(subject, key), "%s needs a port", what);
	berth_faults_hint(subject->reader->faults, "'%s' has port: none", subject->service->name);
}

static void check_portless(const struct subject *subject)
{
	static const char *const keys[] = { "range",   "step",	  "around", "any",
					    "strict",  "links",	  "cors",   "scheme",
					    "workers", "outside", "skip",   "ports" };
	const struct berth_manifest_service *service = subject->service;

	if (!service->no_port)
		return;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(keys); i++) {
		if (has(subject, keys[i])) {
			char what[32] = "'";

			strcat(strncat(what, keys[i], 20), "'");
			refuse_without_port(subject, keys[i], what);
		}
	}
	if (has(subject, "ready") && is_probe(&service->ready))
		refuse_without_port(subject, "ready", "such a check");
	if (subject->reader->places[subject->index].has_test && is_probe(&service->ready))
		refuse_without_port(subject, "healthcheck", "such a check");
	if (has(subject, "live") && is_probe(&service->live))
		refuse_without_port(subject, "live", "such a check");
}

static void check_counts(const struct subject *subject)
{
	struct berth_faults *faults = subject->reader->faults;

	for (size_t i = 0; i < BERTH_MANIFEST_COUNT_RULES; i++) {
		struct berth_err err = { 0 };
		const char *key = berth_manifest_count_fault(subject->service, i, &err);

		if (!key)
			continue;
		berth_faults_add(faults, place(subject, key), "%s", err.msg);
		berth_faults_hint(faults, "%s", err.hint);
	}
}

static void check_life(const struct subject *subject)
{
	static const int no_end[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT };
	const struct berth_manifest_service *service = subject->service;
	struct berth_faults *faults = subject->reader->faults;

	if (service->stop_signal == SIGKILL) {
		berth_faults_add(faults, place(subject, "stop_signal"),
				 "SIGKILL does not ask, and leaves no time to end");
		berth_faults_hint(faults, "stop_grace_period: 0 sends it after the stop signal");
	}
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(no_end); i++) {
		if (service->stop_signal == no_end[i])
			berth_faults_add(faults, place(subject, "stop_signal"),
					 "SIG%s ends nothing", sigabbrev_np(no_end[i]));
	}
	if (service->policy.backoff_ns > service->policy.backoff_max_ns) {
		berth_faults_add(
			faults, place(subject, has(subject, "backoff") ? "backoff" : "backoff_max"),
			"'backoff' is longer than 'backoff_max'");
		berth_faults_hint(faults, "the first delay, and the longest one");
	}
}

/* The distance of the outermost wishes of a group, and what it takes at least. */
static unsigned int width_of(const struct berth_wish *wish)
{
	unsigned int lo = UINT16_MAX, hi = 0, ports = 0;

	for (size_t i = 0; i < wish->port_count; i++) {
		const struct berth_wish_port *port = &wish->ports[i];

		ports++;
		if (port->list_len == 0)
			continue;
		if (port->list[0] < lo)
			lo = port->list[0];
		if (port->list[0] > hi)
			hi = port->list[0];
	}
	if (ports == 0)
		ports = 1;
	return hi > 0 && hi - lo + 1 > ports ? hi - lo + 1 : ports;
}

static void check_range(const struct subject *subject)
{
	const struct berth_manifest_service *service = subject->service;
	const struct berth_wish *wish = &service->wish;
	struct berth_faults *faults = subject->reader->faults;
	unsigned int numbers = (unsigned int)(wish->range.hi - wish->range.lo) + 1;
	unsigned int width = width_of(wish);

	if (wish->range.lo == 0 || width <= numbers)
		return;
	berth_faults_add(faults, place(subject, "range"),
			 "the ports of '%s' span %u numbers, and the range has %u", service->name,
			 width, numbers);
	berth_faults_hint(faults, "at least %u-%u", wish->range.lo, wish->range.lo + width - 1);
}

/* Where the words of an error of the wish point: the port that it names first. */
static struct berth_mark place_of_port(const struct subject *subject, const char *message)
{
	const struct berth_wish *wish = &subject->service->wish;
	struct berth_mark at = place(subject, has(subject, "ports") ? "ports" : "port");
	const char *first = NULL;

	for (size_t i = 0; i < wish->port_count; i++) {
		char quoted[BERTH_PORT_NAME_MAX + 4] = "'";
		const char *found;

		strcat(strcat(quoted, wish->ports[i].name), "'");
		found = strstr(message, quoted);
		if (found && (!first || found > first)) {
			first = found;
			at = subject->reader->places[subject->index].ports[i];
		}
	}
	return at;
}

static int check_wish(const struct subject *subject)
{
	struct berth_err err = { 0 };
	int r = berth_wish_check(&subject->service->wish, &err);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		berth_faults_add(subject->reader->faults, place_of_port(subject, err.msg), "%s",
				 err.msg);
		berth_faults_hint(subject->reader->faults, "%s", err.hint);
	}
	return 0;
}

int berth_manifest_check_services(struct berth_manifest_reader *reader)
{
	for (size_t i = 0; i < reader->manifest->service_count; i++) {
		struct subject subject = { reader, i, &reader->manifest->services[i] };
		int r;

		if (!has(&subject, "command") && !reader->places[i].has_image) {
			berth_faults_add(reader->faults, subject.service->at,
					 "the service '%s' has no command", subject.service->name);
		}
		check_pairs(&subject);
		check_portless(&subject);
		check_counts(&subject);
		check_life(&subject);
		check_range(&subject);
		r = check_wish(&subject);
		if (r < 0)
			return r;
	}
	return 0;
}
