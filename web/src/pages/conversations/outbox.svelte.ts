/** Texts on their way from this browser to the hub. They are kept in the browser until the hub has answered, so that neither a reload nor a
 * hub that is out of reach loses one; each has an idempotency key, so that trying again never sends twice. */

import { api, Problem } from "../../api/client";
import type { Schema } from "../../api/types";
import { onBack } from "../../live.svelte";
import { session } from "../../session.svelte";
import { forgetPreviews } from "./attached.svelte";
import { changed } from "./changes.svelte";
import type { Pending } from "./merge";

const RETRY_MS = 3_000;
const KEEP_ANSWERED_MS = 60_000;

let list = $state.raw<Pending[]>([]);
let isOut = $state(false);
let owner = "";
const busy = new Set<string>();
let timer: ReturnType<typeof setTimeout> | undefined;

export const outbox = {
  get list(): readonly Pending[] {
    return list;
  },
  /** The hub could not be reached when a text was given to it. */
  get isOut(): boolean {
    return isOut;
  },
};

function store(): void {
  const kept = list.filter((one) => !one.messageId);
  if (kept.length) localStorage.setItem(owner, JSON.stringify(kept));
  else localStorage.removeItem(owner);
}

function change(key: string, values: Partial<Pending> | null): void {
  list = values === null ? list.filter((one) => one.key !== key) : list.map((one) => (one.key === key ? { ...one, ...values } : one));
  store();
}

function end(key: string): void {
  forgetPreviews(list.find((one) => one.key === key)?.media?.map((file) => file.id) ?? []);
  change(key, null);
}

export function put(text: Omit<Pending, "key" | "at">): Pending {
  const one: Pending = { ...text, key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`, at: Date.now() };
  list = [...list, one];
  store();
  void send(one);
  return one;
}

export function takeBack(key: string): void {
  end(key);
}

export function tryAgain(key: string): void {
  change(key, { problem: undefined });
  const one = list.find((candidate) => candidate.key === key);
  if (one) void send(one);
}

async function send(one: Pending): Promise<void> {
  if (busy.has(one.key)) return;
  busy.add(one.key);
  try {
    const body = { to: one.peer, text: one.text, line_id: one.lineId, send_at: one.sendAt, ...(one.media?.length ? { media: one.media.map((file) => file.id) } : {}) };
    const taken = await api.post<Schema["Taken"]>("/v1/messages", body, { idempotencyKey: one.key });
    isOut = false;
    const result = taken.results[0];
    if (result?.message_id) change(one.key, { messageId: result.message_id });
    if (result?.conversation_id) changed(result.conversation_id);
    setTimeout(() => end(one.key), KEEP_ANSWERED_MS);
  } catch (error) {
    if (error instanceof Problem && (error.isUnreachable || error.status >= 500 || error.status === 429 || error.status === 401)) {
      isOut = error.isUnreachable || error.status >= 500;
      again();
    } else change(one.key, { problem: error instanceof Error ? error.message : String(error) });
  } finally {
    busy.delete(one.key);
  }
}

function again(): void {
  clearTimeout(timer);
  timer = setTimeout(flush, RETRY_MS);
}

function flush(): void {
  if (session.state !== "signed-in") return;
  for (const one of list) if (!one.messageId && !one.problem) void send(one);
}

/** Take up what an earlier page left, and go on when the hub is back. */
export function watchOutbox(): () => void {
  owner = `outbox-${session.account?.id ?? ""}-${session.user?.id ?? ""}`;
  try {
    list = JSON.parse(localStorage.getItem(owner) ?? "[]") as Pending[];
  } catch {
    list = [];
  }
  flush();
  const end = onBack(flush);
  window.addEventListener("online", flush);
  return () => {
    end();
    window.removeEventListener("online", flush);
    clearTimeout(timer);
  };
}
