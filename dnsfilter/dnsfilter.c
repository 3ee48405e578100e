/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/dnsfilter.h"

#include <signal.h>

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
	return rc < 0 ? 1 : rc;
}
