/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open addressing with linear probing.  A slot is a byte of a keyed hash (the
 * names that are asked for are hostile) and, apart from it, which text it
 * stands for; key, kind and port are read from the text.  Patterns that differ
 * only in the port have slots of their own, in the order of adding.
 *
 * In a big set each access is a cache miss, so a sealed one needs no more than
 * one: the hash says which bucket of two cache lines, and that holds tags and
 * texts.  What finds no room goes to the next bucket and closes the one it has
 * passed, to all that come later too: patterns of one name keep their order.
 * Long texts stand behind the buckets, and where in their place.  There are as
 * many buckets as are needed if each closed one is filled only to the
 * SURE_FILL, so that one is always left open; usually 60 % of the bytes.
 *
 * A look-up asks once for the name and once for each suffix for which there is
 * any pattern of that depth, and fetches what all these questions need before
 * it reads the first.
 */
#include "profiles/nameset.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE   ((size_t)2 << 20)
#define FIRST_SLOTS 16
#define FIRST_TEXT  1024 /* more than PATTERN_TEXT_MAX */
#define CACHE_LINE  ((size_t)64)
/* Offsets have 32 bits. */
#define TEXT_LEN_MAX (UINT32_MAX - 1024)
/* "*." name ":65535/udp" */
#define PATTERN_TEXT_MAX (2 + HOSTNAME_MAX + 10 + 1)
#define BATCH		 8

/* Beside a port's number. */
#define PORT_UDP 0x10000U

#define BUCKET_TEXTS 6
#define BUCKET_ROOM  (2 * CACHE_LINE - 2 - (size_t)2 * BUCKET_TEXTS)
/* With the NUL; longer ones are an empty string and an uint32_t. */
#define SHORT_TEXT_MAX 48
#define LONG_TEXT_SIZE (1 + sizeof(uint32_t))
#define SURE_FILL      (BUCKET_ROOM - SHORT_TEXT_MAX)
#define CLOSED	       UINT8_MAX

#define TAGS_MASK UINT64_C(0x0000ffffffffffff)
#define EACH_BYTE UINT64_C(0x0101010101010101)

struct bucket {
	uint8_t tags[BUCKET_TEXTS]; /* 0: none */
	uint8_t n;
	uint8_t used; /* bytes; CLOSED: look into the next one, too */
	uint8_t at[BUCKET_TEXTS];
	char data[BUCKET_ROOM];
};

/* Not cleared for each look-up as -ftrivial-auto-var-init would: a tenth of
 * what one computes. */
#if __has_attribute(uninitialized)
#define NOT_CLEARED __attribute__((uninitialized))
#else
#define NOT_CLEARED
#endif

struct key {
	const char *name;
	size_t len;
	enum pattern_kind kind;
	uint8_t tag;
	size_t slot; /* where probing begins; sealed: the bucket */
};

/* Keys that wait for their slots to be in the cache. */
struct batch {
	size_t n;
	struct key keys[BATCH];
};

/* Zeroed, for free().  On huge pages if it is worth them: the misses of the
 * address cache would cost as much as those of the memory's. */
static void *big_alloc(size_t size)
{
	size_t align = size < 2 * HUGE_PAGE ? 2 * CACHE_LINE : HUGE_PAGE;
	void *p;

	size = (size + align - 1) / align * align;
	p = aligned_alloc(align, size);
	if (!p)
		return NULL;
	if (align == HUGE_PAGE)
		(void)madvise(p, size, MADV_HUGEPAGE);
	return memset(p, 0, size);
}

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
	htab_done(&s->key);
	*s = (struct nameset) { 0 };
}

static struct key make_key(const struct nameset *s, enum pattern_kind kind,
			   const char *name, size_t len)
{
	uint64_t hash = htab_hash(&s->key, name, len) +
			(uint64_t)kind * 0x9e3779b97f4a7c15;
	uint8_t tag = (uint8_t)(hash >> 56);
	size_t slot = (size_t)hash & (s->n_slots - 1);

	if (s->n_buckets)
		slot = (size_t)((uint64_t)(uint32_t)hash * s->n_buckets >> 32);
	return (struct key) { .name = name,
			      .len = len,
			      .kind = kind,
			      .tag = tag ? tag : 1,
			      .slot = slot };
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

/* Behind the name in a text that is key's: its port, perhaps with PORT_UDP, or
 * 0. */
static bool has_key(const char *text, const struct key *key, uint32_t *ret_port)
{
	enum pattern_kind kind;
	const char *p = name_in(text, &kind);
	uint32_t port = 0;

	if (kind != key->kind || strncmp(p, key->name, key->len) != 0)
		return false;
	p += key->len;
	if (*p != '\0' && *p != ':')
		return false;
	if (*p == ':')
		while (*++p && *p != '/')
			port = port * 10 + (uint32_t)(*p - '0');
	if (*p == '/')
		port |= PORT_UDP;
	*ret_port = port;
	return true;
}

/* The next pattern of that key from slot *i on, or NULL.  *i ends behind it, or
 * on an empty slot. */
static const char *next_slot(const struct nameset *s, const struct key *key,
			     size_t *i, uint32_t *ret_port)
{
	while (s->tags[*i] != 0) {
		size_t slot = *i;
		const char *text;

		*i = (slot + 1) & (s->n_slots - 1);
		if (s->tags[slot] != key->tag)
			continue;
		text = s->text + s->starts[s->which[slot]];
		if (has_key(text, key, ret_port))
			return text;
	}
	return NULL;
}

static struct bucket *bucket_at(const struct nameset *s, size_t i)
{
	return (struct bucket *)(void *)s->text + i;
}

static const char *text_in(const struct nameset *s, const struct bucket *b,
			   size_t k)
{
	const char *text = b->data + b->at[k];
	uint32_t start;

	if (*text)
		return text;
	memcpy(&start, text + 1, sizeof(start));
	return s->text + start;
}

/* The highest bit of each byte that is such a tag.  No branch depends on which
 * of them it is, so that the processor need not wait for the memory there. */
static uint64_t find_tag(const struct bucket *b, uint8_t tag)
{
	const uint64_t low = 0x7f * EACH_BYTE;
	uint64_t x;

	memcpy(&x, b, sizeof(x));
	x = le64toh(x) ^ tag * EACH_BYTE;
	return ~(((x & low) + low) | x | low) & TAGS_MASK;
}

/* As next_slot(), when sealed: *k is the text in bucket *i. */
static const char *next_text(const struct nameset *s, const struct key *key,
			     size_t *i, size_t *k, uint32_t *ret_port)
{
	for (;;) {
		const struct bucket *b = bucket_at(s, *i);
		uint64_t found = find_tag(b, key->tag) & UINT64_MAX << 8 * *k;

		for (; found; found &= found - 1) {
			size_t at = (size_t)__builtin_ctzll(found) / 8;
			const char *text = text_in(s, b, at);

			if (!has_key(text, key, ret_port))
				continue;
			*k = at + 1;
			return text;
		}
		if (b->used != CLOSED)
			return NULL;
		*i = *i + 1 < s->n_buckets ? *i + 1 : 0;
		*k = 0;
	}
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
	tags = big_alloc(n * sizeof(*tags));
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
			 const struct pattern *pattern)
{
	char *start = s->text + s->text_len;
	char *p = start;

	if (key->kind != PATTERN_EXACT)
		*p++ = '*';
	if (key->kind == PATTERN_BELOW && key->len > 0)
		*p++ = '.';
	memcpy(p, key->name, key->len);
	p += key->len;
	if (pattern->port)
		p += snprintf(p, sizeof(":65535/udp"), ":%u%s",
			      (unsigned)pattern->port,
			      pattern->udp ? "/udp" : "");
	*p = '\0';
	return (size_t)(p - start) + 1;
}

int nameset_add(struct nameset *s, const struct pattern *p)
{
	struct key key;
	uint32_t wanted = p->port | (p->udp ? PORT_UDP : 0);
	size_t n_ports = 0; /* of the same protocol */
	uint32_t port;
	size_t i;
	int rc;

	if (s->n_buckets)
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
	while (next_slot(s, &key, &i, &port)) {
		if (port == wanted)
			return 0;
		n_ports +=
			port != 0 && (port & PORT_UDP) == (wanted & PORT_UDP);
	}
	if (p->port != 0 && n_ports >= (p->udp ? NAME_UDP_MAX : NAME_PORTS_MAX))
		return -ENOSPC;
	s->tags[i] = key.tag;
	s->which[i] = (uint32_t)s->n;
	s->starts[s->n] = (uint32_t)s->text_len;
	s->text_len += write_text(s, &key, p);
	s->n++;
	note_depth(s, &key);
	return 0;
}

/* Into the first bucket that is open.  Returns where. */
static char *place(struct nameset *s, const struct key *key, const char *text,
		   size_t size)
{
	struct bucket *b = bucket_at(s, key->slot);
	char *p;

	while (b->used == CLOSED || b->n == BUCKET_TEXTS ||
	       b->used + size > BUCKET_ROOM) {
		b->used = CLOSED;
		if (++b == bucket_at(s, s->n_buckets))
			b = bucket_at(s, 0);
	}
	p = b->data + b->used;
	memcpy(p, text, size);
	b->tags[b->n] = key->tag;
	b->at[b->n++] = b->used;
	b->used = (uint8_t)(b->used + size);
	return p;
}

/* From the old block into the new one, s->text, which is zeroed. */
static void place_all(struct nameset *s, const char *text)
{
	size_t end = s->n_buckets * sizeof(struct bucket);

	for (size_t i = 0; i < s->n; i++) {
		size_t size = strlen(text) + 1;
		enum pattern_kind kind;
		const char *name = name_in(text, &kind);
		struct key key = make_key(s, kind, name, strcspn(name, ":"));

		if (size <= SHORT_TEXT_MAX) {
			s->starts[i] = (uint32_t)(place(s, &key, text, size) -
						  s->text);
		} else {
			char ref[LONG_TEXT_SIZE] = "";

			s->starts[i] = (uint32_t)end;
			memcpy(ref + 1, &s->starts[i], sizeof(uint32_t));
			(void)place(s, &key, ref, sizeof(ref));
			memcpy(s->text + end, text, size);
			end += size;
		}
		text += size;
	}
}

int nameset_seal(struct nameset *s)
{
	const size_t least = (SURE_FILL + BUCKET_TEXTS - 1) / BUCKET_TEXTS;
	size_t fill = 0, len = 0, n_buckets;
	char *old = s->text;
	char *text;

	if (s->n == 0 || s->n_buckets)
		return 0;
	for (size_t i = 0; i < s->n; i++) {
		size_t end = i + 1 < s->n ? s->starts[i + 1] : s->text_len;
		size_t size = end - s->starts[i];

		if (size > SHORT_TEXT_MAX) {
			len += size;
			size = LONG_TEXT_SIZE;
		}
		fill += size < least ? least : size;
	}
	n_buckets = fill / SURE_FILL + 1;
	len += n_buckets * sizeof(struct bucket);
	if (len > UINT32_MAX)
		return -EFBIG;
	text = big_alloc(len);
	if (!text)
		return -ENOMEM;
	s->text = text;
	s->n_buckets = n_buckets;
	place_all(s, old);
	free(old);
	free(s->which);
	free(s->tags);
	s->which = NULL;
	s->tags = NULL;
	return 0;
}

/* Keeps list[] sorted and distinct.  False if it is full. */
static bool insert_port(uint16_t *list, size_t *n, size_t max, uint16_t port)
{
	size_t i = 0;

	while (i < *n && list[i] < port)
		i++;
	if (i < *n && list[i] == port)
		return true;
	if (*n == max)
		return false;
	memmove(&list[i + 1], &list[i], (*n - i) * sizeof(list[0]));
	list[i] = port;
	(*n)++;
	return true;
}

static void add_port(struct name_match *m, uint32_t port)
{
	bool fits = port & PORT_UDP
			    ? insert_port(m->udp, &m->n_udp, NAME_UDP_MAX,
					  (uint16_t)port)
			    : insert_port(m->port, &m->n, NAME_PORTS_MAX,
					  (uint16_t)port);

	if (!fits)
		m->cut = true;
}

static void answer(const struct nameset *s, struct batch *b,
		   struct name_match *ret)
{
	for (size_t k = 0; k < b->n; k++) {
		const struct key *key = &b->keys[k];
		size_t i = key->slot;
		size_t at = 0;
		const char *text;
		uint32_t port;

		while ((text = s->n_buckets ? next_text(s, key, &i, &at, &port)
					    : next_slot(s, key, &i, &port))) {
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
		struct name_match *ret, enum pattern_kind kind,
		const char *name, size_t len)
{
	struct key *key;

	if (b->n == BATCH)
		answer(s, b, ret);
	key = &b->keys[b->n++];
	*key = make_key(s, kind, name, len);
	if (s->n_buckets) {
		__builtin_prefetch(bucket_at(s, key->slot));
		__builtin_prefetch((char *)bucket_at(s, key->slot) +
				   CACHE_LINE);
	} else {
		__builtin_prefetch(&s->tags[key->slot]);
		__builtin_prefetch(&s->which[key->slot]);
	}
}

static void ask_suffixes(const struct nameset *s, struct batch *b,
			 struct name_match *ret, const char *name, size_t len)
{
	for (size_t n = len; n > 0; n--)
		if (s->has_length[n])
			ask(s, b, ret, PATTERN_SUFFIX, name + len - n, n);
}

void nameset_match(const struct nameset *s, const char *name,
		   struct name_match *ret)
{
	size_t len = strlen(name);
	size_t labels = 0;	    /* behind the dot */
	NOT_CLEARED struct batch b; /* its first n keys are set */

	ret->rule = NULL;
	ret->whole = NULL;
	ret->cut = false;
	ret->n = 0;
	ret->n_udp = 0;
	if (s->n == 0 || len > HOSTNAME_MAX)
		return;
	b.n = 0;
	/* From the most to the least specific. */
	if (s->has_exact)
		ask(s, &b, ret, PATTERN_EXACT, name, len);
	for (const char *p = name; *p; p++)
		labels += *p == '.';
	if (labels >= NAME_DEPTHS)
		return;
	for (const char *p = name; labels > 0; labels--) {
		p = strchr(p, '.') + 1;
		if (s->has_below[labels])
			ask(s, &b, ret, PATTERN_BELOW, p,
			    len - (size_t)(p - name));
	}
	if (s->has_suffix)
		ask_suffixes(s, &b, ret, name, len);
	if (s->has_below[0])
		ask(s, &b, ret, PATTERN_BELOW, "", 0);
	answer(s, &b, ret);
}

const char *nameset_text(const struct nameset *s, size_t i)
{
	return s->text + s->starts[i];
}
