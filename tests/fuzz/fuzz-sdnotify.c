/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-sdnotify.c - whatever a service sends to NOTIFY_SOCKET is read within its bounds */
#include "fuzz.h"

#include "base/str.h"
#include "os/sdnotify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct berth_sdnotify_message message = { 0 }, again = { 0 };
	char printable[BERTH_SDNOTIFY_STATUS_SIZE];
	char *text = malloc(size + 1);

	/* Nothing behind it but what every parser of lines would stop at: it must not be needed. */
	MUST(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\n';
	berth_sdnotify_parse(text, size, &message);
	berth_sdnotify_parse(text, size + 1, &again);
	free(text);
	MUST(memcmp(&message, &again, sizeof(message)) == 0);

	MUST(message.pid == 0 && message.uid == 0); /* only the kernel says that */
	MUST(message.mainpid >= 0);
	MUST(memchr(message.status, '\0', sizeof(message.status)));
	MUST(message.has_status || !message.status[0]);
	berth_str_printable(message.status, strlen(message.status), printable, sizeof(printable));
	MUST(strcmp(message.status, printable) == 0);
	return 0;
}
