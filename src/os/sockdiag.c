/* SPDX-License-Identifier: MIT */
/* os/sockdiag.c - which sockets the kernel has on a port: sock_diag(7) over netlink(7) */
/*
 * Whatever the filter, a dump walks tables of the kernel: for listeners a small one (some 30 us),
 * for bound sockets and connections the hashes of the whole machine (0.5 ms with 256 Ki buckets,
 * more on larger machines). So ask only for the states that matter. The filter for ports is a small
 * program that the kernel runs (INET_DIAG_REQ_BYTECODE), so that thousands of foreign sockets never
 * get to us.
 *
 * A dump is of one family, and the tables are of both. Only the older of the two requests,
 * TCPDIAG_GETSOCK, takes TCP of both in one walk, which is half the time.
 */
#include "os/sockdiag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <stddef.h>
#include <string.h>

enum {
	/* Of each span two edges, one more for the range's, and between them the verdicts. */
	EDGES_MAX = 2 * BERTH_SOCKDIAG_EXCEPT_MAX + 2,
	OPS_MAX = 3 * EDGES_MAX + 1,
};

/* Numbers at which the answer turns, in order: below the first one it is @accept. */
struct edges {
	uint32_t at[EDGES_MAX];
	size_t count;
	bool accept;
};

/*
 * An operation tells how many bytes to go on if it holds (at most 255) and if not: what ends
 * exactly at the end accepts, what ends 4 bytes behind it refuses. The kernel looks through it in
 * steps of the former, so that a search tree has what follows a comparison that holds right behind
 * it, and the rest further on.
 */
struct program {
	struct nlattr attr;
	struct inet_diag_bc_op ops[OPS_MAX];
};

struct request {
	struct nlmsghdr head;
	union {
		struct {
			struct inet_diag_req_v2 body;
			struct program program;
		} of_family;
		struct {
			struct inet_diag_req body;
			struct program program;
		} of_both;
	};
};

_Static_assert(offsetof(struct request, of_family.program) ==
			       sizeof(struct nlmsghdr) + sizeof(struct inet_diag_req_v2) &&
		       offsetof(struct request, of_both.program) ==
			       sizeof(struct nlmsghdr) + sizeof(struct inet_diag_req),
	       "netlink wants no holes");

static void add_edge(struct edges *edges, uint32_t at)
{
	if (at > UINT16_MAX)
		return;
	/* Two at one place are none: a span that is left out borders on the range's end. */
	if (edges->count && edges->at[edges->count - 1] == at)
		edges->count--;
	else
		edges->at[edges->count++] = at;
}

static struct edges find_edges(const struct berth_sockdiag_query *query)
{
	bool whole = !query->port_lo && !query->port_hi;
	uint32_t lo = query->port_lo, hi = whole ? UINT16_MAX : query->port_hi;
	struct edges edges = { .accept = lo == 0 };

	if (lo > hi)
		return edges;
	if (lo)
		add_edge(&edges, lo);
	for (size_t i = 0; i < query->except_count; i++) {
		uint32_t from = query->except[i].lo > lo ? query->except[i].lo : lo;
		uint32_t to = query->except[i].hi < hi ? query->except[i].hi : hi;

		if (from > to)
			continue;
		add_edge(&edges, from);
		add_edge(&edges, to + 1);
	}
	add_edge(&edges, hi + 1);
	return edges;
}

/*
 * The tree over the edges from @first on, @count of them; a verdict holds in `no` whether it
 * accepts, until it is known how far away the end is. Returns how many operations there are then.
 */
static size_t add_tree(struct inet_diag_bc_op *ops, size_t at, const struct edges *edges,
		       size_t first, size_t count)
{
	size_t middle = first + count / 2, compare = at;
	bool accept = edges->accept != (first % 2 == 1);

	if (!count) {
		ops[at] = (struct inet_diag_bc_op){
			.code = INET_DIAG_BC_JMP,
			.yes = sizeof(*ops),
			.no = accept,
		};
		return at + 1;
	}
	ops[at] = (struct inet_diag_bc_op){
		.code = INET_DIAG_BC_S_GE,
		.yes = 2 * sizeof(*ops),
	};
	ops[at + 1] = (struct inet_diag_bc_op){ .no = (unsigned short)edges->at[middle] };
	at = add_tree(ops, at + 2, edges, middle + 1, first + count - middle - 1);
	ops[compare].no = (unsigned short)((at - compare) * sizeof(*ops));
	return add_tree(ops, at, edges, first, middle - first);
}

/* The bytes of the attribute; 0: all is accepted, and no filter needed. */
static unsigned short build_program(const struct berth_sockdiag_query *query,
				    struct program *program)
{
	struct edges edges = find_edges(query);
	struct inet_diag_bc_op *ops = program->ops;
	size_t count;

	if (!edges.count && edges.accept)
		return 0;
	count = add_tree(ops, 0, &edges, 0, edges.count);
	for (size_t i = 0; i < count; i += ops[i].yes / sizeof(*ops))
		if (ops[i].code == INET_DIAG_BC_JMP)
			ops[i].no = (unsigned short)((count - i + !ops[i].no) * sizeof(*ops));
	program->attr = (struct nlattr){
		.nla_len = (unsigned short)(sizeof(program->attr) + count * sizeof(*ops)),
		.nla_type = INET_DIAG_REQ_BYTECODE,
	};
	return program->attr.nla_len;
}

static int send_request(int fd, const struct berth_sockdiag_query *query, int family)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct program *program;
	struct request request;
	ssize_t n;

	if (query->except_count > BERTH_SOCKDIAG_EXCEPT_MAX)
		return -E2BIG;
	request.head = (struct nlmsghdr){ .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP };
	if (family == AF_UNSPEC) {
		request.head.nlmsg_type = TCPDIAG_GETSOCK;
		request.head.nlmsg_len = offsetof(struct request, of_both.program);
		request.of_both.body = (struct inet_diag_req){ .idiag_states = query->states };
		program = &request.of_both.program;
	} else {
		request.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
		request.head.nlmsg_len = offsetof(struct request, of_family.program);
		request.of_family.body = (struct inet_diag_req_v2){
			.sdiag_family = (unsigned char)family,
			.sdiag_protocol = (unsigned char)query->protocol,
			.idiag_states = query->states,
		};
		program = &request.of_family.program;
	}
	request.head.nlmsg_len += build_program(query, program);
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
	for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left)) {
		if (attr->rta_type == INET_DIAG_SKV6ONLY && RTA_PAYLOAD(attr) >= 1)
			ret_entry->v6only = *(const unsigned char *)RTA_DATA(attr);
		else if (attr->rta_type == INET_DIAG_CGROUP_ID &&
			 RTA_PAYLOAD(attr) >= sizeof(ret_entry->cgroup_id))
			memcpy(&ret_entry->cgroup_id, RTA_DATA(attr), sizeof(ret_entry->cgroup_id));
	}
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
	char buf[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
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
			/* Each is of the type that was asked for. */
			if ((head->nlmsg_type != SOCK_DIAG_BY_FAMILY &&
			     head->nlmsg_type != TCPDIAG_GETSOCK) ||
			    !parse_entry(head, &entry))
				continue;
			r = fn(&entry, arg);
			if (r)
				return r;
		}
	}
}

int berth_sockdiag_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	return fd < 0 ? -errno : fd;
}

int berth_sockdiag_each_on(int fd, const struct berth_sockdiag_query *query,
			   int (*fn)(const struct berth_sockdiag_entry *entry, void *arg),
			   void *arg)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int r = 0;

	if (query->family == AF_UNSPEC && query->protocol == IPPROTO_TCP)
		return dump(fd, query, AF_UNSPEC, fn, arg);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(families) && r == 0; i++)
		if (query->family == AF_UNSPEC || query->family == families[i])
			r = dump(fd, query, families[i], fn, arg);
	return r;
}

int berth_sockdiag_each(const struct berth_sockdiag_query *query,
			int (*fn)(const struct berth_sockdiag_entry *entry, void *arg), void *arg)
{
	BERTH_AUTO_FD int fd = berth_sockdiag_open();

	return fd < 0 ? fd : berth_sockdiag_each_on(fd, query, fn, arg);
}
