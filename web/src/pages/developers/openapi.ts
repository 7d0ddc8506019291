/** Reads the hub's OpenAPI document for showing: operations by resource, and what their bodies are made of. */

export interface Node {
  type?: string | string[];
  $ref?: string;
  anyOf?: Node[];
  oneOf?: Node[];
  enum?: unknown[];
  const?: unknown;
  items?: Node;
  properties?: Record<string, Node>;
  additionalProperties?: Node | boolean;
  required?: string[];
  description?: string;
  format?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
}

interface Answer {
  description?: string;
  content?: Record<string, { schema?: Node }>;
}

interface RawOperation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: Node }[];
  requestBody?: { required?: boolean; content: Record<string, { schema?: Node; example?: unknown; examples?: Record<string, { value?: unknown }> }> };
  responses: Record<string, Answer>;
  [extension: `x-${string}`]: unknown;
}

export interface Document {
  info: { version: string };
  paths: Record<string, Record<string, RawOperation>>;
  components: { schemas: Record<string, Node> };
  tags?: { name: string; description?: string }[];
}

export interface Operation {
  id: string;
  method: string;
  path: string;
  summary: string;
  description: string;
  tag: string;
  parameters: { name: string; where: string; isRequired: boolean; type: string; description: string }[];
  body: Node | null;
  example: string | null;
  answers: { status: string; description: string; schema: Node | null }[];
  /** In lower case, for finding. */
  words: string;
}

export interface Group {
  tag: string;
  description: string;
  operations: Operation[];
}

const METHODS = ["get", "post", "put", "patch", "delete"];

export function groupsOf(document: Document): Group[] {
  const groups = new Map<string, Group>();
  for (const { name, description } of document.tags ?? []) groups.set(name, { tag: name, description: description ?? "", operations: [] });
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      const raw = methods[method];
      if (!raw) continue;
      const operation = read(method, path, raw);
      const group = groups.get(operation.tag) ?? { tag: operation.tag, description: "", operations: [] };
      group.operations.push(operation);
      groups.set(operation.tag, group);
    }
  }
  return [...groups.values()].filter((group) => group.operations.length > 0);
}

function read(method: string, path: string, raw: RawOperation): Operation {
  const body = raw.requestBody?.content["application/json"];
  const example = body?.example ?? Object.values(body?.examples ?? {})[0]?.value;
  const parameters = (raw.parameters ?? []).map((one) => ({
    name: one.name, where: one.in, isRequired: one.required ?? false, type: typeOf(one.schema), description: one.description ?? one.schema?.description ?? "",
  }));
  return {
    id: raw.operationId ?? `${method} ${path}`,
    method: method.toUpperCase(),
    path,
    summary: raw.summary ?? "",
    description: raw.description ?? "",
    tag: raw.tags?.[0] ?? "",
    parameters,
    body: body?.schema ?? null,
    example: example === undefined ? null : JSON.stringify(example),
    answers: Object.entries(raw.responses).map(([status, answer]) => ({ status, description: answer.description ?? "", schema: Object.values(answer.content ?? {})[0]?.schema ?? null })),
    words: [method, path, raw.summary, raw.description, ...parameters.map((one) => one.name)].join(" ").toLowerCase(),
  };
}

export function nameOf(ref: string): string {
  return ref.split("/").at(-1) ?? ref;
}

/** A type in a few words: `text`, `list of Message`, `"bulk" or "normal"`. */
export function typeOf(node: Node | undefined): string {
  if (!node) return "";
  if (node.$ref) return nameOf(node.$ref);
  const choices = node.anyOf ?? node.oneOf;
  if (choices) return [...new Set(choices.map(typeOf))].filter(Boolean).join(" or ");
  if (node.enum) return node.enum.length > 6 ? `one of ${node.enum.length} words` : node.enum.map((one) => JSON.stringify(one)).join(", ");
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.type === "array") return `list of ${typeOf(node.items) || "anything"}`;
  if (node.type === "object" && typeof node.additionalProperties === "object") return `object of ${typeOf(node.additionalProperties) || "anything"}`;
  const plain = Array.isArray(node.type) ? node.type.join(" or ") : (node.type ?? "");
  return node.format === "date-time" ? "time" : plain.replace("string", "text").replace("integer", "whole number").replace("boolean", "true or false");
}

/** The named shape a node leads to, through lists and choices. */
export function shapeOf(node: Node | null, document: Document): { name: string; fields: [string, Node, boolean][] } | null {
  if (!node) return null;
  const ref = node.$ref ?? node.items?.$ref ?? (node.anyOf ?? node.oneOf)?.find((one) => one.$ref)?.$ref;
  const found = ref ? document.components.schemas[nameOf(ref)] : node;
  if (!found?.properties) return null;
  const required = new Set(found.required ?? []);
  return { name: ref ? nameOf(ref) : "", fields: Object.entries(found.properties).map(([name, field]) => [name, field, required.has(name)]) };
}
