/* SPDX-License-Identifier: MIT */
/*
 * app/keep.c - listening sockets between two lives
 *
 * A listening socket is more than the process that made it: we have a duplicate, so it goes on
 * taking connections while nobody accepts them. When a life ends and another one follows, the
 * sockets that nobody has any more are kept so, with a longer queue (listen(2) sets it again at any
 * time); at the bind() of the next life to the same place the kept one is put where the service has
 * its own (os/handover.h). Clients waited, and none was refused.
 *
 * A kept socket that nobody comes for is a trap: clients hang. So it is given up, that is, it stops
 * listening and is a holder again, as soon as
 *
 *   the service, ready again for LATE_NS, has not asked for it
 *   the time for it (--hold) is over, or a stop is asked for
 *   a live process has closed it on purpose (users.c); one that died among others that live on, as
 *   under a reloader, gets a successor within ORPHAN_NS or has none
 */

#include "app/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>

#include "app/supervisor.h"
#include "base/time.h"
#include "os/handover.h"

/* Programs with several sockets may be ready before the last one is bound. */
#define LATE_NS BERTH_NS_PER_S

static const char otherwise[] = "it listens on another address, or in another way, than before";

bool berth_unit_can_keep(const struct berth_unit *unit, const char **ret_why)
{
	const struct berth_job *job = unit->job;
	const char *why = NULL;

	if (job->outside)
		why = "it is bound by a process that is not ours";
	else if (!job->hold_ms)
		why = "--hold is 0";
	else if (unit->scope == BERTH_STEER_OFF)
		why = "its bind() can't be answered: no steering";
	else if (unit->softened)
		why = "its calls are left to the kernel";
	if (ret_why)
		*ret_why = why;
	return !why &&
	       (job->apart || job->workers > 1 || job->policy.restart != BERTH_SERVICE_RESTART_NO);
}

void berth_unit_keep(struct berth_unit *unit, size_t index, uint64_t inode, int64_t for_ns)
{
	struct berth_lease *lease = &unit->ports.port[index]->lease;
	struct berth_lease_owner *owner = berth_lease_find_owner(lease, inode);
	int64_t until = berth_time_mono_ns() + for_ns;
	const char *why;

	if (!owner)
		return;
	if (!owner->listening || lease->type != SOCK_STREAM ||
	    unit->ports.steer[index].kind != BERTH_STEER_DECLARED ||
	    !berth_unit_can_keep(unit, &why)) {
		berth_unit_reclaim(unit, index, inode);
		return;
	}
	berth_lease_keep(lease, owner);
	if (!owner->kept) {
		berth_unit_reclaim(unit, index, inode);
		return;
	}
	/* Clients that others of a group can serve at once need not wait here. */
	if (owner->grouped)
		(void)!berth_lease_avoid(lease, owner, true);
	unit->kept = BERTH_UNIT_KEPT_WAITING;
	unit->kept_why = NULL;
	if (until > unit->keep_until_ns)
		unit->keep_until_ns = until;
	berth_unit_touch(unit);
}

void berth_unit_raise_queues(struct berth_unit *unit)
{
	if (!berth_unit_can_keep(unit, NULL))
		return;
	for (size_t i = 0; i < unit->ports.count; i++) {
		struct berth_lease *lease = &unit->ports.port[i]->lease;

		for (size_t j = 0; j < lease->owner_size; j++)
			if (lease->owners[j].fd >= 0 && lease->owners[j].listening &&
			    unit->ports.steer[i].kind == BERTH_STEER_DECLARED)
				berth_lease_raise_queue(&lease->owners[j]);
	}
}

void berth_unit_hurry_kept(struct berth_unit *unit)
{
	int64_t until = berth_time_mono_ns() + LATE_NS;

	if (unit->keep_until_ns > until)
		unit->keep_until_ns = until;
}

void berth_unit_unkeep_all(struct berth_unit *unit)
{
	bool serves = unit->state == BERTH_SERVICE_READY;

	unit->keep_until_ns = 0;
	for (size_t i = 0; i < unit->ports.count; i++) {
		struct berth_lease *lease = &unit->ports.port[i]->lease;

		for (size_t j = 0; j < lease->owner_size; j++)
			if (lease->owners[j].fd >= 0 && lease->owners[j].kept)
				berth_unit_reclaim(unit, i, lease->owners[j].inode);
	}
	if (unit->kept == BERTH_UNIT_KEPT_WAITING) {
		unit->kept = serves ? BERTH_UNIT_KEPT_BOUND_ANEW : BERTH_UNIT_KEPT_NOTHING;
		unit->kept_why = serves ? otherwise : "nothing took it over in time";
	}
	berth_unit_touch(unit);
}

static bool has_kept(const struct berth_unit *unit)
{
	for (size_t i = 0; i < unit->ports.count; i++) {
		const struct berth_lease *lease = &unit->ports.port[i]->lease;

		for (size_t j = 0; j < lease->owner_size; j++)
			if (lease->owners[j].fd >= 0 && lease->owners[j].kept)
				return true;
	}
	return false;
}

/* What stands in the way of a bind() is kept for somebody else than this. */
static void give_up(struct berth_unit *unit, size_t index, uint64_t inode, const char *why)
{
	berth_unit_reclaim(unit, index, inode);
	unit->kept = BERTH_UNIT_KEPT_BOUND_ANEW;
	unit->kept_why = why;
	berth_unit_verbose(unit, "port %u is bound anew: %s", unit->ports.steer[index].given, why);
	berth_unit_touch(unit);
}

int berth_unit_hand_over(struct berth_unit *unit, struct berth_view *view,
			 const struct berth_notify_call *call, size_t index, int fd,
			 const struct berth_addr *addr, bool v6only, uint64_t *ret_inode)
{
	struct berth_lease *lease = &unit->ports.port[index]->lease;
	int protocol = berth_sock_get(fd, SOL_SOCKET, SO_PROTOCOL);
	struct berth_lease_owner *owner = berth_lease_find_kept(lease, addr, v6only, protocol);
	struct berth_handover_spec spec = { .notify_fd = view->notify_fd, .call = call, .fd = fd };
	int r;

	if (!owner) {
		/* Those at the same place, but of another kind, would be in the way. */
		while ((owner = berth_lease_find_conflict(lease, addr, v6only)) && owner->kept)
			give_up(unit, index, owner->inode, otherwise);
		return 0;
	}
	/* Two programs with one number are two; and who forked before bind() has two sockets. */
	if (!berth_handover_fits(fd, owner->fd) || berth_unit_count_inode(unit, owner->inode) ||
	    berth_unit_count_inode(unit, berth_sock_inode(fd)) > 1) {
		give_up(unit, index, owner->inode, "another process has its socket");
		return 0;
	}
	spec.kept = owner->fd;
	r = berth_handover(&spec);
	if (r) {
		if (r != -ENOENT)
			give_up(unit, index, owner->inode,
				r > 0 ? berth_handover_why(r) : "the kernel refuses it");
		return r == -ENOENT ? r : 0;
	}
	*ret_inode = owner->inode;
	berth_lease_unkeep(lease, owner);
	if (owner->grouped)
		(void)!berth_lease_avoid(lease, owner, false);
	unit->kept = BERTH_UNIT_KEPT_HANDED_OVER;
	unit->kept_why = NULL;
	if (!has_kept(unit))
		unit->keep_until_ns = 0;
	return 1;
}
