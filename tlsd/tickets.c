/* SPDX-License-Identifier: ISC */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <string.h>

#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "tickets.h"

#define LIFE_S	7200	/* as long as two of the three keys that open */

/* TLS_TICKET_KEY bytes. */
struct ticket_key {
	uint8_t	name[16], aes[32], hmac[32];
};
_Static_assert(sizeof(struct ticket_key) == TLS_TICKET_KEY, "msg.h");

static struct {
	struct ticket_key	 key[TLS_TICKET_KEYS];
	size_t			 n;
} tickets;

int
tickets_on_keys(struct chan *c, struct imsg *m)
{
	struct msg_ticket_keys	in;

	(void)c;
	if (get_ticket_keys(m, &in) == -1 || in.keys.len == 0 ||
	    in.keys.len % TLS_TICKET_KEY != 0)
		return (-1);
	explicit_bzero(tickets.key, sizeof(tickets.key));
	memcpy(tickets.key, in.keys.p, in.keys.len);
	tickets.n = in.keys.len / TLS_TICKET_KEY;
	return (0);
}

static int
use(const struct ticket_key *k, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int seal)
{
	char		digest[] = "SHA256";
	OSSL_PARAM	params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
		    (void *)(uintptr_t)k->hmac, sizeof(k->hmac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest,
		    0),
		OSSL_PARAM_construct_end()
	};

	return (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->aes, iv,
	    seal) == 1 && EVP_MAC_CTX_set_params(mac, params) == 1);
}

/* 1: with this, 2: and give it a new one, 0: none of ours, -1: broken. */
static int
ticket_key(SSL *ssl, unsigned char name[16], unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	size_t	i;

	(void)ssl;
	if (seal) {
		if (tickets.n == 0 ||
		    RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()))
		    != 1)
			return (0);
		memcpy(name, tickets.key[0].name, sizeof(tickets.key[0].name));
		return (use(&tickets.key[0], iv, cipher, mac, 1) ? 1 : -1);
	}
	for (i = 0; i < tickets.n; i++)
		if (memcmp(name, tickets.key[i].name,
		    sizeof(tickets.key[i].name)) == 0)
			return (!use(&tickets.key[i], iv, cipher, mac, 0) ?
			    -1 : i == 0 ? 1 : 2);
	return (0);
}

int
tickets_setup(SSL_CTX *ctx)
{
	static const unsigned char	id[] = "relayd";

	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_timeout(ctx, LIFE_S);
	return (SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1) == 1 &&
	    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key) == 1 ? 0 :
	    -1);
}
