/* SPDX-License-Identifier: ISC */
#include "build.h"

const char	build_id[] = RELAYD_VERSION "-" RELAYD_BUILD;
