/** What the list of phones says of each, in words. */

import type { Device } from "../../api/types";
import { daysAgo, present, shortTime, span, timeOf } from "../../times.svelte";
import { PHONES } from "../../words/phones";
import { fleet } from "./fleet.svelte";

/** How long its oldest text has waited; null = none waits. */
export function oldestOf(device: Device): string | null {
  const at = fleet.numbers(device.id).oldest_waiting_at;
  return at ? span((present() - Date.parse(at)) / 1000) : null;
}

/** Since when it is there, or away. */
export function sinceOf(device: Device): string {
  const at = device.is_online ? device.online_since : (device.offline_since ?? device.last_seen_at);
  if (!at) return PHONES.never;
  const days = daysAgo(at);
  return PHONES.since(days > 0 && days < 7 ? `${shortTime(at)} ${timeOf(at)}` : shortTime(at));
}

/** What it is: its model and its Android. */
export function makeOf(device: Device): string {
  if (device.is_sandbox) return PHONES.emulator;
  return [device.model, device.os_version ? PHONES.android(device.os_version) : null].filter(Boolean).join(", ");
}
