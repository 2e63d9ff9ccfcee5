/* SPDX-License-Identifier: ISC */
#ifndef SCHEMA_H
#define SCHEMA_H

#include "authd/store/store.h"

/* SQL that makes a new file, and that of each version into the next. */
extern const char *const	schema_new;
extern const char *const	schema_from[STORE_SCHEMA - 1];

#endif
