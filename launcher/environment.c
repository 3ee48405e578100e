/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/environment.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "common/log.h"

/* The kernel's limit of one string (MAX_ARG_STRLEN). */
#define STRING_MAX (128u << 10)

/* What loads code into programs that the command starts, or is a key to more
 * secrets.  A trailing '*' stands for anything. */
static const char *const stripped[] = {
	/* loader */
	"LD_*", "DYLD_*",
	/* shells */
	"BASH_ENV", "ENV", "CDPATH", "GLOBIGNORE", "BASH_FUNC_*",
	"PROMPT_COMMAND", "IFS",
	/* interpreters */
	"PYTHONSTARTUP", "PYTHONPATH", "NODE_OPTIONS", "NODE_PATH", "PERL5OPT",
	"PERL5LIB", "RUBYOPT", "RUBYLIB", "GEM_PATH", "GEM_HOME",
	"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "DOTNET_STARTUP_HOOKS", "GOFLAGS",
	/* 1Password */
	"OP_SERVICE_ACCOUNT_TOKEN", "OP_CONNECT_TOKEN", "OP_CONNECT_HOST",
	"OP_SESSION_*"
};

/* Lead to a proxy of the host's, which the command cannot reach and need not:
 * connections pass without one, or go through network.upstream_proxy.  In
 * capitals too. */
static const char *const proxies[] = { "http_proxy", "https_proxy", "ftp_proxy",
				       "all_proxy", "no_proxy" };

/* len: of the name, which a '=' may end.  A '*' elsewhere than at the end
 * matches nothing, not even itself. */
static bool matches(const char *pattern, const char *name, size_t len)
{
	const char *star = strchr(pattern, '*');
	size_t fixed = star ? (size_t)(star - pattern) : strlen(pattern);

	if (star && star[1])
		return false;
	return (star ? len >= fixed : len == fixed) &&
	       memcmp(pattern, name, fixed) == 0;
}

static bool matches_any(const struct field *f, const char *name, size_t len)
{
	for (size_t i = 0; i < f->n; i++)
		if (matches(f->items[i].text, name, len))
			return true;
	return false;
}

static bool is_stripped(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(stripped) / sizeof(stripped[0]); i++)
		if (matches(stripped[i], name, len))
			return true;
	return false;
}

static bool is_proxy(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++)
		if (strlen(proxies[i]) == len &&
		    strncasecmp(proxies[i], name, len) == 0)
			return true;
	return false;
}

const char *environment_proxy(char *const *from)
{
	for (; from && *from; from++) {
		size_t len = strcspn(*from, "=");

		if (is_proxy(*from, len) && (*from)[len] && (*from)[len + 1] &&
		    strncasecmp(*from, "no_", 3) != 0)
			return *from;
	}
	return NULL;
}

/* True if an entry is that very name. */
static bool is_named(const struct field *f, const char *name, size_t len)
{
	for (size_t i = 0; i < f->n; i++)
		if (strlen(f->items[i].text) == len &&
		    memcmp(f->items[i].text, name, len) == 0)
			return true;
	return false;
}

bool environment_always_stripped(const char *name)
{
	return is_stripped(name, strlen(name));
}

static bool passes(const struct profile *p, const char *name, size_t len)
{
	const struct field *allow = &p->field[KEY_ENV_ALLOW_VARS];

	if (is_stripped(name, len) ||
	    matches_any(&p->field[KEY_ENV_DENY_VARS], name, len))
		return false;
	if (is_proxy(name, len))
		return is_named(allow, name, len);
	return allow->state != FIELD_SET || matches_any(allow, name, len);
}

/* The index of the variable, or n. */
static size_t find(const struct environment *env, const char *name, size_t len)
{
	size_t i = 0;

	while (i < env->n && (strncmp(env->vars[i], name, len) != 0 ||
			      env->vars[i][len] != '='))
		i++;
	return i;
}

const char *environment_get(const struct environment *env, const char *name)
{
	size_t len = strlen(name);
	size_t i = find(env, name, len);

	return i < env->n ? env->vars[i] + len + 1 : NULL;
}

/* In place of the variable at i, or as a new one.  Room for the NULL behind
 * it is kept. */
static int put(struct environment *env, size_t i, char *text, struct err *e)
{
	void *vars = env->vars;

	if (!text)
		return err_errno(e, ENOMEM, "the command's environment");
	if (i < env->n) {
		env->vars[i] = text;
		return 0;
	}
	vars = arena_grow(&env->arena, vars, env->n + 1, &env->room,
			  sizeof(char *));
	if (!vars)
		return err_errno(e, ENOMEM, "the command's environment");
	env->vars = vars;
	env->vars[env->n++] = text;
	env->vars[env->n] = NULL;
	return 0;
}

static int set(struct environment *env, const char *name, const char *value,
	       struct err *e)
{
	return put(env, find(env, name, strlen(name)),
		   arena_printf(&env->arena, "%s=%s", name, value), e);
}

static void warn_about_patterns(struct environment *env, const struct field *f,
				const char *key)
{
	for (size_t i = 0; i < f->n; i++) {
		const char *star = strchr(f->items[i].text, '*');
		const char *place;

		if (!star || !star[1])
			continue;
		place = origin_text(&env->arena, &f->items[i].from);
		log_warning("%s: environment.%s: '%s' is ignored: '*' may "
			    "stand at the end only, as in 'AWS_*'",
			    place ? place : "a profile", key, f->items[i].text);
	}
}

static int inherit(struct environment *env, const struct profile *p,
		   char *const *from, struct err *e)
{
	for (; from && *from; from++) {
		const char *equals = strchr(*from, '=');
		size_t len = equals ? (size_t)(equals - *from) : 0;
		int rc;

		if (len == 0 || !passes(p, *from, len) ||
		    find(env, *from, len) < env->n)
			continue;
		rc = put(env, env->n, arena_strdup(&env->arena, *from), e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool same_folder(const char *a, const char *b)
{
	struct stat sa;
	struct stat sb;

	if (strcmp(a, b) == 0)
		return true;
	return stat(a, &sa) == 0 && stat(b, &sb) == 0 &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* PWD may name the folder by way of a link: then it stays. */
static int follow_workdir(struct environment *env, const struct profile *p,
			  const char *workdir, struct err *e)
{
	const char *pwd = environment_get(env, "PWD");
	int rc = 0;

	if (!pwd || !workdir || strcmp(pwd, workdir) == 0 ||
	    same_folder(pwd, workdir))
		return 0;
	if (passes(p, "OLDPWD", strlen("OLDPWD")))
		rc = set(env, "OLDPWD", pwd, e);
	return rc < 0 ? rc : set(env, "PWD", workdir, e);
}

static const char *name_fault(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "_0123456789";

	if (!*name || name[strspn(name, letters)] ||
	    (*name >= '0' && *name <= '9'))
		return "is no name of a variable: letters, digits and '_', no "
		       "digit first";
	if (strcmp(name, "PATH") == 0)
		return "cannot be set by a profile: set it where egress-run is "
		       "started";
	if (strncmp(name, "NONO_", 5) == 0 ||
	    strncmp(name, "EGRESS_RUN_", 11) == 0)
		return "is reserved: choose a name without NONO_ or "
		       "EGRESS_RUN_ in front";
	return NULL;
}

/* The value of an entry of set_vars. */
static int value_of(const struct entry *item, const struct vars *v,
		    struct arena *a, const char **ret, struct err *e)
{
	const char *fault = name_fault(item->key);
	struct err why = { 0 };
	const char *place;
	int rc = fault ? -EINVAL
		       : vars_expand_value(v, a, item->text, ret, &why);

	if (rc == 0)
		return 0;
	place = origin_text(a, &item->from);
	return err_set(e, -rc, "%s: environment.set_vars: '%s' %s%s",
		       place ? place : "a profile", item->key,
		       fault ? fault : "cannot be expanded: ", why.msg);
}

int environment_check(const struct profile *p, const struct vars *v,
		      struct arena *a, struct err *e)
{
	const struct field *more = &p->field[KEY_ENV_SET_VARS];
	const char *value;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < more->n; i++)
		rc = value_of(&more->items[i], v, a, &value, e);
	return rc;
}

static int set_from_profile(struct environment *env, const struct entry *item,
			    const struct vars *v, struct err *e)
{
	const char *value = NULL;
	int rc = value_of(item, v, &env->arena, &value, e);

	return rc < 0 ? rc : set(env, item->key, value, e);
}

int environment_build(struct environment *env, const struct profile *p,
		      const struct vars *v, struct err *e)
{
	const struct field *more = &p->field[KEY_ENV_SET_VARS];
	int rc;

	*env = (struct environment) { 0 };
	env->vars =
		arena_grow(&env->arena, NULL, 0, &env->room, sizeof(char *));
	if (!env->vars)
		return err_errno(e, ENOMEM, "the command's environment");
	warn_about_patterns(env, &p->field[KEY_ENV_ALLOW_VARS], "allow_vars");
	warn_about_patterns(env, &p->field[KEY_ENV_DENY_VARS], "deny_vars");
	rc = inherit(env, p, v->environ, e);
	if (rc == 0)
		rc = follow_workdir(env, p, v->workdir, e);
	for (size_t i = 0; rc == 0 && i < more->n; i++)
		rc = set_from_profile(env, &more->items[i], v, e);
	if (rc < 0)
		environment_done(env);
	return rc;
}

static bool is_secret(const struct secret *s, const char *text)
{
	return s->data &&
	       (uintptr_t)text - (uintptr_t)s->data < (uintptr_t)s->size;
}

/* The pages may move: the strings in them move along. */
static int make_room(struct environment *env, size_t more, struct err *e)
{
	struct secret *s = &env->secrets;
	const struct secret before = *s;
	int rc = secret_grow(s, s->len + more, e);

	if (rc < 0 || s->data == before.data)
		return rc;
	for (size_t i = 0; i < env->n; i++)
		if (is_secret(&before, env->vars[i]))
			env->vars[i] = s->data + (env->vars[i] - before.data);
	return 0;
}

int environment_add_secret(struct environment *env, const char *name,
			   const char *value, size_t len, struct err *e)
{
	size_t name_len = strlen(name);
	size_t whole = name_len + 1 + len + 1;
	size_t i = find(env, name, name_len);
	char *text;
	int rc;

	if (whole > STRING_MAX)
		return err_set(e, E2BIG,
			       "its value has %zu bytes, more than a variable "
			       "can hold",
			       len);
	if (memchr(value, '\0', len))
		return err_set(e, EINVAL, "its value has a NUL byte");
	rc = make_room(env, whole, e);
	if (rc < 0)
		return rc;
	text = env->secrets.data + env->secrets.len;
	memcpy(text, name, name_len);
	text[name_len] = '=';
	memcpy(text + name_len + 1, value, len);
	text[whole - 1] = '\0';
	env->secrets.len += whole;
	if (i < env->n && is_secret(&env->secrets, env->vars[i]))
		explicit_bzero(env->vars[i], strlen(env->vars[i]));
	return put(env, i, text, e);
}

int environment_put(struct environment *env, const char *name,
		    const char *value, struct err *e)
{
	return set(env, name, value, e);
}

void environment_unset(struct environment *env, const char *name)
{
	size_t i = find(env, name, strlen(name));

	if (i >= env->n)
		return;
	/* The order of an environment means nothing; NULL stays the last. */
	env->vars[i] = env->vars[--env->n];
	env->vars[env->n] = NULL;
}

void environment_wipe(struct environment *env)
{
	size_t kept = 0;

	for (size_t i = 0; i < env->n; i++)
		if (!is_secret(&env->secrets, env->vars[i]))
			env->vars[kept++] = env->vars[i];
	env->n = kept;
	if (env->vars)
		env->vars[kept] = NULL;
	secret_free(&env->secrets);
}

void environment_done(struct environment *env)
{
	environment_wipe(env);
	arena_free(&env->arena);
	*env = (struct environment) { 0 };
}
