/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "net.h"

const char *
net_advice(const char *why)
{
	static const char	refused[] = "TLS: certificate refused: ";
	static const struct {
		const char	*text, *todo;
	} reasons[] = {
		{ "hostname mismatch", "it is for another name than that in "
		    "the address, which has to be one of its own" },
		{ "IP address mismatch", "it is for a name, which the address "
		    "has to have" },
		{ "certificate has expired", "it has to be renewed there, if "
		    "the clock is right here" },
		{ "certificate is not yet valid", "is the clock right here?" },
		{ "", "--ca-file or SSL_CERT_FILE names other authorities" },
	};
	size_t			i = 0;

	if (strncmp(why, refused, sizeof(refused) - 1) != 0)
		return ("");
	why += sizeof(refused) - 1;
	while (strncmp(why, reasons[i].text, strlen(reasons[i].text)) != 0)
		i++;
	return (reasons[i].todo);
}
