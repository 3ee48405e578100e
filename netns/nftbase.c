/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables and chains, and what this kernel's nftables can do. */
#include "netns/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/table.h>

#include "netns/plan.h"

void nft_table(struct nft_tx *tx)
{
	struct nftnl_table *t = nftnl_table_alloc();

	if (!t || nftnl_table_set_str(t, NFTNL_TABLE_NAME, NFT_TABLE) < 0)
		tx->failed = true;
	if (t) {
		nftnl_table_nlmsg_build_payload(
			nft_tx_msg(tx, NFT_MSG_NEWTABLE, NLM_F_CREATE), t);
		nft_tx_next(tx);
		nftnl_table_free(t);
	}
}

void nft_chain(struct nft_tx *tx, const struct nft_chain_spec *spec)
{
	struct nftnl_chain *c = nftnl_chain_alloc();

	if (!c || nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, NFT_TABLE) < 0 ||
	    nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, spec->name) < 0)
		tx->failed = true;
	if (!c)
		return;
	if (spec->type) {
		if (nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, spec->type) < 0)
			tx->failed = true;
		nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, spec->hook);
		nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, spec->priority);
		nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, spec->policy);
	}
	nftnl_chain_nlmsg_build_payload(
		nft_tx_msg(tx, NFT_MSG_NEWCHAIN, NLM_F_CREATE), c);
	nft_tx_next(tx);
	nftnl_chain_free(c);
}

bool nft_has_nfqueue_target(int fd)
{
	char buf[1024] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nfgenmsg *nfg;
	bool found = false;

	nlh->nlmsg_type = NFNL_SUBSYS_NFT_COMPAT << 8 | NFNL_MSG_COMPAT_GET;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_INET;
	mnl_attr_put_strz(nlh, NFTA_COMPAT_NAME, "NFQUEUE");
	mnl_attr_put_u32(nlh, NFTA_COMPAT_REV, htonl(3));
	mnl_attr_put_u32(nlh, NFTA_COMPAT_TYPE, htonl(1)); /* a target */
	if (sendto(fd, nlh, nlh->nlmsg_len, 0, (struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return false;
	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		const struct nlmsghdr *answer = (const void *)buf;

		if (n < (ssize_t)sizeof(*answer))
			return found;
		if (answer->nlmsg_type != NLMSG_ERROR)
			found = true;
	}
}

int nft_explain(int rc, struct err *e)
{
	if (rc == -ENOENT || rc == -EOPNOTSUPP || rc == -EPROTONOSUPPORT)
		return err_set(
			e, -rc,
			"this kernel lacks an nftables feature that the gate "
			"needs; load as root with 'modprobe -a nf_tables "
			"nft_ct nft_nat nft_chain_nat nft_log nft_limit "
			"nft_objref nft_reject_inet nft_compat xt_NFQUEUE "
			"nft_queue nfnetlink_queue nfnetlink_log' (%s)",
			strerror(-rc));
	return err_errno(e, -rc, "install the nftables rules");
}
