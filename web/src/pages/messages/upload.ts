/** Sending to many, step by step: texts made from columns, looked through by the hub, and brought to it in chunks. */

import { api } from "../../api/client";
import type { Batch, Schema } from "../../api/types";

export type RowPreview = Schema["RowPreview"];

export interface Recipient {
  /** As the file counts: the first line is row 1. */
  row: number;
  to: string;
  text: string;
}

const CHUNK_ROWS = 500;
const CHUNK_BYTES = 600_000;
const FIELD = /\{([^{}\n]{1,60})\}/g;

/** Names in braces that are no column. */
export function unknownFields(template: string, names: readonly string[]): string[] {
  const known = new Set(names.map((name) => name.trim().toLowerCase()));
  return [...template.matchAll(FIELD)].map(([, name]) => (name ?? "").trim()).filter((name) => !known.has(name.toLowerCase()));
}

/** `Hello {name}` with the cells of a row; the case of names does not matter. */
export function merge(template: string, names: readonly string[], cells: readonly string[]): string {
  const places = new Map(names.map((name, column) => [name.trim().toLowerCase(), column]));
  return template.replace(FIELD, (whole, name: string) => {
    const column = places.get(name.trim().toLowerCase());
    return column === undefined ? whole : (cells[column] ?? "").trim();
  });
}

export function* chunks(rows: readonly Recipient[]): Generator<Recipient[]> {
  let chunk: Recipient[] = [];
  let bytes = 0;
  for (const row of rows) {
    const size = (row.text.length + row.to.length) * 3 + 40;
    if (chunk.length >= CHUNK_ROWS || (chunk.length > 0 && bytes + size > CHUNK_BYTES)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(row);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}

/** What the hub says of each row. It knows duplicates within a chunk; those of different chunks are found here, by its numbers. */
export async function preview(rows: readonly Recipient[], signal: AbortSignal, onProgress: (done: number) => void): Promise<RowPreview[]> {
  const found: RowPreview[] = [];
  const first = new Map<string, number>();
  for (const chunk of chunks(rows)) {
    const seen = await api.post<Schema["RowsPreview"]>("/v1/batches/preview", { rows: chunk }, { signal });
    for (const item of seen.items) {
      const before = item.peer !== null && item.problem === null ? first.get(item.peer) : undefined;
      if (before !== undefined) item.problem = { code: "duplicate", message: `Same number as row ${before}.`, same_as: before };
      else if (item.peer !== null && item.problem === null) first.set(item.peer, item.row);
      found.push(item);
    }
    onProgress(found.length);
  }
  return found;
}

/** The same rows and settings make the same key: what is uploaded twice is sent once. (cyrb53, twice; no secret is in it.) */
export function keyOf(content: string): string {
  const hash = (seed: number): string => {
    let a = 0xdeadbeef ^ seed;
    let b = 0x41c6ce57 ^ seed;
    for (let at = 0; at < content.length; at += 1) {
      const code = content.charCodeAt(at);
      a = Math.imul(a ^ code, 2654435761);
      b = Math.imul(b ^ code, 1597334677);
    }
    a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
    b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
    return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36);
  };
  return `dashboard-${hash(1)}-${hash(2)}`;
}

export interface Settings {
  name: string;
  rows_expected: number;
  from?: string;
  line_id?: string;
  send_at?: string;
  ttl_seconds?: number;
}

export function makeBatch(settings: Settings, key: string): Promise<Batch> {
  return api.post<Batch>("/v1/batches", settings, { idempotencyKey: key });
}

/** Bring rows; a chunk that fails is tried again a few times, and doing all of it again later is safe too. */
export async function bring(batchId: string, rows: readonly Recipient[], signal: AbortSignal, onProgress: (done: number) => void): Promise<void> {
  let done = 0;
  for (const chunk of chunks(rows)) {
    await patiently(() => api.post(`/v1/batches/${batchId}/rows`, { rows: chunk }, { signal }), signal);
    done += chunk.length;
    onProgress(done);
  }
}

const WAITS_MS = [500, 1_500, 4_000, 10_000];

async function patiently(run: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  for (const wait of [...WAITS_MS, null]) {
    try {
      await run();
      return;
    } catch (error) {
      const status = (error as { status?: number }).status;
      const mayPass = status === 0 || status === 429 || status === 503 || status === 502 || status === 504;
      if (wait === null || !mayPass || signal.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}
