// SPDX-License-Identifier: ISC
// Terminals that were recorded, and the player for one.
import { useState } from "preact/hooks";
import { api } from "../api";
import { bytes, span, t } from "../i18n";
import { lazy } from "../lazy";
import { useLoaded } from "../load";
import type { Place } from "../route";
import type { Pagination, Recording } from "../types";
import { Button, Dialog, Empty, Pages, Shown, Time } from "../ui";

const Player = lazy(async () => (await import("./player")).Player);

function List({ data, id, place }: {
  data: { recordings: Recording[]; pagination: Pagination };
  id: string; place: Place;
}) {
  const [playing, setPlaying] = useState<Recording>();

  if (data.recordings.length === 0)
    return <Empty title={t("noRecordings")} help={t("noRecordingsHelp")} />;
  return (
    <section>
      <table class="list">
        <thead>
          <tr>
            <th scope="col">{t("operator")}</th>
            <th scope="col">{t("started")}</th>
            <th scope="col">{t("duration")}</th>
            <th scope="col">{t("size")}</th>
            <th scope="col"><span class="unseen">{t("actions")}</span></th>
          </tr>
        </thead>
        <tbody>
          {data.recordings.map((r) => (
            <tr key={r.id}>
              <th scope="row" data-label={t("operator")}>
                {r.operator_name || r.operator_id}</th>
              <td data-label={t("started")}><Time at={r.started_at} /></td>
              <td data-label={t("duration")}>{r.ended_at === undefined ?
                <span class="badge active">{t("now")}</span> :
                span(Date.parse(r.ended_at) - Date.parse(r.started_at))}</td>
              <td data-label={t("size")}>{bytes(r.size)}</td>
              <td class="last">
                <Button icon="play" onClick={() => setPlaying(r)}>
                  {t("play")}</Button>
              </td>
            </tr>))}
        </tbody>
      </table>
      <Pages of={data.pagination} place={place} />
      {playing && (
        <Dialog wide title={playing.operator_name || playing.operator_id}
          onClose={() => setPlaying(undefined)}>
          <Player session={id} recording={playing} />
        </Dialog>)}
    </section>
  );
}

export function Recordings({ id, place }: { id: string; place: Place }) {
  const page = Number(place.query.get("page")) || 1;
  const list = useLoaded((signal) => api.recordings(id, page, signal),
    [id, page]);

  return <Shown of={list}>
    {(d) => <List data={d} id={id} place={place} />}</Shown>;
}
