/* SPDX-License-Identifier: ISC */
#ifndef DIALERD_DIAL_H
#define DIALERD_DIAL_H

#include <stddef.h>
#include <stdint.h>

struct chan;
struct imsg;

/*
 * Connections to other members of a cluster, for authd: TCP to the one port
 * that all of them have, within DIAL_MS, DIALS_MAX at once.
 */
#define DIAL_MS		1500
#define DIALS_MAX	64

int	dial_on_dial(struct chan *, struct imsg *);
/* authd has gone: nobody wants them. */
void	dial_clear(void);
/* That port, for the sandbox. */
size_t	dial_ports(uint16_t *, size_t max);

#endif
