/** The list of threads: pages, filters, search, and one row changed at a time. */

import { api, Problem } from "../../api/client";
import type { Message, MessagePage, Schema } from "../../api/types";
import { setUnread } from "../../title.svelte";
import { onAll, onThreads, type Thread } from "./changes.svelte";
import { FAILED_STATES } from "./merge";

export type Show = "inbox" | "unread" | "waiting" | "failed" | "archived";

const PAGE = 50;

let show = $state<Show>("inbox");
let lineId = $state<string | null>(null);
let text = $state("");
let items = $state.raw<Thread[]>([]);
let hits = $state.raw<Message[]>([]);
let next = $state<string | null>(null);
let isLoaded = $state(false);
let isBusy = $state(false);
let problem = $state<string | null>(null);
let counts = $state.raw<Schema["ThreadCounts"]>({ unread: 0, waiting: 0, failed: 0 });
let people = $state.raw<ReadonlyMap<string, Thread>>(new Map());
let asked = 0;
let countTimer: ReturnType<typeof setTimeout> | undefined;

export const inbox = {
  get show() {
    return show;
  },
  get lineId() {
    return lineId;
  },
  get text() {
    return text;
  },
  get items(): readonly Thread[] {
    return items;
  },
  /** Texts that hold what is searched for. */
  get hits(): readonly Message[] {
    return hits;
  },
  /** Whose a found text is, as far as it was read. */
  threadOf(peer: string): Thread | undefined {
    return people.get(peer);
  },
  get hasMore() {
    return next !== null;
  },
  get isLoaded() {
    return isLoaded;
  },
  get isBusy() {
    return isBusy;
  },
  get problem() {
    return problem;
  },
  get counts() {
    return counts;
  },
};

export function narrow(to: { show?: Show; lineId?: string | null; text?: string }): void {
  show = to.show ?? show;
  lineId = to.lineId === undefined ? lineId : to.lineId;
  text = to.text ?? text;
  isLoaded = false;
  items = [];
  hits = [];
  void load();
  if (to.lineId !== undefined) void loadCounts();
}

function query(limit: number, cursor: string | null): Record<string, string | number | null> {
  return { show: text ? null : show, line_id: lineId, text: text.trim() || null, limit, cursor };
}

async function load(limit = PAGE): Promise<void> {
  const mine = ++asked;
  isBusy = true;
  try {
    const wanted = text.trim();
    const [page, found] = await Promise.all([
      api.get<Schema["ThreadPage"]>("/v1/threads", query(limit, null)),
      wanted.length >= 2 ? api.get<MessagePage>("/v1/messages", { text: wanted, line_id: lineId, limit: 20 }).catch(() => null) : null,
    ]);
    if (mine !== asked) return;
    items = page.items;
    next = page.next_cursor;
    hits = found?.items.filter((message) => message.conversation_id !== null) ?? [];
    void readPeople(mine);
    problem = null;
    isLoaded = true;
  } catch (error) {
    if (mine === asked) problem = error instanceof Problem ? error.message : String(error);
  } finally {
    if (mine === asked) isBusy = false;
  }
}

/** Found texts are shown with the names of those they are with. */
async function readPeople(mine: number): Promise<void> {
  const unknown = new Map(hits.map((message) => [message.peer, message.conversation_id]));
  const read = await Promise.all([...unknown.values()].map((id) => api.get<Thread>(`/v1/threads/${id}`).catch(() => null)));
  if (mine === asked) people = new Map(read.filter((thread) => thread !== null).map((thread) => [thread.peer, thread]));
}

export async function more(): Promise<void> {
  if (isBusy || next === null) return;
  const mine = asked;
  isBusy = true;
  try {
    const page = await api.get<Schema["ThreadPage"]>("/v1/threads", query(PAGE, next));
    if (mine !== asked) return;
    const known = new Set(items.map((thread) => thread.peer));
    items = [...items, ...page.items.filter((thread) => !known.has(thread.peer))];
    next = page.next_cursor;
  } catch {
    // The foot of the list asks again when it is reached again.
  } finally {
    isBusy = false;
  }
}

async function loadCounts(): Promise<void> {
  try {
    counts = await api.get<Schema["ThreadCounts"]>("/v1/threads/counts", { line_id: lineId });
    setUnread(counts.unread);
  } catch {
    // Shown as they were; the next change asks again.
  }
}

function countSoon(): void {
  countTimer ??= setTimeout(() => {
    countTimer = undefined;
    void loadCounts();
  }, 300);
}

function belongs(thread: Thread): boolean {
  if (lineId !== null && !thread.lines.some((line) => line.line_id === lineId)) return false;
  if (text.trim()) return items.some((one) => one.peer === thread.peer);
  if ((thread.archived_at !== null) !== (show === "archived")) return false;
  if (show === "unread") return thread.unread > 0;
  if (show === "waiting") return thread.last_direction === "mo" && thread.opted_out_at === null;
  if (show === "failed") return FAILED_STATES.has(thread.last_message?.state ?? "");
  return true;
}

/** Put a changed thread where it belongs now. */
export function place(thread: Thread): void {
  if (!isLoaded) return;
  const others = items.filter((one) => one.peer !== thread.peer);
  const last = others.at(-1);
  const isBelow = next !== null && last !== undefined && thread.last_at < last.last_at;
  if (!belongs(thread) || isBelow) items = others;
  else {
    const at = others.findIndex((one) => one.last_at < thread.last_at || (one.last_at === thread.last_at && one.peer === thread.peer));
    items = at < 0 ? [...others, thread] : [...others.slice(0, at), thread, ...others.slice(at)];
  }
  countSoon();
}

/** Change flags of a thread at the hub; what is shown changes at once. */
export async function flag(thread: Thread, change: Schema["ThreadChange"]): Promise<Thread> {
  const after = await api.patch<Thread>(`/v1/threads/${thread.id}`, change);
  place(after);
  return after;
}

/** Keep list and counts true while somebody is signed in. */
export function watchInbox(): () => void {
  void load();
  void loadCounts();
  const ends = [
    onThreads((threads) => {
      if (lineId !== null) void load(Math.max(PAGE, Math.min(items.length, 200)));
      else threads.forEach(place);
      countSoon();
    }),
    onAll(() => {
      void load(Math.max(PAGE, Math.min(items.length, 200)));
      countSoon();
    }),
  ];
  return () => {
    ends.forEach((end) => end());
    items = [];
    isLoaded = false;
    setUnread(0);
  };
}
