/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/ports.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "profiles/keys.h"
#include "profiles/netplace.h"

/* Digits alone, 1 to 65535. */
static bool port_parse(const char **at, uint16_t *ret)
{
	unsigned long n = 0;

	if (!isdigit((unsigned char)**at))
		return false;
	for (; isdigit((unsigned char)**at); (*at)++) {
		n = n * 10 + (unsigned long)(**at - '0');
		if (n > UINT16_MAX)
			return false;
	}
	*ret = (uint16_t)n;
	return n > 0;
}

bool port_range_parse(const char *text, struct port_range *ret)
{
	if (!port_parse(&text, &ret->first))
		return false;
	ret->last = ret->first;
	if (*text == '-') {
		text++;
		if (!port_parse(&text, &ret->last))
			return false;
	}
	return *text == '\0' && ret->first <= ret->last;
}

static int add(struct arena *a, enum profile_key key, const struct field *f,
	       struct port_range *ranges, size_t *n, struct err *e)
{
	for (size_t i = 0; i < f->n; i++) {
		struct err why;

		if (port_range_parse(f->items[i].text, &ranges[*n])) {
			(*n)++;
			continue;
		}
		(void)err_set(&why, EINVAL,
			      "'%s' is not a port, nor a range of them",
			      f->items[i].text);
		return netplace_error(a, &f->items[i].from, key_spec(key)->path,
				      &why, e);
	}
	return 0;
}

static int by_first(const void *x, const void *y)
{
	const struct port_range *a = x;
	const struct port_range *b = y;

	return (a->first > b->first) - (a->first < b->first);
}

static size_t merge(struct port_range *ranges, size_t n)
{
	size_t used = 0;

	if (n > 0)
		qsort(ranges, n, sizeof(*ranges), by_first);
	for (size_t i = 0; i < n; i++) {
		struct port_range *top = used ? &ranges[used - 1] : NULL;

		if (!top || ranges[i].first > (uint32_t)top->last + 1)
			ranges[used++] = ranges[i];
		else if (ranges[i].last > top->last)
			top->last = ranges[i].last;
	}
	return used;
}

int ports_compile(const struct profile *p, enum profile_key single,
		  enum profile_key range, struct arena *a, struct ports *ret,
		  struct err *e)
{
	const struct field *one = &p->field[single];
	const struct field *many = &p->field[range];
	struct port_range *ranges =
		arena_alloc(a, one->n + many->n + 1, sizeof(*ranges));
	size_t n = 0;
	int rc;

	if (!ranges)
		return err_errno(e, ENOMEM, "%s", key_spec(single)->path);
	rc = add(a, single, one, ranges, &n, e);
	if (rc == 0)
		rc = add(a, range, many, ranges, &n, e);
	if (rc < 0)
		return rc;
	*ret = (struct ports) { .ranges = ranges, .n = merge(ranges, n) };
	return 0;
}

int ports_subtract(const struct ports *p, const struct ports *less,
		   struct arena *a, struct ports *ret)
{
	struct port_range *ranges =
		arena_alloc(a, p->n + less->n + 1, sizeof(*ranges));
	size_t n = 0;

	if (!ranges)
		return -ENOMEM;
	for (size_t i = 0; i < p->n; i++) {
		uint32_t first = p->ranges[i].first;
		uint32_t last = p->ranges[i].last;

		for (size_t k = 0; k < less->n && first <= last; k++) {
			const struct port_range *cut = &less->ranges[k];

			if (cut->last < first || cut->first > last)
				continue;
			if (cut->first > first)
				ranges[n++] = (struct port_range) {
					(uint16_t)first,
					(uint16_t)(cut->first - 1)
				};
			first = (uint32_t)cut->last + 1;
		}
		if (first <= last)
			ranges[n++] = (struct port_range) { (uint16_t)first,
							    (uint16_t)last };
	}
	*ret = (struct ports) { .ranges = ranges, .n = n };
	return 0;
}

bool ports_has(const struct ports *p, uint16_t port)
{
	size_t lo = 0;
	size_t hi = p->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (port > p->ranges[mid].last)
			lo = mid + 1;
		else if (port < p->ranges[mid].first)
			hi = mid;
		else
			return true;
	}
	return false;
}

size_t ports_count(const struct ports *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += (size_t)(p->ranges[i].last - p->ranges[i].first) + 1;
	return n;
}
