// What a program with the npm package does, from its first call to its last. Prints one JSON object; throws when anything is not as it was.
import assert from "node:assert/strict";
import Client from "android-sms-gateway";

const [base, login, password, deviceId] = process.argv.slice(2);

async function call(method, url, body, headers) {
  const init = { method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
  const response = await fetch(url, init);
  if (response.status === 204) return null;
  const type = response.headers.get("content-type") ?? "";
  const answer = type.includes("application/json") ? await response.json() : await response.text();
  if (!response.ok) throw Object.assign(new Error(JSON.stringify(answer)), { status: response.status });
  return answer;
}

const http = {
  get: (url, headers) => call("GET", url, undefined, headers),
  post: (url, body, headers) => call("POST", url, body, headers),
  put: (url, body, headers) => call("PUT", url, body, headers),
  patch: (url, body, headers) => call("PATCH", url, body, headers),
  delete: (url, headers) => call("DELETE", url, undefined, headers),
};
const client = new Client(login, password, http, base);

const sent = await client.send({ phoneNumbers: ["+491701234567"], message: "from npm" });
assert.equal(sent.state, "Pending");
let state = sent;
for (let n = 0; n < 600 && state.state !== "Delivered"; n++) {
  await new Promise((done) => setTimeout(done, 50));
  state = await client.getState(sent.id);
}
assert.equal(state.state, "Delivered");
assert.deepEqual(state.recipients.map((one) => one.state), ["Delivered"]);
await assert.rejects(client.send({ phoneNumbers: ["nonsense"], message: "x" }), /phone number/);

const hook = await client.registerWebhook({ url: "https://customer.example/npm", event: "sms:received" });
assert.ok((await client.getWebhooks()).some((one) => one.id === hook.id));
await client.deleteWebhook(hook.id);
assert.ok(!(await client.getWebhooks()).some((one) => one.id === hook.id));

assert.ok((await client.getDevices()).some((one) => one.id === deviceId));
await client.updateSettings({ messages: { limitPeriod: "PerDay", limitValue: 100 } });
await client.patchSettings({ ping: { intervalSeconds: 60 } });
const settings = await client.getSettings();
assert.equal(settings.messages.limit_value, 100);
assert.equal(settings.ping.interval_seconds, 60);
await client.updateSettings({});
assert.equal((await client.getHealth()).status, "pass");
const day = 86_400_000;
await client.exportInbox({ deviceId, since: new Date(Date.now() - day), until: new Date() });
assert.ok((await client.getLogs(new Date(Date.now() - day), new Date(Date.now() + day))).length > 0);
console.log(JSON.stringify({ id: sent.id, state: state.state }));
