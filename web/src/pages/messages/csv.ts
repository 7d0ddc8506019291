/** CSV as people have it (RFC 4180 and its relatives): quotes, any line ends, and the delimiter that makes most sense of it. */

export const DELIMITERS = [",", ";", "\t", "|"] as const;

export interface Sheet {
  delimiter: string;
  /** Every row, blank ones left out, with the line of the file it begins on being `lines[i]`. */
  rows: string[][];
  hasHeader: boolean;
}

export function parse(text: string, delimiter: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let isQuoted = false;
  let at = text.startsWith("\ufeff") ? 1 : 0;
  for (; at < text.length; at += 1) {
    const sign = text[at] as string;
    if (isQuoted) {
      if (sign !== '"') cell += sign;
      else if (text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else isQuoted = false;
    } else if (sign === '"' && cell.trim() === "") {
      cell = "";
      isQuoted = true;
    } else if (sign === delimiter) {
      row.push(cell);
      cell = "";
    } else if (sign === "\n" || sign === "\r") {
      if (sign === "\r" && text[at + 1] === "\n") at += 1;
      row.push(cell);
      rows.push(row);
      row = [];
      cell = "";
    } else cell += sign;
  }
  if (cell !== "" || row.length > 0) rows.push([...row, cell]);
  return rows;
}

/** The delimiter that splits the first rows into the most columns of equal number. */
export function delimiterOf(text: string): string {
  const start = text.slice(0, 20_000);
  let best = ",";
  let bestScore = 0;
  for (const delimiter of DELIMITERS) {
    const widths = parse(start, delimiter)
      .filter((row) => row.some((cell) => cell.trim() !== ""))
      .slice(0, 20)
      .map((row) => row.length);
    const first = widths[0] ?? 1;
    const same = widths.filter((width) => width === first).length / Math.max(1, widths.length);
    const score = first > 1 ? same * 100 + Math.min(first, 20) : 0;
    if (score > bestScore) {
      best = delimiter;
      bestScore = score;
    }
  }
  return best;
}

export function looksLikeNumber(cell: string): boolean {
  const plain = cell.replace(/[\s().\-/'\u200e\u202a-\u202e]/g, "");
  return /^\+?\d{5,16}$/.test(plain);
}

/** The first row holds names when no cell of it is a number of somebody, and cells are filled and different. */
export function hasHeader(rows: readonly string[][]): boolean {
  const first = rows[0];
  if (!first || first.some(looksLikeNumber)) return false;
  const names = first.map((cell) => cell.trim());
  return names.every((name) => name !== "" && name.length <= 60) && new Set(names).size === names.length && rows.length > 1;
}

const NUMBER_WORDS = /phone|mobile|number|msisdn|tel|cell|recipient|handy|nummer|mobil|whatsapp|^to$/i;

/** The column that most likely holds the numbers. */
export function numberColumn(names: readonly string[], rows: readonly string[][]): number {
  const sample = rows.slice(0, 50);
  const scores = names.map((name, column) => {
    const hits = sample.filter((row) => looksLikeNumber(row[column] ?? "")).length / Math.max(1, sample.length);
    return hits * 2 + (NUMBER_WORDS.test(name) ? 0.5 : 0);
  });
  const best = Math.max(...scores, 0);
  return best > 0 ? scores.indexOf(best) : 0;
}

export function write(rows: readonly (readonly string[])[]): string {
  // What begins like a formula is none in a spreadsheet when an apostrophe stands before it.
  const safe = (cell: string): string => (/^[=+\-@\t\r]/.test(cell) && !/^\+\d+$/.test(cell) ? `'${cell}` : cell);
  const quoted = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replace(/"/g, '""')}"` : cell);
  return `\ufeff${rows.map((row) => row.map((cell) => quoted(safe(cell))).join(",")).join("\r\n")}\r\n`;
}
