/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/core/terminal.h"
#include "authd/core/tunnel.h"
#include "base/log.h"
#include "streamlog.h"

/* What a token says is not ours to trust. */
const char *
streamlog_who(const struct stream *st, char dst[WHO_SIZE])
{
	const char	*s = st->who.name[0] != '\0' ? st->who.name :
			    st->who.id;

	return (log_escape(dst, WHO_SIZE, s, strlen(s)));
}

void
streamlog_opened(const struct stream *st)
{
	char	name[WHO_SIZE];

	if (st->terminal != 0)
		log_info("session %s: %s%s opened by %s from %s",
		    st->tunnel->session->row.id,
		    st->kind == &stream_tcp ? "tcp " : "", st->service,
		    streamlog_who(st, name), st->addr);
	else
		log_debug("session %s: stream %llu to %s opened by %s",
		    st->tunnel->session->row.id, (unsigned long long)st->id,
		    st->service, streamlog_who(st, name));
}
