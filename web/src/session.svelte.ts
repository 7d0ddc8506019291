/** Who is signed in, and what that person may do. */

import { api, Problem } from "./api/client";

export interface Person {
  id: string;
  name: string;
  username?: string;
  role: string;
  /** The lines this person sees and sends by; null = all. */
  line_ids?: string[] | null;
  has_totp?: boolean;
  recovery_codes_left?: number;
}

export interface SessionFacts {
  user: Person;
  account: { id: string; name: string; time_zone?: string; default_region?: string };
  scopes: string[];
}

type State = "unknown" | "signed-in" | "signed-out" | "unreachable";

let state = $state<State>("unknown");
let facts = $state.raw<SessionFacts | null>(null);

export const session = {
  get state() {
    return state;
  },
  get user() {
    return facts?.user ?? null;
  },
  get account() {
    return facts?.account ?? null;
  },
  /** Whether a request that needs this scope would be let in. */
  can(scope: string): boolean {
    return facts?.scopes.includes(scope) ?? false;
  },
  /** Whether this person sees all lines: sending in bulk, webhooks and keys are closed to those who see some only. */
  get seesAll(): boolean {
    return (facts?.user.line_ids ?? null) === null;
  },
  /** After signing in. */
  begin(next: SessionFacts): void {
    facts = next;
    state = "signed-in";
  },
  /** After signing out, or when the hub said that the session has ended. */
  forget(): void {
    facts = null;
    state = "signed-out";
  },
};

/** Ask the hub who we are. */
export async function loadSession(): Promise<void> {
  try {
    session.begin(await read());
  } catch (error) {
    if (error instanceof Problem && error.isUnreachable) state = "unreachable";
    else session.forget();
  }
}

async function read(): Promise<SessionFacts> {
  try {
    return await api.get<SessionFacts>("/session");
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return ofKey();
    throw error;
  }
}

/** A hub whose proxy signs people in itself and adds an API key: the key's account stands for the person. */
async function ofKey(): Promise<SessionFacts> {
  const account = await api.get<{ id: string; name: string; key_id: string; key_name: string; scopes: string[] }>("/v1/account");
  return {
    user: { id: account.key_id, name: account.key_name, role: "key" },
    account: { id: account.id, name: account.name },
    scopes: account.scopes,
  };
}
