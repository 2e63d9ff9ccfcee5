// SPDX-License-Identifier: ISC
// Who was in this session, and who is.
import { useEffect, useRef, useState } from "preact/hooks";
import { api, ApiError, type OnProgress } from "../api";
import { bytes, number, span, t } from "../i18n";
import { useLoaded } from "../load";
import type { Place } from "../route";
import { csvLine, save } from "../save";
import type { AccessLog, Pagination } from "../types";
import type { Key } from "../texts/en";
import {
  Button, Empty, Failure, Pages, Progress, Shown, Time,
} from "../ui";

export const TYPES: Record<AccessLog["access_type"], Key> = {
  ui_proxy: "typeProxy", web_terminal: "typeTerminal", tcp: "typeTcp",
  view: "typeView",
};

interface Meta {
  service?: string;
  ip?: string;
  bytes_in?: number;
  bytes_out?: number;
}

function meta(row: AccessLog): Meta {
  try {
    return JSON.parse(row.metadata ?? "{}") as Meta;
  } catch {
    return {};
  }
}

function Row({ row }: { row: AccessLog }) {
  const m = meta(row);
  const moved = (m.bytes_in ?? 0) + (m.bytes_out ?? 0);

  return (
    <tr>
      <th scope="row" data-label={t("operator")} title={row.operator_id}>
        {row.operator_name || row.operator_id}</th>
      <td data-label={t("what")}>{t(TYPES[row.access_type] ?? "typeView")}
        {m.service && <span class="faint"> {m.service}</span>}</td>
      <td data-label={t("started")}><Time at={row.connected_at} /></td>
      <td data-label={t("duration")}>{row.disconnected_at === undefined ?
        <span class="badge active">{t("now")}</span> :
        span(Date.parse(row.disconnected_at) - Date.parse(row.connected_at))}
      </td>
      <td data-label={t("bytes")}>{moved > 0 ? bytes(moved) : ""}</td>
    </tr>
  );
}

const AT_ONCE = 100;	// rows, the most of a page
const TRIES = 5;

const later = (ms: number) => new Promise((f) => setTimeout(f, ms));

/** A page; who is told to come later does. */
async function patiently(
  id: string, page: number, signal: AbortSignal,
): Promise<{ access_logs: AccessLog[]; pagination: Pagination }> {
  for (let tried = 1; ; tried++)
    try {
      return await api.logs(id, page, signal, AT_ONCE);
    } catch (e) {
      if (!(e instanceof ApiError) || tried === TRIES ||
          (e.status !== 0 && e.status !== 429 && e.status < 500))
        throw e;
      await later(Math.max(1, e.retryAfter) * 1000);
      signal.throwIfAborted();
    }
}

/** All of it, the newest first. What comes meanwhile moves the pages on. */
async function all(
  id: string, signal: AbortSignal, onProgress: OnProgress,
): Promise<AccessLog[]> {
  const rows = new Map<string, AccessLog>();

  for (let page = 1; ; page++) {
    const { access_logs, pagination } = await patiently(id, page, signal);
    for (const row of access_logs)
      rows.set(row.id, row);
    onProgress(rows.size, pagination.total_count);
    if (!pagination.has_next)
      return [...rows.values()];
  }
}

function csv(rows: AccessLog[]): string[] {
  return [csvLine(["id", "operator_id", "operator_name", "access_type",
    "service", "ip", "connected_at", "disconnected_at", "bytes_in",
    "bytes_out"]), ...rows.map((r) => {
    const m = meta(r);
    return csvLine([r.id, r.operator_id, r.operator_name, r.access_type,
      m.service, m.ip, r.connected_at, r.disconnected_at, m.bytes_in,
      m.bytes_out]);
  })];
}

/** The whole log as a file; it may take many pages. */
function Download({ id }: { id: string }) {
  const [come, setCome] = useState<{ got: number; total: number }>();
  const [error, setError] = useState<unknown>();
  const stop = useRef<AbortController>();

  useEffect(() => () => stop.current?.abort(), []);

  async function run(): Promise<void> {
    const mine = stop.current = new AbortController();

    setError(undefined);
    setCome({ got: 0, total: 0 });
    try {
      save(`access-log-${id}.csv`, "text/csv", csv(await all(id, mine.signal,
        (got, total) => setCome({ got, total }))));
    } catch (e) {
      if (!mine.signal.aborted)
        setError(e);
    }
    setCome(undefined);
  }

  return (
    <div class="head">
      {come === undefined ?
        <Button icon="link" onClick={() => void run()}>
          {t("downloadAll")}</Button> :
        <>
          <Progress {...come} shown={number} />
          <Button onClick={() => stop.current?.abort()}>{t("cancel")}</Button>
        </>}
      {error !== undefined && <Failure error={error} />}
    </div>
  );
}

function List({ data, id, place }: {
  data: { access_logs: AccessLog[]; pagination: Pagination };
  id: string; place: Place;
}) {
  const here = new Set(data.access_logs.filter((r) =>
    r.disconnected_at === undefined && r.access_type !== "ui_proxy")
    .map((r) => r.operator_id)).size;

  if (data.access_logs.length === 0)
    return <Empty title={t("noLogs")} help={t("noLogsHelp")} />;
  return (
    <section>
      <Download id={id} />
      {here > 0 && <p>{t("connectedNow", { n: here })}</p>}
      <table class="list">
        <thead>
          <tr>
            <th scope="col">{t("operator")}</th>
            <th scope="col">{t("what")}</th>
            <th scope="col">{t("started")}</th>
            <th scope="col">{t("duration")}</th>
            <th scope="col">{t("bytes")}</th>
          </tr>
        </thead>
        <tbody>{data.access_logs.map((r) => <Row key={r.id} row={r} />)}</tbody>
      </table>
      <Pages of={data.pagination} place={place} />
    </section>
  );
}

export function Logs({ id, place }: { id: string; place: Place }) {
  const page = Number(place.query.get("page")) || 1;
  const logs = useLoaded((signal) => api.logs(id, page, signal), [id, page]);

  return <Shown of={logs}>
    {(d) => <List data={d} id={id} place={place} />}</Shown>;
}
