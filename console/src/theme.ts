// SPDX-License-Identifier: ISC
// Light or dark: what the reader chose, else what the system wants.
export type Theme = "light" | "dark";

const dark = matchMedia("(prefers-color-scheme: dark)");

export function theme(): Theme {
  const kept = localStorage.getItem("theme");

  if (kept === "light" || kept === "dark")
    return kept;
  return dark.matches ? "dark" : "light";
}

function draw(): void {
  document.documentElement.dataset.theme = theme();
}

export function setTheme(th: Theme): void {
  localStorage.setItem("theme", th);
  draw();
}

draw();
dark.addEventListener("change", draw);
