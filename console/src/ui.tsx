// SPDX-License-Identifier: ISC
// The pieces that pages are made of.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { ApiError } from "./api";
import { absolute, ago, t } from "./i18n";
import type { Loaded } from "./load";
import { setQuery, type Place } from "./route";
import type { Key } from "./texts/en";
import type { Health, Pagination, Status, SystemStatus } from "./types";

const paths = {
  terminal: "M4 17l6-5-6-5M12 19h8",
  services: "M4 6h16M4 12h16M4 18h10",
  plus: "M12 5v14M5 12h14",
  clock: "M12 7v5l3 2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  link: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13",
  back: "M15 5l-7 7 7 7",
  headset: "M4 15v-3a8 8 0 0 1 16 0v3M4 14h3v6H5a1 1 0 0 1-1-1z" +
    "M20 14h-3v6h2a1 1 0 0 0 1-1z",
  theme: "M12 3a9 9 0 1 0 9 9 7 7 0 0 1-9-9",
  play: "M7 4l13 8-13 8z",
  pause: "M7 4v16M17 4v16",
  key: "M14 10a5 5 0 1 0-4 4l2 2h2v2h2v2h4v-4z",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}

export function Button(props: {
  icon?: IconName;
  children: ComponentChildren;
  kind?: "main" | "danger" | "plain";
  /** Only the icon is drawn; the text is for those who cannot see it. */
  compact?: boolean;
  busy?: boolean;
} & Omit<JSX.HTMLAttributes<HTMLButtonElement>, "icon">) {
  const { icon, children, kind = "plain", compact, busy, ...rest } = props;

  return (
    <button type="button" {...rest}
      class={`button ${kind}${compact ? " compact" : ""}`}
      disabled={busy || (rest.disabled as boolean | undefined)}
      aria-busy={busy} title={compact ? String(children) : undefined}>
      {icon && <Icon name={icon} />}
      <span class={compact ? "unseen" : ""}>{children}</span>
    </button>
  );
}

/** A point in time: how far away, and which when one looks closer. */
export function Time({ at }: { at: string }) {
  return <time dateTime={at} title={absolute(at)}>{ago(at)}</time>;
}

const statusText: Record<Status, Key> = {
  pending: "pending", active: "active", closed: "closed",
  expired: "expiredState",
};

export function StatusBadge({ status }: { status: Status | SystemStatus }) {
  return (
    <span class={`badge ${status}`}>
      {t(statusText[status as Status] ?? (status as Key))}
    </span>
  );
}

const healthClass: Record<Health, string> = {
  ok: "good", warning: "fair", timeout: "fair", error: "bad", critical: "bad",
  "": "none",
};

export function HealthDot({ status }: { status: Health }) {
  const text = status === "" ? t("unknown") : t(status);

  return (
    <span class={`dot ${healthClass[status] ?? "none"}`} role="img"
      aria-label={text} title={text} />
  );
}

export const RANK: Health[] = ["critical", "error", "timeout", "warning", "ok",
  ""];

export function worstFirst<T extends { status: Health }>(list: T[]): T[] {
  return [...list].sort((a, b) =>
    RANK.indexOf(a.status) - RANK.indexOf(b.status));
}

export function Copy({ text }: { text: string }) {
  const [done, setDone] = useState(false);

  useEffect(() => {
    if (!done)
      return;
    const timer = setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  return (
    <Button icon="copy" compact onClick={() => {
      void navigator.clipboard?.writeText(text).then(() => setDone(true));
    }}>{done ? t("copied") : t("copy")}</Button>
  );
}

/** A value that may not be read over a shoulder. */
export function Hidden({ value, label }: { value: string; label: string }) {
  const [open, setOpen] = useState(false);

  return (
    <span class="hidden-value">
      <code>{open ? value : "\u2022".repeat(10)}</code>
      <button type="button" class="button plain small"
        onClick={() => setOpen(!open)} aria-label={
          `${t(open ? "hide" : "show")}: ${label}`}>
        {t(open ? "hide" : "show")}
      </button>
      <Copy text={value} />
    </span>
  );
}

export function Empty(props: {
  title: string; help?: string; children?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <h2>{props.title}</h2>
      {props.help && <p>{props.help}</p>}
      {props.children}
    </div>
  );
}

export function errorText(e: unknown): string {
  if (!(e instanceof ApiError))
    return t("failed");
  return e.status === 0 ? t("lost") : e.message || t("failed");
}

export function Failure({ error, retry }: {
  error: unknown; retry?: () => void;
}) {
  const request = error instanceof ApiError ? error.request : "";

  return (
    <div class="failure" role="alert">
      <p>{errorText(error)}</p>
      {request && <p class="faint">{t("requestId", { id: request })}</p>}
      {retry && <Button onClick={retry}>{t("retry")}</Button>}
    </div>
  );
}

export function Loading() {
  return <p class="loading" role="status">{t("loading")}</p>;
}

/** How far something long is; without a total only that it goes on. */
export function Progress({ got, total, shown }: {
  got: number; total: number; shown: (n: number) => string;
}) {
  return (
    <p class="progress">
      <progress aria-label={t("loading")}
        {...(total > 0 ? { max: total, value: Math.min(got, total) } : {})} />
      <span class="faint">{total > 0 ? t("gotOf", { got: shown(got),
        total: shown(total) }) : shown(got)}</span>
    </p>
  );
}

/** A dialog of the browser's own: Escape, focus and the rest are its work. */
export function Dialog(props: {
  title: string; onClose: () => void; wide?: boolean;
  children: ComponentChildren;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const title = useId();

  useEffect(() => {
    ref.current?.showModal();
  }, []);
  return (
    <dialog ref={ref} class={props.wide ? "wide" : ""} aria-labelledby={title}
      onClose={props.onClose} onClick={(e) => {
        if (e.target === ref.current)
          ref.current?.close();
      }}>
      <div class="dialog">
        <header>
          <h2 id={title}>{props.title}</h2>
          <Button icon="close" compact onClick={() => ref.current?.close()}>
            {t("close")}
          </Button>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}

export function Confirm(props: {
  title: string; text: string; action: string;
  onYes: () => Promise<void>; onClose: () => void;
}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();

  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <p>{props.text}</p>
      {error !== undefined && <Failure error={error} />}
      <footer>
        <Button onClick={props.onClose}>{t("cancel")}</Button>
        <Button kind="danger" busy={busy} onClick={async () => {
          setBusy(true);
          try {
            await props.onYes();
            props.onClose();
          } catch (e) {
            setError(e);
            setBusy(false);
          }
        }}>{props.action}</Button>
      </footer>
    </Dialog>
  );
}

export function Field(props: {
  label: string; help?: string; value: string; pattern?: string;
  required?: boolean; autofocus?: boolean; list?: string; secret?: boolean;
  onInput: (v: string) => void;
}) {
  const id = useId();

  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <input id={id} value={props.value} required={props.required ?? false}
        autofocus={props.autofocus ?? false} list={props.list}
        type={props.secret ? "password" : "text"} pattern={props.pattern}
        aria-describedby={props.help ? `${id}-help` : undefined}
        autocomplete="off" spellcheck={false}
        onInput={(e) => props.onInput(e.currentTarget.value)} />
      {props.help && <p id={`${id}-help`} class="faint">{props.help}</p>}
    </div>
  );
}

const sizes = [5, 10, 25, 50, 100];

/** Which part of a list is shown; the address keeps it. */
export function Pages(props: {
  of: Pagination; place: Place;
  /** May the number of rows be chosen? The choice is kept. */
  choose?: boolean;
}) {
  const { page, total_pages, page_size } = props.of;
  const text = t("pageOf", { page, pages: Math.max(1, total_pages) });
  const go = (n: number) => setQuery(props.place, { page: String(n) });

  return (
    <nav class="pages" aria-label={text}>
      <Button disabled={!props.of.has_prev} onClick={() => go(page - 1)}>
        {t("previous")}</Button>
      <span>{text}</span>
      <Button disabled={!props.of.has_next} onClick={() => go(page + 1)}>
        {t("next")}</Button>
      {props.choose && (
        <label class="inline">{t("rows")}
          <select value={page_size} onChange={(e) => {
            localStorage.setItem("rows", e.currentTarget.value);
            setQuery(props.place, { rows: e.currentTarget.value, page: "" });
          }}>
            {sizes.map((n) => <option key={n} value={n}>{n}</option>)}
          </select>
        </label>
      )}
    </nav>
  );
}

/** How many rows, as it was chosen the last time. */
export function rowsKept(): number {
  return Number(localStorage.getItem("rows")) || 10;
}

/** What was loaded; until then, or if it was not, a word about that. */
export function Shown<T>(props: {
  of: Loaded<T>; children: (data: T) => ComponentChildren;
}) {
  const { data, error, reload } = props.of;

  if (data !== undefined)
    return <>{props.children(data)}</>;
  return error !== undefined ? <Failure error={error} retry={reload} /> :
    <Loading />;
}

// ---- short news, at the edge of the page ----

let say: (text: string) => void = () => {};

export function tell(text: string): void {
  say(text);
}

/** What was told is no news any more. */
export function untell(): void {
  say("");
}

export function News() {
  const [lines, setLines] = useState<{ n: number; text: string }[]>([]);

  useEffect(() => {
    let n = 0;
    say = (text) => {
      const mine = ++n;
      if (text === "") {
        setLines([]);
        return;
      }
      setLines((old) => [...old.slice(-3), { n: mine, text }]);
      setTimeout(() =>
        setLines((old) => old.filter((x) => x.n !== mine)), 5000);
    };
  }, []);
  return (
    <div class="news" role="status" aria-live="polite">
      {lines.map((x) => <p key={x.n}>{x.text}</p>)}
    </div>
  );
}
