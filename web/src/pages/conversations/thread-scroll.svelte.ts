/** Where the eye is in an open thread, and that it stays there while texts come in above and below. */

import { untrack } from "svelte";

const NEAR_END = 60;
const NEAR_EDGE = 500;

export class ThreadScroll {
  pane = $state<HTMLDivElement>();
  inside = $state<HTMLDivElement>();
  isAtEnd = $state(true);
  /** The first sight has been chosen; until then nothing is shown. */
  isPlaced = $state(false);
  #anchor: { key: string; top: number } | null = null;
  /** How far it was scrolled when the end was last in sight. */
  #endTop = Infinity;

  /** `rows` are what is shown, `hasNewer` says that they do not reach the thread's end. To be made while a component is. */
  constructor(
    rows: () => unknown,
    readonly hasNewer: () => boolean,
  ) {
    $effect.pre(() => {
      void rows();
      untrack(() => this.capture());
    });
    $effect(() => {
      void rows();
      untrack(() => this.#restore());
    });
    // The composer grows, a phone's keyboard opens, a reason gets its second line: the end stays in sight.
    $effect(() => {
      if (!this.pane || !this.inside) return;
      const watcher = new ResizeObserver(() => {
        if (this.isAtEnd && this.isPlaced) this.toBottom();
      });
      watcher.observe(this.pane);
      watcher.observe(this.inside);
      return () => watcher.disconnect();
    });
  }

  get isNearTop(): boolean {
    return this.pane !== undefined && this.pane.scrollTop < NEAR_EDGE;
  }

  get isNearBottom(): boolean {
    return this.pane !== undefined && this.#below(this.pane) < NEAR_EDGE;
  }

  #below(pane: HTMLElement): number {
    return pane.scrollHeight - pane.scrollTop - pane.clientHeight;
  }

  /** Remember what is at the top of the pane, or that its end is in sight. */
  capture(): void {
    const pane = this.pane;
    if (!pane) return;
    const from = pane.scrollTop;
    // A picture that has just come in below makes the end far, before anybody has scrolled away from it.
    const stayed = this.isAtEnd && from >= this.#endTop;
    this.isAtEnd = !this.hasNewer() && (stayed || this.#below(pane) < NEAR_END);
    if (this.isAtEnd) this.#endTop = from;
    this.#anchor = null;
    if (this.isAtEnd) return;
    // The head of a day sticks to the top, and moves when texts of its day come in above: it holds no place.
    for (const element of pane.querySelectorAll<HTMLElement>("[data-row]:not(.day)")) {
      if (element.offsetTop + element.offsetHeight > from) {
        this.#anchor = { key: element.dataset["row"] ?? "", top: element.offsetTop - from };
        return;
      }
    }
  }

  #restore(): void {
    if (!this.pane || !this.isPlaced) return;
    if (this.#anchor) {
      const element = this.row(this.#anchor.key);
      if (element) this.pane.scrollTop = element.offsetTop - this.#anchor.top;
    } else if (this.isAtEnd) this.toBottom();
  }

  row(key: string): HTMLElement | null {
    return this.pane?.querySelector<HTMLElement>(`[data-row="${CSS.escape(key)}"]`) ?? null;
  }

  /** Bring a row into sight, its top this far below the pane's: a length, or a share of the pane's height. */
  show(row: HTMLElement, below: { px: number } | { share: number }): void {
    if (!this.pane) return;
    this.pane.scrollTop = Math.max(0, row.offsetTop - ("px" in below ? below.px : this.pane.clientHeight * below.share));
  }

  toBottom(): void {
    if (!this.pane) return;
    this.pane.scrollTop = this.pane.scrollHeight;
    this.#endTop = this.pane.scrollTop;
  }

  /** What is added next is added at the end, and is to be seen. */
  followEnd(): void {
    this.isAtEnd = true;
    this.#endTop = Infinity;
    this.#anchor = null;
  }
}
