// SPDX-License-Identifier: ISC
// What a page shows, kept fresh: read at once, when the server says that
// something changed, when the window gets the focus, and after a failure again.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./api";
import { onChange } from "./events";

export interface Loaded<T> {
  data: T | undefined;
  error: unknown;
  reload: () => void;
}

const AGAIN_MS = 3000;

/** `read` is run anew whenever one of `deps` is another one. */
export function useLoaded<T>(
  read: (signal: AbortSignal) => Promise<T>, deps: unknown[],
): Loaded<T> {
  const [data, setData] = useState<T>();
  const [error, setError] = useState<unknown>();
  const [turn, setTurn] = useState(0);
  const latest = useRef(read);
  const reload = useCallback(() => setTurn((n) => n + 1), []);

  latest.current = read;
  useEffect(() => setData(undefined), deps);
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;

    latest.current(stop.signal).then((d) => {
      if (stop.signal.aborted)
        return;
      setData(d);
      setError(undefined);
    }, (e: unknown) => {
      if (stop.signal.aborted)
        return;
      setError(e);
      if (e instanceof ApiError && (e.status === 0 || e.status >= 500 ||
          e.status === 429))
        timer = setTimeout(reload, Math.max(AGAIN_MS, e.retryAfter * 1000));
    });
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [...deps, turn]);
  useEffect(() => onChange(reload), []);
  return { data, error, reload };
}
