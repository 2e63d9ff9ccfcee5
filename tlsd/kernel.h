/* SPDX-License-Identifier: ISC */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdint.h>

/*
 * TLS in the kernel (Linux, CONFIG_TLS): it seals what is written, which is
 * then touched once less.
 */

/* Before we are shut in: is there any? */
void	kernel_look(void);
/*
 * For a context: SSL_OP_ENABLE_KTLS, or 0. It belongs to the socket and not to
 * a descriptor: for sockets that nobody else has ever had.
 */
uint64_t kernel_options(void);

#endif
