/** Every phone of the account, kept true by the stream: read once, then one phone at a time as hints name it. */

import { api, Problem } from "../../api/client";
import type { Device, Schema } from "../../api/types";
import { onBack, onChange, onEvent } from "../../live.svelte";
import { session } from "../../session.svelte";

export type PhoneNumbers = Schema["PhoneNumbers"];
export type Health = "online" | "risk" | "offline" | "paused" | "suspended" | "revoked";

const NUMBERS_EVERY_MS = 20_000;
/** Risks come with time alone (a phone that stays away), and no hint tells of them. */
const ALL_EVERY_MS = 60_000;
const NOTHING: Omit<PhoneNumbers, "device_id"> = {
  sent_last_hour: 0, failed_last_hour: 0, sent_last_day: 0, failed_last_day: 0, waiting: 0, pinned: 0, on_phone: 0, oldest_waiting_at: null,
};

let devices = $state.raw<Device[]>([]);
let numbers = $state.raw<Map<string, PhoneNumbers>>(new Map());
let isLoaded = $state(false);
let problem = $state<string | null>(null);
let listening = 0;
let stop: (() => void) | null = null;
let soon: ReturnType<typeof setTimeout> | undefined;

export const fleet = {
  get devices() {
    return devices;
  },
  get isLoaded() {
    return isLoaded;
  },
  get problem() {
    return problem;
  },
  /** Phones with a risk that needs a person. */
  get risky(): Device[] {
    return devices.filter((device) => topRisk(device) !== null);
  },
  find(id: string): Device | undefined {
    return devices.find((device) => device.id === id);
  },
  numbers(id: string): PhoneNumbers {
    return numbers.get(id) ?? { device_id: id, ...NOTHING };
  },
  /** Put in what a request answered. */
  take(device: Device): void {
    const isKnown = devices.some((one) => one.id === device.id);
    if (device.state === "revoked") devices = devices.filter((one) => one.id !== device.id);
    else devices = isKnown ? devices.map((one) => (one.id === device.id ? device : one)) : [...devices, device];
  },
};

/** The worst risk that needs a person. */
export function topRisk(device: Device): Device["risks"][number] | null {
  return device.risks.find((risk) => risk.severity !== "info") ?? null;
}

/** A risk's sentence beside the phone's name: SIMs are not called by it once more. */
export function textOf(device: Device, risk: Device["risks"][number]): string {
  return risk.text.replaceAll(`${device.name} · `, "");
}

export function healthOf(device: Device): Health {
  if (device.state === "online") return topRisk(device) ? "risk" : "online";
  return device.state;
}

/** Phones that need a person first, worst first; then by name. */
export function byRisk(a: Device, b: Device): number {
  const weight = (device: Device): number => (topRisk(device)?.severity === "critical" ? 0 : topRisk(device) ? 1 : 2);
  return weight(a) - weight(b) || Number(a.is_sandbox) - Number(b.is_sandbox) || a.name.localeCompare(b.name);
}

/** Follow the fleet until the returned function is called; many may. */
export function followFleet(): () => void {
  listening += 1;
  stop ??= begin();
  return () => {
    listening -= 1;
    if (listening > 0) return;
    stop?.();
    stop = null;
    clearTimeout(soon);
    isLoaded = false;
    devices = [];
  };
}

function begin(): () => void {
  if (!session.can("devices:read")) return () => undefined;
  void readAll();
  const timer = setInterval(() => void readNumbers(), NUMBERS_EVERY_MS);
  const whole = setInterval(() => void readAll(), ALL_EVERY_MS);
  const ends = [
    onChange(({ kind, id }) => {
      if (kind === "device") void readOne(id);
      if (kind === "line") void readOne(devices.find((device) => device.lines.some((line) => line.id === id))?.id);
    }),
    onEvent(({ type }) => {
      if (type.startsWith("sms:")) numbersSoon();
    }),
    onBack(() => void readAll()),
  ];
  return () => {
    clearInterval(timer);
    clearInterval(whole);
    ends.forEach((end) => end());
  };
}

function numbersSoon(): void {
  clearTimeout(soon);
  soon = setTimeout(() => void readNumbers(), 800);
}

export async function readAll(): Promise<void> {
  try {
    const found: Device[] = [];
    let cursor: string | null = null;
    do {
      const page: { items: Device[]; next_cursor: string | null } = await api.get("/v1/devices", { limit: 200, cursor });
      found.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor);
    devices = found;
    problem = null;
    await readNumbers();
  } catch (error) {
    problem = error instanceof Problem ? error.message : String(error);
  }
  isLoaded = true;
}

const underWay = new Set<string>();
const again = new Set<string>();

/** Read one phone anew; a hint that comes meanwhile is followed once more. */
export async function readOne(id: string | undefined): Promise<void> {
  if (!id) return;
  if (underWay.has(id)) {
    again.add(id);
    return;
  }
  underWay.add(id);
  try {
    fleet.take(await api.get<Device>(`/v1/devices/${id}`));
  } catch (error) {
    if (error instanceof Problem && error.status === 404) devices = devices.filter((one) => one.id !== id);
  } finally {
    underWay.delete(id);
  }
  if (again.delete(id)) await readOne(id);
}

export async function readNumbers(): Promise<void> {
  if (!session.can("account:read")) return;
  try {
    const { items } = await api.get<{ items: PhoneNumbers[] }>("/v1/overview/phones");
    numbers = new Map(items.map((one) => [one.device_id, one]));
  } catch {
    // Kept as they were; the next round tries again.
  }
}

/** Share of texts that went out, 0 to 1; null = none were tried. */
export function successOf(sent: number, failed: number): number | null {
  return sent + failed === 0 ? null : sent / (sent + failed);
}

/** `100%`, `99.4%`, `–` */
export function percent(share: number | null): string {
  if (share === null) return "–";
  const shown = Math.floor(share * 1000) / 10;
  return `${shown === 100 || shown === Math.round(shown) ? shown.toFixed(0) : shown.toFixed(1)}%`;
}
