/* SPDX-License-Identifier: MIT */
/* port/lease.h - one port, kept from everybody else by sockets that are bound to it */
#pragma once

#include "base/attr.h"
#include "os/sock.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	BERTH_LEASE_OWNERS_MAX = 128,
	BERTH_LEASE_LEADS_MAX = 2, /* to one owner at a time */
};

enum {
	BERTH_LEASE_V4 = 1,
	BERTH_LEASE_V6 = 2,
};

/*
 * A socket of the service that is bound to the leased port. We hold a duplicate, so that the port
 * is not open to others in the moment between its last close() and our noticing; see
 * berth_lease_reclaim().
 */
struct berth_lease_owner {
	struct berth_addr addr; /* as bound */
	int fd; /* our duplicate, owned; -1: free slot */
	int protocol; /* IPPROTO_TCP, IPPROTO_MPTCP, IPPROTO_UDP */
	uint64_t inode; /* names the socket in /proc and sock_diag(7) */
	unsigned int backlog; /* of the service's last listen() */
	uint16_t group_index; /* of a listening member: its place in the kernel's group */
	uint8_t families; /* BERTH_LEASE_V4 | BERTH_LEASE_V6: whose ports it takes */
	bool wildcard; /* it covers every address of its families: no holder is needed beside it */
	bool v6only; /* IPV6_V6ONLY is set */
	bool listening;
	bool reuseport; /* the service had asked for SO_REUSEPORT: a second socket of its gets this
			   one */
	bool nonblock_at_bind; /* O_NONBLOCK was set in bind(); what it is now, fcntl(fd) tells */
	bool kept; /* no process has it: it listens for the next life, which gets it */
	bool grouped; /* SO_REUSEPORT is on: bound beside others of the service, berth_lease_join() */
	bool avoided; /* new clients of its group go to the others, berth_lease_avoid() */
	uint16_t leads[BERTH_LEASE_LEADS_MAX]; /* source ports whose clients go to it,
						  berth_lease_lead(); 0: free slot */
};

/* What we may do here, found once by berth_lease_probe() and passed to all that follows. */
struct berth_lease_means {
	bool ipv6; /* this machine has IPv6 sockets */
	bool interfaces; /* we may switch SO_BINDTOIFINDEX off again (CAP_NET_RAW): no open moment
			    at all */
};
struct berth_lease_means berth_lease_probe(void);

/*
 * Zero is not a lease: berth_lease_init() first. Fields are written by lease*.c only.
 *
 *   HELD   holders in both families, nobody else gets in
 *          -> bind: OWNED; release: gone
 *   OWNED  at least one owner; a holder wherever no owner is a wildcard (with means.interfaces,
 *          and from the first join on, holders always stay)
 *          -> reclaim: HELD; release: gone
 *   soft   the holders let in whoever sets SO_REUSEADDR: no way back
 */
struct berth_lease {
	uint16_t port; /* 0: not taken */
	bool soft;
	struct berth_lease_means means;
	int type; /* SOCK_STREAM, SOCK_DGRAM */
	int holder4, holder6; /* owned; -1: none (an owner stands there, or no IPv6) */
	struct berth_lease_owner *owners; /* owned; NULL: it never had one. A bind or join may move
					     them: a pointer to one is good until then */
	size_t owner_size; /* slots, free ones (fd -1) among them */
	bool mixed_up; /* which place in the kernel's group is whose is not known for certain, until
			  it has ended */
};

/* Positive outcomes of the functions below. */
enum {
	BERTH_LEASE_E_TAKEN = 1, /* somebody else has the port, or part of it */
	BERTH_LEASE_E_DENIED, /* a privileged port (EACCES) */
	BERTH_LEASE_E_FULL, /* more owners than a lease keeps: bind it as the kernel would, unkept
			     */
	BERTH_LEASE_OPEN_GROUP, /* done, but any program of the same user could join the group, or
				   has in the moment of the call */
};

void berth_lease_init(struct berth_lease *lease, struct berth_lease_means means, int type);

/*
 * Take @port in both families. 0, E_TAKEN, E_DENIED, -errno (-EMFILE ...). TIME_WAIT is no
 * obstacle.
 */
BERTH_MUST_USE int berth_lease_take(struct berth_lease *lease, uint16_t port);

/* Take a number of the kernel's choice. 0, E_TAKEN (ephemeral range exhausted), -errno. */
BERTH_MUST_USE int berth_lease_take_any(struct berth_lease *lease);

/*
 * Answer the bind() of the service: bind its own socket @fd (borrowed) to @addr with the leased
 * port; the port in @addr is ignored. 0: done, an owner is recorded. E_TAKEN: a stranger slipped
 * in, the lease is worth nothing any more: release it and try the next number. E_FULL. -errno: what
 * the kernel says to such a bind (-EADDRNOTAVAIL, -EINVAL ...; -EADDRINUSE where a live socket of
 * the service itself is in the way); the socket is unbound and its options are as they were.
 */
BERTH_MUST_USE int berth_lease_bind(struct berth_lease *lease, int fd,
				    const struct berth_addr *addr);

/*
 * Answer the listen() of the service on @fd, one of the owners (else -ENOENT). E_TAKEN: a stranger
 * listens (possible only for an owner on one address, without means.interfaces): try again later.
 * OPEN_GROUP: it listens. -errno: as the kernel says. On an owner that listens already (kept,
 * shared, a second listen()) it sets the backlog alone.
 */
BERTH_MUST_USE int berth_lease_listen(struct berth_lease *lease, int fd, int backlog);

/*
 * As berth_lease_bind(), but beside the live owners of this service that have @addr's place, where
 * a plain bind() is refused: for a worker, or the next generation, that may not share their
 * socket. Those on the very same address, the first one included, become a group: the kernel spreads
 * clients over its listening members. No other program can join it, also of the same user; whether
 * that could be had is looked up. 0; OPEN_GROUP: bound and recorded, but it could not be had;
 * E_FULL; -EOPNOTSUPP: UDP; -EADDRINUSE: an owner in the way belongs to another user; other -errno:
 * what the kernel says to such a bind, @fd is unbound and its options are as they were.
 */
BERTH_MUST_USE int berth_lease_join(struct berth_lease *lease, int fd,
				    const struct berth_addr *addr);

/*
 * From now on the new clients of its group go to other members than @owner, in equal shares, as far
 * as one listens that is not avoided as well; !@avoid: to it too again. So a member can be drained
 * before it ends: it has been once berth_lease_waiting() says 0 and no handshake hangs. Ends with
 * the owner. -EINVAL: @owner is no listening member; -errno (MPTCP has no such thing: -EOPNOTSUPP,
 * -ENOPROTOOPT).
 */
BERTH_MUST_USE int berth_lease_avoid(struct berth_lease *lease, struct berth_lease_owner *owner,
				     bool avoid);

/*
 * From now on clients of its group that come from @source_port go to @owner, whatever the others
 * do, avoided or not: so one member can be asked, and no other one answers. Bind, lead, connect.
 * Ends with the owner, or by berth_lease_unlead(), which is harmless where it has ended. -EINVAL:
 * @owner is no listening member; -ENOSPC; -ENOTUNIQ: the members can't be told apart, as others may
 * be among them; -errno as of berth_lease_avoid().
 */
BERTH_MUST_USE int berth_lease_lead(struct berth_lease *lease, struct berth_lease_owner *owner,
				    uint16_t source_port);
void berth_lease_unlead(struct berth_lease *lease, struct berth_lease_owner *owner,
			uint16_t source_port);

/*
 * The listening @owner, which no process has any more, goes on listening for the next life, with
 * the longest queue that the kernel allows. Nothing for one that does not listen: reclaim it.
 * berth_lease_reclaim() ends it, and clients are refused from then on.
 */
void berth_lease_keep(struct berth_lease *lease, struct berth_lease_owner *owner);

/*
 * The kept owner that a bind() to this very address, family, @v6only and protocol (SO_PROTOCOL)
 * gets; the port in @addr is ignored. NULL: none. One that is bound to an interface is never
 * found, and the caller asks for none on behalf of a socket that is (SO_BINDTOIFINDEX).
 */
struct berth_lease_owner *berth_lease_find_kept(struct berth_lease *lease,
						const struct berth_addr *addr, bool v6only,
						int protocol);

/* It was handed over: a process has it again. Its listen() sets the queue's length back. */
void berth_lease_unkeep(struct berth_lease *lease, struct berth_lease_owner *owner);

/* The listening @owner gets the longest queue that the kernel allows, until its next listen(). */
void berth_lease_raise_queue(const struct berth_lease_owner *owner);

/* How many clients wait in the queue of @owner for an accept(); 0 if it does not listen. */
unsigned int berth_lease_waiting(const struct berth_lease_owner *owner);

/*
 * Is any handshake on the port under way? One takes no time, except where a queue was full: the
 * client believes to be connected, and is in no queue yet.
 */
bool berth_lease_has_handshakes(const struct berth_lease *lease);

/* The owner with this inode; NULL: none. */
struct berth_lease_owner *berth_lease_find_owner(struct berth_lease *lease, uint64_t inode);

/* An owner, kept ones included, that takes @addr's place already; NULL: none. */
struct berth_lease_owner *berth_lease_find_conflict(struct berth_lease *lease,
						    const struct berth_addr *addr, bool v6only);

/*
 * No process of the service holds @owner any more: it stops listening at once (waiting clients are
 * reset) and its socket, which never left the port, goes on as a holder. The slot is free then.
 */
void berth_lease_reclaim(struct berth_lease *lease, struct berth_lease_owner *owner);

/*
 * Close our duplicates only: the service's sockets are its own affair from here on (before a stop).
 * Holders stay.
 */
void berth_lease_drop_owners(struct berth_lease *lease);
void berth_lease_drop_owner(struct berth_lease *lease, struct berth_lease_owner *owner);

/*
 * Let the port go to its owners alone: they are made exclusive, holders and duplicates are closed.
 * The number stays in @lease; the lease ends with the last close() of the service.
 */
void berth_lease_leave(struct berth_lease *lease);

/*
 * Let in whoever sets SO_REUSEADDR: for a service whose calls we cannot answer, which must not meet
 * our own holder.
 */
void berth_lease_soften(struct berth_lease *lease);

/* Close everything; harmless on a lease that is not taken. */
void berth_lease_release(struct berth_lease *lease);

/*
 * One system call for the commonest refusal, for long ranges: a number whose wildcard address can't
 * be bound even with SO_REUSEADDR is taken for all. False says nothing: take it to know.
 */
struct berth_lease_prober {
	int type;
	int fd; /* owned; unbound, so that it serves again after each refusal */
};
void berth_lease_prober_init(struct berth_lease_prober *prober, int type);
void berth_lease_prober_deinit(struct berth_lease_prober *prober);
bool berth_lease_prober_is_taken(struct berth_lease_prober *prober, uint16_t port);

/* Could an ordinary server (SO_REUSEADDR set) bind @port on every address of both families now? */
bool berth_lease_is_bindable(uint16_t port, int type, struct berth_lease_means means);

/* Between lease.c, lease-owners.c, lease-group.c and lease-spread.c; for nobody else. */

/* A slot for one more owner, with a duplicate of @fd in *@ret_fd. 0, E_FULL, -errno. */
BERTH_MUST_USE int berth_lease_reserve_owner(struct berth_lease *lease, int fd,
					     struct berth_lease_owner **ret_owner, int *ret_fd);
/* What the unbound @fd will be as an owner on @addr; its fd is -1 still. */
struct berth_lease_owner berth_lease_describe_owner(const struct berth_lease *lease, int fd,
						    const struct berth_addr *addr);
bool berth_lease_has_group(const struct berth_lease *lease);
/* Are both in one group of the kernel's, as soon as both listen? @fd_a is @a's. */
bool berth_lease_is_same_group(const struct berth_lease_owner *a, int fd_a,
			       const struct berth_lease_owner *b);
/* It has stopped listening, and we were not asked: shutdown(2), of which nobody tells us. */
bool berth_lease_has_gone_unseen(const struct berth_lease_owner *owner);
/* Does a socket of a group, of whichever one, listen? */
bool berth_lease_has_listening_member(const struct berth_lease *lease);
/* berth_lease_listen() of a lease that has a group. */
BERTH_MUST_USE int berth_lease_listen_in_group(struct berth_lease *lease,
					       struct berth_lease_owner *owner, int backlog);
/* @owner has just begun to listen: it is the last of its group. */
void berth_lease_enter_group(struct berth_lease *lease, struct berth_lease_owner *owner);
/* @owner has just stopped listening: the kernel has given its place in the group to another. */
void berth_lease_leave_group(struct berth_lease *lease, struct berth_lease_owner *owner);
