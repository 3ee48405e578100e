/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/dnsfilter.h"

#include <signal.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/loop.h"
#include "dnsfilter/filter.h"

static int serve(const struct dnsfilter_config *c, struct loop *l,
		 struct err *e)
{
	struct filter *f;
	int rc = filter_new(&f, l, c, e);
	int status;

	if (rc < 0)
		return rc;
	rc = loop_run(l);
	status = filter_status(f);
	filter_free(f);
	return rc < 0 ? err_errno(e, -rc, "dns filter: epoll_wait") : status;
}

static void close_all(const struct dnsfilter_config *c)
{
	for (int i = 0; i < c->n_udp; i++)
		(void)close(c->udp[i]);
	for (int i = 0; i < c->n_tcp; i++)
		(void)close(c->tcp[i]);
	(void)close(c->changed);
	(void)close(c->desk);
	(void)close(c->channel);
}

int dnsfilter_main(const struct dnsfilter_config *c)
{
	struct loop *l = NULL;
	struct err e;
	int rc;

	/* Upstream sockets are written to without MSG_NOSIGNAL. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
		log_error("dns filter: cannot ignore SIGPIPE");
		return 1;
	}
	rc = loop_new(&l, &e);
	if (rc == 0)
		rc = serve(c, l, &e);
	if (rc < 0)
		log_error("%s", e.msg);
	loop_free(l);
	close_all(c);
	return rc < 0 ? 1 : rc;
}
