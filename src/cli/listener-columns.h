/* SPDX-License-Identifier: MIT */
/* cli/listener-columns.h - the columns of a listening port of the machine, for ls -m */
#pragma once

#include "cli/table.h"

extern const struct berth_column berth_listener_columns[];

/* What is shown where UDP is, too: the value of an -o. */
extern const char berth_listener_columns_with_protocol[];
