/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Traffic through the relay of relay_lab.h, and what the relay uses for it. */
#ifndef TESTS_UNIT_RELAY_IO_H
#define TESTS_UNIT_RELAY_IO_H

#include <time.h>

#include "tests/unit/relay_lab.h"

/* One socket's share of an exchange; bytes are a function of seed and
 * position, so both ends know them. */
struct lab_stream {
	int fd;
	uint64_t send_seed;
	uint64_t recv_seed;
	size_t sent;
	size_t to_send;
	size_t received;
	size_t to_recv;
};

static inline void lab_bytes(uint64_t seed, size_t at, unsigned char *buf,
			     size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t x = seed * 0x9e3779b97f4a7c15 + (at + i) / 8 + 1;

		x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
		x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
		buf[i] = (unsigned char)(x >> (8 * ((at + i) % 8)));
	}
}

/* Sends without waiting as much as is taken. */
static inline void lab_stream_send(struct lab_stream *s)
{
	unsigned char buf[16384];

	while (s->sent < s->to_send) {
		size_t len = s->to_send - s->sent;
		ssize_t n;

		if (len > sizeof(buf))
			len = sizeof(buf);
		lab_bytes(s->send_seed, s->sent, buf, len);
		n = send(s->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		assert_true(n > 0);
		s->sent += (size_t)n;
	}
}

static inline void lab_stream_recv(struct lab_stream *s)
{
	unsigned char buf[16384];
	unsigned char expected[16384];
	size_t len = s->to_recv - s->received;
	ssize_t n = recv(s->fd, buf, len < sizeof(buf) ? len : sizeof(buf),
			 MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	assert_true(n > 0);
	lab_bytes(s->recv_seed, s->received, expected, (size_t)n);
	assert_memory_equal(buf, expected, (size_t)n);
	s->received += (size_t)n;
}

/* Until every stream has sent and received all it has to. */
static inline void lab_exchange(struct lab_stream *s, size_t n)
{
	struct pollfd *p = calloc(n, sizeof(*p));
	size_t left = n;

	assert_non_null(p);
	while (left > 0) {
		left = 0;
		for (size_t i = 0; i < n; i++) {
			p[i].events =
				(s[i].sent < s[i].to_send ? POLLOUT : 0) |
				(s[i].received < s[i].to_recv ? POLLIN : 0);
			p[i].fd = p[i].events ? s[i].fd : -1;
			left += p[i].events ? 1 : 0;
		}
		if (left == 0)
			break;
		assert_true(poll(p, n, LAB_DEADLINE_MS) > 0);
		for (size_t i = 0; i < n; i++) {
			if (p[i].revents & POLLOUT)
				lab_stream_send(&s[i]);
			if (p[i].revents & (POLLIN | POLLHUP | POLLERR))
				lab_stream_recv(&s[i]);
		}
	}
	free(p);
}

/* Sends until nothing has been taken for a while: everything on the way is
 * full.  Returns how much that was. */
static inline size_t lab_fill(int fd, uint64_t seed)
{
	struct lab_stream s = { .fd = fd,
				.send_seed = seed,
				.to_send = SIZE_MAX };
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	while (poll(&p, 1, 300) > 0)
		lab_stream_send(&s);
	return s.sent;
}

/* A number from a line of /proc/PID/status. */
static inline long lab_proc_status(pid_t pid, const char *field)
{
	char path[64];
	char line[256];
	long value = -1;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (value < 0 && fgets(line, sizeof(line), f)) {
		if (strncmp(line, field, strlen(field)) == 0)
			value = strtol(line + strlen(field), NULL, 10);
	}
	(void)fclose(f);
	return value;
}

/* Processor time of the relay so far. */
static inline uint64_t lab_cpu_ns(const struct lab *lab)
{
	struct timespec ts;
	clockid_t clock;

	assert_int_equal(clock_getcpuclockid(lab->pid, &clock), 0);
	assert_int_equal(clock_gettime(clock, &ts), 0);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* The relay comes to rest, and is then not woken for 300 ms. */
static inline void lab_expect_silence(const struct lab *lab)
{
	uint64_t before;
	uint64_t after = lab_cpu_ns(lab);
	int tries = 100;

	do {
		before = after;
		(void)poll(NULL, 0, 50);
		after = lab_cpu_ns(lab);
	} while (after != before && --tries > 0);
	(void)poll(NULL, 0, 300);
	assert_int_equal(lab_cpu_ns(lab), after);
}

#endif
