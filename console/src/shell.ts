// SPDX-License-Identifier: ISC
// One shell behind one terminal: a ticket, a WebSocket, and its frames: a type
// byte and a payload (0 bytes, 1 size, 3 a text for people).
import type { Terminal } from "@xterm/xterm";
import { api } from "./api";
import { bytes as sized, t } from "./i18n";
import { errorText } from "./ui";

export type ShellState = "connecting" | "connected" | "ended";

export interface Shell {
  type: (text: string) => void;
  size: (cols: number, rows: number) => void;
  end: () => void;
}

const BYTES = 0, SIZE = 1, TEXT = 3;
const PASTE_MAX = 1024 * 1024 - 1;	/* of one message */
const RED = "\x1b[31m", PLAIN = "\x1b[0m";

/**
 * Bytes that xterm.js has not drawn yet. A browser has no way to read a
 * WebSocket more slowly; what arrives while this is over the limit is left out,
 * and a line says so.
 */
const UNDRAWN_MAX = 16 * 1024 * 1024;

function frame(type: number, payload: Uint8Array): Uint8Array {
  const f = new Uint8Array(payload.length + 1);

  f[0] = type;
  f.set(payload, 1);
  return f;
}

export function connect(
  session: string, term: Terminal,
  onState: (state: ShellState, recorded: boolean) => void,
): Shell {
  const text = new TextEncoder();
  let ws: WebSocket | undefined, over = false, recorded = false;
  let undrawn = 0, skipped = 0, said = "";

  function last(line: string): void {
    if (over)
      return;
    over = true;
    term.write(`\r\n${RED}${line}${PLAIN}\r\n`);
    onState("ended", recorded);
  }

  function size(cols: number, rows: number): void {
    if (ws?.readyState === WebSocket.OPEN)
      ws.send(frame(SIZE, text.encode(JSON.stringify({ cols, rows }))));
  }

  function heard(data: ArrayBuffer): void {
    const bytes = new Uint8Array(data), rest = bytes.subarray(1);

    if (bytes[0] === TEXT) {
      said = new TextDecoder().decode(rest);
      term.write(`\r\n${RED}${said}${PLAIN}\r\n`);
    } else if (bytes[0] === BYTES && undrawn >= UNDRAWN_MAX) {
      skipped += rest.length;
    } else if (bytes[0] === BYTES) {
      if (skipped > 0)
        term.write(`\r\n${RED}${t("termSkipped", {
          bytes: sized(skipped) })}${PLAIN}\r\n`);
      skipped = 0;
      undrawn += rest.length;
      term.write(rest, () => { undrawn -= rest.length; });
    }
  }

  function closed(e: CloseEvent): void {
    if (e.code === 1000)
      last(t("termEnded", { why: e.reason ? ` (${e.reason})` : "" }));
    else if (e.code === 1008 && said !== "")
      last(t("termEnded", { why: "" }));
    else
      last(e.reason ? t("termRefused", { why: e.reason }) : t("termLost"));
  }

  onState("connecting", false);
  api.ticket(session).then((k) => {
    if (over)
      return;
    recorded = k.recorded === true;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    ws = new WebSocket(`${scheme}://${location.host}/api/support-sessions/` +
      `${encodeURIComponent(session)}/terminal?ticket=${k.ticket}`);
    ws.binaryType = "arraybuffer";
    ws.onopen = () => {
      size(term.cols, term.rows);
      if (!over)
        onState("connected", recorded);
    };
    ws.onmessage = (e) => heard(e.data as ArrayBuffer);
    ws.onclose = closed;
  }, (e: unknown) => last(t("termRefused", { why: errorText(e) })));
  return {
    size,
    type(d) {
      const bytes = text.encode(d);
      if (ws?.readyState === WebSocket.OPEN)
        for (let i = 0; i < bytes.length; i += PASTE_MAX)
          ws.send(frame(BYTES, bytes.subarray(i, i + PASTE_MAX)));
    },
    end() {
      over = true;
      ws?.close(1000);
    },
  };
}
