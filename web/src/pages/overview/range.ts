/** Ranges of the overview, and the points of its webhook chart. */

import type { Schema } from "../../api/types";

/** The start of a range that ends now: 24 hours back, or the midnight that makes whole days with today as the last. */
export function startOf(days: number): string {
  const at = new Date();
  if (days === 1) return new Date(at.getTime() - 86_400_000).toISOString();
  at.setHours(0, 0, 0, 0);
  at.setDate(at.getDate() - (days - 1));
  return at.toISOString();
}

export interface LagPoint {
  at: number;
  seconds: number;
}

/** The longest wait of any webhook in each span of the range, zero where nothing happened; the last point is what waits now. */
export function lagPoints(report: Schema["WebhookLagReport"], now: Schema["WebhookLag"][]): LagPoint[] {
  const step = report.span_seconds * 1000;
  const worst = new Map<number, number>();
  for (const { points } of report.items) {
    for (const point of points) {
      const at = Date.parse(point.start);
      worst.set(at, Math.max(worst.get(at) ?? 0, point.worst_seconds));
    }
  }
  if (worst.size === 0) return [];
  const first = Math.ceil(Date.parse(report.since) / step) * step;
  const points: LagPoint[] = [];
  for (let at = first; at < Date.parse(report.until); at += step) points.push({ at, seconds: worst.get(at) ?? 0 });
  points.push({ at: Date.parse(report.until), seconds: Math.max(0, ...now.map((one) => one.waiting_seconds)) });
  return points;
}
