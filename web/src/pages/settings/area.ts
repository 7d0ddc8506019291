import type { Area } from "../../pages";
import { SETTINGS } from "../../words/settings";

const load = (): Promise<unknown> => import("./Settings.svelte");

export default {
  name: "settings",
  pages: [
    { path: "/settings", load, title: SETTINGS.title },
    { path: "/settings/:view", load, title: SETTINGS.title },
  ],
  nav: { label: SETTINGS.title, icon: "gear", to: "/settings", order: 90, foot: true },
} satisfies Area;
