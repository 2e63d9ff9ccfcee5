/* SPDX-License-Identifier: ISC */
/*
 * dialerd: goes out to others, which nobody else of us may. It may touch the
 * network: TCP to the ports that the configuration names (Landlock), and the
 * sockets for DNS that were opened at the start; no file, no key and no token.
 * Hears from authd ISSUER_ASK (ask.c), which it answers with JWK_KEYs and
 * ISSUER_SAID: what comes back from the network is read here, by libcurl
 * (fetch.c), then JSON (discovery.c, jwks.c). And, in a cluster, DIAL (dial.c),
 * which it answers with a connection to another member.
 *
 * It starts in main(). What it was given is its for life: at a reload it is
 * replaced.
 */
#include <sodium.h>

#include <unistd.h>

#include "ask.h"
#include "base/log.h"
#include "dial.h"
#include "fetch.h"
#include "imsg/msg.h"
#include "proc/link.h"
#include "proc/proc.h"

#define FILES_MAX	192

static int	on_key(uint8_t, int);
static void	authd_gone(enum link_end);
static size_t	ports(uint16_t *, size_t);

static const struct dispatch	from_parent[] = {
	PROC_ROWS
};

static const struct dispatch	from_authd[] = {
	{ IMSG_ISSUER_ASK, R_AUTHD, S_ANY, MF_REQUEST, ask_on_ask },
	{ IMSG_DIAL, R_AUTHD, S_ANY, MF_REQUEST, dial_on_dial },
};

static const struct proc_ops	ops = {
	.role = ROLE_DIALERD,
	.table = from_parent,
	.rows = sizeof(from_parent) / sizeof(from_parent[0]),
	.files = FILES_MAX,
	.keyfile = on_key,
	.early = fetch_init,
	.ports = ports,
	.channel = link_take,
};

static const struct link_ops	link_ops = {
	.table = from_authd,
	.rows = sizeof(from_authd) / sizeof(from_authd[0]),
	.gone = authd_gone,
};

int
main(int argc, char **argv)
{
	if (sodium_init() == -1)
		return (1);
	link_init(&link_ops);
	proc_main(&ops, argc, argv);
}

static int
on_key(uint8_t kind, int fd)
{
	if (kind == KEY_CA)
		return (fetch_trust(fd));
	close(fd);
	return (-1);
}

static void
authd_gone(enum link_end why)
{
	(void)why;
	ask_clear();
	dial_clear();
}

static size_t
ports(uint16_t *v, size_t max)
{
	size_t	n = ask_ports(v, max);

	return (n + dial_ports(v + n, max - n));
}
