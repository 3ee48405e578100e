/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launcher/print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

#define PIECE 256

void print_escaped(const char *text)
{
	size_t left = strlen(text);
	char safe[PIECE * 4 + 1];

	while (left > 0) {
		size_t n = left < PIECE ? left : PIECE;

		text_escape(text, n, safe, sizeof(safe));
		(void)fputs(safe, stdout);
		text += n;
		left -= n;
	}
}

void print_origin(const struct origin *o)
{
	print_escaped(o->file ? o->file : "?");
	if (o->line > 0)
		printf(":%u", o->line);
	if (o->group) {
		printf(", group ");
		print_escaped(o->group);
	}
}

int print_finish(void)
{
	return fflush(stdout) != 0 || ferror(stdout) ? -EIO : 0;
}
