/** The log's filter: in the page's address, and as the API asks for it. */

import type { Schema } from "../../api/types";

type Status = Schema["Message"]["state"];
type Query = Record<string, string | readonly string[] | undefined>;

export type Show = "all" | "waiting" | "sent" | "delivered" | "failed" | "unsure" | "received";

export const SHOWS: Record<Show, readonly Status[]> = {
  all: [],
  waiting: ["scheduled", "queued", "retried", "dispatched"],
  sent: ["sent"],
  delivered: ["delivered"],
  failed: ["failed", "undelivered", "expired", "dead_letter"],
  unsure: ["uncertain"],
  received: ["received"],
};

export interface Filter {
  show: Show;
  text: string;
  peer: string;
  direction: string;
  line: string;
  phone: string;
  batch: string;
  /** Local days, `2026-11-21`. */
  from: string;
  until: string;
}

export const NOTHING: Filter = { show: "all", text: "", peer: "", direction: "", line: "", phone: "", batch: "", from: "", until: "" };
const NAMES = Object.keys(NOTHING) as (keyof Filter)[];

export function fromAddress(query: URLSearchParams): Filter {
  const found = { ...NOTHING };
  for (const name of NAMES) {
    const value = query.get(name);
    if (value !== null) (found as Record<string, string>)[name] = value;
  }
  if (!(found.show in SHOWS)) found.show = "all";
  return found;
}

export function toAddress(filter: Filter): string {
  const query = new URLSearchParams();
  for (const name of NAMES) if (filter[name] !== NOTHING[name]) query.set(name, filter[name]);
  const text = query.toString();
  return text ? `?${text}` : "";
}

export function isNarrowed(filter: Filter): boolean {
  return toAddress(filter) !== "";
}

/** The start of a local day, so many days later. */
function dayStart(day: string, later = 0): string | undefined {
  const [year, month, date] = day.split("-").map(Number);
  if (!year || !month || !date) return undefined;
  return new Date(year, month - 1, date + later).toISOString();
}

export function asQuery(filter: Filter): Query {
  return {
    state: SHOWS[filter.show],
    text: filter.text || undefined,
    peer: filter.peer.replace(/[\s().-]/g, "") || undefined,
    direction: filter.direction || undefined,
    line_id: filter.line || undefined,
    device_id: filter.phone || undefined,
    batch_id: filter.batch || undefined,
    created_from: dayStart(filter.from),
    created_to: dayStart(filter.until, 1),
  };
}

/** Where the file of all texts of this filter is. */
export function exportAddress(filter: Filter): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(asQuery(filter))) {
    if (typeof value === "string") query.set(name, value);
    else value?.forEach((one) => query.append(name, one));
  }
  return `/v1/messages/export?${query.toString()}`;
}
