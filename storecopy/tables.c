/* SPDX-License-Identifier: ISC */
/*
 * The tables, those first that others point to. A store with one that is not
 * here, or with another column, is not copied (lite.c, server.c).
 */
#include <string.h>

#include "storecopy.h"

const struct table	tables[] = {
	{ "organizations", "ttttii",
	    "id, name, type, parent, created_at, deleted_at", "id",
	    NULL, NULL },
	{ "systems", "tttttttiiiiiitttttt",
	    "id, name, type, system_key, system_secret_public,"
	    " system_secret_sha256, organization_id, support_enabled,"
	    " registered_at, suspended_at, deleted_at, created_at, updated_at,"
	    " notes, custom_data, version, created_by, created_by_name,"
	    " created_by_org", "id",
	    "WITH s AS (INSERT INTO public.systems (id, name, type,"
	    " system_key, system_secret_public, system_secret_sha256,"
	    " organization_id, support_enabled, registered_at, suspended_at,"
	    " deleted_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8 <> 0,"
	    " relayd.at($9), relayd.at($10), relayd.at($11)) RETURNING id)"
	    " INSERT INTO relayd.system_more (id, created_at, updated_at,"
	    " notes, custom_data, version, created_by, created_by_name,"
	    " created_by_org) SELECT id, $12, $13, $14, $15, $16, $17, $18,"
	    " $19 FROM s", "public.systems" },
	{ "support_sessions", "utttttiitittitiiiiiiiititi",
	    "id, system_id, node_id, session_token, reconnect_token,"
	    " reconnect_prev, started_at, expires_at, status, closed_at,"
	    " closed_by, diagnostics, diagnostics_at, users, users_at,"
	    " created_at, updated_at, generation, diagnostics_len, users_len,"
	    " users_good, used, member, grace_at, services, services_at",
	    "started_at, id",
	    "WITH s AS (INSERT INTO public.support_sessions (id, system_id,"
	    " node_id, session_token, reconnect_token, started_at, expires_at,"
	    " status, closed_at, closed_by, diagnostics, diagnostics_at,"
	    " users, users_at, created_at, updated_at) VALUES ($1, $2, $3, $4,"
	    " $5, relayd.at($7), relayd.at($8), $9, relayd.at($10), $11,"
	    " relayd.json($12), relayd.at($13), to_jsonb($14),"
	    " relayd.at($15), relayd.at($16), relayd.at($17)) RETURNING id)"
	    " INSERT INTO relayd.session_more (id, reconnect_prev, generation,"
	    " diagnostics_len, users_len, users_good, used, member, grace_at,"
	    " services, services_at)"
	    " SELECT id, $6, $18, $19, $20, $21, $22, $23, $24, $25, $26"
	    " FROM s",
	    "public.support_sessions" },
	{ "support_session_services", "utttitii",
	    "session_id, name, target, label, tls, added_by, added_at, tcp",
	    "session_id, name", NULL, NULL },
	{ "support_access_logs", "uutttiitttttttiitt",
	    "id, session_id, operator_id, operator_name, access_type,"
	    " connected_at, disconnected_at, metadata, org_role,"
	    " organization_id, service, ip, token_id, impersonator, bytes_in,"
	    " bytes_out, outcome, member", "rowid",
	    "WITH a AS (INSERT INTO public.support_access_logs (id,"
	    " session_id, operator_id, operator_name, access_type,"
	    " connected_at, disconnected_at, metadata) VALUES ($1, $2, $3, $4,"
	    " $5, relayd.at($6), relayd.at($7), relayd.json($8)) RETURNING id)"
	    " INSERT INTO relayd.access_more (id, org_role, organization_id,"
	    " service, ip, token_id, impersonator, bytes_in, bytes_out,"
	    " outcome, member) SELECT id, $9, $10, $11, $12, $13, $14, $15,"
	    " $16, $17, $18 FROM a", "public.support_access_logs" },
	{ "audit_chains", "it", "chain, name", "chain", NULL, NULL },
	{ "audit_events", "iiiittttttttttttiiiibb",
	    "event, chain, seq, time, actor, impersonator, token_id, address,"
	    " action, session_id, service, access_id, object, request_id,"
	    " outcome, reason, count, duration_ms, bytes_in, bytes_out, prev,"
	    " hash", "event", NULL, NULL },
	{ "revocations", "ttit", "kind, id, until, reason", "kind, id",
	    NULL, NULL },
	{ "access_tokens", "tttttii",
	    "id, operator_id, organization_id, org_role, permissions,"
	    " created_at, expires_at", "id", NULL, NULL },
	{ "proxy_references", "tutti",
	    "id, session_id, operator_id, sealed, expires_at", "rowid",
	    NULL, NULL },
	{ "terminal_recordings", "ttttiiitt",
	    "id, session_id, operator_id, operator_name, started_at,"
	    " ended_at, bytes, sha256, member", "id", NULL, NULL },
	{ "relay_sessions", "tttitttttiiiiit",
	    "id, initiator, responder, channels, issuer, subject, client,"
	    " addr, label, created_at, expires_at, moved_at, bytes_in,"
	    " bytes_out, member", "id", NULL, NULL },
	{ "consumed_jtis", "ti", "id, until", "id", NULL, NULL },
};
const size_t	ntables = sizeof(tables) / sizeof(tables[0]);

int
is_derived(const char *name)
{
	static const char *const	derived[] = { "support_groups",
	    "support_nodes", "support_counts", "terminal_recording_sum",
	    "system_more", "session_more", "access_more", "writer",
	    "members", "writers", "session_losses", "sweeps",
	    "schema_version" };
	size_t				 i;

	for (i = 0; i < sizeof(derived) / sizeof(derived[0]); i++)
		if (strcmp(derived[i], name) == 0)
			return (1);
	return (0);
}
