/** By which line a text would leave: asked of the hub while it is written, and again when lines or phones change. */

import { api, Problem } from "../../api/client";
import type { Schema } from "../../api/types";
import { onChange } from "../../live.svelte";

const AFTER_CHANGE_MS = 600;

export interface Question {
  to: string;
  line_id: string | null;
  segments: number;
  has_media: boolean;
}

export class SenderChoice {
  answer = $state.raw<Schema["SenderChoice"] | null>(null);
  /** Why it cannot be sent at all, in the hub's words. */
  problem = $state<string | null>(null);

  private refreshed = $state(0);

  /** Ask whenever the question changes; null: there is nothing to ask. For a component that is being made. */
  constructor(question: () => Question | null) {
    $effect(() => {
      void this.refreshed;
      const asked = question();
      return asked === null ? undefined : this.ask(asked);
    });
    $effect(() => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const end = onChange((change) => {
        if (change.kind !== "line" && change.kind !== "device") return;
        clearTimeout(timer);
        timer = setTimeout(() => (this.refreshed += 1), AFTER_CHANGE_MS);
      });
      return () => {
        clearTimeout(timer);
        end();
      };
    });
  }

  private ask(question: Question): () => void {
    let isCurrent = true;
    api.post<Schema["SenderChoice"]>("/v1/senders", question).then(
      (answer) => {
        if (!isCurrent) return;
        this.answer = answer;
        this.problem = null;
      },
      (error: unknown) => {
        if (isCurrent && error instanceof Problem && error.status === 422) this.problem = error.message;
      },
    );
    return () => {
      isCurrent = false;
    };
  }
}
