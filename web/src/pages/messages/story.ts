/** One text's story as rows: stages, what lies between them, and what webhooks were told. */

import type { Message, Schema } from "../../api/types";
import type { IconName } from "../../icons";
import { span } from "../../times.svelte";
import { STATES } from "../../words";
import { STORY } from "../../words/messages";

type Hop = Schema["Hop"];
type Delivery = Schema["Delivery"];

export interface Row {
  index: number;
  at: string;
  /** A stage has a big node and a name; the rest is small. */
  stage: string | null;
  icon: IconName;
  tone: "plain" | "accent" | "warn" | "bad";
  lead: string;
  rest: string;
  isQuiet: boolean;
  isIgnored: boolean;
  isSameSecond: boolean;
  /** Since the stage before. */
  gap: string | null;
  raw: string;
  isFromPhone: boolean;
}

const STAGES = new Set(Object.keys(STORY.stages));
const ICONS: Record<string, IconName> = {
  accepted: "check", received: "message", bound: "checkOnPhone", sent: "check", delivered: "doubleCheck", failed: "stop", undelivered: "tickCross",
  uncertain: "question", cancelled: "minus", expired: "hourglass", dead_letter: "tray", retrying: "retry", released: "clock",
};
const TROUBLE: Record<string, Row["tone"]> = {
  failed: "bad", undelivered: "bad", expired: "bad", dead_letter: "bad", uncertain: "warn", retrying: "warn", refused: "warn", withdrawn: "warn", no_line: "warn",
};

interface Moment {
  at: string;
  /** Where it stands among the others. */
  place: string;
  hop?: Hop;
  delivery?: Delivery;
}

export function rowsOf(message: Message, hops: readonly Hop[], deliveries: readonly Delivery[], webhooks: ReadonlyMap<string, string>): Row[] {
  // A phone tells its own time: a stage it reached never stands before the stage that the hub had noted already.
  let reached = "";
  const moments: Moment[] = hops.map((hop) => {
    const place = isStage(hop) && hop.at < reached ? reached : hop.at;
    if (isStage(hop)) reached = place;
    return { at: hop.at, place, hop };
  });
  for (const delivery of deliveries) {
    const at = delivery.last_try?.at ?? delivery.created_at;
    moments.push({ at, place: at, delivery });
  }
  // Stable: what the hub noted stays in its order, and a webhook is told after what it tells of.
  moments.sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : Number(Boolean(a.delivery)) - Number(Boolean(b.delivery))));
  let before: string | null = null;
  let stageAt: string | null = null;
  return moments.map(({ at, hop, delivery }, index) => {
    const isSameSecond = before !== null && before.slice(0, 19) === at.slice(0, 19);
    before = at;
    const row = hop ? ofHop(hop) : ofDelivery(delivery as Delivery, message, webhooks);
    const gap = row.stage !== null && stageAt !== null ? since(stageAt, at) : null;
    if (row.stage !== null) stageAt = at;
    return { ...row, index, at, isSameSecond, gap };
  });
}

type Bare = Omit<Row, "index" | "at" | "isSameSecond" | "gap">;

function isStage(hop: Hop): boolean {
  return hop.is_applied && STAGES.has(hop.kind);
}

function ofHop(hop: Hop): Bare {
  const stage = isStage(hop) ? hop.kind : null;
  const cut = /^(.+?[.:]) (.+)$/s.exec(hop.sentence);
  return {
    stage,
    icon: ICONS[hop.kind] ?? "info",
    tone: stage === "delivered" ? "accent" : hop.is_applied ? (TROUBLE[hop.kind] ?? "plain") : "plain",
    lead: stage ? (cut?.[1] ?? hop.sentence) : "",
    rest: stage ? (cut?.[2] ?? "") : hop.sentence,
    isQuiet: !hop.is_applied,
    isIgnored: !hop.is_applied,
    raw: hop.raw ?? JSON.stringify({ kind: hop.kind, by: hop.actor, at: hop.at, from: hop.from_state, to: hop.to_state, applied: hop.is_applied, ...hop.data }),
    isFromPhone: hop.raw !== null,
  };
}

function ofDelivery(delivery: Delivery, message: Message, webhooks: ReadonlyMap<string, string>): Bare {
  const last = delivery.last_try;
  const answer =
    delivery.state === "ok" && last?.status ? STORY.answered(last.status, last.milliseconds ?? 0) : delivery.state === "dead" || delivery.state === "cancelled" ? STORY.webhookEnded : STORY.webhookWaits;
  const state = delivery.event_type.replace(/^sms:/, "");
  const word = state in STATES ? STATES[state as keyof typeof STATES].label.toLowerCase() : delivery.event_type;
  return {
    stage: null,
    icon: "webhook",
    tone: delivery.state === "dead" ? "bad" : delivery.state === "pending" && delivery.attempts > 0 ? "warn" : "plain",
    lead: "",
    rest: STORY.webhook(webhooks.get(delivery.webhook_id) ?? hostOf(delivery.url), word, answer),
    isQuiet: true,
    isIgnored: false,
    raw: JSON.stringify({ delivery: delivery.id, event: delivery.event_type, message: message.id, state: delivery.state, tries: delivery.attempts, last_try: last }),
    isFromPhone: false,
  };
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

function since(from: string, to: string): string {
  const seconds = (Date.parse(to) - Date.parse(from)) / 1000;
  if (seconds < 0.0005) return STORY.sameMoment;
  if (seconds < 10) return `+${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  const rest = Math.round(seconds % 60);
  return seconds >= 60 && seconds < 3600 && rest > 0 ? `+${span(seconds)} ${rest} s` : `+${span(seconds)}`;
}

const HIDDEN = new Set(["text", "peer", "to", "from", "sender", "number", "line_number", "callback_url", "metadata", "body", "phone_number"]);

/** The whole story for somebody who helps: without what was written, and without anybody's number. */
export function forSupport(message: Message, hops: readonly Hop[]): string {
  return JSON.stringify({ message: hide(message), timeline: hops.map((hop) => hide({ ...hop, raw: readable(hop.raw) })) }, null, 2);
}

function readable(raw: string | null): unknown {
  if (raw === null) return null;
  try {
    return JSON.parse(raw) as unknown;
  } catch {
    return "(not readable)";
  }
}

function hide(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/\+?\d[\d ().-]{5,}\d/g, "(number)");
  if (Array.isArray(value)) return value.map(hide);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, HIDDEN.has(name) && one !== null ? "(hidden)" : /(_at|^at|id)$/.test(name) ? one : hide(one)]),
  );
}
