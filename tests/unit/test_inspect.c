/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of the manual: protocol, port, mode and entry give the verdict,
 * however the bytes come. */
#include "relay/inspect.h"

#include "profiles/allowlist.h"
#include "relay/http1.h"
#include "tests/unit/hello.h"

#define SSH  "SSH-2.0-OpenSSH_9.2\r\n"
#define GET  "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
#define EVIL "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n"
#define H2   "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum expected {
	NEVER,
	NOT_WEB, /* on other ports than 80 and 443 */
	ALWAYS,
};

struct row {
	const char *bytes; /* NULL: the hello */
	const char *name;  /* of the hello */
	enum expected names;
	enum expected strict;
	enum expected port_named; /* in both */
};

static const struct row table[] = {
	{ NULL, "a.test", ALWAYS, ALWAYS, ALWAYS },
	{ NULL, "evil.test", NEVER, NEVER, NEVER },
	{ NULL, NULL, NEVER, NEVER, NEVER },
	{ GET, NULL, ALWAYS, ALWAYS, ALWAYS },
	{ EVIL, NULL, NEVER, NEVER, NEVER },
	{ "GET / HTTP/1.1\r\n\r\n", NULL, NEVER, NEVER, NEVER },
	{ "\r\n" EVIL, NULL, NEVER, NEVER, NEVER },
	{ "GET /\r\n", NULL, NEVER, NEVER, NEVER },
	{ "\x15\x03\x01\x02\x02\x01\x01", NULL, NEVER, NEVER, NEVER },
	{ "\x80\x2e\x01\x03\x01\x10", NULL, NEVER, NEVER, NEVER },
	{ SSH, NULL, NOT_WEB, NEVER, ALWAYS },
	{ "\x30\x0c\x02\x01", NULL, NOT_WEB, NEVER, ALWAYS },
	{ "\x7f", NULL, NOT_WEB, NEVER, ALWAYS },
};

struct fixture {
	struct allowlist *allow;
	struct bytes *stream;
	struct bytes *scratch;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e;

	assert_non_null(f);
	f->stream = bytes_new();
	f->scratch = bytes_new();
	if (allowlist_new(&f->allow, &e) < 0 ||
	    allowlist_add_domain(f->allow, "a.test", &e) < 0 ||
	    allowlist_add_domain(f->allow, "b.test:443", &e) < 0)
		return -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	allowlist_free(f->allow);
	free(f->stream);
	free(f->scratch);
	free(f);
	return 0;
}

static void set_hello(struct fixture *f, const char *name)
{
	f->stream->len = 0;
	hello_named(f->scratch, name);
	put_records(f->stream, f->scratch, 100);
}

/* What becomes of the stream if it comes in pieces of n bytes: the last verdict
 * but MORE; *ret_passed counts what has gone. */
static struct inspect_verdict run(struct inspect *i, const struct bytes *s,
				  size_t n, struct bytes *scratch,
				  uint64_t *ret_passed)
{
	struct inspect_verdict v = { 0 };
	uint64_t passed = 0;

	for (size_t len = n < s->len ? n : s->len; passed < s->len;) {
		size_t here = len - (size_t)passed;

		memcpy(scratch->data, s->data + passed, here);
		inspect_client(i, scratch->data, here, len == s->len, &v);
		if (v.action == INSPECT_PASS)
			passed = s->len;
		if (v.action == INSPECT_PASS || v.action == INSPECT_REFUSE)
			break;
		if (v.action == INSPECT_GRANT)
			passed += v.grant;
		if (v.action == INSPECT_MORE || passed >= len) {
			assert_true(len < s->len || passed >= s->len);
			len = len + n < s->len ? len + n : s->len;
		}
	}
	*ret_passed = passed < s->len ? passed : s->len;
	return v;
}

static void assert_passes(struct fixture *f, const struct inspect_target *t,
			  bool expected)
{
	for (size_t n = 1; n <= f->stream->len; n = n * 2 + 1) {
		struct inspect *i = inspect_new(t);
		struct inspect_verdict v;
		uint64_t passed;

		assert_non_null(i);
		v = run(i, f->stream, n, f->scratch, &passed);
		assert_int_equal(v.action != INSPECT_REFUSE, expected);
		/* Less than a head may have gone. */
		if (expected)
			assert_int_equal(passed, f->stream->len);
		else
			assert_true(passed == 0 ||
				    (n < HTTP1_SNIFF_MAX &&
				     passed < HTTP1_SNIFF_MAX &&
				     (t->port == 8080 || t->port_named)));
		inspect_free(i);
	}
}

static void check_row(struct fixture *f, struct inspect_target t,
		      enum expected expected)
{
	static const uint16_t ports[] = { 80, 443, 8080 };

	t.allow = f->allow;
	for (size_t i = 0; i < 3; i++) {
		t.port = ports[i];
		assert_passes(f, &t,
			      expected == ALWAYS ||
				      (expected == NOT_WEB && i == 2));
	}
}

static void test_table(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct row *r = &table[i];
		struct inspect_target t = { .mode = VERIFY_NAMES };

		if (r->bytes) {
			f->stream->len = 0;
			put(f->stream, r->bytes, strlen(r->bytes));
		} else {
			set_hello(f, r->name);
		}
		check_row(f, t, r->names);
		t.mode = VERIFY_STRICT;
		check_row(f, t, r->strict);
		t.port_named = true;
		check_row(f, t, r->port_named);
		t.mode = VERIFY_NAMES;
		check_row(f, t, r->port_named);
	}
}

static void test_needless(void **state)
{
	struct inspect_target t = { .mode = VERIFY_OFF };

	(void)state;
	assert_true(inspect_is_needless(&t));
	t.mode = VERIFY_STRICT;
	assert_false(inspect_is_needless(&t));
	t.by_address = true;
	assert_true(inspect_is_needless(&t));
}

static struct inspect_verdict first_verdict(struct inspect *i, const char *text)
{
	struct inspect_verdict v;
	char data[200];

	(void)snprintf(data, sizeof(data), "%s", text);
	inspect_client(i, (uint8_t *)data, strlen(data), false, &v);
	return v;
}

static void test_port(void **state)
{
	struct fixture *f = *state;
	struct inspect_target t = { .allow = f->allow, .port = 443 };

	set_hello(f, "b.test");
	assert_passes(f, &t, true);
	t.port = 80;
	assert_passes(f, &t, false);
}

/* A word goes on where anything may; what turns out to be a request does not.
 */
static void test_doubt(void **state)
{
	struct fixture *f = *state;
	struct inspect_target t = { .allow = f->allow, .port = 8080 };
	struct inspect *i = inspect_new(&t);
	struct inspect_verdict v = first_verdict(i, "G");

	assert_false(inspect_needs_client(i));
	assert_int_equal(v.action, INSPECT_GRANT);
	assert_int_equal(v.grant, 1);
	assert_int_equal(first_verdict(i, "ET").action, INSPECT_GRANT);
	assert_int_equal(first_verdict(i, " /").action, INSPECT_MORE);
	v = first_verdict(i, " / HTTP/1.1\r\nHost: evil.test\r\n\r\n");
	assert_int_equal(v.action, INSPECT_REFUSE);
	assert_int_equal(v.reason, INSPECT_NAME_NOT_ALLOWED);
	inspect_free(i);

	i = inspect_new(&t);
	assert_int_equal(first_verdict(i, "GET").action, INSPECT_GRANT);
	v = first_verdict(i, " / HTTP/1.1\r\nHost: a.test\r\n\r\n");
	assert_int_equal(v.action, INSPECT_GRANT);
	assert_int_equal(v.grant, strlen(GET) - 3);
	assert_int_equal(first_verdict(i, EVIL).action, INSPECT_REFUSE);
	inspect_free(i);

	i = inspect_new(&t);
	assert_int_equal(first_verdict(i, "quit").action, INSPECT_GRANT);
	assert_int_equal(first_verdict(i, "\r\n.").action, INSPECT_PASS);
	inspect_free(i);

	t.port = 443;
	i = inspect_new(&t);
	assert_true(inspect_needs_client(i));
	assert_int_equal(first_verdict(i, "G").action, INSPECT_MORE);
	assert_int_equal(first_verdict(i, "G:").action, INSPECT_REFUSE);
	inspect_free(i);
}

/* A word and blanks up to the last byte that is sniffed at, and then a target's
 * beginning: nothing of what follows is in doubt. */
static void test_doubt_ends(void **state)
{
	struct fixture *f = *state;
	struct inspect_target t = { .allow = f->allow, .port = 8080 };
	char text[4 * HTTP1_SNIFF_MAX];

	for (size_t n = 1; n < strlen("https"); n++) {
		struct inspect *i = inspect_new(&t);

		memset(text, ' ', HTTP1_SNIFF_MAX);
		memcpy(text, "GET", 3);
		memcpy(text + HTTP1_SNIFF_MAX - n, "http", n);
		memset(text + HTTP1_SNIFF_MAX, 'x',
		       sizeof(text) - HTTP1_SNIFF_MAX);
		text[sizeof(text) - 1] = '\0';
		assert_int_not_equal(first_verdict(i, text).action,
				     INSPECT_GRANT);
		inspect_free(i);
	}
}

/* More than what was said to be all: TCP's urgent mark had hidden it. */
static void test_ended(void **state)
{
	struct fixture *f = *state;
	struct inspect_target t = { .allow = f->allow, .port = 8443 };
	struct inspect *i = inspect_new(&t);
	struct inspect_verdict v;
	uint8_t type = 0x16;

	inspect_client(i, &type, 1, true, &v);
	assert_int_equal(v.action, INSPECT_GRANT);
	assert_int_equal(v.grant, 1);
	assert_int_equal(first_verdict(i, "\x03\x01").action, INSPECT_REFUSE);
	inspect_free(i);
}

static void test_refusal(void **state)
{
	struct fixture *f = *state;
	struct inspect_target t = { .allow = f->allow, .port = 443 };
	struct inspect *i = inspect_new(&t);
	struct inspect_verdict v;
	uint64_t passed;

	set_hello(f, "x\n\x1b.test");
	v = run(i, f->stream, 1000, f->scratch, &passed);
	assert_int_equal(v.reason, INSPECT_NAME_MALFORMED);
	assert_int_equal(v.protocol, INSPECT_TLS);
	assert_string_equal(v.name, "x\\x0a\\x1b.test");
	inspect_free(i);

	i = inspect_new(&t);
	v = first_verdict(i, EVIL);
	assert_int_equal(v.reason, INSPECT_NAME_NOT_ALLOWED);
	assert_int_equal(v.protocol, INSPECT_HTTP1);
	assert_string_equal(v.name, "evil.test");
	inspect_free(i);

	i = inspect_new(&t);
	assert_int_equal(first_verdict(i, "\x16\x03").action, INSPECT_MORE);
	inspect_timed_out(i, &v);
	assert_int_equal(v.action, INSPECT_REFUSE);
	assert_int_equal(v.reason, INSPECT_INCOMPLETE);
	inspect_free(i);
	for (int r = 0; r < INSPECT_REASON__COUNT; r++)
		assert_non_null(inspect_reason_text((enum inspect_reason)r));
}

/* The preface of HTTP/2 goes first; the client may wait for the server's. */
static void test_http2(void **state)
{
	struct fixture *f = *state;
	struct inspect_target t = { .allow = f->allow, .port = 80 };
	struct inspect *i = inspect_new(&t);

	assert_int_equal(first_verdict(i, "PRI * HTTP/2.0\r\n").action,
			 INSPECT_MORE);
	assert_int_equal(first_verdict(i, H2).action, INSPECT_GRANT);
	assert_int_equal(first_verdict(i, EVIL).action, INSPECT_REFUSE);
	inspect_free(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_needless),
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_doubt),
		cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_http2),
		cmocka_unit_test(test_ended),
		cmocka_unit_test(test_doubt_ends),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
