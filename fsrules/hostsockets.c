/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fsrules/hostsockets.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>

#include "common/fd.h"

/* "ffff8880: 00000002 00000000 00010000 0001 01 12345 /run/x.sock": what is
 * abstract begins with @, and most have no name. */
static int take_line(char *line, hostsockets_fn *fn, void *arg)
{
	char *name = line;

	line[strcspn(line, "\n")] = '\0';
	for (int i = 0; i < 7; i++) {
		name += strcspn(name, " ");
		name += strspn(name, " ");
	}
	return name[0] == '\0' || name[0] == '@' ? 0 : fn(arg, name);
}

int hostsockets_each(hostsockets_fn *fn, void *arg, struct err *e)
{
	static const char path[] = "/proc/net/unix";
	cleanup_free char *line = NULL;
	FILE *f = fopen(path, "re");
	size_t size = 0;
	int rc = 0;

	if (!f)
		return err_errno(e, errno, "find the host's sockets: read %s",
				 path);
	/* The first line is the heading. */
	if (getline(&line, &size, f) >= 0)
		while (rc == 0 && getline(&line, &size, f) >= 0)
			rc = take_line(line, fn, arg);
	if (rc == 0 && ferror(f))
		rc = err_errno(e, EIO, "find the host's sockets: read %s",
			       path);
	(void)fclose(f);
	return rc;
}

static int send_request(int fd)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req body;
	} request = {
		.head = { .nlmsg_len = sizeof(request),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .sdiag_family = AF_UNIX,
			  .udiag_states = ~0U,
			  .udiag_show = UDIAG_SHOW_VFS },
	};

	return send(fd, &request, sizeof(request), 0) == sizeof(request)
		       ? 0
		       : -errno;
}

static bool is_of(struct nlmsghdr *head, uint32_t ino)
{
	struct rtattr *a = (void *)((char *)NLMSG_DATA(head) +
				    sizeof(struct unix_diag_msg));
	size_t left = head->nlmsg_len - NLMSG_HDRLEN;

	if (left < sizeof(struct unix_diag_msg))
		return false;
	left -= sizeof(struct unix_diag_msg);
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		struct unix_diag_vfs vfs;

		if (a->rta_type != UNIX_DIAG_VFS ||
		    RTA_PAYLOAD(a) < sizeof(vfs))
			continue;
		memcpy(&vfs, RTA_DATA(a), sizeof(vfs));
		return vfs.udiag_vfs_ino == ino;
	}
	return false;
}

/* 1: found, 0: not in this batch, -ENODATA: it was the last, or -errno. */
static int search(void *buf, size_t len, uint32_t ino)
{
	for (struct nlmsghdr *head = buf; NLMSG_OK(head, len);
	     head = NLMSG_NEXT(head, len)) {
		if (head->nlmsg_type == NLMSG_DONE)
			return -ENODATA;
		if (head->nlmsg_type == NLMSG_ERROR)
			return -EOPNOTSUPP;
		if (is_of(head, ino))
			return 1;
	}
	return 0;
}

bool hostsockets_has(ino_t ino)
{
	_Alignas(struct nlmsghdr) char buf[16384];
	cleanup_fd int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int rc = fd < 0 ? -errno : send_request(fd);

	while (rc == 0) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n <= 0)
			rc = n < 0 && errno == EINTR ? 0 : -EIO;
		else /* 32 bits are all that the kernel tells. */
			rc = search(buf, (size_t)n, (uint32_t)ino);
	}
	return rc != -ENODATA;
}
