/* SPDX-License-Identifier: ISC */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "chain.h"

/* It may run shut in, where nobody asks how long a file is. */
char *
chain_read(int fd, size_t *len, const char **why)
{
	char	*p = malloc(CHAIN_FILE_MAX + 1);
	ssize_t	 n = -1;

	*len = 0;
	while (p != NULL && *len < CHAIN_FILE_MAX &&
	    (n = read(fd, p + *len, CHAIN_FILE_MAX - *len)) > 0)
		*len += (size_t)n;
	close(fd);
	*why = p == NULL ? "out of memory" : n != 0 ? "too long" : "is empty";
	if (p != NULL && n == 0 && *len > 0) {
		p[*len] = '\0';
		return (p);
	}
	freezero(p, *len);
	return (NULL);
}

void
chain_free(STACK_OF(X509) *chain)
{
	sk_X509_pop_free(chain, X509_free);
}

int
chain_trust(X509_STORE *store, STACK_OF(X509) *trusted)
{
	int	i, good = X509_STORE_set_flags(store,
		    X509_V_FLAG_PARTIAL_CHAIN) == 1;

	for (i = 0; good && i < sk_X509_num(trusted); i++)
		good = X509_STORE_add_cert(store,
		    sk_X509_value(trusted, i)) == 1;
	return (good ? 0 : -1);
}

STACK_OF(X509) *
chain_parse(const char *pem, size_t len, const char **why)
{
	STACK_OF(X509)	*chain = sk_X509_new_null();
	BIO		*bio = BIO_new_mem_buf(pem, (int)len);
	X509		*x;
	int		 whole = chain != NULL && bio != NULL;

	*why = "out of memory";
	while (whole && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(chain, x) == 0) {
			X509_free(x);
			whole = 0;
		}
	/* The end is where no more begins; anything else is broken. */
	if (whole) {
		if (sk_X509_num(chain) == 0)
			*why = "no certificate in PEM";
		else if (ERR_GET_REASON(ERR_peek_last_error()) ==
		    PEM_R_NO_START_LINE)
			*why = NULL;
		else
			*why = "a broken certificate";
	}
	ERR_clear_error();
	BIO_free(bio);
	if (*why == NULL)
		return (chain);
	chain_free(chain);
	return (NULL);
}

int
chain_key_id(EVP_PKEY *key, uint8_t id[TLS_KEY_ID])
{
	unsigned char	*der = NULL;
	int		 n = i2d_PUBKEY(key, &der), good;

	if (n <= 0)
		return (-1);
	good = SHA256(der, (size_t)n, id) != NULL;
	OPENSSL_free(der);
	return (good ? 0 : -1);
}
