/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/dnssocket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "common/fd.h"

int dnssocket_find(const struct resolvconf *rc, const struct addr *a)
{
	for (int i = 0; i < rc->n_servers; i++)
		if (addr_equal(&rc->server[i], a))
			return i;
	return -1;
}

static socklen_t name_of(const struct resolvconf *rc, int i,
			 struct sockaddr_storage *ret)
{
	socklen_t len = addr_to_sockaddr(&rc->server[i], DNS_PORT, ret);

	if (rc->scope[i] != 0) {
		struct sockaddr_in6 v6;

		memcpy(&v6, ret, sizeof(v6));
		v6.sin6_scope_id = rc->scope[i];
		memcpy(ret, &v6, sizeof(v6));
	}
	return len;
}

int dnssocket_open(const struct resolvconf *rc, int i,
		   enum dns_transport transport)
{
	const int on = 1;
	int type = transport == DNS_TCP ? SOCK_STREAM : SOCK_DGRAM;
	struct sockaddr_storage to;
	socklen_t len = name_of(rc, i, &to);
	cleanup_fd int fd = socket(rc->server[i].family,
				   type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 ||
	    (transport == DNS_TCP &&
	     setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0))
		return -errno;
	if (connect(fd, (const struct sockaddr *)&to, len) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	return fd_steal(&fd);
}
