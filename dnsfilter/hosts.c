/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/hosts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/fd.h"
#include "common/log.h"
#include "profiles/hostname.h"

#define FILE_BYTES_MAX (16u << 20)
#define READ_FIRST     8192
#define BLANKS	       " \t\r\n\v\f"

/* One address of one name; the name stands in hosts.names at this offset. */
struct host {
	size_t name;
	struct addr addr;
};

struct hosts {
	const struct allowlist *al;
	struct host *host; /* by name, then in the order of the file */
	size_t n_hosts;
	size_t hosts_room;
	char *names;
	size_t names_len;
	size_t names_room;
};

int hosts_new(struct hosts **ret, const struct allowlist *al)
{
	struct hosts *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->al = al;
	*ret = h;
	return 0;
}

void hosts_free(struct hosts *h)
{
	if (!h)
		return;
	free(h->host);
	free(h->names);
	free(h);
}

static bool make_room(struct hosts *h, size_t name_size)
{
	if (h->n_hosts == h->hosts_room) {
		size_t room = h->hosts_room ? 2 * h->hosts_room : 16;
		struct host *host = reallocarray(h->host, room, sizeof(*host));

		if (!host)
			return false;
		h->host = host;
		h->hosts_room = room;
	}
	if (name_size > h->names_room - h->names_len) {
		size_t room = 2 * h->names_room + name_size;
		char *names = realloc(h->names, room);

		if (!names)
			return false;
		h->names = names;
		h->names_room = room;
	}
	return true;
}

static void add(struct hosts *h, const char *word, const struct addr *a)
{
	char name[HOSTNAME_BUF];
	struct allow_ports ports;
	size_t size;

	/* Names in UTF-8 do not occur in practice; their conversion would load
	 * a library. */
	for (const char *p = word; *p; p++)
		if (*p & 0x80)
			return;
	if (hostname_from_text(word, name, NULL) < 0 ||
	    !allowlist_match(h->al, name, &ports))
		return;
	size = strlen(name) + 1;
	if (!make_room(h, size))
		return;
	h->host[h->n_hosts++] =
		(struct host) { .name = h->names_len, .addr = *a };
	memcpy(h->names + h->names_len, name, size);
	h->names_len += size;
}

static void parse_line(struct hosts *h, char *line)
{
	char *save = NULL;
	char *word;
	struct addr a;

	line[strcspn(line, "#")] = '\0';
	word = strtok_r(line, BLANKS, &save);
	if (!word || !addr_parse(word, &a))
		return;
	while ((word = strtok_r(NULL, BLANKS, &save)))
		add(h, word, &a);
}

/* The file's text, with its end; NULL: out of memory.  What cannot be read is
 * as good as empty, as for the libc. */
static char *read_text(int fd)
{
	size_t room = READ_FIRST, len = 0;
	char *text = malloc(room);

	while (text) {
		ssize_t n = fd < 0 ? 0
				   : pread(fd, text + len, room - len - 1,
					   (off_t)len);
		char *more;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len < room - 1)
			continue;
		if (len >= FILE_BYTES_MAX) {
			log_warning("/etc/hosts: only the first %u MiB are "
				    "used",
				    FILE_BYTES_MAX >> 20);
			break;
		}
		room *= 2;
		more = realloc(text, room);
		if (!more)
			free(text);
		text = more;
	}
	if (text)
		text[len] = '\0';
	return text;
}

static int by_name(const void *a, const void *b, void *arg)
{
	const struct host *x = a, *y = b;
	const struct hosts *h = arg;
	int order = strcmp(h->names + x->name, h->names + y->name);

	if (order != 0)
		return order;
	return x->name < y->name ? -1 : 1;
}

int hosts_load(struct hosts *h, int fd)
{
	cleanup_free char *text = read_text(fd);
	char *rest = text;
	char *line;

	if (!text)
		return -ENOMEM;
	h->n_hosts = 0;
	h->names_len = 0;
	while ((line = strsep(&rest, "\n")))
		parse_line(h, line);
	if (h->n_hosts > 0)
		qsort_r(h->host, h->n_hosts, sizeof(h->host[0]), by_name, h);
	return 0;
}

/* The first whose name is not before this one. */
static size_t lower_bound(const struct hosts *h, const char *name)
{
	size_t from = 0, to = h->n_hosts;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (strcmp(h->names + h->host[middle].name, name) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

bool hosts_find(const struct hosts *h, const char *name, uint16_t type,
		struct dns_chain *ret)
{
	int family = type == DNS_TYPE_AAAA ? AF_INET6 : AF_INET;
	bool found = false;

	dns_chain_init(ret, type, HOSTS_TTL_SEC);
	for (size_t i = lower_bound(h, name);
	     i < h->n_hosts && strcmp(h->names + h->host[i].name, name) == 0;
	     i++) {
		found = true;
		if (h->host[i].addr.family == family)
			dns_chain_add(ret, h->host[i].addr.bytes);
	}
	return found;
}
