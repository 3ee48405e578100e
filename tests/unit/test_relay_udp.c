/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The relay's datagrams, of which the test plays the monitor: what is asked,
 * what waits, when flows end. */
#include <poll.h>

#include "tests/unit/relay_lab.h"

#define SHORT_MS 50
#define LONG_MS	 60000

struct udp_lab {
	struct lab relay;
	int client;
	uint16_t client_port;
	int far; /* the far end */
	struct addr dst;
	uint16_t port;
};

static int bound(uint16_t *ret_port)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in4);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in4, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in4, &len), 0);
	lab_set_timeouts(fd);
	*ret_port = ntohs(in4.sin_port);
	return fd;
}

static void start(struct udp_lab *l, const struct relay_udp *times)
{
	const int on = 1;
	struct relay_config c = { .listeners = { -1, -1, -1, -1 },
				  .claim_timeout_ms = LONG_MS,
				  .finish_timeout_ms = LAB_DEADLINE_MS,
				  .verify = VERIFY_OFF,
				  .udp = *times };

	uint16_t far_port;
	int inside = bound(&l->port);
	int pair[2];

	assert_int_equal(
		setsockopt(inside, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)), 0);
	assert_true(addr_parse("127.0.0.1", &l->dst));
	c.udp.icmp[0] = -1;
	c.udp.icmp[1] = -1;
	c.udp.fds = &inside;
	c.udp.ports = &l->port;
	c.udp.n = 1;
	l->client = bound(&l->client_port);
	l->far = bound(&far_port);
	assert_int_equal(ipc_pair(pair, NULL), 0);
	l->relay.pid = fork();
	assert_true(l->relay.pid >= 0);
	if (l->relay.pid == 0) {
		(void)close(pair[0]);
		(void)close(l->far);
		c.channel = pair[1];
		exit(relay_main(&c));
	}
	(void)close(pair[1]);
	(void)close(inside);
	l->relay.far_listener = -1;
	l->relay.channel = pair[0];
	lab_set_timeouts(pair[0]);
	lab_recv_ready(&l->relay);
}

static void stop(struct udp_lab *l)
{
	lab_stop(&l->relay);
	(void)close(l->client);
	(void)close(l->far);
}

static void say(const struct udp_lab *l, int fd, const char *text)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&l->dst, l->port, &ss);

	assert_int_equal(
		sendto(fd, text, strlen(text), 0, (struct sockaddr *)&ss, len),
		(ssize_t)strlen(text));
}

static void hear(int fd, const char *text)
{
	char buf[64];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);

	assert_true(n >= 0);
	buf[n] = '\0';
	assert_string_equal(buf, text);
}

static struct relay_msg_udp asked(const struct udp_lab *l)
{
	struct relay_msg_udp m;

	assert_int_equal(recv(l->relay.channel, &m, sizeof(m), 0), sizeof(m));
	assert_int_equal(m.type, RELAY_MSG_UDP_ASK);
	assert_int_equal(m.dst_port, l->port);
	assert_int_equal(m.id, 0);
	assert_true(addr_equal(&m.dst, &l->dst));
	return m;
}

/* A socket connected with the far end, and the far end with it. */
static void grant(const struct udp_lab *l, struct relay_msg_udp m, uint64_t id)
{
	struct sockaddr_in in4;
	socklen_t len = sizeof(in4);
	uint16_t port;
	int fd = bound(&port);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&in4, &len), 0);
	assert_int_equal(connect(l->far, (struct sockaddr *)&in4, len), 0);
	assert_int_equal(getsockname(l->far, (struct sockaddr *)&in4, &len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&in4, len), 0);
	m.type = RELAY_MSG_UDP;
	m.id = id;
	assert_int_equal(
		ipc_send(l->relay.channel, &m, sizeof(m), &fd, 1, true), 0);
	(void)close(fd);
}

static void deny(const struct udp_lab *l, struct relay_msg_udp m)
{
	m.type = RELAY_MSG_UDP_DENY;
	assert_int_equal(
		ipc_send(l->relay.channel, &m, sizeof(m), NULL, 0, true), 0);
}

/* What is said before the relay has forgotten the last request is lost. */
static void say_until_asked(const struct udp_lab *l, const char *text)
{
	struct pollfd channel = { .fd = l->relay.channel, .events = POLLIN };

	do
		say(l, l->client, text);
	while (poll(&channel, 1, 5) == 0);
}

static const struct relay_udp patient = { .asked_ms = LONG_MS,
					  .unanswered_ms = LONG_MS,
					  .answered_ms = LONG_MS };

/* The first 16 wait, in their order; then they go at once. */
static void test_waiting(void **state)
{
	struct relay_msg_udp m;
	struct udp_lab l;
	char text[8];

	LAB_REQUIRE(state);
	start(&l, &patient);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(text, sizeof(text), "%d", i);
		say(&l, l.client, text);
	}
	m = asked(&l);
	assert_int_equal(m.src_port, l.client_port);
	/* The second is asked for when the first 20 have been read. */
	say(&l, l.far, "");
	(void)asked(&l);
	grant(&l, m, 7);
	for (int i = 0; i < 16; i++) {
		(void)snprintf(text, sizeof(text), "%d", i);
		hear(l.far, text);
	}
	say(&l, l.client, "more");
	hear(l.far, "more");
	assert_int_equal(send(l.far, "answer", 6, 0), 6);
	hear(l.client, "answer");
	stop(&l);
}

static void test_denied(void **state)
{
	struct udp_lab l;

	LAB_REQUIRE(state);
	start(&l, &patient);
	say(&l, l.client, "1");
	deny(&l, asked(&l));
	/* Nothing of it is left. */
	say_until_asked(&l, "2");
	grant(&l, asked(&l), 1);
	hear(l.far, "2");
	stop(&l);
}

static void test_idle(void **state)
{
	struct relay_udp times = patient;
	struct udp_lab l;

	LAB_REQUIRE(state);
	times.unanswered_ms = SHORT_MS;
	start(&l, &times);
	say(&l, l.client, "1");
	grant(&l, asked(&l), 1);
	hear(l.far, "1");
	lab_expect_closed(&l.relay, 1, RELAY_END_IDLE, 1, 0);
	say(&l, l.client, "22");
	grant(&l, asked(&l), 2);
	hear(l.far, "22");
	stop(&l);
}

static void test_idle_answered(void **state)
{
	struct relay_udp times = patient;
	struct udp_lab l;

	LAB_REQUIRE(state);
	times.answered_ms = SHORT_MS;
	start(&l, &times);
	say(&l, l.client, "1");
	grant(&l, asked(&l), 1);
	hear(l.far, "1");
	assert_int_equal(send(l.far, "abc", 3, 0), 3);
	hear(l.client, "abc");
	lab_expect_closed(&l.relay, 1, RELAY_END_IDLE, 1, 3);
	stop(&l);
}

/* The monitor did not answer: the next datagram asks again, and a socket that
 * comes late serves it. */
static void test_unanswered_request(void **state)
{
	struct relay_udp times = patient;
	struct relay_msg_udp first;
	struct relay_msg_udp second;
	struct udp_lab l;

	LAB_REQUIRE(state);
	times.asked_ms = SHORT_MS;
	start(&l, &times);
	say(&l, l.client, "1");
	first = asked(&l);
	say_until_asked(&l, "2");
	second = asked(&l);
	grant(&l, first, 1);
	hear(l.far, "2");
	grant(&l, second, 2);
	lab_expect_closed(&l.relay, 2, RELAY_END_UNCLAIMED, 0, 0);
	stop(&l);
}

/* What had been sent before the end goes out; answers do not count. */
static void test_finish(void **state)
{
	struct relay_msg_udp m;
	struct udp_lab l;

	LAB_REQUIRE(state);
	start(&l, &patient);
	say(&l, l.client, "last");
	lab_send_finish(&l.relay);
	m = asked(&l);
	grant(&l, m, 1);
	hear(l.far, "last");
	lab_expect_closed(&l.relay, 1, RELAY_END_FINISH, 4, 0);
	assert_int_equal(lab_exit_status(&l.relay), 0);
	(void)close(l.client);
	(void)close(l.far);
}

static void test_far_end_gone(void **state)
{
	struct udp_lab l;

	LAB_REQUIRE(state);
	start(&l, &patient);
	say(&l, l.client, "1");
	grant(&l, asked(&l), 1);
	hear(l.far, "1");
	(void)close(l.far);
	say(&l, l.client, "2");
	lab_expect_closed(&l.relay, 1, RELAY_END_RESET, 2, 0);
	l.far = dup(l.client);
	stop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_idle_answered),
		cmocka_unit_test(test_unanswered_request),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_far_end_gone),
	};

	return cmocka_run_group_tests(tests, lab_enter, NULL);
}
