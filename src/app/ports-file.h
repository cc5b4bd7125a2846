/* SPDX-License-Identifier: MIT */
/* app/ports-file.h - .ports.json on disk: read before a start, true while something runs */
#pragma once

#include "app/ports.h"
#include "stack/portsfile.h"

/*
 * Before a start: what the file at @path says; one that does not exist is empty. -EINVAL with
 * @faults and @err (CONFIG) where it can't be understood: it would not be written either. *ret_text
 * is what was read, for the faults' places, the caller's also then; NULL: nothing was. Other -errno
 * with @err: it can't be read, or is no file (a symlink would be replaced, not followed).
 */
BERTH_MUST_USE int berth_ports_file_load(const char *path, struct berth_faults *faults,
					 char **ret_text, struct berth_portsfile *ret_file,
					 struct berth_err *err);

/* One instance as the file tells of it. Large: one for each unit, on the heap. */
struct berth_ports_file_unit {
	struct berth_portsfile_unit unit; /* points into the others */
	struct berth_portsfile_port ports[BERTH_PORTS_MAX];
	char urls[BERTH_PORTS_MAX][64];
};
/* Its declared ports; @service, @state and names are borrowed from the caller. */
void berth_ports_file_describe(const struct berth_ports *ports, const char *service,
			       unsigned int instance, const char *state,
			       struct berth_ports_file_unit *ret_unit);

/*
 * Each reads the file again, changes what it says of ours, takes out what was left behind by
 * killed ones, and writes it where that makes a difference (atomically; it goes when nothing is
 * left). -EINVAL: it is no JSON any more, and was left alone; else -errno, with @err. All are tried
 * again at the next change: say it once.
 *
 * Two at once wait for each other, for up to a quarter of a second. With @since_ns, 0 at first and
 * the caller's to keep, for up to 40 ms, and then it is -EAGAIN, without @err: nothing has been
 * written, try again soon. After a second of that it is written though somebody else is at it.
 */
BERTH_MUST_USE int berth_ports_file_set_stack(const char *path,
					      const struct berth_portsfile_stack *stack,
					      int64_t *since_ns, struct berth_err *err);
BERTH_MUST_USE int berth_ports_file_drop_stack(const char *path, const char *key,
					       struct berth_err *err);
BERTH_MUST_USE int berth_ports_file_set_run(const char *path,
					    const struct berth_portsfile_owner *owner,
					    const struct berth_portsfile_unit *unit,
					    int64_t *since_ns, struct berth_err *err);
BERTH_MUST_USE int berth_ports_file_drop_run(const char *path, const char *service,
					     unsigned int instance, struct berth_err *err);
/* A wish for the next start, as if the user had written it; see berth_portsfile_set_wish(). */
BERTH_MUST_USE int berth_ports_file_set_wish(const char *path, const char *service,
					     const char *port, uint16_t number, const char *url,
					     struct berth_err *err);
/* Only what killed ones have left behind. */
BERTH_MUST_USE int berth_ports_file_clean(const char *path, struct berth_err *err);
