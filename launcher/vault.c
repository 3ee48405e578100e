/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/vault.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/arena.h"
#include "launcher/searchpath.h"
#include "launcher/subprocess.h"
#include "profiles/json.h"

#define TIMEOUT_S 30
#define ITEM_MAX  (1u << 20) /* JSON of one item of Bitwarden */

enum { FIELD_FOUND, FIELD_NOT_THERE, FIELD_NOT_JSON };

/* s: without path and envp. */
static int run(struct subprocess *s, const struct grants *g, size_t max,
	       struct secret *ret, struct subprocess_end *end, struct err *e)
{
	struct arena a = { 0 };
	struct searchpath found;
	int rc = searchpath_find(&a, s->name, g, &found, e);

	if (rc == 0) {
		s->path = found.program;
		s->envp = found.envp;
		rc = subprocess_run(s, max, ret, end, e);
	}
	arena_free(&a);
	return rc;
}

struct call {
	struct subprocess s;
	const char *remedy;
};

static int ask(struct call *c, const struct grants *g, size_t max,
	       struct secret *ret, struct err *e)
{
	struct subprocess_end end = { 0 };
	const struct subprocess *s = &c->s;
	int rc = run(&c->s, g, max, ret, &end, e);

	if (rc < 0)
		return rc;
	/* bw ends with 0 when it cannot ask for the master password. */
	if (WIFEXITED(end.status) && WEXITSTATUS(end.status) == 0 &&
	    ret->len > 0)
		return 0;
	secret_free(ret);
	return err_set(e, EIO, "'%s %s' failed%s%s; %s", s->argv[0], s->argv[1],
		       end.said[0] ? ": " : "", end.said, c->remedy);
}

int vault_read_op(const struct reference *r, const struct grants *g, size_t max,
		  struct secret *ret, struct err *e)
{
	const char *const argv[] = { "op", "read", "--", r->first, NULL };
	struct call c = {
		.s = { .name = "op",
		       .argv = argv,
		       .timeout_s = TIMEOUT_S,
		       .waiting = "waiting for 1Password; is it asking for "
				  "something?" },
		.remedy = "are you signed in ('op signin')?",
	};
	int rc = ask(&c, g, max, ret, e);

	if (rc == 0)
		secret_chomp(ret);
	return rc;
}

struct question {
	const struct secret *item;
	const char *field;
};

/* The member of that name, of a custom field or of the item itself; as
 * `bw get FIELD` understands it. */
static const struct json *find_field(const struct json *item, const char *name)
{
	static const char *const of_login[] = { "password", "username",
						"totp" };
	const struct json *login = json_get(item, "login");
	const struct json *fields = json_get(item, "fields");
	const struct json *found = NULL;

	for (size_t i = 0; i < sizeof(of_login) / sizeof(of_login[0]); i++)
		if (login && login->type == JSON_OBJECT &&
		    strcmp(name, of_login[i]) == 0)
			found = json_get(login, name);
	if (strcmp(name, "notes") == 0)
		found = json_get(item, name);
	if (found && found->type == JSON_STRING)
		return found;
	for (size_t i = 0;
	     fields && fields->type == JSON_ARRAY && i < fields->n; i++) {
		const struct json *f = &fields->items[i];
		const struct json *key =
			f->type == JSON_OBJECT ? json_get(f, "name") : NULL;

		if (key && key->type == JSON_STRING &&
		    strcmp(key->string, name) == 0)
			return json_get(f, "value");
	}
	return NULL;
}

static int write_all(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* In a process of its own: the parser leaves copies all over the heap. */
static int print_field(const void *arg)
{
	const struct question *q = arg;
	struct arena a = { 0 };
	struct json *item;
	const struct json *value;

	if (json_parse(&a, "bw", q->item->data, q->item->len, &item, NULL) <
		    0 ||
	    item->type != JSON_OBJECT)
		return FIELD_NOT_JSON;
	value = find_field(item, q->field);
	if (!value || value->type != JSON_STRING)
		return FIELD_NOT_THERE;
	return write_all(value->string, strlen(value->string)) < 0
		       ? FIELD_NOT_JSON
		       : FIELD_FOUND;
}

static int extract(const struct secret *item, const struct reference *r,
		   size_t max, struct secret *ret, struct err *e)
{
	const struct question q = { item, r->second };
	const struct subprocess s = {
		.name = "the reader of bw's answer",
		.run = print_field,
		.arg = &q,
		.timeout_s = TIMEOUT_S,
	};
	struct subprocess_end end = { 0 };
	int rc = subprocess_run(&s, max, ret, &end, e);

	if (rc < 0)
		return rc;
	if (WIFEXITED(end.status) && WEXITSTATUS(end.status) == FIELD_FOUND)
		return 0;
	secret_free(ret);
	if (WIFEXITED(end.status) && WEXITSTATUS(end.status) == FIELD_NOT_THERE)
		return err_set(e, ENOENT,
			       "Bitwarden's item '%s' has no field '%s'",
			       r->first, r->second);
	return err_set(e, EIO, "the answer of 'bw get item' is not JSON");
}

int vault_read_bw(const struct reference *r, const struct grants *g, size_t max,
		  struct secret *ret, struct err *e)
{
	const char *const argv[] = {
		"bw", "get",	r->second[0] ? "item" : "password",
		"--", r->first, NULL
	};
	struct call c = {
		.s = { .name = "bw",
		       .argv = argv,
		       .timeout_s = TIMEOUT_S,
		       .waiting = "waiting for Bitwarden" },
		.remedy = "is the vault unlocked ('bw unlock', then export "
			  "BW_SESSION)?",
	};
	cleanup_secret struct secret answer = { 0 };
	int rc = ask(&c, g, r->second[0] ? ITEM_MAX : max, &answer, e);

	if (rc < 0)
		return rc;
	if (r->second[0])
		return extract(&answer, r, max, ret, e);
	secret_chomp(&answer);
	*ret = answer;
	answer = (struct secret) { 0 };
	return 0;
}
