// SPDX-License-Identifier: ISC
// When is what is shown read again? Every few seconds as long as somebody may
// look at it, and when the window gets the focus.
const heard = new Set<() => void>();
const EVERY_MS = 4000;

function changed(): void {
  if (!document.hidden)
    heard.forEach((f) => f());
}

/** Until the returned function is called. */
export function onChange(f: () => void): () => void {
  heard.add(f);
  return () => { heard.delete(f); };
}

/** From sign-in on, until the returned function is called. */
export function watch(): () => void {
  const clock = setInterval(changed, EVERY_MS);

  addEventListener("focus", changed);
  document.addEventListener("visibilitychange", changed);
  return () => {
    clearInterval(clock);
    removeEventListener("focus", changed);
    document.removeEventListener("visibilitychange", changed);
  };
}
