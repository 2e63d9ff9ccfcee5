/* SPDX-License-Identifier: ISC */
#ifndef DIALERD_ASK_H
#define DIALERD_ASK_H

#include <stddef.h>
#include <stdint.h>

struct chan;
struct imsg;

/*
 * What authd wants to know of an identity provider: its document, then its
 * keys. Only what the configuration names is asked, each by one at a time.
 */
int	ask_on_ask(struct chan *, struct imsg *);
/* authd has gone: nobody wants to know any more. */
void	ask_clear(void);
/* The ports of all that the configuration names, for the sandbox. */
size_t	ask_ports(uint16_t *, size_t max);

#endif
