/* SPDX-License-Identifier: MIT */
/* stack/command.h - a command that was written as one string: what is to be run */
#pragma once

#include "base/attr.h"

/*
 * A new NULL-terminated array: the words of @text where a shell would only split it at its blanks,
 * else /bin/sh -c @text. {name}s count as plain. NULL: out of memory. berth_command_free().
 */
char **berth_command_words(const char *text);
void berth_command_free(char **words);
