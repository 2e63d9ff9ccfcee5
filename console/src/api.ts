// SPDX-License-Identifier: ISC
// Calls of the operator API. The token is here, in memory, and nowhere else.
import type {
  AccessLog, DaemonStatus, Diagnostics, Group, Me, NodeDiagnostics,
  OwnTerminal, Pagination, Recording,
  Service, Session, System, UsersReport,
} from "./types";

/** What an answer says that is no 2xx, or that there was none (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** By which the daemon's log can be searched. */
    readonly request: string,
    /** Seconds, when the server names them. */
    readonly retryAfter: number,
  ) {
    super(message);
  }
}

let token = "";
const gone = new Set<() => void>();

/** Sign in with a token, or out with "". */
export function setToken(t: string): void {
  token = t;
}

export function hasToken(): boolean {
  return token !== "";
}

/** Called when the server no longer takes the token. */
export function onSignedOut(f: () => void): () => void {
  gone.add(f);
  return () => gone.delete(f);
}

function failed(r: Response, message: string): ApiError {
  if (r.status === 401 && token !== "") {
    token = "";
    for (const f of gone)
      f();
  }
  return new ApiError(r.status, message,
    r.headers.get("X-Request-Id") ?? "",
    Number(r.headers.get("Retry-After") ?? 0) || 0);
}

async function send(
  method: string, path: string, body: unknown, signal?: AbortSignal,
): Promise<Response> {
  const headers: Record<string, string> =
    token === "" ? {} : { Authorization: `Bearer ${token}` };
  const init: RequestInit = {
    method, headers, credentials: "omit", cache: "no-store",
  };

  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  if (signal !== undefined)
    init.signal = signal;
  try {
    return await fetch(path, init);
  } catch (e) {
    if (signal?.aborted)
      throw e;
    throw new ApiError(0, "", "", 0);
  }
}

async function call<T>(
  method: string, path: string, body?: unknown, signal?: AbortSignal,
): Promise<T> {
  const r = await send(method, path, body, signal);
  let answer: { message?: string; data?: T } = {};

  try {
    answer = await r.json() as typeof answer;
  } catch {
    // An answer of something between us and relayd; its status says enough.
  }
  if (!r.ok)
    throw failed(r, answer.message ?? r.statusText);
  return answer.data as T;
}

/** How much of a long answer is here; total 0: it does not say. */
export type OnProgress = (got: number, total: number) => void;

/** A long text, whole; `signal` ends it in between. */
async function text(
  path: string, signal: AbortSignal, onProgress: OnProgress,
): Promise<string> {
  const r = await send("GET", path, undefined, signal);

  if (!r.ok) {
    let message = r.statusText;
    try {
      message = (await r.json() as { message: string }).message;
    } catch {
      // as above
    }
    throw failed(r, message);
  }
  const total = Number(r.headers.get("Content-Length")) || 0;
  const reader = r.body!.pipeThrough(new TransformStream<Uint8Array,
    Uint8Array>({ transform(chunk, to) {
      onProgress(got += chunk.length, total);
      to.enqueue(chunk);
    } })).pipeThrough(new TextDecoderStream()).getReader();
  const parts: string[] = [];
  let got = 0;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done)
        return parts.join("");
      parts.push(value);
    }
  } catch (e) {
    if (signal.aborted)
      throw e;
    throw new ApiError(0, "", "", 0);
  }
}

/** Something has changed, again and again: text/event-stream. */
export async function openEvents(
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const r = await send("GET", "/api/events", undefined, signal);

  if (!r.ok || r.body === null)
    throw failed(r, r.statusText);
  return r.body;
}

export type Query =
  Record<string, string | number | readonly string[] | undefined>;

function query(q: Query): string {
  const p = new URLSearchParams();

  for (const [k, v] of Object.entries(q)) {
    if (v === undefined || v === "")
      continue;
    if (typeof v === "object")
      v.forEach((x) => p.append(k, x));
    else
      p.append(k, String(v));
  }
  return p.size > 0 ? `?${p}` : "";
}

const S = "/api/support-sessions";
const id = encodeURIComponent;

export const api = {
  /** A one-time code for a token; it is used up by that. */
  signIn: (code: string, member?: string) =>
    call<{ token: string; expires_at: string }>(
      "POST", "/api/sign-in" + query({ member }), { code }),
  me: (signal?: AbortSignal) => call<Me>("GET", "/api/me", undefined, signal),
  status: (signal?: AbortSignal) =>
    call<DaemonStatus>("GET", "/api/status", undefined, signal),
  sessions: (q: Query, signal?: AbortSignal) =>
    call<{ support_sessions: Group[]; pagination: Pagination }>(
      "GET", S + query(q), undefined, signal),
  session: (sid: string, signal?: AbortSignal) =>
    call<Session>("GET", `${S}/${id(sid)}`, undefined, signal),
  close: (sid: string) => call<null>("DELETE", `${S}/${id(sid)}`),
  extend: (sid: string, hours: number) =>
    call<unknown>("PATCH", `${S}/${id(sid)}/extend`, { hours }),
  logs: (sid: string, page: number, signal?: AbortSignal, page_size = 20) =>
    call<{ access_logs: AccessLog[]; pagination: Pagination }>(
      "GET", `${S}/${id(sid)}/logs${query({ page, page_size })}`,
      undefined, signal),
  systemDiagnostics: (system_id: string, signal?: AbortSignal) =>
    call<{ overall_status: string; nodes: NodeDiagnostics[] }>(
      "GET", `${S}/diagnostics${query({ system_id })}`, undefined, signal),
  diagnostics: (sid: string) =>
    call<{ diagnostics: Diagnostics | null; diagnostics_at: string | null }>(
      "GET", `${S}/${id(sid)}/diagnostics`),
  users: (sid: string) =>
    call<{ users: UsersReport | null; users_at: string | null }>(
      "GET", `${S}/${id(sid)}/users`),
  services: (sid: string, signal?: AbortSignal) =>
    call<{ services: Record<string, Service> }>(
      "GET", `${S}/${id(sid)}/services`, undefined, signal),
  addService: (sid: string, service: {
    name: string; target: string; label: string; tls: boolean; tcp?: boolean;
  }) => call<unknown>("POST", `${S}/${id(sid)}/services`,
    { services: [service] }),
  removeService: (sid: string, name: string) =>
    call<unknown>("DELETE", `${S}/${id(sid)}/services/${id(name)}`),
  proxyToken: (sid: string, service: string) =>
    call<{ url: string; token: string }>(
      "POST", `${S}/${id(sid)}/proxy-token`, { service }),
  /** For a new terminal, or (by its number) one of one's own. */
  ticket: (sid: string, terminal: string) =>
    call<{ ticket: string; recorded?: boolean }>(
      "POST", `${S}/${id(sid)}/terminal-ticket${query({ terminal })}`, {}),
  terminals: (signal?: AbortSignal) =>
    call<{ terminals: OwnTerminal[] }>(
      "GET", "/api/terminals", undefined, signal),
  endTerminal: (terminal: string) =>
    call<null>("DELETE", `/api/terminals/${id(terminal)}`),
  /** Those that wait for us: we sign out. */
  endTerminals: () => call<null>("DELETE", "/api/terminals"),
  recordings: (sid: string, page: number, signal?: AbortSignal) =>
    call<{ recordings: Recording[]; pagination: Pagination }>(
      "GET", `${S}/${id(sid)}/recordings${query({ page, page_size: 20 })}`,
      undefined, signal),
  recording: (sid: string, rid: string, signal: AbortSignal,
    onProgress: OnProgress) =>
    text(`${S}/${id(sid)}/recordings/${id(rid)}`, signal, onProgress),
  systems: (q: Query, signal?: AbortSignal) =>
    call<{ systems: System[]; pagination: Pagination }>(
      "GET", `/api/systems${query(q)}`, undefined, signal),
  createSystem: (s: { name: string; organization_id: string; notes: string }) =>
    call<System>("POST", "/api/systems", s),
  updateSystem: (sysid: string, s: { support_enabled: boolean }) =>
    call<System>("PUT", `/api/systems/${id(sysid)}`, s),
  register: (system_secret: string) =>
    call<{ system_key: string }>("POST", "/api/systems/register",
      { system_secret }),
  newSecret: (sysid: string) =>
    call<System>("POST", `/api/systems/${id(sysid)}/regenerate-secret`, {}),
};
