/* SPDX-License-Identifier: MIT */
/* unit/stack/test-template.c - which braces are ours, and which are somebody else's */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stack/template.h"

static const struct berth_template_var vars[] = {
	{ "port", "5001" },
	{ "port.ws", "8081" },
	{ "url", "http://localhost:5001" },
	{ "id", "7f3k2m" },
	{ "empty", "" },
	{ "self", "{port}" },
	{ "my-api.url", "http://localhost:9001" },
};

static void names_are_replaced(void **state)
{
	static const struct {
		const char *text, *expanded;
	} rows[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "{port}", "5001" },
		{ "--port={port}", "--port=5001" },
		{ "{port}:{port.ws}", "5001:8081" },
		{ "a{empty}b", "ab" },
		{ "{self}", "{port}" }, /* once */
		{ "{my-api.url}/x", "http://localhost:9001/x" },
		{ "{{port}}", "{port}" },
		{ "{{{port}}}", "{{port}}" },
		{ "{{port}", "{5001" },
		{ "{port}}", "5001}" },
		{ "{port", "{port" },
		{ "port}", "port}" },
		{ "{", "{" },
		{ "{{", "{{" },
		{ "$", "$" },
		{ "{{port}}{port}", "{port}5001" },
		/* Those of others. */
		{ "${port}", "${port}" },
		{ "${{port}}", "${{port}}" },
		{ "$x{port}", "$x5001" },
		{ "{}", "{}" },
		{ "{a,b} {1..5} {a..e}", "{a,b} {1..5} {a..e}" },
		{ "awk '{print $1}'", "awk '{print $1}'" },
		{ "{{.Names}}", "{{.Names}}" },
		{ "{\"port\":{port}}", "{\"port\":5001}" },
		{ "{ port }", "{ port }" },
		{ "{port.}", "{port.}" },
		{ "{.port}", "{.port}" },
		{ "{port:-3000}", "{port:-3000}" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		for (int strict = 0; strict <= 1; strict++) {
			BERTH_AUTO_FREE char *text = NULL;
			struct berth_err err = { 0 };

			assert_int_equal(berth_template_expand(rows[i].text, vars,
							       BERTH_ARRAY_SIZE(vars), strict,
							       &text, &err),
					 0);
			assert_string_equal(text, rows[i].expanded);
		}
	}
}

static void on_a_command_line_unknown_names_stay(void **state)
{
	static const char *const texts[] = { "{prot}", "{PORT}", "{{prot}}", "{port.http}", "{x}" };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(texts); i++) {
		BERTH_AUTO_FREE char *text = NULL;
		struct berth_err err = { 0 };

		assert_int_equal(berth_template_expand(texts[i], vars, BERTH_ARRAY_SIZE(vars),
						       false, &text, &err),
				 0);
		assert_string_equal(text, texts[i]);
	}
}

static void in_a_config_unknown_names_are_errors(void **state)
{
	static const struct {
		const char *text, *msg, *hint;
	} rows[] = {
		{ "x {prot}", "nothing is called '{prot}' here", "did you mean '{port}'?" },
		{ "{PORT}", "nothing is called '{PORT}' here", "did you mean '{port}'?" },
		{ "{port.sw}", "nothing is called '{port.sw}' here", "did you mean '{port.ws}'?" },
		{ "{port} {print}", "nothing is called '{print}' here",
		  "for the braces themselves write '{{print}}'" },
		{ "{backend.url}", "nothing is called '{backend.url}' here",
		  "for the braces themselves write '{{backend.url}}'" },
		{ "{x_y}", "nothing is called '{x_y}' here",
		  "for the braces themselves write '{{x_y}}'" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_err err = { 0 };
		char *text = NULL;

		assert_int_equal(berth_template_expand(rows[i].text, vars, BERTH_ARRAY_SIZE(vars),
						       true, &text, &err),
				 -EINVAL);
		assert_int_equal(err.code, BERTH_ERR_CONFIG);
		assert_string_equal(err.msg, rows[i].msg);
		assert_string_equal(err.hint, rows[i].hint);
		assert_null(text);
	}
}

static void in_a_config_doubled_braces_are_any_name(void **state)
{
	BERTH_AUTO_FREE char *text = NULL;
	struct berth_err err = { 0 };

	assert_int_equal(berth_template_expand("{{prot}} {{x.y}}", vars, BERTH_ARRAY_SIZE(vars),
					       true, &text, &err),
			 0);
	assert_string_equal(text, "{prot} {x.y}");
}

static bool add(const void *arg, const char *name, size_t len, struct berth_str *out)
{
	if (len != strlen(arg) || memcmp(name, arg, len) != 0)
		return false;
	berth_str_add(out, "its.port");
	return true;
}

/* What is made strict says the same as before. */
static void braces_are_escaped_where_a_config_would_take_them(void **state)
{
	static const struct {
		const char *text, *escaped, *known; /* the last: where {api} is */
	} rows[] = {
		{ "{name}", "{{name}}", NULL },
		{ "{api} {api.x} {{api}}", "{{api}} {{api.x}} {{{api}}}",
		  "{its.port} {{api.x}} {{api}}" },
		{ "{ports} {host.x}", "{{ports}} {{host.x}}", NULL },
		{ "{print $1} {} {a,b} {1..5} {\"a\": 1}", "{print $1} {} {a,b} {1..5} {\"a\": 1}",
		  NULL },
		/* A shell's too: doubled it would stay so. */
		{ "{a..e} {a.}", "{a..e} {a.}", NULL },
		{ "${name} $${name}", "${name} $${name}", NULL },
		{ "{{name}}", "{{{name}}}", NULL },
		{ "{name", "{name", NULL },
		{ "", "", NULL },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str none = { 0 };
		BERTH_CLEANUP(berth_str_deinit) struct berth_str known = { 0 };
		BERTH_AUTO_FREE char *again = NULL;
		struct berth_err err = { 0 };

		berth_template_escape(rows[i].text, NULL, NULL, &none);
		berth_template_escape(rows[i].text, add, "api", &known);
		assert_string_equal(berth_str_text(&none), rows[i].escaped);
		assert_string_equal(berth_str_text(&known),
				    rows[i].known ? rows[i].known : rows[i].escaped);
		assert_int_equal(berth_template_expand(none.text ? none.text : "", NULL, 0, true,
						       &again, &err),
				 0);
		assert_string_equal(again, rows[i].text);
	}
}

static void having_is_what_would_be_replaced(void **state)
{
	static const struct {
		const char *text;
		bool has;
	} rows[] = {
		{ "", false },		{ "port", false },	{ "{port}", true },
		{ "x{port.ws}", true }, { "{prot}", false },	{ "{{port}}", false },
		{ "${port}", false },	{ "{{{port}}", false }, { "{{port}", true },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++)
		assert_int_equal(berth_template_has(rows[i].text, vars, BERTH_ARRAY_SIZE(vars)),
				 rows[i].has);
	assert_false(berth_template_has("{port}", NULL, 0));
}

static void names_are_found_one_after_the_other(void **state)
{
	static const char text[] = "{port} {{x}} ${y} {a,b} {my-api.url}/{id";
	const char *name;
	size_t at = 0, len;

	assert_true(berth_template_next(text, &at, &name, &len));
	assert_ptr_equal(name, text + 1);
	assert_int_equal(len, 4);
	assert_true(berth_template_next(text, &at, &name, &len));
	assert_int_equal(len, strlen("my-api.url"));
	assert_memory_equal(name, "my-api.url", len);
	assert_false(berth_template_next(text, &at, &name, &len));
	assert_int_equal(at, strlen(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_replaced),
		cmocka_unit_test(on_a_command_line_unknown_names_stay),
		cmocka_unit_test(in_a_config_unknown_names_are_errors),
		cmocka_unit_test(in_a_config_doubled_braces_are_any_name),
		cmocka_unit_test(braces_are_escaped_where_a_config_would_take_them),
		cmocka_unit_test(having_is_what_would_be_replaced),
		cmocka_unit_test(names_are_found_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
