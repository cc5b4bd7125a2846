/* SPDX-License-Identifier: MIT */
/* stack/settings.c - what a user has settled for all projects: config.yaml */
#include "stack/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/yaml.h"
#include "os/statefile.h"
#include "os/userfile.h"

enum {
	FILE_SIZE_MAX = 1 << 20,
	SHOWN_SIZE = 80,
};

struct reader {
	struct berth_settings *settings;
	struct berth_faults *faults;
	const char *home;
	bool failed; /* out of memory */
};

static const char *show(const char *text, char buf[SHOWN_SIZE])
{
	return berth_str_printable(text, (size_t)-1, buf, SHOWN_SIZE);
}

/* A scalar that is not nothing. */
static const char *text_of(struct reader *reader, const struct berth_yaml_node *node,
			   const char *wanted)
{
	if (node->kind == BERTH_YAML_SCALAR && !berth_yaml_is_null(node))
		return node->text;
	berth_faults_add(reader->faults, node->at, "%s is expected here", wanted);
	return NULL;
}

static void refuse(struct reader *reader, const struct berth_yaml_node *node, const char *wanted)
{
	char shown[SHOWN_SIZE];

	berth_faults_add(reader->faults, node->at, "'%s' is not %s", show(node->text, shown),
			 wanted);
}

static void read_range(struct reader *reader, const struct berth_yaml_node *node)
{
	static const char wanted[] = "a range of ports, like 3000-3999";
	const char *text = text_of(reader, node, wanted);

	if (text && berth_range_parse(text, &reader->settings->range) < 0)
		refuse(reader, node, wanted);
}

static void read_grace(struct reader *reader, const struct berth_yaml_node *node)
{
	static const char wanted[] = "a time, like 10s";
	const char *text = text_of(reader, node, wanted);

	if (!text)
		return;
	reader->settings->has_grace = true;
	if (berth_parse_duration(text, 1000, &reader->settings->grace_ms) < 0)
		refuse(reader, node, wanted);
}

static void read_colour(struct reader *reader, const struct berth_yaml_node *node)
{
	static const char *const words[] = { "auto", "always", "never", NULL };
	static const char wanted[] = "auto, always or never";
	const char *text = text_of(reader, node, wanted);
	const char *closest;

	for (size_t i = 0; text && words[i]; i++)
		if (strcmp(words[i], text) == 0) {
			reader->settings->colour = (enum berth_settings_colour)i;
			return;
		}
	if (!text)
		return;
	refuse(reader, node, wanted);
	closest = berth_str_closest(text, words);
	if (closest)
		berth_faults_hint(reader->faults, "did you mean '%s'?", closest);
}

/* "6000", 6000-6010, or a list of such: each goes to @add. */
static void read_numbers(struct reader *reader, const struct berth_yaml_node *node,
			 void (*add)(struct reader *reader, const struct berth_yaml_node *node,
				     struct berth_range range))
{
	static const char wanted[] = "a port or a range of ports, like 6000 or 6000-6010";
	struct berth_range range;
	const char *text;

	if (node->kind == BERTH_YAML_LIST) {
		for (size_t i = 0; i < node->count; i++) {
			text = text_of(reader, &node->items[i], wanted);
			if (text && berth_range_parse(text, &range) < 0)
				refuse(reader, &node->items[i], wanted);
			else if (text)
				add(reader, &node->items[i], range);
		}
		return;
	}
	text = text_of(reader, node, "a list of ports, like [6000, 7000-7010],");
	while (text && *text) {
		size_t len = strcspn(text, ", ");
		char item[16] = "";

		if (len && len < sizeof(item))
			memcpy(item, text, len);
		if (len && berth_range_parse(item, &range) < 0) {
			refuse(reader, node, "a list of ports, like 6000,7000-7010");
			return;
		}
		if (len)
			add(reader, node, range);
		text += len + (text[len] != '\0');
	}
}

static void add_skip(struct reader *reader, const struct berth_yaml_node *node,
		     struct berth_range range)
{
	char *old = reader->settings->skip;
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };

	berth_str_addf(&text, "%s%s%u-%u", old ? old : "", old ? "," : "", range.lo, range.hi);
	reader->failed |= text.failed;
	free(old);
	reader->settings->skip = berth_str_steal(&text);
}

static void read_skip(struct reader *reader, const struct berth_yaml_node *node)
{
	read_numbers(reader, node, add_skip);
}

static void add_tool(struct reader *reader, const struct berth_yaml_node *node,
		     struct berth_range range)
{
	struct berth_settings *settings = reader->settings;

	for (unsigned int port = range.lo; port <= range.hi; port++) {
		if (settings->tool_count == BERTH_SETTINGS_TOOLS_MAX) {
			berth_faults_add(reader->faults, node->at, "more than %d ports of tools",
					 BERTH_SETTINGS_TOOLS_MAX);
			return;
		}
		settings->tools[settings->tool_count++] = (uint16_t)port;
	}
}

static void read_tools(struct reader *reader, const struct berth_yaml_node *node)
{
	read_numbers(reader, node, add_tool);
}

bool berth_settings_parse_service(const char *text, struct berth_settings_pin *pin)
{
	size_t len = strcspn(text, ".:");
	uint64_t instance = 1;
	char number[8] = "";

	if (len == 0 || len >= sizeof(pin->service))
		return false;
	memcpy(pin->service, text, len);
	text += len;
	if (*text == '.') {
		len = strcspn(++text, ":");
		if (len >= sizeof(number))
			return false;
		memcpy(number, text, len);
		if (berth_parse_u64(number, 100000, &instance) < 0 || instance == 0)
			return false;
		text += len;
	}
	pin->instance = (unsigned int)instance;
	return berth_name_is_valid(pin->service) &&
	       berth_str_copy(pin->port_name, sizeof(pin->port_name), *text ? text + 1 : "main") &&
	       *pin->port_name;
}

static bool read_pin_place(struct reader *reader, const char *key, size_t len,
			   struct berth_settings_pin *pin)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str folder = { 0 };
	bool home = key[0] == '~' && (len == 1 || key[1] == '/');

	if (len == 0 || (home && !reader->home))
		return false;
	if (key[0] == '/' || home) {
		if (home)
			berth_str_add(&folder, reader->home);
		berth_str_add_bytes(&folder, key + home, len - home);
		pin->folder = berth_str_steal(&folder);
		reader->failed |= !pin->folder;
		return true;
	}
	if (len >= sizeof(pin->project) || memchr(key, '/', len))
		return false;
	memcpy(pin->project, key, len);
	return true;
}

/* One by its folder and one by its project may well mean the same service. */
static bool may_be_one(const struct berth_settings_pin *a, const struct berth_settings_pin *b)
{
	return !a->folder != !b->folder && strcmp(a->service, b->service) == 0 &&
	       a->instance == b->instance && strcmp(a->port_name, b->port_name) == 0;
}

/* The pin before @pin that has its number for somebody else; NULL: none. */
static const struct berth_settings_pin *find_clash(const struct berth_settings *settings,
						   const struct berth_settings_pin *pin)
{
	for (size_t i = 0; i < settings->pin_count; i++)
		if (settings->pins[i].port == pin->port && !may_be_one(&settings->pins[i], pin))
			return &settings->pins[i];
	return NULL;
}

static void refuse_twice(struct reader *reader, const struct berth_yaml_node *node,
			 const struct berth_settings_pin *pin,
			 const struct berth_settings_pin *first)
{
	berth_faults_add(reader->faults, node->at, "%u is pinned for '%s%s%s' already", pin->port,
			 first->service, strcmp(first->port_name, "main") != 0 ? ":" : "",
			 strcmp(first->port_name, "main") != 0 ? first->port_name : "");
	berth_faults_hint(reader->faults, "that is in line %u", first->at.line);
}

static void read_pin(struct reader *reader, const struct berth_yaml_node *node)
{
	struct berth_settings *settings = reader->settings;
	struct berth_settings_pin pin = { .at = node->key_at };
	const struct berth_settings_pin *first;
	const char *slash = strrchr(node->key, '/');
	const char *text = text_of(reader, node, "a port");
	struct berth_settings_pin *pins;
	char shown[SHOWN_SIZE];

	if (!slash || !berth_settings_parse_service(slash + 1, &pin) ||
	    !read_pin_place(reader, node->key, (size_t)(slash - node->key), &pin)) {
		berth_faults_add(reader->faults, node->key_at, "'%s' names no service",
				 show(node->key, shown));
		berth_faults_hint(reader->faults, "shop/api, or with its folder: ~/src/shop/api");
	} else if (text && berth_parse_port(text, &pin.port) < 0) {
		refuse(reader, node, "a port (1-65535)");
	} else if (text && (first = find_clash(settings, &pin))) {
		refuse_twice(reader, node, &pin, first);
	} else if (settings->pin_count == BERTH_SETTINGS_PINS_MAX) {
		berth_faults_add(reader->faults, node->key_at, "more than %d pins",
				 BERTH_SETTINGS_PINS_MAX);
	} else if (text) {
		pins = reallocarray(settings->pins, settings->pin_count + 1, sizeof(*pins));
		reader->failed |= !pins;
		if (pins) {
			settings->pins = pins;
			pins[settings->pin_count++] = pin;
			return;
		}
	}
	free(pin.folder);
}

static void read_pins(struct reader *reader, const struct berth_yaml_node *node)
{
	if (node->kind != BERTH_YAML_MAP) {
		berth_faults_add(reader->faults, node->at,
				 "services and their ports are expected here");
		berth_faults_hint(reader->faults, "pins: { shop/api: 9001 }");
		return;
	}
	for (size_t i = 0; i < node->count; i++)
		read_pin(reader, &node->items[i]);
}

static const struct setting {
	const char *name;
	void (*read)(struct reader *reader, const struct berth_yaml_node *node);
} known[] = {
	{ "range", read_range },   { "skip", read_skip },    { "grace", read_grace },
	{ "colour", read_colour }, { "color", read_colour }, { "pins", read_pins },
	{ "tools", read_tools },
};

static const struct setting *find_setting(const char *name)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(known); i++)
		if (strcmp(known[i].name, name) == 0)
			return &known[i];
	return NULL;
}

static void refuse_key(struct reader *reader, const struct berth_yaml_node *node)
{
	const char *names[BERTH_ARRAY_SIZE(known) + 1] = { 0 };
	char shown[SHOWN_SIZE];
	const char *closest;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(known); i++)
		names[i] = known[i].name;
	berth_faults_add(reader->faults, node->key_at, "'%s' is no setting",
			 show(node->key, shown));
	closest = berth_str_closest(node->key, names);
	if (closest)
		berth_faults_hint(reader->faults, "did you mean '%s'?", closest);
}

static void read_all(struct reader *reader, const struct berth_yaml_node *root)
{
	const struct berth_yaml_node *other = berth_yaml_get(root, "colour");

	if (root->kind != BERTH_YAML_MAP) {
		berth_faults_add(reader->faults, root->at, "settings are expected here");
		berth_faults_hint(reader->faults, "grace: 10s");
		return;
	}
	for (size_t i = 0; i < root->count; i++) {
		const struct berth_yaml_node *node = &root->items[i];
		const struct setting *setting = find_setting(node->key);

		if (!setting)
			refuse_key(reader, node);
		else if (other && strcmp(node->key, "color") == 0)
			berth_faults_add(reader->faults, node->key_at,
					 "'colour' and 'color' are one setting");
		else if (!berth_yaml_is_null(node))
			setting->read(reader, node);
	}
}

void berth_settings_deinit(struct berth_settings *settings)
{
	if (!settings)
		return;
	free(settings->skip);
	for (size_t i = 0; i < settings->pin_count; i++)
		free(settings->pins[i].folder);
	free(settings->pins);
	*settings = (struct berth_settings){ 0 };
}

int berth_settings_parse(const char *text, size_t len, const char *home,
			 struct berth_faults *faults, struct berth_settings *ret_settings)
{
	BERTH_CLEANUP(berth_yaml_freep) struct berth_yaml_node *root = NULL;
	BERTH_CLEANUP(berth_settings_deinit) struct berth_settings settings = { 0 };
	struct reader reader = { .settings = &settings, .faults = faults, .home = home };
	size_t before = berth_faults_count(faults);
	int r = berth_yaml_parse(text, len, faults, &root);
	if (r < 0)
		return r;
	if (root && !berth_yaml_is_null(root))
		read_all(&reader, root);
	if (reader.failed)
		return -ENOMEM;
	if (berth_faults_count(faults) > before)
		return -EINVAL;
	*ret_settings = settings;
	settings = (struct berth_settings){ 0 };
	return 0;
}

int berth_settings_load(struct berth_settings *ret_settings,
			struct berth_settings_source *ret_source, struct berth_faults *faults,
			struct berth_err *err)
{
	static const char name[] = "/config.yaml";
	char folder[PATH_MAX];
	size_t count;
	int r = berth_statefile_path(BERTH_PLACE_CONFIG, folder, sizeof(folder));

	*ret_source = (struct berth_settings_source){ 0 };
	if (r == 0 && strlen(folder) + sizeof(name) > sizeof(ret_source->path))
		r = -ENAMETOOLONG;
	/* Without a home there is nobody who could have settled anything. */
	if (r < 0) {
		*ret_settings = (struct berth_settings){ 0 };
		return 0;
	}
	snprintf(ret_source->path, sizeof(ret_source->path), "%s%s", folder, name);
	r = berth_userfile_read(ret_source->path, FILE_SIZE_MAX, &ret_source->text,
				&ret_source->len);
	if (r == -ENOENT || r == -ENOTDIR) {
		*ret_settings = (struct berth_settings){ 0 };
		return 0;
	}
	if (r == 0)
		r = berth_settings_parse(ret_source->text, ret_source->len, getenv("HOME"), faults,
					 ret_settings);
	count = berth_faults_count(faults);
	if (r == -EINVAL && count)
		return berth_err_set(err, r, BERTH_ERR_CONFIG, "%s has %zu fault%s",
				     ret_source->path, count, count == 1 ? "" : "s");
	if (r < 0) {
		berth_err_errno(err, r, "cannot read '%s'", ret_source->path);
		err->code = BERTH_ERR_CONFIG;
	}
	return r;
}

void berth_settings_source_deinit(struct berth_settings_source *source)
{
	free(source->text);
	*source = (struct berth_settings_source){ 0 };
}
