/* SPDX-License-Identifier: ISC */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Each target: looks at these bytes, and aborts at what must not be. */
int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#endif
