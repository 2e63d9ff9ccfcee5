// SPDX-License-Identifier: ISC
// Who was in this session, and who is.
import { api } from "../api";
import { bytes, span, t } from "../i18n";
import { useLoaded } from "../load";
import type { Place } from "../route";
import type { AccessLog, Pagination } from "../types";
import type { Key } from "../texts/en";
import { Empty, Pages, Shown, Time } from "../ui";

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

function List({ data, place }: {
  data: { access_logs: AccessLog[]; pagination: Pagination }; place: Place;
}) {
  const here = new Set(data.access_logs.filter((r) =>
    r.disconnected_at === undefined && r.access_type !== "ui_proxy")
    .map((r) => r.operator_id)).size;

  if (data.access_logs.length === 0)
    return <Empty title={t("noLogs")} />;
  return (
    <section>
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

  return <Shown of={logs}>{(d) => <List data={d} place={place} />}</Shown>;
}
