// SPDX-License-Identifier: ISC
// One session and, with it, the other nodes of its system.
import { useState } from "preact/hooks";
import { api } from "../api";
import { t } from "../i18n";
import { orgName } from "../names";
import { useLoaded } from "../load";
import { href, setQuery, type Place } from "../route";
import type { Session, SessionRef, Users as UsersSeen } from "../types";
import {
  Button, Confirm, Copy, errorText, Failure, Icon, Loading, StatusBadge, tell,
  Time,
} from "../ui";
import { DiagnosticsOf } from "./diagnostics";
import { Logs } from "./logs";
import { Recordings } from "./recordings";
import { Services } from "./services";
import { Users } from "./users";

const TABS = ["diagnostics", "services", "credentials", "accessLog",
  "recordings"] as const;
type Tab = typeof TABS[number];

/** The open sessions of the system, this one first if it is over. */
async function nodes(se: Session, signal: AbortSignal): Promise<SessionRef[]> {
  const { support_sessions } = await api.sessions({
    system_id: se.system_id, page_size: 1 }, signal);
  const found = support_sessions[0]?.sessions ?? [];

  return found.some((s) => s.id === se.id) ? found : [se, ...found];
}

export function SessionPage({ id, place }: { id: string; place: Place }) {
  const { data: se, error, reload } = useLoaded(async (signal) => {
    const session = await api.session(id, signal);
    return { session, nodes: await nodes(session, signal) };
  }, [id]);
  const [closing, setClosing] = useState(false);
  const [users, setUsers] = useState<UsersSeen | null>(null);
  const named = place.query.get("tab") as Tab;
  const tab: Tab = TABS.includes(named) ? named : "diagnostics";

  if (se === undefined)
    return error !== undefined ? <Failure error={error} retry={reload} /> :
      <Loading />;
  const { session, nodes: refs } = se;
  const open = session.status === "active" || session.status === "pending";
  return (
    <>
      <div class="head">
        <a class="button plain compact" href={href(["sessions"])}
          title={t("back")}>
          <Icon name="back" /><span class="unseen">{t("back")}</span>
        </a>
        <h1>{session.system_name || session.system_key}</h1>
        <StatusBadge status={session.status} />
        <span class="spring" />
        {session.status === "active" && (
          <a class="button main" href={href(["terminal", session.system_id])}>
            <Icon name="terminal" />{t("terminal")}
          </a>)}
        {open && (
          <>
            <Button icon="clock" onClick={() => void api.extend(id, 24).then(
              () => { tell(t("extended")); reload(); },
              (e: unknown) => tell(errorText(e)))}>{t("extend")}</Button>
            <Button icon="close" kind="danger"
              onClick={() => setClosing(true)}>{t("closeSession")}</Button>
          </>)}
      </div>
      {error !== undefined && <Failure error={error} retry={reload} />}
      <dl class="facts card">
        <div><dt>{t("status")}</dt><dd>{open ?
          t(session.tunnel_connected ? "tunnelUp" : "tunnelDown") :
          t("sessionOver")}</dd></div>
        <div><dt>{t("organization")}</dt><dd>{orgName(session)}</dd></div>
        <div><dt>{t("started")}</dt><dd><Time at={session.started_at} /></dd>
        </div>
        <div><dt>{t("expires")}</dt><dd><Time at={session.expires_at} /></dd>
        </div>
        <div><dt>{t("systemKey")}</dt><dd><code>{session.system_key}</code>
          <Copy text={session.system_key} /></dd></div>
        <div><dt>{t("sessionId")}</dt><dd><code>{session.id}</code>
          <Copy text={session.id} /></dd></div>
        {session.closed_by && <div><dt>{t("closedBy")}</dt>
          <dd>{session.closed_by}</dd></div>}
      </dl>
      {refs.length > 1 && (
        <nav class="nodes" aria-label={t("nodes", { n: refs.length })}>
          {refs.map((s) => (
            <a key={s.id} href={href(["session", s.id], place.query)}
              aria-current={s.id === id ? "page" : undefined}>
              {t("node", { node: s.node_id ?? "-" })}
              <StatusBadge status={s.status} />
            </a>))}
        </nav>)}
      <nav class="tabs">
        {TABS.map((name) => (
          <button key={name} type="button" aria-current={
            name === tab ? "page" : undefined}
            onClick={() => setQuery(place, { tab: name })}>{t(name)}</button>
        ))}
      </nav>
      {tab === "diagnostics" && <DiagnosticsOf system={session.system_id} />}
      {tab === "services" && <Services sessions={refs} users={users} />}
      {tab === "credentials" && <Users key={id} sessions={refs} onSeen={setUsers} />}
      {tab === "accessLog" && <Logs id={id} place={place} />}
      {tab === "recordings" && <Recordings id={id} place={place} />}
      {closing && (
        <Confirm title={t("closeSession")} action={t("closeSession")}
          text={t("closeAsk", {
            system: session.system_name || session.system_key })}
          onYes={async () => {
            await api.close(id);
            tell(t("closeDone"));
            reload();
          }} onClose={() => setClosing(false)} />)}
    </>
  );
}
