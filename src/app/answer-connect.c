/* SPDX-License-Identifier: MIT */
/* app/answer-connect.c - the connect() of the copy: to its own ports under the numbers it asked for */
#include "app/steering.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "app/siblings.h"

/*
 * Start the connection and let the caller wait for it: set O_NONBLOCK for the moment of our
 * connect(). If it is under way then, a blocking caller goes on in its own connect(), which on a
 * connecting socket only waits, with its signals and timeouts, whatever address it names.
 */
static void connect_elsewhere(struct berth_view *view, const struct berth_notify_call *call, int fd,
			      const struct berth_addr *addr)
{
	int flags = fcntl(fd, F_GETFL);
	bool blocking = flags >= 0 && !(flags & O_NONBLOCK);
	int r;

	if (blocking && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	r = connect(fd, &addr->sa, addr->len) < 0 ? -errno : 0;
	if (blocking && fcntl(fd, F_SETFL, flags) < 0)
		r = -errno;
	if (r == -EINPROGRESS && blocking)
		berth_notify_continue(view->notify_fd, call);
	else
		berth_notify_answer(view->notify_fd, call, r);
}

/*
 * Is @number the port of another copy of the service with @family? Asked of the index, which costs
 * two system calls where it is not.
 */
static bool is_of_another_copy(const struct berth_unit *unit, const char *family, uint16_t number)
{
	BERTH_AUTO_JSON json_t *record =
		berth_registry_find_port(&unit->supervisor->registry, number);
	const char *owner =
		record ? json_string_value(berth_registry_private(record, "family")) : NULL;
	const char *id = berth_json_string(berth_registry_service(record), "id", "");

	return owner && strcmp(owner, family) == 0 && strcmp(id, unit->id) != 0;
}

/* Where a connect() to a loopback number goes, as a process of some unit sees it. */
struct destination {
	struct berth_unit *unit; /* whose port it is; NULL: nobody's in this copy */
	size_t index;
	bool refused;
};

/* Its own numbers first, then those of its stack. */
static struct destination find_destination(struct berth_unit *unit, uint16_t number)
{
	const struct berth_steer_view steer = berth_steering_view(unit);
	struct berth_steer_verdict verdict = berth_steer_decide_connect(&steer, number, true);
	struct destination to = { 0 };
	const char *own = unit->job->identity.family, *absent;
	struct berth_unit *unknown;

	if (verdict.action == BERTH_STEER_PORT)
		return (struct destination){ .unit = unit, .index = verdict.port };
	if (steer.scope == BERTH_STEER_OFF || steer.scope == BERTH_STEER_BIND)
		return to;
	to.unit = berth_siblings_find(unit, number, &to.index, &unknown);
	if (to.unit)
		return to;
	absent = berth_siblings_absent_family(unit, number);
	to.refused =
		verdict.action == BERTH_STEER_REFUSE || berth_siblings_has_gone(unit, number) ||
		(verdict.action == BERTH_STEER_ASK && is_of_another_copy(unit, own, number)) ||
		(unknown && is_of_another_copy(unknown, unknown->job->identity.family, number)) ||
		(absent && is_of_another_copy(unit, absent, number));
	return to;
}

/* The caller's connect() goes to @given, if it is of the kind that we answer. */
static void lead_to(struct berth_unit *unit, struct berth_view *view,
		    const struct berth_notify_call *call, struct berth_addr *addr, uint16_t given)
{
	BERTH_AUTO_FD int fd = berth_steering_take_socket(unit, view, call);
	struct berth_socket_facts facts;

	if (fd < 0)
		return;
	facts = berth_steering_facts(unit, fd);
	if (!facts.tcp || facts.foreign_netns) {
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	berth_addr_set_port(addr, given);
	connect_elsewhere(view, call, fd, addr);
}

void berth_steering_on_connect(struct berth_unit *unit, struct berth_view *view,
			       const struct berth_notify_call *call)
{
	struct destination to = { 0 };
	struct berth_addr addr;
	uint16_t given;
	int r = berth_notify_read_addr(view->notify_fd, call, &addr);

	if (r == -ENOENT)
		return;
	if (r == 0 && (berth_addr_is_loopback(&addr) || berth_addr_is_any(&addr)))
		to = find_destination(unit, berth_addr_port(&addr));
	if (to.refused) {
		berth_notify_answer(view->notify_fd, call, -ECONNREFUSED);
		return;
	}
	if (!to.unit) {
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	/* Our duplicate must not accept what the service has stopped listening for. */
	berth_unit_check_users(to.unit, to.index);
	given = to.unit->ports.steer[to.index].given;
	if (given == berth_addr_port(&addr) || berth_steering_is_confined(unit, call))
		berth_notify_continue(view->notify_fd, call);
	else
		lead_to(unit, view, call, &addr, given);
}
