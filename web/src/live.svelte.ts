/** The one event stream of the page: hints of what changed, and whether what is shown is up to date. */

import { api } from "./api/client";

export interface Change {
  kind: string;
  id: string;
}

export interface CustomerEvent {
  id: string;
  type: string;
  occurred_at: string;
  data: Record<string, unknown>;
}

type OnChange = (change: Change) => void;
type OnEvent = (event: CustomerEvent) => void;
type OnBack = () => void;

const changes = new Set<OnChange>();
const events = new Set<OnEvent>();
const backs = new Set<OnBack>();

let connected = $state(false);
let lostAt = $state<Date | null>(null);
let everConnected = $state(false);
let source: EventSource | null = null;
let cursor: string | null = null;
let attempt = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

/** For the side bar: connected, and since when not (only told after three seconds). */
export const live = {
  get connected() {
    return connected;
  },
  get lostAt() {
    return lostAt;
  },
  get everConnected() {
    return everConnected;
  },
};

/** Hear every change until the returned function is called. */
export function onChange(listener: OnChange): () => void {
  changes.add(listener);
  return () => changes.delete(listener);
}

/** Hear every customer event. */
export function onEvent(listener: OnEvent): () => void {
  events.add(listener);
  return () => events.delete(listener);
}

/** Called when the stream is there, or is back after it was lost: hints were missed, so what is shown must be read again. */
export function onBack(listener: OnBack): () => void {
  backs.add(listener);
  return () => backs.delete(listener);
}

/** Open the stream and keep it open; full jitter between tries, at most 30 s. */
export async function connect(): Promise<void> {
  clearTimeout(timer);
  source?.close();
  const after = cursor ? `&after=${encodeURIComponent(cursor)}` : "";
  let url: string;
  try {
    url = (await api.post<{ url: string }>("/v1/stream/tickets")).url;
  } catch {
    again();
    return;
  }
  source = new EventSource(url + (url.includes("?") ? after : after.replace("&", "?")));
  source.addEventListener("ready", (message) => ready(message as MessageEvent<string>));
  source.addEventListener("change", (message) => changed(message as MessageEvent<string>));
  source.onmessage = (message: MessageEvent<string>) => {
    cursor = message.lastEventId || cursor;
    const event = JSON.parse(message.data) as CustomerEvent;
    events.forEach((listener) => listener(event));
  };
  source.onerror = () => {
    // A ticket opens one stream: the browser's own reconnecting would be refused, so we come back with a new one.
    source?.close();
    again();
  };
}

export function disconnect(): void {
  clearTimeout(timer);
  source?.close();
  source = null;
  connected = false;
}

function ready(message: MessageEvent<string>): void {
  cursor = message.lastEventId || cursor;
  // Also the first time: what a page has read before may have changed before the stream was there.
  const mayHaveMissed = !connected;
  connected = true;
  everConnected = true;
  lostAt = null;
  attempt = 0;
  if (mayHaveMissed) backs.forEach((listener) => listener());
}

function changed(message: MessageEvent<string>): void {
  const change = JSON.parse(message.data) as Change;
  changes.forEach((listener) => listener(change));
}

function again(): void {
  connected = false;
  lostAt ??= new Date();
  attempt += 1;
  timer = setTimeout(() => void connect(), Math.random() * Math.min(30_000, 500 * 2 ** attempt));
}
