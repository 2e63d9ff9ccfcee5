/* SPDX-License-Identifier: ISC */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include <stddef.h>

#define DOCUMENT_PATH	"/api/openapi.yaml"

/* What describes the operator API, for programs: YAML. */
const char	*document(size_t *len);

#endif
