/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <linux/netlink.h>

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>

#include "common/uninit.h"
#include "netns/plan.h"

/* libmnl wants slack behind the limit for the message that overruns it. */
#define BATCH_SLACK 8192

int nft_open(int *ret_fd, struct err *e)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };

	if (fd < 0)
		return err_errno(e, errno, "open a netfilter netlink socket");
	if (bind(fd, (struct sockaddr *)&nl, sizeof(nl)) < 0) {
		int code = errno;

		(void)close(fd);
		return err_errno(e, code, "bind a netfilter netlink socket");
	}
	*ret_fd = fd;
	return 0;
}

int nft_tx_begin(struct nft_tx *tx, size_t room)
{
	memset(tx, 0, sizeof(*tx));
	tx->buf = malloc(room + BATCH_SLACK);
	if (!tx->buf)
		return -ENOMEM;
	tx->batch = mnl_nlmsg_batch_start(tx->buf, room);
	if (!tx->batch) {
		free(tx->buf);
		return -ENOMEM;
	}
	tx->seq = 1;
	nftnl_batch_begin(mnl_nlmsg_batch_current(tx->batch), tx->seq++);
	nft_tx_next(tx);
	return 0;
}

void nft_tx_free(struct nft_tx *tx)
{
	mnl_nlmsg_batch_stop(tx->batch);
	free(tx->buf);
}

struct nlmsghdr *nft_tx_msg(struct nft_tx *tx, uint16_t type, uint16_t flags)
{
	tx->last = nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(tx->batch),
					 type, NFPROTO_INET, flags, tx->seq++);
	return tx->last;
}

void nft_tx_next(struct nft_tx *tx)
{
	if (!mnl_nlmsg_batch_next(tx->batch))
		tx->failed = true;
}

/* Takes every answer that is queued: the kernel has processed the whole
 * transaction when sendto() returns. */
static int collect_answers(int fd)
{
	uninit char buf[16384] __attribute__((aligned(8)));
	int result = -ENOMSG;

	for (;;) {
		ssize_t got = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		int left = (int)got;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? result : -errno;
		for (struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
		     mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left)) {
			const struct nlmsgerr *answer =
				mnl_nlmsg_get_payload(nlh);

			if (nlh->nlmsg_type != NLMSG_ERROR)
				continue;
			if (result == -ENOMSG || result == 0)
				result = answer->error;
		}
	}
}

int nft_tx_send(struct nft_tx *tx, int fd)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t n;

	if (tx->failed)
		return -ENOMEM;
	if (!tx->last)
		return 0;
	/* Messages that fail are answered without being asked; the end of a
	 * batch itself is answered only since Linux 6.10. */
	tx->last->nlmsg_flags |= NLM_F_ACK;
	nftnl_batch_end(mnl_nlmsg_batch_current(tx->batch), tx->seq++);
	nft_tx_next(tx);
	if (tx->failed)
		return -ENOMEM;
	do
		n = sendto(fd, mnl_nlmsg_batch_head(tx->batch),
			   mnl_nlmsg_batch_size(tx->batch), 0,
			   (struct sockaddr *)&kernel, sizeof(kernel));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : collect_answers(fd);
}

struct nftnl_rule *nft_rule(struct nft_tx *tx, const char *chain)
{
	struct nftnl_rule *r = nftnl_rule_alloc();

	if (!r || nftnl_rule_set_str(r, NFTNL_RULE_TABLE, NFT_TABLE) < 0 ||
	    nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain) < 0)
		tx->failed = true;
	return r;
}

void nft_rule_add(struct nft_tx *tx, struct nftnl_rule *r)
{
	struct nlmsghdr *nlh;

	if (!r)
		return;
	nlh = nft_tx_msg(tx, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	nftnl_rule_nlmsg_build_payload(nlh, r);
	nft_tx_next(tx);
	nftnl_rule_free(r);
}

static struct nftnl_expr *expr(struct nft_tx *tx, struct nftnl_rule *r,
			       const char *name)
{
	struct nftnl_expr *x = r ? nftnl_expr_alloc(name) : NULL;

	if (x)
		nftnl_rule_add_expr(r, x);
	else
		tx->failed = true;
	return x;
}

static void set_u32(struct nftnl_expr *x, uint16_t attr, uint32_t value)
{
	if (x)
		nftnl_expr_set_u32(x, attr, value);
}

static void load_meta(struct nft_tx *tx, struct nftnl_rule *r, uint32_t key)
{
	struct nftnl_expr *x = expr(tx, r, "meta");

	set_u32(x, NFTNL_EXPR_META_KEY, key);
	set_u32(x, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

static void load_payload(struct nft_tx *tx, struct nftnl_rule *r, uint32_t base,
			 uint32_t offset, uint32_t len, uint32_t reg)
{
	struct nftnl_expr *x = expr(tx, r, "payload");

	set_u32(x, NFTNL_EXPR_PAYLOAD_BASE, base);
	set_u32(x, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	set_u32(x, NFTNL_EXPR_PAYLOAD_LEN, len);
	set_u32(x, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

static void compare(struct nft_tx *tx, struct nftnl_rule *r, uint32_t op,
		    const void *data, size_t len)
{
	struct nftnl_expr *x = expr(tx, r, "cmp");

	set_u32(x, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	set_u32(x, NFTNL_EXPR_CMP_OP, op);
	if (x &&
	    nftnl_expr_set(x, NFTNL_EXPR_CMP_DATA, data, (uint32_t)len) < 0)
		tx->failed = true;
}

static void mask(struct nft_tx *tx, struct nftnl_rule *r, const void *bits,
		 uint32_t len)
{
	static const uint8_t zero[16];
	struct nftnl_expr *x = expr(tx, r, "bitwise");

	set_u32(x, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	set_u32(x, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	set_u32(x, NFTNL_EXPR_BITWISE_LEN, len);
	if (x && (nftnl_expr_set(x, NFTNL_EXPR_BITWISE_MASK, bits, len) < 0 ||
		  nftnl_expr_set(x, NFTNL_EXPR_BITWISE_XOR, zero, len) < 0))
		tx->failed = true;
}

static void match_ifname(struct nft_tx *tx, struct nftnl_rule *r, uint32_t key,
			 uint32_t op, const char *ifname)
{
	load_meta(tx, r, key);
	/* With the NUL: the whole name, not a prefix. */
	compare(tx, r, op, ifname, strlen(ifname) + 1);
}

void nft_match_iif(struct nft_tx *tx, struct nftnl_rule *r, uint32_t op,
		   const char *ifname)
{
	match_ifname(tx, r, NFT_META_IIFNAME, op, ifname);
}

void nft_match_oif(struct nft_tx *tx, struct nftnl_rule *r, const char *ifname)
{
	match_ifname(tx, r, NFT_META_OIFNAME, NFT_CMP_EQ, ifname);
}

void nft_match_family(struct nft_tx *tx, struct nftnl_rule *r, int family)
{
	uint8_t nfproto = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

	load_meta(tx, r, NFT_META_NFPROTO);
	compare(tx, r, NFT_CMP_EQ, &nfproto, sizeof(nfproto));
}

void nft_match_l4(struct nft_tx *tx, struct nftnl_rule *r, uint8_t protocol)
{
	load_meta(tx, r, NFT_META_L4PROTO);
	compare(tx, r, NFT_CMP_EQ, &protocol, sizeof(protocol));
}

/* Offsets of the source and destination address in either IP header. */
static void load_address(struct nft_tx *tx, struct nftnl_rule *r, int family,
			 bool destination)
{
	uint32_t len = family == AF_INET ? 4 : 16;
	uint32_t source_at = family == AF_INET ? 12 : 8;

	load_payload(tx, r, NFT_PAYLOAD_NETWORK_HEADER,
		     source_at + (destination ? len : 0), len, NFT_REG_1);
}

void nft_match_saddr(struct nft_tx *tx, struct nftnl_rule *r, uint32_t op,
		     const struct addr *a)
{
	nft_match_family(tx, r, a->family);
	load_address(tx, r, a->family, false);
	compare(tx, r, op, a->bytes, addr_len(a));
}

void nft_match_daddr(struct nft_tx *tx, struct nftnl_rule *r,
		     const struct addr *a)
{
	nft_match_family(tx, r, a->family);
	load_address(tx, r, a->family, true);
	compare(tx, r, NFT_CMP_EQ, a->bytes, addr_len(a));
}

void nft_match_dport(struct nft_tx *tx, struct nftnl_rule *r, uint16_t port)
{
	uint16_t wire = htons(port);

	load_payload(tx, r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, NFT_REG_1);
	compare(tx, r, NFT_CMP_EQ, &wire, sizeof(wire));
}

void nft_match_dports(struct nft_tx *tx, struct nftnl_rule *r, uint16_t first,
		      uint16_t last)
{
	uint16_t lo = htons(first);
	uint16_t hi = htons(last);

	/* In network order bytes compare as numbers. */
	load_payload(tx, r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, NFT_REG_1);
	compare(tx, r, NFT_CMP_GTE, &lo, sizeof(lo));
	compare(tx, r, NFT_CMP_LTE, &hi, sizeof(hi));
}

void nft_match_icmp6_type(struct nft_tx *tx, struct nftnl_rule *r, uint8_t lo,
			  uint8_t hi)
{
	nft_match_l4(tx, r, IPPROTO_ICMPV6);
	load_payload(tx, r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, NFT_REG_1);
	compare(tx, r, NFT_CMP_GTE, &lo, sizeof(lo));
	compare(tx, r, NFT_CMP_LTE, &hi, sizeof(hi));
}

void nft_match_syn(struct nft_tx *tx, struct nftnl_rule *r)
{
	static const uint8_t fin_syn_rst_ack = 0x17;
	static const uint8_t syn = 0x02;

	nft_match_l4(tx, r, IPPROTO_TCP);
	load_payload(tx, r, NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, NFT_REG_1);
	mask(tx, r, &fin_syn_rst_ack, 1);
	compare(tx, r, NFT_CMP_EQ, &syn, sizeof(syn));
}

void nft_match_ct_state(struct nft_tx *tx, struct nftnl_rule *r, uint32_t state)
{
	static const uint32_t zero;
	struct nftnl_expr *x = expr(tx, r, "ct");

	set_u32(x, NFTNL_EXPR_CT_KEY, NFT_CT_STATE);
	set_u32(x, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	mask(tx, r, &state, sizeof(state));
	compare(tx, r, NFT_CMP_NEQ, &zero, sizeof(zero));
}

void nft_match_mark(struct nft_tx *tx, struct nftnl_rule *r, uint32_t mark)
{
	load_meta(tx, r, NFT_META_MARK);
	compare(tx, r, NFT_CMP_EQ, &mark, sizeof(mark));
}

void nft_match_daddr_set(struct nft_tx *tx, struct nftnl_rule *r, int family,
			 bool with_port, const char *set, uint32_t set_id)
{
	struct nftnl_expr *x;

	nft_match_family(tx, r, family);
	load_address(tx, r, family, true);
	if (with_port) /* the 32-bit register right behind the address */
		load_payload(tx, r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2,
			     NFT_REG32_00 + (family == AF_INET ? 1 : 4));
	x = expr(tx, r, "lookup");
	set_u32(x, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	set_u32(x, NFTNL_EXPR_LOOKUP_SET_ID, set_id);
	if (x && nftnl_expr_set_str(x, NFTNL_EXPR_LOOKUP_SET, set) < 0)
		tx->failed = true;
}

void nft_count(struct nft_tx *tx, struct nftnl_rule *r, const char *counter)
{
	struct nftnl_expr *x = expr(tx, r, "objref");

	set_u32(x, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	if (x && nftnl_expr_set_str(x, NFTNL_EXPR_OBJREF_IMM_NAME, counter) < 0)
		tx->failed = true;
}

void nft_limit(struct nft_tx *tx, struct nftnl_rule *r, uint64_t per_second,
	       uint32_t burst)
{
	struct nftnl_expr *x = expr(tx, r, "limit");

	if (!x)
		return;
	nftnl_expr_set_u64(x, NFTNL_EXPR_LIMIT_RATE, per_second);
	nftnl_expr_set_u64(x, NFTNL_EXPR_LIMIT_UNIT, 1);
	set_u32(x, NFTNL_EXPR_LIMIT_BURST, burst);
	set_u32(x, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
}

void nft_log(struct nft_tx *tx, struct nftnl_rule *r, uint16_t group,
	     uint32_t snaplen)
{
	struct nftnl_expr *x = expr(tx, r, "log");

	if (x)
		nftnl_expr_set_u16(x, NFTNL_EXPR_LOG_GROUP, group);
	set_u32(x, NFTNL_EXPR_LOG_SNAPLEN, snaplen);
}

void nft_reject(struct nft_tx *tx, struct nftnl_rule *r, uint32_t type,
		uint8_t code)
{
	struct nftnl_expr *x = expr(tx, r, "reject");

	set_u32(x, NFTNL_EXPR_REJECT_TYPE, type);
	if (x)
		nftnl_expr_set_u8(x, NFTNL_EXPR_REJECT_CODE, code);
}

void nft_verdict(struct nft_tx *tx, struct nftnl_rule *r, int verdict,
		 const char *chain)
{
	struct nftnl_expr *x = expr(tx, r, "immediate");

	set_u32(x, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	set_u32(x, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
	if (x && chain &&
	    nftnl_expr_set_str(x, NFTNL_EXPR_IMM_CHAIN, chain) < 0)
		tx->failed = true;
}

static void load_immediate(struct nft_tx *tx, struct nftnl_rule *r,
			   uint32_t reg, const void *data, size_t len)
{
	struct nftnl_expr *x = expr(tx, r, "immediate");

	set_u32(x, NFTNL_EXPR_IMM_DREG, reg);
	if (x &&
	    nftnl_expr_set(x, NFTNL_EXPR_IMM_DATA, data, (uint32_t)len) < 0)
		tx->failed = true;
}

void nft_dnat(struct nft_tx *tx, struct nftnl_rule *r, const struct addr *to,
	      uint16_t port)
{
	uint16_t wire = htons(port);
	struct nftnl_expr *x;

	load_immediate(tx, r, NFT_REG_1, to->bytes, addr_len(to));
	load_immediate(tx, r, NFT_REG_2, &wire, sizeof(wire));
	x = expr(tx, r, "nat");
	set_u32(x, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	set_u32(x, NFTNL_EXPR_NAT_FAMILY,
		to->family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
	set_u32(x, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
	set_u32(x, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFT_REG_2);
}

void nft_queue(struct nft_tx *tx, struct nftnl_rule *r, uint16_t queue,
	       bool native)
{
	struct nftnl_expr *x = expr(tx, r, native ? "queue" : "target");
	struct {
		struct xt_NFQ_info_v3 info;
		uint16_t pad; /* XT_ALIGN: to 8 bytes */
	} * target;

	if (!x)
		return;
	if (native) {
		nftnl_expr_set_u16(x, NFTNL_EXPR_QUEUE_NUM, queue);
		nftnl_expr_set_u16(x, NFTNL_EXPR_QUEUE_TOTAL, 1);
		return;
	}
	target = calloc(1, sizeof(*target)); /* the expression takes it over */
	if (!target ||
	    nftnl_expr_set_str(x, NFTNL_EXPR_TG_NAME, "NFQUEUE") < 0) {
		free(target);
		tx->failed = true;
		return;
	}
	target->info = (struct xt_NFQ_info_v3) { .queuenum = queue,
						 .queues_total = 1 };
	set_u32(x, NFTNL_EXPR_TG_REV, 3);
	if (nftnl_expr_set(x, NFTNL_EXPR_TG_INFO, target, sizeof(*target)) < 0)
		tx->failed = true;
}
