/** `{@attach currentInView}` on a row of links that scrolls sideways: the one for the page that is shown is in view. */

import { here } from "../router.svelte";

export function currentInView(row: HTMLElement): void {
  void here().path;
  const current = row.querySelector<HTMLElement>("[aria-current]");
  if (!current) return;
  const from = current.offsetLeft - row.offsetLeft;
  row.scrollLeft = from - (row.clientWidth - current.offsetWidth) / 2;
}
