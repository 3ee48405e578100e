/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to do with a question: depends on nothing but the question and the
 * allowlist. */
#ifndef DNSFILTER_POLICY_H
#define DNSFILTER_POLICY_H

#include "dnsfilter/message.h"
#include "profiles/allowlist.h"

enum policy {
	POLICY_RESOLVE,	  /* addresses of an allowed name, or records that
			   * the profile says */
	POLICY_NO_DATA,	  /* another type: nothing, without asking upstream */
	POLICY_LOCALHOST, /* RFC 6761 6.3 */
	POLICY_DENY,	  /* no host name, or not on the allowlist */
	POLICY_REFUSE,	  /* zone transfers; classes other than IN */
	POLICY__COUNT,
};

/* name is canonical, "" if the question's name is no host name. */
enum policy dns_policy_decide(const struct allowlist *al, const char *name,
			      uint16_t type, uint16_t class);

#endif
