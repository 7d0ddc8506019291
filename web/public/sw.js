// Keeps the dashboard's own files, so that it opens (and says that the hub is out of reach) when the hub is away. Nothing else: what people
// wrote, and everything the API answers, is never kept here.
const SHELL = "shell-1";
const INDEX = "/ui/";
const MOST_FILES = 120;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELL).then((cache) => cache.add(new Request(INDEX, { cache: "reload" }))).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = caches.keys().then((names) => Promise.all(names.filter((name) => name !== SHELL).map((name) => caches.delete(name))));
  event.waitUntil(old.then(() => self.clients.claim()));
});

async function page(request) {
  const cache = await caches.open(SHELL);
  try {
    const answer = await fetch(request);
    if (answer.ok && (answer.headers.get("content-type") ?? "").startsWith("text/html")) await cache.put(INDEX, answer.clone());
    return answer;
  } catch (error) {
    const kept = await cache.match(INDEX);
    if (kept) return kept;
    throw error;
  }
}

// The name of a built file holds a hash of what is in it: once kept, it never changes.
async function file(request) {
  const cache = await caches.open(SHELL);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) {
    await cache.put(request, answer.clone());
    const names = (await cache.keys()).filter((one) => new URL(one.url).pathname.startsWith("/ui/assets/"));
    await Promise.all(names.slice(0, Math.max(0, names.length - MOST_FILES)).map((one) => cache.delete(one)));
  }
  return answer;
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin || !url.pathname.startsWith("/ui/")) return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (url.pathname.startsWith("/ui/assets/")) event.respondWith(file(request));
});
