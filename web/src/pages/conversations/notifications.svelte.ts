/** The browser's own notifications of texts that come in while nobody looks. Off until somebody asks for them. */

import { api } from "../../api/client";
import { onEvent } from "../../live.svelte";
import { go, here } from "../../router.svelte";
import { toast } from "../../toasts.svelte";
import { INBOX } from "../../words/conversations";
import type { Thread } from "./changes.svelte";
import { numberShown } from "./numbers";
import { oneLine } from "./shown-text";

const KEY = "notifications";

let isOn = $state(localStorage.getItem(KEY) === "on" && "Notification" in window && Notification.permission === "granted");

export const notifications = {
  get isOn() {
    return isOn;
  },
};

export async function turnNotifications(on: boolean): Promise<void> {
  if (!on) {
    isOn = false;
    localStorage.removeItem(KEY);
    return;
  }
  if (!("Notification" in window) || (await Notification.requestPermission()) !== "granted") {
    toast(INBOX.notifyBlocked, { tone: "bad" });
    return;
  }
  isOn = true;
  localStorage.setItem(KEY, "on");
  toast(INBOX.notifying);
}

async function tell(data: Record<string, unknown>): Promise<void> {
  const id = data["conversation_id"];
  if (typeof id !== "string") return;
  const thread = await api.get<Thread>(`/v1/threads/${id}`);
  if (thread.muted_at !== null || (document.hasFocus() && here().path === `/conversations/${thread.id}`)) return;
  const notice = new Notification(thread.name ?? numberShown(thread.peer), { body: oneLine(String(data["text"] ?? "")), tag: thread.id, icon: "/ui/icon.svg" });
  notice.onclick = () => {
    window.focus();
    go(`/conversations/${thread.id}`);
    notice.close();
  };
}

export function watchNotifications(): () => void {
  return onEvent((event) => {
    const isRecent = Date.now() - Date.parse(event.occurred_at) < 60_000;
    if (isOn && isRecent && event.type === "sms:received") void tell(event.data).catch(() => undefined);
  });
}
