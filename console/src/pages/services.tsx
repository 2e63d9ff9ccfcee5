// SPDX-License-Identifier: ISC
// What a session's clients offer, by node and module, and the way into it.
import { useState } from "preact/hooks";
import { api } from "../api";
import { t } from "../i18n";
import { useLoaded } from "../load";
import type { Service, SessionRef, Users } from "../types";
import {
  Button, Dialog, Empty, errorText, Failure, Field, Hidden, Icon, Loading,
  tell,
} from "../ui";

export interface Found extends Service {
  name: string;
  session: string;
  node: string;
}

/** All active sessions of a system; what several nodes report comes once. */
export async function all(
  sessions: SessionRef[], signal: AbortSignal,
): Promise<Found[]> {
  const lists = await Promise.all(sessions.map(async (s) =>
    Object.entries((await api.services(s.id, signal)).services).map(
      ([name, v]) => ({ ...v, name, session: s.id, node: s.node_id ?? "" }))));
  const seen = new Set<string>();

  return lists.flat().filter((f) => {
    const fresh = !seen.has(f.name);
    seen.add(f.name);
    return fresh;
  });
}

/** A tab is opened at once, in the click: later it would be a pop-up. */
export async function open(f: Found): Promise<void> {
  const tab = window.open("about:blank", "_blank");

  try {
    const { url, token } = await api.proxyToken(f.session, f.name);
    const to = new URL(f.path ?? "/", url.endsWith("/") ? url : `${url}/`);
    to.searchParams.set("token", token);
    if (tab === null)
      return;
    tab.opener = null;
    tab.location.replace(to);
  } catch (e) {
    tab?.close();
    tell(errorText(e));
  }
}

function Line({ f, onGone, added }: {
  f: Found; onGone: () => void; added: boolean;
}) {
  const text = f.host ? f.host + (f.path ?? f.path_prefix ?? "") : f.name;
  const [busy, setBusy] = useState(false);

  return (
    <li class="service">
      {f.tcp ?
        <span title={t("plainTcp")}>
          {text} <span class="badge">TCP</span>
        </span> :
        <button type="button" class="link" onClick={() => void open(f)}
          aria-label={t("openService", { service: text })}>
          {text}<Icon name="link" />
        </button>}
      <span class="faint">{f.label || f.target}</span>
      {added && (
        <Button icon="trash" kind="danger" compact busy={busy}
          onClick={async () => {
            setBusy(true);
            try {
              await api.removeService(f.session, f.name);
              tell(t("serviceRemoved", { service: f.name }));
              onGone();
            } catch (e) {
              tell(errorText(e));
              setBusy(false);
            }
          }}>{t("remove")}</Button>)}
    </li>
  );
}

interface Block { key: string; node: string; module: string; of: Found[] }

function blocks(found: Found[]): Block[] {
  const by = new Map<string, Block>();

  for (const f of found) {
    const node = f.node_id ?? f.node, module = f.module_id ?? "";
    const key = `${node} ${module}`;
    const b = by.get(key) ?? { key, node, module, of: [] };
    b.of.push(f);
    by.set(key, b);
  }
  return [...by.values()].sort((a, b) =>
    a.node.localeCompare(b.node, undefined, { numeric: true }) ||
    (a.module === "" ? 1 : 0) - (b.module === "" ? 1 : 0) ||
    a.module.localeCompare(b.module, undefined, { numeric: true }));
}

function fits(f: Found, what: string): boolean {
  return [f.name, f.host, f.label, f.target, f.module_id ?? ""].some((s) =>
    s.toLowerCase().includes(what.toLowerCase()));
}

export function Services({ sessions, users }: {
  sessions: SessionRef[]; users: Users | null;
}) {
  const active = sessions.filter((s) => s.status === "active");
  const [what, setWhat] = useState("");
  const [adding, setAdding] = useState(false);
  const { data, error, reload } = useLoaded((signal) => all(active, signal),
    [active.map((s) => s.id).join()]);

  if (error !== undefined && data === undefined)
    return <Failure error={error} retry={reload} />;
  if (data === undefined)
    return <Loading />;
  const found = data.filter((f) => what === "" || fits(f, what));
  return (
    <section>
      <div class="head">
        <Field label={t("search")} value={what} onInput={setWhat} />
        {active.length > 0 && <Button icon="plus" kind="main"
          onClick={() => setAdding(true)}>{t("addService")}</Button>}
      </div>
      {data.length === 0 &&
        <Empty title={t("noServices")} help={t("noServicesHelp")} />}
      {blocks(found).map((b) => {
        const domain = users?.module_domains?.[b.module];
        const label = b.module && b.of.every((f) => f.label ===
          b.of[0]!.label) ? b.of[0]!.label : "";
        const login = users?.domain_users?.find((u) => u.domain === domain);
        return (
          <details key={b.key} class="card" open>
            <summary>
              <strong>{b.module || t("customServices")}</strong>
              {label && <span>{label}</span>}
              {b.node && <span class="badge">
                {t("node", { node: b.node })}</span>}
              <span class="faint">{b.of.length}</span>
            </summary>
            {login && (
              <p>{login.username}
                {" "}<Hidden value={login.password} label={t("password")} />
              </p>)}
            <ul class="services">
              {b.of.map((f) => <Line key={f.name} f={f} onGone={reload}
                added={b.module === ""} />)}
            </ul>
          </details>
        );
      })}
      {adding && active[0] && <AddService session={active[0].id}
        onDone={reload} onClose={() => setAdding(false)} />}
    </section>
  );
}

export function AddService(props: {
  session: string; onDone: () => void; onClose: () => void;
}) {
  const [name, setName] = useState("");
  const [target, setTarget] = useState("");
  const [label, setLabel] = useState("");
  const [tls, setTls] = useState(false);
  const [tcp, setTcp] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();

  async function add(e: Event): Promise<void> {
    e.preventDefault();
    setBusy(true);
    try {
      await api.addService(props.session, {
        name, target, label, tls: tls && !tcp, ...(tcp ? { tcp } : {}) });
      tell(t("serviceAdded", { service: name }));
      props.onDone();
      props.onClose();
    } catch (x) {
      setError(x);
      setBusy(false);
    }
  }

  return (
    <Dialog title={t("addService")} onClose={props.onClose}>
      <form onSubmit={add}>
        <Field label={t("name")} help={t("nameHelp")} value={name} required
          autofocus pattern="[a-z0-9][a-z0-9\-]*" onInput={setName} />
        <Field label={t("target")} help={t("targetHelp")} value={target}
          required onInput={setTarget} />
        <Field label={t("label")} value={label} onInput={setLabel} />
        <label class="check">
          <input type="checkbox" checked={tls && !tcp} disabled={tcp}
            onChange={(e) => setTls(e.currentTarget.checked)} />
          {t("tls")}
        </label>
        <label class="check">
          <input type="checkbox" checked={tcp}
            onChange={(e) => setTcp(e.currentTarget.checked)} />
          {t("tcp")}
        </label>
        {error !== undefined && <Failure error={error} />}
        <footer>
          <Button onClick={props.onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" busy={busy}>{t("add")}</Button>
        </footer>
      </form>
    </Dialog>
  );
}
