/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the objects inside the format's keys may hold. */
#ifndef PROFILES_SHAPES_H
#define PROFILES_SHAPES_H

#include "profiles/keys.h"

extern const struct shape shape_meta[];
extern const struct shape shape_approval_backend[];
extern const struct shape shape_approval_defaults[];
extern const struct shape shape_domain[];
extern const struct shape shape_custom_credential[];
extern const struct shape shape_tls_intercept[];
extern const struct shape shape_credential_capture[];
extern const struct shape shape_credential_provider[];
extern const struct shape shape_credential_route[];
extern const struct shape shape_hook[];
extern const struct shape shape_session_hook[];
extern const struct shape shape_open_urls[];

#endif
