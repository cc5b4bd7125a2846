/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-template.c - commands with any braces */
#include "fuzz.h"

#include "stack/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct berth_template_var vars[] = {
		{ "port", "5001" },
		{ "port.ws", "" },
		{ "a", "{port}{{a}}" },
	};
	BERTH_AUTO_FREE char *text = fuzz_text(data, size);
	BERTH_AUTO_FREE char *loose = NULL;
	BERTH_AUTO_FREE char *strict = NULL;
	BERTH_AUTO_FREE char *none = NULL;
	struct berth_err err = { 0 };
	bool has = berth_template_has(text, vars, BERTH_ARRAY_SIZE(vars));

	/* Without names a command line is left alone. */
	MUST(berth_template_expand(text, NULL, 0, false, &none, NULL) == 0);
	MUST(!strcmp(none, text));
	MUST(!berth_template_has(text, NULL, 0));

	MUST(berth_template_expand(text, vars, BERTH_ARRAY_SIZE(vars), false, &loose, NULL) == 0);
	MUST(!has || strcmp(loose, text));
	if (berth_template_expand(text, vars, BERTH_ARRAY_SIZE(vars), true, &strict, &err) < 0)
		MUST(!strict && err.msg[0] && err.hint[0]);
	else
		MUST(strlen(strict) <= strlen(loose));
	return 0;
}
