/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log as a JSON reader sees it, and what becomes of it when the disk is
 * full.  stderr is a file while something is expected there. */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/unit/ns.h"

#include "launcher/report.h"

#define TEXT_MAX 131072

/* Each line without its time, which is checked; "bad" for one that is no
 * JSON object. */
#define READER                                                                \
	"import json, re, sys\n"                                              \
	"def once(pairs):\n"                                                  \
	"    assert len(pairs) == len(dict(pairs))\n"                         \
	"    return dict(pairs)\n"                                            \
	"for line in open(sys.argv[1], newline='\\n'):\n"                     \
	"    try:\n"                                                          \
	"        e = json.loads(line, object_pairs_hook=once)\n"              \
	"        assert line.isascii() and line.endswith('}\\n')\n"           \
	"        assert re.fullmatch(r'\\d{4}(-\\d\\d){2}T(\\d\\d:){2}\\d\\d" \
	"\\.\\d{6}Z', e.pop('time'))\n"                                       \
	"        print(json.dumps(e))\n"                                      \
	"    except (ValueError, AssertionError):\n"                          \
	"        print('bad')\n"

struct logbook {
	struct report *report;
	char path[64];
	char text[TEXT_MAX];
	int saved_stderr;
	int stderr_file;
};

static int setup(void **state)
{
	struct logbook *b = calloc(1, sizeof(*b));
	int fd;

	if (!b)
		return -1;
	*state = b;
	(void)snprintf(b->path, sizeof(b->path), "/tmp/test_report.XXXXXX");
	fd = mkostemp(b->path, O_CLOEXEC);
	if (fd < 0 || close(fd) < 0 || unlink(b->path) < 0)
		return -1;
	return report_new(&b->report, b->path, NULL, NULL);
}

static int teardown(void **state)
{
	struct logbook *b = *state;

	report_free(b->report);
	(void)unlink(b->path);
	free(b);
	return 0;
}

static void catch_stderr(struct logbook *b)
{
	b->stderr_file = memfd_create("stderr", MFD_CLOEXEC);
	b->saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	assert_true(b->stderr_file >= 0 && b->saved_stderr >= 0);
	assert_int_equal(dup2(b->stderr_file, STDERR_FILENO), STDERR_FILENO);
}

static const char *caught(struct logbook *b)
{
	ssize_t n = pread(b->stderr_file, b->text, sizeof(b->text) - 1, 0);

	assert_int_equal(dup2(b->saved_stderr, STDERR_FILENO), STDERR_FILENO);
	fd_close(&b->saved_stderr);
	fd_close(&b->stderr_file);
	assert_true(n >= 0);
	b->text[n] = '\0';
	return b->text;
}

static const char *read_log(struct logbook *b)
{
	const char *const argv[] = { "/usr/bin/python3", "-c", READER, b->path,
				     NULL };
	int status = ns_run(b->text, sizeof(b->text), argv);

	if (status == 127)
		skip();
	assert_int_equal(status, 0);
	return b->text;
}

static struct dns_msg_event dns_event(enum dns_verdict verdict,
				      const char *name, uint16_t qtype)
{
	struct dns_msg_event ev;

	memset(&ev, 0, sizeof(ev));
	ev.type = DNS_MSG_EVENT;
	ev.verdict = verdict;
	ev.qtype = qtype;
	ev.count = 1;
	(void)snprintf(ev.name, sizeof(ev.name), "%s", name);
	return ev;
}

static void test_dns(void **state)
{
	struct logbook *b = *state;
	struct dns_msg_event ev = dns_event(DNS_VERDICT_ALLOW, "a.example", 1);

	ev.n_addr = 2;
	ev.addr[0] = ns_addr("198.51.100.10");
	ev.addr[1] = ns_addr("2001:db8::10");
	report_dns(b->report, &ev, "*.example");
	ev.cached = 1;
	ev.count = 7;
	ev.n_addr = 0;
	ev.qtype = 28;
	report_dns(b->report, &ev, "*.example");
	ev = dns_event(DNS_VERDICT_DENY, "", 65280);
	ev.rcode = 3;
	(void)snprintf(ev.text, sizeof(ev.text), "a\"\\032\x01\xff.test");
	report_dns(b->report, &ev, NULL);
	ev = dns_event(DNS_VERDICT_REFUSED_ADDRESS, "r.example", 65);
	report_dns(b->report, &ev, "r.example");
	ev = dns_event(DNS_VERDICT_FAILED, "f.example", 257);
	report_dns(b->report, &ev, NULL);
	ev = dns_event(DNS_VERDICT_EMPTY, "e.example", 12);
	report_dns(b->report, &ev, NULL);
	assert_string_equal(
		read_log(b),
		"{\"event\": \"dns\", \"verdict\": \"allow\", \"name\": "
		"\"a.example\", \"type\": \"A\", \"rule\": \"*.example\", "
		"\"rcode\": 0, \"addresses\": [\"198.51.100.10\", "
		"\"2001:db8::10\"]}\n"
		"{\"event\": \"dns\", \"verdict\": \"allow\", \"name\": "
		"\"a.example\", \"type\": \"AAAA\", \"rule\": \"*.example\", "
		"\"rcode\": 0, \"from\": \"cache\", \"count\": 7}\n"
		"{\"event\": \"dns\", \"verdict\": \"deny\", \"name\": "
		"\"a\\\"\\\\032\\u0001\\u00ff.test\", \"type\": "
		"\"TYPE65280\", \"rcode\": 3}\n"
		"{\"event\": \"dns\", \"verdict\": \"deny-address\", "
		"\"name\": \"r.example\", \"type\": \"HTTPS\", \"rule\": "
		"\"r.example\", \"rcode\": 0}\n"
		"{\"event\": \"dns\", \"verdict\": \"error\", \"name\": "
		"\"f.example\", \"type\": \"CAA\", \"rcode\": 0}\n"
		"{\"event\": \"dns\", \"verdict\": \"empty\", \"name\": "
		"\"e.example\", \"type\": \"PTR\", \"rcode\": 0}\n");
}

/* The largest event there is: 64 addresses, a name in which all is escaped. */
static void test_largest_event(void **state)
{
	struct logbook *b = *state;
	struct dns_msg_event ev = dns_event(DNS_VERDICT_DENY, "", 65535);
	size_t n = 0;

	memset(ev.text, 0xff, sizeof(ev.text) - 1);
	ev.n_addr = DNS_ADDRESSES_MAX;
	for (size_t i = 0; i < DNS_ADDRESSES_MAX; i++)
		ev.addr[i] = ns_addr("2001:db8:1111:2222:3333:4444:5555:6666");
	ev.cached = 1;
	ev.count = UINT32_MAX;
	report_dns(b->report, &ev, "*.example");
	for (const char *p = read_log(b); (p = strstr(p, ":6666\"")); p++)
		n++;
	assert_int_equal(n, DNS_ADDRESSES_MAX);
	assert_non_null(strstr(b->text, "\"count\": 4294967295}\n"));
}

static struct connection connection(const char *dst, const char *via)
{
	return (struct connection) { .src = ns_addr("192.0.0.2"),
				     .src_port = 40000,
				     .dst = ns_addr(dst),
				     .dst_port = 443,
				     .via = ns_addr(via) };
}

static void test_connections(void **state)
{
	struct logbook *b = *state;
	struct connection c = connection("203.0.113.5", "203.0.113.5");
	const struct relay_msg_closed closed = { .type = RELAY_MSG_CLOSED,
						 .end = RELAY_END_RESET,
						 .id = 1,
						 .bytes_up = UINT64_MAX,
						 .bytes_down = 9 };
	char name[] = "a.example";
	const struct conn conn = { .dst = ns_addr("2001:db8::5"),
				   .dst_port = 443,
				   .name = name };

	c.rule = "*.example";
	report_connect(b->report, 1, &c, "a.example", 0, BLOCKED_NOT_ALLOWED);
	c.via = ns_addr("203.0.113.6");
	report_connect(b->report, 0, &c, "", ECONNREFUSED, BLOCKED_NOT_ALLOWED);
	c = connection("2001:db8::5", "2001:db8::5");
	report_connect(b->report, 0, &c, NULL, EPERM, BLOCKED_NOT_ALLOWED);
	report_close(b->report, &closed, &conn, 12);
	assert_string_equal(
		read_log(b),
		"{\"event\": \"connect\", \"verdict\": \"allow\", "
		"\"connection\": 1, \"protocol\": \"tcp\", \"address\": "
		"\"203.0.113.5\", \"port\": 443, \"name\": \"a.example\", "
		"\"rule\": \"*.example\"}\n"
		"{\"event\": \"connect\", \"verdict\": \"allow\", "
		"\"protocol\": \"tcp\", \"address\": \"203.0.113.5\", "
		"\"port\": 443, \"via\": \"203.0.113.6\", \"rule\": "
		"\"*.example\", \"error\": \"Connection refused\"}\n"
		"{\"event\": \"connect\", \"verdict\": \"deny\", "
		"\"protocol\": \"tcp\", \"address\": \"2001:db8::5\", "
		"\"port\": 443}\n"
		"{\"event\": \"close\", \"connection\": 1, \"protocol\": "
		"\"tcp\", \"address\": \"2001:db8::5\", \"port\": 443, "
		"\"name\": \"a.example\", \"bytes_sent\": "
		"18446744073709551615, \"bytes_received\": 9, "
		"\"duration_ms\": 12, \"end\": \"reset\"}\n");
}

static struct packet_info packet(uint8_t protocol, uint16_t port)
{
	return (struct packet_info) { .src = ns_addr("192.0.0.2"),
				      .dst = ns_addr("203.0.113.9"),
				      .protocol = protocol,
				      .has_ports = port != 0,
				      .dst_port = port };
}

static void test_run(void **state)
{
	struct logbook *b = *state;
	char words[3][8] = { "cmd", "-x\n\xc3", "" };
	char *const command[] = { words[0], words[1], words[2], NULL };
	struct packet_info p = packet(IPPROTO_UDP, 123);

	report_start(b->report, command);
	report_packet(b->report, &p, false, false);
	p = packet(44, 0);
	report_packet(b->report, &p, false, false);
	report_totals(b->report, 5, 2);
	report_end(b->report, 255);
	assert_string_equal(
		read_log(b),
		"{\"event\": \"start\", \"command\": [\"cmd\", "
		"\"-x\\n\\u00c3\", \"\"]}\n"
		"{\"event\": \"packet\", \"verdict\": \"deny\", \"protocol\": "
		"\"udp\", \"address\": \"203.0.113.9\", \"port\": 123}\n"
		"{\"event\": \"packet\", \"verdict\": \"deny\", \"protocol\": "
		"\"ip-44\", \"address\": \"203.0.113.9\", \"port\": 0}\n"
		"{\"event\": \"end\", \"exit_status\": 255, "
		"\"packets_denied\": 5, \"packets_spoofed\": 2}\n");
}

/* What does not fit a line is left out, and the line is one. */
static void test_long_command(void **state)
{
	struct logbook *b = *state;
	static char word[4000];
	char *command[40];

	memset(word, 0xff, sizeof(word) - 1);
	for (size_t i = 0; i < 39; i++)
		command[i] = i % 2 ? word : word + sizeof(word) - 100;
	command[39] = NULL;
	report_start(b->report, command);
	assert_non_null(strstr(read_log(b), "{\"event\": \"start\""));
	assert_null(strstr(b->text, "bad"));
	assert_non_null(strstr(b->text, "\\u00ff\"]}\n"));
}

static void test_file(void **state)
{
	struct logbook *b = *state;
	struct report *second;
	struct stat st;
	struct err e;

	assert_int_equal(stat(b->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	report_end(b->report, 0);
	assert_int_equal(report_new(&second, b->path, NULL, &e), 0);
	report_end(second, 1);
	report_end(b->report, 2);
	report_free(second);
	report_free(NULL);
	assert_non_null(strstr(read_log(b), "\"exit_status\": 0"));
	assert_non_null(strstr(b->text, "\"exit_status\": 1"));
	assert_non_null(strstr(b->text, "\"exit_status\": 2"));

	assert_int_equal(report_new(&second, "/no/such/folder/log", NULL, &e),
			 -ENOENT);
	assert_non_null(strstr(e.msg, "/no/such/folder/log"));
	assert_int_equal(report_new(&second, "/tmp", NULL, &e), -EISDIR);
}

/* One warning, however many lines are lost, and their number at the end. */
static void test_disk_full(void **state)
{
	struct logbook *b = *state;
	struct packet_info p = packet(IPPROTO_UDP, 123);
	struct report *full;
	const char *text;

	catch_stderr(b);
	assert_int_equal(report_new(&full, "/dev/full", NULL, NULL), 0);
	for (int i = 0; i < 41; i++)
		report_packet(full, &p, false, false);
	report_end(full, 0);
	report_free(full);
	text = caught(b);
	assert_string_equal(
		text,
		"egress-run: warning: cannot write the log: No space left on "
		"device; decisions go unrecorded until there is room\n"
		"egress-run: warning: 42 decisions are missing from the "
		"log\n");
}

/* The disk fills up within a line, and there is room again later: the torn
 * line spoils no other one. */
static void test_torn_line(void **state)
{
	struct logbook *b = *state;
	struct packet_info p = packet(IPPROTO_UDP, 123);
	struct rlimit limit, old;
	struct stat st;

	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	catch_stderr(b);
	report_packet(b->report, &p, false, false);
	assert_int_equal(stat(b->path, &st), 0);
	limit = old;
	limit.rlim_cur = (rlim_t)st.st_size + 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	report_packet(b->report, &p, false, false);
	report_packet(b->report, &p, false, false);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	report_packet(b->report, &p, false, false);
	report_end(b->report, 0);
	assert_non_null(strstr(caught(b), " 2 decisions are missing"));
	assert_string_equal(
		read_log(b),
		"{\"event\": \"packet\", \"verdict\": \"deny\", \"protocol\": "
		"\"udp\", \"address\": \"203.0.113.9\", \"port\": 123}\n"
		"bad\n"
		"{\"event\": \"packet\", \"verdict\": \"deny\", \"protocol\": "
		"\"udp\", \"address\": \"203.0.113.9\", \"port\": 123}\n"
		"{\"event\": \"end\", \"exit_status\": 0, "
		"\"packets_denied\": 0, \"packets_spoofed\": 0}\n");
}

/* With and without a log; what is noise stays out. */
static void test_summary(void **state)
{
	struct logbook *b = *state;
	struct dns_msg_event ev;
	struct packet_info p = packet(IPPROTO_UDP, 443);
	struct connection c = connection("203.0.113.5", "203.0.113.5");
	struct report *r;

	assert_int_equal(report_new(&r, NULL, NULL, NULL), 0);
	catch_stderr(b);
	ev = dns_event(DNS_VERDICT_DENY, "9.113.0.203.in-addr.arpa", 12);
	report_dns(r, &ev, NULL);
	ev = dns_event(DNS_VERDICT_ALLOW, "a.example", 1);
	report_dns(r, &ev, "a.example");
	report_packet(r, &p, true, false); /* HTTP/3 to an admitted address */
	report_connect(r, 0, &c, NULL, ECONNREFUSED, BLOCKED_NOT_ALLOWED);
	report_totals(r, 1, 0);
	report_summary(r);
	assert_string_equal(caught(b), "");

	catch_stderr(b);
	ev = dns_event(DNS_VERDICT_DENY, "t.example", 1);
	ev.count = 3;
	report_dns(r, &ev, NULL);
	/* A transfer of an allowed name: no option would allow it. */
	ev = dns_event(DNS_VERDICT_DENY, "z.example", 252);
	report_dns(r, &ev, "z.example");
	report_packet(r, &p, false, false);
	report_packet(r, &p, false, false);
	report_connect(r, 0, &c, NULL, EPERM, BLOCKED_OWN);
	report_totals(r, 7, 1);
	report_end(r, 0);
	report_summary(r);
	assert_string_equal(
		caught(b),
		"egress-run: blocked:\n"
		"egress-run:   t.example (3 look-ups); allow with "
		"--allow-domain t.example\n"
		"egress-run:   203.0.113.9:443 udp (2 packets); QUIC; "
		"programs use TCP instead\n"
		"egress-run:   203.0.113.5:443 tcp (1 packet); never allowed: "
		"address of this host\n"
		"egress-run:   z.example (1 look-up)\n"
		"egress-run:   and 4 packets or look-ups more\n"
		"egress-run:   1 packets with a forged source address\n");
	report_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define REPORT_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		REPORT_TEST(test_dns),		REPORT_TEST(test_largest_event),
		REPORT_TEST(test_connections),	REPORT_TEST(test_run),
		REPORT_TEST(test_long_command), REPORT_TEST(test_file),
		REPORT_TEST(test_disk_full),	REPORT_TEST(test_torn_line),
		REPORT_TEST(test_summary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
