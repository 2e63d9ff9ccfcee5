/* SPDX-License-Identifier: ISC */
#ifndef NOW_H
#define NOW_H

#include <stdint.h>

/* clock_ms() as it was when this turn of the loop first asked. */
uint64_t now_ms(void);
/* The turn is over. */
void	 now_over(void);

#endif
