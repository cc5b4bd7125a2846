/* SPDX-License-Identifier: MIT */
/*
 * app/stack-reload.c - a manifest, or a file it reads, that has changed under a running stack
 *
 * Read by the supervisor, in its loop: some ms of local files, when somebody asks for a start. The
 * stack that was read before stays until the end, since the jobs of what runs point into it.
 */
#include "app/stack-reload.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "app/siblings.h"
#include "os/userfile.h"

enum {
	TEXT_MAX = 1024 * 1024,
};

static bool are_same(const struct berth_dotenv *a, const struct berth_dotenv *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->entries[i].key, b->entries[i].key) != 0 ||
		    strcmp(a->entries[i].value, b->entries[i].value) != 0)
			return false;
	return true;
}

/* One that is broken has changed: the next to read it says how. */
static bool has_dotenv_changed(const struct berth_stack *stack)
{
	BERTH_CLEANUP(berth_dotenv_deinit) struct berth_dotenv now = { 0 };

	return berth_manifest_file_dotenv(stack->file, &now, NULL) < 0 ||
	       !are_same(&now, &stack->dotenv);
}

/* The files of its variables, or what was wrong with them. */
static bool has_service_changed(const struct berth_stack *stack, size_t index)
{
	BERTH_CLEANUP(berth_dotenv_deinit) struct berth_dotenv now = { 0 };
	const struct berth_stack_service *service = &stack->services[index];
	struct berth_err fault = { 0 };

	if (berth_stack_read_files(stack, index, &now, &fault) < 0)
		return !service->fault || strcmp(fault.msg, service->fault->msg) != 0;
	return service->fault || !are_same(&now, &service->env_file);
}

/* A manifest that can't be read counts as unchanged: what was read before still holds. */
static bool has_changed(const struct berth_stack *stack)
{
	BERTH_AUTO_FREE char *text = NULL;
	size_t len;

	if (berth_userfile_read(stack->file, TEXT_MAX, &text, &len) < 0)
		return false;
	if (len != stack->text_len || memcmp(text, stack->text, len) != 0 ||
	    has_dotenv_changed(stack))
		return true;
	for (size_t i = 0; i < stack->manifest.service_count; i++)
		if (has_service_changed(stack, i))
			return true;
	return false;
}

static int load(const struct berth_supervisor *supervisor, struct berth_stack **ret_stack,
		struct berth_err *err)
{
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	const struct berth_stack *old = supervisor->stack->stack;
	struct berth_stack_spec spec = {
		.cwd = old->folder,
		.file = old->file,
		.copy = *old->identity.copy ? old->identity.copy : NULL,
		.profile = old->profile,
		.formation = old->formation,
		.base = old->base,
		.wishes = (const char *const *)old->wishes,
		.any_port = old->any_port,
		.again = true,
	};
	struct berth_stack *stack = NULL;
	int r;

	while (old->wishes[spec.wish_count])
		spec.wish_count++;
	r = berth_stack_load(&spec, &faults, &stack, err);
	if (r < 0) {
		berth_stack_free(stack);
		return r;
	}
	stack->export_env = old->export_env;
	stack->abort_on_exit = old->abort_on_exit;
	stack->console = old->console;
	berth_stack_prefer(stack, supervisor->job->settings);
	berth_stack_adopt(stack, supervisor->job);
	*ret_stack = stack;
	return 0;
}

/* Every service that runs must be in @stack, too: it is to be known by what it depends on. */
static int check_living(const struct berth_supervisor *supervisor, const struct berth_stack *stack,
			struct berth_err *err)
{
	for (size_t i = 0; i < supervisor->unit_count; i++) {
		const char *name = supervisor->units[i]->job->identity.service;

		if (berth_manifest_find(&stack->manifest, name) >= 0)
			continue;
		berth_err_set(err, -EBUSY, BERTH_ERR_REFUSED, "%s runs, but '%s' has it no more",
			      name, stack->file);
		berth_err_hint(err, "berth down %s first", name);
		return -EBUSY;
	}
	return 0;
}

/* What has become of the services, in the new order. */
static void carry_over(struct berth_stack_run *run, const struct berth_stack *stack,
		       struct berth_stack_member *members)
{
	const struct berth_stack *before = run->stack;
	const struct berth_manifest *old = &before->manifest;

	for (size_t i = 0; i < old->service_count; i++) {
		int index = berth_manifest_find(&stack->manifest, old->services[i].name);

		if (index < 0) {
			berth_siblings_forget(&run->members[i]);
			continue;
		}
		members[index] = run->members[i];
		/* As many as were ordered last, be it here or by berth scale. */
		if (stack->services[index].job->instances != before->services[i].job->instances)
			members[index].ordered = stack->services[index].job->instances;
		/* It may wait for another one now. */
		members[index].since_ns = 0;
	}
}

/* What runs is part of it, whichever profiles it has. */
static void move_units(const struct berth_supervisor *supervisor, struct berth_stack *stack)
{
	for (size_t i = 0; i < supervisor->unit_count; i++) {
		struct berth_job *job = supervisor->units[i]->job;

		job->member = (size_t)berth_manifest_find(&stack->manifest, job->identity.service);
		job->stack = stack;
		stack->services[job->member].enabled = true;
	}
}

int berth_stack_reload(struct berth_supervisor *supervisor, struct berth_err *err)
{
	struct berth_stack_run *run = supervisor->stack;
	BERTH_CLEANUP(berth_stack_freep) struct berth_stack *stack = NULL;
	struct berth_stack_member *members;
	struct berth_stack **grown;
	int r;

	if (!has_changed(run->stack))
		return 0;
	r = load(supervisor, &stack, err);
	if (r == 0)
		r = check_living(supervisor, stack, err);
	if (r < 0)
		return r;
	members = calloc(stack->manifest.service_count, sizeof(*members));
	grown = reallocarray(run->loaded, run->loaded_count + 1, sizeof(struct berth_stack *));
	if (grown)
		run->loaded = grown;
	if (!members || !grown) {
		free(members);
		return berth_err_errno(err, -ENOMEM, "cannot read '%s' again", run->stack->file);
	}
	carry_over(run, stack, members);
	move_units(supervisor, stack);
	free(run->members);
	run->members = members;
	run->loaded[run->loaded_count++] = stack;
	run->stack = BERTH_STEAL(stack);
	return 0;
}
