/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table, in the agent's netns (G has another of the same name):
 *
 *   table inet egress_run {
 *     chain loop { type filter hook output priority mangle; policy accept;
 *       syn ip daddr 127.0.0.1 tcp dport FIRST-LAST queue   (ip6 ::1 likewise)
 *     }
 *     chain nat { type nat hook output priority dstnat;
 *       mark RELAY tcp dnat to 127.0.0.1:RELAY              (ip6 ::1 likewise)
 *     }
 *   }
 *
 * A command with capabilities in its namespaces may change it.  That opens
 * nothing: the relay resets what the monitor has not announced, and the
 * monitor checks each port by its own list.
 */
#include "netns/loopback.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include "common/addr.h"
#include "common/fd.h"
#include "netns/nft.h"
#include "netns/plan.h"
#include "netns/queue.h"
#include "netns/sockets.h"

/* A rule is about 700 bytes. */
#define BASE_ROOM 8192
#define RULE_ROOM 1024

static const struct nft_chain_spec chains[] = {
	{ "loop", "filter", NF_INET_LOCAL_OUT, NF_IP_PRI_MANGLE, NF_ACCEPT },
	{ "nat", "nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST, NF_ACCEPT },
};

static void add_queue_rule(struct nft_tx *tx, const struct addr *loopback,
			   const struct loopback_range *range, bool native)
{
	struct nftnl_rule *r = nft_rule(tx, "loop");

	nft_match_daddr(tx, r, loopback);
	nft_match_syn(tx, r);
	nft_match_dports(tx, r, range->first, range->last);
	nft_queue(tx, r, SYN_QUEUE, native);
	nft_rule_add(tx, r);
}

static void add_relay_rule(struct nft_tx *tx, const struct addr *loopback,
			   uint16_t port)
{
	struct nftnl_rule *r = nft_rule(tx, "nat");

	nft_match_family(tx, r, loopback->family);
	nft_match_l4(tx, r, IPPROTO_TCP);
	nft_match_mark(tx, r, SYN_MARK_RELAY);
	nft_dnat(tx, r, loopback, port);
	nft_rule_add(tx, r);
}

static int install(const struct loopback_range *ranges, size_t n,
		   uint16_t relay_port, struct err *e)
{
	struct addr loopback[2];
	struct nft_tx tx;
	cleanup_fd int fd = -1;
	bool native;
	int rc = nft_open(&fd, e);

	if (rc < 0)
		return rc;
	if (!addr_parse("127.0.0.1", &loopback[0]) ||
	    !addr_parse("::1", &loopback[1]))
		return err_errno(e, EINVAL, "loopback addresses");
	native = !nft_has_nfqueue_target(fd);
	rc = nft_tx_begin(&tx, BASE_ROOM + 2 * n * RULE_ROOM);
	if (rc < 0)
		return err_errno(e, -rc, "nftables transaction");
	nft_table(&tx);
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
		nft_chain(&tx, &chains[i]);
	for (size_t f = 0; f < 2; f++) {
		for (size_t i = 0; i < n; i++)
			add_queue_rule(&tx, &loopback[f], &ranges[i], native);
		add_relay_rule(&tx, &loopback[f], relay_port);
	}
	rc = nft_tx_send(&tx, fd);
	nft_tx_free(&tx);
	return rc < 0 ? nft_explain(rc, e) : 0;
}

int loopback_open(const struct loopback_range *ranges, size_t n,
		  struct loopback_fds *ret, struct err *e)
{
	uint16_t port = 0;
	int rc = sockets_listen_relay("lo", &ret->relay4, &ret->relay6, &port,
				      e);

	if (rc == 0)
		rc = install(ranges, n, port, e);
	return rc < 0 ? rc : queue_open_syn(&ret->syn, e);
}
