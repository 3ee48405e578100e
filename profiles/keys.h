/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The format as a table: one row a key.  Decoding, merging, the check of what
 * this run can honour, `profile show` and the tests that hold the manual
 * against the format all read it.
 */
#ifndef PROFILES_KEYS_H
#define PROFILES_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "profiles/profile.h"

enum key_type {
	TYPE_STRING,
	TYPE_STRING_OR_LIST, /* extends */
	TYPE_BOOL,
	TYPE_UINT,
	TYPE_ENUM,
	TYPE_STRINGS,
	TYPE_WHEN_STRINGS, /* a string or {word: string, when} */
	TYPE_PORTS,
	TYPE_PORT_RANGES,
	TYPE_DOMAINS,	     /* a string or {domain, endpoints} */
	TYPE_STRING_MAP,     /* name -> string */
	TYPE_WHEN_MAP,	     /* reference -> string or {env_var, when} */
	TYPE_OBJECT,	     /* one object of the given shape */
	TYPE_OBJECTS,	     /* a list of them */
	TYPE_OBJECT_MAP,     /* name -> object */
	TYPE_ANY_OBJECT,     /* not looked into */
	TYPE_ENUM_OR_OBJECT, /* inside objects only, as is the next */
	TYPE_WHEN,
	TYPE__COUNT,
};

enum key_merge {
	MERGE_CONSUMED,	    /* extends: gone after merging */
	MERGE_CHILD,	    /* the child's if it is set, else the base's */
	MERGE_CHILD_NULL,   /* the same, but the child's null clears */
	MERGE_ALWAYS,	    /* the child's, even if absent (meta) */
	MERGE_OR,	    /* true if either is */
	MERGE_NOT_NONE,	    /* the child's unless "none" (workdir) */
	MERGE_APPEND,	    /* base, then child, duplicates dropped */
	MERGE_APPEND_CLEAR, /* the same, but the child's [] clears */
	MERGE_DOMAINS,	    /* by domain; endpoints are appended */
	MERGE_MAP,	    /* by name, the child's wins */
	MERGE_DESTINATION,  /* env_credentials: by name, and a child's entry
			     * removes those with the same destination */
	MERGE__COUNT,
};

/* What a key means to a run on this system. */
enum key_effect {
	EFFECT_USED,
	EFFECT_NOTED,	/* read, not acted on: said with -v */
	EFFECT_REFUSED, /* asks for what is not there: an error */
};

/* What an object may hold.  Nested tables end with a row without name. */
struct shape {
	const char *name;
	const char *word;	    /* TYPE_WHEN_STRINGS */
	const char *const *values;  /* TYPE_ENUM, _ENUM_OR_OBJECT */
	const struct shape *object; /* TYPE_OBJECT, _OBJECTS, _OBJECT_MAP,
				     * _ENUM_OR_OBJECT */
	enum key_type type;
	unsigned min; /* TYPE_UINT */
	unsigned max; /* TYPE_UINT; 0: no limit */
	bool required;
	bool null_ok;
	bool not_empty; /* no string may be "" */
};

struct key_spec {
	const char *path;	    /* "filesystem.allow" */
	const char *const *aliases; /* last names or paths; may be NULL */
	const char *word;	    /* TYPE_WHEN_STRINGS: "path" ... */
	const char *const *values;  /* TYPE_ENUM */
	const struct shape *object;
	enum key_type type;
	enum key_merge merge;
	enum key_effect effect;
	unsigned min; /* TYPE_UINT */
	unsigned max;
	bool null_ok;
	bool empty_ok;	      /* a string may be "" */
	const char *fallback; /* default in the manual's words */
	const char *why;      /* NOTED, REFUSED: the reason and the remedy */
	const char *summary;  /* one line for the manual and `show` */
};

/* The rows, in keytable.c. */
extern const struct key_spec key_table[KEY__COUNT];

/* The row of a key; never NULL. */
const struct key_spec *key_spec(enum profile_key key);
/* True if the field asks for something: set, and not empty, false or what is
 * the default anyway. */
bool key_asks(enum profile_key key, const struct field *f);

/* Legacy keys: path of old -> key they are drained into. */
struct legacy_key {
	const char *path;
	enum profile_key into;
};

#define N_LEGACY_KEYS 9
extern const struct legacy_key legacy_keys[];
extern const size_t n_legacy_keys;

/* Looks a full path up (aliases and legacy paths resolved).  Returns the key,
 * or -1; *ret_legacy tells whether the path is a deprecated one. */
int key_find(const char *path, bool *ret_legacy);
/* The index of a legacy path, or -1. */
int key_find_legacy(const char *path);
/* True if path is a section that holds keys ("filesystem"). */
bool key_is_section(const char *path);
/* True if that section may be null. */
bool key_section_null_ok(const char *path);
/* The nearest known name under the same parent ("filesystem.alow" ->
 * "allow"), or NULL if none is near. */
const char *key_suggest(const char *path);
/* The paths of up to max keys and sections of that last name; how many. */
size_t key_elsewhere(const char *name, const char **ret, size_t max);

#endif
