/* SPDX-License-Identifier: MIT */
/* app/stack-serve.h - the control socket of a stack: start what lacks, stop it all */
#pragma once

#include "app/stack-run.h"

/* Take the stack's name, which is its lock. ALREADY_RUNNING. */
BERTH_MUST_USE int berth_stack_serve_listen(struct berth_supervisor *supervisor,
					    struct berth_err *err);
/* Carry out @request; it may be answered later. */
void berth_stack_serve_ask(struct berth_client *client, const json_t *request);
/* Those who wait for services to come up that have, or will never: are there any? Answer them. */
bool berth_stack_serve_is_due(const struct berth_supervisor *supervisor);
void berth_stack_serve_answer_settled(struct berth_supervisor *supervisor);
/* Those who wait for the end of services; with @final for that of the stack. */
void berth_stack_serve_answer_gone(struct berth_supervisor *supervisor, bool final);
