// SPDX-License-Identifier: ISC
// Shells on a customer's machines, a tab each, over the whole window.
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../api";
import { t } from "../i18n";
import { useLoaded } from "../load";
import { href, type Place } from "../route";
import { connect, letGo, type Shell, type ShellState } from "../shell";
import type { OwnTerminal, SessionRef } from "../types";
import { Button, Dialog, Empty, Failure, Icon, Loading } from "../ui";
import { makeScreen, type Screen } from "../xterm";

interface Tab {
  n: number;
  session: string;
  node: string;
  back?: string | undefined;	/* a shell of before */
}

/** One tab. It lives as long as the tab, also while another one is shown. */
function View(props: {
  tab: Tab; shown: boolean; find: string;
  /** Tabs whose shells are to end with them. */
  enough: Set<number>;
  onState: (s: ShellState, recorded: boolean) => void;
}) {
  const [left, setLeft] = useState(0);
  const shell = useRef<Shell>();
  const where = useRef<HTMLDivElement>(null);
  const screen = useRef<Screen>();
  const say = useRef(props.onState);

  say.current = props.onState;
  useEffect(() => {
    const s = makeScreen(where.current!, true);
    let over = false, ready = false;
    const begin = (back?: string) => {
      ready = false;
      s.fit.fit();
      shell.current = connect(s.term, {
        session: props.tab.session, back,
        onState(state, recorded) {
          ready = state === "ended";
          if (!over)
            say.current(state, recorded);
        },
        onIdle(seconds) {
          if (!over)
            setLeft(seconds);
        },
      });
    };
    const typed = s.term.onData((d) => {
      if (!ready)
        shell.current?.type(d);
      else if (d === "\r")
        begin();
    });
    const sized = s.term.onResize(({ cols, rows }) =>
      shell.current?.size(cols, rows));
    const watch = new ResizeObserver(() => {
      if (where.current!.clientWidth > 0)
        s.fit.fit();
    });

    screen.current = s;
    watch.observe(where.current!);
    begin(props.tab.back);
    s.term.focus();
    return () => {
      over = true;
      watch.disconnect();
      typed.dispose();
      sized.dispose();
      shell.current?.end(!props.enough.has(props.tab.n));
      s.term.dispose();
    };
  }, []);
  useEffect(() => {
    if (props.shown)
      screen.current?.term.focus();
  }, [props.shown]);
  useEffect(() => {
    if (props.shown && props.find !== "")
      screen.current?.search.findNext(props.find);
  }, [props.find]);
  return (
    <>
      {props.shown && left > 0 && (
        <p class="idle" role="alert">{t("idleWarn", { seconds: left })}
          <Button onClick={() => {
            shell.current?.stay();
            screen.current?.term.focus();
          }}>{t("stay")}</Button></p>)}
      <div class="screen" ref={where} hidden={!props.shown} />
    </>);
}

export function Terminals({ place }: { place: Place }) {
  const system = place.path[1] ?? "";
  const { data, error, reload } = useLoaded(async (signal) =>
    (await api.sessions({ system_id: system, page_size: 1 }, signal))
      .support_sessions[0], [system]);
  const [own, setOwn] = useState<OwnTerminal[]>();
  const [tabs, setTabs] = useState<Tab[]>([]);
  const [shown, setShown] = useState(0);
  const [states, setStates] =
    useState<Record<number, { state: ShellState; recorded: boolean }>>({});
  const [picking, setPicking] = useState(false);
  const [find, setFind] = useState("");
  const count = useRef(0);
  const enough = useRef(new Set<number>()).current;
  const active = data?.sessions.filter((s) => s.status === "active") ?? [];
  const lives = (n: number) => states[n]?.state === "connected" ||
    states[n]?.state === "again";
  const living = tabs.some((x) => lives(x.n));
  const away = active.length > 0 && !active.some((s) => s.tunnel_connected);

  function add(s: SessionRef, back?: string): void {
    const tab = { n: ++count.current, session: s.id, node: s.node_id ?? "",
      back };
    setTabs((old) => [...old, tab]);
    setShown(tab.n);
    setPicking(false);
  }

  function another(): void {
    if (active.length > 1)
      setPicking(true);
    else if (active[0])
      add(active[0]);
  }

  function drop(n: number): void {
    if (lives(n) && !confirm(t("termLeave")))
      return;
    enough.add(n);
    const rest = tabs.filter((x) => x.n !== n);
    setTabs(rest);
    if (shown === n)
      setShown(rest[rest.length - 1]?.n ?? 0);
  }

  /* What waits for us, if this page was here before, comes back first. */
  useEffect(() => {
    const stop = new AbortController();
    api.terminals(stop.signal).then((x) => setOwn(x.terminals),
      () => { if (!stop.signal.aborted) setOwn([]); });
    return () => stop.abort();
  }, [system]);
  useEffect(() => {
    if (own === undefined || active.length === 0 || count.current !== 0)
      return;
    for (const x of own) {
      const s = active.find((a) => a.id === x.session_id);
      if ((x.waits || letGo.has(x.terminal)) && s !== undefined)
        add(s, x.terminal);
    }
    if (count.current === 0)
      another();
  }, [data, own]);

  if (data === undefined && tabs.length === 0)
    return error !== undefined ? <Failure error={error} retry={reload} /> :
      <Loading />;
  const name = data?.system_name || data?.system_key || system;
  return (
    <div class="terminals">
      <h1 class="unseen">{t("terminal")}: {name}</h1>
      <div class="bar">
        <a class="button plain compact" title={t("back")}
          href={href(["sessions"])} onClick={(e) => {
            if (living && !confirm(t("termLeave")))
              e.preventDefault();
            else
              tabs.forEach((x) => enough.add(x.n));
          }}><Icon name="back" /><span class="unseen">{t("back")}</span></a>
        <strong class="system">{name}</strong>
        {/* A list of tabs has nothing but tabs: these are not all of it. */}
        {tabs.length > 0 && <span role="tablist" aria-label={t("terminals")}
          aria-owns={tabs.map((x) => `tab-${x.n}`).join(" ")} />}
        <div class="tablist">
          {tabs.map((x) => {
            const s = states[x.n]?.state ?? "connecting";
            return (
              <span key={x.n} class="tab" data-shown={x.n === shown}>
                <button type="button" role="tab" id={`tab-${x.n}`}
                  aria-selected={x.n === shown}
                  onClick={() => setShown(x.n)}>
                  <span class={`dot ${s === "connected" ? "good" :
                    s === "ended" ? "bad" : "fair"}`} role="img"
                    aria-label={t(s)} />
                  {x.node ? t("node", { node: x.node }) : x.n}
                  {states[x.n]?.recorded && <span class="rec" role="img"
                    title={t("recorded")} aria-label={t("recorded")}>REC</span>}
                </button>
                <Button icon="close" compact onClick={() => drop(x.n)}>
                  {t("closeTab")}</Button>
              </span>);
          })}
        </div>
        <Button icon="plus" compact disabled={active.length === 0}
          onClick={another}>{t("newTab")}</Button>
        <span class="spring" />
        <input class="find" type="search" aria-label={t("find")}
          placeholder={t("find")} value={find}
          onInput={(e) => setFind(e.currentTarget.value)} />
      </div>
      {tabs.length > 0 && away && <p class="lost" role="status">
        {t("tunnelDown")}</p>}
      {tabs.length === 0 && <Empty title={t("tunnelDown")} />}
      {tabs.map((x) => (
        <View key={x.n} tab={x} shown={x.n === shown} find={find}
          enough={enough}
          onState={(state, recorded) => setStates((old) =>
            ({ ...old, [x.n]: { state, recorded } }))} />))}
      {picking && (
        <Dialog title={t("chooseNode")} onClose={() => setPicking(false)}>
          <div class="pick">
            {active.map((s) => (
              <Button key={s.id} icon="terminal" onClick={() => add(s)}>
                {t("node", { node: s.node_id ?? "-" })}</Button>))}
          </div>
        </Dialog>)}
    </div>
  );
}
