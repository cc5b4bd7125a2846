/* SPDX-License-Identifier: MIT */
/* app/ports-file.c - .ports.json on disk: read before a start, true while something runs */
/*
 * Several supervisors may share a file (`berth run --ports-file` in one folder), and each changes
 * its own part of what it reads there. So that none takes back what another has just written, the
 * folder is locked meanwhile (flock(2)); the file can't be, since it is replaced. A supervisor must
 * never be held up: after some ms it has other things to do, and comes again. But whoever may read a
 * folder may lock it, for ever if he wants: so in the end it is written without.
 */
#include "app/ports-file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/time.h"
#include "os/statefile.h"

enum {
	LOCK_TRIES = 40, /* of whom the loop waits for */
	LOCK_TRIES_MOST = 250, /* of all others */
	LOCK_PAUSE_NS = BERTH_NS_PER_MS,
	PATIENCE_NS = BERTH_NS_PER_S,
};

void berth_ports_file_describe(const struct berth_ports *ports, const char *service,
			       unsigned int instance, const char *state,
			       struct berth_ports_file_unit *ret_unit)
{
	struct berth_portsfile_unit *unit = &ret_unit->unit;

	*unit = (struct berth_portsfile_unit){
		.service = service,
		.instance = instance,
		.state = state,
		.ports = ret_unit->ports,
	};
	for (size_t i = 0; i < ports->count; i++) {
		char *url = ret_unit->urls[unit->port_count];

		if (ports->steer[i].kind != BERTH_STEER_DECLARED || !ports->steer[i].given)
			continue;
		ret_unit->ports[unit->port_count++] = (struct berth_portsfile_port){
			.name = ports->port[i]->name,
			.given = ports->steer[i].given,
			.asked = berth_ports_asked(ports, i),
			.url = berth_ports_url(ports, i, url, sizeof(ret_unit->urls[0])),
		};
	}
}

static int refuse_faults(const char *path, const struct berth_faults *faults, struct berth_err *err)
{
	const struct berth_fault *fault = &faults->items[0];

	if (!faults->count)
		return berth_err_errno(err, -ENOMEM, "cannot read '%s'", path);
	berth_err_set(err, -EINVAL, BERTH_ERR_CONFIG, "%s:%u:%u: %s", path, fault->at.line,
		      fault->at.column, fault->text);
	if (*fault->hint)
		berth_err_hint(err, "%s", fault->hint);
	return -EINVAL;
}

static int refuse_read(const char *path, int r, struct berth_err *err)
{
	switch (r) {
	case -ELOOP:
		berth_err_set(err, r, BERTH_ERR_CONFIG, "'%s' is a symbolic link", path);
		berth_err_hint(err, "name the file itself: berth replaces it, and follows no link");
		return r;
	case -EINVAL:
		return berth_err_set(err, r, BERTH_ERR_CONFIG, "'%s' is no regular file", path);
	case -EFBIG:
		return berth_err_set(err, r, BERTH_ERR_CONFIG, "'%s' is larger than 1 MiB", path);
	default:
		return berth_err_errno(err, r, "cannot read '%s'", path);
	}
}

int berth_ports_file_load(const char *path, struct berth_faults *faults, char **ret_text,
			  struct berth_portsfile *ret_file, struct berth_err *err)
{
	size_t len = 0;
	int r;

	*ret_text = NULL;
	r = berth_statefile_read(AT_FDCWD, path, BERTH_PORTSFILE_MAX, ret_text, &len);
	if (r < 0 && r != -ENOENT && r != -ENOTDIR)
		return refuse_read(path, r, err);
	r = berth_portsfile_parse(*ret_text, len, faults, ret_file);
	return r == -EINVAL ? refuse_faults(path, faults, err)
	       : r < 0	    ? berth_err_errno(err, r, "cannot read '%s'", path)
			    : 0;
}

/*
 * *ret_fd: the folder's descriptor, which holds the lock; -1: there is none to be had, and that is no
 * reason to wait. -EAGAIN: somebody has it.
 */
static int lock_folder(const char *path, int tries, int *ret_fd)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX] = ".";
	BERTH_AUTO_FD int fd = -1;

	*ret_fd = -1;
	if (slash)
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash + 1 - path), path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	for (int i = 0; i < tries; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			*ret_fd = berth_fd_steal(&fd);
			return 0;
		}
		if (errno != EWOULDBLOCK)
			return 0;
		nanosleep(&pause, NULL);
	}
	return -EAGAIN;
}

static bool is_alive(const struct berth_portsfile_owner *owner, void *arg)
{
	return strcmp(owner->boot, arg) == 0 && berth_procfs_is_alive(&owner->supervisor);
}

static void drop_dead(struct berth_portsfile *file)
{
	char boot[37];

	if ((file->stack || file->runs) && berth_procfs_boot_id(boot) == 0)
		berth_portsfile_drop_dead(file, is_alive, boot);
}

/* What is to be changed: the members that a change needs are set. */
struct change {
	int (*fn)(struct berth_portsfile *file, const struct change *change);
	const struct berth_portsfile_stack *stack;
	const struct berth_portsfile_owner *owner;
	const struct berth_portsfile_unit *unit;
	const char *name; /* key of a stack, service of a run or a wish */
	unsigned int instance;
	const char *port, *url; /* of a wish */
	uint16_t number;
};

static int store(const char *path, const char *old, const char *text)
{
	if (!text)
		return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	if (old && strcmp(old, text) == 0)
		return 0;
	return berth_statefile_write_path(path, text, strlen(text), 0644);
}

static int update_locked(const char *path, const struct change *change, struct berth_err *err)
{
	BERTH_CLEANUP(berth_portsfile_deinit) struct berth_portsfile file = { 0 };
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_AUTO_FREE char *old = NULL;
	BERTH_AUTO_FREE char *text = NULL;
	int r = berth_ports_file_load(path, &faults, &old, &file, err);

	if (r < 0)
		return r;
	drop_dead(&file);
	if (change->fn)
		r = change->fn(&file, change);
	if (r == 0)
		r = berth_portsfile_format(&file, &text);
	if (r == 0 && (old || text))
		r = store(path, old, text);
	return r < 0 ? berth_err_errno(err, r, "cannot write '%s'", path) : 0;
}

/* Shall it be tried later? *since_ns: when that was said first. */
static bool shall_wait(int64_t *since_ns)
{
	int64_t now_ns = berth_time_mono_ns();

	if (!*since_ns)
		*since_ns = now_ns;
	return now_ns - *since_ns < PATIENCE_NS;
}

static int update(const char *path, const struct change *change, int64_t *since_ns,
		  struct berth_err *err)
{
	BERTH_AUTO_FD int lock_fd = -1;
	int r = lock_folder(path, since_ns ? LOCK_TRIES : LOCK_TRIES_MOST, &lock_fd);

	if (r < 0 && since_ns && shall_wait(since_ns))
		return r;
	if (since_ns)
		*since_ns = 0;
	return update_locked(path, change, err);
}

static int set_stack(struct berth_portsfile *file, const struct change *change)
{
	return berth_portsfile_set_stack(file, change->stack);
}

int berth_ports_file_set_stack(const char *path, const struct berth_portsfile_stack *stack,
			       int64_t *since_ns, struct berth_err *err)
{
	return update(path, &(struct change){ .fn = set_stack, .stack = stack }, since_ns, err);
}

static int drop_stack(struct berth_portsfile *file, const struct change *change)
{
	berth_portsfile_drop_stack(file, change->name);
	return 0;
}

int berth_ports_file_drop_stack(const char *path, const char *key, struct berth_err *err)
{
	return update(path, &(struct change){ .fn = drop_stack, .name = key }, NULL, err);
}

static int set_run(struct berth_portsfile *file, const struct change *change)
{
	return berth_portsfile_set_run(file, change->owner, change->unit);
}

int berth_ports_file_set_run(const char *path, const struct berth_portsfile_owner *owner,
			     const struct berth_portsfile_unit *unit, int64_t *since_ns,
			     struct berth_err *err)
{
	const struct change change = { .fn = set_run, .owner = owner, .unit = unit };

	return update(path, &change, since_ns, err);
}

static int drop_run(struct berth_portsfile *file, const struct change *change)
{
	berth_portsfile_drop_run(file, change->name, change->instance);
	return 0;
}

int berth_ports_file_drop_run(const char *path, const char *service, unsigned int instance,
			      struct berth_err *err)
{
	const struct change change = { .fn = drop_run, .name = service, .instance = instance };

	return update(path, &change, NULL, err);
}

static int set_wish(struct berth_portsfile *file, const struct change *change)
{
	return berth_portsfile_set_wish(file, change->name, change->port, change->number,
					change->url);
}

int berth_ports_file_set_wish(const char *path, const char *service, const char *port,
			      uint16_t number, const char *url, struct berth_err *err)
{
	const struct change change = {
		.fn = set_wish, .name = service, .port = port, .number = number, .url = url
	};

	return update(path, &change, NULL, err);
}

int berth_ports_file_clean(const char *path, struct berth_err *err)
{
	return update(path, &(struct change){ 0 }, NULL, err);
}
