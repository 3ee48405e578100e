/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/datagrams.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define BATCH 16
/* No datagram is longer. */
#define ROOM 65536

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* 1 MiB, of which the kernel gives what is touched. */
struct datagrams {
	struct mmsghdr head[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_storage from[BATCH];
	union control control[BATCH];
	uint8_t data[BATCH][ROOM];
};

int datagrams_new(struct datagrams **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void datagrams_free(struct datagrams *b)
{
	free(b);
}

int datagrams_receive(struct datagrams *b, int fd)
{
	int n;

	for (size_t i = 0; i < BATCH; i++) {
		b->iov[i] = (struct iovec) { b->data[i], ROOM };
		b->head[i].msg_hdr = (struct msghdr) {
			.msg_name = &b->from[i],
			.msg_namelen = sizeof(b->from[i]),
			.msg_iov = &b->iov[i],
			.msg_iovlen = 1,
			.msg_control = &b->control[i],
			.msg_controllen = sizeof(b->control[i]),
		};
	}
	do
		n = recvmmsg(fd, b->head, BATCH, MSG_DONTWAIT, NULL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static bool take_destination(struct msghdr *mh, struct addr *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			*ret = addr_v4(&info.ipi_addr);
			return true;
		}
		if (c->cmsg_level == IPPROTO_IPV6 &&
		    c->cmsg_type == IPV6_PKTINFO) {
			struct sockaddr_storage ss = { 0 };
			struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
			struct in6_pktinfo info;
			uint16_t port;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			in6.sin6_addr = info.ipi6_addr;
			memcpy(&ss, &in6, sizeof(in6));
			return addr_from_sockaddr(&ss, ret, &port);
		}
	}
	return false;
}

bool datagrams_get(const struct datagrams *b, size_t i, struct datagram *ret)
{
	struct msghdr mh = b->head[i].msg_hdr;
	struct addr src;

	ret->data = b->data[i];
	ret->len = b->head[i].msg_len;
	ret->peer.ss = b->from[i];
	ret->peer.len = mh.msg_namelen;
	return addr_from_sockaddr(&b->from[i], &src, &ret->src_port) &&
	       ret->src_port != 0 && take_destination(&mh, &ret->dst);
}

/* The source of an answer, in the manner of the peer's family: a dual-stack
 * socket takes IPv4 as a mapped address.  Returns the length. */
static size_t put_source(union control *ret, int family, const struct addr *src)
{
	struct in_pktinfo in4 = { 0 };
	struct in6_pktinfo in6 = { 0 };
	struct cmsghdr *c = &ret->align;

	memset(ret, 0, sizeof(*ret));
	if (family == AF_INET) {
		memcpy(&in4.ipi_spec_dst, src->bytes, 4);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(in4));
		memcpy(CMSG_DATA(c), &in4, sizeof(in4));
		return CMSG_SPACE(sizeof(in4));
	}
	if (src->family == AF_INET) {
		in6.ipi6_addr.s6_addr[10] = 0xff;
		in6.ipi6_addr.s6_addr[11] = 0xff;
		memcpy(&in6.ipi6_addr.s6_addr[12], src->bytes, 4);
	} else {
		memcpy(&in6.ipi6_addr, src->bytes, sizeof(in6.ipi6_addr));
	}
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(in6));
	memcpy(CMSG_DATA(c), &in6, sizeof(in6));
	return CMSG_SPACE(sizeof(in6));
}

uint64_t datagrams_answer(struct datagrams *b, size_t n, int fd,
			  const struct datagram_peer *to,
			  const struct addr *src)
{
	struct sockaddr_storage name = to->ss;
	union control control;
	size_t len = put_source(&control, to->ss.ss_family, src);
	uint64_t bytes = 0;
	int sent;

	for (size_t i = 0; i < n; i++) {
		b->iov[i].iov_len = b->head[i].msg_len;
		b->head[i].msg_hdr = (struct msghdr) {
			.msg_name = &name,
			.msg_namelen = to->len,
			.msg_iov = &b->iov[i],
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = len,
		};
	}
	sent = sendmmsg(fd, b->head, (unsigned)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	for (int i = 0; i < sent; i++)
		bytes += b->iov[i].iov_len;
	return bytes;
}
