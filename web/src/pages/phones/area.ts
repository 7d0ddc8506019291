import type { Area } from "../../pages";
import { go } from "../../router.svelte";
import { session } from "../../session.svelte";
import { PAIR, PHONES } from "../../words/phones";
import { fleet, followFleet } from "./fleet.svelte";

export default {
  name: "phones",
  pages: [
    { path: "/phones", load: () => import("./Fleet.svelte"), title: PHONES.title },
    { path: "/phones/pair", load: () => import("./Pair.svelte"), title: PAIR.title },
    { path: "/phones/:id", load: () => import("./Phone.svelte"), title: PHONES.one },
  ],
  nav: {
    label: PHONES.title,
    icon: "phone",
    to: "/phones",
    order: 30,
    key: "p",
    tab: true,
    badge: () => (fleet.risky.length ? { count: fleet.risky.length, tone: "warn" } : null),
  },
  commands: () => (session.can("devices:write") ? [{ id: "pair", label: PHONES.pair, icon: "plus" as const, run: () => go("/phones/pair") }] : []),
  find: async (text) => {
    const wanted = text.toLowerCase();
    return fleet.devices
      .filter((device) => device.name.toLowerCase().includes(wanted))
      .slice(0, 5)
      .map((device) => ({ id: device.id, label: device.name, more: PHONES.one, icon: "phone" as const, run: () => go(`/phones/${device.id}`) }));
  },
  watch: followFleet,
} satisfies Area;
