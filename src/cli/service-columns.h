/* SPDX-License-Identifier: MIT */
/* cli/service-columns.h - the columns of a service document, for ls and status */
#pragma once

#include "cli/table.h"

extern const struct berth_column berth_service_columns[];
