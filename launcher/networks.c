/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/networks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "netns/ruleset.h"
#include "profiles/allowlist.h"

static struct addr_range range_of(const struct allow_network *net)
{
	struct addr_range r = { net->base, net->base };

	for (unsigned bit = net->prefix_len; bit < addr_len(&net->base) * 8;
	     bit++)
		r.last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return r;
}

static int by_first(const void *x, const void *y)
{
	const struct addr_range *a = x;
	const struct addr_range *b = y;

	return memcmp(a->first.bytes, b->first.bytes, sizeof(a->first.bytes));
}

/* True if b begins inside a or right behind it. */
static bool touches(const struct addr_range *a, const struct addr_range *b)
{
	struct addr next = a->last;

	for (size_t i = addr_len(&next); i-- > 0;)
		if (++next.bytes[i] != 0)
			break;
	return memcmp(b->first.bytes, a->last.bytes, 16) <= 0 ||
	       memcmp(b->first.bytes, next.bytes, 16) == 0;
}

static size_t merge(struct addr_range *ranges, size_t n)
{
	size_t used = 0;

	qsort(ranges, n, sizeof(*ranges), by_first);
	for (size_t i = 0; i < n; i++) {
		struct addr_range *top = used ? &ranges[used - 1] : NULL;

		if (!top || !touches(top, &ranges[i]))
			ranges[used++] = ranges[i];
		else if (memcmp(ranges[i].last.bytes, top->last.bytes, 16) > 0)
			top->last = ranges[i].last;
	}
	return used;
}

static int install(const struct allowlist *al, int nft_fd, bool udp,
		   struct err *e)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	size_t total = allowlist_n_networks(al);
	cleanup_free struct addr_range *ranges = NULL;
	int rc = 0;

	if (total == 0)
		return 0;
	ranges = calloc(total, sizeof(*ranges));
	if (!ranges)
		return err_errno(e, ENOMEM, "literal networks");
	for (size_t f = 0; rc == 0 && f < 2; f++) {
		size_t n = 0;

		for (size_t i = 0; i < total; i++) {
			const struct allow_network *net =
				allowlist_network(al, i);

			if (net->base.family == families[f] && net->udp == udp)
				ranges[n++] = range_of(net);
		}
		rc = ruleset_add_ranges(nft_fd, families[f], udp, ranges,
					merge(ranges, n), e);
	}
	return rc;
}

int networks_install(const struct allowlist *al, int nft_fd, struct err *e)
{
	int rc = install(al, nft_fd, false, e);

	return rc < 0 ? rc : install(al, nft_fd, true, e);
}

size_t networks_udp_ports(const struct allowlist *al,
			  uint16_t ret[static ALLOW_UDP_ALL])
{
	const uint16_t *all;
	size_t n_all = allowlist_udp_ports(al, &all);
	size_t n = 0;

	for (size_t p = 0; p < n_all; p++) {
		bool has = false;

		for (size_t i = 0; !has && i < allowlist_n_networks(al); i++) {
			const struct allow_network *net =
				allowlist_network(al, i);

			has = net->udp && net->port == all[p];
		}
		if (has)
			ret[n++] = all[p];
	}
	return n;
}
