/* SPDX-License-Identifier: ISC */
#include "env.h"

struct core_env	core_env;
