// SPDX-License-Identifier: ISC
// Where we are is in the address's fragment, which no server sees: a path, and
// what is behind its "?" (filters, page, order).
import { useEffect, useState } from "preact/hooks";

export interface Place {
  path: string[];
  query: URLSearchParams;
}

function here(): Place {
  const [path = "", query = ""] = location.hash.replace(/^#/, "").split("?", 2);

  return {
    path: path.split("/").filter((s) => s !== "").map(decodeURIComponent),
    query: new URLSearchParams(query),
  };
}

export function usePlace(): Place {
  const [place, setPlace] = useState(here);

  useEffect(() => {
    const f = () => setPlace(here());
    addEventListener("hashchange", f);
    return () => removeEventListener("hashchange", f);
  }, []);
  return place;
}

export function href(path: string[], query?: URLSearchParams): string {
  const q = query?.toString() ?? "";

  return `#/${path.map(encodeURIComponent).join("/")}${q ? `?${q}` : ""}`;
}

/** Change what is behind the "?"; without a new entry in the history. */
export function setQuery(place: Place, change: Record<string, string>): void {
  const q = new URLSearchParams(place.query);

  for (const [k, v] of Object.entries(change))
    if (v === "")
      q.delete(k);
    else
      q.set(k, v);
  location.replace(href(place.path, q));
}
