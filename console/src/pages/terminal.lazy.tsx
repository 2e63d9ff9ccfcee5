// SPDX-License-Identifier: ISC
import { lazy } from "../lazy";
import type { Place } from "../route";

export const TerminalPage = lazy<{ place: Place }>(async () =>
  (await import("./terminal")).Terminals);
