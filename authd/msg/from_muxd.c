/* SPDX-License-Identifier: ISC */
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/core/terminal.h"
#include "authd/now.h"
#include "base/clock.h"
#include "handlers.h"
#include "metrics/count.h"
#include "peer.h"

int
muxd_on_up(struct chan *c, struct imsg *m)
{
	struct peer	*pe = peer_of(c);

	if (get_up(m) == -1)
		return (-1);
	if (peer_state(pe) == P_CLOSING)
		return (0);	/* it was told to go meanwhile */
	peer_set_state(pe, P_UP);
	if (peer_session(pe) != NULL)
		session_up(peer_session(pe), now_at());
	return (0);
}

/* A tunnel tells its figures when they have moved, this long after the last. */
#define REPORT_MS	15000

static uint64_t
rate_of(uint64_t is, uint64_t was, uint64_t ms)
{
	return (is > was ? (is - was) * 1000 / (ms < 1000 ? 1000 :
	    ms > REPORT_MS ? REPORT_MS : ms) : 0);
}

static void
take_rates(struct mux_part *mux, const struct msg_tunnel_stats *in)
{
	uint64_t	now = clock_ms();

	if (mux->told_ms != 0) {
		mux->rate_in = rate_of(in->bytes_in, mux->bytes_in,
		    now - mux->told_ms);
		mux->rate_out = rate_of(in->bytes_out, mux->bytes_out,
		    now - mux->told_ms);
	}
	mux->told_ms = now;
}

int
muxd_on_stats(struct chan *c, struct imsg *m)
{
	struct msg_tunnel_stats	 in;
	struct mux_part		*mux = &peer_of(c)->mux;

	if (get_tunnel_stats(m, &in) == -1)
		return (-1);
	/* What an authd before us has heard it has counted. */
	if (mux->counted && in.bytes_in >= mux->bytes_in &&
	    in.bytes_out >= mux->bytes_out) {
		count_by(CT_TUNNEL_IN, in.bytes_in - mux->bytes_in);
		count_by(CT_TUNNEL_OUT, in.bytes_out - mux->bytes_out);
	}
	take_rates(mux, &in);
	mux->counted = 1;
	mux->bytes_in = in.bytes_in;
	mux->bytes_out = in.bytes_out;
	mux->rtt_us = in.rtt_us;
	mux->client_streams = in.streams;
	return (0);
}

/* It is over, and nothing more comes of it. */
static void
count_bytes(const struct stream *st)
{
	unsigned	first = st->kind == &stream_tcp ? CT_BYTES_TCP_IN :
			    st->terminal != 0 ? CT_BYTES_TERMINAL_IN :
			    CT_BYTES_PROXY_IN;

	count_by(first, st->counted_in);
	count_by(first + 1, st->counted_out);
}

/* What its termd has said of its end before is heard before. */
static void
hear_terminal(const struct stream *st)
{
	struct peer	*pe = st == NULL || st->terminal == 0 ? NULL :
			    peer_find(st->terminal);

	if (pe != NULL)
		chan_pump(pe->chan);
}

int
muxd_on_stream_end(struct chan *c, struct imsg *m)
{
	struct msg_stream_end	 in;

	if (get_stream_end(m, &in) == -1 || in.why >= END_COUNT)
		return (-1);
	hear_terminal(stream_find(in.stream));
	/* One that was killed before this authd knew it: nothing to do. */
	if (stream_ended(peer_of(c)->tunnel, in.stream, in.why, in.in,
	    in.out, now_at()) == 0)
		count_bytes(stream_find(in.stream));
	return (0);
}

int
muxd_on_stream_moved(struct chan *c, struct imsg *m)
{
	struct msg_stream_moved	 in;

	if (get_stream_moved(m, &in) == -1)
		return (-1);
	stream_moved(peer_of(c)->tunnel, in.stream, in.in, in.out, now_at());
	return (0);
}
