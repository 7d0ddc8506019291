/** Numbers as people read them: in groups. What the hub calls a peer may also be a name or a short code. */

/** `+447700900142` is `+44 7700 900 142`: the country code apart where it is a known one, the rest in groups of three. */
export function numberShown(peer: string): string {
  const match = /^\+(1|7|20|27|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})(\d{4,12})$/.exec(peer);
  if (!match) return peer === "anonymous" ? "Hidden number" : peer;
  const [, country = "", rest = ""] = match;
  if (country === "1" && rest.length === 10) return `+1 ${rest.slice(0, 3)} ${rest.slice(3, 6)} ${rest.slice(6)}`;
  const head = rest.length % 3 === 1 ? 4 : rest.length % 3 === 2 ? 2 : 3;
  const groups = [rest.slice(0, head), ...(rest.slice(head).match(/.{1,3}/g) ?? [])];
  return `+${country} ${groups.join(" ")}`;
}

/** Whether texts can be sent to it: a number, not a name or a hidden caller. */
export function isNumber(peer: string): boolean {
  return /^\+?\d{3,15}$/.test(peer);
}
