/** Why a text did not arrive, in the hub's own sentence; read once for each text and state. */

import { SvelteMap } from "svelte/reactivity";

import { api } from "../../api/client";
import type { Message, Schema } from "../../api/types";
import { STATES, type MessageState } from "../../words";
import { THREAD } from "../../words/conversations";

const found = new SvelteMap<string, string>();
const asked = new Set<string>();

/** The cause in bold, and the rest. Until the hub has answered: what the text itself says. */
export function sentenceOf(message: Message): { cause: string; rest: string } {
  const key = `${message.id} ${message.state}`;
  if (!asked.has(key)) {
    asked.add(key);
    // Not while a component is rendering: the map it reads must not change under it.
    queueMicrotask(() => void read(message, key));
  }
  const cause = message.state === "uncertain" ? THREAD.uncertainCause : `${STATES[message.state as MessageState].label}.`;
  const whole = found.get(key) ?? `${cause} ${message.explanation ?? ""}`;
  const end = whole.indexOf(". ");
  return end < 0 ? { cause: whole, rest: "" } : { cause: whole.slice(0, end + 1), rest: whole.slice(end + 2) };
}

async function read(message: Message, key: string): Promise<void> {
  try {
    const timeline = await api.get<Schema["Timeline"]>(`/v1/messages/${message.id}/timeline`);
    const hop = timeline.items.findLast((one) => one.is_applied && one.to_state === message.state);
    if (hop) found.set(key, hop.sentence);
  } catch {
    asked.delete(key);
  }
}
