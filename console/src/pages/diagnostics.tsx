// SPDX-License-Identifier: ISC
// What the machines say of themselves, the worst first.
import { api } from "../api";
import { t } from "../i18n";
import { useLoaded } from "../load";
import type { NodeDiagnostics, Plugin } from "../types";
import { Empty, HealthDot, RANK, Shown, Time, worstFirst } from "../ui";

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
                ([k, v]) => <div key={k}>{k}: {String(v)}</div>)}</td>
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

  if (nodes.length === 0)
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
