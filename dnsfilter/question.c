/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsfilter/question.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dnsfilter/key.h"

int questions_init(struct questions *qs)
{
	memset(qs, 0, sizeof(*qs));
	while (qs->n_free < QUESTIONS_MAX) {
		qs->free_slot[qs->n_free] = (uint16_t)qs->n_free;
		qs->n_free++;
	}
	return htab_init(&qs->table);
}

void questions_done(struct questions *qs)
{
	htab_done(&qs->table);
}

static bool question_equal(const struct htab_node *node, const void *key)
{
	const struct question *q =
		(const void *)((const char *)node -
			       offsetof(struct question, node));
	const struct name_key *k = key;

	return q->type == k->type && strcmp(q->name, k->name) == 0;
}

struct question *question_find(const struct questions *qs, const char *name,
			       uint16_t type)
{
	struct name_key k = { .name = name, .type = type };
	struct htab_node *n = htab_find(
		&qs->table, name_key_hash(&qs->table, &k), question_equal, &k);

	return n ? htab_entry(n, struct question, node) : NULL;
}

struct question *question_by_id(const struct questions *qs, uint64_t id)
{
	struct question *q = qs->slot[id % QUESTIONS_MAX];

	return q && q->id == id ? q : NULL;
}

int question_add(struct questions *qs, const char *name, uint16_t type,
		 struct question **ret)
{
	struct name_key k = { .name = name, .type = type };
	struct question *q;
	uint16_t slot;

	if (qs->n_free == 0)
		return -EBUSY;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->type = type;
	memcpy(q->name, name, strnlen(name, HOSTNAME_MAX));
	STAILQ_INIT(&q->waiters);
	if (htab_insert(&qs->table, &q->node, name_key_hash(&qs->table, &k)) <
	    0) {
		free(q);
		return -ENOMEM;
	}
	slot = qs->free_slot[--qs->n_free];
	q->id = ++qs->serial * QUESTIONS_MAX + slot;
	qs->slot[slot] = q;
	*ret = q;
	return 0;
}

int question_wait(struct questions *qs, struct question *q,
		  const struct dns_client *client,
		  const struct dns_question *asked)
{
	struct waiter *w;

	if (qs->n_waiters == WAITERS_MAX ||
	    q->n_waiters == QUESTION_WAITERS_MAX)
		return -EBUSY;
	w = malloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->client = *client;
	w->asked = *asked;
	STAILQ_INSERT_TAIL(&q->waiters, w, link);
	q->n_waiters++;
	qs->n_waiters++;
	return 0;
}

void question_detach(struct questions *qs, struct question *q)
{
	uint16_t slot = (uint16_t)(q->id % QUESTIONS_MAX);

	assert(qs->slot[slot] == q);
	htab_remove(&qs->table, &q->node);
	qs->slot[slot] = NULL;
	qs->free_slot[qs->n_free++] = slot;
}

struct waiter *question_pop_waiter(struct questions *qs, struct question *q)
{
	struct waiter *w = STAILQ_FIRST(&q->waiters);

	if (!w)
		return NULL;
	STAILQ_REMOVE_HEAD(&q->waiters, link);
	q->n_waiters--;
	qs->n_waiters--;
	return w;
}

void question_free(struct question *q)
{
	assert(STAILQ_EMPTY(&q->waiters));
	free(q);
}

struct question *question_any(const struct questions *qs)
{
	for (size_t i = 0; i < QUESTIONS_MAX; i++)
		if (qs->slot[i])
			return qs->slot[i];
	return NULL;
}
