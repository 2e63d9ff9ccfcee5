-- SPDX-License-Identifier: ISC
--
-- relayd's tables in PostgreSQL 15 or newer. `relayctl schema apply` runs this,
-- or the database's owner does (psql -v ON_ERROR_STOP=1 -f). It can be run
-- again at any time, also over an older version.
--
-- systems, support_sessions and support_access_logs are those of
-- doc/operator-api.md, section 10, and lie in the schema public. Where they are
-- there already, they are used as they are: no column and no row of theirs is
-- changed. They only get indexes, and triggers that keep what the list of
-- sessions needs. Everything else is in the schema relayd; what relayd keeps
-- beside a row of theirs is in tables ..._more.

BEGIN;

SET LOCAL client_min_messages = error;

CREATE SCHEMA IF NOT EXISTS relayd;

-- ---- times are milliseconds since 1970 in relayd ----

CREATE OR REPLACE FUNCTION relayd.ms(timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT (extract(epoch FROM
	    ($1 - timestamptz '1970-01-01 00:00:00+00')) * 1000)::bigint
$$;

CREATE OR REPLACE FUNCTION relayd.at(bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT to_timestamp(nullif($1, 0) / 1000.0::float8)
$$;

-- ---- what SQLite has as a function ----

CREATE OR REPLACE FUNCTION relayd.iif(boolean, bigint, bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN $1 THEN $2 ELSE $3 END
$$;

CREATE OR REPLACE FUNCTION relayd.iif(boolean, text, text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN $1 THEN $2 ELSE $3 END
$$;

CREATE OR REPLACE FUNCTION relayd.instr(text, text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT strpos($1, $2)
$$;

CREATE OR REPLACE FUNCTION relayd.json_valid(text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT $1 IS NOT NULL
$$;

-- Of a path '$.name' only.
CREATE OR REPLACE FUNCTION relayd.json_extract(text, text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT $1::jsonb ->> substr($2, 3)
$$;

-- NULL for what is no JSON, or none that PostgreSQL can hold.
CREATE OR REPLACE FUNCTION relayd.json(text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	RETURN $1::jsonb;
EXCEPTION WHEN others THEN
	RETURN NULL;
END
$$;

-- ---- the tables that others may share ----

CREATE TABLE IF NOT EXISTS public.systems (
	id varchar(255) PRIMARY KEY,
	name varchar(255) NOT NULL,
	type varchar(100),
	system_key varchar(255) NOT NULL UNIQUE,
	system_secret_public varchar(255) NOT NULL,
	system_secret_sha256 varchar(255) NOT NULL,
	organization_id varchar(255),
	support_enabled boolean NOT NULL DEFAULT false,
	registered_at timestamptz,
	suspended_at timestamptz,
	deleted_at timestamptz
);

CREATE TABLE IF NOT EXISTS public.support_sessions (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	system_id varchar(255) NOT NULL
	    REFERENCES public.systems (id) ON DELETE CASCADE,
	node_id varchar(16),
	session_token varchar(64) NOT NULL UNIQUE,
	reconnect_token varchar(64),
	started_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL DEFAULT now() + interval '24 hours',
	status varchar(16) NOT NULL DEFAULT 'pending' CHECK (status IN
	    ('pending', 'active', 'expired', 'closed')),
	closed_at timestamptz,
	closed_by varchar(32),
	diagnostics jsonb,
	diagnostics_at timestamptz,
	users jsonb,
	users_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.support_access_logs (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	session_id uuid NOT NULL
	    REFERENCES public.support_sessions (id) ON DELETE CASCADE,
	operator_id varchar(255) NOT NULL,
	operator_name varchar(255),
	access_type varchar(16) NOT NULL,
	connected_at timestamptz NOT NULL DEFAULT now(),
	disconnected_at timestamptz,
	metadata jsonb
);

CREATE INDEX IF NOT EXISTS relayd_systems_organization
    ON public.systems (organization_id);
CREATE INDEX IF NOT EXISTS relayd_systems_public
    ON public.systems (system_secret_public);
CREATE INDEX IF NOT EXISTS relayd_systems_name ON public.systems (name, id);
CREATE UNIQUE INDEX IF NOT EXISTS relayd_sessions_slot
    ON public.support_sessions (system_id, coalesce(node_id, ''))
    WHERE status IN ('pending', 'active');
CREATE INDEX IF NOT EXISTS relayd_sessions_system
    ON public.support_sessions (system_id, status, started_at);
CREATE INDEX IF NOT EXISTS relayd_sessions_open
    ON public.support_sessions (id) WHERE status IN ('pending', 'active');
CREATE INDEX IF NOT EXISTS relayd_sessions_over
    ON public.support_sessions (relayd.ms(closed_at))
    WHERE status IN ('closed', 'expired');
CREATE INDEX IF NOT EXISTS relayd_logs_session
    ON public.support_access_logs (session_id, relayd.ms(connected_at));
CREATE INDEX IF NOT EXISTS relayd_logs_open
    ON public.support_access_logs (id) WHERE disconnected_at IS NULL;

-- ---- what relayd keeps beside them ----

CREATE TABLE IF NOT EXISTS relayd.system_more (
	id varchar(255) PRIMARY KEY
	    REFERENCES public.systems (id) ON DELETE CASCADE,
	created_at bigint NOT NULL,
	updated_at bigint NOT NULL,
	notes text,
	custom_data text,
	version text,
	created_by text,
	created_by_name text,
	created_by_org text
);

CREATE TABLE IF NOT EXISTS relayd.session_more (
	id uuid PRIMARY KEY
	    REFERENCES public.support_sessions (id) ON DELETE CASCADE,
	reconnect_prev text,
	generation bigint NOT NULL DEFAULT 0,
	diagnostics_len bigint NOT NULL DEFAULT 0,
	users_len bigint NOT NULL DEFAULT 0,
	users_good integer NOT NULL DEFAULT 0,
	used integer NOT NULL DEFAULT 0
);
-- version 17: which member of a cluster has its tunnel (NULL: none has), and
-- until when it waits for another if it has none
ALTER TABLE relayd.session_more ADD COLUMN IF NOT EXISTS member text,
    ADD COLUMN IF NOT EXISTS grace_at bigint NOT NULL DEFAULT 0;
-- version 18: of its services those that other members have to know, as JSON
-- (NULL: none), and when they were written; they go with the member that has said
-- so, whatever version the next one is
ALTER TABLE relayd.session_more ADD COLUMN IF NOT EXISTS services text,
    ADD COLUMN IF NOT EXISTS services_at bigint NOT NULL DEFAULT 0;
CREATE OR REPLACE FUNCTION relayd.services_left() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	NEW.services = NULL;
	RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER services_left BEFORE UPDATE OF member
    ON relayd.session_more FOR EACH ROW WHEN (OLD.services IS NOT NULL AND
    OLD.member IS NOT NULL AND NEW.member IS DISTINCT FROM OLD.member)
    EXECUTE FUNCTION relayd.services_left();

CREATE TABLE IF NOT EXISTS relayd.access_more (
	id uuid PRIMARY KEY
	    REFERENCES public.support_access_logs (id) ON DELETE CASCADE,
	n bigint GENERATED ALWAYS AS IDENTITY,
	org_role text,
	organization_id text,
	service text,
	ip text,
	token_id text,
	impersonator text,
	bytes_in bigint NOT NULL DEFAULT 0,
	bytes_out bigint NOT NULL DEFAULT 0,
	outcome text
);
CREATE INDEX IF NOT EXISTS access_more_n ON relayd.access_more (n);
-- version 17: which member writes it
ALTER TABLE relayd.access_more ADD COLUMN IF NOT EXISTS member text;

CREATE OR REPLACE VIEW relayd.systems AS
SELECT s.id, s.name, s.type, s.system_key, s.system_secret_public,
    s.system_secret_sha256, s.organization_id, s.support_enabled,
    relayd.ms(s.registered_at) AS registered_at,
    relayd.ms(s.suspended_at) AS suspended_at,
    relayd.ms(s.deleted_at) AS deleted_at,
    coalesce(m.created_at, 0) AS created_at,
    coalesce(m.updated_at, 0) AS updated_at, m.notes, m.custom_data,
    m.version, m.created_by, m.created_by_name, m.created_by_org
FROM public.systems s LEFT JOIN relayd.system_more m ON m.id = s.id;

CREATE OR REPLACE VIEW relayd.support_sessions AS
SELECT s.id, s.system_id, s.node_id, s.session_token, s.reconnect_token,
    m.reconnect_prev, relayd.ms(s.started_at) AS started_at,
    relayd.ms(s.expires_at) AS expires_at, s.status,
    relayd.ms(s.closed_at) AS closed_at, s.closed_by,
    s.diagnostics::text AS diagnostics,
    relayd.ms(s.diagnostics_at) AS diagnostics_at,
    s.users #>> '{}' AS users, relayd.ms(s.users_at) AS users_at,
    relayd.ms(s.created_at) AS created_at,
    relayd.ms(s.updated_at) AS updated_at,
    coalesce(m.generation, 0) AS generation,
    coalesce(m.diagnostics_len, 0) AS diagnostics_len,
    coalesce(m.users_len, 0) AS users_len,
    coalesce(m.users_good, 0) AS users_good, coalesce(m.used, 0) AS used,
    m.member, coalesce(m.grace_at, 0) AS grace_at, m.services,
    coalesce(m.services_at, 0) AS services_at
FROM public.support_sessions s LEFT JOIN relayd.session_more m ON m.id = s.id;

CREATE OR REPLACE VIEW relayd.support_access_logs AS
SELECT a.id, a.session_id, a.operator_id, a.operator_name, a.access_type,
    relayd.ms(a.connected_at) AS connected_at,
    relayd.ms(a.disconnected_at) AS disconnected_at,
    a.metadata::text AS metadata, m.org_role, m.organization_id, m.service,
    m.ip, m.token_id, m.impersonator, coalesce(m.bytes_in, 0) AS bytes_in,
    coalesce(m.bytes_out, 0) AS bytes_out, m.outcome,
    coalesce(m.n, 0) AS rowid, m.member
FROM public.support_access_logs a LEFT JOIN relayd.access_more m
    ON m.id = a.id;

CREATE OR REPLACE FUNCTION relayd.delete_shared() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	IF TG_TABLE_NAME = 'systems' THEN
		DELETE FROM public.systems WHERE id = OLD.id;
	ELSIF TG_TABLE_NAME = 'support_sessions' THEN
		DELETE FROM public.support_sessions WHERE id = OLD.id;
	ELSE
		DELETE FROM public.support_access_logs WHERE id = OLD.id;
	END IF;
	RETURN OLD;
END
$$;

CREATE OR REPLACE TRIGGER gone INSTEAD OF DELETE ON relayd.systems
    FOR EACH ROW EXECUTE FUNCTION relayd.delete_shared();
CREATE OR REPLACE TRIGGER gone INSTEAD OF DELETE ON relayd.support_sessions
    FOR EACH ROW EXECUTE FUNCTION relayd.delete_shared();
CREATE OR REPLACE TRIGGER gone INSTEAD OF DELETE ON relayd.support_access_logs
    FOR EACH ROW EXECUTE FUNCTION relayd.delete_shared();

-- Organizations: a table, or what there is of others.
DO $$
BEGIN
	IF to_regclass('public.unified_organizations') IS NULL THEN
		CREATE TABLE IF NOT EXISTS relayd.organizations (
			id text PRIMARY KEY,
			name text NOT NULL,
			type text NOT NULL,
			parent text,
			created_at bigint NOT NULL,
			deleted_at bigint
		);
		CREATE INDEX IF NOT EXISTS organizations_parent
		    ON relayd.organizations (parent);
	ELSE
		CREATE OR REPLACE VIEW relayd.organizations AS
		SELECT u.logto_id::text AS id, u.name::text AS name,
		    lower(u.org_type)::text AS type,
		    coalesce(r.custom_data, c.custom_data) ->> 'createdBy'
		    AS parent, 0::bigint AS created_at,
		    relayd.ms(coalesce(r.deleted_at, c.deleted_at))
		    AS deleted_at
		FROM public.unified_organizations u
		LEFT JOIN public.resellers r ON r.logto_id = u.logto_id
		LEFT JOIN public.customers c ON c.logto_id = u.logto_id;
	END IF;
END
$$;

-- ---- relayd's own ----

CREATE TABLE IF NOT EXISTS relayd.support_session_services (
	session_id uuid NOT NULL
	    REFERENCES public.support_sessions (id) ON DELETE CASCADE,
	name text NOT NULL,
	target text NOT NULL,
	label text,
	tls integer NOT NULL,
	added_by text,
	added_at bigint NOT NULL,
	tcp integer NOT NULL DEFAULT 0,
	PRIMARY KEY (session_id, name)
);
-- version 16
ALTER TABLE relayd.support_session_services
    ADD COLUMN IF NOT EXISTS tcp integer NOT NULL DEFAULT 0;

CREATE TABLE IF NOT EXISTS relayd.revocations (
	kind text NOT NULL CHECK (kind IN ('token', 'user')),
	id text NOT NULL,
	until bigint NOT NULL,
	reason text,
	PRIMARY KEY (kind, id)
);
CREATE INDEX IF NOT EXISTS revocations_until ON relayd.revocations (until);

CREATE TABLE IF NOT EXISTS relayd.access_tokens (
	id text PRIMARY KEY,
	operator_id text NOT NULL,
	organization_id text,
	org_role text NOT NULL,
	permissions text NOT NULL,
	created_at bigint NOT NULL,
	expires_at bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS access_tokens_expires
    ON relayd.access_tokens (expires_at);

CREATE TABLE IF NOT EXISTS relayd.proxy_references (
	id text PRIMARY KEY,
	session_id uuid NOT NULL
	    REFERENCES public.support_sessions (id) ON DELETE CASCADE,
	operator_id text NOT NULL,
	sealed text NOT NULL,
	expires_at bigint NOT NULL,
	rowid bigint GENERATED ALWAYS AS IDENTITY
);
CREATE INDEX IF NOT EXISTS proxy_references_of
    ON relayd.proxy_references (session_id, operator_id, expires_at);
CREATE INDEX IF NOT EXISTS proxy_references_expires
    ON relayd.proxy_references (expires_at);

CREATE TABLE IF NOT EXISTS relayd.terminal_recordings (
	id text PRIMARY KEY,
	session_id text,
	operator_id text,
	operator_name text,
	started_at bigint NOT NULL,
	ended_at bigint,
	bytes bigint NOT NULL DEFAULT 0,
	sha256 text
);
-- version 17: which member has the file
ALTER TABLE relayd.terminal_recordings ADD COLUMN IF NOT EXISTS member text;
CREATE INDEX IF NOT EXISTS terminal_recordings_session
    ON relayd.terminal_recordings (session_id, started_at, id);
CREATE INDEX IF NOT EXISTS terminal_recordings_started
    ON relayd.terminal_recordings (started_at, id);
CREATE INDEX IF NOT EXISTS terminal_recordings_open
    ON relayd.terminal_recordings (id) WHERE ended_at IS NULL;
CREATE OR REPLACE VIEW relayd.terminal_recording_sum AS
SELECT 1 AS one, count(*) AS n, coalesce(sum(bytes), 0)::bigint AS bytes
FROM relayd.terminal_recordings WHERE ended_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS relayd.relay_sessions (
	id text PRIMARY KEY,
	initiator text NOT NULL,
	responder text NOT NULL,
	channels integer NOT NULL,
	issuer text,
	subject text,
	client text,
	addr text,
	label text,
	created_at bigint NOT NULL,
	expires_at bigint NOT NULL,
	moved_at bigint NOT NULL,
	bytes_in bigint NOT NULL,
	bytes_out bigint NOT NULL
);
-- version 17: which member has it
ALTER TABLE relayd.relay_sessions ADD COLUMN IF NOT EXISTS member text;

CREATE TABLE IF NOT EXISTS relayd.consumed_jtis (
	id text PRIMARY KEY,
	until bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS consumed_jtis_until
    ON relayd.consumed_jtis (until, id);

CREATE TABLE IF NOT EXISTS relayd.audit_chains (
	chain integer PRIMARY KEY,
	name text NOT NULL UNIQUE
);

CREATE TABLE IF NOT EXISTS relayd.audit_events (
	event bigint PRIMARY KEY,
	chain integer,
	seq bigint,
	time bigint NOT NULL,
	actor text,
	impersonator text,
	token_id text,
	address text,
	action text NOT NULL,
	session_id text,
	service text,
	access_id text,
	object text,
	request_id text,
	outcome text NOT NULL,
	reason text,
	count bigint NOT NULL DEFAULT 1,
	duration_ms bigint,
	bytes_in bigint,
	bytes_out bigint,
	prev bytea,
	hash bytea
);
CREATE INDEX IF NOT EXISTS audit_events_chain
    ON relayd.audit_events (chain, event);

-- ---- what the list of sessions needs, kept by triggers ----
--
-- A row for each state that a system has sessions in (rank: active 0, pending
-- 1, expired 2, closed 3), with how many they are; how many are of a node; and
-- for each set of states (a bit each) how many systems have just that one, for
-- each organization and, as '', for all. by_created and the like say for each
-- way to sort which other states' rows stand before this one.

CREATE TABLE IF NOT EXISTS relayd.support_groups (
	system_id text NOT NULL,
	rank integer NOT NULL,
	n bigint NOT NULL,
	created_at bigint NOT NULL,
	started_at bigint NOT NULL,
	expires_at bigint NOT NULL,
	by_created integer NOT NULL DEFAULT 0,
	by_started integer NOT NULL DEFAULT 0,
	by_expires integer NOT NULL DEFAULT 0,
	by_status integer NOT NULL DEFAULT 0,
	organization_id text NOT NULL,
	PRIMARY KEY (system_id, rank)
);
CREATE INDEX IF NOT EXISTS support_groups_created ON relayd.support_groups
    (rank, by_created, created_at, system_id, organization_id);
CREATE INDEX IF NOT EXISTS support_groups_started ON relayd.support_groups
    (rank, by_started, started_at, system_id, organization_id);
CREATE INDEX IF NOT EXISTS support_groups_expires ON relayd.support_groups
    (rank, by_expires, expires_at, system_id, organization_id);
CREATE INDEX IF NOT EXISTS support_groups_status ON relayd.support_groups
    (rank, by_status, created_at, system_id, organization_id);

CREATE TABLE IF NOT EXISTS relayd.support_nodes (
	system_id text NOT NULL,
	rank integer NOT NULL,
	node_id text NOT NULL,
	n bigint NOT NULL,
	PRIMARY KEY (system_id, rank, node_id)
);

CREATE TABLE IF NOT EXISTS relayd.support_counts (
	organization_id text NOT NULL,
	bits integer NOT NULL,
	n bigint NOT NULL,
	PRIMARY KEY (organization_id, bits)
);

CREATE OR REPLACE FUNCTION relayd.rank_of(text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE $1 WHEN 'active' THEN 0 WHEN 'pending' THEN 1
	    WHEN 'expired' THEN 2 ELSE 3 END
$$;

CREATE OR REPLACE FUNCTION relayd.bits_of(text) RETURNS integer
LANGUAGE sql STABLE AS $$
	SELECT coalesce(sum(1 << rank), 0)::integer
	FROM relayd.support_groups WHERE system_id = $1
$$;

CREATE OR REPLACE FUNCTION relayd.group_times(sid text, st text) RETURNS void
LANGUAGE sql AS $$
	UPDATE relayd.support_groups g SET created_at = l.created_at,
	    started_at = CASE WHEN g.rank < 2 THEN a.first ELSE l.started_at END,
	    expires_at = CASE WHEN g.rank < 2 THEN a.last ELSE l.expires_at END
	FROM (SELECT relayd.ms(min(started_at)) AS first,
	    relayd.ms(max(expires_at)) AS last FROM public.support_sessions
	    WHERE system_id = sid AND status = st) a,
	    (SELECT relayd.ms(created_at) AS created_at,
	    relayd.ms(started_at) AS started_at,
	    relayd.ms(expires_at) AS expires_at FROM public.support_sessions
	    WHERE system_id = sid AND status = st
	    ORDER BY support_sessions.started_at DESC, id DESC LIMIT 1) l
	WHERE g.system_id = sid AND g.rank = relayd.rank_of(st)
$$;

-- Which other states' rows stand before each.
CREATE OR REPLACE VIEW relayd.stands AS
SELECT g.system_id, g.rank,
    coalesce(sum(1 << h.rank) FILTER (WHERE (h.created_at, h.rank) >
    (g.created_at, g.rank)), 0)::integer AS c,
    coalesce(sum(1 << h.rank) FILTER (WHERE (g.rank < 2 AND h.rank < 2
    AND (h.started_at, h.rank) < (g.started_at, g.rank))
    OR (g.rank >= 2 AND (h.rank < 2
    OR (h.started_at, h.rank) > (g.started_at, g.rank)))), 0)::integer AS s,
    coalesce(sum(1 << h.rank) FILTER (WHERE (g.rank < 2 AND h.rank < 2
    AND (h.expires_at, h.rank) > (g.expires_at, g.rank))
    OR (g.rank >= 2 AND (h.rank < 2
    OR (h.started_at, h.rank) > (g.started_at, g.rank)))), 0)::integer AS e,
    coalesce(sum(1 << h.rank) FILTER (WHERE h.rank < g.rank), 0)::integer AS r
FROM relayd.support_groups g JOIN relayd.support_groups h
    ON h.system_id = g.system_id
GROUP BY g.system_id, g.rank;

CREATE OR REPLACE FUNCTION relayd.group_stand(sid text) RETURNS void
LANGUAGE sql AS $$
	UPDATE relayd.support_groups t SET by_created = x.c, by_started = x.s,
	    by_expires = x.e, by_status = x.r
	FROM relayd.stands x
	WHERE x.system_id = sid AND t.system_id = sid AND t.rank = x.rank
	    AND (t.by_created, t.by_started, t.by_expires, t.by_status)
	    IS DISTINCT FROM (x.c, x.s, x.e, x.r)
$$;

-- A system has another set of states.
CREATE OR REPLACE FUNCTION relayd.count_bits(org text, old integer,
    new integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF old = new THEN
		RETURN;
	END IF;
	UPDATE relayd.support_counts SET n = n - 1
	    WHERE organization_id IN ('', org) AND bits = old;
	IF new <> 0 THEN
		INSERT INTO relayd.support_counts
		    SELECT DISTINCT o, new, 1 FROM unnest(ARRAY['', org]) o
		    ON CONFLICT (organization_id, bits)
		    DO UPDATE SET n = support_counts.n + 1;
	END IF;
END
$$;

CREATE OR REPLACE FUNCTION relayd.org_of(sid text) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT coalesce((SELECT organization_id FROM public.systems
	    WHERE id = sid), '')
$$;

CREATE OR REPLACE FUNCTION relayd.session_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
	sid text := CASE TG_OP WHEN 'DELETE' THEN OLD.system_id
	    ELSE NEW.system_id END;
	bits integer := relayd.bits_of(sid);
	moved boolean := TG_OP <> 'UPDATE';
	left_n bigint;
BEGIN
	IF TG_OP = 'UPDATE' THEN
		moved := OLD.status <> NEW.status;
		IF NOT moved AND (OLD.expires_at, OLD.started_at,
		    OLD.created_at) = (NEW.expires_at, NEW.started_at,
		    NEW.created_at) THEN
			RETURN NULL;
		END IF;
	END IF;
	IF moved AND TG_OP <> 'INSERT' THEN
		UPDATE relayd.support_groups SET n = n - 1
		    WHERE system_id = sid AND rank = relayd.rank_of(OLD.status)
		    RETURNING n INTO left_n;
		IF left_n = 0 THEN
			DELETE FROM relayd.support_groups WHERE system_id = sid
			    AND rank = relayd.rank_of(OLD.status);
		ELSE
			PERFORM relayd.group_times(sid, OLD.status);
		END IF;
		IF OLD.node_id IS NOT NULL THEN
			UPDATE relayd.support_nodes SET n = n - 1
			    WHERE system_id = sid AND node_id = OLD.node_id
			    AND rank = relayd.rank_of(OLD.status);
			DELETE FROM relayd.support_nodes
			    WHERE system_id = sid AND node_id = OLD.node_id
			    AND rank = relayd.rank_of(OLD.status) AND n = 0;
		END IF;
	END IF;
	IF moved AND TG_OP <> 'DELETE' THEN
		INSERT INTO relayd.support_groups AS g (system_id, rank, n,
		    created_at, started_at, expires_at, organization_id)
		    VALUES (sid, relayd.rank_of(NEW.status), 1,
		    relayd.ms(NEW.created_at), relayd.ms(NEW.started_at),
		    relayd.ms(NEW.expires_at), relayd.org_of(sid))
		    ON CONFLICT (system_id, rank) DO UPDATE SET n = g.n + 1,
		    created_at = greatest(g.created_at, excluded.created_at),
		    started_at = CASE WHEN g.rank < 2
		    THEN least(g.started_at, excluded.started_at)
		    ELSE greatest(g.started_at, excluded.started_at) END,
		    expires_at = CASE WHEN g.rank < 2
		    THEN greatest(g.expires_at, excluded.expires_at)
		    WHEN excluded.started_at >= g.started_at
		    THEN excluded.expires_at ELSE g.expires_at END;
		IF NEW.node_id IS NOT NULL THEN
			INSERT INTO relayd.support_nodes AS t
			    VALUES (sid, relayd.rank_of(NEW.status),
			    NEW.node_id, 1)
			    ON CONFLICT (system_id, rank, node_id)
			    DO UPDATE SET n = t.n + 1;
		END IF;
	END IF;
	IF NOT moved THEN
		PERFORM relayd.group_times(sid, NEW.status);
	END IF;
	PERFORM relayd.group_stand(sid);
	PERFORM relayd.count_bits(relayd.org_of(sid), bits,
	    relayd.bits_of(sid));
	RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION relayd.system_moved() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
	bits_now integer := relayd.bits_of(NEW.id);
	o text := coalesce(OLD.organization_id, '');
	n_ text := coalesce(NEW.organization_id, '');
BEGIN
	IF o = n_ THEN
		RETURN NULL;
	END IF;
	UPDATE relayd.support_groups SET organization_id = n_
	    WHERE system_id = NEW.id;
	UPDATE relayd.support_counts SET n = n - 1
	    WHERE organization_id = o AND o <> '' AND bits = bits_now;
	IF n_ <> '' AND bits_now <> 0 THEN
		INSERT INTO relayd.support_counts AS c
		    VALUES (n_, bits_now, 1)
		    ON CONFLICT (organization_id, bits)
		    DO UPDATE SET n = c.n + 1;
	END IF;
	RETURN NULL;
END
$$;

-- A system that goes takes its sessions with it; whose they were is known here.
CREATE OR REPLACE FUNCTION relayd.system_gone() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM public.support_sessions WHERE system_id = OLD.id;
	RETURN OLD;
END
$$;

-- Sessions that were there before.
DO $$
BEGIN
	IF EXISTS (SELECT 1 FROM relayd.support_groups) THEN
		RETURN;
	END IF;
	INSERT INTO relayd.support_groups (system_id, rank, n, created_at,
	    started_at, expires_at, organization_id)
	SELECT g.system_id, g.rank, g.n, g.created_at,
	    CASE WHEN g.rank < 2 THEN g.first ELSE l.started_at END,
	    CASE WHEN g.rank < 2 THEN g.last ELSE l.expires_at END,
	    coalesce(s.organization_id, '')
	FROM (SELECT system_id, relayd.rank_of(status) AS rank, count(*) AS n,
	    relayd.ms(min(started_at)) AS first,
	    relayd.ms(max(expires_at)) AS last,
	    relayd.ms(max(created_at)) AS created_at
	    FROM public.support_sessions GROUP BY 1, 2) g
	JOIN (SELECT DISTINCT ON (system_id, relayd.rank_of(status)) system_id,
	    relayd.rank_of(status) AS rank,
	    relayd.ms(started_at) AS started_at,
	    relayd.ms(expires_at) AS expires_at FROM public.support_sessions
	    ORDER BY system_id, relayd.rank_of(status),
	    support_sessions.started_at DESC, id DESC) l USING (system_id, rank)
	LEFT JOIN public.systems s ON s.id = g.system_id;
	UPDATE relayd.support_groups t SET by_created = x.c, by_started = x.s,
	    by_expires = x.e, by_status = x.r
	FROM relayd.stands x
	WHERE t.system_id = x.system_id AND t.rank = x.rank;
	INSERT INTO relayd.support_nodes SELECT system_id,
	    relayd.rank_of(status), node_id, count(*)
	FROM public.support_sessions WHERE node_id IS NOT NULL
	GROUP BY 1, 2, 3;
	INSERT INTO relayd.support_counts
	SELECT o, bits, count(*) FROM (SELECT organization_id,
	    sum(1 << rank)::integer AS bits FROM relayd.support_groups
	    GROUP BY system_id, organization_id) b,
	    LATERAL (SELECT DISTINCT unnest(ARRAY['', organization_id]) AS o) u
	GROUP BY o, bits
	ON CONFLICT (organization_id, bits) DO UPDATE SET n = excluded.n;
END
$$;

CREATE OR REPLACE TRIGGER relayd_session_changed
    AFTER INSERT OR DELETE OR UPDATE OF status, created_at, started_at,
    expires_at ON public.support_sessions
    FOR EACH ROW EXECUTE FUNCTION relayd.session_changed();
CREATE OR REPLACE TRIGGER relayd_system_moved
    AFTER UPDATE OF organization_id ON public.systems
    FOR EACH ROW EXECUTE FUNCTION relayd.system_moved();
CREATE OR REPLACE TRIGGER relayd_system_gone
    BEFORE DELETE ON public.systems
    FOR EACH ROW EXECUTE FUNCTION relayd.system_gone();

-- ---- who writes ----
--
-- One row: under which epoch may be written, and the number of the last turn.
-- Each transaction of relayd's begins with relayd.turn(), and so waits for the
-- one before it; who connects anew calls relayd.fence(), after which nothing
-- that was begun earlier can be written.

CREATE TABLE IF NOT EXISTS relayd.writer (
	one integer PRIMARY KEY CHECK (one = 1),
	epoch bigint NOT NULL,
	last bigint NOT NULL
);
INSERT INTO relayd.writer VALUES (1, 0, 0) ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION relayd.turn(bigint, bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE relayd.writer SET last = $2 WHERE one = 1 AND epoch = $1;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'relayd: another one writes'
		    USING ERRCODE = 'RD001';
	END IF;
END
$$;

CREATE OR REPLACE FUNCTION relayd.fence(OUT epoch bigint, OUT last bigint)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_terminate_backend(a.pid) FROM pg_stat_activity a
	    WHERE a.application_name = 'relayd writes'
	    AND a.datname = current_database() AND a.usename = current_user
	    AND a.pid <> pg_backend_pid();
	UPDATE relayd.writer w SET epoch = w.epoch + 1 WHERE w.one = 1
	    RETURNING w.epoch, w.last INTO fence.epoch, fence.last;
END
$$;

-- ---- members of a cluster ----
--
-- One row for each relayd that serves here; times are this server's, so that no
-- member's clock says who is there. Each has an epoch of its own to write under,
-- and a turn of one waits for a turn of another: rows that triggers count, and
-- the ends of the audit log's chains, are seen by one at a time.

CREATE TABLE IF NOT EXISTS relayd.members (
	name text PRIMARY KEY,
	address text NOT NULL,
	port integer NOT NULL,
	version text NOT NULL,
	started_at bigint NOT NULL,
	beat_at bigint NOT NULL,
	draining integer NOT NULL DEFAULT 0,
	tunnels bigint NOT NULL DEFAULT 0,
	sessions bigint NOT NULL DEFAULT 0,
	forwarded_in bigint NOT NULL DEFAULT 0,
	forwarded_out bigint NOT NULL DEFAULT 0
);

-- What a member had and another has, or nobody, until it has seen that.
CREATE TABLE IF NOT EXISTS relayd.session_losses (
	member text NOT NULL,
	session_id uuid NOT NULL
	    REFERENCES public.support_sessions (id) ON DELETE CASCADE,
	generation bigint NOT NULL,
	PRIMARY KEY (member, session_id)
);

CREATE INDEX IF NOT EXISTS session_more_member
    ON relayd.session_more (member) WHERE member IS NOT NULL;
CREATE INDEX IF NOT EXISTS session_more_grace
    ON relayd.session_more (grace_at) WHERE grace_at > 0;

CREATE TABLE IF NOT EXISTS relayd.sweeps (
	one integer PRIMARY KEY CHECK (one = 1),
	at bigint NOT NULL
);
INSERT INTO relayd.sweeps VALUES (1, 0) ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS relayd.writers (
	member text PRIMARY KEY,
	epoch bigint NOT NULL,
	last bigint NOT NULL
);

CREATE OR REPLACE FUNCTION relayd.now_ms() RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
	SELECT relayd.ms(clock_timestamp())
$$;

CREATE OR REPLACE FUNCTION relayd.turn(name text, bigint, bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(x'72656c617964'::bigint);
	UPDATE relayd.writers SET last = $3 WHERE member = $1 AND epoch = $2;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'relayd: another one writes'
		    USING ERRCODE = 'RD001';
	END IF;
END
$$;

-- Does a relayd write here that is in no cluster, or ('': we are none) one that
-- is?
CREATE OR REPLACE FUNCTION relayd.others_write(name text) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT 1 FROM pg_stat_activity a
	    WHERE a.datname = current_database() AND a.usename = current_user
	    AND a.pid <> pg_backend_pid() AND CASE WHEN name = ''
	    THEN a.application_name LIKE 'relayd writes %'
	    ELSE a.application_name = 'relayd writes' END)
$$;

CREATE OR REPLACE FUNCTION relayd.fence(name text, OUT epoch bigint,
    OUT last bigint)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_terminate_backend(a.pid) FROM pg_stat_activity a
	    WHERE a.application_name = 'relayd writes ' || name
	    AND a.datname = current_database() AND a.usename = current_user
	    AND a.pid <> pg_backend_pid();
	INSERT INTO relayd.writers AS w VALUES (name, 1, 0)
	    ON CONFLICT (member) DO UPDATE SET epoch = w.epoch + 1
	    RETURNING w.epoch, w.last INTO fence.epoch, fence.last;
END
$$;

-- An event of the audit log, behind the one that is the last now: members do not
-- know what others have written. The hash is authd/store/chain.c's.
CREATE OR REPLACE FUNCTION relayd.hashed(name text, v text) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN coalesce(v, '') = '' THEN ''::bytea ELSE
	    set_byte('\x00'::bytea, 0, length(name)) ||
	    convert_to(name, 'UTF8') || int4send(octet_length(v)) ||
	    convert_to(v, 'UTF8') END
$$;

CREATE OR REPLACE FUNCTION relayd.audit_append(e relayd.audit_events)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	name text := (SELECT c.name FROM relayd.audit_chains c
	    WHERE c.chain = e.chain);
BEGIN
	SELECT a.seq, a.hash INTO e.seq, e.prev FROM relayd.audit_events a
	    WHERE a.chain = e.chain ORDER BY a.event DESC LIMIT 1;
	e.seq := coalesce(e.seq, 0) + 1;
	e.prev := coalesce(e.prev, decode(repeat('00', 32), 'hex'));
	e.event := coalesce((SELECT max(a.event) FROM relayd.audit_events a),
	    0) + 1;
	e.hash := sha256('relayd-audit-1'::bytea ||
	    relayd.hashed('chain', name) ||
	    relayd.hashed('seq', e.seq::text) ||
	    set_byte('\x00'::bytea, 0, 4) || 'prev'::bytea || int4send(32) ||
	    e.prev || relayd.hashed('event', e.event::text) ||
	    relayd.hashed('time', e.time::text) ||
	    relayd.hashed('action', e.action) ||
	    relayd.hashed('outcome', e.outcome) ||
	    relayd.hashed('actor', e.actor) ||
	    relayd.hashed('impersonator', e.impersonator) ||
	    relayd.hashed('token_id', e.token_id) ||
	    relayd.hashed('address', e.address) ||
	    relayd.hashed('session', e.session_id) ||
	    relayd.hashed('service', e.service) ||
	    relayd.hashed('access', e.access_id) ||
	    relayd.hashed('object', e.object) ||
	    relayd.hashed('request', e.request_id) ||
	    relayd.hashed('reason', e.reason) ||
	    relayd.hashed('count', e.count::text) ||
	    relayd.hashed('duration_ms', e.duration_ms::text) ||
	    relayd.hashed('bytes_in', e.bytes_in::text) ||
	    relayd.hashed('bytes_out', e.bytes_out::text));
	INSERT INTO relayd.audit_events SELECT e.*;
END
$$;

CREATE OR REPLACE FUNCTION relayd.audit(chain integer, word text,
    at bigint, actor text, impersonator text, token_id text, address text,
    action text, session_id text, service text, access_id text, object text,
    request_id text, outcome text, reason text, count bigint,
    duration_ms bigint, bytes_in bigint, bytes_out bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	old bigint;
	last bigint;
BEGIN
	IF NOT EXISTS (SELECT 1 FROM relayd.audit_chains c
	    WHERE c.chain = audit.chain) THEN
		SELECT count(*), max(a.event) INTO old, last
		    FROM relayd.audit_events a WHERE a.chain IS NULL;
		INSERT INTO relayd.audit_chains VALUES (chain, word || '-' ||
		    replace(gen_random_uuid()::text, '-', ''));
		PERFORM relayd.audit_append(ROW(NULL, chain, NULL, at, NULL,
		    NULL, NULL, NULL, 'audit_begin', NULL, NULL, NULL, NULL,
		    NULL, 'done', CASE WHEN old > 0 THEN old || ' events from '
		    'before, up to ' || last || ', are in no chain' END, 1,
		    NULL, NULL, NULL, NULL, NULL)::relayd.audit_events);
	END IF;
	PERFORM relayd.audit_append(ROW(NULL, chain, NULL, at, actor,
	    impersonator, token_id, address, action, session_id, service,
	    access_id, object, request_id, outcome, reason, count,
	    duration_ms, bytes_in, bytes_out, NULL,
	    NULL)::relayd.audit_events);
END
$$;

-- The holder of a session writes it, or who takes it with the next generation.
CREATE OR REPLACE FUNCTION relayd.session_write(sid uuid, token text,
    prev text, expires bigint, state text, updated bigint, gen bigint,
    self text, leave_ms bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	had text;
	had_gen bigint;
BEGIN
	SELECT m.member, coalesce(m.generation, 0) INTO had, had_gen
	    FROM public.support_sessions s
	    LEFT JOIN relayd.session_more m ON m.id = s.id
	    WHERE s.id = sid AND s.status IN ('pending', 'active');
	IF NOT FOUND OR NOT (had_gen = gen - 1 OR
	    (had_gen = gen AND coalesce(had, self) = self)) THEN
		RAISE EXCEPTION 'relayd: another member has the session'
		    USING ERRCODE = 'RD002';
	END IF;
	IF had <> self THEN
		INSERT INTO relayd.session_losses VALUES (had, sid, gen)
		    ON CONFLICT (member, session_id)
		    DO UPDATE SET generation = excluded.generation;
	END IF;
	UPDATE public.support_sessions SET reconnect_token = token,
	    expires_at = relayd.at(expires), status = state,
	    updated_at = relayd.at(updated) WHERE id = sid;
	INSERT INTO relayd.session_more AS m (id, reconnect_prev, generation,
	    member, grace_at) VALUES (sid, prev, gen,
	    CASE WHEN leave_ms = 0 THEN self END,
	    CASE WHEN leave_ms = 0 THEN 0 ELSE relayd.now_ms() + leave_ms END)
	    ON CONFLICT (id) DO UPDATE SET
	    reconnect_prev = excluded.reconnect_prev,
	    generation = excluded.generation, member = excluded.member,
	    grace_at = excluded.grace_at;
END
$$;

CREATE OR REPLACE FUNCTION relayd.session_over(sid uuid, state text,
    closed bigint, by text)
RETURNS void LANGUAGE sql AS $$
	UPDATE relayd.session_more SET reconnect_prev = NULL, users_len = 0,
	    users_good = 0, diagnostics_len = 0, member = NULL, grace_at = 0,
	    services = NULL, services_at = 0 WHERE id = sid;
	UPDATE public.support_sessions SET status = state,
	    closed_at = relayd.at(closed), closed_by = by,
	    updated_at = relayd.at(closed), reconnect_token = NULL,
	    users = NULL, users_at = NULL, diagnostics = NULL WHERE id = sid
$$;

CREATE OR REPLACE FUNCTION relayd.session_end(sid uuid, state text,
    closed bigint, by text, gen bigint, self text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT 1 FROM public.support_sessions s
	    LEFT JOIN relayd.session_more m ON m.id = s.id
	    WHERE s.id = sid AND s.status IN ('pending', 'active') AND
	    (coalesce(m.generation, 0) = gen - 1 OR
	    (coalesce(m.generation, 0) = gen AND
	    coalesce(m.member, self) = self))) THEN
		PERFORM relayd.session_over(sid, state, closed, by);
	END IF;
END
$$;

-- What a member had that is gone. Its clients have some time to come elsewhere;
-- who used something there does not any more.
CREATE OR REPLACE FUNCTION relayd.member_gone(name text, grace_ms bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	a record;
BEGIN
	INSERT INTO relayd.session_losses SELECT name, m.id, m.generation
	    FROM relayd.session_more m JOIN public.support_sessions s
	    ON s.id = m.id WHERE m.member = name
	    AND s.status IN ('pending', 'active')
	    ON CONFLICT (member, session_id)
	    DO UPDATE SET generation = excluded.generation;
	UPDATE relayd.session_more m SET member = NULL,
	    grace_at = relayd.now_ms() + grace_ms
	    FROM public.support_sessions s WHERE m.member = name
	    AND s.id = m.id AND s.status IN ('pending', 'active');
	FOR a IN SELECT l.* FROM relayd.support_access_logs l
	    WHERE l.disconnected_at IS NULL AND l.member = name LOOP
		UPDATE public.support_access_logs
		    SET disconnected_at = clock_timestamp() WHERE id = a.id;
		UPDATE relayd.access_more SET outcome = 'its member is gone'
		    WHERE id = a.id;
		PERFORM relayd.audit(1, 'done', relayd.now_ms(),
		    a.operator_id, a.impersonator, a.token_id, a.ip,
		    a.access_type, a.session_id::text, a.service, a.id::text,
		    NULL, NULL, 'done', 'its member is gone', 1,
		    relayd.now_ms() - a.connected_at, a.bytes_in,
		    a.bytes_out);
	END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION relayd.sweep(self text, gone_ms bigint,
    grace_ms bigint, startup_ms bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	t bigint := relayd.now_ms();
	m record;
BEGIN
	IF NOT pg_try_advisory_xact_lock(x'72656c617978'::bigint) THEN
		RETURN;
	END IF;
	UPDATE relayd.sweeps SET at = t
	    WHERE one = 1 AND (at < t - 4000 OR at > t);
	IF NOT FOUND THEN
		RETURN;
	END IF;
	FOR m IN SELECT name, beat_at FROM relayd.members
	    WHERE beat_at < t - gone_ms AND name <> self LOOP
		PERFORM relayd.member_gone(m.name, grace_ms);
		IF m.beat_at < t - 3600000 THEN
			DELETE FROM relayd.session_losses
			    WHERE member = m.name;
			DELETE FROM relayd.members WHERE name = m.name;
		END IF;
	END LOOP;
	-- From before there was a cluster.
	IF startup_ms > 0 THEN
	    UPDATE relayd.session_more x SET grace_at = t + startup_ms
	    FROM public.support_sessions s
	    WHERE s.id = x.id AND s.status IN ('pending', 'active')
	    AND x.member IS NULL AND x.grace_at = 0;
	END IF;
	PERFORM relayd.session_over(s.id, CASE WHEN
	    s.expires_at <= clock_timestamp() THEN 'expired' ELSE 'closed' END,
	    t, CASE WHEN s.expires_at <= clock_timestamp() THEN 'timeout'
	    ELSE 'disconnect' END)
	    FROM relayd.session_more x JOIN public.support_sessions s
	    ON s.id = x.id WHERE s.status IN ('pending', 'active')
	    AND x.member IS NULL AND x.grace_at > 0 AND
	    (x.grace_at <= t OR s.expires_at <= clock_timestamp());
END
$$;

-- What an older relayd cannot live with is a new major version; within one, it
-- serves with the tables of a later relayd, too.
CREATE TABLE IF NOT EXISTS relayd.schema_version (
	one integer PRIMARY KEY CHECK (one = 1),
	version integer NOT NULL
);
ALTER TABLE relayd.schema_version
    ADD COLUMN IF NOT EXISTS major integer NOT NULL DEFAULT 1;
INSERT INTO relayd.schema_version VALUES (1, 18, 1)
    ON CONFLICT (one) DO UPDATE SET version = excluded.version,
    major = excluded.major
    WHERE excluded.version > schema_version.version;

COMMIT;
