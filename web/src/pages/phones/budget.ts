/** The budget of a SIM that is nearest to its end: what its bar shows. */

import type { Line } from "../../api/types";

export interface Budget {
  used: number;
  limit: number | null;
  window: string;
  fullUntil: string | null;
}

/** What a SIM is called beside its phone: the phone's own name is not said twice. */
export function simName(line: Line): string {
  const prefix = `${line.device_name ?? ""} · `;
  return line.name.startsWith(prefix) ? line.name.slice(prefix.length) : line.name;
}

export function budgetOf(line: Line): Budget {
  const windows = [
    { used: line.used_day, limit: line.per_day, window: "day", fullUntil: "00:00" },
    { used: line.used_month, limit: line.per_month, window: "month", fullUntil: "the 1st" },
    { used: line.used_hour, limit: line.per_hour, window: "hour", fullUntil: "the hour is over" },
  ].filter((one) => one.limit !== null);
  const share = (one: Budget): number => one.used / (one.limit ?? 1);
  const worst = windows.sort((a, b) => share(b) - share(a))[0];
  // A day's budget is what people watch; another one takes its place once it is nearer to its end and close to it.
  const day = windows.find((one) => one.window === "day");
  const shown = worst && day && share(worst) < 0.9 ? day : worst;
  return shown ?? { used: line.used_day, limit: null, window: "day", fullUntil: null };
}
