/* SPDX-License-Identifier: ISC */
#include <openssl/ssl.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kernel.h"

#define ULPS	"/proc/sys/net/ipv4/tcp_available_ulp"

static int	offered;

void
kernel_look(void)
{
	char	 words[256], *rest = words, *word;
	ssize_t	 n = 0;
	int	 fd;

	if ((fd = open(ULPS, O_RDONLY | O_CLOEXEC)) != -1) {
		n = read(fd, words, sizeof(words) - 1);
		close(fd);
	}
	words[n > 0 ? n : 0] = '\0';
	while ((word = strsep(&rest, " \n")) != NULL)
		offered |= strcmp(word, "tls") == 0;
}

uint64_t
kernel_options(void)
{
	return (offered ? SSL_OP_ENABLE_KTLS : 0);
}
