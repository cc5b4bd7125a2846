/* SPDX-License-Identifier: MIT */
/* port/reserved.c - numbers that nobody should be given */
#include "port/reserved.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/parse.h"
#include "os/statefile.h"

enum {
	PRIVILEGED_END = 1024, /* ip(7): the default of ip_unprivileged_port_start */
	SYSCTL_MAX = 1 << 20, /* every second port, one by one, takes 190 kB */
};

#define SYSCTL_DIR "/proc/sys/net/ipv4/"

/* The Fetch standard, "port blocking" (https://fetch.spec.whatwg.org/#bad-port), without 0. */
static const uint16_t browser_ports[] = {
	1,    7,    9,	  11,	13,   15,   17,	  19,	20,   21,   22,	  23,	 25,   37,
	42,   43,   53,	  69,	77,   79,   87,	  95,	101,  102,  103,  104,	 109,  110,
	111,  113,  115,  117,	119,  123,  135,  137,	139,  143,  161,  179,	 389,  427,
	465,  512,  513,  514,	515,  526,  530,  531,	532,  540,  548,  554,	 556,  563,
	587,  601,  636,  989,	990,  993,  995,  1719, 1720, 1723, 2049, 3659,	 4045, 4190,
	5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
};

/* A file of one line; NULL: not to be had. The caller frees it. */
static char *read_line(const char *path)
{
	char *text = NULL;
	size_t len;

	if (berth_statefile_read(AT_FDCWD, path, SYSCTL_MAX, &text, &len) < 0)
		return NULL;
	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	return text;
}

/* capget(2) of ourselves: /proc/self/status takes a hundred times as long. */
static bool may_bind_privileged(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	return syscall(SYS_capget, &header, sets) == 0 &&
	       (sets[CAP_TO_INDEX(CAP_NET_BIND_SERVICE)].effective &
		CAP_TO_MASK(CAP_NET_BIND_SERVICE));
}

int berth_reserved_load(struct berth_reserved *ret_reserved, const char *user_list)
{
	char *list BERTH_AUTO_FREE = read_line(SYSCTL_DIR "ip_local_reserved_ports");
	char *start BERTH_AUTO_FREE = read_line(SYSCTL_DIR "ip_unprivileged_port_start");
	struct berth_reserved *reserved BERTH_AUTO_FREE = NULL;
	uint64_t value;
	int r;

	reserved = calloc(1, sizeof(*reserved));
	if (!reserved)
		return -ENOMEM;
	if (user_list) {
		r = berth_portset_parse(user_list, &reserved->user);
		if (r < 0)
			return r;
	}
	/* A list that we can't make sense of keeps nothing back, as an empty one. */
	if (list)
		(void)!berth_portset_parse(list, &reserved->kernel);
	reserved->unprivileged_start = PRIVILEGED_END;
	if (start && berth_parse_u64(start, UINT16_MAX, &value) == 0)
		reserved->unprivileged_start = (uint16_t)value;
	reserved->may_privileged = may_bind_privileged();
	*ret_reserved = *reserved;
	return 0;
}

static bool is_browser_port(uint16_t port)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(browser_ports); i++) {
		if (browser_ports[i] == port)
			return true;
	}
	return false;
}

enum berth_reserved_why berth_reserved_why(const struct berth_reserved *reserved, uint16_t port,
					   bool explicitly)
{
	if (port < reserved->unprivileged_start && !reserved->may_privileged)
		return BERTH_RESERVED_PRIVILEGED;
	if (port < PRIVILEGED_END && !explicitly)
		return BERTH_RESERVED_PRIVILEGED;
	if (berth_portset_has(&reserved->user, port))
		return BERTH_RESERVED_USER;
	if (berth_portset_has(&reserved->kernel, port))
		return BERTH_RESERVED_KERNEL;
	if (is_browser_port(port))
		return BERTH_RESERVED_BROWSER;
	return BERTH_RESERVED_NOT;
}

const char *berth_reserved_text(enum berth_reserved_why why)
{
	static const char *const texts[] = {
		[BERTH_RESERVED_NOT] = "not reserved",
		[BERTH_RESERVED_PRIVILEGED] = "only privileged programs may bind it",
		[BERTH_RESERVED_KERNEL] = "this machine keeps it back (ip_local_reserved_ports)",
		[BERTH_RESERVED_BROWSER] = "browsers refuse to connect to it",
		[BERTH_RESERVED_USER] = "your own list of reserved ports has it",
	};

	return texts[why];
}
