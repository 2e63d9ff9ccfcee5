// SPDX-License-Identifier: ISC
import type { Organization } from "./types";

/** As people call it; one without a name by its id. */
export function orgName(of: { organization: Organization }): string {
  return of.organization.name || of.organization.id;
}
