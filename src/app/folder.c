/* SPDX-License-Identifier: MIT */
/*
 * app/folder.c - the runtime folder can go away under a living service
 *
 * A logout removes /run/user/UID and all in it (logind), a cleaner may do so in /tmp. Ports, name
 * and processes are held by descriptors and don't care; but nobody finds the service any more. So
 * whoever looks for services compares the records with the sockets that are named like ours
 * (app/roll-call.c), and asks those that are missing; being asked is when we look. Watching the
 * folder would take one of the user's few inotify(7) instances for each service.
 */
#include "app/supervisor.h"

void berth_supervisor_recover(struct berth_supervisor *supervisor)
{
	bool lost = berth_registry_is_lost(&supervisor->registry);

	if (!lost && berth_registry_has(&supervisor->registry, supervisor->id))
		return;
	if (lost && berth_registry_reopen(&supervisor->registry) < 0)
		return; /* the parent has gone too, and comes back with the next login */
	for (size_t i = 0; i < supervisor->ports.count; i++)
		supervisor->ports.port[i].claimed = false;
	berth_supervisor_save(supervisor);
}
