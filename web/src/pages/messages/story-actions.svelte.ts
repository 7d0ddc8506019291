/** What can be done with one text: send it again, cancel it, put it back into the queue. */

import { api, Problem } from "../../api/client";
import type { Message, Schema } from "../../api/types";
import { go } from "../../router.svelte";
import { toast } from "../../toasts.svelte";
import { STORY } from "../../words/messages";
import type { OpenStory } from "./open-story.svelte";

const CAN_END = ["scheduled", "queued", "retried", "dispatched"];
const CAN_GO_AGAIN = ["failed", "undelivered", "expired", "dead_letter", "cancelled", "uncertain", "delivered", "sent"];
/** The other side may have it already. */
const MAY_HAVE_GONE = ["uncertain", "sent", "delivered"];

export function canEnd(message: Message): boolean {
  return CAN_END.includes(message.state);
}

export function canGoAgain(message: Message): boolean {
  return CAN_GO_AGAIN.includes(message.state);
}

export class StoryActions {
  /** Somebody has to confirm that it is sent twice, by this line (null = the one before). */
  asking = $state<{ line: string | null } | null>(null);
  isBusy = $state(false);

  constructor(readonly story: OpenStory) {}

  again(line: string | null): void {
    const state = this.story.message?.state;
    if (state && MAY_HAVE_GONE.includes(state)) this.asking = { line };
    else void this.resend(line);
  }

  resend(line: string | null): Promise<void> {
    return this.#act(async () => {
      this.asking = null;
      const key = crypto.getRandomValues(new Uint32Array(4)).join("-");
      const taken = await api.post<Schema["Taken"]>(`/v1/messages/${this.story.id()}/resend`, line ? { line_id: line } : {}, { idempotencyKey: key });
      toast(STORY.sentAgain);
      const next = taken.results[0]?.message_id;
      if (next) go(`/messages/${next}`);
    });
  }

  cancel(): Promise<void> {
    return this.#act(async () => {
      const done = await api.post<Schema["CancelOutcome"]>(`/v1/messages/${this.story.id()}/cancel`);
      toast(done.is_final ? STORY.cancelled : STORY.cancelAsked);
      await this.story.load();
    });
  }

  putBack(): Promise<void> {
    return this.#act(async () => {
      await api.post(`/v1/messages/${this.story.id()}/replay`);
      toast(STORY.queuedAgain);
      await this.story.load();
    });
  }

  async #act(run: () => Promise<void>): Promise<void> {
    this.isBusy = true;
    try {
      await run();
    } catch (error) {
      toast(error instanceof Problem ? error.message : String(error), { tone: "bad" });
    } finally {
      this.isBusy = false;
    }
  }
}
