/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/netplace.h"

int netplace_error(struct arena *a, const struct origin *o, const char *path,
		   const struct err *why, struct err *e)
{
	const char *at;

	if (origin_is_flag(o))
		return err_set(e, why->code, "%s", why->msg);
	at = origin_text(a, o);
	return err_set(e, why->code, "%s: %s: %s", at ? at : o->file, path,
		       why->msg);
}
