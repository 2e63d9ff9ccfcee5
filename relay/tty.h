/* SPDX-License-Identifier: ISC */
#ifndef TTY_H
#define TTY_H

/*
 * The operator's own terminal, standard input: raw while the other one is
 * there. It is as before at exit(3), too.
 */

/* Is there one? */
int	tty_is(void);
/* Again, if somebody else had it meanwhile. */
void	tty_raw(void);
void	tty_back(void);
/* That of standard output, if input is none; 80 and 24 where nobody knows. */
void	tty_size(int *cols, int *rows);

#endif
