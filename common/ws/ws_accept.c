/* SPDX-License-Identifier: ISC */

/*
 * The accept value of the handshake (RFC 6455, 4.2.2). SHA-1 comes from
 * OpenSSL, which touches half a megabyte: so this is a file of its own, linked
 * by proxyd and the clients and by no worker that is meant to stay small.
 */

#include <string.h>

#include <openssl/evp.h>

#include "ws.h"

#define GUID	"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define SHA1_SIZE	20

int
ws_accept_key(const char key[WS_KEY_LEN], char out[WS_ACCEPT_LEN + 1])
{
	char		 text[WS_KEY_LEN + sizeof(GUID) - 1];
	unsigned char	 hash[EVP_MAX_MD_SIZE];
	unsigned int	 len;

	memcpy(text, key, WS_KEY_LEN);
	memcpy(text + WS_KEY_LEN, GUID, sizeof(GUID) - 1);
	if (EVP_Digest(text, sizeof(text), hash, &len, EVP_sha1(), NULL) != 1 ||
	    len != SHA1_SIZE)
		return (-1);
	if (EVP_EncodeBlock((unsigned char *)out, hash, len) != WS_ACCEPT_LEN)
		return (-1);
	return (0);
}
