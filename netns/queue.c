/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns/queue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>

#include <libmnl/libmnl.h>

#include "common/fd.h"
#include "common/uninit.h"
#include "netns/nft.h"

#define SYN_COPY_BYTES	 128   /* IP header with options and the ports */
#define SYN_QUEUE_LENGTH 16384 /* held SYNs; beyond, they are dropped */
#define READS_PER_CALL	 16
#define READ_SIZE	 65536

struct request {
	char buf[512] __attribute__((aligned(8)));
	struct nlmsghdr *nlh;
};

static void request_begin(struct request *q, unsigned subsys, unsigned type,
			  uint16_t res_id)
{
	struct nfgenmsg *nfg;

	memset(q->buf, 0, sizeof(q->buf));
	q->nlh = mnl_nlmsg_put_header(q->buf);
	q->nlh->nlmsg_type = (uint16_t)(subsys << 8 | type);
	q->nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nfg = mnl_nlmsg_put_extra_header(q->nlh, sizeof(*nfg));
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(res_id);
}

static int request_send(int fd, const struct request *q)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(fd, q->nlh, q->nlh->nlmsg_len, 0, (struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

/* Sends and takes the acknowledgement, which is queued when sendto() comes
 * back. */
static int request_run(int fd, const struct request *q)
{
	char buf[1024] __attribute__((aligned(8)));
	const struct nlmsghdr *nlh = (const void *)buf;
	const struct nlmsgerr *answer;
	int rc = request_send(fd, q);
	ssize_t n;

	if (rc < 0)
		return rc;
	n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	if (n < (ssize_t)(sizeof(*nlh) + sizeof(*answer)) ||
	    nlh->nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	answer = mnl_nlmsg_get_payload(nlh);
	return answer->error;
}

/* A flood must be counted as lost, not end the reading. */
static void enlarge_buffer(int fd)
{
	int bytes = 4 << 20;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) <
	    0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes,
				 sizeof(bytes));
}

int queue_open_syn(int *ret_fd, struct err *e)
{
	struct nfqnl_msg_config_cmd bind_cmd = {
		.command = NFQNL_CFG_CMD_BIND,
	};
	struct nfqnl_msg_config_params params = {
		.copy_range = htonl(SYN_COPY_BYTES),
		.copy_mode = NFQNL_COPY_PACKET,
	};
	cleanup_fd int fd = -1;
	struct request q;
	int rc = nft_open(&fd, e);

	if (rc < 0)
		return rc;
	enlarge_buffer(fd);
	request_begin(&q, NFNL_SUBSYS_QUEUE, NFQNL_MSG_CONFIG, SYN_QUEUE);
	mnl_attr_put(q.nlh, NFQA_CFG_CMD, sizeof(bind_cmd), &bind_cmd);
	mnl_attr_put(q.nlh, NFQA_CFG_PARAMS, sizeof(params), &params);
	mnl_attr_put_u32(q.nlh, NFQA_CFG_QUEUE_MAXLEN, htonl(SYN_QUEUE_LENGTH));
	rc = request_run(fd, &q);
	if (rc == -EINVAL || rc == -EOPNOTSUPP)
		return err_set(e, -rc,
			       "this kernel has no packet queue; load it as "
			       "root with 'modprobe nfnetlink_queue'");
	if (rc < 0)
		return err_errno(e, -rc, "bind the packet queue");
	*ret_fd = fd_steal(&fd);
	return 0;
}

int queue_open_denied(int *ret_fd, struct err *e)
{
	struct nfulnl_msg_config_cmd bind_cmd = {
		.command = NFULNL_CFG_CMD_BIND,
	};
	struct nfulnl_msg_config_mode mode = {
		.copy_range = htonl(SYN_COPY_BYTES),
		.copy_mode = NFULNL_COPY_PACKET,
	};
	cleanup_fd int fd = -1;
	struct request q;
	int rc = nft_open(&fd, e);

	if (rc < 0)
		return rc;
	enlarge_buffer(fd);
	request_begin(&q, NFNL_SUBSYS_ULOG, NFULNL_MSG_CONFIG,
		      DENIED_LOG_GROUP);
	mnl_attr_put(q.nlh, NFULA_CFG_CMD, sizeof(bind_cmd), &bind_cmd);
	mnl_attr_put(q.nlh, NFULA_CFG_MODE, sizeof(mode), &mode);
	/* One message a packet: the last ones before the end count too. */
	mnl_attr_put_u32(q.nlh, NFULA_CFG_QTHRESH, htonl(1));
	rc = request_run(fd, &q);
	if (rc == -EINVAL || rc == -EOPNOTSUPP)
		return err_set(e, -rc,
			       "this kernel has no packet log; load it as "
			       "root with 'modprobe nfnetlink_log'");
	if (rc < 0)
		return err_errno(e, -rc, "bind the packet log");
	*ret_fd = fd_steal(&fd);
	return 0;
}

struct reading {
	queue_packet_fn *fn;
	void *arg;
	int n;
};

/* The attributes of both subsystems that matter here. */
struct packet_attrs {
	const struct nlattr *payload;
	const struct nlattr *header;
};

static int take_queue_attr(const struct nlattr *attr, void *data)
{
	struct packet_attrs *a = data;

	if (mnl_attr_get_type(attr) == NFQA_PAYLOAD)
		a->payload = attr;
	if (mnl_attr_get_type(attr) == NFQA_PACKET_HDR)
		a->header = attr;
	return MNL_CB_OK;
}

static int take_log_attr(const struct nlattr *attr, void *data)
{
	struct packet_attrs *a = data;

	if (mnl_attr_get_type(attr) == NFULA_PAYLOAD)
		a->payload = attr;
	return MNL_CB_OK;
}

static int take_message(const struct nlmsghdr *nlh, void *data)
{
	bool is_syn =
		nlh->nlmsg_type == (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET);
	bool is_log =
		nlh->nlmsg_type == (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET);
	struct packet_attrs attrs = { 0 };
	struct packet_info info;
	struct reading *r = data;
	uint32_t id = 0;

	if (!is_syn && !is_log)
		return MNL_CB_OK;
	if (mnl_attr_parse(nlh, sizeof(struct nfgenmsg),
			   is_syn ? take_queue_attr : take_log_attr,
			   &attrs) < 0)
		return MNL_CB_OK;
	if (is_syn) {
		const struct nfqnl_msg_packet_hdr *hdr;

		if (!attrs.header ||
		    mnl_attr_get_payload_len(attrs.header) < sizeof(*hdr))
			return MNL_CB_OK;
		hdr = mnl_attr_get_payload(attrs.header);
		id = ntohl(hdr->packet_id);
	}
	if (!attrs.payload)
		return MNL_CB_OK;
	if (!packet_parse(mnl_attr_get_payload(attrs.payload),
			  mnl_attr_get_payload_len(attrs.payload), &info))
		memset(&info, 0, sizeof(info));
	r->n++;
	r->fn(r->arg, id, &info);
	return MNL_CB_OK;
}

int queue_read(int fd, queue_packet_fn *fn, void *arg, uint64_t *lost)
{
	struct reading r = { .fn = fn, .arg = arg };
	uninit char buf[READ_SIZE] __attribute__((aligned(8)));

	for (int i = 0; i < READS_PER_CALL; i++) {
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) {
			if (lost)
				(*lost)++;
			continue;
		}
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return -errno;
		(void)mnl_cb_run(buf, (size_t)n, 0, 0, take_message, &r);
	}
	return r.n;
}

int queue_verdict(int fd, uint32_t id, bool accept, enum syn_mark mark)
{
	struct nfqnl_msg_verdict_hdr verdict = {
		.verdict = htonl(accept ? NF_ACCEPT : NF_DROP),
		.id = htonl(id),
	};
	struct request q;

	request_begin(&q, NFNL_SUBSYS_QUEUE, NFQNL_MSG_VERDICT, SYN_QUEUE);
	q.nlh->nlmsg_flags = NLM_F_REQUEST; /* errors are still answered */
	mnl_attr_put(q.nlh, NFQA_VERDICT_HDR, sizeof(verdict), &verdict);
	if (accept && mark != SYN_MARK_NONE)
		mnl_attr_put_u32(q.nlh, NFQA_MARK, htonl(mark));
	return request_send(fd, &q);
}
