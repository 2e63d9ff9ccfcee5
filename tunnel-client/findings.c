/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>

#include "survey.h"

void
findings_error(struct findings *f, const char *fmt, ...)
{
	char	text[512];
	va_list	ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cJSON_AddItemToArray(f->errors, cJSON_CreateString(text));
}
