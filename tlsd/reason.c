/* SPDX-License-Identifier: ISC */
#include <openssl/x509_vfy.h>

#include <stdio.h>

#include "imsg/msg.h"
#include "reason.h"

const char *
tls_reason(const SSL *ssl, const char *why)
{
	static char	text[MESSAGE_SIZE];
	long		verified = SSL_get_verify_result(ssl);

	if (verified == X509_V_ERR_HOSTNAME_MISMATCH)
		snprintf(text, sizeof(text), "TLS: its certificate is not one "
		    "of that name");
	else if (verified != X509_V_OK)
		snprintf(text, sizeof(text), "TLS: its certificate: %s",
		    X509_verify_cert_error_string(verified));
	else
		snprintf(text, sizeof(text), "TLS: %s", why != NULL ? why :
		    "closed in the handshake");
	return (text);
}
