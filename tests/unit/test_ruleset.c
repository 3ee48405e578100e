/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate in a real kernel, as nft(8) reads it back.  Each test has a network
 * namespace of its own; all are skipped where namespaces are refused.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include "tests/unit/ns.h"

#include "netns/nft.h"
#include "netns/plan.h"
#include "netns/ruleset.h"

#define OUTPUT_MAX  (4 << 20)
#define DEADLINE_MS 20000
#define BATCH	    512 /* what the monitor puts in one transaction */
#define N_RANGES    1000

struct gate_test {
	int fd; /* -1: no namespaces here */
	char out[OUTPUT_MAX];
};

/* The group's state tells whether there are namespaces. */
static int enter(void **state)
{
	*state = ns_enter() ? state : NULL;
	return 0;
}

static int setup(void **state)
{
	struct gate_test *t = calloc(1, sizeof(*t));
	bool entered = *state;
	struct err e;

	if (!t)
		return -1;
	*state = t;
	t->fd = -1;
	if (!entered || !ns_fresh_net())
		return 0;
	if (nft_open(&t->fd, &e) == 0 &&
	    ruleset_install(t->fd, 9040, NULL, &e) == 0)
		return 0;
	print_error("%s\n", e.msg);
	return -1;
}

static int teardown(void **state)
{
	struct gate_test *t = *state;

	fd_close(&t->fd);
	free(t);
	return 0;
}

static struct gate_test *ready(void **state)
{
	struct gate_test *t = *state;

	if (t->fd < 0 || ns_shell(t->out, sizeof(t->out), "nft -v") != 0)
		skip();
	return t;
}

static struct ruleset_element element(const char *text, uint16_t port,
				      uint64_t timeout_ms)
{
	return (struct ruleset_element) { .addr = ns_addr(text),
					  .port = port,
					  .timeout_ms = timeout_ms };
}

static const char *list_set(struct gate_test *t, const char *set)
{
	return ns_list_set(t->out, sizeof(t->out), set);
}

static uint64_t expires(struct gate_test *t, const char *set, const char *key)
{
	return ns_expires(t->out, sizeof(t->out), set, key);
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		n++;
	return n;
}

static void test_install(void **state)
{
	struct gate_test *t = ready(state);
	static const char *const parts[] = {
		"\"chain\": {\"family\": \"inet\", \"table\": \"" NFT_TABLE
		"\", \"name\": \"gate\"",
		"\"hook\": \"prerouting\", \"prio\": -150, \"policy\": "
		"\"drop\"",
		"\"hook\": \"input\", \"prio\": 0, \"policy\": \"drop\"",
		"\"hook\": \"forward\", \"prio\": 0, \"policy\": \"drop\"",
		"\"hook\": \"output\", \"prio\": 0, \"policy\": \"drop\"",
		"\"addr\": \"" GATEWAY_IPV4 "\", \"port\": 9040",
		"\"addr\": \"" GATEWAY_IPV6 "\", \"port\": 9040",
	};
	static const char *const sets[] = { "addr4", "addr6", "port4",
					    "port6", "net4",  "net6" };

	assert_int_equal(
		ns_shell(t->out, sizeof(t->out), "nft -j list ruleset"), 0);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strstr(t->out, parts[i]))
			fail_msg("not in the ruleset: %s", parts[i]);
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		assert_null(strstr(list_set(t, sets[i]), "elements"));
}

static void test_admit(void **state)
{
	struct gate_test *t = ready(state);
	const struct ruleset_element mixed[] = {
		element("192.0.2.1", 0, 60000),
		element("192.0.2.1", 443, 60000),
		element("192.0.2.1", 65535, 60000),
		element("2001:db8::1", 0, 60000),
		element("2001:db8::1", 22, 60000),
		element("192.0.2.2", 0, 3600000),
	};

	assert_int_equal(ruleset_admit(t->fd, mixed, 0), 0);
	assert_int_equal(ruleset_admit(t->fd, mixed, 6), 0);
	assert_int_equal(count(list_set(t, "addr4"), "timeout "), 2);
	assert_int_equal(count(list_set(t, "addr6"), "timeout "), 1);
	assert_int_equal(count(list_set(t, "port4"), "timeout "), 2);
	assert_int_equal(count(list_set(t, "port6"), "timeout "), 1);
	assert_in_range(expires(t, "addr4", "192.0.2.1"), 1, 60000);
	assert_in_range(expires(t, "addr4", "192.0.2.2"), 60001, 3600000);
	assert_in_range(expires(t, "addr6", "2001:db8::1"), 1, 60000);
	assert_in_range(expires(t, "port4", "192.0.2.1 . 443"), 1, 60000);
	assert_in_range(expires(t, "port4", "192.0.2.1 . 65535"), 1, 60000);
	assert_in_range(expires(t, "port6", "2001:db8::1 . 22"), 1, 60000);
	assert_true(ns_holds("port4", "192.0.2.1 . 443"));
	assert_false(ns_holds("port4", "192.0.2.1 . 444"));
}

/* Also with an equal timeout, which some kernels take for no change. */
static void test_refresh(void **state)
{
	static const struct {
		const char *set, *key;
	} where[] = {
		{ "addr4", "192.0.2.1" },
		{ "addr6", "2001:db8::1" },
		{ "port4", "192.0.2.1 . 443" },
		{ "port6", "2001:db8::1 . 443" },
	};
	struct gate_test *t = ready(state);
	uint64_t deadline = ns_clock_ms() + DEADLINE_MS;
	const struct ruleset_element same[] = {
		element("192.0.2.1", 0, 6000),
		element("2001:db8::1", 0, 6000),
		element("192.0.2.1", 443, 6000),
		element("2001:db8::1", 443, 6000),
	};

	assert_int_equal(ruleset_admit(t->fd, same, 4), 0);
	while (expires(t, "port6", "2001:db8::1 . 443") >= 4000) {
		assert_true(ns_clock_ms() < deadline);
		(void)usleep(50000);
	}
	for (size_t i = 0; i < 4; i++)
		assert_in_range(expires(t, where[i].set, where[i].key), 1,
				3999);
	assert_int_equal(ruleset_admit(t->fd, same, 4), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_in_range(expires(t, where[i].set, where[i].key), 4000,
				6000);
		assert_int_equal(count(t->out, "timeout "), 1);
	}
	/* To a shorter and to a longer time as well. */
	for (uint64_t ms = 2000; ms <= 90000; ms += 88000) {
		const struct ruleset_element one = element("192.0.2.1", 0, ms);

		assert_int_equal(ruleset_admit(t->fd, &one, 1), 0);
		assert_in_range(expires(t, "addr4", "192.0.2.1"), ms - 1999,
				ms);
	}
}

static void test_expiry(void **state)
{
	struct gate_test *t = ready(state);
	uint64_t deadline = ns_clock_ms() + DEADLINE_MS;
	const struct ruleset_element brief = element("192.0.2.1", 0, 100);

	assert_int_equal(ruleset_admit(t->fd, &brief, 1), 0);
	while (expires(t, "addr4", "192.0.2.1") > 0)
		assert_true(ns_clock_ms() < deadline);
}

/* The largest transactions that the monitor makes, new and refreshed; each
 * element is distinct, of four kinds in turn. */
static void test_large_batches(void **state)
{
	struct gate_test *t = ready(state);
	struct ruleset_element *all = calloc(BATCH, sizeof(*all));
	const uint32_t kinds = 4;

	assert_non_null(all);
	for (uint32_t first = 0; first < 2; first++) {
		for (uint32_t i = 0; i < BATCH; i++) {
			uint32_t kind = first == 0 ? 3 : i % kinds;

			all[i] =
				element(kind & 1 ? "2001:db8::" : "203.0.113.0",
					kind & 2 ? 443 : 0, 60000);
			all[i].addr.bytes[kind & 1 ? 14 : 2] =
				(uint8_t)(i >> 8);
			all[i].addr.bytes[kind & 1 ? 15 : 3] = (uint8_t)i;
		}
		for (int round = 0; round < 2; round++)
			assert_int_equal(ruleset_admit(t->fd, all, BATCH), 0);
	}
	assert_int_equal(count(list_set(t, "port6"), "timeout "), BATCH);
	assert_int_equal(count(list_set(t, "addr4"), "timeout "), BATCH / 4);
	assert_int_equal(count(list_set(t, "addr6"), "timeout "), BATCH / 4);
	assert_int_equal(count(list_set(t, "port4"), "timeout "), BATCH / 4);
	free(all);
}

/* Nothing of a transaction that fails is in force, and the next one is
 * answered for itself. */
static void test_errors(void **state)
{
	struct gate_test *t = ready(state);
	const struct ruleset_element one = element("192.0.2.1", 0, 60000);
	uint64_t packets;

	assert_int_equal(ns_shell(t->out, sizeof(t->out), "nft flush ruleset"),
			 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ruleset_admit(t->fd, &one, 1), -ENOENT);
	assert_true(ruleset_read_counter(t->fd, RULESET_COUNTER_DENIED,
					 &packets) < 0);
	assert_int_equal(ruleset_install(t->fd, 9040, NULL, NULL), 0);
	assert_int_equal(ruleset_admit(t->fd, &one, 1), 0);
	assert_true(expires(t, "addr4", "192.0.2.1") > 0);
}

static void test_ranges(void **state)
{
	struct gate_test *t = ready(state);
	const struct addr_range v4[] = {
		{ ns_addr("0.0.0.0"), ns_addr("0.0.0.7") },
		{ ns_addr("192.0.2.1"), ns_addr("192.0.2.1") },
		{ ns_addr("192.0.2.4"), ns_addr("192.0.2.9") },
		{ ns_addr("255.255.255.0"), ns_addr("255.255.255.255") },
	};
	const struct addr_range v6[] = {
		{ ns_addr("2001:db8::"), ns_addr("2001:db8::ff") },
		{ ns_addr("ffff::"),
		  ns_addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") },
	};
	static const char *const in4[] = { "0.0.0.0",	     "0.0.0.7",
					   "192.0.2.1",	     "192.0.2.4",
					   "192.0.2.9",	     "255.255.255.0",
					   "255.255.255.255" };
	static const char *const out4[] = { "0.0.0.8",	  "192.0.2.0",
					    "192.0.2.2",  "192.0.2.3",
					    "192.0.2.10", "255.255.254.255" };
	struct err e;

	assert_int_equal(ruleset_add_ranges(t->fd, AF_INET, false, v4, 4, &e),
			 0);
	assert_int_equal(ruleset_add_ranges(t->fd, AF_INET6, false, v6, 2, &e),
			 0);
	assert_int_equal(ruleset_add_ranges(t->fd, AF_INET6, false, v6, 0, &e),
			 0);
	for (size_t i = 0; i < sizeof(in4) / sizeof(in4[0]); i++)
		assert_true(ns_holds("net4", in4[i]));
	for (size_t i = 0; i < sizeof(out4) / sizeof(out4[0]); i++)
		assert_false(ns_holds("net4", out4[i]));
	assert_true(ns_holds("net6", "2001:db8::ff"));
	assert_false(ns_holds("net6", "2001:db8::100"));
	assert_true(
		ns_holds("net6", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
	assert_false(ns_holds("net6", "fffe::1"));
}

static void test_whole_families(void **state)
{
	struct gate_test *t = ready(state);
	const struct addr_range v4 = { ns_addr("0.0.0.0"),
				       ns_addr("255.255.255.255") };
	const struct addr_range v6 = {
		ns_addr("::"),
		ns_addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
	};

	assert_int_equal(
		ruleset_add_ranges(t->fd, AF_INET, false, &v4, 1, NULL), 0);
	assert_int_equal(
		ruleset_add_ranges(t->fd, AF_INET6, false, &v6, 1, NULL), 0);
	assert_non_null(strstr(list_set(t, "net4"), "{ 0.0.0.0/0 }"));
	assert_non_null(strstr(list_set(t, "net6"), "{ ::/0 }"));
	assert_true(ns_holds("net4", "203.0.113.9"));
	assert_true(ns_holds("net6", "2001:db8::9"));
}

/* More than one transaction takes. */
static void test_many_ranges(void **state)
{
	struct gate_test *t = ready(state);
	struct addr_range *all = calloc(N_RANGES, sizeof(*all));

	assert_non_null(all);
	for (uint32_t i = 0; i < N_RANGES; i++) {
		all[i].first = ns_addr("2001:db8::");
		all[i].first.bytes[4] = (uint8_t)(i >> 8);
		all[i].first.bytes[5] = (uint8_t)i;
		all[i].last = all[i].first;
		all[i].last.bytes[15] = 0x0f;
	}
	assert_int_equal(
		ruleset_add_ranges(t->fd, AF_INET6, false, all, N_RANGES, NULL),
		0);
	assert_int_equal(count(list_set(t, "net6"), "/124"), N_RANGES);
	free(all);
}

/* Counters: a frame comes in at agent0, as from the agent. */

static uint64_t packets_of(const struct gate_test *t, enum ruleset_counter c)
{
	uint64_t packets = 4711;

	assert_int_equal(ruleset_read_counter(t->fd, c, &packets), 0);
	return packets;
}

static void wait_for(const struct gate_test *t, uint64_t denied,
		     uint64_t spoofed)
{
	uint64_t deadline = ns_clock_ms() + DEADLINE_MS;

	while (packets_of(t, RULESET_COUNTER_DENIED) != denied ||
	       packets_of(t, RULESET_COUNTER_SPOOFED) != spoofed) {
		assert_true(ns_clock_ms() < deadline);
		(void)usleep(1000);
	}
}

static uint16_t checksum(const void *data, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2) {
		uint16_t word;

		memcpy(&word, (const char *)data + i, sizeof(word));
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void send_udp(const char *src, const char *dst, uint16_t port)
{
	struct {
		struct iphdr ip;
		struct udphdr udp;
	} p = { .ip = { .version = 4,
			.ihl = 5,
			.ttl = 64,
			.protocol = IPPROTO_UDP,
			.tot_len = htons(sizeof(p)) },
		.udp = { .source = htons(40000),
			 .dest = htons(port),
			 .len = htons(sizeof(p.udp)) } };
	struct addr from = ns_addr(src);
	struct addr to = ns_addr(dst);
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = (int)if_nametoindex(AGENT_IFNAME),
		.sll_halen = 6,
		.sll_addr = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }
	};
	cleanup_fd int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	memcpy(&p.ip.saddr, from.bytes, 4);
	memcpy(&p.ip.daddr, to.bytes, 4);
	p.ip.check = checksum(&p.ip, sizeof(p.ip));
	assert_int_equal(sendto(fd, &p, sizeof(p), 0, (struct sockaddr *)&ll,
				sizeof(ll)),
			 sizeof(p));
}

static void test_counters(void **state)
{
	struct gate_test *t = ready(state);

	wait_for(t, 0, 0);
	if (ns_shell(t->out, sizeof(t->out),
		     "ip link add " GATEWAY_IFNAME
		     " up type veth peer name " AGENT_IFNAME) != 0)
		skip(); /* no veth, or no ip */
	assert_int_equal(ns_shell(t->out, sizeof(t->out),
				  "ip link set " AGENT_IFNAME " up"),
			 0);
	send_udp(AGENT_IPV4, "203.0.113.9", 123);
	wait_for(t, 1, 0);
	send_udp("198.51.100.1", "203.0.113.9", 123);
	send_udp("198.51.100.1", "203.0.113.9", 53);
	wait_for(t, 1, 2);
	send_udp(AGENT_IPV4, "203.0.113.9", 53); /* to the DNS filter */
	send_udp(AGENT_IPV4, "203.0.113.9", 443);
	wait_for(t, 2, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define GATE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		GATE_TEST(test_install),       GATE_TEST(test_admit),
		GATE_TEST(test_refresh),       GATE_TEST(test_expiry),
		GATE_TEST(test_large_batches), GATE_TEST(test_errors),
		GATE_TEST(test_ranges),	       GATE_TEST(test_whole_families),
		GATE_TEST(test_many_ranges),   GATE_TEST(test_counters),
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}
