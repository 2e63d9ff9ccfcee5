// SPDX-License-Identifier: ISC
// What goes on at a system at this moment, beside its name in the list: its
// sessions, who is there, and what its machines say of themselves.
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { api } from "../api";
import { t } from "../i18n";
import { useLoaded } from "../load";
import { href } from "../route";
import type {
  AccessLog, NodeDiagnostics, Plugin, SessionRef, System,
} from "../types";
import {
  Empty, HealthDot, Icon, Shown, StatusBadge, Time, worstFirst,
} from "../ui";
import { TYPES } from "./logs";

interface Node {
  session: SessionRef;
  said: NodeDiagnostics | undefined;
}

interface Seen {
  nodes: Node[];
  /** The rows of who is there now, with the node. */
  here: { row: AccessLog; node: string }[];
}

const ROWS = 100;	// of the log; what is open is among the newest

async function look(system: string, signal: AbortSignal): Promise<Seen> {
  const [list, diagnostics] = await Promise.all([
    api.sessions({ system_id: system, page_size: 1 }, signal),
    api.systemDiagnostics(system, signal),
  ]);
  const sessions = list.support_sessions[0]?.sessions ?? [];
  const logs = await Promise.all(sessions.map((s) =>
    api.logs(s.id, 1, signal, ROWS)));

  return {
    nodes: sessions.map((session) => ({ session,
      said: diagnostics.nodes.find((n) => n.session_id === session.id) })),
    here: sessions.flatMap((s, i) => logs[i]!.access_logs.filter((row) =>
      row.disconnected_at === undefined && row.access_type !== "ui_proxy")
      .map((row) => ({ row, node: s.node_id ?? "" }))),
  };
}

function Line({ p }: { p: Plugin }) {
  return (
    <li>
      <HealthDot status={p.status} /> {p.name ?? p.id}
      {p.summary && <span class="faint"> {p.summary}</span>}
    </li>
  );
}

function Facts({ n: { session, said } }: { n: Node }) {
  const plugins = said?.diagnostics?.plugins ?? [];

  return (
    <>
      <dl class="facts">
        <div><dt>{t("started")}</dt><dd><Time at={session.started_at} /></dd>
        </div>
        <div><dt>{t("expires")}</dt><dd><Time at={session.expires_at} /></dd>
        </div>
      </dl>
      {!session.tunnel_connected && <p>{t("tunnelDown")}</p>}
      {plugins.length === 0 ? <p class="faint">{t("noDiagnostics")}</p> :
        <ul class="lines" aria-label={t("diagnostics")}>
          {worstFirst(plugins).map((p) => <Line key={p.id} p={p} />)}
        </ul>}
      <a href={href(["session", session.id])}>{t("session")}</a>
    </>
  );
}

function Head({ n: { session, said } }: { n: Node }) {
  return (
    <>
      <HealthDot status={said?.diagnostics?.overall_status ?? ""} />
      <strong>{session.node_id ? t("node", { node: session.node_id }) :
        t("session")}</strong>
      <StatusBadge status={session.status} />
    </>
  );
}

function Content({ system }: { system: string }) {
  const seen = useLoaded((signal) => look(system, signal), [system]);

  return (
    <Shown of={seen}>{({ nodes, here }) => (
      <>
        {nodes.length === 0 && <Empty title={t("noSessions")} />}
        {nodes.length === 1 && (
          <>
            <p class="line"><Head n={nodes[0]!} /></p>
            <Facts n={nodes[0]!} />
          </>)}
        {nodes.length > 1 && nodes.map((n) => (
          <details key={n.session.id} open>
            <summary><Head n={n} /></summary>
            <Facts n={n} />
          </details>))}
        <h3>{t("connectedNow", {
          n: new Set(here.map((h) => h.row.operator_id)).size })}</h3>
        <ul class="lines">
          {here.map(({ row, node }) => (
            <li key={row.id}>
              {row.operator_name || row.operator_id}
              <span class="faint"> {t(TYPES[row.access_type] ?? "typeView")}
                {" "}<Time at={row.connected_at} /></span>
              {node && <span class="badge">{t("node", { node })}</span>}
            </li>))}
        </ul>
      </>
    )}</Shown>
  );
}

/** The headset of a system that has a session, and what it opens. */
export function SupportPopover({ s }: { s: System }) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);
  const text = t("supportOf", { system: s.name });

  /* Below the button, and in the window from left to right. */
  function place(): void {
    const at = button.current!.getBoundingClientRect(), b = box.current!;

    b.style.top = `${at.bottom + scrollY + 4}px`;
    b.style.left = `${Math.max(8, Math.min(at.left,
      document.documentElement.clientWidth - b.offsetWidth - 8)) + scrollX}px`;
  }

  useEffect(() => {
    if (!open)
      return;
    addEventListener("resize", place);
    return () => removeEventListener("resize", place);
  }, [open]);
  return (
    <>
      <button ref={button} type="button" class="button plain compact"
        title={text} aria-label={text} aria-haspopup="dialog"
        {...{ popovertarget: id }}><Icon name="headset" /></button>
      <div ref={box} id={id} class="popover" role="dialog" aria-label={text}
        {...{ popover: "auto" }} onToggle={(e) => {
          const now = (e as unknown as ToggleEvent).newState === "open";
          setOpen(now);
          if (now)
            place();
        }}>{open && <Content system={s.id} />}</div>
    </>
  );
}
