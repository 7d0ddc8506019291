/** Where the account's numbers are forwarded, for the phones that hold them. */

import { api } from "../../api/client";
import type { Schema } from "../../api/types";
import { onBack, onChange } from "../../live.svelte";
import { session } from "../../session.svelte";
import { FORWARDING } from "../../words/forwarding";

export type Forwarding = Schema["Forwarding"];

const AFTER_CHANGE_MS = 1_500;

let byLine = $state.raw<ReadonlyMap<string, Forwarding> | null>(null);
let isFailed = $state(false);

export const forwardings = {
  /** Null: not read yet, or this person may not know. */
  get all(): ReadonlyMap<string, Forwarding> | null {
    return byLine;
  },
  get isFailed(): boolean {
    return isFailed;
  },
};

export function mayRead(): boolean {
  return session.can("webhooks:read") && session.seesAll;
}

export async function loadForwardings(): Promise<void> {
  const list = await api.get<Schema["ForwardingList"]>("/v1/forwardings");
  byLine = new Map(list.items.map((one) => [one.line_id, one]));
}

/** Read them, and again when webhooks change, until the returned function is called. */
export function followForwardings(): () => void {
  if (!mayRead()) return () => undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const load = (): void => {
    timer = undefined;
    void loadForwardings().then(
      () => (isFailed = false),
      () => (isFailed = true),
    );
  };
  const soon = (): void => {
    timer ??= setTimeout(load, AFTER_CHANGE_MS);
  };
  load();
  const ends = [onChange((change) => change.kind === "webhook" && soon()), onBack(soon)];
  return () => {
    ends.forEach((end) => end());
    clearTimeout(timer);
  };
}

/** Put a forwarding beside what the rule of its number names already. */
export async function nameInRule(one: Forwarding): Promise<void> {
  let cursor: string | null = null;
  do {
    const page: Schema["InboundRulePage"] = await api.get("/v1/gateways/rules", { limit: 100, cursor });
    const rule = page.items.find((each) => each.number === one.number);
    if (rule) {
      const { number, gateway_id, webhook_ids, user_ids } = rule;
      await api.put("/v1/gateways/rules", { number, gateway_id, webhook_ids: [...webhook_ids, one.webhook_id], user_ids });
    }
    cursor = rule ? null : page.next_cursor;
  } while (cursor);
  await loadForwardings();
}

/** What is wrong with it now, in sentences. */
export function troubleOf(one: Forwarding): { tone: "warn" | "bad"; text: string }[] {
  const { watch } = one.health;
  return watch.alerts.map((alert) => {
    if (alert === "slow") return { tone: "warn", text: FORWARDING.watch.slow(watch.slow, watch.tries) };
    if (alert === "errors") return { tone: "bad", text: FORWARDING.watch.errors(watch.failed, watch.tries) };
    return { tone: "bad", text: FORWARDING.watch.missing(watch.missing) };
  });
}
