/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "relayctl/output.h"
#include "storecopy.h"

void
fail(const char *fmt, ...)
{
	char	text[1024], shown[2048];
	va_list	ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printable_text(shown, sizeof(shown), text);
	fprintf(stderr, "relayctl: nothing was copied: %s\n", shown);
	exit(CANNOT_COPY);
}
