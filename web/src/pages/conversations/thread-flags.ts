/** Archive, mute and mark unread: each said in a toast that can take it back. */

import { Problem } from "../../api/client";
import type { Schema } from "../../api/types";
import { session } from "../../session.svelte";
import { toast } from "../../toasts.svelte";
import { THREAD } from "../../words/conversations";
import type { OpenThread } from "./thread.svelte";

export class ThreadFlags {
  constructor(readonly open: OpenThread) {}

  get mayChange(): boolean {
    return session.can("conversations:write");
  }

  archive(): void {
    if (!this.open.thread || !this.mayChange) return;
    if (this.open.thread.archived_at) void this.#flag({ is_archived: false }, THREAD.unarchived, { is_archived: true });
    else void this.#flag({ is_archived: true }, THREAD.archived, { is_archived: false });
  }

  mute(): void {
    if (!this.open.thread || !this.mayChange) return;
    if (this.open.thread.muted_at) void this.#flag({ is_muted: false }, THREAD.unmuted, { is_muted: true });
    else void this.#flag({ is_muted: true }, THREAD.muted, { is_muted: false });
  }

  markUnread(): void {
    void this.#flag({ is_read: false }, THREAD.markedUnread, { is_read: true });
  }

  async #flag(change: Schema["ThreadChange"], words: string, undo: Schema["ThreadChange"]): Promise<void> {
    try {
      await this.open.flag(change);
      toast(words, { undo: () => void this.open.flag(undo).catch(() => undefined) });
    } catch (error) {
      toast(error instanceof Problem ? error.message : String(error), { tone: "bad" });
    }
  }
}
