/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of name patterns, made for a million of them: one block of text and a
 * table of offsets into it.  Look-up time depends on the labels of the
 * name asked, not on the size of the set.  Only allowlist.c needs this.
 */
#ifndef PROFILES_NAMESET_H
#define PROFILES_NAMESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/htab.h"
#include "profiles/pattern.h"

#define NAME_PORTS_MAX 64
#define NAME_UDP_MAX   16

/* Labels of the longest name, and none. */
#define NAME_DEPTHS (HOSTNAME_MAX / 2 + 2)

struct nameset {
	struct htab key; /* its key for hashing; holds nothing */
	char *text;	 /* canonical patterns, each with its NUL */
	size_t text_len;
	size_t text_room;
	uint32_t *starts; /* where the i-th text begins */
	size_t starts_room;
	/* The table until sealed: a byte of the hash (0: empty) and which
	 * text. */
	uint8_t *tags;
	uint32_t *which;
	size_t n_slots;	  /* a power of two, or 0 */
	size_t n_buckets; /* 0 until sealed; then text begins with them */
	size_t n;
	bool has_exact;
	bool has_suffix;
	bool has_below[NAME_DEPTHS];	   /* by labels of the suffix */
	bool has_length[HOSTNAME_MAX + 1]; /* of a "*x.y", by bytes */
};

/* What the patterns that match one name say together. */
struct name_match {
	const char *rule;  /* text of the most specific; NULL: none matches */
	const char *whole; /* of those without a port; NULL: all have one */
	bool cut;	   /* there were more ports than fit */
	size_t n;	   /* distinct TCP ports, sorted */
	uint16_t port[NAME_PORTS_MAX];
	size_t n_udp; /* the same for UDP */
	uint16_t udp[NAME_UDP_MAX];
};

/* Returns 0 or -errno (getrandom failed). */
int nameset_init(struct nameset *s);
void nameset_done(struct nameset *s); /* zeroed is fine */

/* Adding twice is fine, adding to a sealed set is not (-EROFS).  -ENOSPC:
 * NAME_PORTS_MAX ports of one name, or NAME_UDP_MAX; -EFBIG: the whole is too
 * big; -ENOMEM.  An inert pattern adds nothing. */
int nameset_add(struct nameset *s, const struct pattern *p);
/* No more are added: orders the texts for faster look-ups.  -EFBIG
 * or -ENOMEM: it is as it was. */
int nameset_seal(struct nameset *s);
/* name is canonical and not empty. */
void nameset_match(const struct nameset *s, const char *name,
		   struct name_match *ret);
/* The text of the i-th in the order of adding. */
const char *nameset_text(const struct nameset *s, size_t i);

#endif
