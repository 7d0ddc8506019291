/** Whether the hub serves another build of the dashboard than the one that is open: it was updated beneath this page. The hub alone is asked. */

import { onBack } from "./live.svelte";

const AGAIN_MS = 5 * 60_000;
const HOME = "/ui/";

let isThere = $state(false);

export const update = {
  get isThere(): boolean {
    return isThere;
  },
};

/** The files this page began with. Their names carry a hash of everything that is in the build. */
function ownFiles(): string[] {
  const found = document.querySelectorAll<HTMLScriptElement | HTMLLinkElement>("script[type=module][src], link[rel=stylesheet][href]");
  const names = [...found].map((one) => new URL(one instanceof HTMLScriptElement ? one.src : one.href).pathname);
  return names.filter((name) => name.startsWith(`${HOME}assets/`));
}

const own = ownFiles();

async function look(): Promise<void> {
  // `npm run dev` serves no built files.
  if (isThere || own.length === 0) return;
  const answer = await fetch(HOME, { cache: "no-cache", credentials: "same-origin" }).catch(() => null);
  if (!answer?.ok || !(answer.headers.get("content-type") ?? "").startsWith("text/html")) return;
  const page = await answer.text();
  isThere = own.some((name) => !page.includes(name));
}

/** Look when the hub is back after it was away, and when the page is looked at again after a while. */
export function watchUpdate(): () => void {
  let isFirst = true;
  let lookedAt = Date.now();
  const end = onBack(() => {
    if (!isFirst) void look();
    isFirst = false;
  });
  const seen = (): void => {
    if (document.visibilityState !== "visible" || Date.now() - lookedAt < AGAIN_MS) return;
    lookedAt = Date.now();
    void look();
  };
  document.addEventListener("visibilitychange", seen);
  return () => {
    end();
    document.removeEventListener("visibilitychange", seen);
  };
}
