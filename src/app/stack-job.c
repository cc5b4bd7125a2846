/* SPDX-License-Identifier: MIT */
/* app/stack-job.c - the job of one service of a stack: what its entry in the manifest says */
#include "app/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "base/time.h"
#include "os/userfile.h"
#include "service/defaults.h"
#include "stack/command.h"
#include "stack/template.h"

enum {
	ENV_FILE_MAX = 1024 * 1024,
};

static int no_memory(const struct berth_manifest_service *manifest, struct berth_err *err)
{
	return berth_err_errno(err, -ENOMEM, "cannot prepare '%s'", manifest->name);
}

/* @path as seen from @folder; the caller frees it. NULL: out of memory. */
static char *below(const char *folder, const char *path)
{
	struct berth_str text = { 0 };

	if (*path != '/')
		berth_str_addf(&text, "%s/", folder);
	berth_str_add(&text, path);
	return berth_str_steal(&text);
}

static int make_cwd(const struct berth_stack *stack, const struct berth_manifest_service *manifest,
		    struct berth_stack_service *service, struct berth_err *err)
{
	service->cwd = below(stack->folder, manifest->working_dir ? manifest->working_dir : ".");
	if (!service->cwd)
		return no_memory(manifest, err);
	if (!manifest->working_dir)
		service->cwd[strlen(stack->folder)] = '\0';
	return 0;
}

static int check_cwd(const struct berth_manifest_service *manifest,
		     const struct berth_stack_service *service, struct berth_err *err)
{
	struct stat st;

	if (stat(service->cwd, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return berth_err_set(err, -ENOENT, BERTH_ERR_CONFIG,
			     "'%s' has no folder to run in: '%s' is not there", manifest->name,
			     service->cwd);
}

static char **copy_words(char *const *words)
{
	size_t count = 0;
	char **copy;

	while (words[count])
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++) {
		copy[i] = strdup(words[i]);
		if (copy[i])
			continue;
		berth_command_free(copy);
		return NULL;
	}
	return copy;
}

/* NULL: out of memory, unless there is no command. */
static char **make_argv(const struct berth_manifest_command *command)
{
	if (command->text)
		return berth_command_words(command->text);
	return command->argv ? copy_words(command->argv) : NULL;
}

static int load_env_file(struct berth_dotenv *all, const char *path, struct berth_err *err)
{
	BERTH_AUTO_FREE char *text = NULL;
	struct berth_dotenv one = { 0 };
	struct berth_dotenv_entry *grown;
	size_t len;
	int r = berth_userfile_read(path, ENV_FILE_MAX, &text, &len);

	if (r < 0) {
		berth_err_errno(err, r, "cannot read '%s'", path);
		err->code = BERTH_ERR_CONFIG;
		return r;
	}
	r = berth_dotenv_parse(text, len, path, &one, err);
	if (r < 0)
		return r;
	grown = reallocarray(all->entries, all->count + one.count + 1, sizeof(*grown));
	if (!grown) {
		berth_dotenv_deinit(&one);
		return berth_err_errno(err, -ENOMEM, "cannot keep '%s'", path);
	}
	memcpy(grown + all->count, one.entries, one.count * sizeof(*grown));
	all->entries = grown;
	all->count += one.count;
	free(one.entries);
	return 0;
}

char **berth_stack_env_files(const struct berth_stack *stack, size_t index)
{
	char *const *file = stack->manifest.services[index].env_files;
	size_t count = 0;
	char **paths;

	while (file && file[count])
		count++;
	paths = calloc(count + 1, sizeof(*paths));
	if (!paths)
		return NULL;
	count = 0;
	for (; file && *file && (!count || paths[count - 1]); file++)
		paths[count++] = below(stack->folder, *file);
	if (!count || paths[count - 1])
		return paths;
	berth_command_free(paths);
	return NULL;
}

int berth_stack_read_env_files(const char *const *paths, struct berth_dotenv *ret_env,
			       struct berth_err *err)
{
	BERTH_CLEANUP(berth_dotenv_deinit) struct berth_dotenv env = { 0 };
	int r = 0;

	for (; *paths && r == 0; paths++)
		r = load_env_file(&env, *paths, err);
	if (r < 0)
		return r;
	*ret_env = env;
	env = (struct berth_dotenv){ 0 };
	return 0;
}

static int make_env(const struct berth_manifest_service *manifest,
		    struct berth_stack_service *service, struct berth_err *err)
{
	size_t count = 0;

	service->env = calloc(manifest->environment_count + 1, sizeof(*service->env));
	if (!service->env)
		return no_memory(manifest, err);
	for (size_t i = 0; i < manifest->environment_count; i++) {
		const struct berth_manifest_variable *variable = &manifest->environment[i];
		const char *own = variable->value ? NULL : getenv(variable->name);
		struct berth_str text = { 0 };

		if (!variable->value && !own)
			continue;
		berth_str_addf(&text, "%s=%s", variable->name,
			       variable->value ? variable->value : "");
		/* As it is in our own environment, and so before the same in an env_file. */
		if (own)
			berth_template_escape(own, NULL, NULL, &text);
		service->env[count] = berth_str_steal(&text);
		if (!service->env[count++])
			return no_memory(manifest, err);
	}
	return 0;
}

/* What the manifest says, and the file of no other. */
static struct berth_job job_of(const struct berth_stack *stack,
			       const struct berth_manifest_service *manifest,
			       const struct berth_stack_service *service, size_t index)
{
	return (struct berth_job){
		.cwd = service->cwd,
		.argv = (const char *const *)service->argv,
		.stop_argv = (const char *const *)service->stop_argv,
		.extra_env = (const char *const *)service->env,
		.env_file = &service->env_file,
		.wish = manifest->wish,
		.no_port = manifest->no_port,
		.tell_port = !manifest->no_port,
		.scope = manifest->steer,
		.loopback = manifest->loopback,
		.outside = manifest->outside,
		.scheme = manifest->scheme,
		.links = manifest->links,
		.link_count = manifest->link_count,
		.strict_templates = stack->kind == BERTH_MANIFEST_YAML,
		.workers = manifest->workers,
		.instances = manifest->instances,
		.policy = manifest->policy,
		.stop_signal = manifest->stop_signal,
		.hold_ms = manifest->hold_ms,
		.ready = manifest->ready,
		.live = manifest->live,
		.probe = manifest->probe,
		.log = manifest->log,
		.stack = stack,
		.member = index,
		.apart = true,
		.status_fd = -1,
	};
}

int berth_stack_read_files(const struct berth_stack *stack, size_t index,
			   struct berth_dotenv *ret_env, struct berth_err *err)
{
	const struct berth_manifest_service *manifest = &stack->manifest.services[index];
	char **paths;
	int r = check_cwd(manifest, &stack->services[index], err);

	if (r < 0)
		return r;
	paths = berth_stack_env_files(stack, index);
	if (!paths)
		return no_memory(manifest, err);
	r = berth_stack_read_env_files((const char *const *)paths, ret_env, err);
	berth_command_free(paths);
	if (r < 0 && stack->kind == BERTH_MANIFEST_YAML)
		return berth_err_wrap(err, r, "env_file of '%s'", manifest->name);
	return r;
}

/* What is not there is nobody's business as long as the service is not to be started. */
static int load_files(const struct berth_stack *stack, size_t index, struct berth_err *err)
{
	struct berth_stack_service *service = &stack->services[index];
	struct berth_err fault = { 0 };
	int r = berth_stack_read_files(stack, index, &service->env_file, &fault);

	if (r == 0)
		return 0;
	service->fault = malloc(sizeof(*service->fault));
	if (!service->fault)
		return no_memory(&stack->manifest.services[index], err);
	*service->fault = fault;
	return 0;
}

int berth_stack_make_job(struct berth_stack *stack, size_t index, struct berth_err *err)
{
	const struct berth_manifest_service *manifest = &stack->manifest.services[index];
	struct berth_stack_service *service = &stack->services[index];
	int r;

	service->job = malloc(sizeof(*service->job));
	if (!service->job)
		return no_memory(manifest, err);
	r = make_cwd(stack, manifest, service, err);
	if (r == 0)
		r = make_env(manifest, service, err);
	if (r < 0)
		return r;
	service->argv = make_argv(&manifest->command);
	service->stop_argv = make_argv(&manifest->stop_command);
	if (!service->argv)
		return no_memory(manifest, err);
	*service->job = job_of(stack, manifest, service, index);
	if (service->job->policy.grace_ns == BERTH_MANIFEST_UNSAID)
		service->job->policy.grace_ns = BERTH_DEFAULT_GRACE_MS * BERTH_NS_PER_MS;
	service->job->identity = stack->identity;
	berth_str_copy(service->job->identity.service, sizeof(service->job->identity.service),
		       manifest->name);
	berth_identity_seal(&service->job->identity);
	return load_files(stack, index, err);
}
