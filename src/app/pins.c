/* SPDX-License-Identifier: MIT */
/* app/pins.c - numbers that a user keeps for one service: `berth pin`, and pins of config.yaml */
/*
 * All of them are in one file, so that a start of somebody who has none costs one failed open. It is
 * changed under a lock of its folder (flock(2)), which only `berth pin` and `unpin` wait for.
 */
#include "app/pins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/str.h"
#include "os/statefile.h"

enum {
	FILE_SIZE_MAX = 4 << 20,
	PINS_MAX = 1000,
};

static const char file_name[] = "pins.json";

static int read_pins(int dir_fd, const char *path, json_t **ret_pins, struct berth_err *err)
{
	BERTH_AUTO_FREE char *text = NULL;
	BERTH_AUTO_JSON json_t *root = NULL;
	json_t *pins;
	size_t len;
	int r = berth_statefile_read(dir_fd, path, FILE_SIZE_MAX, &text, &len);

	if (r == -ENOENT || r == -ENOTDIR) {
		*ret_pins = json_array();
		return 0;
	}
	if (r < 0)
		return berth_err_errno(err, r, "cannot read '%s'", path);
	root = berth_json_parse(text, len);
	pins = json_object_get(root, "pins");
	if (!json_is_array(pins)) {
		berth_err_set(err, -EINVAL, BERTH_ERR_CONFIG, "'%s' is no list of pins", path);
		berth_err_hint(err, "remove it and pin again");
		return -EINVAL;
	}
	*ret_pins = json_incref(pins);
	return 0;
}

int berth_pins_load(json_t **ret_pins, struct berth_err *err)
{
	char folder[PATH_MAX], path[PATH_MAX + sizeof(file_name) + 1];

	/* No state folder: nothing is kept. */
	if (berth_statefile_path(BERTH_PLACE_STATE, folder, sizeof(folder)) < 0) {
		*ret_pins = json_array();
		return 0;
	}
	snprintf(path, sizeof(path), "%s/%s", folder, file_name);
	return read_pins(AT_FDCWD, path, ret_pins, err);
}

static const char *name_of(const json_t *pin)
{
	return berth_json_string(pin, "name", "main");
}

static uint16_t port_of(const json_t *pin)
{
	int64_t port = berth_json_int(pin, "port", 0);

	return port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
}

static bool is_own(const json_t *pin, const struct berth_identity *identity)
{
	return strcmp(berth_json_string(pin, "key", ""), identity->key) == 0;
}

static bool is_port(const char *pinned, const char *name, bool first)
{
	return strcmp(pinned, name) == 0 || (first && strcmp(pinned, "main") == 0);
}

/* "shop", "shop+demo" */
static bool is_project(const char *text, const struct berth_identity *identity)
{
	size_t len = strlen(identity->project);

	if (strncmp(text, identity->project, len) != 0)
		return false;
	return *identity->copy ? text[len] == '+' && strcmp(text + len + 1, identity->copy) == 0
			       : text[len] == '\0';
}

/* The root, or the working folder below it. */
static bool is_folder(const char *path, const struct berth_identity *identity)
{
	size_t len = strlen(identity->root);

	if (*identity->copy || strncmp(path, identity->root, len) != 0)
		return false;
	while (path[len] == '/')
		len++;
	return path[len] == '\0' || strcmp(path + len, identity->folder) == 0;
}

bool berth_pins_is_settled_for(const struct berth_settings_pin *pin,
			       const struct berth_identity *identity)
{
	if (strcmp(pin->service, identity->service) != 0 || pin->instance != identity->instance)
		return false;
	return pin->folder ? is_folder(pin->folder, identity) : is_project(pin->project, identity);
}

uint16_t berth_pins_find(const json_t *pins, const struct berth_settings *settings,
			 const struct berth_identity *identity, const char *name, bool first)
{
	uint16_t found = 0;
	const json_t *pin;
	size_t i;

	json_array_foreach (pins, i, pin)
		if (is_own(pin, identity) && is_port(name_of(pin), name, first))
			return port_of(pin);
	for (i = 0; settings && i < settings->pin_count; i++) {
		const struct berth_settings_pin *settled = &settings->pins[i];

		if (!berth_pins_is_settled_for(settled, identity) ||
		    !is_port(settled->port_name, name, first))
			continue;
		if (settled->folder)
			return settled->port;
		found = settled->port;
	}
	return found;
}

/* Only what is surely not there: its pins keep no number from anybody. */
static bool has_gone(const json_t *pin)
{
	struct stat st;

	return stat(berth_json_string(pin, "root", "/"), &st) < 0 &&
	       (errno == ENOENT || errno == ENOTDIR);
}

static void add(struct berth_portset *set, uint16_t port)
{
	if (port)
		berth_portset_add(set, (struct berth_range){ port, port });
}

void berth_pins_add_others(const json_t *pins, const struct berth_settings *settings,
			   const struct berth_identity *identity, struct berth_portset *set)
{
	const json_t *pin;
	size_t i;

	json_array_foreach (pins, i, pin)
		if (!is_own(pin, identity) && !has_gone(pin))
			add(set, port_of(pin));
	for (i = 0; settings && i < settings->pin_count; i++)
		if (!berth_pins_is_settled_for(&settings->pins[i], identity))
			add(set, settings->pins[i].port);
}

const char *berth_pins_label(const json_t *pin, char *buf, size_t size)
{
	const char *copy = berth_json_string(pin, "copy", "");
	const char *name = name_of(pin);
	bool own = strcmp(name, "main") == 0;
	int64_t instance = berth_json_int(pin, "instance", 1);
	char number[24] = "", label[2 * BERTH_NAME_MAX + 128];

	if (instance > 1)
		snprintf(number, sizeof(number), ".%lld", (long long)instance);
	snprintf(label, sizeof(label), "%s%s%s/%s%s%s%s", berth_json_string(pin, "project", ""),
		 *copy ? "+" : "", copy, berth_json_string(pin, "service", ""), number,
		 own ? "" : ":", own ? "" : name);
	return berth_str_printable(label, (size_t)-1, buf, size);
}

static json_t *new_pin(const struct berth_identity *identity, const char *name, uint16_t port)
{
	return json_pack(
		"{s:s,s:o,s:o,s:o,s:o,s:o,s:i,s:s,s:i}", "key", identity->key, "project",
		berth_json_text(identity->project), "copy", berth_json_text_or_null(identity->copy),
		"root", berth_json_text(identity->root), "folder",
		berth_json_text(identity->folder), "service", berth_json_text(identity->service),
		"instance", (int)identity->instance, "name", name, "port", (int)port);
}

/* The folder, locked, and what it has. */
struct change {
	int dir_fd;
	json_t *pins;
};

static void end_change(struct change *change)
{
	berth_fd_close(&change->dir_fd);
	json_decref(change->pins);
}

static int begin_change(struct change *change, struct berth_err *err)
{
	char folder[PATH_MAX];
	int r = berth_statefile_path(BERTH_PLACE_STATE, folder, sizeof(folder));

	if (r == 0)
		r = change->dir_fd = berth_statefile_open_dir(folder);
	if (r >= 0)
		r = flock(change->dir_fd, LOCK_EX) < 0 ? -errno : 0;
	if (r < 0)
		return berth_err_errno(err, r, "cannot keep pins in the state folder");
	return read_pins(change->dir_fd, file_name, &change->pins, err);
}

static int store(const struct change *change, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *root = json_pack("{s:i,s:O}", "version", 1, "pins", change->pins);
	BERTH_AUTO_FREE char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
	int r = -ENOMEM;

	if (!json_array_size(change->pins))
		r = unlinkat(change->dir_fd, file_name, 0) < 0 && errno != ENOENT ? -errno : 0;
	else if (text)
		r = berth_statefile_write(change->dir_fd, file_name, text, strlen(text));
	return r < 0 ? berth_err_errno(err, r, "cannot keep the pins") : 0;
}

static int refuse_number(const json_t *pin, struct berth_err *err)
{
	char label[256], root[256];

	berth_err_set(err, -EADDRINUSE, BERTH_ERR_REFUSED, "port %u is pinned for '%s' of %s",
		      port_of(pin), berth_pins_label(pin, label, sizeof(label)),
		      berth_str_printable(berth_json_string(pin, "root", ""), (size_t)-1, root,
					  sizeof(root)));
	berth_err_hint(err, "berth unpin %s, there, gives it up",
		       berth_json_string(pin, "service", ""));
	return -EADDRINUSE;
}

int berth_pins_set(const struct berth_identity *identity, const char *name, uint16_t port,
		   struct berth_err *err)
{
	BERTH_CLEANUP(end_change) struct change change = { .dir_fd = -1 };
	json_t *pin;
	size_t i;
	int r = begin_change(&change, err);

	if (r < 0)
		return r;
	json_array_foreach (change.pins, i, pin) {
		bool same = is_own(pin, identity) && strcmp(name_of(pin), name) == 0;

		if (!same && port_of(pin) == port && !has_gone(pin))
			return refuse_number(pin, err);
	}
	for (i = json_array_size(change.pins); i-- > 0;) {
		pin = json_array_get(change.pins, i);
		if (is_own(pin, identity) && strcmp(name_of(pin), name) == 0)
			json_array_remove(change.pins, i);
	}
	if (json_array_size(change.pins) >= PINS_MAX)
		return berth_err_set(err, -E2BIG, BERTH_ERR_REFUSED, "there are %d pins already",
				     PINS_MAX);
	if (json_array_append_new(change.pins, new_pin(identity, name, port)) < 0)
		return berth_err_errno(err, -ENOMEM, "cannot keep the pins");
	return store(&change, err);
}

int berth_pins_remove(const struct berth_identity *identity, const char *name, size_t *ret_count,
		      struct berth_err *err)
{
	BERTH_CLEANUP(end_change) struct change change = { .dir_fd = -1 };
	size_t count = 0;
	int r = begin_change(&change, err);

	if (r < 0)
		return r;
	for (size_t i = json_array_size(change.pins); i-- > 0;) {
		const json_t *pin = json_array_get(change.pins, i);

		if (!is_own(pin, identity) || (name && strcmp(name_of(pin), name) != 0))
			continue;
		json_array_remove(change.pins, i);
		count++;
	}
	if (count > 0)
		r = store(&change, err);
	if (r == 0)
		*ret_count = count;
	return r;
}
