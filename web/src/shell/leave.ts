/** Signing out: the session ends at the hub, and nothing of it stays on the page. */

import { api } from "../api/client";
import { disconnect } from "../live.svelte";
import { session } from "../session.svelte";
import { toast } from "../toasts.svelte";

export async function signOut(): Promise<void> {
  try {
    await api.delete("/session");
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error), { tone: "bad" });
    return;
  }
  disconnect();
  session.forget();
}
