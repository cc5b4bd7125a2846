/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-range.c - ranges, lists and --port arguments from any text */
#include "fuzz.h"

#include "base/parse.h"
#include "port/range.h"
#include "port/wish.h"

static void try_range(const char *text)
{
	struct berth_range range = { 0 }, again = { 0 };
	uint16_t port = 0;
	char buf[16];

	if (berth_parse_port(text, &port) == 0) {
		MUST(berth_range_parse(text, &range) == 0);
		MUST(range.lo == port && range.hi == port);
	}
	if (berth_range_parse(text, &range) < 0)
		return;
	MUST(range.lo > 0 && range.lo <= range.hi);
	snprintf(buf, sizeof(buf), "%u-%u", range.lo, range.hi);
	MUST(berth_range_parse(buf, &again) == 0);
	MUST(again.lo == range.lo && again.hi == range.hi);
}

static void try_portset(const char *text)
{
	static struct berth_portset set;
	uint64_t any = 0;

	memset(&set, 0, sizeof(set));
	if (berth_portset_parse(text, &set) < 0) {
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(set.bits); i++)
			any |= set.bits[i];
		MUST(any == 0);
	}
	MUST(!berth_portset_has(&set, 0));
}

/* Each line is one argument. */
static void try_wish(char *text)
{
	struct berth_wish wish = { .range = { 1000, 60000 } };
	struct berth_err err = { 0 };
	char *save = NULL;
	bool none = false;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		err.msg[0] = '\0';
		MUST(berth_wish_add_port(&wish, line, &none, &err) == 0 || err.msg[0]);
		MUST(!strpbrk(err.msg, "\x1b\t\x7f"));
	}
	MUST(wish.port_count <= BERTH_WISH_PORTS_MAX);
	for (size_t i = 0; i < wish.port_count; i++) {
		const struct berth_wish_port *port = &wish.ports[i];

		MUST(port->list_len > 0 && port->list_len <= BERTH_WISH_LIST_MAX);
		MUST(port->name[0] >= 'a' && strlen(port->name) < sizeof(port->name));
		for (size_t k = 0; k < port->list_len; k++)
			MUST(port->list[k] > 0);
	}
	err.msg[0] = '\0';
	MUST(berth_wish_check(&wish, &err) == 0 || err.msg[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BERTH_AUTO_FREE char *text = fuzz_text(data, size);

	try_range(text);
	try_portset(text);
	try_wish(text);
	return 0;
}
