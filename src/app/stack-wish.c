/* SPDX-License-Identifier: MIT */
/*
 * app/stack-wish.c - who wishes which number, from all the places where that can be said
 *
 * Weakest first: the manifest; BACKEND_PORT in .env; `backend_port` that somebody wrote into the
 * ports file; BACKEND_PORT in the environment; -p backend=9005. What a stronger one moves keeps its
 * old number as an alias, since the program and its neighbours may have that one in their source.
 *
 * A profile with a range is a place apart: there, numbers that were written for no profile do not
 * count. Nobody else takes from its range.
 */
#include "app/stack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/ports-file.h"
#include "base/parse.h"
#include "base/str.h"

/* All numbers from the profile's range; what was wished is only what they are called. */
static void enter_profile(struct berth_wish *wish, const struct berth_range *range)
{
	for (size_t i = 0; i < wish->port_count; i++) {
		struct berth_wish_port *port = &wish->ports[i];

		if (port->list_len && !port->alias)
			port->alias = port->list[0];
		port->list_len = 0;
	}
	wish->range = *range;
	wish->around = 0;
	wish->any = wish->strict = false;
}

/* The main port of a service that named none. */
static void name_main(struct berth_wish *wish)
{
	if (wish->port_count)
		return;
	wish->ports[0] = (struct berth_wish_port){ .name = "main" };
	wish->port_count = 1;
}

/* Has the first port, which is the service's own, a name beside that? */
static bool is_first_named(const struct berth_wish *wish)
{
	return wish->port_count && strcmp(wish->ports[0].name, "main") != 0;
}

/* "VIEWER_WS_PORT"; @own: "VIEWER_PORT". */
static void variable_name(const char *service, const struct berth_wish *wish, size_t index,
			  bool own, char *buf, size_t size)
{
	char name[BERTH_NAME_MAX + 1], port[BERTH_PORT_NAME_MAX + 1];

	berth_str_env_name(service, name, sizeof(name));
	if (own) {
		snprintf(buf, size, "%s_PORT", name);
		return;
	}
	berth_str_env_name(wish->ports[index].name, port, sizeof(port));
	snprintf(buf, size, "%s_%s_PORT", name, port);
}

/* Containers that were linked with another one have REDIS_PORT=tcp://... */
static bool is_wish(const char *value)
{
	return value && *value && !strstr(value, "://");
}

static int move(struct berth_job *job, size_t index, const char *value, const char *where,
		const char *name, struct berth_err *err)
{
	char shown[96];
	uint16_t port;

	if (!is_wish(value) || job->no_port)
		return 0;
	if (berth_parse_port(value, &port) < 0)
		return berth_err_set(err, -EINVAL, BERTH_ERR_CONFIG,
				     "%s in %s: '%s' is not a port (1-65535)", name, where,
				     berth_str_printable(value, (size_t)-1, shown, sizeof(shown)));
	name_main(&job->wish);
	berth_wish_move(&job->wish, index, port);
	return 0;
}

static int read_variables(const struct berth_stack *stack, struct berth_job *job, bool from_file,
			  struct berth_err *err)
{
	size_t count = job->wish.port_count ? job->wish.port_count : 1;
	const char *where = from_file ? "'.env'" : "the environment";
	char name[160];
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		const char *value = NULL;

		/* The first port has two, of which the short one goes before. */
		for (int own = i == 0; own >= 0 && !is_wish(value); own--) {
			if (!own && i == 0 && !is_first_named(&job->wish))
				break;
			variable_name(job->identity.service, &job->wish, i, own, name,
				      sizeof(name));
			value = from_file ? berth_dotenv_get(&stack->dotenv, name) : getenv(name);
		}
		r = move(job, i, value, where, name, err);
	}
	return r;
}

/* What a person wrote there before the start. */
static int read_ports_file(struct berth_stack *stack, const struct berth_portsfile *file,
			   struct berth_job *job, struct berth_faults *faults)
{
	size_t count = job->wish.port_count ? job->wish.port_count : 1;
	int r = 0;

	for (size_t i = 0; i < count && r == 0 && !job->no_port; i++) {
		const char *name = i ? job->wish.ports[i].name : NULL;
		uint16_t port;

		r = berth_portsfile_wish(file, job->identity.service, name, faults, &port);
		if (r == 0 && !port && i == 0 && is_first_named(&job->wish))
			r = berth_portsfile_wish(file, job->identity.service,
						 job->wish.ports[0].name, faults, &port);
		if (r < 0 || !port)
			continue;
		name_main(&job->wish);
		berth_wish_move(&job->wish, i, port);
	}
	return r;
}

static int read_ports_files(struct berth_stack *stack, struct berth_faults *faults,
			    struct berth_err *err)
{
	BERTH_CLEANUP(berth_portsfile_deinit) struct berth_portsfile file = { 0 };
	BERTH_AUTO_FREE char *text = NULL;
	int r = berth_ports_file_load(stack->ports_file, faults, &text, &file, err);

	for (size_t i = 0; i < stack->manifest.service_count && r == 0; i++)
		r = read_ports_file(stack, &file, stack->services[i].job, faults);
	if (r == 0 || !faults->count)
		return r;
	/* The faults are of that file now. */
	berth_str_copy(stack->file, sizeof(stack->file), stack->ports_file);
	free(stack->text);
	stack->text_len = text ? strlen(text) : 0;
	stack->text = BERTH_STEAL(text);
	return err->code == BERTH_ERR_NONE ? berth_err_set(err, r, BERTH_ERR_CONFIG,
							   "'%s' can't be used", stack->ports_file)
					   : r;
}

/* "viewer:ws=8090", in parts. */
struct flag {
	char service[BERTH_NAME_MAX];
	char port[BERTH_PORT_NAME_MAX];
	bool has_port;
	const char *number;
};

/* @len bytes at @text, which no name is too long for. */
static bool take_name(const char *text, size_t len, char *buf, size_t size)
{
	if (len == 0 || len >= size)
		return false;
	snprintf(buf, size, "%.*s", (int)len, text);
	return true;
}

static bool is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

int berth_stack_find_base(const struct berth_stack_spec *spec, uint16_t *ret_base,
			  struct berth_err *err)
{
	uint16_t base = 0;

	for (size_t i = 0; i < spec->wish_count; i++) {
		const char *text = spec->wishes[i];

		if (!is_number(text))
			continue;
		if (base)
			return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
					     "-p: the ports can begin at %u or at %.20s", base,
					     text);
		if (berth_parse_port(text, &base) < 0)
			return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
					     "-p: '%.20s' is not a port (1-65535)", text);
	}
	*ret_base = base;
	return 0;
}

static int split_flag(const char *text, struct flag *ret_flag, struct berth_err *err)
{
	size_t len = strcspn(text, ":="), port_len = strcspn(text + len, "=");
	const char *equals = text + len + port_len;
	struct flag flag = { .has_port = port_len > 0, .number = equals + 1 };
	char shown[96];

	if (is_number(text)) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "-p: whose port is %.20s?", text);
		berth_err_hint(err,
			       "as in: -p web=%.20s; alone it is where those of a Procfile begin",
			       text);
		return -EINVAL;
	}
	if (!len || !*equals || !equals[1]) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "-p: '%s' is not SERVICE=PORT",
			      berth_str_printable(text, (size_t)-1, shown, sizeof(shown)));
		berth_err_hint(err, "as in: -p web=9000, or -p web:ws=9001 for one of several");
		return -EINVAL;
	}
	if (!take_name(text, len, flag.service, sizeof(flag.service)))
		return berth_err_set(err, -ENOENT, BERTH_ERR_USAGE, "-p: no service is called '%s'",
				     berth_str_printable(text, len, shown, sizeof(shown)));
	if (flag.has_port && !take_name(text + len + 1, port_len - 1, flag.port, sizeof(flag.port)))
		return berth_err_set(
			err, -ENOENT, BERTH_ERR_USAGE, "-p: '%s' has no port '%s'", flag.service,
			berth_str_printable(text + len + 1, port_len - 1, shown, sizeof(shown)));
	*ret_flag = flag;
	return 0;
}

static int find_port(const struct berth_wish *wish, const struct flag *flag, size_t *ret_index,
		     struct berth_err *err)
{
	const char *names[BERTH_WISH_PORTS_MAX + 1] = { NULL }, *closest;
	char shown[96];

	*ret_index = 0;
	for (size_t i = 0; i < wish->port_count && flag->has_port; i++) {
		names[i] = wish->ports[i].name;
		if (strcmp(names[i], flag->port) != 0)
			continue;
		*ret_index = i;
		return 0;
	}
	if (!flag->has_port)
		return 0;
	closest = berth_str_closest(flag->port, names);
	berth_err_set(err, -ENOENT, BERTH_ERR_USAGE, "-p: '%s' has no port '%s'", flag->service,
		      berth_str_printable(flag->port, (size_t)-1, shown, sizeof(shown)));
	if (closest)
		berth_err_hint(err, "did you mean '%s'?", closest);
	return -ENOENT;
}

/* "backend=9005", "viewer:ws=8090". */
static int read_flag(struct berth_stack *stack, const char *text, struct berth_err *err)
{
	struct berth_job *job;
	struct flag flag;
	char shown[96];
	uint16_t number;
	size_t index;
	int service, r;

	/* Where the ports of all begin: the file was read with it. */
	if (stack->kind == BERTH_MANIFEST_PROCFILE && is_number(text))
		return 0;
	r = split_flag(text, &flag, err);
	if (r < 0)
		return r;
	service = berth_manifest_find(&stack->manifest, flag.service);
	if (service < 0)
		return berth_err_set(
			err, -ENOENT, BERTH_ERR_USAGE, "-p: no service '%s' in %s",
			berth_str_printable(flag.service, (size_t)-1, shown, sizeof(shown)),
			stack->file);
	job = stack->services[service].job;
	if (job->no_port)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "-p: '%s' has no port",
				     flag.service);
	r = find_port(&job->wish, &flag, &index, err);
	if (r < 0)
		return r;
	if (berth_parse_port(flag.number, &number) < 0)
		return berth_err_set(
			err, -EINVAL, BERTH_ERR_USAGE, "-p: '%s' is not a port (1-65535)",
			berth_str_printable(flag.number, (size_t)-1, shown, sizeof(shown)));
	name_main(&job->wish);
	berth_wish_move(&job->wish, index, number);
	return 0;
}

/* The user's list, and the ranges of the profiles that this is none of. */
static int make_skip(struct berth_stack *stack, const struct berth_manifest_profile *profile,
		     size_t index, struct berth_err *err)
{
	const struct berth_manifest *manifest = &stack->manifest;
	struct berth_stack_service *service = &stack->services[index];
	struct berth_str text = { 0 };

	if (manifest->services[index].skip)
		berth_str_add(&text, manifest->services[index].skip);
	for (size_t i = 0; i < manifest->profile_count; i++) {
		const struct berth_range *range = &manifest->profiles[i].range;

		if (range->lo && &manifest->profiles[i] != profile)
			berth_str_addf(&text, "%s%u-%u", text.len ? "," : "", range->lo, range->hi);
	}
	if (text.failed)
		return berth_err_errno(err, -ENOMEM, "cannot prepare '%s'",
				       service->job->identity.service);
	if (!text.len)
		return 0;
	service->skip = berth_str_steal(&text);
	service->job->skip = service->skip;
	return 0;
}

static int settle_one(struct berth_stack *stack, const struct berth_stack_spec *spec,
		      const struct berth_manifest_profile *profile, size_t index,
		      struct berth_err *err)
{
	struct berth_job *job = stack->services[index].job;
	int r = make_skip(stack, profile, index, err);

	job->wish.any |= spec->any_port;
	if (profile)
		enter_profile(&job->wish, &profile->range);
	else if (r == 0)
		r = read_variables(stack, job, true, err);
	return r;
}

int berth_stack_settle_wishes(struct berth_stack *stack, const struct berth_stack_spec *spec,
			      struct berth_faults *faults, struct berth_err *err)
{
	const struct berth_manifest_profile *profile =
		berth_manifest_find_range(&stack->manifest, spec->profile);
	size_t count = stack->manifest.service_count;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = settle_one(stack, spec, profile, i, err);
	if (r == 0)
		r = read_ports_files(stack, faults, err);
	for (size_t i = 0; i < count && r == 0 && !profile; i++)
		r = read_variables(stack, stack->services[i].job, false, err);
	for (size_t i = 0; i < spec->wish_count && r == 0; i++) {
		r = read_flag(stack, spec->wishes[i], err);
		/* It was right when it was said, of a manifest that has changed since. */
		if (r < 0 && spec->again) {
			*err = (struct berth_err){ 0 };
			r = 0;
		}
	}
	for (size_t i = 0; i < count && r == 0; i++) {
		r = berth_job_settle_search(stack->services[i].job, &stack->dotenv, err);
		if (r == 0)
			r = berth_wish_check(&stack->services[i].job->wish, err);
		if (r < 0)
			berth_err_wrap(err, r, "'%s'", stack->manifest.services[i].name);
	}
	return r;
}

/* The port of @wish whose first number is that of @other; NULL: none. */
static const struct berth_wish_port *find_same(const struct berth_wish *wish,
					       const struct berth_wish_port *other)
{
	for (size_t i = 0; i < wish->port_count && other->list_len; i++)
		if (wish->ports[i].list_len && wish->ports[i].list[0] == other->list[0])
			return &wish->ports[i];
	return NULL;
}

/*
 * Is that number no affair of @other's, since @own wishes it too and goes before? A number that was
 * said for this start goes before one that stands in the manifest, and of two of a kind the service
 * that is written first. The manifest itself has each number once.
 */
static bool goes_before(const struct berth_wish_port *own, bool first,
			const struct berth_wish_port *other)
{
	if (own->udp != other->udp)
		return true;
	return own->moved == other->moved ? first : own->moved;
}

void berth_stack_add_others(const struct berth_stack *stack, size_t member,
			    struct berth_portset *set)
{
	const struct berth_wish *own = &stack->services[member].job->wish;

	for (size_t i = 0; i < stack->manifest.service_count; i++) {
		const struct berth_wish *wish = &stack->services[i].job->wish;

		if (i == member || !stack->services[i].enabled)
			continue;
		for (size_t j = 0; j < wish->port_count; j++) {
			const struct berth_wish_port *port = &wish->ports[j];
			uint16_t number = port->list_len ? port->list[0] : port->alias;
			const struct berth_wish_port *same = find_same(own, port);

			if (number && (!same || !goes_before(same, member < i, port)))
				berth_portset_add(set, (struct berth_range){ number, number });
		}
	}
}
