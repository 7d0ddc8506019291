/** How far a pairing has come, from what the hub knows. */

import type { Device, Schema } from "../../api/types";

export type Step = 1 | 2 | 3 | 4;

/** Permissions a phone has to give; notifications are its own comfort. */
const NEEDED = ["send_sms", "receive_sms", "read_phone_state", "battery_exemption"];

/** A permission the phone does not mention is none on its version of Android. */
export function isGiven(device: Device, word: string): boolean {
  return device.permissions[word] !== false;
}

/** 1 waits for a scan, 2 the phone has the code and connects, 3 waits for permissions, 4 is ready. */
export function stepOf(enrolment: Schema["Enrolment"] | null, device: Device | null): Step {
  if (!enrolment?.device_id || !device) return 1;
  // A phone that is enrolled anew is still the one it was: what counts is that it is here on its new credentials.
  const isHere = device.is_online && Date.parse(device.online_since ?? "") >= Date.parse(enrolment.used_at ?? enrolment.created_at) - 1_000;
  if (!isHere) return 2;
  return NEEDED.every((word) => isGiven(device, word)) ? 4 : 3;
}
