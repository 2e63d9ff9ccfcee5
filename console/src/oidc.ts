// SPDX-License-Identifier: ISC
// Signing in at the identity provider that relayd names: authorization code with
// PKCE (RFC 7636). The browser gets the token from the provider itself and keeps
// it in memory; what survives the way there and back, in this tab only, is what
// proves that the answer is to our question. A reload asks the provider without
// a word to the user (prompt=none). A token that is about to end is renewed: by a
// refresh token, kept in memory too, or else on that same way there and back,
// after which terminals come back to their shells. Signing out gives the refresh
// token back, where the provider takes it (RFC 7009).
import { setToken } from "./api";

interface Settings {
  issuer?: string;
  client_id?: string;
  scope?: string;
  resource?: string;
}

interface Asked {
  state: string;
  verifier: string;
  token_endpoint: string;
  /** "": it has none. */
  revocation_endpoint: string;
  /** Where in the console it was. */
  place: string;
}

const ASKED = "oidc-asked", SIGNED = "oidc-signed-in";
const EARLY_MS = 60_000;	// before its end, or a third of a short life
const AGAIN_MS = 5000;
const SETTLED_MS = 30_000;	// a token that ended sooner is not asked for again
let settings: Settings | undefined;
let refresh = "", revocation = "", since = 0;
let due: ReturnType<typeof setTimeout> | undefined;

/** What relayd says of signing in; {} : a token is pasted. */
async function known(): Promise<Settings> {
  settings ??= await (await fetch("/assets/settings.json",
    { credentials: "omit" })).json() as Settings;
  return settings;
}

/** The provider's host, for people; "": there is none. */
export async function provider(): Promise<string> {
  const { issuer } = await known();

  return issuer === undefined ? "" : new URL(issuer).host;
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-")
    .replace(/\//g, "_").replace(/=+$/, "");
}

function random(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

/** As the page's policy has it: from nowhere but the issuer's own origin. */
async function endpoints(issuer: string): Promise<{
  authorization: string; token: string; revocation: string;
}> {
  const r = await fetch(`${issuer.replace(/\/$/, "")}` +
    "/.well-known/openid-configuration", { credentials: "omit" });
  const doc = await r.json() as Record<string, unknown>;
  const authorization = String(doc.authorization_endpoint);
  const token = String(doc.token_endpoint);
  const revocation = String(doc.revocation_endpoint ?? "");

  if (!r.ok || doc.issuer !== issuer || !authorization.startsWith("https://") ||
      [token, revocation].some((u) => u !== "" &&
        new URL(u).origin !== new URL(issuer).origin))
    throw new Error("the issuer's document is none of its own");
  return { authorization, token, revocation };
}

/** Leave for the provider; `quietly`: no question to the user there. */
export async function leave(quietly: boolean): Promise<void> {
  const s = await known();
  const at = await endpoints(s.issuer ?? "");
  const asked: Asked = {
    state: random(), verifier: random(), token_endpoint: at.token,
    revocation_endpoint: at.revocation, place: location.hash,
  };
  const hash = await crypto.subtle.digest("SHA-256",
    new TextEncoder().encode(asked.verifier));
  const url = new URL(at.authorization);

  for (const [k, v] of Object.entries({
    response_type: "code", client_id: s.client_id, scope: s.scope,
    resource: s.resource, redirect_uri: `${location.origin}/`,
    state: asked.state, code_challenge: base64url(new Uint8Array(hash)),
    code_challenge_method: "S256", prompt: quietly ? "none" : undefined,
  }))
    if (v !== undefined && v !== "")
      url.searchParams.set(k, v);
  sessionStorage.setItem(ASKED, JSON.stringify(asked));
  location.assign(url);
}

interface Said {
  access_token?: string;
  refresh_token?: string;
  expires_in?: number;
}

/** undefined: it did not answer; {}: it said no. */
async function ask(
  endpoint: string, form: Record<string, string>,
): Promise<Said | undefined> {
  const s = await known();
  const body = new URLSearchParams({ client_id: s.client_id ?? "", ...form });

  if (s.resource)
    body.set("resource", s.resource);
  try {
    const r = await fetch(endpoint, { method: "POST", body,
      credentials: "omit" });
    return r.ok ? await r.json() as Said : r.status < 500 ? {} : undefined;
  } catch {
    return undefined;
  }
}

function take(said: Said, endpoint: string): void {
  const life = (said.expires_in ?? 0) * 1000;
  const end = Date.now() + life;

  setToken(said.access_token ?? "");
  refresh = said.refresh_token ?? refresh;
  since = Date.now();
  clearTimeout(due);
  if (life > 0)
    due = setTimeout(() => void renew(endpoint, end),
      Math.max(life - EARLY_MS, life * 2 / 3));
}

/** Again and again until `end`; behind it the server's no is what counts. */
async function renew(endpoint: string, end: number): Promise<void> {
  const mine = due;

  if (refresh !== "") {
    const said = await ask(endpoint, { grant_type: "refresh_token",
      refresh_token: refresh });
    if (due !== mine)
      return;		// signed out meanwhile
    if (typeof said?.access_token === "string") {
      take(said, endpoint);
      return;
    }
    if (said !== undefined)
      refresh = "";
  } else if (document.querySelector("dialog[open]") === null) {
    await leave(true).catch(() => {});
  }
  if (due === mine && Date.now() < end)
    due = setTimeout(() => void renew(endpoint, end), AGAIN_MS);
}

/** The server does not take the token: true if the provider is asked anew. */
export function ended(): boolean {
  const again = sessionStorage.getItem(SIGNED) !== null &&
    Date.now() - since > SETTLED_MS;

  clearTimeout(due);
  due = undefined;
  if (again)
    leave(true).catch(() => location.reload());
  return again;
}

async function redeem(code: string, asked: Asked): Promise<void> {
  const said = await ask(asked.token_endpoint, {
    grant_type: "authorization_code", code, code_verifier: asked.verifier,
    redirect_uri: `${location.origin}/`,
  });

  if (typeof said?.access_token !== "string")
    throw new Error("no token for the code");
  take(said, asked.token_endpoint);
  revocation = asked.revocation_endpoint;
  sessionStorage.setItem(SIGNED, "yes");
}

/** Back from the provider? What the address has of that is taken out of it. */
function answer(): { asked: Asked | undefined; q: URLSearchParams } {
  const q = new URLSearchParams(location.search);
  const kept = sessionStorage.getItem(ASKED);
  const asked = kept === null ? undefined : JSON.parse(kept) as Asked;

  sessionStorage.removeItem(ASKED);
  if (q.has("state"))
    history.replaceState(null, "", `/${asked?.place ?? ""}`);
  return { asked, q };
}

/**
 * At the page's start. True: signed in; false: the user has to do something;
 * when it leaves for the provider it does not come back from here.
 */
export async function arrive(): Promise<boolean> {
  const { asked, q } = answer();
  const s = await known();

  if (s.issuer === undefined)
    return false;
  if (!q.has("state")) {
    if (sessionStorage.getItem(SIGNED) === null)
      return false;
    await leave(true);
    return new Promise(() => {});
  }
  if (asked === undefined || q.get("state") !== asked.state ||
      (q.get("iss") ?? s.issuer) !== s.issuer)
    throw new Error("an answer to no question of ours");
  const code = q.get("code");
  if (code === null) {
    sessionStorage.removeItem(SIGNED);
    if (["login_required", "interaction_required", "consent_required",
      "account_selection_required"].includes(q.get("error") ?? ""))
      return false;
    throw new Error(q.get("error_description") ?? q.get("error") ?? "");
  }
  await redeem(code, asked);
  return true;
}

/**
 * Signed out here: a reload does not sign in again by itself, and the provider
 * takes back what could. False: it could not be told.
 */
export async function forget(): Promise<boolean> {
  const given = refresh;

  clearTimeout(due);
  due = undefined;
  refresh = "";
  sessionStorage.removeItem(SIGNED);
  if (given === "" || revocation === "")
    return true;
  try {
    return (await fetch(revocation, { method: "POST", credentials: "omit",
      keepalive: true, body: new URLSearchParams({
        client_id: settings?.client_id ?? "", token: given,
        token_type_hint: "refresh_token" }) })).ok;
  } catch {
    return false;
  }
}
