/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-name.c - any command line has a valid name */
#include "fuzz.h"

#include "service/name.h"

enum {
	WORDS_MAX = 64
};

/* Words with NULs between; the last two are package and folder. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BERTH_AUTO_FREE char *text = fuzz_text(data, size);
	const char *argv[WORDS_MAX + 1], *package = NULL, *folder = NULL;
	char name[BERTH_NAME_MAX], again[BERTH_NAME_MAX];
	size_t count = 0;

	for (size_t at = 0; at < size && count < WORDS_MAX; at += strlen(text + at) + 1)
		argv[count++] = text + at;
	if (count > 2) {
		folder = argv[--count];
		package = argv[--count];
	}
	argv[count] = NULL;

	berth_name_guess(argv, package, folder, name);
	MUST(berth_name_is_valid(name));
	berth_name_from(name, again);
	MUST(strcmp(name, again) == 0);
	return 0;
}
