/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages on stdin, each behind its length in decimal and a line feed; for
 * each one line: the bytes cleared, the requests' hosts, "! reason". */
#include <stdio.h>
#include <stdlib.h>

#include "relay/http1.h"

static void tell(const char *data, size_t len)
{
	enum http1_event e = HTTP1_MORE;
	char hosts[65536] = "";
	struct http1 r;
	size_t used;
	size_t n = 0;

	http1_init(&r);
	while (len > 0 && e < HTTP1_WAIT) {
		e = http1_read(&r, data, len, &used);
		data += used;
		len -= used;
		if (e == HTTP1_REQUEST) {
			n += (size_t)snprintf(hosts + n, sizeof(hosts) - n,
					      " %s", r.authority.host);
			http1_approve(&r);
		}
	}
	(void)printf("%llu%s%s%s\n", (unsigned long long)r.cleared, hosts,
		     r.reason ? " ! " : "", r.reason ? r.reason : "");
}

int main(void)
{
	size_t len;

	while (scanf("%zu", &len) == 1 && getchar() == '\n') {
		char *data = malloc(len + 1);

		if (!data || fread(data, 1, len, stdin) != len)
			return 1;
		tell(data, len);
		free(data);
	}
	return 0;
}
