/* SPDX-License-Identifier: MIT */
/* app/libberth.c - the library: holds, ports that a program leases for its own sockets */
/*
 * A hold is a choice (port/choose.h) that lives on: one lease per named port. app/libberth-serve.c
 * puts the sockets of the caller on them.
 *
 * Inside of a service of berth the supervisor has done all that already, and answers our bind() by
 * itself: a lease within the lease would only be in its way. Then the numbers come from the
 * environment and the sockets are ordinary ones.
 */
#include "app/libberth.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/inner.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/str.h"
#include "base/time.h"
#include "port/choose.h"
#include "service/identity.h"

_Static_assert((int)BERTH_HOLD_PORTS_MAX == (int)BERTH_WISH_PORTS_MAX, "one limit, two names");
_Static_assert((int)BERTH_HOLD_NUMBERS_MAX == (int)BERTH_WISH_LIST_MAX, "one limit, two names");

const char *berth_version(void)
{
	return BERTH_VERSION;
}

static enum berth_error_code code_of(enum berth_err_code code)
{
	switch (code) {
	case BERTH_ERR_NONE:
		return BERTH_E_NONE;
	case BERTH_ERR_USAGE:
	case BERTH_ERR_CONFIG:
		return BERTH_E_USAGE;
	case BERTH_ERR_NOT_FOUND:
	case BERTH_ERR_NOT_RUNNING:
		return BERTH_E_NOT_RUNNING;
	case BERTH_ERR_NO_PORT:
		return BERTH_E_NO_PORT;
	case BERTH_ERR_DENIED:
		return BERTH_E_DENIED;
	case BERTH_ERR_ALREADY_RUNNING:
	case BERTH_ERR_START_FAILED:
	case BERTH_ERR_NOT_READY:
	case BERTH_ERR_TIMEOUT:
	case BERTH_ERR_REFUSED:
	case BERTH_ERR_UNSUPPORTED:
	case BERTH_ERR_INTERNAL:
	case BERTH_ERR_CODE_COUNT_:
		break;
	}
	return BERTH_E_SYSTEM;
}

int berth_libberth_fail(struct berth_error *error, const struct berth_err *err)
{
	enum berth_error_code code = code_of(err->code);

	if (error) {
		error->code = code;
		berth_str_copy(error->message, sizeof(error->message), err->msg);
		berth_str_copy(error->hint, sizeof(error->hint), err->hint);
	}
	return -(int)code;
}

int berth_libberth_refuse(struct berth_error *error, enum berth_error_code code, const char *hint,
			  const char *fmt, ...)
{
	va_list ap;

	if (error) {
		error->code = code;
		va_start(ap, fmt);
		vsnprintf(error->message, sizeof(error->message), fmt, ap);
		va_end(ap);
		berth_str_copy(error->hint, sizeof(error->hint), hint);
	}
	return -(int)code;
}

static bool is_name(const char *text)
{
	return berth_name_is_valid(text) && strlen(text) < BERTH_PORT_NAME_MAX &&
	       strcmp(text, "none") != 0 && strcmp(text, "any") != 0;
}

static int add_wish(struct berth_wish *wish, const struct berth_hold_wish *from,
		    struct berth_error *error)
{
	struct berth_wish_port *port = &wish->ports[wish->port_count];
	const char *name = from->name ? from->name : "main";
	char shown[64];

	if (!is_name(name))
		return berth_libberth_refuse(
			error, BERTH_E_USAGE,
			"lower-case letters, digits and '-', a letter first, at most 31, not "
			"'none' or 'any'",
			"'%s' is no name for a port",
			berth_str_printable(name, (size_t)-1, shown, sizeof(shown)));
	for (size_t i = 0; i < wish->port_count; i++) {
		if (!strcmp(wish->ports[i].name, name))
			return berth_libberth_refuse(error, BERTH_E_USAGE, "",
						     "two ports of one hold are called '%s'", name);
	}
	if (from->count > BERTH_WISH_LIST_MAX || (from->count > 0 && !from->numbers))
		return berth_libberth_refuse(error, BERTH_E_USAGE, "",
					     "port '%s' wishes %zu numbers, not 0 to %d", name,
					     from->count, BERTH_WISH_LIST_MAX);
	berth_str_copy(port->name, sizeof(port->name), name);
	port->udp = from->udp;
	for (size_t i = 0; i < from->count; i++) {
		if (from->numbers[i] == 0)
			return berth_libberth_refuse(error, BERTH_E_USAGE,
						     "set any for a number of the kernel's choice",
						     "port '%s' wishes 0", name);
		port->list[port->list_len++] = from->numbers[i];
	}
	wish->port_count++;
	return 0;
}

static int read_spec(const struct berth_hold_spec *spec, struct berth_wish *ret_wish,
		     struct berth_error *error)
{
	const struct berth_hold_wish lone = { .numbers = &spec->port, .count = spec->port ? 1 : 0 };
	struct berth_wish wish = {
		.range = { spec->range_low, spec->range_high },
		.step = spec->step,
		.around = spec->around,
		.attempts = spec->attempts,
		.any = spec->any,
		.strict = spec->strict,
	};
	size_t count = spec->wish_count ? spec->wish_count : 1;
	struct berth_err err;
	int r;

	if (spec->wish_count > BERTH_WISH_PORTS_MAX ||
	    (spec->wish_count > 0 && (!spec->wishes || spec->port)))
		return berth_libberth_refuse(error, BERTH_E_USAGE,
					     "either port, or wishes with a wish_count of 1 to 16",
					     "the wishes contradict each other");
	if (spec->range_low > spec->range_high || (spec->range_high && !spec->range_low))
		return berth_libberth_refuse(error, BERTH_E_USAGE, "",
					     "the range %u-%u holds nothing", spec->range_low,
					     spec->range_high);
	for (size_t i = 0; i < count; i++) {
		r = add_wish(&wish, spec->wish_count ? &spec->wishes[i] : &lone, error);
		if (r < 0)
			return r;
	}
	if (berth_wish_check(&wish, &err) < 0)
		return berth_libberth_fail(error, &err);
	*ret_wish = wish;
	return 0;
}

static bool read_number(const char *variable, uint16_t *ret_number)
{
	const char *text = secure_getenv(variable);
	uint64_t value;

	if (!text || berth_parse_u64(text, UINT16_MAX, &value) < 0 || value == 0)
		return false;
	*ret_number = (uint16_t)value;
	return true;
}

/* The supervisor above us answers our bind() in any case: so it shall know what for. */
static bool lease_above(const struct berth_wish *wish, struct berth_choice *choice)
{
	BERTH_AUTO_JSON json_t *answer = NULL;
	struct berth_err err = { 0 };
	const json_t *numbers;

	if (berth_inner_lease(wish, "library", &answer, &err) < 0)
		return false;
	numbers = json_object_get(answer, "ports");
	if (json_array_size(numbers) != wish->port_count)
		return false;
	for (size_t i = 0; i < wish->port_count; i++)
		choice->ports.port[i] = (uint16_t)json_integer_value(json_array_get(numbers, i));
	return true;
}

/* What the variables of the service say; false unless there is a number for each port. */
static bool read_granted(const struct berth_wish *wish, struct berth_choice *choice)
{
	for (size_t i = 0; i < wish->port_count; i++) {
		char name[BERTH_PORT_NAME_MAX + 1], variable[BERTH_PORT_NAME_MAX + 16];

		berth_str_env_name(wish->ports[i].name, name, sizeof(name));
		snprintf(variable, sizeof(variable), "BERTH_PORT_%s", name);
		if (!read_number(variable, &choice->ports.port[i]) &&
		    (i > 0 || !read_number("PORT", &choice->ports.port[i])))
			return false;
	}
	return true;
}

/*
 * A program that asks for nothing in particular wants a port beside those of the service that it
 * is, or is part of.
 */
static bool find_granted(const struct berth_wish *wish, struct berth_choice *ret_choice)
{
	struct berth_choice choice = { .count = wish->port_count };

	if (!secure_getenv("BERTH_ID"))
		return false;
	for (size_t i = 0; i < wish->port_count; i++)
		if (wish->ports[i].list_len == 0)
			return false;
	if (!read_granted(wish, &choice) && !lease_above(wish, &choice))
		return false;
	for (size_t i = 0; i < BERTH_WISH_PORTS_MAX; i++)
		berth_lease_init(&choice.leases[i], (struct berth_lease_means){ 0 },
				 wish->ports[i].udp ? SOCK_DGRAM : SOCK_STREAM);
	*ret_choice = choice;
	return true;
}

/* The flags of the command line are no help to a program. */
static void translate_hint(const struct berth_wish *wish, struct berth_err *err)
{
	if (wish->strict)
		berth_err_hint(err,
			       "end what holds it, or go without strict for the next free number");
	else if (wish->any)
		berth_err_hint(err, "end one of them, or give a wider range");
	else
		berth_err_hint(
			err, "end one of them, give a wider range, or set any for a number of the "
			     "kernel's choice");
}

/* A supervisor that we know nothing of answers our bind() with other numbers. */
static bool is_steered(const struct berth_choice *choice)
{
	struct berth_addr addr;

	for (size_t i = 0; i < choice->count; i++) {
		if (berth_sock_name(choice->leases[i].holder4, &addr) == 0 &&
		    berth_addr_port(&addr) != choice->leases[i].port)
			return true;
	}
	return false;
}

static bool is_explicit(const struct berth_wish *wish)
{
	for (size_t i = 0; i < wish->port_count; i++) {
		if (wish->ports[i].list_len == 0)
			return false;
	}
	return true;
}

/*
 * The wish itself, which mostly is free: nothing needs to be read about the machine then. The list
 * of numbers that it keeps back says what the kernel does not pick by itself; a program that names
 * one is whom they are kept for. And whether we have a right to a number the kernel says when it is
 * bound.
 */
static int choose_wish(const struct berth_choose_spec *spec, struct berth_choice *ret_choice)
{
	static const struct berth_reserved browsers_only = { .may_privileged = true };
	struct berth_choose_spec first = *spec;
	struct berth_wish wish = *spec->wish;

	wish.strict = true;
	first.wish = &wish;
	first.reserved = &browsers_only;
	return berth_choose(&first, ret_choice, NULL);
}

static int choose_any(const struct berth_choose_spec *spec, struct berth_choice *ret_choice,
		      struct berth_err *err)
{
	struct berth_reserved *reserved BERTH_AUTO_FREE = malloc(sizeof(*reserved));
	struct berth_choose_spec all = *spec;
	int r = reserved ? berth_reserved_load(reserved, NULL) : -ENOMEM;

	if (r < 0)
		return berth_err_errno(err, r, "cannot lease a port");
	all.reserved = reserved;
	return berth_choose(&all, ret_choice, err);
}

static int take_ports(const struct berth_hold_spec *spec, const struct berth_wish *wish,
		      struct berth_choice *ret_choice, struct berth_err *err)
{
	const struct berth_choose_spec choose = {
		.wish = wish,
		.means = berth_lease_probe(),
		.deadline_ns = spec->timeout_ms
				       ? berth_time_mono_ns() + spec->timeout_ms * BERTH_NS_PER_MS
				       : 0,
	};
	int r = 0;

	if (!is_explicit(wish) || choose_wish(&choose, ret_choice) != 0)
		r = choose_any(&choose, ret_choice, err);
	if (r == BERTH_CHOOSE_E_NO_PORT)
		translate_hint(wish, err);
	if (r != 0 || !is_steered(ret_choice))
		return r;
	berth_choice_release(ret_choice);
	berth_err_set(
		err, -ENOTSUP, BERTH_ERR_UNSUPPORTED,
		"cannot hold a port: a berth above this process gives its sockets other numbers");
	berth_err_hint(err, "bind to the number in PORT, which it has leased for this process");
	return -ENOTSUP;
}

int berth_hold_new(const struct berth_hold_spec *spec, struct berth_hold **ret_hold,
		   struct berth_error *error)
{
	struct berth_hold *hold BERTH_AUTO_FREE = calloc(1, sizeof(*hold));
	struct berth_wish wish;
	struct berth_err err;
	int r;

	if (!hold)
		return berth_libberth_refuse(error, BERTH_E_SYSTEM, "",
					     "cannot lease a port: out of memory");
	r = read_spec(spec, &wish, error);
	if (r < 0)
		return r;
	hold->granted = find_granted(&wish, &hold->choice);
	if (!hold->granted && take_ports(spec, &wish, &hold->choice, &err) != 0)
		return berth_libberth_fail(error, &err);
	for (size_t i = 0; i < wish.port_count; i++)
		berth_str_copy(hold->names[i], sizeof(hold->names[i]), wish.ports[i].name);
	*ret_hold = BERTH_STEAL(hold);
	return 0;
}

bool berth_libberth_find_port(const struct berth_hold *hold, const char *name, size_t *ret_index)
{
	for (size_t i = 0; i < hold->choice.count; i++) {
		if (!name || !strcmp(hold->names[i], name)) {
			*ret_index = i;
			return true;
		}
	}
	return false;
}

uint16_t berth_hold_port(const struct berth_hold *hold, const char *name)
{
	size_t index;

	return berth_libberth_find_port(hold, name, &index) ? hold->choice.ports.port[index] : 0;
}

void berth_hold_free(struct berth_hold *hold)
{
	if (!hold)
		return;
	berth_choice_release(&hold->choice);
	free(hold);
}
