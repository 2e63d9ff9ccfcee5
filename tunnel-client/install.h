/* SPDX-License-Identifier: ISC */
#ifndef INSTALL_H
#define INSTALL_H

#include "client.h"

/*
 * Make a service of this program that starts with the machine, and start it:
 * the secret and the configuration are written to their places, and a unit of
 * systemd, or a script for procd, unless a package has brought one. What was
 * written is said. Returns an exit status, after a word on standard error.
 */
int	install(const struct options *);
/* Stop it and take all of that away again. */
int	uninstall(void);

/*
 * installfile.c: put a file of ours there, whole or not at all. 0, or -1 after
 * a word on standard error.
 */
int	install_file(const char *path, unsigned mode, const char *text);
/*
 * The options as a configuration file, but for what is a default anyway; the
 * secret is named. On the heap; NULL after a word on standard error.
 */
char	*install_conf(const struct options *, const char *secret_path);

#endif
