/* SPDX-License-Identifier: MIT */
/*
 * os/child.c - start a process, and know it by its pidfd
 *
 * Between clone3() and exec() the child shares nothing with us but is a copy of us: only
 * async-signal-safe calls. It reports over a socket pair, close-on-exec: first the descriptor of
 * its filter, if there is one, then, if something fails, {stage, errno}; the end of file without
 * such a message is the exec() that has succeeded. What comes with a descriptor is answered, and
 * the child waits for that: if we can't take the descriptor (our table is full), nothing must run.
 *
 * With a keeper there is one more clone3(): the keeper's child is the command, and its pidfd is the
 * first that comes. The keeper's own socket is another pair, as it lives on. Of the two clones the
 * first may be left to a smaller process than us (os/cradle.h).
 *
 * clone3() in the place of fork(): the pidfd is there from birth, and so is the cgroup; both would
 * be a race later.
 */
#include "os/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "os/cradle.h"
#include "os/keeper.h"
#include "os/uds.h"

struct report {
	int stage;
	int error; /* errno; 0: a descriptor comes with it: of the command (FORK), of its filter */
	pid_t pid; /* of the command */
};

/*
 * Docker's seccomp profile answers ENOSYS to clone3(), old ones EPERM: then the pidfd is made after
 * the fact, of a child that nobody else can reap. Into a cgroup there is no other way.
 */
static pid_t clone_process(int *ret_pidfd, int cgroup_fd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | (cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = cgroup_fd >= 0 ? (uint64_t)cgroup_fd : 0,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid < 0 && (errno == ENOSYS || errno == EPERM) && cgroup_fd < 0)
		return berth_child_fork(ret_pidfd);
	return pid < 0 ? (pid_t)-errno : (pid_t)pid;
}

pid_t berth_child_fork(int *ret_pidfd)
{
	/*
	 * fork() and not clone3(): the child goes on in C, with whatever the C library keeps per
	 * process.
	 */
	pid_t pid = fork();
	int pidfd;

	if (pid < 0)
		return (pid_t)-errno;
	if (pid == 0)
		return 0;
	pidfd = pidfd_open(pid, 0); /* our own child, not reaped: it can't be anybody else */
	if (pidfd < 0) {
		int error = errno;

		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return (pid_t)-error;
	}
	*ret_pidfd = pidfd;
	return pid;
}

BERTH_NORETURN static void fail(int report_fd, enum berth_child_stage stage, int error)
{
	struct report report = { .stage = (int)stage, .error = error };

	/* If even this can't be sent, the parent sees a process that ended with 127. */
	(void)!berth_uds_send(report_fd, &report, sizeof(report), -1);
	_exit(127);
}

/* After what came with a descriptor: has it arrived? */
static void await_go(int report_fd)
{
	char go;

	if (berth_uds_recv(report_fd, &go, sizeof(go), NULL) != sizeof(go))
		_exit(127);
}

static int move_fd(int from, int to)
{
	if (from < 0)
		return 0;
	if (from == to)
		return fcntl(to, F_SETFD, 0) < 0 ? -errno : 0;
	return dup2(from, to) < 0 ? -errno : 0;
}

/*
 * The passed sockets go to 3 and up, where our own descriptors may lie: those in the way are moved
 * above first.
 */
static int place_passed(const struct berth_child_spec *spec, int *report_fd)
{
	int fds[BERTH_CHILD_PASS_MAX];
	int above = 3 + (int)spec->pass_count;
	int moved;

	moved = fcntl(*report_fd, F_DUPFD_CLOEXEC, above);
	if (moved < 0)
		return -errno;
	*report_fd = moved;
	for (size_t i = 0; i < spec->pass_count; i++) {
		fds[i] = fcntl(spec->pass_fds[i], F_DUPFD_CLOEXEC, above);
		if (fds[i] < 0)
			return -errno;
	}
	for (size_t i = 0; i < spec->pass_count; i++)
		if (dup2(fds[i], 3 + (int)i) < 0)
			return -errno;
	return 0;
}

/*
 * LISTEN_PID=... is known only here; the variable is in the environment with room for it
 * ("LISTEN_PID=          ").
 */
static void write_listen_pid(const char *const *envp)
{
	static const char name[] = "LISTEN_PID=";
	char digits[16];
	size_t count = 0;
	pid_t pid = getpid();

	for (; *envp && strncmp(*envp, name, sizeof(name) - 1) != 0; envp++)
		;
	if (!*envp)
		return;
	for (; pid > 0; pid /= 10)
		digits[count++] = (char)('0' + pid % 10);
	for (char *to = (char *)(uintptr_t)*envp + sizeof(name) - 1; *to; to++)
		*to = count ? digits[--count] : '\0';
}

static void limit_open_files(rlim_t soft)
{
	struct rlimit limit;

	if (soft && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = soft;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

BERTH_NORETURN static void become(const struct berth_child_spec *spec, int report_fd, pid_t parent)
{
	int notify_fd = -1;
	int r;

	prctl(PR_SET_PDEATHSIG, spec->parent_death_signal, 0, 0, 0);
	if (spec->parent_death_signal && getppid() != parent) /* it died before that took effect */
		_exit(127);
	if (spec->new_session ? setsid() < 0 : spec->pgrp && setpgid(0, spec->pgrp) < 0)
		fail(report_fd, BERTH_CHILD_GROUP, errno);
	if (spec->cwd && chdir(spec->cwd) < 0)
		fail(report_fd, BERTH_CHILD_CWD, errno);
	r = move_fd(spec->stdin_fd, 0);
	if (r == 0)
		r = move_fd(spec->stdout_fd, 1);
	if (r == 0)
		r = move_fd(spec->stderr_fd, 2);
	if (r == 0 && spec->pass_count)
		r = place_passed(spec, &report_fd);
	if (r == 0 && spec->terminal && ioctl(0, TIOCSCTTY, 0) < 0)
		r = -errno;
	if (r < 0)
		fail(report_fd, BERTH_CHILD_STDIO, -r);
	if (spec->pass_count)
		write_listen_pid(spec->envp);
	limit_open_files(spec->open_files);
	sigprocmask(SIG_SETMASK, &spec->signal_mask, NULL);
	if (spec->filter) {
		struct report report = { .stage = BERTH_CHILD_FILTER };

		r = berth_notify_install(spec->filter, &notify_fd);
		if (r == 0)
			r = berth_uds_send(report_fd, &report, sizeof(report), notify_fd);
		if (r < 0)
			fail(report_fd, BERTH_CHILD_FILTER, -r);
		await_go(report_fd);
	}
	environ = (char **)(uintptr_t)spec->envp;
	execvp(spec->argv[0], (char *const *)(uintptr_t)spec->argv);
	fail(report_fd, BERTH_CHILD_EXEC, errno);
}

/* The keeper's life: start the command, and stay above it. */
BERTH_NORETURN static void keep(const struct berth_child_spec *spec, int report_fd, int keeper_fd,
				pid_t parent)
{
	struct report report = { .stage = BERTH_CHILD_FORK };
	pid_t self = getpid();
	int pidfd = -1, r;

	berth_keeper_prepare(parent);
	report.pid = clone_process(&pidfd, spec->cgroup_fd);
	if (report.pid == 0) {
		/* A keeper that is killed before it tells of us would leave two waiting for it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		if (getppid() != self)
			_exit(127);
		await_go(report_fd);
		become(spec, report_fd, self);
	}
	if (report.pid < 0)
		fail(report_fd, BERTH_CHILD_FORK, -report.pid);
	r = berth_uds_send(report_fd, &report, sizeof(report), pidfd);
	if (r < 0) {
		kill(report.pid, SIGKILL);
		waitpid(report.pid, NULL, 0);
		fail(report_fd, BERTH_CHILD_FORK, -r);
	}
	/* What is born of a cradle is small already. */
	berth_keeper_run(keeper_fd, report.pid, !spec->cradle);
}

static void clone_keeper(const struct berth_child_spec *spec, const int ends[2], int keeper_fd,
			 struct berth_child_keeper *ret_keeper)
{
	struct berth_child_spec plain = *spec;
	pid_t parent = getpid();

	plain.cradle = NULL;
	ret_keeper->pid = clone_process(&ret_keeper->pidfd, -1);
	if (ret_keeper->pid == 0) {
		close(ends[0]);
		keep(&plain, ends[1], keeper_fd, parent);
	}
}

/* BERTH_CRADLE_E_LOST: somebody else may have @ends by now. */
static int start_kept(const struct berth_child_spec *spec, const int ends[2],
		      struct berth_child *child)
{
	struct berth_child_keeper *keeper = &child->keeper;
	struct berth_cradle_order order = { .spec = spec, .report_fd = ends[1], .run = keep };
	int keeper_ends[2];
	int r;

	r = berth_uds_pair(SOCK_SEQPACKET, keeper_ends);
	if (r < 0)
		return r;
	child->keeper_fd = keeper_ends[0];
	order.keeper_fd = keeper_ends[1];
	r = spec->cradle ? berth_cradle_make(spec->cradle, &order, &keeper->pid, &keeper->pidfd)
			 : -ENOSYS;
	if (r < 0) {
		clone_keeper(spec, ends, keeper_ends[1], keeper);
		r = keeper->pid < 0 ? keeper->pid : 0;
	}
	close(keeper_ends[1]);
	if (r)
		berth_fd_close(&child->keeper_fd);
	else if (fcntl(keeper_ends[0], F_SETFL, O_NONBLOCK) < 0)
		r = -errno;
	return r;
}

static int start_plain(const struct berth_child_spec *spec, const int ends[2],
		       struct berth_child *child)
{
	pid_t parent = getpid();

	child->pid = clone_process(&child->pidfd, spec->cgroup_fd);
	if (child->pid == 0) {
		close(ends[0]);
		become(spec, ends[1], parent);
	}
	return child->pid < 0 ? child->pid : 0;
}

/* What the child says until its exec(). 0: it has begun its program. */
static int hear(int fd, struct berth_child *child, enum berth_child_stage *ret_stage)
{
	for (;;) {
		struct report report;
		int passed = -1, r;
		ssize_t n = berth_uds_recv(fd, &report, sizeof(report), &passed);

		if (n == 0) /* a keeper that was killed has told of no command */
			return child->pid > 0 ? 0 : -ECHILD;
		if (n != sizeof(report) || report.error || passed < 0) {
			berth_fd_close(&passed);
			if (n != sizeof(report))
				return n < 0 ? (int)n : -EPROTO;
			*ret_stage = (enum berth_child_stage)report.stage;
			return report.error ? -report.error : -EMFILE;
		}
		if (report.stage == BERTH_CHILD_FORK) {
			child->pid = report.pid;
			child->pidfd = passed;
		} else {
			child->notify_fd = passed;
		}
		r = berth_uds_send(fd, "", 1, -1);
		if (r < 0 && r != -EPIPE) /* gone: the next is the end */
			return r;
	}
}

static int look_for_program(int dir_fd, const char *file)
{
	struct stat st;

	if (fstatat(dir_fd, file, &st, 0) < 0)
		return errno == EACCES ? -EACCES : -ENOENT;
	return !S_ISREG(st.st_mode) || faccessat(dir_fd, file, X_OK, AT_EACCESS) < 0 ? -EACCES : 0;
}

int berth_child_find(const char *name, const char *path, const char *cwd)
{
	BERTH_AUTO_FD int dir_fd = open(cwd ? cwd : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = -ENOENT;

	if (dir_fd < 0)
		return -errno;
	if (strchr(name, '/'))
		return look_for_program(dir_fd, name);
	while (path && *path && r != 0) {
		size_t len = strcspn(path, ":");
		char file[PATH_MAX];
		int found;

		snprintf(file, sizeof(file), "%.*s%s%s", (int)len, path, len ? "/" : "", name);
		found = look_for_program(dir_fd, file);
		/* One that may not be run is told of, unless another one may. */
		if (found != -ENOENT)
			r = found;
		path += len + (path[len] == ':');
	}
	return r;
}

static int attempt(const struct berth_child_spec *spec, struct berth_child *ret_child,
		   enum berth_child_stage *ret_stage)
{
	struct berth_child child = BERTH_CHILD_NONE;
	int ends[2];
	int r;

	*ret_stage = BERTH_CHILD_FORK;
	r = berth_uds_pair(SOCK_SEQPACKET, ends);
	if (r < 0)
		return r;
	r = spec->keep ? start_kept(spec, ends, &child) : start_plain(spec, ends, &child);
	close(ends[1]);
	if (r == 0)
		r = hear(ends[0], &child, ret_stage);
	close(ends[0]); /* who still waits for a go, ends now */
	if (r) {
		pid_t ours = spec->keep ? child.keeper.pid : child.pid;

		if (ours > 0)
			waitpid(ours, NULL, 0);
		berth_child_deinit(&child);
		return r;
	}
	*ret_child = child;
	return 0;
}

int berth_child_start(const struct berth_child_spec *spec, struct berth_child *ret_child,
		      enum berth_child_stage *ret_stage)
{
	struct berth_child_spec plain = *spec;
	int r = attempt(spec, ret_child, ret_stage);

	if (r != BERTH_CRADLE_E_LOST)
		return r;
	plain.cradle = NULL;
	return attempt(&plain, ret_child, ret_stage);
}

void berth_child_deinit(struct berth_child *child)
{
	if (!child)
		return;
	berth_fd_close(&child->pidfd);
	berth_fd_close(&child->notify_fd);
	if (child->keeper.pid > 0) {
		berth_fd_close(&child->keeper.pidfd);
		berth_fd_close(&child->keeper_fd);
	}
}

struct berth_child_end berth_child_end_of(const siginfo_t *info)
{
	return (struct berth_child_end){
		.by_signal = info->si_code != CLD_EXITED,
		.core = info->si_code == CLD_DUMPED,
		.status = info->si_status,
	};
}

int berth_child_end_exit(const struct berth_child_end *end)
{
	return end->by_signal ? 128 + end->status : end->status;
}

int berth_child_keeper_next(const struct berth_child *child, struct berth_child_end *ret_end,
			    int *ret_stopped)
{
	siginfo_t info;
	int r = berth_keeper_recv(child->keeper_fd, &info);

	if (r == -EAGAIN)
		return 0;
	if (r <= 0)
		return r < 0 ? r : BERTH_CHILD_UNKEPT;
	if (info.si_code == CLD_STOPPED || info.si_code == CLD_TRAPPED) {
		*ret_stopped = info.si_status;
		return BERTH_CHILD_STOPPED;
	}
	*ret_end = berth_child_end_of(&info);
	return BERTH_CHILD_ENDED;
}

int berth_child_reap(pid_t *ret_pid, struct berth_child_end *ret_end)
{
	siginfo_t info = { 0 };

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0)
		return -errno;
	if (info.si_pid)
		*ret_end = berth_child_end_of(&info);
	*ret_pid = info.si_pid;
	return 0;
}

int berth_child_open(pid_t pid)
{
	int fd = pidfd_open(pid, 0);

	return fd < 0 ? -errno : fd;
}

int berth_child_signal(int pidfd, int signo)
{
	return pidfd_send_signal(pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}
