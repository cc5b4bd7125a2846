/* SPDX-License-Identifier: MIT */
/* app/job.c - one start, as it was asked for: everything decided that needs no port yet */
#include "app/job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"

enum {
	ATTEMPTS = 100, /* of a lone wish, as port/candidates.c has it */
};

/* Where a value was found, for messages. */
struct setting {
	const char *name;
	const char *value; /* NULL: not set */
	bool from_file; /* .env */
};

static struct setting find(const char *name, const struct berth_dotenv *dotenv)
{
	char prefixed[64];
	struct setting setting = { .name = name };

	snprintf(prefixed, sizeof(prefixed), "BERTH_%s", name);
	setting.value = getenv(prefixed);
	if (!setting.value)
		setting.value = getenv(name);
	if (!setting.value && dotenv) {
		setting.from_file = true;
		setting.value = berth_dotenv_get(dotenv, prefixed);
		if (!setting.value)
			setting.value = berth_dotenv_get(dotenv, name);
	}
	if (setting.value && !*setting.value)
		setting.value = NULL;
	return setting;
}

static int refuse(const struct setting *setting, const char *wanted, struct berth_err *err)
{
	return berth_err_set(err, -EINVAL, BERTH_ERR_CONFIG, "%s%s: '%s' is not %s", setting->name,
			     setting->from_file ? " in '.env'" : " in the environment",
			     setting->value, wanted);
}

static int get_u16(const char *name, const struct berth_dotenv *dotenv, uint16_t *ret_value,
		   struct berth_err *err)
{
	struct setting setting = find(name, dotenv);
	uint64_t value;

	if (!setting.value)
		return 0;
	if (berth_parse_u64(setting.value, UINT16_MAX, &value) < 0)
		return refuse(&setting, "a number (0-65535)", err);
	*ret_value = (uint16_t)value;
	return 0;
}

/* Only BERTH_X: ANY or STRICT alone could be anybody's. */
static int get_flag(const char *name, bool *ret_value, struct berth_err *err)
{
	const char *value = getenv(name);
	struct setting setting = { .name = name, .value = value };

	if (!value || !*value)
		return 0;
	if (strcmp(value, "1") == 0 || strcasecmp(value, "true") == 0 ||
	    strcasecmp(value, "yes") == 0)
		*ret_value = true;
	else if (strcmp(value, "0") != 0 && strcasecmp(value, "false") != 0 &&
		 strcasecmp(value, "no") != 0)
		return refuse(&setting, "a yes or no (1 or 0)", err);
	return 0;
}

static bool has_number(const struct berth_wish *wish)
{
	for (size_t i = 0; i < wish->port_count; i++)
		if (wish->ports[i].list_len)
			return true;
	return false;
}

static struct berth_wish_port *main_port(struct berth_wish *wish)
{
	if (!wish->port_count) {
		wish->ports[0] = (struct berth_wish_port){ .name = "main" };
		wish->port_count = 1;
	}
	return &wish->ports[0];
}

static int settle_port(struct berth_job *job, const struct berth_dotenv *dotenv,
		       struct berth_err *err)
{
	struct setting setting = find("PORT", dotenv);
	struct berth_wish *wish = &job->wish;
	uint16_t port;

	if (!setting.value || has_number(wish) || job->no_port)
		return 0;
	if (berth_parse_port(setting.value, &port) < 0)
		return refuse(&setting, "a port (1-65535)", err);
	main_port(wish);
	berth_wish_move(wish, 0, port);
	return 0;
}

static int settle_fallbacks(struct berth_job *job, const struct berth_dotenv *dotenv,
			    struct berth_err *err)
{
	struct setting setting = find("FALLBACK_PORTS", dotenv);
	struct berth_wish_port *port;
	const char *text = setting.value;

	if (!text || job->no_port || job->wish.port_count > 1)
		return 0;
	port = main_port(&job->wish);
	if (port->list_len > 1) /* a list on the command line says it all */
		return 0;
	while (*text && port->list_len < BERTH_WISH_LIST_MAX) {
		size_t len = strcspn(text, ", ");
		char number[8];

		if (len && len < sizeof(number)) {
			snprintf(number, sizeof(number), "%.*s", (int)len, text);
			if (berth_parse_port(number, &port->list[port->list_len]) < 0)
				return refuse(&setting, "a list of ports", err);
			port->list_len++;
		} else if (len) {
			return refuse(&setting, "a list of ports", err);
		}
		text += len + (text[len] != '\0');
	}
	return 0;
}

static int settle_timeout(struct berth_job *job, const struct berth_dotenv *dotenv,
			  struct berth_err *err)
{
	struct setting setting = find("PORT_CHECK_TIMEOUT", dotenv);

	if (setting.value && berth_parse_duration(setting.value, 1, &job->check_timeout_ms) < 0)
		return refuse(&setting, "a time in ms", err);
	return 0;
}

int berth_job_settle_search(struct berth_job *job, const struct berth_dotenv *dotenv,
			    struct berth_err *err)
{
	bool asked = job->wish.strict;
	int r = 0;

	if (!job->wish.attempts)
		r = get_u16("MAX_PORT_ATTEMPTS", dotenv, &job->wish.attempts, err);
	/* Each instance has as long a way to go as one would. */
	if (r == 0 && !job->wish.attempts && job->instances > 1)
		job->wish.attempts = (uint16_t)(ATTEMPTS + job->instances);
	if (r == 0 && !job->check_timeout_ms)
		r = settle_timeout(job, dotenv, err);
	if (r == 0)
		r = get_flag("BERTH_ANY", &job->wish.any, err);
	if (r == 0)
		r = get_flag("BERTH_STRICT", &job->wish.strict, err);
	if (r < 0)
		return r;
	if (job->wish.strict && job->instances > 1) {
		r = berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				  "%s: only one instance can have the wish",
				  asked ? "'strict'" : "BERTH_STRICT");
		berth_err_hint(err, "workers share one port: %s",
			       job->stack ? "'workers'" : "--workers");
		return r;
	}
	if (!job->skip)
		job->skip = getenv("BERTH_SKIP");
	return 0;
}

int berth_job_settle(struct berth_job *job, const struct berth_dotenv *dotenv,
		     struct berth_err *err)
{
	int r = settle_port(job, dotenv, err);

	if (r == 0)
		r = settle_fallbacks(job, dotenv, err);
	if (r == 0)
		r = berth_job_settle_search(job, dotenv, err);
	if (r < 0)
		return r;
	job->tell_port =
		job->tell_port || has_number(&job->wish) || job->wish.range.lo || job->wish.any;
	return berth_wish_check(&job->wish, err);
}
