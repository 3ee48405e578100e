/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the relay holds back, for how long, and what it reports. */
#include "profiles/allowlist.h"
#include "tests/unit/hello.h"
#include "tests/unit/relay_io.h"

#define SHORT_MS 150

static struct relay_msg_refused recv_refused(struct lab *lab)
{
	struct relay_msg_refused m;

	assert_int_equal(recv(lab->channel, &m, sizeof(m), 0), sizeof(m));
	assert_int_equal(m.closed.type, RELAY_MSG_REFUSED);
	assert_int_equal(m.closed.end, RELAY_END_REFUSED);
	assert_int_equal(m.closed.bytes_up, 0);
	return m;
}

static struct allowlist *allow_a(void)
{
	struct allowlist *allow;
	struct err e;

	assert_int_equal(allowlist_new(&allow, &e), 0);
	assert_int_equal(allowlist_add_domain(allow, "a.test", &e), 0);
	return allow;
}

static struct bytes *hello_stream(const char *name)
{
	struct bytes *message = bytes_new();
	struct bytes *s = bytes_new();

	hello_named(message, name);
	put_records(s, message, 16384);
	free(message);
	return s;
}

static void send_bytes(int fd, const struct bytes *b, size_t from, size_t len)
{
	assert_int_equal(send(fd, b->data + from, len, 0), len);
}

/* Neither end sees more than a reset. */
static void expect_refused(struct lab *lab, struct lab_conn *c,
			   enum inspect_reason reason)
{
	struct relay_msg_refused m = recv_refused(lab);

	assert_int_equal(m.closed.id, c->id);
	assert_int_equal(m.reason, reason);
	assert_int_equal(lab_expect_reset(c->peer), 0);
	assert_int_equal(lab_expect_reset(c->client), 0);
	lab_close(c);
}

static void test_partial(void **state)
{
	struct allowlist *allow = allow_a();
	struct lab_options o = { .claim_timeout_ms = LAB_DEADLINE_MS,
				 .finish_timeout_ms = LAB_DEADLINE_MS,
				 .allow = allow,
				 .partial_timeout_ms = SHORT_MS,
				 .silent_timeout_ms = LAB_DEADLINE_MS };
	struct bytes *hello = hello_stream("a.test");
	struct lab lab;
	struct lab_conn c[3];

	LAB_REQUIRE(state);
	lab_start(&lab, &o);
	/* Each on its own, whichever is first. */
	for (uint64_t i = 0; i < 3; i++)
		c[i] = lab_open(&lab, AF_INET, i, false);
	send_bytes(c[1].client, hello, 0, 1);
	expect_refused(&lab, &c[1], INSPECT_INCOMPLETE);
	send_bytes(c[0].client, hello, 0, hello->len - 1);
	expect_refused(&lab, &c[0], INSPECT_INCOMPLETE);
	send_bytes(c[2].client, hello, 0, 5);
	send_bytes(c[2].client, hello, 5, hello->len - 5);
	for (size_t got = 0; got < hello->len;) {
		char buf[1000];
		ssize_t n = recv(c[2].peer, buf, sizeof(buf), 0);

		assert_true(n > 0);
		assert_memory_equal(buf, hello->data + got, n);
		got += (size_t)n;
	}
	/* Once it has gone there is no time-out any more. */
	assert_int_equal(
		poll(&(struct pollfd) { .fd = c[2].peer, .events = POLLIN }, 1,
		     3 * SHORT_MS),
		0);
	lab_close(&c[2]);
	(void)lab_recv_closed(&lab);
	lab_stop(&lab);
	allowlist_free(allow);
	free(hello);
}

static void test_silent(void **state)
{
	struct allowlist *allow = allow_a();
	struct lab_options o = { .claim_timeout_ms = LAB_DEADLINE_MS,
				 .finish_timeout_ms = LAB_DEADLINE_MS,
				 .allow = allow,
				 .partial_timeout_ms = LAB_DEADLINE_MS,
				 .silent_timeout_ms = SHORT_MS };
	struct lab lab;
	struct lab_conn c;

	LAB_REQUIRE(state);
	lab_start(&lab, &o);
	c = lab_open(&lab, AF_INET, 1, false);
	lab_expect_closed(&lab, 1, RELAY_END_SILENT, 0, 0);
	assert_int_equal(lab_expect_reset(c.client), 0);
	assert_int_equal(lab_expect_reset(c.peer), 0);
	lab_close(&c);
	lab_stop(&lab);
	allowlist_free(allow);
}

static void test_report(void **state)
{
	struct allowlist *allow = allow_a();
	struct lab_options o = { .claim_timeout_ms = LAB_DEADLINE_MS,
				 .finish_timeout_ms = LAB_DEADLINE_MS,
				 .allow = allow,
				 .partial_timeout_ms = LAB_DEADLINE_MS,
				 .silent_timeout_ms = LAB_DEADLINE_MS };
	struct bytes *hello = hello_stream("evil.test");
	struct relay_msg_refused m;
	struct lab lab;
	struct lab_conn c;

	LAB_REQUIRE(state);
	lab_start(&lab, &o);
	c = lab_open(&lab, AF_INET, 7, false);
	send_bytes(c.client, hello, 0, hello->len);
	m = recv_refused(&lab);
	assert_int_equal(m.closed.id, 7);
	assert_int_equal(m.reason, INSPECT_NAME_NOT_ALLOWED);
	assert_int_equal(m.protocol, INSPECT_TLS);
	assert_string_equal(m.name, "evil.test");
	lab_close(&c);

	c = lab_open(&lab, AF_INET6, 8, false);
	assert_int_equal(send(c.client, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	m = recv_refused(&lab);
	assert_int_equal(m.reason, INSPECT_MALFORMED);
	assert_int_equal(m.protocol, INSPECT_HTTP1);
	assert_true(m.detail[0]);
	lab_close(&c);
	lab_stop(&lab);
	allowlist_free(allow);
	free(hello);
}

/* The end of the run does not wait for what is held, nor let it go. */
static void test_finish(void **state)
{
	struct allowlist *allow = allow_a();
	struct lab_options o = { .claim_timeout_ms = LAB_DEADLINE_MS,
				 .finish_timeout_ms = LAB_DEADLINE_MS,
				 .allow = allow,
				 .partial_timeout_ms = LAB_DEADLINE_MS,
				 .silent_timeout_ms = LAB_DEADLINE_MS };
	struct bytes *hello = hello_stream("a.test");
	struct lab lab;
	struct lab_conn c;

	LAB_REQUIRE(state);
	lab_start(&lab, &o);
	c = lab_open(&lab, AF_INET, 1, false);
	send_bytes(c.client, hello, 0, hello->len - 1);
	assert_int_equal(shutdown(c.client, SHUT_WR), 0);
	lab_send_finish(&lab);
	expect_refused(&lab, &c, INSPECT_INCOMPLETE);
	assert_int_equal(lab_exit_status(&lab), 0);
	allowlist_free(allow);
	free(hello);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_partial),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_finish),
	};

	return cmocka_run_group_tests(tests, lab_enter, NULL);
}
