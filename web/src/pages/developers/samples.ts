/** Samples for copying, filled with what is real here. */

export type Language = "curl" | "python" | "node";

export interface Facts {
  base: string;
  key: string;
  /** `line_id` of a chosen SIM; empty = the hub chooses. */
  line: string;
  to: string;
  /** A text to look at. */
  message: string;
  secret: string;
}

type Make = (facts: Facts) => string;

const q = (value: string): string => JSON.stringify(value);

/** Of its own for each number, SIM and language: what is tried again with something else is another request. */
function idempotencyKey({ to, line }: Facts, language: Language): string {
  return ["ready", to.replace(/\W/g, ""), line.slice(-4), language].filter(Boolean).join("-");
}

function sendBody({ to, line }: Facts): string {
  return `{"to": ${q(to)}, "text": "Your order is ready."${line ? `, "line_id": ${q(line)}` : ""}}`;
}

export const TASKS: Record<string, Record<Language, Make>> = {
  send: {
    curl: (f) => `curl ${f.base}/v1/messages \\
  -H 'Authorization: Bearer ${f.key}' \\
  -H 'Content-Type: application/json' \\
  -H 'Idempotency-Key: ${idempotencyKey(f, "curl")}' \\
  -d '${sendBody(f)}'`,
    python: (f) => `import httpx

hub = httpx.Client(base_url=${q(f.base)}, headers={"Authorization": ${q(`Bearer ${f.key}`)}})
answer = hub.post(
    "/v1/messages",
    json=${sendBody(f)},
    headers={"Idempotency-Key": ${q(idempotencyKey(f, "python"))}},
)
answer.raise_for_status()
print(answer.json()["results"][0]["message_id"])`,
    node: (f) => `const answer = await fetch(${q(`${f.base}/v1/messages`)}, {
  method: "POST",
  headers: {
    Authorization: ${q(`Bearer ${f.key}`)},
    "Content-Type": "application/json",
    "Idempotency-Key": ${q(idempotencyKey(f, "node"))},
  },
  body: JSON.stringify(${sendBody(f)}),
});
if (!answer.ok) throw new Error((await answer.json()).detail);
console.log((await answer.json()).results[0].message_id);`,
  },
  status: {
    curl: (f) => `curl ${f.base}/v1/messages/${f.message}/timeline \\
  -H 'Authorization: Bearer ${f.key}'`,
    python: (f) => `import httpx

hub = httpx.Client(base_url=${q(f.base)}, headers={"Authorization": ${q(`Bearer ${f.key}`)}})
story = hub.get(${q(`/v1/messages/${f.message}/timeline`)}).raise_for_status().json()
print(story["state"])
for hop in story["items"]:
    print(hop["at"], hop["sentence"])`,
    node: (f) => `const answer = await fetch(${q(`${f.base}/v1/messages/${f.message}/timeline`)}, {
  headers: { Authorization: ${q(`Bearer ${f.key}`)} },
});
const story = await answer.json();
console.log(story.state);
for (const hop of story.items) console.log(hop.at, hop.sentence);`,
  },
  wait: {
    curl: (f) => `curl -G ${f.base}/v1/inbox/wait \\
  -H 'Authorization: Bearer ${f.key}' \\
  -d timeout=60 --data-urlencode 'sender=${f.to}' \\
  -d match=re2 --data-urlencode 'pattern=\\d{6}'`,
    python: (f) => `import httpx

hub = httpx.Client(base_url=${q(f.base)}, headers={"Authorization": ${q(`Bearer ${f.key}`)}}, timeout=70)
found = hub.get(
    "/v1/inbox/wait",
    params={"timeout": 60, "sender": ${q(f.to)}, "match": "re2", "pattern": r"\\d{6}"},
).raise_for_status().json()
print(found)`,
    node: (f) => `const query = new URLSearchParams({ timeout: "60", sender: ${q(f.to)}, match: "re2", pattern: "\\\\d{6}" });
const answer = await fetch(\`${f.base}/v1/inbox/wait?\${query}\`, {
  headers: { Authorization: ${q(`Bearer ${f.key}`)} },
});
console.log(await answer.json());`,
  },
  webhook: {
    curl: (f) => `curl ${f.base}/v1/webhooks \\
  -H 'Authorization: Bearer ${f.key}' \\
  -H 'Content-Type: application/json' \\
  -d '{"url": "https://example.com/hooks/sms", "event_types": ["sms:received", "sms:delivered"]}'
# The answer holds the secret, this once. Your server checks each request with it.`,
    python: (f) => `# pip install flask standardwebhooks
from flask import Flask, request
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

app = Flask(__name__)
hub = Webhook(${q(f.secret)})

@app.post("/hooks/sms")
def told():
    try:
        event = hub.verify(request.get_data(), dict(request.headers))
    except WebhookVerificationError:
        return "", 400
    print(event["type"], event["data"])  # webhook-id comes again when you did not answer 2xx
    return "", 204`,
    node: (f) => `// npm install express standardwebhooks
import express from "express";
import { Webhook } from "standardwebhooks";

const hub = new Webhook(${q(f.secret)});
const app = express();

app.post("/hooks/sms", express.raw({ type: "application/json" }), (request, answer) => {
  try {
    const event = hub.verify(request.body, request.headers);
    console.log(event.type, event.data); // webhook-id comes again when you did not answer 2xx
    answer.sendStatus(204);
  } catch {
    answer.sendStatus(400);
  }
});
app.listen(3000);`,
  },
  stream: {
    curl: (f) => `curl -N ${f.base}/v1/stream \\
  -H 'Authorization: Bearer ${f.key}'`,
    python: (f) => `import json

import httpx

headers = {"Authorization": ${q(`Bearer ${f.key}`)}}
with httpx.stream("GET", ${q(`${f.base}/v1/stream`)}, headers=headers, timeout=None) as stream:
    for line in stream.iter_lines():
        if line.startswith("data: "):
            print(json.loads(line[6:]))`,
    node: (f) => `const answer = await fetch(${q(`${f.base}/v1/stream`)}, {
  headers: { Authorization: ${q(`Bearer ${f.key}`)} },
});
let rest = "";
for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + piece).split("\\n");
  rest = lines.pop();
  for (const line of lines) if (line.startsWith("data: ")) console.log(JSON.parse(line.slice(6)));
}`,
  },
  batch: {
    curl: (f) => `BATCH=$(curl -s ${f.base}/v1/batches \\
  -H 'Authorization: Bearer ${f.key}' -H 'Content-Type: application/json' \\
  -H 'Idempotency-Key: autumn-offer' -d '{"name": "Autumn offer", "rows_expected": 1}' | jq -r .id)
curl ${f.base}/v1/batches/$BATCH/rows \\
  -H 'Authorization: Bearer ${f.key}' -H 'Content-Type: application/json' \\
  -d '{"rows": [{"row": 1, "to": ${q(f.to)}, "text": "Hello Maya"}]}'`,
    python: (f) => `import httpx

hub = httpx.Client(base_url=${q(f.base)}, headers={"Authorization": ${q(`Bearer ${f.key}`)}})
people = [(${q(f.to)}, "Maya")]
batch = hub.post(
    "/v1/batches",
    json={"name": "Autumn offer", "rows_expected": len(people)},
    headers={"Idempotency-Key": "autumn-offer"},
).raise_for_status().json()
rows = [{"row": n, "to": to, "text": f"Hello {name}"} for n, (to, name) in enumerate(people, 1)]
for start in range(0, len(rows), 500):
    hub.post(f"/v1/batches/{batch['id']}/rows", json={"rows": rows[start : start + 500]}).raise_for_status()`,
    node: (f) => `const headers = { Authorization: ${q(`Bearer ${f.key}`)}, "Content-Type": "application/json" };
const people = [[${q(f.to)}, "Maya"]];
const post = async (path, body, more = {}) => {
  const answer = await fetch(${q(f.base)} + path, { method: "POST", headers: { ...headers, ...more }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return answer.json();
};
const batch = await post("/v1/batches", { name: "Autumn offer", rows_expected: people.length }, { "Idempotency-Key": "autumn-offer" });
const rows = people.map(([to, name], at) => ({ row: at + 1, to, text: \`Hello \${name}\` }));
for (let at = 0; at < rows.length; at += 500) await post(\`/v1/batches/\${batch.id}/rows\`, { rows: rows.slice(at, at + 500) });`,
  },
};
