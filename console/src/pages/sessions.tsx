// SPDX-License-Identifier: ISC
// A row for each system that has sessions; filter, order and page are in the
// address.
import { useState } from "preact/hooks";
import { api } from "../api";
import { t } from "../i18n";
import { orgName } from "../names";
import { useLoaded } from "../load";
import { href, setQuery, type Place } from "../route";
import type { Group, SessionRef } from "../types";
import {
  Button, Confirm, Empty, Failure, HealthDot, Icon, Loading, Pages, rowsKept,
  StatusBadge, tell, Time, worstFirst,
} from "../ui";
import { AddService } from "./services";

const STATES = {
  open: ["active", "pending"], active: ["active"], pending: ["pending"],
  closed: ["closed"], expired: ["expired"], any: [],
} as const;
type StateName = keyof typeof STATES;

function isOpen(s: { status: string }): boolean {
  return s.status === "active" || s.status === "pending";
}

type Doing = { what: "close" | "add"; group: Group } | undefined;

function Actions({ group, act }: {
  group: Group; act: (d: Doing) => void;
}) {
  const active = group.sessions.find((s) => s.status === "active");
  const [busy, setBusy] = useState(false);

  if (!isOpen(group))
    return null;
  return (
    <div class="actions">
      {active && (
        <>
          <a class="button plain compact" title={t("terminal")}
            href={href(["terminal", group.system_id])}>
            <Icon name="terminal" /><span class="unseen">{t("terminal")}</span>
          </a>
          <a class="button plain compact" title={t("services")}
            href={href(["session", active.id],
              new URLSearchParams({ tab: "services" }))}>
            <Icon name="services" /><span class="unseen">{t("services")}</span>
          </a>
          <Button icon="plus" compact
            onClick={() => act({ what: "add", group })}>
            {t("addService")}
          </Button>
        </>
      )}
      <Button icon="clock" compact busy={busy} onClick={async () => {
        setBusy(true);
        try {
          await Promise.all(group.sessions.filter(isOpen).map((s) =>
            api.extend(s.id, 24)));
          tell(t("extended"));
        } catch (e) {
          tell(String((e as Error).message || t("failed")));
        }
        setBusy(false);
      }}>{t("extend")}</Button>
      <Button icon="close" kind="danger" compact
        onClick={() => act({ what: "close", group })}>
        {t("closeSession")}
      </Button>
    </div>
  );
}

function first(group: Group): SessionRef | undefined {
  return group.sessions[0];
}

function Row({ group, act }: { group: Group; act: (d: Doing) => void }) {
  const s = first(group);
  const here = [...new Set(group.sessions.flatMap((x) => x.operators ?? []))];
  const name = group.system_name || group.system_key;

  return (
    <tr>
      <th scope="row" data-label={t("system")}>
        {s ? <a href={href(["session", s.id])}>{name}</a> : name}
        {group.node_count > 1 &&
          <span class="badge">{t("nodes", { n: group.node_count })}</span>}
        {group.node_count === 1 && s?.node_id &&
          <span class="badge">{t("node", { node: s.node_id })}</span>}
      </th>
      <td data-label={t("product")}>{group.system_type}</td>
      <td data-label={t("organization")}>{orgName(group)}</td>
      <td data-label={t("started")}><Time at={group.started_at} /></td>
      <td data-label={t("expires")}><Time at={group.expires_at} /></td>
      <td data-label={t("status")}><StatusBadge status={group.status} />
        {group.sessions.some((s) => s.status === "active" &&
          !s.tunnel_connected) &&
          <span class="badge pending" title={t("tunnelDown")}>
            {t("waiting")}</span>}
      </td>
      <td data-label={t("health")}>
        <HealthDot status={worstFirst(group.sessions.map((x) =>
          ({ status: x.health ?? "" as const })))[0]?.status ?? ""} /></td>
      <td data-label={t("hereNow")} title={here.join(", ")}>
        {here.length > 0 && here.length}</td>
      <td class="last"><Actions group={group} act={act} /></td>
    </tr>
  );
}

export function Sorter(props: {
  place: Place; by: string; children: string; dflt?: string; desc?: boolean;
}) {
  const { place, by } = props;
  const now = place.query.get("sort") ?? props.dflt;
  const down = place.query.has("dir") ? place.query.get("dir") === "desc" :
    props.desc ?? false;
  const mine = now === by;

  return (
    <th scope="col" aria-sort={
      mine ? (down ? "descending" : "ascending") : "none"}>
      <button type="button" class="sorter" onClick={() => setQuery(place, {
        sort: by, dir: mine && down ? "asc" : "desc", page: "" })}>
        {props.children}<span aria-hidden="true">
          {mine ? (down ? " \u2193" : " \u2191") : ""}</span>
      </button>
    </th>
  );
}

export function SessionsPage({ place }: { place: Place }) {
  const q = place.query;
  const named = (q.get("status") ?? "open") as StateName;
  const state: StateName = named in STATES ? named : "open";
  const page = Number(q.get("page")) || 1;
  const size = Number(q.get("rows")) || rowsKept();
  const sort = q.get("sort") ?? "started_at";
  const dir = q.get("dir") ?? "desc";
  const [doing, act] = useState<Doing>();
  const { data, error, reload } = useLoaded((signal) => api.sessions({
    page, page_size: size, sort_by: sort, sort_direction: dir,
    status: STATES[state],
  }, signal), [page, size, sort, dir, state]);

  return (
    <>
      <div class="head">
        <h1>{t("sessions")}</h1>
        <label class="inline">{t("status")}
          <select value={state} onChange={(e) => setQuery(place, {
            status: e.currentTarget.value === "open" ? "" :
              e.currentTarget.value, page: "" })}>
            {(Object.keys(STATES) as StateName[]).map((s) => (
              <option key={s} value={s}>
                {t(s === "expired" ? "expiredState" : s)}
              </option>))}
          </select>
        </label>
      </div>
      {error !== undefined && <Failure error={error} retry={reload} />}
      {data === undefined && error === undefined && <Loading />}
      {data?.support_sessions.length === 0 && (state === "open" ?
        <Empty title={t("noSessions")} help={t("noSessionsHelp")}>
          <a class="button main" href={href(["systems"])}>{t("systems")}</a>
        </Empty> :
        <Empty title={t("noMatch")} help={t("noMatchHelp")}>
          <Button onClick={() => setQuery(place, { status: "", page: "" })}>
            {t("clearFilter")}</Button>
        </Empty>)}
      {data !== undefined && data.support_sessions.length > 0 && (
        <>
          <table class="list">
            <thead>
              <tr>
                <th scope="col">{t("system")}</th>
                <th scope="col">{t("product")}</th>
                <th scope="col">{t("organization")}</th>
                <Sorter place={place} by="started_at" dflt="started_at" desc>
                  {t("started")}</Sorter>
                <Sorter place={place} by="expires_at" dflt="started_at" desc>
                  {t("expires")}</Sorter>
                <Sorter place={place} by="status" dflt="started_at" desc>
                  {t("status")}</Sorter>
                <th scope="col">{t("health")}</th>
                <th scope="col">{t("hereNow")}</th>
                <th scope="col"><span class="unseen">{t("actions")}</span></th>
              </tr>
            </thead>
            <tbody>
              {data.support_sessions.map((g) =>
                <Row key={g.system_id} group={g} act={act} />)}
            </tbody>
          </table>
          <Pages of={data.pagination} place={place} choose />
        </>
      )}
      {doing?.what === "close" && (
        <Confirm title={t("closeSession")} action={t("closeSession")}
          text={t("closeAsk", { system: doing.group.system_name ||
            doing.group.system_key })}
          onYes={async () => {
            await Promise.all(doing.group.sessions.filter(isOpen).map((s) =>
              api.close(s.id)));
            tell(t("closeDone"));
            reload();
          }} onClose={() => act(undefined)} />
      )}
      {doing?.what === "add" && (
        <AddService session={doing.group.sessions.find((s) =>
          s.status === "active")?.id ?? ""} onDone={reload}
          onClose={() => act(undefined)} />
      )}
    </>
  );
}
