/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The name check of a connection on any bytes of a client: what it says fits
 * what it was shown, and how the bytes are cut makes no difference to how it
 * ends.  The first byte chooses port, mode and entry, what the server answers,
 * and whether the client's end is known with its last byte.
 *
 *   make fuzz-bins CC=clang SANITIZE=1 FUZZ=1 BUILD=build-fuzz
 *   build-fuzz/fuzz/fuzz_inspect tests/fuzz/corpus/http1
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/allowlist.h"
#include "relay/inspect.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct allowlist *allow;

__attribute__((noreturn)) static void broken(const char *what)
{
	(void)fprintf(stderr, "%s\n", what);
	abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct err e;

	(void)argc;
	(void)argv;
	if (allowlist_new(&allow, &e) < 0 ||
	    allowlist_add_domain(allow, "a.test", &e) < 0 ||
	    allowlist_seal(allow, &e) < 0)
		abort();
	return 0;
}

static struct inspect_target target_of(uint8_t choice)
{
	return (struct inspect_target) {
		.allow = allow,
		.port = choice & 1 ? 443 : 8443,
		.mode = choice & 2 ? VERIFY_STRICT : VERIFY_NAMES,
		.port_named = choice & 4,
	};
}

/* What is shown is a copy of just that size. */
static void show(struct inspect *i, const uint8_t *data, size_t n, bool is_end,
		 struct inspect_verdict *v)
{
	uint8_t *copy = malloc(n);

	if (!copy)
		abort();
	memcpy(copy, data, n);
	inspect_client(i, copy, n, is_end, v);
	free(copy);
	if (v->action == INSPECT_MORE && (v->want <= n || is_end))
		broken("more is wanted than is asked for, or than there is");
	if (v->action == INSPECT_GRANT && v->grant == 0)
		broken("a grant of nothing");
}

static void answer(struct inspect *i, uint8_t choice)
{
	static const char *const answers[] = { "", "HTTP/1.1 101 x\r\n",
					       "HTTP/1.1 200 x\r\n",
					       "\x15\3\3\0\2" };
	const char *text = answers[choice >> 3 & 3];

	if (text[0] && inspect_watches_server(i))
		(void)inspect_server(i, (const uint8_t *)text, strlen(text));
}

/* As hold.c does, with n more bytes at a time. */
static enum inspect_action run(const uint8_t *data, size_t size, size_t n,
			       uint8_t choice)
{
	const struct inspect_target t = target_of(choice);
	bool ends = choice & 32;
	struct inspect *i = inspect_new(&t);
	struct inspect_verdict v = { .action = INSPECT_MORE };
	struct inspect_verdict late;
	size_t passed = 0;
	size_t here = 0;

	if (!i)
		abort();
	while (passed < size &&
	       (v.action == INSPECT_GRANT || v.action == INSPECT_MORE)) {
		if (v.action == INSPECT_MORE && here == size)
			break;
		if (v.action == INSPECT_MORE || here == passed)
			here = size - here < n ? size : here + n;
		if (here - passed > INSPECT_HELD_MAX)
			here = passed + INSPECT_HELD_MAX;
		show(i, data + passed, here - passed, ends && here == size, &v);
		if (v.action != INSPECT_GRANT)
			continue;
		passed = v.grant < size - passed ? passed + v.grant : size;
		here = here < passed ? passed : here;
		answer(i, choice);
	}
	inspect_timed_out(i, &late);
	if (late.action != INSPECT_REFUSE)
		broken("silence lets something pass");
	inspect_free(i);
	return v.action;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t sizes[] = { 1, 7, 64, 4096 };
	bool refused;

	if (size < 2)
		return 0;
	refused = run(data + 1, size - 1, size, data[0]) == INSPECT_REFUSE;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if ((run(data + 1, size - 1, sizes[i], data[0]) ==
		     INSPECT_REFUSE) != refused)
			broken("cut otherwise it ends otherwise");
	return 0;
}
