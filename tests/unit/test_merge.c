/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of a base and of a child is there in the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "profiles/keys.h"
#include "tests/unit/profile_text.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static int setup(void **state)
{
	static struct arena arena;

	*state = &arena;
	return 0;
}

static int teardown(void **state)
{
	arena_free(*state);
	return 0;
}

static void expect(struct arena *a, const struct profile *p,
		   enum profile_key key, const char *entries)
{
	const char *got = key_text(a, p, key);

	if (strcmp(got, entries) != 0)
		fail_msg("%s: %s, not %s", key_spec(key)->path, got, entries);
}

/* The vector of nono's own tests. */
#define BASE                                                                  \
	"{\"extends\": \"x\", \"meta\": {\"name\": \"base\"},"                \
	"\"filesystem\": {\"allow\": [\"/base/rw\"],"                         \
	" \"read\": [\"/base/read\", \"/base/policy-read\"],"                 \
	" \"read_file\": [\"/base/file.txt\"],"                               \
	" \"deny\": [\"/base/policy-deny\"]},"                                \
	"\"network\": {\"open_port\": [3000], \"listen_port\": [4000],"       \
	" \"no_proxy\": [\"base.local\"], \"network_profile\": \"base-net\"," \
	" \"credentials\": [\"base_cred\"]},"                                 \
	"\"env_credentials\": {\"base_key\": \"BASE_VAR\"},"                  \
	"\"workdir\": {\"access\": \"readwrite\"},"                           \
	"\"rollback\": {\"exclude_patterns\": [\"node_modules\"],"            \
	" \"exclude_globs\": [\"*.pyc\"]},"                                   \
	"\"open_urls\": {\"allow_origins\": [\"https://base.example\"],"      \
	" \"allow_localhost\": false},"                                       \
	"\"allow_launch_services\": false, \"allow_gpu\": false,"             \
	"\"skipdirs\": [\"vendor\"]}"
#define CHILD                                                                \
	"{\"extends\": \"base\", \"meta\": {\"name\": \"child\"},"           \
	"\"filesystem\": {\"allow\": [\"/child/rw\", \"/child/policy-rw\"]," \
	" \"write\": [\"/child/policy-write\"]},"                            \
	"\"network\": {\"open_port\": [3000, 5000],"                         \
	" \"listen_port\": [4000, 6000],"                                    \
	" \"no_proxy\": [\"base.local\", \"child.local\"]},"                 \
	"\"env_credentials\": {\"child_key\": \"CHILD_VAR\"},"               \
	"\"workdir\": {\"access\": \"none\"},"                               \
	"\"open_urls\": {\"allow_origins\": [\"https://child.example\"],"    \
	" \"allow_localhost\": true},"                                       \
	"\"allow_launch_services\": true, \"allow_gpu\": true,"              \
	"\"skipdirs\": [\"dist\"]}"

static void test_vector(void **state)
{
	static const struct {
		enum profile_key key;
		const char *entries;
	} cases[] = {
		{ KEY_EXTENDS, "-" },
		{ KEY_FS_ALLOW, "/base/rw /child/rw /child/policy-rw" },
		{ KEY_FS_READ, "/base/read /base/policy-read" },
		{ KEY_FS_WRITE, "/child/policy-write" },
		{ KEY_FS_READ_FILE, "/base/file.txt" },
		{ KEY_FS_DENY, "/base/policy-deny" },
		{ KEY_NET_OPEN_PORT, "3000 5000" },
		{ KEY_NET_LISTEN_PORT, "4000 6000" },
		{ KEY_NET_NO_PROXY, "base.local child.local" },
		{ KEY_NET_PROFILE, "base-net" },
		{ KEY_NET_CREDENTIALS, "base_cred" },
		{ KEY_ENV_CREDENTIALS,
		  "base_key=BASE_VAR child_key=CHILD_VAR" },
		{ KEY_WORKDIR_ACCESS, "readwrite" },
		{ KEY_ROLLBACK_PATTERNS, "node_modules" },
		{ KEY_ROLLBACK_GLOBS, "*.pyc" },
		{ KEY_ALLOW_LAUNCH_SERVICES, "true" },
		{ KEY_ALLOW_GPU, "true" },
		{ KEY_SKIPDIRS, "vendor dist" },
	};
	struct profile *base = profile_of(*state, BASE);
	struct profile *child = profile_of(*state, CHILD);
	struct profile *p = profile_merged(*state, base, child);
	const struct json *urls = p->field[KEY_OPEN_URLS].items->value;
	const struct json *origins = json_get(urls, "allow_origins");

	for (size_t i = 0; i < N(cases); i++)
		expect(*state, p, cases[i].key, cases[i].entries);
	assert_int_equal(p->field[KEY_META].n, 1);
	assert_string_equal(
		json_get(p->field[KEY_META].items->value, "name")->string,
		"child");
	assert_int_equal(p->field[KEY_OPEN_URLS].n, 1);
	assert_int_equal(origins->n, 1);
	assert_string_equal(origins->items[0].string, "https://child.example");
	assert_true(json_get(urls, "allow_localhost")->boolean);
	/* What was merged stays as it was. */
	expect(*state, base, KEY_FS_ALLOW, "/base/rw");
	expect(*state, base, KEY_NET_OPEN_PORT, "3000");
	expect(*state, child, KEY_NET_OPEN_PORT, "3000 5000");
	expect(*state, base, KEY_EXTENDS, "x");
}

#define FS(list)    "{\"filesystem\": {\"read\": " list "}}"
#define NET(member) "{\"network\": {" member "}}"
#define ENV(member) "{\"environment\": {" member "}}"
#define KEYS(map)   "{\"env_credentials\": " map "}"
#define ALLOW(list) NET("\"allow_domain\": " list)
#define RULES(list) "{\"domain\": \"a.test\", \"endpoints\": [" list "]}"
#define RULE(m, p)  "{\"method\": \"" m "\", \"path\": \"" p "\"}"

static void test_rules(void **state)
{
	static const struct {
		const char *base;
		const char *child;
		enum profile_key key;
		const char *entries;
	} cases[] = {
		/* append, duplicates dropped */
		{ FS("[\"/a\", \"/b\"]"), FS("[\"/b\", \"/c\"]"), KEY_FS_READ,
		  "/a /b /c" },
		{ FS("[\"/a\"]"), "{}", KEY_FS_READ, "/a" },
		{ "{}", FS("[\"/a\"]"), KEY_FS_READ, "/a" },
		{ FS("[\"/a\"]"), FS("[]"), KEY_FS_READ, "/a" },
		{ "{}", FS("[]"), KEY_FS_READ, "" },
		{ FS("[]"), "{}", KEY_FS_READ, "" },
		{ "{}", "{}", KEY_FS_READ, "-" },
		{ ENV("\"allow_vars\": []"), ENV("\"allow_vars\": [\"A\"]"),
		  KEY_ENV_ALLOW_VARS, "A" },
		{ ENV("\"allow_vars\": [\"A\"]"), ENV("\"allow_vars\": []"),
		  KEY_ENV_ALLOW_VARS, "A" },
		{ ENV("\"allow_vars\": [\"A\"]"), "{\"environment\": null}",
		  KEY_ENV_ALLOW_VARS, "A" },
		{ ENV("\"allow_vars\": []"), "{}", KEY_ENV_ALLOW_VARS, "" },
		{ "{}", "{}", KEY_ENV_ALLOW_VARS, "-" },
		/* credentials: absent and null inherit, [] clears */
		{ NET("\"credentials\": [\"a\"]"), "{}", KEY_NET_CREDENTIALS,
		  "a" },
		{ NET("\"credentials\": [\"a\"]"), NET("\"credentials\": null"),
		  KEY_NET_CREDENTIALS, "a" },
		{ NET("\"credentials\": [\"a\"]"), NET("\"credentials\": []"),
		  KEY_NET_CREDENTIALS, "" },
		{ NET("\"credentials\": [\"a\"]"),
		  NET("\"credentials\": [\"x\", \"a\"]"), KEY_NET_CREDENTIALS,
		  "a x" },
		/* network_profile: null clears */
		{ NET("\"network_profile\": \"a\""), "{}", KEY_NET_PROFILE,
		  "a" },
		{ NET("\"network_profile\": \"a\""),
		  NET("\"network_profile\": null"), KEY_NET_PROFILE, "null" },
		{ NET("\"network_profile\": \"a\""),
		  NET("\"network_profile\": \"b\""), KEY_NET_PROFILE, "b" },
		{ NET("\"network_profile\": null"),
		  NET("\"network_profile\": \"b\""), KEY_NET_PROFILE, "b" },
		{ NET("\"upstream_proxy\": \"a:1\""),
		  NET("\"upstream_proxy\": null"), KEY_NET_UPSTREAM_PROXY,
		  "a:1" },
		/* either */
		{ NET("\"block\": true"), NET("\"block\": false"),
		  KEY_NET_BLOCK, "true" },
		{ NET("\"block\": false"), NET("\"block\": true"),
		  KEY_NET_BLOCK, "true" },
		{ NET("\"block\": true"), "{}", KEY_NET_BLOCK, "true" },
		{ "{}", NET("\"block\": false"), KEY_NET_BLOCK, "false" },
		{ NET("\"allow_http2\": true"), NET("\"allow_http2\": false"),
		  KEY_NET_ALLOW_HTTP2, "true" },
		{ "{\"interactive\": true}", "{\"interactive\": false}",
		  KEY_INTERACTIVE, "true" },
		/* the child's, which may be false */
		{ "{\"allow_gpu\": true}", "{\"allow_gpu\": false}",
		  KEY_ALLOW_GPU, "false" },
		{ "{\"allow_gpu\": true}", "{\"allow_gpu\": null}",
		  KEY_ALLOW_GPU, "true" },
		{ "{\"security\": {\"ipc_mode\": \"full\"}}",
		  "{\"security\": {\"ipc_mode\": null}}", KEY_IPC_MODE,
		  "full" },
		{ "{\"binary\": \"a\"}", "{\"binary\": \"b\"}", KEY_BINARY,
		  "b" },
		{ "{\"open_urls\": {}}", "{\"open_urls\": null}", KEY_OPEN_URLS,
		  "{}" },
		/* workdir: "none" is not said */
		{ "{\"workdir\": {\"access\": \"read\"}}",
		  "{\"workdir\": {\"access\": \"none\"}}", KEY_WORKDIR_ACCESS,
		  "read" },
		{ "{\"workdir\": {\"access\": \"readwrite\"}}",
		  "{\"workdir\": {\"access\": \"read\"}}", KEY_WORKDIR_ACCESS,
		  "read" },
		{ "{}", "{\"workdir\": {\"access\": \"none\"}}",
		  KEY_WORKDIR_ACCESS, "none" },
		{ "{\"workdir\": {\"access\": \"write\"}}", "{}",
		  KEY_WORKDIR_ACCESS, "write" },
		/* meta: the child's, even if it has none */
		{ "{\"meta\": {\"name\": \"a\"}}", "{}", KEY_META, "-" },
		/* maps */
		{ ENV("\"set_vars\": {\"A\": \"1\", \"B\": \"1\"}"),
		  ENV("\"set_vars\": {\"C\": \"2\", \"A\": \"2\"}"),
		  KEY_ENV_SET_VARS, "A=2 B=1 C=2" },
		{ "{\"hooks\": {\"a\": {\"event\": \"1\", \"matcher\": \"\","
		  " \"script\": \"\"}}}",
		  "{\"hooks\": {\"b\": {\"event\": \"2\", \"matcher\": \"\","
		  " \"script\": \"\"}}}",
		  KEY_HOOKS, "a={} b={}" },
		/* credentials: by destination too */
		{ KEYS("{\"base_account\": \"MY_TOKEN\","
		       " \"other\": \"OTHER_VAR\"}"),
		  KEYS("{\"child_account\": \"MY_TOKEN\"}"),
		  KEY_ENV_CREDENTIALS,
		  "other=OTHER_VAR child_account=MY_TOKEN" },
		{ KEYS("{\"a\": \"X\"}"), KEYS("{\"a\": \"Y\"}"),
		  KEY_ENV_CREDENTIALS, "a=Y" },
		{ KEYS("{\"a\": \"X\"}"), KEYS("{}"), KEY_ENV_CREDENTIALS,
		  "a=X" },
		{ "{}", KEYS("{\"a\": \"X\"}"), KEY_ENV_CREDENTIALS, "a=X" },
		/* domains */
		{ ALLOW("[\"a.test\", \"b.test\"]"),
		  ALLOW("[\"A.test\", \"c.test\"]"), KEY_NET_ALLOW_DOMAIN,
		  "a.test b.test c.test" },
		{ ALLOW("[\"a.test\"]"),
		  ALLOW("[" RULES(RULE("GET", "/x")) "]"), KEY_NET_ALLOW_DOMAIN,
		  "a.test{GET /x}" },
		{ ALLOW("[" RULES(RULE("GET", "/x")) "]"),
		  ALLOW("[\"a.test\"]"), KEY_NET_ALLOW_DOMAIN,
		  "a.test{GET /x}" },
		{ ALLOW("[" RULES(RULE("GET", "/x")) "]"),
		  ALLOW("[" RULES(RULE("POST", "/y")) "]"),
		  KEY_NET_ALLOW_DOMAIN, "a.test{GET /x,POST /y}" },
		{ ALLOW("[" RULES(RULE("GET", "/x")) "]"),
		  ALLOW("[" RULES(RULE("GET", "/x")) "]"), KEY_NET_ALLOW_DOMAIN,
		  "a.test{GET /x}" },
		/* lists of objects, by their content */
		{ "{\"credential_routes\": [{\"name\": \"a\","
		  " \"provider\": \"p\"}]}",
		  "{\"credential_routes\": [{\"provider\": \"p\","
		  " \"name\": \"a\"}, {\"name\": \"b\","
		  " \"provider\": \"p\"}]}",
		  KEY_CREDENTIAL_ROUTES, "{} {}" },
		/* tool sandboxes: an empty child takes nothing away */
		{ "{\"command_policies\": {\"x\": 1}}",
		  "{\"command_policies\": {}}", KEY_COMMAND_POLICIES, "{}" },
	};

	for (size_t i = 0; i < N(cases); i++) {
		struct profile *base = profile_of(*state, cases[i].base);
		struct profile *child = profile_of(*state, cases[i].child);

		expect(*state, profile_merged(*state, base, child),
		       cases[i].key, cases[i].entries);
	}
}

static void test_two_bases(void **state)
{
	struct profile *a = profile_of(
		*state, "{\"network\": {\"network_profile\": \"net-a\"},"
			"\"workdir\": {\"access\": \"read\"}}");
	struct profile *b = profile_of(
		*state, "{\"network\": {\"network_profile\": \"net-b\"},"
			"\"workdir\": {\"access\": \"readwrite\"}}");
	struct profile *p = profile_merged(*state, profile_merged(*state, a, b),
					   profile_of(*state, "{}"));

	expect(*state, p, KEY_NET_PROFILE, "net-b");
	expect(*state, p, KEY_WORKDIR_ACCESS, "readwrite");
}

/* What stays and what wins keeps its place in the file it came from. */
static void test_origins(void **state)
{
	struct profile *base = profile_of(*state, FS("[\"/a\"]"));
	struct profile *child = profile_of(*state, "\n" FS("[\"/a\", \"/b\"]"));
	struct profile *p = profile_merged(*state, base, child);
	const struct field *f = &p->field[KEY_FS_READ];

	assert_int_equal(f->n, 2);
	assert_int_equal(f->items[0].from.line, 1);
	assert_int_equal(f->items[1].from.line, 2);
}

/* The same path from a group, a file and the command line: each weighs on its
 * own, so none hides another; of one kind there is one. */
static void test_weight(void **state)
{
	struct arena a = { 0 };
	struct field f = { 0 };
	const struct origin from[] = {
		{ .file = "groups.json", .line = 3, .group = "g" },
		{ .file = "p.json", .line = 7 },
		{ .file = "--read" },
	};

	for (size_t round = 0; round < 2; round++) {
		for (size_t i = 0; i < 3; i++) {
			const struct entry item = { .text = "/etc",
						    .from = from[i] };

			assert_int_equal(merge_append(&a, &f, &item), 0);
		}
	}
	assert_int_equal(f.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(f.items[i].from.file, from[i].file);
	arena_free(&a);
	(void)state;
}

static void test_notes(void **state)
{
	struct profile *base = profile_of(
		*state, "{\"policy\": {\"add_allow_read\": [\"/a\"]}}");
	struct profile *child = profile_of(
		*state, "\n{\"policy\": {\"add_deny_access\": [\"/a\"]}}");
	struct profile *p = profile_merged(*state, base, child);

	assert_int_equal(n_notes(p), 2);
	assert_non_null(strstr(p->notes->text, "add_allow_read"));
	assert_non_null(strstr(p->notes->next->text, "t.json:2:"));
	/* Reached by two ways, said once. */
	assert_int_equal(n_notes(profile_merged(*state, p, p)), 2);
	assert_int_equal(n_notes(base), 1);
}

static void test_patch(void **state)
{
	struct profile *base = profile_of(
		*state, "{\"meta\": {\"name\": \"a\"}, \"skipdirs\": [\"x\"]}");
	struct profile *patch = profile_of(*state, "{\"skipdirs\": [\"y\"]}");
	struct profile *p = NULL;

	assert_int_equal(merge_patch(*state, base, patch, &p, NULL), 0);
	expect(*state, p, KEY_META, "{}");
	expect(*state, p, KEY_SKIPDIRS, "x y");
	expect(*state, profile_merged(*state, base, patch), KEY_META, "-");
}

/* Profiles that share entries do not write into each other. */
static void test_sharing(void **state)
{
	struct profile *base = profile_of(*state, FS("[\"/a\", \"/b\"]"));
	struct profile *one = profile_merged(
		*state, base, profile_of(*state, FS("[\"/1\"]")));
	struct profile *two = profile_merged(
		*state, base, profile_of(*state, FS("[\"/2\"]")));
	struct profile *none = profile_of(*state, "{}");
	struct profile *same = profile_merged(*state, base, none);
	struct profile *other = profile_merged(*state, base, none);
	struct entry item = { .text = "/3", .from = { .file = "--read" } };

	assert_int_equal(merge_append(*state, &same->field[KEY_FS_READ], &item),
			 0);
	assert_int_equal(merge_append(*state, &same->field[KEY_FS_READ], &item),
			 0);
	item.text = "/4";
	assert_int_equal(
		merge_append(*state, &other->field[KEY_FS_READ], &item), 0);
	expect(*state, other, KEY_FS_READ, "/a /b /4");
	expect(*state, base, KEY_FS_READ, "/a /b");
	expect(*state, one, KEY_FS_READ, "/a /b /1");
	expect(*state, two, KEY_FS_READ, "/a /b /2");
	expect(*state, same, KEY_FS_READ, "/a /b /3");
}

/* Neither does what takes the place of a base's entry. */
static void test_replacing(void **state)
{
	struct profile *base =
		profile_of(*state, ENV("\"set_vars\": {\"A\": \"1\"}"));
	struct profile *child =
		profile_of(*state, ENV("\"set_vars\": {\"A\": \"2\"}"));

	expect(*state, profile_merged(*state, base, child), KEY_ENV_SET_VARS,
	       "A=2");
	expect(*state, base, KEY_ENV_SET_VARS, "A=1");
}

/* An own generator, so that a seed means the same everywhere. */
static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static struct entry random_entry(const struct key_spec *k, uint64_t *seed)
{
	static const char *const words[] = { "a", "b", "c", "A", "d" };
	static const struct endpoint rules[] = {
		{ .method = "GET", .path = "/" },
		{ .method = "POST", .path = "/" },
		{ .method = "GET", .path = "/x" },
	};
	struct entry item = {
		.text = words[next(seed) % N(words)],
		.from = { .file = "f", .line = 1 + next(seed) % 9 },
	};

	if (k->merge == MERGE_MAP || k->merge == MERGE_DESTINATION)
		item.key = words[next(seed) % N(words)];
	if (k->type == TYPE_BOOL)
		item.text = next(seed) % 2 ? "true" : "false";
	if (k->merge == MERGE_NOT_NONE)
		item.text = k->values[next(seed) % 4];
	if (k->merge == MERGE_DOMAINS && next(seed) % 2) {
		size_t at = next(seed) % N(rules);

		item.endpoints = &rules[at];
		item.n_endpoints = 1 + next(seed) % (N(rules) - at);
	}
	return item;
}

/* A file has no two entries of one name, nor the same entry twice. */
static bool has_entry(const struct field *f, const struct entry *item)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct entry *e = &f->items[i];

		if (item->key ? strcmp(e->key, item->key) == 0
			      : strcasecmp(e->text, item->text) == 0)
			return true;
	}
	return false;
}

static bool is_scalar(const struct key_spec *k)
{
	return k->merge == MERGE_CHILD || k->merge == MERGE_CHILD_NULL ||
	       k->merge == MERGE_ALWAYS || k->merge == MERGE_OR ||
	       k->merge == MERGE_NOT_NONE;
}

static void random_field(struct arena *a, const struct key_spec *k,
			 uint64_t *seed, struct field *f)
{
	size_t n = is_scalar(k) ? 1 : next(seed) % 5;

	f->state = (enum field_state)(next(seed) % 3);
	if (f->state == FIELD_NULL && !k->null_ok)
		f->state = FIELD_ABSENT;
	if (f->state == FIELD_SET) {
		for (size_t i = 0; i < n; i++) {
			struct entry item = random_entry(k, seed);

			if (!has_entry(f, &item))
				assert_int_equal(profile_append(a, f, &item),
						 0);
		}
	}
}

static struct profile *random_profile(struct arena *a, uint64_t *seed)
{
	struct profile *p = profile_new(a);

	assert_non_null(p);
	for (size_t i = 0; i < KEY__COUNT; i++)
		random_field(a, &key_table[i], seed, &p->field[i]);
	return p;
}

static void same_fields(struct arena *a, const struct profile *x,
			const struct profile *y, const char *what,
			uint64_t seed)
{
	for (int i = 0; i < KEY__COUNT; i++) {
		enum profile_key key = (enum profile_key)i;
		const struct field *f = &x->field[i];
		const struct field *g = &y->field[i];

		/* These two depend on the order, as nono has them. */
		if (key_table[i].merge == MERGE_APPEND_CLEAR ||
		    key_table[i].merge == MERGE_DESTINATION)
			continue;
		if (strcmp(field_text(a, f), field_text(a, g)) != 0)
			fail_msg("%s, seed %#llx, %s: '%s', '%s'", what,
				 (unsigned long long)seed, key_table[i].path,
				 key_text(a, x, key), key_text(a, y, key));
		for (size_t k = 0; k < f->n; k++) {
			if (f->items[k].from.line != g->items[k].from.line)
				fail_msg("%s, seed %#llx, %s: place", what,
					 (unsigned long long)seed,
					 key_table[i].path);
		}
	}
}

static void test_associative(void **state)
{
	const char *given = getenv("MERGE_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : 0x9e3779b97f4a7c15U;

	for (size_t round = 0; round < 300; round++) {
		uint64_t start = seed;
		struct arena arena = { NULL };
		struct profile *a = random_profile(&arena, &seed);
		struct profile *b = random_profile(&arena, &seed);
		struct profile *c = random_profile(&arena, &seed);
		struct profile *none = profile_new(&arena);
		struct profile *left =
			profile_merged(&arena, profile_merged(&arena, a, b), c);
		struct profile *right =
			profile_merged(&arena, a, profile_merged(&arena, b, c));
		struct profile *twice = profile_merged(&arena, left, left);

		same_fields(&arena, left, right, "associative", start);
		same_fields(&arena, left, twice, "idempotent", start);
		same_fields(&arena, left, profile_merged(&arena, none, left),
			    "neutral", start);
		arena_free(&arena);
	}
	(void)state;
}

/* CPU time, so that a busy machine does not matter. */
static double seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

/* Many entries, and only such that are there: by the square this is minutes. */
static void test_duplicates(void **state)
{
	const size_t n = 60000;
	struct arena arena = { NULL };
	struct profile *base = profile_new(&arena);
	struct profile *child = profile_new(&arena);
	double start;

	assert_true(base && child);
	for (size_t i = 0; i < n; i++) {
		struct json *object = arena_alloc(&arena, 1, sizeof(*object));
		struct json *member = arena_alloc(&arena, 1, sizeof(*member));
		struct entry item = { .text = arena_printf(
					      &arena, "/a/long/way/%zu", i) };

		assert_true(object && member && item.text);
		*member = (struct json) { .type = JSON_NUMBER,
					  .key = "n",
					  .string = "1",
					  .number = (double)i };
		*object = (struct json) { .type = JSON_OBJECT,
					  .items = member,
					  .n = 1 };
		for (size_t k = 0; k < 2; k++) {
			struct profile *p = k ? child : base;
			const struct entry other = { .value = object };

			assert_int_equal(profile_append(&arena,
							&p->field[KEY_FS_READ],
							&item),
					 0);
			assert_int_equal(profile_append(&arena,
							&p->field[KEY_FS_WRITE],
							&other),
					 0);
		}
	}
	start = seconds();
	child = profile_merged(&arena, base, child);
	assert_int_equal(child->field[KEY_FS_READ].n, n);
	assert_int_equal(child->field[KEY_FS_WRITE].n, n);
	assert_true(seconds() - start < 2);
	arena_free(&arena);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_two_bases),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_weight),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_patch),
		cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_replacing),
		cmocka_unit_test(test_associative),
		cmocka_unit_test(test_duplicates),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
