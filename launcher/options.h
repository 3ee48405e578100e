/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of a run.  What it says about names, files and variables
 * becomes a fragment of a profile, which is merged over the profile's own. */
#ifndef LAUNCHER_OPTIONS_H
#define LAUNCHER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "profiles/profile.h"

enum options_action {
	ACTION_RUN,
	ACTION_DRY_RUN,
	ACTION_HELP,
	ACTION_VERSION,
	ACTION_PROFILE, /* `egress-run profile`: the words are its own */
	ACTION_DOCTOR,	/* `egress-run doctor`: likewise */
};

/* A list of borrowed words; items is NULL-terminated, or NULL if empty. */
struct words {
	const char **items;
	size_t n, room;
};

struct options {
	enum options_action action;
	const char *profile;   /* --profile or EGRESS_RUN_PROFILE, or NULL */
	struct words extends;  /* --extends */
	struct profile *flags; /* what the options say in a profile's terms */
	const char *workdir;   /* --workdir, or NULL */
	const char *user;      /* --user, or NULL */
	const char *log_path;  /* --log, or NULL */
	uint32_t grace_sec;    /* --grace or the default */
	bool grace_given;
	bool allow_net;
	bool allow_degraded;
	bool host_files; /* --files host, or EGRESS_RUN_FILES */
	bool files_given;
	bool require_credentials;
	bool no_summary;
	bool quiet;
	int verbose;
	struct words ignored; /* "--name: why it does nothing", for -v */
	char **command; /* borrowed from argv; NULL if there is none, which
			 * only happens with a profile */
	struct arena arena;
};

#define GRACE_DEFAULT_SEC 300
#define GRACE_MAX_SEC	  86400

/* Returns 0, or -errno with a message for the user (exit status 2).  The
 * words of argv are borrowed.  After ACTION_PROFILE and ACTION_DOCTOR
 * argv + 2 are the words for profilecmd.h and doctor.h. */
int options_parse(struct options *o, int argc, char **argv, struct err *e);
void options_done(struct options *o);

/* A decimal number of seconds for --grace; false if it is none. */
bool options_grace(const char *text, uint32_t *ret);
/* -ENOMEM. */
int words_add(struct arena *a, struct words *w, const char *word);
/* Appends the parts of a comma list. */
int options_split(struct arena *a, struct words *w, const char *text);

/* The text of --help; static. */
const char *options_help(void);

/* For tests: the i-th option that --help names, NULL behind the last. */
const char *options_name(size_t i);

#endif
