/* SPDX-License-Identifier: MIT */
/* app/stack-file.h - .ports.json of a stack, and what --export-env wants: true while it runs */
#pragma once

#include "app/stack-run.h"

/* As it is now. What can't be written is said once, and changes nothing else. */
void berth_stack_file_write(struct berth_supervisor *supervisor);
/* The stack has ended: what others have written stays. */
void berth_stack_file_remove(struct berth_supervisor *supervisor);
