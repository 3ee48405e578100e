/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dnsfar ADDRESS WEB: a minimal DNS server, the upstream of the benchmarks.
 * A is 198.51.100.1 and up for each name, or WEB where the first label begins
 * with "web"; AAAA is 2001:db8:b000::N for a first label of n and the number
 * N, four addresses from 2001:db8:b001::4N for one of m, else nothing.  It is
 * meant to be faster than whatever asks it.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64
#define ROOM  600
#define TTL   3600
#define MANY  4 /* addresses of a name */

struct batch {
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_in from[BATCH];
	unsigned char data[BATCH][ROOM];
};

/* The end of the question, 0 if the message is none. */
static size_t question_end(const unsigned char *m, size_t len)
{
	size_t at = 12;

	if (len < 17 || m[4] != 0 || m[5] != 1 || (m[2] & 0x80))
		return 0;
	while (at < len && m[at])
		at += m[at] + 1U;
	return at + 5 <= len ? at + 5 : 0;
}

static unsigned long number_of(const unsigned char *label)
{
	unsigned long n = 0;

	for (unsigned i = 1; i <= label[0]; i++)
		if (label[i] >= '0' && label[i] <= '9')
			n = n * 10 + (unsigned long)(label[i] - '0');
	return n;
}

/* The address of the i-th record for a first label; its length, 0 for none. */
static size_t rdata(const unsigned char *label, unsigned type, unsigned i,
		    const struct in_addr *web, unsigned char *to)
{
	int many = label[0] >= 2 && label[1] == 'm';
	unsigned long n = number_of(label);

	if (type == 1 && label[0] >= 3 && memcmp(label + 1, "web", 3) == 0) {
		memcpy(to, web, 4);
		return 4;
	}
	if (type == 1) {
		memcpy(to, (unsigned char[]) { 198, 51, 100, 1 + n % 250 }, 4);
		return 4;
	}
	if (type != 28 || label[0] < 2 || (label[1] != 'n' && !many))
		return 0;
	memset(to, 0, 16);
	memcpy(to, (unsigned char[]) { 0x20, 1, 0xd, 0xb8, 0xb0, many }, 6);
	if (many)
		n = n * MANY + i;
	for (int at = 15; at > 11; at--, n >>= 8)
		to[at] = (unsigned char)n;
	return 16;
}

/* One record at the end of the message; its length, 0 for none. */
static size_t put_record(unsigned char *m, size_t at, unsigned type, unsigned i,
			 const struct in_addr *web)
{
	size_t n = rdata(m + 12, type, i, web, m + at + 12);

	memcpy(m + at,
	       (unsigned char[]) { 0xc0, 12, 0, (unsigned char)type, 0, 1, 0, 0,
				   TTL >> 8, TTL & 255, 0, (unsigned char)n },
	       12);
	return n ? n + 12 : 0;
}

/* Turns the query into its answer; its length, 0 for none. */
static size_t respond(unsigned char *m, size_t len, const struct in_addr *web)
{
	size_t end = question_end(m, len);
	unsigned records = m[13] == 'm' ? MANY : 1;
	unsigned type;

	if (!end || end + MANY * 28UL > ROOM)
		return 0;
	type = m[end - 3];
	m[2] = (unsigned char)(0x84 | (m[2] & 1));
	m[3] = 0x80;
	m[7] = 0;
	memset(m + 8, 0, 4);
	for (unsigned i = 0; i < records; i++) {
		size_t n = put_record(m, end, type, i, web);

		end += n;
		m[7] += n > 0;
	}
	return end;
}

static void serve(int fd, const struct in_addr *web)
{
	static struct batch b;

	for (;;) {
		unsigned int out = 0;
		int got;

		for (int i = 0; i < BATCH; i++) {
			b.iov[i] = (struct iovec) { b.data[i], 512 };
			b.msg[i].msg_hdr = (struct msghdr) {
				.msg_name = &b.from[i],
				.msg_namelen = sizeof(b.from[i]),
				.msg_iov = &b.iov[i],
				.msg_iovlen = 1,
			};
		}
		got = recvmmsg(fd, b.msg, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < got; i++) {
			size_t n = respond(b.data[i], b.msg[i].msg_len, web);

			if (!n)
				continue;
			b.iov[i].iov_len = n;
			b.msg[out++].msg_hdr = b.msg[i].msg_hdr;
		}
		/* What does not fit is lost, as on any link. */
		if (out)
			(void)sendmmsg(fd, b.msg, out, 0);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(53) };
	struct in_addr web;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int size = 8 << 20;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &sa.sin_addr) != 1 ||
	    inet_pton(AF_INET, argv[2], &web) != 1) {
		(void)fputs("usage: dnsfar ADDRESS WEB\n", stderr);
		return 2;
	}
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) <
		    0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		perror("dnsfar");
		return 1;
	}
	serve(fd, &web);
	return 0;
}
