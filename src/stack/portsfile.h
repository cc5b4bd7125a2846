/* SPDX-License-Identifier: MIT */
/* stack/portsfile.h - .ports.json: the ports of what runs, for programs that read such a file */
#pragma once

#include "base/faults.h"
#include "base/json.h"
#include "os/procfs.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	BERTH_PORTSFILE_MAX = 1024 * 1024
};

struct berth_portsfile_port {
	const char *name; /* "main", "ws" */
	uint16_t given;
	uint16_t asked; /* 0: unknown */
	const char *url; /* "": none */
};

/* One instance of a service. The first of its ports is the service's own. */
struct berth_portsfile_unit {
	const char *service;
	unsigned int instance;
	const char *state;
	const struct berth_portsfile_port *ports;
	size_t port_count;
};

/* Whose members they are: as long as that process lives. */
struct berth_portsfile_owner {
	struct berth_proc_id supervisor;
	const char *boot; /* berth_procfs_boot_id() */
};

struct berth_portsfile_stack {
	const char *project;
	const char *copy; /* NULL: none */
	const char *key;
	struct berth_portsfile_owner owner;
	int64_t started_ms;
	const struct berth_portsfile_unit *units; /* of one service in the order of instances */
	size_t unit_count;
};

/* What such a file says, apart by whom. Zero is an empty one. All owned. */
struct berth_portsfile {
	json_t *user; /* what a person, or another program, has written */
	json_t *stack; /* "berth" without what follows; NULL: no stack */
	json_t *runs; /* {"api": ...} of each `berth run --ports-file`; NULL: none */
	char *text; /* of the file, for places */
	size_t len;
};

/*
 * Members are ours where they equal what "berth" records; all others are the user's, also those
 * that ours took the place of ("before"). An empty @text is an empty file. 0; -EINVAL with @faults
 * for what is no JSON object; -ENOMEM.
 */
BERTH_MUST_USE int berth_portsfile_parse(const char *text, size_t len, struct berth_faults *faults,
					 struct berth_portsfile *ret_file);
void berth_portsfile_deinit(struct berth_portsfile *file);

/*
 * What the user has written as the number of @service, of its first port (@port "main" or NULL) or
 * of another one: a number, or a text that is one. 0: *ret_port is 0 where there is none. -EINVAL
 * with @faults: it is no port.
 */
BERTH_MUST_USE int berth_portsfile_wish(const struct berth_portsfile *file, const char *service,
					const char *port, struct berth_faults *faults,
					uint16_t *ret_port);

/* Write one there in the user's place: @url "" for none. -ENOMEM. */
BERTH_MUST_USE int berth_portsfile_set_wish(struct berth_portsfile *file, const char *service,
					    const char *port, uint16_t number, const char *url);

/* What a stack says now, all of it, in place of what one said before. -ENOMEM. */
BERTH_MUST_USE int berth_portsfile_set_stack(struct berth_portsfile *file,
					     const struct berth_portsfile_stack *stack);
/* That stack says nothing more; another one is left alone. */
void berth_portsfile_drop_stack(struct berth_portsfile *file, const char *key);

/* The same for one service outside of any stack. */
BERTH_MUST_USE int berth_portsfile_set_run(struct berth_portsfile *file,
					   const struct berth_portsfile_owner *owner,
					   const struct berth_portsfile_unit *unit);
void berth_portsfile_drop_run(struct berth_portsfile *file, const char *service,
			      unsigned int instance);

/* What was killed can't take its members back: whose owner is not @is_alive_fn any more. */
void berth_portsfile_drop_dead(struct berth_portsfile *file,
			       bool (*is_alive_fn)(const struct berth_portsfile_owner *owner,
						   void *arg),
			       void *arg);

/*
 * The content of the file: the user's members, `backend_port`, `backend_url`, `viewer_ws_port` of
 * those that run ('-' becomes '_'; of several instances the first), and "berth". *ret_text is the
 * caller's; NULL: nothing is left to say, the file goes. -ENOMEM.
 */
BERTH_MUST_USE int berth_portsfile_format(const struct berth_portsfile *file, char **ret_text);
