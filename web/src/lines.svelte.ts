/** The account's lines, for their names and marks wherever a text is shown. */

import { api } from "./api/client";
import type { Line, Schema } from "./api/types";
import { onBack, onChange } from "./live.svelte";
import { session } from "./session.svelte";

let byId = $state.raw<ReadonlyMap<string, Line>>(new Map());
let isLoaded = $state(false);
let timer: ReturnType<typeof setTimeout> | undefined;

export const lines = {
  get isLoaded(): boolean {
    return isLoaded;
  },
  /** In the order of their marks. */
  get list(): Line[] {
    return [...byId.values()].sort((a, b) => a.mark - b.mark);
  },
  find(id: string | null | undefined): Line | undefined {
    return id ? byId.get(id) : undefined;
  },
};

export async function loadLines(): Promise<void> {
  if (!session.can("devices:read")) {
    isLoaded = true;
    return;
  }
  const list = await api.get<Schema["LineList"]>("/v1/lines");
  byId = new Map(list.items.map((line) => [line.id, line]));
  isLoaded = true;
}

function soon(): void {
  clearTimeout(timer);
  timer = setTimeout(() => void loadLines().catch(() => undefined), 400);
}

/** Keep them fresh while somebody is signed in. */
export function watchLines(): () => void {
  void loadLines().catch(() => undefined);
  const ends = [onBack(soon), onChange((change) => (change.kind === "line" || change.kind === "device") && soon())];
  return () => {
    clearTimeout(timer);
    ends.forEach((end) => end());
  };
}
