/* SPDX-License-Identifier: MIT */
/* helpers/victim.c - a server that misbehaves on command */
/*
 * Usage: victim [OPTION...] [PLACE...]
 *
 * Binds and listens on each PLACE in order, says "READY PORT..." (the numbers that getsockname() tells) and answers HTTP/1.0
 * requests with one JSON object that names the port the request came in on. A PLACE is [bind:][udp:|mptcp:][ADDRESS:]PORT:
 *
 *	5000  0.0.0.0:5000  127.0.0.1:5000  [::]:5000  [::1]:5000  udp:5000  mptcp:5000  bind:5000 (bound, never listening)
 *	PORT  (the number in the environment)
 *
 * It never sleeps: each step follows the one before it, and what should happen later is a command. Commands come on
 * standard input (--stdin) or on connections to a unix socket (--control PATH), one a line, each with one line of answer:
 *
 *	listen PLACE   close [PLACE's index]   connect [ADDRESS:]PORT   fork   daemon   exit N   die SIGNAL   say N   ping
 *	print TEXT (without a newline)   http STATUS (0: accept and say nothing)   requests (so many were answered)
 *	notify TEXT (to NOTIFY_SOCKET; a '|' is a newline)
 *
 * The order of what an option does is that of main(), not that of the command line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum {
	PLACES_MAX = 16,
	PEERS_MAX = 64,
	LINE_MAX_LEN = 1024,
	/* landlock(7), ABI 4; the headers of Debian 12 do not know it yet */
	LANDLOCK_BIND_TCP = 1 << 0,
	SYS_LANDLOCK_CREATE_RULESET = 444,
	SYS_LANDLOCK_RESTRICT_SELF = 446,
};

enum place_kind {
	PLACE_LISTEN,
	PLACE_BIND,
	PLACE_UDP,
};

struct place {
	enum place_kind kind;
	int protocol;
	struct sockaddr_storage address;
	socklen_t address_len;
	int fd; /* -1: not open */
	uint16_t port; /* as getsockname() tells */
};

/* One connection of the control socket, or standard input. */
struct peer {
	int fd; /* -1: free */
	int reply_fd;
	size_t len;
	char line[LINE_MAX_LEN];
};

struct options {
	const char *say;
	const char *title;
	const char *ready_file;
	const char *control;
	const char *pids_file;
	const char *file_at_term;
	int landlock, no_dumpable, dead_leader;
	int clear_env, close_fds, hold_stdout;
	int fork_once, double_fork, bind_in_child, setsid_too;
	int ignore_term, ignore_int, graceful, report;
	int reuseport, no_reuseaddr, v6only;
	int probe, twice, no_serve, read_stdin, wait_line;
	int once;
	long uid; /* -1: stay */
	int exit_code; /* -1: serve on */
	int die_signal; /* 0: serve on */
	uint16_t connect_port;
	uint16_t connect_before;
};

struct victim {
	struct options options;
	struct place places[PLACES_MAX];
	size_t place_count;
	struct peer peers[PEERS_MAX];
	int control_fd;
	int signal_fd;
	unsigned int http_status; /* 0: no answer */
	unsigned int requests;
	char **argv;
};

static void die(const char *what)
{
	dprintf(STDERR_FILENO, "victim: %s: %s\n", what, strerror(errno));
	_exit(99);
}

static void usage(const char *what)
{
	dprintf(STDERR_FILENO, "victim: %s\n", what);
	_exit(98);
}

/* A whole line to @fd, whatever stdio thinks; a reader that has gone is no reason to end. */
__attribute__((format(printf, 2, 3))) static void tell(int fd, const char *format, ...)
{
	char line[LINE_MAX_LEN * 4];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len < 0 || fd < 0)
		return;
	if ((size_t)len >= sizeof(line))
		len = sizeof(line) - 1;
	for (int done = 0; done < len;) {
		ssize_t n = send(fd, line + done, (size_t)(len - done), MSG_NOSIGNAL);

		if (n < 0 && errno == ENOTSOCK)
			n = write(fd, line + done, (size_t)(len - done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		done += (int)n;
	}
}

/* --- places --- */

static uint16_t parse_port(const char *text)
{
	char *end;
	unsigned long port;

	if (strcmp(text, "PORT") == 0) {
		text = getenv("PORT");
		if (!text)
			usage("PORT is not in the environment");
	}
	port = strtoul(text, &end, 10);
	if (*end || end == text || port > UINT16_MAX)
		usage("a place needs a port");
	return (uint16_t)port;
}

/* [ADDRESS:]PORT, ADDRESS in brackets for IPv6. */
static void parse_address(const char *text, const char *fallback, struct place *place)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&place->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&place->address;
	char host[64];
	const char *colon = strrchr(text, ':');
	size_t len;

	snprintf(host, sizeof(host), "%s", fallback);
	if (colon) {
		len = (size_t)(colon - text);
		if (len >= sizeof(host))
			usage("an address is too long");
		memcpy(host, text, len);
		host[len] = '\0';
		text = colon + 1;
	}
	memset(&place->address, 0, sizeof(place->address));
	if (host[0] == '[') {
		host[strlen(host) - 1] = '\0';
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(parse_port(text));
		place->address_len = sizeof(*v6);
		if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) != 1)
			usage("not an IPv6 address");
		return;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons(parse_port(text));
	place->address_len = sizeof(*v4);
	if (inet_pton(AF_INET, host, &v4->sin_addr) != 1)
		usage("not an IPv4 address");
}

static bool strip(const char **text, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(*text, prefix, len) != 0)
		return false;
	*text += len;
	return true;
}

static void parse_place(const char *text, struct place *place)
{
	*place = (struct place){ .protocol = IPPROTO_TCP, .fd = -1 };
	if (strip(&text, "bind:"))
		place->kind = PLACE_BIND;
	if (strip(&text, "udp:")) {
		place->kind = PLACE_UDP;
		place->protocol = IPPROTO_UDP;
	} else if (strip(&text, "mptcp:")) {
		place->protocol = IPPROTO_MPTCP;
	}
	parse_address(text, "0.0.0.0", place);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return 0;
	if (address.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static int socket_for(const struct options *options, const struct place *place)
{
	int type = place->kind == PLACE_UDP ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(place->address.ss_family, type | SOCK_CLOEXEC, place->protocol);
	int on = 1;

	if (fd < 0)
		return -errno;
	if (!options->no_reuseaddr && place->kind != PLACE_UDP)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (options->reuseport)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (place->address.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &options->v6only, sizeof(int));
	return fd;
}

/* 0 or -errno, as the program sees it. */
static int place_open(const struct options *options, struct place *place)
{
	int fd = socket_for(options, place);
	int r;

	if (fd < 0)
		return fd;
	if (options->probe) {
		r = bind(fd, (struct sockaddr *)&place->address, place->address_len) < 0 ? -errno
											 : 0;
		close(fd);
		if (r < 0)
			return r;
		fd = socket_for(options, place);
		if (fd < 0)
			return fd;
	}
	if (bind(fd, (struct sockaddr *)&place->address, place->address_len) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	if (place->kind == PLACE_LISTEN && listen(fd, 128) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	place->fd = fd;
	place->port = port_of(fd);
	return 0;
}

/* --- what a client gets --- */

static void answer(struct victim *victim, const struct place *place)
{
	const char *say = victim->options.say ? victim->options.say : "";
	struct timeval patience = { .tv_sec = 5 };
	char request[2048] = "";
	char path[256] = "";
	size_t len = 0;
	int fd = accept4(place->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while (len < sizeof(request) - 1 && !strstr(request, "\r\n\r\n")) {
		ssize_t n = recv(fd, request + len, sizeof(request) - 1 - len, 0);

		if (n <= 0)
			break;
		len += (size_t)n;
		request[len] = '\0';
	}
	(void)sscanf(request, "%*s %255s", path);
	victim->requests++;
	if (!victim->http_status)
		return; /* the connection stays open */
	tell(fd,
	     "HTTP/1.0 %u Told\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
	     "{\"server\":\"victim\",\"port\":%u,\"pid\":%d,\"say\":\"%s\",\"path\":\"%s\"}\n",
	     victim->http_status, port_of(fd), (int)getpid(), say, path);
	(void)shutdown(fd, SHUT_WR);
	close(fd);
}

static void echo(const struct place *place)
{
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	char data[512];
	ssize_t n = recvfrom(place->fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from,
			     &from_len);

	if (n >= 0)
		(void)sendto(place->fd, data, (size_t)n, 0, (struct sockaddr *)&from, from_len);
}

/* Ask http://ADDRESS:PORT/ and say what came, as a client in the same tree sees it. */
static void ask_now(const char *text, int reply_fd)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	struct timeval patience = { .tv_sec = 5 };
	struct place place = { .fd = -1 };
	char body[2048] = "";
	size_t len = 0;
	char *start;
	int fd;

	parse_address(text, "127.0.0.1", &place);
	fd = socket(place.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&place.address, place.address_len) < 0) {
		tell(reply_fd, "error %s\n", strerrorname_np(errno));
		close(fd);
		return;
	}
	(void)send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
	while (len < sizeof(body) - 1) {
		ssize_t n = recv(fd, body + len, sizeof(body) - 1 - len, 0);

		if (n <= 0)
			break;
		len += (size_t)n;
		body[len] = '\0';
	}
	close(fd);
	start = strstr(body, "\r\n\r\n");
	start = start ? start + 4 : body;
	start[strcspn(start, "\n")] = '\0';
	tell(reply_fd, "answer %s\n", start);
}

/* From a child of its own: the one who answers may be this very process. */
static void ask(const char *text, int reply_fd)
{
	if (fork() != 0)
		return;
	ask_now(text, reply_fd);
	_exit(0);
}

/* --- what makes it hard to end or to look into --- */

static void note_pid(const struct options *options)
{
	int fd;

	if (!options->pids_file)
		return;
	fd = open(options->pids_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		die(options->pids_file);
	tell(fd, "%d\n", (int)getpid());
	close(fd);
}

/* As nginx does: over argv and the environment behind it, which are then gone from /proc. */
static void set_title(struct victim *victim, const char *title)
{
	char *begin = victim->argv[0];
	char *end = begin;

	for (char **arg = victim->argv; *arg; arg++)
		end = *arg + strlen(*arg) + 1;
	for (char **var = environ; *var; var++)
		end = *var + strlen(*var) + 1;
	for (char **var = environ; *var; var++)
		*var = strdup(*var);
	memset(begin, 0, (size_t)(end - begin));
	snprintf(begin, (size_t)(end - begin), "%s", title);
	(void)prctl(PR_SET_NAME, title);
}

static void forbid_bind(void)
{
	struct {
		uint64_t handled_access_fs;
		uint64_t handled_access_net;
	} attr = { .handled_access_net = LANDLOCK_BIND_TCP };
	int fd = (int)syscall(SYS_LANDLOCK_CREATE_RULESET, &attr, sizeof(attr), 0);

	if (fd < 0)
		die("landlock_create_ruleset");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die("no_new_privs");
	if (syscall(SYS_LANDLOCK_RESTRICT_SELF, fd, 0) < 0)
		die("landlock_restrict_self");
	close(fd);
}

/* The parent of a daemon leaves at once, as daemon(3) has it; that of a plain fork waits and passes the end on. */
static void fork_away(const struct options *options, bool leave)
{
	pid_t pid = fork();
	int status = 0;

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		note_pid(options);
		return;
	}
	if (leave)
		_exit(0);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void end_now(int code, int signum)
{
	if (signum) {
		sigset_t all;

		(void)signal(signum, SIG_DFL);
		sigfillset(&all);
		(void)sigprocmask(SIG_UNBLOCK, &all, NULL);
		(void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		(void)kill(getpid(), signum);
		pause();
	}
	_exit(code);
}

static int signal_number(const char *text)
{
	for (int i = 1; i < NSIG; i++) {
		const char *name = sigabbrev_np(i);

		if (name && strcmp(name, text) == 0)
			return i;
	}
	return atoi(text);
}

/* --- commands --- */

static void command_fork(const struct options *options, int reply_fd, bool daemon)
{
	pid_t pid = fork();

	if (pid < 0) {
		tell(reply_fd, "error %s\n", strerrorname_np(errno));
	} else if (pid == 0) {
		if (daemon) {
			(void)setsid();
			if (fork() != 0)
				_exit(0);
		}
		note_pid(options);
		tell(reply_fd, "forked %d\n", (int)getpid());
		for (;;)
			pause();
	} else if (daemon) {
		(void)waitpid(pid, NULL, 0);
	}
}

static void command_listen(struct victim *victim, const char *argument, int reply_fd)
{
	struct place *place = &victim->places[victim->place_count];
	int r;

	if (victim->place_count == PLACES_MAX) {
		tell(reply_fd, "error ENOSPC\n");
		return;
	}
	parse_place(argument, place);
	r = place_open(&victim->options, place);
	if (r < 0) {
		tell(reply_fd, "error %s\n", strerrorname_np(-r));
		return;
	}
	victim->place_count++;
	tell(reply_fd, "ok %u\n", place->port);
}

/* sd_notify(3), by hand. */
static void command_notify(char *text, int reply_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *name = getenv("NOTIFY_SOCKET");
	size_t len = name ? strlen(name) : 0;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!len || len >= sizeof(address.sun_path)) {
		tell(reply_fd, "error EDESTADDRREQ\n");
		close(fd);
		return;
	}
	memcpy(address.sun_path, name, len);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	for (char *bar = text; (bar = strchr(bar, '|'));)
		*bar = '\n';
	len += offsetof(struct sockaddr_un, sun_path);
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
		   (socklen_t)len) < 0)
		tell(reply_fd, "error %s\n", strerrorname_np(errno));
	else
		tell(reply_fd, "ok\n");
	close(fd);
}

static void run_command(struct victim *victim, char *line, int reply_fd)
{
	char *argument = strchr(line, ' ');

	if (argument)
		*argument++ = '\0';
	else
		argument = line + strlen(line);
	if (strcmp(line, "ping") == 0) {
		tell(reply_fd, "ok\n");
	} else if (strcmp(line, "listen") == 0) {
		command_listen(victim, argument, reply_fd);
	} else if (strcmp(line, "close") == 0) {
		size_t index = (size_t)atoi(argument);

		if (index < victim->place_count && victim->places[index].fd >= 0) {
			close(victim->places[index].fd);
			victim->places[index].fd = -1;
		}
		tell(reply_fd, "ok\n");
	} else if (strcmp(line, "connect") == 0) {
		ask(argument, reply_fd);
	} else if (strcmp(line, "fork") == 0 || strcmp(line, "daemon") == 0) {
		command_fork(&victim->options, reply_fd, line[0] == 'd');
	} else if (strcmp(line, "exit") == 0) {
		tell(reply_fd, "ok\n");
		end_now(atoi(argument), 0);
	} else if (strcmp(line, "die") == 0) {
		tell(reply_fd, "ok\n");
		end_now(0, signal_number(argument));
	} else if (strcmp(line, "say") == 0) {
		for (int i = 0; i < atoi(argument); i++)
			tell(STDOUT_FILENO,
			     "line %d of many, long enough to fill a pipe in the end\n", i);
		tell(reply_fd, "ok\n");
	} else if (strcmp(line, "print") == 0) {
		tell(STDOUT_FILENO, "%s", argument);
		tell(reply_fd, "ok\n");
	} else if (strcmp(line, "http") == 0) {
		victim->http_status = (unsigned int)atoi(argument);
		tell(reply_fd, "ok\n");
	} else if (strcmp(line, "requests") == 0) {
		tell(reply_fd, "ok %u\n", victim->requests);
	} else if (strcmp(line, "notify") == 0) {
		command_notify(argument, reply_fd);
	} else {
		tell(reply_fd, "error EINVAL\n");
	}
}

static void peer_close(struct peer *peer)
{
	close(peer->fd);
	peer->fd = -1;
	peer->len = 0;
}

static void peer_read(struct victim *victim, struct peer *peer)
{
	ssize_t n = read(peer->fd, peer->line + peer->len, sizeof(peer->line) - 1 - peer->len);
	char *newline;

	if (n <= 0) {
		bool input = peer->fd == STDIN_FILENO;

		peer_close(peer);
		if (input)
			end_now(0, 0);
		return;
	}
	peer->len += (size_t)n;
	peer->line[peer->len] = '\0';
	while ((newline = strchr(peer->line, '\n'))) {
		size_t used = (size_t)(newline + 1 - peer->line);

		*newline = '\0';
		run_command(victim, peer->line, peer->reply_fd);
		memmove(peer->line, peer->line + used, peer->len - used + 1);
		peer->len -= used;
	}
}

static void peer_add(struct victim *victim, int fd, int reply_fd)
{
	for (size_t i = 0; i < PEERS_MAX; i++) {
		if (victim->peers[i].fd < 0) {
			victim->peers[i].fd = fd;
			victim->peers[i].reply_fd = reply_fd;
			return;
		}
	}
	close(fd);
}

static int control_open(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		usage("the control path is too long");
	strcpy(address.sun_path, path);
	(void)unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 16) < 0)
		die(path);
	return fd;
}

/* --- signals --- */

static void set_signals(struct victim *victim)
{
	const struct options *options = &victim->options;
	sigset_t watched;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_IGN); /* no zombies of its own */
	if (options->ignore_term)
		(void)signal(SIGTERM, SIG_IGN);
	if (options->ignore_int)
		(void)signal(SIGINT, SIG_IGN);
	sigemptyset(&watched);
	if (options->graceful && !options->ignore_term)
		sigaddset(&watched, SIGTERM);
	if (options->graceful && !options->ignore_int)
		sigaddset(&watched, SIGINT);
	if (options->report) {
		sigaddset(&watched, SIGHUP);
		sigaddset(&watched, SIGUSR1);
		sigaddset(&watched, SIGUSR2);
		sigaddset(&watched, SIGWINCH);
		sigaddset(&watched, SIGCONT);
	}
	(void)sigprocmask(SIG_BLOCK, &watched, NULL);
	victim->signal_fd = signalfd(-1, &watched, SFD_CLOEXEC);
	if (victim->signal_fd < 0)
		die("signalfd");
}

static void take_signal(const struct victim *victim)
{
	struct signalfd_siginfo info;

	if (read(victim->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	tell(STDOUT_FILENO, "got SIG%s\n", sigabbrev_np((int)info.ssi_signo));
	if (info.ssi_signo != SIGTERM && info.ssi_signo != SIGINT)
		return;
	if (victim->options.file_at_term)
		close(open(victim->options.file_at_term, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	end_now(0, 0);
}

/* --- the life --- */

static void say_ready(const struct victim *victim)
{
	const struct options *options = &victim->options;
	char line[512] = "READY";
	char temporary[4096];
	size_t len = strlen(line);
	int fd;

	for (size_t i = 0; i < victim->place_count; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, " %u",
					victim->places[i].port);
	if (!options->ready_file) {
		tell(STDOUT_FILENO, "%s\n", line);
		return;
	}
	snprintf(temporary, sizeof(temporary), "%s.%d", options->ready_file, (int)getpid());
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		die(temporary);
	tell(fd, "%s\n", line);
	close(fd);
	if (rename(temporary, options->ready_file) < 0)
		die(options->ready_file);
}

static void open_all(struct victim *victim)
{
	for (size_t i = 0; i < victim->place_count; i++) {
		struct place again = victim->places[i];
		int r = place_open(&victim->options, &victim->places[i]);

		if (r < 0) {
			errno = -r;
			die("bind");
		}
		if (!victim->options.twice)
			continue;
		r = place_open(&victim->options, &again);
		tell(STDOUT_FILENO, "second bind: %s\n", r < 0 ? strerrorname_np(-r) : "ok");
	}
}

static void serve_once(struct victim *victim, struct pollfd *fds)
{
	nfds_t count = 0;

	fds[count++] = (struct pollfd){ .fd = victim->control_fd, .events = POLLIN };
	fds[count++] = (struct pollfd){ .fd = victim->signal_fd, .events = POLLIN };
	for (size_t i = 0; i < PEERS_MAX; i++)
		fds[count++] = (struct pollfd){ .fd = victim->peers[i].fd, .events = POLLIN };
	for (size_t i = 0; i < victim->place_count; i++) {
		bool open = victim->places[i].kind != PLACE_BIND && !victim->options.no_serve;

		fds[count++] =
			(struct pollfd){ .fd = open ? victim->places[i].fd : -1, .events = POLLIN };
	}
	if (poll(fds, count, -1) < 0)
		return;
	if (fds[0].revents)
		peer_add(victim, accept4(fds[0].fd, NULL, NULL, SOCK_CLOEXEC), -1);
	if (fds[1].revents)
		take_signal(victim);
	for (size_t i = 0; i < PEERS_MAX; i++) {
		if (victim->peers[i].fd >= 0 && victim->peers[i].reply_fd < 0)
			victim->peers[i].reply_fd = victim->peers[i].fd;
		if (fds[2 + i].revents)
			peer_read(victim, &victim->peers[i]);
	}
	for (size_t i = 2 + PEERS_MAX; i < count; i++) {
		struct place *place = &victim->places[i - 2 - PEERS_MAX];

		if (!fds[i].revents || place->fd < 0)
			continue;
		if (place->kind == PLACE_UDP)
			echo(place);
		else
			answer(victim, place);
		if (victim->options.once && place->kind == PLACE_LISTEN)
			end_now(0, 0);
	}
}

static void live(struct victim *victim)
{
	const struct options *options = &victim->options;
	struct pollfd fds[2 + PEERS_MAX + PLACES_MAX];
	char text[16];

	if (options->connect_before) {
		snprintf(text, sizeof(text), "%u", options->connect_before);
		ask_now(text, STDOUT_FILENO);
	}
	open_all(victim);
	say_ready(victim);
	if (options->connect_port) {
		snprintf(text, sizeof(text), "%u", options->connect_port);
		ask(text, STDOUT_FILENO);
	}
	if (options->exit_code >= 0 || options->die_signal)
		end_now(options->exit_code, options->die_signal);
	for (;;)
		serve_once(victim, fds);
}

/* Serve from a thread whose group's leader is gone for good: /proc/PID is a zombie with a living task. */
static void *live_without_leader(void *arg)
{
	char path[64];
	char stat[512];
	const char *state = NULL;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)getpid());
	do {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, stat, sizeof(stat) - 1);

		close(fd);
		if (n <= 0)
			break;
		stat[n] = '\0';
		state = strrchr(stat, ')');
		(void)sched_yield();
	} while (state && state[2] != 'Z');
	live(arg);
	return NULL;
}

static void parse_options(struct victim *victim, int argc, char **argv)
{
	struct options *o = &victim->options;
	enum {
		SAY = 256,
		TITLE,
		READY_FILE,
		CONTROL,
		PIDS,
		UID,
		EXIT,
		DIE,
		CONNECT,
		CONNECT_BEFORE,
		AT_TERM,
		HTTP
	};
	const struct option table[] = {
		{ "say", required_argument, NULL, SAY },
		{ "title", required_argument, NULL, TITLE },
		{ "ready-file", required_argument, NULL, READY_FILE },
		{ "control", required_argument, NULL, CONTROL },
		{ "pids-file", required_argument, NULL, PIDS },
		{ "file-at-term", required_argument, NULL, AT_TERM },
		{ "uid", required_argument, NULL, UID },
		{ "http", required_argument, NULL, HTTP },
		{ "exit", required_argument, NULL, EXIT },
		{ "die", required_argument, NULL, DIE },
		{ "connect", required_argument, NULL, CONNECT },
		{ "connect-before", required_argument, NULL, CONNECT_BEFORE },
		{ "landlock", no_argument, &o->landlock, 1 },
		{ "no-dumpable", no_argument, &o->no_dumpable, 1 },
		{ "dead-leader", no_argument, &o->dead_leader, 1 },
		{ "clear-env", no_argument, &o->clear_env, 1 },
		{ "close-fds", no_argument, &o->close_fds, 1 },
		{ "hold-stdout", no_argument, &o->hold_stdout, 1 },
		{ "fork", no_argument, &o->fork_once, 1 },
		{ "bind-in-child", no_argument, &o->bind_in_child, 1 },
		{ "double-fork", no_argument, &o->double_fork, 1 },
		{ "setsid", no_argument, &o->setsid_too, 1 },
		{ "ignore-term", no_argument, &o->ignore_term, 1 },
		{ "ignore-int", no_argument, &o->ignore_int, 1 },
		{ "graceful", no_argument, &o->graceful, 1 },
		{ "report", no_argument, &o->report, 1 },
		{ "reuseport", no_argument, &o->reuseport, 1 },
		{ "no-reuseaddr", no_argument, &o->no_reuseaddr, 1 },
		{ "v6only", no_argument, &o->v6only, 1 },
		{ "probe", no_argument, &o->probe, 1 },
		{ "twice", no_argument, &o->twice, 1 },
		{ "no-serve", no_argument, &o->no_serve, 1 },
		{ "stdin", no_argument, &o->read_stdin, 1 },
		{ "wait-line", no_argument, &o->wait_line, 1 },
		{ "once", no_argument, &o->once, 1 },
		{ 0 },
	};
	int c;

	o->uid = -1;
	o->exit_code = -1;
	while ((c = getopt_long(argc, argv, "+", table, NULL)) != -1) {
		switch (c) {
		case 0:
			break;
		case SAY:
			o->say = strdup(optarg);
			break;
		case TITLE:
			o->title = strdup(optarg);
			break;
		case READY_FILE:
			o->ready_file = strdup(optarg);
			break;
		case CONTROL:
			o->control = strdup(optarg);
			break;
		case PIDS:
			o->pids_file = strdup(optarg);
			break;
		case AT_TERM:
			o->file_at_term = strdup(optarg);
			break;
		case HTTP:
			victim->http_status = (unsigned int)atoi(optarg);
			break;
		case UID:
			o->uid = atol(optarg);
			break;
		case EXIT:
			o->exit_code = atoi(optarg);
			break;
		case DIE:
			o->die_signal = signal_number(optarg);
			break;
		case CONNECT:
			o->connect_port = parse_port(optarg);
			break;
		case CONNECT_BEFORE:
			o->connect_before = parse_port(optarg);
			break;
		default:
			usage("unknown option");
		}
	}
	for (; optind < argc && victim->place_count < PLACES_MAX; optind++)
		parse_place(argv[optind], &victim->places[victim->place_count++]);
}

/* What a hostile or merely old-fashioned program does to itself before it serves. */
static void transform(struct victim *victim)
{
	const struct options *o = &victim->options;

	if (o->double_fork) {
		fork_away(o, true);
		(void)setsid();
		fork_away(o, true);
	} else if (o->setsid_too) {
		if (setsid() < 0 && errno == EPERM) {
			fork_away(o, false); /* a group's leader may not */
			(void)setsid();
		}
	}
	if (o->fork_once || o->bind_in_child)
		fork_away(o, false);
	if (o->title)
		set_title(victim, o->title);
	if (o->uid >= 0 && (setresgid((gid_t)o->uid, (gid_t)o->uid, (gid_t)o->uid) < 0 ||
			    setresuid((uid_t)o->uid, (uid_t)o->uid, (uid_t)o->uid) < 0))
		die("setresuid");
	if (o->uid >= 0 && !o->no_dumpable)
		(void)prctl(PR_SET_DUMPABLE,
			    1); /* giving up root cleared it; that is another test */
	if (o->no_dumpable)
		(void)prctl(PR_SET_DUMPABLE, 0);
	if (o->landlock)
		forbid_bind();
	if (o->hold_stdout)
		command_fork(o, -1, true);
}

int main(int argc, char **argv)
{
	struct victim *victim = calloc(1, sizeof(*victim)); /* outlives the main thread's stack */
	struct options *o = &victim->options;
	char start[2];
	pthread_t thread;

	victim->control_fd = -1;
	victim->signal_fd = -1;
	victim->http_status = 200;
	victim->argv = argv;
	for (size_t i = 0; i < PEERS_MAX; i++)
		victim->peers[i].fd = -1;
	parse_options(victim, argc, argv);
	if (o->close_fds && !o->ready_file)
		usage("--close-fds needs --ready-file");
	if (o->clear_env && environ && environ[0]) {
		execve(argv[0], argv, (char *[]){ NULL });
		die("execve");
	}
	note_pid(o);
	if (o->wait_line && read(STDIN_FILENO, start, 1) < 0)
		die("stdin");
	if (o->close_fds)
		(void)close_range(0, ~0U, 0);
	transform(victim);
	set_signals(victim);
	if (o->control)
		victim->control_fd = control_open(o->control);
	if (o->read_stdin)
		peer_add(victim, STDIN_FILENO, STDOUT_FILENO);
	if (!o->dead_leader)
		live(victim);
	if (pthread_create(&thread, NULL, live_without_leader, victim) != 0)
		die("pthread_create");
	pthread_exit(NULL);
}
