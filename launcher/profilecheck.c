/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `profile check`: every step of a run up to the point where something is
 * made or a secret is read. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "launcher/files.h"
#include "launcher/print.h"
#include "launcher/profilecmd.h"
#include "launcher/profilejson.h"

static int check_one(struct profile_call *c, const char *name,
		     struct loaded *ret, struct err *e)
{
	struct netpolicy net = { 0 };
	struct grants grants = { 0 };
	struct limits limits = { 0 };
	int rc = profile_load(c, name, ret, e);

	if (rc == 0)
		rc = prepare_check(&c->base, ret, false, &net, e);
	netpolicy_done(&net);
	if (rc == 0)
		rc = prepare_grace(ret->effective, NULL, e);
	if (rc == 0)
		rc = files_limits(&c->base.arena, ret->effective, &limits, e);
	if (rc == 0)
		rc = grants_resolve(ret->effective, &c->base.vars,
				    &c->base.arena, &grants, e);
	return rc;
}

static void print_result(const char *name, const struct loaded *l,
			 const struct err *e)
{
	if (e) {
		log_error("%s: not valid: %s", name, e->msg);
		return;
	}
	print_escaped(name);
	printf(": valid\n");
	for (const struct profile_note *n = l->effective->notes; n;
	     n = n->next) {
		printf("  warning: ");
		print_escaped(n->text);
		printf("\n");
	}
}

/* Appends to list; -ENOMEM. */
static int add_result(cJSON *list, const char *name, const struct loaded *l,
		      const struct err *e)
{
	cJSON *row = cJSON_CreateObject();
	cJSON *warnings = NULL;

	if (!row || !cJSON_AddItemToArray(list, row) ||
	    !cJSON_AddStringToObject(row, "file", name) ||
	    !cJSON_AddBoolToObject(row, "valid", !e) ||
	    (e && !cJSON_AddStringToObject(row, "error", e->msg)))
		return -ENOMEM;
	warnings = cJSON_AddArrayToObject(row, "warnings");
	if (!warnings)
		return -ENOMEM;
	for (const struct profile_note *n = e ? NULL : l->effective->notes; n;
	     n = n->next) {
		cJSON *text = cJSON_CreateString(n->text);

		if (!text || !cJSON_AddItemToArray(warnings, text))
			return -ENOMEM;
	}
	return 0;
}

int profile_check(struct profile_call *c, int *ret_status, struct err *e)
{
	cJSON *list = c->json ? cJSON_CreateArray() : NULL;
	int rc = c->json && !list ? -ENOMEM : 0;

	for (size_t i = 0; rc == 0 && i < c->names.n; i++) {
		const char *name = c->names.items[i];
		struct err why = { 0 };
		struct loaded l = { 0 };
		const struct err *bad =
			check_one(c, name, &l, &why) < 0 ? &why : NULL;

		if (bad)
			*ret_status = PROFILE_EXIT_BAD;
		if (list)
			rc = add_result(list, name, &l, bad);
		else
			print_result(name, &l, bad);
	}
	if (rc < 0) {
		cJSON_Delete(list);
		return err_errno(e, ENOMEM, "profile check");
	}
	return list ? profilejson_print(list, e) : 0;
}
