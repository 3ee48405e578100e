/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The literal networks of the allowlist as the ranges that the gate's interval
 * sets take: sorted and merged; ports and what is denied are left to the
 * monitor's own check. */
#ifndef LAUNCHER_NETWORKS_H
#define LAUNCHER_NETWORKS_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "profiles/allowlist.h"

int networks_install(const struct allowlist *al, int nft_fd, struct err *e);

/* The UDP ports that networks open; returns how many. */
size_t networks_udp_ports(const struct allowlist *al,
			  uint16_t ret[static ALLOW_UDP_ALL]);

#endif
