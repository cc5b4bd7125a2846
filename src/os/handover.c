/* SPDX-License-Identifier: MIT */
/* os/handover.c - a kept listening socket put in the place of the service's own */
/*
 * Theory of operation. A service that starts again makes a new socket and binds it. While it waits
 * in that bind(), the listening socket of its life before, with all clients that came meanwhile, is
 * put under the same number (SECCOMP_IOCTL_NOTIF_ADDFD with SETFD); bind() is answered, listen() on
 * a listening socket only sets the backlog, and accept() finds the clients. The program does not
 * see any of it, unless something of its own means the *file* and not the number:
 *
 *  - another number made by dup(): would stay the old socket. Refused.
 *  - an epoll descriptor: epoll(7) keys on (file, number), so the kept socket is a new entry.
 *  - a number of another process (fork() between socket() and bind()): would stay the old socket.
 *    Which processes there are is not known here; see the header.
 *
 * epoll. EPOLL_CTL_ADD takes the file of a number of *its* caller. So a helper process, forked from
 * us, holds the kept socket under the number that the service has it under, and adds it to a
 * duplicate of the service's epoll descriptor (pidfd_getfd) with the events and data that fdinfo
 * tells; EPOLLET, EPOLLONESHOT and EPOLLEXCLUSIVE are among these events. The order:
 *
 *  1. everything is read, the epoll descriptors are taken: any failure here changes nothing
 *  2. options and flags of the kept socket (nobody else has it, so nobody sees them)
 *  3. SETFD
 *  4. the helper adds the kept socket everywhere, then removes the old one; or takes back
 *  5. if it took back: SETFD of the old socket, of which we hold a duplicate; its registrations
 *     were not touched, since it never lost its last descriptor
 *
 * The additions come after SETFD because the kept socket has clients in its queue, and is reported
 * the moment it is added. Another thread in epoll_wait() would then accept() on a socket that does
 * not listen, and with EPOLLET not be told again. This way round it accepts a client a little
 * early. The old socket is removed, and not left to close(): until our duplicate of it is closed,
 * an unbound TCP socket reports EPOLLHUP.
 *
 * Not carried over, since no program was seen to do it before bind(): O_ASYNC and its owner
 * (F_SETOWN), a poll() of another thread or an armed io_uring request on the unbound socket (both
 * hold the file, and end with POLLHUP at once anyway), fixed files of an io_uring. poll() and
 * select() later on look the number up anew.
 *
 * An epoll descriptor inherited over fork() is one object in both processes: what is added here is
 * seen by the other too, as any EPOLL_CTL_ADD would be. Registrations that the other made of a
 * number of its own are carried over with the number they were made with.
 */
#include "os/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "os/child.h"
#include "os/fdinfo.h"

enum {
	WATCHES_MAX = 64, /* registrations of one socket; programs have one, or one a thread */
};

struct watch {
	struct berth_fdinfo_watch as; /* number, events and data */
	int epoll; /* owned: our duplicate of the descriptor that it is in */
};

struct plan {
	const struct berth_handover_spec *spec;
	bool cloexec; /* what the caller's descriptor is, and will be */
	size_t count;
	struct watch watches[WATCHES_MAX];
};

/*
 * The device is compared too: a service that ties itself to one (SO_BINDTODEVICE) must not stay
 * open to the others.
 */
bool berth_handover_fits(int fd, int kept)
{
	static const struct {
		int level, option;
	} rows[] = {
		{ SOL_SOCKET, SO_DOMAIN },     { SOL_SOCKET, SO_TYPE },
		{ SOL_SOCKET, SO_PROTOCOL },   { SOL_SOCKET, SO_BINDTOIFINDEX },
		{ IPPROTO_IPV6, IPV6_V6ONLY },
	};
	size_t count = BERTH_ARRAY_SIZE(rows);
	int value;

	if (berth_sock_get(fd, SOL_SOCKET, SO_DOMAIN) != AF_INET6)
		count--;
	for (size_t i = 0; i < count; i++) {
		value = berth_sock_get(fd, rows[i].level, rows[i].option);
		if (value < 0 || value != berth_sock_get(kept, rows[i].level, rows[i].option))
			return false;
	}
	return true;
}

/* A refusal to look: ours to name, unless the caller has just gone. */
static int unreadable(const struct berth_handover_spec *spec, int r)
{
	if (r != -EACCES && r != -EPERM && r != -ESRCH && r != -ENOENT)
		return r;
	return berth_notify_is_valid(spec->notify_fd, spec->call) ? BERTH_HANDOVER_E_UNREADABLE
								  : -ENOENT;
}

/* A duplicate of the epoll descriptor that the caller has under @number. */
static int take_epoll(const struct plan *plan, int number)
{
	struct berth_notify_call call = *plan->spec->call;

	call.fd = number;
	return berth_notify_get_fd(plan->spec->notify_fd, &call);
}

static int find_watches(struct plan *plan, int epoll_fd)
{
	struct berth_fdinfo_watch found[WATCHES_MAX];
	size_t count = 0;
	int r, fd;

	r = berth_fdinfo_watches(plan->spec->call->tid, epoll_fd, plan->spec->fd, found,
				 WATCHES_MAX - plan->count, &count);
	if (r == -ENOENT)
		return 0; /* closed by another thread since */
	if (r < 0)
		return r == -E2BIG ? BERTH_HANDOVER_E_EPOLL : unreadable(plan->spec, r);
	for (size_t i = 0; i < count; i++) {
		fd = take_epoll(plan, epoll_fd);
		if (fd == -EPERM)
			return BERTH_HANDOVER_E_EPOLL;
		if (fd < 0)
			return fd == -EBADF ? 0 : fd;
		plan->watches[plan->count++] = (struct watch){ .as = found[i], .epoll = fd };
	}
	return 0;
}

/*
 * What must be known before anything is changed. A caller outside of our pid namespace has the
 * thread id 0, and /proc/0 does not exist.
 */
static int look(struct plan *plan)
{
	const struct berth_handover_spec *spec = plan->spec;
	struct berth_fdinfo_table table;
	unsigned int flags;
	int r;

	if (spec->shared && spec->compare_nonblock &&
	    (fcntl(spec->fd, F_GETFL) ^ fcntl(spec->kept, F_GETFL)) & O_NONBLOCK)
		return BERTH_HANDOVER_E_BLOCKING;
	r = berth_fdinfo_flags(spec->call->tid, spec->call->fd, &flags);
	if (r == 0)
		r = berth_fdinfo_scan(spec->call->tid, spec->fd, &table);
	if (r == -E2BIG)
		return BERTH_HANDOVER_E_EPOLL;
	if (r < 0)
		return unreadable(spec, r);
	if (table.copies > 1)
		return BERTH_HANDOVER_E_COPIED;
	plan->cloexec = flags & O_CLOEXEC;
	for (size_t i = 0; i < table.epoll_count; i++) {
		r = find_watches(plan, table.epolls[i]);
		if (r)
			return r;
	}
	return berth_notify_is_valid(spec->notify_fd, spec->call) ? 0 : -ENOENT;
}

/*
 * What programs set before bind() and what decides how a listening socket, or those accepted from
 * it, behave. A changed program must not run with the options of the one before it, so the defaults
 * of the new socket count too. Left out: SO_REUSEADDR and SO_REUSEPORT, which are the lease's
 * affair; what reads back as another thing than was set (TCP_MAXSEG, TCP_WINDOW_CLAMP); what
 * can't be read (socket filters, TCP_MD5SIG); what takes a right that we may have and the service
 * not (SO_MARK, IP_TRANSPARENT).
 */
static const struct {
	int level, option;
} options[] = {
	/* inherited by each accepted socket: many programs set them once, here */
	{ IPPROTO_TCP, TCP_NODELAY },
	{ SOL_SOCKET, SO_KEEPALIVE },
	{ IPPROTO_TCP, TCP_KEEPIDLE },
	{ IPPROTO_TCP, TCP_KEEPINTVL },
	{ IPPROTO_TCP, TCP_KEEPCNT },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT },
	{ IPPROTO_TCP, TCP_CONGESTION },
	{ SOL_SOCKET, SO_LINGER },
	{ SOL_SOCKET, SO_SNDTIMEO },
	{ IPPROTO_IP, IP_TOS },
	{ IPPROTO_IPV6, IPV6_TCLASS },
	/* of the listening socket itself */
	{ SOL_SOCKET, SO_RCVTIMEO }, /* how long accept() waits */
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT }, /* nginx, haproxy: a client that says nothing is none */
	{ IPPROTO_TCP, TCP_FASTOPEN },
};

/*
 * The kernel tells twice what it was given, and stops to adapt a size that was set by hand, which
 * SO_BUF_LOCK tells (5.14).
 */
static void copy_buffers(int from, int to)
{
	int locks = berth_sock_get(from, SOL_SOCKET, SO_BUF_LOCK);
	int snd = berth_sock_get(from, SOL_SOCKET, SO_SNDBUF);
	int rcv = berth_sock_get(from, SOL_SOCKET, SO_RCVBUF);

	if (locks < 0 || snd < 0 || rcv < 0)
		return;
	if (locks == 0 && berth_sock_get(to, SOL_SOCKET, SO_BUF_LOCK) == 0)
		return;
	(void)!berth_sock_set(to, SOL_SOCKET, SO_SNDBUF, snd / 2);
	(void)!berth_sock_set(to, SOL_SOCKET, SO_RCVBUF, rcv / 2);
	(void)!berth_sock_set(to, SOL_SOCKET, SO_BUF_LOCK, locks);
}

/* Where an option can't be copied, the kept socket stays as it was. */
static void copy_options(int from, int to)
{
	char wanted[64], present[64];
	socklen_t len, present_len;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(options); i++) {
		int level = options[i].level, option = options[i].option;

		len = present_len = sizeof(wanted);
		if (getsockopt(from, level, option, wanted, &len) < 0 ||
		    getsockopt(to, level, option, present, &present_len) < 0)
			continue;
		if (len != present_len || memcmp(wanted, present, len) != 0)
			(void)!setsockopt(to, level, option, wanted, len);
	}
	copy_buffers(from, to);
}

/* F_SETFL changes O_NONBLOCK alone of what a socket can have; O_ASYNC would signal us. */
static int copy_flags(int from, int to)
{
	int flags = fcntl(from, F_GETFL);

	if (flags < 0 || fcntl(to, F_SETFL, flags & ~O_ASYNC) < 0)
		return -errno;
	return 0;
}

/* The helper process, to carry_over(): between fork() and _exit(), async-signal-safe. */

static bool is_wanted(const struct plan *plan, int number)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->watches[i].as.fd == number)
			return true;
	return false;
}

/* @fd under a number that the service's will not need. Each try stays open: the next is another. */
static int step_aside(const struct plan *plan, int fd)
{
	while (fd >= 0 && is_wanted(plan, fd))
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return fd;
}

/* Is the same registration made already, in an epoll that the service has under two numbers? */
static bool is_repeated(const struct plan *plan, size_t index)
{
	const struct berth_fdinfo_watch *watch = &plan->watches[index].as;

	for (size_t i = 0; i < index; i++) {
		const struct berth_fdinfo_watch *made = &plan->watches[i].as;

		if (made->fd == watch->fd && made->events == watch->events &&
		    made->data == watch->data)
			return true;
	}
	return false;
}

static bool add_kept(const struct plan *plan, size_t index, int kept)
{
	const struct watch *watch = &plan->watches[index];
	struct epoll_event event = { .events = watch->as.events, .data.u64 = watch->as.data };

	if (dup2(kept, watch->as.fd) < 0)
		return false;
	if (epoll_ctl(watch->epoll, EPOLL_CTL_ADD, watch->as.fd, &event) == 0)
		return true;
	if (errno != EEXIST)
		return false;
	/*
	 * The service had the kept socket under this number before, and closed it: the kernel
	 * forgets such an entry with the file, which we have kept. It is nobody's, unless others
	 * have the socket.
	 */
	if (plan->spec->shared)
		return is_repeated(plan, index);
	(void)epoll_ctl(watch->epoll, EPOLL_CTL_DEL, watch->as.fd, NULL);
	return epoll_ctl(watch->epoll, EPOLL_CTL_ADD, watch->as.fd, &event) == 0;
}

static bool carry_over(struct plan *plan)
{
	int kept = step_aside(plan, plan->spec->kept), old = step_aside(plan, plan->spec->fd);
	struct rlimit limit;
	size_t made = 0;

	/* The service's numbers may be higher than ours go. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	for (size_t i = 0; i < plan->count; i++) {
		plan->watches[i].epoll = step_aside(plan, plan->watches[i].epoll);
		if (plan->watches[i].epoll < 0)
			return false;
	}
	if (kept < 0 || old < 0)
		return false;
	while (made < plan->count && add_kept(plan, made, kept))
		made++;
	if (made < plan->count) {
		for (size_t i = 0; i < made; i++)
			(void)epoll_ctl(plan->watches[i].epoll, EPOLL_CTL_DEL,
					plan->watches[i].as.fd, NULL);
		return false;
	}
	for (size_t i = 0; i < plan->count; i++)
		if (dup2(old, plan->watches[i].as.fd) >= 0)
			(void)epoll_ctl(plan->watches[i].epoll, EPOLL_CTL_DEL,
					plan->watches[i].as.fd, NULL);
	return true;
}

static int carry_over_in_helper(struct plan *plan)
{
	BERTH_AUTO_FD int pidfd = -1;
	pid_t pid = berth_child_fork(&pidfd), r;
	int status = 0;

	if (pid < 0)
		return (int)pid;
	if (pid == 0)
		_exit(carry_over(plan) ? 0 : 1);
	do
		r = waitpid(pid, &status, 0);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : BERTH_HANDOVER_E_EPOLL;
}

static int put(struct plan *plan)
{
	const struct berth_handover_spec *spec = plan->spec;
	int r;

	if (!spec->shared) {
		r = copy_flags(spec->fd, spec->kept);
		if (r < 0)
			return r;
		copy_options(spec->fd, spec->kept);
	}
	r = berth_notify_replace_fd(spec->notify_fd, spec->call, spec->kept, plan->cloexec);
	if (r < 0 || !plan->count)
		return r;
	r = carry_over_in_helper(plan);
	/* Fails only if the caller has gone. */
	if (r)
		(void)!berth_notify_replace_fd(spec->notify_fd, spec->call, spec->fd,
					       plan->cloexec);
	return r;
}

int berth_handover(const struct berth_handover_spec *spec)
{
	struct plan plan = { .spec = spec };
	int r = look(&plan);

	if (r == 0)
		r = put(&plan);
	for (size_t i = 0; i < plan.count; i++)
		close(plan.watches[i].epoll);
	return r;
}

const char *berth_handover_why(int outcome)
{
	switch (outcome) {
	case 0:
		return "";
	case BERTH_HANDOVER_E_UNREADABLE:
		return "its descriptors can't be read";
	case BERTH_HANDOVER_E_COPIED:
		return "it has a copy of its socket (dup)";
	case BERTH_HANDOVER_E_BLOCKING:
		return "one of those that would share the socket waits in accept(), and another does not";
	case BERTH_HANDOVER_E_EPOLL:
		return "its socket is in an epoll descriptor that can't be changed";
	default:
		return strerror(-outcome);
	}
}
