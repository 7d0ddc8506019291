/** REST v1: one function for every request, and errors as the hub words them. */

export interface FieldProblem {
  field: string;
  code: string;
  message: string;
}

/** An answer that is not 2xx. `message` is a sentence for a person. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly errors: FieldProblem[] = [],
    readonly traceId: string | null = null,
  ) {
    super(message);
  }

  /** The hub could not be reached at all: nothing is known about the request. */
  get isUnreachable(): boolean {
    return this.status === 0;
  }
}

type Query = Record<string, string | number | boolean | null | undefined | readonly string[]>;

interface Options {
  query?: Query;
  body?: unknown;
  /** The body itself, with its own type: an attachment. */
  file?: Blob;
  /** Repeating the same key never does a thing twice. */
  idempotencyKey?: string;
  signal?: AbortSignal;
}

let onSignedOut: () => void = () => undefined;

/** Called when the hub says that the session has ended. */
export function whenSignedOut(then: () => void): void {
  onSignedOut = then;
}

function search(query: Query | undefined): string {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === null || value === undefined || value === "") continue;
    if (typeof value === "object") value.forEach((item) => parts.append(name, item));
    else parts.set(name, String(value));
  }
  const text = parts.toString();
  return text ? `?${text}` : "";
}

async function problemOf(answer: Response): Promise<Problem> {
  try {
    const body = (await answer.json()) as Record<string, unknown>;
    return new Problem(
      answer.status,
      String(body["code"] ?? "unknown"),
      String(body["detail"] ?? body["title"] ?? answer.statusText),
      (body["errors"] as FieldProblem[] | undefined) ?? [],
      (body["trace_id"] as string | undefined) ?? null,
    );
  } catch {
    return new Problem(answer.status, "unknown", `The hub answered ${answer.status}.`);
  }
}

async function request<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json", "X-Requested-With": "handset-hub" };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.idempotencyKey) headers["Idempotency-Key"] = options.idempotencyKey;
  if (options.file) headers["Content-Type"] = options.file.type || "application/octet-stream";
  let answer: Response;
  try {
    answer = await fetch(path + search(options.query), {
      method,
      headers,
      credentials: "same-origin",
      body: options.file ?? (options.body === undefined ? undefined : JSON.stringify(options.body)),
      signal: options.signal,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "The hub is out of reach.");
  }
  if (answer.status === 401 && !path.startsWith("/session")) onSignedOut();
  if (!answer.ok) throw await problemOf(answer);
  if (answer.status === 204) return undefined as T;
  return (await answer.json()) as T;
}

export const api = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal) => request<T>("GET", path, { query, signal }),
  post: <T>(path: string, body?: unknown, options: Omit<Options, "body"> = {}) => request<T>("POST", path, { ...options, body: body ?? {} }),
  upload: <T>(path: string, file: Blob, query?: Query, signal?: AbortSignal) => request<T>("POST", path, { file, query, signal }),
  put: <T>(path: string, body: unknown) => request<T>("PUT", path, { body }),
  patch: <T>(path: string, body: unknown) => request<T>("PATCH", path, { body }),
  delete: <T>(path: string, body?: unknown) => request<T>("DELETE", path, { body }),
};
