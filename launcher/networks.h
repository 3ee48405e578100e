/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The literal networks of the allowlist as the ranges that the gate's interval
 * sets take: sorted and merged; ports and what is denied are left to the
 * monitor's own check. */
#ifndef LAUNCHER_NETWORKS_H
#define LAUNCHER_NETWORKS_H

#include "common/err.h"

struct allowlist;

int networks_install(const struct allowlist *al, int nft_fd, struct err *e);

#endif
