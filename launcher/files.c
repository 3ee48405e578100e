/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/text.h"
#include "launcher/options.h"
#include "launcher/prepare.h"
#include "netns/plan.h"
#include "profiles/keys.h"
#include "profiles/paths.h"

/* The kernel's own limit of pids. */
#define PROCESSES_MAX 4194304

/* They name sockets of the host's session, which are hidden: a program that
 * believes them fails in odd ways.  They stay as soon as any socket is granted,
 * and what environment.set_vars says stays anyway. */
static const char *const session_variables[] = {
	"SSH_AUTH_SOCK", "SSH_AGENT_PID",   "GPG_AGENT_INFO",
	"TMUX",		 "TMUX_PANE",	    "DBUS_SESSION_BUS_ADDRESS",
	"DISPLAY",	 "WAYLAND_DISPLAY", "VSCODE_IPC_HOOK_CLI",
	"XAUTHORITY",
};

static bool grants_sockets(const struct grants *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->items[i].access & (ACCESS_CONNECT | ACCESS_BIND))
			return true;
	return false;
}

static bool is_set_by(const struct profile *p, const char *name)
{
	const struct field *set = &p->field[KEY_ENV_SET_VARS];

	for (size_t i = 0; i < set->n; i++)
		if (strcmp(set->items[i].key, name) == 0)
			return true;
	return false;
}

static int adapt_environment(const struct files *f, const struct options *o,
			     struct prepared *p, struct err *e)
{
	struct environment *env = &p->environment;
	const char *tmp = environment_get(env, "TMPDIR");
	const char *pwd = environment_get(env, "PWD");
	int rc = 0;

	if (!grants_sockets(&p->grants)) {
		for (size_t i = 0; i < sizeof(session_variables) /
					       sizeof(session_variables[0]);
		     i++)
			if (!is_set_by(p->loaded.effective,
				       session_variables[i]))
				environment_unset(env, session_variables[i]);
	}
	/* The host's may be a folder that the view does not have. */
	if (tmp && !o->host_files && strcmp(tmp, "/tmp") != 0 &&
	    !(grants_access(&p->grants, tmp) & ACCESS_WRITE))
		rc = environment_put(env, "TMPDIR", "/tmp", e);
	if (rc == 0 && pwd && strcmp(f->plan.workdir, "/") == 0)
		rc = environment_put(env, "PWD", "/", e);
	return rc;
}

static int bad_limit(struct arena *a, const struct profile *p,
		     enum profile_key key, const char *right, struct err *e)
{
	const struct entry *item = &p->field[key].items[0];
	const char *place = origin_text(a, &item->from);

	return err_set(e, EINVAL, "%s: '%s': give %s",
		       place ? place : key_spec(key)->path, item->text, right);
}

int files_limits(struct arena *a, const struct profile *p, struct limits *ret,
		 struct err *e)
{
	const char *memory = profile_scalar(p, KEY_OWN_MEMORY);
	const char *processes = profile_scalar(p, KEY_OWN_PROCESSES);

	if (memory &&
	    (limits_parse_size(memory, &ret->memory) < 0 || ret->memory == 0))
		return bad_limit(a, p, KEY_OWN_MEMORY,
				 "a number of bytes of memory, or one with K, "
				 "M, G or T behind it: 512M",
				 e);
	if (processes &&
	    !text_to_uint(processes, 1, PROCESSES_MAX, &ret->processes))
		return bad_limit(a, p, KEY_OWN_PROCESSES,
				 "a number of processes from 1 to 4194304", e);
	return 0;
}

/* What the command line says wrongly is an error of usage. */
static bool limits_by_flag(const struct profile *p)
{
	static const enum profile_key keys[] = { KEY_OWN_MEMORY,
						 KEY_OWN_PROCESSES };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (p->field[keys[i]].n > 0 &&
		    p->field[keys[i]].items[0].from.line == 0)
			return true;
	return false;
}

static bool is(const struct profile *p, enum profile_key key, const char *value)
{
	const char *text = profile_scalar(p, key);

	return text && strcmp(text, value) == 0;
}

/* $XDG_STATE_HOME/egress-run without links, or NULL. */
static const char *state_dir(struct prepared *p)
{
	struct arena *a = &p->base.arena;
	const char *xdg = getenv("XDG_STATE_HOME");
	const char *home = p->base.vars.home;
	const char *dir = NULL;
	struct place at;

	if (xdg && xdg[0] == '/')
		dir = arena_printf(a, "%s/egress-run", xdg);
	else if (home && home[0] == '/')
		dir = arena_printf(a, "%s/.local/state/egress-run", home);
	return dir && path_resolve(a, dir, &at) == 0 ? at.resolved : NULL;
}

/* Mirrors of other runs are there, with files that they were granted; or will
 * be, where no run could make the folder yet. */
static int hide_state(struct prepared *p, const char *dir, struct err *e)
{
	struct grants *g = &p->grants;
	struct denial *denials;

	if (!dir || grants_access(g, dir) == 0)
		return 0;
	denials = arena_grow(&p->base.arena, g->denials, g->n_denials,
			     &g->denials_room, sizeof(*denials));
	if (!denials)
		return err_errno(e, ENOMEM, "hide %s", dir);
	g->denials = denials;
	denials[g->n_denials++] = (struct denial) {
		.path = dir,
		.resolved = dir,
		.exists = access(dir, F_OK) == 0,
		.directory = true,
		.from = { .file = "egress-run" },
	};
	return 0;
}

static const char *terminal_path(struct prepared *p)
{
	char path[256];

	if (!isatty(STDIN_FILENO) ||
	    ttyname_r(STDIN_FILENO, path, sizeof(path)) != 0)
		return NULL;
	return arena_strdup(&p->base.arena, path);
}

static int make_texts(struct files *f, const struct prepared *p,
		      struct arena *a, struct view_texts *ret, struct err *e)
{
	const struct identity *id = &p->base.identity;
	const char *home = p->base.vars.home;
	const char *shell = getenv("SHELL");
	const char *name = id->name[0] ? id->name : getenv("USER");
	const struct generated_user user = {
		.uid = id->uid,
		.gid = id->gid,
		.name = name ? name : "",
		.home = home ? home : "",
		.shell = shell ? shell : "",
	};
	int rc = netfiles_prepare(&f->netfiles, GATEWAY_IPV4, e);

	if (rc == 0)
		rc = generated_make(&user, a, &f->generated, e);
	*ret = (struct view_texts) {
		.resolv_conf = f->netfiles.resolv_conf,
		.hosts = f->netfiles.hosts,
		.nsswitch = f->netfiles.nsswitch,
		.passwd = f->generated.passwd,
		.group = f->generated.group,
		.hostname = f->generated.hostname,
		.machine_id = f->generated.machine_id,
	};
	return rc;
}

static const char *runtime_dir(struct prepared *p)
{
	return environment_get(&p->environment, "XDG_RUNTIME_DIR")
		       ? arena_printf(&p->base.arena, "/run/user/%u",
				      p->base.identity.uid)
		       : NULL;
}

static int plan_view(struct files *f, const struct options *o,
		     struct prepared *p, struct err *e)
{
	const struct profile *profile = p->loaded.effective;
	struct arena *a = &p->base.arena;
	struct view_texts texts;
	struct view_options view = {
		.grants = &p->grants,
		.texts = &texts,
		.mirrors = f->mirrors,
		.home = p->base.vars.home,
		/* It may have been removed under its caller. */
		.workdir = access(p->base.vars.workdir, F_OK) == 0
				   ? p->base.vars.workdir
				   : "/",
		.runtime_dir = runtime_dir(p),
		.terminal = terminal_path(p),
		.uid = p->base.identity.uid,
		.host_files = o->host_files,
		.capabilities = f->calls.capabilities,
		.share_tmp = profile_true(profile, KEY_OWN_SHARE_TMP),
		.git_hooks = is(profile, KEY_OWN_GIT_HOOKS, "write"),
	};
	int rc = make_texts(f, p, a, &texts, e);

	if (rc == 0 && view.runtime_dir)
		rc = environment_put(&p->environment, "XDG_RUNTIME_DIR",
				     view.runtime_dir, e);
	if (rc == 0)
		rc = view_plan(&view, a, &f->plan, e);
	if (rc == 0)
		rc = view_check_write_only(&view, a, &f->plan, e);
	if (rc == 0)
		rc = view_mask_sockets(&view, a, &f->plan, e);
	return rc;
}

/* What it writes there runs outside the next time. */
static void warn_of_own_program(const struct prepared *p)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return;
	path[n] = '\0';
	if (grants_access(&p->grants, path) & ACCESS_WRITE)
		log_warning("the command may replace egress-run itself, which "
			    "is %s; install it where the command may not "
			    "write",
			    path);
}

/* A mask hides one name of a file.  Where the other is, nobody can tell. */
static void warn_of_links(const struct prepared *p)
{
	const struct grants *g = &p->grants;

	for (size_t i = 0; i < g->n_denials; i++) {
		const struct denial *d = &g->denials[i];
		struct stat st;

		if (!d->exists || d->directory || d->bypassed & ACCESS_READ ||
		    lstat(d->resolved, &st) < 0 || !S_ISREG(st.st_mode) ||
		    st.st_nlink < 2)
			continue;
		log_warning("%s is denied, but its file has another name (a "
			    "hard link), by which the command can read it if "
			    "that is granted; 'find -samefile' finds it",
			    d->path);
	}
}

/* A list for the summary, not worth a start that fails.  In private folders
 * others work, and not the command. */
static int note_trusted(struct files *f, bool host_files, struct prepared *p,
			struct err *e)
{
	const struct grants *all = &p->grants;
	struct grants *g = arena_alloc(&p->base.arena, 1, sizeof(*g));
	struct err why = { 0 };

	if (!g)
		return err_errno(e, ENOMEM, "note the files that run later");
	*g = *all;
	g->n = 0;
	g->items = arena_alloc(&p->base.arena, all->n + 1, sizeof(*g->items));
	if (!g->items)
		return err_errno(e, ENOMEM, "note the files that run later");
	/* All that is the user's: what matters is where the work is done. */
	if (host_files && !view_is_private(&f->plan, f->plan.workdir))
		g->items[g->n++] =
			(struct grant) { .path = f->plan.workdir,
					 .resolved = f->plan.workdir,
					 .kind = GRANT_DIR,
					 .access = ACCESS_READ | ACCESS_WRITE,
					 .implied = true };
	for (size_t i = 0; i < all->n; i++)
		if (!view_is_private(&f->plan, all->items[i].resolved))
			g->items[g->n++] = all->items[i];
	if (changes_begin(g, p->base.vars.home, &f->changes, &why) < 0)
		log_warning("%s: changed files will not be listed", why.msg);
	return 0;
}

int files_prepare(struct files *f, const struct options *o, struct prepared *p,
		  bool dry, struct err *e)
{
	const struct profile *profile = p->loaded.effective;
	const char *state = state_dir(p);
	int rc = files_limits(&p->base.arena, profile, &f->limits, e);

	p->usage = rc < 0 && limits_by_flag(profile);
	f->allow_degraded = o->allow_degraded;
	f->calls.user_namespaces =
		profile_true(profile, KEY_OWN_USER_NAMESPACES);
	f->calls.capabilities = is(profile, KEY_OWN_CAPABILITIES, "namespace");
	if (rc == 0 && !dry && !o->host_files)
		rc = mirrors_make(&p->grants, state, &p->base.arena,
				  &f->mirrors, e);
	if (rc == 0 && !o->host_files)
		rc = hide_state(p, state, e);
	if (rc == 0)
		rc = plan_view(f, o, p, e);
	if (rc == 0)
		rc = adapt_environment(f, o, p, e);
	if (rc == 0)
		warn_of_links(p);
	if (rc == 0 && !o->host_files)
		warn_of_own_program(p);
	if (rc == 0 && !dry && !o->quiet && !o->no_summary)
		rc = note_trusted(f, o->host_files, p, e);
	return rc;
}

void files_done(struct files *f)
{
	changes_free(f->changes);
	/* Again, or for a start that failed. */
	mirrors_finish(f->mirrors);
	mirrors_free(f->mirrors);
	netfiles_done(&f->netfiles);
	*f = (struct files) { 0 };
}
