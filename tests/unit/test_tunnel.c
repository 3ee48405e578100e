/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "launcher/tunnel.h"
#include "profiles/proxyrules.h"

struct desk {
	struct tunnel *tunnel;
	int ours;  /* the tunnel's end */
	int proxy; /* the other */
	uint32_t events;
	struct err e;
};

static int setup(void **state)
{
	static struct desk d;
	int pair[2];

	d = (struct desk) { 0 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
		return -1;
	d.ours = pair[0];
	d.proxy = pair[1];
	*state = &d;
	return 0;
}

static int teardown(void **state)
{
	struct desk *d = *state;

	tunnel_free(d->tunnel);
	(void)close(d->ours);
	(void)close(d->proxy);
	return 0;
}

static int step(struct desk *d)
{
	return tunnel_step(d->tunnel, d->ours, &d->events, &d->e);
}

static void start(struct desk *d)
{
	assert_int_equal(tunnel_new(&d->tunnel, "a.test", 443, NULL), 0);
	assert_int_equal(step(d), 0);
	assert_int_equal(d->events, EPOLLIN);
}

static void answer(struct desk *d, const char *text)
{
	assert_int_equal(write(d->proxy, text, strlen(text)), strlen(text));
}

static void test_request(void **state)
{
	static const struct {
		const char *host, *credential, *text;
	} rows[] = {
		{ "a.test", NULL,
		  "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n" },
		{ "2001:db8::1", NULL,
		  "CONNECT [2001:db8::1]:443 HTTP/1.1\r\n"
		  "Host: [2001:db8::1]:443\r\n\r\n" },
		{ "a.test", "Aladdin:open sesame",
		  "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n"
		  "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"
		  "\r\n" },
		{ "a.test", "a:b",
		  "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n"
		  "Proxy-Authorization: Basic YTpi\r\n\r\n" },
		{ "a.test", "a:bc",
		  "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n"
		  "Proxy-Authorization: Basic YTpiYw==\r\n\r\n" },
	};
	struct desk *d = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char buf[512] = "";

		assert_int_equal(tunnel_new(&d->tunnel, rows[i].host, 443,
					    rows[i].credential),
				 0);
		assert_int_equal(step(d), 0);
		assert_true(read(d->proxy, buf, sizeof(buf) - 1) > 0);
		assert_string_equal(buf, rows[i].text);
		tunnel_free(d->tunnel);
		d->tunnel = NULL;
	}
}

/* However the head is cut, not a byte behind it is taken. */
static void test_every_cut(void **state)
{
	static const char text[] =
		"HTTP/1.1 200 OK\r\nA: b\r\n\r\nSSH-2.0\r\n\r\n";
	const size_t head = (size_t)(strstr(text, "SSH") - text);

	for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
		struct desk *d;
		char rest[64] = "";
		int rc;

		assert_int_equal(setup(state), 0);
		d = *state;
		start(d);
		assert_int_equal(write(d->proxy, text, cut), cut);
		rc = step(d);
		assert_int_equal(rc, cut >= head);
		assert_int_equal(
			write(d->proxy, text + cut, sizeof(text) - 1 - cut),
			sizeof(text) - 1 - cut);
		if (rc == 0)
			assert_int_equal(step(d), 1);
		assert_true(read(d->ours, rest, sizeof(rest) - 1) > 0);
		assert_string_equal(rest, "SSH-2.0\r\n\r\n");
		assert_int_equal(teardown(state), 0);
	}
	assert_int_equal(setup(state), 0);
}

static void test_answers(void **state)
{
	static const struct {
		const char *text;
		int rc;
		const char *words;
	} rows[] = {
		{ "HTTP/1.0 200\r\n\r\n", 1, NULL },
		{ "HTTP/1.1 204 Fine\r\nX: y\r\n\r\n", 1, NULL },
		{ "HTTP/1.1 403 No\r\n\r\n", -ECONNREFUSED, "'403 No'" },
		{ "HTTP/1.1 407 Who\r\n\r\n", -ECONNREFUSED,
		  "upstream_credential" },
		{ "HTTP/1.1 503 Down\r\n\r\n", -EHOSTUNREACH, "'503 Down'" },
		{ "HTTP/1.1 302 Go\r\n\r\n", -ECONNREFUSED, "'302 Go'" },
		{ "HTTP/2 200 OK\r\n\r\n", -EHOSTUNREACH, "no HTTP proxy" },
		{ "HTTP/1.1 2000 OK\r\n\r\n", -EHOSTUNREACH, "no HTTP proxy" },
		{ "HTTP/1.1 20\r\n\r\n", -EHOSTUNREACH, "no HTTP proxy" },
		{ "200 OK\r\n\r\n", -EHOSTUNREACH, "no HTTP proxy" },
		{ "\r\n\r\n", -EHOSTUNREACH, "no HTTP proxy" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct desk *d;

		assert_int_equal(setup(state), 0);
		d = *state;
		start(d);
		answer(d, rows[i].text);
		assert_int_equal(step(d), rows[i].rc);
		if (rows[i].words)
			assert_non_null(strstr(d->e.msg, rows[i].words));
		assert_int_equal(teardown(state), 0);
	}
	assert_int_equal(setup(state), 0);
}

static void test_end_in_the_middle(void **state)
{
	struct desk *d = *state;

	start(d);
	answer(d, "HTTP/1.1 200 OK\r\n");
	assert_int_equal(step(d), 0);
	assert_int_equal(shutdown(d->proxy, SHUT_WR), 0);
	assert_int_equal(step(d), -EHOSTUNREACH);
	assert_non_null(strstr(d->e.msg, "reset"));
}

static void test_endless_head(void **state)
{
	struct desk *d = *state;
	int rc = 0;

	start(d);
	answer(d, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; rc == 0 && i < 10000; i++) {
		answer(d, "X-Filler: y\r\n");
		rc = step(d);
	}
	assert_int_equal(rc, -EHOSTUNREACH);
}

static void test_stand_ins(void **state)
{
	char text[ADDR_TEXT_MAX];
	struct addr a;

	(void)state;
	a = proxy_stand_in(0);
	assert_string_equal(addr_format(&a, text), "198.18.0.0");
	a = proxy_stand_in(65536 + 258);
	assert_string_equal(addr_format(&a, text), "198.19.1.2");
	a = proxy_stand_in(STAND_INS - 1);
	assert_string_equal(addr_format(&a, text), "198.19.255.255");
	assert_true(proxy_is_stand_in(&a));
	assert_true(addr_parse("198.20.0.0", &a));
	assert_false(proxy_is_stand_in(&a));
	assert_true(addr_parse("::198.18.0.1", &a));
	assert_false(proxy_is_stand_in(&a));
}

#define DESK_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DESK_TEST(test_request),      DESK_TEST(test_every_cut),
		DESK_TEST(test_answers),      DESK_TEST(test_end_in_the_middle),
		DESK_TEST(test_endless_head), DESK_TEST(test_stand_ins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
