import { api } from "../../api/client";
import type { Schema } from "../../api/types";
import { watchLines } from "../../lines.svelte";
import type { Area, Command } from "../../pages";
import { go } from "../../router.svelte";
import { INBOX } from "../../words/conversations";
import { watchChanges } from "./changes.svelte";
import { inbox, watchInbox } from "./inbox.svelte";
import { watchNotifications } from "./notifications.svelte";
import { watchOutbox } from "./outbox.svelte";
import { numberShown } from "./numbers";

async function find(text: string, signal: AbortSignal): Promise<Command[]> {
  const page = await api.get<Schema["ThreadPage"]>("/v1/threads", { text, limit: 6 }, signal);
  return page.items.map((thread) => ({
    id: `thread-${thread.id}`,
    label: thread.name ?? numberShown(thread.peer),
    more: thread.name ? numberShown(thread.peer) : undefined,
    icon: "message",
    run: () => go(`/conversations/${thread.id}`),
  }));
}

const area: Area = {
  name: "conversations",
  pages: [
    { path: "/conversations", load: () => import("./Conversations.svelte"), title: INBOX.title },
    { path: "/conversations/:id", load: () => import("./Conversations.svelte"), title: INBOX.title },
  ],
  nav: {
    label: INBOX.title,
    short: INBOX.short,
    icon: "message",
    to: "/conversations",
    order: 20,
    key: "c",
    tab: true,
    badge: () => ({ count: inbox.counts.unread, tone: "plain" }),
  },
  commands: () => [{ id: "new-text", label: INBOX.newText, icon: "plus", hint: "c", run: () => go("/conversations?new") }],
  find,
  watch: () => {
    const ends = [watchChanges(), watchLines(), watchInbox(), watchOutbox(), watchNotifications()];
    return () => ends.forEach((end) => end());
  },
};

export default area;
