// SPDX-License-Identifier: ISC
import { render } from "preact";
import { App } from "./app";
import { t } from "./i18n";
import { arrive } from "./oidc";
import { isOnce, signInOnce } from "./once";
import "./style.css";

function show(failure: string): void {
  render(<App failure={failure} />, document.getElementById("app")!);
}

addEventListener("hashchange", () => {
  if (isOnce())
    location.reload();
});
if (isOnce())
  signInOnce().then(show);
else
  arrive().then(() => show(""), (e: unknown) =>
    show(t("providerSaid", { why: (e as Error).message })));
