/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/dryrun.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/text.h"
#include "fsrules/netfiles.h"
#include "launcher/identity.h"
#include "launcher/options.h"
#include "profiles/allowlist.h"

static void print_escaped(const char *text)
{
	char safe[4096];

	text_escape(text, strlen(text), safe, sizeof(safe));
	(void)fputs(safe, stdout);
}

static void print_allowed(const struct allowlist *al)
{
	size_t n_domains = allowlist_n_domains(al);
	size_t n_networks = allowlist_n_networks(al);

	if (n_domains + n_networks == 0)
		printf("allow:     nothing (see --allow-domain)\n");
	for (size_t i = 0; i < n_domains; i++)
		printf("allow:     name %s\n", allowlist_domain(al, i));
	for (size_t i = 0; i < n_networks; i++)
		printf("allow:     address %s\n",
		       allowlist_network(al, i)->text);
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

int dryrun_print(const struct options *o, const struct identity *id,
		 const struct netfiles *nf)
{
	printf("command:  ");
	for (char **arg = o->command; *arg; arg++) {
		(void)putchar(' ');
		print_escaped(*arg);
	}
	printf("\nuser:      %s%suid %u, gid %u%s\n", id->name,
	       id->name[0] ? ", " : "", id->uid, id->gid,
	       id->uid == 0 ? " (root, without any capability)" : "");
	printf("isolation: new user, network, mount, pid, ipc, uts and cgroup "
	       "namespaces; no capabilities; no_new_privs\n");
	printf("uplink:    relay: TCP leaves through sockets of this user; "
	       "UDP, ICMP and all else is rejected\n");
	print_allowed(o->allow);
	printf("grace:     %u seconds beyond TTL and last use\n", o->grace_sec);
	print_file("/etc/resolv.conf", nf->resolv_conf);
	print_file("/etc/hosts", nf->hosts);
	print_file("/etc/nsswitch.conf", nf->nsswitch);
	printf("log:       ");
	print_escaped(o->log_path ? o->log_path : "none");
	printf("\n");
	return fflush(stdout) != 0 || ferror(stdout) ? -EIO : 0;
}
