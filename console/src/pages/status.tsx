// SPDX-License-Identifier: ISC
// How the daemon is, for its administrator: what its processes are shut in by,
// and the last hour of what it counts.
import { useEffect, useState } from "preact/hooks";
import { api } from "../api";
import { bytes, clock, number, t } from "../i18n";
import { useLoaded } from "../load";
import type { Key } from "../texts/en";
import type { DaemonStatus, Member, Processes, SeriesName } from "../types";
import { Shown, Time } from "../ui";
import { HOUR_MS, Plot } from "./plot";

const AGAIN_MS = 5000;

const LAYERS: Record<string, Key> = {
  user: "layerUser", chroot: "layerChroot", nnp: "layerNnp",
  landlock: "layerLandlock", seccomp: "layerSeccomp", rlimit: "layerRlimit",
  nodump: "layerNodump",
};

const ROLES: Record<string, Key> = {
  parent: "roleParent", control: "roleControl", authd: "roleAuthd",
  proxyd: "roleProxyd", muxd: "roleMuxd", termd: "roleTermd",
  tcpd: "roleTcpd", rendd: "roleRendd", metricd: "roleMetricd",
  dialerd: "roleDialerd", tlsd: "roleTlsd", keyd: "roleKeyd",
  paird: "rolePaird",
};

const STATES: Record<string, Key> = {
  starting: "stateStarting", ready: "stateReady", stopping: "stateStopping",
};

type Unit = "count" | "minute" | "rate";

const SERIES: Record<SeriesName, Key> = {
  tunnels: "tunnels", sessions: "sessions", streams: "streams",
  terminals: "terminals", tcp_connections: "tcpConnections",
  connections: "connections", requests: "requests",
  proxied_requests: "proxiedRequests", bytes_in: "bytesIn",
  bytes_out: "bytesOut", logins: "logins", logins_refused: "loginsRefused",
  own_errors: "ownErrors", service_errors: "serviceErrors",
  rate_limited: "rateLimited", store_errors: "storeErrors",
  slow_turns: "slowTurns", process_failures: "processFailures",
};

const PLOTS: { title: Key; unit: Unit; of: SeriesName[] }[] = [
  { title: "tunnels", unit: "count", of: ["tunnels", "sessions"] },
  { title: "streams", unit: "count",
    of: ["streams", "terminals", "tcp_connections"] },
  { title: "traffic", unit: "rate", of: ["bytes_in", "bytes_out"] },
  { title: "requestsPerMinute", unit: "minute",
    of: ["requests", "proxied_requests"] },
  { title: "connections", unit: "count", of: ["connections"] },
  { title: "loginsPerMinute", unit: "minute",
    of: ["logins", "logins_refused"] },
  { title: "errorsPerMinute", unit: "minute",
    of: ["own_errors", "service_errors", "rate_limited"] },
  { title: "daemonErrors", unit: "minute",
    of: ["process_failures", "store_errors", "slow_turns"] },
];

const ERRORS: SeriesName[] = [
  "own_errors", "service_errors", "store_errors", "process_failures",
];

/** What was counted in a minute as a rate: minutes are not all as long. */
function rates(d: DaemonStatus, name: SeriesName, unit: Unit): number[] {
  const { at, since, series } = d.history;
  const s = series.find((x) => x.name === name);
  const times = [since, ...at].map((x) => Date.parse(x));

  return (s?.values ?? []).map((n, i) => unit === "count" ? n :
    n * (unit === "rate" ? 1000 : 60_000) /
      Math.max(1, times[i + 1]! - times[i]!));
}

function sum(d: DaemonStatus, names: SeriesName[]): number {
  return d.history.series.filter((s) => names.includes(s.name))
    .flatMap((s) => s.values).reduce((a, b) => a + b, 0);
}

const formats: Record<Unit, (n: number) => string> = {
  count: number, minute: number, rate: (n) => `${bytes(n)}/s`,
};

function Sandbox({ of }: { of: Processes }) {
  const lacks = Object.keys(LAYERS).filter((l) => !of.layers.includes(l));

  if (of.role === "parent")
    return <span class="faint">{t("notShutIn")}</span>;
  if (of.state === "starting")
    return <span class="faint">{"\u2013"}</span>;
  return (
    <span class="layers">
      {of.layers.map((l) => (
        <span key={l} class="badge active"
          title={LAYERS[l] && t(LAYERS[l])}>{l}</span>))}
      {lacks.map((l) => (
        <span key={l} class="badge pending" title={t(LAYERS[l]!)}>
          {t("without", { layer: l })}</span>))}
    </span>
  );
}

function Table({ of }: { of: Processes[] }) {
  return (
    <table class="list processes">
      <thead>
        <tr>
          <th scope="col">{t("process")}</th>
          <th scope="col">{t("howMany")}</th>
          <th scope="col">{t("status")}</th>
          <th scope="col">{t("sandbox")}</th>
          <th scope="col">{t("memory")}</th>
          <th scope="col">{t("since")}</th>
          <th scope="col">{t("restarts")}</th>
        </tr>
      </thead>
      <tbody>
        {of.map((p) => (
          <tr key={[p.member, p.role, p.state].join()}>
            <th scope="row">{p.role}
              {p.member !== undefined && <span class="badge">{p.member}
              </span>}
              {ROLES[p.role] && <small class="faint">{t(ROLES[p.role]!)}
              </small>}</th>
            <td data-label={t("howMany")}>{number(p.count)}</td>
            <td data-label={t("status")}>
              <span class={`badge ${p.state === "ready" ? "active" :
                "pending"}`}>{t(STATES[p.state] ?? "unknown")}</span></td>
            <td data-label={t("sandbox")}><Sandbox of={p} /></td>
            <td data-label={t("memory")}>{p.memory_bytes > 0 ?
              bytes(p.memory_bytes) : "\u2013"}</td>
            <td data-label={t("since")}><Time at={p.oldest_started_at} /></td>
            <td data-label={t("restarts")}>{number(p.restarts)}</td>
          </tr>))}
      </tbody>
    </table>
  );
}

const MEMBER: Record<Member["state"], Key> = {
  up: "memberUp", draining: "memberDraining", gone: "memberGone",
};

function Members({ of }: { of: Member[] }) {
  return (
    <>
      <h2>{t("members")}</h2>
      <table class="list members">
        <thead>
          <tr>
            {(["member", "status", "version", "tunnels", "sessions",
              "forwardedIn", "forwardedOut", "since"] as const).map((k) =>
              <th key={k} scope="col">{t(k)}</th>)}
          </tr>
        </thead>
        <tbody>
          {of.map((m) => (
            <tr key={m.name}>
              <th scope="row">{m.name}
                {m.here && <span class="badge">{t("memberHere")}</span>}</th>
              <td data-label={t("status")}>
                <span class={`badge ${m.state === "up" ? "active" :
                  "pending"}`}>{t(MEMBER[m.state] ?? "unknown")}</span></td>
              <td data-label={t("version")}>{m.version}</td>
              <td data-label={t("tunnels")}>{number(m.tunnels)}</td>
              <td data-label={t("sessions")}>{number(m.sessions)}</td>
              <td data-label={t("forwardedIn")}>{number(m.forwarded_in)}</td>
              <td data-label={t("forwardedOut")}>
                {number(m.forwarded_out)}</td>
              <td data-label={t("since")}><Time at={m.started_at} /></td>
            </tr>))}
        </tbody>
      </table>
    </>
  );
}

/** With what it is of, where that is not said around it. */
function fullName(name: SeriesName): string {
  const plot = PLOTS.find((p) => p.of.includes(name));

  return plot === undefined || plot.unit === "count" ? t(SERIES[name]) :
    `${t(plot.title)}: ${t(SERIES[name])}`;
}

/** The same for who cannot see plots, or wants it exact. */
function Numbers({ of }: { of: DaemonStatus }) {
  const [open, setOpen] = useState(false);
  const { at, series } = of.history;

  return (
    <details class="card" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary><strong>{t("numbers")}</strong></summary>
      {open && (
        <div class="wide-table" tabIndex={0} role="region"
          aria-label={t("numbers")}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t("minute")}</th>
                {series.map((s) => <th key={s.name} scope="col">
                  {fullName(s.name)}</th>)}
              </tr>
            </thead>
            <tbody>
              {at.map((time, i) => (
                <tr key={time}>
                  <th scope="row">{clock(Date.parse(time))}</th>
                  {series.map((s) => <td key={s.name}>
                    {s.name.startsWith("bytes") ? bytes(s.values[i]!) :
                      number(s.values[i]!)}</td>)}
                </tr>)).reverse()}
            </tbody>
          </table>
        </div>)}
    </details>
  );
}

function Facts({ of }: { of: DaemonStatus }) {
  const errors = sum(of, ERRORS);

  return (
    <dl class="facts">
      <div><dt>{t("version")}</dt><dd>{of.version}</dd></div>
      <div><dt>{t("runsSince")}</dt><dd><Time at={of.started_at} /></dd></div>
      <div><dt>{t("configured")}</dt>
        <dd><Time at={of.configured_at} /></dd></div>
      <div><dt>{t("tunnelsNow")}</dt><dd>{number(of.now.tunnels)}</dd></div>
      <div><dt>{t("streamsNow")}</dt><dd>{number(of.now.streams)}</dd></div>
      <div><dt>{t("errorsHour")}</dt><dd>
        <span class={`dot ${errors > 0 ? "fair" : "good"}`}
          aria-hidden="true" />{number(errors)}</dd></div>
    </dl>
  );
}

function Body({ of }: { of: DaemonStatus }) {
  const end = Date.parse(of.now_at);
  const at = of.history.at.map((x) => Date.parse(x));
  const young = end - Date.parse(of.history.since) < HOUR_MS - 60_000;

  return (
    <>
      <Facts of={of} />
      {of.members && <Members of={of.members} />}
      {of.missing !== undefined && of.missing.length > 0 &&
        <p role="status">{t("membersMissing", {
          names: of.missing.join(", ") })}</p>}
      <h2>{t("lastHour")}</h2>
      {young && <p class="faint">{t("historyYoung", {
        time: clock(Date.parse(of.history.since)) })}</p>}
      <div class="cards plots">
        {PLOTS.map((p) => (
          <Plot key={p.title} title={t(p.title)} at={at} end={end}
            binary={p.unit === "rate"} format={formats[p.unit]}
            lines={p.of.map((name) => ({ text: t(SERIES[name]),
              values: rates(of, name, p.unit) }))} />))}
      </div>
      <Numbers of={of} />
      <h2>{t("processes")}</h2>
      <Table of={of.processes} />
    </>
  );
}

export function StatusPage() {
  const status = useLoaded((signal) => api.status(signal), []);

  useEffect(() => {
    const again = setInterval(() => {
      if (!document.hidden)
        status.reload();
    }, AGAIN_MS);
    return () => clearInterval(again);
  }, []);
  return (
    <>
      <div class="head"><h1>{t("daemon")}</h1></div>
      <Shown of={status}>{(d) => <Body of={d} />}</Shown>
    </>
  );
}
