/* SPDX-License-Identifier: MIT */
/* cli/ignore.h - is the file of ports left out of a repository? */
#pragma once

#include <stdbool.h>

/* Does .gitignore of @folder speak of ports files? */
bool berth_ignore_has_ports(const char *folder);
