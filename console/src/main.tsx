// SPDX-License-Identifier: ISC
import { render } from "preact";
import { App } from "./app";
import { arrive } from "./oidc";
import "./style.css";

function show(failure: string): void {
  render(<App failure={failure} />, document.getElementById("app")!);
}

arrive().then(() => show(""), (e: unknown) => show((e as Error).message));
