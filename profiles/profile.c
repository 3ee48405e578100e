/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/profile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct profile *profile_new(struct arena *a)
{
	return arena_alloc(a, 1, sizeof(struct profile));
}

int profile_append(struct arena *a, struct field *f, const struct entry *item)
{
	struct entry *items =
		arena_grow(a, f->items, f->n, &f->room, sizeof(*items));

	if (!items)
		return -ENOMEM;
	items[f->n++] = *item;
	f->items = items;
	f->state = FIELD_SET;
	return 0;
}

const char *profile_scalar(const struct profile *p, enum profile_key key)
{
	const struct field *f = &p->field[key];

	return f->state == FIELD_SET && f->n > 0 ? f->items[0].text : NULL;
}

bool profile_true(const struct profile *p, enum profile_key key)
{
	const char *text = profile_scalar(p, key);

	return text && strcmp(text, "true") == 0;
}

int profile_note(struct arena *a, struct profile *p, const char *fmt, ...)
{
	struct profile_note *note = arena_alloc(a, 1, sizeof(*note));
	struct profile_note **end = &p->notes;
	char *text = NULL;
	va_list args;
	va_list again;
	int len;

	va_start(args, fmt);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, args);
	if (len >= 0)
		text = arena_alloc(a, (size_t)len + 1, 1);
	if (text)
		(void)vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	va_end(args);
	if (!note || !text)
		return -ENOMEM;
	note->text = text;
	while (*end)
		end = &(*end)->next;
	*end = note;
	return 0;
}

const char *origin_text(struct arena *a, const struct origin *o)
{
	if (o->line == 0)
		return o->file ? o->file : "";
	return arena_printf(a, "%s:%u:%u", o->file, o->line, o->column);
}
