/* SPDX-License-Identifier: ISC */
/*
 * tcpd: one TCP connection of an operator's to a service.
 *
 * May touch: the operator's socket, one stream end. No file, no key, no other
 * socket; it cannot open any.
 * Hears from: the parent and authd, what proc/visit.h says; the states are
 * there, too.
 * Starts in main(); the story goes on in tcp.c.
 */
#include "proc/visit.h"
#include "tcp.h"

static const struct visit_ops	ops = {
	.role = ROLE_TCPD,
	.class = CLASS_TCP,
	.word = "tcp",
	.operator = tcp_operator,
	.stream = tcp_stream,
	.refuse = tcp_refuse,
	.close = tcp_close,
	.counters = tcp_counters,
	.over = tcp_over,
};

int
main(int argc, char **argv)
{
	visit_main(&ops, argc, argv);
}
