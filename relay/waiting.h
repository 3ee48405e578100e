/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Far ends whose command's end has not been accepted yet, by what identifies
 * that end and by age. */
#ifndef RELAY_WAITING_H
#define RELAY_WAITING_H

#include <stdint.h>
#include <sys/queue.h>

#include "common/addr.h"
#include "common/htab.h"
#include "common/loop.h"

#define WAITING_MAX 8192

/* Compared and hashed as bytes, so it has no padding. */
struct waiting_key {
	struct addr dst; /* original destination */
	uint8_t zero;
	uint16_t src_port;
	uint16_t dst_port;
};

/* Embedded in the caller's object. */
struct waiting {
	struct htab_node node;
	TAILQ_ENTRY(waiting) by_age;
	struct waiting_key key;
	uint64_t until_ms;
};

/* w has left the table. */
typedef void waiting_expired_fn(struct waiting *w, void *arg);

struct waiting_table {
	struct htab by_key;
	TAILQ_HEAD(waiting_list, waiting) by_age;
	struct loop *loop;
	struct loop_timer timer;
	uint32_t timeout_ms;
	waiting_expired_fn *expired;
	void *arg;
};

/* Returns 0 or -errno. */
int waiting_init(struct waiting_table *t, struct loop *loop,
		 uint32_t timeout_ms, waiting_expired_fn *expired, void *arg);
void waiting_done(struct waiting_table *t);

/* w->key is set and absent from the table.  Returns 0, -ENOSPC (WAITING_MAX)
 * or -ENOMEM. */
int waiting_add(struct waiting_table *t, struct waiting *w);
/* Finds and takes out; NULL if there is none. */
struct waiting *waiting_take(struct waiting_table *t,
			     const struct waiting_key *key);
/* The same for any source port: the one that came last. */
struct waiting *waiting_take_any_port(struct waiting_table *t,
				      const struct waiting_key *key);
/* Takes out the oldest; NULL when empty. */
struct waiting *waiting_take_first(struct waiting_table *t);

#endif
