/** What a gateway is told and given, as the page and its forms read it. */

import { api } from "../../api/client";
import type { Schema } from "../../api/types";
import { GATEWAYS } from "../../words/gateways";
import type { Webhook } from "./hooks";

export type Gateway = Schema["Gateway"];
export type Rule = Schema["InboundRule"];

/** The webhook behind its inbound URL: the address itself is there. */
export async function inboundOf(gateway: Gateway): Promise<Webhook | null> {
  if (!gateway.webhook_id) return null;
  return api.get<Webhook>(`/v1/webhooks/${gateway.webhook_id}`).catch(() => null);
}

/** A sentence for a name that cannot stand in an address, null for a good one. */
export function nameProblem(name: string): string | null {
  if (/\s/.test(name)) return GATEWAYS.nameSpace;
  return /^[A-Za-z0-9]{0,64}$/.test(name) ? null : GATEWAYS.nameSigns;
}
