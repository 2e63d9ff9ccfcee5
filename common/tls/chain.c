/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "chain.h"

char *
chain_read(int fd, size_t *len, const char **why)
{
	struct stat	 st;
	char		*p = NULL;
	ssize_t		 n;

	*len = 0;
	*why = "cannot be read";
	if (fstat(fd, &st) == 0 && st.st_size > 0 &&
	    st.st_size <= CHAIN_FILE_MAX)
		p = malloc((size_t)st.st_size + 1);
	while (p != NULL && *len < (size_t)st.st_size &&
	    (n = read(fd, p + *len, (size_t)st.st_size - *len)) > 0)
		*len += (size_t)n;
	close(fd);
	if (p == NULL || *len < (size_t)st.st_size) {
		freezero(p, *len);
		return (NULL);
	}
	p[*len] = '\0';
	return (p);
}

void
chain_free(STACK_OF(X509) *chain)
{
	sk_X509_pop_free(chain, X509_free);
}

STACK_OF(X509) *
chain_parse(const char *pem, size_t len, const char **why)
{
	STACK_OF(X509)	*chain = sk_X509_new_null();
	BIO		*bio = BIO_new_mem_buf(pem, (int)len);
	X509		*x;

	*why = "out of memory";
	while (chain != NULL && bio != NULL &&
	    (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(chain, x) == 0)
			X509_free(x);
	/* The end is where no more begins; anything else is broken. */
	if (chain != NULL && bio != NULL) {
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
	int		 n = i2d_PUBKEY(key, &der);

	if (n <= 0)
		return (-1);
	SHA256(der, (size_t)n, id);
	OPENSSL_free(der);
	return (0);
}
