/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/builtin.h"

#include <errno.h>
#include <string.h>

const char *builtin_path(struct arena *a, const char *name)
{
	return arena_printf(a, "built-in/%s.json", name);
}

int builtin_read(struct arena *a, const char *name, struct library_file *ret,
		 struct err *e)
{
	const struct builtin_file *f = builtin_files;

	while (f->name && strcmp(f->name, name) != 0)
		f++;
	if (!f->name)
		return err_set(e, ENOENT, "there is no built-in profile '%s'",
			       name);
	*ret = (struct library_file) {
		.path = builtin_path(a, name),
		.shipped = true,
		.len = (size_t)(f->end - f->text),
		/* No file system has device 0. */
		.ino = (ino_t)(f - builtin_files) + 1,
	};
	ret->text = arena_copy(a, f->text, ret->len);
	if (!ret->path || !ret->text)
		return err_errno(e, ENOMEM, "profile %s", name);
	return 0;
}
