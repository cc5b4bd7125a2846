/* SPDX-License-Identifier: MIT */
/* unit/base/test-yaml.c - YAML as strings with places, and files that are refused */
#include "base/yaml.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A tree on one line: texts in quotes where they had some, maps in braces, lists in brackets. */
static void show(const struct berth_yaml_node *node, struct berth_str *out)
{
	if (node->kind == BERTH_YAML_SCALAR) {
		berth_str_addf(out, node->plain ? "%s" : "'%s'", node->text);
		return;
	}
	berth_str_add(out, node->kind == BERTH_YAML_MAP ? "{" : "[");
	for (size_t i = 0; i < node->count; i++) {
		berth_str_add(out, i ? ", " : "");
		if (node->kind == BERTH_YAML_MAP)
			berth_str_addf(out, "%s: ", node->items[i].key);
		show(&node->items[i], out);
	}
	berth_str_add(out, node->kind == BERTH_YAML_MAP ? "}" : "]");
}

static void assert_tree_of(const char *text, size_t len, const char *wanted)
{
	BERTH_CLEANUP(berth_yaml_freep) struct berth_yaml_node *root = NULL;
	BERTH_CLEANUP(berth_str_deinit) struct berth_str shown = { 0 };
	struct berth_faults faults = { 0 };

	assert_int_equal(berth_yaml_parse(text, len, &faults, &root), 0);
	if (root)
		show(root, &shown);
	assert_string_equal(berth_str_text(&shown), wanted);
	assert_int_equal(berth_faults_count(&faults), 0);
}

static void assert_tree(const char *text, const char *wanted)
{
	assert_tree_of(text, strlen(text), wanted);
}

/* Refused, with exactly that as the first fault. */
static void assert_refused_of(const char *text, size_t len, unsigned int line, unsigned int column,
			      const char *message, const char *hint)
{
	struct berth_yaml_node *root = (void *)&root;
	struct berth_faults faults = { 0 };

	assert_int_equal(berth_yaml_parse(text, len, &faults, &root), -EINVAL);
	assert_ptr_equal(root, (void *)&root);
	assert_true(faults.count >= 1);
	assert_string_equal(faults.items[0].text, message);
	assert_string_equal(faults.items[0].hint, hint);
	assert_int_equal(faults.items[0].at.line, line);
	assert_int_equal(faults.items[0].at.column, column);
	berth_faults_deinit(&faults);
}

static void assert_refused(const char *text, unsigned int line, unsigned int column,
			   const char *message, const char *hint)
{
	assert_refused_of(text, strlen(text), line, column, message, hint);
}

static void nothing_is_typed(void **state)
{
	assert_tree("a: no\nb: 22:22\nc: 3.10\nd: 0o17\ne: 1e3\nf: 2001-01-01\n",
		    "{a: no, b: 22:22, c: 3.10, d: 0o17, e: 1e3, f: 2001-01-01}");
	assert_tree("a: 'no'\nb: \"x\\ty\"\nc: |\n  a\n  b\nd: >\n  a\n  b\n",
		    "{a: 'no', b: 'x\ty', c: 'a\nb\n', d: 'a b\n'}");
}

static void all_forms_of_lists_and_maps_are_read(void **state)
{
	assert_tree("- a\n- [b, {c: d}]\n- e: f\n  g: []\n-\n  - h\n",
		    "[a, [b, {c: d}], {e: f, g: []}, [h]]");
	assert_tree("{\"a\": [1,2], b: {}}", "{a: [1, 2], b: {}}");
	assert_tree("? a\n: b\n? c\n", "{a: b, c: }");
	assert_tree("---\na: b\n...\n", "{a: b}");
	assert_tree("\xef\xbb\xbf"
		    "a: b\r\nc: d\r\n",
		    "{a: b, c: d}");
}

static void an_empty_file_is_no_tree(void **state)
{
	static const char *const texts[] = { "", "\n", "# only this\n", "---\n", "~", "null\n" };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(texts); i++)
		assert_tree(texts[i], "");
	assert_tree("''", "''");
}

static void aliases_and_merge_keys_are_resolved(void **state)
{
	assert_tree("a: &x {k: 1}\nb: *x\nc: [*x, *x]\n",
		    "{a: {k: 1}, b: {k: 1}, c: [{k: 1}, {k: 1}]}");
	assert_tree("a: &x [1]\nb: &x [2]\nc: *x\n", "{a: [1], b: [2], c: [2]}");
	assert_tree("k: &a x\n*a : 2\n", "{k: x, x: 2}");
	/* Own keys win, then those of the first. */
	assert_tree("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  x: 3\n",
		    "{a: {x: 1, y: 1}, b: {y: 2, z: 2}, c: {x: 3, y: 1, z: 2}}");
	assert_tree("a: &a {x: 1}\nb: {<<: *a}\n", "{a: {x: 1}, b: {x: 1}}");
	assert_tree("a: {\"<<\": 1}\n", "{a: {<<: 1}}");
}

static void each_node_knows_its_place(void **state)
{
	static const char text[] = "a: x\n"
				   "bb:\n"
				   "  - 'yy'\n"
				   "  - {c: [d]}\n"
				   "\xc3\xa4: \"z\"\n";
	static const struct {
		const char *path; /* indices */
		struct berth_mark at;
	} rows[] = {
		{ "0", { 1, 4, 1 } },	{ "10", { 3, 5, 4 } },	  { "11", { 4, 5, 8 } },
		{ "110", { 4, 9, 3 } }, { "1100", { 4, 10, 1 } }, { "2", { 5, 5, 3 } },
	};
	BERTH_CLEANUP(berth_yaml_freep) struct berth_yaml_node *root = NULL;
	struct berth_faults faults = { 0 };

	assert_int_equal(berth_yaml_parse(text, strlen(text), &faults, &root), 0);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		const struct berth_yaml_node *node = root;

		for (const char *p = rows[i].path; *p; p++)
			node = &node->items[*p - '0'];
		assert_memory_equal(&node->at, &rows[i].at, sizeof(node->at));
	}
	assert_int_equal(root->items[1].key_at.line, 2);
	assert_int_equal(root->items[1].key_at.len, 2);
	assert_int_equal(root->items[2].key_at.len, 2);
}

static void keys_are_found_by_name(void **state)
{
	static const char text[] = "a: ~\nb: 'null'\nc:\nd: x\n";
	BERTH_CLEANUP(berth_yaml_freep) struct berth_yaml_node *root = NULL;
	struct berth_faults faults = { 0 };

	assert_int_equal(berth_yaml_parse(text, strlen(text), &faults, &root), 0);
	assert_true(berth_yaml_is_null(berth_yaml_get(root, "a")));
	assert_false(berth_yaml_is_null(berth_yaml_get(root, "b")));
	assert_true(berth_yaml_is_null(berth_yaml_get(root, "c")));
	assert_string_equal(berth_yaml_get(root, "d")->text, "x");
	assert_null(berth_yaml_get(root, "e"));
	assert_null(berth_yaml_get(berth_yaml_get(root, "d"), "a"));
	assert_null(berth_yaml_get(NULL, "a"));
	assert_true(berth_yaml_is_null(NULL));
}

static void what_is_no_yaml_is_refused_at_its_place(void **state)
{
	assert_refused("a: b: c\n", 1, 5, "invalid nested block mapping on the same line", "");
	assert_refused("a: \"x\n", 1, 5, "double-quoted scalar without closing quote", "");
	assert_refused("a:\n   b: 1\n  c: 2\n", 3, 3, "invalid indentation in mapping", "");
	assert_refused("a: [1\nb: 2\n", 2, 5, "flow sequence without a closing bracket",
		       "a bracket is open since line 1");
	assert_refused("a: 1\n\tb: 2\n", 1, 4, "invalid multiline plain key",
		       "line 2 is indented by a tab, YAML takes blanks");
	assert_refused("a: %x\n", 1, 4, "plain scalar cannot start with '%'", "");
}

static void a_brace_that_is_no_map_is_explained(void **state)
{
	assert_refused("a: {port} --x\n", 1, 11, "invalid value after mapping",
		       "quote it: \"{port} --x\"");
	assert_refused("a:\n  - {b.port}/x\n", 2, 13, "invalid scalar at the end of block sequence",
		       "quote it: \"{b.port}/x\"");
	assert_refused("a: {{port}}\n", 1, 5, "a key that is no word",
		       "quote a value that begins with a brace: \"{port}\"");
}

static void what_yaml_allows_and_berth_does_not_is_refused(void **state)
{
	assert_refused("a: 1\nb: 2\na: 3\n", 3, 1, "the key 'a' comes twice, first in line 1", "");
	assert_refused("[a]: b\n", 1, 1, "a key that is no word",
		       "quote a value that begins with a brace: \"{port}\"");
	assert_refused("a\n---\nb\n", 2, 1, "a second document",
		       "one file is one document: take '---' out");
	assert_refused("a: !!int 1\n", 1, 4, "a tag: values are read as they stand here",
		       "leave it out");
	assert_refused("a: *b\n", 1, 4, "nothing above has the anchor '&b'", "");
	assert_refused("a: &b [*b]\n", 1, 8, "nothing above has the anchor '&b'", "");
	assert_refused("a: {<<: 1}\n", 1, 9, "what is merged is a map or a list of maps", "");
	assert_refused("x: &x {a: 1}\ny:\n  <<: *x\n  <<: *x\n", 4, 3,
		       "the key '<<' comes twice; one may have a list", "");
	assert_refused("a: \"\\0\"\n", 1, 4, "a NUL byte in a text", "");
	assert_refused("a: \xff\n", 1, 4, "a byte that is no UTF-8: 0xff", "");
	assert_refused_of("a: b\0\n", 6, 1, 5, "a NUL byte", "");
}

/* Each line has the one above it nine times. */
static void a_file_that_multiplies_itself_is_refused_early(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };

	berth_str_add(&text, "a: &a [x,x,x,x,x,x,x,x,x]\n");
	for (char c = 'b'; c < 'k'; c++)
		berth_str_addf(&text, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c,
			       c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1);
	assert_refused_of(text.text, text.len, 5, 7, "more than 100000 values", "");
}

static void bounds_hold(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	struct berth_yaml_node *root = NULL;
	struct berth_faults faults = { 0 };

	for (int i = 0; i < 64; i++)
		berth_str_add(&text, "[");
	for (int i = 0; i < 64; i++)
		berth_str_add(&text, "]");
	assert_int_equal(berth_yaml_parse(text.text, text.len, &faults, &root), 0);
	berth_yaml_free(root);
	text.len = 0;
	for (int i = 0; i < 100000; i++)
		berth_str_add(&text, "[");
	assert_refused_of(text.text, text.len, 1, 65, "more than 64 levels", "");
	/* By an alias, too. */
	text.len = 0;
	for (int i = 0; i < 40; i++)
		berth_str_addf(&text, "%*sa:%s\n", i, "", i == 1 ? " &x" : "");
	berth_str_addf(&text, "%*sb: *x\n", 39, "");
	assert_int_equal(berth_yaml_parse(text.text, text.len, &faults, &root), -EINVAL);
	berth_faults_deinit(&faults);

	text.len = 0;
	for (int i = 0; i < 300; i++)
		berth_str_addf(&text, "a%d: &a%d x\n", i, i);
	assert_refused_of(text.text, text.len, 257, 13, "more than 256 anchors", "");
	text.len = 0;
	for (int i = 0; i < 1024 * 1024; i += 16)
		berth_str_add(&text, "# comment lines\n");
	assert_tree_of(text.text, text.len, "");
	berth_str_add(&text, "#");
	assert_refused_of(text.text, text.len, 0, 0, "longer than 1048576 bytes", "");
}

static void many_keys_take_no_time(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	BERTH_CLEANUP(berth_yaml_freep) struct berth_yaml_node *root = NULL;
	struct berth_faults faults = { 0 };

	for (int i = 0; i < 45000; i++)
		berth_str_addf(&text, "k%d: v\n", i);
	assert_int_equal(berth_yaml_parse(text.text, text.len, &faults, &root), 0);
	assert_int_equal(root->count, 45000);
	assert_string_equal(root->items[44999].key, "k44999");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_typed),
		cmocka_unit_test(all_forms_of_lists_and_maps_are_read),
		cmocka_unit_test(an_empty_file_is_no_tree),
		cmocka_unit_test(aliases_and_merge_keys_are_resolved),
		cmocka_unit_test(each_node_knows_its_place),
		cmocka_unit_test(keys_are_found_by_name),
		cmocka_unit_test(what_is_no_yaml_is_refused_at_its_place),
		cmocka_unit_test(a_brace_that_is_no_map_is_explained),
		cmocka_unit_test(what_yaml_allows_and_berth_does_not_is_refused),
		cmocka_unit_test(a_file_that_multiplies_itself_is_refused_early),
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(many_keys_take_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
