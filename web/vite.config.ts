import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// The hub serves the built files under /ui/ with a Content-Security-Policy that allows no inline script:
// no module preload polyfill, no inlined assets.
export default defineConfig({
  base: "/ui/",
  plugins: [svelte()],
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 150,
  },
  server: { proxy: { "/v1": "http://127.0.0.1:8080", "/session": "http://127.0.0.1:8080" } },
});
