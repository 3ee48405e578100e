/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which distribution this is. */
#ifndef PROFILES_SYSTEMID_H
#define PROFILES_SYSTEMID_H

#define SYSTEM_ID_MAX 128

/* From os-release(5); a field that is missing there is "". */
struct system_id {
	char id[SYSTEM_ID_MAX];
	char id_like[SYSTEM_ID_MAX]; /* words separated by spaces */
	char version_id[SYSTEM_ID_MAX];
	char variant_id[SYSTEM_ID_MAX];
};

/* Of the running system; all fields are "" without an os-release. */
void system_id_read(struct system_id *ret);
/* The same from the text of such a file. */
void system_id_parse(const char *text, struct system_id *ret);

#endif
