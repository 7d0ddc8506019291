/** The shapes of REST v1 by the names of its OpenAPI document: `Schema["Message"]`. `npm run types` makes them. */

import type { components } from "./schema";

export type Schema = components["schemas"];

export type Message = Schema["Message"];
export type MessagePage = Schema["MessagePage"];
export type Conversation = Schema["Conversation"];
export type Device = Schema["Device"];
export type Line = Schema["Line"];
export type Batch = Schema["Batch"];
