/* SPDX-License-Identifier: MIT */
/* port/choose.c - from a wish to leased ports: the candidates, tried against the kernel */
/*
 * A lease costs two sockets, a refused one up to four, and a range can have thousands of taken
 * numbers. So only the first candidate, which mostly succeeds, is taken outright; from then on one
 * bind() of one unbound socket asks first (berth_lease_prober). What was refused once is not asked
 * again: the second round of the candidates, and groups that share a number, cost nothing.
 *
 * Who holds a number is looked up only for the text of a failure, and only for the first few: that
 * takes a scan of /proc, one for all of them.
 */
#include "port/choose.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/str.h"
#include "base/time.h"
#include "os/procfs.h"
#include "look/who.h"
#include "os/procsock.h"

enum {
	ANY_TRIES = 16, /* numbers of the kernel's choice that are reserved or another folder's */
	HOLDERS_MAX = 4, /* named in a message */
	FOUND_MAX = 64, /* processes that share those sockets */
	WHY_COUNT = BERTH_CHOOSE_FOREIGN + 1,
};

/* On the heap: 24 KiB. Arrays of two are by protocol: TCP, UDP. */
struct search {
	const struct berth_choose_spec *spec;
	struct berth_choice choice;
	struct berth_lease_prober probers[2];
	struct berth_portset refused[2];
	size_t counts[WHY_COUNT];
	uint16_t low, high; /* of all refused */
	bool wish_reserved;
	bool late;
};

static bool is_udp(const struct search *s, size_t i)
{
	return i < s->spec->wish->port_count && s->spec->wish->ports[i].udp;
}

/* The number that port @i wishes; 0: none. */
static uint16_t wish_of(const struct search *s, size_t i)
{
	const struct berth_wish *wish = s->spec->wish;

	return i < wish->port_count && wish->ports[i].list_len > 0 ? wish->ports[i].list[0] : 0;
}

static void refuse(struct search *s, const struct berth_choose_refused *refused)
{
	struct berth_portset *set = &s->refused[refused->udp];
	struct berth_choice *choice = &s->choice;
	uint16_t port = refused->port;

	if (berth_portset_has(set, port))
		return;
	berth_portset_add(set, (struct berth_range){ port, port });
	s->counts[refused->why]++;
	s->low = choice->tried == 0 || port < s->low ? port : s->low;
	s->high = port > s->high ? port : s->high;
	choice->tried++;
	if (choice->refused_count < BERTH_CHOOSE_REFUSED_MAX)
		choice->refused[choice->refused_count++] = *refused;
}

/* Did the user write this very number, and for a TCP port? */
static bool is_named(const struct search *s, uint16_t port, bool *ret_tcp)
{
	const struct berth_wish *wish = s->spec->wish;
	bool named = false;

	*ret_tcp = false;
	for (size_t i = 0; s->spec->pinned && i < s->choice.count; i++)
		if (s->spec->pinned->port[i] == port) {
			named = true;
			*ret_tcp |= !is_udp(s, i);
		}
	for (size_t i = 0; i < wish->port_count; i++) {
		for (size_t k = 0; k < wish->ports[i].list_len; k++) {
			if (wish->ports[i].list[k] != port)
				continue;
			named = true;
			*ret_tcp |= !wish->ports[i].udp;
		}
	}
	return named;
}

static enum berth_reserved_why why_reserved(const struct search *s, uint16_t port)
{
	enum berth_reserved_why why;
	bool tcp;

	if (!s->spec->reserved)
		return BERTH_RESERVED_NOT;
	why = berth_reserved_why(s->spec->reserved, port, false);
	if (why == BERTH_RESERVED_NOT || !is_named(s, port, &tcp))
		return why;
	why = berth_reserved_why(s->spec->reserved, port, true);
	/* No page comes over UDP without a TCP port beside it. */
	return why == BERTH_RESERVED_BROWSER && !tcp ? BERTH_RESERVED_NOT : why;
}

static bool refuse_reserved(uint16_t port, void *arg)
{
	struct search *s = arg;
	struct berth_choose_refused refused = {
		.port = port,
		.why = BERTH_CHOOSE_RESERVED,
		.reserved = why_reserved(s, port),
	};

	if (refused.reserved == BERTH_RESERVED_NOT)
		return false;
	refuse(s, &refused);
	return true;
}

static bool is_foreign(uint16_t port, void *arg)
{
	const struct search *s = arg;

	return s->spec->foreign && berth_portset_has(s->spec->foreign, port);
}

/* berth_candidates offers the wish without asking whether it is reserved. */
static bool is_wish_reserved(struct search *s, const struct berth_candidate *wish)
{
	for (size_t i = 0; i < s->choice.count; i++)
		s->wish_reserved |= refuse_reserved(wish->port[i], s);
	return s->wish_reserved;
}

static bool is_taken(struct search *s, uint16_t port, bool udp, bool ask_first)
{
	if (!udp && s->spec->taken && berth_portset_has(s->spec->taken, port))
		return true;
	return ask_first && berth_lease_prober_is_taken(&s->probers[udp], port);
}

/* 0, a positive outcome of port/lease.h, -errno. */
static int take_port(struct search *s, size_t i, uint16_t port, bool ask_first)
{
	struct berth_choose_refused refused = { .port = port, .udp = is_udp(s, i) };
	int r;

	if (berth_portset_has(&s->refused[refused.udp], port))
		return BERTH_LEASE_E_TAKEN;
	if (is_taken(s, port, refused.udp, ask_first))
		r = BERTH_LEASE_E_TAKEN;
	else
		r = berth_lease_take(&s->choice.leases[i], port);
	if (r == BERTH_LEASE_E_TAKEN && !refused.udp && s->spec->taken)
		berth_portset_add(s->spec->taken, (struct berth_range){ port, port });
	if (r > 0) {
		refused.why = r == BERTH_LEASE_E_DENIED ? BERTH_CHOOSE_DENIED : BERTH_CHOOSE_TAKEN;
		refuse(s, &refused);
	}
	return r;
}

/*
 * What it gave and we don't want is held until the end: bind(2) prefers every second number of its
 * range, and would give the same one again.
 */
static int take_any(struct search *s, size_t i)
{
	struct berth_lease *lease = &s->choice.leases[i];
	struct berth_lease unwanted[ANY_TRIES];
	int count = 0;
	int r;

	while ((r = berth_lease_take_any(lease)) == 0) {
		if (why_reserved(s, lease->port) == BERTH_RESERVED_NOT &&
		    !is_foreign(lease->port, s))
			break;
		if (count == ANY_TRIES) {
			berth_lease_release(lease);
			r = BERTH_LEASE_E_TAKEN;
			break;
		}
		unwanted[count++] = *lease;
		berth_lease_init(lease, s->spec->means, lease->type);
	}
	while (count > 0)
		berth_lease_release(&unwanted[--count]);
	return r;
}

static int take_group(struct search *s, const struct berth_candidate *candidate, bool ask_first)
{
	struct berth_choice *choice = &s->choice;
	size_t i;
	int r = 0;

	for (i = 0; i < choice->count && r == 0; i++) {
		uint16_t port = candidate->port[i];

		r = port ? take_port(s, i, port, ask_first) : take_any(s, i);
		choice->ports.port[i] = choice->leases[i].port;
	}
	if (r != 0)
		memset(&choice->ports, 0, sizeof(choice->ports));
	while (r != 0 && i-- > 0)
		berth_lease_release(&choice->leases[i]);
	return r;
}

static enum berth_port_reason reason_of_port(const struct search *s, size_t i)
{
	uint16_t wish = wish_of(s, i);

	if (s->choice.reason != BERTH_PORT_TAKEN && s->choice.reason != BERTH_PORT_RESERVED)
		return s->choice.reason;
	if (!wish)
		return s->choice.count > 1 ? BERTH_PORT_GROUP : s->choice.reason;
	if (wish == s->choice.ports.port[i])
		return BERTH_PORT_WISHED;
	if (why_reserved(s, wish) != BERTH_RESERVED_NOT)
		return BERTH_PORT_RESERVED;
	if (berth_portset_has(&s->refused[is_udp(s, i)], wish) || is_foreign(wish, (void *)s))
		return BERTH_PORT_TAKEN;
	return BERTH_PORT_GROUP;
}

/* A wish that was left to another folder was never tried; it is what the user asks about first. */
static void put_first(struct search *s, uint16_t port, bool udp)
{
	struct berth_choice *choice = &s->choice;
	size_t keep = choice->refused_count < BERTH_CHOOSE_REFUSED_MAX
			      ? choice->refused_count
			      : BERTH_CHOOSE_REFUSED_MAX - 1;

	memmove(choice->refused + 1, choice->refused, keep * sizeof(choice->refused[0]));
	choice->refused[0] = (struct berth_choose_refused){
		.port = port,
		.udp = udp,
		.why = BERTH_CHOOSE_FOREIGN,
	};
	choice->refused_count = keep + 1;
	choice->tried++;
}

static void finish(struct search *s, enum berth_port_reason reason)
{
	struct berth_choice *choice = &s->choice;

	if (reason == BERTH_PORT_TAKEN && s->wish_reserved)
		reason = BERTH_PORT_RESERVED;
	choice->reason = reason;
	for (size_t i = choice->count; i-- > 0;) {
		uint16_t wish = wish_of(s, i);
		bool udp = is_udp(s, i);

		choice->reasons[i] = reason_of_port(s, i);
		if (wish && wish != choice->ports.port[i] && is_foreign(wish, s) &&
		    !berth_portset_has(&s->refused[udp], wish))
			put_first(s, wish, udp);
	}
}

static int run(struct search *s, struct berth_candidates *candidates, struct berth_err *err)
{
	struct berth_candidate candidate;
	enum berth_port_reason reason;
	bool first = true;
	int r;

	while (berth_candidates_next(candidates, &candidate, &reason)) {
		if (!first && s->spec->deadline_ns &&
		    berth_time_mono_ns() >= s->spec->deadline_ns) {
			s->late = true;
			break;
		}
		if (reason == BERTH_PORT_WISHED && is_wish_reserved(s, &candidate))
			continue;
		r = take_group(s, &candidate, !first);
		first = false;
		if (r < 0)
			return berth_err_errno(err, r, "cannot lease a port");
		if (r == 0) {
			finish(s, reason);
			return 0;
		}
	}
	return BERTH_CHOOSE_E_NO_PORT;
}

struct named {
	char text[160]; /* as the caller names it; "" else: */
	bool known;
	struct berth_who_holder holder;
};

/*
 * Whose socket stands on @refused, processes apart: the weightiest. TIME_WAIT comes last, but of a
 * server without SO_REUSEADDR it is what keeps the number, for a minute.
 */
static void find_socket(const struct berth_choose_spec *spec,
			const struct berth_choose_refused *refused, struct named *ret_named)
{
	size_t count = 0;

	if (refused->why != BERTH_CHOOSE_TAKEN || refused->udp)
		return;
	if (spec->holder_fn && spec->holder_fn(refused->port, ret_named->text,
					       sizeof(ret_named->text), spec->holder_arg))
		return;
	ret_named->text[0] = '\0';
	if (berth_who_find(refused->port, false, NULL, 0, &ret_named->holder, 1, &count) < 0)
		return;
	ret_named->known = count > 0;
}

/* The processes of all of them by one scan. */
static void find_processes(struct named *named, size_t count)
{
	struct berth_procsock found[FOUND_MAX];
	uint64_t inodes[HOLDERS_MAX];
	size_t inode_count = 0, found_count = 0;

	for (size_t i = 0; i < count; i++) {
		if (named[i].known && named[i].holder.inode)
			inodes[inode_count++] = named[i].holder.inode;
	}
	if (inode_count == 0 || berth_procsock_find(inodes, inode_count, NULL, 0, found, FOUND_MAX,
						    &found_count, NULL) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		struct berth_who_holder *holder = &named[i].holder;
		struct berth_proc_stat stat;

		for (size_t k = 0; k < found_count && holder->proc.pid == 0; k++) {
			if (!named[i].known || found[k].inode != holder->inode ||
			    berth_procfs_stat(found[k].pid, &stat) < 0)
				continue;
			holder->proc = stat.id;
			memcpy(holder->comm, stat.comm, sizeof(holder->comm));
		}
	}
}

/* "5002 node 812", "6000: browsers refuse to connect to it" */
static void add_refused(struct berth_str *text, const struct berth_choose_refused *refused,
			const struct named *named)
{
	char who[160];

	berth_str_addf(text, "%u%s", refused->port, refused->udp ? "/udp" : "");
	if (refused->why == BERTH_CHOOSE_RESERVED)
		berth_str_addf(text, ": %s", berth_reserved_text(refused->reserved));
	else if (*named->text)
		berth_str_addf(text, " %s", named->text);
	else if (named->known)
		berth_str_addf(text, " %s", berth_who_format(&named->holder, who, sizeof(who)));
}

static void add_examples(struct berth_str *text, const struct berth_choose_spec *spec,
			 const struct berth_choice *choice)
{
	size_t count = choice->refused_count < HOLDERS_MAX ? choice->refused_count : HOLDERS_MAX;
	struct named named[HOLDERS_MAX] = { 0 };

	for (size_t i = 0; i < count; i++)
		find_socket(spec, &choice->refused[i], &named[i]);
	find_processes(named, count);
	berth_str_add(text, " (");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			berth_str_add(text, ", ");
		add_refused(text, &choice->refused[i], &named[i]);
	}
	berth_str_add(text, choice->tried > count ? ", ...)" : ")");
}

/* One number and why: "port 5000 is taken (node 812)". */
static void add_only(struct berth_str *text, const struct berth_choose_spec *spec,
		     const struct berth_choose_refused *refused)
{
	struct named named = { 0 };
	char who[160];

	berth_str_addf(text, "port %u%s is ", refused->port, refused->udp ? "/udp" : "");
	if (refused->why == BERTH_CHOOSE_RESERVED) {
		berth_str_addf(text, "reserved: %s", berth_reserved_text(refused->reserved));
		return;
	}
	if (refused->why == BERTH_CHOOSE_DENIED) {
		berth_str_add(text, "not for us: Permission denied");
		return;
	}
	berth_str_add(text, "taken");
	find_socket(spec, refused, &named);
	find_processes(&named, 1);
	if (*named.text)
		berth_str_addf(text, " (%s)", named.text);
	else if (named.known)
		berth_str_addf(text, " (%s)", berth_who_format(&named.holder, who, sizeof(who)));
}

/* "all 11 are taken", "8 are taken, 3 are reserved" */
static void add_counts(struct berth_str *text, const struct search *s)
{
	static const char *const words[WHY_COUNT] = {
		[BERTH_CHOOSE_TAKEN] = "taken",
		[BERTH_CHOOSE_DENIED] = "not for us",
		[BERTH_CHOOSE_RESERVED] = "reserved",
	};
	/* Of a group only the numbers that failed were looked at. */
	bool whole = s->choice.count == 1 && !s->late;
	const char *separator = "";

	for (size_t why = 0; why < WHY_COUNT; why++) {
		size_t count = s->counts[why];

		if (count == 0)
			continue;
		if (whole && count == s->choice.tried && count == 2)
			berth_str_addf(text, "both are %s", words[why]);
		else
			berth_str_addf(text, "%s%s%zu %s %s", separator,
				       whole && count == s->choice.tried ? "all " : "", count,
				       count == 1 ? "is" : "are", words[why]);
		separator = ", ";
	}
}

/* Where was looked: the range, or what the numbers themselves show. */
static void add_where(struct berth_str *text, const struct search *s)
{
	const struct berth_range *range = &s->spec->wish->range;

	/* A privileged wish stands outside of its range (80 in 8000-8010). */
	if (range->lo && (s->choice.tried == 0 || (s->low >= range->lo && s->high <= range->hi)))
		berth_str_addf(text, " in %u-%u", range->lo, range->hi);
	else if (s->choice.tried == (size_t)(s->high - s->low) + 1)
		berth_str_addf(text, " in %u-%u", s->low, s->high);
	else
		berth_str_addf(text, " between %u and %u", s->low, s->high);
}

static void add_what(struct berth_str *text, const struct search *s)
{
	if (s->choice.count == 1)
		berth_str_add(text, "no port");
	else
		berth_str_addf(text, "no %zu ports", s->choice.count);
	if (s->spec->service)
		berth_str_addf(text, " for '%s'", s->spec->service);
}

static void hint(const struct search *s, struct berth_err *err)
{
	const struct berth_wish *wish = s->spec->wish;

	if (s->choice.tried == 0)
		berth_err_hint(err, "name a number with --port, or more of them with --range");
	else if (wish->strict && s->counts[BERTH_CHOOSE_TAKEN] == 0)
		berth_err_hint(err,
			       "wish another number, or leave out --strict for the next free one");
	else if (wish->strict)
		berth_err_hint(err,
			       "end what holds it, or leave out --strict for the next free number");
	else if (s->counts[BERTH_CHOOSE_TAKEN] == 0)
		berth_err_hint(err, "give another --range%s",
			       wish->any ? "" : ", or --any for a number from the kernel");
	else if (wish->any)
		berth_err_hint(err, "end one of them (berth stop), or give another --range");
	else
		berth_err_hint(err, "end one of them (berth stop), give another --range, or --any "
				    "for a number from the kernel");
}

static void explain(const struct search *s, struct berth_err *err)
{
	struct berth_str text BERTH_CLEANUP(berth_str_deinit) = { 0 };
	const struct berth_wish *wish = s->spec->wish;
	bool any = wish->any && !wish->strict && !s->late;
	const char *done;

	if (!err)
		return;
	if (s->choice.tried == 1 && wish->strict) {
		add_only(&text, s->spec, &s->choice.refused[0]);
	} else {
		add_what(&text, s);
		if (s->choice.tried > 1 || (s->choice.tried == 0 && wish->range.lo))
			add_where(&text, s);
		berth_str_add(&text, s->late ? ": the time is up, " : ": ");
		if (s->choice.tried > 1) {
			add_counts(&text, s);
			add_examples(&text, s->spec, &s->choice);
		} else if (s->choice.tried == 1) {
			add_only(&text, s->spec, &s->choice.refused[0]);
		} else if (!any) {
			berth_str_add(&text, "there is no number to try");
		}
		if (any)
			berth_str_add(&text, s->choice.tried ? ", and the kernel has none left"
							     : "the kernel has none left");
	}
	done = berth_str_text(&text);
	berth_err_set(err, 0, BERTH_ERR_NO_PORT, "%s", done ? done : "no port");
	hint(s, err);
}

static void init_leases(struct berth_choice *choice, const struct search *s)
{
	for (size_t i = 0; i < BERTH_WISH_PORTS_MAX; i++)
		berth_lease_init(&choice->leases[i], s->spec->means,
				 is_udp(s, i) ? SOCK_DGRAM : SOCK_STREAM);
}

int berth_choose(const struct berth_choose_spec *spec, struct berth_choice *ret_choice,
		 struct berth_err *err)
{
	struct berth_candidates *candidates BERTH_CLEANUP(berth_candidates_freep) = NULL;
	struct search *s BERTH_AUTO_FREE = calloc(1, sizeof(*s));
	const struct berth_candidates_spec sequence = {
		.wish = spec->wish,
		.pinned = spec->pinned,
		.remembered = spec->remembered,
		.remembered_count = spec->remembered_count,
		.reserved_fn = spec->reserved ? refuse_reserved : NULL,
		.foreign_fn = spec->foreign ? is_foreign : NULL,
		.arg = s,
	};
	int r = -ENOMEM;

	if (s)
		r = berth_candidates_new(&sequence, &candidates);
	if (r < 0)
		return berth_err_errno(err, r, "cannot choose a port");
	s->spec = spec;
	s->choice.count = spec->wish->port_count > 0 ? spec->wish->port_count : 1;
	init_leases(&s->choice, s);
	berth_lease_prober_init(&s->probers[0], SOCK_STREAM);
	berth_lease_prober_init(&s->probers[1], SOCK_DGRAM);
	r = run(s, candidates, err);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(s->probers); i++)
		berth_lease_prober_deinit(&s->probers[i]);
	if (r == BERTH_CHOOSE_E_NO_PORT)
		explain(s, err);
	if (r >= 0)
		*ret_choice = s->choice;
	return r;
}

void berth_choice_release(struct berth_choice *choice)
{
	for (size_t i = 0; i < BERTH_WISH_PORTS_MAX; i++)
		berth_lease_release(&choice->leases[i]);
	memset(&choice->ports, 0, sizeof(choice->ports));
}
