// SPDX-License-Identifier: ISC
// Files that the page makes, for the reader to keep.

/** Give it to the browser, as a download. */
export function save(name: string, type: string, parts: string[]): void {
  const url = URL.createObjectURL(new Blob(parts, { type }));

  Object.assign(document.createElement("a"), { href: url, download: name })
    .click();
  URL.revokeObjectURL(url);
}

/** What begins like this a spreadsheet would take for a formula. */
const FORMULA = /^[=+\-@\t\r]/;

function cell(value: string | number | undefined): string {
  const text = typeof value === "string" && FORMULA.test(value) ?
    `'${value}` : String(value ?? "");

  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A line of CSV (RFC 4180). */
export function csvLine(cells: (string | number | undefined)[]): string {
  return `${cells.map(cell).join(",")}\r\n`;
}
