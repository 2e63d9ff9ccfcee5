// SPDX-License-Identifier: ISC
// The users that the client has made for support. They are read when somebody
// asks for them, since that is on record.
import { useState } from "preact/hooks";
import { api } from "../api";
import { t } from "../i18n";
import type { Login, SessionRef, Users as UsersSeen } from "../types";
import { Button, Copy, Empty, Failure, Hidden, Icon } from "../ui";
import { all, open, type Found } from "./services";

/** A login, and the way to where it is used, if the client offers that. */
function Card({ title, login, at }: {
  title: string; login: Login; at?: Found | undefined;
}) {
  return (
    <div class="card">
      <h3>{title}</h3>
      <dl class="facts">
        <div><dt>{t("username")}</dt>
          <dd><code>{login.username}</code><Copy text={login.username} /></dd>
        </div>
        <div><dt>{t("password")}</dt>
          <dd><Hidden value={login.password} label={t("password")} /></dd></div>
      </dl>
      {at && <button type="button" class="link" onClick={() => void open(at)}>
        {t("openService", { service: at.name })}<Icon name="link" />
      </button>}
    </div>
  );
}

interface Asked {
  users: UsersSeen | null;
  found: Found[];
}

/** Nodes of one cluster have made the same users; who has more adds them. */
function together(all: (UsersSeen | null)[]): UsersSeen | null {
  const said = all.filter((u) => u !== null);
  const once = <T,>(list: T[]) => [...new Map(list.map((x) =>
    [JSON.stringify(x), x])).values()];
  const admin = said.find((u) => u.cluster_admin)?.cluster_admin;

  if (said.length === 0)
    return null;
  return {
    ...(admin && { cluster_admin: admin }),
    domain_users: once(said.flatMap((u) => u.domain_users ?? [])),
    local_users: once(said.flatMap((u) => u.local_users ?? [])),
    apps: once(said.flatMap((u) => u.apps ?? [])),
    errors: once(said.flatMap((u) => u.errors ?? [])),
    module_domains: Object.assign({}, ...said.map((u) => u.module_domains)),
  };
}

async function ask(sessions: SessionRef[]): Promise<Asked> {
  const [reports, found] = await Promise.all([
    Promise.all(sessions.map(async (s) =>
      (await api.users(s.id)).users?.users ?? null)),
    all(sessions.filter((s) => s.status === "active"),
      new AbortController().signal),
  ]);

  return { users: together(reports), found };
}

export function Users({ sessions, onSeen }: {
  sessions: SessionRef[]; onSeen: (u: UsersSeen | null) => void;
}) {
  const [asked, setAsked] = useState<Asked>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);

  if (asked === undefined)
    return (
      <Empty title={t("credentials")} help={t("credentialsHelp")}>
        {error !== undefined && <Failure error={error} />}
        <Button icon="key" kind="main" busy={busy} onClick={async () => {
          setBusy(true);
          try {
            const got = await ask(sessions);
            setAsked(got);
            onSeen(got.users);
          } catch (e) {
            setError(e);
          }
          setBusy(false);
        }}>{t("show")}</Button>
      </Empty>
    );
  const u = asked.users;
  const at = (name: string) => asked.found.find((f) => f.name === name);
  if (u === null || !(u.cluster_admin || u.domain_users?.length ||
    u.local_users?.length || u.apps?.length))
    return <Empty title={t("noUsers")} help={t("noUsersHelp")} />;
  return (
    <section class="cards">
      {u.cluster_admin && <Card title={t("clusterAdmin")}
        login={u.cluster_admin} at={at("cluster-admin")} />}
      {u.domain_users?.map((d) => <Card key={`${d.domain} ${d.username}`}
        title={t("domainUser", { domain: d.domain })} login={d} />)}
      {u.local_users?.map((l) => <Card key={`${l.username} ${l.password}`}
        title={t("localUser")} login={l} at={at("nethsecurity-ui")} />)}
      {u.apps?.map((a) => (
        <div class="card" key={a.id}>
          <h3>{a.name ?? a.id}</h3>
          {a.notes && <p>{a.notes}</p>}
          {a.url && <p><code>{a.url}</code><Copy text={a.url} /></p>}
        </div>))}
      {u.errors?.map((e) => (
        <p class="failure" key={e.id}>{e.id}: {e.message}</p>))}
    </section>
  );
}
