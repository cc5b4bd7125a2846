/* SPDX-License-Identifier: MIT */
/* app/beside.c - commands that are run beside a worker: checks and stop commands */

#include "app/unit.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

/* What it says of itself would be taken for the service's word. */
static void remove_variable(struct berth_unit_words *env, const char *name)
{
	size_t len = strlen(name), kept = 0;

	for (size_t i = 0; i < env->count; i++) {
		if (strncmp(env->items[i], name, len) == 0 && env->items[i][len] == '=')
			free(env->items[i]);
		else
			env->items[kept++] = env->items[i];
	}
	env->count = kept;
	if (env->items)
		env->items[kept] = NULL;
}

int berth_unit_prepare_aside(const struct berth_worker *worker, const char *const *words,
			     struct berth_unit_aside *ret_aside, struct berth_err *err)
{
	const struct berth_unit *unit = worker->unit;
	struct berth_unit_words unused = { 0 };
	int r;

	*ret_aside = (struct berth_unit_aside){ 0 };
	r = berth_unit_build_environment(worker, &ret_aside->env);
	/* What the user said for this very start comes with the command. */
	if (r == 0)
		r = berth_unit_expand(unit, &unused, &ret_aside->env, err);
	if (r == 0)
		r = berth_unit_expand_words(unit, words, &ret_aside->argv, err);
	berth_unit_free_words(unused.items);
	if (r < 0)
		return err->code == BERTH_ERR_NONE
			       ? berth_err_errno(err, r, "cannot prepare '%s'", words[0])
			       : r;
	remove_variable(&ret_aside->env, "NOTIFY_SOCKET");
	ret_aside->spec = (struct berth_aside_spec){
		.argv = (const char *const *)ret_aside->argv.items,
		.envp = (const char *const *)ret_aside->env.items,
		.cwd = unit->job->cwd,
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.signal_mask = unit->job->signal_mask,
		.open_files = unit->job->open_files,
	};
	return 0;
}

void berth_unit_free_aside(struct berth_unit_aside *aside)
{
	berth_unit_free_words(aside->argv.items);
	berth_unit_free_words(aside->env.items);
	*aside = (struct berth_unit_aside){ 0 };
}
