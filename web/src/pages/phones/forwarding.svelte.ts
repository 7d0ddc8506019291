/** Where the account's numbers are forwarded, for the phones that hold them. */

import { api } from "../../api/client";
import type { Schema } from "../../api/types";
import { onBack, onChange } from "../../live.svelte";
import { session } from "../../session.svelte";
import { FORWARDING } from "../../words/forwarding";

export type Forwarding = Schema["Forwarding"];

const AFTER_CHANGE_MS = 1_500;

let byLine = $state.raw<ReadonlyMap<string, Forwarding> | null>(null);

export const forwardings = {
  /** Null: not read yet, or this person may not know. */
  get all(): ReadonlyMap<string, Forwarding> | null {
    return byLine;
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
    void loadForwardings().catch(() => undefined);
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

/** What is wrong with it now, in sentences. */
export function troubleOf(one: Forwarding): { tone: "warn" | "bad"; text: string }[] {
  const { watch } = one.health;
  return watch.alerts.map((alert) => {
    if (alert === "slow") return { tone: "warn", text: FORWARDING.watch.slow(watch.slow, watch.tries) };
    if (alert === "errors") return { tone: "bad", text: FORWARDING.watch.errors(watch.failed, watch.tries) };
    return { tone: "bad", text: FORWARDING.watch.missing(watch.missing) };
  });
}
