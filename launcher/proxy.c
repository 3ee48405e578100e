/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/proxy.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common/log.h"
#include "launcher/credentials.h"

/* With the host's resolver: before anything is built, and the only look-up
 * that this process makes. */
static int resolve(struct proxy *p, struct err *e)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
					.ai_socktype = SOCK_STREAM,
					.ai_flags = AI_ADDRCONFIG };
	const char *host = p->rules->host;
	struct addrinfo *list = NULL;
	int rc;

	if (addr_parse(host, &p->addr[0])) {
		p->n = 1;
		return 0;
	}
	rc = getaddrinfo(host, NULL, &hints, &list);
	for (const struct addrinfo *i = rc == 0 ? list : NULL;
	     i && p->n < PROXY_ADDRESSES_MAX; i = i->ai_next) {
		struct sockaddr_storage ss = { 0 };
		uint16_t port;

		memcpy(&ss, i->ai_addr, i->ai_addrlen);
		p->n += addr_from_sockaddr(&ss, &p->addr[p->n], &port);
	}
	if (list)
		freeaddrinfo(list);
	if (p->n > 0)
		return 0;
	return err_set(e, ENOENT,
		       "the upstream proxy '%s' has no address: %s; is this "
		       "the network that it belongs to?",
		       host, rc ? gai_strerror(rc) : "none of IPv4 or IPv6");
}

static int take_credential(struct proxy *p, const struct identity *id,
			   const struct grants *g, bool require, struct err *e)
{
	struct err why = { 0 };
	int rc;

	if (!p->rules->credential)
		return 0;
	rc = credential_read(p->rules->credential, id, g, &p->credential, &why);
	if (rc == 0 && !memchr(p->credential.data, ':', p->credential.len))
		rc = err_set(&why, EINVAL,
			     "it is not of the form USER:PASSWORD");
	/* Not for the helpers, nor for the processes inside. */
	if (rc == 0 && madvise(p->credential.data, p->credential.size,
			       MADV_WIPEONFORK) < 0)
		rc = err_errno(&why, errno, "madvise");
	if (rc == 0)
		return 0;
	secret_free(&p->credential);
	if (rc == -ENOMEM || require)
		return err_set(e, -rc,
			       "no credential for the upstream proxy: %s",
			       why.msg);
	log_warning("no credential for the upstream proxy: %s", why.msg);
	return 0;
}

int proxy_open(struct proxy *ret, const struct proxy_rules *u,
	       const struct identity *id, const struct grants *g, bool require,
	       struct err *e)
{
	int rc;

	*ret = (struct proxy) { 0 };
	if (!u->host)
		return 0;
	ret->rules = u;
	rc = resolve(ret, e);
	return rc < 0 ? rc : take_credential(ret, id, g, require, e);
}

void proxy_done(struct proxy *p)
{
	secret_free(&p->credential);
	*p = (struct proxy) { 0 };
}

const char *proxy_credential(const struct proxy *p)
{
	return p->credential.len > 0 ? p->credential.data : NULL;
}
