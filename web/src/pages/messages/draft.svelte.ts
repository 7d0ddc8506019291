/** What somebody is about to send to many, as it is being put together. */

import { delimiterOf, hasHeader, numberColumn, parse } from "./csv";
import { merge, type Recipient, type Settings } from "./upload";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

export class Draft {
  source = $state.raw("");
  fileName = $state("");
  delimiter = $state(",");
  header = $state(true);
  column = $state(0);
  name = $state("");
  text = $state("");
  /** `""`, `line:<id>` or `pool:<name>`. */
  sender = $state("");
  isLater = $state(false);
  at = $state("");
  ttl = $state("");

  /** Rows as the file has them; `line` counts from 1. Blank ones are left out and still counted. */
  readonly table = $derived.by(() =>
    parse(this.source, this.delimiter)
      .map((cells, index) => ({ line: index + 1, cells }))
      .filter(({ cells }) => cells.some((cell) => cell.trim() !== "")),
  );
  readonly rows = $derived(this.header ? this.table.slice(1) : this.table);
  readonly names = $derived.by(() => {
    const width = this.table.slice(0, 200).reduce((most, { cells }) => Math.max(most, cells.length), 0);
    const first = this.header ? (this.table[0]?.cells ?? []) : [];
    return Array.from({ length: width }, (_, column) => first[column]?.trim() || `column ${LETTERS[column] ?? column + 1}`);
  });
  readonly recipients = $derived.by<Recipient[]>(() =>
    this.rows.map(({ line, cells }) => ({ row: line, to: (cells[this.column] ?? "").trim().slice(0, 64), text: merge(this.text, this.names, cells) })),
  );

  /** A new list: what can be told from it is set, and can be changed. */
  read(source: string, fileName: string): void {
    this.source = source;
    this.fileName = fileName;
    this.delimiter = delimiterOf(source);
    this.guess();
    if (this.name === "") this.name = fileName.replace(/\.[a-z0-9]+$/i, "");
  }

  /** After the delimiter was changed, too. */
  guess(): void {
    this.header = hasHeader(this.table.map(({ cells }) => cells));
    this.column = numberColumn(this.names, this.rows.map(({ cells }) => cells));
  }

  clear(): void {
    this.source = "";
    this.fileName = "";
  }

  /** When it is to go; null for now. */
  get sendAt(): string | null {
    return this.isLater && this.at !== "" ? new Date(this.at).toISOString() : null;
  }

  /** Whose it is, as the API takes it. */
  choice(): { from?: string; line_id?: string } {
    const [kind, value] = [this.sender.slice(0, 4), this.sender.slice(5)];
    return kind === "line" ? { line_id: value } : kind === "pool" ? { from: value } : {};
  }

  settings(): Settings {
    return {
      name: (this.name.trim() || this.fileName || "Batch").slice(0, 100),
      rows_expected: this.recipients.length,
      ...this.choice(),
      ...(this.sendAt ? { send_at: this.sendAt } : {}),
      ...(this.ttl ? { ttl_seconds: Number(this.ttl) } : {}),
    };
  }
}
