/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/tunnel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define ANSWER_MAX     16384 /* bytes of its head */
#define READ_SIZE      2048
#define CREDENTIAL_MAX 1024
#define STATUS_SHOWN   60 /* bytes of the status line in messages */
/* The end of a head, but for its last byte. */
#define TAIL 3

/* Small: the command may have thousands under way. */
struct tunnel {
	char *request; /* freed when it is sent */
	size_t request_len;
	size_t sent;
	char status[sizeof("HTTP/1.1 ") + STATUS_SHOWN];
	char tail[TAIL]; /* of what was taken */
	size_t answer_len;
};

static void base64(const char *text, char *to)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/=";
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i += 3) {
		uint32_t n = (uint32_t)(unsigned char)text[i] << 16;

		if (i + 1 < len)
			n |= (uint32_t)(unsigned char)text[i + 1] << 8;
		if (i + 2 < len)
			n |= (uint32_t)(unsigned char)text[i + 2];
		*to++ = digits[n >> 18];
		*to++ = digits[n >> 12 & 63];
		*to++ = digits[i + 1 < len ? n >> 6 & 63 : 64];
		*to++ = digits[i + 2 < len ? n & 63 : 64];
	}
	*to = '\0';
}

int tunnel_new(struct tunnel **ret, const char *host, uint16_t port,
	       const char *credential)
{
	char authorization[CREDENTIAL_MAX / 3 * 4 + 8] = "";
	bool is_v6 = strchr(host, ':') != NULL;
	struct tunnel *t;
	char at[300];
	int n = snprintf(at, sizeof(at), is_v6 ? "[%s]:%u" : "%s:%u", host,
			 port);

	if (n < 0 || (size_t)n >= sizeof(at) ||
	    (credential && strlen(credential) > CREDENTIAL_MAX))
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	if (credential)
		base64(credential, authorization);
	n = asprintf(&t->request,
		     "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", at, at,
		     credential ? "Proxy-Authorization: Basic " : "",
		     authorization, credential ? "\r\n" : "");
	explicit_bzero(authorization, sizeof(authorization));
	if (n < 0) {
		free(t);
		return -ENOMEM;
	}
	t->request_len = (size_t)n;
	*ret = t;
	return 0;
}

static void drop_request(struct tunnel *t)
{
	if (t->request)
		explicit_bzero(t->request, t->request_len);
	free(t->request);
	t->request = NULL;
}

void tunnel_free(struct tunnel *t)
{
	if (t)
		drop_request(t);
	free(t);
}

/* 1: all is sent; 0: no room now. */
static int send_request(struct tunnel *t, int fd)
{
	while (t->sent < t->request_len) {
		ssize_t n =
			send(fd, t->request + t->sent, t->request_len - t->sent,
			     MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		t->sent += (size_t)n;
	}
	drop_request(t);
	return 1;
}

/* The status line is at the front. */
static void keep_status(struct tunnel *t, const char *data, size_t n)
{
	if (t->answer_len >= sizeof(t->status) - 1)
		return;
	if (n > sizeof(t->status) - 1 - t->answer_len)
		n = sizeof(t->status) - 1 - t->answer_len;
	memcpy(t->status + t->answer_len, data, n);
}

/* Takes the answer's head and nothing behind it.  1: it is whole; 0: more is
 * to come. */
static int take_head(struct tunnel *t, int fd)
{
	char buf[TAIL + READ_SIZE];

	while (t->answer_len < ANSWER_MAX) {
		ssize_t n = recv(fd, buf + TAIL, READ_SIZE,
				 MSG_PEEK | MSG_DONTWAIT);
		const char *end;
		size_t take;

		if (n == 0)
			return -ECONNRESET;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		memcpy(buf, t->tail, TAIL);
		end = memmem(buf, TAIL + (size_t)n, "\r\n\r\n", 4);
		take = end ? (size_t)(end + 4 - (buf + TAIL)) : (size_t)n;
		keep_status(t, buf + TAIL, take);
		if (recv(fd, buf + TAIL, take, MSG_DONTWAIT) != (ssize_t)take)
			return -EIO;
		memcpy(t->tail, buf + take, TAIL);
		t->answer_len += take;
		if (end)
			return 1;
	}
	return -EMSGSIZE;
}

/* "HTTP/1.x NNN ...": the number, or -EPROTO. */
static int status_of(const char *answer)
{
	const char *code = answer + strlen("HTTP/1.1 ");

	if (strncmp(answer, "HTTP/1.", 7) != 0 ||
	    (answer[7] != '0' && answer[7] != '1') || answer[8] != ' ')
		return -EPROTO;
	for (int i = 0; i < 3; i++)
		if (code[i] < '0' || code[i] > '9')
			return -EPROTO;
	if (code[3] != ' ' && code[3] != '\r')
		return -EPROTO;
	return (code[0] - '0') * 100 + (code[1] - '0') * 10 + code[2] - '0';
}

static int judge(const struct tunnel *t, struct err *e)
{
	int status = status_of(t->status);
	size_t line = strcspn(t->status, "\r\n");
	size_t skip = strlen("HTTP/1.1 ");

	if (status >= 200 && status < 300)
		return 1;
	if (status < 0)
		return err_set(e, EHOSTUNREACH,
			       "what answers is no HTTP proxy");
	line = line > skip ? line - skip : 0;
	return err_set(e, status >= 500 ? EHOSTUNREACH : ECONNREFUSED,
		       "the proxy answered '%.*s'%s",
		       (int)(line < STATUS_SHOWN ? line : STATUS_SHOWN),
		       t->status + skip,
		       status == 407 ? "; set egress_run.upstream_credential"
				     : "");
}

int tunnel_step(struct tunnel *t, int fd, uint32_t *ret_events, struct err *e)
{
	int rc = t->request ? send_request(t, fd) : 1;

	*ret_events = EPOLLOUT;
	if (rc > 0) {
		*ret_events = EPOLLIN;
		rc = take_head(t, fd);
	}
	if (rc < 0)
		return err_set(e, EHOSTUNREACH, "no answer of the proxy: %s",
			       strerror(-rc));
	return rc > 0 ? judge(t, e) : 0;
}
