/** A code that was made elsewhere (new credentials) on its way to the page that shows it: it is in one answer and nowhere else. */

import type { Schema } from "../../api/types";

let waiting: Schema["NewEnrolment"] | null = null;

export function handOver(enrolment: Schema["NewEnrolment"]): void {
  waiting = enrolment;
}

export function takeOver(): Schema["NewEnrolment"] | null {
  const taken = waiting;
  waiting = null;
  return taken;
}
