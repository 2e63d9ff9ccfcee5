// SPDX-License-Identifier: ISC
// A one-time sign-in: relayctl prints an address of the console with a code in
// its fragment, which no server sees and no Referer has. It is taken out of the
// address and the history before anything else is done with it.
import { api, ApiError, setToken } from "./api";
import { t } from "./i18n";
import { forget } from "./oidc";

const PLACE = "#/sign-in/";

export function isOnce(): boolean {
  return location.hash.startsWith(PLACE);
}

/** Why it was not to be, for people; "": signed in. */
export async function signInOnce(): Promise<string> {
  // In a cluster the member that made it is named behind it.
  const [code = "", member] = location.hash.slice(PLACE.length).split("@");

  history.replaceState(null, "", "/");
  void forget();
  try {
    setToken((await api.signIn(code, member)).token);
    return "";
  } catch (e) {
    return e instanceof ApiError && e.status === 429 ? t("onceMany") :
      e instanceof ApiError && e.status < 500 && e.status >= 400 ?
        t("onceBad") : t("onceFailed");
  }
}
