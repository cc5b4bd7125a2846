/* SPDX-License-Identifier: MIT */
/* cli/stack.c - what the commands about stacks have in common: which one is meant, and loading it */
#include "cli/stack.h"

#include <errno.h>
#include <string.h>

#include "app/registry.h"
#include "cli/faults.h"

int berth_stack_spec_of(const struct berth_cli *cli, const struct berth_stack_args *args,
			char cwd[PATH_MAX], struct berth_stack_spec *ret_spec,
			struct berth_err *err)
{
	if (!getcwd(cwd, PATH_MAX))
		return berth_err_errno(err, -errno, "cannot tell the working folder");
	*ret_spec = (struct berth_stack_spec){
		.cwd = cwd,
		.file = args->file,
		.copy = args->copy,
		.profile = args->profile,
		.formation = args->formation,
		.wishes = args->ports.items,
		.wish_count = args->ports.count,
		.services = cli->operands.items,
		.service_count = cli->operands.count,
		.any_port = args->any,
	};
	return 0;
}

int berth_stack_open(struct berth_cli *cli, const struct berth_stack_spec *spec,
		     struct berth_stack **ret_stack, struct berth_err *err)
{
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_stack_freep) struct berth_stack *stack = NULL;
	int r = berth_stack_load(spec, &faults, &stack, err);

	if (r == 0) {
		berth_stack_prefer(stack, &cli->settings);
		*ret_stack = BERTH_STEAL(stack);
	}
	if (r < 0 && faults.count && stack) {
		struct berth_err counted = *err;

		berth_cli_faults(cli, &faults, stack->file, stack->text, stack->text_len);
		berth_err_set(err, r, counted.code, "%s; nothing is started", counted.msg);
	}
	return r;
}

json_t *berth_stack_records(const char *stack_key, const json_t *records)
{
	json_t *found = json_array();
	const json_t *key;
	json_t *record;
	size_t i;

	json_array_foreach (records, i, record) {
		key = berth_registry_private(record, "stack");
		if (key && strcmp(json_string_value(key), stack_key) == 0)
			json_array_append(found, record);
	}
	return found;
}
