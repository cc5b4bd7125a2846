/* SPDX-License-Identifier: MIT */
/*
 * look/nat.c - ports that the packet filter leads to somewhere else, past all sockets
 *
 * Two tools tell of three things. nft(8) has the rules of nftables. Among them are those that
 * iptables(8) of today has made, and of these it knows no more than that they are there; then
 * iptables-nft-save(8) is asked, too. And tables of the old iptables are in the kernel where its
 * list says so; only then iptables-legacy-save(8) is asked, since that would make the table.
 *
 * They lie where the system has them, and get no environment: we may be root.
 */
#include "look/nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/parse.h"
#include "base/str.h"
#include "look/iptables.h"
#include "look/nft.h"
#include "look/ruleset.h"
#include "look/tool.h"
#include "os/procfs.h"

enum {
	TOOL_TIMEOUT_MS = 2000,
	TOOL_MAX = 32 << 20, /* a node of Kubernetes has some MiB */
};

/* --- what is ours --- */

struct own {
	struct ifaddrs *addresses;
};

static bool shares_prefix(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return !rest || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

/* Is one of our addresses "192.0.2.1", or within "10.96.0.0/12"? */
static bool is_ours(const char *address, void *arg)
{
	const struct own *own = arg;
	int family = strchr(address, ':') ? AF_INET6 : AF_INET;
	const char *slash = strchr(address, '/');
	char host[BERTH_NAT_ADDRESS_MAX];
	uint64_t bits = family == AF_INET6 ? 128 : 32;
	uint8_t wanted[16];

	berth_str_copy(host, sizeof(host), address);
	if (slash) {
		host[slash - address] = '\0';
		if (berth_parse_u64(slash + 1, bits, &bits) < 0)
			return true;
	}
	if (inet_pton(family, host, wanted) != 1)
		return true; /* written in a way that we don't know: nothing is left out */
	if (family == AF_INET && wanted[0] == 127)
		return true;
	for (const struct ifaddrs *at = own->addresses; at; at = at->ifa_next) {
		const void *raw;

		if (!at->ifa_addr || at->ifa_addr->sa_family != family)
			continue;
		raw = family == AF_INET6
			      ? (const void *)&((struct sockaddr_in6 *)(void *)at->ifa_addr)
					->sin6_addr
			      : (const void *)&((struct sockaddr_in *)(void *)at->ifa_addr)
					->sin_addr;
		if (shares_prefix(raw, wanted, (unsigned int)bits))
			return true;
	}
	return false;
}

/* --- the tools --- */

static int run(const char *const *paths, const char *const *argv, char **ret_text, size_t *ret_len)
{
	struct berth_tool_spec spec = {
		.paths = paths,
		.argv = argv,
		.timeout_ms = TOOL_TIMEOUT_MS,
		.max = TOOL_MAX,
	};
	int r = berth_tool_run(&spec, ret_text, ret_len);

	return r == BERTH_TOOL_E_FAILED ? -EIO : r;
}

static int add_nft(struct berth_ruleset *set)
{
	static const char *const paths[] = { "/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft",
					     "/run/current-system/sw/bin/nft", NULL };
	static const char *const argv[] = { "-j", "list", "ruleset", NULL };
	BERTH_AUTO_FREE char *text = NULL;
	size_t len = 0;
	int r = run(paths, argv, &text, &len);

	return r < 0 ? r : berth_nft_parse(text, len, set);
}

enum kind {
	KIND_NFT,
	KIND_LEGACY,
	KIND_COUNT_,
};

static int add_iptables(struct berth_ruleset *set, enum kind kind, bool v6)
{
	/* The plain name is whichever of both the system has chosen. */
	static const char *const paths[KIND_COUNT_][2][5] = {
		[KIND_NFT] = {
			{ "/usr/sbin/iptables-nft-save", "/sbin/iptables-nft-save",
			  "/usr/sbin/iptables-save", "/sbin/iptables-save" },
			{ "/usr/sbin/ip6tables-nft-save", "/sbin/ip6tables-nft-save",
			  "/usr/sbin/ip6tables-save", "/sbin/ip6tables-save" },
		},
		[KIND_LEGACY] = {
			{ "/usr/sbin/iptables-legacy-save", "/sbin/iptables-legacy-save",
			  "/usr/sbin/iptables-save", "/sbin/iptables-save" },
			{ "/usr/sbin/ip6tables-legacy-save", "/sbin/ip6tables-legacy-save",
			  "/usr/sbin/ip6tables-save", "/sbin/ip6tables-save" },
		},
	};
	static const char *const argv[] = { "-t", "nat", NULL };
	BERTH_AUTO_FREE char *text = NULL;
	size_t len = 0;
	int r = run(paths[kind][v6], argv, &text, &len);

	return r < 0 ? r : berth_iptables_parse(text, len, v6 ? "ip6" : "ip", set);
}

/* Has the old iptables a table nat here? */
static bool has_legacy(bool v6)
{
	BERTH_AUTO_FD int fd = open(v6 ? "/proc/net/ip6_tables_names" : "/proc/net/ip_tables_names",
				    O_RDONLY | O_CLOEXEC);
	char names[256] = "\n";
	ssize_t n = fd < 0 ? 0 : read(fd, names + 1, sizeof(names) - 2);

	return n > 0 && strstr(names, "\nnat\n");
}

/* The first thing that could not be told; of two tools that say the same, one is enough. */
static int note(int first, int r)
{
	return first ? first : r;
}

/* 0 or -errno: not all that there is has been told. */
static int load_rules(struct berth_ruleset *set)
{
	int error = add_nft(set);

	if (error == -ENOENT) {
		error = add_iptables(set, KIND_NFT, false);
		if (error == 0)
			error = add_iptables(set, KIND_NFT, true);
	} else {
		if (set->foreign4)
			error = note(error, add_iptables(set, KIND_NFT, false));
		if (set->foreign6)
			error = note(error, add_iptables(set, KIND_NFT, true));
	}
	for (int v6 = 0; v6 < 2; v6++)
		if (has_legacy(v6))
			error = note(error, add_iptables(set, KIND_LEGACY, v6));
	return error;
}

/* The capability counts over what belongs to our user namespace or one below it. */
static bool may_look(void)
{
	BERTH_AUTO_FD int net_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	BERTH_AUTO_FD int owner_fd = net_fd < 0 ? -1 : ioctl(net_fd, NS_GET_USERNS);
	struct berth_proc_status status;

	return owner_fd >= 0 && berth_procfs_status(getpid(), &status) == 0 &&
	       (status.cap_eff & (1ULL << CAP_NET_ADMIN));
}

int berth_nat_load(struct berth_nat *ret_nat)
{
	struct berth_ruleset set = { 0 };
	struct berth_nat nat = { 0 };
	struct own own = { 0 };
	int r = 0, resolved;

	if (!may_look()) {
		nat.error = -EACCES;
		*ret_nat = nat;
		return 0;
	}
	r = load_rules(&set);
	if (r != -ENOMEM) {
		if (getifaddrs(&own.addresses) < 0)
			own.addresses = NULL;
		resolved = berth_ruleset_resolve(&set, own.addresses ? is_ours : NULL, &own, &nat);
		freeifaddrs(own.addresses);
		r = note(r, resolved);
	}
	berth_ruleset_deinit(&set);
	if (r == -ENOMEM) {
		berth_nat_deinit(&nat);
		return r;
	}
	nat.error = r;
	*ret_nat = nat;
	return 0;
}

void berth_nat_deinit(struct berth_nat *nat)
{
	if (!nat)
		return;
	free(nat->rules);
	*nat = (struct berth_nat){ 0 };
}

const struct berth_nat_rule *berth_nat_find(const struct berth_nat *nat, uint16_t port,
					    int protocol)
{
	for (size_t i = 0; i < nat->count; i++) {
		const struct berth_nat_rule *rule = &nat->rules[i];

		if (port >= rule->port_lo && port <= rule->port_hi &&
		    (!rule->protocol || rule->protocol == protocol))
			return rule;
	}
	return NULL;
}
