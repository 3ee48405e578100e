/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <cjson/cJSON.h>

#include "launcher/flags.h"
#include "launcher/monitor.h"
#include "launcher/prepare.h"
#include "launcher/print.h"
#include "launcher/probe.h"
#include "launcher/probesandbox.h"
#include "launcher/profilejson.h"
#include "profiles/trust.h"

/* As the libraries of programs have. */
#define RESOLVERS_MAX 3

static const char help_text[] =
	"Usage: egress-run doctor [--json] [--user NAME]\n"
	"Tries what a run needs of this machine, and prints a line for each: "
	"what it is,\n"
	"what that means, and what to do.  Nothing is sent, and nothing left "
	"behind.\n"
	"\n"
	"  ok        there\n"
	"  note      worth knowing; runs are as tight without\n"
	"  degraded  a run needs --allow-degraded\n"
	"  missing   no run is possible\n"
	"  untried   needs another that is missing\n"
	"\n"
	"      --json       print JSON\n"
	"      --user NAME  as root: for runs of this user\n"
	"  -h, --help\n"
	"\n"
	"Exit status: 0 if runs work in full, 1 if they need "
	"--allow-degraded, 2 if none is\n"
	"possible, or for wrong usage.  See egress-run(1).\n";

static const char *const words_of_state[PROBE__COUNT] = {
	[PROBE_OK] = "ok",	     [PROBE_NOTE] = "note",
	[PROBE_UNTRIED] = "untried", [PROBE_DEGRADED] = "degraded",
	[PROBE_MISSING] = "missing",
};

static const struct verdict {
	const char *word; /* in JSON */
	const char *text;
} verdicts[] = {
	{ "full", "runs work in full" },
	{ "degraded", "runs need --allow-degraded" },
	{ "impossible", "no run is possible" },
};

struct call {
	struct base base;
	const char *user;
	bool json, help;
	struct finding findings[MEASURE__COUNT];
};

/* ---- what needs no trial --------------------------------------------------
 */

static void look_at_profiles(struct call *c, struct finding *f)
{
	struct base *b = &c->base;
	struct library_file file;
	struct library_item *items = NULL;
	struct err e = { 0 };
	size_t n = 0;
	int rc = library_read_shipped(&b->library, &b->arena, "default", &file,
				      &e);

	if (rc < 0) {
		finding_set(f, PROBE_MISSING, "%s", e.msg);
		return;
	}
	rc = library_list(&b->library, &b->arena, &items, &n, &e);
	finding_set(f, PROBE_OK, "%zu found", n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct stat st;

		if (items[i].place != LIBRARY_SHIPPED &&
		    stat(items[i].path, &st) == 0)
			rc = trust_check(items[i].path, &st, &e);
	}
	if (rc < 0) {
		finding_set(f, PROBE_NOTE, "%s", e.msg);
		f->loss = "runs with a profile from there are refused";
	}
}

static void look_at_resolvers(struct finding *f)
{
	FILE *file = fopen("/etc/resolv.conf", "re");
	char line[512];
	char address[64];
	size_t len = 0;
	int n = 0;

	finding_set(f, PROBE_NOTE,
		    "/etc/resolv.conf names no nameserver, so that this "
		    "machine itself is asked (127.0.0.1)");
	while (file && n < RESOLVERS_MAX && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " nameserver %63s", address) != 1)
			continue;
		f->state = PROBE_OK;
		len += (size_t)snprintf(f->what + len, sizeof(f->what) - len,
					"%s%s", n++ > 0 ? ", " : "", address);
	}
	if (file)
		(void)fclose(file);
}

static int examine(struct call *c, struct err *e)
{
	for (int i = 0; i < MEASURE__COUNT; i++)
		if (measures[i].probe)
			measures[i].probe(&c->findings[i]);
	look_at_profiles(c, &c->findings[MEASURE_PROFILES]);
	look_at_resolvers(&c->findings[MEASURE_RESOLVERS]);
	return probe_sandbox(&c->base.identity, c->findings, e);
}

/* ---- output ---------------------------------------------------------------
 */

static int judge(const struct finding *f)
{
	int worst = 0;

	for (int i = 0; i < MEASURE__COUNT; i++) {
		if (f[i].state == PROBE_DEGRADED && worst == 0)
			worst = DOCTOR_EXIT_DEGRADED;
		if (f[i].state == PROBE_MISSING || f[i].state == PROBE_UNTRIED)
			worst = DOCTOR_EXIT_MISSING;
	}
	return worst;
}

static const char *loss_of(const struct finding *f)
{
	return f->state == PROBE_MISSING ? verdicts[DOCTOR_EXIT_MISSING].text
					 : f->loss;
}

static void print_lines(const struct finding *findings, int verdict)
{
	for (int i = 0; i < MEASURE__COUNT; i++) {
		const struct finding *f = &findings[i];
		const char *loss = loss_of(f);

		printf("%-9s %-13s ", words_of_state[f->state],
		       measures[i].name);
		print_escaped(f->what);
		if (loss)
			printf("; %s", loss);
		if (f->remedy[0]) {
			printf("; ");
			print_escaped(f->remedy);
		}
		printf("\n");
	}
	printf("%s\n", verdicts[verdict].text);
}

/* False without memory. */
static bool add_text(cJSON *object, const char *key, const char *value)
{
	return !value || !value[0] ||
	       cJSON_AddStringToObject(object, key, value);
}

static bool add_finding(cJSON *list, const struct measure *m,
			const struct finding *f)
{
	cJSON *o = cJSON_CreateObject();

	if (!o || !cJSON_AddItemToArray(list, o)) {
		cJSON_Delete(o);
		return false;
	}
	return add_text(o, "measure", m->name) &&
	       add_text(o, "state", words_of_state[f->state]) &&
	       add_text(o, "what", f->what) &&
	       add_text(o, "consequence", loss_of(f)) &&
	       add_text(o, "remedy", f->remedy);
}

static int print_json(const struct finding *findings, int verdict,
		      struct err *e)
{
	cJSON *root = cJSON_CreateObject();
	struct utsname u = { 0 };
	cJSON *list = NULL;
	bool ok = root && uname(&u) == 0 &&
		  add_text(root, "version", VERSION) &&
		  add_text(root, "kernel", u.release) &&
		  add_text(root, "result", verdicts[verdict].word);

	if (ok)
		list = cJSON_AddArrayToObject(root, "measures");
	ok = list != NULL;
	for (int i = 0; ok && i < MEASURE__COUNT; i++)
		ok = add_finding(list, &measures[i], &findings[i]);
	if (!ok) {
		cJSON_Delete(root);
		root = NULL;
	}
	return profilejson_print(root, e);
}

/* ---- command line ----------------------------------------------------------
 */

static int read_words(struct call *c, char **words, struct err *e)
{
	struct flag_reader r = { .table = doctor_flags, .argv = words };
	struct flag_read read;
	int rc;

	while ((rc = flags_next(&r, &read, e)) > 0) {
		if (read.flag->id == FLAG_HELP)
			c->help = true;
		else if (read.flag->id == FLAG_JSON)
			c->json = true;
		else
			c->user = read.value[0];
	}
	if (rc == 0 && words[r.next])
		return err_set(e, EINVAL,
			       "doctor takes no '%s'; to run a program called "
			       "doctor write 'egress-run -- doctor'",
			       words[r.next]);
	return rc;
}

static int run_doctor(struct call *c, int *ret_status, struct err *e)
{
	int rc = base_open(&c->base, c->user, e);
	int verdict;

	*ret_status = EXIT_FAILED;
	if (rc == 0)
		rc = examine(c, e);
	if (rc < 0)
		return rc;
	verdict = judge(c->findings);
	if (c->json)
		rc = print_json(c->findings, verdict, e);
	else
		print_lines(c->findings, verdict);
	if (rc == 0 && print_finish() < 0)
		rc = err_set(e, EIO, "write to standard output failed");
	if (rc == 0)
		*ret_status = verdict;
	return rc;
}

int doctor_command(char **words, int *ret_status, struct err *e)
{
	struct call c = { 0 };
	int rc = read_words(&c, words, e);

	*ret_status = DOCTOR_EXIT_MISSING;
	if (rc == 0 && c.help) {
		(void)fputs(help_text, stdout);
		*ret_status = 0;
		if (print_finish() < 0) {
			*ret_status = EXIT_FAILED;
			rc = err_set(e, EIO, "write to standard output failed");
		}
	} else if (rc == 0) {
		rc = run_doctor(&c, ret_status, e);
	}
	base_done(&c.base);
	return rc;
}
