/* SPDX-License-Identifier: MIT */
/* cli/ask.c - a question on the terminal, answered by one letter */
#include "cli/ask.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

bool berth_ask_can(const struct berth_out *out)
{
	const char *ci = getenv("CI");

	return !out->json && !out->quiet && !(ci && *ci && strcmp(ci, "0") != 0) &&
	       isatty(STDIN_FILENO) && out->messages && isatty(fileno(out->messages));
}

/* The first letter of a line, '\n' for an empty one, 0 at the end. */
static char read_answer(void)
{
	char first = 0, c;

	for (;;) {
		ssize_t n = read(STDIN_FILENO, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return first;
		if (c == '\n')
			return first ? first : '\n';
		if (!first && !isblank((unsigned char)c))
			first = c;
	}
}

char berth_ask(struct berth_out *out, const char *question, const char *keys, char otherwise)
{
	for (;;) {
		const char *key;
		char answer;

		fprintf(out->messages, "berth: %s ", question);
		fflush(out->messages);
		answer = read_answer();
		if (answer == '\n' || !answer) {
			/* Where no line was ended by the user, the next one is to begin anew. */
			if (!answer)
				fputc('\n', out->messages);
			return otherwise;
		}
		key = strchr(keys, tolower((unsigned char)answer));
		if (key)
			return *key;
	}
}
