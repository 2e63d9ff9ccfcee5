/* SPDX-License-Identifier: ISC */
#ifndef GATE_H
#define GATE_H

#include "client.h"
#include "stream.h"

/*
 * The customer's no: what operators ask for passes here, and is refused when
 * consent is not given or the options say so.
 */

/* What streams_init() is to be told. */
const struct stream_kinds	*gate_init(const struct options *);

#endif
