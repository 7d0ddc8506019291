/** One pairing from the code to the ready phone: what the hub knows of it, followed by hints, and looked at again every few seconds. */

import { api, Problem } from "../../api/client";
import type { Device, Schema } from "../../api/types";
import { onBack, onChange } from "../../live.svelte";

export type Enrolment = Schema["Enrolment"];

const LOOK_EVERY_MS = 2_500;

export class Pairing {
  enrolment = $state.raw<Enrolment | null>(null);
  device = $state.raw<Device | null>(null);
  /** Where the picture of the code is; null for a sandbox phone. */
  picture = $state<string | null>(null);
  /** What to type into the sms-gate.app app; null for other phones. */
  typeIn = $state.raw<Schema["TypeIn"] | null>(null);
  problem = $state<string | null>(null);
  secondsLeft = $state(0);
  /** Seconds since the phone was found. */
  waited = $state(0);
  #foundAt = 0;
  #ends: (() => void)[] = [];

  constructor(readonly kind: "phone" | "sandbox" | "smsgate") {}

  /** Show a code that was just made. */
  show(made: Schema["NewEnrolment"]): void {
    const address = new URL(made.qr_svg_url, location.href);
    this.picture = address.pathname + address.search;
    this.typeIn = made.type_in;
    this.#begin(made.enrolment);
  }

  /** Make a code; `deviceId` enrols a known phone anew. */
  async make(deviceId: string | null): Promise<void> {
    this.problem = null;
    try {
      const transport = this.kind === "smsgate" ? { transport: "smsgate" } : {};
      this.show(await api.post<Schema["NewEnrolment"]>("/v1/enrolments", { device_id: deviceId, ...transport }));
    } catch (error) {
      this.problem = error instanceof Problem ? error.message : String(error);
    }
  }

  /** Follow a code that somebody else uses: a sandbox phone's. */
  async follow(id: string): Promise<void> {
    try {
      this.#begin(await api.get<Enrolment>(`/v1/enrolments/${id}`));
    } catch (error) {
      this.problem = error instanceof Problem ? error.message : String(error);
    }
  }

  #begin(enrolment: Enrolment): void {
    this.#stopListening();
    this.enrolment = enrolment;
    this.device = null;
    this.#foundAt = 0;
    const look = (): void => void this.#look();
    const timer = setInterval(look, LOOK_EVERY_MS);
    const clock = setInterval(() => this.#tick(), 1_000);
    this.#ends = [
      () => clearInterval(timer),
      () => clearInterval(clock),
      onBack(look),
      onChange(({ id }) => {
        if (id === this.enrolment?.id || id === this.enrolment?.device_id || this.device?.lines.some((line) => line.id === id)) look();
      }),
    ];
    this.#tick();
    look();
  }

  #tick(): void {
    this.secondsLeft = this.enrolment ? Math.max(0, Math.round((Date.parse(this.enrolment.expires_at) - Date.now()) / 1000)) : 0;
    this.waited = this.#foundAt ? Math.round((Date.now() - this.#foundAt) / 1000) : 0;
  }

  async #look(): Promise<void> {
    const id = this.enrolment?.id;
    if (!id) return;
    try {
      if (!this.enrolment?.device_id) {
        const seen = await api.get<Enrolment>(`/v1/enrolments/${id}`);
        if (this.enrolment?.id === id) this.enrolment = seen;
      }
      const deviceId = this.enrolment?.device_id;
      if (!deviceId) return;
      this.#foundAt ||= Date.now();
      const device = await api.get<Device>(`/v1/devices/${deviceId}`);
      if (this.enrolment?.id === id) this.device = device;
    } catch {
      // The hub is away for a moment: the next look asks again.
    }
  }

  #stopListening(): void {
    this.#ends.forEach((end) => end());
    this.#ends = [];
  }

  /** The page is left: a code nobody used is withdrawn. */
  end(): void {
    this.#stopListening();
    const open = this.enrolment;
    if (open && this.kind !== "sandbox" && open.state === "open") void api.delete(`/v1/enrolments/${open.id}`).catch(() => undefined);
  }
}

/** `8:42` */
export function minutes(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
