/* SPDX-License-Identifier: ISC */
#ifndef LOGIN_H
#define LOGIN_H

#include "imsg/imsg.h"

int	login_init(void);
/* The handler of LOGIN: the one thing that a new muxd may say. */
int	login_on_login(struct chan *, struct imsg *);

#endif
