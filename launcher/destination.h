/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the command may have a connection, and which addresses to dial for
 * it. */
#ifndef LAUNCHER_DESTINATION_H
#define LAUNCHER_DESTINATION_H

#include <stdbool.h>
#include <stddef.h>

#include "common/addr.h"
#include "launcher/connector.h"

#define DESTINATIONS_MAX 4

/* Sets admission (not held), rule, local and proxied. */
bool destination_permit(const struct connector_config *c,
			struct connection *conn);
/* Of a connection that is permitted: how many there are, the first to be tried
 * first. */
size_t destination_list(const struct connector_config *c,
			const struct connection *conn,
			struct addr ret[static DESTINATIONS_MAX]);

#endif
