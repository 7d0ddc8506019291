import { readFileSync } from "node:fs";

const { isGenuine } = await import(`${process.argv[2]}/verify.mjs`);

for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const [now, secrets, id, timestamp, signature, body] = line.split("\t");
  const named = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature };
  const headers = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== "-"));
  console.log(isGenuine(secrets.split(" ").filter(Boolean), headers, Buffer.from(body, "base64"), Number(now)));
}
