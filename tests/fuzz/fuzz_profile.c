/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loader of profiles on any bytes: parsed, written down and parsed again,
 * decoded, merged with itself.  Not only must nothing crash: every place that
 * is told must exist in the text and hold what it is said to hold.
 *
 *   make fuzz-bins CC=clang SANITIZE=1 FUZZ=1 BUILD=build-fuzz
 *   build-fuzz/fuzz/fuzz_profile tests/fuzz/corpus/profile
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/err.h"
#include "profiles/decode.h"
#include "profiles/json.h"
#include "profiles/merge.h"
#include "profiles/profile.h"

#define FILE_NAME "fuzz.json"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const char *text;
	size_t len;
	size_t from; /* the first byte that counts: behind a byte order mark */
};

/* What is at a place of the text; moves forwards only. */
struct cursor {
	const struct input *in;
	size_t at;
	struct json_pos pos;
};

__attribute__((noreturn, format(printf, 1, 2))) static void
broken(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vfprintf(stderr, fmt, args);
	va_end(args);
	(void)fputc('\n', stderr);
	abort();
}

static bool before(const struct json_pos *a, const struct json_pos *b)
{
	return a->line < b->line ||
	       (a->line == b->line && a->column < b->column);
}

static void step(struct cursor *c)
{
	const char *text = c->in->text;

	if (text[c->at++] == '\n') {
		c->pos.line++;
		c->pos.column = 1;
		return;
	}
	while (c->at < c->in->len && (text[c->at] & 0xc0) == 0x80)
		c->at++;
	c->pos.column++;
}

static struct cursor begin(const struct input *in)
{
	return (struct cursor) { .in = in, .at = in->from, .pos = { 1, 1 } };
}

/* The byte at a place that comes behind the last one asked for. */
static char byte_at(struct cursor *c, const struct json_pos *at)
{
	if (before(at, &c->pos))
		broken("%u:%u is in front of the token before", at->line,
		       at->column);
	while (c->at < c->in->len && before(&c->pos, at))
		step(c);
	if (c->at == c->in->len || before(at, &c->pos))
		broken("%u:%u is not in the text", at->line, at->column);
	return c->in->text[c->at];
}

static void check_node(struct cursor *c, const struct json *v)
{
	static const char *const begins[] = {
		[JSON_NULL] = "n",
		[JSON_BOOL] = "tf",
		[JSON_NUMBER] = "-0123456789",
		[JSON_STRING] = "\"",
		[JSON_ARRAY] = "[",
		[JSON_OBJECT] = "{",
	};
	char byte = byte_at(c, &v->at);

	if (byte == '\0' || !strchr(begins[v->type], byte))
		broken("%u:%u: '%c' is not %s", v->at.line, v->at.column, byte,
		       json_type_name(v->type));
	for (size_t i = 0; i < v->n; i++) {
		const struct json *item = &v->items[i];

		if ((v->type == JSON_OBJECT) != (item->key != NULL))
			broken("a key too many or too few");
		if (item->key && byte_at(c, &item->key_at) != '"')
			broken("no key at %u:%u", item->key_at.line,
			       item->key_at.column);
		check_node(c, item);
	}
}

/* An error begins with the file and a place that is there, the end of a line
 * included. */
static void check_message(const struct input *in, int rc, const struct err *e)
{
	const char *p = e->msg + strlen(FILE_NAME ":");
	struct cursor c = begin(in);
	struct json_pos at;
	char *end;

	if (rc != -EINVAL || e->code != EINVAL)
		broken("error %d, %d: %s", rc, e->code, e->msg);
	if (strncmp(e->msg, FILE_NAME ":", strlen(FILE_NAME ":")) != 0)
		broken("no file: %s", e->msg);
	at.line = (unsigned)strtoul(p, &end, 10);
	if (end == p || *end != ':')
		broken("no line: %s", e->msg);
	p = end + 1;
	at.column = (unsigned)strtoul(p, &end, 10);
	if (end == p || strncmp(end, ": ", 2) != 0 || end[2] == '\0')
		broken("no column or no reason: %s", e->msg);
	while (c.at < in->len && before(&c.pos, &at))
		step(&c);
	if (c.pos.line != at.line || c.pos.column != at.column)
		broken("not in the text: %s", e->msg);
}

static void write_string(FILE *f, const char *s)
{
	(void)fputc('"', f);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c == '"' || c == '\\')
			(void)fprintf(f, "\\u%04x", c);
		else
			(void)fputc(c, f);
	}
	(void)fputc('"', f);
}

static void write_node(FILE *f, const struct json *v)
{
	if (v->type == JSON_NULL)
		(void)fputs("null", f);
	else if (v->type == JSON_BOOL)
		(void)fputs(v->boolean ? "true" : "false", f);
	else if (v->type == JSON_NUMBER)
		(void)fputs(v->string, f);
	else if (v->type == JSON_STRING)
		write_string(f, v->string);
	if (v->type != JSON_ARRAY && v->type != JSON_OBJECT)
		return;
	(void)fputc(v->type == JSON_ARRAY ? '[' : '{', f);
	for (size_t i = 0; i < v->n; i++) {
		if (i > 0)
			(void)fputc(',', f);
		if (v->items[i].key) {
			write_string(f, v->items[i].key);
			(void)fputc(':', f);
		}
		write_node(f, &v->items[i]);
	}
	(void)fputc(v->type == JSON_ARRAY ? ']' : '}', f);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static void check_same(const struct json *a, const struct json *b)
{
	if (a->type != b->type || a->n != b->n || a->boolean != b->boolean ||
	    a->number != b->number || !same_text(a->string, b->string) ||
	    !same_text(a->key, b->key))
		broken("%u:%u is something else when it is written down",
		       a->at.line, a->at.column);
	for (size_t i = 0; i < a->n; i++)
		check_same(&a->items[i], &b->items[i]);
}

static void check_again(struct arena *a, const struct json *root)
{
	struct json *again = NULL;
	struct err e = { 0 };
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		abort();
	write_node(f, root);
	if (fclose(f) != 0)
		abort();
	/* Escapes are longer than what they stand for. */
	if (len <= JSON_SIZE_MAX) {
		if (json_parse(a, "again.json", text, len, &again, &e) < 0)
			broken("%s: %s", text, e.msg);
		check_same(root, again);
	}
	free(text);
}

static void check_entry(const struct input *in, const struct entry *item)
{
	struct cursor c = begin(in);
	struct json_pos at = { item->from.line, item->from.column };

	if (strcmp(item->from.file, FILE_NAME) != 0)
		broken("an entry out of %s", item->from.file);
	(void)byte_at(&c, &at);
}

static void check_origins(const struct input *in, const struct profile *p)
{
	for (size_t key = 0; key < KEY__COUNT; key++) {
		const struct field *f = &p->field[key];

		if (f->state != FIELD_SET && f->n > 0)
			broken("key %zu: entries of what is not said", key);
		for (size_t i = 0; i < f->n; i++)
			check_entry(in, &f->items[i]);
	}
}

static struct profile *merge(struct arena *a, const struct profile *base,
			     const struct profile *child)
{
	struct profile *ret = NULL;
	struct err e = { 0 };

	if (merge_profiles(a, base, child, &ret, &e) < 0)
		broken("%s", e.msg);
	if (ret->override || ret->field[KEY_EXTENDS].state != FIELD_ABSENT)
		broken("merging left something over");
	return ret;
}

/* Nothing comes in twice, and the two stay as they were. */
static void check_merge(struct arena *a, const struct profile *p)
{
	const struct profile was = *p;
	const struct profile *once = merge(a, p, p);
	const struct profile *twice = merge(a, once, once);

	if (memcmp(&was, p, sizeof(was)) != 0)
		broken("merging changed the child");
	for (size_t key = 0; key < KEY__COUNT; key++) {
		size_t n = p->field[key].n;

		if (key != KEY_EXTENDS && once->field[key].n != n)
			broken("key %zu: %zu entries became %zu", key, n,
			       once->field[key].n);
		if (twice->field[key].n != once->field[key].n ||
		    twice->field[key].state != once->field[key].state)
			broken("key %zu: merging again changed it", key);
	}
}

static void check_profile(const struct input *in, struct arena *a,
			  const struct json *root)
{
	static const struct system_id os = {
		.id = "fedora",
		.id_like = "rhel",
		.version_id = "43",
		.variant_id = "workstation",
	};
	const struct decode_context c = {
		.arena = a,
		.file = FILE_NAME,
		.os = &os,
	};
	struct profile *p = NULL;
	struct err e = { 0 };
	int rc = decode_profile(&c, root, &p, &e);

	if (rc < 0) {
		check_message(in, rc, &e);
		return;
	}
	check_origins(in, p);
	check_merge(a, p);
	if (!p->override)
		return;
	check_origins(in, p->override);
	check_merge(a, merge(a, p, p->override));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .text = (const char *)data, .len = size };
	struct cursor c;
	struct arena a = { 0 };
	struct json *root = NULL;
	struct err e = { 0 };
	int rc;

	if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
		in.from = 3;
	rc = json_parse(&a, FILE_NAME, in.text, in.len, &root, &e);
	if (rc < 0) {
		check_message(&in, rc, &e);
	} else {
		c = begin(&in);
		check_node(&c, root);
		check_again(&a, root);
		check_profile(&in, &a, root);
	}
	arena_free(&a);
	return 0;
}
