/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is granted and for how long.  Time is the loop's: what holds at which
 * of its milliseconds is exact. */
#include "tests/unit/admission_desk.h"

#define DEADLINE_MS 20000
#define LIMIT	    200000 /* ADMISSIONS_MAX */

static uint64_t kernel_ms(struct desk *d, const char *set, const char *key)
{
	return ns_expires(d->out, sizeof(d->out), set, key);
}

static void test_bits(void **state)
{
	struct desk *d = desk_ready(state);
	struct dns_msg_admit m = desk_request(
		"a.example", 60,
		LIST("203.0.113.5", "127.0.0.1", "198.51.100.1", "192.0.2.9",
		     "169.254.169.254", "203.0.113.200", "198.51.100.255",
		     "198.51.100.7", "224.0.0.1"));
	struct dns_msg_admitted reply = desk_stage(d, &m);

	assert_int_equal(reply.error, 0);
	assert_true(reply.granted == (1 << 0 | 1 << 7));
	assert_true(reply.forbidden ==
		    (1 << 1 | 1 << 2 | 1 << 4 | 1 << 6 | 1 << 8));
	assert_null(
		desk_find(d, "203.0.113.5", 443)); /* not before the kernel */
	assert_int_equal(admissions_commit(d->a), 0);
	assert_non_null(desk_find(d, "203.0.113.5", 443));
	assert_non_null(desk_find(d, "198.51.100.7", 1));
	for (size_t i = 1; i < 7; i++)
		assert_null(admissions_find(d->a, &m.addr[i], 443));
	assert_in_range(kernel_ms(d, "addr4", "203.0.113.5"), 60000,
			60000 + GRACE_MS + SLACK_MS);
	assert_true(ns_holds("addr4", "198.51.100.7"));
	assert_false(ns_holds("addr4", "198.51.100.1"));

	m = desk_request("b.example", 60,
			 LIST("2001:db8:2::5", "::1", "2001:db8:1::1",
			      "2001:db8:9::1", "::ffff:203.0.113.5", "fe80::1",
			      "ff02::1"));
	reply = desk_stage(d, &m);
	assert_true(reply.granted == 1);
	assert_true(reply.forbidden ==
		    (1 << 1 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 6));
	assert_int_equal(admissions_commit(d->a), 0);
	assert_non_null(desk_find(d, "2001:db8:2::5", 443));
	assert_true(ns_holds("addr6", "2001:db8:2::5"));
	assert_false(ns_holds("addr6", "2001:db8:1::1"));
}

static void test_ports(void **state)
{
	struct desk *d = desk_ready(state);

	desk_admit(d, "c.example", 60, LIST("203.0.113.5"));
	assert_non_null(desk_find(d, "203.0.113.5", 443));
	assert_non_null(desk_find(d, "203.0.113.5", 22));
	assert_null(desk_find(d, "203.0.113.5", 80));
	assert_null(desk_find(d, "203.0.113.5", 0));
	assert_true(ns_holds("port4", "203.0.113.5 . 443"));
	assert_true(ns_holds("port4", "203.0.113.5 . 22"));
	assert_false(ns_holds("addr4", "203.0.113.5"));
	/* The same address by a name that is allowed on every port. */
	desk_admit(d, "a.example", 60, LIST("203.0.113.5"));
	assert_non_null(desk_find(d, "203.0.113.5", 80));
	assert_string_equal(admission_name(desk_find(d, "203.0.113.5", 80)),
			    "a.example");
	assert_string_equal(admission_name(desk_find(d, "203.0.113.5", 443)),
			    "c.example");
	assert_string_equal(admission_rule(desk_find(d, "203.0.113.5", 80)),
			    "a.example");
	assert_true(ns_holds("addr4", "203.0.113.5"));
}

static void test_protocol_errors(void **state)
{
	struct desk *d = desk_ready(state);
	static const char *const names[] = { "other.test", "example",
					     "A.example",  "a.example.",
					     "",	   "a..example",
					     "1.2.3.4",	   "a example" };
	const struct dns_msg_admit good =
		desk_request("a.example", 60, LIST("203.0.113.5"));
	struct dns_msg_admitted reply;
	struct dns_msg_admit m;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		m = desk_request(names[i], 60, LIST("203.0.113.5"));
		assert_int_equal(admissions_stage(d->a, &m, &reply), -EPROTO);
	}
	m = good;
	memset(m.name, 'a', sizeof(m.name)); /* no end */
	assert_int_equal(admissions_stage(d->a, &m, &reply), -EPROTO);
	m = good;
	m.n = 0;
	assert_int_equal(admissions_stage(d->a, &m, &reply), -EPROTO);
	m.n = DNS_ADDRESSES_MAX + 1;
	assert_int_equal(admissions_stage(d->a, &m, &reply), -EPROTO);
	m.n = UINT32_MAX;
	assert_int_equal(admissions_stage(d->a, &m, &reply), -EPROTO);
	m.n = 2; /* the second one has no family */
	assert_int_equal(admissions_stage(d->a, &m, &reply), -EPROTO);
	m.addr[1].family = AF_UNIX;
	assert_int_equal(admissions_stage(d->a, &m, &reply), -EPROTO);

	assert_int_equal(admissions_commit(d->a), 0);
	assert_null(desk_find(d, "203.0.113.5", 443));
	assert_false(ns_holds("addr4", "203.0.113.5"));
}

static void test_expiry(void **state)
{
	struct desk *d = desk_ready(state);
	uint64_t start = desk_run(d, 0);
	uint64_t until = start + 2000 + GRACE_MS;
	uint64_t deadline;

	desk_admit(d, "a.example", 2, LIST("203.0.113.5"));
	desk_admit(d, "a.example", 0, LIST("203.0.113.6"));
	for (uint64_t now = start; now < until + 50;) {
		now = desk_run(d, 10);
		assert_int_equal(desk_find(d, "203.0.113.5", 443) != NULL,
				 now < until);
		assert_int_equal(desk_find(d, "203.0.113.6", 443) != NULL,
				 now < start + LIFE_MIN_MS);
		/* Never in the table alone. */
		assert_true(ns_holds("addr4", "203.0.113.5") ||
			    desk_run(d, 0) >= until);
	}
	deadline = ns_clock_ms() + DEADLINE_MS;
	while (ns_holds("addr4", "203.0.113.5"))
		assert_true(ns_clock_ms() < deadline);
}

/* The later of two answers counts; an earlier end shortens nothing. */
static void test_renewal(void **state)
{
	struct desk *d = desk_ready(state);
	uint64_t until;

	(void)desk_run(d, 0);
	desk_admit(d, "a.example", 0, LIST("203.0.113.5"));
	until = desk_run(d, 100) + 2000 + GRACE_MS;
	desk_admit(d, "a.example", 2, LIST("203.0.113.5"));
	desk_admit(d, "b.example", 0, LIST("203.0.113.5"));
	assert_string_equal(admission_name(desk_find(d, "203.0.113.5", 443)),
			    "a.example");
	for (uint64_t now = 0; now < until;) {
		now = desk_run(d, 50);
		assert_int_equal(desk_find(d, "203.0.113.5", 443) != NULL,
				 now < until);
	}
	/* Gone, and made anew. */
	desk_admit(d, "b.example", 60, LIST("203.0.113.5"));
	assert_string_equal(admission_name(desk_find(d, "203.0.113.5", 443)),
			    "b.example");
}

static void test_longest_time(void **state)
{
	struct desk *d = desk_ready(state);

	desk_admit(d, "a.example", UINT32_MAX, LIST("203.0.113.5"));
	assert_in_range(kernel_ms(d, "addr4", "203.0.113.5"), 3500000,
			3600000 + GRACE_MS + SLACK_MS);
}

static void test_hold(void **state)
{
	struct desk *d = desk_ready(state);
	struct admission *m;
	uint64_t start = desk_run(d, 0);
	uint64_t now;

	desk_admit(d, "a.example", 0, LIST("203.0.113.5"));
	m = desk_find(d, "203.0.113.5", 443);
	assert_non_null(m);
	admission_hold(m);
	admission_hold(m);
	/* Beyond two renewals. */
	for (now = start;
	     now < start + LIFE_MIN_MS + GRACE_MS + SLACK_MS + 200;) {
		now = desk_run(d, 100);
		assert_ptr_equal(desk_find(d, "203.0.113.5", 443), m);
		assert_true(ns_holds("addr4", "203.0.113.5"));
	}
	admission_release(d->a, m);
	now = desk_run(d, GRACE_MS + 100);
	assert_ptr_equal(desk_find(d, "203.0.113.5", 443), m);
	admission_release(d->a, m);
	start = now;
	while (now < start + GRACE_MS + SLACK_MS) {
		/* At least the grace time, and not much more. */
		if (now < start + GRACE_MS)
			assert_ptr_equal(desk_find(d, "203.0.113.5", 443), m);
		now = desk_run(d, 50);
	}
	assert_null(desk_find(d, "203.0.113.5", 443));
}

/* The loop comes back so late that an event precedes the renewal, which the
 * kernel's slack is for. */
static void test_hold_late(void **state)
{
	struct desk *d = desk_ready(state);
	struct admission *m;

	(void)desk_run(d, 0);
	desk_admit(d, "a.example", 0, LIST("203.0.113.5"));
	m = desk_find(d, "203.0.113.5", 443);
	assert_non_null(m);
	admission_hold(m);
	(void)usleep((LIFE_MIN_MS + 50) * 1000);
	(void)desk_run(d, 0);
	assert_ptr_equal(desk_find(d, "203.0.113.5", 443), m);
}

/* The kernel refuses: nothing new, and what was there keeps its time. */
static void test_commit_fails(void **state)
{
	struct desk *d = desk_ready(state);
	uint64_t until = desk_run(d, 0) + LIFE_MIN_MS;
	struct dns_msg_admit old =
		desk_request("a.example", 3600, LIST("203.0.113.5"));
	struct dns_msg_admit new = desk_request(
		"b.example", 60, LIST("203.0.113.6", "2001:db8:2::6"));

	desk_admit(d, "a.example", 1, LIST("203.0.113.5"));
	assert_int_equal(ns_shell(d->out, sizeof(d->out), "nft flush ruleset"),
			 0);
	(void)desk_stage(d, &old);
	(void)desk_stage(d, &new);
	assert_int_equal(admissions_commit(d->a), -ENOENT);
	assert_int_equal(admissions_commit(d->a), 0); /* nothing is left */
	assert_null(desk_find(d, "203.0.113.6", 443));
	assert_null(desk_find(d, "2001:db8:2::6", 443));
	for (uint64_t now = 0; now < until;) {
		now = desk_run(d, 50);
		assert_int_equal(desk_find(d, "203.0.113.5", 443) != NULL,
				 now < until);
	}
	assert_int_equal(ruleset_install(d->nft_fd, 9040, NULL, NULL), 0);
	desk_admit(d, "b.example", 60, LIST("203.0.113.6"));
	assert_non_null(desk_find(d, "203.0.113.6", 443));
}

/* A connection outlives a renewal that the kernel refuses; nothing new is let
 * in meanwhile. */
static void test_hold_without_kernel(void **state)
{
	struct desk *d = desk_ready(state);
	struct admission *m;

	(void)desk_run(d, 0);
	desk_admit(d, "a.example", 0, LIST("203.0.113.5"));
	m = desk_find(d, "203.0.113.5", 443);
	assert_non_null(m);
	admission_hold(m);
	assert_int_equal(ns_shell(d->out, sizeof(d->out), "nft flush ruleset"),
			 0);
	(void)desk_run(d, LIFE_MIN_MS + 100);
	assert_null(desk_find(d, "203.0.113.5", 443));
	assert_string_equal(admission_name(m), "a.example");
	admission_release(d->a, m);
	assert_int_equal(ruleset_install(d->nft_fd, 9040, NULL, NULL), 0);
	desk_admit(d, "a.example", 60, LIST("203.0.113.5"));
	assert_non_null(desk_find(d, "203.0.113.5", 443));
}

/* Both sides of the bound are hostile: 64 ports of each of 64 addresses a
 * request, until no more are taken. */
static void test_limit(void **state)
{
	struct desk *d = desk_ready(state);
	struct dns_msg_admit m = desk_request("many.test", 60, LIST("::"));
	uint64_t n = 0;
	struct dns_msg_admitted reply;

	for (unsigned port = 1; port <= ALLOW_PORTS_MAX; port++) {
		char pattern[32];

		(void)snprintf(pattern, sizeof(pattern), "many.test:%u", port);
		assert_int_equal(allowlist_add_domain(d->allow, pattern, NULL),
				 0);
	}
	m.n = DNS_ADDRESSES_MAX;
	for (unsigned round = 0;; round++) {
		assert_true(n <= LIMIT);
		for (unsigned i = 0; i < m.n; i++) {
			m.addr[i] = ns_addr("2001:db8:2::");
			m.addr[i].bytes[14] = (uint8_t)round;
			m.addr[i].bytes[15] = (uint8_t)i;
		}
		reply = desk_stage(d, &m);
		assert_int_equal(admissions_commit(d->a), 0);
		if (reply.error)
			break;
		n += (uint64_t)m.n * ALLOW_PORTS_MAX;
	}
	assert_int_equal(reply.error, ENOSPC);
	assert_true(reply.granted == 0);
	assert_true(n > LIMIT - (uint64_t)m.n * ALLOW_PORTS_MAX);
	/* Those that are known can still be renewed. */
	m.addr[0] = ns_addr("2001:db8:2::");
	m.n = 1;
	m.ttl_sec = 120;
	assert_true(desk_stage(d, &m).granted == 1);
	assert_int_equal(admissions_commit(d->a), 0);
	assert_non_null(desk_find(d, "2001:db8:2::", 64));
}

static void deny(struct desk *d, const char *text)
{
	assert_int_equal(allowlist_add_denied(d->allow, text, NULL), 0);
}

/* An address that is denied altogether is as good as one of this host. */
static void test_denied_address(void **state)
{
	struct desk *d = desk_ready(state);
	struct dns_msg_admit m =
		desk_request("a.example", 60,
			     LIST("203.0.113.5", "203.0.113.6", "203.0.113.7"));
	struct dns_msg_admitted reply;

	deny(d, "203.0.113.6");
	deny(d, "203.0.113.7:22");
	reply = desk_stage(d, &m);
	assert_true(reply.granted == (1 << 0 | 1 << 2));
	assert_true(reply.forbidden == 1 << 1);
	assert_int_equal(admissions_commit(d->a), 0);
	assert_false(ns_holds("addr4", "203.0.113.6"));
	assert_null(desk_find(d, "203.0.113.6", 443));
	assert_non_null(desk_find(d, "203.0.113.7", 443));
	assert_null(desk_find(d, "203.0.113.7", 22));
	assert_non_null(desk_find(d, "203.0.113.5", 22));
	assert_true(admissions_denies(d->a, &m.addr[1], 1));
	assert_true(admissions_denies(d->a, &m.addr[2], 22));
	assert_false(admissions_denies(d->a, &m.addr[2], 23));
}

/* The kernel's element is for every port: the table keeps the one shut, for
 * whatever name it is meant. */
static void test_denied_port(void **state)
{
	struct desk *d = desk_ready(state);

	deny(d, "a.example:25");
	desk_admit(d, "b.example", 60, LIST("203.0.113.5", "203.0.113.6"));
	assert_non_null(desk_find(d, "203.0.113.5", 25));
	desk_admit(d, "a.example", 60, LIST("203.0.113.5"));
	assert_true(ns_holds("addr4", "203.0.113.5"));
	assert_null(desk_find(d, "203.0.113.5", 25));
	assert_non_null(desk_find(d, "203.0.113.5", 443));
	assert_non_null(desk_find(d, "203.0.113.6", 25));
	/* In whatever order, and for an entry of its own. */
	desk_admit(d, "a.example", 60, LIST("2001:db8:2::5"));
	desk_admit(d, "b.example", 60, LIST("2001:db8:2::5"));
	assert_null(desk_find(d, "2001:db8:2::5", 25));
	assert_non_null(desk_find(d, "2001:db8:2::5", 26));
}

static void test_denied_allowed_port(void **state)
{
	struct desk *d = desk_ready(state);

	deny(d, "c.example:22");
	desk_admit(d, "c.example", 60, LIST("203.0.113.5"));
	assert_false(ns_holds("port4", "203.0.113.5 . 22"));
	assert_true(ns_holds("port4", "203.0.113.5 . 443"));
	assert_null(desk_find(d, "203.0.113.5", 22));
	assert_non_null(desk_find(d, "203.0.113.5", 443));
	desk_admit(d, "a.example", 60, LIST("203.0.113.5"));
	assert_null(desk_find(d, "203.0.113.5", 22));
	/* The name resolves even when nothing of it is open. */
	deny(d, "c.example:443");
	desk_admit(d, "c.example", 60, LIST("203.0.113.6"));
	assert_null(desk_find(d, "203.0.113.6", 443));
}

static struct admission *find_udp(struct desk *d, const char *text,
				  uint16_t port)
{
	struct addr a = ns_addr(text);

	return admissions_find_udp(d->a, &a, port);
}

/* Apart from TCP, with sets of their own. */
static void test_udp(void **state)
{
	struct desk *d = desk_ready(state);

	desk_admit(d, "a.example", 60, LIST("203.0.113.5"));
	assert_null(find_udp(d, "203.0.113.5", 123));
	desk_admit(d, "c.example", 60, LIST("203.0.113.5", "2001:db8:2::5"));
	assert_non_null(find_udp(d, "203.0.113.5", 123));
	assert_non_null(find_udp(d, "2001:db8:2::5", 123));
	assert_null(find_udp(d, "203.0.113.5", 443));
	assert_null(find_udp(d, "203.0.113.5", 0));
	assert_null(desk_find(d, "2001:db8:2::5", 123));
	assert_true(ns_holds("udp4", "203.0.113.5 . 123"));
	assert_true(ns_holds("udp6", "2001:db8:2::5 . 123"));
	assert_false(ns_holds("udp4", "203.0.113.5 . 443"));
	assert_false(ns_holds("port4", "203.0.113.5 . 123"));
	/* A name with nothing but UDP. */
	desk_admit(d, "u.example", 60, LIST("203.0.113.6"));
	assert_non_null(find_udp(d, "203.0.113.6", 123));
	assert_null(desk_find(d, "203.0.113.6", 123));
	assert_string_equal(admission_rule(find_udp(d, "203.0.113.6", 123)),
			    "u.example:123/udp");
}

/* A denied port of TCP is none of UDP, and the other way round. */
static void test_denied_udp(void **state)
{
	struct desk *d = desk_ready(state);

	deny(d, "a.example:123/udp");
	deny(d, "b.example:123");
	desk_admit(d, "b.example", 60, LIST("203.0.113.5"));
	desk_admit(d, "u.example", 60, LIST("203.0.113.5"));
	assert_non_null(find_udp(d, "203.0.113.5", 123));
	desk_admit(d, "a.example", 60, LIST("203.0.113.5"));
	assert_null(find_udp(d, "203.0.113.5", 123));
	assert_null(desk_find(d, "203.0.113.5", 123));
	assert_non_null(desk_find(d, "203.0.113.5", 124));
}

/* It outlives the admission: programs keep addresses. */
static void test_denied_port_stays(void **state)
{
	struct desk *d = desk_ready(state);

	deny(d, "a.example:25");
	(void)desk_run(d, 0);
	desk_admit(d, "a.example", 0, LIST("203.0.113.5"));
	(void)desk_run(d, LIFE_MIN_MS + 100);
	assert_null(desk_find(d, "203.0.113.5", 443));
	desk_admit(d, "b.example", 60, LIST("203.0.113.5"));
	assert_non_null(desk_find(d, "203.0.113.5", 443));
	assert_null(desk_find(d, "203.0.113.5", 25));
}

/* What cannot be remembered is not let in. */
static void test_denied_limit(void **state)
{
	struct desk *d = desk_ready(state);
	struct dns_msg_admit m = desk_request("x.any.example", 60, LIST("::"));
	struct dns_msg_admitted reply = { 0 };
	unsigned rounds = 0;

	for (unsigned port = 1; port <= ALLOW_PORTS_MAX; port++) {
		char pattern[32];

		(void)snprintf(pattern, sizeof(pattern), "*.any.example:%u",
			       port);
		deny(d, pattern);
	}
	m.n = DNS_ADDRESSES_MAX;
	while (!reply.error) {
		assert_true(rounds++ < 100);
		for (unsigned i = 0; i < m.n; i++) {
			m.addr[i] = ns_addr("2001:db8:2::");
			m.addr[i].bytes[14] = (uint8_t)rounds;
			m.addr[i].bytes[15] = (uint8_t)i;
		}
		reply = desk_stage(d, &m);
		assert_int_equal(admissions_commit(d->a), 0);
	}
	assert_int_equal(reply.error, ENOSPC);
	assert_true(reply.granted == 0);
	assert_null(desk_find(d, "2001:db8:2::", 1));
	/* Names without denied ports are not concerned. */
	desk_admit(d, "b.example", 60, LIST("203.0.113.6"));
	assert_non_null(desk_find(d, "203.0.113.6", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define DESK_TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, desk_setup, desk_teardown)
		DESK_TEST(test_bits),
		DESK_TEST(test_ports),
		DESK_TEST(test_protocol_errors),
		DESK_TEST(test_expiry),
		DESK_TEST(test_renewal),
		DESK_TEST(test_longest_time),
		DESK_TEST(test_hold),
		DESK_TEST(test_hold_late),
		DESK_TEST(test_commit_fails),
		DESK_TEST(test_hold_without_kernel),
		DESK_TEST(test_limit),
		DESK_TEST(test_denied_address),
		DESK_TEST(test_denied_port),
		DESK_TEST(test_denied_allowed_port),
		DESK_TEST(test_udp),
		DESK_TEST(test_denied_udp),
		DESK_TEST(test_denied_port_stays),
		DESK_TEST(test_denied_limit),
	};

	return cmocka_run_group_tests(tests, desk_enter, NULL);
}
