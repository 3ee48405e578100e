/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table, as nft(8) would print it (addresses by the names of plan.h):
 *
 *   table inet egress_run {
 *     set addr4 { type ipv4_addr; flags timeout; }        # any TCP port
 *     set port4 { type ipv4_addr . inet_service; flags timeout; }
 *     set net4  { type ipv4_addr; flags interval; }       # literal networks
 *     (addr6, port6, net6 likewise; with UDP: udp4 as port4, udpnet4 as net4)
 *     chain gate {
 *       type filter hook prerouting priority mangle; policy drop;
 *       iifname != agent0 drop
 *       icmpv6 type 130-137 or 143 drop          # link housekeeping, unwanted
 *       ip saddr != AGENT count spoofed drop      (ip6 likewise)
 *       udp dport 53 accept
 *       tcp dport 53 accept
 *       ct state related drop                     # errors about our own flows
 *       meta l4proto tcp ct state invalid drop    # late segments
 *       meta l4proto tcp ct state established accept
 *       syn ip daddr @addr4 queue                 (port4, net4, *6 likewise)
 *       udp ip daddr . udp dport @udp4 accept     (with UDP; *6 likewise)
 *       udp dport PORT ip daddr @udpnet4 accept   (each of such a port)
 *       jump denied
 *     }
 *     chain denied {
 *       count denied
 *       limit rate 1000/second log group 1
 *       meta l4proto tcp reject with tcp reset
 *       reject with icmpx admin-prohibited
 *     }
 *     chain outcome { type filter hook prerouting priority mangle + 10;
 *       mark REFUSED reject with tcp reset ...    # the verdict on a held SYN
 *     }
 *     chain nat { type nat hook prerouting priority dstnat;
 *       udp/tcp dport 53 dnat to GATEWAY:53
 *       tcp dnat to GATEWAY:RELAY
 *     }
 *     chain input { policy drop; agent0: udp/tcp dport 53, tcp dport RELAY,
 *       with UDP: udp }
 *     chain forward { policy drop }
 *     chain output { policy drop; oifname agent0 accept }
 *   }
 *
 * A `ct` expression in the table makes the kernel reassemble fragments before
 * the gate sees them, so that no fragment without ports slips by.  Packets the
 * monitor lets out of the queue go on in the chain after the gate.
 */
#include "netns/ruleset.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netlink.h>

#include <libmnl/libmnl.h>
#include <libnftnl/object.h>
#include <libnftnl/set.h>

#include "netns/nft.h"
#include "netns/plan.h"
#include "netns/sets.h"

#define RULESET_ROOM   65536
#define UDP_PORT_ROOM  2048 /* the rules of one port */
#define DENIED_SNAPLEN 96   /* IPv6 header, some extension headers, ports */

static const char *const counter_name[RULESET_COUNTER__COUNT] = {
	[RULESET_COUNTER_DENIED] = "denied",
	[RULESET_COUNTER_SPOOFED] = "spoofed",
};

struct gate {
	struct nft_tx tx;
	struct addr agent[2];	/* IPv4, IPv6 */
	struct addr gateway[2]; /* the same */
	uint16_t relay_port;
	const struct ruleset_udp *udp;
	bool native_queue;
};

static const struct nft_chain_spec chains[] = {
	{ "gate", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_MANGLE, NF_DROP },
	{ "denied", NULL, 0, 0, 0 },
	{ "outcome", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_MANGLE + 10,
	  NF_ACCEPT },
	{ "nat", "nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST, NF_ACCEPT },
	{ "input", "filter", NF_INET_LOCAL_IN, NF_IP_PRI_FILTER, NF_DROP },
	{ "forward", "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER, NF_DROP },
	{ "output", "filter", NF_INET_LOCAL_OUT, NF_IP_PRI_FILTER, NF_DROP },
};

static void add_counter(struct nft_tx *tx, const char *name)
{
	struct nftnl_obj *o = nftnl_obj_alloc();

	if (!o) {
		tx->failed = true;
		return;
	}
	nftnl_obj_set_str(o, NFTNL_OBJ_TABLE, NFT_TABLE);
	nftnl_obj_set_str(o, NFTNL_OBJ_NAME, name);
	nftnl_obj_set_u32(o, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
	nftnl_obj_set_u64(o, NFTNL_OBJ_CTR_PKTS, 0);
	nftnl_obj_nlmsg_build_payload(
		nft_tx_msg(tx, NFT_MSG_NEWOBJ, NLM_F_CREATE), o);
	nft_tx_next(tx);
	nftnl_obj_free(o);
}

/* A rule whose matches are already there ends in this verdict. */
static void finish(struct nft_tx *tx, struct nftnl_rule *r, int verdict)
{
	nft_verdict(tx, r, verdict, NULL);
	nft_rule_add(tx, r);
}

static void add_source_rules(struct gate *g)
{
	struct nft_tx *tx = &g->tx;
	struct nftnl_rule *r;
	/* MLD and neighbour discovery; MLDv2 reports. */
	static const uint8_t housekeeping[][2] = { { 130, 137 }, { 143, 143 } };

	r = nft_rule(tx, "gate");
	nft_match_iif(tx, r, NFT_CMP_NEQ, GATEWAY_IFNAME);
	finish(tx, r, NF_DROP);
	for (size_t i = 0; i < 2; i++) {
		r = nft_rule(tx, "gate");
		nft_match_icmp6_type(tx, r, housekeeping[i][0],
				     housekeeping[i][1]);
		finish(tx, r, NF_DROP);
	}
	for (size_t i = 0; i < 2; i++) {
		r = nft_rule(tx, "gate");
		nft_match_saddr(tx, r, NFT_CMP_NEQ, &g->agent[i]);
		nft_count(tx, r, counter_name[RULESET_COUNTER_SPOOFED]);
		finish(tx, r, NF_DROP);
	}
}

/* Matches UDP and TCP to the DNS port, one rule each. */
static void each_dns(struct gate *g, const char *chain, int verdict)
{
	static const uint8_t protocols[] = { IPPROTO_UDP, IPPROTO_TCP };

	for (size_t i = 0; i < 2; i++) {
		struct nftnl_rule *r = nft_rule(&g->tx, chain);

		nft_match_l4(&g->tx, r, protocols[i]);
		nft_match_dport(&g->tx, r, DNS_PORT);
		finish(&g->tx, r, verdict);
	}
}

static void add_udp_rule(struct nft_tx *tx, size_t set, uint16_t port)
{
	struct nftnl_rule *r = nft_rule(tx, "gate");

	nft_match_l4(tx, r, IPPROTO_UDP);
	if (port)
		nft_match_dport(tx, r, port);
	nft_match_daddr_set(tx, r, set_specs[set].family,
			    set_has_port(&set_specs[set]), set_specs[set].name,
			    (uint32_t)set + 1);
	finish(tx, r, NF_ACCEPT);
}

/* Each datagram is looked up: no state of a flow outlives its admission. */
static void add_udp_rules(struct gate *g)
{
	for (size_t i = SETS__TCP; i < SETS__COUNT; i++) {
		if (set_has_port(&set_specs[i])) {
			add_udp_rule(&g->tx, i, 0);
			continue;
		}
		for (size_t p = 0; p < g->udp->n_net_ports; p++)
			add_udp_rule(&g->tx, i, g->udp->net_ports[p]);
	}
}

static void add_gate_rules(struct gate *g)
{
	struct nft_tx *tx = &g->tx;
	struct nftnl_rule *r;

	add_source_rules(g);
	each_dns(g, "gate", NF_ACCEPT);
	r = nft_rule(tx, "gate");
	nft_match_ct_state(tx, r, NF_CT_STATE_BIT(IP_CT_RELATED));
	finish(tx, r, NF_DROP);
	r = nft_rule(tx, "gate");
	nft_match_l4(tx, r, IPPROTO_TCP);
	nft_match_ct_state(tx, r, NF_CT_STATE_INVALID_BIT);
	finish(tx, r, NF_DROP);
	r = nft_rule(tx, "gate");
	nft_match_l4(tx, r, IPPROTO_TCP);
	nft_match_ct_state(tx, r, NF_CT_STATE_BIT(IP_CT_ESTABLISHED));
	finish(tx, r, NF_ACCEPT);
	for (size_t i = 0; i < SETS__TCP; i++) {
		r = nft_rule(tx, "gate");
		nft_match_syn(tx, r);
		nft_match_daddr_set(tx, r, set_specs[i].family,
				    set_has_port(&set_specs[i]),
				    set_specs[i].name, (uint32_t)i + 1);
		nft_queue(tx, r, SYN_QUEUE, g->native_queue);
		nft_rule_add(tx, r);
	}
	if (g->udp)
		add_udp_rules(g);
	r = nft_rule(tx, "gate");
	nft_verdict(tx, r, NFT_JUMP, "denied");
	nft_rule_add(tx, r);
}

static void add_denied_rules(struct nft_tx *tx)
{
	struct nftnl_rule *r = nft_rule(tx, "denied");

	nft_count(tx, r, counter_name[RULESET_COUNTER_DENIED]);
	nft_rule_add(tx, r);
	r = nft_rule(tx, "denied");
	nft_limit(tx, r, 1000, 2000);
	nft_log(tx, r, DENIED_LOG_GROUP, DENIED_SNAPLEN);
	nft_rule_add(tx, r);
	r = nft_rule(tx, "denied");
	nft_match_l4(tx, r, IPPROTO_TCP);
	nft_reject(tx, r, NFT_REJECT_TCP_RST, 0);
	nft_rule_add(tx, r);
	r = nft_rule(tx, "denied");
	nft_reject(tx, r, NFT_REJECT_ICMPX_UNREACH,
		   NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
	nft_rule_add(tx, r);
}

static void add_outcome_rules(struct nft_tx *tx)
{
	static const struct {
		uint32_t mark, type;
		uint8_t code;
	} outcomes[] = {
		{ SYN_MARK_REFUSED, NFT_REJECT_TCP_RST, 0 },
		{ SYN_MARK_HOST_UNREACH, NFT_REJECT_ICMPX_UNREACH,
		  NFT_REJECT_ICMPX_HOST_UNREACH },
		{ SYN_MARK_NET_UNREACH, NFT_REJECT_ICMPX_UNREACH,
		  NFT_REJECT_ICMPX_NO_ROUTE },
	};

	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		struct nftnl_rule *r = nft_rule(tx, "outcome");

		nft_match_mark(tx, r, outcomes[i].mark);
		if (outcomes[i].type == NFT_REJECT_TCP_RST)
			nft_match_l4(tx, r, IPPROTO_TCP);
		nft_reject(tx, r, outcomes[i].type, outcomes[i].code);
		nft_rule_add(tx, r);
	}
}

static void add_nat_rules(struct gate *g)
{
	static const struct {
		uint8_t protocol;
		bool dns;
	} redirects[] = {
		{ IPPROTO_UDP, true },
		{ IPPROTO_TCP, true },
		{ IPPROTO_TCP, false },
	};

	for (size_t f = 0; f < 2; f++) {
		for (size_t i = 0; i < 3; i++) {
			struct nftnl_rule *r = nft_rule(&g->tx, "nat");

			nft_match_family(&g->tx, r, g->gateway[f].family);
			nft_match_l4(&g->tx, r, redirects[i].protocol);
			if (redirects[i].dns)
				nft_match_dport(&g->tx, r, DNS_PORT);
			nft_dnat(&g->tx, r, &g->gateway[f],
				 redirects[i].dns ? DNS_PORT : g->relay_port);
			nft_rule_add(&g->tx, r);
		}
	}
}

static void add_local_rules(struct gate *g)
{
	struct nft_tx *tx = &g->tx;
	struct nftnl_rule *r = nft_rule(tx, "input");

	nft_match_iif(tx, r, NFT_CMP_NEQ, GATEWAY_IFNAME);
	finish(tx, r, NF_DROP);
	each_dns(g, "input", NF_ACCEPT);
	r = nft_rule(tx, "input");
	nft_match_l4(tx, r, IPPROTO_TCP);
	nft_match_dport(tx, r, g->relay_port);
	finish(tx, r, NF_ACCEPT);
	if (g->udp) {
		r = nft_rule(tx, "input");
		nft_match_l4(tx, r, IPPROTO_UDP);
		finish(tx, r, NF_ACCEPT);
	}
	r = nft_rule(tx, "output");
	nft_match_oif(tx, r, GATEWAY_IFNAME);
	finish(tx, r, NF_ACCEPT);
}

int ruleset_install(int fd, uint16_t relay_port, const struct ruleset_udp *udp,
		    struct err *e)
{
	struct gate g = { .relay_port = relay_port,
			  .udp = udp,
			  .native_queue = !nft_has_nfqueue_target(fd) };
	size_t room = RULESET_ROOM;
	int rc;

	if (udp)
		room += udp->n_net_ports * UDP_PORT_ROOM;
	if (!addr_parse(AGENT_IPV4, &g.agent[0]) ||
	    !addr_parse(AGENT_IPV6, &g.agent[1]) ||
	    !addr_parse(GATEWAY_IPV4, &g.gateway[0]) ||
	    !addr_parse(GATEWAY_IPV6, &g.gateway[1]))
		return err_errno(e, EINVAL, "link addresses");
	rc = nft_tx_begin(&g.tx, room);
	if (rc < 0)
		return err_errno(e, -rc, "nftables transaction");
	nft_table(&g.tx);
	sets_add(&g.tx, udp != NULL);
	for (size_t i = 0; i < RULESET_COUNTER__COUNT; i++)
		add_counter(&g.tx, counter_name[i]);
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
		nft_chain(&g.tx, &chains[i]);
	add_gate_rules(&g);
	add_denied_rules(&g.tx);
	add_outcome_rules(&g.tx);
	add_nat_rules(&g);
	add_local_rules(&g);
	rc = nft_tx_send(&g.tx, fd);
	nft_tx_free(&g.tx);
	return rc < 0 ? nft_explain(rc, e) : 0;
}

static int take_packets(const struct nlmsghdr *nlh, void *data)
{
	struct nftnl_obj *o = nftnl_obj_alloc();
	uint64_t *packets = data;

	if (!o)
		return MNL_CB_ERROR;
	if (nftnl_obj_nlmsg_parse(nlh, o) == 0)
		*packets = nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_PKTS);
	nftnl_obj_free(o);
	return MNL_CB_OK;
}

int ruleset_read_counter(int fd, enum ruleset_counter which,
			 uint64_t *ret_packets)
{
	char buf[4096] __attribute__((aligned(8)));
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nftnl_obj *o = nftnl_obj_alloc();
	struct nlmsghdr *nlh;
	ssize_t n;

	if (!o)
		return -ENOMEM;
	nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETOBJ, NFPROTO_INET, 0, 0);
	nftnl_obj_set_str(o, NFTNL_OBJ_TABLE, NFT_TABLE);
	nftnl_obj_set_str(o, NFTNL_OBJ_NAME, counter_name[which]);
	nftnl_obj_set_u32(o, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
	nftnl_obj_nlmsg_build_payload(nlh, o);
	nftnl_obj_free(o);
	if (sendto(fd, nlh, nlh->nlmsg_len, 0, (struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return -errno;
	n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	return mnl_cb_run(buf, (size_t)n, 0, 0, take_packets, ret_packets) < 0
		       ? -errno
		       : 0;
}
