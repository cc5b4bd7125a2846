/* SPDX-License-Identifier: MIT */
/*
 * app/steering.c - answer the bind(), listen() and connect() of the service
 *
 * One call at a time: read what it asks (os/notify), decide which port that stands for
 * (steer/decide, pure), do it with the caller's own socket (port/lease), answer. The caller waits
 * meanwhile, so nothing here may wait for anybody: what can't be done now is put into the pending
 * table and tried again by the loop.
 *
 * What we can't see, or may not do in the caller's place, is the kernel's: the call continues.
 * Since it would then meet our own holders, these are softened first: never let our own holder be
 * the refusal.
 */
#include "app/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/time.h"

enum {
	RETRY_NS = 1000 * 1000,
	RETRY_FOR_NS = 50 * 1000 * 1000,
	LOST_TRIES = 3, /* P14: how many numbers a bind() may lose to strangers */
	SAME_TRIES = 8, /* before it moves on from one of them */
	SAME_PAUSE_NS = 50 * 1000,
	ANCESTORS_MAX = 64,
};

static void soften_all(struct berth_view *view, const char *why)
{
	struct berth_supervisor *supervisor = view->supervisor;

	/* What berth exec runs is none of the service: its ports stay shut. */
	if (!view->own)
		return;
	for (size_t i = 0; i < supervisor->ports.count; i++)
		berth_lease_soften(&supervisor->ports.port[i].lease);
	if (!supervisor->softened)
		berth_supervisor_say(
			supervisor,
			"%s: its bind() is left to the kernel, and its port is open to programs "
			"that set SO_REUSEADDR",
			why);
	supervisor->softened = true;
	berth_supervisor_touch(supervisor);
}

/* Does @call come from a process under Landlock, or one of its offspring? */
static bool is_confined(struct berth_supervisor *supervisor, const struct berth_notify_call *call)
{
	struct berth_proc_status status;
	struct berth_proc_stat proc;
	pid_t pid;

	if (!supervisor->confined_count || berth_procfs_status(call->tid, &status) < 0)
		return false;
	pid = status.tgid;
	for (int depth = 0; depth < ANCESTORS_MAX && pid > 1; depth++) {
		if (berth_procfs_stat(pid, &proc) < 0)
			return false;
		for (size_t i = 0; i < supervisor->confined_count; i++)
			if (supervisor->confined[i].pid == pid &&
			    supervisor->confined[i].start_ticks == proc.id.start_ticks)
				return true;
		pid = proc.ppid;
	}
	return false;
}

/* What we need to know of the caller's socket. */
struct socket_facts {
	bool tcp, udp;
	bool foreign_netns;
};

static struct socket_facts facts_of(struct berth_supervisor *supervisor, int fd)
{
	int type = berth_sock_get(fd, SOL_SOCKET, SO_TYPE);
	int protocol = berth_sock_get(fd, SOL_SOCKET, SO_PROTOCOL);

	return (struct socket_facts){
		.tcp = type == SOCK_STREAM &&
		       (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP),
		.udp = type == SOCK_DGRAM && protocol == IPPROTO_UDP,
		.foreign_netns = berth_sock_netns_cookie(fd) != supervisor->netns_cookie,
	};
}

/* A port below the limit needs a right that we may have and the caller has given up. */
static bool may_bind(struct berth_supervisor *supervisor, const struct berth_notify_call *call,
		     uint16_t port)
{
	struct berth_proc_status status;
	uint16_t limit =
		supervisor->ports.reserved ? supervisor->ports.reserved->unprivileged_start : 1024;

	if (port >= limit)
		return true;
	return berth_procfs_status(call->tid, &status) == 0 &&
	       (status.cap_eff & (1ULL << CAP_NET_BIND_SERVICE));
}

static struct berth_steer_view view_of(const struct berth_supervisor *supervisor)
{
	return (struct berth_steer_view){
		.ports = supervisor->ports.steer,
		.count = supervisor->ports.count,
		.scope = supervisor->scope,
	};
}

/*
 * --loopback: the wildcard becomes this machine. A dual-stack socket can have one address: that of
 * IPv4, which "localhost" always tries.
 */
static struct berth_addr to_loopback(const struct berth_addr *addr, int fd)
{
	struct berth_addr loopback = *addr;

	if (!berth_addr_is_any(addr))
		return loopback;
	if (addr->sa.sa_family == AF_INET) {
		loopback.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	} else if (berth_sock_get(fd, IPPROTO_IPV6, IPV6_V6ONLY) > 0) {
		loopback.in6.sin6_addr = in6addr_loopback;
	} else {
		const uint8_t mapped[16] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };

		memcpy(&loopback.in6.sin6_addr, mapped, sizeof(mapped));
	}
	return loopback;
}

static bool defer(struct berth_supervisor *supervisor, struct berth_view *view,
		  const struct berth_notify_call *call, int64_t deadline_ns)
{
	int64_t patience = supervisor->job->check_timeout_ms
				   ? supervisor->job->check_timeout_ms * 1000000
				   : RETRY_FOR_NS;
	int64_t now = berth_time_mono_ns();

	if (deadline_ns && now >= deadline_ns)
		return false;
	for (size_t i = 0; i < BERTH_SUPERVISOR_PENDING_MAX; i++) {
		struct berth_pending *pending = &supervisor->pending[i];

		if (pending->view)
			continue;
		*pending = (struct berth_pending){
			.view = view,
			.call = *call,
			.retry_ns = now + RETRY_NS,
			.deadline_ns = deadline_ns ? deadline_ns : now + patience,
		};
		return true;
	}
	return false;
}

/*
 * The socket goes to a lease that has its number. A live socket of the service in the way is the
 * kernel's case, EADDRINUSE, unless both asked for SO_REUSEPORT: then the second worker gets the
 * first one's socket, since a group of the kernel's would be open to every program of this user.
 */
static int bind_to_lease(struct berth_supervisor *supervisor, struct berth_view *view,
			 const struct berth_notify_call *call, size_t index, int fd,
			 const struct berth_addr *addr)
{
	struct berth_port *port = &supervisor->ports.port[index];
	bool v6only =
		addr->sa.sa_family == AF_INET6 && berth_sock_get(fd, IPPROTO_IPV6, IPV6_V6ONLY) > 0;
	struct berth_lease_owner *owner = berth_lease_find_conflict(&port->lease, addr, v6only);
	int r;

	if (owner) {
		berth_supervisor_check_users(supervisor, index);
		owner = berth_lease_find_conflict(&port->lease, addr, v6only);
	}
	if (owner && owner->reuseport && berth_sock_get(fd, SOL_SOCKET, SO_REUSEPORT) > 0) {
		r = berth_notify_replace_fd(view->notify_fd, call, owner->fd, true);
		return r < 0 ? r : 0;
	}
	if (owner)
		return -EADDRINUSE;
	r = berth_lease_bind(&port->lease, fd, addr);
	if (r != BERTH_LEASE_E_FULL)
		return r;
	/* Some of the many it has had may be closed by now. */
	berth_supervisor_check_users(supervisor, index);
	return berth_lease_bind(&port->lease, fd, addr);
}

static void note_bind(struct berth_supervisor *supervisor, const struct berth_notify_call *call,
		      size_t index, uint16_t number, int fd)
{
	struct berth_steer_port *steer = &supervisor->ports.steer[index];
	struct berth_port *port = &supervisor->ports.port[index];
	struct berth_port_user *user =
		berth_ports_add_user(&supervisor->ports, index, berth_sock_inode(fd));

	steer->live = true;
	if (!steer->claimed)
		steer->claimed = number;
	berth_steer_port_add_asked(steer, number);
	if (user)
		berth_supervisor_note_user(supervisor, user, call);
	/* An extra port has no holder: its own socket, made exclusive, is all that keeps it. */
	if (steer->kind != BERTH_STEER_DECLARED)
		berth_lease_leave(&port->lease);
	if (!port->claimed)
		berth_registry_claim_port(&supervisor->registry, steer->given, supervisor->id);
	port->claimed = true;
	berth_supervisor_verbose(supervisor, "bind(%u) of process %d: port %u (%s, %s)", number,
				 call->tid, steer->given, port->name,
				 berth_port_reason_name(port->reason));
	berth_supervisor_touch(supervisor);
}

/*
 * A stranger in the open moment is gone as fast as he came, if he is one that tries and closes: the
 * holders are shut again, and nobody follows him. So the number is tried a few times, for well
 * below a millisecond, before it is given up.
 */
static int insist(struct berth_supervisor *supervisor, struct berth_view *view,
		  const struct berth_notify_call *call, size_t index, int fd,
		  const struct berth_addr *addr)
{
	const struct timespec pause = { .tv_nsec = SAME_PAUSE_NS };
	int r = BERTH_LEASE_E_TAKEN;

	for (int tries = 0; tries < SAME_TRIES && r == BERTH_LEASE_E_TAKEN; tries++) {
		if (tries)
			nanosleep(&pause, NULL);
		r = bind_to_lease(supervisor, view, call, index, fd, addr);
	}
	return r;
}

/*
 * What a remembered number promised does not hold: the program asks for another one this time. The
 * lease starts anew with that.
 */
static void forget_promise(struct berth_supervisor *supervisor, size_t index, uint16_t number)
{
	struct berth_steer_port *steer = &supervisor->ports.steer[index];

	if (!steer->remembered || steer->claimed || steer->given == number ||
	    berth_steer_port_is_asked(steer, number))
		return;
	berth_registry_unclaim_port(&supervisor->registry, steer->given, supervisor->id);
	supervisor->ports.port[index].claimed = false;
	berth_lease_release(&supervisor->ports.port[index].lease);
	steer->remembered = false;
	steer->given = 0;
	steer->asked_count = 0;
}

/*
 * Bind to row @index, moving on to the next number where a stranger was faster. Returns what the
 * caller hears, 0 or -errno, or E_TAKEN: try again later.
 */
static int bind_row(struct berth_supervisor *supervisor, struct berth_view *view,
		    const struct berth_notify_call *call, size_t index, int fd,
		    const struct berth_addr *addr, bool patient)
{
	struct berth_ports *ports = &supervisor->ports;
	uint16_t number = berth_addr_port(addr);
	struct berth_err err = { 0 };
	int r = BERTH_LEASE_E_TAKEN;

	forget_promise(supervisor, index, number);
	for (int tries = 0; tries < LOST_TRIES && r == BERTH_LEASE_E_TAKEN; tries++) {
		bool lost = tries > 0;

		if (!ports->steer[index].asked_count)
			berth_steer_port_add_asked(&ports->steer[index], number);
		if (!ports->steer[index].given) {
			r = berth_ports_lease_one(ports, index, number, lost, &err);
			if (r) {
				berth_supervisor_say(supervisor, "%s", err.msg);
				return -EADDRINUSE;
			}
		}
		if (!may_bind(supervisor, call, ports->steer[index].given))
			return -EACCES;
		r = insist(supervisor, view, call, index, fd, addr);
		/*
		 * This number or none; or it has been told already. It is tried again, for a while.
		 * 
		 */
		if (r == BERTH_LEASE_E_TAKEN &&
		    (supervisor->job->wish.strict || (ports->port[index].announced && patient)))
			return r;
		if (r == BERTH_LEASE_E_TAKEN) {
			berth_lease_release(&ports->port[index].lease);
			ports->steer[index].given = 0;
		}
	}
	return r == BERTH_LEASE_E_TAKEN ? -EADDRINUSE : r;
}

/*
 * Takes the row that the verdict means, or makes one; -1: there are too many, the kernel shall do
 * it.
 */
static int row_of(struct berth_supervisor *supervisor, struct berth_steer_verdict verdict,
		  uint16_t number)
{
	struct berth_ports *ports = &supervisor->ports;
	char name[BERTH_PORT_NAME_MAX];
	bool tool = verdict.action == BERTH_STEER_NEW_TOOL;
	int index;

	if (verdict.action == BERTH_STEER_PORT)
		return (int)verdict.port;
	/* Rows of extra ports go with their sockets; that is noticed when there is need. */
	if (ports->count == BERTH_PORTS_MAX)
		berth_supervisor_check_all(supervisor);
	snprintf(name, sizeof(name), "%s-%u", tool ? "tool" : "extra", number);
	index = berth_ports_add(ports, tool ? BERTH_STEER_TOOL : BERTH_STEER_EXTRA, name, number);
	return index;
}

/* QUIC and its like: the UDP twin of a TCP port has the same number, and no lease of its own. */
static int bind_udp_twin(struct berth_supervisor *supervisor, size_t index, int fd,
			 const struct berth_addr *addr)
{
	struct berth_addr target = *addr;

	berth_addr_set_port(&target, supervisor->ports.steer[index].given);
	return berth_sock_bind(fd, &target);
}

static void answer_bind(struct berth_supervisor *supervisor, struct berth_view *view,
			const struct berth_notify_call *call, int fd, struct berth_addr *addr,
			int64_t deadline_ns)
{
	struct socket_facts facts = facts_of(supervisor, fd);
	const struct berth_steer_view steer = view_of(supervisor);
	struct berth_steer_bind bind = {
		.number = berth_addr_port(addr),
		.udp = facts.udp,
		.multicast = berth_addr_is_multicast(addr),
		.reuse = facts.udp && (berth_sock_get(fd, SOL_SOCKET, SO_REUSEADDR) > 0 ||
				       berth_sock_get(fd, SOL_SOCKET, SO_REUSEPORT) > 0),
	};
	struct berth_steer_verdict verdict;
	int index, r;

	if ((!facts.tcp && !facts.udp) || facts.foreign_netns) {
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	verdict = berth_steer_decide_bind(&steer, &bind);
	if (verdict.action == BERTH_STEER_PASS) {
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	index = row_of(supervisor, verdict, bind.number);
	if (index < 0) {
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	if (supervisor->job->loopback)
		*addr = to_loopback(addr, fd);
	if (facts.udp && !supervisor->ports.steer[index].udp)
		r = bind_udp_twin(supervisor, (size_t)index, fd, addr);
	else
		r = bind_row(supervisor, view, call, (size_t)index, fd, addr,
			     !deadline_ns || berth_time_mono_ns() < deadline_ns);
	if (r == BERTH_LEASE_E_FULL)
		r = bind_udp_twin(supervisor, (size_t)index, fd, addr);
	else if (r == 0)
		note_bind(supervisor, call, (size_t)index, bind.number, fd);
	else if (verdict.action != BERTH_STEER_PORT)
		berth_ports_drop(&supervisor->ports, (size_t)index);
	else if (r == BERTH_LEASE_E_TAKEN && defer(supervisor, view, call, deadline_ns))
		return;
	berth_notify_answer(view->notify_fd, call, r > 0 ? -EADDRINUSE : r);
}

/* The caller's socket, or what is to be done without it. */
static int take_socket(struct berth_supervisor *supervisor, struct berth_view *view,
		       const struct berth_notify_call *call)
{
	int fd = berth_notify_get_fd(view->notify_fd, call);

	if (fd == -EPERM || fd == -EACCES || fd == -ESRCH)
		soften_all(
			view,
			"a process of it may not be looked into (not dumpable, or another user's)");
	if (fd < 0 && fd != -ENOENT)
		berth_notify_continue(view->notify_fd, call);
	return fd;
}

static void on_bind(struct berth_supervisor *supervisor, struct berth_view *view,
		    const struct berth_notify_call *call, int64_t deadline_ns)
{
	struct berth_addr addr;
	BERTH_AUTO_FD int fd = -1;
	int r = berth_notify_read_addr(view->notify_fd, call, &addr);

	if (r == -ENOENT)
		return;
	if (r == -EPERM || r == -EACCES || r == -ESRCH)
		soften_all(
			view,
			"a process of it may not be looked into (not dumpable, or another user's)");
	if (r < 0 || !berth_addr_port(&addr)) {
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	if (is_confined(supervisor, call)) {
		soften_all(view, "a process of it has confined itself with Landlock");
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	fd = take_socket(supervisor, view, call);
	if (fd >= 0)
		answer_bind(supervisor, view, call, fd, &addr, deadline_ns);
}

/*
 * Of an extra port: its socket is exclusive and alone; as with a lease, its connections must not
 * block the next start.
 */
static int listen_extra(int fd, int backlog)
{
	int r = berth_sock_listen(fd, backlog);

	return r < 0 ? r : berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

static void on_listen(struct berth_supervisor *supervisor, struct berth_view *view,
		      const struct berth_notify_call *call, int64_t deadline_ns)
{
	BERTH_AUTO_FD int fd = take_socket(supervisor, view, call);
	struct berth_port_user *user;
	int index, r;

	if (fd < 0)
		return;
	index = berth_ports_find_inode(&supervisor->ports, berth_sock_inode(fd), &user);
	if (index < 0) {
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	if (supervisor->ports.steer[index].kind == BERTH_STEER_DECLARED)
		r = berth_lease_listen(&supervisor->ports.port[index].lease, fd, call->backlog);
	else
		r = listen_extra(fd, call->backlog);
	if (r == BERTH_LEASE_E_TAKEN && defer(supervisor, view, call, deadline_ns))
		return;
	if (r == 0) {
		user->listening = true;
		berth_supervisor_note_user(supervisor, user, call);
		berth_supervisor_watch_listener(supervisor, (size_t)index, user);
		berth_supervisor_touch(supervisor);
	}
	berth_notify_answer(view->notify_fd, call, r > 0 ? -EADDRINUSE : r);
}

/*
 * Start the connection and let the caller wait for it: set O_NONBLOCK for the moment of our
 * connect(). If it is under way then, a blocking caller goes on in its own connect(), which on a
 * connecting socket only waits, with its signals and timeouts, whatever address it names.
 */
static void connect_elsewhere(struct berth_view *view, const struct berth_notify_call *call, int fd,
			      const struct berth_addr *addr)
{
	int flags = fcntl(fd, F_GETFL);
	bool blocking = flags >= 0 && !(flags & O_NONBLOCK);
	int r;

	if (blocking && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	r = connect(fd, &addr->sa, addr->len) < 0 ? -errno : 0;
	if (blocking && fcntl(fd, F_SETFL, flags) < 0)
		r = -errno;
	if (r == -EINPROGRESS && blocking)
		berth_notify_continue(view->notify_fd, call);
	else
		berth_notify_answer(view->notify_fd, call, r);
}

/*
 * Is @number the port of another copy of this service? Asked of the index, which costs two system
 * calls where it is not.
 */
static bool is_of_another_copy(struct berth_supervisor *supervisor, uint16_t number)
{
	BERTH_AUTO_JSON json_t *record = berth_registry_find_port(&supervisor->registry, number);
	const char *family =
		record ? json_string_value(berth_registry_private(record, "family")) : NULL;
	const char *id = berth_json_string(berth_registry_service(record), "id", "");

	return family && strcmp(family, supervisor->job->identity.family) == 0 &&
	       strcmp(id, supervisor->id) != 0;
}

static void on_connect(struct berth_supervisor *supervisor, struct berth_view *view,
		       const struct berth_notify_call *call)
{
	const struct berth_steer_view steer = view_of(supervisor);
	struct berth_steer_verdict verdict;
	struct berth_addr addr;
	uint16_t number, given;
	int r = berth_notify_read_addr(view->notify_fd, call, &addr);

	if (r == -ENOENT)
		return;
	if (r < 0) {
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	number = berth_addr_port(&addr);
	verdict = berth_steer_decide_connect(
		&steer, number, berth_addr_is_loopback(&addr) || berth_addr_is_any(&addr));
	if (verdict.action == BERTH_STEER_REFUSE ||
	    (verdict.action == BERTH_STEER_ASK && is_of_another_copy(supervisor, number))) {
		berth_notify_answer(view->notify_fd, call, -ECONNREFUSED);
		return;
	}
	if (verdict.action != BERTH_STEER_PORT) {
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	/* Our duplicate must not accept what the service has stopped listening for. */
	berth_supervisor_check_users(supervisor, verdict.port);
	given = supervisor->ports.steer[verdict.port].given;
	if (given == number || is_confined(supervisor, call)) {
		berth_notify_continue(view->notify_fd, call);
	} else {
		BERTH_AUTO_FD int fd = take_socket(supervisor, view, call);
		struct socket_facts facts;

		if (fd < 0)
			return;
		facts = facts_of(supervisor, fd);
		if (!facts.tcp || facts.foreign_netns) {
			berth_notify_continue(view->notify_fd, call);
			return;
		}
		berth_addr_set_port(&addr, given);
		connect_elsewhere(view, call, fd, &addr);
	}
}

static void note_process(struct berth_proc_id *list, size_t *count, pid_t tid)
{
	struct berth_proc_status status;
	struct berth_proc_stat proc;

	if (*count == BERTH_SUPERVISOR_SESSIONS_MAX || berth_procfs_status(tid, &status) < 0 ||
	    berth_procfs_stat(status.tgid, &proc) < 0)
		return;
	list[(*count)++] = proc.id;
}

static void dispatch(struct berth_supervisor *supervisor, struct berth_view *view,
		     const struct berth_notify_call *call, int64_t deadline_ns)
{
	switch (call->kind) {
	case BERTH_NOTIFY_BIND:
		on_bind(supervisor, view, call, deadline_ns);
		break;
	case BERTH_NOTIFY_LISTEN:
		on_listen(supervisor, view, call, deadline_ns);
		break;
	case BERTH_NOTIFY_CONNECT:
		on_connect(supervisor, view, call);
		break;
	case BERTH_NOTIFY_SETSID:
		/*
		 * A session of its own can't be left again, and is never given to others while in
		 * use: a mark that survives us.
		 */
		if (view->own)
			note_process(supervisor->sessions, &supervisor->session_count, call->tid);
		berth_notify_continue(view->notify_fd, call);
		if (view->own)
			berth_supervisor_touch(supervisor);
		break;
	case BERTH_NOTIFY_LANDLOCK:
		note_process(supervisor->confined, &supervisor->confined_count, call->tid);
		berth_notify_continue(view->notify_fd, call);
		break;
	case BERTH_NOTIFY_OTHER:
		berth_notify_continue(view->notify_fd, call);
		break;
	}
}

static void on_notify(struct berth_loop_source *source, uint32_t events)
{
	struct berth_view *view = berth_container_of(source, struct berth_view, source);
	struct berth_supervisor *supervisor = view->supervisor;
	struct berth_notify_call call;

	if (events & EPOLLIN) {
		if (berth_notify_recv(view->notify_fd, &call) == 0)
			dispatch(supervisor, view, &call, 0);
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		bool own = view->own;

		berth_supervisor_close_view(view);
		if (own)
			supervisor->tree_hup = true;
	}
}

int berth_supervisor_add_view(struct berth_supervisor *supervisor, int notify_fd, bool own)
{
	for (size_t i = 0; i < BERTH_SUPERVISOR_VIEWS_MAX; i++) {
		struct berth_view *view = &supervisor->views[i];
		int r;

		if (view->notify_fd >= 0)
			continue;
		r = berth_loop_add(&supervisor->loop, &view->source, notify_fd, EPOLLIN, on_notify);
		if (r < 0)
			return r;
		view->supervisor = supervisor;
		view->notify_fd = notify_fd;
		view->own = own;
		return 0;
	}
	return -ENOSPC;
}

void berth_supervisor_close_view(struct berth_view *view)
{
	struct berth_supervisor *supervisor = view->supervisor;

	for (size_t i = 0; i < BERTH_SUPERVISOR_PENDING_MAX; i++)
		if (supervisor->pending[i].view == view)
			supervisor->pending[i].view = NULL;
	berth_loop_remove(&supervisor->loop, &view->source);
	berth_fd_close(&view->notify_fd);
}

void berth_supervisor_retry(struct berth_supervisor *supervisor, int64_t now_ns)
{
	for (size_t i = 0; i < BERTH_SUPERVISOR_PENDING_MAX; i++) {
		struct berth_pending pending = supervisor->pending[i];

		if (!pending.view || pending.retry_ns > now_ns)
			continue;
		supervisor->pending[i].view = NULL;
		if (berth_notify_is_valid(pending.view->notify_fd, &pending.call))
			dispatch(supervisor, pending.view, &pending.call, pending.deadline_ns);
	}
}

int64_t berth_supervisor_retry_ns(const struct berth_supervisor *supervisor)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < BERTH_SUPERVISOR_PENDING_MAX; i++)
		if (supervisor->pending[i].view && supervisor->pending[i].retry_ns < next)
			next = supervisor->pending[i].retry_ns;
	return next;
}
