/** What can be done with a phone. */

import { api, Problem } from "../../api/client";
import type { Device, Line } from "../../api/types";
import type { MenuItem } from "../../components/Menu.svelte";
import { go } from "../../router.svelte";
import { session } from "../../session.svelte";
import { toast } from "../../toasts.svelte";
import { PHONES } from "../../words/phones";
import { fleet } from "./fleet.svelte";

export type Action = "test" | "move" | "limits" | "rotate" | "rename" | "remove";

/** Lines that could take a phone's texts: in another phone, of the same kind (texts never cross between sandbox and real). */
export function otherLines(device: Device, devices: readonly Device[]): Line[] {
  return devices
    .filter((one) => one.id !== device.id && one.is_sandbox === device.is_sandbox && !one.paused_at && !one.suspended_at)
    .flatMap((one) => one.lines.filter((line) => line.is_present && line.is_enabled));
}

async function change(device: Device, body: { is_paused?: boolean; is_suspended?: boolean }, says: string, undo?: () => void): Promise<void> {
  try {
    fleet.take(await api.patch<Device>(`/v1/devices/${device.id}`, body));
    toast(says, { undo });
  } catch (error) {
    toast(error instanceof Problem ? error.message : String(error), { tone: "bad" });
  }
}

export function pause(device: Device): void {
  void change(device, { is_paused: true }, PHONES.paused(device.name), () => resume(device));
}

export function resume(device: Device): void {
  void change(device, { is_paused: false }, PHONES.resumed(device.name));
}

export function letIn(device: Device): void {
  void change(device, { is_suspended: false }, PHONES.letInDone(device.name));
}

/** The menu of a phone; `act` opens the dialog of an action. */
export function menuOf(device: Device, act: (action: Action) => void, withOpen = true): MenuItem[] {
  const items: MenuItem[] = withOpen ? [{ label: PHONES.open, icon: "phone", run: () => go(`/phones/${device.id}`) }] : [];
  if (session.can("messages:send")) items.push({ label: PHONES.test, icon: "send", run: () => act("test") });
  if (!session.can("devices:write")) return items;
  if (device.suspended_at) items.push({ label: PHONES.letIn, icon: "play", run: () => letIn(device) });
  else if (device.paused_at) items.push({ label: PHONES.resume, icon: "play", run: () => resume(device) });
  else items.push({ label: PHONES.pause, icon: "pause", run: () => pause(device) });
  items.push(
    { label: PHONES.move, icon: "arrowLeft", run: () => act("move") },
    { label: PHONES.limits, icon: "chart", run: () => act("limits") },
    { label: PHONES.rename, icon: "snippet", apart: true, run: () => act("rename") },
  );
  if (!device.is_sandbox) items.push({ label: PHONES.rotate, icon: "qr", run: () => act("rotate") });
  items.push({ label: PHONES.remove, icon: "close", danger: true, run: () => act("remove") });
  return items;
}
