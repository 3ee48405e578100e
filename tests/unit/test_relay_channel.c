/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The relay and its monitor: the end of the run, of the monitor, and messages
 * that must not be. */
#include "tests/unit/relay_io.h"

#define MEGABYTE (1U << 20)

static const struct lab_options defaults = {
	.claim_timeout_ms = LAB_DEADLINE_MS,
	.finish_timeout_ms = LAB_DEADLINE_MS,
};

static const struct lab_options hurried = {
	.claim_timeout_ms = LAB_DEADLINE_MS,
	.finish_timeout_ms = 200,
};

static void test_monitor_gone(void **state)
{
	struct lab lab;
	struct lab_conn c;
	int waiting;
	char x;

	LAB_REQUIRE(state);
	lab_start(&lab, &defaults);
	waiting = lab_announce(&lab, AF_INET, 2, 2222, false);
	c = lab_open(&lab, AF_INET, 1, false);
	/* A byte through the second says that the first is known as well. */
	assert_int_equal(send(c.client, "x", 1, 0), 1);
	assert_int_equal(recv(c.peer, &x, 1, 0), 1);
	lab_stop(&lab);
	assert_int_equal(lab_expect_reset(c.client), 0);
	assert_int_equal(lab_expect_reset(c.peer), 0);
	assert_int_equal(lab_expect_reset(waiting), 0);
	lab_close(&c);
	(void)close(waiting);
}

static void test_finish_idle(void **state)
{
	struct lab lab;

	LAB_REQUIRE(state);
	lab_start(&lab, &defaults);
	lab_send_finish(&lab);
	assert_int_equal(lab_exit_status(&lab), 0);
}

/* Everything the command has sent arrives, then FIN, although it is gone and
 * the far end has sent what nobody reads. */
static void test_finish_delivers(void **state)
{
	struct lab lab;
	struct lab_conn c;
	struct lab_stream s = { .recv_seed = 5 };

	LAB_REQUIRE(state);
	lab_start(&lab, &hurried);
	c = lab_open(&lab, AF_INET, 1, false);
	s.to_recv = lab_fill(c.client, 5);
	assert_true(s.to_recv > 0);
	assert_int_equal(shutdown(c.client, SHUT_WR), 0);
	assert_true(send(c.peer, "unread", 6, 0) == 6);
	lab_send_finish(&lab);
	s.fd = c.peer;
	lab_exchange(&s, 1);
	lab_expect_eof(c.peer);
	{
		struct relay_msg_closed m = lab_recv_closed(&lab);

		assert_int_equal(m.end, RELAY_END_FINISH);
		assert_int_equal(m.bytes_up, s.to_recv);
	}
	assert_int_equal(lab_exit_status(&lab), 0);
	lab_close(&c);
}

/* The RST of a client that died with unread input does not cost the far end
 * what the client had sent. */
static void test_finish_client_reset(void **state)
{
	struct lab lab;
	struct lab_conn c;

	LAB_REQUIRE(state);
	lab_start(&lab, &defaults);
	c = lab_open(&lab, AF_INET, 1, false);
	assert_int_equal(kill(lab.pid, SIGSTOP), 0);
	assert_int_equal(send(c.client, "last words", 10, 0), 10);
	lab_send_finish(&lab);
	lab_reset(&c.client);
	assert_int_equal(kill(lab.pid, SIGCONT), 0);
	{
		char buf[16];

		assert_int_equal(recv(c.peer, buf, sizeof(buf), MSG_WAITALL),
				 10);
	}
	/* Whichever the relay saw first, FINISH or the RST. */
	(void)lab_recv_closed(&lab);
	assert_int_equal(lab_exit_status(&lab), 0);
	lab_close(&c);
}

/* Without an end of file from the client the far end gets a RST: what it has
 * is not known to be all. */
static void test_finish_timeout(void **state)
{
	struct lab lab;
	struct lab_conn c;
	int waiting;

	LAB_REQUIRE(state);
	lab_start(&lab, &hurried);
	c = lab_open(&lab, AF_INET, 1, false);
	assert_int_equal(send(c.client, "x", 1, 0), 1);
	{
		char x;

		assert_int_equal(recv(c.peer, &x, 1, 0), 1);
	}
	waiting = lab_announce(&lab, AF_INET, 2, 2222, false);
	lab_send_finish(&lab);
	lab_expect_closed(&lab, 2, RELAY_END_UNCLAIMED, 0, 0);
	assert_int_equal(lab_expect_reset(waiting), 0);
	lab_expect_closed(&lab, 1, RELAY_END_FINISH, 1, 0);
	assert_int_equal(lab_expect_reset(c.peer), 0);
	assert_int_equal(lab_expect_reset(c.client), 0);
	assert_int_equal(lab_exit_status(&lab), 0);
	lab_close(&c);
	(void)close(waiting);
}

/* What waits in the accept queue when the command ends is served. */
static void test_finish_accepts(void **state)
{
	struct lab lab;
	struct lab_conn c;
	char buf[8];

	LAB_REQUIRE(state);
	lab_start(&lab, &defaults);
	assert_int_equal(kill(lab.pid, SIGSTOP), 0);
	c = lab_open(&lab, AF_INET, 1, false);
	assert_int_equal(send(c.client, "late", 4, 0), 4);
	fd_close(&c.client);
	lab_send_finish(&lab);
	assert_int_equal(kill(lab.pid, SIGCONT), 0);
	assert_int_equal(recv(c.peer, buf, sizeof(buf), MSG_WAITALL), 4);
	lab_expect_closed(&lab, 1, RELAY_END_FINISH, 4, 0);
	assert_int_equal(lab_exit_status(&lab), 0);
	lab_close(&c);
}

/* A monitor that does not read holds nothing up; the reports come later. */
static void test_reports_queue(void **state)
{
	struct lab lab;
	uint64_t n = 1000;

	LAB_REQUIRE(state);
	lab_start(&lab, &defaults);
	{
		const int size = 4608; /* the kernel's minimum */

		assert_int_equal(setsockopt(lab.channel, SOL_SOCKET, SO_RCVBUF,
					    &size, sizeof(size)),
				 0);
	}
	for (uint64_t id = 0; id < n; id++) {
		struct lab_conn c = lab_open(&lab, AF_INET, id, false);

		lab_close(&c);
	}
	for (uint64_t id = 0; id < n; id++)
		assert_int_equal(lab_recv_closed(&lab).end, RELAY_END_EOF);
	lab_expect_silence(&lab);
	lab_stop(&lab);
}

struct bad_message {
	const char *what;
	uint32_t type;
	size_t size;
	size_t n_fds;
};

static const struct bad_message bad_messages[] = {
	{ "no type", 0, 3, 0 },
	{ "type 0", 0, sizeof(struct relay_msg_finish), 0 },
	{ "own type", RELAY_MSG_CLOSED, sizeof(struct relay_msg_closed), 0 },
	{ "unknown type", 1000, sizeof(struct relay_msg_conn), 1 },
	{ "short", RELAY_MSG_CONN, sizeof(struct relay_msg_conn) - 1, 1 },
	{ "long", RELAY_MSG_CONN, sizeof(struct relay_msg_conn) + 1, 1 },
	{ "no socket", RELAY_MSG_CONN, sizeof(struct relay_msg_conn), 0 },
	{ "two sockets", RELAY_MSG_CONN, sizeof(struct relay_msg_conn), 2 },
	{ "not TCP", RELAY_MSG_CONN, sizeof(struct relay_msg_conn), 1 },
	{ "long finish", RELAY_MSG_FINISH, sizeof(struct relay_msg_conn), 0 },
	{ "finish with socket", RELAY_MSG_FINISH,
	  sizeof(struct relay_msg_finish), 1 },
};

static void test_bad_messages(void **state)
{
	LAB_REQUIRE(state);
	for (size_t i = 0; i < sizeof(bad_messages) / sizeof(*bad_messages);
	     i++) {
		const struct bad_message *b = &bad_messages[i];
		unsigned char msg[128] = { 0 };
		struct lab lab;
		int fds[2];

		memcpy(msg, &b->type, sizeof(b->type));
		assert_int_equal(ipc_pair(fds, NULL), 0);
		lab_start(&lab, &defaults);
		assert_int_equal(ipc_send(lab.channel, msg, b->size, fds,
					  b->n_fds, true),
				 0);
		if (lab_exit_status(&lab) != 1)
			fail_msg("accepted: %s", b->what);
		(void)close(fds[0]);
		(void)close(fds[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_monitor_gone),
		cmocka_unit_test(test_finish_idle),
		cmocka_unit_test(test_finish_delivers),
		cmocka_unit_test(test_finish_client_reset),
		cmocka_unit_test(test_finish_timeout),
		cmocka_unit_test(test_finish_accepts),
		cmocka_unit_test(test_reports_queue),
		cmocka_unit_test(test_bad_messages),
	};

	return cmocka_run_group_tests(tests, lab_enter, NULL);
}
