// SPDX-License-Identifier: ISC
// Signing in at the identity provider that relayd names: authorization code with
// PKCE (RFC 7636). The browser gets the token from the provider itself and keeps
// it in memory; what survives the way there and back, in this tab only, is what
// proves that the answer is to our question. A reload asks the provider without
// a word to the user (prompt=none).
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
  /** Where in the console it was. */
  place: string;
}

const ASKED = "oidc-asked", SIGNED = "oidc-signed-in";
let settings: Settings | undefined;

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
  authorization: string; token: string;
}> {
  const r = await fetch(`${issuer.replace(/\/$/, "")}` +
    "/.well-known/openid-configuration", { credentials: "omit" });
  const doc = await r.json() as Record<string, unknown>;
  const authorization = String(doc.authorization_endpoint);
  const token = String(doc.token_endpoint);

  if (!r.ok || doc.issuer !== issuer || !authorization.startsWith("https://") ||
      new URL(token).origin !== new URL(issuer).origin)
    throw new Error("the issuer's document is none of its own");
  return { authorization, token };
}

/** Leave for the provider; `quietly`: no question to the user there. */
export async function leave(quietly: boolean): Promise<void> {
  const s = await known();
  const at = await endpoints(s.issuer ?? "");
  const asked: Asked = {
    state: random(), verifier: random(), token_endpoint: at.token,
    place: location.hash,
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

async function redeem(code: string, asked: Asked): Promise<void> {
  const s = await known();
  const form = new URLSearchParams({
    grant_type: "authorization_code", code, client_id: s.client_id ?? "",
    code_verifier: asked.verifier, redirect_uri: `${location.origin}/`,
  });

  if (s.resource)
    form.set("resource", s.resource);
  const r = await fetch(asked.token_endpoint, {
    method: "POST", body: form, credentials: "omit",
  });
  const said = await r.json() as { access_token?: string };
  if (!r.ok || typeof said.access_token !== "string")
    throw new Error("no token for the code");
  setToken(said.access_token);
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

/** Signed out here: a reload does not sign in again by itself. */
export function forget(): void {
  sessionStorage.removeItem(SIGNED);
}
