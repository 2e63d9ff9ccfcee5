/* SPDX-License-Identifier: ISC */
#ifndef LOGIN_H
#define LOGIN_H

#include "imsg/imsg.h"

int	login_init(void);

#endif
