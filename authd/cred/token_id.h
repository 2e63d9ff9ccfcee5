/* SPDX-License-Identifier: ISC */
#ifndef TOKEN_ID_H
#define TOKEN_ID_H

#include "imsg/msg.h"

/*
 * What is issued under a token has an id that begins with the token's: whoever
 * looks whether it is revoked looks for both, wherever the id has been since.
 */

/* An id of its own under `parent` ("": under none). */
void	token_id_make(const char *parent, char dst[ID_SIZE]);
/* The parent's, "" for none. */
void	token_id_parent(const char *id, char dst[ID_SIZE]);

#endif
