/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Refreshing an element: kernels differ in what adding an existing element
 * does to its time (nothing before 6.12; nothing for an equal timeout since),
 * and deleting a missing one aborts the transaction.  Adding, deleting and
 * adding again in one transaction always ends with a fresh element, and no
 * packet sees a state in between.
 */
#include "netns/sets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include <libnftnl/set.h>

#include "netns/nft.h"
#include "netns/plan.h"
#include "netns/ruleset.h"

const struct set_spec set_specs[SETS__COUNT] = {
	{ "addr4", AF_INET, SET_ADDR },
	{ "addr6", AF_INET6, SET_ADDR },
	{ "port4", AF_INET, SET_PORT },
	{ "port6", AF_INET6, SET_PORT },
	{ "net4", AF_INET, SET_NET },
	{ "net6", AF_INET6, SET_NET },
	{ "udp4", AF_INET, SET_UDP },
	{ "udp6", AF_INET6, SET_UDP },
	{ "udpnet4", AF_INET, SET_UDP_NET },
	{ "udpnet6", AF_INET6, SET_UDP_NET },
};

/* nft(8)'s numbers for its data types, so that it can print the sets. */
#define NFT_TYPE_IPADDR	 7U
#define NFT_TYPE_IP6ADDR 8U
#define NFT_TYPE_SERVICE 13U
#define NFT_TYPE_BITS	 6U

/* Per element and message: key, attributes and headers, generously. */
#define ELEMENT_ROOM 96
/* Intervals in one transaction: the socket's send buffer is limited. */
#define RANGES_PER_TX 400

bool set_has_port(const struct set_spec *s)
{
	return s->kind == SET_PORT || s->kind == SET_UDP;
}

static bool is_interval(const struct set_spec *s)
{
	return s->kind == SET_NET || s->kind == SET_UDP_NET;
}

static uint32_t key_len(const struct set_spec *s)
{
	uint32_t len = s->family == AF_INET ? 4 : 16;

	return set_has_port(s) ? len + 4 : len;
}

static void add_set(struct nft_tx *tx, const struct set_spec *spec, uint32_t id)
{
	struct nftnl_set *s = nftnl_set_alloc();
	uint32_t type =
		spec->family == AF_INET ? NFT_TYPE_IPADDR : NFT_TYPE_IP6ADDR;

	if (!s || nftnl_set_set_str(s, NFTNL_SET_TABLE, NFT_TABLE) < 0 ||
	    nftnl_set_set_str(s, NFTNL_SET_NAME, spec->name) < 0)
		tx->failed = true;
	if (!s)
		return;
	if (set_has_port(spec))
		type = type << NFT_TYPE_BITS | NFT_TYPE_SERVICE;
	nftnl_set_set_u32(s, NFTNL_SET_FAMILY, NFPROTO_INET);
	nftnl_set_set_u32(s, NFTNL_SET_ID, id);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, type);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, key_len(spec));
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS,
			  is_interval(spec) ? NFT_SET_INTERVAL
					    : NFT_SET_TIMEOUT);
	if (!is_interval(spec))
		nftnl_set_set_u32(s, NFTNL_SET_DESC_SIZE, ELEMENTS_MAX);
	nftnl_set_nlmsg_build_payload(
		nft_tx_msg(tx, NFT_MSG_NEWSET, NLM_F_CREATE), s);
	nft_tx_next(tx);
	nftnl_set_free(s);
}

void sets_add(struct nft_tx *tx, bool udp)
{
	for (uint32_t i = 0; i < (udp ? SETS__COUNT : SETS__TCP); i++)
		add_set(tx, &set_specs[i], i + 1);
}

static struct nftnl_set *elements_of(struct nft_tx *tx,
				     const struct set_spec *spec)
{
	struct nftnl_set *s = nftnl_set_alloc();

	if (!s || nftnl_set_set_str(s, NFTNL_SET_TABLE, NFT_TABLE) < 0 ||
	    nftnl_set_set_str(s, NFTNL_SET_NAME, spec->name) < 0)
		tx->failed = true;
	return s;
}

static void add_element(struct nft_tx *tx, struct nftnl_set *s, const void *key,
			size_t len, uint64_t timeout_ms, uint32_t flags)
{
	struct nftnl_set_elem *x = s ? nftnl_set_elem_alloc() : NULL;

	if (!x ||
	    nftnl_set_elem_set(x, NFTNL_SET_ELEM_KEY, key, (uint32_t)len) < 0) {
		tx->failed = true;
		if (x)
			nftnl_set_elem_free(x);
		return;
	}
	if (timeout_ms)
		nftnl_set_elem_set_u64(x, NFTNL_SET_ELEM_TIMEOUT, timeout_ms);
	if (flags)
		nftnl_set_elem_set_u32(x, NFTNL_SET_ELEM_FLAGS, flags);
	nftnl_set_elem_add(s, x);
}

static void put_elements(struct nft_tx *tx, struct nftnl_set *s, uint16_t type,
			 uint16_t flags)
{
	nftnl_set_elems_nlmsg_build_payload(nft_tx_msg(tx, type, flags), s);
	nft_tx_next(tx);
}

static bool belongs(const struct ruleset_element *el,
		    const struct set_spec *spec)
{
	enum set_kind kind = el->udp ? SET_UDP : el->port ? SET_PORT : SET_ADDR;

	return el->addr.family == spec->family && spec->kind == kind;
}

/* The elements of one set: add, delete, add. */
static void refresh_set(struct nft_tx *tx, const struct set_spec *spec,
			const struct ruleset_element *elements, size_t n)
{
	struct nftnl_set *fresh = elements_of(tx, spec);
	struct nftnl_set *bare = elements_of(tx, spec);
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		const struct ruleset_element *el = &elements[i];
		size_t len = addr_len(&el->addr);
		uint16_t port = htons(el->port);
		uint8_t key[20] = { 0 };

		if (!belongs(el, spec))
			continue;
		memcpy(key, el->addr.bytes, len);
		memcpy(key + len, &port, sizeof(port));
		add_element(tx, fresh, key, key_len(spec), el->timeout_ms, 0);
		add_element(tx, bare, key, key_len(spec), 0, 0);
		any = true;
	}
	if (any && !tx->failed) {
		put_elements(tx, fresh, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
		put_elements(tx, bare, NFT_MSG_DELSETELEM, 0);
		put_elements(tx, fresh, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	}
	if (fresh)
		nftnl_set_free(fresh);
	if (bare)
		nftnl_set_free(bare);
}

int ruleset_admit(int fd, const struct ruleset_element *elements, size_t n)
{
	struct nft_tx tx;
	int rc;

	if (n == 0)
		return 0;
	rc = nft_tx_begin(&tx, 4096 + 3 * n * ELEMENT_ROOM);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < SETS__COUNT; i++)
		if (!is_interval(&set_specs[i]))
			refresh_set(&tx, &set_specs[i], elements, n);
	rc = nft_tx_send(&tx, fd);
	nft_tx_free(&tx);
	return rc;
}

/* The first address behind a; false if there is none. */
static bool next_address(const struct addr *a, struct addr *ret)
{
	*ret = *a;
	for (size_t i = addr_len(a); i-- > 0;)
		if (++ret->bytes[i] != 0)
			return true;
	return false;
}

static int add_range_chunk(int fd, const struct set_spec *spec,
			   const struct addr_range *ranges, size_t n)
{
	struct nft_tx tx;
	struct nftnl_set *s;
	int rc = nft_tx_begin(&tx, 4096 + 2 * n * ELEMENT_ROOM);

	if (rc < 0)
		return rc;
	s = elements_of(&tx, spec);
	for (size_t i = 0; i < n; i++) {
		struct addr end;

		add_element(&tx, s, ranges[i].first.bytes, key_len(spec), 0, 0);
		if (next_address(&ranges[i].last, &end))
			add_element(&tx, s, end.bytes, key_len(spec), 0,
				    NFT_SET_ELEM_INTERVAL_END);
	}
	if (s && !tx.failed)
		put_elements(&tx, s, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	if (s)
		nftnl_set_free(s);
	rc = nft_tx_send(&tx, fd);
	nft_tx_free(&tx);
	return rc;
}

int ruleset_add_ranges(int fd, int family, bool udp,
		       const struct addr_range *ranges, size_t n, struct err *e)
{
	const struct set_spec *spec =
		&set_specs[(udp ? 8 : 4) + (family == AF_INET ? 0 : 1)];

	for (size_t i = 0; i < n; i += RANGES_PER_TX) {
		size_t chunk = n - i < RANGES_PER_TX ? n - i : RANGES_PER_TX;
		int rc = add_range_chunk(fd, spec, ranges + i, chunk);

		if (rc < 0)
			return err_errno(e, -rc, "admit the literal networks");
	}
	return 0;
}
