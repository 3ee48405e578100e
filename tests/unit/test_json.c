/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON with comments: values, places, and the words of every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <errno.h>

#include <cmocka.h>

#include "profiles/json.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define E(text, message)                              \
	{                                             \
		text, sizeof(text) - 1, "f:" message, \
	}

static int setup(void **state)
{
	static const struct arena empty;
	struct arena *a = malloc(sizeof(*a));

	assert_non_null(a);
	*a = empty;
	*state = a;
	return 0;
}

static int teardown(void **state)
{
	arena_free(*state);
	free(*state);
	return 0;
}

/* Parses a copy of exactly that size: a sanitizer sees a byte too many. */
static int parse_bytes(struct arena *a, const char *text, size_t len,
		       struct json **ret, struct err *e)
{
	char *exact = malloc(len ? len : 1);
	int rc;

	assert_non_null(exact);
	memcpy(exact, text, len);
	rc = json_parse(a, "f", exact, len, ret, e);
	free(exact);
	return rc;
}

static const struct json *parse(void **state, const char *text)
{
	struct json *root = NULL;
	struct err e = { 0 };

	if (parse_bytes(*state, text, strlen(text), &root, &e) != 0)
		fail_msg("%s: %s", text, e.msg);
	assert_non_null(root);
	return root;
}

static void stands_at(const struct json_pos *p, unsigned line, unsigned column)
{
	assert_int_equal(p->line, line);
	assert_int_equal(p->column, column);
}

static void test_values(void **state)
{
	const struct json *v = parse(
		state, "{\"a\": null, \"b\": true, \"c\": false, \"d\": -1.5e2,"
		       "\"e\": \"x\", \"f\": [1, 2], \"g\": {\"h\": 0}}");
	static const char *const keys = "abcdefg";

	assert_int_equal(v->type, JSON_OBJECT);
	assert_null(v->key);
	assert_int_equal(v->n, 7);
	for (size_t i = 0; i < v->n; i++) {
		const char key[] = { keys[i], '\0' };

		assert_string_equal(v->items[i].key, key);
		assert_ptr_equal(json_get(v, key), &v->items[i]);
	}
	assert_null(json_get(v, "A"));
	assert_null(json_get(v, "h"));
	assert_null(json_get(v, ""));
	assert_null(json_get(&v->items[0], "a"));
	assert_int_equal(v->items[0].type, JSON_NULL);
	assert_int_equal(v->items[1].type, JSON_BOOL);
	assert_true(v->items[1].boolean);
	assert_int_equal(v->items[2].type, JSON_BOOL);
	assert_false(v->items[2].boolean);
	assert_int_equal(v->items[3].type, JSON_NUMBER);
	assert_true(v->items[3].number == -150.0);
	assert_string_equal(v->items[3].string, "-1.5e2");
	assert_int_equal(v->items[4].type, JSON_STRING);
	assert_string_equal(v->items[4].string, "x");
	assert_int_equal(v->items[5].type, JSON_ARRAY);
	assert_int_equal(v->items[5].n, 2);
	assert_null(v->items[5].items[0].key);
	assert_true(v->items[5].items[1].number == 2.0);
	assert_true(json_get(json_get(v, "g"), "h")->number == 0.0);
}

static void test_type_names(void **state)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",	    [JSON_BOOL] = "a boolean",
		[JSON_NUMBER] = "a number", [JSON_STRING] = "a string",
		[JSON_ARRAY] = "an array",  [JSON_OBJECT] = "an object",
	};

	(void)state;
	for (size_t i = 0; i < N(names); i++)
		assert_string_equal(json_type_name((enum json_type)i),
				    names[i]);
}

/* Any value may be the whole text. */
static void test_roots(void **state)
{
	assert_int_equal(parse(state, "null")->type, JSON_NULL);
	assert_int_equal(parse(state, " \t\r\n[]")->type, JSON_ARRAY);
	assert_int_equal(parse(state, "{}")->n, 0);
	assert_string_equal(parse(state, "\"\"")->string, "");
	assert_true(parse(state, "0")->number == 0.0);
	assert_true(parse(state, "-0.0E+0")->number == 0.0);
	assert_true(parse(state, "1e-999")->number == 0.0);
	assert_true(parse(state, "18446744073709551616")->number ==
		    18446744073709551616.0);
	assert_string_equal(parse(state, "8080// no newline")->string, "8080");
	stands_at(&parse(state, "\xef\xbb\xbf{}")->at, 1, 1);
}

static void test_strings(void **state)
{
	static const struct {
		const char *text;
		const char *value;
	} cases[] = {
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
		{ "\"\\u0041\\u00e4\\u20AC\\u0001\"",
		  "A\xc3\xa4\xe2\x82\xac\x01" },
		{ "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80" },
		{ "\"\\udbff\\uDFFF\"", "\xf4\x8f\xbf\xbf" },
		{ "\"\xc3\xa4\xf0\x9f\x98\x80\x7f\"",
		  "\xc3\xa4\xf0\x9f\x98\x80\x7f" },
		{ "\"\\uffff\\\\u0000\"", "\xef\xbf\xbf\\u0000" },
		/* What looks like a comment or the end is part of it. */
		{ "\"// no /* comment */ ,]\"", "// no /* comment */ ,]" },
		{ "\"https://x.test/*\"", "https://x.test/*" },
		{ "\"\\\"//\"", "\"//" },
	};

	for (size_t i = 0; i < N(cases); i++)
		assert_string_equal(parse(state, cases[i].text)->string,
				    cases[i].value);
}

static void test_comments(void **state)
{
	const struct json *v = parse(
		state,
		"// first \" { \n"
		"/* a \" * / ** // \n */{/**/\"a\"/*:*/:/***/1/*,*/,//\n"
		"  \"b\": [ // ] \r\n"
		"  \"/*\", /* ] */ \"*/\" /* \xc3\xa4 */ , ], /* , */ // ,\n"
		"} // end\n/* end */ //");

	assert_int_equal(v->n, 2);
	stands_at(&v->at, 3, 4);
	stands_at(&v->items[0].key_at, 3, 9);
	stands_at(&v->items[0].at, 3, 23);
	stands_at(&v->items[1].key_at, 4, 3);
	stands_at(&v->items[1].at, 4, 8);
	v = json_get(v, "b");
	assert_int_equal(v->n, 2);
	assert_string_equal(v->items[0].string, "/*");
	assert_string_equal(v->items[1].string, "*/");
	stands_at(&v->items[0].at, 5, 3);
	stands_at(&v->items[1].at, 5, 17);
}

static void test_trailing_commas(void **state)
{
	assert_int_equal(parse(state, "[1,]")->n, 1);
	assert_int_equal(parse(state, "[1,2 , \n ]")->n, 2);
	assert_int_equal(parse(state, "{\"a\":1,}")->n, 1);
	assert_int_equal(parse(state, "{\"a\":[[1,],],\n//\n}")->n, 1);
	assert_int_equal(parse(state, "[{\"a\":{},},]")->n, 1);
	assert_string_equal(parse(state, "[\",]\",]")->items[0].string, ",]");
}

/* Columns are characters: a tab is one, so is a letter of any size. */
static void test_places(void **state)
{
	const struct json *v =
		parse(state, "\xef\xbb\xbf{\n"
			     "\t\"k\xc3\xa4\xe2\x82\xac\":\t\"v\",\r\n"
			     "\n"
			     "  /* \xf0\x9f\x98\x80 */ \"o\": [\"\xc3\xa4"
			     "\", -1, tru"
			     "e, null,\n"
			     "{\"\\u0061\": []}]\n"
			     "}");
	const struct json *o = &v->items[1];

	stands_at(&v->at, 1, 1);
	stands_at(&v->items[0].key_at, 2, 2);
	stands_at(&v->items[0].at, 2, 9);
	stands_at(&o->key_at, 4, 11);
	stands_at(&o->at, 4, 16);
	stands_at(&o->items[0].at, 4, 17);
	stands_at(&o->items[1].at, 4, 22);
	stands_at(&o->items[2].at, 4, 26);
	stands_at(&o->items[3].at, 4, 32);
	stands_at(&o->items[4].at, 5, 1);
	stands_at(&o->items[4].items[0].key_at, 5, 2);
	stands_at(&o->items[4].items[0].at, 5, 12);
	assert_string_equal(o->items[4].items[0].key, "a");
}

struct refused {
	const char *text;
	size_t len;
	const char *message; /* how it begins */
};

static void refuse(void **state, const struct refused *c)
{
	struct json *root = NULL;
	struct err e = { 0 };
	int rc = parse_bytes(*state, c->text, c->len, &root, &e);

	if (rc != -EINVAL || e.code != EINVAL || root)
		fail_msg("accepted: %s", c->text);
	if (strncmp(e.msg, c->message, strlen(c->message)) != 0)
		fail_msg("%s\n says: %s\n not: %s", c->text, e.msg, c->message);
	assert_int_equal(parse_bytes(*state, c->text, c->len, &root, NULL),
			 -EINVAL);
}

static void test_refused_forms(void **state)
{
	static const struct refused cases[] = {
		E("", "1:1: is empty; expected a value such as {}"),
		E(" \n\t ", "1:1: is empty"),
		E("\xef\xbb\xbf", "1:1: is empty"),
		E("// x\n/* y */", "1:1: has nothing but comments; expected"),
		E("{} {}", "1:4: expected the end of the file behind the value,"
			   " but there is '{'"),
		E("1 // x\n2", "2:1: expected the end"),
		E("{}\0", "1:3: expected the end of the file behind the value, "
			  "but there is the byte 0x00"),
		E("\xef\xbb\xbf\xef\xbb\xbf{}", "1:1: expected a value"),
		E("{", "1:1: the '{' here is not closed: the file ends without "
		       "its '}'"),
		E("{\n \"a\": [\n1,", "2:7: the '[' here is not closed: the "
				      "file ends without its ']'"),
		E("[1, {\"a\": 1}", "1:1: the '[' here is not closed"),
		E("[1, {\"a\": 1", "1:5: the '{' here is not closed"),
		E("[1 2]", "1:4: expected ',' or ']' (of the '[' in line 1, "
			   "column 1), but there is '2'"),
		E("{\"a\": 1\n\"b\": 2}",
		  "2:1: expected ',' or '}' (of the '{' in line 1, column 1), "
		  "but there is '\"'"),
		E("{\"a\":\n [1, 2}", "2:7: expected ',' or ']' (of the '[' in "
				      "line 2, column 2), but there is '}'"),
		E("[{\"a\":1]", "1:8: expected ',' or '}' (of the '{' in line "
				"1, column 2), but there is ']'"),
		E("[\"\xc3\xa4\" \xc3\xa4]", "1:6: expected ',' or ']' (of the "
					     "'[' in line 1, column 1), but "
					     "there is '\xc3\xa4'"),
		E("[,]", "1:2: expected a value (an object, an array, a string,"
			 " a number, true, false or null), but there is ','"),
		E("[1,,]", "1:4: there is a comma too many"),
		E("[1,/**/,2]", "1:8: there is a comma too many"),
		E("{\"a\":1,,}", "1:8: there is a comma too many"),
		E("{,}", "1:2: expected a key in double quotes or '}', but "
			 "there is ','"),
		E("{a: 1}", "1:2: expected a key in double quotes or '}', but "
			    "there is 'a'"),
		E("{'a': 1}", "1:2: expected a key in double quotes or '}', "
			      "but there is '''"),
		E("{1: 1}", "1:2: expected a key"),
		E("{null: 1}", "1:2: expected a key"),
		E("{\"a\" 1}", "1:6: expected ':' behind the key \"a\", but "
			       "there is '1'"),
		E("{\"a\", 1}", "1:5: expected ':' behind the key"),
		E("{\"a\"}", "1:5: expected ':'"),
		E("{\"a\"", "1:5: expected ':' behind the key \"a\", but there "
			    "is the end of the file"),
		E("{\"a\":}", "1:6: expected a value"),
		E("{\"a\":", "1:6: expected a value (an object, an array, a "
			     "string, a number, true, false or null), but "
			     "there is the end of the file"),
		E("['a']", "1:2: strings stand in double quotes, not in single "
			   "ones"),
		E("]", "1:1: expected a value"),
		E("[}", "1:2: expected a value"),
		E("[1;2]", "1:3: expected ',' or ']'"),
		E("[\f1]", "1:2: expected a value (an object, an array, a "
			   "string, a number, true, false or null), but there "
			   "is the byte 0x0c"),
		E("[\xc2\xa0"
		  "1]",
		  "1:2: expected a value"),
		E("# x\n{}", "1:1: '#' begins no comment here; use //"),
		E("{} / x", "1:4: '/' alone is nothing; a comment begins with "
			    "// or /*"),
		E("{} /", "1:4: '/' alone is nothing"),
		E("{} /* x", "1:4: the comment that begins here is not closed: "
			     "'*/' is missing"),
		E("{\n /*/ }", "2:2: the comment that begins here is not "
			       "closed"),
		E("[1, /* ]", "1:5: the comment that begins here"),
		E("{\"a\" /*", "1:6: the comment that begins here"),
		E("{\"a\": /*", "1:7: the comment that begins here"),
		E("[1 /*", "1:4: the comment that begins here"),
		E("[ /*", "1:3: the comment that begins here"),
		E("/*", "1:1: the comment that begins here"),
	};

	for (size_t i = 0; i < N(cases); i++)
		refuse(state, &cases[i]);
}

static void test_refused_strings(void **state)
{
	static const struct refused cases[] = {
		E("[\"a", "1:2: the string that begins here is not closed: "
			  "'\"' is missing"),
		E("\"\\", "1:1: the string that begins here is not closed"),
		E("\"\\\"", "1:1: the string that begins here is not closed"),
		E("[1,\n \"a\n\"]",
		  "2:2: the string that begins here is not closed in its line "
		  "(a line break is written \\n)"),
		E("\"a\r\n\"", "1:1: the string that begins here is not closed "
			       "in its line"),
		E("\"\xc3\xa4\tb\"", "1:3: a control character in a string; "
				     "write it as an escape (\\t, \\u001b)"),
		E("\"a\0b\"", "1:3: a control character in a string"),
		E("\"\x1f\"", "1:2: a control character in a string"),
		E("{\"\x01\": 1}", "1:3: a control character in a string"),
		E("\"a\\x41\"", "1:3: '\\x' is no escape; a backslash itself "
				"is written \\\\"),
		E("\"\\\xc3\xa4\"", "1:2: '\\\xc3\xa4' is no escape"),
		E("\"\\'\"", "1:2: '\\'' is no escape"),
		E("\"\\U0041\"", "1:2: '\\U' is no escape"),
		E("\"\\\n\"", "1:2: a '\\' must be followed by one of "
			      "\"\\/bfnrtu"),
		E("\"\\\0\"", "1:2: a '\\' must be followed by one of"),
		E("\"\\u12\"", "1:2: '\\u' needs four hexadecimal digits"),
		E("\"\\u12g4\"", "1:2: '\\u' needs four"),
		E("\"\\u+123\"", "1:2: '\\u' needs four"),
		E("\"\\u", "1:2: '\\u' needs four"),
		E("\"\\u004", "1:2: '\\u' needs four"),
		E("\"ab\\u0000c\"", "1:4: \\u0000 cannot be part of a string"),
		E("{\"a\\u0000\":1}", "1:4: \\u0000 cannot"),
		E("\"\\ud800\"", "1:2: \\ud800 is half of a surrogate pair "
				 "without the other half"),
		E("\"\\uDC00\"", "1:2: \\uDC00 is half of a surrogate pair"),
		E("\"\\ud800x\"", "1:2: \\ud800 is half"),
		E("\"\\ud800\\n1234\"", "1:2: \\ud800 is half"),
		E("\"\\ud800\\ud800\"", "1:2: \\ud800 is half"),
		E("\"\\ud800\\u0041\"", "1:2: \\ud800 is half"),
		E("\"\\udc00\\ud800\"", "1:2: \\udc00 is half"),
		E("\"\\ud800\\udc0\"", "1:2: \\ud800 is half"),
		E("\"\xff\"", "1:2: the byte 0xff is not UTF-8; save the file "
			      "as UTF-8"),
		E("\"\x80\"", "1:2: the byte 0x80 is not UTF-8"),
		E("\"\xc3\"", "1:2: the byte 0xc3 is not UTF-8"),
		E("\"\xc3", "1:2: the byte 0xc3 is not UTF-8"),
		E("\"\xc0\xaf\"", "1:2: the byte 0xc0 is not UTF-8"),
		E("\"\xe0\x80\xaf\"", "1:2: the byte 0xe0 is not UTF-8"),
		E("\"\xf0\x80\x80\xaf\"", "1:2: the byte 0xf0 is not UTF-8"),
		E("\"\xed\xa0\x80\"", "1:2: the byte 0xed is not UTF-8"),
		E("\"\xf4\x90\x80\x80\"", "1:2: the byte 0xf4 is not UTF-8"),
		E("\"\xf8\x88\x80\x80\x80\"", "1:2: the byte 0xf8 is not"),
		E("{} // \xc3\xa4\n // \xe9", "2:5: the byte 0xe9 is not "
					      "UTF-8"),
		E("\xff\xfe{\0}\0", "1:1: the byte 0xff is not UTF-8"),
	};

	for (size_t i = 0; i < N(cases); i++)
		refuse(state, &cases[i]);
}

#define DIGITS_60 "123456789012345678901234567890123456789012345678901234567890"

static void test_refused_words(void **state)
{
	static const struct refused cases[] = {
		E("01", "1:1: '01' is no number of JSON (numbers look like "
			"8080, -1, 0.5, 1e3)"),
		E("-", "1:1: '-' is no number"),
		E("-01", "1:1: '-01' is no number"),
		E("+1", "1:1: '+1' is no number"),
		E(".5", "1:1: '.5' is no number"),
		E("1.", "1:1: '1.' is no number"),
		E("[1.]", "1:2: '1.' is no number"),
		E("1.e5", "1:1: '1.e5' is no number"),
		E("1e", "1:1: '1e' is no number"),
		E("1e+", "1:1: '1e+' is no number"),
		E("1E-x", "1:1: '1E-x' is no number"),
		E("0x10", "1:1: '0x10' is no number"),
		E("1_000", "1:1: '1_000' is no number"),
		E("--1", "1:1: '--1' is no number"),
		E("1-1", "1:1: '1-1' is no number"),
		E("1.2.3", "1:1: '1.2.3' is no number"),
		E("-Infinity", "1:1: '-Infinity' is no number"),
		E("[1, 1e999]", "1:5: the number 1e999 is too large"),
		E("-1e999", "1:1: the number -1e999 is too large"),
		E(DIGITS_60 "1", "1:1: the number "
				 "1234567890123456789012345678901234567890... "
				 "has more than 60 characters"),
		E("True", "1:1: 'True' is no value; strings stand in double "
			  "quotes, and the words are true, false and null"),
		E("[\n NaN]", "2:2: 'NaN' is no value"),
		E("undefined", "1:1: 'undefined' is no value"),
		E("nul", "1:1: 'nul' is no value"),
		E("nulll", "1:1: 'nulll' is no value"),
		E("tru", "1:1: 'tru' is no value"),
		E("truefalse", "1:1: 'truefalse' is no value"),
		E("[x.test]", "1:2: 'x.test' is no value"),
		E("[$HOME]", "1:2: '$HOME' is no value"),
		E("[~/x]", "1:2: expected a value"),
	};

	for (size_t i = 0; i < N(cases); i++)
		refuse(state, &cases[i]);
	assert_string_equal(parse(state, DIGITS_60)->string, DIGITS_60);
}

static void test_duplicates(void **state)
{
	static const struct refused cases[] = {
		E("{\"a\": 1,\n \"a\": 2}",
		  "2:2: the key \"a\" is there twice; the other one is in line "
		  "1, column 2"),
		E("{\"a\": 1, \"\\u0061\": 2}",
		  "1:10: the key \"a\" is there twice; the other one is in "
		  "line 1, column 2"),
		E("{\"\\u00e4\": 1, \"\xc3\xa4\": 2}",
		  "1:15: the key \"\xc3\xa4\" is there twice"),
		E("[{\"x\": {\"\": 1, \"b\": 2, \"\": 3}}]",
		  "1:24: the key \"\" is there twice; the other one is in line "
		  "1, column 9"),
		/* The first repetition of the text, against the one before. */
		E("{\"z\":1,\"a\":1,\"z\":1,\"z\":1,\"a\":1}",
		  "1:14: the key \"z\" is there twice; the other one is in "
		  "line 1, column 2"),
	};

	for (size_t i = 0; i < N(cases); i++)
		refuse(state, &cases[i]);
	/* Byte for byte, in one object only. */
	assert_int_equal(parse(state, "{\"a\":1,\"A\":2,\"a \":{\"a\":1}}")->n,
			 3);
}

static char *nested(unsigned depth, char open, char close)
{
	char *text = malloc(2 * (size_t)depth + 1);

	assert_non_null(text);
	memset(text, open, depth);
	memset(text + depth, close, depth);
	text[2 * (size_t)depth] = '\0';
	return text;
}

static void test_depth(void **state)
{
	char *text = nested(JSON_DEPTH_MAX, '[', ']');
	const struct json *v = parse(state, text);
	struct refused deep = {
		.message = "f:1:33: is nested deeper than 32 arrays and objects"
	};
	char *more;

	for (unsigned i = 1; i < JSON_DEPTH_MAX; i++) {
		assert_int_equal(v->n, 1);
		v = &v->items[0];
	}
	assert_int_equal(v->n, 0);
	free(text);
	for (unsigned depth = JSON_DEPTH_MAX + 1; depth < 500000; depth *= 30) {
		more = nested(depth, '[', ']');
		deep.text = more;
		deep.len = 2 * (size_t)depth;
		refuse(state, &deep);
		free(more);
	}
	/* Beside one another is not inside one another. */
	parse(state, "[[[]],[[]],[[]],[{}],[{}],[{}],[{}],[{}],[{}],[{}],[{}],"
		     "[{}],[{}],[{}],[{}],[{}],[{}],[{}],[{}],[{}],[{}],[{}],"
		     "[{}],[{}],[{}],[{}],[{}],[{}],[{}],[{}],[{}],[{}],[{}]]");
}

static void test_size(void **state)
{
	size_t len = JSON_SIZE_MAX + 1;
	char *text = malloc(len);
	struct json *root = NULL;
	struct err e = { 0 };

	assert_non_null(text);
	memset(text, ' ', len);
	text[0] = '1';
	assert_int_equal(json_parse(*state, "f", text, len - 1, &root, &e), 0);
	assert_non_null(root);
	assert_int_equal(json_parse(*state, "f", text, len, &root, &e),
			 -EINVAL);
	assert_string_equal(e.msg, "f:1:1: is larger than 1 MiB");
	free(text);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Many elements, one a line, and many keys in no order: quadratic work in
 * either would take minutes. */
static void test_long(void **state)
{
	const unsigned n = 50000;
	const size_t room = (size_t)n * 40;
	char *text = malloc(room);
	uint64_t start = now_ms();
	const struct json *v;
	size_t len = 0;

	assert_non_null(text);
	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, room - len, "%s\"h%u\"\n",
					i ? "," : "[", i);
	(void)snprintf(text + len, room - len, ",]");
	v = parse(state, text);
	assert_int_equal(v->n, n);
	for (unsigned i = 0; i < n; i += 997) {
		char want[16];

		(void)snprintf(want, sizeof(want), "h%u", i);
		assert_string_equal(v->items[i].string, want);
		stands_at(&v->items[i].at, i + 1, 2);
	}

	len = 0;
	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, room - len,
					"%s \"k%u\": [%u]", i ? "," : "{",
					i * 7919 % n, i);
	(void)snprintf(text + len, room - len, "}");
	v = parse(state, text);
	assert_int_equal(v->n, n);
	assert_string_equal(v->items[1].key, "k7919");

	(void)snprintf(text + len, room - len, ",\"k5\":0}");
	struct refused twice = { text, strlen(text), "f:1:" };
	refuse(state, &twice);
	assert_in_range(now_ms() - start, 0, 20000);
	free(text);
}

/* A message keeps its place and reason next to a long key. */
static void test_long_key(void **state)
{
	char text[6000] = "{\"";
	struct json *root = NULL;
	struct err e = { 0 };

	memset(text + 2, 'k', 5000);
	memcpy(text + 5002, "\" 1}", 5);
	assert_int_equal(parse_bytes(*state, text, strlen(text), &root, &e),
			 -EINVAL);
	assert_non_null(strstr(e.msg, "f:1:5005: expected ':'"));
	assert_non_null(strstr(e.msg, "but there is '1'"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_values),
		T(test_type_names),
		T(test_roots),
		T(test_strings),
		T(test_comments),
		T(test_trailing_commas),
		T(test_places),
		T(test_refused_forms),
		T(test_refused_strings),
		T(test_refused_words),
		T(test_duplicates),
		T(test_depth),
		T(test_size),
		T(test_long),
		T(test_long_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
