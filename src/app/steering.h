/* SPDX-License-Identifier: MIT */
/* app/steering.h - what steering.c, answer-bind.c and answer-connect.c share */
#pragma once

#include "app/supervisor.h"

/* What we need to know of the caller's socket. */
struct berth_socket_facts {
	bool tcp, udp;
	bool foreign_netns; /* its numbers are not ours */
};
struct berth_socket_facts berth_steering_facts(struct berth_unit *unit, int fd);

/* The copy as a decision sees it; borrows from @unit. */
struct berth_steer_view berth_steering_view(const struct berth_unit *unit);

/*
 * The caller's socket; the caller of this owns it. Negative: it can't be had, and the call has been
 * continued where the caller still waits for it.
 */
BERTH_MUST_USE int berth_steering_take_socket(struct berth_unit *unit, struct berth_view *view,
					      const struct berth_notify_call *call);

/* Let in whoever sets SO_REUSEADDR, for a service some of whose calls are left to the kernel. */
void berth_steering_soften(struct berth_view *view, const char *why);

/* Does @call come from a process under Landlock, or one of its offspring? */
bool berth_steering_is_confined(struct berth_unit *unit, const struct berth_notify_call *call);

/* Try @call again a little later, until @deadline_ns (0: the first time); false: it is over. */
bool berth_steering_defer(struct berth_unit *unit, struct berth_view *view,
			  const struct berth_notify_call *call, int64_t deadline_ns);

/* Each answers or continues @call, or defers it. @deadline_ns as for defer. */
void berth_steering_on_bind(struct berth_unit *unit, struct berth_view *view,
			    const struct berth_notify_call *call, int64_t deadline_ns);
void berth_steering_on_listen(struct berth_unit *unit, struct berth_view *view,
			      const struct berth_notify_call *call, int64_t deadline_ns);
void berth_steering_on_connect(struct berth_unit *unit, struct berth_view *view,
			       const struct berth_notify_call *call);

/* Answer for the tree of @worker behind @notify_fd, which is consumed on success. */
BERTH_MUST_USE int berth_steering_watch(struct berth_worker *worker, int notify_fd);
/* The same for what `berth exec` runs in the view of @unit. */
BERTH_MUST_USE int berth_steering_add_view(struct berth_unit *unit, int notify_fd);
void berth_steering_close_view(struct berth_view *view);
/* @unit ends: what runs in its view is answered no more. */
void berth_steering_forget(struct berth_unit *unit);
void berth_steering_retry(struct berth_supervisor *supervisor, int64_t now_ns);
int64_t berth_steering_retry_ns(const struct berth_supervisor *supervisor);
