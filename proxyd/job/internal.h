/* SPDX-License-Identifier: ISC */
#ifndef INTERNAL_H
#define INTERNAL_H

#include <stdint.h>

struct conn;
struct httphead;

void	internal_init(void);
/* A request for a service on an internal listener. */
void	internal_begin(struct conn *, const struct httphead *);
/* All proxyds together have let through what this session may have for now. */
void	internal_over(const char *session, uint32_t wait_s);

#endif
