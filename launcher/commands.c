/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/commands.h"

#include <errno.h>
#include <string.h>

#include "launcher/options.h"
#include "launcher/prepare.h"

static const struct entry *find(const struct field *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->items[i].text, name) == 0)
			return &f->items[i];
	return NULL;
}

/* What is said on the command line goes before what the profile says, and
 * there a prohibition before a permission. */
static int check_blocked(struct prepared *p, const struct options *o,
			 struct err *e)
{
	const struct profile *effective = p->loaded.effective;
	const char *slash = strrchr(p->command[0], '/');
	const char *name = slash ? slash + 1 : p->command[0];
	const struct entry *by;

	if (find(&o->flags->field[KEY_COMMANDS_DENY], name))
		return err_set(e, EPERM,
			       "command '%s' is blocked by --block-command",
			       name);
	if (find(&effective->field[KEY_COMMANDS_ALLOW], name))
		return 0;
	by = find(&effective->field[KEY_COMMANDS_DENY], name);
	if (!by)
		return 0;
	return err_set(e, EPERM,
		       "command '%s' is blocked by %s%s (%s:%u); "
		       "--allow-command %s allows it",
		       name, by->from.group ? "group " : "commands.deny",
		       by->from.group ? by->from.group : "", by->from.file,
		       by->from.line, name);
}

/* words, then the profile's command_args. */
static int build(struct prepared *p, char **words, struct err *e)
{
	const struct field *more =
		&p->loaded.effective->field[KEY_COMMAND_ARGS];
	size_t n = 0;
	int rc = 0;

	while (words[n])
		n++;
	/* nono adds them only if all the packs are there. */
	if (p->loaded.effective->field[KEY_PACKS].n > 0 || more->n == 0) {
		p->command = words;
		return 0;
	}
	p->command =
		arena_alloc(&p->base.arena, n + more->n + 1, sizeof(char *));
	if (!p->command)
		return err_errno(e, ENOMEM, "command line");
	memcpy(p->command, words, n * sizeof(char *));
	for (size_t i = 0; rc == 0 && i < more->n; i++) {
		const char *text;

		rc = vars_expand_value(&p->base.vars, &p->base.arena,
				       more->items[i].text, &text, e);
		if (rc == 0)
			p->command[n + i] = arena_strdup(&p->base.arena, text);
		if (rc == 0 && !p->command[n + i])
			rc = err_errno(e, ENOMEM, "command line");
	}
	return rc;
}

/* The profile's own command; a shipped profile decides for nobody. */
static int default_command(struct prepared *p, char ***ret, struct err *e)
{
	const char *binary =
		p->loaded.shipped
			? NULL
			: profile_scalar(p->loaded.effective, KEY_BINARY);
	const char *text;
	int rc;

	if (!binary || binary[0] == '\0') {
		p->usage = true;
		return err_set(e, EINVAL,
			       "no command given, and profile %s names none: "
			       "egress-run [OPTION]... -- COMMAND",
			       p->loaded.name);
	}
	rc = vars_expand(&p->base.vars, &p->base.arena, binary, &text, e);
	if (rc < 0)
		return rc;
	*ret = arena_alloc(&p->base.arena, 2, sizeof(char *));
	if (*ret)
		(*ret)[0] = arena_strdup(&p->base.arena, text);
	return *ret && (*ret)[0] ? 0 : err_errno(e, ENOMEM, "command line");
}

int command_choose(struct prepared *p, const struct options *o, struct err *e)
{
	char **words = o->command;
	int rc = words ? 0 : default_command(p, &words, e);

	if (words && rc == 0)
		rc = build(p, words, e);
	return rc < 0 ? rc : check_blocked(p, o, e);
}
