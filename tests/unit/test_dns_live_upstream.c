/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filter and the host's resolvers and files. */
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

static void test_hosts_first(void **state)
{
	int fd = client(SOCK_DGRAM, "127.0.0.1");
	struct dns_msg_admit m;

	(void)state;
	ask(&l, fd, 1, "inhosts.example.org", 1);
	channel_read(&l, &m, sizeof(m), DNS_MSG_ADMIT);
	assert_memory_equal(m.addr[0].bytes, A("\310"), 4);
	admitted(&l, &m, 0, 1, 0);
	assert_int_equal(answer(&l, fd, 1), 0x8180);
	assert_int_equal(n_answers(&l), 1);
	ask(&l, fd, 2, "inhosts.example.org", 28);
	assert_int_equal(answer(&l, fd, 2), 0x8180);
	assert_int_equal(n_answers(&l), 0);
	put_file(l.hosts, "192.0.2.201 new.example.org\n");
	send_config(&l);
	ask(&l, fd, 3, "new.example.org", 1);
	channel_read(&l, &m, sizeof(m), DNS_MSG_ADMIT);
	assert_memory_equal(m.addr[0].bytes, A("\311"), 4);
	admitted(&l, &m, 0, 1, 0);
	assert_int_equal(answer(&l, fd, 3), 0x8180);
	assert_false(readable(l.upstream_udp[0], 0));
	(void)close(fd);
}

static void test_upstream_denials_and_faults(void **state)
{
	int fd = client(SOCK_DGRAM, "127.0.0.1");
	struct dns_msg_event ev;

	(void)state;
	ask(&l, fd, 1, "gone.example.org", 1);
	upstream_read(&l, 0);
	upstream_begin(&l, "gone.example.org", 1, 0x8183);
	m_soa(&l.out, 900, 900);
	upstream_send(&l, 0);
	assert_int_equal(answer(&l, fd, 1), 0x8183);
	assert_int_equal(m_get16(&l.in, M_AUTHORITY), 1);
	ask(&l, fd, 2, "gone.example.org", 1); /* cached */
	assert_int_equal(answer(&l, fd, 2), 0x8183);
	assert_false(readable(l.channel, 0)); /* not a decision of ours */

	ask(&l, fd, 3, "broken.example.org", 1);
	upstream_read(&l, 0);
	upstream_begin(&l, "broken.example.org", 1, 0x8180);
	m_set16(&l.out, 0, m_get16(&l.in, 0) ^ 1); /* not our id: ignored */
	m_a(&l.out, "broken.example.org", 60, 66);
	upstream_send(&l, 0);
	upstream_begin(&l, "broken.example.org", 1, 0x8180);
	m_cname(&l.out, "broken.example.org", 60, "broken.example.org");
	upstream_send(&l, 0);
	assert_int_equal(answer(&l, fd, 3), 0x8182);
	read_event(&l, &ev, DNS_VERDICT_FAILED);
	assert_string_equal(ev.name, "broken.example.org");

	(void)close(l.upstream_udp[0]); /* port unreachable */
	ask(&l, fd, 4, "refused.example.org", 1);
	assert_int_equal(answer(&l, fd, 4), 0x8182);
	assert_true(contains(&l, "\0\27egress-run: no resolver", 25));
	read_event(&l, &ev, DNS_VERDICT_FAILED);
	l.upstream_udp[0] = bound(SOCK_DGRAM, "127.0.0.1", UPSTREAM_PORT);
	(void)close(fd);
}

static void test_next_server_after_servfail(void **state)
{
	int fd = client(SOCK_DGRAM, "127.0.0.1");
	struct dns_msg_admit m;

	(void)state;
	put_file(l.resolv_conf, "nameserver 127.0.0.1\n"
				"nameserver 127.0.0.2\noptions timeout:1\n");
	send_config(&l);
	ask(&l, fd, 1, "www.example.org", 1);
	upstream_read(&l, 0);
	upstream_begin(&l, "www.example.org", 1, 0x8182);
	upstream_send(&l, 0);
	upstream_read(&l, 1);
	upstream_begin(&l, "www.example.org", 1, 0x8180);
	m_a(&l.out, "www.example.org", 60, 1);
	upstream_send(&l, 1);
	channel_read(&l, &m, sizeof(m), DNS_MSG_ADMIT);
	admitted(&l, &m, 0, 1, 0);
	assert_int_equal(answer(&l, fd, 1), 0x8180);

	ask(&l, fd, 2, "slow.example.org", 1); /* and after a timeout */
	upstream_read(&l, 0);
	upstream_read(&l, 1);
	upstream_begin(&l, "slow.example.org", 1, 0x8180);
	upstream_send(&l, 1);
	assert_int_equal(answer(&l, fd, 2), 0x8180);
	(void)close(fd);
}

/* A question under way moves to the servers of the new resolv.conf. */
static void test_resolv_conf_changes(void **state)
{
	int fd = client(SOCK_DGRAM, "127.0.0.1");

	(void)state;
	ask(&l, fd, 1, "old.example.org", 1);
	upstream_read(&l, 0);
	put_file(l.resolv_conf, "nameserver 127.0.0.2\n");
	send_config(&l);
	ask(&l, fd, 2, "new.example.org", 1);
	for (int i = 0; i < 2; i++) {
		upstream_read(&l, 1);
		upstream_begin(&l,
			       contains(&l, "\3old", 4) ? "old.example.org"
							: "new.example.org",
			       1, 0x8180);
		upstream_send(&l, 1);
	}
	assert_true(readable(fd, DEADLINE_MS));
	assert_int_equal(recv(fd, l.in.b, sizeof(l.in.b), 0) > 12, 1);
	assert_true(readable(fd, DEADLINE_MS));
	(void)close(fd);
}

/* While a change is known and not yet dealt with, no question is read; then
 * the next one goes by the new files. */
static void test_change_comes_first(void **state)
{
	int fd = client(SOCK_DGRAM, "127.0.0.1");
	struct dns_msg_refresh m;
	uint64_t count = 1;

	(void)state;
	assert_int_equal(write(l.changed, &count, sizeof(count)),
			 sizeof(count));
	put_file(l.resolv_conf, "nameserver 127.0.0.2\n");
	ask(&l, fd, 1, "www.example.org", 1);
	channel_read(&l, &m, sizeof(m), DNS_MSG_REFRESH);
	assert_false(readable(l.upstream_udp[0], 0));
	send_config(&l); /* the change still shows: this one is served */
	upstream_read(&l, 1);
	upstream_begin(&l, "www.example.org", 1, 0x8180);
	upstream_send(&l, 1);
	assert_int_equal(answer(&l, fd, 1), 0x8180);
	ask(&l, fd, 2, "www.example.org", 28);
	channel_read(&l, &m, sizeof(m), DNS_MSG_REFRESH);
	assert_int_equal(read(l.changed, &count, sizeof(count)), sizeof(count));
	send_config(&l);
	upstream_read(&l, 1);
	assert_false(readable(l.channel, 0));
	(void)close(fd);
}

/* Questions one after the other come from ports and with numbers of their own.
 */
static void test_fresh_ports_and_numbers(void **state)
{
	int fd = client(SOCK_DGRAM, "127.0.0.1");
	unsigned port[8], id[8], same_port = 0, same_id = 0;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		char name[] = "x.example.org";

		name[0] = (char)('a' + i);
		ask(&l, fd, i, name, 1);
		upstream_read(&l, 0);
		port[i] = l.asker.sin_port;
		id[i] = m_get16(&l.in, 0);
		upstream_begin(&l, name, 1, 0x8180);
		upstream_send(&l, 0);
		assert_int_equal(answer(&l, fd, i), 0x8180);
		for (unsigned j = 0; j < i; j++) {
			same_port += port[j] == port[i];
			same_id += id[j] == id[i];
		}
	}
	/* By chance: one in a thousand runs has one pair. */
	assert_true(same_port <= 2 && same_id <= 2);
	(void)close(fd);
}

/* The FORMERR of a server without EDNS: both questions are asked again. */
static void test_server_without_edns(void **state)
{
	int fd = client(SOCK_DGRAM, "127.0.0.1");
	uint8_t id[2][2];

	(void)state;
	ask(&l, fd, 1, "a.example.org", 1);
	upstream_read(&l, 0);
	memcpy(id[0], l.in.b, 2);
	ask(&l, fd, 1, "b.example.org", 1);
	upstream_read(&l, 0);
	memcpy(id[1], l.in.b, 2);
	for (int i = 0; i < 2; i++) {
		memcpy(l.in.b, id[i], 2);
		upstream_begin(&l, i ? "b.example.org" : "a.example.org", 1,
			       0x8181);
		upstream_send(&l, 0);
		upstream_read(&l, 0);
		assert_int_equal(l.in.len, 12 + 19); /* no OPT */
		upstream_begin(&l, i ? "b.example.org" : "a.example.org", 1,
			       0x8180);
		upstream_send(&l, 0);
		assert_int_equal(answer(&l, fd, 1), 0x8180);
	}
	(void)close(fd);
}

/* Over UDP cut short, over TCP complete. */
static void test_truncated_upstream(void **state)
{
	int fd = client(SOCK_DGRAM, "127.0.0.1");
	struct dns_msg_admit m;
	uint8_t prefix[2];
	int conn;

	(void)state;
	ask(&l, fd, 1, "big.example.org", 1);
	upstream_read(&l, 0);
	upstream_begin(&l, "big.example.org", 1, 0x8380);
	upstream_send(&l, 0);
	assert_true(readable(l.upstream_tcp, DEADLINE_MS));
	conn = accept4(l.upstream_tcp, NULL, NULL, SOCK_CLOEXEC);
	assert_true(conn >= 0);
	(void)tcp_answer(&l, conn);
	upstream_begin(&l, "big.example.org", 1, 0x8180);
	for (unsigned i = 0; i < 100; i++)
		m_a(&l.out, "big.example.org", 60, i);
	prefix[0] = (uint8_t)(l.out.len >> 8);
	prefix[1] = (uint8_t)l.out.len;
	assert_int_equal(send(conn, prefix, 2, MSG_MORE), 2);
	assert_int_equal(send(conn, l.out.b, l.out.len, 0), l.out.len);
	channel_read(&l, &m, sizeof(m), DNS_MSG_ADMIT);
	assert_int_equal(m.n, DNS_ADDRESSES_MAX);
	admitted(&l, &m, 0, UINT64_MAX, 0);
	assert_int_equal(answer(&l, fd, 1), 0x8180);
	assert_int_equal(n_answers(&l), 64);
	m_query(&l.out, 2, "big.example.org", 1); /* no EDNS: 512 bytes */
	assert_true(send(fd, l.out.b, l.out.len, 0) > 0);
	assert_int_equal(answer(&l, fd, 2), 0x8380);
	assert_int_equal(n_answers(&l), 0);
	(void)close(conn);
	(void)close(fd);
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static int run(void)
{
	const struct CMUnitTest tests[] = {
		LIVE(test_hosts_first),
		LIVE(test_upstream_denials_and_faults),
		LIVE(test_next_server_after_servfail),
		LIVE(test_resolv_conf_changes),
		LIVE(test_change_comes_first),
		LIVE(test_fresh_ports_and_numbers),
		LIVE(test_server_without_edns),
		LIVE(test_truncated_upstream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return live_run(run);
}
