/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile in memory: one field for each key of the format (keys.h has the
 * table), each a list of entries that know where they came from.  A profile is
 * decoded from one file (decode.h), bases and child are merged (merge.h), and
 * load.h puts it all together.  What is in a profile lives in an arena and is
 * never changed in place, so that profiles share entries.
 */
#ifndef PROFILES_PROFILE_H
#define PROFILES_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/err.h"

struct json;

enum profile_key {
	KEY_EXTENDS,
	KEY_META,
	KEY_SIGNAL_MODE,
	KEY_PROCESS_INFO_MODE,
	KEY_IPC_MODE,
	KEY_CAPABILITY_ELEVATION,
	KEY_APPROVAL_BACKENDS,
	KEY_APPROVAL_DEFAULTS,
	KEY_WSL2_PROXY_POLICY,
	KEY_GROUPS_INCLUDE,
	KEY_GROUPS_EXCLUDE,
	KEY_COMMANDS_ALLOW,
	KEY_COMMANDS_DENY,
	KEY_FS_ALLOW,
	KEY_FS_READ,
	KEY_FS_WRITE,
	KEY_FS_ALLOW_FILE,
	KEY_FS_READ_FILE,
	KEY_FS_WRITE_FILE,
	KEY_FS_UNIX_SOCKET,
	KEY_FS_UNIX_SOCKET_BIND,
	KEY_FS_UNIX_SOCKET_DIR,
	KEY_FS_UNIX_SOCKET_DIR_BIND,
	KEY_FS_UNIX_SOCKET_SUBTREE,
	KEY_FS_UNIX_SOCKET_SUBTREE_BIND,
	KEY_FS_DENY,
	KEY_FS_BYPASS_PROTECTION,
	KEY_FS_SUPPRESS_SAVE_PROMPT,
	KEY_NET_BLOCK,
	KEY_NET_ALLOW_HTTP2,
	KEY_NET_PROFILE,
	KEY_NET_ALLOW_DOMAIN,
	KEY_NET_DENY_DOMAIN,
	KEY_NET_CREDENTIALS,
	KEY_NET_OPEN_PORT,
	KEY_NET_OPEN_PORT_RANGE,
	KEY_NET_LISTEN_PORT,
	KEY_NET_LISTEN_PORT_RANGE,
	KEY_NET_CONNECT_PORT,
	KEY_NET_NO_PROXY,
	KEY_NET_CUSTOM_CREDENTIALS,
	KEY_NET_TLS_INTERCEPT,
	KEY_NET_UPSTREAM_PROXY,
	KEY_NET_UPSTREAM_BYPASS,
	KEY_DIAG_SUPPRESS,
	KEY_LINUX_AF_UNIX_MEDIATION,
	KEY_LINUX_SANDBOX_POLICY,
	KEY_ENV_CREDENTIALS,
	KEY_ENV_ALLOW_VARS,
	KEY_ENV_DENY_VARS,
	KEY_ENV_SET_VARS,
	KEY_COMMAND_POLICIES,
	KEY_CREDENTIAL_CAPTURE,
	KEY_CREDENTIAL_PROVIDERS,
	KEY_CREDENTIAL_ROUTES,
	KEY_WORKDIR_ACCESS,
	KEY_HOOKS,
	KEY_SESSION_HOOK_BEFORE,
	KEY_SESSION_HOOK_AFTER,
	KEY_ROLLBACK_PATTERNS,
	KEY_ROLLBACK_GLOBS,
	KEY_OPEN_URLS,
	KEY_ALLOW_LAUNCH_SERVICES,
	KEY_ALLOW_GPU,
	KEY_ALLOW_PARENT_OF_PROTECTED,
	KEY_INTERACTIVE,
	KEY_SKIPDIRS,
	KEY_PACKS,
	KEY_BINARY,
	KEY_COMMAND_ARGS,
	KEY_SEATBELT_RULES,
	/* ours, under "egress_run" */
	KEY_OWN_ALLOW_ADDRESS,
	KEY_OWN_ALLOW_DOMAIN_FILE,
	KEY_OWN_ALLOW_PRIVATE,
	KEY_OWN_DNS_TYPES,
	KEY_OWN_GRACE,
	KEY_OWN_UPSTREAM_CREDENTIAL,
	KEY_OWN_VERIFY,
	KEY_OWN_QUIC,
	KEY_OWN_SHARE_TMP,
	KEY_OWN_GIT_HOOKS,
	KEY_OWN_USER_NAMESPACES,
	KEY_OWN_CAPABILITIES,
	KEY_OWN_MEMORY,
	KEY_OWN_PROCESSES,
	KEY_OWN_CREATE_FOLDERS,
	KEY__COUNT,
};

struct origin {
	const char *file;  /* path, or the flag ("--allow-domain") */
	unsigned line;	   /* 0: a flag */
	unsigned column;   /* 0: a flag */
	const char *group; /* the policy group that brought it, or NULL */
};

/* A rule of an allow_domain object. */
struct endpoint {
	const char *method;
	const char *path;
	struct origin from;
};

/* An element of a list, a member of a map, or the one value of a scalar. */
struct entry {
	const char *key;  /* maps: the member's name; else NULL */
	const char *text; /* strings as they are; numbers and booleans in
			   * their one spelling; ranges "LO-HI"; NULL for
			   * objects */
	const struct json *value;	  /* objects; else NULL */
	const struct endpoint *endpoints; /* allow_domain only */
	size_t n_endpoints;
	struct origin from;
};

enum field_state {
	FIELD_ABSENT, /* not said: n is 0 */
	FIELD_NULL,   /* said null: n is 0 */
	FIELD_SET,    /* said; an empty list has n 0 */
};

struct field {
	enum field_state state;
	struct origin from; /* where the key stood; meaningless if absent */
	struct entry *items;
	size_t n;
	size_t room;
};

/* A warning that goes with a profile: deprecated keys and the like. */
struct profile_note {
	const char *text; /* with the place in front */
	struct profile_note *next;
};

struct profile {
	struct field field[KEY__COUNT];
	/* Decoded, merged last and gone after that: the fragment of
	 * platform_overrides.linux, or NULL. */
	struct profile *override;
	struct profile_note *notes; /* in the order of their making */
};

/* An empty one; NULL without memory. */
struct profile *profile_new(struct arena *a);
/* Appends; the caller keeps lists free of duplicates (merge.h does).  Sets the
 * state.  -ENOMEM. */
int profile_append(struct arena *a, struct field *f, const struct entry *item);
/* The text of a scalar, or NULL if it is absent or null. */
const char *profile_scalar(const struct profile *p, enum profile_key key);
/* True for a boolean that is there and true. */
bool profile_true(const struct profile *p, enum profile_key key);
__attribute__((format(printf, 3, 4))) int
profile_note(struct arena *a, struct profile *p, const char *fmt, ...);
/* "FILE:LINE:COLUMN" or the flag; in the arena. */
const char *origin_text(struct arena *a, const struct origin *o);

#endif
