/* SPDX-License-Identifier: MIT */
/*
 * os/notify.c - receive and answer the system calls of a service: seccomp_unotify(2)
 *
 * Theory of operation. A filter with SECCOMP_FILTER_FLAG_NEW_LISTENER suspends the calls that it
 * names and reports each on a descriptor. The caller waits until it is answered; nothing it does
 * runs meanwhile, but other threads of it do, so memory and descriptors may change under our eyes.
 * That is no matter where we act on our own copy (the address we have read, the socket we have
 * taken); it would be for a border of security, which this is not: a service could leave our
 * filter's sight with io_uring all the same.
 *
 * SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (5.19): once received, only a fatal signal takes the
 * caller out of its call. Without it any signal repeats the call, and Go's runtime signals itself
 * all the time.
 *
 * A call is known by its cookie (id); the thread id in it can die and be given again at any moment.
 * So: read first, then ask whether the cookie still stands (is_valid), and only then believe what
 * was read.
 */
#include "os/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "os/procfs.h"

/* Newer than Debian 12's headers. */
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* 6.9 */
#endif

/*
 * An internet address has at least the 16 bytes of sockaddr_in: shorter ones are netlink, unnamed
 * or abstract unix sockets. 110 is the whole sockaddr_un, which most programs pass. The rest of the
 * unix sockets is trapped, seen, and continued.
 */
enum {
	ADDR_LEN_MIN = sizeof(struct sockaddr_in),
	ADDR_LEN_UNIX = 110
};

static int add_native_rules(scmp_filter_ctx ctx, bool with_connect)
{
	const struct scmp_arg_cmp addr_len[] = {
		SCMP_A2(SCMP_CMP_GE, ADDR_LEN_MIN),
	};
	int r = 0;

	r |= seccomp_rule_add_array(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(bind), 1, addr_len);
	r |= seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(listen), 0);
	r |= seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(setsid), 0);
	r |= seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(landlock_restrict_self), 0);
	if (with_connect) {
		/*
		 * One argument can be compared once in a rule: the lengths that internet addresses
		 * come in, and all above.
		 */
		r |= seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(connect), 1,
				      SCMP_A2(SCMP_CMP_GT, ADDR_LEN_UNIX));
		for (unsigned int len = ADDR_LEN_MIN; len <= sizeof(struct sockaddr_in6); len++)
			r |= seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(connect), 1,
					      SCMP_A2(SCMP_CMP_EQ, len));
	}
	return r ? -EINVAL : 0;
}

/*
 * libseccomp writes to a descriptor; seccomp(2) wants memory, and at a time when allocating is not
 * allowed.
 */
static int export_program(scmp_filter_ctx ctx, struct berth_notify_program *ret_program)
{
	BERTH_AUTO_FD int fd = memfd_create("berth-filter", MFD_CLOEXEC);
	BERTH_AUTO_FREE struct sock_filter *insns = NULL;
	struct stat st;
	int r;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	insns = malloc((size_t)st.st_size);
	if (!insns)
		return -ENOMEM;
	if (pread(fd, insns, (size_t)st.st_size, 0) != st.st_size)
		return -EIO;
	ret_program->len = (unsigned short)((size_t)st.st_size / sizeof(*insns));
	ret_program->insns = BERTH_STEAL(insns);
	return 0;
}

int berth_notify_program_new(bool with_connect, struct berth_notify_program *ret_program)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r;

	if (!ctx)
		return -ENOMEM;
	/*
	 * Calls of another architecture (32-bit programs) are left to the kernel: steered is what
	 * we can decode.
	 */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
	if (r == 0)
		r = add_native_rules(ctx, with_connect);
	if (r == 0)
		r = export_program(ctx, ret_program);
	seccomp_release(ctx);
	return r;
}

void berth_notify_program_deinit(struct berth_notify_program *program)
{
	free(BERTH_STEAL(program->insns));
}

static int install_filter(const struct berth_notify_program *program)
{
	struct sock_fprog prog = { .len = program->len, .filter = program->insns };
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			  SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
			  &prog);

	return fd < 0 ? -errno : (int)fd;
}

int berth_notify_install(const struct berth_notify_program *program, int *ret_fd)
{
	int fd = install_filter(program);

	if (fd == -EACCES) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			return -errno;
		fd = install_filter(program);
	}
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

static enum berth_notify_kind kind_of(const struct seccomp_data *data)
{
	switch (data->nr) {
	case SYS_bind:
		return BERTH_NOTIFY_BIND;
	case SYS_listen:
		return BERTH_NOTIFY_LISTEN;
	case SYS_connect:
		return BERTH_NOTIFY_CONNECT;
	case SYS_setsid:
		return BERTH_NOTIFY_SETSID;
	case SYS_landlock_restrict_self:
		return BERTH_NOTIFY_LANDLOCK;
	default:
		return BERTH_NOTIFY_OTHER;
	}
}

int berth_notify_recv(int notify_fd, struct berth_notify_call *ret_call)
{
	/* The kernel wants a zeroed buffer, and may know a longer structure than our headers do. */
	union {
		struct seccomp_notif notif;
		char room[256];
	} in = { 0 };

	if (ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_RECV, &in.notif) < 0)
		return -errno;
	*ret_call = (struct berth_notify_call){
		.id = in.notif.id,
		.tid = (pid_t)in.notif.pid,
		.kind = kind_of(&in.notif.data),
		.fd = (int)in.notif.data.args[0],
		.backlog = (int)in.notif.data.args[1],
		.addr_ptr = in.notif.data.args[1],
		.addr_len = (uint32_t)in.notif.data.args[2],
	};
	return 0;
}

bool berth_notify_is_valid(int notify_fd, const struct berth_notify_call *call)
{
	return ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) == 0;
}

int berth_notify_read_addr(int notify_fd, const struct berth_notify_call *call,
			   struct berth_addr *ret_addr)
{
	struct sockaddr_storage raw;
	size_t len = call->addr_len < sizeof(raw) ? call->addr_len : sizeof(raw);
	struct iovec local = { .iov_base = &raw, .iov_len = len };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)call->addr_ptr, .iov_len = len };
	ssize_t n;

	if (!call->tid)
		return -ESRCH;
	n = process_vm_readv(call->tid, &local, 1, &remote, 1, 0);
	if (n < 0)
		return -errno;
	if ((size_t)n != len)
		return -EFAULT;
	if (!berth_notify_is_valid(notify_fd, call))
		return -ENOENT;
	return berth_addr_from_raw(&raw, len, ret_addr);
}

/*
 * The table of descriptors belongs to the thread that calls, and the group's leader may be dead
 * already.
 */
static int open_caller(pid_t tid)
{
	struct berth_proc_status status;
	int pidfd = pidfd_open(tid, PIDFD_THREAD);
	int r;

	if (pidfd >= 0 || errno != EINVAL)
		return pidfd < 0 ? -errno : pidfd;
	/* Before 6.9: by the leader, which every ordinary process still has. */
	r = berth_procfs_status(tid, &status);
	if (r < 0)
		return r;
	pidfd = pidfd_open(status.tgid, 0);
	return pidfd < 0 ? -errno : pidfd;
}

int berth_notify_get_fd(int notify_fd, const struct berth_notify_call *call)
{
	BERTH_AUTO_FD int pidfd = -1;
	BERTH_AUTO_FD int fd = -1;

	if (!call->tid)
		return -ESRCH;
	pidfd = open_caller(call->tid);
	if (pidfd < 0)
		return pidfd;
	fd = pidfd_getfd(pidfd, call->fd, 0);
	if (fd < 0)
		return -errno;
	if (!berth_notify_is_valid(notify_fd, call))
		return -ENOENT;
	return berth_fd_steal(&fd);
}

static void respond(int notify_fd, const struct berth_notify_call *call, int error,
		    unsigned int flags)
{
	union {
		struct seccomp_notif_resp resp;
		char room[64];
	} out = { .resp = { .id = call->id, .error = error, .flags = flags } };

	/* ENOENT: the caller was killed meanwhile. Nobody is left to be told. */
	(void)!ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_SEND, &out.resp);
}

void berth_notify_answer(int notify_fd, const struct berth_notify_call *call, int error)
{
	respond(notify_fd, call, error, 0);
}

void berth_notify_continue(int notify_fd, const struct berth_notify_call *call)
{
	respond(notify_fd, call, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

int berth_notify_replace_fd(int notify_fd, const struct berth_notify_call *call, int fd,
			    bool cloexec)
{
	struct seccomp_notif_addfd add = {
		.id = call->id,
		.flags = SECCOMP_ADDFD_FLAG_SETFD,
		.srcfd = (uint32_t)fd,
		.newfd = (uint32_t)call->fd,
		.newfd_flags = cloexec ? O_CLOEXEC : 0,
	};

	return ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno : 0;
}
