/* SPDX-License-Identifier: ISC */
/*
 * doc/openapi.yaml as it was when this was built: our root is empty, there is
 * no file to read.
 */
#include <stdint.h>

#include "document.h"

__asm__(".pushsection .rodata\n"
    ".globl openapi_text, openapi_end\n"
    "openapi_text: .incbin \"" OPENAPI_YAML "\"\n"
    "openapi_end: .byte 0\n"
    ".popsection\n");
extern const char	openapi_text[], openapi_end[];

const char *
document(size_t *len)
{
	*len = (size_t)((uintptr_t)openapi_end - (uintptr_t)openapi_text);
	return (openapi_text);
}
