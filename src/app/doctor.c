/* SPDX-License-Identifier: MIT */
/* app/doctor.c - what of berth works on this machine, found by doing it */
#include "app/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "app/control.h"
#include "app/doctor-localhost.h"
#include "app/doctor-ptrace.h"
#include "base/str.h"

enum {
	ANSWER_MS = 500
};

const struct berth_doctor_check berth_doctor_checks[] = {
	{ "lease", berth_doctor_lease },
	{ "time-wait", berth_doctor_time_wait },
	{ "above", berth_doctor_above },
	{ "pidfd-getfd", berth_doctor_ptrace_getfd },
	{ "yama", berth_doctor_ptrace_yama },
	{ "steering", berth_doctor_steering },
	{ "view", berth_doctor_view },
	{ "new-privileges", berth_doctor_new_privileges },
	{ "containment", berth_doctor_containment },
	{ "cgroup", berth_doctor_cgroup },
	{ "sockets", berth_doctor_sockets },
	{ "processes", berth_doctor_processes },
	{ "port-range", berth_doctor_port_range },
	{ "ipv6", berth_doctor_ipv6 },
	{ "localhost", berth_doctor_localhost },
	{ "open-files", berth_doctor_open_files },
	{ "process-limit", berth_doctor_process_limit },
	{ "file-size", berth_doctor_file_size },
	{ "names", berth_doctor_names },
	{ "runtime-folder", berth_doctor_runtime_folder },
	{ "state-folder", berth_doctor_state_folder },
	{ "settings", berth_doctor_settings },
	{ "stale-files", berth_doctor_stale_files },
	{ 0 },
};

static const char *const result_names[] = {
#define X(id, name) name,
	BERTH_DOCTOR_RESULTS(X)
#undef X
};

const char *berth_doctor_result_name(enum berth_doctor_result result)
{
	return result_names[result];
}

/* Paths and names of services are parts of these texts. */
BERTH_PRINTF(3, 0)
static void format(char *buf, size_t size, const char *fmt, va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	berth_str_printable(text, (size_t)-1, buf, size);
}

void berth_doctor_found(struct berth_doctor_finding *finding, enum berth_doctor_result result,
			const char *fmt, ...)
{
	va_list ap;

	finding->result = result;
	va_start(ap, fmt);
	format(finding->found, sizeof(finding->found), fmt, ap);
	va_end(ap);
}

void berth_doctor_cost(struct berth_doctor_finding *finding, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	format(finding->cost, sizeof(finding->cost), fmt, ap);
	va_end(ap);
}

void berth_doctor_fix(struct berth_doctor_finding *finding, bool as_root, const char *fmt, ...)
{
	char command[sizeof(finding->fix)];
	va_list ap;

	va_start(ap, fmt);
	format(command, sizeof(command), fmt, ap);
	va_end(ap);
	snprintf(finding->fix, sizeof(finding->fix), "%s%s", as_root && geteuid() ? "sudo " : "",
		 command);
}

/*
 * Is it a berth of ours that answers above us? Its variable alone says little: a terminal opened
 * from inside keeps it.
 */
static void ask_above(struct berth_doctor_place *place)
{
	const char *socket = getenv("BERTH_SOCKET");
	BERTH_AUTO_FD int fd = socket ? berth_control_connect(socket) : -1;
	BERTH_AUTO_JSON json_t *request = json_pack("{s:s}", "do", "status");
	BERTH_AUTO_JSON json_t *answer = NULL;
	struct berth_err err = { 0 };
	const json_t *service;

	if (fd < 0 || berth_control_ask(fd, request, -1, ANSWER_MS, &answer, &err) < 0)
		return;
	service = json_object_get(answer, "service");
	snprintf(place->above, sizeof(place->above), "%s/%s",
		 berth_json_string(service, "project", "?"),
		 berth_json_string(service, "service", "?"));
}

void berth_doctor_look(struct berth_doctor_place *ret_place)
{
	struct berth_doctor_place place = { .means = berth_lease_probe() };

	berth_doctor_try_filter(&place);
	if (place.filter_error == -EBUSY)
		ask_above(&place);
	*ret_place = place;
}
