/* SPDX-License-Identifier: MIT */
/*
 * app/ports.h - the ports of one service: what steering sees and what the kernel holds, side by
 * side; in two files: ports.c the rows, ports-lease.c how they come to their numbers
 */
#pragma once

#include "app/job.h"
#include "base/json.h"
#include "os/loop.h"
#include "port/choose.h"
#include "port/remembered.h"
#include "steer/decide.h"

enum {
	BERTH_PORTS_MAX = 64
};

/*
 * A socket of the service on a port, and one process tree that has it: where it was last seen there,
 * so that one look tells whether it is still so. Workers that share a socket have a user each.
 */
struct berth_port_user {
	uint64_t inode; /* 0: free slot */
	unsigned int worker; /* serial of the worker whose tree has it */
	pid_t pid;
	int fd; /* as that process numbers it */
	bool listening;
};

struct berth_unit;

/*
 * Our duplicate of a listening socket, watched for the first client after the service's close();
 * see app/users.c.
 */
struct berth_port_watch {
	struct berth_unit *unit;
	struct berth_port_watch *next;
	struct berth_loop_source source;
	struct berth_port *port;
	uint64_t inode;
	bool armed;
};

/* Who has a number that the service did not get. */
struct berth_port_holder {
	bool known;
	pid_t pid; /* 0: hidden from us */
	char process[32]; /* printable; "" unknown */
	char service[160]; /* "shop@main/web" where it is berth's own; "" else */
	char text[256]; /* all of it, for a sentence */
};

struct berth_port {
	char name[BERTH_PORT_NAME_MAX];
	struct berth_lease lease; /* of an extra port: nothing is held, only lease.port is set */
	enum berth_port_reason reason;
	struct berth_choose_refused
		refused; /* the number it did not get, port 0: it got what it asked for */
	struct berth_port_holder
		*holder; /* owned: who had that number when it was announced; NULL: not
					     looked up */
	struct berth_port_user *users; /* owned */
	size_t user_size;
	struct berth_port_watch *watched; /* owned, each; see users.c */
	bool narrowed; /* --loopback: it asked for every address and has one */
	bool passed; /* its listening socket is ours, passed along */
	bool answers; /* outside: bound by a process that is not ours, and somebody answers there */
	bool announced; /* its line has been said */
	bool claimed; /* in the registry's index */
};

/*
 * What services of one folder read alike before a start: once for all of them. Zero is an empty one;
 * filled as it is needed.
 */
struct berth_ports_shared {
	struct berth_reserved *reserved; /* owned, each; without anybody's own list */
	struct berth_portset *remembered; /* of other folders */
	struct berth_portset *taken; /* see berth_choose_spec */
	json_t *pins;
};
void berth_ports_shared_deinit(struct berth_ports_shared *shared);

/* steer[i] and port[i] are one port; the first @count are used. */
struct berth_ports {
	struct berth_steer_port steer[BERTH_PORTS_MAX];
	struct berth_port *port[BERTH_PORTS_MAX]; /* owned */
	size_t count;
	struct berth_lease_means means;
	int memory_fd; /* borrowed; folder of remembered ports; -1: none */
	uint16_t unprivileged_start; /* ip_unprivileged_port_start */
	struct berth_reserved *reserved; /* owned; loaded for a choice, and given back after it */
	struct berth_portset
		*foreign; /* owned; numbers of other folders; likewise; NULL: none known */
	json_t *pins; /* owned; of the user's `berth pin`; likewise */
	struct berth_ports_shared
		*shared; /* borrowed, for the lease; NULL: nobody else is started */
	const struct berth_job *job; /* borrowed */
	/*
	 * Who of berth's own has a port, for messages; see choose.h. Set by the supervisor after
	 * init.
	 */
	bool (*holder_fn)(uint16_t port, char *buf, size_t size, void *arg);
	void *holder_arg;
};

/*
 * What is remembered for @job; one more instance (--new) wants what the first one wanted. Empty
 * where nothing is, or without a state folder (@memory_fd -1).
 */
void berth_ports_recall(int memory_fd, const struct berth_job *job,
			struct berth_remembered *ret_memory);

void berth_ports_init(struct berth_ports *ports, const struct berth_job *job);
void berth_ports_deinit(struct berth_ports *ports);
/* What a choice has loaded. */
void berth_ports_forget_lists(struct berth_ports *ports);

/*
 * Before the service starts: lease what is wished, mapped or remembered. @memory_fd: the folder of
 * remembered ports, -1: none. All or nothing. Returns 0, BERTH_CHOOSE_E_NO_PORT with @err (code
 * NO_PORT), -errno with @err.
 */
BERTH_MUST_USE int berth_ports_lease(struct berth_ports *ports,
				     const struct berth_remembered *memory, int memory_fd,
				     struct berth_err *err);

/*
 * In the course of a bind(): lease @number for port @index, or the next one that is free; the port
 * must hold nothing. @skip_first: the number itself has just been lost to a stranger. 0 or as
 * above.
 */
BERTH_MUST_USE int berth_ports_lease_one(struct berth_ports *ports, size_t index, uint16_t number,
					 bool skip_first, struct berth_err *err);

/*
 * For a berth inside of the service: declare the ports of @wish too, under "@service" or
 * "@service-NAME". A wish that a row stands for already adds nothing. 0 or as above.
 */
BERTH_MUST_USE int berth_ports_lease_more(struct berth_ports *ports, const struct berth_wish *wish,
					  const char *service, struct berth_err *err);

/*
 * A new row; its index, or -1 when there are too many. A declared one stands before all others, whose
 * first gives way to it.
 */
BERTH_MUST_USE int berth_ports_add(struct berth_ports *ports, enum berth_steer_kind kind,
				   const char *name, uint16_t asked);
/* Forget an extra port, which nobody watches any more; the last row takes its place. */
void berth_ports_drop(struct berth_ports *ports, size_t index);

/*
 * The row whose socket has @inode in the tree of @worker (0: of any); -1: none. *ret_user where that
 * is not NULL: it is good until the next user is added.
 */
int berth_ports_find_inode(struct berth_ports *ports, uint64_t inode, unsigned int worker,
			   struct berth_port_user **ret_user);
/* The same user, where @inode and @worker have one; NULL: out of memory, or too many. */
struct berth_port_user *berth_ports_add_user(struct berth_ports *ports, size_t index,
					     uint64_t inode, unsigned int worker);
bool berth_ports_has_users(const struct berth_ports *ports, size_t index);

/* Does a socket of @worker (0: of any) listen there? */
bool berth_ports_is_listening(const struct berth_ports *ports, size_t index, unsigned int worker);
/* All that were wished or mapped, or else the main one. */
bool berth_ports_is_ready(const struct berth_ports *ports, unsigned int worker);
/* What to remember for the next start. */
void berth_ports_remember(const struct berth_ports *ports, struct berth_remembered *ret_memory);

/* A port that others are told of: it was declared, and has a number. */
bool berth_ports_is_told(const struct berth_ports *ports, size_t index);
/* The number that people know the port by: its first wish, or what it was first bound to. */
uint16_t berth_ports_asked(const struct berth_ports *ports, size_t index);
/*
 * "http" ... by the number that was asked for; "" for those that have no URL (UDP, databases keep
 * their own scheme).
 */
const char *berth_ports_scheme(const struct berth_ports *ports, size_t index);
/* "http://localhost:5174", "" for none. Returns @buf. */
const char *berth_ports_url(const struct berth_ports *ports, size_t index, char *buf, size_t size);
