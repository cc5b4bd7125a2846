/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-procstat.c - any text as a /proc/PID/stat makes sense or is refused */
#include "fuzz.h"

#include "os/procfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct berth_proc_stat stat, before;

	memset(&stat, 0xa5, sizeof(stat));
	before = stat;
	if (berth_procfs_parse_stat((const char *)data, size, &stat) < 0) {
		MUST(memcmp(&stat, &before, sizeof(stat)) == 0);
		return 0;
	}
	MUST(stat.id.pid > 0);
	MUST(stat.ppid >= -1 && stat.pgrp >= -1 && stat.session >= -1);
	MUST(stat.threads <= INT32_MAX);
	MUST(memchr(stat.comm, '\0', sizeof(stat.comm)));
	return 0;
}
