/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-fdinfo.c - any line as one of /proc/PID/fdinfo makes sense or is refused */
#include "fuzz.h"

#include "os/fdinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct berth_fdinfo_watch watch, before;
	unsigned int flags = 0xa5a5a5a5;

	memset(&watch, 0xa5, sizeof(watch));
	before = watch;
	if (berth_fdinfo_parse_watch((const char *)data, size, &watch) < 0)
		MUST(memcmp(&watch, &before, sizeof(watch)) == 0);
	else
		MUST(watch.fd >= 0);
	if (berth_fdinfo_parse_flags((const char *)data, size, &flags) < 0)
		MUST(flags == 0xa5a5a5a5);
	return 0;
}
