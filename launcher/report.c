/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/text.h"
#include "launcher/blocked.h"

/* 64 addresses, a name, its escaped form and a command line fit. */
#define LINE_MAX_BYTES 16384

struct report {
	int log_fd; /* -1: none */
	uint64_t n_lost;
	bool torn; /* the log ends in half a line */
	struct blocked *blocked;
	uint64_t n_packets_seen;
	uint64_t n_packets_denied;
	uint64_t n_packets_spoofed;
	char line[LINE_MAX_BYTES];
};

int report_new(struct report **ret, const char *log_path,
	       const struct allowlist *allow, struct err *e)
{
	struct report *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return err_errno(e, ENOMEM, "report");
	r->log_fd = -1;
	rc = blocked_new(&r->blocked, allow);
	if (rc < 0) {
		free(r);
		return err_errno(e, -rc, "report");
	}
	if (log_path)
		r->log_fd = open(log_path,
				 O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
					 O_NOCTTY | O_NONBLOCK,
				 0600);
	if (log_path && r->log_fd < 0) {
		int code = errno;

		report_free(r);
		return err_errno(e, code, "open the log '%s'", log_path);
	}
	*ret = r;
	return 0;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	if (r->log_fd >= 0)
		(void)close(r->log_fd);
	blocked_free(r->blocked);
	free(r);
}

static void begin(struct report *r, struct json_line *j, const char *event)
{
	struct timespec ts;
	struct tm tm;
	char date[32];
	char stamp[64];

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (!gmtime_r(&ts.tv_sec, &tm) ||
	    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		date[0] = '\0';
	(void)snprintf(stamp, sizeof(stamp), "%s.%06ldZ", date,
		       ts.tv_nsec / 1000);
	json_begin(j, r->line, sizeof(r->line));
	json_string(j, "time", stamp);
	json_string(j, "event", event);
}

/* A full disk costs log lines, which are counted and reported at the end; it
 * does not stop the command, and opens nothing. */
static void finish(struct report *r, struct json_line *j)
{
	size_t len = json_end(j);
	ssize_t n = -1;

	if (!r->torn || write(r->log_fd, "\n", 1) == 1) {
		n = write(r->log_fd, r->line, len);
		r->torn = n > 0 && n != (ssize_t)len;
	}
	if (n == (ssize_t)len)
		return;
	if (r->n_lost++ == 0)
		log_warning("cannot write the log: %s; decisions go "
			    "unrecorded until there is room",
			    n < 0 ? strerror(errno) : "no room");
}

static const char *type_name(uint16_t qtype, char buf[static 16])
{
	static const struct {
		uint16_t qtype;
		const char *name;
	} types[] = { { 1, "A" },     { 2, "NS" },     { 5, "CNAME" },
		      { 6, "SOA" },   { 12, "PTR" },   { 15, "MX" },
		      { 16, "TXT" },  { 28, "AAAA" },  { 33, "SRV" },
		      { 64, "SVCB" }, { 65, "HTTPS" }, { 255, "ANY" },
		      { 257, "CAA" } };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].qtype == qtype)
			return types[i].name;
	(void)snprintf(buf, 16, "TYPE%u", qtype);
	return buf;
}

static void log_dns(struct report *r, const struct dns_msg_event *ev,
		    const char *rule)
{
	static const char *const verdicts[DNS_VERDICT__COUNT] = {
		[DNS_VERDICT_ALLOW] = "allow",
		[DNS_VERDICT_DENY] = "deny",
		[DNS_VERDICT_REFUSED_ADDRESS] = "deny-address",
		[DNS_VERDICT_FAILED] = "error",
		[DNS_VERDICT_EMPTY] = "empty",
		[DNS_VERDICT_LIMITED] = "limit",
	};
	struct json_line j;
	char type[16];

	begin(r, &j, "dns");
	json_string(&j, "verdict", verdicts[ev->verdict]);
	json_string(&j, "name", ev->name[0] ? ev->name : ev->text);
	json_string(&j, "type", type_name(ev->qtype, type));
	if (rule)
		json_string(&j, "rule", rule);
	json_uint(&j, "rcode", ev->rcode);
	if (ev->n_addr > 0) {
		json_array_begin(&j, "addresses");
		for (uint16_t i = 0; i < ev->n_addr; i++) {
			char text[ADDR_TEXT_MAX];

			json_array_string(&j, addr_format(&ev->addr[i], text));
		}
		json_array_end(&j);
	}
	if (ev->cached)
		json_string(&j, "from", "cache");
	if (ev->count > 1)
		json_uint(&j, "count", ev->count);
	finish(r, &j);
}

/* Reverse look-ups of every tool would drown what matters, and so would apt's
 * question for another server, without which it goes on to the one named. */
static bool is_aside(const char *name)
{
	static const char *const services[] = { "_http._tcp.", "_https._tcp." };
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (strncmp(name, services[i], strlen(services[i])) == 0)
			return true;
	return n > 5 && strcmp(name + n - 5, ".arpa") == 0;
}

void report_dns(struct report *r, const struct dns_msg_event *ev,
		const char *rule)
{
	const char *name = ev->name[0] ? ev->name : ev->text;

	if (r->log_fd >= 0)
		log_dns(r, ev, rule);
	/* A rule with a refusal: a zone transfer of an allowed name. */
	if (ev->verdict == DNS_VERDICT_DENY && !is_aside(name))
		blocked_name(r->blocked, name, ev->name[0] && !rule, ev->count);
	if (ev->verdict == DNS_VERDICT_LIMITED && rule)
		blocked_limited(r->blocked, rule, ev->count);
	if (ev->verdict == DNS_VERDICT_REFUSED_ADDRESS && ev->n_addr > 0)
		blocked_answer(r->blocked, name, &ev->addr[0], ev->count);
}

static void put_address(struct json_line *j, const struct addr *a,
			uint16_t port)
{
	char text[ADDR_TEXT_MAX];

	json_string(j, "address", addr_format(a, text));
	json_uint(j, "port", port);
}

void report_connect(struct report *r, uint64_t id, const struct connection *c,
		    const char *name, int error, enum blocked_reason why)
{
	struct json_line j;
	char via[ADDR_TEXT_MAX];

	if (error == EPERM)
		blocked_address(r->blocked, c->udp ? "udp" : "tcp", &c->dst,
				c->dst_port, why);
	if (r->log_fd < 0)
		return;
	begin(r, &j, c->inbound ? "accept" : "connect");
	json_string(&j, "verdict", error == EPERM ? "deny" : "allow");
	if (id)
		json_uint(&j, "connection", id);
	json_string(&j, "protocol", c->udp ? "udp" : "tcp");
	put_address(&j, &c->dst, c->dst_port);
	if (!addr_equal(&c->dst, &c->via))
		json_string(&j, "via", addr_format(&c->via, via));
	if (name && *name)
		json_string(&j, "name", name);
	if (c->rule)
		json_string(&j, "rule", c->rule);
	if (error && error != EPERM)
		json_string(&j, "error", strerror(error));
	finish(r, &j);
}

void report_close(struct report *r, const struct relay_msg_closed *m,
		  const struct conn *conn, uint64_t duration_ms)
{
	static const char *const ends[RELAY_END__COUNT] = {
		[RELAY_END_EOF] = "eof",
		[RELAY_END_RESET] = "reset",
		[RELAY_END_ERROR] = "error",
		[RELAY_END_UNCLAIMED] = "unclaimed",
		[RELAY_END_FINISH] = "end-of-run",
		[RELAY_END_REFUSED] = "refused",
		[RELAY_END_SILENT] = "silent",
		[RELAY_END_IDLE] = "idle",
		[RELAY_END_CROWDED] = "too-many",
	};
	struct json_line j;

	if (r->log_fd < 0)
		return;
	begin(r, &j, "close");
	json_uint(&j, "connection", m->id);
	json_string(&j, "protocol", conn->udp ? "udp" : "tcp");
	put_address(&j, &conn->dst, conn->dst_port);
	if (conn->name && *conn->name)
		json_string(&j, "name", conn->name);
	json_uint(&j, "bytes_sent", m->bytes_up);
	json_uint(&j, "bytes_received", m->bytes_down);
	json_uint(&j, "duration_ms", duration_ms);
	json_string(&j, "end", ends[m->end]);
	finish(r, &j);
}

void report_refused(struct report *r, const struct relay_msg_refused *m,
		    const struct addr *dst, uint16_t port)
{
	struct json_line j;

	blocked_request(r->blocked, m, dst, port);
	if (r->log_fd < 0)
		return;
	begin(r, &j, "request");
	json_string(&j, "verdict", "deny");
	json_uint(&j, "connection", m->closed.id);
	json_string(&j, "protocol", inspect_protocol_text(m->protocol));
	put_address(&j, dst, port);
	if (m->name[0])
		json_string(&j, "name", m->name);
	json_string(&j, "reason", inspect_reason_text(m->reason));
	if (m->detail[0])
		json_string(&j, "detail", m->detail);
	finish(r, &j);
}

void report_packet(struct report *r, const struct packet_info *p, bool admitted,
		   bool own)
{
	const char *protocol = packet_protocol_name(p->protocol);
	struct json_line j;
	char number[16];

	r->n_packets_seen++;
	(void)snprintf(number, sizeof(number), "ip-%u", p->protocol);
	if (!protocol)
		protocol = number;
	/* QUIC: clients fall back to TCP by themselves. */
	if (!(admitted && p->protocol == IPPROTO_UDP && p->dst_port == 443))
		blocked_address(r->blocked, protocol, &p->dst,
				p->has_ports ? p->dst_port : 0,
				own ? BLOCKED_OWN : BLOCKED_NOT_ALLOWED);
	if (r->log_fd < 0)
		return;
	begin(r, &j, "packet");
	json_string(&j, "verdict", "deny");
	json_string(&j, "protocol", protocol);
	put_address(&j, &p->dst, p->has_ports ? p->dst_port : 0);
	finish(r, &j);
}

void report_totals(struct report *r, uint64_t denied, uint64_t spoofed)
{
	r->n_packets_denied = denied;
	r->n_packets_spoofed = spoofed;
}

void report_start(struct report *r, char *const *command)
{
	struct json_line j;

	if (r->log_fd < 0)
		return;
	begin(r, &j, "start");
	json_array_begin(&j, "command");
	for (; *command; command++)
		json_array_string(&j, *command);
	json_array_end(&j);
	finish(r, &j);
}

void report_end(struct report *r, int exit_status)
{
	struct json_line j;

	if (r->log_fd < 0)
		return;
	begin(r, &j, "end");
	json_uint(&j, "exit_status", (uint64_t)exit_status);
	json_uint(&j, "packets_denied", r->n_packets_denied);
	json_uint(&j, "packets_spoofed", r->n_packets_spoofed);
	finish(r, &j);
	if (r->n_lost > 0)
		log_warning("%" PRIu64 " decisions are missing from the log",
			    r->n_lost);
}

void report_summary(struct report *r)
{
	uint64_t unseen = r->n_packets_denied > r->n_packets_seen
				  ? r->n_packets_denied - r->n_packets_seen
				  : 0;

	blocked_print(r->blocked, unseen, r->n_packets_spoofed);
}
