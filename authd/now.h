/* SPDX-License-Identifier: ISC */
#ifndef NOW_H
#define NOW_H

#include "authd/core/env.h"

/* The clock read once more, for a verb of the core. */
const struct now	*now_at(void);

#endif
