/** Messages: the log, one text's story, and sending to many. */

import { go } from "../../router.svelte";
import type { Area } from "../../pages";
import { NAV } from "../../words";
import { BATCH, BULK, LOG } from "../../words/messages";

const area: Area = {
  name: "messages",
  pages: [
    { path: "/messages", load: () => import("./Log.svelte"), title: LOG.title },
    { path: "/messages/bulk", load: () => import("./Bulk.svelte"), title: BULK.title },
    { path: "/messages/batches", load: () => import("./Batches.svelte"), title: BATCH.title },
    { path: "/messages/batches/:id", load: () => import("./BatchPage.svelte"), title: BATCH.title },
    { path: "/messages/:id", load: () => import("./Story.svelte"), title: LOG.title },
  ],
  nav: { label: NAV.messages, icon: "list", to: "/messages", order: 40, key: "m", tab: true },
  commands: () => [
    { id: "bulk", label: BULK.title, icon: "send", also: "csv bulk batch campaign", run: () => go("/messages/bulk") },
    { id: "batches", label: BATCH.title, icon: "list", run: () => go("/messages/batches") },
    { id: "not-arrived", label: LOG.failed, icon: "stop", more: "failed", run: () => go("/messages?show=failed") },
  ],
};

export default area;
