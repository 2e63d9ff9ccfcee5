// SPDX-License-Identifier: ISC
import { useState } from "preact/hooks";
import { api, ApiError, setToken } from "../api";
import { t } from "../i18n";
import { Button, errorText, Field } from "../ui";

/** With a token, once; it is tried before anything else is shown. */
export function SignIn({ onDone }: { onDone: () => void }) {
  const [token, set] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");

  async function signIn(e: Event): Promise<void> {
    e.preventDefault();
    setBusy(true);
    setError("");
    setToken(token.trim());
    try {
      await api.sessions({ page_size: 1 });
      onDone();
    } catch (x) {
      setToken("");
      setError(!(x instanceof ApiError) ? errorText(x) :
        x.status === 401 ? t("tokenBad") :
        x.status === 403 ? t("tokenMay", { permission: "connect:systems" }) :
        errorText(x));
      setBusy(false);
    }
  }

  return (
    <form class="card signin" onSubmit={signIn}>
      <h1>{t("signIn")}</h1>
      <Field label={t("token")} help={t("tokenHelp")} value={token} required
        secret autofocus onInput={set} />
      {error && <p class="failure" role="alert">{error}</p>}
      <Button kind="main" type="submit" busy={busy}>{t("signIn")}</Button>
    </form>
  );
}
