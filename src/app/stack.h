/* SPDX-License-Identifier: MIT */
/* app/stack.h - the services of one project as `berth up` starts them: a job for each */
#pragma once

#include "app/console.h"
#include "app/job.h"
#include "app/manifest-file.h"
#include "base/faults.h"
#include "base/json.h"
#include "stack/manifest.h"
#include "stack/order.h"

#include <limits.h>

enum {
	/* What a stack may have in all: its services times their instances. */
	BERTH_STACK_UNITS_MAX = 512,
};

/* How a stack was asked for; all borrowed. Zero and NULL: not said. */
struct berth_stack_spec {
	const char *cwd; /* absolute */
	const char *file; /* -f; NULL: the nearest manifest */
	const char *copy; /* --as */
	const char *profile;
	const char *formation; /* -m web=2,worker=0 */
	const char *const *wishes; /* -p backend=9005; of a Procfile also -p 6000 */
	size_t wish_count;
	const char *const
		*services; /* those that are wanted, with what they depend on; none: all */
	size_t service_count;
	bool any_port; /* --any, for all of them */
	uint16_t base; /* of a Procfile's ports, where no wish says it; 0: its files say it */
	bool again; /* of a stack that runs: nothing has to be wanted, what it was started with may mean
		       a service that is there no more, and what one lacks is in its `fault` alone */
};

/* A service, and what its job borrows from. */
struct berth_stack_service {
	struct berth_job *job; /* owned; as each of its instances is started */
	struct berth_dotenv env_file; /* of all its files, the later ones last */
	char *cwd, **argv, **stop_argv, **env, *skip; /* owned */
	struct berth_err
		*fault; /* owned; of its folder and files: it can't be started; NULL: none */
	bool enabled; /* by its profiles, and the formation */
	bool wanted;
};

/*
 * Made before the fork, read by the guardian and the supervisor; only what app/stack-run.c keeps
 * beside it changes. Free with berth_stack_free().
 */
struct berth_stack {
	struct berth_manifest manifest; /* owned */
	struct berth_stack_service *services; /* owned; as many as the manifest has */
	size_t *order; /* owned; all services, each behind what it depends on */
	struct berth_identity identity; /* of the whole: its service is "" */
	enum berth_manifest_kind kind;
	char file[PATH_MAX], folder[PATH_MAX];
	char ports_file[PATH_MAX];
	char *text; /* owned; of the manifest, for faults */
	size_t text_len;
	struct berth_dotenv dotenv; /* .env of its folder */
	char socket_name[100];
	/* as they were asked for, for another reading */
	uint16_t base; /* of -p, for a Procfile; 0: not said */
	char *profile, *formation; /* owned; NULL: not */
	char **wishes; /* owned; NULL-terminated; NULL: none */
	bool any_port;

	/* set by the caller, for all of it */
	const char *export_env; /* absolute; NULL: none */
	bool abort_on_exit;
	struct berth_console_spec console; /* in the foreground */
};

/*
 * Read the manifest and what else a folder says, and make the jobs. 0 with a stack that the caller
 * frees; -errno with @err, and with @faults where files are wrong (code CONFIG then; *ret_stack is
 * set with `file` and `text` only, for showing them). Nothing has been started or leased.
 */
BERTH_MUST_USE int berth_stack_load(const struct berth_stack_spec *spec,
				    struct berth_faults *faults, struct berth_stack **ret_stack,
				    struct berth_err *err);
/*
 * Which stack is meant, whatever its manifest says now: only the file, or else the folder, is looked
 * at. *ret_identity is that of the whole.
 */
BERTH_MUST_USE int berth_stack_identify(const struct berth_stack_spec *spec,
					struct berth_identity *ret_identity, struct berth_err *err);
/* Is there a file that says what the stack is? */
bool berth_stack_has_manifest(const struct berth_stack_spec *spec);
/* "berth/UID/KEY": the name of its control socket. Returns @buf. */
const char *berth_stack_socket_name(const struct berth_identity *identity, char *buf, size_t size);
void berth_stack_free(struct berth_stack *stack);
BERTH_DEFINE_CLEANUP(struct berth_stack *, berth_stack_free)

/* What the user has settled for all projects goes where the manifest of @stack says nothing. */
void berth_stack_prefer(struct berth_stack *stack, const struct berth_settings *settings);
/* What holds for all jobs of @stack as for @common: in whose name, for whom, and where to. */
void berth_stack_adopt(struct berth_stack *stack, const struct berth_job *common);

/* stack-job.c: the job of service @index, as the manifest has it. */
BERTH_MUST_USE int berth_stack_make_job(struct berth_stack *stack, size_t index,
					struct berth_err *err);
/* Its files of variables: absolute, the later ones last; berth_command_free(). NULL: out of memory. */
char **berth_stack_env_files(const struct berth_stack *stack, size_t index);
/* What is in such files. */
BERTH_MUST_USE int berth_stack_read_env_files(const char *const *paths,
					      struct berth_dotenv *ret_env, struct berth_err *err);
/* What those of service @index say now. -errno: one of them, or its folder, is not as it should be. */
BERTH_MUST_USE int berth_stack_read_files(const struct berth_stack *stack, size_t index,
					  struct berth_dotenv *ret_env, struct berth_err *err);
/* stack-wish.c: who wishes which number, from all the places where that can be said. */
BERTH_MUST_USE int berth_stack_settle_wishes(struct berth_stack *stack,
					     const struct berth_stack_spec *spec,
					     struct berth_faults *faults, struct berth_err *err);
/* The number alone of a -p: a Procfile's ports begin there. 0: there is none. USAGE. */
BERTH_MUST_USE int berth_stack_find_base(const struct berth_stack_spec *spec, uint16_t *ret_base,
					 struct berth_err *err);
/* Add the numbers that the services beside @member are known by: none for it to take. */
void berth_stack_add_others(const struct berth_stack *stack, size_t member,
			    struct berth_portset *set);
