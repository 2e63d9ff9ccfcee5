/* SPDX-License-Identifier: ISC */
#ifndef JWT_H
#define JWT_H

#include <stddef.h>
#include <stdint.h>

#include "imsg/msg.h"

struct cJSON;

/*
 * JSON web tokens, compact form, HS256 only: whatever else a header asks for is
 * refused. Pure, but for the clock. RFC 7515, 7519; operator-api.md, section 2.
 */

#define JWT_KEY_MAX	4096
#define JWT_KEY_MIN	32	/* RFC 7518, 3.2; a shorter one is warned about */

/* Take a copy of the key; a line end behind it does not belong to it. 0, -1. */
int	jwt_set_key(const uint8_t *key, size_t len);
/* Its length, so taken; 0: there is none. */
size_t	jwt_key_len(void);
/* Wipe it. Without a key every token is refused. */
void	jwt_clear_key(void);

/*
 * Check form, header and signature. Returns the payload, to be freed with
 * cJSON_Delete(), or NULL. Says nothing about the claims.
 */
struct cJSON	*jwt_open(const char *token);

/*
 * May a token's header name this type? It may be missing (NULL), JWT or at+jwt,
 * in any case of letters, also behind "application/": RFC 7515, 4.1.9; RFC
 * 9068, 2.1. Of tokens that are for something else the type says so: RFC 8725,
 * 3.11. 1 or 0.
 */
int	jwt_is_type(const struct cJSON *typ);

/*
 * The same in steps, for tokens that are signed in other ways. Two dots, and
 * where they are; 0, or -1. A part's JSON object, to be freed, or NULL: without
 * NUL, but of two members with one name there may be both, which
 * jwt_has_twins() looks for, in this object and below: not before the signature
 * is known to be good where there may be many. A part's bytes: how many, or -1.
 */
struct jwt_parts {
	const char	*payload, *signature;	/* behind the dots */
};
int		 jwt_split(const char *token, struct jwt_parts *);
struct cJSON	*jwt_json(const char *part, size_t len);
int		 jwt_has_twins(const struct cJSON *);
long		 jwt_bytes(uint8_t *dst, size_t size, const char *part,
		    size_t len);

/*
 * Sign `payload`. Returns a string to be freed (it is a credential: wipe it),
 * or NULL when there is no key or no memory.
 */
char	*jwt_seal(const struct cJSON *payload);

/*
 * A mark under the same key that proves that bytes which come back from another
 * process are as we gave them away, also to an authd that started since. It can
 * never be the signature of a token. 0; -1 without a key.
 */
#define JWT_MARK_SIZE	32
int	jwt_mark(const void *, size_t len, uint8_t mark[JWT_MARK_SIZE]);

/* Who acts, as a token says it. */
struct operator {
	char	id[ID_SIZE];
	char	name[NAME_SIZE];
	char	org_role[WORD_SIZE];
	char	org_id[ID_SIZE];
	char	token_id[ID_SIZE];	/* jti, "" when the token has none */
	char	impersonator[ID_SIZE];	/* who really acts, "" nobody else */
	int64_t	expires;		/* seconds, wall clock */
	uint32_t permits;		/* 1 << enum api_needs */
};

/* What a proxy token carries. */
struct proxy_claims {
	struct operator	who;
	char		session[UUID_SIZE];
	char		service[SERVICE_SIZE];
};

/*
 * The claims of an access (or impersonation) token and of a proxy token:
 * token_type, exp, nbf, iat, and iss, aud unless these are "". Times against
 * `now` (seconds). 0, or -1: not valid; the out parameter is then undefined.
 */
int	claims_access(const struct cJSON *payload, const char *iss,
	    const char *aud, int64_t now, struct operator *);
int	claims_proxy(const struct cJSON *payload, const char *iss,
	    const char *aud, int64_t now, struct proxy_claims *);

/*
 * Make the payloads. `iss` and `aud` as configured ("": relayd's own). NULL
 * when out of memory. An operator's `permissions` are words joined by commas.
 */
struct cJSON	*claims_make_proxy(const struct proxy_claims *, const char *iss,
		    const char *aud, int64_t now);
struct cJSON	*claims_make_access(const struct operator *,
		    const char *permissions, const char *iss, const char *aud,
		    int64_t now);

#endif
