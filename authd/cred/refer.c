/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <string.h>

#include "refer.h"

#define B64	sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define KEY	crypto_secretbox_KEYBYTES
#define NONCE	crypto_secretbox_NONCEBYTES
#define BOX	(NONCE + crypto_secretbox_MACBYTES + REFER_TOKEN_MAX)

/* One purpose, one hash. */
static void
hash(uint8_t out[32], const char *purpose, const char *text)
{
	crypto_generichash_state	st;

	crypto_generichash_init(&st, NULL, 0, 32);
	crypto_generichash_update(&st, (const uint8_t *)purpose,
	    strlen(purpose) + 1);
	crypto_generichash_update(&st, (const uint8_t *)text, strlen(text));
	crypto_generichash_final(&st, out, 32);
}

int
refer_make(const char *token, const struct proxy_claims *pc,
    char reference[REFERENCE_SIZE])
{
	struct reference	r;
	uint8_t			of[32];
	int			ok;

	_Static_assert(JWT_MARK_SIZE == REFERENCE_SECRET, "a mark is one");
	hash(of, "reference", token);
	ok = strlen(token) <= REFER_TOKEN_MAX &&
	    pc->who.expires <= UINT32_MAX &&
	    reference_session(pc->session, r.session) == 0 &&
	    jwt_mark(of, sizeof(of), r.secret) == 0;
	r.expires = (uint32_t)pc->who.expires;
	if (ok)
		reference_write(&r, reference);
	sodium_memzero(&r, sizeof(r));
	return (ok ? 0 : -1);
}

void
refer_hash(const char *reference, char id[HEX64_SIZE])
{
	uint8_t	h[32];

	hash(h, "id", reference);
	sodium_bin2hex(id, HEX64_SIZE, h, sizeof(h));
}

int
refer_seal(const char *reference, const char *token,
    char sealed[REFER_SEALED_SIZE])
{
	uint8_t	box[BOX], key[KEY];
	size_t	len = strlen(token);

	if (len > REFER_TOKEN_MAX)
		return (-1);
	hash(key, "key", reference);
	randombytes_buf(box, NONCE);
	(void)crypto_secretbox_easy(box + NONCE, (const uint8_t *)token, len,
	    box, key);
	sodium_bin2base64(sealed, REFER_SEALED_SIZE, box,
	    NONCE + crypto_secretbox_MACBYTES + len, B64);
	sodium_memzero(key, sizeof(key));
	return (0);
}

int
refer_open(const char *reference, const char *sealed,
    char token[REFER_TOKEN_MAX + 1])
{
	uint8_t	box[BOX], key[KEY];
	size_t	len;
	int	r;

	if (sodium_base642bin(box, sizeof(box), sealed, strlen(sealed), NULL,
	    &len, NULL, B64) != 0 || len < NONCE + crypto_secretbox_MACBYTES)
		return (-1);
	hash(key, "key", reference);
	r = crypto_secretbox_open_easy((uint8_t *)token, box + NONCE,
	    len - NONCE, box, key);
	sodium_memzero(key, sizeof(key));
	if (r != 0)
		return (-1);
	token[len - NONCE - crypto_secretbox_MACBYTES] = '\0';
	return (0);
}
