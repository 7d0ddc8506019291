"""The OpenAPI 3.1 document, made from the operations' table and the Structs they name.

Nothing is written twice: a field that is in the document is a field the decoder knows, and the other way round.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from hub.accounts.scopes import MEANING
from hub.core.errors import CATALOGUE, Code
from hub.dialects.native_v1.operation import PATH_IDS, AnyOperation, Content, NoBody
from hub.http import ProblemDocument

VERSION = "1.0.0"
_REF = "#/components/schemas/{name}"

INTRODUCTION = """Send and receive texts through your own Android phones.

A `2xx` means that it is stored. Errors are `application/problem+json` (RFC 9457) with a `code` from one catalogue, a sentence about
this case in `detail`, and `retryable`. Lists come in pages: give `next_cursor` as `cursor`. Times are RFC 3339, UTC. Unknown fields
and query parameters are refused, because a misspelt one was meant to do something."""

TAGS = {
    "messages": "Texts in both directions: send, read, cancel, send again, and what happened to each.",
    "segments": "What a text costs before it is sent.",
    "forecast": "When texts to many would have been sent.",
    "batches": "Requests to many recipients.",
    "conversations": "Threads of one line and one peer.",
    "media": "What is attached to an MMS.",
    "threads": "The inbox: all conversations with one peer, over all lines.",
    "senders": "Which line a text would leave by.",
    "contacts": "Names, notes and tags for numbers.",
    "snippets": "Texts that are sent often.",
    "mailboxes": "Addresses whose mails go out as texts.",
    "optouts": "Numbers that asked to hear no more.",
    "inbox": "Wait for the next text that matches.",
    "devices": "Phones.",
    "lines": "SIMs as sending identities.",
    "forwardings": "Where the texts of single lines go.",
    "enrolments": "Codes that let a phone in.",
    "sandbox-phones": "Emulated phones, to try everything without one.",
    "sandbox-keys": "Keys whose texts reach nobody, in an account of their own.",
    "notices": "What an operator must know of phones.",
    "webhooks": "Where events are sent.",
    "deliveries": "Every event on its way to a webhook.",
    "replays": "Sending many events again.",
    "events": "The account's events, as a list.",
    "stream": "The same, live.",
    "overview": "Numbers for a range of time.",
    "keys": "API keys.",
    "logins": "Names and passwords for programs that know nothing else.",
    "users": "People who use the dashboard.",
    "gateways": "Account SIDs and tokens for PBXs and for programs written against Twilio.",
    "account": "The account and its settings.",
}


def document(operations: Sequence[AnyOperation], named: Sequence[type[Any]] = ()) -> dict[str, Any]:
    """The whole document. `named` are types that others refer to by name alone."""
    schemas, refs = _schemas(operations, named)
    paths: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for operation in operations:
        paths[operation.path][operation.method.lower()] = _operation(operation, schemas, refs)
    for name in {operation.query.__name__ for operation in operations}:
        schemas.pop(name, None)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Handset Hub", "version": VERSION, "description": INTRODUCTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag, "description": TAGS[tag]} for tag in TAGS if _is_used(tag, operations)],
        "security": [{"bearer": []}, {"basic": []}, {"header": []}, {"cookie": []}],
        "paths": dict(paths),
        "components": {
            "schemas": schemas,
            "responses": _problems(),
            "securitySchemes": _security(),
        },
    }


def _is_used(tag: str, operations: Iterable[AnyOperation]) -> bool:
    return any(operation.tag == tag for operation in operations)


def _security() -> dict[str, Any]:
    words = "\n".join(f"- `{scope}`: {meaning}" for scope, meaning in MEANING.items())
    return {
        "bearer": {"type": "http", "scheme": "bearer", "description": f"An API key, `hub_…`. Scopes:\n{words}"},
        "basic": {"type": "http", "scheme": "basic", "description": "The key as password; any user name."},
        "header": {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "The key in a header of its own.",
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": "hub_session",
            "description": "A person signed in to the dashboard. What changes something also needs "
            "`X-Requested-With: handset-hub` and has to come from the hub's own pages. Their role decides what they may do; "
            "somebody who may see some lines only is refused (`lines_limited`) where a line is not what is asked for.",
        },
    }


# --- schemas -------------------------------------------------------------------------------------------------------------------------


def _schemas(operations: Sequence[AnyOperation], named: Sequence[type[Any]]) -> tuple[dict[str, Any], dict[Any, Any]]:
    """Components, and each type's own schema (a reference, for a Struct)."""
    types: dict[Any, None] = dict.fromkeys((ProblemDocument, *named))
    for operation in operations:
        for kind in (operation.query, operation.body, operation.returns):
            if kind not in (NoBody, Content):
                types[kind] = None
    shown, components = msgspec.json.schema_components(list(types), ref_template=_REF)
    typed = {name: _typed(schema) for name, schema in components.items()}
    return typed, {kind: _typed(schema) for kind, schema in zip(types, shown, strict=True)}


def _typed(schema: Any) -> Any:
    """Every schema with a type: msgspec leaves it out where an enumeration says it already."""
    if isinstance(schema, list):
        return [_typed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: item if key in ("examples", "default", "enum") else _typed(item) for key, item in schema.items()}
    values = found.get("enum", [])
    if values and "type" not in found:
        found["type"] = "string" if all(isinstance(value, str) for value in values) else "integer"
    return found


# --- operations ----------------------------------------------------------------------------------------------------------------------


def _operation(operation: AnyOperation, schemas: Mapping[str, Any], refs: Mapping[Any, Any]) -> dict[str, Any]:
    summary, description = _words(operation)
    shown: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": summary,
        "description": _with_scope(description, operation),
        "parameters": [
            *_path_parameters(operation),
            *_query_parameters(operation, schemas),
            *_header_parameters(operation),
        ],
        "responses": _responses(operation, refs),
    }
    if operation.takes_ticket:
        shown["security"] = [{"bearer": []}, {"basic": []}, {"header": []}, {"cookie": []}, {}]
    if operation.body is not NoBody:
        content: dict[str, Any] = {"schema": refs[operation.body]}
        if operation.example is not None:
            content["example"] = operation.example
        shown["requestBody"] = {
            "required": not operation.is_body_optional,
            "content": {"application/json": content},
        }
    if operation.takes_bytes:
        shown["requestBody"] = {
            "required": True,
            "content": {"*/*": {"schema": {"type": "string", "contentMediaType": "*/*"}}},
        }
    return shown


def _words(operation: AnyOperation) -> tuple[str, str]:
    """Summary and description: the first sentence of the handler's docstring, and what follows it."""
    text = inspect.cleandoc(operation.run.__doc__ or "")
    first_line, _, description = text.partition("\n")
    summary, _, more = first_line.partition(". ")
    return summary.rstrip("."), f"{more}\n\n{description.strip()}".strip()


def _with_scope(description: str, operation: AnyOperation) -> str:
    needs = f"Needs the scope `{operation.scope}`." if operation.scope else "Needs any valid key."
    return f"{description}\n\n{needs}" if description else needs


def _path_parameters(operation: AnyOperation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"Id of the {PATH_IDS[name] if name != 'webhook_id' else 'webhook'}.",
            "schema": {"type": "string"},
        }
        for name in operation.path_ids
    ]


def _query_parameters(operation: AnyOperation, schemas: Mapping[str, Any]) -> list[dict[str, Any]]:
    schema = schemas[operation.query.__name__]
    required = set(schema.get("required", ()))
    return [
        {"name": name, "in": "query", "required": name in required, **_parameter(item)}
        for name, item in schema["properties"].items()
    ]


def _parameter(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A query parameter has no null: it is absent."""
    shown = dict(schema)
    choices = [item for item in shown.get("anyOf", ()) if item.get("type") != "null"]
    if len(choices) == 1:
        shown = {**{key: item for key, item in shown.items() if key != "anyOf"}, **choices[0]}
    if shown.get("default", 0) is None:
        del shown["default"]
    description = shown.pop("description", None)
    return {"schema": shown, **({"description": description} if description else {})}


def _header_parameters(operation: AnyOperation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": description,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        }
        for name, description in operation.request_headers.items()
    ]


# --- answers -------------------------------------------------------------------------------------------------------------------------


def _responses(operation: AnyOperation, refs: Mapping[Any, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if operation.returns is NoBody:
        shown["204"] = {"description": "Done."}
    else:
        content = _content(operation, refs)
        shown[str(operation.status)] = {"description": "Done.", "content": content}
        for status, when in operation.other_statuses.items():
            shown[str(status)] = {"description": when, "content": content}
    for status, codes in sorted(_refusals(operation).items()):
        shown[str(status)] = {"$ref": f"#/components/responses/Problem{status}"} | {
            "description": "; ".join(f"`{code}`" for code in codes)
        }
    return shown


def _content(operation: AnyOperation, refs: Mapping[Any, Any]) -> dict[str, Any]:
    if operation.returns is Content:
        binary = operation.media_type in ("image/png", "*/*")
        schema = {"type": "string", "contentMediaType": operation.media_type} if binary else {"type": "string"}
        return {operation.media_type: {"schema": schema}}
    return {operation.media_type: {"schema": refs[operation.returns]}}


def _refusals(operation: AnyOperation) -> dict[int, list[Code]]:
    """Codes an operation may refuse with, by HTTP status."""
    codes = {
        *operation.errors,
        Code.UNAUTHENTICATED, Code.KEY_EXPIRED, Code.KEY_REVOKED, Code.RATE_LIMITED, Code.BAD_REQUEST,
        Code.VALIDATION, Code.BODY_TOO_LARGE, Code.QUEUE_FULL, Code.STORAGE_UNAVAILABLE, Code.SHUTTING_DOWN, Code.INTERNAL,
    }  # fmt: skip
    if operation.scope is not None:
        codes.add(Code.SCOPE_MISSING)
    if not operation.knows_lines:
        codes.add(Code.LINES_LIMITED)
    if operation.method != "GET":
        codes.add(Code.CROSS_SITE)
    if operation.path_ids:
        codes.add(Code.NOT_FOUND)
    if operation.body is not NoBody or operation.takes_bytes:
        codes.add(Code.UNSUPPORTED_MEDIA_TYPE)
    if "cursor" in operation.query.__struct_fields__:
        codes.add(Code.BAD_CURSOR)
    by_status: defaultdict[int, list[Code]] = defaultdict(list)
    for code in Code:
        if code in codes:
            by_status[CATALOGUE[code].status].append(code)
    return by_status


_HEADERS = {
    401: {"WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}},
    503: {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}},
}


def _problems() -> dict[str, Any]:
    """One response component per error status, listing the codes it can carry."""
    by_status: defaultdict[int, list[Code]] = defaultdict(list)
    for problem in CATALOGUE.values():
        by_status[problem.status].append(problem.code)
    content = {"application/problem+json": {"schema": {"$ref": _REF.format(name="ProblemDocument")}}}
    return {
        f"Problem{status}": {
            "description": "\n".join(
                f"- `{code}`: {CATALOGUE[code].title}. {CATALOGUE[code].what_to_do}" for code in codes
            ),
            "content": content,
            **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
        }
        for status, codes in sorted(by_status.items())
    }
