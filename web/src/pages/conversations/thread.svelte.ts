/** One open thread: a stretch of its texts, never more than so many of them, that grows where it is read and follows what happens. */

import { api, Problem } from "../../api/client";
import type { Message, MessagePage, Schema } from "../../api/types";
import { changed, nextTold, onAll, onMessages, onThreads, type Thread } from "./changes.svelte";
import { place } from "./inbox.svelte";
import { absorb, firstUnreadOf, inOrder, type Known } from "./merge";

const PAGE = 60;
/** Texts held at once; beyond them the far end is let go, and read again when it is scrolled to. */
const MOST = 360;

export class OpenThread {
  thread = $state.raw<Thread | null>(null);
  problem = $state<string | null>(null);
  isMissing = $state(false);
  isLoaded = $state(false);
  hasOlder = $state(false);
  hasNewer = $state(false);
  isBusy = $state(false);
  firstUnread = $state<string | null>(null);
  /** Texts that came while what is shown is not the end. */
  newBelow = $state(0);
  consent = $state.raw<Schema["Consent"] | null>(null);
  #known = $state.raw<ReadonlyMap<string, Known>>(new Map());
  messages = $derived(inOrder(this.#known));
  #consentAsked = 0;
  #ends: (() => void)[] = [];
  #isClosed = false;

  constructor(
    readonly id: string,
    readonly lineId: string | null,
  ) {
    this.#ends = [
      onMessages((messages, told) => this.#told(messages, told)),
      onThreads((threads) => threads.forEach((thread) => this.#tellThread(thread))),
      onAll(() => void this.refresh()),
    ];
  }

  close(): void {
    this.#isClosed = true;
    this.#ends.forEach((end) => end());
  }

  /** Read the end of it, or the part around a text. */
  async open(around: string | null): Promise<void> {
    this.problem = null;
    try {
      const told = nextTold();
      const [thread, ...pages] = await Promise.all([api.get<Thread>(`/v1/threads/${this.id}`), ...this.#around(around)]);
      if (this.#isClosed) return;
      this.thread = thread;
      this.#known = absorb(
        new Map(),
        pages.flatMap((page) => page.items).filter((message) => message.peer === thread.peer),
        told,
      );
      const [older, newer] = pages;
      this.hasOlder = older?.next_cursor != null;
      this.hasNewer = newer?.next_cursor != null;
      this.firstUnread = thread.unread > 0 && !this.hasNewer ? firstUnreadOf(this.messages, thread.unread) : null;
      this.newBelow = 0;
      this.isLoaded = true;
      void this.loadConsent();
    } catch (error) {
      if (this.#isClosed) return;
      if (error instanceof Problem && error.status === 404) this.isMissing = true;
      else this.problem = error instanceof Error ? error.message : String(error);
    }
  }

  #around(id: string | null): Promise<MessagePage>[] {
    if (id === null) return [this.#page({ limit: PAGE })];
    const itself = api.get<Message>(`/v1/messages/${id}`).then(
      (message) => ({ items: [message], next_cursor: null }),
      () => ({ items: [], next_cursor: null }),
    );
    return [this.#page({ limit: PAGE / 2, before: id }), this.#page({ limit: PAGE / 2, after: id }), itself];
  }

  #page(query: Record<string, string | number>): Promise<MessagePage> {
    return api.get<MessagePage>(`/v1/threads/${this.id}/messages`, { ...query, line_id: this.lineId });
  }

  async loadConsent(): Promise<void> {
    const peer = this.thread?.peer;
    if (!peer) return;
    const asked = ++this.#consentAsked;
    const consent = await api.post<Schema["Consent"]>("/v1/optouts/read", { peer }).catch(() => null);
    // A slower answer to an older question is not the newest truth.
    if (asked === this.#consentAsked) this.consent = consent;
  }

  /** The thread as it is now; who may be texted is read again whenever it says that this has changed. */
  #become(thread: Thread): void {
    const hadOptedOut = this.thread?.opted_out_at;
    this.thread = thread;
    if (hadOptedOut !== thread.opted_out_at) void this.loadConsent();
  }

  /** The page before what is shown. */
  async older(): Promise<void> {
    const first = this.messages[0];
    if (this.isBusy || !this.hasOlder || !first) return;
    this.isBusy = true;
    try {
      const told = nextTold();
      const page = await this.#page({ limit: PAGE, before: first.id });
      this.#known = absorb(this.#known, page.items, told);
      this.hasOlder = page.next_cursor !== null;
      this.#letGo("newest");
    } catch {
      // Scrolling on asks again.
    } finally {
      this.isBusy = false;
    }
  }

  /** The page after what is shown. */
  async newer(): Promise<void> {
    const last = this.messages.at(-1);
    if (this.isBusy || !this.hasNewer || !last) return;
    this.isBusy = true;
    try {
      const told = nextTold();
      const page = await this.#page({ limit: PAGE, after: last.id });
      this.#known = absorb(this.#known, page.items, told);
      this.hasNewer = page.next_cursor !== null;
      if (!this.hasNewer) this.newBelow = 0;
      this.#letGo("oldest");
    } catch {
      // Scrolling on asks again.
    } finally {
      this.isBusy = false;
    }
  }

  #letGo(end: "newest" | "oldest"): void {
    const all = this.messages;
    if (all.length <= MOST) return;
    const kept = end === "newest" ? all.slice(0, MOST) : all.slice(-MOST);
    const ids = new Set(kept.map((message) => message.id));
    this.#known = new Map([...this.#known].filter(([id]) => ids.has(id)));
    if (end === "newest") this.hasNewer = true;
    else this.hasOlder = true;
  }

  /** After hints were missed: what came since, and how what is shown stands now. */
  async refresh(): Promise<void> {
    try {
      const told = nextTold();
      const thread = await api.get<Thread>(`/v1/threads/${this.id}`);
      if (this.#isClosed) return;
      this.#become(thread);
      const last = this.messages.at(-1);
      if (this.hasNewer || !last) return;
      const page = await this.#page({ limit: 200 });
      if (this.#isClosed) return;
      const oldest = page.items.at(-1);
      // A gap wider than a page: begin anew at the end rather than show a hole.
      if (page.next_cursor !== null && oldest && oldest.id > last.id) await this.open(null);
      else {
        const first = this.messages[0]?.id ?? "";
        this.#known = absorb(
          this.#known,
          page.items.filter((message) => message.id >= first),
          told,
        );
      }
    } catch {
      // The stream will say when the hub is back.
    }
  }

  #told(messages: Message[], told: number): void {
    const peer = this.thread?.peer;
    if (!peer) return;
    const mine = messages.filter((message) => message.peer === peer && message.conversation_id !== null && (this.lineId === null || message.line_id === this.lineId));
    const shown = mine.filter((message) => this.#known.has(message.id) || this.#isAtEnd(message));
    if (shown.length) this.#known = absorb(this.#known, shown, told);
    if (this.hasNewer) this.newBelow += mine.filter((message) => !this.#known.has(message.id) && message.id > (this.messages.at(-1)?.id ?? "")).length;
  }

  #isAtEnd(message: Message): boolean {
    return !this.hasNewer && message.id > (this.messages.at(-1)?.id ?? "");
  }

  #tellThread(thread: Thread): void {
    if (thread.peer !== this.thread?.peer) return;
    this.#become(thread);
    // A text that came in is named by its conversation only: read what is new at the end.
    if (!this.hasNewer && thread.last_message && !this.#known.has(thread.last_message.id)) void this.#readEnd();
    else if (thread.last_message && this.#known.has(thread.last_message.id)) this.#known = absorb(this.#known, [thread.last_message], nextTold());
    else if (this.hasNewer) this.newBelow += 1;
  }

  async #readEnd(): Promise<void> {
    const told = nextTold();
    const last = this.messages.at(-1);
    try {
      const page = last ? await this.#page({ limit: 200, after: last.id }) : await this.#page({ limit: PAGE });
      if (this.#isClosed || this.hasNewer) return;
      this.#known = absorb(this.#known, page.items, told);
      if (page.next_cursor !== null) await this.open(null);
    } catch {
      // The next hint, or the stream's return, reads it.
    }
  }

  /** Change flags; the list follows. */
  async flag(change: Schema["ThreadChange"]): Promise<void> {
    const after = await api.patch<Thread>(`/v1/threads/${this.id}`, change);
    if (!this.#isClosed) this.#become(after);
    place(after);
  }

  /** Send an ended text again. */
  async resend(message: Message, lineId: string | null): Promise<void> {
    const key = `resend-${message.id}-${lineId ?? "same"}-${Date.now()}`;
    const taken = await api.post<Schema["Taken"]>(`/v1/messages/${message.id}/resend`, { line_id: lineId }, { idempotencyKey: key });
    const id = taken.results[0]?.conversation_id;
    if (id) changed(id);
  }
}
