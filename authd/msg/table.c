/* SPDX-License-Identifier: ISC */
/*
 * The access list of authd: who may say what, in which state. How long, and
 * with or without a descriptor, says msg.def. A muxd that has not logged in may
 * do one thing.
 */
#include "admit.h"
#include "authd/api/api.h"
#include "authd/ctl/ctl.h"
#include "credit.h"
#include "handlers.h"
#include "imsg/msg.h"
#include "login.h"
#include "manifest.h"
#include "report.h"
#include "table.h"

#define MUXD		ROLE_BIT(ROLE_MUXD)
#define TERMD		ROLE_BIT(ROLE_TERMD)
#define PROXYD		ROLE_BIT(ROLE_PROXYD)
#define CONTROL		ROLE_BIT(ROLE_CONTROL)
#define TUNNEL		(S(P_UP) | S(P_CLOSING))
#define HELLO		(S(P_BOUND) | TUNNEL)
#define RETURN		(S(P_AGAIN) | S(P_CLOSING))	/* told to go at once */

const struct dispatch	peer_table[] = {
/* type			from	states	    flags	handler */
{ IMSG_LOGIN, MUXD, S(P_NEW), MF_REQUEST | MF_ONCE, login_on_login },
{ IMSG_UP, MUXD, S(P_BOUND) | S(P_CLOSING), MF_ONCE, muxd_on_up },
{ IMSG_SERVICES_BEGIN, MUXD, TUNNEL | S(P_AGAIN), 0, manifest_on_begin },
{ IMSG_SERVICE, MUXD, TUNNEL | S(P_AGAIN), 0, manifest_on_service },
{ IMSG_SERVICES_END, MUXD, TUNNEL | S(P_AGAIN), 0, manifest_on_end },
{ IMSG_REPORT_BEGIN, MUXD, TUNNEL, 0, report_on_begin },
{ IMSG_DOC_CHUNK, MUXD, TUNNEL, 0, report_on_chunk },
{ IMSG_REPORT_END, MUXD, TUNNEL, 0, report_on_end },
{ IMSG_USERS_FETCH, MUXD, TUNNEL, MF_REQUEST, report_on_users_fetch },
{ IMSG_CREDIT_ASK, MUXD, HELLO, MF_REQUEST, credit_on_ask },
{ IMSG_CREDIT_BACK, MUXD, HELLO, 0, credit_on_back },
{ IMSG_TUNNEL_STATS, MUXD, HELLO, 0, muxd_on_stats },
{ IMSG_STREAM_END, MUXD, HELLO, 0, muxd_on_stream_end },
{ IMSG_ALIVE, MUXD, HELLO | S(P_AGAIN), MF_ANSWER, NULL },
{ IMSG_ANNOUNCE, MUXD | TERMD, RETURN, MF_ONCE, announce_on_begin },
{ IMSG_ANNOUNCE_STREAM, MUXD | TERMD, RETURN, 0, announce_on_stream },
{ IMSG_ANNOUNCE_END, MUXD | TERMD, RETURN, MF_ONCE, announce_on_end },
{ IMSG_TERM_END, TERMD, S(P_READY) | S(P_AGAIN), MF_ONCE, termd_on_end },
{ IMSG_ADMIT, PROXYD, S(P_READY), MF_REQUEST, admit_on_admit },
{ IMSG_GRANT, PROXYD, S(P_READY), MF_REQUEST, proxyd_on_grant },
{ IMSG_GRANT_DROP, PROXYD, S(P_READY), 0, proxyd_on_grant_drop },
{ IMSG_STREAM_OPEN, PROXYD, S(P_READY), MF_REQUEST, proxyd_on_stream_open },
{ IMSG_IDLE_DROPPED, PROXYD, S(P_READY), MF_ANSWER, NULL },
{ IMSG_API, PROXYD, S(P_READY), MF_REQUEST, api_on_api },
{ IMSG_CTL, CONTROL, S(P_READY), MF_REQUEST, ctl_on_ctl },
};
const size_t	peer_rows = sizeof(peer_table) / sizeof(peer_table[0]);
