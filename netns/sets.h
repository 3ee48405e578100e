/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The six sets of the gate; shared by ruleset.c and sets.c alone. */
#ifndef NETNS_SETS_H
#define NETNS_SETS_H

struct nft_tx;

enum set_kind {
	SET_ADDR, /* address: every TCP port; elements time out */
	SET_PORT, /* address . port; elements time out */
	SET_NET,  /* intervals of addresses; permanent */
};

struct set_spec {
	const char *name;
	int family;
	enum set_kind kind;
};

/* Index i is set id i + 1 in the transaction that creates them. */
#define SETS__COUNT 6
extern const struct set_spec set_specs[SETS__COUNT];

void sets_add(struct nft_tx *tx);

#endif
