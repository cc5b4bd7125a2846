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
#include "app/unit.h"

#include "app/supervisor.h"

void berth_unit_recover(struct berth_unit *unit)
{
	bool lost = berth_registry_is_lost(&unit->supervisor->registry);

	if (!lost && berth_registry_has(&unit->supervisor->registry, unit->id))
		return;
	if (lost && berth_registry_reopen(&unit->supervisor->registry) < 0)
		return; /* the parent has gone too, and comes back with the next login */
	for (size_t i = 0; i < unit->ports.count; i++)
		unit->ports.port[i]->claimed = false;
	berth_unit_save(unit);
}
