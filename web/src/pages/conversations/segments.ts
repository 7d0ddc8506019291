/** How a text travels, counted while it is typed: the same rules as the hub's (3GPP TS 23.038 §6.2.1, TS 23.040 §9.2.3.24).
 *
 * tests/unit/test_dashboard_logic.py holds this against the hub's own counts.
 */

const BASIC =
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
  "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const EXTENSION = "\f^{}\\[~]|€";
const basic = new Set(BASIC);
const extension = new Set(EXTENSION);

const PLAIN: Record<string, string> = {
  "‘": "'", "’": "'", "‚": ",", "‛": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‹": "'", "›": "'",
  "′": "'", "″": '"', "`": "'", "´": "'", "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-", "…": "...", "•": "*",
  "\t": " ", "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u200b": "", "\u200d": "", "\ufeff": "",
  á: "a", â: "a", ã: "a", ç: "c", ê: "e", ë: "e", í: "i", î: "i", ï: "i", ó: "o", ô: "o", õ: "o",
  ú: "u", û: "u", À: "A", Á: "A", Â: "A", Ã: "A", È: "E", Ê: "E", Ë: "E", Ì: "I", Í: "I", Î: "I",
  Ï: "I", Ò: "O", Ó: "O", Ô: "O", Õ: "O", Ù: "U", Ú: "U", Û: "U",
};

export interface Measure {
  encoding: "gsm7" | "ucs2";
  segments: number;
  /** Septets or UTF-16 units used. */
  units: number;
  perSegment: number;
  /** Units still free in the last segment. */
  remaining: number;
  /** The different characters that force UCS-2, in order, at most eight. */
  forcing: string[];
}

export function isGsm7(character: string): boolean {
  return basic.has(character) || extension.has(character);
}

export function measure(text: string): Measure {
  const characters = [...text];
  const foreign = characters.filter((character) => !isGsm7(character));
  const isGsm = foreign.length === 0;
  const widths = characters.map((character) => (isGsm ? (extension.has(character) ? 2 : 1) : character.length));
  const units = widths.reduce((sum, width) => sum + width, 0);
  const [alone, inARow] = isGsm ? [160, 153] : [70, 67];
  const forcing = [...new Set(foreign)].slice(0, 8);
  const encoding = isGsm ? "gsm7" : "ucs2";
  if (units <= alone) return { encoding, segments: 1, units, perSegment: alone, remaining: alone - units, forcing };
  // A pair (an escape and its character, or two halves of one) is never split over two segments.
  let segments = 1;
  let used = 0;
  for (const width of widths) {
    if (used + width > inARow) {
      segments += 1;
      used = 0;
    }
    used += width;
  }
  return { encoding, segments, units, perSegment: inARow, remaining: inARow - used, forcing };
}

/** Signs and accents written with GSM-7 letters where that reads the same. */
export function simplify(text: string): string {
  return [...text].map((character) => (isGsm7(character) ? character : (PLAIN[character] ?? character))).join("");
}

/** How one character would be written plainly; null when there is no such way. */
export function plainFor(character: string): string | null {
  return PLAIN[character] ?? null;
}

/** The text in runs: what is in the GSM alphabet, and what is not. For marking the latter in place. */
export function runs(text: string): { text: string; isForeign: boolean }[] {
  const found: { text: string; isForeign: boolean }[] = [];
  for (const character of text) {
    const isForeign = !isGsm7(character);
    const last = found.at(-1);
    if (last && last.isForeign === isForeign) last.text += character;
    else found.push({ text: character, isForeign });
  }
  return found;
}
