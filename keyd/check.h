/* SPDX-License-Identifier: ISC */
#ifndef CHECK_H
#define CHECK_H

/* Look at one certificate for the parent, and end (tls/certcheck.h). */
void	check_main(int argc, char **argv) __attribute__((noreturn));

#endif
