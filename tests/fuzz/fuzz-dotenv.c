/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-dotenv.c - .env files of any bytes */
#include "fuzz.h"

#include "base/str.h"
#include "stack/dotenv.h"

/* What was read, written so that it must be read the same again. */
static void write_env(const struct berth_dotenv *env, struct berth_str *ret_text)
{
	for (size_t i = 0; i < env->count; i++) {
		berth_str_addf(ret_text, "%s=\"", env->entries[i].key);
		for (const char *p = env->entries[i].value; *p; p++) {
			if (*p == '"' || *p == '\\')
				berth_str_add_bytes(ret_text, "\\", 1);
			if (*p == '\n')
				berth_str_add(ret_text, "\\n");
			else
				berth_str_add_bytes(ret_text, p, 1);
		}
		berth_str_add(ret_text, "\"\n");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BERTH_CLEANUP(berth_dotenv_deinit) struct berth_dotenv env = { 0 };
	BERTH_CLEANUP(berth_dotenv_deinit) struct berth_dotenv again = { 0 };
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	struct berth_err err = { 0 };

	if (berth_dotenv_parse((const char *)data, size, "f", &env, &err) < 0) {
		MUST(!strncmp(err.msg, "f:", 2) && !env.entries && env.count == 0);
		return 0;
	}
	write_env(&env, &text);
	MUST(berth_dotenv_parse(text.text, text.len, "f", &again, &err) == 0);
	MUST(again.count == env.count);
	for (size_t i = 0; i < env.count; i++) {
		const char *value = berth_dotenv_get(&env, env.entries[i].key);

		MUST(value && strlen(env.entries[i].key) > 0);
		MUST(!strcmp(env.entries[i].key, again.entries[i].key));
		MUST(!strcmp(env.entries[i].value, again.entries[i].value));
	}
	return 0;
}
