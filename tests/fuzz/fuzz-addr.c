/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-addr.c - whatever a service passes to bind() is an internet address or is refused */
#include "fuzz.h"

#include "os/sock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct berth_addr addr, before, moved;
	char text[BERTH_ADDR_STRLEN];

	memset(&addr, 0xa5, sizeof(addr));
	before = addr;
	if (berth_addr_from_raw(data, size, &addr) < 0) {
		MUST(memcmp(&addr, &before, sizeof(addr)) == 0);
		return 0;
	}
	MUST(addr.sa.sa_family == AF_INET || addr.sa.sa_family == AF_INET6);
	/* RFC 2133 had no scope: the kernel still takes its 24 bytes. */
	MUST(size >= (addr.sa.sa_family == AF_INET ? sizeof(addr.in) : 24));
	MUST(strlen(berth_addr_format(&addr, text)) < sizeof(text));
	MUST(!(berth_addr_is_any(&addr) && berth_addr_is_loopback(&addr)));
	moved = addr;
	berth_addr_set_port(&moved, 5000);
	MUST(berth_addr_port(&moved) == 5000);
	berth_addr_set_port(&moved, berth_addr_port(&addr));
	MUST(berth_addr_equal(&moved, &addr));
	return 0;
}
