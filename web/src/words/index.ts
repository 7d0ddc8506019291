/** Every text a person reads, in one folder (a file for each area of the dashboard), so that it can be translated.
 *
 * Plain, short, present. A failure says what happened, why, whether it is safe, and what to do. We say text, phone, SIM, number, segment.
 */

import type { IconName } from "../icons";

export type MessageState =
  | "scheduled" | "queued" | "dispatched" | "retried" | "sent" | "delivered" | "uncertain"
  | "undelivered" | "failed" | "expired" | "dead_letter" | "cancelled" | "received";

export interface StateWords {
  icon: IconName;
  label: string;
  tone: "muted" | "accent" | "warn" | "bad";
  says: string;
}

export const STATES: Record<MessageState, StateWords> = {
  scheduled: { icon: "calendar", label: "Scheduled", tone: "muted", says: "Waits for its time" },
  queued: { icon: "clock", label: "Queued", tone: "muted", says: "In the hub, waiting for a phone" },
  dispatched: { icon: "checkOnPhone", label: "On phone", tone: "muted", says: "The phone has it, not yet sent" },
  retried: { icon: "retry", label: "Trying again", tone: "warn", says: "A passing fault; next try is set" },
  sent: { icon: "check", label: "Sent", tone: "muted", says: "The network took it" },
  delivered: { icon: "doubleCheck", label: "Delivered", tone: "accent", says: "The handset confirmed it" },
  uncertain: { icon: "question", label: "Unsure", tone: "warn", says: "May have left; never resent by itself" },
  undelivered: { icon: "tickCross", label: "Not delivered", tone: "bad", says: "Left, but the handset never got it" },
  failed: { icon: "stop", label: "Not sent", tone: "bad", says: "Nothing left the phone, or the network refused" },
  expired: { icon: "hourglass", label: "Expired", tone: "bad", says: "Its time to live ended" },
  dead_letter: { icon: "tray", label: "Gave up", tone: "bad", says: "All tries used; can be replayed" },
  cancelled: { icon: "minus", label: "Cancelled", tone: "muted", says: "Stopped by a person or a key" },
  received: { icon: "message", label: "Received", tone: "muted", says: "Came in" },
};

export const NAV = {
  overview: "Overview",
  conversations: "Conversations",
  phones: "Phones",
  messages: "Messages",
  developers: "Developers",
  settings: "Settings",
  inbox: "Inbox",
  more: "More",
  skip: "Skip to content",
  sections: "Sections",
  crumbs: "Breadcrumb",
};

export const LIVE = {
  live: "Live, up to date",
  connecting: "Connecting…",
  lost: (time: string) => `Connecting again. You see what was true at ${time}.`,
};

export const ENCODINGS: Record<string, string> = { gsm7: "GSM-7", ucs2: "UCS-2" };

/** `1 segment`, `3 segments`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}
