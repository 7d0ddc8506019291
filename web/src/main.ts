import { mount } from "svelte";

import App from "./App.svelte";
import "./base.css";
import { tellWhatIsCut } from "./cut";
import "./theme.svelte";
import "./tokens.css";

const target = document.getElementById("app");
if (target) mount(App, { target });
tellWhatIsCut();

// The dashboard's own files only; the page works without it (on plain http a browser has none).
if (import.meta.env.PROD && "serviceWorker" in navigator) {
  navigator.serviceWorker.register("/ui/sw.js", { scope: "/ui/" }).catch(() => undefined);
}
