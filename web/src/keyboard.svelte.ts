/** Shortcuts: components say which keys do what while they are shown; the newest wins; `?` lists them.
 *
 * Single keys are off inside fields and can be turned off altogether (WCAG 2.2, 2.1.4).
 */

import { tick, untrack } from "svelte";

export interface Shortcut {
  /** `j`, `/`, `?`, `Enter`, `Escape`, `mod+k` (⌘ or Ctrl), `mod+Enter`, `g o` (one after the other). */
  keys: string;
  does: string;
  run: (event: KeyboardEvent) => void;
  /** Also inside fields. Always so for `mod+…`. */
  inFields?: boolean;
  /** Not in the list of shortcuts. */
  hidden?: boolean;
}

export interface ShortcutGroup {
  title: string;
  shortcuts: Shortcut[];
}

const KEY = "single-keys";
const groups = $state<{ list: ShortcutGroup[] }>({ list: [] });
let singleKeys = $state(localStorage.getItem(KEY) !== "off");
let prefix: string | null = null;
let prefixEnds: ReturnType<typeof setTimeout> | undefined;
let holds = 0;
let held: KeyboardEvent[] = [];

export const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

export const keyboard = {
  /** What can be pressed now, the frame's own first. */
  get groups(): readonly ShortcutGroup[] {
    return groups.list;
  },
  get singleKeys(): boolean {
    return singleKeys;
  },
  setSingleKeys(on: boolean): void {
    singleKeys = on;
    if (on) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, "off");
  },
};

/** Offer shortcuts until the returned function is called: `$effect(() => shortcuts("Thread", [...]))`. */
export function shortcuts(title: string, list: Shortcut[]): () => void {
  const group = { title, shortcuts: list };
  // An effect that offers shortcuts does not depend on those of others: it would run for ever.
  groups.list = [...untrack(() => groups.list), group];
  return () => {
    groups.list = untrack(() => groups.list).filter((other) => other.shortcuts !== list && other !== group);
  };
}

/** Hold keys until the returned function is called, because the page that they are meant for is not there yet.
 *
 * Then the first shortcut among them is run and the rest is dropped: who pressed `c` and typed "emma" into the field that was about
 * to come wanted a new text, not to archive and mute what came instead.
 */
export function holdKeys(): () => void {
  holds += 1;
  return () => {
    holds -= 1;
    if (holds === 0) void tick().then(replay);
  };
}

function replay(): void {
  const keys = held;
  held = [];
  for (const event of keys) if (press(event)) return;
}

/** How a key is shown: `mod+k` is `⌘K` or `Ctrl K`. */
export function shown(keys: string): string[] {
  return keys.split(" ").map((key) =>
    key
      .split("+")
      .map((part) => (part === "mod" ? (isMac ? "⌘" : "Ctrl") : part === "Escape" ? "Esc" : part.length === 1 && key.includes("+") ? part.toUpperCase() : part))
      .join(isMac ? "" : " "),
  );
}

export function isField(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !["checkbox", "radio", "button", "submit", "reset", "file", "range"].includes(target.type);
}

function pressed(event: KeyboardEvent): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return event.metaKey || event.ctrlKey ? `mod+${key}` : key;
}

function find(keys: string, inField: boolean): Shortcut | null {
  for (const group of [...groups.list].reverse()) {
    for (const shortcut of group.shortcuts) {
      if (shortcut.keys !== keys) continue;
      const isCombined = keys.startsWith("mod+");
      if (inField && !isCombined && !shortcut.inFields) continue;
      if (!singleKeys && !isCombined && !shortcut.inFields && keys !== "Escape" && keys !== "Enter") continue;
      return shortcut;
    }
  }
  return null;
}

function isPrefix(key: string): boolean {
  return singleKeys && groups.list.some((group) => group.shortcuts.some((shortcut) => shortcut.keys.startsWith(`${key} `)));
}

function onKeydown(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || event.altKey) return;
  // A dialog or menu has the keyboard to itself.
  if (document.querySelector("dialog[open]") && !(event.metaKey || event.ctrlKey)) return;
  // A key alone is held; the browser's own (Tab, Enter, Space) and the combinations are not.
  if (holds > 0 && !isField(event.target) && /^\S$/u.test(event.key) && !event.metaKey && !event.ctrlKey) {
    held.push(event);
    return;
  }
  press(event);
}

/** Run the shortcut that this key is, or is the end of; false when it is none. */
function press(event: KeyboardEvent): boolean {
  const inField = isField(event.target);
  const key = pressed(event);
  const shortcut = (prefix !== null ? find(`${prefix} ${key}`, inField) : null) ?? find(key, inField);
  prefix = null;
  clearTimeout(prefixEnds);
  if (shortcut) {
    event.preventDefault();
    shortcut.run(event);
    return true;
  }
  if (!inField && isPrefix(key)) {
    prefix = key;
    prefixEnds = setTimeout(() => (prefix = null), 1_500);
  }
  return false;
}

window.addEventListener("keydown", onKeydown);
