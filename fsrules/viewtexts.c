/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The generated files of /etc.  Where /etc is made for the view they lie there
 * as files.  Where the host's /etc is bound, they are mounted over the host's
 * files; a name that is a link there (/etc/resolv.conf, to systemd's in /run)
 * has its file at the place that the link leads to.
 */
#include <string.h>
#include <sys/stat.h>

#include "fsrules/viewplan.h"
#include "profiles/paths.h"

struct text {
	const char *path;
	size_t offset; /* in struct view_texts */
	/* A grant of that very file in the profile itself has the host's
	 * instead; those that steer name resolution are ours in any case. */
	bool yields;
};

#define TEXT(name, field, yields)                                        \
	{                                                                \
		"/etc/" name, offsetof(struct view_texts, field), yields \
	}

static const struct text texts[] = {
	TEXT("resolv.conf", resolv_conf, false),
	TEXT("hosts", hosts, false),
	TEXT("nsswitch.conf", nsswitch, false),
	TEXT("passwd", passwd, true),
	TEXT("group", group, true),
	TEXT("hostname", hostname, true),
	TEXT("machine-id", machine_id, true),
};

#define N_TEXTS (sizeof(texts) / sizeof(texts[0]))

static const char *content(const struct planning *w, const struct text *t)
{
	const char *const *at =
		(const void *)((const char *)w->o->texts + t->offset);

	return *at;
}

static bool names(const struct grant *g, const char *path)
{
	if (strcmp(g->path, path) == 0)
		return true;
	for (const struct grant_alias *a = g->aliases; a; a = a->next)
		if (strcmp(a->path, path) == 0)
			return true;
	return false;
}

/* A grant of the profile itself brings the host's file. */
static bool is_wanted(const struct planning *w, const struct text *t)
{
	const struct grants *g = w->o->grants;

	if (!content(w, t))
		return false;
	for (size_t i = 0; t->yields && i < g->n; i++)
		if (g->items[i].kind == GRANT_FILE && !g->items[i].from.group &&
		    names(&g->items[i], t->path))
			return false;
	return true;
}

bool planning_is_text(const struct planning *w, const struct grant *g)
{
	if (g->kind != GRANT_FILE)
		return false;
	for (size_t i = 0; i < N_TEXTS; i++)
		if (names(g, texts[i].path) && is_wanted(w, &texts[i]))
			return true;
	return false;
}

static bool has_etc(const struct planning *w)
{
	const struct grants *g = w->o->grants;

	if (w->o->host_files)
		return true;
	for (size_t i = 0; i < g->n; i++)
		if (g->items[i].kind != GRANT_FILE &&
		    g->items[i].kind != GRANT_SOCKET &&
		    path_covers(g->items[i].resolved, "/etc"))
			return true;
	return false;
}

/* viewwalk.c leaves out what has no place: missing in a bound folder. */
static int add(struct planning *w, const struct text *t, bool etc)
{
	struct mark m = { .path = t->path,
			  .kind = MARK_TEXT,
			  .text = content(w, t) };
	struct view_rule r = { .access = ACCESS_READ };
	struct place p;
	int rc = 0;

	if (path_resolve(w->arena, t->path, &p) < 0)
		return planning_no_memory(w);
	if (etc) {
		m.path = p.resolved;
		m.exists = p.error == 0 && S_ISREG(p.mode);
		rc = planning_links(w, p.links);
	}
	r.path = m.path;
	if (rc == 0)
		rc = planning_mark(w, &m);
	return rc < 0 ? rc : planning_rule(w, &r);
}

int planning_texts(struct planning *w)
{
	bool etc = has_etc(w);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < N_TEXTS; i++)
		if (is_wanted(w, &texts[i]))
			rc = add(w, &texts[i], etc);
	return rc;
}
