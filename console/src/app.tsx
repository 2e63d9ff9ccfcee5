// SPDX-License-Identifier: ISC
// The frame around the pages: who is signed in, and which page the address
// names.
import { useEffect, useState } from "preact/hooks";
import { api, hasToken, onSignedOut, setToken } from "./api";
import { useLive, watch } from "./events";
import {
  languages, setLanguage, t, useLanguage, type Language,
} from "./i18n";
import { lazy } from "./lazy";
import { ended, forget } from "./oidc";
import { SessionPage } from "./pages/session";
import { SessionsPage } from "./pages/sessions";
import { SignIn } from "./pages/signin";
import { SystemsPage } from "./pages/systems";
import { TerminalPage } from "./pages/terminal.lazy";
import { href, usePlace } from "./route";
import { setTheme, theme } from "./theme";
import { Button, Empty, Icon, News, tell, untell } from "./ui";

const StatusPage =
  lazy(async () => (await import("./pages/status")).StatusPage);

/** What the one who is signed in may; nothing until the server says. */
function useRights(signedIn: boolean): string[] {
  const [rights, setRights] = useState<string[]>([]);

  useEffect(() => {
    setRights([]);
    if (!signedIn)
      return;
    const stop = new AbortController();
    api.me(stop.signal).then((me) => setRights(me.permissions), () => {});
    return () => stop.abort();
  }, [signedIn]);
  return rights;
}

function Top({ signedIn, rights, signOut }: {
  signedIn: boolean; rights: string[]; signOut: () => void;
}) {
  const { path } = usePlace();
  const at = path[0] ?? "sessions";
  const link = (name: "sessions" | "systems" | "daemon") => (
    <a href={href([name])} aria-current={
      at === name || (name === "sessions" && at === "session") ?
        "page" : undefined}>{t(name)}</a>
  );

  return (
    <header class="top">
      <a class="brand" href={href(["sessions"])}>
        <img src="/assets/icon.svg" alt="" width="26" height="26" />
        <span>relayd</span>
      </a>
      {signedIn && <nav>
        {link("sessions")}{link("systems")}
        {rights.includes("read:status") && link("daemon")}
      </nav>}
      <span class="spring" />
      <select aria-label={t("language")} value={useLanguage()} onChange={(e) =>
        setLanguage(e.currentTarget.value as Language)}>
        {Object.entries(languages).map(([k, v]) =>
          <option key={k} value={k}>{v}</option>)}
      </select>
      <button type="button" class="button plain compact" title={t("theme")}
        aria-label={t("theme")}
        onClick={() => setTheme(theme() === "dark" ? "light" : "dark")}>
        <Icon name="theme" />
      </button>
      {signedIn && <Button onClick={signOut}>{t("signOut")}</Button>}
    </header>
  );
}

/** Said once it lasts; it heals by itself. */
function Lost() {
  const live = useLive();
  const [said, setSaid] = useState(false);

  useEffect(() => {
    const timer = setTimeout(() => setSaid(!live), live ? 0 : 1500);
    return () => clearTimeout(timer);
  }, [live]);
  return <p class="lost" role="status" hidden={!said}>{said && t("lost")}</p>;
}

function Page() {
  const place = usePlace();
  const [name = "sessions", id = ""] = place.path;

  switch (name) {
  case "sessions":
    return <SessionsPage place={place} />;
  case "session":
    return <SessionPage key={id} id={id} place={place} />;
  case "systems":
    return <SystemsPage place={place} />;
  case "daemon":
    return <StatusPage />;
  default:
    return (
      <Empty title={t("notFound")}>
        <a class="button main" href={href(["sessions"])}>{t("sessions")}</a>
      </Empty>);
  }
}

/** `failure`: what went wrong with signing in on the way here, for people. */
export function App({ failure }: { failure: string }) {
  const [signedIn, setSignedIn] = useState(hasToken());
  const place = usePlace();
  const rights = useRights(signedIn);

  useLanguage();
  useEffect(() => onSignedOut(() => setSignedIn((was) => {
    if (was && !ended())
      tell(t("expired"));
    return false;
  })), []);
  useEffect(() => signedIn ? watch() : undefined, [signedIn]);
  if (signedIn && place.path[0] === "terminal")
    return <><TerminalPage place={place} /><News /></>;
  return (
    <>
      <a class="skip" href="#content" onClick={(e) => {
        e.preventDefault();
        document.getElementById("content")?.focus();
      }}>{t("skip")}</a>
      <Top signedIn={signedIn} rights={rights} signOut={() => {
        api.endTerminals().catch(() => {});
        setToken("");
        setSignedIn(false);
        void forget().then((told) =>
          tell(t(told ? "signedOut" : "signedOutHere")));
      }} />
      {signedIn && <Lost />}
      <main id="content" tabIndex={-1}>
        {signedIn ? <Page /> : <SignIn failure={failure} onDone={() => {
          untell();
          setSignedIn(true);
        }} />}
      </main>
      <News />
    </>
  );
}
