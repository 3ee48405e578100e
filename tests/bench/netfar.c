/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netfar ADDRESS PORT...: the far end of the network benchmarks.  The first
 * bytes of a connection say what it is for: "SINK" and a time (8 bytes,
 * CLOCK_MONOTONIC) is read, and told after it how many bytes had come at that
 * time; "SRC" gets zeros until it is closed, anything else is HTTP, each
 * request answered in 2 bytes.  One process for each core, one epoll loop each.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_FDS 16384
#define ROOM	131072UL

enum kind { NEW, LISTENER, SINK, SRC, HTTP };

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct loop {
	int ep;
	unsigned char kind[MAX_FDS];
	uint64_t got[MAX_FDS]; /* SINK: bytes, and until when */
	uint64_t until[MAX_FDS];
	char room[ROOM];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void watch(struct loop *l, int fd, enum kind kind)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (kind == SRC)
		ev.events = EPOLLOUT;
	if (epoll_ctl(l->ep, l->kind[fd] == NEW ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
		      fd, &ev) < 0)
		die("epoll_ctl");
	l->kind[fd] = (unsigned char)kind;
}

static int listen_on(const char *address, const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(
					  (uint16_t)strtoul(port, NULL, 10)) };
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &sa.sin_addr) != 1)
		die("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(fd, 4096) < 0)
		die("listen");
	return fd;
}

static void accept_all(struct loop *l, int listener)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int fd;

	while ((fd = accept4(listener, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (fd >= MAX_FDS) {
			(void)close(fd);
			continue;
		}
		ev.data.fd = fd;
		l->kind[fd] = NEW;
		l->got[fd] = 0;
		if (epoll_ctl(l->ep, EPOLL_CTL_ADD, fd, &ev) < 0)
			die("epoll_ctl");
	}
}

/* A request is smaller than a segment, and the next is sent after its answer:
 * what has arrived ends with the end of a request. */
static int respond(int fd, const char *got, size_t len)
{
	if (len < 4 || memcmp(got + len - 4, "\r\n\r\n", 4) != 0)
		return 0;
	return send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int readable(struct loop *l, int fd)
{
	ssize_t n = recv(fd, l->room, ROOM, 0);

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	if (l->kind[fd] == NEW) {
		if (n >= 3 && memcmp(l->room, "SRC", 3) == 0) {
			memset(l->room, 0, ROOM);
			watch(l, fd, SRC);
			return 0;
		}
		l->kind[fd] = HTTP;
		if (n >= 12 && memcmp(l->room, "SINK", 4) == 0) {
			l->kind[fd] = SINK;
			memcpy(&l->until[fd], l->room + 4, 8);
		}
	}
	if (l->kind[fd] == SINK && now_ns() < l->until[fd]) {
		l->got[fd] += (uint64_t)n;
	} else if (l->kind[fd] == SINK && l->until[fd]) {
		l->until[fd] = 0;
		(void)send(fd, &l->got[fd], sizeof(l->got[fd]), MSG_NOSIGNAL);
	}
	return l->kind[fd] == HTTP ? respond(fd, l->room, (size_t)n) : 0;
}

static int writable(struct loop *l, int fd)
{
	ssize_t n = send(fd, l->room, ROOM, MSG_NOSIGNAL);

	return n < 0 && errno != EAGAIN ? -1 : 0;
}

static void serve(char **argv)
{
	static struct loop l;
	struct epoll_event ready[256];

	l.ep = epoll_create1(EPOLL_CLOEXEC);
	if (l.ep < 0)
		die("epoll_create1");
	for (char **port = argv + 2; *port; port++) {
		int fd = listen_on(argv[1], *port);

		l.kind[fd] = LISTENER;
		watch(&l, fd, LISTENER);
	}
	for (;;) {
		int n = epoll_wait(l.ep, ready, 256, -1);

		for (int i = 0; i < n; i++) {
			int fd = ready[i].data.fd;
			int bad = 0;

			if (l.kind[fd] == LISTENER)
				accept_all(&l, fd);
			else if (l.kind[fd] == SRC)
				bad = writable(&l, fd);
			else
				bad = readable(&l, fd);
			if (bad)
				(void)close(fd);
		}
	}
}

int main(int argc, char **argv)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (argc < 3) {
		(void)fputs("usage: netfar ADDRESS PORT...\n", stderr);
		return 2;
	}
	for (long i = 1; i < cores; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
				die("prctl");
			break;
		}
	}
	serve(argv);
	return 0;
}
