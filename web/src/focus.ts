/** Where the focus goes back to when a dialog is gone. */

import { tick } from "svelte";

/**
 * Remember what has the focus now; the returned function gives it back, unless something else took it.
 *
 * A dialog that is taken out of the page leaves the focus nowhere, and what lies behind it cannot take it before: hence the tick.
 */
export function rememberFocus(): () => void {
  const from = document.activeElement;
  return () =>
    void tick().then(() => {
      if (document.activeElement === document.body && from instanceof HTMLElement) from.focus({ preventScroll: true });
    });
}
