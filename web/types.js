// Writes src/api/schema.d.ts: the types of REST v1, from the OpenAPI document of the hub beside this folder.
// The hub is found as ../.venv/bin/hub, or as HUB says (`HUB="python -m hub" npm run types`).
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import openapi, { astToString } from "openapi-typescript";

const root = new URL("..", import.meta.url).pathname;
const [program, ...words] = (process.env.HUB ?? (existsSync(`${root}.venv/bin/hub`) ? `${root}.venv/bin/hub` : "hub")).split(" ");
const document = execFileSync(program, [...words, "openapi"], { cwd: root, encoding: "utf8", maxBuffer: 64 << 20 });
writeFileSync(new URL("src/api/schema.d.ts", import.meta.url), astToString(await openapi(JSON.parse(document))));
