/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "launcher/flags.h"
#include "profiles/ports.h"
#include "profiles/allowlist.h"

const char *options_name(size_t i)
{
	for (const struct flag *f = run_flags; f->name; f++)
		if (!flag_is_foreign(f) && i-- == 0)
			return f->name;
	return NULL;
}

static int no_memory(struct err *e)
{
	return err_errno(e, ENOMEM, "command line");
}

int words_add(struct arena *a, struct words *w, const char *word)
{
	/* Room for the NULL as well. */
	const char **items = arena_grow(a, w->items, w->n ? w->n + 1 : 0,
					&w->room, sizeof(*items));

	if (!items)
		return -ENOMEM;
	w->items = items;
	items[w->n++] = word;
	items[w->n] = NULL;
	return 0;
}

int options_split(struct arena *a, struct words *w, const char *text)
{
	while (true) {
		size_t len = strcspn(text, ",");
		const char *part = arena_copy(a, text, len);

		if (!part || words_add(a, w, part) < 0)
			return -ENOMEM;
		if (text[len] == '\0')
			return 0;
		text += len + 1;
	}
}

/* The name as it is written on the command line: origin of entries. */
static const char *spelled(struct options *o, const struct flag *f)
{
	return arena_printf(&o->arena, "--%s", f->name);
}

static int add_entry(struct options *o, const struct flag *f,
		     enum profile_key k, const char *key, const char *text)
{
	const struct entry item = { .key = key,
				    .text = text,
				    .from = { .file = spelled(o, f) } };
	struct field *field = &o->flags->field[k];

	if (!item.from.file || profile_append(&o->arena, field, &item) < 0)
		return -ENOMEM;
	if (field->n == 1)
		field->from = item.from;
	return 0;
}

static int set_scalar(struct options *o, const struct flag *f,
		      enum profile_key k, const char *text)
{
	o->flags->field[k].n = 0; /* the last one counts */
	return add_entry(o, f, k, NULL, text);
}

/* Checked here, so that a slip costs nothing; compiled with the profile's. */
static int check_pattern(enum flag_id id, const char *text, struct err *e)
{
	struct allowlist *scratch = NULL;
	int rc = allowlist_new(&scratch, e);

	if (rc == 0 && id == FLAG_ALLOW_DOMAIN)
		rc = allowlist_add_domain(scratch, text, e);
	else if (rc == 0 && id == FLAG_DENY_DOMAIN)
		rc = allowlist_add_denied(scratch, text, e);
	else if (rc == 0 && id == FLAG_ALLOW_PRIVATE)
		rc = allowlist_add_private(scratch, text, e);
	else if (rc == 0)
		rc = allowlist_add_address(scratch, text, e);
	allowlist_free(scratch);
	return rc;
}

static int take_pattern(struct options *o, const struct flag *f,
			const char *text, struct err *e)
{
	static const enum profile_key keys[] = {
		[FLAG_ALLOW_DOMAIN] = KEY_NET_ALLOW_DOMAIN,
		[FLAG_DENY_DOMAIN] = KEY_NET_DENY_DOMAIN,
		[FLAG_ALLOW_ADDRESS] = KEY_OWN_ALLOW_ADDRESS,
		[FLAG_ALLOW_PRIVATE] = KEY_OWN_ALLOW_PRIVATE,
	};
	int rc = check_pattern(f->id, text, e);

	if (rc == 0 && add_entry(o, f, keys[f->id], NULL, text) < 0)
		rc = no_memory(e);
	return rc;
}

/* a,b: keyring entries, each in the variable of its name in capitals. */
static int take_credentials(struct options *o, const struct flag *f,
			    const char *text, struct err *e)
{
	struct words refs = { 0 };

	if (options_split(&o->arena, &refs, text) < 0)
		return no_memory(e);
	for (size_t i = 0; i < refs.n; i++) {
		char *name = arena_strdup(&o->arena, refs.items[i]);

		if (strstr(refs.items[i], "://"))
			return err_set(e, EINVAL,
				       "--env-credential '%s': say which "
				       "variable is to hold it: "
				       "--env-credential-map '%s' VARIABLE",
				       refs.items[i], refs.items[i]);
		if (refs.items[i][0] == '\0')
			return err_set(e, EINVAL,
				       "--env-credential '%s': an entry is "
				       "empty; write NAME or NAME,NAME",
				       text);
		for (char *p = name; p && *p; p++)
			*p = (char)toupper((unsigned char)*p);
		if (!name || add_entry(o, f, KEY_ENV_CREDENTIALS, refs.items[i],
				       name) < 0)
			return no_memory(e);
	}
	return 0;
}

bool options_grace(const char *text, uint32_t *ret)
{
	uint64_t value;

	if (!text_to_uint(text, 0, GRACE_MAX_SEC, &value))
		return false;
	*ret = (uint32_t)value;
	return true;
}

static int take_grace(struct options *o, const char *text, struct err *e)
{
	if (!options_grace(text, &o->grace_sec))
		return err_set(e, EINVAL,
			       "--grace '%s': give a number of seconds from 0 "
			       "to %d",
			       text, GRACE_MAX_SEC);
	o->grace_given = true;
	return 0;
}

static int take_verify(struct options *o, const struct flag *f,
		       const char *text, struct err *e)
{
	if (strcmp(text, "names") != 0 && strcmp(text, "strict") != 0 &&
	    strcmp(text, "off") != 0)
		return err_set(e, EINVAL,
			       "--verify '%s': give 'names' (check the names "
			       "inside connections), 'strict' (and let nothing "
			       "without a name pass where no port is allowed "
			       "by name) or 'off'",
			       text);
	return set_scalar(o, f, KEY_OWN_VERIFY, text) < 0 ? no_memory(e) : 0;
}

static int take_ports(struct options *o, const struct flag *f, const char *text,
		      struct err *e)
{
	struct port_range range;

	if (!port_range_parse(text, &range))
		return err_set(e, EINVAL,
			       "--%s '%s': not a port from 1 to 65535, nor a "
			       "range FIRST-LAST of them",
			       f->name, text);
	return add_entry(o, f, (enum profile_key)f->key, NULL, text) < 0
		       ? no_memory(e)
		       : 0;
}

/* An option that becomes an entry of the fragment. */
static int take_entry(struct options *o, const struct flag_read *r,
		      struct err *e)
{
	const struct flag *f = r->flag;
	enum profile_key key = (enum profile_key)f->key;
	int rc;

	switch (f->id) {
	case FLAG_LIST:
		if (r->value[0][0] == '\0')
			return err_set(e, EINVAL, "--%s '': the value is empty",
				       f->name);
		rc = add_entry(o, f, key, NULL, r->value[0]);
		break;
	case FLAG_SCALAR:
		rc = set_scalar(o, f, key, r->value[0]);
		break;
	case FLAG_TRUE:
		rc = set_scalar(o, f, key, "true");
		break;
	case FLAG_PORTS:
		return take_ports(o, f, r->value[0], e);
	case FLAG_VERIFY:
		return take_verify(o, f, r->value[0], e);
	case FLAG_ENV_CREDENTIAL:
		return take_credentials(o, f, r->value[0], e);
	case FLAG_ENV_CREDENTIAL_MAP:
		rc = add_entry(o, f, KEY_ENV_CREDENTIALS, r->value[0],
			       r->value[1]);
		break;
	default:
		return take_pattern(o, f, r->value[0], e);
	}
	return rc < 0 ? no_memory(e) : 0;
}

static int take_foreign(struct options *o, const struct flag *f, struct err *e)
{
	const char *line;

	if (f->id == FLAG_REFUSED)
		return err_set(e, EINVAL, "--%s: not in egress-run: %s",
			       f->name, f->text);
	line = arena_printf(&o->arena, "--%s: %s", f->name, f->text);
	return line && words_add(&o->arena, &o->ignored, line) == 0
		       ? 0
		       : no_memory(e);
}

static int take_files(struct options *o, const char *from, const char *text,
		      struct err *e)
{
	if (strcmp(text, "host") != 0 && strcmp(text, "profile") != 0)
		return err_set(e, EINVAL,
			       "%s '%s': give 'profile' (what the profile "
			       "grants, and nothing else) or 'host' (what the "
			       "user may)",
			       from, text);
	o->host_files = text[0] == 'h';
	o->files_given = true;
	return 0;
}

/* An option for the launcher itself; those with a value first. */
static int take_setting(struct options *o, const struct flag_read *r,
			struct err *e)
{
	switch (r->flag->id) {
	case FLAG_PROFILE:
		o->profile = r->value[0];
		break;
	case FLAG_EXTENDS:
		return options_split(&o->arena, &o->extends, r->value[0]) < 0
			       ? no_memory(e)
			       : 0;
	case FLAG_WORKDIR:
		o->workdir = r->value[0];
		break;
	case FLAG_FILES:
		return take_files(o, "--files", r->value[0], e);
	case FLAG_USER:
		o->user = r->value[0];
		break;
	case FLAG_LOG:
		o->log_path = r->value[0];
		break;
	case FLAG_GRACE:
		return take_grace(o, r->value[0], e);
	case FLAG_ALLOW_NET:
		o->allow_net = true;
		break;
	case FLAG_ALLOW_DEGRADED:
		o->allow_degraded = true;
		break;
	case FLAG_REQUIRE_CREDENTIALS:
		o->require_credentials = true;
		break;
	case FLAG_NO_SUMMARY:
		o->no_summary = true;
		break;
	case FLAG_QUIET:
		o->quiet = true;
		break;
	case FLAG_VERBOSE:
		o->verbose++;
		break;
	case FLAG_DRY_RUN:
		o->action = ACTION_DRY_RUN;
		break;
	case FLAG_HELP:
		o->action = ACTION_HELP;
		break;
	case FLAG_VERSION:
		o->action = ACTION_VERSION;
		break;
	default:
		return take_foreign(o, r->flag, e);
	}
	return 0;
}

/* nono's words for the same mistakes. */
static int check_contradictions(const struct options *o, struct err *e)
{
	static const struct {
		enum profile_key key;
		const char *name;
	} rivals[] = {
		{ KEY_NET_ALLOW_DOMAIN, "allow-domain" },
		{ KEY_NET_PROFILE, "network-profile" },
		{ KEY_OWN_ALLOW_ADDRESS, "allow-address" },
		{ KEY_NET_CONNECT_PORT, "allow-connect-port" },
	};

	if (o->flags->field[KEY_NET_BLOCK].n == 0)
		return 0;
	for (size_t i = 0; i < sizeof(rivals) / sizeof(rivals[0]); i++)
		if (o->flags->field[rivals[i].key].n > 0)
			return err_set(e, EINVAL,
				       "--block-net and --%s are "
				       "contradictory; leave one of them out",
				       rivals[i].name);
	if (o->allow_net)
		return err_set(e, EINVAL,
			       "--block-net and --allow-net are "
			       "contradictory; leave one of them out");
	return 0;
}

static int take_command(struct options *o, char **words, struct err *e)
{
	const char *from_environment = getenv("EGRESS_RUN_PROFILE");

	if (!o->profile && from_environment && from_environment[0])
		o->profile = from_environment;
	if (o->profile && o->profile[0] == '\0')
		o->profile = NULL;
	/* A profile may bring the command. */
	if (!words[0] && o->profile)
		return 0;
	if (!words[0])
		return err_set(e, EINVAL,
			       "no command given: egress-run [OPTION]... -- "
			       "COMMAND; see 'egress-run --help'");
	if (words[0][0] == '\0')
		return err_set(e, EINVAL, "the command is an empty string");
	o->command = words;
	return 0;
}

static int take(struct options *o, const struct flag_read *r, struct err *e)
{
	return r->flag->id <= FLAG_ENV_CREDENTIAL_MAP ? take_entry(o, r, e)
						      : take_setting(o, r, e);
}

int options_parse(struct options *o, int argc, char **argv, struct err *e)
{
	struct flag_reader r = { .table = run_flags, .argv = argv, .next = 1 };
	const char *files = getenv("EGRESS_RUN_FILES");
	struct flag_read read;
	int rc;

	*o = (struct options) { .grace_sec = GRACE_DEFAULT_SEC };
	o->flags = profile_new(&o->arena);
	if (!o->flags)
		return no_memory(e);
	if (argc > 1 && strcmp(argv[1], "profile") == 0) {
		o->action = ACTION_PROFILE;
		return 0;
	}
	if (argc > 1 && strcmp(argv[1], "doctor") == 0) {
		o->action = ACTION_DOCTOR;
		return 0;
	}
	if (argc > 1 && strcmp(argv[1], "run") == 0)
		r.next++;
	if (argc < 1)
		r.next = 0;
	while ((rc = flags_next(&r, &read, e)) > 0) {
		rc = take(o, &read, e);
		if (rc < 0)
			return rc;
		if (o->action == ACTION_HELP || o->action == ACTION_VERSION)
			return 0;
	}
	if (rc == 0 && !o->files_given && files && files[0])
		rc = take_files(o, "EGRESS_RUN_FILES", files, e);
	if (rc == 0)
		rc = take_command(o, argv + r.next, e);
	return rc < 0 ? rc : check_contradictions(o, e);
}

void options_done(struct options *o)
{
	arena_free(&o->arena);
	*o = (struct options) { 0 };
}
