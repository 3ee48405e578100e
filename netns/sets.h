/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sets of the gate; shared by ruleset.c and sets.c alone. */
#ifndef NETNS_SETS_H
#define NETNS_SETS_H

#include <stdbool.h>

struct nft_tx;

enum set_kind {
	SET_ADDR, /* address: every TCP port; elements time out */
	SET_PORT, /* address . port; elements time out */
	SET_NET,  /* intervals of addresses; permanent */
	SET_UDP,  /* as SET_PORT, of UDP */
	SET_UDP_NET,
};

struct set_spec {
	const char *name;
	int family;
	enum set_kind kind;
};

/* Index i is set id i + 1 in the transaction that creates them. */
#define SETS__TCP   6 /* the first ones; the others are UDP's */
#define SETS__COUNT 10
extern const struct set_spec set_specs[SETS__COUNT];

/* True if elements are address . port. */
bool set_has_port(const struct set_spec *s);

/* Those of TCP, and perhaps those of UDP. */
void sets_add(struct nft_tx *tx, bool udp);

#endif
