/** What a person wrote, in pieces that can be shown safely: text as it is, addresses as links, and what cannot be seen by its name. */

export type Piece = { kind: "text"; text: string } | { kind: "link"; text: string; href: string } | { kind: "hidden"; text: string };

const LINK = /\bhttps?:\/\/[^\s<>"'`\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+/giu;
/** Zero-width signs and direction overrides: they can make a text look like another one. Joiners inside emoji and letters are left alone. */
const HIDDEN = /[\u200b\u2060\ufeff\u00ad\u200e\u200f\u202a-\u202e\u2066-\u2069]|(?<![\p{Extended_Pictographic}\ufe0f\u{1f3fb}-\u{1f3ff}\p{L}\p{M}])[\u200c\u200d]|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/gu;

const NAMES: Record<string, string> = {
  "\u200b": "zero-width space", "\u200c": "zero-width non-joiner", "\u200d": "zero-width joiner", "\u2060": "word joiner",
  "\ufeff": "byte order mark", "\u00ad": "soft hyphen", "\u200e": "left-to-right mark", "\u200f": "right-to-left mark",
  "\u202a": "left-to-right embedding", "\u202b": "right-to-left embedding", "\u202c": "end of direction", "\u202d": "left-to-right override",
  "\u202e": "right-to-left override", "\u2066": "left-to-right isolate", "\u2067": "right-to-left isolate", "\u2068": "isolate", "\u2069": "end of isolate",
};

function withHidden(text: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > from) pieces.push({ kind: "text", text: text.slice(from, match.index) });
    const code = match[0].codePointAt(0) ?? 0;
    pieces.push({ kind: "hidden", text: NAMES[match[0]] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}` });
    from = match.index + match[0].length;
  }
  if (from < text.length) pieces.push({ kind: "text", text: text.slice(from) });
  return pieces;
}

export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    const address = match[0].replace(/[.,;:!?)\]}»”’]+$/u, "");
    if (!URL.canParse(address)) continue;
    found.push(...withHidden(text.slice(from, match.index)));
    found.push({ kind: "link", text: address, href: address });
    from = match.index + address.length;
  }
  found.push(...withHidden(text.slice(from)));
  return found;
}

/** One line of it, for lists: nothing hidden, no line breaks. */
export function oneLine(text: string): string {
  return text.replace(HIDDEN, "").replace(/\s+/gu, " ").trim();
}
