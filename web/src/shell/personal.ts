/** What the menu of the person who is signed in holds. */

import type { MenuItem } from "../components/Menu.svelte";
import { go } from "../router.svelte";
import { session } from "../session.svelte";
import { setTheme, theme } from "../theme.svelte";
import { SESSION } from "../words/session";
import { SHELL } from "../words/shell";
import { signOut } from "./leave";

/** `onkeys` shows the keyboard's shortcuts; without it they are left out (there is no keyboard where there are tabs). */
export function personalMenu(onkeys?: () => void): MenuItem[] {
  const isPerson = session.user?.role !== "key";
  return [
    ...(onkeys ? [{ label: SHELL.keys, icon: "list" as const, run: onkeys }] : []),
    ...(isPerson ? [{ label: SESSION.you, icon: "person" as const, run: () => go("/you") }] : []),
    { label: SHELL.light, checked: theme() === "light", apart: true, run: () => setTheme("light") },
    { label: SHELL.dark, checked: theme() === "dark", run: () => setTheme("dark") },
    { label: SHELL.system, checked: theme() === "system", run: () => setTheme("system") },
    ...(isPerson ? [{ label: SHELL.signOut, icon: "arrowLeft" as const, apart: true, run: () => void signOut() }] : []),
  ];
}
