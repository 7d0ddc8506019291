/** What a page may ask of the frame around it. */

import { untrack } from "svelte";

let bare = $state(0);
let said = $state("");

export const frame = {
  /** The tabs at the foot are away: the page needs the height (a thread on a phone). */
  get isBare(): boolean {
    return bare > 0;
  },
  get said(): string {
    return said;
  },
};

/** Take the tabs away while shown: `$effect(() => hideTabs())`. */
export function hideTabs(): () => void {
  // The caller's effect must not depend on what it changes.
  untrack(() => (bare += 1));
  return () => {
    untrack(() => (bare -= 1));
  };
}

/** Told to screen readers, politely. */
export function say(text: string): void {
  said = said === text ? `${text} ` : text;
}
