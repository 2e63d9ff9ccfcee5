// SPDX-License-Identifier: ISC
// Plays an asciicast v2: a line with the size, then a line for each piece of
// output, [seconds, "o", text].
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../api";
import { bytes, span, t } from "../i18n";
import { save } from "../save";
import type { Recording } from "../types";
import { Button, Failure, Progress } from "../ui";
import { makeScreen, type Screen } from "../xterm";

interface Cast {
  cols: number;
  rows: number;
  events: [at: number, kind: string, data: string][];
  text: string;
}

const SPEEDS = [0.5, 1, 2, 4, 16];
const IDLE_MAX = 2;	/* seconds; longer silence is cut to this */
const COLS_MAX = 1000;

function parse(text: string): Cast {
  const lines = text.split("\n").filter((l) => l !== "");
  const head = JSON.parse(lines[0] ?? "{}") as {
    width?: number; height?: number;
  };
  const events: Cast["events"] = [];
  let before = 0, at = 0;

  for (const line of lines.slice(1)) {
    const e = JSON.parse(line) as unknown;
    if (!Array.isArray(e) || typeof e[0] !== "number" ||
        typeof e[1] !== "string" || typeof e[2] !== "string")
      continue;
    at += Math.min(IDLE_MAX, Math.max(0, e[0] - before));
    before = e[0];
    events.push([at, e[1], e[2]]);
  }
  const bound = (n: unknown, d: number) =>
    typeof n === "number" && n >= 1 ? Math.min(n, COLS_MAX) : d;
  return { cols: bound(head.width, 80), rows: bound(head.height, 24), events,
    text };
}

function draw(s: Screen, [, kind, data]: Cast["events"][number]): void {
  const size = kind === "r" ? /^(\d+)x(\d+)$/.exec(data) : null;

  if (kind === "o")
    s.term.write(data);
  else if (size)
    s.term.resize(Math.min(Number(size[1]), COLS_MAX) || 80,
      Math.min(Number(size[2]), COLS_MAX) || 24);
}

export function Player(props: { session: string; recording: Recording }) {
  const where = useRef<HTMLDivElement>(null);
  const screen = useRef<Screen>();
  const at = useRef({ event: 0, clock: 0 });
  const [cast, setCast] = useState<Cast>();
  const [error, setError] = useState<unknown>();
  const [come, setCome] = useState({ got: 0, total: props.recording.size });
  const [playing, setPlaying] = useState(true);
  const [speed, setSpeed] = useState(1);
  const [shown, setShown] = useState(0);
  const length = cast?.events[cast.events.length - 1]?.[0] ?? 0;

  useEffect(() => {
    const stop = new AbortController();
    api.recording(props.session, props.recording.id, stop.signal,
      (got, total) => setCome({ got, total })).then(
      (text) => setCast(parse(text)),
      (e: unknown) => { if (!stop.signal.aborted) setError(e); });
    return () => stop.abort();
  }, [props.recording.id]);

  useEffect(() => {
    if (cast === undefined)
      return;
    const s = makeScreen(where.current!, false);
    s.term.resize(cast.cols, cast.rows);
    screen.current = s;
    return () => s.term.dispose();
  }, [cast]);

  useEffect(() => {
    if (cast === undefined || !playing)
      return;
    let before = performance.now();
    let frame = requestAnimationFrame(function step(now) {
      const a = at.current;
      a.clock += (now - before) / 1000 * speed;
      before = now;
      for (; a.event < cast.events.length &&
          cast.events[a.event]![0] <= a.clock; a.event++)
        draw(screen.current!, cast.events[a.event]!);
      setShown(Math.min(a.clock, length));
      if (a.event < cast.events.length)
        frame = requestAnimationFrame(step);
      else
        setPlaying(false);
    });
    return () => cancelAnimationFrame(frame);
  }, [cast, playing, speed]);

  /** Drawn anew from the start: a terminal has no way back. */
  function seek(to: number): void {
    const s = screen.current!;
    let i = 0;

    s.term.reset();
    s.term.resize(cast!.cols, cast!.rows);
    for (; i < cast!.events.length && cast!.events[i]![0] <= to; i++)
      draw(s, cast!.events[i]!);
    at.current = { event: i, clock: to };
    setShown(to);
  }

  if (error !== undefined)
    return <Failure error={error} />;
  if (cast === undefined)
    return <Progress {...come} shown={bytes} />;
  return (
    <div class="player">
      <div class="screen" ref={where} />
      <div class="bar">
        <Button icon={playing ? "pause" : "play"} onClick={() => {
          if (!playing && at.current.event >= cast.events.length)
            seek(0);
          setPlaying(!playing);
        }}>{t(playing ? "pause" : "play")}</Button>
        <input type="range" min={0} max={length} step={0.1} value={shown}
          aria-label={t("duration")}
          onInput={(e) => seek(Number(e.currentTarget.value))} />
        <span class="faint">
          {span(shown * 1000)} / {span(length * 1000)}</span>
        <label class="inline">{t("speed")}
          <select value={speed} onChange={(e) =>
            setSpeed(Number(e.currentTarget.value))}>
            {SPEEDS.map((n) => <option key={n} value={n}>{n}x</option>)}
          </select>
        </label>
        <Button icon="link" onClick={() => save(
          `${props.recording.id}.cast`, "application/x-asciicast",
          [cast.text])}>{t("download")}</Button>
      </div>
    </div>
  );
}
