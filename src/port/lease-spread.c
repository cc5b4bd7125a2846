/* SPDX-License-Identifier: MIT */
/*
 * port/lease-spread.c - which member of a group gets a client
 *
 * The kernel keeps the members of a group in an array: one that listens is appended, and when one
 * stops, the last takes its place. A BPF program that returns an index of it chooses for the kernel,
 * so the places are counted here as well. It leads clients from some source ports to one member (a
 * probe, which asks that one alone), and leaves out who shall get no more clients. An index beyond
 * the end is no harm: the kernel chooses by itself then. Without either there is no program.
 *
 * A client too many for an avoided member does not matter. An answer that is taken for another
 * member's does. So nobody is led where the count could be wrong: from when a stranger may have been
 * among the members on, or two have gone unseen, until the group has ended.
 */
#include "port/lease.h"

#include <errno.h>
#include <linux/filter.h>
#include <string.h>

bool berth_lease_is_same_group(const struct berth_lease_owner *a, int fd_a,
			       const struct berth_lease_owner *b)
{
	return b->fd >= 0 && a->v6only == b->v6only && berth_addr_equal(&a->addr, &b->addr) &&
	       berth_sock_get(fd_a, SOL_SOCKET, SO_BINDTOIFINDEX) ==
		       berth_sock_get(b->fd, SOL_SOCKET, SO_BINDTOIFINDEX);
}

bool berth_lease_has_listening_member(const struct berth_lease *lease)
{
	for (size_t i = 0; i < lease->owner_size; i++)
		if (lease->owners[i].fd >= 0 && lease->owners[i].grouped &&
		    lease->owners[i].listening)
			return true;
	return false;
}

bool berth_lease_has_gone_unseen(const struct berth_lease_owner *owner)
{
	return owner->listening && berth_sock_get(owner->fd, SOL_SOCKET, SO_ACCEPTCONN) == 0;
}

/* How many of @owner's group listen, itself left out. */
static uint16_t count_listening(const struct berth_lease *lease,
				const struct berth_lease_owner *owner)
{
	uint16_t count = 0;

	for (size_t i = 0; i < lease->owner_size; i++) {
		const struct berth_lease_owner *other = &lease->owners[i];

		if (other != owner && other->listening &&
		    berth_lease_is_same_group(owner, owner->fd, other))
			count++;
	}
	return count;
}

static int detach(const struct berth_lease_owner *member)
{
	int r = berth_sock_set(member->fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0);

	return r == -ENOENT ? 0 : r;
}

static struct sock_filter statement(uint16_t code, uint32_t k)
{
	return (struct sock_filter)BPF_STMT(code, k);
}

/* What the members of a group shall get, and where they stand. */
struct plan {
	struct {
		uint16_t source_port, place;
	} leads[BERTH_LEASE_OWNERS_MAX * BERTH_LEASE_LEADS_MAX];
	uint16_t lead_count;
	uint16_t places[BERTH_LEASE_OWNERS_MAX]; /* of those that are not avoided */
	uint16_t place_count;
	bool avoids;
};

enum {
	IPV4_PLAIN = 0x45, /* the first byte of a header without options */
	IPV4_SOURCE_PORT = 20,
	IPV6_SOURCE_PORT = 40,
	LEAD_HEAD = 8, /* statements before the comparisons */
	PROGRAM_MAX = LEAD_HEAD + 2 * BERTH_LEASE_OWNERS_MAX * BERTH_LEASE_LEADS_MAX + 2 +
		      2 * BERTH_LEASE_OWNERS_MAX,
};

static struct sock_filter jump_if(uint32_t k, uint8_t then, uint8_t otherwise)
{
	return (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, then, otherwise);
}

static struct sock_filter load_from_packet(uint16_t size, int offset)
{
	return statement(BPF_LD | size | BPF_ABS, (uint32_t)(SKF_NET_OFF + offset));
}

/* A packet with options, which a probe never has, is led nowhere. Returns the next free place. */
static uint16_t add_leads(struct sock_filter *code, const struct plan *plan)
{
	uint16_t n = 0;

	code[n++] = load_from_packet(BPF_B, 0);
	code[n++] = jump_if(IPV4_PLAIN, 0, 2);
	code[n++] = load_from_packet(BPF_H, IPV4_SOURCE_PORT);
	code[n++] = statement(BPF_JMP | BPF_JA, 4);
	code[n++] = statement(BPF_ALU | BPF_AND | BPF_K, 0xf0);
	code[n++] = jump_if(0x60, 1, 0);
	code[n++] = statement(BPF_JMP | BPF_JA, 2U * plan->lead_count + 1);
	code[n++] = load_from_packet(BPF_H, IPV6_SOURCE_PORT);
	for (uint16_t i = 0; i < plan->lead_count; i++) {
		code[n++] = jump_if(plan->leads[i].source_port, 0, 1);
		code[n++] = statement(BPF_RET | BPF_K, plan->leads[i].place);
	}
	return n;
}

/* To one that is not avoided, by chance. Returns the next free place. */
static uint16_t add_places(struct sock_filter *code, const struct plan *plan)
{
	uint16_t n = 0;

	code[n++] = statement(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM));
	code[n++] = statement(BPF_ALU | BPF_MOD | BPF_K, plan->place_count);
	for (uint16_t i = 0; i < plan->place_count; i++) {
		if (i + 1 < plan->place_count)
			code[n++] = jump_if(i, 0, 1);
		code[n++] = statement(BPF_RET | BPF_K, plan->places[i]);
	}
	return n;
}

static int attach(const struct berth_lease_owner *member, const struct plan *plan)
{
	struct sock_filter code[PROGRAM_MAX];
	struct sock_fprog program = { .filter = code };

	if (plan->lead_count)
		program.len = add_leads(code, plan);
	if (plan->avoids && plan->place_count)
		program.len += add_places(code + program.len, plan);
	else
		code[program.len++] = statement(BPF_RET | BPF_K, UINT32_MAX);
	return setsockopt(member->fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
			  sizeof(program)) < 0
		       ? -errno
		       : 0;
}

static bool is_led_to(const struct berth_lease_owner *owner)
{
	for (size_t i = 0; i < BERTH_LEASE_LEADS_MAX; i++)
		if (owner->leads[i])
			return true;
	return false;
}

static void add_to_plan(struct plan *plan, const struct berth_lease_owner *member)
{
	for (size_t i = 0; i < BERTH_LEASE_LEADS_MAX; i++) {
		if (!member->leads[i])
			continue;
		plan->leads[plan->lead_count].source_port = member->leads[i];
		plan->leads[plan->lead_count++].place = member->group_index;
	}
	if (member->avoided)
		plan->avoids = true;
	else
		plan->places[plan->place_count++] = member->group_index;
}

/* Clients of @member's group go to all of it that are not avoided, or to all; led ones are led. */
static int spread(const struct berth_lease *lease, const struct berth_lease_owner *member)
{
	struct plan plan = { 0 };

	for (size_t i = 0; i < lease->owner_size; i++)
		if (lease->owners[i].listening &&
		    berth_lease_is_same_group(member, member->fd, &lease->owners[i]))
			add_to_plan(&plan, &lease->owners[i]);
	return plan.lead_count || (plan.avoids && plan.place_count) ? attach(member, &plan)
								    : detach(member);
}

/* After a change of who is in @member's group, at which place; only where there is a program. */
static void spread_again(const struct berth_lease *lease, const struct berth_lease_owner *member)
{
	for (size_t i = 0; i < lease->owner_size; i++) {
		const struct berth_lease_owner *other = &lease->owners[i];

		if ((other->avoided || is_led_to(other)) &&
		    berth_lease_is_same_group(member, member->fd, other)) {
			/* At worst an avoided one gets clients, as any member does. */
			(void)!spread(lease, member);
			return;
		}
	}
}

void berth_lease_leave_group(struct berth_lease *lease, struct berth_lease_owner *owner)
{
	struct berth_lease_owner *other = NULL;
	bool chosen = owner->avoided || is_led_to(owner);
	uint16_t last;

	if (!owner->grouped || !owner->listening)
		return;
	last = count_listening(lease, owner);
	owner->listening = owner->avoided = false;
	memset(owner->leads, 0, sizeof(owner->leads));
	for (size_t i = 0; i < lease->owner_size; i++) {
		struct berth_lease_owner *member = &lease->owners[i];

		if (!member->listening || !berth_lease_is_same_group(owner, owner->fd, member))
			continue;
		lease->mixed_up |= berth_lease_has_gone_unseen(member);
		if (member->group_index == last)
			member->group_index = owner->group_index;
		other = member;
	}
	if (!berth_lease_has_listening_member(lease))
		lease->mixed_up = false;
	if (other && chosen)
		(void)!spread(lease, other);
	else if (other)
		spread_again(lease, other);
}

/* Members that have gone unseen are taken for gone; of two nobody knows which one was first. */
static void notice_gone(struct berth_lease *lease, const struct berth_lease_owner *member)
{
	for (size_t i = 0; i < lease->owner_size; i++) {
		struct berth_lease_owner *other = &lease->owners[i];

		if (other->listening && berth_lease_is_same_group(member, member->fd, other) &&
		    berth_lease_has_gone_unseen(other))
			berth_lease_leave_group(lease, other);
	}
}

void berth_lease_enter_group(struct berth_lease *lease, struct berth_lease_owner *owner)
{
	notice_gone(lease, owner);
	owner->group_index = count_listening(lease, owner);
	owner->listening = true;
	spread_again(lease, owner);
}

int berth_lease_avoid(struct berth_lease *lease, struct berth_lease_owner *owner, bool avoid)
{
	if (!owner->grouped || !owner->listening)
		return -EINVAL;
	owner->avoided = avoid;
	return spread(lease, owner);
}

int berth_lease_lead(struct berth_lease *lease, struct berth_lease_owner *owner,
		     uint16_t source_port)
{
	uint16_t *lead = NULL;
	int r;

	if (!owner->grouped || !owner->listening)
		return -EINVAL;
	notice_gone(lease, owner);
	if (!owner->listening)
		return -EINVAL;
	if (lease->mixed_up)
		return -ENOTUNIQ;
	for (size_t i = 0; i < BERTH_LEASE_LEADS_MAX && !lead; i++)
		if (!owner->leads[i])
			lead = &owner->leads[i];
	if (!lead)
		return -ENOSPC;
	*lead = source_port;
	r = spread(lease, owner);
	if (r < 0)
		*lead = 0;
	return r;
}

void berth_lease_unlead(struct berth_lease *lease, struct berth_lease_owner *owner,
			uint16_t source_port)
{
	for (size_t i = 0; i < BERTH_LEASE_LEADS_MAX; i++) {
		if (!source_port || owner->leads[i] != source_port)
			continue;
		owner->leads[i] = 0;
		/* At worst a client that comes from there by chance is led as well. */
		(void)!spread(lease, owner);
		return;
	}
}
