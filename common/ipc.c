/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/ipc.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int ipc_pair(int ret_fds[static 2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) < 0)
		return err_errno(e, errno, "socketpair");
	return 0;
}

int ipc_send(int fd, const void *msg, size_t len, const int *fds, size_t n_fds,
	     bool block)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
	} ctl;
	struct iovec iov = { .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	int flags = MSG_NOSIGNAL | (block ? 0 : MSG_DONTWAIT);
	ssize_t n;

	memcpy(&iov.iov_base, &msg, sizeof(msg)); /* sendmsg() only reads */
	if (n_fds > IPC_FDS_MAX)
		return -EINVAL;
	if (n_fds > 0) {
		struct cmsghdr *c;

		memset(&ctl, 0, sizeof(ctl));
		mh.msg_control = ctl.buf;
		mh.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	do
		n = sendmsg(fd, &mh, flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EPROTO;
}

/* Collects what the control messages carry; closes what does not fit. */
static bool take_control(struct msghdr *mh, int *fds, size_t room,
			 size_t *ret_n, pid_t *sender)
{
	bool fits = true;
	size_t got = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS && sender) {
			struct ucred cred;

			memcpy(&cred, CMSG_DATA(c), sizeof(cred));
			*sender = cred.pid;
		}
		if (c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t off = CMSG_LEN(0); off + sizeof(int) <= c->cmsg_len;
		     off += sizeof(int)) {
			int fd;

			memcpy(&fd, (char *)c + off, sizeof(fd));
			if (got < room) {
				fds[got++] = fd;
			} else {
				(void)close(fd);
				fits = false;
			}
		}
	}
	*ret_n = got;
	return fits;
}

ssize_t ipc_recv(int fd, void *msg, size_t len, int *fds, size_t *n_fds,
		 pid_t *sender, bool block)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(IPC_FDS_MAX * sizeof(int)) +
			 CMSG_SPACE(sizeof(struct ucred))];
	} ctl;
	struct iovec iov = { .iov_base = msg, .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = ctl.buf,
			     .msg_controllen = sizeof(ctl.buf) };
	size_t room = n_fds ? *n_fds : 0;
	size_t got = 0;
	ssize_t n;
	bool fits;

	if (n_fds)
		*n_fds = 0;
	if (sender)
		*sender = 0;
	/* A peer that left without reading what we had sent is reported once
	 * as a reset, before what it had sent itself, its last words. */
	do
		n = recvmsg(fd, &mh,
			    MSG_CMSG_CLOEXEC | (block ? 0 : MSG_DONTWAIT));
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return -errno;
	fits = take_control(&mh, fds, room, &got, sender);
	/* An empty message with descriptors would pass for the end. */
	if (!fits || (n == 0 && got > 0) ||
	    (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		while (got > 0)
			(void)close(fds[--got]);
		return -EPROTO;
	}
	if (n_fds)
		*n_fds = got;
	return n;
}
