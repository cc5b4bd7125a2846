/* SPDX-License-Identifier: MIT */
/*
 * app/ports.h - the ports of one service: what steering sees and what the kernel holds, side by
 * side
 */
#pragma once

#include "app/job.h"
#include "os/loop.h"
#include "port/choose.h"
#include "port/remembered.h"
#include "steer/decide.h"

enum {
	BERTH_PORTS_MAX = 64
};

/*
 * A socket of the service on a port: where it was last seen, so that one look tells whether it is
 * still there.
 */
struct berth_port_user {
	uint64_t inode; /* 0: free slot */
	pid_t pid;
	int fd; /* as that process numbers it */
	bool listening;
};

struct berth_supervisor;

/*
 * Our duplicate of a listening socket, watched for the first client after the service's close();
 * see app/users.c.
 */
struct berth_port_watch {
	struct berth_supervisor *supervisor;
	struct berth_loop_source source;
	size_t index; /* of the row */
	struct berth_port_user *user;
	bool armed;
};

/* Who has a number that the service did not get. */
struct berth_port_holder {
	bool known;
	pid_t pid; /* 0: hidden from us */
	char process[64]; /* printable; "" unknown */
	char service[160]; /* "shop@main/web" where it is berth's own; "" else */
	char text[256]; /* all of it, for a sentence */
};

struct berth_port {
	char name[BERTH_PORT_NAME_MAX];
	struct berth_lease lease; /* of an extra port: nothing is held, only lease.port is set */
	enum berth_port_reason reason;
	struct berth_choose_refused
		refused; /* the number it did not get, port 0: it got what it asked for */
	struct berth_port_holder holder; /* who had that number when it was announced */
	struct berth_port_user users[BERTH_LEASE_OWNERS_MAX];
	struct berth_port_watch watched[BERTH_LEASE_OWNERS_MAX];
	bool narrowed; /* --loopback: it asked for every address and has one */
	bool passed; /* its listening socket is ours, passed along */
	bool announced; /* its line has been said */
	bool claimed; /* in the registry's index */
};

/* steer[i] and port[i] are one port; the first @count are used. */
struct berth_ports {
	struct berth_steer_port steer[BERTH_PORTS_MAX];
	struct berth_port port[BERTH_PORTS_MAX];
	size_t count;
	struct berth_lease_means means;
	struct berth_reserved *reserved; /* owned; loaded with the first choice */
	struct berth_portset *foreign; /* owned; numbers of other folders; NULL: none known */
	const struct berth_job *job; /* borrowed */
	/*
	 * Who of berth's own has a port, for messages; see choose.h. Set by the supervisor after
	 * init.
	 */
	bool (*holder_fn)(uint16_t port, char *buf, size_t size, void *arg);
	void *holder_arg;
};

void berth_ports_init(struct berth_ports *ports, const struct berth_job *job);
void berth_ports_deinit(struct berth_ports *ports);

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
int berth_ports_add(struct berth_ports *ports, enum berth_steer_kind kind, const char *name,
		    uint16_t asked);
/*
 * Forget an extra port; the last row takes its place. Declared ports, whose sockets are watched,
 * never move.
 */
void berth_ports_drop(struct berth_ports *ports, size_t index);

/* The row whose socket has @inode; -1: none. *ret_user where that is not NULL. */
int berth_ports_find_inode(struct berth_ports *ports, uint64_t inode,
			   struct berth_port_user **ret_user);
struct berth_port_user *berth_ports_add_user(struct berth_ports *ports, size_t index,
					     uint64_t inode);

/* Does a socket of the service listen there? */
bool berth_ports_is_listening(const struct berth_ports *ports, size_t index);
/* All that were wished or mapped, or else the main one. */
bool berth_ports_is_ready(const struct berth_ports *ports);
/* What to remember for the next start. */
void berth_ports_remember(const struct berth_ports *ports, struct berth_remembered *ret_memory);

/* The number that people know the port by: its first wish, or what it was first bound to. */
uint16_t berth_ports_asked(const struct berth_ports *ports, size_t index);
/*
 * "http" ... by the number that was asked for; "" for those that have no URL (UDP, databases keep
 * their own scheme).
 */
const char *berth_ports_scheme(const struct berth_ports *ports, size_t index);
/* "http://localhost:5174", "" for none. Returns @buf. */
const char *berth_ports_url(const struct berth_ports *ports, size_t index, char *buf, size_t size);
