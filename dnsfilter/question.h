/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions under way and who waits for them.  Bounded in both; identical
 * questions are one.
 */
#ifndef DNSFILTER_QUESTION_H
#define DNSFILTER_QUESTION_H

#include <sys/queue.h>

#include "common/htab.h"
#include "common/loop.h"
#include "dnsfilter/chain.h"
#include "dnsfilter/client.h"

#define QUESTIONS_MAX	     512
#define WAITERS_MAX	     4096
#define QUESTION_WAITERS_MAX 256

struct waiter {
	STAILQ_ENTRY(waiter) link;
	struct dns_client client;
	struct dns_question asked;
};

struct question {
	struct htab_node node;
	uint64_t id; /* unique; low bits are the slot */
	void *owner; /* of the table's user */
	uint16_t type;
	bool admitting;		 /* chain is with the monitor */
	struct loop_timer timer; /* until it may go upstream */
	unsigned n_waiters;
	STAILQ_HEAD(waiter_list, waiter) waiters;
	char name[HOSTNAME_BUF];
	struct dns_chain chain;
};

struct questions {
	struct htab table;
	size_t n_waiters;
	uint64_t serial;
	size_t n_free;
	uint16_t free_slot[QUESTIONS_MAX];
	struct question *slot[QUESTIONS_MAX];
};

int questions_init(struct questions *qs);
/* All have been freed. */
void questions_done(struct questions *qs);

struct question *question_find(const struct questions *qs, const char *name,
			       uint16_t type);
struct question *question_by_id(const struct questions *qs, uint64_t id);
/* -EBUSY: the table is full.  -ENOMEM.  It is not there yet. */
int question_add(struct questions *qs, const char *name, uint16_t type,
		 struct question **ret);
/* -EBUSY, -ENOMEM. */
int question_wait(struct questions *qs, struct question *q,
		  const struct dns_client *client,
		  const struct dns_question *asked);
/* It can no longer be found, so that answering its waiters cannot touch it. */
void question_detach(struct questions *qs, struct question *q);
/* The next waiter, which the caller answers and frees, or NULL. */
struct waiter *question_pop_waiter(struct questions *qs, struct question *q);
/* Detached, and without waiters. */
void question_free(struct question *q);
/* Any one, or NULL. */
struct question *question_any(const struct questions *qs);

#endif
