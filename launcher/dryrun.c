/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/dryrun.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fsrules/landlock.h"
#include "fsrules/netfiles.h"
#include "launcher/credentials.h"
#include "launcher/homefolders.h"
#include "launcher/prepare.h"
#include "launcher/print.h"

/* Bases and policy files of one profile: plenty. */
#define FILES_MAX 64

static void print_row(const char *label, const char *what, const char *text,
		      const struct origin *from)
{
	printf("%-10s %s", label, what);
	print_escaped(text);
	if (from) {
		printf("  (");
		print_origin(from);
		printf(")");
	}
	printf("\n");
}

static size_t add_file(const char **files, size_t n, const char *file)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(files[i], file) == 0)
			return n;
	if (n < FILES_MAX)
		files[n++] = file;
	return n;
}

/* The profile's own file and every other that something of it comes from. */
static void print_files(const struct prepared *p)
{
	const char *files[FILES_MAX];
	size_t n = 0;

	if (p->loaded.path)
		n = add_file(files, n, p->loaded.path);
	for (int k = 0; k < KEY__COUNT; k++) {
		const struct field *f = &p->loaded.effective->field[k];

		for (size_t i = 0; i < f->n; i++)
			if (f->items[i].from.file && f->items[i].from.line > 0)
				n = add_file(files, n, f->items[i].from.file);
	}
	for (size_t i = 0; i < n; i++)
		print_row("", "", files[i], NULL);
}

static void print_profile(const struct prepared *p)
{
	if (!p->named) {
		printf("profile:   none\n");
		return;
	}
	print_row("profile:", "", p->loaded.name, NULL);
	print_files(p);
}

static void print_denied(const struct prepared *p)
{
	const struct field *f =
		&p->loaded.effective->field[KEY_NET_DENY_DOMAIN];

	for (size_t i = 0; i < f->n; i++)
		print_row("deny:", "name ", f->items[i].text,
			  &f->items[i].from);
}

static void print_ports(const char *what, const struct ports *p)
{
	if (p->n == 0)
		return;
	printf("ports:     %s", what);
	for (size_t i = 0; i < p->n; i++) {
		printf(" %u", p->ranges[i].first);
		if (p->ranges[i].last > p->ranges[i].first)
			printf("-%u", p->ranges[i].last);
	}
	printf("\n");
}

static void print_types(const struct prepared *p)
{
	const struct field *f = &p->loaded.effective->field[KEY_OWN_DNS_TYPES];

	for (size_t i = 0; i < f->n; i++)
		print_row("allow:", "records ", f->items[i].text,
			  &f->items[i].from);
}

static void print_network(const struct prepared *p)
{
	static const char *const verify[] = {
		[VERIFY_NAMES] = "names inside connections too",
		[VERIFY_STRICT] = "strict: names inside connections too, and "
				  "nothing without one but on a port of its "
				  "entry",
		[VERIFY_OFF] = "off: addresses alone",
	};
	const struct allowlist *al = p->net.allow;

	if (p->net.kind == NETPOLICY_NOTHING)
		printf("allow:     nothing (see --allow-domain)\n");
	else if (p->net.kind == NETPOLICY_BLOCKED)
		printf("allow:     nothing (network.block)\n");
	else if (p->net.kind == NETPOLICY_OPEN)
		printf("allow:     every name and address (--allow-net)\n");
	for (size_t i = 0; i < allowlist_n_domains(al); i++)
		print_row("allow:", "name ", allowlist_domain(al, i), NULL);
	for (size_t i = 0; i < allowlist_n_networks(al); i++)
		print_row("allow:", "address ", allowlist_network(al, i)->text,
			  NULL);
	for (size_t i = 0; i < allowlist_n_private(al); i++)
		print_row("allow:", "private ", allowlist_private(al, i), NULL);
	print_types(p);
	print_denied(p);
	print_ports("of the host's loopback, reached from inside:",
		    &p->net.open);
	print_ports("of the host's loopback, leading inside:", &p->net.listen);
	printf("verify:    %s\n", verify[p->verify]);
	printf("grace:     %u seconds beyond TTL and last use\n", p->grace_sec);
}

/* It is missing, and will not be. */
static bool is_created(const struct prepared *p, const char *text)
{
	const struct field *f =
		&p->loaded.effective->field[KEY_OWN_CREATE_FOLDERS];

	for (size_t i = 0; i < f->n && !p->host_files; i++)
		if (strcmp(f->items[i].text, text) == 0)
			return true;
	return false;
}

/* Those of policy groups are noise where there is no profile. */
static void print_grants(const struct prepared *p)
{
	const struct grants *g = &p->grants;
	bool groups = p->named;
	static const char *const kinds[] = {
		[GRANT_DIR] = "",
		[GRANT_FILE] = "file ",
		[GRANT_SOCKET] = "socket ",
		[GRANT_SOCKET_DIR] = "sockets in ",
		[GRANT_SOCKET_TREE] = "sockets below ",
	};

	for (size_t i = 0; i < g->n; i++) {
		char what[48];

		if (g->items[i].from.group && !groups)
			continue;
		(void)snprintf(what, sizeof(what), "%-4s %s",
			       grant_access_text(g->items[i].access),
			       kinds[g->items[i].kind]);
		print_row("grant:", what, g->items[i].path, &g->items[i].from);
	}
	for (size_t i = 0; i < g->n_denials; i++)
		if (groups || !g->denials[i].from.group)
			print_row("denied:", "", g->denials[i].path,
				  &g->denials[i].from);
	for (size_t i = 0; i < g->n_skipped; i++) {
		if ((g->skipped[i].from.group && !groups) ||
		    is_created(p, g->skipped[i].text))
			continue;
		print_row("left out:", "", g->skipped[i].text,
			  &g->skipped[i].from);
		print_row("", "  ", g->skipped[i].why, NULL);
	}
}

static void print_created(struct prepared *p)
{
	const struct profile *profile = p->loaded.effective;
	const struct field *f = &profile->field[KEY_OWN_CREATE_FOLDERS];

	for (size_t i = 0; i < f->n && !p->host_files; i++) {
		const char *path = homefolders_missing(profile, &p->base.vars,
						       &p->base.arena, i);

		if (path)
			print_row("create:", "", path, &f->items[i].from);
	}
}

static bool is_kept(char *const *vars, const char *name, size_t len)
{
	for (; *vars; vars++)
		if (strncmp(*vars, name, len) == 0 && (*vars)[len] == '=')
			return true;
	return false;
}

/* Names of what the command does not get, and what the profile adds in its own
 * words: expanded, it may hold what another variable keeps secret. */
static void print_environment(const struct prepared *p)
{
	const struct field *set = &p->loaded.effective->field[KEY_ENV_SET_VARS];

	for (char **var = environ; *var; var++) {
		size_t len = strcspn(*var, "=");
		char name[256];

		(void)snprintf(name, sizeof(name), "%.*s", (int)len, *var);
		if (!is_kept(p->environment.vars, *var, len))
			print_row("variable:", "removed ", name, NULL);
	}
	for (size_t i = 0; i < set->n; i++) {
		printf("variable:  set ");
		print_escaped(set->items[i].key);
		(void)putchar('=');
		print_escaped(set->items[i].text);
		printf("  (");
		print_origin(&set->items[i].from);
		printf(")\n");
	}
}

static void print_credentials(const struct prepared *p)
{
	const struct field *f =
		&p->loaded.effective->field[KEY_ENV_CREDENTIALS];

	for (size_t i = 0; i < f->n; i++) {
		const struct entry *item = &f->items[i];
		char from[512];
		char what[512 + 16];

		credential_describe(item->key, from, sizeof(from));
		(void)snprintf(what, sizeof(what), " from %s", from);
		printf("credential: ");
		print_escaped(item->text);
		print_escaped(what);
		printf("  (");
		print_origin(&item->from);
		printf(")\n");
	}
}

static void print_file(const char *path, const char *text)
{
	if (access(path, F_OK) < 0)
		text = NULL;
	printf("file:      %s%s\n", path,
	       text ? " is replaced inside by:" : " stays absent");
	while (text && *text) {
		size_t n = strcspn(text, "\n");

		printf("             %.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

static void print_isolation(const struct prepared *p)
{
	const struct calls_options *calls = &p->files.calls;
	const char *lack = landlock_lack(landlock_abi());

	printf("isolation: new user, network, mount, pid, ipc, uts and cgroup "
	       "namespaces; no_new_privs; %s; seccomp%s; %s%s\n",
	       calls->capabilities ? "capabilities over these namespaces alone "
				     "(egress_run.capabilities)"
				   : "no capabilities",
	       calls->user_namespaces ? " that lets it make namespaces "
					"(egress_run.user_namespaces)"
				      : "",
	       lack ? "no Landlock: " : "Landlock", lack ? lack : "");
	if (p->host_files)
		return;
	printf("private:   /proc, /dev, /run%s\n",
	       profile_true(p->loaded.effective, KEY_OWN_SHARE_TMP)
		       ? "; /tmp, /var/tmp and /dev/shm are the host's "
			 "(share_tmp)"
		       : ", /tmp, /var/tmp, /dev/shm");
}

static void print_limits(const struct prepared *p)
{
	const struct profile *profile = p->loaded.effective;
	const char *memory = profile_scalar(profile, KEY_OWN_MEMORY);
	const char *processes = profile_scalar(profile, KEY_OWN_PROCESSES);

	print_row("limits:", "memory ", memory ? memory : "none", NULL);
	print_row("", "processes ", processes ? processes : "none", NULL);
}

/* With --files host only what names hosts is replaced. */
static void print_generated(const struct prepared *p)
{
	const struct generated *g = &p->files.generated;

	if (p->host_files)
		return;
	print_file("/etc/passwd", g->passwd);
	print_file("/etc/group", g->group);
	print_file("/etc/hostname", g->hostname);
	printf("file:      /etc/machine-id is new in every run\n");
}

int dryrun_print(struct prepared *p)
{
	const struct netfiles *nf = &p->files.netfiles;
	const struct identity *id = &p->base.identity;

	printf("command:  ");
	for (char **arg = p->command; *arg; arg++) {
		(void)putchar(' ');
		print_escaped(*arg);
	}
	printf("\nuser:      %s%suid %u, gid %u%s\n", id->name,
	       id->name[0] ? ", " : "", id->uid, id->gid,
	       id->uid == 0 ? " (root, without any capability)" : "");
	print_row("directory:", "", p->files.plan.workdir, NULL);
	print_row("files:", "",
		  p->host_files ? "the host's (--files host)"
				: "what is granted, and nothing else",
		  NULL);
	print_profile(p);
	print_isolation(p);
	printf("uplink:    relay: TCP leaves through sockets of this user; "
	       "UDP, ICMP and all else is rejected\n");
	print_network(p);
	print_created(p);
	print_grants(p);
	print_environment(p);
	print_credentials(p);
	print_limits(p);
	print_file("/etc/resolv.conf", nf->resolv_conf);
	print_file("/etc/hosts", nf->hosts);
	print_file("/etc/nsswitch.conf", nf->nsswitch);
	print_generated(p);
	print_row("log:", "", p->log_path ? p->log_path : "none", NULL);
	return print_finish();
}
