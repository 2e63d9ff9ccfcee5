// SPDX-License-Identifier: ISC
// A small plot of the last hour, drawn by hand: lines over a common scale that
// begins at 0. What is under the pointer is said below it.
import { useState } from "preact/hooks";
import { clock } from "../i18n";

const WIDTH = 300, HEIGHT = 72;
export const HOUR_MS = 3_600_000;

export interface Line {
  text: string;
  values: number[];
}

/** The next of 1, 2, 5, 10, 20, ... (or the same times 1024 for bytes). */
function top(most: number, binary: boolean): number {
  let unit = 1;

  if (binary)
    while (most > 1000 * unit)
      unit *= 1024;
  for (let ten = 1; ; ten *= 10)
    for (const n of [1, 2, 5])
      if (n * ten * unit >= most)
        return n * ten * unit;
}

export function Plot({ title, lines, at, end, binary = false, format }: {
  title: string; lines: Line[];
  /** When each value was; and the right edge, an hour after the left one. */
  at: number[]; end: number;
  binary?: boolean; format: (n: number) => string;
}) {
  const [under, setUnder] = useState<number>();
  const most = Math.max(0, ...lines.flatMap((l) => l.values));
  const scale = top(most, binary);
  const last = at.length - 1;
  const shown = under === undefined ? last : Math.min(under, last);
  const x = (i: number) =>
    (at[i]! - (end - HOUR_MS)) / HOUR_MS * WIDTH;
  const y = (n: number) => HEIGHT - n / scale * HEIGHT;
  const points = (values: number[]) => values.map((n, i) =>
    `${x(i).toFixed(1)},${y(n).toFixed(1)}`).join(" ");
  const now = lines.map((l) =>
    `${l.text} ${format(l.values[last] ?? 0)}`).join(", ");

  function look(e: PointerEvent): void {
    const box = (e.currentTarget as Element).getBoundingClientRect();
    const where = (e.clientX - box.left) / box.width * WIDTH;
    let near = 0;

    at.forEach((_, i) => {
      if (Math.abs(x(i) - where) < Math.abs(x(near) - where))
        near = i;
    });
    setUnder(near);
  }

  return (
    <figure class="plot card">
      <figcaption>{title}</figcaption>
      <div class="scale faint" aria-hidden="true">
        <span>{format(scale)}</span><span>0</span>
      </div>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none"
        role="img" aria-label={`${title}: ${now}`}
        onPointerMove={look} onPointerLeave={() => setUnder(undefined)}>
        <path class="grid" d={`M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}` +
          `M0 ${HEIGHT}H${WIDTH}M${WIDTH / 4} 0V${HEIGHT}` +
          `M${WIDTH / 2} 0V${HEIGHT}M${WIDTH * 3 / 4} 0V${HEIGHT}`} />
        {lines.map((l, i) => last === 0 ?
          <path key={l.text} class={`line n${i}`}
            d={`M${x(0) - 2} ${y(l.values[0]!)}h4`} /> :
          <polyline key={l.text} class={`line n${i}`}
            points={points(l.values)} />)}
        {under !== undefined && last >= 0 &&
          <path class="under" d={`M${x(shown)} 0V${HEIGHT}`} />}
      </svg>
      <ul class="legend">
        {last >= 0 && <li class="faint">{clock(at[shown]!)}</li>}
        {lines.map((l, i) => (
          <li key={l.text}>
            <svg class="swatch" viewBox="0 0 16 4" aria-hidden="true">
              <path class={`line n${i}`} d="M0 2H16" />
            </svg>
            {l.text} <strong>{last < 0 ? "\u2013" :
              format(l.values[shown]!)}</strong>
          </li>))}
      </ul>
    </figure>
  );
}
