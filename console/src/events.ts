// SPDX-License-Identifier: ISC
// When is what is shown read again? When the server says that something has
// changed, by a stream that is read with fetch(), since an EventSource sends no
// Authorization; and when the window gets the focus. While there is no stream,
// the clock says so, and the page that the connection is lost.
import { useEffect, useState } from "preact/hooks";
import { openEvents } from "./api";

const heard = new Set<() => void>();
const watching = new Set<(live: boolean) => void>();
const TOGETHER_MS = 150;	// changes of one moment are one
const WITHOUT_MS = 10_000;	// between two looks while nobody says anything
const SAFE_MS = 120_000;	// and while somebody does
const BACK_MS = [500, 1000, 2000, 5000, 10_000];
const SILENT_MS = 50_000;	// the server says something every 20 s

let live = true, stale = false;
let soon: ReturnType<typeof setTimeout> | undefined;

function setLive(yes: boolean): void {
  if (live === yes)
    return;
  live = yes;
  watching.forEach((f) => f(yes));
}

function changed(): void {
  if (document.hidden)
    stale = true;
  else if (soon === undefined)
    soon = setTimeout(() => {
      soon = undefined;
      stale = false;
      heard.forEach((f) => f());
    }, TOGETHER_MS);
}

function looked(): void {
  if (!document.hidden && stale)
    changed();
}

/** Until the returned function is called. */
export function onChange(f: () => void): () => void {
  heard.add(f);
  return () => { heard.delete(f); };
}

/** Does the server tell of changes as they happen? */
export function useLive(): boolean {
  const [yes, setYes] = useState(live);

  useEffect(() => {
    watching.add(setYes);
    setYes(live);
    return () => { watching.delete(setYes); };
  }, []);
  return yes;
}

async function follow(signal: AbortSignal): Promise<void> {
  const mine = new AbortController();
  const stop = () => mine.abort();
  let silent: ReturnType<typeof setTimeout> | undefined;
  let text = "";

  signal.addEventListener("abort", stop);
  try {
    const body = await openEvents(mine.signal);
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();

    setLive(true);
    changed();		// what happened since, nobody repeats
    for (;;) {
      clearTimeout(silent);
      silent = setTimeout(stop, SILENT_MS);
      const { value, done } = await reader.read();
      if (done)
        return;
      text += value;
      const end = text.lastIndexOf("\n\n");
      if (end === -1)
        continue;
      if (/^data:/m.test(text.slice(0, end)))
        changed();
      text = text.slice(end + 2);
    }
  } finally {
    clearTimeout(silent);
    signal.removeEventListener("abort", stop);
  }
}

/** From sign-in on, until the returned function is called. */
export function watch(): () => void {
  const stop = new AbortController();
  let fails = 0, began = 0, looks = 0;
  let again: ReturnType<typeof setTimeout> | undefined;
  const run = () => {
    began = Date.now();
    follow(stop.signal).catch(() => {}).finally(() => {
      if (stop.signal.aborted)
        return;
      fails = Date.now() - began > 30_000 ? 0 : fails + 1;
      if (fails > 0)
        setLive(false);
      again = setTimeout(run, BACK_MS[Math.min(fails, BACK_MS.length - 1)]);
    });
  };
  const clock = setInterval(() => {
    looks += WITHOUT_MS;
    if (!live || looks >= SAFE_MS) {
      looks = 0;
      changed();
    }
  }, WITHOUT_MS);

  run();
  addEventListener("focus", looked);
  document.addEventListener("visibilitychange", looked);
  return () => {
    stop.abort();
    clearInterval(clock);
    clearTimeout(again);
    setLive(true);
    removeEventListener("focus", looked);
    document.removeEventListener("visibilitychange", looked);
  };
}
