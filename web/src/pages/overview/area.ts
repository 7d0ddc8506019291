import type { Area } from "../../pages";
import { OVERVIEW } from "../../words/overview";

export default {
  name: "overview",
  pages: [{ path: "/overview", load: () => import("./Overview.svelte"), title: OVERVIEW.title }],
  nav: { label: OVERVIEW.title, icon: "chart", to: "/overview", order: 10, key: "o" },
} satisfies Area;
