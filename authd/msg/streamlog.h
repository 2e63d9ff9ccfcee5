/* SPDX-License-Identifier: ISC */
#ifndef STREAMLOG_H
#define STREAMLOG_H

#include "imsg/msg.h"

struct stream;

/* The stream's operator as people know them, printable. Returns dst. */
const char	*streamlog_who(const struct stream *, char dst[WHO_SIZE]);
/* A terminal at any level, a web stream when the log is verbose. */
void		 streamlog_opened(const struct stream *);

#endif
