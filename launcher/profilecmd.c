/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/profilecmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "launcher/flags.h"
#include "launcher/print.h"

struct command {
	const char *name;
	const char *operands; /* for messages */
	size_t min, max;
	bool json, extends; /* the options it takes */
	int (*run)(struct profile_call *c, int *ret_status, struct err *e);
};

static const struct command commands[] = {
	{ "list", "", 0, 0, true, false, profile_list },
	{ "show", " NAME", 1, 1, true, true, profile_show },
	{ "check", " FILE...", 1, SIZE_MAX, true, false, profile_check },
	{ "validate", " FILE...", 1, SIZE_MAX, true, false, profile_check },
	{ "diff", " A B", 2, 2, true, false, profile_diff },
	{ "init", " NAME", 1, 1, false, true, profile_init },
};

static const char help_text[] =
	"Usage: egress-run profile list [--json]\n"
	"       egress-run profile show [--json] [--extends NAME,...] "
	"NAME|FILE\n"
	"       egress-run profile check [--json] FILE|NAME...\n"
	"       egress-run profile diff [--json] A B\n"
	"       egress-run profile init [--extends NAME,...] NAME\n"
	"Looks at profiles; nothing is run.\n"
	"\n"
	"  list    every profile that a name finds, and where it lies\n"
	"  show    all that applies under a profile, with bases and groups "
	"merged, and\n"
	"          the file and line of every entry\n"
	"  check   whether a run would take it\n"
	"  diff    what B has more (+) and less (-) than A\n"
	"  init    write a new one into your own folder and print its path\n"
	"\n"
	"      --json             print JSON\n"
	"      --extends NAME,... show: put these under it; init: begin with "
	"these\n"
	"  -v, --verbose; -q, --quiet; -h, --help\n"
	"\n"
	"Exit status: 0; 1 if the profile is not found or not valid; 2 for "
	"wrong usage.\n"
	"diff: 0 without and 1 with differences, 2 for trouble.\n"
	"See egress-run-profile(5).\n";

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (name && strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int take_flag(struct profile_call *c, const struct command *cmd,
		     const struct flag_read *r, struct err *e)
{
	enum flag_id id = r->flag->id;

	if ((id == FLAG_JSON && !cmd->json) ||
	    (id == FLAG_EXTENDS && !cmd->extends))
		return err_set(e, EINVAL,
			       "profile %s takes no --%s; see 'egress-run "
			       "profile --help'",
			       cmd->name, r->flag->name);
	if (id == FLAG_JSON)
		c->json = true;
	else if (id == FLAG_QUIET)
		log_set_level(LOG_LEVEL_WARNING);
	else if (id == FLAG_VERBOSE)
		log_set_level(LOG_LEVEL_INFO);
	else if (options_split(&c->base.arena, &c->extends, r->value[0]) < 0)
		return err_errno(e, ENOMEM, "command line");
	return 0;
}

static int take_name(struct profile_call *c, const char *name, struct err *e)
{
	if (name[0] == '\0')
		return err_set(e, EINVAL, "the name of a profile is empty");
	if (words_add(&c->base.arena, &c->names, name) < 0)
		return err_errno(e, ENOMEM, "command line");
	return 0;
}

/* Options stand before or behind the names.  *ret_help: --help was there. */
static int read_words(struct profile_call *c, const struct command *cmd,
		      char **words, bool *ret_help, struct err *e)
{
	struct flag_reader r = { .table = profile_flags, .argv = words };
	struct flag_read read;
	int rc = 0;

	while (rc == 0) {
		rc = flags_next(&r, &read, e);
		if (rc > 0 && read.flag->id == FLAG_HELP) {
			*ret_help = true;
			return 0;
		}
		if (rc > 0)
			rc = take_flag(c, cmd, &read, e);
		else if (rc == 0 && !words[r.next])
			break;
		else if (rc == 0)
			rc = take_name(c, words[r.next++], e);
	}
	if (rc < 0)
		return rc;
	if (c->names.n < cmd->min || c->names.n > cmd->max)
		return err_set(e, EINVAL,
			       "usage: egress-run profile %s%s; see "
			       "'egress-run profile --help'",
			       cmd->name, cmd->operands);
	return 0;
}

int profile_load(struct profile_call *c, const char *name, struct loaded *ret,
		 struct err *e)
{
	return load_profile(&c->base.loader, name, c->extends.items, NULL, ret,
			    e);
}

static int print_help(int *ret_status, struct err *e)
{
	(void)fputs(help_text, stdout);
	if (print_finish() < 0)
		return err_set(e, EIO, "write to standard output failed");
	*ret_status = 0;
	return 0;
}

static int run_command(const struct command *cmd, struct profile_call *c,
		       int *ret_status, struct err *e)
{
	int rc = base_open(&c->base, NULL, e);

	*ret_status = cmd->run == profile_diff ? PROFILE_EXIT_USAGE
					       : PROFILE_EXIT_BAD;
	if (rc == 0)
		rc = base_locate(&c->base, e);
	if (rc == 0) {
		int status = 0;

		rc = cmd->run(c, &status, e);
		if (rc == 0 && print_finish() < 0)
			rc = err_set(e, EIO, "write to standard output failed");
		if (rc == 0)
			*ret_status = status;
	}
	return rc;
}

int profile_command(char **words, int *ret_status, struct err *e)
{
	const struct command *cmd = find_command(words[0]);
	struct profile_call c = { 0 };
	bool help = false;
	int rc;

	*ret_status = PROFILE_EXIT_USAGE;
	if (!words[0] || strcmp(words[0], "--help") == 0 ||
	    strcmp(words[0], "-h") == 0) {
		rc = print_help(ret_status, e);
		if (!words[0] && rc == 0)
			*ret_status = PROFILE_EXIT_USAGE;
		return rc;
	}
	if (!cmd)
		return err_set(e, EINVAL,
			       "unknown command 'profile %s': list, show, "
			       "check, diff or init; to run a program called "
			       "profile write 'egress-run -- profile'",
			       words[0]);
	rc = read_words(&c, cmd, words + 1, &help, e);
	if (rc == 0)
		rc = help ? print_help(ret_status, e)
			  : run_command(cmd, &c, ret_status, e);
	base_done(&c.base);
	return rc;
}
