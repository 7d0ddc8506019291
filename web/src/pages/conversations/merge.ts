/** What a thread shows, put together: pages, live changes and what is still on its way from here, each text once and in order. */

import type { Message } from "../../api/types";
import type { Uploaded } from "./attached.svelte";

/** A text that was sent here and that the hub has not confirmed yet. */
export interface Pending {
  /** The request's Idempotency-Key: repeating it never sends twice. */
  key: string;
  peer: string;
  text: string;
  lineId: string | null;
  sendAt: string | null;
  /** What is attached, as the hub keeps it. */
  media?: readonly Uploaded[];
  /** Milliseconds; when Send was pressed. */
  at: number;
  /** The newest text of the thread when Send was pressed: a later one with the same words is this one. */
  after: string;
  /** What the hub called it, once it answered. */
  messageId?: string;
  /** Why it was refused, in the hub's words. */
  problem?: string;
}

/** Texts by id, each with the number of the request that told it; a slower answer of an older request changes nothing. */
export interface Known {
  message: Message;
  told: number;
}

export function absorb(have: ReadonlyMap<string, Known>, got: readonly Message[], told: number): Map<string, Known> {
  const next = new Map(have);
  for (const message of got) {
    const before = next.get(message.id);
    if (!before || before.told <= told) next.set(message.id, { message, told });
  }
  return next;
}

/** Oldest first. Ids are in the order of time. */
export function inOrder(have: ReadonlyMap<string, Known>): Message[] {
  return [...have.values()].map((known) => known.message).sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/** Which pending texts are not among the stored ones yet. One that the stream told of before the hub answered is known by its words. */
export function stillPending(pending: readonly Pending[], messages: readonly Message[]): Pending[] {
  const byId = new Set(messages.map((message) => message.id));
  const taken = new Set(pending.map((one) => one.messageId));
  return pending.filter((one) => {
    if (one.messageId) return !byId.has(one.messageId);
    if (one.problem) return true;
    const same = messages.find((message) => message.direction === "mt" && message.retry_of === null && message.text === one.text && message.media.length === (one.media?.length ?? 0) && message.id > one.after && !taken.has(message.id));
    if (same) taken.add(same.id);
    return !same;
  });
}

export interface SystemNote {
  key: string;
  at: string;
  icon: "optOut" | "check" | "offline" | "phone";
  text: string;
}

export type Row =
  | { kind: "day"; key: string; at: string }
  | { kind: "new"; key: string }
  | { kind: "system"; key: string; note: SystemNote }
  | { kind: "text"; key: string; message: Message; isFolded: boolean; retriedBy: Message | null }
  | { kind: "pending"; key: string; pending: Pending };

const FOLD_MS = 120_000;

function dayKey(at: string): string {
  const day = new Date(at);
  return `${day.getFullYear()}-${day.getMonth() + 1}-${day.getDate()}`;
}

/** Rows of a thread: a head for each day, notes where they belong, meta lines folded when the next bubble within two minutes has the same. */
export function rowsOf(messages: readonly Message[], pending: readonly Pending[], notes: readonly SystemNote[], firstUnread: string | null, hasOlder: boolean): Row[] {
  const rows: Row[] = [];
  const retries = new Map(messages.filter((message) => message.retry_of).map((message) => [message.retry_of, message]));
  const begins = hasOlder ? (messages[0]?.created_at ?? "") : "";
  const waiting = notes.filter((note) => note.at >= begins).sort((a, b) => (a.at < b.at ? -1 : 1));
  let day = "";
  const headed = (at: string): void => {
    const key = dayKey(at);
    if (key === day) return;
    day = key;
    rows.push({ kind: "day", key: `day-${key}`, at });
  };
  const notesUntil = (at: string | null): void => {
    while (waiting.length && (at === null || (waiting[0] as SystemNote).at < at)) {
      const note = waiting.shift() as SystemNote;
      headed(note.at);
      rows.push({ kind: "system", key: note.key, note });
    }
  };
  messages.forEach((message, index) => {
    notesUntil(message.created_at);
    headed(message.created_at);
    if (message.id === firstUnread) rows.push({ kind: "new", key: "new" });
    const next = messages[index + 1];
    rows.push({ kind: "text", key: message.id, message, isFolded: next !== undefined && isFolded(message, next, waiting[0]?.at), retriedBy: retries.get(message.id) ?? null });
  });
  notesUntil(null);
  for (const one of pending) {
    headed(new Date(one.at).toISOString());
    rows.push({ kind: "pending", key: `pending-${one.key}`, pending: one });
  }
  return rows;
}

function isFolded(message: Message, next: Message, noteAt: string | undefined): boolean {
  const isPlain = (one: Message): boolean => one.kind === "sms" && one.segments <= 1;
  return (
    isPlain(message) && isPlain(next) && message.direction === next.direction && message.line_id === next.line_id && message.state === next.state &&
    Date.parse(next.created_at) - Date.parse(message.created_at) < FOLD_MS && dayKey(message.created_at) === dayKey(next.created_at) &&
    !BAD_STATES.has(message.state) && (noteAt === undefined || noteAt > next.created_at)
  );
}

export const BAD_STATES: ReadonlySet<string> = new Set(["failed", "undelivered", "expired", "dead_letter", "uncertain"]);
export const FAILED_STATES: ReadonlySet<string> = new Set(["failed", "undelivered", "expired", "dead_letter"]);

/** The oldest of the last `unread` inbound texts. */
export function firstUnreadOf(messages: readonly Message[], unread: number): string | null {
  let left = unread;
  for (const message of [...messages].reverse()) {
    if (message.direction !== "mo") continue;
    left -= 1;
    if (left === 0) return message.id;
  }
  return null;
}
