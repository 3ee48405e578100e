/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "profiles/allowlist.h"

/* Long options without a letter. */
enum {
	OPT_ALLOW_DOMAIN = 256,
	OPT_ALLOW_ADDRESS,
	OPT_USER,
	OPT_LOG,
	OPT_GRACE,
	OPT_DRY_RUN,
	OPT_VERSION
};

static const struct option table[] = {
	{ "allow-domain", required_argument, NULL, OPT_ALLOW_DOMAIN },
	{ "allow-address", required_argument, NULL, OPT_ALLOW_ADDRESS },
	{ "user", required_argument, NULL, OPT_USER },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "grace", required_argument, NULL, OPT_GRACE },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const char help_text[] =
	"Usage: egress-run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
	"Runs COMMAND so that it reaches only the network names it is "
	"allowed.\n"
	"\n"
	"Allow (repeatable; with none, nothing is reachable):\n"
	"      --allow-domain PATTERN   a host name: example.com, "
	"*.example.com (any\n"
	"                               depth below, not example.com itself), "
	"or * for\n"
	"                               every name; PATTERN:PORT for that TCP "
	"port only\n"
	"      --allow-address ADDRESS  an address or network: 192.0.2.7, "
	"10.1.0.0/16,\n"
	"                               2001:db8::/32; with a port "
	"10.1.2.3:5432,\n"
	"                               [2001:db8::1]:443\n"
	"\n"
	"Run:\n"
	"      --user NAME              as root: run COMMAND as this user "
	"(default: the\n"
	"                               user who called sudo, else root "
	"itself)\n"
	"      --grace SECONDS          how long a resolved address stays "
	"reachable after\n"
	"                               its TTL and its last connection "
	"(default 300)\n"
	"      --dry-run                print what would be done and stop\n"
	"\n"
	"Report:\n"
	"      --log FILE               append every decision as a line of "
	"JSON\n"
	"  -q, --quiet                  no summary of what was blocked\n"
	"  -v, --verbose                say more; twice for debugging\n"
	"  -h, --help                   this text\n"
	"      --version                the version\n"
	"\n"
	"Exit status: COMMAND's own, 128+N if signal N ended it; 125 if "
	"egress-run\n"
	"failed, 126 if COMMAND cannot be executed, 127 if it was not found, 2 "
	"for\n"
	"wrong usage.  See egress-run(1).\n";

const char *options_help(void)
{
	return help_text;
}

const char *options_name(size_t i)
{
	return i < sizeof(table) / sizeof(table[0]) ? table[i].name : NULL;
}

static int parse_grace(struct options *o, const char *text, struct err *e)
{
	uint64_t value;

	if (!text_to_uint(text, 0, GRACE_MAX_SEC, &value))
		return err_set(e, EINVAL,
			       "--grace '%s': give a number of seconds from 0 "
			       "to %d",
			       text, GRACE_MAX_SEC);
	o->grace_sec = (uint32_t)value;
	return 0;
}

static int usage_error(int opt, int argc, char **argv, struct err *e)
{
	const char *given =
		optind > 0 && optind <= argc ? argv[optind - 1] : "";
	char letter[3] = { '-', (char)optopt, '\0' };

	/* optopt is the letter of an unknown short option, or the known one of
	 * a long form with a value that it does not take; long forms are
	 * quoted as they were written. */
	if (optopt != 0 && optopt < 128 && !strchr("qvh", optopt))
		given = letter;
	return err_set(e, EINVAL, "%s '%s': see 'egress-run --help'",
		       opt == ':' ? "a value is missing behind"
				  : "unknown or ambiguous option",
		       given);
}

static int handle(struct options *o, int opt, int argc, char **argv,
		  struct err *e)
{
	switch (opt) {
	case OPT_ALLOW_DOMAIN:
		return allowlist_add_domain(o->allow, optarg, e);
	case OPT_ALLOW_ADDRESS:
		return allowlist_add_address(o->allow, optarg, e);
	case OPT_GRACE:
		return parse_grace(o, optarg, e);
	case OPT_USER:
		o->user = optarg;
		return 0;
	case OPT_LOG:
		o->log_path = optarg;
		return 0;
	case OPT_DRY_RUN:
		o->action = ACTION_DRY_RUN;
		return 0;
	case OPT_VERSION:
		o->action = ACTION_VERSION;
		return 0;
	case 'h':
		o->action = ACTION_HELP;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	case 'v':
		o->verbose++;
		return 0;
	default:
		return usage_error(opt, argc, argv, e);
	}
}

int options_parse(struct options *o, int argc, char **argv, struct err *e)
{
	int opt;
	int rc;

	*o = (struct options) { .grace_sec = GRACE_DEFAULT_SEC };
	rc = allowlist_new(&o->allow, e);
	if (rc < 0)
		return rc;
	opterr = 0;
	optind = 0; /* glibc: forget what the parse before left */
	/* '+': options end at the command; ':': tell a missing value. */
	while ((opt = getopt_long(argc, argv, "+:qvh", table, NULL)) != -1) {
		rc = handle(o, opt, argc, argv, e);
		if (rc < 0)
			return rc;
		if (o->action == ACTION_HELP || o->action == ACTION_VERSION)
			return 0;
	}
	if (optind >= argc)
		return err_set(e, EINVAL,
			       "no command given: egress-run [OPTION]... -- "
			       "COMMAND; see 'egress-run --help'");
	if (argv[optind][0] == '\0')
		return err_set(e, EINVAL, "the command is an empty string");
	o->command = argv + optind;
	return 0;
}

void options_done(struct options *o)
{
	allowlist_free(o->allow);
	o->allow = NULL;
}
