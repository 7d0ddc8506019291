/** What several pages say of a webhook and of its deliveries. */

import type { Schema } from "../../api/types";
import type { IconName } from "../../icons";
import { daysAgo, moment, shortTime } from "../../times.svelte";
import { HOOKS } from "../../words/developers";

export type Webhook = Schema["Webhook"];
export type Delivery = Schema["Delivery"];
export type Attempt = Schema["Attempt"];
/** Which deliveries a list holds. */
export type ShownDeliveries = "all" | "waits" | "ended";

export function nameOf(hook: Webhook): string {
  return hook.description || (URL.canParse(hook.url) ? new URL(hook.url).host : hook.url);
}

export interface Standing {
  label: string;
  tone: "ok" | "warn" | "bad" | "muted";
  icon: IconName;
}

export function standingOf(hook: Webhook): Standing {
  if (hook.state === "disabled") return { label: HOOKS.disabled, tone: "bad", icon: "stop" };
  if (hook.state === "paused") return { label: HOOKS.paused, tone: "muted", icon: "pause" };
  if (hook.health.failing_since) return { label: HOOKS.failing(moment(hook.health.failing_since)), tone: "bad", icon: "stop" };
  if (!hook.health.last_ok_at) return { label: HOOKS.unused, tone: "muted", icon: "clock" };
  return { label: HOOKS.active, tone: "ok", icon: "check" };
}

export interface Mark {
  label: string;
  tone: "ok" | "warn" | "bad" | "muted";
  icon: IconName;
}

/** A delivery in one word: the answer's status where there was one. */
export function markOf(delivery: Delivery): Mark {
  const last = delivery.last_try;
  if (delivery.state === "ok") return { label: String(last?.status ?? HOOKS.taken), tone: "ok", icon: "check" };
  if (delivery.state === "dead") return { label: HOOKS.ended, tone: "bad", icon: "tray" };
  if (delivery.state === "cancelled") return { label: HOOKS.states["cancelled"] ?? "", tone: "muted", icon: "minus" };
  if (delivery.state === "held") return { label: HOOKS.states["held"] ?? "", tone: "muted", icon: "pause" };
  if (!last) return { label: HOOKS.states["pending"] ?? "", tone: "muted", icon: "clock" };
  return { label: answerOf(last.status, last.outcome), tone: "warn", icon: "retry" };
}

export function answerOf(status: number | null, outcome: string): string {
  return status !== null && (outcome === "status" || outcome === "ok") ? String(status) : (HOOKS.outcomes[outcome] ?? (status === null ? outcome : String(status)));
}

/** When a delivery was tried: the second matters today, the day afterwards. */
export function momentOf(at: string): string {
  return daysAgo(at) === 0 ? new Date(at).toLocaleTimeString("en-GB") : shortTime(at);
}

export interface Step {
  name: string;
  from: number;
  span: number;
}

/** The steps of one try, laid end to end (milliseconds). */
export function stepsOf(timing: Attempt["timing"]): { steps: Step[]; total: number } {
  const known = (["dns", "connect", "tls", "first"] as const).flatMap((name) => {
    const span = timing[name];
    return span === null ? [] : [{ name: name as string, span }];
  });
  const sum = known.reduce((all, step) => all + step.span, 0);
  const total = Math.max(timing.total ?? sum, sum);
  if (timing.first !== null) known.push({ name: "read", span: total - sum });
  let from = 0;
  const steps = known.map((step) => {
    const placed = { ...step, from };
    from += step.span;
    return placed;
  });
  return { steps, total };
}

/** A signature by its ends: the whole of it says nothing to a person. */
export function shortened(name: string, value: string): string {
  if (!/signature/i.test(name)) return value;
  return value.split(" ").map((one) => (one.length > 20 ? `${one.slice(0, 8)}…${one.slice(-4)}` : one)).join(" ");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The request as a shell command. */
export function curlOf(url: string, headers: Record<string, string>, body: string): string {
  const skip = new Set(["host", "content-length", "connection", "accept-encoding"]);
  const lines = Object.entries(headers)
    .filter(([name]) => !skip.has(name.toLowerCase()))
    .map(([name, value]) => `  -H ${quoted(`${name}: ${value}`)} \\`);
  return [`curl -i -X POST ${quoted(url)} \\`, ...lines, `  --data-raw ${quoted(body)}`].join("\n");
}
