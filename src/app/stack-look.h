/* SPDX-License-Identifier: MIT */
/* app/stack-look.h - what has become of the services of a stack */
#pragma once

#include "app/stack-run.h"

/* Of all of them, as it is now. */
void berth_stack_look_round(struct berth_supervisor *supervisor);

/* @unit has gone, and is about to be freed. */
void berth_stack_look_note_gone(struct berth_unit *unit);
/* @unit failed before it was ever ready. */
void berth_stack_look_note_fault(const struct berth_unit *unit, const struct berth_err *err);

/* Did a service that has gone ask for @number, which nobody else of the stack has? */
bool berth_stack_look_is_gone(const struct berth_stack_run *run, uint16_t number);
