/* SPDX-License-Identifier: MIT */
/* cli/pins.c - what berth pin and berth unpin have in common */
#include "cli/pins.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/manifest-file.h"
#include "app/pins.h"
#include "base/str.h"
#include "cli/services.h"

static int parse(const char *operand, struct berth_pins_operand *parsed, struct berth_err *err)
{
	struct berth_settings_pin pin = { 0 };
	char shown[96];

	if (!berth_settings_parse_service(operand, &pin)) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' names no service",
			      berth_str_printable(operand, (size_t)-1, shown, sizeof(shown)));
		berth_err_hint(err, "a service of this folder: api, api.2, api:ws");
		return -EINVAL;
	}
	strcpy(parsed->identity.service, pin.service);
	parsed->identity.instance = pin.instance;
	strcpy(parsed->port_name, pin.port_name);
	parsed->has_port_name = strchr(operand, ':');
	return 0;
}

/* The service of @folder that was named. */
static int identify(struct berth_pins_operand *operand, const char *folder, const char *as,
		    struct berth_err *err)
{
	struct berth_identity named = operand->identity;
	int r = berth_identity_load(folder, &operand->identity, err);

	if (r < 0)
		return r;
	berth_identity_deinit(&named);
	strcpy(operand->identity.service, named.service);
	operand->identity.instance = named.instance;
	if (as)
		berth_str_copy(operand->identity.copy, sizeof(operand->identity.copy), as);
	berth_identity_seal(&operand->identity);
	return 0;
}

static void take_declared(struct berth_pins_operand *operand, const struct berth_manifest *manifest)
{
	int index = berth_manifest_find(manifest, operand->identity.service);

	if (*manifest->project)
		strcpy(operand->identity.project, manifest->project);
	if (index < 0)
		return;
	operand->declared = true;
	operand->no_port = manifest->services[index].no_port;
	operand->wish = manifest->services[index].wish;
}

/* In the manifest around @cwd? One that can't be understood now may well have it. */
static bool is_in_stack(const char *cwd, struct berth_pins_operand *operand, const char *as,
			struct berth_err *err)
{
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_manifest_deinit) struct berth_manifest manifest = { 0 };
	const struct berth_manifest_file_spec spec = { 0 };
	BERTH_AUTO_FREE char *text = NULL;
	enum berth_manifest_kind kind;
	char path[PATH_MAX];
	size_t len = 0;
	int r;

	if (berth_manifest_file_find(cwd, NULL, path, &kind, err) < 0)
		return false;
	r = berth_manifest_file_load(path, kind, &spec, &faults, &text, &len, &manifest, err);
	if (r == 0 && berth_manifest_find(&manifest, operand->identity.service) < 0 && !as)
		return false;
	*strrchr(path, '/') = '\0';
	if (identify(operand, *path ? path : "/", as, err) < 0)
		return false;
	if (r == 0)
		take_declared(operand, &manifest);
	return true;
}

/* Is @document of the service that was named, seen from where it ran? */
static bool is_meant(const json_t *document, struct berth_pins_operand *operand)
{
	const struct berth_identity *identity = &operand->identity;

	return strcmp(berth_json_string(document, "service", ""), identity->service) == 0 &&
	       berth_json_int(document, "instance", 1) == (json_int_t)identity->instance &&
	       *berth_json_string(document, "cwd", "");
}

static void find_running(struct berth_services *services, struct berth_pins_operand *operand,
			 struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *end = NULL;
	json_t *record;
	size_t i;

	json_array_foreach (services->records, i, record) {
		const json_t *service = berth_registry_service(record);
		const char *key = json_string_value(berth_registry_private(record, "key"));
		const json_t *port = berth_services_port(
			service, operand->has_port_name ? operand->port_name : NULL);
		bool same = key && strcmp(key, operand->identity.key) == 0;

		if (!same && !operand->known && is_meant(service, operand) &&
		    strcmp(berth_json_string(service, "root", ""), services->here.root) == 0)
			same = identify(operand, berth_json_string(service, "cwd", ""), NULL,
					err) == 0;
		if (!same)
			continue;
		operand->known = true;
		operand->running = (uint16_t)berth_json_int(port, "port", 0);
	}
	if (operand->known)
		return;
	end = berth_services_last_end(services, operand->identity.service);
	operand->known = end && is_meant(end, operand) &&
			 identify(operand, berth_json_string(end, "cwd", ""), NULL, err) == 0;
}

void berth_pins_operand_deinit(struct berth_pins_operand *operand)
{
	berth_identity_deinit(&operand->identity);
}

const char *berth_pins_operand_name(const struct berth_pins_operand *operand, char *buf,
				    size_t size)
{
	const struct berth_identity *identity = &operand->identity;
	char number[16] = "";

	if (identity->instance > 1)
		snprintf(number, sizeof(number), ".%u", identity->instance);
	snprintf(buf, size, "%s%s%s%s", identity->service, number,
		 operand->has_port_name ? ":" : "",
		 operand->has_port_name ? operand->port_name : "");
	return buf;
}

int berth_pins_check_port(const struct berth_pins_operand *operand, struct berth_err *err)
{
	const char *service = operand->identity.service;
	const char *names[BERTH_WISH_PORTS_MAX + 1] = { NULL }, *closest;
	char shown[64];

	if (!operand->declared)
		return 0;
	if (operand->no_port)
		return berth_err_set(err, -ENOENT, BERTH_ERR_USAGE, "'%s' has no port", service);
	/* The first of several may be called so, too. */
	if (strcmp(operand->port_name, "main") == 0)
		return 0;
	for (size_t i = 0; i < operand->wish.port_count; i++) {
		names[i] = operand->wish.ports[i].name;
		if (strcmp(names[i], operand->port_name) == 0)
			return 0;
	}
	closest = berth_str_closest(operand->port_name, names);
	berth_err_set(err, -ENOENT, BERTH_ERR_USAGE, "'%s' has no port '%s'", service,
		      berth_str_printable(operand->port_name, (size_t)-1, shown, sizeof(shown)));
	if (closest)
		berth_err_hint(err, "did you mean '%s'?", closest);
	return -ENOENT;
}

int berth_pins_read_operand(const char *operand, const char *as,
			    struct berth_pins_operand *ret_operand, struct berth_err *err)
{
	struct berth_services services;
	struct berth_err unused = { 0 };
	char cwd[PATH_MAX];
	int r;

	*ret_operand = (struct berth_pins_operand){ 0 };
	if (as && !berth_name_is_valid(as))
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "--as: '%s' is not a name", as);
	if (!getcwd(cwd, sizeof(cwd)))
		return berth_err_errno(err, -errno, "cannot tell the working folder");
	r = parse(operand, ret_operand, err);
	if (r == 0)
		r = berth_services_load(&services, err);
	if (r < 0)
		return r;
	ret_operand->known = is_in_stack(cwd, ret_operand, as, &unused);
	if (!ret_operand->known)
		r = identify(ret_operand, cwd, as, err);
	if (r == 0)
		find_running(&services, ret_operand, &unused);
	berth_services_deinit(&services);
	return r;
}

static json_t *row_of_settled(const struct berth_settings_pin *pin)
{
	const char *plus = strchr(pin->project, '+');
	size_t len = plus ? (size_t)(plus - pin->project) : strlen(pin->project);

	return json_pack("{s:o,s:o,s:o,s:n,s:s,s:i,s:s,s:i}", "project",
			 pin->folder ? json_null() : json_stringn(pin->project, len), "copy",
			 plus ? json_string(plus + 1) : json_null(), "root",
			 pin->folder ? berth_json_text(pin->folder) : json_null(), "folder",
			 "service", pin->service, "instance", (int)pin->instance, "name",
			 pin->port_name, "port", (int)pin->port);
}

static void add_row(json_t *rows, json_t *row, const char *from)
{
	char label[256];

	json_object_del(row, "key");
	json_object_set_new(row, "label", json_string(berth_pins_label(row, label, sizeof(label))));
	json_object_set_new(row, "from", json_string(from));
	json_array_append_new(rows, row);
}

int berth_pins_rows(const struct berth_settings *settings, const struct berth_identity *only,
		    json_t **ret_rows, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *pins = NULL;
	json_t *rows, *pin;
	size_t i;
	int r = berth_pins_load(&pins, err);

	if (r < 0)
		return r;
	rows = json_array();
	json_array_foreach (pins, i, pin)
		if (!only || strcmp(berth_json_string(pin, "key", ""), only->key) == 0)
			add_row(rows, json_copy(pin), "pin");
	for (i = 0; i < settings->pin_count; i++)
		if (!only || berth_pins_is_settled_for(&settings->pins[i], only))
			add_row(rows, row_of_settled(&settings->pins[i]), "config");
	*ret_rows = rows;
	return 0;
}

int berth_pins_print_json(struct berth_cli *cli, const struct berth_identity *identity,
			  struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *document = NULL;
	json_t *rows;
	int r;

	if (!cli->out.json)
		return 0;
	r = berth_pins_rows(&cli->settings, identity, &rows, err);
	if (r < 0)
		return r;
	document = json_pack("{s:i,s:o}", "version", 1, "pins", rows);
	berth_out_json(&cli->out, document);
	return 0;
}
