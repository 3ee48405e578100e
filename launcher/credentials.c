/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "launcher/keyring.h"
#include "launcher/reference.h"
#include "launcher/secret.h"
#include "launcher/vault.h"

/* The kernel takes 128 KiB as one string of an environment. */
#define VALUE_MAX (64u << 10)

/* Who asks, and what the command may write. */
struct asker {
	const struct identity *id;
	const struct grants *grants;
};

static int read_env(const struct reference *r, const struct asker *by,
		    struct secret *ret, struct err *e)
{
	const char *value = getenv(r->first);
	size_t len = value ? strlen(value) : 0;
	int rc;

	(void)by;
	if (!value)
		return err_set(e, ENOENT, "the variable %s is not set",
			       r->first);
	if (len > VALUE_MAX)
		return err_set(e, EFBIG,
			       "the variable %s has %zu bytes, more "
			       "than %u",
			       r->first, len, VALUE_MAX);
	rc = secret_new(ret, len + 1, e);
	if (rc < 0)
		return rc;
	memcpy(ret->data, value, len);
	ret->len = len;
	return 0;
}

static int read_whole(int fd, struct secret *ret)
{
	/* One byte more tells that there is more. */
	while (ret->len <= VALUE_MAX) {
		ssize_t n = read(fd, ret->data + ret->len,
				 VALUE_MAX + 1 - ret->len);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			ret->len += (size_t)n;
	}
	return -EFBIG;
}

static int read_file(const struct reference *r, const struct asker *by,
		     struct secret *ret, struct err *e)
{
	/* A FIFO or a terminal must not block. */
	cleanup_fd int fd =
		open(r->first, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int rc;

	(void)by;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, errno, "open %s", r->first);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s is not a regular file", r->first);
	rc = secret_new(ret, VALUE_MAX + 1, e);
	if (rc < 0)
		return rc;
	rc = read_whole(fd, ret);
	if (rc == 0)
		secret_chomp(ret);
	else
		secret_free(ret);
	if (rc == -EFBIG)
		return err_set(e, EFBIG, "the file %s has more than %u bytes",
			       r->first, VALUE_MAX);
	return rc < 0 ? err_errno(e, -rc, "read %s", r->first) : 0;
}

static int read_keyring(const struct reference *r, const struct asker *by,
			struct secret *ret, struct err *e)
{
	return keyring_read(r, by->id, VALUE_MAX, ret, e);
}

static int read_op(const struct reference *r, const struct asker *by,
		   struct secret *ret, struct err *e)
{
	return vault_read_op(r, by->grants, VALUE_MAX, ret, e);
}

static int read_bw(const struct reference *r, const struct asker *by,
		   struct secret *ret, struct err *e)
{
	return vault_read_bw(r, by->grants, VALUE_MAX, ret, e);
}

static int read_apple(const struct reference *r, const struct asker *by,
		      struct secret *ret, struct err *e)
{
	(void)by;
	(void)ret;
	return err_set(e, ENOTSUP, "'%s' is to be had on macOS only", r->text);
}

static int (*const readers[REFERENCE__COUNT])(const struct reference *r,
					      const struct asker *by,
					      struct secret *ret,
					      struct err *e) = {
	[REFERENCE_KEYRING] = read_keyring, [REFERENCE_ENV] = read_env,
	[REFERENCE_FILE] = read_file,	    [REFERENCE_OP] = read_op,
	[REFERENCE_BW] = read_bw,	    [REFERENCE_APPLE] = read_apple,
};

static int check_entry(const struct entry *item, struct err *e)
{
	struct reference r;

	if (!variable_is_word(item->text))
		return err_set(e, EINVAL,
			       "'%s' is no name of a variable: letters, digits "
			       "and '_' only",
			       item->text);
	if (variable_is_dangerous(item->text))
		return err_set(e, EINVAL,
			       "'%s' is not for credentials, since programs "
			       "take code or paths from it: choose another "
			       "variable",
			       item->text);
	return reference_parse(item->key, &r, e);
}

static int check_upstream(const struct profile *p, struct err *e)
{
	const char *text = profile_scalar(p, KEY_OWN_UPSTREAM_CREDENTIAL);
	struct reference r;
	struct err why;

	if (!text || reference_parse(text, &r, &why) == 0)
		return 0;
	return err_set(e, EINVAL, "egress_run.upstream_credential: %s",
		       why.msg);
}

int credentials_check(const struct profile *p, struct err *e)
{
	const struct field *f = &p->field[KEY_ENV_CREDENTIALS];

	for (size_t i = 0; i < f->n; i++) {
		struct arena a = { 0 };
		struct err why = { 0 };
		const char *place;

		if (check_entry(&f->items[i], &why) == 0)
			continue;
		place = origin_text(&a, &f->items[i].from);
		(void)err_set(e, EINVAL, "%s: env_credentials: %s",
			      place ? place : "a profile", why.msg);
		arena_free(&a);
		return -EINVAL;
	}
	return check_upstream(p, e);
}

/* what: how it is called in messages. */
static int read_one(const char *reference, const struct asker *by,
		    struct secret *ret, char *what, size_t size, struct err *e)
{
	struct reference r;
	int rc = reference_parse(reference, &r, e);

	if (rc == 0)
		rc = readers[r.kind](&r, by, ret, e);
	if (rc < 0)
		return rc;
	reference_describe(&r, what, size);
	if (ret->len == 0)
		return err_set(e, ENODATA, "%s is empty", what);
	if (memchr(ret->data, '\0', ret->len))
		return err_set(e, EINVAL,
			       "%s has a NUL byte, which no text can hold",
			       what);
	return 0;
}

/* Into env, with no copy left behind. */
static int load_one(const struct entry *item, const struct asker *by,
		    struct environment *env, struct err *e)
{
	cleanup_secret struct secret value = { 0 };
	char what[REFERENCE_MAX * 2 + 64];
	int rc = read_one(item->key, by, &value, what, sizeof(what), e);

	if (rc == 0)
		rc = environment_add_secret(env, item->text, value.data,
					    value.len, e);
	if (rc == 0)
		log_info("%s is set from %s", item->text, what);
	return rc;
}

int credential_read(const char *reference, const struct identity *id,
		    const struct grants *g, struct secret *ret, struct err *e)
{
	const struct asker by = { id, g };
	char what[REFERENCE_MAX * 2 + 64];
	int rc = read_one(reference, &by, ret, what, sizeof(what), e);

	if (rc == 0)
		rc = secret_grow(ret, ret->len + 1, e);
	if (rc < 0) {
		secret_free(ret);
		return rc;
	}
	ret->data[ret->len] = '\0';
	return 0;
}

/* Of two entries for one variable the last one stands. */
static void mark_loaded(const struct field *f, size_t i, bool *loaded)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(f->items[k].text, f->items[i].text) == 0)
			loaded[k] = false;
	loaded[i] = true;
}

int credentials_load(const struct profile *p, const struct identity *id,
		     const struct grants *g, bool require,
		     struct environment *env, bool *loaded, struct err *e)
{
	const struct field *f = &p->field[KEY_ENV_CREDENTIALS];
	const struct asker by = { id, g };
	int rc = credentials_check(p, e);

	if (rc < 0)
		return rc;
	/* The caller's own value is not what the profile says it is. */
	for (size_t i = 0; i < f->n; i++)
		environment_unset(env, f->items[i].text);
	for (size_t i = 0; i < f->n; i++) {
		struct err why = { 0 };

		loaded[i] = false;
		rc = load_one(&f->items[i], &by, env, &why);
		if (rc == 0) {
			mark_loaded(f, i, loaded);
			continue;
		}
		if (rc == -ENOMEM || require)
			return err_set(e, -rc, "%s is not set: %s",
				       f->items[i].text, why.msg);
		log_warning("%s is not set: %s", f->items[i].text, why.msg);
	}
	return 0;
}

void credential_describe(const char *reference, char *buf, size_t size)
{
	struct reference r;

	if (reference_parse(reference, &r, NULL) < 0)
		(void)snprintf(buf, size, "'%s'", reference);
	else
		reference_describe(&r, buf, size);
}
