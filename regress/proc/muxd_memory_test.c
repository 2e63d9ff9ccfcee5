/* SPDX-License-Identifier: ISC */
/*
 * What a tunnel costs: idle, with askers that do not read, and idle again. A
 * build with sanitizers costs something else, so this runs in the fast one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/muxd_story.h"
#include "regress/lib/tap.h"

#define IDLE_KIB	148	/* architecture.md, and what chance adds */
#define SLOW		16

int
main(void)
{
	static uint8_t	block[65536];
	struct mux	d;
	struct frame	f;
	char		line[3];
	long		idle, full;
	int		fd[SLOW], i, k;

#ifdef RELAYD_SANITIZE
	skip_all("sanitizers change what memory costs");
#endif
	drive_with.build = getenv("RELAYD_FAST_BUILD");
	mux_up(&d);
	while (d.pings == 0 && client_next(&d, &f, WAIT_MS))
		continue;
	/* It has read our answer when this one is answered. */
	mux_pass(&d, 1000);
	idle = mux_cost(&d);
	diag("idle: %ld KiB: private, page tables, kernel stack", idle);
	ok(idle > 0 && idle <= IDLE_KIB, "an idle tunnel costs at most %d KiB",
	    IDLE_KIB);

	/* Askers that read nothing, each with a full first window. */
	for (i = 0; i < SLOW; i++) {
		fd[i] = asker_open(&d, (uint64_t)i + 1, "slow");
		if (!client_expect(&d, (uint32_t)i * 2 + 2, 0, &f))
			bail_out("no CONNECT");
		client_frame(&d, YM_DATA, YM_ACK, (uint32_t)i * 2 + 2, 3,
		    "OK\n", 3);
		if (asker_read(fd[i], line, 3) != 3)
			bail_out("no OK");
		for (k = 0; k < 4; k++)
			client_frame(&d, YM_DATA, 0, (uint32_t)i * 2 + 2,
			    65536 - (k == 3 ? 3 : 0), block,
			    65536 - (k == 3 ? 3 : 0));
	}
	mux_pass(&d, 1000);
	full = mux_cost(&d);
	diag("%d slow askers: %ld KiB", SLOW, full);
	ok(full - idle < SLOW * 256 + 512,
	    "slow askers cost their windows and no more");

	for (i = 0; i < SLOW; i++)
		close(fd[i]);
	for (i = 0; i < SLOW; i++)
		if (!client_expect(&d, (uint32_t)i * 2 + 2, YM_RST, &f))
			bail_out("no RST");
	mux_pass(&d, 12000);
	full = mux_cost(&d);
	diag("idle again: %ld KiB", full);
	ok(full <= idle + 64, "and give it back");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
	return (done_testing());
}
