/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/server.h"

#include <errno.h>
#include <stdlib.h>

#include "dnsfilter/tcp.h"
#include "dnsfilter/udp.h"

struct server {
	struct udp_socket *udp[DNS_LISTENERS_MAX];
	int n_udp;
	struct tcp *tcp;
};

int server_new(struct server **ret, struct loop *l,
	       const struct dnsfilter_config *config,
	       const struct listener_ops *ops)
{
	struct server *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	rc = tcp_new(&s->tcp, l, config->tcp, config->n_tcp, ops);
	for (int i = 0; rc == 0 && i < config->n_udp; i++) {
		rc = udp_new(&s->udp[i], l, config->udp[i], ops);
		if (rc == 0)
			s->n_udp++;
	}
	if (rc < 0) {
		server_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	for (int i = 0; i < s->n_udp; i++)
		udp_free(s->udp[i]);
	tcp_free(s->tcp);
	free(s);
}

int server_pause(struct server *s, bool paused)
{
	int rc = tcp_pause(s->tcp, paused);

	for (int i = 0; rc == 0 && i < s->n_udp; i++)
		rc = udp_pause(s->udp[i], paused);
	return rc;
}

void server_hold(const struct dns_client *client)
{
	if (client->conn)
		tcp_hold(client->conn);
}

void server_reply(const struct dns_client *client, const uint8_t *msg,
		  size_t len)
{
	if (client->conn)
		tcp_reply(client->conn, msg, len);
	else
		udp_reply(client, msg, len);
}

void server_forget(const struct dns_client *client)
{
	if (client->conn)
		tcp_forget(client->conn);
}
