/** Which webhooks need somebody: failing, or switched off. */

import type { Schema } from "../../api/types";

type Webhook = Schema["Webhook"];

let failing = $state(0);

export const trouble = {
  get count(): number {
    return failing;
  },
  set(all: readonly Webhook[]): void {
    failing = all.filter((one) => one.state === "disabled" || (one.state === "active" && one.health.failing_since !== null)).length;
  },
};
