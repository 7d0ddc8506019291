import { createHmac, timingSafeEqual } from "node:crypto";

const TOLERANCE_SECONDS = 300;

/** secrets: one whsec_…, two while you rotate. headers: names in lower case, as Node has them. body: the raw bytes, a Buffer. */
export function isGenuine(secrets, headers, body, now = Date.now() / 1000) {
  const id = headers["webhook-id"] ?? "";
  const timestamp = headers["webhook-timestamp"] ?? "";
  if (id === "" || !/^[0-9]+$/.test(timestamp)) return false;
  if (Math.abs(now - Number(timestamp)) > TOLERANCE_SECONDS) return false;
  let genuine = false;
  for (const secret of secrets) {
    const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
    const hmac = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body);
    const wanted = Buffer.from("v1," + hmac.digest("base64"));
    for (const part of (headers["webhook-signature"] ?? "").split(" ")) {
      const given = Buffer.from(part);
      if (given.length === wanted.length && timingSafeEqual(given, wanted)) genuine = true;
    }
  }
  return genuine;
}
