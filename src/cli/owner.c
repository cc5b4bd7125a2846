/* SPDX-License-Identifier: MIT */
/* cli/owner.c - --owner: the process that a start ends with */
#include "cli/owner.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/parse.h"

int berth_owner_parse(const char *text, struct berth_proc_id *ret_owner, struct berth_err *err)
{
	struct berth_proc_stat stat;
	uint64_t pid;

	if (!text)
		text = getenv("BERTH_OWNER");
	if (!text || !*text)
		return 0;
	if (strcmp(text, "parent") == 0)
		pid = (uint64_t)getppid();
	else if (berth_parse_u64(text, INT_MAX, &pid) < 0 || pid == 0)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				     "--owner: '%s' is neither a pid nor \"parent\"", text);
	if (berth_procfs_stat((pid_t)pid, &stat) < 0)
		return berth_err_set(err, -ESRCH, BERTH_ERR_USAGE,
				     "--owner: there is no process %s", text);
	*ret_owner = stat.id;
	return 0;
}
