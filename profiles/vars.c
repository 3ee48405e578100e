/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pass from the front, so that a value which itself holds "$" or "~" is
 * taken as it is.
 */
#include "profiles/vars.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum mode {
	MODE_PATH,
	MODE_GROUP,
	MODE_VALUE,
};

struct expansion {
	const struct vars *vars;
	struct arena *arena;
	enum mode mode;
	struct err *err;
	char *out;
	size_t len;
	size_t room;
};

/* Names that mean something without being set. */
struct builtin {
	const char *name;
	const char *base; /* the variable whose value is in front, or NULL */
	const char *tail; /* NULL: no value if it is not set */
	bool group;	  /* known in groups too */
};

/* Each of them must be an absolute path. */
static const struct builtin builtins[] = {
	{ "TMPDIR", NULL, "/tmp", true },
	{ "XDG_CONFIG_HOME", "HOME", "/.config", false },
	{ "XDG_DATA_HOME", "HOME", "/.local/share", false },
	{ "XDG_STATE_HOME", "HOME", "/.local/state", false },
	{ "XDG_CACHE_HOME", "HOME", "/.cache", false },
	{ "XDG_RUNTIME_DIR", NULL, NULL, false },
	{ "NONO_CONFIG", "XDG_CONFIG_HOME", "/nono", false },
	{ "NONO_PACKAGES", "NONO_CONFIG", "/packages", false },
};

static bool is_name(const char *name, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(name, word, len) == 0;
}

static const struct builtin *find_builtin(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++)
		if (is_name(name, len, builtins[i].name))
			return &builtins[i];
	return NULL;
}

static const char *from_environment(const struct vars *v, const char *name,
				    size_t len)
{
	for (char *const *p = v->environ; p && *p; p++)
		if (strncmp(*p, name, len) == 0 && (*p)[len] == '=')
			return *p + len + 1;
	return NULL;
}

static int no_memory(struct err *e)
{
	return err_errno(e, ENOMEM, "variables of a profile");
}

static int check_absolute(const char *name, size_t len, const char *value,
			  struct err *e)
{
	if (value[0] == '/')
		return 0;
	return err_set(e, EINVAL,
		       "$%.*s is \"%s\", which is not an absolute path: set it "
		       "to one, or unset it",
		       (int)len, name, value);
}

/* *ret is NULL for a name without a value. */
static int look_up(const struct expansion *x, const char *name, size_t len,
		   const char **ret)
{
	const struct vars *v = x->vars;
	const struct builtin *b = find_builtin(name, len);
	int rc;

	*ret = v->home;
	if (is_name(name, len, "HOME"))
		return check_absolute(name, len, *ret, x->err);
	*ret = from_environment(v, name, len);
	/* Empty is as good as unset (XDG Base Directory Specification); a path
	 * "$PROJECT/" must not turn into "/". */
	if (*ret && (*ret)[0] == '\0' && (b || x->mode != MODE_VALUE))
		*ret = NULL;
	if (b && *ret)
		return check_absolute(name, len, *ret, x->err);
	if (b && x->mode == MODE_GROUP && !b->group)
		b = NULL;
	if (!b) {
		if (*ret || x->mode == MODE_GROUP)
			return 0;
		if (is_name(name, len, "WORKDIR"))
			*ret = v->workdir;
		if (!is_name(name, len, "UID"))
			return 0;
		*ret = arena_printf(x->arena, "%lu", (unsigned long)v->uid);
		return *ret ? 0 : no_memory(x->err);
	}
	*ret = b->tail;
	if (!b->base)
		return 0;
	rc = look_up(x, b->base, strlen(b->base), ret);
	if (rc < 0)
		return rc;
	*ret = arena_printf(x->arena, "%s%s", *ret, b->tail);
	return *ret ? 0 : no_memory(x->err);
}

static int append(struct expansion *x, const char *text, size_t len)
{
	if (len >= x->room - x->len) {
		size_t more = 2 * (x->len + len) + 64;
		char *p = arena_alloc(x->arena, more, 1);

		if (!p)
			return no_memory(x->err);
		if (x->len > 0)
			memcpy(p, x->out, x->len);
		x->out = p;
		x->room = more;
	}
	memcpy(x->out + x->len, text, len);
	x->len += len;
	x->out[x->len] = '\0';
	return 0;
}

static bool is_word(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '_';
}

static size_t name_length(const char *s)
{
	size_t len = 0;

	if (s[0] >= '0' && s[0] <= '9')
		return 0;
	while (is_word(s[len]))
		len++;
	return len;
}

/* at is the "$"; *ret_used counts the bytes of text that are dealt with. */
static int expand_dollar(struct expansion *x, const char *at, size_t *ret_used)
{
	size_t len = name_length(at + 1);
	const char *value;
	int rc;

	if (at[1] == '{' && x->mode != MODE_VALUE)
		return err_set(x->err, EINVAL,
			       "\"%s\": ${NAME} is not known in a profile: "
			       "write $NAME",
			       at);
	*ret_used = 1 + len;
	if (len == 0)
		return append(x, "$", 1);
	rc = look_up(x, at + 1, len, &value);
	if (rc < 0)
		return rc;
	if (value)
		return append(x, value, strlen(value));
	if (x->mode == MODE_GROUP)
		return err_set(x->err, EINVAL,
			       "\"%s\": the variable %.*s is not set: set it, "
			       "or leave the group out by groups.exclude",
			       at, (int)len, at + 1);
	return append(x, at, 1 + len);
}

static int expand_tilde(struct expansion *x, const char *text, size_t *ret_used)
{
	const char *home = x->vars->home;
	int rc;

	*ret_used = 0;
	if (text[0] != '~')
		return 0;
	if (text[1] != '\0' && text[1] != '/') {
		if (x->mode == MODE_VALUE)
			return 0;
		return err_set(x->err, EINVAL,
			       "\"%s\": ~ stands for your own home folder "
			       "only: write the path of another one in full, "
			       "or ./%s for a file of that name",
			       text, text);
	}
	*ret_used = 1;
	rc = check_absolute("HOME", 4, home, x->err);
	return rc < 0 ? rc : append(x, home, strlen(home));
}

static int expand(const struct vars *v, struct arena *a, enum mode mode,
		  const char *text, const char **ret, struct err *e)
{
	struct expansion x = { .vars = v, .arena = a, .mode = mode, .err = e };
	size_t used = 0;
	int rc;

	/* What comes out is never NULL. */
	rc = append(&x, "", 0);
	if (rc == 0)
		rc = expand_tilde(&x, text, &used);
	if (rc < 0)
		return rc;
	text += used;
	while (*text) {
		used = strcspn(text, "$");
		rc = used > 0 ? append(&x, text, used)
			      : expand_dollar(&x, text, &used);
		if (rc < 0)
			return rc;
		text += used;
	}
	*ret = x.out;
	return 0;
}

int vars_expand(const struct vars *v, struct arena *a, const char *text,
		const char **ret, struct err *e)
{
	return expand(v, a, MODE_PATH, text, ret, e);
}

int vars_expand_group(const struct vars *v, struct arena *a, const char *text,
		      const char **ret, struct err *e)
{
	return expand(v, a, MODE_GROUP, text, ret, e);
}

int vars_expand_value(const struct vars *v, struct arena *a, const char *text,
		      const char **ret, struct err *e)
{
	return expand(v, a, MODE_VALUE, text, ret, e);
}
