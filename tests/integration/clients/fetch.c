/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fetch NAME: looks NAME up with the libc's getaddrinfo() or, compiled with
 * -DWITH_CARES, with c-ares and its own defaults; prints the addresses, then
 * what the first one that connects says to "GET /". Linked statically with
 * musl, it is a program that knows of no nsswitch.conf and asks for A and AAAA
 * at once.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef WITH_CARES
#include <ares.h>
#endif

#define FOUND_MAX 16

struct found {
	struct sockaddr_storage addr[FOUND_MAX];
	socklen_t len[FOUND_MAX];
	int n;
};

static void add(struct found *f, const struct sockaddr *sa, socklen_t len)
{
	char text[NI_MAXHOST];

	if (f->n == FOUND_MAX)
		return;
	memcpy(&f->addr[f->n], sa, len);
	f->len[f->n++] = len;
	if (getnameinfo(sa, len, text, sizeof(text), NULL, 0, NI_NUMERICHOST) ==
	    0)
		printf("%s\n", text);
}

#ifdef WITH_CARES
struct answer {
	struct found *found;
	int status;
};

static void on_answer(void *arg, int status, int timeouts,
		      struct ares_addrinfo *info)
{
	struct answer *a = arg;

	(void)timeouts;
	a->status = status;
	for (struct ares_addrinfo_node *n = info ? info->nodes : NULL; n;
	     n = n->ai_next)
		add(a->found, n->ai_addr, n->ai_addrlen);
	ares_freeaddrinfo(info);
}

static const char *look_up(const char *name, struct found *f)
{
	struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC };
	struct answer a = { f, ARES_ENODATA };
	ares_channel channel;
	int status = ares_init(&channel);

	if (status != ARES_SUCCESS)
		return ares_strerror(status);
	ares_getaddrinfo(channel, name, "80", &hints, on_answer, &a);
	for (;;) {
		struct timeval room;
		fd_set in, out;
		int n;

		FD_ZERO(&in);
		FD_ZERO(&out);
		n = ares_fds(channel, &in, &out);
		if (n == 0)
			break;
		(void)select(n, &in, &out, NULL,
			     ares_timeout(channel, NULL, &room));
		ares_process(channel, &in, &out);
	}
	ares_destroy(channel);
	return a.status == ARES_SUCCESS ? NULL : ares_strerror(a.status);
}
#else
static const char *look_up(const char *name, struct found *f)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list;
	int rc = getaddrinfo(name, "80", &hints, &list);

	if (rc != 0)
		return gai_strerror(rc);
	for (struct addrinfo *i = list; i; i = i->ai_next)
		add(f, i->ai_addr, i->ai_addrlen);
	freeaddrinfo(list);
	return NULL;
}
#endif

static int talk(int fd, const char *name)
{
	char buf[4096];
	ssize_t n;
	int len = snprintf(buf, sizeof(buf),
			   "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", name);

	if (write(fd, buf, (size_t)len) != len)
		return 1;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		(void)fwrite(buf, 1, (size_t)n, stdout);
	return n == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct found f = { .n = 0 };
	const char *fault = argc == 2 ? look_up(argv[1], &f) : "usage";

	if (fault) {
		fprintf(stderr, "%s\n", fault);
		return 1;
	}
	for (int i = 0; i < f.n; i++) {
		int fd = socket(f.addr[i].ss_family, SOCK_STREAM, 0);

		if (fd >= 0 && connect(fd, (struct sockaddr *)&f.addr[i],
				       f.len[i]) == 0)
			return talk(fd, argv[1]);
	}
	perror("connect");
	return 1;
}
