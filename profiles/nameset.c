/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open addressing with linear probing.  A slot is a byte of a keyed hash (the
 * names that are asked for are hostile) and, apart from it, which text it
 * stands for; key, kind and port are read from the text.  Patterns that differ
 * only in the port have slots of their own, in the order of adding.
 *
 * In a big set each access is a cache miss.  So the bytes are kept together: a
 * million of them stay in the cache, and what is not there ends there.  Sealed,
 * the texts stand in the order of their slots: where one begins follows from
 * where its group of slots begins, a table that stays in the cache too, and
 * the text itself is the one miss of a hit.  A look-up asks once for the name
 * and once for each suffix for which there is any pattern of that depth, and
 * fetches the slots of all these questions before it reads the first.
 */
#include "profiles/nameset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 16
#define FIRST_TEXT  1024 /* more than PATTERN_TEXT_MAX */
/* Slots that share one base. */
#define GROUP 8
/* Offsets have 32 bits. */
#define TEXT_LEN_MAX (UINT32_MAX - 1024)
/* "*." name ":65535" */
#define PATTERN_TEXT_MAX (2 + HOSTNAME_MAX + 6 + 1)
#define BATCH		 8

struct key {
	const char *name;
	size_t len;
	enum pattern_kind kind;
	uint8_t tag;
	size_t slot; /* where probing begins */
};

/* Keys that wait for their slots to be in the cache. */
struct batch {
	size_t n;
	struct key keys[BATCH];
};

int nameset_init(struct nameset *s)
{
	*s = (struct nameset) { 0 };
	return htab_init(&s->key);
}

void nameset_done(struct nameset *s)
{
	free(s->text);
	free(s->starts);
	free(s->tags);
	free(s->which);
	free(s->bases);
	htab_done(&s->key);
	*s = (struct nameset) { 0 };
}

static struct key make_key(const struct nameset *s, enum pattern_kind kind,
			   const char *name, size_t len)
{
	uint64_t hash = htab_hash(&s->key, name, len) +
			(uint64_t)kind * 0x9e3779b97f4a7c15;
	uint8_t tag = (uint8_t)(hash >> 56);

	return (struct key) { .name = name,
			      .len = len,
			      .kind = kind,
			      .tag = tag ? tag : 1,
			      .slot = (size_t)hash & (s->n_slots - 1) };
}

/* The part of a canonical text behind its stars. */
static const char *name_in(const char *text, enum pattern_kind *ret_kind)
{
	if (text[0] != '*') {
		*ret_kind = PATTERN_EXACT;
		return text;
	}
	*ret_kind = text[1] == '.' || text[1] == ':' || text[1] == '\0'
			    ? PATTERN_BELOW
			    : PATTERN_SUFFIX;
	return text + (text[1] == '.' ? 2 : 1);
}

/* Behind the name in a text that is key's: its port, or 0. */
static bool has_key(const char *text, const struct key *key, uint16_t *ret_port)
{
	enum pattern_kind kind;
	const char *p = name_in(text, &kind);
	uint16_t port = 0;

	if (kind != key->kind || strncmp(p, key->name, key->len) != 0)
		return false;
	p += key->len;
	if (*p != '\0' && *p != ':')
		return false;
	if (*p == ':')
		while (*++p)
			port = (uint16_t)(port * 10 + (*p - '0'));
	*ret_port = port;
	return true;
}

/* The text of a slot that is not empty. */
static const char *text_of(const struct nameset *s, size_t slot)
{
	const char *text;

	if (!s->bases)
		return s->text + s->starts[s->which[slot]];
	text = s->text + s->bases[slot / GROUP];
	__builtin_prefetch(text);
	__builtin_prefetch(text + 64);
	__builtin_prefetch(text + 128);
	for (size_t i = slot - slot % GROUP; i < slot; i++)
		if (s->tags[i] != 0)
			text += strlen(text) + 1;
	return text;
}

/* The next pattern of that key from slot *i on, or NULL.  *i ends behind it, or
 * on an empty slot. */
static const char *next_of(const struct nameset *s, const struct key *key,
			   size_t *i, uint16_t *ret_port)
{
	size_t mask = s->n_slots - 1;

	while (s->tags[*i] != 0) {
		size_t slot = *i;
		const char *text;

		*i = (slot + 1) & mask;
		if (s->tags[slot] != key->tag)
			continue;
		text = text_of(s, slot);
		if (has_key(text, key, ret_port))
			return text;
	}
	return NULL;
}

/* All texts into the new, empty table; in order, so that equal keys keep
 * theirs. */
static void refill(struct nameset *s)
{
	for (size_t which = 0; which < s->n; which++) {
		enum pattern_kind kind;
		const char *name = name_in(s->text + s->starts[which], &kind);
		struct key key = make_key(s, kind, name, strcspn(name, ":"));
		size_t i = key.slot;

		while (s->tags[i] != 0)
			i = (i + 1) & (s->n_slots - 1);
		s->tags[i] = key.tag;
		s->which[i] = (uint32_t)which;
	}
}

/* Room for one more, and one empty slot at least. */
static int grow_slots(struct nameset *s)
{
	size_t n = s->n_slots ? 2 * s->n_slots : FIRST_SLOTS;
	uint8_t *tags;
	uint32_t *which;

	if (4 * (s->n + 1) <= 3 * s->n_slots)
		return 0;
	tags = calloc(n, sizeof(*tags));
	which = calloc(n, sizeof(*which));
	if (!tags || !which) {
		free(tags);
		free(which);
		return -ENOMEM;
	}
	free(s->tags);
	free(s->which);
	s->tags = tags;
	s->which = which;
	s->n_slots = n;
	refill(s);
	return 0;
}

static int grow_text(struct nameset *s)
{
	size_t room = s->text_room ? 2 * s->text_room : FIRST_TEXT;
	char *text;

	if (s->text_len > TEXT_LEN_MAX)
		return -EFBIG;
	if (s->text_room - s->text_len >= PATTERN_TEXT_MAX)
		return 0;
	text = realloc(s->text, room);
	if (!text)
		return -ENOMEM;
	s->text = text;
	s->text_room = room;
	return 0;
}

static int grow_starts(struct nameset *s)
{
	size_t room = s->starts_room ? 2 * s->starts_room : 16;
	uint32_t *starts;

	if (s->n < s->starts_room)
		return 0;
	starts = reallocarray(s->starts, room, sizeof(*starts));
	if (!starts)
		return -ENOMEM;
	s->starts = starts;
	s->starts_room = room;
	return 0;
}

static void note_depth(struct nameset *s, const struct key *key)
{
	size_t labels = key->len ? 1 : 0;

	for (size_t i = 0; i < key->len; i++)
		labels += key->name[i] == '.';
	if (key->kind == PATTERN_EXACT)
		s->has_exact = true;
	if (key->kind == PATTERN_BELOW)
		s->has_below[labels] = true;
	if (key->kind == PATTERN_SUFFIX) {
		s->has_suffix = true;
		s->has_length[key->len] = true;
	}
}

/* The canonical text behind all others; returns its length with the NUL. */
static size_t write_text(struct nameset *s, const struct key *key,
			 uint16_t port)
{
	char *start = s->text + s->text_len;
	char *p = start;

	if (key->kind != PATTERN_EXACT)
		*p++ = '*';
	if (key->kind == PATTERN_BELOW && key->len > 0)
		*p++ = '.';
	memcpy(p, key->name, key->len);
	p += key->len;
	if (port)
		p += snprintf(p, sizeof(":65535"), ":%u", (unsigned)port);
	*p = '\0';
	return (size_t)(p - start) + 1;
}

int nameset_add(struct nameset *s, const struct pattern *p)
{
	struct key key;
	size_t n_ports = 0;
	uint16_t port;
	size_t i;
	int rc;

	if (s->bases)
		return -EROFS;
	if (p->kind == PATTERN_INERT)
		return 0;
	rc = grow_slots(s);
	if (rc == 0)
		rc = grow_text(s);
	if (rc == 0)
		rc = grow_starts(s);
	if (rc < 0)
		return rc;
	key = make_key(s, p->kind, p->name, strlen(p->name));
	i = key.slot;
	while (next_of(s, &key, &i, &port)) {
		if (port == p->port)
			return 0;
		n_ports += port != 0;
	}
	if (p->port != 0 && n_ports >= NAME_PORTS_MAX)
		return -ENOSPC;
	s->tags[i] = key.tag;
	s->which[i] = (uint32_t)s->n;
	s->starts[s->n] = (uint32_t)s->text_len;
	s->text_len += write_text(s, &key, p->port);
	s->n++;
	note_depth(s, &key);
	return 0;
}

int nameset_seal(struct nameset *s)
{
	char *text;
	uint32_t *bases;
	size_t len = 0;

	if (s->n == 0 || s->bases)
		return 0;
	text = malloc(s->text_len);
	bases = calloc(s->n_slots / GROUP, sizeof(*bases));
	if (!text || !bases) {
		free(text);
		free(bases);
		return -ENOMEM;
	}
	for (size_t i = 0; i < s->n_slots; i++) {
		uint32_t *start = &s->starts[s->which[i]];
		size_t size;

		if (i % GROUP == 0)
			bases[i / GROUP] = (uint32_t)len;
		if (s->tags[i] == 0)
			continue;
		size = strlen(s->text + *start) + 1;
		memcpy(text + len, s->text + *start, size);
		*start = (uint32_t)len;
		len += size;
	}
	free(s->text);
	free(s->which);
	s->text = text;
	s->which = NULL;
	s->bases = bases;
	return 0;
}

/* Keeps port[] sorted and distinct. */
static void add_port(struct name_match *m, uint16_t port)
{
	size_t i = 0;

	while (i < m->n && m->port[i] < port)
		i++;
	if (i < m->n && m->port[i] == port)
		return;
	if (m->n == NAME_PORTS_MAX) {
		m->cut = true;
		return;
	}
	memmove(&m->port[i + 1], &m->port[i], (m->n - i) * sizeof(m->port[0]));
	m->port[i] = port;
	m->n++;
}

static void answer(const struct nameset *s, struct batch *b,
		   struct name_match *ret)
{
	for (size_t k = 0; k < b->n; k++) {
		size_t i = b->keys[k].slot;
		const char *text;
		uint16_t port;

		while ((text = next_of(s, &b->keys[k], &i, &port))) {
			if (!ret->rule)
				ret->rule = text;
			if (port != 0)
				add_port(ret, port);
			else if (!ret->whole)
				ret->whole = text;
		}
	}
	b->n = 0;
}

static void ask(const struct nameset *s, struct batch *b,
		struct name_match *ret, const struct key *key)
{
	if (b->n == BATCH)
		answer(s, b, ret);
	b->keys[b->n++] = *key;
	__builtin_prefetch(&s->tags[key->slot]);
	if (s->bases)
		__builtin_prefetch(&s->bases[key->slot / GROUP]);
	else
		__builtin_prefetch(&s->which[key->slot]);
}

static void ask_suffixes(const struct nameset *s, struct batch *b,
			 struct name_match *ret, const char *name, size_t len)
{
	for (size_t n = len; n > 0; n--) {
		struct key key;

		if (!s->has_length[n])
			continue;
		key = make_key(s, PATTERN_SUFFIX, name + len - n, n);
		ask(s, b, ret, &key);
	}
}

void nameset_match(const struct nameset *s, const char *name,
		   struct name_match *ret)
{
	size_t len = strlen(name);
	size_t labels = 0; /* behind the dot */
	struct batch b;
	struct key key;

	ret->rule = NULL;
	ret->whole = NULL;
	ret->cut = false;
	ret->n = 0;
	for (const char *p = name; *p; p++)
		labels += *p == '.';
	if (s->n == 0 || len > HOSTNAME_MAX || labels >= NAME_DEPTHS)
		return;
	b.n = 0;
	/* From the most to the least specific. */
	if (s->has_exact) {
		key = make_key(s, PATTERN_EXACT, name, len);
		ask(s, &b, ret, &key);
	}
	for (const char *p = name; labels > 0; labels--) {
		p = strchr(p, '.') + 1;
		if (!s->has_below[labels])
			continue;
		key = make_key(s, PATTERN_BELOW, p, len - (size_t)(p - name));
		ask(s, &b, ret, &key);
	}
	if (s->has_suffix)
		ask_suffixes(s, &b, ret, name, len);
	if (s->has_below[0]) {
		key = make_key(s, PATTERN_BELOW, "", 0);
		ask(s, &b, ret, &key);
	}
	answer(s, &b, ret);
}

const char *nameset_text(const struct nameset *s, size_t i)
{
	return s->text + s->starts[i];
}
