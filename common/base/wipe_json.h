/* SPDX-License-Identifier: ISC */
#ifndef WIPE_JSON_H
#define WIPE_JSON_H

struct cJSON;

/*
 * The text of what cJSON was to make on wipe_malloc(), to be freed with
 * cJSON_free(). NULL: out of memory, or a part of it may be missing (wipe_lacks()).
 */
char	*wipe_print(const struct cJSON *);

#endif
