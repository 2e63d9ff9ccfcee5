// SPDX-License-Identifier: ISC
import { useEffect, useState } from "preact/hooks";
import { api, ApiError, setToken } from "../api";
import { t } from "../i18n";
import { leave, provider } from "../oidc";
import { Button, errorText, Field } from "../ui";

/** At the identity provider, if there is one. */
function AtProvider({ host, onError }: {
  host: string; onError: (text: string) => void;
}) {
  const [busy, setBusy] = useState(false);

  return (
    <p>
      <Button kind="main" busy={busy} onClick={() => {
        setBusy(true);
        leave(false).catch(() => {
          onError(t("providerLost", { host }));
          setBusy(false);
        });
      }}>{t("signInAt", { host })}</Button>
    </p>
  );
}

/** Or with a token, once; it is tried before anything else is shown. */
export function SignIn({ failure, onDone }: {
  failure: string; onDone: () => void;
}) {
  const [token, set] = useState("");
  const [busy, setBusy] = useState(false);
  const [host, setHost] = useState("");
  const [error, setError] = useState(failure);

  useEffect(() => {
    provider().then(setHost, () => {});
  }, []);

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
      {host !== "" && <AtProvider host={host} onError={setError} />}
      <Field label={t("token")} help={t("tokenHelp")} value={token} required
        secret autofocus={host === ""} onInput={set} />
      {error && <p class="failure" role="alert">{error}</p>}
      <Button kind={host === "" ? "main" : "plain"} type="submit" busy={busy}>
        {t("signIn")}</Button>
    </form>
  );
}
