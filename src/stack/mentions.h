/* SPDX-License-Identifier: MIT */
/* stack/mentions.h - whose ports a service is told in its command and variables: {backend.port} */
#pragma once

#include "stack/manifest.h"

/* Does a text of @service name a port or URL of the service called @other? */
bool berth_mentions(const struct berth_manifest_service *service, const char *other);
