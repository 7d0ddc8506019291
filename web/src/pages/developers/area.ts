/** Developers: webhooks and their log, API keys, the event stream, samples, and the reference. */

import { api } from "../../api/client";
import type { Schema } from "../../api/types";
import { onBack, onChange } from "../../live.svelte";
import type { Area } from "../../pages";
import { go } from "../../router.svelte";
import { session } from "../../session.svelte";
import { NAV } from "../../words";
import { DEV, EDIT, KEYS } from "../../words/developers";
import { GATEWAYS } from "../../words/gateways";
import { MAILBOXES } from "../../words/mailboxes";
import { trouble } from "./trouble.svelte";

async function count(): Promise<void> {
  if (!session.can("webhooks:read")) return;
  const page = await api.get<Schema["WebhookList"]>("/v1/webhooks").catch(() => null);
  if (page) trouble.set(page.items);
}

const area: Area = {
  name: "developers",
  pages: [
    { path: "/developers", load: () => import("./Webhooks.svelte"), title: DEV.webhooks },
    { path: "/developers/webhooks", load: () => import("./Webhooks.svelte"), title: DEV.webhooks },
    { path: "/developers/webhooks/new", load: () => import("./WebhookEdit.svelte"), title: EDIT.newTitle },
    { path: "/developers/webhooks/:id", load: () => import("./WebhookPage.svelte"), title: DEV.webhooks },
    { path: "/developers/webhooks/:id/edit", load: () => import("./WebhookEdit.svelte"), title: EDIT.changeTitle },
    { path: "/developers/keys", load: () => import("./Keys.svelte"), title: DEV.keys },
    { path: "/developers/gateways", load: () => import("./Gateways.svelte"), title: GATEWAYS.title },
    { path: "/developers/mailboxes", load: () => import("./Mailboxes.svelte"), title: MAILBOXES.title },
    { path: "/developers/stream", load: () => import("./Stream.svelte"), title: DEV.stream },
    { path: "/developers/samples", load: () => import("./Samples.svelte"), title: DEV.samples },
    { path: "/developers/reference", load: () => import("./Reference.svelte"), title: DEV.reference },
  ],
  nav: {
    label: NAV.developers,
    icon: "code",
    to: "/developers/webhooks",
    order: 50,
    key: "d",
    tab: true,
    badge: () => (trouble.count > 0 ? { count: trouble.count, tone: "bad" } : null),
    parts: [
      { label: DEV.webhooks, to: "/developers/webhooks", badge: () => (trouble.count > 0 ? { count: trouble.count, tone: "bad" } : null) },
      { label: DEV.keys, to: "/developers/keys" },
      { label: GATEWAYS.title, to: "/developers/gateways" },
      { label: MAILBOXES.title, to: "/developers/mailboxes" },
      { label: DEV.stream, to: "/developers/stream" },
      { label: DEV.samples, to: "/developers/samples" },
      { label: DEV.reference, to: "/developers/reference" },
    ],
  },
  commands: () => [
    { id: "webhooks", label: DEV.webhooks, icon: "webhook", run: () => go("/developers/webhooks") },
    { id: "keys", label: DEV.keys, icon: "code", more: KEYS.new, run: () => go("/developers/keys") },
    { id: "gateways", label: GATEWAYS.title, icon: "plug", more: "twilio pbx thirdlane", run: () => go("/developers/gateways") },
    { id: "mailboxes", label: MAILBOXES.title, icon: "message", more: "e-mail mail smtp", run: () => go("/developers/mailboxes") },
    { id: "stream", label: DEV.stream, icon: "plug", run: () => go("/developers/stream") },
    { id: "samples", label: DEV.samples, icon: "code", more: "curl python node", run: () => go("/developers/samples") },
    { id: "reference", label: DEV.reference, icon: "list", more: "openapi docs", run: () => go("/developers/reference") },
  ],
  watch: () => {
    if (!session.can("webhooks:read") || !session.seesAll) return () => undefined;
    void count();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = (): void => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void count();
      }, 2_000);
    };
    const ends = [onChange((change) => change.kind === "webhook" && soon()), onBack(soon)];
    return () => {
      ends.forEach((end) => end());
      clearTimeout(timer);
    };
  },
};

export default area;
