/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's own look-up is the only complete list of the host's addresses:
 * it knows every interface, secondary addresses, AnyIP routes in any table and
 * the policy rules that apply.
 */
#include "netns/route.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <libmnl/libmnl.h>

int route_open(int *ret_fd, struct err *e)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return err_errno(e, errno, "open a route netlink socket");
	*ret_fd = fd;
	return 0;
}

static enum route_kind classify(const struct nlmsghdr *nlh)
{
	const struct rtmsg *rt;

	if (nlh->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *answer = mnl_nlmsg_get_payload(nlh);

		switch (-answer->error) {
		case ENETUNREACH:
		case EHOSTUNREACH:
		case EACCES: /* prohibit */
		case EINVAL: /* blackhole */
		case EAGAIN: /* throw */
		case EAFNOSUPPORT:
		case EOPNOTSUPP:
			return ROUTE_NONE;
		default:
			return ROUTE_LOCAL;
		}
	}
	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return ROUTE_LOCAL;
	rt = mnl_nlmsg_get_payload(nlh);
	switch (rt->rtm_type) {
	case RTN_UNICAST:
		return ROUTE_FORWARD;
	case RTN_UNREACHABLE:
	case RTN_PROHIBIT:
	case RTN_BLACKHOLE:
	case RTN_THROW:
		return ROUTE_NONE;
	default:
		return ROUTE_LOCAL;
	}
}

enum route_kind route_lookup(int fd, const struct addr *dst)
{
	char buf[4096] __attribute__((aligned(8)));
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rt;
	ssize_t n;

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));
	rt->rtm_family = dst->family;
	rt->rtm_dst_len = (unsigned char)(addr_len(dst) * 8);
	mnl_attr_put(nlh, RTA_DST, addr_len(dst), dst->bytes);
	if (sendto(fd, nlh, nlh->nlmsg_len, 0, (struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return ROUTE_LOCAL;
	do
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < (ssize_t)(sizeof(*nlh) + sizeof(*rt)))
		return ROUTE_LOCAL;
	return classify((const struct nlmsghdr *)(const void *)buf);
}
