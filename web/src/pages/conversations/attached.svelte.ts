/** What is attached to a text that is being written: looked at, uploaded, and kept until it is sent. */

import { api, Problem } from "../../api/client";
import type { Schema } from "../../api/types";
import { ATTACHING, ATTACHMENTS } from "../../words/attachments";

export type Limits = Pick<Schema["Effective"], "media_types" | "media_max_bytes" | "media_max_message_bytes" | "max_media">;

/** An attachment the hub has. */
export interface Uploaded {
  id: string;
  name: string;
  content_type: string;
  size_bytes: number;
}

export interface Item {
  key: number;
  name: string;
  type: string;
  size: number;
  /** Of a picture, while this page is open. */
  preview: string | null;
  state: "uploading" | "ready" | "failed";
  problem: string | null;
  /** It may go the next time: the hub was out of reach. */
  mayRetry: boolean;
  uploaded: Uploaded | null;
}

const DRAWN = /^image\/(jpeg|png|gif|webp|bmp)$/;
const previews = new Map<string, string>();
let limits = $state.raw<Limits | null>(null);
let keys = 0;

/** What this hub takes; null until it has told. */
export function mediaLimits(): Limits | null {
  return limits;
}

export async function loadLimits(): Promise<void> {
  limits ??= (await api.get<Schema["Account"]>("/v1/account")).effective;
}

/** The picture of an attachment that this page uploaded. */
export function previewOf(id: string): string | null {
  return previews.get(id) ?? null;
}

/** These were sent or are not wanted any more. */
export function forgetPreviews(ids: readonly string[]): void {
  for (const id of ids) {
    const url = previews.get(id);
    if (url) URL.revokeObjectURL(url);
    previews.delete(id);
  }
}

/** Why this file cannot be attached, or null. */
export function unfit(file: { name: string; type: string; size: number }, beside: readonly { size: number }[], of: Limits): string | null {
  const type = file.type.split(";")[0]?.trim() ?? "";
  if (beside.length >= of.max_media) return ATTACHING.tooMany(of.max_media);
  // A browser that knows no type leaves it to the hub, which looks at the bytes.
  if (type !== "" && !of.media_types.includes(type)) return ATTACHING.type(file.name, of.media_types);
  if (file.size === 0) return ATTACHING.empty(file.name);
  if (file.size > of.media_max_bytes) return ATTACHING.tooLarge(file.name, file.size, of.media_max_bytes);
  const all = beside.reduce((sum, one) => sum + one.size, file.size);
  return all > of.media_max_message_bytes ? ATTACHING.tooMuch(file.name, of.media_max_message_bytes) : null;
}

/** The attachments of one draft. */
export class Attached {
  items = $state.raw<readonly Item[]>([]);
  /** What was refused before anything was uploaded. */
  refused = $state.raw<readonly string[]>([]);

  private files = new Map<number, File>();
  private going = new Map<number, AbortController>();

  readonly isEmpty = $derived(this.items.length === 0);
  readonly isUploading = $derived(this.items.some((one) => one.state === "uploading"));
  readonly isReady = $derived(this.items.every((one) => one.state === "ready"));
  readonly size = $derived(this.items.reduce((sum, one) => sum + one.size, 0));

  async add(files: readonly File[]): Promise<void> {
    try {
      await loadLimits();
    } catch (error) {
      this.refused = [error instanceof Error ? error.message : String(error)];
      return;
    }
    const of = limits as Limits;
    const refused: string[] = [];
    for (const file of files) {
      const problem = unfit(file, this.items, of);
      if (problem === null) this.take(file);
      else if (!refused.includes(problem)) refused.push(problem);
    }
    this.refused = refused;
  }

  remove(key: number): void {
    this.going.get(key)?.abort();
    const gone = this.items.find((one) => one.key === key);
    if (gone?.uploaded) forgetPreviews([gone.uploaded.id]);
    else if (gone?.preview) URL.revokeObjectURL(gone.preview);
    this.files.delete(key);
    this.items = this.items.filter((one) => one.key !== key);
    this.refused = [];
  }

  again(key: number): void {
    const file = this.files.get(key);
    if (file) void this.upload(key, file);
  }

  /** Hand them over to what is sent. */
  give(): Uploaded[] {
    const all = this.items.flatMap((one) => one.uploaded ?? []);
    this.items = [];
    this.refused = [];
    this.files.clear();
    return all;
  }

  private take(file: File): void {
    const key = (keys += 1);
    const type = file.type || "application/octet-stream";
    const preview = DRAWN.test(type) ? URL.createObjectURL(file) : null;
    const name = file.name || ATTACHMENTS.kinds[type.split("/")[0] ?? ""] || ATTACHMENTS.file;
    this.files.set(key, file);
    this.items = [...this.items, { key, name, type, size: file.size, preview, state: "uploading", problem: null, mayRetry: false, uploaded: null }];
    void this.upload(key, file);
  }

  private change(key: number, values: Partial<Item>): void {
    this.items = this.items.map((one) => (one.key === key ? { ...one, ...values } : one));
  }

  private async upload(key: number, file: File): Promise<void> {
    const stop = new AbortController();
    this.going.set(key, stop);
    this.change(key, { state: "uploading", problem: null });
    try {
      const kept = await api.upload<Schema["Upload"]>("/v1/media", file, { name: file.name }, stop.signal);
      const item = this.items.find((one) => one.key === key);
      if (!item) return;
      if (item.preview) previews.set(kept.id, item.preview);
      const uploaded = { id: kept.id, name: kept.name ?? item.name, content_type: kept.content_type, size_bytes: kept.size_bytes };
      this.change(key, { state: "ready", uploaded });
    } catch (error) {
      if (stop.signal.aborted) return;
      const mayRetry = error instanceof Problem && (error.isUnreachable || error.status >= 500 || error.status === 429 || error.status === 401);
      this.change(key, { state: "failed", problem: error instanceof Error ? error.message : String(error), mayRetry });
    } finally {
      this.going.delete(key);
    }
  }
}

const drafts = new Map<string, Attached>();

/** The attachments of a draft: they stay while this page is open, also when another thread is looked at meanwhile. */
export function attachedTo(draft: string): Attached {
  const known = drafts.get(draft) ?? new Attached();
  drafts.set(draft, known);
  return known;
}
