// SPDX-License-Identifier: ISC
// What the machines say of themselves, the worst first.
import { api } from "../api";
import { bytes, number, t } from "../i18n";
import { useLoaded } from "../load";
import type { NodeDiagnostics, Plugin } from "../types";
import { Empty, HealthDot, RANK, Shown, Time, worstFirst } from "../ui";

/** A name that says its unit, and the number in one that people read. */
function Detail({ name, value }: { name: string; value: unknown }) {
  const [, what = name, unit] = /^(.+)_(bytes|kb|pct)$/.exec(name) ?? [];

  return (
    <div>{what.replace(/_/g, " ")}: {typeof value !== "number" ?
      String(value) : unit === "bytes" ? bytes(value) :
      unit === "kb" ? bytes(value * 1024) :
      unit === "pct" ? `${number(value)}%` : number(value)}</div>
  );
}

function PluginCard({ p }: { p: Plugin }) {
  return (
    <details class="plugin" open={p.status !== "ok"}>
      <summary>
        <HealthDot status={p.status} /><strong>{p.name ?? p.id}</strong>
        {p.summary && <span class="faint">{p.summary}</span>}
      </summary>
      <table>
        <tbody>
          {worstFirst(p.checks ?? []).map((c) => (
            <tr key={c.name}>
              <th scope="row"><HealthDot status={c.status} /> {c.name}</th>
              <td>{c.value}</td>
              <td class="faint">{c.details && Object.entries(c.details).map(
                ([k, v]) => <Detail key={k} name={k} value={v} />)}</td>
            </tr>))}
        </tbody>
      </table>
    </details>
  );
}

function NodeCard({ n }: { n: NodeDiagnostics }) {
  const d = n.diagnostics;

  return (
    <details class="card" open>
      <summary>
        <HealthDot status={d?.overall_status ?? ""} />
        <strong>{n.node_id ? t("node", { node: n.node_id }) :
          t("diagnostics")}</strong>
        {n.diagnostics_at && <span class="faint">
          {t("collected")} <Time at={n.diagnostics_at} /></span>}
      </summary>
      {d === null ? <p class="faint">{t("noDiagnostics")}</p> :
        worstFirst(d.plugins ?? []).map((p) => <PluginCard key={p.id} p={p} />)}
    </details>
  );
}

function Nodes({ nodes }: { nodes: NodeDiagnostics[] }) {
  const ranked = [...nodes].sort((a, b) =>
    RANK.indexOf(a.diagnostics?.overall_status ?? "") -
    RANK.indexOf(b.diagnostics?.overall_status ?? ""));

  if (nodes.every((n) => n.diagnostics === null))
    return <Empty title={t("noDiagnostics")}
      help={t("noDiagnosticsHelp")} />;
  return <section>{ranked.map((n) => <NodeCard key={n.session_id} n={n} />)}
  </section>;
}

export function DiagnosticsOf({ system }: { system: string }) {
  const said = useLoaded((signal) => api.systemDiagnostics(system, signal),
    [system]);

  return <Shown of={said}>{(d) => <Nodes nodes={d.nodes} />}</Shown>;
}
