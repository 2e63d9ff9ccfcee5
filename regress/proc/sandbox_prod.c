/* SPDX-License-Identifier: ISC */
/* The sandbox as it is in production, whatever this build is made for. */
#undef RELAYD_TESTING
#undef RELAYD_SANITIZE
#define sandbox_apply	sandbox_apply_prod
#define sandbox_ports	sandbox_ports_prod
#define sandbox_sockets	sandbox_sockets_prod
#define sandbox_limits	sandbox_limits_prod
/* NOLINTNEXTLINE(bugprone-suspicious-include): meant */
#include "proc/sandbox_limits.c"
/* NOLINTNEXTLINE(bugprone-suspicious-include): meant */
#include "proc/sandbox_linux.c"
