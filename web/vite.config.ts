import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, loadEnv, type ProxyOptions } from "vite";

// `npm run dev` shows the dashboard of a hub that runs elsewhere (HUB_URL). With HUB_KEY every request carries that API key, so
// that nobody has to sign in.
function toHub(mode: string): Record<string, ProxyOptions> {
  const { HUB_URL: target = "http://127.0.0.1:8080", HUB_KEY: key } = loadEnv(mode, ".", "HUB_");
  const hub: ProxyOptions = { target, headers: key ? { authorization: `Bearer ${key}` } : {} };
  return { "/v1": hub, "/session": hub, "/openapi.json": hub };
}

// The hub serves the built files under /ui/ with a Content-Security-Policy that allows no inline script:
// no module preload polyfill, no inlined assets.
export default defineConfig(({ mode }) => ({
  base: "/ui/",
  plugins: [svelte()],
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 150,
  },
  server: { proxy: toHub(mode) },
  preview: { proxy: toHub(mode) },
}));
