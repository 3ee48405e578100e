/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/library.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "profiles/builtin.h"
#include "profiles/source.h"
#include "profiles/suggest.h"

static const char *const suffixes[] = { ".jsonc", ".json" };
#define N_SUFFIXES (sizeof(suffixes) / sizeof(suffixes[0]))

static bool has_suffix(const char *text, const char *suffix)
{
	size_t len = strlen(text);
	size_t n = strlen(suffix);

	return len > n && strcmp(text + len - n, suffix) == 0;
}

bool library_name_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || name[0] == '-' || name[len - 1] == '-')
		return false;
	for (const char *p = name; *p; p++)
		if (!isascii((unsigned char)*p) ||
		    (!isalnum((unsigned char)*p) && *p != '-'))
			return false;
	return true;
}

bool library_is_path(const char *text)
{
	return strchr(text, '/') || has_suffix(text, ".json") ||
	       has_suffix(text, ".jsonc");
}

const char *library_place_name(enum library_place place)
{
	static const char *const names[LIBRARY__COUNT] = {
		[LIBRARY_USER] = "user",
		[LIBRARY_NONO] = "nono",
		[LIBRARY_SYSTEM] = "system",
		[LIBRARY_SHIPPED] = "shipped",
	};

	return names[place];
}

const char *library_folder(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return ".";
	return slash == path ? "/"
			     : arena_copy(a, path, (size_t)(slash - path));
}

const char *library_stem(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < N_SUFFIXES; i++)
		if (has_suffix(name, suffixes[i]))
			return arena_copy(a, name,
					  strlen(name) - strlen(suffixes[i]));
	return arena_strdup(a, name);
}

/* `ns/name` or `ns/name@version`, and nothing that a path would look like. */
static bool looks_like_pack(const char *text)
{
	const char *slash = strchr(text, '/');

	return slash && slash != text && slash[1] != '\0' &&
	       !strchr(slash + 1, '/') && !strchr("./~", text[0]) &&
	       !has_suffix(text, ".json") && !has_suffix(text, ".jsonc");
}

int library_read(struct arena *a, const char *path, bool shipped,
		 struct library_file *ret, struct err *e)
{
	struct stat st;
	cleanup_fd int fd = source_open(path, &st, e);

	if (fd == -ENOENT && looks_like_pack(path))
		return err_set(e, ENOENT,
			       "profile %s: no such file, and packs of nono's "
			       "registry cannot be downloaded; use a shipped "
			       "profile ('egress-run profile list') or the "
			       "path of a file",
			       path);
	if (fd < 0)
		return fd;
	return source_read(fd, &st, a, path, shipped, ret, e);
}

int library_read_shipped(const struct library *l, struct arena *a,
			 const char *name, struct library_file *ret,
			 struct err *e)
{
	const char *path;

	if (!l->dir[LIBRARY_SHIPPED][0])
		return builtin_read(a, name, ret, e);
	path = arena_printf(a, "%s/%s.json", l->dir[LIBRARY_SHIPPED], name);
	if (!path)
		return err_errno(e, ENOMEM, "profile %s", name);
	return library_read(a, path, true, ret, e);
}

int library_read_policy(const struct library *l, struct arena *a,
			const char *name, struct library_file *ret,
			struct err *e)
{
	const char *path = arena_printf(a, "policy/%s", name);

	if (!path)
		return err_errno(e, ENOMEM, "policy %s", name);
	return library_read_shipped(l, a, path, ret, e);
}

static bool is_skipped(const char *const *skip, const struct stat *st)
{
	struct stat other;

	for (; skip && *skip; skip++)
		if (stat(*skip, &other) == 0 && other.st_dev == st->st_dev &&
		    other.st_ino == st->st_ino)
			return true;
	return false;
}

/* -ENOENT if neither file is there. */
static int find_in(const struct library *l, struct arena *a, const char *dir,
		   const char *name, const char *const *skip,
		   struct library_file *ret, struct err *e)
{
	bool shipped = strcmp(dir, l->dir[LIBRARY_SHIPPED]) == 0;

	for (size_t i = 0; i < N_SUFFIXES; i++) {
		const char *path =
			arena_printf(a, "%s/%s%s", dir, name, suffixes[i]);
		struct stat st;
		cleanup_fd int fd = -1;

		if (!path)
			return err_errno(e, ENOMEM, "profile %s", name);
		fd = source_open(path, &st, e);
		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return fd;
		if (!is_skipped(skip, &st))
			return source_read(fd, &st, a, path, shipped, ret, e);
	}
	return -ENOENT;
}

/* The nearest name that there is, or NULL. */
static const char *near_name(const struct library *l, struct arena *a,
			     const char *name)
{
	struct library_item *items;
	struct suggest s;
	size_t n;

	if (library_list(l, a, &items, &n, NULL))
		return NULL;
	suggest_begin(&s, name);
	for (size_t i = 0; i < n; i++)
		if (strcmp(items[i].name, name) != 0)
			suggest_offer(&s, items[i].name);
	return s.best;
}

static int not_found(const struct library *l, struct arena *a, const char *name,
		     const char *beside, struct err *e)
{
	const char *near = near_name(l, a, name);
	const char *dirs = beside ? beside : "";

	for (size_t i = 0; dirs && i < LIBRARY__COUNT; i++)
		if (l->dir[i][0])
			dirs = arena_printf(a, "%s%s%s", dirs,
					    dirs[0] ? ", " : "", l->dir[i]);
	return err_set(e, ENOENT,
		       "profile '%s' not found in %s%s%s%s%s; 'egress-run "
		       "profile list' shows all",
		       name, dirs ? dirs : "",
		       l->homeless ? " (and HOME is not set)" : "",
		       near ? "; near: '" : "", near ? near : "",
		       near ? "'" : "");
}

static int find_builtin(struct arena *a, const char *name,
			const char *const *skip, struct library_file *ret,
			struct err *e)
{
	int rc = builtin_read(a, name, ret, e);

	for (; rc == 0 && skip && *skip; skip++)
		if (strcmp(*skip, ret->path) == 0)
			rc = -ENOENT;
	return rc;
}

int library_find(const struct library *l, struct arena *a, const char *name,
		 const char *beside, const char *const *skip,
		 struct library_file *ret, struct err *e)
{
	int rc = -ENOENT;

	if (!library_name_valid(name))
		return err_set(e, EINVAL,
			       "invalid profile name '%s': letters, digits and "
			       "hyphens, a hyphen neither first nor last; the "
			       "path of a file has a slash or ends with .json",
			       name);
	if (beside)
		rc = find_in(l, a, beside, name, skip, ret, e);
	for (size_t i = 0; rc == -ENOENT && i < LIBRARY__COUNT; i++)
		if (l->dir[i][0])
			rc = find_in(l, a, l->dir[i], name, skip, ret, e);
	if (rc == -ENOENT && !l->dir[LIBRARY_SHIPPED][0])
		rc = find_builtin(a, name, skip, ret, e);
	return rc == -ENOENT ? not_found(l, a, name, beside, e) : rc;
}
