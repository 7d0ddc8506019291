/** Hints of the stream turned into what they are about: read once, told to the list and to the open thread alike. */

import { api } from "../../api/client";
import type { Message, Schema } from "../../api/types";
import { onBack, onChange } from "../../live.svelte";

export type Thread = Schema["Thread"];

type OnMessages = (messages: Message[], told: number) => void;
type OnThreads = (threads: Thread[]) => void;
type OnAll = () => void;

const SOON_MS = 60;
/** Above this many at once it is cheaper to read what is shown anew. */
const MOST = 12;

const messageListeners = new Set<OnMessages>();
const threadListeners = new Set<OnThreads>();
const allListeners = new Set<OnAll>();
let messageIds = new Set<string>();
let conversationIds = new Set<string>();
let isAll = false;
let timer: ReturnType<typeof setTimeout> | undefined;
let count = 0;

/** The number of a request that begins now; what a later one tells is newer. */
export function nextTold(): number {
  count += 1;
  return count;
}

function add<T>(set: Set<T>, one: T): () => void {
  set.add(one);
  return () => set.delete(one);
}

export const onMessages = (listener: OnMessages): (() => void) => add(messageListeners, listener);
export const onThreads = (listener: OnThreads): (() => void) => add(threadListeners, listener);
/** So much has changed, or so much was missed, that everything shown has to be read again. */
export const onAll = (listener: OnAll): (() => void) => add(allListeners, listener);

/** Read these now-changed conversations again, as if the stream had named them. */
export function changed(conversationId: string): void {
  conversationIds.add(conversationId);
  timer ??= setTimeout(() => void flush(), SOON_MS);
}

async function flush(): Promise<void> {
  timer = undefined;
  const [messages, conversations, all] = [[...messageIds], [...conversationIds], isAll];
  messageIds = new Set();
  conversationIds = new Set();
  isAll = false;
  if (all || messages.length > MOST || conversations.length > MOST) {
    allListeners.forEach((listener) => listener());
    return;
  }
  const told = nextTold();
  const read = (await Promise.all(messages.map((id) => api.get<Message>(`/v1/messages/${id}`).catch(() => null)))).filter((one) => one !== null);
  if (read.length) messageListeners.forEach((listener) => listener(read, told));
  const touched = new Set([...conversations, ...read.map((message) => message.conversation_id).filter((id) => id !== null)]);
  const threads = (await Promise.all([...touched].map((id) => api.get<Thread>(`/v1/threads/${id}`).catch(() => null)))).filter((one) => one !== null);
  if (threads.length) threadListeners.forEach((listener) => listener(threads));
}

/** Listen to the stream while somebody is signed in. */
export function watchChanges(): () => void {
  const ends = [
    onChange((change) => {
      if (change.kind === "message") messageIds.add(change.id);
      else if (change.kind === "conversation") conversationIds.add(change.id);
      else if (change.kind === "batch") isAll = true;
      else return;
      timer ??= setTimeout(() => void flush(), change.kind === "batch" ? 1_000 : SOON_MS);
    }),
    onBack(() => {
      isAll = true;
      timer ??= setTimeout(() => void flush(), SOON_MS);
    }),
  ];
  return () => {
    clearTimeout(timer);
    timer = undefined;
    ends.forEach((end) => end());
  };
}
