/** Every page and its address.
 *
 * An area of the dashboard is a folder of `pages/` with an `area.ts` whose default export says its pages and its place in the
 * navigation. Areas are found by their folder: there is no list to edit, and what is not there is not in the navigation. Pages
 * are loaded when they are first opened, so that the first load stays small; `area.ts` itself is part of the first load.
 */

import type { Component } from "svelte";

import type { IconName } from "./icons";
import { match } from "./router.svelte";

export interface Command {
  id: string;
  label: string;
  icon?: IconName;
  /** Shown beside it, and found by. */
  more?: string;
  /** What else it is found by; not shown. */
  also?: string;
  /** Shown on the right. */
  hint?: string;
  run: () => void;
}

export interface Page {
  /** Below /ui; `:name` parts become properties of the page. */
  path: string;
  /** Its default export is the page. */
  load: () => Promise<unknown>;
  title: string;
  /** Shown without a session, and without the frame. */
  open?: boolean;
}

export interface Badge {
  count: number;
  /** `plain` is a number alone, the others have a dot of that colour before it. */
  tone: "plain" | "warn" | "bad";
}

export interface Area {
  name: string;
  pages: Page[];
  nav?: {
    label: string;
    /** The label below the tab at the foot of a narrow screen. */
    short?: string;
    icon: IconName;
    to: string;
    /** Sorts the navigation: 10 Overview, 20 Conversations, 30 Phones, 40 Messages, 50 Developers, 90 Settings. */
    order: number;
    /** The key after `g` that goes there. */
    key?: string;
    /** On narrow screens one of the tabs; the rest is under More. */
    tab?: boolean;
    /** At the foot of the side bar. */
    foot?: boolean;
    /** Read reactively. */
    badge?: () => Badge | null;
    /** Pages shown below it in the side bar while one of the area's pages is open. */
    parts?: { label: string; to: string; badge?: () => Badge | null }[];
  };
  /** More for the command palette. */
  commands?: () => Command[];
  /** What the palette finds for a text. */
  find?: (text: string, signal: AbortSignal) => Promise<Command[]>;
  /** Runs while somebody is signed in; the returned function ends it. */
  watch?: () => () => void;
}

const found = import.meta.glob<{ default: Area }>("./pages/*/area.ts", { eager: true });

export const AREAS: Area[] = Object.values(found)
  .map((module) => module.default)
  .sort((a, b) => (a.nav?.order ?? 99) - (b.nav?.order ?? 99));

export interface Found {
  area: Area | null;
  page: Page;
  params: Record<string, string>;
}

const MISSING: Page = { path: "*", load: () => import("./shell/Missing.svelte"), title: "Not found" };

/** The page at a path, with what its address says. */
export function pageAt(path: string): Found {
  for (const area of AREAS) {
    for (const page of area.pages) {
      const params = match(page.path, path);
      if (params) return { area, page, params };
    }
  }
  return { area: null, page: MISSING, params: {} };
}

/** Where somebody lands who names no page. */
export function firstPage(): string {
  const areas = AREAS.filter((area) => area.nav);
  return (areas.find((area) => area.name === "conversations") ?? areas[0])?.nav?.to ?? "/nothing-here";
}

const loaded = new Map<Page, Component<Record<string, unknown>>>();

/** The page's component: at once when it was opened before. */
export function known(page: Page): Component<Record<string, unknown>> | undefined {
  return loaded.get(page);
}

export async function load(page: Page): Promise<Component<Record<string, unknown>>> {
  const module = (await page.load()) as { default: Component<Record<string, unknown>> };
  loaded.set(page, module.default);
  return module.default;
}
