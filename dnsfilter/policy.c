/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/policy.h"

#include <string.h>

#include "profiles/hostname.h"

/* Asked by browsers to learn whether they may switch to a resolver of their own
 * over HTTPS; a denial keeps them here, whatever the allowlist says. */
#define DOH_CANARY "use-application-dns.net"

static bool is_localhost(const char *name)
{
	static const char local[] = "localhost";
	size_t len = strlen(name);
	size_t n = sizeof(local) - 1;

	if (len < n || strcmp(name + len - n, local) != 0)
		return false;
	return len == n || name[len - n - 1] == '.';
}

enum policy dns_policy_decide(const struct allowlist *al, const char *name,
			      uint16_t type, uint16_t class)
{
	bool is_address = dns_type_is_address(type);
	struct allow_ports ports;

	if (class != DNS_CLASS_IN || type == DNS_TYPE_AXFR ||
	    type == DNS_TYPE_IXFR)
		return POLICY_REFUSE;
	if (is_localhost(name))
		return is_address ? POLICY_LOCALHOST : POLICY_NO_DATA;
	if (name[0] == '\0' || strcmp(name, DOH_CANARY) == 0 ||
	    hostname_looks_like_address(name) ||
	    !allowlist_match(al, name, &ports))
		return POLICY_DENY;
	return is_address || allowlist_has_record_type(al, type)
		       ? POLICY_RESOLVE
		       : POLICY_NO_DATA;
}
