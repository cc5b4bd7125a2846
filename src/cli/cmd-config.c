/* SPDX-License-Identifier: MIT */
/* cli/cmd-config.c - berth config: what was understood of berth.yaml or a Procfile */
#include <errno.h>
#include <string.h>

#include "app/manifest-file.h"
#include "base/yaml-write.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/faults.h"
#include "stack/manifest-json.h"

struct config_args {
	const char *file;
};

static const struct berth_opt config_opts[] = {
	{ 'f', "file", "FILE", BERTH_AT(STRING, struct config_args, file),
	  "the manifest; without it the nearest berth.yaml or Procfile",
	  .complete = BERTH_COMPLETE_FILE },
	{ 0 },
};

/* A manifest, and the file it came from. */
struct config {
	char path[PATH_MAX];
	enum berth_manifest_kind kind;
	struct berth_manifest manifest;
};

static int load(struct berth_cli *cli, const char *file, struct config *config,
		struct berth_err *err)
{
	BERTH_CLEANUP(berth_dotenv_deinit) struct berth_dotenv dotenv = { 0 };
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	const struct berth_manifest_file_spec spec = { .dotenv = &dotenv };
	BERTH_AUTO_FREE char *text = NULL;
	char cwd[PATH_MAX];
	size_t len;
	int r;

	if (!getcwd(cwd, sizeof(cwd)))
		return berth_err_errno(err, -errno, "cannot tell the working folder");
	r = berth_manifest_file_find(cwd, file, config->path, &config->kind, err);
	if (r == 0)
		r = berth_manifest_file_dotenv(config->path, &dotenv, err);
	if (r < 0)
		return r;
	r = berth_manifest_file_load(config->path, config->kind, &spec, &faults, &text, &len,
				     &config->manifest, err);
	if (faults.count > 0)
		berth_cli_faults(cli, &faults, config->path, text, len);
	return r;
}

static int check_name(const struct config *config, const char *name, struct berth_err *err)
{
	const struct berth_manifest *manifest = &config->manifest;
	const char *names[BERTH_MANIFEST_SERVICES_MAX + 1] = { NULL }, *closest;
	char shown[128];

	if (berth_manifest_find(manifest, name) >= 0)
		return 0;
	for (size_t i = 0; i < manifest->service_count; i++)
		names[i] = manifest->services[i].name;
	berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND, "no service '%s' in %s",
		      berth_str_printable(name, (size_t)-1, shown, sizeof(shown)), config->path);
	closest = berth_str_closest(name, names);
	if (closest)
		berth_err_hint(err, "did you mean '%s'?", closest);
	return -ENOENT;
}

static int print_json(struct berth_cli *cli, const struct config *config, const char *const *only,
		      struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *document =
		json_pack("{s:i,s:o,s:s}", "version", 1, "file", berth_json_text(config->path),
			  "kind", config->kind == BERTH_MANIFEST_YAML ? "berth.yaml" : "Procfile");
	BERTH_AUTO_JSON json_t *manifest =
		berth_manifest_json(&config->manifest, only, BERTH_MANIFEST_JSON_WHOLE);

	if (!manifest || json_object_update(document, manifest) < 0)
		return berth_err_errno(err, -ENOMEM, "cannot show the manifest");
	berth_out_json(&cli->out, document);
	return 0;
}

static int print_yaml(struct berth_cli *cli, const struct config *config, const char *const *only,
		      struct berth_err *err)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	BERTH_AUTO_JSON json_t *manifest = berth_manifest_json(
		&config->manifest, only,
		config->kind == BERTH_MANIFEST_YAML ? BERTH_MANIFEST_JSON_YAML
						    : BERTH_MANIFEST_JSON_PROCFILE);

	if (manifest)
		berth_yaml_write(manifest, 0, &text);
	if (!manifest || text.failed)
		return berth_err_errno(err, -ENOMEM, "cannot show the manifest");
	berth_out_result(&cli->out, "%s", berth_str_text(&text));
	return 0;
}

static int run_config(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct config_args *args = arguments;
	const char *const *only = cli->operands.count ? cli->operands.items : NULL;
	struct config config = { 0 };
	int r = load(cli, args->file, &config, err);

	for (size_t i = 0; r == 0 && i < cli->operands.count; i++)
		r = check_name(&config, cli->operands.items[i], err);
	if (r == 0 && cli->out.json)
		r = print_json(cli, &config, only, err);
	else if (r == 0)
		r = print_yaml(cli, &config, only, err);
	berth_manifest_deinit(&config.manifest);
	return r;
}

const struct berth_cmd berth_cmd_config = {
	.name = "config",
	.synopsis = "[options] [SERVICE...]",
	.summary = "show what was understood of berth.yaml or a Procfile",
	.details =
		"As a berth.yaml in one form: anchors resolved, ${NAME} filled in, defaults left out; of a Procfile too. With --json "
		"every key is there. The value of a variable is shown as it is written, since it may be a secret.\n"
		"\n"
		"All that is wrong is said at once, with its line, and the exit code is 2. The keys are in berth.yaml(5).",
	.opts = config_opts,
	.args_size = sizeof(struct config_args),
	.max = -1,
	.group = BERTH_CMD_LOOK,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_config,
};
