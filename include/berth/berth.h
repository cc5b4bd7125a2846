/* SPDX-License-Identifier: MIT */
/* berth/berth.h - lease ports by holding them, ask who has one, find what berth runs */
/*
 * The interface of libberth; berth(3) is its manual. Link with `pkg-config --cflags --libs
 * libberth`.
 *
 *	struct berth_hold_spec spec = { .port = 8080 };
 *	struct berth_error error;
 *	struct berth_hold *hold;
 *
 *	if (berth_hold_new(&spec, &hold, &error) < 0)
 *		errx(1, "%s", error.message);
 *	fd = berth_hold_listen(hold, NULL, NULL, 128, &error);
 *
 * Source: a port is leased by sockets that are bound to it, so it is the kernel that keeps
 * everybody else off and that frees it when this process ends, in whatever way. There is no daemon
 * and no file.
 *
 * Errors: a function that returns int returns what it says, or, where that failed, a negative
 * number: one of enum berth_error_code, negated. @error (NULL allowed) is written only then.
 * Outputs ("ret_") are written only on success.
 *
 * Threads: the library keeps no state of its own. A hold may be used by one thread at a time; all
 * else from any thread at any time. Signals and errno are left alone except that errno may change.
 *
 * Processes: all descriptors are close-on-exec. After fork() parent and child both have the hold:
 * the ports are kept until both have freed it, called exec or ended. Only one of them should go on
 * using it; the other one calls berth_hold_free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BERTH_API __attribute__((visibility("default")))

enum berth_error_code {
	BERTH_E_NONE = 0,
	BERTH_E_USAGE = 1, /* the caller's mistake: a bad name, an impossible spec */
	BERTH_E_NO_PORT = 2, /* nothing of what was wished for can be had */
	BERTH_E_TAKEN = 3, /* a stranger slipped in while a port was handed over */
	BERTH_E_NOT_RUNNING = 4, /* there is no such instance */
	BERTH_E_DENIED = 5, /* a matter of rights */
	BERTH_E_SYSTEM = 6, /* the kernel refused: see the message */
};

struct berth_error {
	enum berth_error_code code;
	char message[1024]; /* one line: lower case, cause last, no full stop */
	char hint[512]; /* what could be done about it; may be empty */
};

/* The version of the library that is linked: "0.1.0". Static. */
BERTH_API const char *berth_version(void);

/* Holds: ports that are kept from everybody else. */

enum {
	BERTH_HOLD_PORTS_MAX = 16, /* named ports of one hold */
	BERTH_HOLD_NUMBERS_MAX = 64, /* numbers wished for one of them */
};

/* One named port and the numbers that it would like, best first. */
struct berth_hold_wish {
	const char *name; /* [a-z][a-z0-9-]{0,30}; NULL: "main" */
	/* NULL with @count 0: the one after the port before, or the start of the range. */
	const uint16_t *numbers;
	size_t count;
	bool udp;
};

/*
 * What to lease; zero is the default of everything, all is borrowed for the call. Order of trying:
 * the wished numbers; what follows them in their lists (the lists of several ports go in step);
 * then upwards. Several ports are a group: they move together and keep their distances, and either
 * all of them are leased or none.
 */
struct berth_hold_spec {
	const struct berth_hold_wish *wishes;
	size_t wish_count;
	uint16_t port; /* with @wish_count 0: the wish of one TCP port named "main" */
	uint16_t range_low, range_high; /* both included, all of it is searched; 0, 0: none */
	uint16_t step; /* how far a group moves; 0: its span rounded up to 10; of one port 1 */
	uint16_t around; /* N: +1 -1 +2 -2 ... +N -N instead of upwards only; 0: upwards */
	uint16_t attempts; /* without a range: how many numbers to try; 0: 100 */
	bool any; /* at last a number of the kernel's choice */
	bool strict; /* the wish or nothing */
	unsigned int timeout_ms; /* bound of the whole search; 0: none */
};

struct berth_hold;

/*
 * Lease ports. Numbers that browsers refuse to connect to or that we have no right to are passed
 * over (with .strict: an error), and so are those that the machine keeps back
 * (ip_local_reserved_ports), unless one is the wish itself. TIME_WAIT of former connections is no
 * obstacle. A full range of 10,000 takes some 10 ms. In a service that berth itself runs (BERTH_ID
 * is set) the ports are leased already: a wish for numbers then gets those, from PORT and
 * BERTH_PORT_<NAME>. 0: *ret_hold is the caller's, to be freed by berth_hold_free(). Errors: USAGE,
 * NO_PORT (the message names who holds the first of the numbers), SYSTEM (out of descriptors ...).
 */
BERTH_API int berth_hold_new(const struct berth_hold_spec *spec, struct berth_hold **ret_hold,
			     struct berth_error *error);

/* The number leased for @name (NULL: the first port); 0 if there is no such name. */
BERTH_API uint16_t berth_hold_port(const struct berth_hold *hold, const char *name);

/*
 * Listen on the leased TCP port @name (NULL: the first). @address is numeric ("127.0.0.1", "::1",
 * "fe80::1%eth0"), or NULL for every address of both families. The new socket is bound and listens;
 * nobody else was able to in between. Returns its descriptor, blocking and close-on-exec, which is
 * the caller's. To end it use berth_hold_close(): after a mere close() the hold's own duplicate
 * goes on accepting clients that nobody serves. At most eight sockets for each port. Errors: USAGE
 * (also: already listening there), TAKEN, SYSTEM (no such address ...).
 */
BERTH_API int berth_hold_listen(struct berth_hold *hold, const char *name, const char *address,
				int backlog, struct berth_error *error);

/*
 * The same for a socket of the caller's own making, TCP or UDP, unbound: binds @fd (borrowed) to
 * @address with the leased number, whatever port that has. A TCP socket listens with @backlog when
 * this returns; another listen() on it only changes the backlog. SO_REUSEPORT is taken off: it
 * would let every program of the same user in. 0. Errors as above.
 */
BERTH_API int berth_hold_bind(struct berth_hold *hold, const char *name, int fd,
			      const struct sockaddr *address, socklen_t address_len, int backlog,
			      struct berth_error *error);

/*
 * Stop listening on @fd, one of berth_hold_listen() or berth_hold_bind(), and close it (consumes
 * @fd): clients are refused at once, also by duplicates that other processes have. The number stays
 * leased, and can be listened on again. 0. Errors: USAGE (not of this hold).
 */
BERTH_API int berth_hold_close(struct berth_hold *hold, int fd, struct berth_error *error);

/*
 * Give the ports back; NULL allowed. Sockets that the caller has from here go on as ordinary ones.
 */
BERTH_API void berth_hold_free(struct berth_hold *hold);

/* Who: what stands in the way of a bind(). */

enum berth_who_role {
	BERTH_WHO_LISTENS = 1,
	BERTH_WHO_IS_BOUND = 2, /* and does not listen */
	BERTH_WHO_IS_CONNECTED = 3, /* a connection from this port, mostly an outgoing one */
	BERTH_WHO_WAITS = 4, /* TIME_WAIT: for a minute after a connection */
	BERTH_WHO_LEASES = 5, /* berth(1) keeps the port for its service */
};

/* Texts are valid UTF-8, control characters escaped, cut with "..."; "" what is not known. */
struct berth_who {
	enum berth_who_role role;
	/*
	 * It refuses some bind() to 0.0.0.0, [::] or the loopback addresses, though that sets
	 * SO_REUSEADDR. Else it only refuses those that don't.
	 */
	bool in_the_way;
	pid_t pid; /* who opened it, as far as that shows; 0: hidden from us, or none */
	uid_t uid; /* of that process, or of who made the socket */
	int64_t started_at_ms; /* the process, since the epoch; 0: not known */
	char process[64]; /* its name */
	char command[256]; /* its arguments, as a shell needs them typed */
	char address[80]; /* local: "127.0.0.1:8080", "[::]:8080" */
	char peer[80]; /* of a connection */
	char unit[128]; /* of systemd: "nginx.service" */
	char container[128]; /* its name, or its id */
	char service[128]; /* of berth(1): "shop@main/web" */
};

/*
 * Who has TCP port @port in our network namespace, listeners first, one row a socket; connections
 * that a listener has accepted are left out. At most @max rows are filled. Costs some milliseconds:
 * it looks through the descriptors of all processes that we may look at, in several threads if they
 * are many. Returns how many there are, which may be more than @max; of more than 100 closed
 * connections the rest have .role and .in_the_way only. Errors: USAGE (port 0), SYSTEM.
 */
BERTH_API int berth_who(uint16_t port, struct berth_who *ret_rows, size_t max,
			struct berth_error *error);

/* Instances: what berth(1) runs. */

struct berth_instance {
	char id[16];
	char project[64];
	char service[64];
	unsigned int number; /* 1, and more with --new */
	char state[16]; /* waiting starting ready unready stopping, as in berth(1) */
	pid_t pid; /* of the service; 0: it is not started yet */
	pid_t supervisor_pid;
	uint16_t port; /* the main one; 0: it has none */
	char url[128]; /* of that; "": none */
	int64_t started_at_ms; /* since the epoch */
};

/*
 * Is @service running in the project that @folder (NULL: the working folder) belongs to? The
 * project is the git root above, or the folder of berth.yaml. @service NULL: any. Of several the
 * one that was started in @folder itself, else the one started first. 0: it runs, at the moment of
 * asking. Errors: NOT_RUNNING, USAGE (no such folder, no name), DENIED, SYSTEM.
 */
BERTH_API int berth_instance_find(const char *folder, const char *service,
				  struct berth_instance *ret_instance, struct berth_error *error);

#ifdef __cplusplus
}
#endif
