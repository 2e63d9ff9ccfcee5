// SPDX-License-Identifier: ISC
// xterm.js as all of the console's terminals have it.
import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon } from "@xterm/addon-search";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { Terminal, type ITheme } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";

/*
 * xterm.js writes style sheets of its own into the page, which our
 * Content-Security-Policy forbids as it does all that is inline. What it writes
 * becomes a sheet made by script instead, which may be.
 */
const sheets = new WeakMap<HTMLStyleElement, CSSStyleSheet>();

Object.defineProperty(HTMLStyleElement.prototype, "textContent", {
  configurable: true,
  set(this: HTMLStyleElement, text: string) {
    let sheet = sheets.get(this);
    if (sheet === undefined) {
      sheet = new CSSStyleSheet();
      sheets.set(this, sheet);
      document.adoptedStyleSheets.push(sheet);
    }
    sheet.replaceSync(text);
  },
});
HTMLStyleElement.prototype.remove = function (this: HTMLStyleElement) {
  document.adoptedStyleSheets = document.adoptedStyleSheets.filter((s) =>
    s !== sheets.get(this));
  Element.prototype.remove.call(this);
};

/* And so do the colours that it writes to a word of its own, without WebGL. */
HTMLSpanElement.prototype.setAttribute = function (
  this: HTMLSpanElement, name: string, value: string,
) {
  if (name === "style")
    this.style.cssText = value;
  else
    Element.prototype.setAttribute.call(this, name, value);
};

const theme: ITheme = {
  background: "#101418", foreground: "#e6e6e6", cursor: "#7fd6d6",
  selectionBackground: "#2f5d62",
};

export interface Screen {
  term: Terminal;
  fit: FitAddon;
  search: SearchAddon;
}

export function makeScreen(where: HTMLElement, live: boolean): Screen {
  const term = new Terminal({
    theme, fontSize: 14, scrollback: 5000, disableStdin: !live,
    cursorBlink: live, screenReaderMode: false, allowProposedApi: false,
    fontFamily: "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace",
  });
  const fit = new FitAddon(), search = new SearchAddon();

  term.loadAddon(fit);
  term.loadAddon(search);
  term.loadAddon(new WebLinksAddon((_, uri) => {
    window.open(uri, "_blank", "noopener,noreferrer");
  }));
  /* As in other terminals, ^C being taken. Pasting is the browser's. */
  term.attachCustomKeyEventHandler((e) => {
    if (e.type !== "keydown" || !e.ctrlKey || !e.shiftKey || e.code !== "KeyC")
      return true;
    e.preventDefault();
    if (term.hasSelection())
      void navigator.clipboard?.writeText(term.getSelection());
    return false;
  });
  term.open(where);
  try {
    const gl = new WebglAddon();
    gl.onContextLoss(() => gl.dispose());
    term.loadAddon(gl);
  } catch {
    // Without WebGL it draws by the DOM.
  }
  return { term, fit, search };
}
