/* SPDX-License-Identifier: ISC */
/* The tables, and how an older file gets them. */
#include "schema.h"

/*
 * What the list of sessions needs of each system, kept by triggers so that a
 * page never counts sessions: a row for each state that a system has sessions
 * in, with how many they are; how many are of a node; and for each set of
 * states (a bit each, by rank) how many systems have just that one, for each
 * organization and, as '', for all. The times of an open state are the first
 * start and the last end; those of one that is over are its latest session's.
 *
 * One row of a system stands for it in a list, and which depends on the states
 * that are asked for: by_created and the like say for each way to sort which
 * other states' rows would stand before this one. A group's times are those of
 * its open sessions; without any, of its latest (operator-api.md, 4, O24).
 */
#define RANK(status)							\
	"CASE " status " WHEN 'active' THEN 0 WHEN 'pending' THEN 1"	\
	" WHEN 'expired' THEN 2 ELSE 3 END"
/* Sessions of the same system and state as a trigger's row. */
#define ALIKE(row)							\
	" FROM support_sessions s WHERE s.system_id = " row ".system_id"	\
	" AND s.status = " row ".status"
#define LATEST	" ORDER BY s.started_at DESC, s.rowid DESC LIMIT 1)"
#define ITS_GROUP(row)							\
	" WHERE system_id = " row ".system_id"				\
	" AND rank = " RANK(row ".status")
/* Whose it is: '' is nobody's. */
#define ITS_ORG(id)							\
	"ifnull((SELECT y.organization_id FROM systems y"		\
	" WHERE y.id = " id "), '')"
#define COME								\
	"INSERT INTO support_groups VALUES (NEW.system_id, "		\
	RANK("NEW.status") ", 1, NEW.created_at, NEW.started_at,"	\
	" NEW.expires_at, 0, 0, 0, 0, " ITS_ORG("NEW.system_id") ")"	\
	" ON CONFLICT (system_id, rank) DO UPDATE SET"	\
	" n = n + 1, created_at = max(created_at, excluded.created_at),"	\
	" started_at = CASE WHEN rank < 2"				\
	" THEN min(started_at, excluded.started_at)"			\
	" ELSE max(started_at, excluded.started_at) END,"		\
	" expires_at = CASE WHEN rank < 2"				\
	" THEN max(expires_at, excluded.expires_at)"			\
	" WHEN excluded.started_at >= started_at"			\
	" THEN excluded.expires_at ELSE expires_at END;"		\
	"INSERT INTO support_nodes SELECT NEW.system_id, "		\
	RANK("NEW.status") ", NEW.node_id, 1"				\
	" WHERE NEW.node_id IS NOT NULL"				\
	" ON CONFLICT (system_id, rank, node_id) DO UPDATE SET n = n + 1;"
#define TIMES(row)							\
	"UPDATE support_groups SET"					\
	" created_at = (SELECT s.created_at" ALIKE(row) LATEST ","	\
	" started_at = CASE WHEN rank < 2"				\
	" THEN (SELECT min(s.started_at)" ALIKE(row) ")"		\
	" ELSE (SELECT max(s.started_at)" ALIKE(row) ") END,"		\
	" expires_at = CASE WHEN rank < 2"				\
	" THEN (SELECT max(s.expires_at)" ALIKE(row) ")"		\
	" ELSE (SELECT s.expires_at" ALIKE(row) LATEST " END"		\
	ITS_GROUP(row)
#define GONE								\
	"UPDATE support_groups SET n = n - 1" ITS_GROUP("OLD") ";"	\
	"DELETE FROM support_groups" ITS_GROUP("OLD") " AND n = 0;"	\
	TIMES("OLD") " AND (created_at = OLD.created_at"		\
	" OR started_at = OLD.started_at OR expires_at = OLD.expires_at);"	\
	"UPDATE support_nodes SET n = n - 1" ITS_GROUP("OLD")		\
	" AND node_id = OLD.node_id;"					\
	"DELETE FROM support_nodes" ITS_GROUP("OLD")			\
	" AND node_id = OLD.node_id AND n = 0;"
#define BEFORE(when)							\
	"ifnull((SELECT sum(1 << h.rank) FROM support_groups h"		\
	" WHERE h.system_id = g.system_id AND " when "), 0)"
#define BEFORE_OVER							\
	" OR (g.rank >= 2 AND (h.rank < 2"				\
	" OR (h.started_at, h.rank) > (g.started_at, g.rank)))"
#define STANDS								\
	"SELECT "							\
	BEFORE("(h.created_at, h.rank) > (g.created_at, g.rank)") ", "	\
	BEFORE("((g.rank < 2 AND h.rank < 2 AND"			\
	" (h.started_at, h.rank) < (g.started_at, g.rank))" BEFORE_OVER ")") \
	", "								\
	BEFORE("((g.rank < 2 AND h.rank < 2 AND"			\
	" (h.expires_at, h.rank) > (g.expires_at, g.rank))" BEFORE_OVER ")") \
	", "								\
	BEFORE("h.rank < g.rank") " FROM support_groups g"		\
	" WHERE g.system_id = support_groups.system_id"			\
	" AND g.rank = support_groups.rank"
#define SET_STANDS							\
	"UPDATE support_groups SET"					\
	" (by_created, by_started, by_expires, by_status) = (" STANDS ")"	\
	" WHERE (by_created, by_started, by_expires, by_status)"	\
	" IS NOT (" STANDS ")"
#define STAND(row)	SET_STANDS " AND system_id = " row ".system_id;"

/* The set of states that a system has now. */
#define BITS(row)							\
	"(SELECT ifnull(sum(1 << g.rank), 0) FROM support_groups g"	\
	" WHERE g.system_id = " row ".system_id)"
/* Whose counts a system is in. */
#define OWNERS(row)							\
	"(SELECT '' AS o UNION ALL SELECT y.organization_id FROM systems y"	\
	" WHERE y.id = " row ".system_id AND y.organization_id <> '')"
#define COUNT(row, from, to)						\
	"UPDATE support_counts SET n = n - 1"				\
	" WHERE organization_id IN " OWNERS(row) " AND bits = " from ";"	\
	"INSERT INTO support_counts SELECT o, bits, 1 FROM "		\
	OWNERS(row) ", (SELECT " to " AS bits)"				\
	" WHERE bits <> 0"						\
	" ON CONFLICT (organization_id, bits) DO UPDATE SET n = n + 1;"

#define GROUPS								\
    "CREATE TABLE support_groups (system_id TEXT NOT NULL,"		\
    " rank INTEGER NOT NULL, n INTEGER NOT NULL,"			\
    " created_at INTEGER NOT NULL, started_at INTEGER NOT NULL,"	\
    " expires_at INTEGER NOT NULL, by_created INTEGER NOT NULL,"	\
    " by_started INTEGER NOT NULL, by_expires INTEGER NOT NULL,"	\
    " by_status INTEGER NOT NULL, organization_id TEXT NOT NULL,"	\
    " PRIMARY KEY (system_id, rank))"					\
    " WITHOUT ROWID;"							\
    "CREATE INDEX support_groups_created ON support_groups"		\
    " (rank, by_created, created_at, system_id, organization_id);"	\
    "CREATE INDEX support_groups_started ON support_groups"		\
    " (rank, by_started, started_at, system_id, organization_id);"	\
    "CREATE INDEX support_groups_expires ON support_groups"		\
    " (rank, by_expires, expires_at, system_id, organization_id);"	\
    "CREATE INDEX support_groups_status ON support_groups"		\
    " (rank, by_status, created_at, system_id, organization_id);"	\
    "CREATE TABLE support_nodes (system_id TEXT NOT NULL,"		\
    " rank INTEGER NOT NULL, node_id TEXT NOT NULL,"			\
    " n INTEGER NOT NULL, PRIMARY KEY (system_id, rank, node_id))"	\
    " WITHOUT ROWID;"							\
    "CREATE TABLE support_counts (organization_id TEXT NOT NULL,"	\
    " bits INTEGER NOT NULL, n INTEGER NOT NULL,"			\
    " PRIMARY KEY (organization_id, bits)) WITHOUT ROWID;"		\
    "CREATE TRIGGER support_sessions_come AFTER INSERT"			\
    " ON support_sessions BEGIN " COME STAND("NEW") " END;"				\
    "CREATE TRIGGER support_sessions_gone AFTER DELETE"			\
    " ON support_sessions BEGIN " GONE STAND("OLD") " END;"				\
    "CREATE TRIGGER support_sessions_state AFTER UPDATE OF status"	\
    " ON support_sessions WHEN OLD.status <> NEW.status BEGIN "		\
    GONE COME STAND("NEW") " END;"							\
    "CREATE TRIGGER support_sessions_times"				\
    " AFTER UPDATE OF created_at, started_at, expires_at"		\
    " ON support_sessions WHEN OLD.status = NEW.status AND"		\
    " (OLD.expires_at <> NEW.expires_at"				\
    " OR OLD.started_at <> NEW.started_at"				\
    " OR OLD.created_at <> NEW.created_at)"				\
    " BEGIN " TIMES("NEW") ";" STAND("NEW") " END;"					\
    "CREATE TRIGGER support_groups_come AFTER INSERT ON support_groups"	\
    " BEGIN " COUNT("NEW", BITS("NEW") " - (1 << NEW.rank)",		\
    BITS("NEW")) " END;"						\
    "CREATE TRIGGER support_groups_gone AFTER DELETE ON support_groups"	\
    " BEGIN " COUNT("OLD", BITS("OLD") " + (1 << OLD.rank)",		\
    BITS("OLD")) " END;"						\
    "CREATE TRIGGER systems_moved AFTER UPDATE OF organization_id"	\
    " ON systems WHEN OLD.organization_id IS NOT NEW.organization_id"	\
    " BEGIN UPDATE support_groups"					\
    " SET organization_id = ifnull(NEW.organization_id, '')"		\
    " WHERE system_id = NEW.id;"					\
    "UPDATE support_counts SET n = n - 1"				\
    " WHERE organization_id = OLD.organization_id"			\
    " AND organization_id <> '' AND bits = (SELECT sum(1 << rank)"	\
    " FROM support_groups WHERE system_id = NEW.id);"			\
    "INSERT INTO support_counts SELECT NEW.organization_id,"		\
    " sum(1 << rank), 1 FROM support_groups WHERE system_id = NEW.id"	\
    " AND NEW.organization_id <> '' GROUP BY system_id"			\
    " ON CONFLICT (organization_id, bits) DO UPDATE SET n = n + 1; END;"

#define SESSION_INDEXES							\
    "CREATE INDEX support_sessions_system ON support_sessions"		\
    " (system_id, status, started_at);"					\
    "CREATE INDEX support_sessions_open ON support_sessions (id)"	\
    " WHERE status IN ('pending', 'active');"

/* Names are for people: more than one system may have the same. */
#define NAMES								\
    "CREATE INDEX systems_name ON systems (name, id);"

/* What systems are listed by, and found by when they register. */
#define SYSTEM_INDEXES							\
    "CREATE INDEX systems_created ON systems (created_at, id);"		\
    "CREATE INDEX systems_public ON systems (system_secret_public);"

/*
 * What is over and how long, for what goes again: `used` says of a session that
 * rows of the access log are about it.
 */
#define OVER								\
    "CREATE INDEX support_sessions_over ON support_sessions"		\
    " (used, closed_at) WHERE status IN ('closed', 'expired');"		\
    "CREATE INDEX revocations_until ON revocations (until);"		\
    "CREATE INDEX systems_deleted ON systems (deleted_at)"		\
    " WHERE deleted_at IS NOT NULL;"					\
    "CREATE INDEX organizations_deleted ON organizations (deleted_at)"	\
    " WHERE deleted_at IS NOT NULL;"

/* Tokens that relayctl has made, to be shown and revoked. */
#define TOKENS								\
    "CREATE TABLE access_tokens (id TEXT PRIMARY KEY,"			\
    " operator_id TEXT NOT NULL, organization_id TEXT,"			\
    " org_role TEXT NOT NULL, permissions TEXT NOT NULL,"		\
    " created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL);"	\
    "CREATE INDEX access_tokens_expires ON access_tokens (expires_at);"

/* What stands for a proxy token in cookies. */
#define REFERS								\
    "CREATE TABLE proxy_references (id TEXT PRIMARY KEY,"		\
    " session_id TEXT NOT NULL REFERENCES support_sessions (id)"	\
    " ON DELETE CASCADE, operator_id TEXT NOT NULL,"			\
    " sealed TEXT NOT NULL, expires_at INTEGER NOT NULL);"		\
    "CREATE INDEX proxy_references_of ON proxy_references"		\
    " (session_id, operator_id, expires_at);"				\
    "CREATE INDEX proxy_references_expires ON proxy_references"		\
    " (expires_at);"

/* Relay sessions, and their tokens' hashes. */
#define RELAYS								\
    "CREATE TABLE relay_sessions (id TEXT PRIMARY KEY,"			\
    " initiator TEXT NOT NULL, responder TEXT NOT NULL,"		\
    " channels INTEGER NOT NULL, issuer TEXT, subject TEXT,"		\
    " client TEXT, addr TEXT, label TEXT, created_at INTEGER NOT NULL,"	\
    " expires_at INTEGER NOT NULL, moved_at INTEGER NOT NULL,"		\
    " bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL);"

/* Used tokens of pairing, as SHA-256 of their ids. */
#define CONSUMED							\
    "CREATE TABLE consumed_jtis (id TEXT PRIMARY KEY,"			\
    " until INTEGER NOT NULL);"						\
    "CREATE INDEX consumed_jtis_until ON consumed_jtis (until, id);"

/*
 * Recordings of terminals, of which the access log may be gone already; and how
 * much they are, of those that have ended.
 */
#define SUM(what)							\
	"UPDATE terminal_recording_sum SET " what " WHERE one = 1;"
#define RECORDINGS							\
    "CREATE TABLE terminal_recordings (id TEXT PRIMARY KEY,"		\
    " session_id TEXT, operator_id TEXT, operator_name TEXT,"		\
    " started_at INTEGER NOT NULL, ended_at INTEGER,"			\
    " bytes INTEGER NOT NULL DEFAULT 0, sha256 TEXT);"			\
    "CREATE INDEX terminal_recordings_session ON terminal_recordings"	\
    " (session_id, started_at, id);"					\
    "CREATE INDEX terminal_recordings_started ON terminal_recordings"	\
    " (started_at, id);"						\
    "CREATE INDEX terminal_recordings_ended ON terminal_recordings"	\
    " (started_at, id) WHERE ended_at IS NOT NULL;"			\
    "CREATE INDEX terminal_recordings_open ON terminal_recordings (id)"	\
    " WHERE ended_at IS NULL;"						\
    "CREATE TABLE terminal_recording_sum (one INTEGER PRIMARY KEY"	\
    " CHECK (one = 1), n INTEGER NOT NULL, bytes INTEGER NOT NULL);"	\
    "INSERT INTO terminal_recording_sum VALUES (1, 0, 0);"		\
    "CREATE TRIGGER terminal_recordings_come AFTER INSERT"		\
    " ON terminal_recordings WHEN NEW.ended_at IS NOT NULL BEGIN "	\
    SUM("n = n + 1, bytes = bytes + NEW.bytes") " END;"			\
    "CREATE TRIGGER terminal_recordings_end AFTER UPDATE OF ended_at"	\
    " ON terminal_recordings WHEN OLD.ended_at IS NULL"			\
    " AND NEW.ended_at IS NOT NULL BEGIN "				\
    SUM("n = n + 1, bytes = bytes + NEW.bytes") " END;"			\
    "CREATE TRIGGER terminal_recordings_gone AFTER DELETE"		\
    " ON terminal_recordings WHEN OLD.ended_at IS NOT NULL BEGIN "	\
    SUM("n = n - 1, bytes = bytes - OLD.bytes") " END;"

/*
 * The audit log. An event's number is hashed, and must be a column: VACUUM
 * numbers rows anew that have none.
 */
#define AUDIT								\
    "CREATE TABLE audit_chains (chain INTEGER PRIMARY KEY,"		\
    " name TEXT NOT NULL UNIQUE);"					\
    "CREATE TABLE audit_events (event INTEGER PRIMARY KEY, chain INTEGER,"	\
    " seq INTEGER, time INTEGER NOT NULL, actor TEXT, impersonator TEXT,"	\
    " token_id TEXT, address TEXT, action TEXT NOT NULL, session_id TEXT,"	\
    " service TEXT, access_id TEXT, object TEXT, request_id TEXT,"	\
    " outcome TEXT NOT NULL, reason TEXT,"				\
    " count INTEGER NOT NULL DEFAULT 1, duration_ms INTEGER,"		\
    " bytes_in INTEGER, bytes_out INTEGER, prev BLOB, hash BLOB);"	\
    "CREATE INDEX audit_events_chain ON audit_events (chain);"

/*
 * Members of a cluster, which a file never has: it serves one daemon. The
 * tables are those of a server, so that questions are the same.
 */
#define MEMBERS								\
    "CREATE TABLE members (name TEXT PRIMARY KEY, address TEXT NOT NULL,"	\
    " port INTEGER NOT NULL, version TEXT NOT NULL,"			\
    " started_at INTEGER NOT NULL, beat_at INTEGER NOT NULL,"		\
    " draining INTEGER NOT NULL DEFAULT 0,"				\
    " tunnels INTEGER NOT NULL DEFAULT 0,"				\
    " sessions INTEGER NOT NULL DEFAULT 0,"				\
    " forwarded_in INTEGER NOT NULL DEFAULT 0,"				\
    " forwarded_out INTEGER NOT NULL DEFAULT 0);"			\
    "ALTER TABLE support_sessions ADD COLUMN member TEXT;"		\
    "ALTER TABLE support_sessions ADD COLUMN grace_at INTEGER NOT NULL"	\
    " DEFAULT 0;"							\
    "ALTER TABLE support_access_logs ADD COLUMN member TEXT;"		\
    "ALTER TABLE terminal_recordings ADD COLUMN member TEXT;"		\
    "ALTER TABLE relay_sessions ADD COLUMN member TEXT;"

/* Of an open session's services those that other members have to know. */
#define SERVICES							\
    "ALTER TABLE support_sessions ADD COLUMN services TEXT;"		\
    "ALTER TABLE support_sessions ADD COLUMN services_at INTEGER NOT NULL"	\
    " DEFAULT 0;"

/* What a store that has sessions already lacks: the groups of these. */
#define FILL								\
    "INSERT INTO support_groups SELECT a.system_id, "			\
    RANK("a.status") " AS rank, count(*), max(a.created_at),"		\
    " CASE WHEN a.status IN ('active', 'pending')"			\
    " THEN min(a.started_at) ELSE max(a.started_at) END,"		\
    " CASE WHEN a.status IN ('active', 'pending')"			\
    " THEN max(a.expires_at) ELSE (SELECT s.expires_at" ALIKE("a")	\
    LATEST " END, 0, 0, 0, 0, " ITS_ORG("a.system_id")		\
    " FROM support_sessions a"						\
    " GROUP BY a.system_id, a.status;"					\
    SET_STANDS ";"							\
    "INSERT INTO support_nodes SELECT system_id, " RANK("status")	\
    ", node_id, count(*) FROM support_sessions"				\
    " WHERE node_id IS NOT NULL GROUP BY system_id, status, node_id;"

/* All of it anew. */
#define REGROUP								\
    "DROP TRIGGER support_sessions_come;"				\
    "DROP TRIGGER support_sessions_gone;"				\
    "DROP TRIGGER support_sessions_state;"				\
    "DROP TRIGGER support_sessions_times; DROP TRIGGER systems_moved;"	\
    "DROP TABLE support_groups; DROP TABLE support_nodes;"		\
    "DROP TABLE support_counts;"					\
    GROUPS								\
    FILL

/*
 * session_token and reconnect_token hold hashes. reconnect_prev, generation,
 * and in the log org_role and what comes behind it are relayd's own.
 */
const char *const	schema_new =
    "CREATE TABLE organizations (id TEXT PRIMARY KEY, name TEXT NOT NULL,"
    " type TEXT NOT NULL, parent TEXT, created_at INTEGER NOT NULL,"
    " deleted_at INTEGER);"
    "CREATE INDEX organizations_parent ON organizations (parent);"
    "CREATE TABLE systems (id TEXT PRIMARY KEY, name TEXT NOT NULL,"
    " type TEXT, system_key TEXT NOT NULL UNIQUE,"
    " system_secret_public TEXT NOT NULL,"
    " system_secret_sha256 TEXT NOT NULL, organization_id TEXT,"
    " support_enabled INTEGER NOT NULL DEFAULT 0, registered_at INTEGER,"
    " suspended_at INTEGER, deleted_at INTEGER,"
    " created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,"
    " notes TEXT, custom_data TEXT, version TEXT, created_by TEXT,"
    " created_by_name TEXT, created_by_org TEXT);"
    "CREATE INDEX systems_organization ON systems (organization_id);"
    SYSTEM_INDEXES
    "CREATE TABLE support_sessions (id TEXT PRIMARY KEY,"
    " system_id TEXT NOT NULL REFERENCES systems (id) ON DELETE CASCADE,"
    " node_id TEXT, session_token TEXT NOT NULL UNIQUE,"
    " reconnect_token TEXT, reconnect_prev TEXT,"
    " started_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,"
    " status TEXT NOT NULL CHECK (status IN ('pending', 'active',"
    " 'closed', 'expired')), closed_at INTEGER, closed_by TEXT,"
    " diagnostics TEXT, diagnostics_at INTEGER, users TEXT,"
    " users_at INTEGER, created_at INTEGER NOT NULL,"
    " updated_at INTEGER NOT NULL, generation INTEGER NOT NULL,"
    " diagnostics_len INTEGER NOT NULL DEFAULT 0,"
    " users_len INTEGER NOT NULL DEFAULT 0,"
    " users_good INTEGER NOT NULL DEFAULT 0,"
    " used INTEGER NOT NULL DEFAULT 0);"
    SESSION_INDEXES
    "CREATE UNIQUE INDEX support_sessions_slot ON support_sessions"
    " (system_id, ifnull(node_id, '')) WHERE status IN ('pending', 'active');"
    "CREATE TABLE support_session_services (session_id TEXT NOT NULL"
    " REFERENCES support_sessions (id) ON DELETE CASCADE, name TEXT NOT NULL,"
    " target TEXT NOT NULL, label TEXT, tls INTEGER NOT NULL, added_by TEXT,"
    " added_at INTEGER NOT NULL, tcp INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY (session_id, name));"
    "CREATE TABLE support_access_logs (id TEXT PRIMARY KEY,"
    " session_id TEXT NOT NULL REFERENCES support_sessions (id)"
    " ON DELETE CASCADE, operator_id TEXT NOT NULL, operator_name TEXT,"
    " access_type TEXT NOT NULL, connected_at INTEGER NOT NULL,"
    " disconnected_at INTEGER, metadata TEXT, org_role TEXT,"
    " organization_id TEXT, service TEXT, ip TEXT, token_id TEXT,"
    " impersonator TEXT, bytes_in INTEGER NOT NULL DEFAULT 0,"
    " bytes_out INTEGER NOT NULL DEFAULT 0, outcome TEXT);"
    "CREATE INDEX support_access_logs_session ON support_access_logs"
    " (session_id, connected_at);"
    "CREATE INDEX support_access_logs_open ON support_access_logs (id)"
    " WHERE disconnected_at IS NULL;"
    AUDIT
    "CREATE TABLE revocations (kind TEXT NOT NULL CHECK (kind IN ('token',"
    " 'user')), id TEXT NOT NULL, until INTEGER NOT NULL, reason TEXT,"
    " PRIMARY KEY (kind, id));"
    NAMES
    GROUPS
    OVER
    TOKENS
    REFERS
    RECORDINGS
    RELAYS
    CONSUMED
    MEMBERS
    SERVICES;

/*
 * From each version to the next. To 2: whose a row of the log is had been in
 * its metadata only, which says "{}" where it had no room: such a row says no
 * more who may go on, and is closed. To 3: what the list of sessions needs.
 * To 4: what is over can go, and diagnostics go with their session. To 5: a
 * refusal's row stands for many, and tokens can be listed. To 6: the groups of
 * 3 say which row stands for each. To 7: without what no question asks for.
 * To 8: systems are listed, and say who made them and what is noted.
 * To 9: references to proxy tokens. To 11: recordings. To 12: the audit log is
 * chained, from here on. To 13: the groups say whose they are. To 14: relay
 * sessions. To 15: used tokens of pairing. To 16: a service that is added may
 * be plain TCP. To 17: members of a cluster. To 18: services of a session
 * that other members know.
 */
const char *const	schema_from[STORE_SCHEMA - 1] = {
    "ALTER TABLE support_access_logs ADD COLUMN service TEXT;"
    "ALTER TABLE support_access_logs ADD COLUMN ip TEXT;"
    "ALTER TABLE support_access_logs ADD COLUMN token_id TEXT;"
    "ALTER TABLE support_access_logs ADD COLUMN impersonator TEXT;"
    "ALTER TABLE support_access_logs ADD COLUMN bytes_in INTEGER NOT NULL"
    " DEFAULT 0;"
    "ALTER TABLE support_access_logs ADD COLUMN bytes_out INTEGER NOT NULL"
    " DEFAULT 0;"
    "ALTER TABLE support_access_logs ADD COLUMN outcome TEXT;"
    "UPDATE support_access_logs SET"
    " service = json_extract(metadata, '$.service'),"
    " ip = json_extract(metadata, '$.ip'),"
    " token_id = json_extract(metadata, '$.token_id'),"
    " impersonator = json_extract(metadata, '$.impersonator'),"
    " bytes_in = ifnull(json_extract(metadata, '$.bytes_in'), 0),"
    " bytes_out = ifnull(json_extract(metadata, '$.bytes_out'), 0),"
    " outcome = json_extract(metadata, '$.outcome')"
    " WHERE json_valid(metadata);"
    "UPDATE support_access_logs SET disconnected_at = connected_at"
    " WHERE disconnected_at IS NULL AND service IS NULL;",

    "DROP INDEX IF EXISTS support_sessions_system;"
    SESSION_INDEXES
    NAMES
    GROUPS
    FILL,

    "ALTER TABLE support_sessions ADD COLUMN diagnostics_len INTEGER"
    " NOT NULL DEFAULT 0;"
    "ALTER TABLE support_sessions ADD COLUMN used INTEGER NOT NULL DEFAULT 0;"
    "UPDATE support_sessions SET diagnostics = NULL, users = NULL"
    " WHERE status IN ('closed', 'expired')"
    " AND (diagnostics IS NOT NULL OR users IS NOT NULL);"
    "UPDATE support_sessions SET diagnostics_len ="
    " length(CAST(diagnostics AS BLOB)) WHERE diagnostics IS NOT NULL;"
    "UPDATE support_sessions SET used = 1 WHERE id IN"
    " (SELECT session_id FROM support_access_logs);"
    OVER,

    "ALTER TABLE audit_events ADD COLUMN count INTEGER NOT NULL DEFAULT 1;"
    TOKENS,

    REGROUP,

    ("DROP INDEX IF EXISTS support_sessions_status;"
    "DROP INDEX IF EXISTS support_sessions_expires;"),

    "ALTER TABLE systems ADD COLUMN notes TEXT;"
    "ALTER TABLE systems ADD COLUMN custom_data TEXT;"
    "ALTER TABLE systems ADD COLUMN version TEXT;"
    "ALTER TABLE systems ADD COLUMN created_by TEXT;"
    "ALTER TABLE systems ADD COLUMN created_by_name TEXT;"
    "ALTER TABLE systems ADD COLUMN created_by_org TEXT;"
    "DROP INDEX IF EXISTS systems_name;"
    NAMES
    SYSTEM_INDEXES,

    REFERS,

    "ALTER TABLE support_sessions ADD COLUMN users_len INTEGER"
    " NOT NULL DEFAULT 0;"
    "ALTER TABLE support_sessions ADD COLUMN users_good INTEGER"
    " NOT NULL DEFAULT 0;"
    "UPDATE support_sessions SET users = NULL, users_at = NULL"
    " WHERE users IS NOT NULL;",

    RECORDINGS,

    "ALTER TABLE audit_events RENAME TO audit_events_11;"
    AUDIT
    "INSERT INTO audit_events (event, time, actor, address, action,"
    " session_id, outcome, reason, count) SELECT rowid, time, actor,"
    " address, action, session_id, outcome, reason, count"
    " FROM audit_events_11 ORDER BY rowid;"
    "DROP TABLE audit_events_11;",

    REGROUP,

    RELAYS,

    CONSUMED,

    ("ALTER TABLE support_session_services ADD COLUMN tcp INTEGER NOT NULL"
    " DEFAULT 0;"),

    MEMBERS,

    SERVICES
};
