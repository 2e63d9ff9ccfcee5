/* SPDX-License-Identifier: ISC */
#ifndef DIALERD_JSON_H
#define DIALERD_JSON_H

#include <stddef.h>
#include <stdint.h>

struct cJSON;

/* What an identity provider says, read with distrust. Pure. */

/*
 * One JSON object, to the last byte, without NUL in it or in its strings. To be
 * freed with cJSON_Delete(); NULL: it is not that.
 */
struct cJSON	*json_document(const char *text, size_t len);
/*
 * Of two members with one name readers take different ones: is there one in
 * this object (not in what lies in it), or are there more than anybody has?
 */
int		 json_is_odd(const struct cJSON *object);
/*
 * A member that is text of less than `size` bytes, borrowed; NULL: it is not.
 */
const char	*json_text(const struct cJSON *object, const char *name,
		    size_t size);

/*
 * Where an https URL leads: host (lower case) and port. 0; -1: another scheme,
 * a user, no name, a port that is none, or longer than URL_SIZE.
 */
#define PLACE_SIZE	256
int		 place_of(const char *url, char host[PLACE_SIZE], uint16_t *port);
int		 place_is_same(const char *url, const char *other);

#endif
