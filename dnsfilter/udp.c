/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/log.h"
#include "dnsfilter/message.h"

#define BATCH	     32
#define BATCHES_MAX  4 /* before other sources get their turn */
#define CONTROL_ROOM CMSG_SPACE(sizeof(struct in6_pktinfo))

struct control {
	_Alignas(struct cmsghdr) char buf[CONTROL_ROOM];
};

struct slot {
	struct dns_client client;
	struct iovec iov;
	struct control control;
	uint8_t query[DNS_QUERY_MAX];
	uint8_t answer[DNS_ANSWER_MAX];
};

struct udp_socket {
	struct loop *loop;
	struct loop_source src;
	struct listener_ops ops;
	int fd;
	bool is_v6; /* with IPv4 as mapped addresses if dual-stack */
	bool paused;
	struct mmsghdr in[BATCH];
	struct mmsghdr out[BATCH];
	struct slot slot[BATCH];
};

static void prepare_to_read(struct udp_socket *u)
{
	for (size_t i = 0; i < BATCH; i++) {
		struct slot *s = &u->slot[i];

		s->iov.iov_base = s->query;
		s->iov.iov_len = sizeof(s->query);
		u->in[i].msg_hdr = (struct msghdr) {
			.msg_name = &s->client.peer,
			.msg_namelen = sizeof(s->client.peer),
			.msg_iov = &s->iov,
			.msg_iovlen = 1,
			.msg_control = s->control.buf,
			.msg_controllen = sizeof(s->control.buf),
		};
	}
}

/* Notes the address that was asked; false if the kernel did not tell. */
static bool read_local(struct msghdr *mh, struct dns_client *c, bool is_v6)
{
	for (struct cmsghdr *m = CMSG_FIRSTHDR(mh); m; m = CMSG_NXTHDR(mh, m)) {
		if (is_v6 && m->cmsg_level == IPPROTO_IPV6 &&
		    m->cmsg_type == IPV6_PKTINFO) {
			memcpy(&c->local.v6, CMSG_DATA(m), sizeof(c->local.v6));
			/* The route chooses the interface, except where the
			 * address alone says nothing. */
			if (!IN6_IS_ADDR_LINKLOCAL(&c->local.v6.ipi6_addr))
				c->local.v6.ipi6_ifindex = 0;
			return true;
		}
		if (!is_v6 && m->cmsg_level == IPPROTO_IP &&
		    m->cmsg_type == IP_PKTINFO) {
			memcpy(&c->local.v4, CMSG_DATA(m), sizeof(c->local.v4));
			c->local.v4.ipi_ifindex = 0;
			return true;
		}
	}
	return false;
}

static bool read_client(struct udp_socket *u, struct msghdr *mh,
			struct dns_client *c)
{
	c->conn = NULL;
	c->udp = u;
	c->peer_len = mh->msg_namelen;
	if (u->is_v6 ? c->peer_len != sizeof(c->peer.v6)
		     : c->peer_len != sizeof(c->peer.v4))
		return false;
	if ((u->is_v6 ? c->peer.v6.sin6_port : c->peer.v4.sin_port) == 0)
		return false; /* nobody can be waiting there */
	return read_local(mh, c, u->is_v6);
}

static void put_local(struct msghdr *mh, const struct dns_client *c,
		      struct control *control)
{
	size_t len = c->udp->is_v6 ? sizeof(c->local.v6) : sizeof(c->local.v4);
	struct cmsghdr *m;

	memset(control, 0, sizeof(*control));
	mh->msg_control = control->buf;
	mh->msg_controllen = CMSG_SPACE(len);
	m = CMSG_FIRSTHDR(mh);
	m->cmsg_level = c->udp->is_v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	m->cmsg_type = c->udp->is_v6 ? IPV6_PKTINFO : IP_PKTINFO;
	m->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(m), &c->local, len);
}

static void prepare_to_send(struct udp_socket *u, unsigned n, struct slot *s,
			    size_t len)
{
	struct msghdr *mh = &u->out[n].msg_hdr;

	s->iov.iov_base = s->answer;
	s->iov.iov_len = len;
	*mh = (struct msghdr) { .msg_name = &s->client.peer,
				.msg_namelen = s->client.peer_len,
				.msg_iov = &s->iov,
				.msg_iovlen = 1 };
	put_local(mh, &s->client, &s->control);
}

/* An answer that the socket does not take is lost, as on any network: the
 * client asks again. */
static void send_batch(struct udp_socket *u, unsigned n)
{
	unsigned done = 0;

	u->ops.before_send(u->ops.arg);
	while (done < n) {
		int sent = sendmmsg(u->fd, u->out + done, n - done,
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0)
			done += (unsigned)sent;
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR)
			done++;
	}
}

/* Returns false when nothing is left to read. */
static bool serve_batch(struct udp_socket *u)
{
	unsigned n_out = 0;
	int n;

	prepare_to_read(u);
	n = recvmmsg(u->fd, u->in, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct slot *s = &u->slot[i];
		struct msghdr *mh = &u->in[i].msg_hdr;
		size_t len;

		if (!read_client(u, mh, &s->client))
			continue;
		len = u->ops.query(u->ops.arg, &s->client, s->query,
				   u->in[i].msg_len, s->answer);
		if (len > 0)
			prepare_to_send(u, n_out++, s, len);
	}
	if (n_out > 0)
		send_batch(u, n_out);
	return n == BATCH;
}

static void on_ready(void *arg, uint32_t events)
{
	struct udp_socket *u = arg;

	(void)events;
	for (int i = 0; i < BATCHES_MAX && !u->paused; i++)
		if (!u->ops.may_read(u->ops.arg) || !serve_batch(u))
			break;
}

void udp_reply(const struct dns_client *to, const uint8_t *msg, size_t len)
{
	struct control control;
	struct sockaddr_storage peer;
	struct iovec iov = { .iov_len = len };
	struct msghdr mh = { .msg_name = &peer,
			     .msg_namelen = to->peer_len,
			     .msg_iov = &iov,
			     .msg_iovlen = 1 };

	memcpy(&peer, &to->peer, to->peer_len);
	memcpy(&iov.iov_base, &msg, sizeof(msg)); /* sendmsg() only reads */
	put_local(&mh, to, &control);
	if (sendmsg(to->udp->fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("dns: an answer could not be sent: %m");
}

int udp_pause(struct udp_socket *u, bool paused)
{
	u->paused = paused;
	return loop_modify(u->loop, &u->src, paused ? 0 : EPOLLIN);
}

static int ask_for_local(struct udp_socket *u)
{
	const int on = 1;
	int domain = 0;
	socklen_t len = sizeof(domain);

	if (getsockopt(u->fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
		return -errno;
	u->is_v6 = domain == AF_INET6;
	if (u->is_v6 ? setsockopt(u->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on,
				  sizeof(on)) < 0
		     : setsockopt(u->fd, IPPROTO_IP, IP_PKTINFO, &on,
				  sizeof(on)) < 0)
		return -errno;
	return 0;
}

int udp_new(struct udp_socket **ret, struct loop *l, int fd,
	    const struct listener_ops *ops)
{
	struct udp_socket *u = calloc(1, sizeof(*u));
	int rc;

	if (!u)
		return -ENOMEM;
	u->loop = l;
	u->fd = fd;
	u->ops = *ops;
	u->src = LOOP_SOURCE_NONE;
	rc = ask_for_local(u);
	if (rc == 0)
		rc = loop_add(l, &u->src, fd, EPOLLIN, on_ready, u);
	if (rc < 0) {
		free(u);
		return rc;
	}
	*ret = u;
	return 0;
}

void udp_free(struct udp_socket *u)
{
	if (!u)
		return;
	loop_remove(u->loop, &u->src);
	free(u);
}
