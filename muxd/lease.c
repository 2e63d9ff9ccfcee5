/* SPDX-License-Identifier: ISC */
/*
 * Receive windows grow only with memory that authd has lent: it keeps the sum
 * for the whole daemon (messages.md, section 5). yamux asks for bytes at once,
 * authd answers by message, so a first refusal asks and a later try succeeds.
 */
#include <stdint.h>

#include "base/clock.h"
#include "imsg/call.h"
#include "imsg/imsg.h"
#include "muxd.h"
#include "proc/link.h"
#include "proc/proc.h"

#define MIB		((size_t)1 << 20)
#define SPARE_MIB	1		/* kept, so that it does not swing */
#define ASK_MS		5000
#define PATIENCE_MS	1000		/* between a refusal and the next try */

static int	lease_answer(struct chan *, struct imsg *, void *);
static void	lease_ask(uint32_t);

static struct {
	size_t		have, used;	/* bytes */
	size_t		lent;		/* MiB, as authd counts it */
	struct call	ask;
	int		renewing;
	uint64_t	refused_ms;	/* when, 0: never */
} lease;

size_t
lease_grow(void *arg, size_t want)
{
	size_t	room = lease.have - lease.used, lack;

	(void)arg;
	if (want > room) {
		lack = (want - room + MIB - 1) / MIB;
		if (lease.have + lack * MIB <= proc_conf()->credit_tunnel)
			lease_ask((uint32_t)lack);
		want = room;
	}
	lease.used += want;
	return (want);
}

void
lease_release(void *arg, size_t n)
{
	struct chan	*c = link_chan();
	size_t		 spare;

	(void)arg;
	lease.used -= n < lease.used ? n : lease.used;
	spare = (lease.have - lease.used) / MIB;
	if (spare <= SPARE_MIB || c == NULL)
		return;
	spare -= lease.used == 0 ? 0 : SPARE_MIB;
	if (spare > lease.lent)
		spare = lease.lent;
	if (say_credit_back(c, 0, -1, &(struct msg_credit_back){
	    .mib = (uint32_t)spare }) == 0) {
		lease.have -= spare * MIB;
		lease.lent -= spare;
	}
}

static void
lease_ask(uint32_t mib)
{
	struct chan	*c = link_chan();
	uint32_t	 id;

	if (call_waits(&lease.ask))
		return;
	if (lease.refused_ms != 0 &&
	    clock_ms() - lease.refused_ms < PATIENCE_MS)
		return;
	if ((id = call_start(&lease.ask, c, ASK_MS, lease_answer, NULL)) == 0)
		return;
	(void)say_credit_ask(c, id, -1, &(struct msg_credit_ask){
	    .mib = mib });
}

static int
lease_answer(struct chan *c, struct imsg *m, void *arg)
{
	struct msg_credit	 in;

	(void)c;
	(void)arg;
	if (m == NULL) {
		lease.renewing = 0;	/* the next answer is to its own ask */
		return (0);
	}
	if (get_credit(m, &in) == -1 ||
	    in.mib > proc_conf()->credit_tunnel / MIB)
		return (-1);
	lease.refused_ms = in.mib == 0 ? clock_ms() : 0;
	lease.lent += in.mib;
	if (!lease.renewing)
		lease.have += in.mib * MIB;
	else if (in.mib * MIB > lease.have)
		lease.have = in.mib * MIB;
	lease.renewing = 0;
	return (0);
}

/*
 * What is in use stays in use, whatever the new authd says; it only has to
 * know. Nothing grows until it has answered.
 */
void
lease_renew(void)
{
	uint32_t	held = (uint32_t)((lease.used + MIB - 1) / MIB);

	lease.have = lease.used;
	lease.lent = 0;
	lease.refused_ms = 0;
	if (held > 0) {
		lease_ask(held);
		lease.renewing = call_waits(&lease.ask);
	}
}
