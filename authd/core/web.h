/* SPDX-License-Identifier: ISC */
#ifndef WEB_H
#define WEB_H

#include "grant.h"
#include "stream.h"

/* A web stream: to a service of the manifest, under a grant. */
extern const struct stream_kind	stream_web;

/*
 * proxyd asks for one. `g` is its grant, NULL when it has none of the number.
 * The asker is answered, unless this returns a refusal.
 */
enum refusal	web_open(struct grant *, const char *service,
		    const struct asker *, const struct now *);

#endif
