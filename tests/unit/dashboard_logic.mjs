// Runs functions of the dashboard's pure modules on inputs from standard input: [[module, function, arguments], …] → [result, …].
// Vite's own bundler strips the types; nothing is installed for this.
import { build } from "vite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = mkdtempSync(join(tmpdir(), "dashboard-logic-"));
const pages = { segments: "conversations", merge: "conversations", "shown-text": "conversations", numbers: "conversations", csv: "messages", upload: "messages" };
const names = Object.keys(pages);
await build({
  configFile: false,
  logLevel: "silent",
  build: {
    outDir: folder,
    minify: false,
    lib: { entry: Object.fromEntries(names.map((name) => [name, new URL(`src/pages/${pages[name]}/${name}.ts`, `file://${process.cwd()}/`).pathname])), formats: ["es"] },
  },
});
const modules = {};
for (const name of names) modules[name] = await import(pathToFileURL(join(folder, `${name}.js`)));
const reviver = (_key, value) => (value && value.$map ? new Map(value.$map) : value);
const replacer = (_key, value) => (value instanceof Map ? { $map: [...value] } : value);
let text = "";
for await (const chunk of process.stdin) text += chunk;
const plain = (result) => (typeof result?.next === "function" ? [...result] : (result ?? null));
console.log(JSON.stringify(JSON.parse(text, reviver).map(([module, name, args]) => plain(modules[module][name](...args))), replacer));
rmSync(folder, { recursive: true });
