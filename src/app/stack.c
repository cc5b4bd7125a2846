/* SPDX-License-Identifier: MIT */
/* app/stack.c - from a folder to a stack: the manifest, what is wanted of it, a job for each */
#include "app/stack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/time.h"
#include "stack/command.h"
#include "stack/formation.h"
#include "stack/manifest-count.h"
#include "stack/order.h"

/* The folder of an absolute path. */
static void cut_file_name(char *path)
{
	char *slash = strrchr(path, '/');

	slash[slash == path] = '\0';
}

/* Is @name one that an environment may have, and not a file name that leads elsewhere? */
static int check_copy(const char *name, const char *option, struct berth_err *err)
{
	if (berth_name_is_valid(name))
		return 0;
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "%s: '%s' is not a name", option, name);
	berth_err_hint(err, "a letter, then letters, digits and '-', all lower case");
	return -EINVAL;
}

const char *berth_stack_socket_name(const struct berth_identity *identity, char *buf, size_t size)
{
	snprintf(buf, size, "berth/%u/%s", geteuid(), identity->key);
	return buf;
}

static int identify_folder(const char *folder, const struct berth_stack_spec *spec,
			   struct berth_identity *ret_identity, struct berth_err *err)
{
	const char *copy = spec->copy ? spec->copy : spec->profile;
	int r = 0;

	if (spec->profile)
		r = check_copy(spec->profile, "--profile", err);
	if (r == 0 && spec->copy)
		r = check_copy(spec->copy, "--as", err);
	if (r == 0)
		r = berth_identity_load(folder, ret_identity, err);
	if (r < 0)
		return r;
	if (copy)
		berth_str_copy(ret_identity->copy, sizeof(ret_identity->copy), copy);
	berth_identity_seal(ret_identity);
	return 0;
}

bool berth_stack_has_manifest(const struct berth_stack_spec *spec)
{
	enum berth_manifest_kind kind;
	char path[PATH_MAX];

	return berth_manifest_file_find(spec->cwd, spec->file, path, &kind, NULL) == 0;
}

int berth_stack_identify(const struct berth_stack_spec *spec, struct berth_identity *ret_identity,
			 struct berth_err *err)
{
	enum berth_manifest_kind kind;
	char path[PATH_MAX];
	int r = berth_manifest_file_find(spec->cwd, spec->file, path, &kind, err);

	if (r < 0 && spec->file)
		return r;
	/* It may be gone, and what it has started not. */
	if (r < 0) {
		*err = (struct berth_err){ 0 };
		return identify_folder(spec->cwd, spec, ret_identity, err);
	}
	cut_file_name(path);
	return identify_folder(path, spec, ret_identity, err);
}

static int identify(struct berth_stack *stack, const struct berth_stack_spec *spec,
		    struct berth_err *err)
{
	struct berth_identity *identity = &stack->identity;
	int r = identify_folder(stack->folder, spec, identity, err);

	if (r < 0)
		return r;
	if (*stack->manifest.project)
		berth_str_copy(identity->project, sizeof(identity->project),
			       stack->manifest.project);
	berth_stack_socket_name(identity, stack->socket_name, sizeof(stack->socket_name));
	if (*identity->copy)
		snprintf(stack->ports_file, sizeof(stack->ports_file), "%.*s/.ports.%s.json",
			 PATH_MAX - 80, stack->folder, identity->copy);
	else
		snprintf(stack->ports_file, sizeof(stack->ports_file), "%.*s/.ports.json",
			 PATH_MAX - 80, stack->folder);
	return 0;
}

static bool has_profile(char *const *profiles, const char *profile)
{
	for (; profile && *profiles; profiles++)
		if (strcmp(*profiles, profile) == 0)
			return true;
	return false;
}

enum {
	PROFILES_KNOWN_MAX = 256,
};

/* All that the manifest knows: those with a range, and those that services name. @names has room. */
static void list_profiles(const struct berth_manifest *manifest,
			  const char *names[PROFILES_KNOWN_MAX + 1])
{
	size_t count = 0;

	for (size_t i = 0; i < manifest->profile_count && count < PROFILES_KNOWN_MAX; i++)
		names[count++] = manifest->profiles[i].name;
	for (size_t i = 0; i < manifest->service_count; i++)
		for (char *const *name = manifest->services[i].profiles;
		     name && *name && count < PROFILES_KNOWN_MAX; name++)
			names[count++] = *name;
	names[count] = NULL;
}

static int check_profile(const struct berth_stack *stack, const char *profile,
			 struct berth_err *err)
{
	const char *names[PROFILES_KNOWN_MAX + 1];
	const char *closest;

	list_profiles(&stack->manifest, names);
	for (const char **name = names; *name; name++)
		if (strcmp(*name, profile) == 0)
			return 0;
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "no profile '%s' in %s", profile, stack->file);
	closest = berth_str_closest(profile, names);
	if (closest)
		berth_err_hint(err, "did you mean '%s'?", closest);
	else
		berth_err_hint(err, "--as NAME makes a copy without a profile");
	return -EINVAL;
}

static int find_service(const struct berth_stack *stack, const char *name, size_t *ret_index,
			struct berth_err *err)
{
	const struct berth_manifest *manifest = &stack->manifest;
	const char *names[BERTH_MANIFEST_SERVICES_MAX + 1] = { NULL };
	int index = berth_manifest_find(manifest, name);
	const char *closest;
	char shown[128];

	if (index >= 0) {
		*ret_index = (size_t)index;
		return 0;
	}
	for (size_t i = 0; i < manifest->service_count; i++)
		names[i] = manifest->services[i].name;
	closest = berth_str_closest(name, names);
	berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND, "no service '%s' in %s",
		      berth_str_printable(name, (size_t)-1, shown, sizeof(shown)), stack->file);
	if (closest)
		berth_err_hint(err, "did you mean '%s'?", closest);
	return -ENOENT;
}

/* Which are part of it at all: by profile, by formation, or since they are named. */
static int enable(struct berth_stack *stack, const struct berth_stack_spec *spec,
		  struct berth_err *err)
{
	struct berth_manifest *manifest = &stack->manifest;
	bool started[BERTH_MANIFEST_SERVICES_MAX];
	size_t index;
	int r;

	memset(started, true, sizeof(started));
	if (spec->profile) {
		r = check_profile(stack, spec->profile, err);
		if (r < 0)
			return r;
	}
	if (spec->formation) {
		r = berth_formation_parse(spec->formation, manifest,
					  berth_manifest_find_range(manifest, spec->profile),
					  started, err);
		if (r < 0)
			return berth_err_wrap(err, r, "-m");
	}
	for (size_t i = 0; i < manifest->service_count; i++) {
		char *const *profiles = manifest->services[i].profiles;

		stack->services[i].enabled =
			started[i] && (!profiles || has_profile(profiles, spec->profile));
	}
	for (size_t i = 0; i < spec->service_count; i++) {
		r = find_service(stack, spec->services[i], &index, err);
		if (r < 0)
			return r;
		stack->services[index].enabled = true;
	}
	return 0;
}

/* Is there a number in the profile's range for each of them? */
static int check_range(const struct berth_stack *stack, const struct berth_stack_spec *spec,
		       const struct berth_order_service *states, struct berth_err *err)
{
	const struct berth_manifest_profile *profile =
		berth_manifest_find_range(&stack->manifest, spec->profile);
	unsigned int need = berth_manifest_count_numbers(&stack->manifest, states), numbers;

	/* Those of -p may be elsewhere. */
	if (!profile || spec->wish_count)
		return 0;
	numbers = (unsigned int)(profile->range.hi - profile->range.lo) + 1;
	if (need <= numbers)
		return 0;
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
		      "the range of the profile '%s' has %u number%s, and what would start needs "
		      "%u",
		      profile->name, numbers, numbers == 1 ? "" : "s", need);
	berth_err_hint(err, "range: %u-%u, or fewer instances", profile->range.lo,
		       profile->range.lo + need - 1);
	return -EINVAL;
}

/* What is asked for, what that depends on, and those whose ports that has to be told. */
static int want(struct berth_stack *stack, const struct berth_stack_spec *spec,
		struct berth_err *err)
{
	struct berth_manifest *manifest = &stack->manifest;
	struct berth_order_service states[BERTH_MANIFEST_SERVICES_MAX] = { { 0 } };
	size_t units = 0, index;
	int r;

	for (size_t i = 0; i < spec->service_count; i++) {
		r = find_service(stack, spec->services[i], &index, err);
		if (r < 0)
			return r;
		berth_order_want(manifest, states, index);
	}
	for (size_t i = 0; i < manifest->service_count && !spec->service_count; i++)
		if (stack->services[i].enabled)
			berth_order_want(manifest, states, i);
	berth_order_want_mentioned(manifest, states);
	for (size_t i = 0; i < manifest->service_count; i++) {
		stack->services[i].wanted = states[i].wanted;
		if (states[i].wanted) {
			stack->services[i].enabled = true;
			units += manifest->services[i].instances;
		}
	}
	if (!units && !spec->again) {
		berth_err_set(err, -ENOENT, BERTH_ERR_CONFIG, "%s has no service to start",
			      stack->file);
		if (!spec->profile)
			berth_err_hint(err, "all of them belong to profiles: --profile NAME");
		return -ENOENT;
	}
	if (units > BERTH_STACK_UNITS_MAX)
		return berth_err_set(err, -E2BIG, BERTH_ERR_CONFIG,
				     "%s has %zu services and instances, and at most %d can run",
				     stack->file, units, BERTH_STACK_UNITS_MAX);
	return check_range(stack, spec, states, err);
}

static int check_files(const struct berth_stack_service *service, struct berth_err *err)
{
	if (!service->wanted || !service->fault)
		return 0;
	*err = *service->fault;
	return -ENOENT;
}

static int prepare(struct berth_stack *stack, const struct berth_stack_spec *spec,
		   struct berth_faults *faults, struct berth_err *err)
{
	size_t count = stack->manifest.service_count;
	size_t loop;
	int r;

	stack->services = calloc(count, sizeof(*stack->services));
	stack->order = calloc(count, sizeof(*stack->order));
	if (!stack->services || !stack->order)
		return berth_err_errno(err, -ENOMEM, "cannot prepare the services");
	r = berth_manifest_order(&stack->manifest, stack->order, &loop);
	if (r < 0)
		return berth_err_set(err, r, BERTH_ERR_CONFIG, "'%s' depends on itself",
				     stack->manifest.services[loop].name);
	r = enable(stack, spec, err);
	if (r == 0)
		r = want(stack, spec, err);
	for (size_t i = 0; i < count && r == 0; i++)
		r = berth_stack_make_job(stack, i, err);
	for (size_t i = 0; i < count && r == 0 && !spec->again; i++)
		r = check_files(&stack->services[i], err);
	return r == 0 ? berth_stack_settle_wishes(stack, spec, faults, err) : r;
}

static int load_manifest(struct berth_stack *stack, struct berth_faults *faults,
			 struct berth_err *err)
{
	const struct berth_manifest_file_spec spec = { .dotenv = &stack->dotenv,
						       .base = stack->base };

	return berth_manifest_file_load(stack->file, stack->kind, &spec, faults, &stack->text,
					&stack->text_len, &stack->manifest, err);
}

static bool copy_text(const char *text, char **ret_copy)
{
	*ret_copy = text ? strdup(text) : NULL;
	return !text || *ret_copy;
}

/* How it was asked for, for another reading. */
static int keep_spec(struct berth_stack *stack, const struct berth_stack_spec *spec,
		     struct berth_err *err)
{
	bool kept = copy_text(spec->profile, &stack->profile) &&
		    copy_text(spec->formation, &stack->formation);

	stack->any_port = spec->any_port;
	stack->wishes = calloc(spec->wish_count + 1, sizeof(*stack->wishes));
	for (size_t i = 0; i < spec->wish_count && stack->wishes && kept; i++)
		kept = copy_text(spec->wishes[i], &stack->wishes[i]);
	if (!kept || !stack->wishes)
		return berth_err_errno(err, -ENOMEM, "cannot load a stack");
	return 0;
}

int berth_stack_load(const struct berth_stack_spec *spec, struct berth_faults *faults,
		     struct berth_stack **ret_stack, struct berth_err *err)
{
	BERTH_CLEANUP(berth_stack_freep) struct berth_stack *stack = calloc(1, sizeof(*stack));
	int r;

	if (!stack)
		return berth_err_errno(err, -ENOMEM, "cannot load a stack");
	r = berth_manifest_file_find(spec->cwd, spec->file, stack->file, &stack->kind, err);
	if (r == 0) {
		berth_str_copy(stack->folder, sizeof(stack->folder), stack->file);
		cut_file_name(stack->folder);
		r = berth_manifest_file_dotenv(stack->file, &stack->dotenv, err);
	}
	stack->base = spec->base;
	if (r == 0 && stack->kind == BERTH_MANIFEST_PROCFILE && !stack->base)
		r = berth_stack_find_base(spec, &stack->base, err);
	if (r == 0)
		r = load_manifest(stack, faults, err);
	if (r == 0)
		r = identify(stack, spec, err);
	if (r == 0)
		r = prepare(stack, spec, faults, err);
	if (r == 0)
		r = keep_spec(stack, spec, err);
	if (r == 0 || faults->count)
		*ret_stack = BERTH_STEAL(stack);
	return r;
}

void berth_stack_prefer(struct berth_stack *stack, const struct berth_settings *settings)
{
	for (size_t i = 0; i < stack->manifest.service_count; i++) {
		struct berth_job *job = stack->services[i].job;

		job->settings = settings;
		if (settings->has_grace &&
		    stack->manifest.services[i].policy.grace_ns == BERTH_MANIFEST_UNSAID)
			job->policy.grace_ns = settings->grace_ms * BERTH_NS_PER_MS;
	}
}

void berth_stack_adopt(struct berth_stack *stack, const struct berth_job *common)
{
	for (size_t i = 0; i < stack->manifest.service_count; i++) {
		struct berth_job *job = stack->services[i].job;

		job->settings = common->settings;
		job->detach = common->detach;
		job->ttl_ms = common->ttl_ms;
		job->owner = common->owner;
		job->quiet = common->quiet;
		job->verbose = common->verbose;
		job->signal_mask = common->signal_mask;
		job->open_files = common->open_files;
	}
}

void berth_stack_free(struct berth_stack *stack)
{
	if (!stack)
		return;
	for (size_t i = 0; stack->services && i < stack->manifest.service_count; i++) {
		struct berth_stack_service *service = &stack->services[i];

		berth_dotenv_deinit(&service->env_file);
		berth_command_free(service->argv);
		berth_command_free(service->stop_argv);
		berth_command_free(service->env);
		free(service->cwd);
		free(service->skip);
		free(service->fault);
		free(service->job);
	}
	free(stack->services);
	free(stack->order);
	berth_identity_deinit(&stack->identity);
	free(stack->profile);
	free(stack->formation);
	berth_command_free(stack->wishes);
	free(stack->text);
	berth_dotenv_deinit(&stack->dotenv);
	berth_manifest_deinit(&stack->manifest);
	free(stack);
}
