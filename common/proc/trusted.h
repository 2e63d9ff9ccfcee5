/* SPDX-License-Identifier: ISC */
#ifndef TRUSTED_H
#define TRUSTED_H

#include "base/addr.h"
#include "proc/conf.h"

/* The networks of `trusted proxy`: who comes from there stands for many. */

/* Are they some? 0, or -1 with *why. */
int	trusted_judge(const struct conf *, const char **why);
/* Use them: 0, or -1 and as before. */
int	trusted_use(const struct conf *);
int	trusted_has(const struct addr *);

#endif
