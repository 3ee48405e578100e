/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The relay under load and at its limits: memory, descriptors, wake-ups. */
#include "tests/unit/relay_io.h"

#define MANY	       2000
#define BYTES_PER_CONN 16384
#define FEW_FILES      64

static const struct lab_options defaults = {
	.claim_timeout_ms = LAB_DEADLINE_MS,
	.finish_timeout_ms = LAB_DEADLINE_MS,
};

/* Send and receive buffers of four sockets, with what the kernel adds, and a
 * pipe. */
static void test_backpressure(void **state)
{
	struct lab_options o = defaults;
	struct lab lab;
	struct lab_conn c;
	struct lab_stream s = { .recv_seed = 3 };

	LAB_REQUIRE(state);
	o.small_bufs = true;
	lab_start(&lab, &o);
	c = lab_open(&lab, AF_INET, 1, true);
	s.to_recv = lab_fill(c.client, 3);
	assert_in_range(s.to_recv, 1, 8 * LAB_SMALL_BUF + (1 << 20));
	lab_expect_silence(&lab);
	s.fd = c.peer;
	lab_exchange(&s, 1);
	lab_expect_silence(&lab);
	lab_close(&c);
	lab_expect_closed(&lab, 1, RELAY_END_EOF, s.to_recv, 0);
	lab_stop(&lab);
}

static void exchange_all(struct lab_conn *conns, size_t n, size_t len)
{
	struct lab_stream *s = calloc(2 * n, sizeof(*s));

	assert_non_null(s);
	for (size_t i = 0; i < n; i++) {
		s[2 * i] = (struct lab_stream) { .fd = conns[i].client,
						 .send_seed = i,
						 .recv_seed = n + i,
						 .to_send = len,
						 .to_recv = len };
		s[2 * i + 1] = (struct lab_stream) { .fd = conns[i].peer,
						     .send_seed = n + i,
						     .recv_seed = i,
						     .to_send = len,
						     .to_recv = len };
	}
	lab_exchange(s, 2 * n);
	free(s);
}

static void test_many(void **state)
{
	struct lab lab;
	struct lab_conn *conns = calloc(MANY, sizeof(*conns));
	struct rlimit lim;
	long before_kb;
	uint64_t sum = 0;

	LAB_REQUIRE(state);
	assert_non_null(conns);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
	if (lim.rlim_cur < 4 * MANY)
		skip();
	lab_start(&lab, &defaults);
	before_kb = lab_proc_status(lab.pid, "VmRSS:");
	for (uint64_t id = 0; id < MANY; id++)
		conns[id] = lab_open(&lab, AF_INET, id, false);
	exchange_all(conns, MANY, 5000);
	lab_expect_silence(&lab);
	assert_in_range(lab_proc_status(lab.pid, "VmRSS:") - before_kb, 0,
			MANY * BYTES_PER_CONN / 1024);
	for (uint64_t id = 0; id < MANY; id++)
		lab_close(&conns[id]);
	for (uint64_t id = 0; id < MANY; id++) {
		struct relay_msg_closed m = lab_recv_closed(&lab);

		assert_int_equal(m.end, RELAY_END_EOF);
		assert_int_equal(m.bytes_up, 5000);
		assert_int_equal(m.bytes_down, 5000);
		sum += m.id;
	}
	assert_int_equal(sum, (uint64_t)MANY * (MANY - 1) / 2);
	free(conns);
	lab_stop(&lab);
}

/* More connections than descriptors: the late ones wait and are served. */
static void test_no_descriptors(void **state)
{
	struct lab_options o = defaults;
	struct lab_conn conns[2 * FEW_FILES];
	size_t n = sizeof(conns) / sizeof(*conns);
	struct lab lab;
	char c;

	LAB_REQUIRE(state);
	o.max_files = FEW_FILES;
	lab_start(&lab, &o);
	for (size_t i = 0; i < n; i++) {
		conns[i] = lab_open(&lab, AF_INET, i, false);
		assert_int_equal(send(conns[i].client, "?", 1, 0), 1);
	}
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(recv(conns[i].peer, &c, 1, 0), 1);
		assert_int_equal(send(conns[i].peer, "!", 1, 0), 1);
		assert_int_equal(recv(conns[i].client, &c, 1, 0), 1);
		lab_close(&conns[i]);
		lab_expect_closed(&lab, i, RELAY_END_EOF, 1, 1);
	}
	lab_expect_silence(&lab);
	lab_stop(&lab);
}

/* Opens and blocks conns[from..to); s[i] is to receive what was sent. */
static void open_blocked(struct lab *lab, struct lab_conn *conns,
			 struct lab_stream *s, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		conns[i] = lab_open(lab, AF_INET, i, true);
	for (size_t i = from; i < to; i++) {
		s[i].fd = conns[i].peer;
		s[i].recv_seed = i;
		s[i].to_recv = lab_fill(conns[i].client, i);
		assert_int_equal(shutdown(conns[i].client, SHUT_WR), 0);
	}
}

/* The first twelve leave no pipe for some of them, and no descriptor for the
 * others: all wait and lose nothing. */
static void test_no_pipes(void **state)
{
	struct lab_options o = defaults;
	struct lab_conn conns[15];
	struct lab_stream s[15] = { 0 };
	size_t n = sizeof(conns) / sizeof(*conns);
	uint64_t total = 0;
	uint64_t reported = 0;
	struct lab lab;

	LAB_REQUIRE(state);
	o.max_files = 48;
	o.small_bufs = true;
	lab_start(&lab, &o);
	open_blocked(&lab, conns, s, 0, 12);
	open_blocked(&lab, conns, s, 12, n);
	for (size_t i = 0; i < n; i++)
		total += s[i].to_recv;
	lab_exchange(s, n);
	for (size_t i = 0; i < n; i++) {
		lab_expect_eof(conns[i].peer);
		lab_close(&conns[i]);
	}
	for (size_t i = 0; i < n; i++)
		reported += lab_recv_closed(&lab).bytes_up;
	assert_int_equal(reported, total);
	lab_expect_silence(&lab);
	lab_stop(&lab);
}

/* One bulk transfer does not keep the others waiting. */
static void test_fairness(void **state)
{
	struct lab lab;
	struct lab_conn bulk;
	struct lab_conn small;
	pid_t writer;
	pid_t reader;

	LAB_REQUIRE(state);
	lab_start(&lab, &defaults);
	bulk = lab_open(&lab, AF_INET, 1, false);
	small = lab_open(&lab, AF_INET, 2, false);
	writer = fork();
	if (writer == 0) {
		static char buf[1 << 16];

		while (send(bulk.peer, buf, sizeof(buf), MSG_NOSIGNAL) > 0)
			;
		_exit(0);
	}
	reader = fork();
	if (reader == 0) {
		static char buf[1 << 16];

		while (recv(bulk.client, buf, sizeof(buf), 0) > 0)
			;
		_exit(0);
	}
	exchange_all(&small, 1, 100000);
	assert_int_equal(kill(writer, SIGKILL), 0);
	assert_int_equal(kill(reader, SIGKILL), 0);
	assert_int_equal(waitpid(writer, NULL, 0), writer);
	assert_int_equal(waitpid(reader, NULL, 0), reader);
	lab_close(&bulk);
	lab_close(&small);
	lab_stop(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backpressure),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_no_descriptors),
		cmocka_unit_test(test_no_pipes),
		cmocka_unit_test(test_fairness),
	};

	return cmocka_run_group_tests(tests, lab_enter, NULL);
}
