/* SPDX-License-Identifier: MIT */
/* cli/one-port.h - "SERVICE[:NAME]": one port of one running service */
#pragma once

#include "base/err.h"
#include "base/json.h"

/*
 * NULL: the main port of the only service of this project. *ret_port: the entry of the service
 * document, a new reference.
 */
BERTH_MUST_USE int berth_one_port(const char *operand, json_t **ret_port, struct berth_err *err);
