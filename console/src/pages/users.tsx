// SPDX-License-Identifier: ISC
// The users that the client has made for support. They are read when somebody
// asks for them, since that is on record.
import { useState } from "preact/hooks";
import { api } from "../api";
import { t } from "../i18n";
import type { Login, Users as UsersSeen } from "../types";
import { Button, Copy, Empty, Failure, Hidden } from "../ui";

function Card({ title, login }: { title: string; login: Login }) {
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
    </div>
  );
}

export function Users({ id, onSeen }: {
  id: string; onSeen: (u: UsersSeen | null) => void;
}) {
  const [users, setUsers] = useState<UsersSeen | null>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);

  if (users === undefined)
    return (
      <Empty title={t("credentials")} help={t("credentialsHelp")}>
        {error !== undefined && <Failure error={error} />}
        <Button icon="key" kind="main" busy={busy} onClick={async () => {
          setBusy(true);
          try {
            const got = (await api.users(id)).users;
            setUsers(got);
            onSeen(got);
          } catch (e) {
            setError(e);
          }
          setBusy(false);
        }}>{t("show")}</Button>
      </Empty>
    );
  const u = users;
  if (u === null || !(u.cluster_admin || u.domain_users?.length ||
    u.local_users?.length || u.apps?.length))
    return <Empty title={t("noUsers")} />;
  return (
    <section class="cards">
      {u.cluster_admin && <Card title={t("clusterAdmin")}
        login={u.cluster_admin} />}
      {u.domain_users?.map((d) => <Card key={`${d.domain} ${d.username}`}
        title={t("domainUser", { domain: d.domain })} login={d} />)}
      {u.local_users?.map((l) => <Card key={l.username} title={t("localUser")}
        login={l} />)}
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
