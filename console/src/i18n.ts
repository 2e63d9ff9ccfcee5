// SPDX-License-Identifier: ISC
// Texts and numbers in the reader's language.
import { useEffect, useState } from "preact/hooks";
import { en, type Key } from "./texts/en";
import { it } from "./texts/it";

export const languages = { en: "English", it: "Italiano" } as const;
export type Language = keyof typeof languages;

const catalogue = { en, it };
const heard = new Set<() => void>();

function first(): Language {
  const kept = localStorage.getItem("language");

  if (kept === "en" || kept === "it")
    return kept;
  return navigator.language.toLowerCase().startsWith("it") ? "it" : "en";
}

let now: Language = first();
document.documentElement.lang = now;

export function language(): Language {
  return now;
}

export function setLanguage(l: Language): void {
  now = l;
  localStorage.setItem("language", l);
  document.documentElement.lang = l;
  heard.forEach((f) => f());
}

/** The caller is drawn anew when the language changes. */
export function useLanguage(): Language {
  const [, again] = useState(0);

  useEffect(() => {
    const f = () => again((n) => n + 1);
    heard.add(f);
    return () => { heard.delete(f); };
  }, []);
  return now;
}

/** A text, filled in; with a number `n` its plural is chosen by it. */
export function t(
  key: Key, fill: Record<string, string | number> = {},
): string {
  const forms = catalogue[now][key].split("|");
  const text = forms.length > 1 && fill.n !== 1 ? forms[1] : forms[0];

  return (text ?? "").replace(/\{(\w+)\}/g, (_, k: string) =>
    String(fill[k] ?? ""));
}

// To make a formatter takes the browser longer than to draw a row: each is made
// once in a language.
const kept = new Map<string, unknown>();

function once<T>(name: string, make: (l: Language) => T): T {
  const key = `${name} ${now}`;

  if (!kept.has(key))
    kept.set(key, make(now));
  return kept.get(key) as T;
}

const relative = () => once("relative", (l) =>
  new Intl.RelativeTimeFormat(l, { numeric: "auto" }));
const whole = () => once("whole", (l) => new Intl.DateTimeFormat(l, {
  dateStyle: "medium", timeStyle: "medium" }));
const hour = () => once("hour", (l) =>
  new Intl.DateTimeFormat(l, { timeStyle: "short" }));
const decimal = (digits: number) => once(`decimal ${digits}`, (l) =>
  new Intl.NumberFormat(l, { maximumFractionDigits: digits }));

const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1],
];

/** "in 3 hours", "2 days ago". */
export function ago(iso: string, from = Date.now()): string {
  const s = Math.round((Date.parse(iso) - from) / 1000);
  const [unit, size] = units.find(([, n]) => Math.abs(s) >= n) ??
    units[units.length - 1]!;

  return relative().format(Math.trunc(s / size), unit);
}

export function absolute(iso: string): string {
  return whole().format(new Date(iso));
}

/** How long something took, in at most two units. */
export function span(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  const parts: [number, string][] = [
    [Math.floor(s / 86400), "d"], [Math.floor(s / 3600) % 24, "h"],
    [Math.floor(s / 60) % 60, "min"], [s % 60, "s"],
  ];
  const at = parts.findIndex(([n]) => n > 0);

  return parts.slice(at === -1 ? 3 : at, at === -1 ? 4 : at + 2)
    .filter(([n], i) => n > 0 || i === 0)
    .map(([n, u]) => `${n} ${u}`).join(" ");
}

/** The hour and minute of a moment. */
export function clock(ms: number): string {
  return hour().format(ms);
}

export function number(n: number): string {
  return decimal(1).format(n);
}

export function bytes(n: number): string {
  const names = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;

  for (; n >= 1024 && i < names.length - 1; i++)
    n /= 1024;
  return `${decimal(i === 0 ? 0 : 1).format(n)} ${names[i]}`;
}
