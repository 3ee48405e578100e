/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/keyring.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher/subprocess.h"

/* Unlocking asks a person. */
#define TIMEOUT_S 120

/* Not by PATH: a command that may write the user's ~/.local/bin could plant
 * one there for the next start. */
static const char *const places[] = {
	"/usr/bin/secret-tool",
	"/usr/local/bin/secret-tool",
	"/run/current-system/sw/bin/secret-tool",
};

/* What the Secret Service and its prompts need. */
static const char *const passed[] = {
	"HOME",
	"USER",
	"LOGNAME",
	"LANG",
	"LC_ALL",
	"DISPLAY",
	"XAUTHORITY",
	"WAYLAND_DISPLAY",
	"DBUS_SESSION_BUS_ADDRESS",
};

#define N_PASSED  (sizeof(passed) / sizeof(passed[0]))
#define VALUE_MAX 4096

struct minimal_env {
	char text[N_PASSED + 2][VALUE_MAX];
	char *vars[N_PASSED + 3];
	size_t n;
};

static void env_add(struct minimal_env *env, const char *name,
		    const char *value)
{
	char *text = env->text[env->n];

	if (value &&
	    snprintf(text, VALUE_MAX, "%s=%s", name, value) < VALUE_MAX)
		env->vars[env->n++] = text;
}

/* Where the session's sockets are: pam_systemd's place, which sudo, cron and
 * --user do not name. */
static void runtime_dir(const struct identity *id, char *buf, size_t size)
{
	const char *given = getenv("XDG_RUNTIME_DIR");
	struct stat st;

	if (given && *given) {
		(void)snprintf(buf, size, "%s", given);
		return;
	}
	(void)snprintf(buf, size, "/run/user/%u", id->uid);
	if (stat(buf, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != id->uid)
		buf[0] = '\0';
}

static const char *find_program(void)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

/* One word of a command line that the user pastes into a shell. */
static void shell_word(const char *text, char *buf, size_t size)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-.:@%+,/";
	size_t n = 0;

	if (text[strspn(text, plain)] == '\0') {
		(void)snprintf(buf, size, "%s", text);
		return;
	}
	buf[n++] = '\'';
	for (; *text && n + 6 < size; text++) {
		const char *one = *text == '\'' ? "'\\''" : NULL;

		if (one)
			n += (size_t)snprintf(buf + n, size - n, "%s", one);
		else
			buf[n++] = *text;
	}
	buf[n++] = '\'';
	buf[n] = '\0';
}

#define STORE_MAX 1024

/* The command that stores the secret, as nono and its keyring library name
 * the attributes. */
static const char *store_command(const struct reference *r,
				 char buf[static STORE_MAX])
{
	char service[300];
	char account[300];

	shell_word(r->first, service, sizeof(service));
	shell_word(r->second, account, sizeof(account));
	(void)snprintf(buf, STORE_MAX,
		       "secret-tool store --label=%s service %s username %s "
		       "target default",
		       service, service, account);
	return buf;
}

static int not_there(const struct reference *r, struct err *e)
{
	char what[REFERENCE_MAX * 2 + 64];
	char store[STORE_MAX];

	/* Without "the keyring " in front. */
	reference_describe(r, what, sizeof(what));
	return err_set(e, ENOENT, "the keyring has no %s; store it with: %s",
		       what + sizeof("the keyring ") - 1,
		       store_command(r, store));
}

/* -ENOENT if there is no session bus: secret-tool would start one. */
static int prepare_env(const struct reference *r, const struct identity *id,
		       struct minimal_env *env, struct err *e)
{
	const char *bus = getenv("DBUS_SESSION_BUS_ADDRESS");
	char dir[VALUE_MAX];
	char path[VALUE_MAX + 8];
	char store[STORE_MAX];
	struct stat st;

	runtime_dir(id, dir, sizeof(dir));
	(void)snprintf(path, sizeof(path), "%s/bus", dir);
	if ((!bus || !*bus) && (!dir[0] || stat(path, &st) < 0))
		return err_set(e, ENOENT,
			       "the keyring cannot be asked, there is no "
			       "D-Bus session (no DBUS_SESSION_BUS_ADDRESS, "
			       "no /run/user/%u/bus); start from a desktop "
			       "session, stored with: %s; or take it from "
			       "env:// or file://",
			       id->uid, store_command(r, store));
	memset(env, 0, sizeof(*env));
	env_add(env, "PATH", "/usr/local/bin:/usr/bin:/bin");
	env_add(env, "XDG_RUNTIME_DIR", dir[0] ? dir : NULL);
	for (size_t i = 0; i < N_PASSED; i++)
		env_add(env, passed[i], getenv(passed[i]));
	return 0;
}

static int locked(const struct reference *r, struct err *e)
{
	char what[REFERENCE_MAX * 2 + 64];

	reference_describe(r, what, sizeof(what));
	return err_set(e, EACCES,
		       "%s is locked, and nobody has unlocked it: unlock the "
		       "keyring and start again",
		       what);
}

struct keyring {
	const struct reference *r;
	const char *program;
	struct minimal_env env;
	size_t max;
};

/* One question to secret-tool: "lookup", or "search", which does not unlock.
 * more: attributes behind the account's, may be empty.  -ENODATA, without a
 * message: there is no such item. */
static int ask(const struct keyring *k, const char *verb, const char *account,
	       const char *const *more, struct secret *ret, struct err *e)
{
	static const char prefix[] = "secret-tool: ";
	const char *argv[12] = { k->program,  verb,    "--",	    "service",
				 k->r->first, account, k->r->second };
	const struct subprocess s = {
		.name = "secret-tool",
		.argv = argv,
		.envp = k->env.vars,
		.timeout_s = TIMEOUT_S,
		.waiting = "waiting for the keyring; is it asking for its "
			   "password?",
	};
	struct subprocess_end end;
	bool errors;
	int rc;

	for (size_t n = 7; *more; more++)
		argv[n++] = *more;
	rc = subprocess_run(&s, k->max, ret, &end, e);
	if (rc < 0)
		return rc;
	if (WIFEXITED(end.status) && WEXITSTATUS(end.status) == 0)
		return 0;
	secret_free(ret);
	/* Other lines are warnings of its libraries. */
	errors = strncmp(end.said, prefix, sizeof(prefix) - 1) == 0;
	if (WIFEXITED(end.status) && !errors)
		return -ENODATA;
	return err_set(e, EIO, "the keyring cannot be asked: %s",
		       errors ? end.said + sizeof(prefix) - 1
			      : "secret-tool was killed");
}

/* A prompt that was refused, or that nobody could be shown, looks like a
 * missing item. */
static int why_not(const struct keyring *k, struct err *e)
{
	static const char *const accounts[] = { "username", "account" };
	static const char *const nothing[] = { NULL };

	for (size_t i = 0; i < sizeof(accounts) / sizeof(accounts[0]); i++) {
		cleanup_secret struct secret found = { 0 };

		if (ask(k, "search", accounts[i], nothing, &found, e) == 0 &&
		    found.len > 0)
			return locked(k->r, e);
	}
	return not_there(k->r, e);
}

int keyring_read(const struct reference *r, const struct identity *id,
		 size_t max, struct secret *ret, struct err *e)
{
	/* As nono and its keyring library spell them; `account` is what
	 * macOS calls it, and what some write. */
	static const char *const attributes[][4] = {
		{ "username", "target", "default", NULL },
		{ "username", NULL },
		{ "account", NULL },
	};
	struct keyring k = { .r = r, .program = find_program(), .max = max };
	char store[STORE_MAX];
	int rc = -ENODATA;

	if (!k.program)
		return err_set(e, ENOENT,
			       "the keyring cannot be asked, secret-tool is "
			       "not installed: install the package "
			       "libsecret-tools (libsecret on some systems), "
			       "and store it with: %s",
			       store_command(r, store));
	if (prepare_env(r, id, &k.env, e) < 0)
		return -ENOENT;
	for (size_t i = 0;
	     rc == -ENODATA && i < sizeof(attributes) / sizeof(attributes[0]);
	     i++)
		rc = ask(&k, "lookup", attributes[i][0], &attributes[i][1], ret,
			 e);
	if (rc == -ENODATA)
		return why_not(&k, e);
	if (rc < 0)
		return rc;
	secret_chomp(ret);
	if (r->go_keyring)
		rc = secret_unwrap_go_keyring(ret, e);
	if (rc < 0)
		secret_free(ret);
	return rc;
}
