// SPDX-License-Identifier: ISC
// A component whose code is fetched when it is first drawn.
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Failure, Loading } from "./ui";

export function lazy<P extends object>(
  load: () => Promise<ComponentType<P>>,
): ComponentType<P> {
  let found: ComponentType<P> | undefined;

  return function Lazy(props: P) {
    const [, again] = useState(0);
    const [error, setError] = useState<unknown>();

    useEffect(() => {
      if (found === undefined)
        load().then((c) => {
          found = c;
          again(1);
        }, setError);
    }, []);
    if (error !== undefined)
      return <Failure error={error} />;
    if (found === undefined)
      return <Loading />;
    const C = found;
    return <C {...props} />;
  };
}
