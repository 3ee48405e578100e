/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/dns_live.h"

static struct live l;

static int set_up(void **state)
{
	(void)state;
	start(&l, false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stop(&l);
	return 0;
}

static void test_tcp(void **state)
{
	int fd = client(SOCK_STREAM, "127.0.0.53");
	static struct msg m;
	struct dns_msg_admit ad;
	uint8_t byte;

	(void)state;
	m.len = 0;
	tcp_query(&m, 1, "www.example.org");
	tcp_query(&m, 2, "evil.test");
	tcp_query(&m, 3, "localhost");
	for (size_t i = 0; i < m.len; i++) /* byte by byte */
		assert_int_equal(send(fd, m.b + i, 1, MSG_NOSIGNAL), 1);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(tcp_answer(&l, fd), 2); /* in any order */
	assert_int_equal(tcp_answer(&l, fd), 3);
	upstream_read(&l, 0);
	upstream_begin(&l, "www.example.org", 1, 0x8180);
	m_a(&l.out, "www.example.org", 60, 1);
	upstream_send(&l, 0);
	channel_read(&l, &(struct dns_msg_event) { 0 },
		     sizeof(struct dns_msg_event), DNS_MSG_EVENT);
	channel_read(&l, &ad, sizeof(ad), DNS_MSG_ADMIT);
	admitted(&l, &ad, 0, 1, 0);
	assert_int_equal(tcp_answer(&l, fd), 1);
	assert_int_equal(n_answers(&l), 1);
	assert_true(readable(fd, DEADLINE_MS)); /* then it is closed */
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	(void)close(fd);
}

static void test_tcp_nonsense_is_closed(void **state)
{
	static const char *const bad[] = { "\377\377x", "\0\0", "\0\13x" };
	uint8_t byte;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = client(SOCK_STREAM, "127.0.0.1");

		assert_true(send(fd, bad[i], i == 1 ? 2 : 3, 0) > 0);
		assert_true(readable(fd, DEADLINE_MS));
		assert_true(recv(fd, &byte, 1, 0) <= 0);
		(void)close(fd);
	}
}

/* More queries than may be under way; nobody reads the answers meanwhile. */
static void test_tcp_pipeline(void **state)
{
	enum { N = 5000 };
	int fd = client(SOCK_STREAM, "127.0.0.1");
	static struct msg m;
	size_t sent = 0;
	unsigned next = 0;

	(void)state;
	m.len = 0;
	for (unsigned i = 0; i < 1000; i++)
		tcp_query(&m, i, "a.very.long.name.below.localhost");
	for (unsigned round = 0; round < N / 1000; round++)
		for (sent = 0; sent < m.len;) {
			struct pollfd p = { .fd = fd,
					    .events = POLLOUT | POLLIN };
			ssize_t n;

			assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
			n = send(fd, m.b + sent, m.len - sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
			if (n > 0)
				sent += (size_t)n;
			else
				assert_int_equal(tcp_answer(&l, fd),
						 next++ % 1000);
		}
	while (next < N)
		assert_int_equal(tcp_answer(&l, fd), next++ % 1000);
	(void)close(fd);
}

/* One connection too many replaces the one idle longest. */
static void test_tcp_connections(void **state)
{
	enum { N = 300 };
	static struct msg m;
	static int fd[N];
	uint8_t byte;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		fd[i] = client(SOCK_STREAM, "127.0.0.1");
		m.len = 0;
		tcp_query(&m, i, "localhost");
		assert_true(send(fd[i], m.b, m.len, 0) > 0);
		assert_int_equal(tcp_answer(&l, fd[i]), i);
	}
	assert_true(readable(fd[0], DEADLINE_MS));
	assert_int_equal(recv(fd[0], &byte, 1, 0), 0);
	assert_true(send(fd[N - 1], m.b, m.len, 0) > 0);
	assert_int_equal(tcp_answer(&l, fd[N - 1]), N - 1);
	for (unsigned i = 0; i < N; i++)
		(void)close(fd[i]);
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static int run(void)
{
	const struct CMUnitTest tests[] = {
		LIVE(test_tcp),
		LIVE(test_tcp_nonsense_is_closed),
		LIVE(test_tcp_pipeline),
		LIVE(test_tcp_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return live_run(run);
}
