/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the gateway's end of the link needs of the kernel beyond addresses.
 *
 * IFF_RUNNING comes before the queueing discipline is in place; the message
 * with the operational state "up" comes after (linkwatch_do_dev()).
 */
#include "netns/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <libmnl/libmnl.h>

#include "common/fd.h"
#include "common/uninit.h"
#include "netns/plan.h"

struct link_state {
	bool is_gateway;
	bool is_up;
};

int link_watch_open(int *ret_fd, struct err *e)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK,
				  .nl_groups = RTMGRP_LINK };
	cleanup_fd int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&nl, sizeof(nl)) < 0)
		return err_errno(e, errno, "watch the link");
	*ret_fd = fd_steal(&fd);
	return 0;
}

void link_unlimit_icmp(void)
{
	static const char *const limits[] = {
		"/proc/sys/net/ipv4/icmp_ratelimit",
		"/proc/sys/net/ipv6/icmp/ratelimit",
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		cleanup_fd int fd = open(limits[i], O_WRONLY | O_CLOEXEC);

		if (fd >= 0 && write(fd, "0", 1) != 1)
			continue;
	}
}

static int take_attr(const struct nlattr *attr, void *data)
{
	struct link_state *s = data;

	if (mnl_attr_get_type(attr) == IFLA_IFNAME)
		s->is_gateway =
			strcmp(mnl_attr_get_str(attr), GATEWAY_IFNAME) == 0;
	if (mnl_attr_get_type(attr) == IFLA_OPERSTATE)
		s->is_up = mnl_attr_get_u8(attr) == IF_OPER_UP;
	return MNL_CB_OK;
}

static int take_message(const struct nlmsghdr *nlh, void *data)
{
	struct link_state s = { 0 };
	bool *up = data;

	if (nlh->nlmsg_type == RTM_NEWLINK &&
	    mnl_attr_parse(nlh, sizeof(struct ifinfomsg), take_attr, &s) >= 0 &&
	    s.is_gateway && s.is_up)
		*up = true;
	return MNL_CB_OK;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int link_watch_wait(int fd, int timeout_ms)
{
	uninit char buf[8192] __attribute__((aligned(8)));
	int64_t end = now_ms() + timeout_ms;
	bool up = false;

	while (!up) {
		struct pollfd readable = { .fd = fd, .events = POLLIN };
		int64_t left = end - now_ms();
		ssize_t n;

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&readable, 1, (int)left) <= 0)
			continue;
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n > 0)
			(void)mnl_cb_run(buf, (size_t)n, 0, 0, take_message,
					 &up);
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return 0;
}
