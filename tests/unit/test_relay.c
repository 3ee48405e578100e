/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both ends of a relayed connection see of each other. */
#include "tests/unit/relay_io.h"

#define MEGABYTE (1U << 20)

static const struct lab_options defaults = {
	.claim_timeout_ms = LAB_DEADLINE_MS,
	.finish_timeout_ms = LAB_DEADLINE_MS,
};

/* Bytes in one direction; seed 7 on either end. */
static void transfer(int from, int to, size_t len)
{
	struct lab_stream s[] = {
		{ .fd = from, .send_seed = 7, .to_send = len },
		{ .fd = to, .recv_seed = 7, .to_recv = len },
	};

	lab_exchange(s, 2);
}

static void check_integrity(int family, size_t up, size_t down)
{
	struct lab lab;
	struct lab_conn c;

	lab_start(&lab, &defaults);
	c = lab_open(&lab, family, 77, false);
	{
		struct lab_stream s[] = {
			{ .fd = c.client,
			  .send_seed = 1,
			  .recv_seed = 2,
			  .to_send = up,
			  .to_recv = down },
			{ .fd = c.peer,
			  .send_seed = 2,
			  .recv_seed = 1,
			  .to_send = down,
			  .to_recv = up },
		};

		lab_exchange(s, 2);
	}
	lab_close(&c);
	lab_expect_closed(&lab, 77, RELAY_END_EOF, up, down);
	lab_stop(&lab);
}

static void test_integrity(void **state)
{
	LAB_REQUIRE(state);
	check_integrity(AF_INET, 9 * MEGABYTE + 1, 7 * MEGABYTE + 3);
	check_integrity(AF_INET6, 3 * MEGABYTE + 5, 5 * MEGABYTE + 7);
	check_integrity(AF_INET, 0, 1);
	check_integrity(AF_INET, 1, 0);
	check_integrity(AF_INET, 0, 0);
}

/* Many small segments use up the pipe's slots long before its bytes. */
static void test_small_segments(void **state)
{
	struct lab lab;
	struct lab_conn c;
	size_t n = 5000;

	LAB_REQUIRE(state);
	lab_start(&lab, &defaults);
	c = lab_open(&lab, AF_INET, 1, false);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(send(c.client, "x", 1, 0), 1);
	assert_int_equal(shutdown(c.client, SHUT_WR), 0);
	for (size_t got = 0; got < n;) {
		char buf[256];
		ssize_t len = recv(c.peer, buf, sizeof(buf), 0);

		assert_true(len > 0);
		got += (size_t)len;
	}
	lab_expect_eof(c.peer);
	lab_close(&c);
	lab_expect_closed(&lab, 1, RELAY_END_EOF, n, 0);
	lab_stop(&lab);
}

static void check_half_close(bool client_first)
{
	struct lab lab;
	struct lab_conn c;
	int first;
	int second;

	lab_start(&lab, &defaults);
	c = lab_open(&lab, AF_INET, 1, false);
	first = client_first ? c.client : c.peer;
	second = client_first ? c.peer : c.client;
	transfer(first, second, MEGABYTE);
	assert_int_equal(shutdown(first, SHUT_WR), 0);
	lab_expect_eof(second);
	lab_expect_silence(&lab);
	transfer(second, first, 3 * MEGABYTE);
	assert_int_equal(shutdown(second, SHUT_WR), 0);
	lab_expect_eof(first);
	lab_expect_closed(&lab, 1, RELAY_END_EOF,
			  (client_first ? 1 : 3) * MEGABYTE,
			  (client_first ? 3 : 1) * MEGABYTE);
	lab_close(&c);
	lab_stop(&lab);
}

static void test_half_close(void **state)
{
	LAB_REQUIRE(state);
	check_half_close(true);
	check_half_close(false);
}

static void test_reset(void **state)
{
	struct lab lab;
	struct lab_conn c;

	LAB_REQUIRE(state);
	lab_start(&lab, &defaults);

	c = lab_open(&lab, AF_INET, 1, false);
	transfer(c.client, c.peer, 1000);
	lab_reset(&c.client);
	assert_int_equal(lab_expect_reset(c.peer), 0);
	lab_expect_closed(&lab, 1, RELAY_END_RESET, 1000, 0);
	lab_close(&c);

	c = lab_open(&lab, AF_INET, 2, false);
	transfer(c.peer, c.client, 1000);
	lab_reset(&c.peer);
	assert_int_equal(lab_expect_reset(c.client), 0);
	lab_expect_closed(&lab, 2, RELAY_END_RESET, 0, 1000);
	lab_close(&c);
	lab_stop(&lab);
}

/* Also after the end of the other direction. */
static void test_reset_half_closed(void **state)
{
	struct lab lab;
	struct lab_conn c;

	LAB_REQUIRE(state);
	lab_start(&lab, &defaults);

	c = lab_open(&lab, AF_INET, 1, false);
	assert_int_equal(shutdown(c.client, SHUT_WR), 0);
	lab_expect_eof(c.peer);
	lab_reset(&c.client);
	/* The FIN has been read, so Linux tells this end with EPIPE. */
	assert_true(poll(&(struct pollfd) { .fd = c.peer }, 1,
			 LAB_DEADLINE_MS) > 0);
	assert_int_equal(send(c.peer, "x", 1, MSG_NOSIGNAL), -1);
	lab_expect_closed(&lab, 1, RELAY_END_RESET, 0, 0);
	lab_close(&c);

	c = lab_open(&lab, AF_INET, 2, false);
	assert_int_equal(shutdown(c.client, SHUT_WR), 0);
	lab_expect_eof(c.peer);
	lab_reset(&c.peer);
	(void)lab_expect_reset(c.client);
	lab_expect_closed(&lab, 2, RELAY_END_RESET, 0, 0);
	lab_close(&c);
	lab_stop(&lab);
}

/* Seen although nothing can be read from or written to the other side. */
static void test_reset_while_blocked(void **state)
{
	struct lab lab;
	struct lab_conn c;
	size_t sent;

	LAB_REQUIRE(state);
	lab_start(&lab, &defaults);

	c = lab_open(&lab, AF_INET, 1, false);
	sent = lab_fill(c.client, 1);
	assert_true(sent > 0);
	lab_reset(&c.client);
	assert_true(lab_expect_reset(c.peer) < sent);
	assert_int_equal(lab_recv_closed(&lab).end, RELAY_END_RESET);
	lab_close(&c);

	c = lab_open(&lab, AF_INET, 2, false);
	sent = lab_fill(c.client, 1);
	assert_true(sent > 0);
	lab_reset(&c.peer);
	assert_int_equal(lab_expect_reset(c.client), 0);
	assert_int_equal(lab_recv_closed(&lab).end, RELAY_END_RESET);
	lab_close(&c);
	lab_stop(&lab);
}

/* A server that answers and closes with unread input sends data, then RST. */
static void test_data_before_reset(void **state)
{
	struct lab lab;
	struct lab_conn c;

	LAB_REQUIRE(state);
	lab_start(&lab, &defaults);
	c = lab_open(&lab, AF_INET, 1, false);
	assert_int_equal(kill(lab.pid, SIGSTOP), 0);
	assert_int_equal(send(c.peer, "answer", 6, 0), 6);
	lab_reset(&c.peer);
	assert_int_equal(kill(lab.pid, SIGCONT), 0);
	assert_int_equal(lab_expect_reset(c.client), 6);
	lab_expect_closed(&lab, 1, RELAY_END_RESET, 0, 6);
	lab_close(&c);
	lab_stop(&lab);
}

static void test_unclaimed(void **state)
{
	struct lab_options o = defaults;
	struct lab lab;
	int first;
	int second;

	LAB_REQUIRE(state);
	o.claim_timeout_ms = 100;
	lab_start(&lab, &o);
	first = lab_announce(&lab, AF_INET, 1, 1111, false);
	second = lab_announce(&lab, AF_INET, 2, 2222, false);
	assert_int_equal(lab_expect_reset(first), 0);
	assert_int_equal(lab_expect_reset(second), 0);
	lab_expect_closed(&lab, 1, RELAY_END_UNCLAIMED, 0, 0);
	lab_expect_closed(&lab, 2, RELAY_END_UNCLAIMED, 0, 0);
	lab_expect_silence(&lab);
	(void)close(first);
	(void)close(second);
	lab_stop(&lab);
}

static void test_replaced(void **state)
{
	struct lab lab;
	struct lab_conn c = { .id = 2 };
	uint16_t port;
	int old;

	LAB_REQUIRE(state);
	lab_start(&lab, &defaults);
	c.client = lab_client(AF_INET, false, &port);
	old = lab_announce(&lab, AF_INET, 1, port, false);
	c.peer = lab_announce(&lab, AF_INET, 2, port, false);
	assert_int_equal(lab_expect_reset(old), 0);
	lab_expect_closed(&lab, 1, RELAY_END_UNCLAIMED, 0, 0);
	(void)close(old);
	lab_connect_client(AF_INET, c.client);
	transfer(c.client, c.peer, 100);
	lab_close(&c);
	lab_expect_closed(&lab, 2, RELAY_END_EOF, 100, 0);
	lab_stop(&lab);
}

/* The same source port, but another destination, is another connection. */
static void test_unannounced(void **state)
{
	struct lab lab;
	struct sockaddr_storage ss;
	socklen_t len = lab_sockaddr(AF_INET, "127.0.0.2", 8443, &ss);
	uint16_t port;
	int client;
	int peer;

	LAB_REQUIRE(state);
	lab_start(&lab, &defaults);
	client = lab_client(AF_INET, false, &port);
	peer = lab_announce(&lab, AF_INET, 1, port, false);
	assert_int_equal(connect(client, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(lab_expect_reset(client), 0);
	(void)close(client);
	(void)close(peer);
	lab_stop(&lab);
}

/* Death without a chance to clean up is a RST, not an end of file. */
static void test_killed(void **state)
{
	struct lab lab;
	struct lab_conn c;

	LAB_REQUIRE(state);
	lab_start(&lab, &defaults);
	c = lab_open(&lab, AF_INET, 1, false);
	transfer(c.client, c.peer, 1000);
	assert_int_equal(kill(lab.pid, SIGKILL), 0);
	assert_int_equal(lab_expect_reset(c.client), 0);
	assert_int_equal(lab_expect_reset(c.peer), 0);
	lab_close(&c);
	assert_int_equal(lab_exit_status(&lab), -SIGKILL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integrity),
		cmocka_unit_test(test_small_segments),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_reset_half_closed),
		cmocka_unit_test(test_reset_while_blocked),
		cmocka_unit_test(test_data_before_reset),
		cmocka_unit_test(test_unclaimed),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_unannounced),
		cmocka_unit_test(test_killed),
	};

	return cmocka_run_group_tests(tests, lab_enter, NULL);
}
