/** What was just done, in one line at the foot, with Undo where it can be undone. */

export interface Toast {
  id: number;
  text: string;
  tone: "plain" | "bad";
  undo?: () => void;
}

const SECONDS = 6;
let next = 1;
let list = $state.raw<Toast[]>([]);
const timers = new Map<number, ReturnType<typeof setTimeout>>();

export const toasts = {
  get list(): readonly Toast[] {
    return list;
  },
};

/** Say it for six seconds; hovering or focusing it keeps it. */
export function toast(text: string, options: { undo?: () => void; tone?: "plain" | "bad" } = {}): void {
  const one: Toast = { id: next++, text, tone: options.tone ?? "plain", undo: options.undo };
  list = [...list.slice(-2), one];
  resume(one.id);
}

export function dismiss(id: number): void {
  clearTimeout(timers.get(id));
  timers.delete(id);
  list = list.filter((one) => one.id !== id);
}

export function hold(id: number): void {
  clearTimeout(timers.get(id));
}

export function resume(id: number): void {
  clearTimeout(timers.get(id));
  timers.set(id, setTimeout(() => dismiss(id), SECONDS * 1_000));
}

/** Undo the newest thing that can be undone; false when there is none. */
export function undoLast(): boolean {
  const one = [...list].reverse().find((candidate) => candidate.undo);
  if (!one) return false;
  dismiss(one.id);
  one.undo?.();
  return true;
}
