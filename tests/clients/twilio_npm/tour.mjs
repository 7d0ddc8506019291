// What a program with the npm package does with messages, and Twilio's own check of what it is told. Prints one JSON object; throws when
// anything is not as Twilio would have it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import twilio from "twilio";
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js";

const [base, sid, token, from, to] = process.argv.slice(2);
const client = (password) => {
  const made = twilio(sid, password);
  made.api.baseUrl = base;
  return made;
};
const { messages } = client(token);
const failsWith = (promise, status, code) => assert.rejects(promise, (error) => error.status === status && error.code === code);

// Statuses, each checked by the library.
const told = [];
const receiver = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => (body += chunk));
  request.on("end", () => {
    const fields = Object.fromEntries(new URLSearchParams(body));
    const url = `http://127.0.0.1:${receiver.address().port}${request.url}`;
    const isGenuine = twilio.validateRequest(token, request.headers["x-twilio-signature"] ?? "", url, fields);
    told.push({ ...fields, isGenuine });
    response.writeHead(204).end();
  });
});
receiver.listen(0, "127.0.0.1");
await once(receiver, "listening");
const statusCallback = `http://127.0.0.1:${receiver.address().port}/status?shop=a%7eb`;

const sent = await messages.create({ to, from, body: "from twilio-node ✓", statusCallback });
assert.equal(sent.status, "queued");
assert.match(sent.sid, /^SM[0-9a-f]{32}$/);
const until = async (what, condition) => {
  for (let n = 0; n < 1200; n++) {
    if (await condition()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`${what} did not come`);
};
await until("delivered", async () => (await messages(sent.sid).fetch()).status === "delivered");
await until("the callbacks", () => told.some((one) => one.MessageStatus === "delivered"));
assert.deepEqual(told.map((one) => [one.MessageSid, one.MessageStatus, one.isGenuine]), [
  [sent.sid, "queued", true],
  [sent.sid, "sent", true],
  [sent.sid, "delivered", true],
]);
receiver.close();

// Lists, page by page.
for (let n = 0; n < 4; n++) await messages.create({ to, from, body: `list ${n}` });
const listed = await messages.list({ to, pageSize: 2 });
assert.deepEqual(listed.map((one) => one.body), ["list 3", "list 2", "list 1", "list 0", "from twilio-node ✓"]);
const day = new Date(Date.now() - 86_400_000);
assert.equal((await messages.list({ to, dateSentAfter: day, limit: 3 })).length, 3);

// Cancel, redact, delete.
const later = await messages.create({ to, from, body: "later", scheduleType: "fixed", sendAt: new Date(Date.now() + 3_600_000) });
assert.equal(later.status, "scheduled");
assert.equal((await messages(later.sid).update({ status: "canceled" })).status, "canceled");
await failsWith(messages(later.sid).update({ status: "canceled" }), 409, 30409);
assert.equal((await messages(sent.sid).update({ body: "" })).body, "");
assert.equal(await messages(sent.sid).remove(), true);
await failsWith(messages(sent.sid).fetch(), 404, 20404);

// Faults.
await failsWith(messages.create({ to: "nonsense", from, body: "x" }), 400, 21211);
await failsWith(messages.create({ to, from, body: "x".repeat(1601) }), 400, 21617);
await failsWith(messages.create({ to, from: "+15005550006", body: "x" }), 400, 21606);
await failsWith(client("0".repeat(32)).messages(sent.sid).fetch(), 401, 20003);
assert.equal((await client(token).api.v2010.accounts(sid).fetch()).status, "active");

// A carrier that signs with the library posts a text.
const url = `${base}/sms/FrontDesk/generic`;
const fields = { MessageSid: "SM" + "a1".repeat(16), From: to, To: from, Body: "Hi & bye ✓", NumMedia: "0" };
const signed = { "X-Twilio-Signature": getExpectedTwilioSignature(token, url, fields) };
const post = (headers) => fetch(url, { method: "POST", headers, body: new URLSearchParams(fields) });
assert.equal((await post({})).status, 403);
assert.equal((await post(signed)).status, 200);
assert.equal((await messages.list({ from: to }))[0].body, "Hi & bye ✓");
console.log(JSON.stringify({ sid: sent.sid, told: told.length }));
