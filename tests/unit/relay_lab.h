/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A relay in a child process for the tests, in a network namespace of their
 * own whose loopback redirects 127.0.0.2 and [::1]:443 to it.  The test plays
 * the monitor, the command ("client") and the far end ("peer").  Nothing
 * waits without a deadline.
 */
#ifndef TESTS_UNIT_RELAY_LAB_H
#define TESTS_UNIT_RELAY_LAB_H

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fd.h"
#include "common/ipc.h"
#include "common/log.h"
#include "relay/relay.h"

#define LAB_RELAY_PORT	9040
#define LAB_DST_PORT	443
#define LAB_DEADLINE_MS 20000
#define LAB_SMALL_BUF	65536

struct lab {
	pid_t pid;
	int channel;
	int far_listener;
};

struct lab_options {
	uint32_t claim_timeout_ms;
	uint32_t finish_timeout_ms;
	rlim_t max_files; /* 0: as it is */
	bool small_bufs;
	const struct allowlist *allow; /* NULL: names are not checked */
	uint32_t partial_timeout_ms;
	uint32_t silent_timeout_ms;
};

/* One relayed connection, seen from both of its ends. */
struct lab_conn {
	uint64_t id;
	int client;
	int peer;
};

static inline bool lab_write_file(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 &&
	       write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static inline bool lab_unshare(void)
{
	char map[64];
	uid_t uid = geteuid();

	if (uid == 0)
		return unshare(CLONE_NEWNET) == 0;
	(void)snprintf(map, sizeof(map), "0 %u 1", uid);
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 &&
	       lab_write_file("/proc/self/uid_map", map);
}

static inline bool lab_loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &ifr) == 0;
}

static inline bool lab_redirect(void)
{
	static const char rules[] =
		"table inet relay {\n"
		"chain output {\n"
		"type nat hook output priority -100\n"
		"ip daddr 127.0.0.2 meta l4proto tcp redirect to :9040\n"
		"ip6 daddr ::1 tcp dport 443 redirect to :9040\n"
		"}\n}\n";
	int fds[2];
	int status;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0 ||
	    write(fds[1], rules, strlen(rules)) != (ssize_t)strlen(rules))
		return false;
	(void)close(fds[1]);
	pid = fork();
	if (pid == 0) {
		(void)dup2(fds[0], STDIN_FILENO);
		(void)execl("/usr/sbin/nft", "nft", "-f", "-", (char *)NULL);
		_exit(127);
	}
	(void)close(fds[0]);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* Group set-up: *state is NULL where the kernel or the system lacks what the
 * lab needs; LAB_REQUIRE() skips the tests then. */
static inline int lab_enter(void **state)
{
	static int ready;
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return -1;
	lim.rlim_cur = lim.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &lim) < 0)
		return -1;
	log_set_level(LOG_LEVEL_ERROR);
	*state = lab_unshare() && lab_loopback_up() && lab_redirect() ? &ready
								      : NULL;
	return 0;
}

#define LAB_REQUIRE(state)      \
	do {                    \
		if (!*(state))  \
			skip(); \
	} while (0)

static inline void lab_set_timeouts(int fd)
{
	const struct timeval tv = { .tv_sec = LAB_DEADLINE_MS / 1000 };

	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
}

static inline void lab_set_small_bufs(int fd)
{
	const int size = LAB_SMALL_BUF;

	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
}

static inline socklen_t lab_sockaddr(int family, const char *ip4, uint16_t port,
				     struct sockaddr_storage *ss)
{
	struct addr a;

	assert_true(addr_parse(family == AF_INET ? ip4 : "::1", &a));
	return addr_to_sockaddr(&a, port, ss);
}

static inline int lab_listen(int family, const char *ip4, uint16_t port,
			     bool small_bufs)
{
	const int on = 1;
	struct sockaddr_storage ss;
	socklen_t len = lab_sockaddr(family, ip4, port, &ss);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	if (small_bufs)
		lab_set_small_bufs(fd);
	lab_set_timeouts(fd);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(listen(fd, 4096), 0);
	return fd;
}

static inline void lab_set_nonblock(int fd)
{
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

static inline void lab_recv_ready(struct lab *lab)
{
	struct relay_msg_ready m;

	assert_int_equal(recv(lab->channel, &m, sizeof(m), 0), sizeof(m));
	assert_int_equal(m.type, RELAY_MSG_READY);
}

static inline void lab_start(struct lab *lab, const struct lab_options *o)
{
	struct relay_config c = {
		.claim_timeout_ms = o->claim_timeout_ms,
		.finish_timeout_ms = o->finish_timeout_ms,
		.partial_timeout_ms = o->partial_timeout_ms,
		.silent_timeout_ms = o->silent_timeout_ms,
		.allow = o->allow,
		.verify = o->allow ? VERIFY_NAMES : VERIFY_OFF,
	};
	struct rlimit lim = { o->max_files, o->max_files };
	int pair[2];

	c.listeners[0] =
		lab_listen(AF_INET, "127.0.0.1", LAB_RELAY_PORT, o->small_bufs);
	c.listeners[1] =
		lab_listen(AF_INET6, NULL, LAB_RELAY_PORT, o->small_bufs);
	for (size_t i = 2; i < RELAY_LISTENERS; i++)
		c.listeners[i] = -1;
	lab_set_nonblock(c.listeners[0]);
	lab_set_nonblock(c.listeners[1]);
	assert_int_equal(ipc_pair(pair, NULL), 0);
	lab->pid = fork();
	assert_true(lab->pid >= 0);
	if (lab->pid == 0) {
		(void)close(pair[0]);
		c.channel = pair[1];
		if (o->max_files && setrlimit(RLIMIT_NOFILE, &lim) < 0)
			_exit(99);
		exit(relay_main(&c));
	}
	(void)close(pair[1]);
	(void)close(c.listeners[0]);
	(void)close(c.listeners[1]);
	lab->channel = pair[0];
	lab_set_timeouts(lab->channel);
	lab->far_listener =
		lab_listen(AF_INET, "127.0.0.1", 5000, o->small_bufs);
	lab_recv_ready(lab);
}

static inline int lab_exit_status(struct lab *lab)
{
	int status;

	assert_int_equal(waitpid(lab->pid, &status, 0), lab->pid);
	(void)close(lab->far_listener);
	fd_close(&lab->channel);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* The monitor goes away. */
static inline void lab_stop(struct lab *lab)
{
	fd_close(&lab->channel);
	assert_int_equal(lab_exit_status(lab), 0);
}

static inline void lab_send_finish(struct lab *lab)
{
	struct relay_msg_finish m;

	memset(&m, 0, sizeof(m));
	m.type = RELAY_MSG_FINISH;
	assert_int_equal(ipc_send(lab->channel, &m, sizeof(m), NULL, 0, true),
			 0);
}

static inline struct relay_msg_closed lab_recv_closed(struct lab *lab)
{
	struct relay_msg_closed m;

	assert_int_equal(recv(lab->channel, &m, sizeof(m), 0), sizeof(m));
	assert_int_equal(m.type, RELAY_MSG_CLOSED);
	return m;
}

static inline void lab_expect_closed(struct lab *lab, uint64_t id,
				     enum relay_end end, uint64_t up,
				     uint64_t down)
{
	struct relay_msg_closed m = lab_recv_closed(lab);

	assert_int_equal(m.id, id);
	assert_int_equal(m.end, end);
	assert_int_equal(m.bytes_up, up);
	assert_int_equal(m.bytes_down, down);
}

/* A client socket with a known source port, not yet connected. */
static inline int lab_client(int family, bool small_bufs, uint16_t *ret_port)
{
	struct sockaddr_storage ss;
	socklen_t len = lab_sockaddr(family, "127.0.0.1", 0, &ss);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct addr a;

	assert_true(fd >= 0);
	lab_set_timeouts(fd);
	if (small_bufs)
		lab_set_small_bufs(fd);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	len = sizeof(ss);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	assert_true(addr_from_sockaddr(&ss, &a, ret_port));
	return fd;
}

static inline void lab_fill_conn(struct relay_msg_conn *m, int family,
				 uint64_t id, uint16_t src_port)
{
	memset(m, 0, sizeof(*m));
	m->type = RELAY_MSG_CONN;
	m->id = id;
	m->src_port = src_port;
	m->dst_port = LAB_DST_PORT;
	assert_true(
		addr_parse(family == AF_INET ? "127.0.0.2" : "::1", &m->dst));
}

/* What the monitor does: connects out and hands the socket over.  Returns the
 * far end's own socket. */
static inline int lab_announce(struct lab *lab, int family, uint64_t id,
			       uint16_t src_port, bool small_bufs)
{
	struct relay_msg_conn m;
	struct sockaddr_storage ss;
	socklen_t len = lab_sockaddr(AF_INET, "127.0.0.1", 5000, &ss);
	int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int peer;

	assert_true(far >= 0);
	if (small_bufs)
		lab_set_small_bufs(far);
	assert_int_equal(connect(far, (struct sockaddr *)&ss, len), 0);
	lab_set_nonblock(far);
	peer = accept4(lab->far_listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(peer >= 0);
	lab_set_timeouts(peer);
	lab_fill_conn(&m, family, id, src_port);
	assert_int_equal(ipc_send(lab->channel, &m, sizeof(m), &far, 1, true),
			 0);
	(void)close(far);
	return peer;
}

static inline void lab_connect_client(int family, int client)
{
	struct sockaddr_storage ss;
	socklen_t len = lab_sockaddr(family, "127.0.0.2", LAB_DST_PORT, &ss);

	assert_int_equal(connect(client, (struct sockaddr *)&ss, len), 0);
}

static inline struct lab_conn lab_open(struct lab *lab, int family, uint64_t id,
				       bool small_bufs)
{
	struct lab_conn c = { .id = id };
	uint16_t port;

	c.client = lab_client(family, small_bufs, &port);
	c.peer = lab_announce(lab, family, id, port, small_bufs);
	lab_connect_client(family, c.client);
	return c;
}

static inline void lab_close(struct lab_conn *c)
{
	fd_close(&c->client);
	fd_close(&c->peer);
}

static inline void lab_reset(int *fd)
{
	const struct linger l = { .l_onoff = 1, .l_linger = 0 };

	assert_int_equal(setsockopt(*fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)),
			 0);
	fd_close(fd);
}

static inline void lab_expect_eof(int fd)
{
	char c;

	assert_int_equal(recv(fd, &c, 1, 0), 0);
}

/* Reads to the end, which must be a RST.  Returns the bytes before it. */
static inline size_t lab_expect_reset(int fd)
{
	char buf[16384];
	size_t total = 0;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		total += (size_t)n;
	assert_int_equal(n, -1);
	assert_int_equal(errno, ECONNRESET);
	return total;
}

#endif
