import type { Area } from "../../pages";
import { go } from "../../router.svelte";
import { session } from "../../session.svelte";
import { SESSION } from "../../words/session";

export default {
  name: "session",
  pages: [
    { path: "/login", load: () => import("./Login.svelte"), title: SESSION.signIn, open: true },
    { path: "/setup", load: () => import("./Setup.svelte"), title: SESSION.setupTitle, open: true },
    { path: "/sign-up", load: () => import("./SignUp.svelte"), title: SESSION.signUpTitle, open: true },
    { path: "/confirm", load: () => import("./Confirm.svelte"), title: SESSION.confirmTitle, open: true },
    { path: "/password", load: () => import("./Password.svelte"), title: SESSION.choosePassword, open: true },
    { path: "/you", load: () => import("./You.svelte"), title: SESSION.you },
  ],
  commands: () =>
    session.user?.role === "key" ? [] : [{ id: "you", label: SESSION.you, icon: "person" as const, run: () => go("/you") }],
} satisfies Area;
