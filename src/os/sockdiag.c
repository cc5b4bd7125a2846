/* SPDX-License-Identifier: MIT */
/* os/sockdiag.c - which sockets the kernel has on a port: sock_diag(7) over netlink(7) */
/*
 * Whatever the filter, a dump walks tables of the kernel: for listeners a small one (some 30 us),
 * for bound sockets and connections the hashes of the whole machine (0.5 ms with 256 Ki buckets,
 * more on larger machines). So ask only for the states that matter. The filter for ports is a small
 * program that the kernel runs (INET_DIAG_REQ_BYTECODE), so that thousands of foreign sockets never
 * get to us.
 */
#include "os/sockdiag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <string.h>

/*
 * Two comparisons, of two operations each: the second holds the port. An operation tells how many
 * bytes to go on if it holds and if not; what ends exactly at the end accepts, what ends 4 bytes
 * behind it refuses.
 */
struct port_filter {
	struct nlattr attr;
	struct inet_diag_bc_op ops[4];
};

struct request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 body;
	struct port_filter filter;
};

_Static_assert(sizeof(struct request) == sizeof(struct nlmsghdr) + sizeof(struct inet_diag_req_v2) +
						 sizeof(struct port_filter),
	       "netlink wants no holes");

static struct inet_diag_bc_op compare(unsigned char code, size_t left)
{
	return (struct inet_diag_bc_op){
		.code = code,
		.yes = 2 * sizeof(struct inet_diag_bc_op),
		.no = (unsigned short)(left + 4),
	};
}

static int send_request(int fd, const struct berth_sockdiag_query *query, int family)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct request request = {
		.head = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.body = {
			.sdiag_family = (unsigned char)family,
			.sdiag_protocol = (unsigned char)query->protocol,
			.idiag_states = query->states,
		},
		.filter = {
			.attr = {
				.nla_len = sizeof(request.filter),
				.nla_type = INET_DIAG_REQ_BYTECODE,
			},
		},
	};
	struct inet_diag_bc_op *ops = request.filter.ops;
	ssize_t n;

	if (query->port_lo || query->port_hi) {
		ops[0] = compare(INET_DIAG_BC_S_GE, sizeof(request.filter.ops));
		ops[1].no = query->port_lo;
		ops[2] = compare(INET_DIAG_BC_S_LE, sizeof(request.filter.ops) / 2);
		ops[3].no = query->port_hi;
	} else {
		request.head.nlmsg_len -= (unsigned int)sizeof(request.filter);
	}
	do
		n = sendto(fd, &request, request.head.nlmsg_len, 0, (struct sockaddr *)&kernel,
			   sizeof(kernel));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static struct berth_addr make_addr(int family, const void *host, uint16_t port_be, uint32_t scope)
{
	struct berth_addr addr = berth_addr_any(family, ntohs(port_be));

	if (family == AF_INET) {
		memcpy(&addr.in.sin_addr, host, sizeof(addr.in.sin_addr));
	} else {
		memcpy(&addr.in6.sin6_addr, host, sizeof(addr.in6.sin6_addr));
		if (IN6_IS_ADDR_LINKLOCAL(&addr.in6.sin6_addr))
			addr.in6.sin6_scope_id = scope;
	}
	return addr;
}

static bool parse_entry(const struct nlmsghdr *head, struct berth_sockdiag_entry *ret_entry)
{
	const struct inet_diag_msg *msg = NLMSG_DATA(head);
	const struct rtattr *attr;
	size_t left;

	if (head->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)))
		return false;
	if (msg->idiag_family != AF_INET && msg->idiag_family != AF_INET6)
		return false;
	*ret_entry = (struct berth_sockdiag_entry){
		.local = make_addr(msg->idiag_family, msg->id.idiag_src, msg->id.idiag_sport,
				   msg->id.idiag_if),
		.peer = make_addr(msg->idiag_family, msg->id.idiag_dst, msg->id.idiag_dport,
				  msg->id.idiag_if),
		.state = msg->idiag_state,
		.uid = msg->idiag_uid,
		.inode = msg->idiag_inode,
		.interface = msg->id.idiag_if,
	};
	if (!msg->id.idiag_dport)
		ret_entry->peer.len = 0;

	attr = (const struct rtattr *)(msg + 1);
	left = head->nlmsg_len - NLMSG_LENGTH(sizeof(*msg));
	for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left))
		if (attr->rta_type == INET_DIAG_SKV6ONLY && RTA_PAYLOAD(attr) >= 1)
			ret_entry->v6only = *(const unsigned char *)RTA_DATA(attr);
	return true;
}

/* An error message, or the end: the kernel puts the error that ended a dump into the latter. */
static int parse_error(const struct nlmsghdr *head)
{
	int code = 0;

	if (head->nlmsg_len < NLMSG_LENGTH(sizeof(code)))
		return head->nlmsg_type == NLMSG_ERROR ? -EPROTO : 0;
	memcpy(&code, NLMSG_DATA(head), sizeof(code));
	if (code > 0)
		return -EPROTO;
	return code;
}

static ssize_t receive(int fd, void *buf, size_t size)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	for (;;) {
		msg.msg_name = &from;
		msg.msg_namelen = sizeof(from);
		n = recvmsg(fd, &msg, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (msg.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		/* Port 0 is the kernel. Others may write to us, too. */
		if (msg.msg_namelen == sizeof(from) && from.nl_pid == 0)
			return n;
	}
}

static int dump(int fd, const struct berth_sockdiag_query *query, int family,
		int (*fn)(const struct berth_sockdiag_entry *entry, void *arg), void *arg)
{
	/*
	 * The kernel fills what a receiver offers, up to 32 KiB; a message of it is some 100 bytes.
	 */
	char buf[16384] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct berth_sockdiag_entry entry;
	const struct nlmsghdr *head;
	size_t left;
	ssize_t n;
	int r;

	r = send_request(fd, query, family);
	if (r < 0)
		return r;
	for (;;) {
		n = receive(fd, buf, sizeof(buf));
		if (n < 0)
			return (int)n;
		head = (const struct nlmsghdr *)buf;
		for (left = (size_t)n; NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
			if (head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR)
				return parse_error(head);
			if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY || !parse_entry(head, &entry))
				continue;
			r = fn(&entry, arg);
			if (r)
				return r;
		}
	}
}

int berth_sockdiag_each(const struct berth_sockdiag_query *query,
			int (*fn)(const struct berth_sockdiag_entry *entry, void *arg), void *arg)
{
	static const int families[] = { AF_INET, AF_INET6 };
	BERTH_AUTO_FD int fd = -1;
	int r = 0;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(families) && r == 0; i++)
		if (query->family == AF_UNSPEC || query->family == families[i])
			r = dump(fd, query, families[i], fn, arg);
	return r;
}
