# SPDX-License-Identifier: ISC
"""A database as another program has made and filled it, with the tables and
columns of doc/operator-api.md, section 10, and more."""

import hashlib
import os

# As others have them: more columns than relayd knows, no table of relayd's.
THEIRS = """
CREATE TABLE systems (
    id varchar(255) PRIMARY KEY, name varchar(255) NOT NULL,
    type varchar(100), fqdn varchar(255), system_key varchar(255) UNIQUE,
    system_secret_public varchar(64), system_secret_sha256 varchar(128),
    organization_id varchar(255), support_enabled boolean DEFAULT false,
    registered_at timestamptz, suspended_at timestamptz,
    deleted_at timestamptz, created_at timestamptz DEFAULT now(),
    extra jsonb DEFAULT '{"theirs": true}');
CREATE TABLE support_sessions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    system_id varchar(255) NOT NULL REFERENCES systems(id) ON DELETE CASCADE,
    node_id varchar(16), session_token varchar(64) NOT NULL UNIQUE,
    reconnect_token varchar(64), started_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '24 hours',
    status varchar(16) NOT NULL DEFAULT 'pending', closed_at timestamptz,
    closed_by varchar(32), diagnostics jsonb, diagnostics_at timestamptz,
    users jsonb, users_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX idx_sessions_status ON support_sessions (status);
CREATE TABLE support_access_logs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    session_id uuid NOT NULL REFERENCES support_sessions(id)
        ON DELETE CASCADE,
    operator_id varchar(255) NOT NULL, operator_name varchar(255),
    access_type varchar(16) NOT NULL,
    connected_at timestamptz NOT NULL DEFAULT now(),
    disconnected_at timestamptz, metadata jsonb);
CREATE TABLE distributors (id uuid DEFAULT gen_random_uuid(),
    logto_id varchar(255), name varchar(255), custom_data jsonb,
    deleted_at timestamptz);
CREATE TABLE resellers (LIKE distributors INCLUDING DEFAULTS);
CREATE TABLE customers (LIKE distributors INCLUDING DEFAULTS);
CREATE VIEW unified_organizations AS
    SELECT logto_id, id AS db_id, name, 'distributor' AS org_type
        FROM distributors WHERE deleted_at IS NULL
    UNION ALL SELECT logto_id, id, name, 'reseller' FROM resellers
        WHERE deleted_at IS NULL
    UNION ALL SELECT logto_id, id, name, 'customer' FROM customers
        WHERE deleted_at IS NULL;
INSERT INTO distributors (logto_id, name) VALUES ('d1', 'Distributor');
INSERT INTO resellers (logto_id, name, custom_data) VALUES
    ('r1', 'Reseller', '{"createdBy": "d1"}'),
    ('r2', 'Other', '{"createdBy": "d2"}');
INSERT INTO customers (logto_id, name, custom_data, deleted_at) VALUES
    ('c1', 'Customer', '{"createdBy": "r1"}', NULL),
    ('c2', 'Stranger', '{"createdBy": "r2"}', NULL);
"""


def system(server, db, id, org, key, private):
    salt = os.urandom(16)
    stored = salt.hex() + ":" + hashlib.sha256(
        salt + private.encode()).hexdigest()
    server.sql("INSERT INTO systems (id, name, type, system_key,"
               " system_secret_public, system_secret_sha256, organization_id,"
               " support_enabled, registered_at) VALUES ('%s', 'box of %s',"
               " 'ns8', '%s', '%s', '%s', '%s', true, now())" %
               (id, org, key, "p" + id, stored, org), db)
    return key, "my_%s.%s" % ("p" + id, private)
