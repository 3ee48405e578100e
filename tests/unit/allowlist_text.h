/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allowlists from text, for tests; the state is one. */
#ifndef TESTS_ALLOWLIST_TEXT_H
#define TESTS_ALLOWLIST_TEXT_H

#include "profiles/allowlist.h"
#include "profiles/hostname.h"

static inline int setup(void **state)
{
	return allowlist_new((struct allowlist **)state, NULL);
}

static inline int teardown(void **state)
{
	allowlist_free(*state);
	return 0;
}

static inline void add(struct allowlist *al, const char *pattern)
{
	struct err e = { 0 };

	if (allowlist_add_domain(al, pattern, &e) < 0)
		fail_msg("%s", e.msg);
}

/* The rule that decides for a name as the command may write it, or NULL. */
static inline const char *rule_for(const struct allowlist *al, const char *text)
{
	struct allow_ports ports;
	char name[HOSTNAME_BUF];

	if (hostname_from_text(text, name, NULL) < 0)
		return NULL;
	return allowlist_match(al, name, &ports) ? ports.rule : NULL;
}

static inline bool has_port(const struct allowlist *al, const char *name,
			    uint16_t port)
{
	struct allow_ports ports;

	return allowlist_match(al, name, &ports) &&
	       allow_ports_has(&ports, port);
}

#endif
