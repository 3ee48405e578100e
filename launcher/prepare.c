/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/prepare.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "launcher/commandhint.h"
#include "launcher/commands.h"
#include "launcher/credentials.h"
#include "launcher/homefolders.h"
#include "profiles/workdir.h"

static int no_memory(struct err *e)
{
	return err_errno(e, ENOMEM, "prepare the run");
}

static const char *home_folder(struct base *b)
{
	const char *home = getenv("HOME");
	const struct passwd *account = NULL;

	if (!home || home[0] != '/')
		account = getpwuid(geteuid());
	if (account)
		home = account->pw_dir;
	return home && home[0] == '/' ? arena_strdup(&b->arena, home) : NULL;
}

int base_open(struct base *b, const char *user, struct err *e)
{
	int rc = identity_choose(user, &b->identity, e);

	if (rc == 0)
		rc = identity_become(&b->identity, e);
	if (rc == 0)
		rc = identity_environment(&b->identity, e);
	if (rc < 0)
		return rc;
	b->vars.uid = geteuid();
	b->vars.home = home_folder(b);
	if (!b->vars.home)
		return err_set(e, ENOENT,
			       "the home folder is not known: set HOME to an "
			       "absolute path");
	rc = library_open(&b->library, b->vars.home, e);
	if (rc == 0)
		rc = loader_init(&b->loader, &b->arena, &b->library, e);
	return rc;
}

static bool same_folder(const char *a, const char *b)
{
	struct stat sa;
	struct stat sb;

	return stat(a, &sa) == 0 && stat(b, &sb) == 0 &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

int base_locate(struct base *b, struct err *e)
{
	const char *pwd = getenv("PWD");
	char here[PATH_MAX];
	const char *path = pwd;

	if (pwd && pwd[0] != '/')
		pwd = NULL;
	/* PWD is the way the user came, if it leads here. */
	if (!pwd || !same_folder(pwd, "."))
		path = getcwd(here, sizeof(here));
	/* In a folder that was removed only its former name is known. */
	if (!path && errno == ENOENT)
		path = pwd ? pwd : "/";
	if (!path)
		return err_errno(e, errno, "the working directory");
	b->vars.workdir = arena_strdup(&b->arena, path);
	if (!b->vars.workdir)
		return no_memory(e);
	b->vars.environ = environ;
	return 0;
}

void base_done(struct base *b)
{
	arena_free(&b->arena);
}

/* Before --workdir: paths of the command line are meant from where it was
 * typed. */
static int anchor_paths(struct prepared *p, const struct options *o,
			struct err *e)
{
	char here[PATH_MAX];

	if (!getcwd(here, sizeof(here)))
		return err_errno(e, errno, "the working directory");
	for (int k = KEY_FS_ALLOW; k <= KEY_FS_BYPASS_PROTECTION; k++) {
		struct field *f = &o->flags->field[k];

		for (size_t i = 0; i < f->n; i++) {
			struct entry *item = &f->items[i];

			if (strchr("/~$", item->text[0]))
				continue;
			item->text = arena_printf(&p->base.arena, "%s/%s", here,
						  item->text);
			if (!item->text)
				return no_memory(e);
		}
	}
	if (o->log_path && o->log_path[0] != '/') {
		p->log_path = arena_printf(&p->base.arena, "%s/%s", here,
					   o->log_path);
		if (!p->log_path)
			return no_memory(e);
	}
	return 0;
}

static void say_notes(const struct profile *p)
{
	for (const struct profile_note *n = p->notes; n; n = n->next)
		log_warning("%s", n->text);
}

static void say_skipped(const struct grants *g)
{
	for (size_t i = 0; i < g->n_skipped; i++) {
		const struct skipped *s = &g->skipped[i];

		if (s->flag)
			log_warning("%s %s: %s; the grant is left out",
				    s->from.file, s->text, s->why);
		else
			log_msg(s->from.group ? LOG_LEVEL_DEBUG
					      : LOG_LEVEL_INFO,
				"%s:%u: %s: %s; the grant is left out",
				s->from.file, s->from.line, s->text, s->why);
	}
}

int prepare_check(struct base *b, struct loaded *l, bool open,
		  struct netpolicy *net, struct err *e)
{
	int rc = load_check(&b->arena, l->effective, e);

	if (rc == 0)
		rc = netpolicy_check(l->effective, &b->arena, e);
	if (rc == 0)
		rc = credentials_check(l->effective, e);
	if (rc == 0)
		rc = environment_check(l->effective, &b->vars, &b->arena, e);
	if (rc == 0)
		rc = homefolders_make(l->effective, &b->vars, &b->arena, true,
				      e);
	if (rc == 0)
		rc = netpolicy_compile(&b->library, l->effective, &b->vars,
				       open, &b->arena, net, e);
	return rc;
}

int prepare_grace(const struct profile *p, uint32_t *ret, struct err *e)
{
	const struct field *f = &p->field[KEY_OWN_GRACE];
	uint32_t value;

	if (f->n == 0)
		return 0;
	if (!options_grace(f->items[0].text, &value))
		return err_set(e, EINVAL,
			       "%s:%u:%u: egress_run.grace: %s is not a number "
			       "of seconds from 0 to %d",
			       f->items[0].from.file, f->items[0].from.line,
			       f->items[0].from.column, f->items[0].text,
			       GRACE_MAX_SEC);
	if (ret)
		*ret = value;
	return 0;
}

/* With every address open no name says anything. */
static enum verify_mode choose_verify(const struct profile *p,
				      enum netpolicy_kind kind)
{
	const struct field *f = &p->field[KEY_OWN_VERIFY];

	if (kind == NETPOLICY_OPEN)
		return VERIFY_OFF;
	if (f->n == 0 || strcmp(f->items[0].text, "names") == 0)
		return VERIFY_NAMES;
	return strcmp(f->items[0].text, "off") == 0 ? VERIFY_OFF
						    : VERIFY_STRICT;
}

/* Without a profile the working directory is the command's to use, unless it
 * is none to work in: then the command starts in / and is told. */
static int grant_workdir_unnamed(struct prepared *p, struct err *e)
{
	const struct entry access = { .text = "readwrite",
				      .from = { .file = "the default" } };
	struct profile *with = profile_new(&p->base.arena);
	struct err why = { 0 };
	int rc;

	if (!with)
		return err_errno(e, ENOMEM, "profile");
	*with = *p->loaded.effective;
	with->field[KEY_WORKDIR_ACCESS] = (struct field) { 0 };
	if (profile_append(&p->base.arena, &with->field[KEY_WORKDIR_ACCESS],
			   &access) < 0)
		return err_errno(e, ENOMEM, "profile");
	rc = workdir_grant(with, &p->base.vars, &p->base.arena, &p->grants,
			   &p->workdir_access, &why);
	/* Removed under its caller, or out of reach. */
	if (rc == -EPERM || rc == -ENOENT || rc == -EACCES) {
		log_notice("%s; the command starts in /", why.msg);
		return 0;
	}
	if (rc < 0)
		*e = why;
	return rc;
}

static int grant_files(struct prepared *p, const struct options *o,
		       struct err *e)
{
	const struct profile *effective = p->loaded.effective;
	struct arena *a = &p->base.arena;
	int rc = homefolders_make(effective, &p->base.vars, a,
				  o->host_files || o->action == ACTION_DRY_RUN,
				  e);

	if (rc == 0)
		rc = grants_resolve(effective, &p->base.vars, a, &p->grants, e);
	if (rc == 0 && !o->host_files)
		rc = p->named ? workdir_grant(effective, &p->base.vars, a,
					      &p->grants, &p->workdir_access, e)
			      : grant_workdir_unnamed(p, e);
	if (rc == 0)
		say_skipped(&p->grants);
	return rc;
}

/* Now, for their values are soon gone from the environment.  One that could
 * not be had was warned of. */
static int describe_credentials(struct prepared *p, const bool *loaded,
				struct err *e)
{
	const struct field *f =
		&p->loaded.effective->field[KEY_ENV_CREDENTIALS];
	const char *text = "";
	char from[256];

	for (size_t i = 0; text && i < f->n; i++) {
		if (!loaded[i])
			continue;
		credential_describe(f->items[i].key, from, sizeof(from));
		text = arena_printf(&p->base.arena, "%s%s%s from %s", text,
				    text[0] ? ", " : "", f->items[i].text,
				    from);
	}
	p->credentials = text;
	return text ? 0 : err_errno(e, ENOMEM, "credentials");
}

static int take_credentials(struct prepared *p, const struct options *o,
			    struct err *e)
{
	const struct profile *effective = p->loaded.effective;
	size_t n = effective->field[KEY_ENV_CREDENTIALS].n;
	bool *loaded = arena_alloc(&p->base.arena, n + 1, sizeof(*loaded));
	int rc = 0;

	if (!loaded)
		return no_memory(e);
	if (o->action == ACTION_DRY_RUN)
		memset(loaded, true, n);
	else
		rc = credentials_load(effective, &p->base.identity, &p->grants,
				      o->require_credentials, &p->environment,
				      loaded, e);
	return rc < 0 ? rc : describe_credentials(p, loaded, e);
}

/* Who sets one mostly cannot connect without. */
static void say_proxy(const struct prepared *p)
{
	const char *set = environment_proxy(p->base.vars.environ);

	if (set && !p->net.proxy.host)
		log_notice("%.*s is set and not used: connections leave "
			   "directly; --upstream-proxy HOST:PORT sends them "
			   "through a proxy",
			   (int)strcspn(set, "="), set);
}

/* The working directory is settled: what applies in it. */
static int decide(struct prepared *p, const struct options *o, struct err *e)
{
	struct base *b = &p->base;
	int rc = base_locate(b, e);

	if (rc == 0)
		rc = prepare_check(b, &p->loaded, o->allow_net, &p->net, e);
	if (rc < 0)
		return rc;
	say_notes(p->loaded.effective);
	say_proxy(p);
	p->verify = choose_verify(p->loaded.effective, p->net.kind);
	p->grace_sec = o->grace_sec;
	rc = prepare_grace(p->loaded.effective,
			   o->grace_given ? NULL : &p->grace_sec, e);
	if (rc == 0)
		rc = grant_files(p, o, e);
	if (rc == 0)
		rc = command_choose(p, o, e);
	if (rc == 0)
		rc = environment_build(&p->environment, p->loaded.effective,
				       &b->vars, e);
	if (rc == 0)
		p->hint = command_hint(p);
	if (rc == 0)
		rc = files_prepare(&p->files, o, p, o->action == ACTION_DRY_RUN,
				   e);
	if (rc == 0)
		rc = take_credentials(p, o, e);
	if (rc == 0 && o->action != ACTION_DRY_RUN)
		rc = proxy_open(&p->proxy, &p->net.proxy, &b->identity,
				&p->grants, o->require_credentials, e);
	return rc;
}

int prepare(const struct options *o, struct prepared *p, struct err *e)
{
	const struct identity *id = &p->base.identity;
	int rc;

	*p = (struct prepared) { .log_path = o->log_path,
				 .host_files = o->host_files,
				 .named = o->profile || o->extends.n > 0 };
	rc = base_open(&p->base, o->user, e);
	if (rc < 0)
		return rc;
	log_info("the command runs as %s%suid %u, gid %u", id->name,
		 id->name[0] ? ", " : "", id->uid, id->gid);
	if (o->workdir)
		rc = anchor_paths(p, o, e);
	if (rc == 0)
		rc = load_profile(&p->base.loader, o->profile, o->extends.items,
				  o->flags, &p->loaded, e);
	if (rc == 0 && o->workdir && chdir(o->workdir) < 0)
		rc = err_errno(e, errno, "--workdir '%s'", o->workdir);
	return rc < 0 ? rc : decide(p, o, e);
}

void prepared_done(struct prepared *p)
{
	files_done(&p->files);
	proxy_done(&p->proxy);
	environment_done(&p->environment);
	netpolicy_done(&p->net);
	base_done(&p->base);
}
