/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/rdata.h"

#include "dnsfilter/message.h"
#include "profiles/hostname.h"

/* One letter a field: b a byte, s two, n a name, v a string that is not empty,
 * t strings to the end, one at least, r the rest. */
static const struct {
	uint16_t type;
	const char *fields;
} layouts[] = {
	{ DNS_TYPE_PTR, "n" },	 { DNS_TYPE_MX, "sn" },
	{ DNS_TYPE_TXT, "t" },	 { DNS_TYPE_SRV, "sssn" },
	{ DNS_TYPE_CAA, "bvr" },
};

static void copy(struct wire_reader *r, size_t n, struct wire_writer *w)
{
	const uint8_t *p = wire_get_bytes(r, n);

	if (p)
		wire_put_bytes(w, p, n);
}

static bool copy_name(struct wire_reader *r, struct wire_writer *w)
{
	struct wire_name name;
	char text[HOSTNAME_BUF];

	if (!wire_get_name(r, true, &name))
		return false;
	wire_name_fold(&name);
	if (name.len > 1 && !hostname_from_wire(name.bytes, text))
		return false;
	wire_put_bytes(w, name.bytes, name.len);
	return true;
}

static bool copy_string(struct wire_reader *r, struct wire_writer *w)
{
	uint8_t len = wire_get_u8(r);

	wire_put_u8(w, len);
	copy(r, len, w);
	return len > 0;
}

static bool copy_field(struct wire_reader *r, char field, size_t end,
		       struct wire_writer *w)
{
	switch (field) {
	case 'n':
		return copy_name(r, w);
	case 'v':
		return copy_string(r, w);
	case 't':
		do
			(void)copy_string(r, w);
		while (!r->bad && r->pos < end);
		return true;
	case 'r':
		copy(r, r->pos < end ? end - r->pos : 0, w);
		return true;
	default:
		copy(r, field == 's' ? 2 : 1, w);
		return true;
	}
}

bool rdata_rewrite(struct wire_reader *r, size_t len, uint16_t type,
		   struct wire_writer *w)
{
	size_t end = r->pos + len;
	const char *fields = NULL;

	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i].type == type)
			fields = layouts[i].fields;
	if (!fields)
		return false;
	for (; *fields; fields++)
		if (!copy_field(r, *fields, end, w))
			return false;
	return !r->bad && r->pos == end;
}
