/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One nf_tables transaction, and rules written expression by expression.
 * A failed allocation is remembered and reported by nft_tx_send(), so that
 * building reads as a list.
 */
#ifndef NETNS_NFT_H
#define NETNS_NFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"

struct nlmsghdr;
struct nftnl_rule;

struct nft_tx {
	struct mnl_nlmsg_batch *batch;
	char *buf;
	struct nlmsghdr *last; /* inside buf */
	uint32_t seq;
	bool failed;
};

/* What nft_tx_send() needs of a netlink socket to be opened with
 * NETLINK_NETFILTER; a plain descriptor that may be passed on. */
int nft_open(int *ret_fd, struct err *e);

/* room: bytes of messages the transaction may hold. */
int nft_tx_begin(struct nft_tx *tx, size_t room);
void nft_tx_free(struct nft_tx *tx); /* after begin, also if failed */
/* Starts a message; the caller appends its payload, then calls
 * nft_tx_next().  flags: NLM_F_CREATE ... */
struct nlmsghdr *nft_tx_msg(struct nft_tx *tx, uint16_t type, uint16_t flags);
void nft_tx_next(struct nft_tx *tx);
/* Sends all in one transaction and takes the kernel's acknowledgement.
 * Returns 0, or -errno of the first message that failed (then nothing of the
 * transaction is in force). */
int nft_tx_send(struct nft_tx *tx, int fd);

struct nft_chain_spec {
	const char *name;
	const char *type; /* NULL: not attached to a hook */
	uint32_t hook;
	int32_t priority;
	uint32_t policy;
};

/* The table NFT_TABLE, and a chain of it. */
void nft_table(struct nft_tx *tx);
void nft_chain(struct nft_tx *tx, const struct nft_chain_spec *spec);

/* True if xtables' NFQUEUE can be had through nft_compat; asking loads both
 * modules.  The nft queue expression is the other way, but kernels are built
 * without it, and a transaction that fails costs 8 ms. */
bool nft_has_nfqueue_target(int fd);
/* Of nft_tx_send() of a whole table: which modules there are to load. */
int nft_explain(int rc, struct err *e);

/* Rules. */
struct nftnl_rule *nft_rule(struct nft_tx *tx, const char *chain);
void nft_rule_add(struct nft_tx *tx, struct nftnl_rule *r); /* frees r */

/* Each of the following appends to a rule; op is NFT_CMP_EQ or NFT_CMP_NEQ. */
void nft_match_iif(struct nft_tx *tx, struct nftnl_rule *r, uint32_t op,
		   const char *ifname);
void nft_match_oif(struct nft_tx *tx, struct nftnl_rule *r, const char *ifname);
/* AF_INET or AF_INET6. */
void nft_match_family(struct nft_tx *tx, struct nftnl_rule *r, int family);
void nft_match_l4(struct nft_tx *tx, struct nftnl_rule *r, uint8_t protocol);
void nft_match_saddr(struct nft_tx *tx, struct nftnl_rule *r, uint32_t op,
		     const struct addr *a);
void nft_match_dport(struct nft_tx *tx, struct nftnl_rule *r, uint16_t port);
void nft_match_dports(struct nft_tx *tx, struct nftnl_rule *r, uint16_t first,
		      uint16_t last);
void nft_match_daddr(struct nft_tx *tx, struct nftnl_rule *r,
		     const struct addr *a);
/* ICMPv6 type in [lo, hi]. */
void nft_match_icmp6_type(struct nft_tx *tx, struct nftnl_rule *r, uint8_t lo,
			  uint8_t hi);
/* TCP with SYN set and FIN, RST, ACK clear. */
void nft_match_syn(struct nft_tx *tx, struct nftnl_rule *r);
/* state: bits of NF_CT_STATE_BIT() and NF_CT_STATE_INVALID_BIT. */
void nft_match_ct_state(struct nft_tx *tx, struct nftnl_rule *r,
			uint32_t state);
void nft_match_mark(struct nft_tx *tx, struct nftnl_rule *r, uint32_t mark);
/* Destination address, or address and port, is in the set. */
void nft_match_daddr_set(struct nft_tx *tx, struct nftnl_rule *r, int family,
			 bool with_port, const char *set, uint32_t set_id);
void nft_count(struct nft_tx *tx, struct nftnl_rule *r, const char *counter);
void nft_limit(struct nft_tx *tx, struct nftnl_rule *r, uint64_t per_second,
	       uint32_t burst);
void nft_log(struct nft_tx *tx, struct nftnl_rule *r, uint16_t group,
	     uint32_t snaplen);
/* type NFT_REJECT_TCP_RST, or NFT_REJECT_ICMPX_UNREACH with an icmpx code. */
void nft_reject(struct nft_tx *tx, struct nftnl_rule *r, uint32_t type,
		uint8_t code);
/* NF_ACCEPT, NF_DROP, NFT_RETURN; chain for NFT_JUMP and NFT_GOTO or NULL. */
void nft_verdict(struct nft_tx *tx, struct nftnl_rule *r, int verdict,
		 const char *chain);
void nft_dnat(struct nft_tx *tx, struct nftnl_rule *r, const struct addr *to,
	      uint16_t port);
/* native: the nft queue expression; else xtables' NFQUEUE through
 * nft_compat. */
void nft_queue(struct nft_tx *tx, struct nftnl_rule *r, uint16_t queue,
	       bool native);

#endif
