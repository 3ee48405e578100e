/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the start and a look-up cost, one JSON object a line:
 *
 *	load of a shipped profile with all its bases (argv[1], "schedar")
 *	a file of a million names: time to load, memory, look-ups
 *
 * Look-ups are of names in random order, so that each meets a cold cache.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/arena.h"
#include "profiles/allowlist.h"
#include "profiles/library.h"
#include "profiles/load.h"
#include "profiles/namefile.h"

#define NAMES	  1000000
#define LOADS	  200
#define ROUNDS	  301
#define ASKED	  2000 /* few, so that the questions do not fill the cache */
#define NAME_ROOM 80

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* xorshift64*: the same names in every run. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717;
}

static size_t resident_bytes(void)
{
	size_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%*u %zu", &pages) != 1)
		pages = 0;
	if (f)
		(void)fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t median(uint64_t *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_value);
	return values[n / 2];
}

/* The i-th name: three or four labels; every fifth is a wildcard of two. */
static void make_name(char text[static NAME_ROOM - 16], uint64_t i,
		      uint64_t seed)
{
	static const char *const tops[] = { "com", "net", "org", "io", "dev" };
	uint64_t mix = (i + 1) * 0x9e3779b97f4a7c15 ^ seed;
	const char *top = tops[i % 5];

	if (i % 5 == 4)
		(void)snprintf(text, NAME_ROOM - 16, "*.w%08x.%s",
			       (unsigned)(mix >> 32), top);
	else if (i % 2)
		(void)snprintf(text, NAME_ROOM - 16, "host%u.site%06x.%s",
			       (unsigned)(i % 97), (unsigned)(mix >> 40), top);
	else
		(void)snprintf(text, NAME_ROOM - 16, "a%u.eu-west.x%07x.%s",
			       (unsigned)(i % 89), (unsigned)(mix >> 36), top);
}

enum question { HIT, WILDCARD_HIT, MISS, MIXED, QUESTION__COUNT };

static void make_question(char text[static NAME_ROOM], enum question q,
			  uint64_t *random)
{
	uint64_t i = next_random(random) % NAMES;
	char name[NAME_ROOM - 16];

	i -= i % 5;
	if (q == MIXED)
		q = i % 3;
	if (q == WILDCARD_HIT) {
		make_name(name, i + 4, 0);
		(void)snprintf(text, NAME_ROOM, "api%u.%s", (unsigned)(i % 83),
			       name + 2);
		return;
	}
	make_name(text, i + i / 5 % 4, q == MISS ? 0x5bd1e9955bd1e995 : 0);
}

/* The median over rounds of the mean of ASKED look-ups. */
static uint64_t time_questions(const struct allowlist *al, enum question q,
			       size_t *ret_hits)
{
	char(*names)[NAME_ROOM] = calloc(ASKED, NAME_ROOM);
	uint64_t ns[ROUNDS];
	uint64_t random = 88172645463325252;
	struct allow_ports ports;

	if (!names)
		return 0;
	*ret_hits = 0;
	for (size_t round = 0; round < ROUNDS; round++) {
		uint64_t start;

		for (size_t i = 0; i < ASKED; i++)
			make_question(names[i], q, &random);
		start = now_ns();
		for (size_t i = 0; i < ASKED; i++)
			*ret_hits += allowlist_match(al, names[i], &ports);
		ns[round] = (now_ns() - start) / ASKED;
	}
	free(names);
	return median(ns, ROUNDS);
}

static int write_names(const char *path)
{
	FILE *f = fopen(path, "we");
	char text[NAME_ROOM];
	int rc = 0;

	if (!f)
		return -errno;
	for (uint64_t i = 0; rc >= 0 && i < NAMES; i++) {
		make_name(text, i, 0);
		rc = fprintf(f, "%s\n", text);
	}
	if (fclose(f) != 0 || rc < 0)
		return -EIO;
	return 0;
}

static int bench_names(const char *path)
{
	static const char *const what[] = { "hit", "wildcard_hit", "miss",
					    "mixed" };
	struct allowlist *al;
	struct err e = { 0 };
	size_t before = resident_bytes();
	uint64_t start = now_ns();
	size_t n, hits = 0;
	int rc = allowlist_new(&al, &e);

	if (rc == 0)
		rc = namefile_read(al, path, &e);
	if (rc == 0)
		rc = allowlist_seal(al, &e);
	if (rc < 0) {
		(void)fprintf(stderr, "bench_profile: %s\n", e.msg);
		return 1;
	}
	n = allowlist_n_domains(al);
	printf("{\"bench\":\"names\",\"n\":%zu,\"load_ms\":%.1f,"
	       "\"bytes_per_name\":%.1f}\n",
	       n, (double)(now_ns() - start) / 1e6,
	       (double)(resident_bytes() - before) / (double)n);
	for (enum question q = HIT; q < QUESTION__COUNT; q++) {
		uint64_t ns = time_questions(al, q, &hits);

		printf("{\"bench\":\"lookup_%s\",\"ns\":%llu,"
		       "\"share_hit\":%.3f}\n",
		       what[q], (unsigned long long)ns,
		       (double)hits / ((double)ASKED * ROUNDS));
	}
	allowlist_free(al);
	return 0;
}

static int load_once(const struct library *lib, const char *name, struct err *e)
{
	struct arena arena = { 0 };
	struct loader loader;
	struct loaded loaded;
	int rc = loader_init(&loader, &arena, lib, e);

	if (rc == 0)
		rc = load_profile(&loader, name, NULL, NULL, &loaded, e);
	arena_free(&arena);
	return rc;
}

static int bench_load(const char *name)
{
	static struct library lib;
	uint64_t ns[LOADS];
	struct err e = { 0 };
	int rc = library_open(&lib, "/nonexistent", &e);

	for (size_t i = 0; rc == 0 && i < LOADS; i++) {
		uint64_t start = now_ns();

		rc = load_once(&lib, name, &e);
		ns[i] = now_ns() - start;
	}
	if (rc < 0) {
		(void)fprintf(stderr, "bench_profile: %s\n", e.msg);
		return 1;
	}
	printf("{\"bench\":\"load_profile\",\"name\":\"%s\",\"us\":%.0f}\n",
	       name, (double)median(ns, LOADS) / 1e3);
	return 0;
}

int main(int argc, char **argv)
{
	/* Nobody else may be able to replace it. */
	char path[] = "/var/tmp/egress-run-bench-XXXXXX";
	int fd = mkstemp(path);
	int status;

	if (fd < 0 || close(fd) < 0 || write_names(path) < 0) {
		perror("bench_profile: file of names");
		return 1;
	}
	status = bench_names(path);
	(void)unlink(path);
	return bench_load(argc > 1 ? argv[1] : "schedar") || status;
}
