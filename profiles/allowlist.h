/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compiled allowlist: what names and literal networks, on which ports, and
 * what is denied whatever allows it.  Look-up time depends on the number of
 * labels of the name asked, not on the length of the list.  Immutable after
 * the start; shared by fork.
 *
 * Patterns: "x.y" that name; "*.x.y" every name below it at any depth, not
 * x.y itself; "*" every name.  A suffix ":PORT" limits the entry to that TCP
 * port.  Without one every TCP port is allowed (or the whole name denied).
 * ":PORT/udp" is that UDP port and nothing else; there is no entry for all.
 */
#ifndef PROFILES_ALLOWLIST_H
#define PROFILES_ALLOWLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"

#define ALLOW_PORTS_MAX 64 /* of one name, allowed or denied */
#define ALLOW_UDP_MAX	16 /* the same for UDP */
#define ALLOW_UDP_ALL	64 /* distinct UDP ports that are open anywhere */

struct allowlist;

/* What the entries that match one name permit together. */
struct allow_ports {
	bool any; /* every port but the denied ones; then n is 0 */
	size_t n; /* distinct ports, sorted; none of them is denied */
	uint16_t port[ALLOW_PORTS_MAX];
	size_t n_denied; /* the same for the denied ones */
	uint16_t denied[ALLOW_PORTS_MAX];
	size_t n_udp; /* the same for UDP, of which there is no `any` */
	uint16_t udp[ALLOW_UDP_MAX];
	size_t n_denied_udp;
	uint16_t denied_udp[ALLOW_UDP_MAX];
	const char *rule; /* text of the most specific entry; borrowed */
	/* That of the entry that denies the whole name, or NULL.  Filled also
	 * if nothing allows it. */
	const char *deny_rule;
};

struct allow_network {
	struct addr base;    /* host bits are zero */
	unsigned prefix_len; /* bits */
	uint16_t port;	     /* 0: any (of TCP; of a denial, any at all) */
	bool udp;	     /* the port is of UDP */
	const char *text;    /* as given; borrowed */
};

int allowlist_new(struct allowlist **ret, struct err *e);
void allowlist_free(struct allowlist *al); /* NULL is fine */

/* One PATTERN as above.  -EINVAL with a message that quotes the pattern, says
 * what is wrong and what would be right.  Adding an entry twice is fine. */
int allowlist_add_domain(struct allowlist *al, const char *pattern,
			 struct err *e);
/* ADDRESS[/PREFIX][:PORT[/udp]]; IPv6 with a port needs brackets:
 * [2001:db8::/32]:443 or [2001:db8::1]:443.  Host bits must be zero.  An
 * address that addr_never() names, or a network inside such a range, is an
 * error. */
int allowlist_add_address(struct allowlist *al, const char *text,
			  struct err *e);

/* The same for an entry of a profile, read as nono reads it: "*x.y" is every
 * name that ends so, "*.com" is accepted, a '*' elsewhere matches nothing, an
 * address literal allows that one address.  note->msg is empty on entry, and
 * filled if the entry means less, or more, than its writer may think. */
int allowlist_add_profile_domain(struct allowlist *al, const char *text,
				 struct err *note, struct err *e);

/* A pattern, or ADDRESS[/PREFIX][:PORT[/udp]]; denies it whatever allows it.
 * With a port only that port: the name then resolves.  What is never permitted
 * may be denied too. */
int allowlist_add_denied(struct allowlist *al, const char *text, struct err *e);
int allowlist_add_profile_denied(struct allowlist *al, const char *text,
				 struct err *note, struct err *e);

/* A pattern without a port, or ADDRESS[/PREFIX]: answers with private addresses
 * (addr_private()) are fine for these names, or within this network for every
 * name.  Allows no name and no address by itself. */
int allowlist_add_private(struct allowlist *al, const char *text,
			  struct err *e);

/* "TXT" ...: records of allowed names that are looked up besides addresses.
 * -EINVAL with a message that lists them. */
int allowlist_add_record_type(struct allowlist *al, const char *word,
			      struct err *e);
bool allowlist_has_record_type(const struct allowlist *al, uint16_t type);

/* Nothing is added after this: makes look-ups in a long list faster. */
int allowlist_seal(struct allowlist *al, struct err *e);

/* name is canonical (hostname.h).  False if nothing matches, or if the name is
 * denied on every port. */
bool allowlist_match(const struct allowlist *al, const char *name,
		     struct allow_ports *ret);
/* True if an entry that matches name is limited to this port, whatever others
 * say; of a name that allowlist_match() allows. */
bool allowlist_names_port(const struct allowlist *al, const char *name,
			  uint16_t port);
bool allow_ports_has(const struct allow_ports *p, uint16_t port);

/* The literal networks.  The first that holds a:port, or NULL; NULL also if
 * a:port is denied. */
const struct allow_network *allowlist_match_address(const struct allowlist *al,
						    const struct addr *a,
						    uint16_t port);
/* The first entry that denies a:port, or NULL.  Port 0 asks whether every port
 * is denied by one entry. */
const struct allow_network *allowlist_denies_address(const struct allowlist *al,
						     const struct addr *a,
						     uint16_t port);

/* False if name must not lead to a: it is private, and neither an entry of
 * allowlist_add_private() nor a literal network without a port says that it
 * may. */
bool allowlist_may_resolve(const struct allowlist *al, const char *name,
			   const struct addr *a);

/* The same for UDP. */
bool allow_ports_has_udp(const struct allow_ports *p, uint16_t port);
const struct allow_network *
allowlist_match_address_udp(const struct allowlist *al, const struct addr *a,
			    uint16_t port);
const struct allow_network *
allowlist_denies_address_udp(const struct allowlist *al, const struct addr *a,
			     uint16_t port);
/* The distinct UDP ports that any entry opens; *ret is borrowed.  At most
 * ALLOW_UDP_ALL. */
size_t allowlist_udp_ports(const struct allowlist *al, const uint16_t **ret);

/* Of both protocols. */
size_t allowlist_n_networks(const struct allowlist *al);
const struct allow_network *allowlist_network(const struct allowlist *al,
					      size_t i);
size_t allowlist_n_domains(const struct allowlist *al);
/* The pattern text in canonical form, in the order of adding. */
const char *allowlist_domain(const struct allowlist *al, size_t i);
/* What is denied: names in canonical form, then addresses as given. */
size_t allowlist_n_denied(const struct allowlist *al);
const char *allowlist_denied(const struct allowlist *al, size_t i);
/* What may be private, in the same order. */
size_t allowlist_n_private(const struct allowlist *al);
const char *allowlist_private(const struct allowlist *al, size_t i);

#endif
