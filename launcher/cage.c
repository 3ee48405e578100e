/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/ipc.h"
#include "launcher/init.h"
#include "launcher/networks.h"
#include "launcher/userns.h"
#include "netns/link.h"
#include "netns/nft.h"
#include "netns/queue.h"
#include "netns/ruleset.h"
#include "netns/sockets.h"

/* A stage takes milliseconds; a machine may be very busy. */
#define STAGE_WAIT_MS 60000
#define LINK_WAIT_MS  30000

/* The ends that the two children need. */
struct stage_fds {
	int gateway_channel; /* gateway stage <-> monitor */
	int init_channel;    /* init <-> monitor */
	int link_read;	     /* init learns that the link exists */
	int link_write;
};

int cage_send(int fd, enum cage_msg_type type, int value, bool to_group)
{
	struct cage_msg m;

	memset(&m, 0, sizeof(m));
	m.type = type;
	m.value = value;
	m.to_group = to_group;
	return ipc_send(fd, &m, sizeof(m), NULL, 0, false);
}

void cage_report_error(int fd, const struct err *e)
{
	struct cage_msg m;

	memset(&m, 0, sizeof(m));
	m.type = CAGE_MSG_ERROR;
	m.value = e->code;
	memcpy(m.text, e->msg, sizeof(m.text));
	(void)ipc_send(fd, &m, sizeof(m), NULL, 0, true);
}

/* The sockets and rules of G.  SHOULD leave nothing behind but the
 * descriptors; MUST install the rules before the link is announced, so that
 * the cage has no moment with an open gate. */
static int setup_gateway(const struct allowlist *al, pid_t init_pid,
			 int fds[static GATEWAY_FD__COUNT], uint16_t *ret_port,
			 int *ret_watch, struct err *e)
{
	uint16_t net_ports[ALLOW_UDP_ALL];
	const uint16_t *ports;
	const struct ruleset_udp udp = { net_ports,
					 networks_udp_ports(al, net_ports) };
	bool has_udp = allowlist_udp_ports(al, &ports) > 0;
	bool ipv6 = false;
	int rc = nft_open(&fds[GATEWAY_FD_NFT], e);

	if (rc == 0)
		rc = sockets_listen_dns(NULL, &fds[GATEWAY_FD_DNS_UDP],
					&fds[GATEWAY_FD_DNS_TCP], e);
	if (rc == 0)
		rc = sockets_listen_relay(NULL, &fds[GATEWAY_FD_RELAY4],
					  &fds[GATEWAY_FD_RELAY6], ret_port, e);
	if (rc == 0)
		rc = ruleset_install(fds[GATEWAY_FD_NFT], *ret_port,
				     has_udp ? &udp : NULL, e);
	if (rc == 0)
		rc = queue_open_syn(&fds[GATEWAY_FD_SYN], e);
	if (rc == 0)
		rc = queue_open_denied(&fds[GATEWAY_FD_DENIED], e);
	link_unlimit_icmp();
	if (rc == 0)
		rc = link_watch_open(ret_watch, e);
	if (rc == 0)
		rc = link_setup_gateway(init_pid, &ipv6, e);
	if (rc == 0 && has_udp)
		rc = link_own_everything(e);
	return rc;
}

static int send_gateway(int channel, const int *fds, uint16_t port)
{
	struct cage_msg m;
	size_t n = GATEWAY_FD__COUNT;

	memset(&m, 0, sizeof(m));
	m.type = CAGE_MSG_GATEWAY;
	m.value = port;
	if (fds[GATEWAY_FD_RELAY6] < 0)
		n--;
	return ipc_send(channel, &m, sizeof(m), fds, n, true);
}

static int send_icmp(int channel, struct err *e)
{
	struct cage_msg m;
	int fds[2];
	int rc = sockets_open_icmp(&fds[0], &fds[1], e);

	if (rc < 0)
		return rc;
	memset(&m, 0, sizeof(m));
	m.type = CAGE_MSG_ICMP;
	rc = ipc_send(channel, &m, sizeof(m), fds, fds[1] < 0 ? 1 : 2, true);
	return rc < 0 ? err_errno(e, -rc, "hand over ICMP sockets") : 0;
}

/* As many as a message carries. */
static int send_udp(int channel, const struct allowlist *al, struct err *e)
{
	const uint16_t *ports;
	size_t total = allowlist_udp_ports(al, &ports);

	for (size_t i = 0; i < total; i += IPC_FDS_MAX) {
		int fds[IPC_FDS_MAX];
		struct cage_msg m;
		size_t n = 0;
		int rc = 0;

		memset(&m, 0, sizeof(m));
		m.type = CAGE_MSG_UDP;
		for (; rc == 0 && n < IPC_FDS_MAX && i + n < total; n++)
			rc = sockets_open_udp(ports[i + n], &fds[n], e);
		if (rc < 0)
			return rc;
		rc = ipc_send(channel, &m, sizeof(m), fds, n, true);
		if (rc < 0)
			return err_errno(e, -rc, "hand over UDP sockets");
		while (n > 0)
			fd_close(&fds[--n]);
	}
	return total > 0 ? send_icmp(channel, e) : 0;
}

/* The gateway stage: in U and G.  MUST NOT outlive the set-up. */
__attribute__((noreturn)) static void gateway_main(const struct cage_plan *plan,
						   const struct stage_fds *fds)
{
	int sockets[GATEWAY_FD__COUNT] = { -1, -1, -1, -1, -1, -1, -1 };
	struct err e = { 0 };
	uint16_t port = 0;
	pid_t init_pid;
	int watch = -1;
	int rc;

	(void)prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L);
	rc = userns_map_self(plan->identity->uid, plan->identity->gid, &e);
	if (rc < 0)
		goto fail;
	init_pid = userns_clone(CLONE_PARENT | CAGE_FLAGS);
	if (init_pid == 0) {
		(void)close(fds->gateway_channel);
		(void)close(fds->link_write);
		init_main(plan, fds->init_channel, fds->link_read);
	}
	environment_wipe(plan->env);
	if (init_pid < 0) {
		(void)userns_explain(-init_pid, &e);
		goto fail;
	}
	/* Init's alone: the monitor must see its end. */
	(void)close(fds->init_channel);
	(void)close(fds->link_read);
	/* The monitor learns the pid before anything can go wrong. */
	if (cage_send(fds->gateway_channel, CAGE_MSG_STARTED, init_pid, false) <
	    0)
		_exit(1);
	rc = setup_gateway(plan->allow, init_pid, sockets, &port, &watch, &e);
	if (rc < 0)
		goto fail;
	if (write(fds->link_write, "", 1) != 1 ||
	    send_gateway(fds->gateway_channel, sockets, port) < 0)
		_exit(1);
	rc = send_udp(fds->gateway_channel, plan->allow, &e);
	if (rc < 0)
		goto fail;
	/* The monitor goes on; cage_go() takes the exit status. */
	_exit(link_watch_wait(watch, LINK_WAIT_MS) < 0 ? 1 : 0);
fail:
	cage_report_error(fds->gateway_channel, &e);
	_exit(1);
}

/* Receives one message of the wanted type; an ERROR message becomes e. */
static int expect(int channel, enum cage_msg_type type, struct cage_msg *m,
		  int *fds, size_t *n_fds, struct err *e)
{
	struct pollfd readable = { .fd = channel, .events = POLLIN };
	ssize_t n = -ETIMEDOUT;

	if (poll(&readable, 1, STAGE_WAIT_MS) > 0)
		n = ipc_recv(channel, m, sizeof(*m), fds, n_fds, NULL, false);
	if (n < 0)
		return err_errno(e, (int)-n, "read from the sandbox set-up");
	if (n == 0)
		return err_set(e, EPIPE,
			       "the sandbox set-up ended without a word; was "
			       "it killed?");
	if (n != sizeof(*m))
		return err_set(e, EPROTO, "the sandbox set-up spoke nonsense");
	if (m->type == CAGE_MSG_ERROR) {
		m->text[sizeof(m->text) - 1] = '\0';
		return err_set(e, m->value > 0 ? m->value : EIO, "%s", m->text);
	}
	if (m->type != type)
		return err_set(e, EPROTO, "the sandbox set-up is out of step");
	return 0;
}

static int receive_udp(int channel, size_t total, struct cage *c, struct err *e)
{
	struct cage_msg last;
	size_t n_icmp = 2;

	while (c->n_udp < total) {
		struct cage_msg m;
		size_t n = total - c->n_udp;
		int rc = expect(channel, CAGE_MSG_UDP, &m, c->udp + c->n_udp,
				&n, e);

		if (rc < 0)
			return rc;
		if (n == 0)
			return err_set(e, EPROTO,
				       "the gateway set-up sent no sockets");
		c->n_udp += n;
	}
	return total > 0 ? expect(channel, CAGE_MSG_ICMP, &last, c->icmp,
				  &n_icmp, e)
			 : 0;
}

static int receive_gateway(int channel, const struct allowlist *al,
			   struct cage *c, struct err *e)
{
	const uint16_t *ports;
	struct cage_msg m = { 0 };
	size_t n = 0;
	int rc = expect(channel, CAGE_MSG_STARTED, &m, NULL, &n, e);

	if (rc < 0)
		return rc;
	c->init_pid = m.value;
	c->init_pidfd = pidfd_open(c->init_pid, 0);
	if (c->init_pidfd < 0)
		return err_errno(e, errno, "pidfd_open");
	n = GATEWAY_FD__COUNT;
	rc = expect(channel, CAGE_MSG_GATEWAY, &m, c->gateway, &n, e);
	if (rc == 0 && n < GATEWAY_FD__COUNT - 1)
		return err_set(e, EPROTO, "the gateway set-up sent %zu sockets",
			       n);
	return rc < 0 ? rc
		      : receive_udp(channel, allowlist_udp_ports(al, &ports), c,
				    e);
}

static int receive_ready(struct cage *c, struct err *e)
{
	struct cage_msg m;
	size_t n = READY_FD__COUNT;
	int rc = expect(c->init_channel, CAGE_MSG_READY, &m, c->ready, &n, e);

	if (rc == 0 && n < READY_FD__ALWAYS)
		return err_set(e, EPROTO, "init sent %zu descriptors", n);
	return rc;
}

void cage_prefer_init_error(const struct cage *c, struct err *e)
{
	struct cage_msg m;

	if (c->init_channel < 0 ||
	    ipc_recv(c->init_channel, &m, sizeof(m), NULL, NULL, NULL, false) !=
		    sizeof(m) ||
	    m.type != CAGE_MSG_ERROR)
		return;
	m.text[sizeof(m.text) - 1] = '\0';
	(void)err_set(e, m.value > 0 ? m.value : EIO, "%s", m.text);
}

/* Waits for both children. */
static int collect(int gateway_channel, const struct allowlist *al,
		   struct cage *c, struct err *e)
{
	int on = 1;
	int rc = receive_gateway(gateway_channel, al, c, e);

	if (rc < 0)
		cage_prefer_init_error(c, e);
	else
		rc = receive_ready(c, e);
	/* The command's own pid is learnt from its message's credentials. */
	if (rc == 0 && setsockopt(c->init_channel, SOL_SOCKET, SO_PASSCRED, &on,
				  sizeof(on)) < 0)
		rc = err_errno(e, errno, "SO_PASSCRED");
	return rc;
}

/* Returns the wait status. */
static int reap(pid_t *pid)
{
	int status = 0;

	while (*pid > 0 && waitpid(*pid, &status, 0) < 0 && errno == EINTR)
		;
	*pid = 0;
	return status;
}

int cage_build(const struct cage_plan *plan, struct cage *ret, struct err *e)
{
	int gateway_pair[2] = { -1, -1 };
	int init_pair[2] = { -1, -1 };
	int link_pipe[2];
	pid_t stage;
	int rc;

	*ret = (struct cage)CAGE_NONE_INIT;
	if (pipe2(link_pipe, O_CLOEXEC) < 0)
		return err_errno(e, errno, "pipe");
	rc = ipc_pair(gateway_pair, e);
	if (rc == 0)
		rc = ipc_pair(init_pair, e);
	if (rc < 0)
		return rc; /* the process ends: the rest is the kernel's */
	stage = userns_clone(CLONE_NEWUSER | CLONE_NEWNET);
	if (stage == 0) {
		const struct stage_fds fds = { gateway_pair[1], init_pair[1],
					       link_pipe[0], link_pipe[1] };

		(void)close(gateway_pair[0]);
		(void)close(init_pair[0]);
		gateway_main(plan, &fds);
	}
	(void)close(gateway_pair[1]);
	(void)close(init_pair[1]);
	(void)close(link_pipe[0]);
	(void)close(link_pipe[1]);
	ret->init_channel = init_pair[0];
	if (stage < 0)
		rc = userns_explain(-stage, e);
	else
		rc = collect(gateway_pair[0], plan->allow, ret, e);
	/* The stage sees the limits of its own namespace, not ours. */
	if (rc == -ENOSPC && stage > 0)
		rc = userns_explain(ENOSPC, e);
	(void)close(gateway_pair[0]);
	ret->stage_pid = stage > 0 ? stage : 0;
	if (rc < 0)
		cage_destroy(ret);
	return rc;
}

int cage_go(struct cage *c, struct err *e)
{
	int rc;

	if (reap(&c->stage_pid) != 0)
		return err_set(e, ENETDOWN,
			       "the sandbox's link did not come up in time; "
			       "is the machine overloaded?");
	rc = cage_send(c->init_channel, CAGE_MSG_GO, 0, false);

	return rc < 0 ? err_errno(e, -rc, "start the command") : 0;
}

void cage_destroy(struct cage *c)
{
	if (c->init_pidfd >= 0) {
		(void)syscall(SYS_pidfd_send_signal, c->init_pidfd, SIGKILL,
			      NULL, 0);
		(void)reap(&c->init_pid);
	}
	/* Not before init: the link may never come up now. */
	if (c->stage_pid > 0)
		(void)kill(c->stage_pid, SIGKILL);
	(void)reap(&c->stage_pid);
	fd_close(&c->init_pidfd);
	fd_close(&c->init_channel);
	for (int i = 0; i < READY_FD__COUNT; i++)
		fd_close(&c->ready[i]);
	for (int i = 0; i < GATEWAY_FD__COUNT; i++)
		fd_close(&c->gateway[i]);
	while (c->n_udp > 0)
		fd_close(&c->udp[--c->n_udp]);
	for (int i = 0; i < 2; i++)
		fd_close(&c->icmp[i]);
}
