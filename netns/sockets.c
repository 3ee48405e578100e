/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/icmp6.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/icmp.h>

#include "common/addr.h"
#include "common/fd.h"
#include "netns/plan.h"

#define BACKLOG 4096

struct listen_spec {
	int family;
	int type;
	bool v6only;
	bool any_address; /* also those that are not configured */
	uint16_t port;	  /* 0: the kernel's choice */
	const char *device;
};

static int set_flag(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

static int bind_any(int fd, const struct listen_spec *spec)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(spec->port) };
	struct sockaddr_in in4 = { .sin_family = AF_INET,
				   .sin_port = htons(spec->port) };

	return spec->family == AF_INET6
		       ? bind(fd, (struct sockaddr *)&in6, sizeof(in6))
		       : bind(fd, (struct sockaddr *)&in4, sizeof(in4));
}

/* Asked for where the datagrams come in, since the routing of an answer with a
 * source that is not configured takes the transparent mode. */
static int accept_any_address(int fd, int family)
{
	if (family == AF_INET6 &&
	    (set_flag(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1) < 0 ||
	     set_flag(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) < 0))
		return -1;
	if (family == AF_INET &&
	    (set_flag(fd, IPPROTO_IP, IP_TRANSPARENT, 1) < 0 ||
	     set_flag(fd, IPPROTO_IP, IP_PKTINFO, 1) < 0))
		return -1;
	return 0;
}

/* Returns 0 or -errno. */
static int listen_on(const struct listen_spec *spec, int *ret_fd)
{
	cleanup_fd int fd = socket(
		spec->family, spec->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
	    (spec->family == AF_INET6 &&
	     set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, spec->v6only) < 0) ||
	    (spec->device &&
	     setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, spec->device,
			(socklen_t)strlen(spec->device)) < 0) ||
	    (spec->any_address && accept_any_address(fd, spec->family) < 0) ||
	    bind_any(fd, spec) < 0)
		return -errno;
	if (spec->type == SOCK_STREAM && listen(fd, BACKLOG) < 0)
		return -errno;
	*ret_fd = fd_steal(&fd);
	return 0;
}

/* Dual stack, or IPv4 on a kernel without IPv6. */
static int listen_both(struct listen_spec spec, int *ret_fd)
{
	int rc;

	spec.family = AF_INET6;
	rc = listen_on(&spec, ret_fd);
	if (rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL) {
		spec.family = AF_INET;
		rc = listen_on(&spec, ret_fd);
	}
	return rc;
}

int sockets_listen_dns(const char *device, int *ret_udp, int *ret_tcp,
		       struct err *e)
{
	struct listen_spec spec = { .type = SOCK_DGRAM,
				    .port = DNS_PORT,
				    .device = device };
	cleanup_fd int udp = -1;
	int rc = listen_both(spec, &udp);

	if (rc == 0) {
		spec.type = SOCK_STREAM;
		rc = listen_both(spec, ret_tcp);
	}
	if (rc < 0)
		return err_errno(e, -rc, "listen for DNS on port %d", DNS_PORT);
	*ret_udp = fd_steal(&udp);
	return 0;
}

int sockets_listen_relay(const char *device, int *ret_fd4, int *ret_fd6,
			 uint16_t *ret_port, struct err *e)
{
	struct listen_spec spec = { .family = AF_INET,
				    .type = SOCK_STREAM,
				    .device = device };
	struct sockaddr_in in4 = { 0 };
	socklen_t len = sizeof(in4);
	cleanup_fd int fd4 = -1;
	int rc = listen_on(&spec, &fd4);

	if (rc == 0 && getsockname(fd4, (struct sockaddr *)&in4, &len) < 0)
		rc = -errno;
	*ret_fd6 = -1;
	if (rc == 0) {
		spec.family = AF_INET6;
		spec.v6only = true;
		spec.port = ntohs(in4.sin_port);
		rc = listen_on(&spec, ret_fd6);
		if (rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL)
			rc = 0; /* a kernel without IPv6 */
	}
	if (rc < 0)
		return err_errno(e, -rc, "listen for the relay");
	*ret_port = ntohs(in4.sin_port);
	*ret_fd4 = fd_steal(&fd4);
	return 0;
}

int sockets_open_udp(uint16_t port, int *ret_fd, struct err *e)
{
	const struct listen_spec spec = { .type = SOCK_DGRAM,
					  .port = port,
					  .any_address = true };
	int rc = listen_both(spec, ret_fd);

	return rc < 0 ? err_errno(e, -rc, "open UDP port %u", (unsigned)port)
		      : 0;
}

/* Returns 0 or -errno. */
static int open_icmp(const char *agent, int protocol, int level, int option,
		     const void *filter, socklen_t size, int *ret_fd)
{
	cleanup_fd int fd = -1;
	struct sockaddr_storage ss;
	struct addr a;
	socklen_t len;

	if (!addr_parse(agent, &a))
		return -EINVAL;
	len = addr_to_sockaddr(&a, 0, &ss);
	fd = socket(a.family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    protocol);
	if (fd < 0 || setsockopt(fd, level, option, filter, size) < 0 ||
	    connect(fd, (struct sockaddr *)&ss, len) < 0)
		return -errno;
	*ret_fd = fd_steal(&fd);
	return 0;
}

int sockets_open_icmp(int *ret_fd4, int *ret_fd6, struct err *e)
{
	const struct icmp_filter none4 = { .data = ~0U };
	struct icmp6_filter none6;
	cleanup_fd int fd4 = -1;
	int rc = open_icmp(AGENT_IPV4, IPPROTO_ICMP, SOL_RAW, ICMP_FILTER,
			   &none4, sizeof(none4), &fd4);

	ICMP6_FILTER_SETBLOCKALL(&none6);
	*ret_fd6 = -1;
	if (rc == 0) {
		rc = open_icmp(AGENT_IPV6, IPPROTO_ICMPV6, IPPROTO_ICMPV6,
			       ICMP6_FILTER, &none6, sizeof(none6), ret_fd6);
		if (rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL ||
		    rc == -ENETUNREACH)
			rc = 0; /* a kernel without IPv6 */
	}
	if (rc < 0)
		return err_errno(e, -rc, "open a socket for ICMP");
	*ret_fd4 = fd_steal(&fd4);
	return 0;
}
