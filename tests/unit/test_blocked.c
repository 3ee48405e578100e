/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The summary as the user reads it: stderr is a file while it is printed. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fd.h"
#include "common/log.h"
#include "launcher/blocked.h"
#include "profiles/allowlist.h"

#define LIMIT	 4096 /* LINES_MAX */
#define TEXT_MAX 16384
#define HEAD	 "egress-run: blocked:\n"

struct summary {
	struct allowlist *allow;
	struct blocked *blocked;
	char text[TEXT_MAX];
};

static int setup(void **state)
{
	struct summary *s = calloc(1, sizeof(*s));

	if (!s || allowlist_new(&s->allow, NULL) < 0 ||
	    allowlist_add_denied(s->allow, "*.denied.example", NULL) < 0 ||
	    allowlist_add_denied(s->allow, "203.0.113.7", NULL) < 0 ||
	    blocked_new(&s->blocked, s->allow) < 0)
		return -1;
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct summary *s = *state;

	blocked_free(s->blocked);
	allowlist_free(s->allow);
	free(s);
	return 0;
}

static const char *print(struct summary *s, uint64_t unseen, uint64_t spoofed)
{
	cleanup_fd int file = memfd_create("stderr", MFD_CLOEXEC);
	cleanup_fd int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	ssize_t n;

	assert_true(file >= 0 && saved >= 0);
	assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
	blocked_print(s->blocked, unseen, spoofed);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	n = pread(file, s->text, sizeof(s->text) - 1, 0);
	assert_true(n >= 0);
	s->text[n] = '\0';
	return s->text;
}

static struct addr address(const char *text)
{
	struct addr a;

	assert_true(addr_parse(text, &a));
	return a;
}

static void add_packet(struct summary *s, const char *protocol,
		       const char *text, uint16_t port, bool own)
{
	struct addr a = address(text);

	blocked_address(s->blocked, protocol, &a, port,
			own ? BLOCKED_OWN : BLOCKED_NOT_ALLOWED);
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void test_nothing(void **state)
{
	assert_string_equal(print(*state, 0, 0), "");
	blocked_free(NULL);
}

static void test_names(void **state)
{
	struct summary *s = *state;

	blocked_name(s->blocked, "a.example", true, 1);
	assert_string_equal(print(s, 0, 0),
			    HEAD "egress-run:   a.example (1 look-up); allow "
				 "with --allow-domain a.example\n");
	blocked_name(s->blocked, "a.example", true, 2);
	/* No host name, so no option would take it. */
	blocked_name(s->blocked, "b\\032.example", false, 5);
	assert_string_equal(print(s, 0, 0),
			    HEAD "egress-run:   b\\032.example (5 look-ups)\n"
				 "egress-run:   a.example (3 look-ups); allow "
				 "with --allow-domain a.example\n");
}

/* No option allows what is denied, so none is named. */
static void test_denied(void **state)
{
	struct summary *s = *state;
	struct addr listed = address("203.0.113.7");
	struct addr other = address("203.0.113.8");

	blocked_name(s->blocked, "a.denied.example", true, 4);
	blocked_answer(s->blocked, "b.example", &listed, 3);
	blocked_address(s->blocked, "tcp", &listed, 443, BLOCKED_NOT_ALLOWED);
	blocked_address(s->blocked, "tcp", &listed, 443, BLOCKED_NOT_ALLOWED);
	blocked_address(s->blocked, "tcp", &other, 22, BLOCKED_DENIED);
	assert_string_equal(
		print(s, 0, 0),
		HEAD "egress-run:   a.denied.example (4 look-ups); denied by "
		     "*.denied.example\n"
		     "egress-run:   b.example -> 203.0.113.7 (a denied "
		     "address) (3 look-ups); never allowed\n"
		     "egress-run:   203.0.113.7:443 tcp (2 packets); denied by "
		     "203.0.113.7\n"
		     "egress-run:   203.0.113.8:22 tcp (1 packet); denied for "
		     "a name that resolved to it\n");
}

static void test_answers(void **state)
{
	struct summary *s = *state;
	struct addr loopback = address("127.0.0.1");
	struct addr own = address("198.51.100.1");

	blocked_answer(s->blocked, "re.example", &loopback, 2);
	blocked_answer(s->blocked, "re.example", &own, 1);
	assert_string_equal(
		print(s, 0, 0),
		HEAD "egress-run:   re.example -> 127.0.0.1 (loopback address) "
		     "(2 look-ups); never allowed\n"
		     "egress-run:   re.example -> 198.51.100.1 (an address of "
		     "this host) (1 look-up); never allowed\n");
}

static void test_packets(void **state)
{
	struct summary *s = *state;

	for (int i = 0; i < 4; i++)
		add_packet(s, "tcp", "203.0.113.9", 22, false);
	for (int i = 0; i < 3; i++)
		add_packet(s, "udp", "2001:db8::9", 123, false);
	for (int i = 0; i < 2; i++)
		add_packet(s, "icmp", "203.0.113.9", 0, false);
	add_packet(s, "tcp", "169.254.169.254", 80, false);
	add_packet(s, "tcp", "198.51.100.1", 80, true);
	assert_string_equal(
		print(s, 0, 0),
		HEAD "egress-run:   203.0.113.9:22 tcp (4 packets); allow the "
		     "name it belongs to, or --allow-address 203.0.113.9:22\n"
		     "egress-run:   [2001:db8::9]:123 udp (3 packets); allow "
		     "NAME:123/udp, or --allow-address "
		     "[2001:db8::9]:123/udp\n"
		     "egress-run:   203.0.113.9 icmp (2 packets); only TCP and "
		     "UDP are let out\n"
		     "egress-run:   169.254.169.254:80 tcp (1 packet); never "
		     "allowed: cloud metadata address\n"
		     "egress-run:   198.51.100.1:80 tcp (1 packet); never "
		     "allowed: address of this host\n");
}

/* Names come from the command: nothing of them acts on a terminal. */
static void test_control_characters(void **state)
{
	struct summary *s = *state;
	const char *text;

	blocked_name(s->blocked, "\x1b]0;x\x07\r\ny\x7f\xff", false, 1);
	text = print(s, 0, 0);
	assert_string_equal(text, HEAD "egress-run:   \\x1b]0;x\\x07\\x0d\\x0ay"
				       "\\x7f\\xff (1 look-up)\n");
}

/* The longest text of an event, each byte of which is escaped. */
static void test_long_name(void **state)
{
	struct summary *s = *state;
	char name[254];
	const char *text;

	memset(name, 0x1b, sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	blocked_name(s->blocked, name, true, 1);
	text = print(s, 0, 0);
	assert_int_equal(count_lines(text), 2);
	for (; *text; text++)
		assert_true(*text == '\n' || (*text >= 0x20 && *text < 0x7f));
}

/* Most frequent first, equal ones in the order of their text; ten at most. */
static void test_order(void **state)
{
	struct summary *s = *state;
	const char *p = print(s, 0, 0);

	for (unsigned i = 0; i < 15; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "n%02u.example", i);
		blocked_name(s->blocked, name, true, 1 + i / 2);
	}
	p = print(s, 0, 0);
	assert_int_equal(count_lines(p), 12);
	for (unsigned i = 0; i < 10; i++) {
		static const char *const order[] = { "n14", "n12", "n13", "n10",
						     "n11", "n08", "n09", "n06",
						     "n07", "n04" };
		char want[32];

		(void)snprintf(want, sizeof(want), "\negress-run:   %s",
			       order[i]);
		p = strstr(p, want);
		assert_non_null(p);
		p++;
	}
	assert_non_null(strstr(p, "\negress-run:   and 5 more; --log FILE "
				  "lists everything\n"));
}

/* Whatever comes beyond the limit is counted as one. */
static void test_limit(void **state)
{
	struct summary *s = *state;
	char name[32];

	for (unsigned i = 0; i < LIMIT + 3; i++) {
		(void)snprintf(name, sizeof(name), "n%u.example", i);
		blocked_name(s->blocked, name, true, 1);
	}
	blocked_name(s->blocked, "n5.example", true, 7); /* known: counted */
	(void)print(s, 4, 0);
	assert_non_null(strstr(s->text, HEAD "egress-run:   n5.example (8 "));
	assert_non_null(strstr(s->text, "  and 4086 more; "));
	assert_non_null(strstr(s->text, "  and 7 packets or look-ups more\n"));
}

static void test_totals(void **state)
{
	struct summary *s = *state;

	assert_string_equal(print(s, 3, 0),
			    HEAD "egress-run:   and 3 packets or look-ups "
				 "more\n");
	assert_string_equal(print(s, 0, 2),
			    HEAD "egress-run:   2 packets with a forged "
				 "source address\n");
}

/* -q is a level of the log. */
static void test_quiet(void **state)
{
	struct summary *s = *state;

	blocked_name(s->blocked, "a.example", true, 1);
	log_set_level(LOG_LEVEL_WARNING);
	assert_string_equal(print(s, 1, 1), "");
	log_set_level(LOG_LEVEL_NOTICE);
	assert_int_not_equal(count_lines(print(s, 1, 1)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define BLOCKED_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		BLOCKED_TEST(test_nothing),
		BLOCKED_TEST(test_names),
		BLOCKED_TEST(test_answers),
		BLOCKED_TEST(test_denied),
		BLOCKED_TEST(test_packets),
		BLOCKED_TEST(test_control_characters),
		BLOCKED_TEST(test_long_name),
		BLOCKED_TEST(test_order),
		BLOCKED_TEST(test_limit),
		BLOCKED_TEST(test_totals),
		BLOCKED_TEST(test_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
