/* SPDX-License-Identifier: MIT */
/* stack/formation.c - foreman's -m "all=1,web=2": how many of each service */
#include "stack/formation.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "service/defaults.h"
#include "stack/manifest-count.h"

enum {
	WORD_SIZE = 128, /* of a name, or a number, with its NUL */
	UNSET = -1,
};

struct counts {
	int all; /* UNSET: not said */
	int of[BERTH_MANIFEST_SERVICES_MAX];
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* @len bytes at @text without blanks, as foreman takes them all out; false: too long. */
static bool take_word(const char *text, size_t len, char ret_word[WORD_SIZE])
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		if (is_blank(text[i]))
			continue;
		if (used == WORD_SIZE - 1)
			return false;
		ret_word[used++] = text[i];
	}
	ret_word[used] = '\0';
	return true;
}

static int refuse_pair(const char *pair, size_t len, struct berth_err *err)
{
	char shown[WORD_SIZE];

	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' is not NAME=NUMBER",
		      berth_str_printable(pair, len, shown, sizeof(shown)));
	berth_err_hint(err, "as in: web=2,worker=1, with 0 to %d of each", BERTH_INSTANCES_MAX);
	return -EINVAL;
}

static int refuse_name(const struct berth_manifest *manifest, const char *name,
		       struct berth_err *err)
{
	const char *words[BERTH_MANIFEST_SERVICES_MAX + 2];
	const char *closest;
	char shown[WORD_SIZE];
	size_t count = 0;

	for (; count < manifest->service_count; count++)
		words[count] = manifest->services[count].name;
	words[count++] = "all";
	words[count] = NULL;
	closest = berth_str_closest(name, words);
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "no service is called '%s'",
		      berth_str_printable(name, (size_t)-1, shown, sizeof(shown)));
	if (closest)
		berth_err_hint(err, "did you mean '%s'?", closest);
	return -EINVAL;
}

static int find(const struct berth_manifest *manifest, const char *name)
{
	char ours[BERTH_NAME_MAX];
	int index = berth_manifest_find(manifest, name);

	if (index >= 0 || !*name)
		return index;
	berth_name_from(name, ours);
	return berth_manifest_find(manifest, ours);
}

/* One "web=2". */
static int read_pair(const char *pair, size_t len, const struct berth_manifest *manifest,
		     struct counts *counts, struct berth_err *err)
{
	const char *equals = memchr(pair, '=', len);
	char name[WORD_SIZE], number[WORD_SIZE];
	uint64_t value;
	int index, *slot;

	if (!equals || !take_word(pair, (size_t)(equals - pair), name) ||
	    !take_word(equals + 1, len - (size_t)(equals + 1 - pair), number) ||
	    berth_parse_u64(number, BERTH_INSTANCES_MAX, &value) < 0)
		return refuse_pair(pair, len, err);
	/* A service may be called "all" in a berth.yaml; here the word is foreman's. */
	if (strcmp(name, "all") == 0) {
		slot = &counts->all;
	} else {
		index = find(manifest, name);
		if (index < 0)
			return refuse_name(manifest, name, err);
		slot = &counts->of[index];
	}
	if (*slot != UNSET) {
		char shown[WORD_SIZE];

		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' comes twice",
				     berth_str_printable(name, (size_t)-1, shown, sizeof(shown)));
	}
	*slot = (int)value;
	return 0;
}

static int read_pairs(const char *text, const struct berth_manifest *manifest,
		      struct counts *counts, struct berth_err *err)
{
	for (;;) {
		size_t len = strcspn(text, ",");
		int r = read_pair(text, len, manifest, counts, err);

		if (r < 0)
			return r;
		if (!text[len])
			return 0;
		text += len + 1;
	}
}

/* Can there be @count of @service? */
static int check_service(const struct berth_manifest_service *service, unsigned int count,
			 const struct berth_manifest_profile *profile, struct berth_err *err)
{
	struct berth_manifest_service counted = *service;
	int r = 0;

	counted.instances = count;
	/* Whatever it wishes, it is given numbers from there. */
	if (profile) {
		counted.wish.strict = false;
		counted.wish.range = (struct berth_range){ 0 };
	}
	for (size_t i = 0; i < BERTH_MANIFEST_COUNT_RULES && r == 0; i++)
		if (berth_manifest_count_fault(&counted, i, err))
			r = berth_err_wrap(err, -EINVAL, "'%s'", service->name);
	return r;
}

static int check(const struct berth_manifest *manifest, const struct counts *counts,
		 const struct berth_manifest_profile *profile, struct berth_err *err)
{
	bool somebody = false;
	int r = 0;

	for (size_t i = 0; i < manifest->service_count && r == 0; i++) {
		somebody = somebody || counts->of[i] > 0;
		if (counts->of[i] > 1)
			r = check_service(&manifest->services[i], (unsigned int)counts->of[i],
					  profile, err);
	}
	if (r == 0 && !somebody)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				     "that would start no service at all");
	return r;
}

int berth_formation_parse(const char *text, struct berth_manifest *manifest,
			  const struct berth_manifest_profile *profile, bool *ret_started,
			  struct berth_err *err)
{
	struct counts counts = { .all = UNSET };
	int r;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(counts.of); i++)
		counts.of[i] = UNSET;
	r = read_pairs(text, manifest, &counts, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < manifest->service_count; i++) {
		if (counts.of[i] == UNSET)
			counts.of[i] = counts.all == UNSET ? 0 : counts.all;
	}
	r = check(manifest, &counts, profile, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < manifest->service_count; i++) {
		ret_started[i] = counts.of[i] > 0;
		if (counts.of[i] > 0)
			manifest->services[i].instances = (unsigned int)counts.of[i];
	}
	return 0;
}
