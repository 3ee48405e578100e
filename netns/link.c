/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything on the link is fixed: hardware addresses, neighbours, no
 * link-local addresses, no duplicate address detection.  So no ARP, neighbour
 * discovery or router solicitation is ever needed, and none delays the start.
 */
#include "netns/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "netns/plan.h"

/* Locally administered; the same in every run, as both ends are private. */
static const uint8_t gateway_mac[6] = { 0x02, 0, 0, 0, 0, 0x01 };
static const uint8_t agent_mac[6] = { 0x02, 0, 0, 0, 0, 0x02 };

struct endpoint {
	const char *ifname;
	const char *ip4, *ip6;
	const char *peer_ip4, *peer_ip6;
	const uint8_t *peer_mac;
};

static const struct endpoint gateway_end = {
	GATEWAY_IFNAME, GATEWAY_IPV4, GATEWAY_IPV6,
	AGENT_IPV4,	AGENT_IPV6,   agent_mac,
};
static const struct endpoint agent_end = {
	AGENT_IFNAME, AGENT_IPV4,   AGENT_IPV6,
	GATEWAY_IPV4, GATEWAY_IPV6, gateway_mac,
};

static void free_socket(struct nl_sock **sk)
{
	if (*sk)
		nl_socket_free(*sk);
}
static void free_msg(struct nl_msg **m)
{
	if (*m)
		nlmsg_free(*m);
}
#define cleanup_sock __attribute__((cleanup(free_socket)))
#define cleanup_msg  __attribute__((cleanup(free_msg)))

static int open_route_socket(struct nl_sock **ret, struct err *e)
{
	cleanup_sock struct nl_sock *sk = nl_socket_alloc();
	int rc;

	if (!sk)
		return err_errno(e, ENOMEM, "netlink socket");
	rc = nl_connect(sk, NETLINK_ROUTE);
	if (rc < 0)
		return err_set(e, EIO, "open a route netlink socket: %s",
			       nl_geterror(rc));
	*ret = sk;
	sk = NULL;
	return 0;
}

/* Sends and waits for the kernel's answer; 0 or a negative NLE_ code. */
static int request(struct nl_sock *sk, struct nl_msg *m)
{
	int rc = nl_send_auto(sk, m);

	return rc < 0 ? rc : nl_wait_for_ack(sk);
}

static struct nl_msg *new_msg(int type, int flags, void *hdr, size_t len)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, flags);

	if (m && nlmsg_append(m, hdr, len, NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

/* One queue each is all that is used in any case, but the kernel makes one for
 * each CPU unless told, and waits for a grace period of RCU, twice, when it
 * takes the others away again. */
static int put_queues(struct nl_msg *m)
{
	int rc = nla_put_u32(m, IFLA_NUM_TX_QUEUES, 1);

	return rc < 0 ? rc : nla_put_u32(m, IFLA_NUM_RX_QUEUES, 1);
}

static int create_pair(struct nl_sock *sk, pid_t agent_pid, struct err *e)
{
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	cleanup_msg struct nl_msg *m = new_msg(
		RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifi, sizeof(ifi));
	struct nlattr *info;
	struct nlattr *data;
	struct nlattr *peer;
	int rc;

	if (!m || nla_put_string(m, IFLA_IFNAME, GATEWAY_IFNAME) < 0 ||
	    nla_put_u32(m, IFLA_MTU, LINK_MTU) < 0 || put_queues(m) < 0 ||
	    nla_put(m, IFLA_ADDRESS, sizeof(gateway_mac), gateway_mac) < 0)
		return err_errno(e, ENOMEM, "veth request");
	info = nla_nest_start(m, IFLA_LINKINFO);
	if (!info || nla_put_string(m, IFLA_INFO_KIND, "veth") < 0)
		return err_errno(e, ENOMEM, "veth request");
	data = nla_nest_start(m, IFLA_INFO_DATA);
	peer = data ? nla_nest_start(m, VETH_INFO_PEER) : NULL;
	if (!peer || nlmsg_append(m, &ifi, sizeof(ifi), NLMSG_ALIGNTO) < 0 ||
	    nla_put_string(m, IFLA_IFNAME, AGENT_IFNAME) < 0 ||
	    nla_put_u32(m, IFLA_MTU, LINK_MTU) < 0 || put_queues(m) < 0 ||
	    nla_put(m, IFLA_ADDRESS, sizeof(agent_mac), agent_mac) < 0 ||
	    nla_put_u32(m, IFLA_NET_NS_PID, (uint32_t)agent_pid) < 0)
		return err_errno(e, ENOMEM, "veth request");
	nla_nest_end(m, peer);
	nla_nest_end(m, data);
	nla_nest_end(m, info);
	rc = request(sk, m);
	if (rc == -NLE_OPNOTSUPP)
		return err_set(e, EOPNOTSUPP,
			       "this kernel has no veth device: load it as "
			       "root with 'modprobe veth'");
	if (rc < 0)
		return err_set(e, EIO, "create the veth pair: %s",
			       nl_geterror(rc));
	return 0;
}

/* No link-local address, hence no router solicitation and no DAD.  A message
 * of its own: the kernel applies IFF_UP of one message before its AF_SPEC. */
static int disable_autoconf(struct nl_sock *sk, int ifindex)
{
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC,
				 .ifi_index = ifindex };
	cleanup_msg struct nl_msg *m =
		new_msg(RTM_SETLINK, 0, &ifi, sizeof(ifi));
	struct nlattr *spec;
	struct nlattr *inet6;

	if (!m)
		return -NLE_NOMEM;
	spec = nla_nest_start(m, IFLA_AF_SPEC);
	inet6 = spec ? nla_nest_start(m, AF_INET6) : NULL;
	if (!inet6 ||
	    nla_put_u8(m, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE) < 0)
		return -NLE_NOMEM;
	nla_nest_end(m, inet6);
	nla_nest_end(m, spec);
	return request(sk, m);
}

static int set_up(struct nl_sock *sk, int ifindex)
{
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC,
				 .ifi_index = ifindex,
				 .ifi_flags = IFF_UP,
				 .ifi_change = IFF_UP };
	cleanup_msg struct nl_msg *m =
		new_msg(RTM_NEWLINK, 0, &ifi, sizeof(ifi));

	return m ? request(sk, m) : -NLE_NOMEM;
}

static int add_address(struct nl_sock *sk, int ifindex, const struct addr *a,
		       unsigned prefix_len)
{
	struct ifaddrmsg ifa = { .ifa_family = a->family,
				 .ifa_prefixlen = (uint8_t)prefix_len,
				 .ifa_flags = IFA_F_NODAD | IFA_F_PERMANENT,
				 .ifa_index = (uint32_t)ifindex };
	cleanup_msg struct nl_msg *m = new_msg(
		RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &ifa, sizeof(ifa));

	if (!m || nla_put(m, IFA_LOCAL, (int)addr_len(a), a->bytes) < 0 ||
	    nla_put(m, IFA_ADDRESS, (int)addr_len(a), a->bytes) < 0)
		return -NLE_NOMEM;
	return request(sk, m);
}

static int add_neighbour(struct nl_sock *sk, int ifindex, const struct addr *a,
			 const uint8_t mac[static 6])
{
	struct ndmsg nd = { .ndm_family = a->family,
			    .ndm_ifindex = ifindex,
			    .ndm_state = NUD_PERMANENT };
	cleanup_msg struct nl_msg *m = new_msg(
		RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &nd, sizeof(nd));

	if (!m || nla_put(m, NDA_DST, (int)addr_len(a), a->bytes) < 0 ||
	    nla_put(m, NDA_LLADDR, 6, mac) < 0)
		return -NLE_NOMEM;
	return request(sk, m);
}

static int add_default_route(struct nl_sock *sk, int ifindex,
			     const struct addr *via)
{
	struct rtmsg rt = { .rtm_family = via->family,
			    .rtm_table = RT_TABLE_MAIN,
			    .rtm_protocol = RTPROT_STATIC,
			    .rtm_scope = RT_SCOPE_UNIVERSE,
			    .rtm_type = RTN_UNICAST };
	cleanup_msg struct nl_msg *m = new_msg(
		RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &rt, sizeof(rt));

	if (!m || nla_put(m, RTA_GATEWAY, (int)addr_len(via), via->bytes) < 0 ||
	    nla_put_u32(m, RTA_OIF, (uint32_t)ifindex) < 0)
		return -NLE_NOMEM;
	return request(sk, m);
}

/* In the main table and not the local one, where it would hide the link. */
static int add_local_default(struct nl_sock *sk, int family, int ifindex)
{
	struct rtmsg rt = { .rtm_family = (unsigned char)family,
			    .rtm_table = RT_TABLE_MAIN,
			    .rtm_protocol = RTPROT_STATIC,
			    .rtm_scope = RT_SCOPE_HOST,
			    .rtm_type = RTN_LOCAL };
	cleanup_msg struct nl_msg *m = new_msg(
		RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &rt, sizeof(rt));

	if (!m || nla_put_u32(m, RTA_OIF, (uint32_t)ifindex) < 0)
		return -NLE_NOMEM;
	return request(sk, m);
}

static int configure_family(struct nl_sock *sk, int ifindex,
			    const char *own_text, const char *peer_text,
			    const uint8_t peer_mac[static 6], unsigned prefix)
{
	struct addr own;
	struct addr peer;
	int rc;

	if (!addr_parse(own_text, &own) || !addr_parse(peer_text, &peer))
		return -NLE_INVAL;
	rc = add_address(sk, ifindex, &own, prefix);
	return rc < 0 ? rc : add_neighbour(sk, ifindex, &peer, peer_mac);
}

/* True if this is what a kernel without (or with disabled: EACCES) IPv6
 * answers.  EPERM is none of it: that is a failure. */
static bool means_no_ipv6(int rc)
{
	return rc == -NLE_OPNOTSUPP || rc == -NLE_AF_NOSUPPORT ||
	       rc == -NLE_NOACCESS || rc == -NLE_OBJ_NOTFOUND ||
	       rc == -NLE_NODEV;
}

static int configure(struct nl_sock *sk, const struct endpoint *ep,
		     bool *ret_ipv6, int *ret_ifindex, struct err *e)
{
	int ifindex = (int)if_nametoindex(ep->ifname);
	int rc;

	if (ifindex == 0)
		return err_errno(e, errno, "find interface %s", ep->ifname);
	rc = disable_autoconf(sk, ifindex);
	if (rc < 0 && !means_no_ipv6(rc))
		return err_set(e, EIO, "set IPv6 mode of %s: %s", ep->ifname,
			       nl_geterror(rc));
	rc = set_up(sk, ifindex);
	if (rc < 0)
		return err_set(e, EIO, "bring %s up: %s", ep->ifname,
			       nl_geterror(rc));
	rc = configure_family(sk, ifindex, ep->ip4, ep->peer_ip4, ep->peer_mac,
			      LINK_PREFIX4);
	if (rc < 0)
		return err_set(e, EIO, "configure %s on %s: %s", ep->ip4,
			       ep->ifname, nl_geterror(rc));
	rc = configure_family(sk, ifindex, ep->ip6, ep->peer_ip6, ep->peer_mac,
			      LINK_PREFIX6);
	if (rc < 0 && !means_no_ipv6(rc))
		return err_set(e, EIO, "configure %s on %s: %s", ep->ip6,
			       ep->ifname, nl_geterror(rc));
	*ret_ipv6 = rc >= 0;
	*ret_ifindex = ifindex;
	return 0;
}

int link_setup_gateway(pid_t agent_pid, bool *ret_ipv6, struct err *e)
{
	cleanup_sock struct nl_sock *sk = NULL;
	int ifindex;
	int rc = open_route_socket(&sk, e);

	if (rc == 0)
		rc = create_pair(sk, agent_pid, e);
	if (rc == 0)
		rc = configure(sk, &gateway_end, ret_ipv6, &ifindex, e);
	return rc;
}

int link_own_everything(struct err *e)
{
	cleanup_sock struct nl_sock *sk = NULL;
	int ifindex = (int)if_nametoindex(GATEWAY_IFNAME);
	int rc = open_route_socket(&sk, e);

	if (rc < 0)
		return rc;
	rc = add_local_default(sk, AF_INET, ifindex);
	if (rc >= 0) {
		rc = add_local_default(sk, AF_INET6, ifindex);
		if (means_no_ipv6(rc))
			rc = 0;
	}
	return rc < 0 ? err_set(e, EIO, "add the local route for UDP: %s",
				nl_geterror(rc))
		      : 0;
}

int link_setup_agent(struct err *e)
{
	cleanup_sock struct nl_sock *sk = NULL;
	struct addr via;
	bool ipv6 = false;
	int ifindex = 0;
	int rc = open_route_socket(&sk, e);

	if (rc < 0)
		return rc;
	rc = set_up(sk, 1); /* lo is always index 1 in a new netns */
	if (rc < 0)
		return err_set(e, EIO, "bring lo up: %s", nl_geterror(rc));
	rc = configure(sk, &agent_end, &ipv6, &ifindex, e);
	if (rc < 0)
		return rc;
	if (!addr_parse(GATEWAY_IPV4, &via))
		return err_errno(e, EINVAL, "gateway address");
	rc = add_default_route(sk, ifindex, &via);
	if (rc >= 0 && ipv6 && addr_parse(GATEWAY_IPV6, &via))
		rc = add_default_route(sk, ifindex, &via);
	if (rc < 0)
		return err_set(e, EIO, "add the default route: %s",
			       nl_geterror(rc));
	return 0;
}
