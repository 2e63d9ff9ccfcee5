// SPDX-License-Identifier: ISC
// One shell behind one terminal: a ticket, a WebSocket, and its frames, a type
// byte and a payload (operator-api.md, 6.3 and 6.6). A connection that breaks is
// made anew, to the same shell as long as that waits.
import type { Terminal } from "@xterm/xterm";
import { api, ApiError } from "./api";
import { bytes as sized, t } from "./i18n";
import { errorText } from "./ui";

export type ShellState = "connecting" | "connected" | "again" | "ended";

export interface Shell {
  type: (text: string) => void;
  size: (cols: number, rows: number) => void;
  /** Its operator is there: it does not end for want of typing. */
  stay: () => void;
  /** `keep`: nobody said "enough", and the shell waits to be come back to. */
  end: (keep: boolean) => void;
}

export interface ShellOptions {
  session: string;
  /** A terminal of one's own that waits, to come back to. */
  back?: string | undefined;
  onState: (state: ShellState, recorded: boolean) => void;
  /** So many seconds are left; 0: there is time again. */
  onIdle: (seconds: number) => void;
}

interface Hello {
  terminal: string;
  from: number;
  idle_left: number;
  idle: number;
  grace: number;
}

const BYTES = 0, SIZE = 1, TEXT = 3, ACK = 5, HELLO = 6, STAY = 7;
const WORD = "relayd.terminal.1";
const PASTE_MAX = 1024 * 1024 - 1;	/* of one message */
const ACK_EACH = 32 * 1024;
const ENOUGH = 1000, STOPPING = 1001;	/* codes of a close */
const KEPT = 4000, ELSEWHERE = 4001;
const WARN_S = 60;
const AGAIN_MS = [200, 1000, 2000, 5000];
const RESTART_MS = 5 * 60_000;	/* for the server, and then its client */
const RED = "\x1b[31m", PLAIN = "\x1b[0m";

/**
 * Bytes that xterm.js has not drawn yet. Where the server does not wait for us,
 * what arrives while this is over the limit is left out, and a line says so.
 */
const UNDRAWN_MAX = 16 * 1024 * 1024;

function frame(type: number, payload: Uint8Array): Uint8Array {
  const f = new Uint8Array(payload.length + 1);

  f[0] = type;
  f.set(payload, 1);
  return f;
}

/** Shells that this page has let go of, whether the server knows it or not. */
export const letGo = new Set<string>();

export function connect(term: Terminal, o: ShellOptions): Shell {
  const text = new TextEncoder();
  let ws: WebSocket | undefined, over = false, recorded = false;
  let undrawn = 0, skipped = 0, said = "";
  let id = o.back ?? "", have = 0, drawn = 0, acked = 0, skip = 0;
  let lostAt = 0, stoppedAt = 0, tries = 0, grace = 0;
  let again: ReturnType<typeof setTimeout> | undefined;
  let idle = 0, idleAt = 0, warned = false;

  function last(line: string): void {
    if (over)
      return;
    over = true;
    clearInterval(clock);
    o.onIdle(0);
    term.write(`\r\n${RED}${line}${PLAIN}\r\n`);
    o.onState("ended", recorded);
  }

  function send(type: number, payload: Uint8Array): void {
    if (ws?.readyState === WebSocket.OPEN)
      ws.send(frame(type, payload));
  }

  function size(cols: number, rows: number): void {
    send(SIZE, text.encode(JSON.stringify({ cols, rows })));
  }

  function active(): void {
    idleAt = Date.now() + idle * 1000;
    if (warned)
      o.onIdle(0);
    warned = false;
  }

  const clock = setInterval(() => {
    const left = Math.ceil((idleAt - Date.now()) / 1000);

    if (over || idle === 0 || left > Math.min(WARN_S, idle / 2))
      return;
    warned = true;
    o.onIdle(Math.max(1, left));
  }, 1000);

  function acknowledge(n: number): void {
    drawn += n;
    if (drawn - acked < ACK_EACH && undrawn > 0)
      return;
    acked = drawn;
    const payload = new Uint8Array(8);
    new DataView(payload.buffer).setBigUint64(0, BigInt(acked));
    send(ACK, payload);
  }

  function hello(h: Hello): void {
    id = h.terminal;
    letGo.delete(id);
    grace = h.grace;
    idle = h.idle;
    idleAt = Date.now() + h.idle_left * 1000;
    if (h.from > have) {
      if (have > 0)
        term.write(`\r\n${RED}${t("termSkipped", {
          bytes: sized(h.from - have) })}${PLAIN}\r\n`);
      have = h.from;
    }
    skip = have - h.from;
    drawn = acked = h.from;
  }

  /* What was drawn before is shown again by the server, but not by us. */
  function draw(bytes: Uint8Array): void {
    const known = Math.min(skip, bytes.length), rest = bytes.subarray(known);
    const socket = ws;

    skip -= known;
    have += rest.length;
    undrawn += rest.length;
    term.write(rest, () => {
      undrawn -= rest.length;
      if (socket === ws && ws?.protocol === WORD)
        acknowledge(bytes.length);
    });
  }

  function heard(data: ArrayBuffer): void {
    const bytes = new Uint8Array(data), rest = bytes.subarray(1);

    if (bytes[0] === TEXT) {
      said = new TextDecoder().decode(rest);
      term.write(`\r\n${RED}${said}${PLAIN}\r\n`);
    } else if (bytes[0] === HELLO) {
      hello(JSON.parse(new TextDecoder().decode(rest)) as Hello);
    } else if (bytes[0] === BYTES && undrawn >= UNDRAWN_MAX) {
      skipped += rest.length;
    } else if (bytes[0] === BYTES) {
      if (skipped > 0)
        term.write(`\r\n${RED}${t("termSkipped", {
          bytes: sized(skipped) })}${PLAIN}\r\n`);
      skipped = 0;
      draw(rest);
    }
  }

  /* The same shell once more, as long as it can be there. */
  function comeBack(): boolean {
    if (over || id === "" || grace === 0)
      return false;
    lostAt ||= Date.now();
    if (Date.now() - lostAt > grace * 1000)
      return false;
    o.onState("again", recorded);
    again = setTimeout(open, AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)]);
    tries++;
    return true;
  }

  /* The server stops and takes the shell along: another one, once it is back. */
  function anew(): boolean {
    stoppedAt ||= Date.now();
    if (Date.now() - stoppedAt > RESTART_MS)
      return false;
    id = said = "";
    have = 0;
    o.onState("again", recorded);
    again = setTimeout(open, AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)]);
    tries++;
    return true;
  }

  function closed(e: CloseEvent): void {
    if (over || ((e.code === STOPPING || stoppedAt !== 0) && anew()))
      return;
    if (e.code === ENOUGH)
      last(t("termEnded", { why: e.reason ? ` (${e.reason})` : "" }));
    else if (e.code === ELSEWHERE)
      last(t("termElsewhere"));
    else if (e.code === 1008 && said !== "")
      last(t("termEnded", { why: "" }));
    else if (e.code === 1011)
      last(t("termDropped"));
    else if (e.code !== 1006 || !comeBack())
      last(e.reason ? t("termRefused", { why: e.reason }) : t("termLost"));
  }

  function refused(e: unknown): void {
    const lost = lostAt !== 0;

    if (over || (stoppedAt !== 0 && e instanceof ApiError &&
        e.status !== 401 && e.status !== 403 && anew()))
      return;
    if (lost && e instanceof ApiError && e.status === 404)
      last(t("termLost"));
    else if (!(lost && e instanceof ApiError && (e.status === 0 ||
        e.status >= 500 || e.status === 429) && comeBack()))
      last(t("termRefused", { why: errorText(e) }));
  }

  function open(): void {
    api.ticket(o.session, id).then((k) => {
      if (over)
        return;
      recorded = k.recorded === true;
      const scheme = location.protocol === "https:" ? "wss" : "ws";
      ws = new WebSocket(`${scheme}://${location.host}/api/support-sessions/` +
        `${encodeURIComponent(o.session)}/terminal?ticket=${k.ticket}`, WORD);
      ws.binaryType = "arraybuffer";
      ws.onopen = () => {
        if (stoppedAt !== 0)
          term.write(`\r\n${RED}${t("termAnew")}${PLAIN}\r\n`);
        lostAt = stoppedAt = tries = 0;
        size(term.cols, term.rows);
        if (!over)
          o.onState("connected", recorded);
      };
      ws.onmessage = (e) => heard(e.data as ArrayBuffer);
      ws.onclose = closed;
    }, refused);
  }

  o.onState("connecting", false);
  open();
  return {
    size,
    type(d) {
      const bytes = text.encode(d);
      active();
      for (let i = 0; i < bytes.length; i += PASTE_MAX)
        send(BYTES, bytes.subarray(i, i + PASTE_MAX));
    },
    stay() {
      active();
      send(STAY, new Uint8Array(0));
    },
    end(keep) {
      if (!over && id !== "" && keep)
        letGo.add(id);
      else if (!over && id !== "" && ws?.readyState !== WebSocket.OPEN)
        api.endTerminal(id).catch(() => {});
      over = true;
      clearTimeout(again);
      clearInterval(clock);
      ws?.close(keep ? KEPT : ENOUGH);
    },
  };
}
