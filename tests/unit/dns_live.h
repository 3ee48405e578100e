/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A real filter process in a network namespace of its own.  The test plays
 * client, upstream server and monitor in turn, so that the order of events is
 * the test's; every wait is a poll with a deadline.
 */
#ifndef TESTS_DNS_LIVE_H
#define TESTS_DNS_LIVE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "dnsfilter/dnsfilter.h"
#include "launcher/dnssocket.h"
#include "tests/unit/dns_build.h"

#define DEADLINE_MS   10000
#define FILTER_PORT   5300
#define UPSTREAM_PORT 53

struct live {
	char dir[32];
	char resolv_conf[64];
	char hosts[64];
	struct allowlist *al;
	pid_t pid;
	pid_t desk; /* the process that hands out sockets */
	int channel;
	int changed;	     /* an eventfd: files have changed */
	int upstream_udp[2]; /* 127.0.0.1 and 127.0.0.2 */
	int upstream_tcp;
	struct sockaddr_in asker; /* of the last upstream_read() */
	struct msg in;		  /* what was read last */
	struct msg out;
};

static inline bool readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1;
}

static inline struct sockaddr_in address(const char *text, unsigned port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons((uint16_t)port) };

	assert_int_equal(inet_pton(AF_INET, text, &sin.sin_addr), 1);
	return sin;
}

static inline int bound(int type, const char *text, unsigned port)
{
	struct sockaddr_in sin = address(text, port);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	const int on = 1;

	assert_true(fd >= 0);
	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 16), 0);
	return fd;
}

/* Dual stack, as in the gateway. */
static inline int listener(int type)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
				     .sin6_port = htons(FILTER_PORT) };
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1, off = 0;

	assert_true(fd >= 0);
	assert_int_equal(
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)),
		0);
	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin6, sizeof(sin6)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 16), 0);
	return fd;
}

/* A connected socket takes nothing but answers from the address asked. */
static inline int client(int type, const char *server)
{
	struct sockaddr_in sin = address(server, FILTER_PORT);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

static inline void put_file(const char *path, const char *text)
{
	char tmp[80];
	FILE *f;

	(void)snprintf(tmp, sizeof(tmp), "%s.new", path);
	f = fopen(tmp, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(tmp, path), 0);
}

/* Sends the files as they are now. */
static inline void send_config(struct live *l)
{
	int hosts = open(l->hosts, O_RDONLY | O_CLOEXEC);
	int fd = open(l->resolv_conf, O_RDONLY | O_CLOEXEC);
	struct dns_msg_config m;
	char text[4096];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	assert_true(n >= 0 && hosts >= 0);
	text[n] = '\0';
	memset(&m, 0, sizeof(m));
	m.type = DNS_MSG_CONFIG;
	resolvconf_parse(text, &m.resolvers);
	assert_int_equal(ipc_send(l->channel, &m, sizeof(m), &hosts, 1, true),
			 0);
	(void)close(fd);
	(void)close(hosts);
}

/* The monitor as far as sockets go, in a process of its own, since the filter
 * waits for it. */
static inline void run_desk(int desk)
{
	struct resolvconf rc = { .n_servers = 1 };
	struct dns_msg_socket m;

	while (ipc_recv(desk, &m, sizeof(m), NULL, NULL, NULL, true) ==
	       sizeof(m)) {
		int fd;

		rc.server[0] = m.server;
		fd = dnssocket_open(&rc, 0, m.transport);
		m.error = fd < 0 ? -fd : 0;
		(void)ipc_send(desk, &m, sizeof(m), &fd, fd >= 0, true);
		if (fd >= 0)
			(void)close(fd);
	}
	_exit(0);
}

static inline void run_filter(struct live *l, int channel, int desk,
			      bool log_all)
{
	struct dnsfilter_config c = { .allowlist = l->al,
				      .channel = channel,
				      .desk = desk,
				      .changed = l->changed,
				      .n_udp = 1,
				      .n_tcp = 1,
				      .log_all = log_all };

	c.udp[0] = listener(SOCK_DGRAM);
	c.tcp[0] = listener(SOCK_STREAM);
	(void)close(l->channel);
	(void)close(l->upstream_udp[0]);
	(void)close(l->upstream_udp[1]);
	(void)close(l->upstream_tcp);
	exit(dnsfilter_main(&c));
}

static inline void channel_read(struct live *l, void *m, size_t len,
				uint32_t type)
{
	assert_true(readable(l->channel, DEADLINE_MS));
	assert_int_equal(ipc_recv(l->channel, m, len, NULL, NULL, NULL, true),
			 len);
	assert_int_equal(*(uint32_t *)m, type);
}

static inline void start(struct live *l, bool log_all)
{
	struct dns_msg_ready ready;
	struct err e;
	int fds[2], desk[2];

	memcpy(l->dir, "/tmp/egress-run-test-XXXXXX", 28);
	assert_non_null(mkdtemp(l->dir));
	(void)snprintf(l->resolv_conf, sizeof(l->resolv_conf), "%s/resolv.conf",
		       l->dir);
	(void)snprintf(l->hosts, sizeof(l->hosts), "%s/hosts", l->dir);
	put_file(l->resolv_conf, "nameserver 127.0.0.1\n");
	put_file(l->hosts, "192.0.2.200 inhosts.example.org\n");
	assert_int_equal(allowlist_new(&l->al, &e), 0);
	assert_int_equal(allowlist_add_domain(l->al, "*.example.org", &e), 0);
	/* In full, so that they are not rationed. */
	for (unsigned i = 0; i < 512; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "n%u.example.org", i);
		assert_int_equal(allowlist_add_domain(l->al, name, &e), 0);
	}
	assert_int_equal(ipc_pair(fds, &e), 0);
	assert_int_equal(ipc_pair(desk, &e), 0);
	l->channel = fds[0];
	l->changed = eventfd(0, EFD_CLOEXEC);
	assert_true(l->changed >= 0);
	l->desk = fork();
	assert_true(l->desk >= 0);
	if (l->desk == 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		(void)close(desk[1]);
		run_desk(desk[0]);
	}
	(void)close(desk[0]);
	l->upstream_udp[0] = bound(SOCK_DGRAM, "127.0.0.1", UPSTREAM_PORT);
	l->upstream_udp[1] = bound(SOCK_DGRAM, "127.0.0.2", UPSTREAM_PORT);
	l->upstream_tcp = bound(SOCK_STREAM, "127.0.0.1", UPSTREAM_PORT);
	l->pid = fork();
	assert_true(l->pid >= 0);
	if (l->pid == 0)
		run_filter(l, fds[1], desk[1], log_all);
	(void)close(fds[1]);
	(void)close(desk[1]);
	send_config(l);
	channel_read(l, &ready, sizeof(ready), DNS_MSG_READY);
}

static inline int wait_exit(struct live *l)
{
	int status;

	assert_int_equal(waitpid(l->pid, &status, 0), l->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static inline void clean_up(struct live *l)
{
	assert_int_equal(waitpid(l->desk, NULL, 0), l->desk);
	(void)close(l->changed);
	(void)close(l->upstream_udp[0]);
	(void)close(l->upstream_udp[1]);
	(void)close(l->upstream_tcp);
	allowlist_free(l->al);
	(void)unlink(l->hosts);
	(void)unlink(l->resolv_conf);
	assert_int_equal(rmdir(l->dir), 0);
}

/* The monitor's end is closed: the filter leaves. */
static inline void stop(struct live *l)
{
	(void)close(l->channel);
	assert_int_equal(wait_exit(l), 0);
	clean_up(l);
}

static inline void ask(struct live *l, int fd, unsigned id, const char *name,
		       unsigned type)
{
	m_query(&l->out, id, name, type);
	m_opt(&l->out, 1232, 0, "", 0);
	assert_int_equal(send(fd, l->out.b, l->out.len, 0), l->out.len);
}

/* Reads an answer; returns its flags and RCODE. */
static inline unsigned answer(struct live *l, int fd, unsigned id)
{
	ssize_t n;

	assert_true(readable(fd, DEADLINE_MS));
	n = recv(fd, l->in.b, sizeof(l->in.b), 0);
	assert_true(n >= 12);
	l->in.len = (size_t)n;
	assert_int_equal(m_get16(&l->in, 0), id);
	return m_get16(&l->in, 2);
}

static inline unsigned n_answers(const struct live *l)
{
	return m_get16(&l->in, M_ANSWER);
}

static inline bool contains(const struct live *l, const void *what, size_t len)
{
	return memmem(l->in.b, l->in.len, what, len) != NULL;
}

/* Reads what upstream server i is asked. */
static inline void upstream_read(struct live *l, int i)
{
	socklen_t len = sizeof(l->asker);
	ssize_t n;

	assert_true(readable(l->upstream_udp[i], DEADLINE_MS));
	n = recvfrom(l->upstream_udp[i], l->in.b, sizeof(l->in.b), 0,
		     (struct sockaddr *)&l->asker, &len);
	assert_true(n > 12);
	l->in.len = (size_t)n;
}

/* The start of an answer to what was read last, in out. */
static inline void upstream_begin(struct live *l, const char *name,
				  unsigned type, unsigned flags)
{
	m_header(&l->out, m_get16(&l->in, 0), flags, 1, 0, 0, 0);
	m_question(&l->out, name, type);
}

static inline void upstream_send(struct live *l, int i)
{
	assert_int_equal(sendto(l->upstream_udp[i], l->out.b, l->out.len, 0,
				(struct sockaddr *)&l->asker, sizeof(l->asker)),
			 l->out.len);
}

static inline void admitted(struct live *l, const struct dns_msg_admit *m,
			    int error, uint64_t granted, uint64_t forbidden)
{
	struct dns_msg_admitted r;

	memset(&r, 0, sizeof(r));
	r.type = DNS_MSG_ADMITTED;
	r.error = error;
	r.id = m->id;
	r.granted = granted;
	r.forbidden = forbidden;
	assert_int_equal(ipc_send(l->channel, &r, sizeof(r), NULL, 0, true), 0);
}

static inline bool put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);
	bool ok = fd >= 0 && write(fd, text, len) == (ssize_t)len;

	if (fd >= 0)
		(void)close(fd);
	return ok;
}

/* A user and network namespace of our own with lo up. */
static inline bool enter_namespaces(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	unsigned uid = getuid(), gid = getgid();
	char map[32];
	int fd, rc;

	/* Real root needs no user namespace, and has none in a chroot. */
	if (geteuid() == 0) {
		if (unshare(CLONE_NEWNET) < 0)
			return false;
	} else {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
			return false;
		(void)put_text("/proc/self/setgroups", "deny");
		(void)snprintf(map, sizeof(map), "0 %u 1", uid);
		if (!put_text("/proc/self/uid_map", map))
			return false;
		(void)snprintf(map, sizeof(map), "0 %u 1", gid);
		if (!put_text("/proc/self/gid_map", map))
			return false;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	rc = ioctl(fd, SIOCSIFFLAGS, &ifr);
	(void)close(fd);
	return rc == 0;
}

static inline void read_event(struct live *l, struct dns_msg_event *ev,
			      enum dns_verdict verdict)
{
	channel_read(l, ev, sizeof(*ev), DNS_MSG_EVENT);
	assert_int_equal(ev->verdict, verdict);
}

/* Lets upstream answer name with 192.0.2.1 and .2, reads the request to admit
 * them. */
static inline void resolve_two(struct live *l, const char *name,
			       struct dns_msg_admit *m)
{
	upstream_read(l, 0);
	upstream_begin(l, name, 1, 0x8180);
	m_a(&l->out, name, 60, 1);
	m_a(&l->out, name, 60, 2);
	upstream_send(l, 0);
	channel_read(l, m, sizeof(*m), DNS_MSG_ADMIT);
	assert_int_equal(m->n, 2);
	assert_string_equal(m->name, name);
}

static inline void read_all(int fd, void *buf, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t n;

		assert_true(readable(fd, DEADLINE_MS));
		n = recv(fd, (char *)buf + got, len - got, 0);
		assert_true(n > 0);
		got += (size_t)n;
	}
}

static inline unsigned tcp_answer(struct live *l, int fd)
{
	uint8_t prefix[2];

	read_all(fd, prefix, 2);
	l->in.len = (size_t)prefix[0] << 8 | prefix[1];
	read_all(fd, l->in.b, l->in.len);
	return m_get16(&l->in, 0);
}

/* Appends a query with its length. */
static inline void tcp_query(struct msg *m, unsigned id, const char *name)
{
	static struct msg q;

	m_query(&q, id, name, 1);
	m_u16(m, (unsigned)q.len);
	m_raw(m, q.b, q.len);
}

/* Runs fn in a child with namespaces of its own, which end with it; without
 * user namespaces the tests are skipped. */
static inline int live_run(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (enter_namespaces())
			exit(fn());
		(void)fprintf(stderr, "skipped: no user namespaces\n");
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

#endif
