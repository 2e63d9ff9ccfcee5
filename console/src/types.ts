// SPDX-License-Identifier: ISC
// What the operator API says; doc/openapi.yaml has the whole of it.

export type Status = "pending" | "active" | "closed" | "expired";

export interface Organization {
  id: string;
  name: string;
  type: string;
}

export interface SessionRef {
  id: string;
  node_id?: string;
  status: Status;
  started_at: string;
  expires_at: string;
  tunnel_connected: boolean;
  /** In the list only. */
  health?: Health;
  operators?: string[];
}

export interface Group {
  system_id: string;
  system_name: string;
  system_key: string;
  system_type?: string;
  organization: Organization;
  started_at: string;
  expires_at: string;
  status: Status;
  session_count: number;
  node_count: number;
  sessions: SessionRef[];
}

export interface Session extends SessionRef {
  system_id: string;
  system_name: string;
  system_key: string;
  system_type?: string;
  organization: Organization;
  closed_at?: string;
  closed_by?: string;
}

/** A terminal that the caller has open; `waits`: nobody is connected to it. */
export interface OwnTerminal {
  terminal: string;
  session_id: string;
  system_id: string;
  node_id: string;
  connected_at: string;
  waits: boolean;
  member?: string;
}

export interface Pagination {
  page: number;
  page_size: number;
  total_count: number;
  total_pages: number;
  has_next: boolean;
  has_prev: boolean;
}

export interface Service {
  target: string;
  host: string;
  tls: boolean;
  label: string;
  tcp?: boolean;
  path?: string;
  path_prefix?: string;
  module_id?: string;
  node_id?: string;
}

export interface AccessLog {
  id: string;
  session_id: string;
  operator_id: string;
  operator_name?: string;
  access_type: "ui_proxy" | "web_terminal" | "tcp" | "view";
  connected_at: string;
  disconnected_at?: string;
  metadata?: string;
}

export interface Recording {
  id: string;
  session_id: string;
  operator_id: string;
  operator_name?: string;
  started_at: string;
  ended_at?: string;
  size: number;
  sha256?: string;
}

export type Health = "ok" | "warning" | "timeout" | "error" | "critical" | "";

export interface Check {
  name: string;
  status: Health;
  value?: string;
  details?: Record<string, string | number | boolean | null>;
}

export interface Plugin {
  id: string;
  name?: string;
  status: Health;
  summary?: string;
  checks?: Check[];
}

export interface Diagnostics {
  collected_at?: string;
  overall_status?: Health;
  plugins?: Plugin[];
}

export interface NodeDiagnostics {
  node_id: string | null;
  session_id: string;
  diagnostics: Diagnostics | null;
  diagnostics_at: string | null;
}

export interface Login {
  username: string;
  password: string;
}

export interface DomainLogin extends Login {
  domain: string;
  module?: string;
}

export interface Users {
  platform?: string;
  cluster_admin?: Login;
  domain_users?: DomainLogin[];
  local_users?: Login[];
  apps?: { id: string; name?: string; url?: string; notes?: string }[];
  errors?: { id: string; message: string }[];
  module_domains?: Record<string, string>;
}

/** As the client has sent it. */
export interface UsersReport {
  users?: Users;
}

export type SystemStatus =
  "unknown" | "active" | "inactive" | "suspended" | "deleted";

export interface System {
  id: string;
  name: string;
  type: string | null;
  status: SystemStatus;
  version: string | null;
  organization: Organization;
  system_key: string;
  system_secret?: string;
  support_enabled: boolean;
  support_session_id: string | null;
  notes: string;
  registered_at: string | null;
  created_at: string;
}

/** Who calls, and what he may. */
export interface Me {
  id: string;
  name: string;
  role: string;
  organization_id: string;
  impersonated: boolean;
  expires_at: string;
  permissions: string[];
}

/** All processes of a role that are in one state. */
export interface Processes {
  role: string;
  state: string;
  count: number;
  layers: string[];
  oldest_started_at: string;
  newest_started_at: string;
  memory_bytes: number;
  restarts: number;
  /** Of a cluster: whose they are. */
  member?: string;
}

export type StateName =
  "tunnels" | "sessions" | "streams" | "terminals" | "tcp_connections" |
  "connections";
export type SeriesName = StateName |
  "requests" | "proxied_requests" | "bytes_in" | "bytes_out" | "logins" |
  "logins_refused" | "own_errors" | "service_errors" | "rate_limited" |
  "store_errors" | "slow_turns" | "process_failures";

export interface Member {
  name: string;
  state: "up" | "draining" | "gone";
  here: boolean;
  version: string;
  tunnels: number;
  sessions: number;
  forwarded_in: number;
  forwarded_out: number;
  silent_seconds: number;
  started_at: string;
}

export interface DaemonStatus {
  version: string;
  now_at: string;
  started_at: string;
  configured_at: string;
  processes: Processes[];
  /** Where there is a cluster. */
  members?: Member[];
  /** Those of them that have not answered. */
  missing?: string[];
  now: Record<StateName, number>;
  history: {
    since: string;
    at: string[];
    series: { name: SeriesName; grows: boolean; values: number[] }[];
  };
}
