/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/dns_live.h"

static struct live l;

#define A(x) "\300\0\2" x /* 192.0.2.x */

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

static void test_denied(void **state)
{
	int fd = client(SOCK_DGRAM, "127.0.0.53");
	struct dns_msg_event ev;

	(void)state;
	ask(&l, fd, 1, "eVil.test", 1);
	assert_int_equal(answer(&l, fd, 1), 0x8183);
	assert_true(contains(&l, "eVil\4test", 9));
	assert_true(contains(&l, "evil.test is not on the allowlist", 33));
	read_event(&l, &ev, DNS_VERDICT_DENY);
	assert_string_equal(ev.name, "evil.test");
	assert_string_equal(ev.text, "eVil.test");
	assert_int_equal(ev.qtype, 1);
	assert_int_equal(ev.rcode, 3);
	assert_int_equal(ev.count, 1);

	/* No host name, though it looks like an allowed one as text. */
	m_header(&l.out, 2, 0x0100, 1, 0, 0, 0);
	m_raw(&l.out, "\15www.example\n.\3org\0\0\1\0\1", 23);
	assert_int_equal(send(fd, l.out.b, l.out.len, 0), l.out.len);
	assert_int_equal(answer(&l, fd, 2), 0x8183);
	read_event(&l, &ev, DNS_VERDICT_DENY);
	assert_string_equal(ev.name, "");
	assert_string_equal(ev.text, "www\\046example\\010\\046.org");
	assert_false(readable(l.upstream_udp[0], 0));
	(void)close(fd);
}

static void test_nothing_for_non_queries(void **state)
{
	int fd = client(SOCK_DGRAM, "127.0.0.1");

	(void)state;
	m_query(&l.out, 1, "www.example.org", 1);
	m_set16(&l.out, 2, 0x8180);
	m_a(&l.out, "www.example.org", 60, 9);
	assert_true(send(fd, l.out.b, l.out.len, 0) > 0);
	assert_int_equal(send(fd, "", 0, 0), 0);
	assert_int_equal(send(fd, "01234567890", 11, 0), 11);
	ask(&l, fd, 2, "localhost", 28); /* answers come in order */
	assert_int_equal(answer(&l, fd, 2), 0x8180);
	assert_int_equal(n_answers(&l), 1);
	assert_true(contains(&l, "\0\20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 18));
	assert_false(readable(l.channel, 0));
	assert_false(readable(l.upstream_udp[0], 0));
	(void)close(fd);
}

static void test_answer_waits_for_admission(void **state)
{
	int fd = client(SOCK_DGRAM, "127.0.0.1");
	struct dns_msg_admit m;

	(void)state;
	m_query(&l.out, 7, "wWw.eXample.ORG", 1);
	m_opt(&l.out, 1232, 0, "\375\351\0\6secret", 10);
	m_raw(&l.out, "trailing", 8);
	assert_true(send(fd, l.out.b, l.out.len, 0) > 0);
	upstream_read(&l, 0);
	/* Nothing goes out but a question of our own. */
	assert_int_equal(l.in.len, 12 + 21 + 11);
	assert_memory_equal(l.in.b + 2, "\1\0\0\1\0\0\0\0\0\1", 10);
	assert_memory_equal(l.in.b + 12, "\3www\7example\3org\0\0\1\0\1", 21);
	assert_memory_equal(l.in.b + 33, "\0\0\51\4\320\0\0\0\0\0\0", 11);

	upstream_begin(&l, "www.example.org", 1, 0x8180);
	m_cname(&l.out, "www.example.org", 600, "cdn.test");
	m_a(&l.out, "cdn.test", 6000, 1);
	m_a(&l.out, "evil.test", 6000, 66);
	upstream_send(&l, 0);
	channel_read(&l, &m, sizeof(m), DNS_MSG_ADMIT);
	assert_int_equal(m.n, 1);
	assert_int_equal(m.ttl_sec, 600);
	assert_string_equal(m.name, "www.example.org");
	assert_memory_equal(m.addr[0].bytes, A("\1"), 4);
	/* A question after it is answered first. */
	ask(&l, fd, 8, "localhost", 1);
	assert_int_equal(answer(&l, fd, 8), 0x8180);
	admitted(&l, &m, 0, 1, 0);
	assert_int_equal(answer(&l, fd, 7), 0x8180);
	assert_int_equal(n_answers(&l), 2);
	assert_true(contains(&l, "wWw\7eXample\3ORG", 15));
	assert_true(contains(&l, "\3cdn\4test", 9));
	assert_true(contains(&l, "\0\4" A("\1"), 6));
	assert_false(contains(&l, A("\102"), 4));

	ask(&l, fd, 9, "www.example.org", 1); /* from the cache */
	assert_int_equal(answer(&l, fd, 9), 0x8180);
	assert_int_equal(n_answers(&l), 2);
	assert_false(readable(l.channel, 0));
	assert_false(readable(l.upstream_udp[0], 0));
	(void)close(fd);
}

static void test_verdicts_of_the_monitor(void **state)
{
	int fd = client(SOCK_DGRAM, "127.0.0.1");
	struct dns_msg_event ev;
	struct dns_msg_admit m;

	(void)state;
	ask(&l, fd, 1, "mixed.example.org", 1);
	resolve_two(&l, "mixed.example.org", &m);
	admitted(&l, &m, 0, 2, 1);
	assert_int_equal(answer(&l, fd, 1), 0x8180);
	assert_int_equal(n_answers(&l), 1);
	assert_true(contains(&l, A("\2"), 4));
	assert_false(contains(&l, A("\1"), 4));
	read_event(&l, &ev, DNS_VERDICT_REFUSED_ADDRESS);
	assert_int_equal(ev.n_addr, 1);
	assert_memory_equal(ev.addr[0].bytes, A("\1"), 4);

	ask(&l, fd, 2, "bad.example.org", 1);
	resolve_two(&l, "bad.example.org", &m);
	admitted(&l, &m, 0, 0, 3);
	assert_int_equal(answer(&l, fd, 2), 0x8180);
	assert_int_equal(n_answers(&l), 0);
	assert_true(contains(&l, "never allowed", 13));
	read_event(&l, &ev, DNS_VERDICT_REFUSED_ADDRESS);
	assert_int_equal(ev.n_addr, 2);

	ask(&l, fd, 3, "noroute.example.org", 1);
	resolve_two(&l, "noroute.example.org", &m);
	admitted(&l, &m, 0, 0, 0);
	assert_int_equal(answer(&l, fd, 3), 0x8180);
	assert_int_equal(n_answers(&l), 0);

	ask(&l, fd, 4, "full.example.org", 1);
	resolve_two(&l, "full.example.org", &m);
	admitted(&l, &m, ENOSPC, 0, 0);
	assert_int_equal(answer(&l, fd, 4), 0x8182);
	read_event(&l, &ev, DNS_VERDICT_FAILED);
	assert_string_equal(ev.name, "full.example.org");
	assert_int_equal(ev.rcode, 2);
	(void)close(fd);
}

static void test_same_question_is_asked_once(void **state)
{
	int a = client(SOCK_DGRAM, "127.0.0.1");
	int b = client(SOCK_DGRAM, "127.0.0.2");
	struct dns_msg_admit m;

	(void)state;
	ask(&l, a, 1, "one.example.org", 1);
	ask(&l, b, 2, "ONE.example.org", 1);
	resolve_two(&l, "one.example.org", &m);
	assert_false(readable(l.upstream_udp[0], 0));
	ask(&l, a, 3, "one.example.org", 1); /* while being admitted */
	ask(&l, a, 4, "localhost", 1);
	assert_int_equal(answer(&l, a, 4), 0x8180);
	admitted(&l, &m, 0, 3, 0);
	assert_int_equal(answer(&l, a, 1), 0x8180);
	assert_int_equal(n_answers(&l), 2);
	assert_int_equal(answer(&l, a, 3), 0x8180);
	assert_int_equal(answer(&l, b, 2), 0x8180);
	assert_true(contains(&l, "\3ONE", 4));
	assert_false(readable(l.channel, 0));
	(void)close(a);
	(void)close(b);
}

static void test_other_types(void **state)
{
	static const uint16_t types[] = { 16, 15, 64, 65, 255, 257 };
	int fd = client(SOCK_DGRAM, "127.0.0.1");
	struct dns_msg_event ev;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		ask(&l, fd, 1, "www.example.org", types[i]);
		assert_int_equal(answer(&l, fd, 1), 0x8180);
		assert_int_equal(n_answers(&l), 0);
		assert_int_equal(m_get16(&l.in, M_AUTHORITY), 1);
	}
	assert_false(readable(l.channel, 0));
	ask(&l, fd, 1, "www.example.org", 252);
	assert_int_equal(answer(&l, fd, 1), 0x8185);
	read_event(&l, &ev, DNS_VERDICT_DENY);
	assert_false(readable(l.upstream_udp[0], 0));
	(void)close(fd);
}

/* The monitor does not read: clients have to wait, and no event is lost. */
static void test_events_are_not_lost(void **state)
{
	enum { N = 3000 };
	int fd = client(SOCK_DGRAM, "127.0.0.1");
	unsigned n_answered = 0, n_events = 0, n_stalls = 0;
	struct dns_msg_event ev;
	char name[32];

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		(void)snprintf(name, sizeof(name), "n%u.test", i / 2);
		ask(&l, fd, i, name, 1);
		if (!readable(fd, 100)) {
			n_stalls++;
			while (readable(l.channel, 0)) {
				read_event(&l, &ev, DNS_VERDICT_DENY);
				n_events += ev.count;
			}
		}
		assert_int_equal(answer(&l, fd, i), 0x8183);
		n_answered++;
	}
	while (n_events < n_answered) {
		read_event(&l, &ev, DNS_VERDICT_DENY);
		n_events += ev.count;
	}
	assert_int_equal(n_events, N);
	assert_true(n_stalls > 0);
	assert_false(readable(l.channel, 0));
	(void)close(fd);
}

/* A wildcard of which upstream answers nothing. */
static void test_too_many_questions(void **state)
{
	static struct msg last;
	int fd = client(SOCK_DGRAM, "127.0.0.1");
	struct dns_msg_event ev;
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 512; i++) {
		(void)snprintf(name, sizeof(name), "n%u.example.org", i);
		ask(&l, fd, i, name, 1);
		upstream_read(&l, 0);
	}
	upstream_begin(&l, name, 1, 0x8180); /* to the last one, sent later */
	last = l.out;
	ask(&l, fd, 1000, "more.example.org", 1);
	assert_int_equal(answer(&l, fd, 1000), 0x8182);
	read_event(&l, &ev, DNS_VERDICT_FAILED);
	l.out = last;
	upstream_send(&l, 0);
	assert_int_equal(answer(&l, fd, 511), 0x8180);
	ask(&l, fd, 1001, "more.example.org", 1);
	upstream_read(&l, 0);
	(void)close(fd);
}

static void test_ipv6_listener(void **state)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
				     .sin6_port = htons(FILTER_PORT),
				     .sin6_addr = in6addr_loopback };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin6, sizeof(sin6)),
			 0);
	ask(&l, fd, 1, "localhost", 1);
	assert_int_equal(answer(&l, fd, 1), 0x8180);
	(void)close(fd);
}

static void test_log_all(void **state)
{
	struct dns_msg_admit m;
	struct dns_msg_event ev;
	int fd;

	(void)state;
	start(&l, true);
	fd = client(SOCK_DGRAM, "127.0.0.1");
	for (unsigned cached = 0; cached < 2; cached++) {
		ask(&l, fd, 1, "www.example.org", 1);
		if (!cached) {
			resolve_two(&l, "www.example.org", &m);
			admitted(&l, &m, 0, 3, 0);
		}
		assert_int_equal(answer(&l, fd, 1), 0x8180);
		read_event(&l, &ev, DNS_VERDICT_ALLOW);
		assert_int_equal(ev.cached, cached);
		assert_int_equal(ev.n_addr, 2);
		assert_memory_equal(ev.addr[1].bytes, A("\2"), 4);
	}
	ask(&l, fd, 1, "www.example.org", 65);
	assert_int_equal(answer(&l, fd, 1), 0x8180);
	read_event(&l, &ev, DNS_VERDICT_EMPTY);
	assert_int_equal(ev.qtype, 65);
	(void)close(fd);
	stop(&l);
}

static void test_broken_protocol(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct dns_msg_admit m = { .id = 1 };

		start(&l, false);
		if (i == 0) /* an answer to nothing */
			admitted(&l, &m, 0, 1, 0);
		else
			assert_int_equal(ipc_send(l.channel, &m,
						  i == 1 ? 4 : sizeof(m), NULL,
						  0, true),
					 0);
		assert_int_equal(wait_exit(&l), 1);
		(void)close(l.channel);
		clean_up(&l);
	}
}

/* Leaving with everything in flight. */
static void test_exit_while_busy(void **state)
{
	struct dns_msg_admit m;
	static struct msg q;
	int fd, tcp;

	(void)state;
	start(&l, false);
	fd = client(SOCK_DGRAM, "127.0.0.1");
	tcp = client(SOCK_STREAM, "127.0.0.1");
	ask(&l, fd, 1, "a.example.org", 1);
	resolve_two(&l, "a.example.org", &m);
	q.len = 0;
	tcp_query(&q, 1, "b.example.org");
	tcp_query(&q, 2, "a.example.org");
	assert_true(send(tcp, q.b, q.len, 0) > 0);
	upstream_read(&l, 0);
	stop(&l);
	assert_true(readable(tcp, DEADLINE_MS));
	assert_true(recv(tcp, l.in.b, 1, 0) <= 0); /* closed, not answered */
	assert_true(recv(fd, l.in.b, 1, MSG_DONTWAIT) < 0);
	(void)close(tcp);
	(void)close(fd);
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static int run(void)
{
	const struct CMUnitTest tests[] = {
		LIVE(test_denied),
		LIVE(test_nothing_for_non_queries),
		LIVE(test_answer_waits_for_admission),
		LIVE(test_verdicts_of_the_monitor),
		LIVE(test_same_question_is_asked_once),
		LIVE(test_other_types),
		LIVE(test_events_are_not_lost),
		LIVE(test_too_many_questions),
		LIVE(test_ipv6_listener),
		cmocka_unit_test(test_log_all),
		cmocka_unit_test(test_broken_protocol),
		cmocka_unit_test(test_exit_while_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return live_run(run);
}
