/** The text whose story is shown, kept as the hub knows it: the text, its steps, and what webhooks were told. */

import { onMount } from "svelte";

import { api, Problem } from "../../api/client";
import type { Line, Message, Schema } from "../../api/types";
import { onBack, onChange } from "../../live.svelte";
import { session } from "../../session.svelte";
import { rowsOf } from "./story";

const REFRESH_MS = 500;

export class OpenStory {
  message = $state.raw<Message | null>(null);
  hops = $state.raw<Schema["Hop"][]>([]);
  #deliveries = $state.raw<Schema["Delivery"][]>([]);
  /** Names of webhooks by id. */
  #webhooks = $state.raw(new Map<string, string>());
  lines = $state.raw<Line[]>([]);
  isMissing = $state(false);
  problem = $state<string | null>(null);
  rows = $derived(this.message ? rowsOf(this.message, this.hops, this.#deliveries, this.#webhooks) : []);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #seesHooks = session.can("webhooks:read") && session.seesAll;

  /** To be made while a component is. */
  constructor(readonly id: () => string) {
    $effect(() => {
      const wanted = id();
      this.message = null;
      void this.#load(wanted);
    });
    onMount(() => {
      this.#readNames();
      const ends = [
        onChange((change) => {
          if (change.id === id() || change.kind === "delivery" || change.id === this.message?.batch_id) this.#soon();
        }),
        onBack(() => this.#soon()),
      ];
      return () => {
        ends.forEach((end) => end());
        clearTimeout(this.#timer);
      };
    });
  }

  #readNames(): void {
    void api.get<{ items: Line[] }>("/v1/lines").then((page) => (this.lines = page.items), () => undefined);
    if (!this.#seesHooks) return;
    void api.get<Schema["WebhookList"]>("/v1/webhooks").then(
      (page) => (this.#webhooks = new Map(page.items.map((one) => [one.id, one.description || new URL(one.url).host]))),
      () => undefined,
    );
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.load();
    }, REFRESH_MS);
  }

  load(): Promise<void> {
    return this.#load(this.id());
  }

  async #load(wanted: string): Promise<void> {
    try {
      const [one, story, told] = await Promise.all([
        api.get<Message>(`/v1/messages/${wanted}`),
        api.get<Schema["Timeline"]>(`/v1/messages/${wanted}/timeline`),
        this.#seesHooks ? api.get<Schema["DeliveryPage"]>("/v1/deliveries", { message_id: wanted, limit: 100 }) : null,
      ]);
      if (wanted !== this.id()) return;
      this.message = one;
      this.hops = story.items;
      this.#deliveries = told?.items ?? [];
      this.isMissing = false;
      this.problem = null;
    } catch (error) {
      if (wanted !== this.id()) return;
      this.isMissing = error instanceof Problem && error.status === 404;
      this.problem = error instanceof Problem ? error.message : String(error);
    }
  }
}
