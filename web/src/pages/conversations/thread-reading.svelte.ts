/** What of an open thread has been read, and what is said aloud of what comes in. */

import { untrack } from "svelte";

import { say } from "../../frame.svelte";
import { session } from "../../session.svelte";
import { oneLine } from "./shown-text";
import type { OpenThread } from "./thread.svelte";
import type { ThreadScroll } from "./thread-scroll.svelte";

const SPOKEN_EVERY_MS = 5_000;

export class ThreadReading {
  #isHeldUnread = false;
  #lastSpoken = 0;
  #lastHeard = "";

  /** To be made while a component is. `name` is whose thread it is. */
  constructor(
    readonly open: OpenThread,
    readonly scroll: ThreadScroll,
    readonly name: () => string,
  ) {
    $effect(() => {
      const last = open.messages.at(-1);
      if (!scroll.isPlaced || !last || last.id <= this.#lastHeard) return;
      this.#lastHeard = last.id;
      untrack(() => {
        if (last.direction === "mo") this.#hear(last.text);
      });
    });
    $effect(() => {
      if (this.#isUnread && scroll.isAtEnd && scroll.isPlaced) untrack(() => this.markRead());
    });
    $effect(() => {
      const seen = (): void => this.markRead();
      document.addEventListener("visibilitychange", seen);
      return () => document.removeEventListener("visibilitychange", seen);
    });
  }

  get #isUnread(): boolean {
    return (this.open.thread?.unread ?? 0) > 0;
  }

  #hear(text: string): void {
    if (!this.scroll.isAtEnd) this.open.newBelow += 1;
    else this.markRead();
    if (Date.now() - this.#lastSpoken < SPOKEN_EVERY_MS) return;
    this.#lastSpoken = Date.now();
    say(`${this.name()}: ${oneLine(text)}`);
  }

  /** The thread has come into sight: what is there is read, and is not new. */
  begin(): void {
    this.markRead(true);
    this.#lastHeard = this.open.messages.at(-1)?.id ?? "";
  }

  /** Its end has been scrolled to. */
  atEnd(): void {
    this.markRead();
    this.open.newBelow = 0;
  }

  markRead(isOpening = false): void {
    if (!this.#isUnread || this.#isHeldUnread || document.visibilityState !== "visible" || !(this.scroll.isAtEnd || isOpening)) return;
    if (!session.can("conversations:write")) return;
    void this.open.flag({ is_read: true }).catch(() => undefined);
  }

  /** Somebody marked it unread: looking at it no longer marks it read. */
  holdUnread(): void {
    this.#isHeldUnread = true;
  }
}
