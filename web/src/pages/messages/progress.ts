/** How far a batch has come, in parts of one bar and in words. */

import type { Batch } from "../../api/types";
import { STATES, type MessageState } from "../../words";
import { BATCH } from "../../words/messages";

export interface Part {
  state: MessageState;
  count: number;
  fill: "done" | "open" | "bad" | "idle";
}

const FILLS: Partial<Record<MessageState, Part["fill"]>> = {
  sent: "done", delivered: "done", undelivered: "bad", failed: "bad", expired: "bad", dead_letter: "bad", uncertain: "bad", cancelled: "idle", dispatched: "open", retried: "open",
};
const ORDER: readonly Part["fill"][] = ["done", "open", "bad", "idle"];

export function partsOf(batch: Batch): Part[] {
  return batch.states
    .map(({ state, count }) => ({ state: state as MessageState, count, fill: FILLS[state as MessageState] ?? ("idle" as const) }))
    .sort((a, b) => ORDER.indexOf(a.fill) - ORDER.indexOf(b.fill) || b.count - a.count);
}

/** Texts that left the hub for good or ended: what a person means by "done". */
export function doneOf(batch: Batch): number {
  return batch.states.filter(({ state }) => !["scheduled", "queued", "retried", "dispatched"].includes(state)).reduce((sum, one) => sum + one.count, 0);
}

export function openOf(batch: Batch): number {
  return batch.total - doneOf(batch);
}

export interface Standing {
  label: string;
  tone: "ok" | "warn" | "bad" | "accent" | "muted";
  icon?: "pause" | "check" | "minus" | "calendar" | "send" | "tray";
}

export function standingOf(batch: Batch): Standing {
  if (batch.cancelled_at) return { label: BATCH.cancelled, tone: "muted", icon: "minus" };
  if (batch.paused_at) return { label: BATCH.paused, tone: "muted", icon: "pause" };
  if (openOf(batch) === 0) return { label: BATCH.done, tone: "ok", icon: "check" };
  if (batch.states.every(({ state }) => state === "scheduled")) return { label: BATCH.scheduled, tone: "accent", icon: "calendar" };
  return { label: BATCH.going, tone: "accent", icon: "send" };
}

/** Rows that its maker still has to bring. */
export function missingRows(batch: Batch): number {
  return batch.cancelled_at ? 0 : Math.max(0, (batch.rows_expected ?? 0) - batch.total - batch.refused);
}

export function labelOf(state: MessageState): string {
  return STATES[state].label;
}
