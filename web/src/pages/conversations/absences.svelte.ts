/** When a thread's phones were away, as notes among its texts. */

import { api } from "../../api/client";
import type { Schema } from "../../api/types";
import { lines } from "../../lines.svelte";
import { onBack, onChange } from "../../live.svelte";
import { session } from "../../session.svelte";
import { span } from "../../times.svelte";
import { THREAD } from "../../words/conversations";
import type { Thread } from "./changes.svelte";
import type { SystemNote } from "./merge";

const SHORT_ABSENCE_MS = 120_000;
const MOST_PHONES = 4;
const REFRESH_MS = 1_000;

export class Absences {
  notes = $state.raw<SystemNote[]>([]);

  /** To be made while a component is. */
  constructor(thread: () => Thread | null) {
    // As words: it changes when the phones do, not with every hint about the thread.
    const deviceIds = $derived(phonesOf(thread()).join(" "));
    $effect(() => {
      const ids = deviceIds.split(" ").filter(Boolean);
      if (!ids.length || !session.can("devices:read") || !session.seesAll) return;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const soon = (): void => {
        clearTimeout(timer);
        timer = setTimeout(() => void this.#read(ids), REFRESH_MS);
      };
      void this.#read(ids);
      const ends = [onBack(soon), onChange((change) => change.kind === "device" && ids.includes(change.id) && soon())];
      return () => {
        clearTimeout(timer);
        ends.forEach((end) => end());
      };
    });
  }

  async #read(ids: readonly string[]): Promise<void> {
    const pages = await Promise.all(
      ids.slice(0, MOST_PHONES).map(async (id) => ({ id, page: await api.get<Schema["ConnectionPage"]>(`/v1/devices/${id}/connections`, { limit: 50 }).catch(() => null) })),
    );
    this.notes = pages.flatMap(({ id, page }) => absencesOf(id, page?.items ?? []));
  }
}

function phonesOf(thread: Thread | null): string[] {
  const ids = (thread?.lines ?? []).map((line) => lines.find(line.line_id)?.device_id).filter((id) => id != null);
  return [...new Set(ids)];
}

/** From one connection's end to the next one's begin; what lasted under two minutes is nobody's concern. */
function absencesOf(id: string, connections: readonly Schema["Connection"][]): SystemNote[] {
  const phone = lines.list.find((line) => line.device_id === id)?.device_name ?? "";
  return connections.flatMap((connection, index): SystemNote[] => {
    if (!connection.closed_at) return [];
    const back = connections[index - 1]?.connected_at ?? null;
    const away = (back ? Date.parse(back) : Date.now()) - Date.parse(connection.closed_at);
    if (away < SHORT_ABSENCE_MS) return [];
    const gone: SystemNote = { key: `gone-${id}-${connection.number}`, at: connection.closed_at, icon: "offline", text: THREAD.wentOffline(phone) };
    return back ? [gone, { key: `back-${id}-${connection.number}`, at: back, icon: "phone", text: THREAD.cameOnline(phone, span(away / 1_000)) }] : [gone];
  });
}
