// SPDX-License-Identifier: ISC
// Customers' machines: which there are, and what one of them needs to connect.
import { useState } from "preact/hooks";
import { api } from "../api";
import { t } from "../i18n";
import { orgName } from "../names";
import { useLoaded } from "../load";
import { setQuery, type Place } from "../route";
import type { System } from "../types";
import {
  Button, Confirm, Copy, Dialog, Empty, errorText, Failure, Field,
  Loading, Pages, rowsKept, StatusBadge, tell, Time,
} from "../ui";
import { SupportPopover } from "./popover";
import { Sorter } from "./sessions";

/** What starts the client there; the secret comes from standard input. */
function pasteLine(key: string, secret: string): string {
  const url = `${location.protocol === "https:" ? "wss" : "ws"}://` +
    `${location.host}/api/tunnel`;

  return `echo '${secret}' | tunnel-client --url ${url} --key ${key} ` +
    "--secret-file /dev/stdin";
}

/** A system has a key once its secret was shown to the server. */
function Secret({ system, onClose }: { system: System; onClose: () => void }) {
  const secret = system.system_secret ?? "";
  const [key, setKey] = useState(system.system_key);
  const [error, setError] = useState<unknown>();
  const line = pasteLine(key, secret);

  return (
    <Dialog title={system.name} onClose={onClose}>
      <p>{t("secretOnce")}</p>
      <p><code class="long">{secret}</code><Copy text={secret} /></p>
      {error !== undefined && <Failure error={error} />}
      {key === "" ?
        <Button icon="terminal" onClick={() => void api.register(secret).then(
          (r) => setKey(r.system_key), setError)}>{t("makeLine")}</Button> :
        <>
          <p>{t("paste")}</p>
          <p><code class="long">{line}</code><Copy text={line} /></p>
        </>}
      <footer><Button kind="main" onClick={onClose}>{t("done")}</Button>
      </footer>
    </Dialog>
  );
}

function NewSystem({ known, onMade, onClose }: {
  known: { id: string; name: string }[];
  onMade: (s: System) => void; onClose: () => void;
}) {
  const [name, setName] = useState("");
  const [org, setOrg] = useState(known[0]?.id ?? "");
  const [notes, setNotes] = useState("");
  const [support, setSupport] = useState(true);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();

  return (
    <Dialog title={t("newSystem")} onClose={onClose}>
      <form onSubmit={async (e) => {
        e.preventDefault();
        setBusy(true);
        try {
          const made = await api.createSystem({
            name, organization_id: org, notes });
          if (support !== made.support_enabled)
            await api.updateSystem(made.id, { support_enabled: support });
          onMade(made);
        } catch (x) {
          setError(x);
          setBusy(false);
        }
      }}>
        <Field label={t("name")} value={name} required autofocus
          onInput={setName} />
        <Field label={t("organization")} help={t("organizationHelp")}
          value={org} required list="organizations" onInput={setOrg} />
        <datalist id="organizations">
          {known.map((o) => <option key={o.id} value={o.id}>{o.name}</option>)}
        </datalist>
        <Field label={t("notes")} value={notes} onInput={setNotes} />
        <label class="check">
          <input type="checkbox" checked={support}
            onChange={(e) => setSupport(e.currentTarget.checked)} />
          {t("support")}
        </label>
        {error !== undefined && <Failure error={error} />}
        <footer>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" busy={busy}>{t("create")}</Button>
        </footer>
      </form>
    </Dialog>
  );
}

function Row({ s, reload, ask }: {
  s: System; reload: () => void; ask: (s: System) => void;
}) {
  const [busy, setBusy] = useState(false);

  return (
    <tr>
      <th scope="row" data-label={t("system")}>
        {s.name}
        {s.support_session_id && <SupportPopover s={s} />}
      </th>
      <td data-label={t("systemKey")}><code>{s.system_key}</code></td>
      <td data-label={t("organization")}>{orgName(s)}</td>
      <td data-label={t("status")}><StatusBadge status={s.status} /></td>
      <td data-label={t("created")}><Time at={s.created_at} /></td>
      <td data-label={t("support")}>
        <input type="checkbox" role="switch" checked={s.support_enabled}
          aria-label={`${t("support")}: ${s.name}`} disabled={busy}
          onChange={async (e) => {
            const on = e.currentTarget.checked;
            setBusy(true);
            try {
              await api.updateSystem(s.id, { support_enabled: on });
              tell(t(on ? "supportOn" : "supportOff", { system: s.name }));
            } catch (x) {
              tell(errorText(x));
            }
            setBusy(false);
            reload();
          }} />
      </td>
      <td class="last">
        <Button icon="key" compact onClick={() => ask(s)}>
          {t("newSecret")}</Button>
      </td>
    </tr>
  );
}

export function SystemsPage({ place }: { place: Place }) {
  const q = place.query;
  const page = Number(q.get("page")) || 1;
  const size = Number(q.get("rows")) || rowsKept();
  const sort = q.get("sort") ?? "name";
  const dir = q.get("dir") ?? "asc";
  const search = q.get("search") ?? "";
  const [creating, setCreating] = useState(false);
  const [secret, setSecret] = useState<System>();
  const [asking, setAsking] = useState<System>();
  const { data, error, reload } = useLoaded((signal) => api.systems({
    page, page_size: size, sort_by: sort, sort_direction: dir, search,
  }, signal), [page, size, sort, dir, search]);
  const known = [...new Map((data?.systems ?? []).map((s) =>
    [s.organization.id, s.organization])).values()];

  return (
    <>
      <div class="head">
        <h1>{t("systems")}</h1>
        <Field label={t("search")} value={search} onInput={(v) =>
          setQuery(place, { search: v, page: "" })} />
        <Button icon="plus" kind="main" onClick={() => setCreating(true)}>
          {t("newSystem")}</Button>
      </div>
      {error !== undefined && <Failure error={error} retry={reload} />}
      {data === undefined && error === undefined && <Loading />}
      {data?.systems.length === 0 && (search !== "" ?
        <Empty title={t("noMatch")} help={t("noMatchHelp")}>
          <Button onClick={() => setQuery(place, { search: "", page: "" })}>
            {t("clearFilter")}</Button>
        </Empty> :
        <Empty title={t("noSystems")} help={t("noSystemsHelp")}>
          <Button icon="plus" kind="main" onClick={() => setCreating(true)}>
            {t("newSystem")}</Button>
        </Empty>)}
      {data !== undefined && data.systems.length > 0 && (
        <>
          <table class="list">
            <thead>
              <tr>
                <Sorter place={place} by="name" dflt="name">
                  {t("system")}</Sorter>
                <th scope="col">{t("systemKey")}</th>
                <th scope="col">{t("organization")}</th>
                <th scope="col">{t("status")}</th>
                <Sorter place={place} by="created_at" dflt="name">
                  {t("created")}</Sorter>
                <th scope="col">{t("support")}</th>
                <th scope="col"><span class="unseen">{t("actions")}</span></th>
              </tr>
            </thead>
            <tbody>
              {data.systems.map((s) =>
                <Row key={s.id} s={s} reload={reload} ask={setAsking} />)}
            </tbody>
          </table>
          <Pages of={data.pagination} place={place} choose />
        </>
      )}
      {creating && <NewSystem known={known} onClose={() => setCreating(false)}
        onMade={(s) => { setCreating(false); setSecret(s); reload(); }} />}
      {secret && <Secret system={secret}
        onClose={() => setSecret(undefined)} />}
      {asking && <Confirm title={t("newSecret")} action={t("newSecret")}
        text={t("newSecretAsk", { system: asking.name })}
        onYes={async () => {
          setSecret(await api.newSecret(asking.id));
          reload();
        }} onClose={() => setAsking(undefined)} />}
    </>
  );
}
