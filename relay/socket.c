/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>

#include "common/fd.h"

/* Both from <linux/netfilter_ipv{4,6}>/..., which clash with libc's headers. */
#define ORIGINAL_DST 80

struct int_option {
	int level;
	int name;
	int value;
};

static const struct int_option options[] = {
	{ IPPROTO_TCP, TCP_NODELAY, 1 },    { IPPROTO_TCP, TCP_KEEPIDLE, 60 },
	{ IPPROTO_TCP, TCP_KEEPINTVL, 15 }, { IPPROTO_TCP, TCP_KEEPCNT, 4 },
	{ SOL_SOCKET, SO_KEEPALIVE, 1 },    { SOL_SOCKET, SO_OOBINLINE, 1 },
};

static int set_linger(int fd, bool reset)
{
	const struct linger l = { .l_onoff = reset, .l_linger = 0 };

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) < 0)
		return -errno;
	return 0;
}

int socket_prepare(int fd)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		const struct int_option *o = &options[i];

		if (setsockopt(fd, o->level, o->name, &o->value,
			       sizeof(o->value)) < 0)
			return -errno;
	}
	return set_linger(fd, true);
}

void socket_prefer_unpaced(int listener)
{
	static const char name[] = "cubic";

	(void)setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, name,
			 sizeof(name) - 1);
}

void socket_close_orderly(int *fd)
{
	(void)set_linger(*fd, false);
	fd_close(fd);
}

int socket_original_dst(int fd, sa_family_t family, struct addr *ret,
			uint16_t *ret_port)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	int level = family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;

	if (getsockopt(fd, level, ORIGINAL_DST, &ss, &len) < 0)
		return -errno;
	if (!addr_from_sockaddr(&ss, ret, ret_port))
		return -EAFNOSUPPORT;
	return 0;
}
