/* SPDX-License-Identifier: ISC */
#ifndef LABEL_H
#define LABEL_H

#include <stddef.h>

/* A service's part of a host name, with its NUL. */
#define LABEL_DNS_SIZE	30

/*
 * The label that stands for a service in `{label}--{slug}.{proxy domain}`: its
 * name where that is safe in a host name, else an alias: up to 20 safe
 * characters, '-', 8 hex digits of SHA-256(name). Needs libsodium.
 * operator-api.md, 7.1.
 */
void	label_of_service(const char *name, char out[LABEL_DNS_SIZE]);

/*
 * Whether these bytes are a label as label_of_service() makes them:
 * [a-z0-9]([a-z0-9_-]{0,27}[a-z0-9])? without "--".
 */
int	label_is_safe(const char *s, size_t len);

#endif
