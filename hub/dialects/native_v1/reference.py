"""`/openapi.json`, and `/docs`: the same as one page of HTML, made once at start, without scripts or anything from elsewhere."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hub.dialects.native_v1.events import DATA_TYPES
from hub.dialects.native_v1.openapi import document
from hub.dialects.native_v1.stream import Change, Ready
from hub.dialects.native_v1.table import OPERATIONS

_STYLE = """
:root{color-scheme:light dark;--ground:#F6F7F9;--surface:#FFFFFF;--line:#E4E7EB;--text:#14171C;--quiet:#626A76;--accent:#2750C0;
--code:#F1F3F6;--get:#0E7347;--post:#2750C0;--patch:#8A5200;--delete:#B82E26}
@media (prefers-color-scheme:dark){:root{--ground:#0D0F12;--surface:#14171B;--line:#252A31;--text:#ECEEF2;--quiet:#8E96A3;
--accent:#94B0FF;--code:#1C2026;--get:#5FCB97;--post:#94B0FF;--patch:#E6B45C;--delete:#FF9389}}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--text);
font:14px/20px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
a{color:var(--accent)}a:focus-visible,summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.page{display:grid;grid-template-columns:220px minmax(0,1fr);max-width:1200px;margin:0 auto}
nav{position:sticky;top:0;align-self:start;max-height:100vh;overflow:auto;padding:24px 16px}
nav a{display:block;padding:3px 8px;color:var(--text);text-decoration:none}nav a:hover{text-decoration:underline}
nav ul{list-style:none;margin:0 0 12px;padding:0}nav li a{color:var(--quiet);font-size:13px}
main{padding:24px}h1{font-size:24px;line-height:32px;margin:0 0 12px}h2{font-size:20px;line-height:28px;margin:40px 0 4px}
h3{font-size:14px;margin:16px 0 4px}p{max-width:76ch}
details{background:var(--surface);border:1px solid var(--line);border-radius:10px;margin:8px 0;padding:0 16px}
summary{cursor:pointer;padding:10px 0}summary code{background:none;padding:0}
.method{display:inline-block;min-width:56px;font-weight:600}.GET{color:var(--get)}.POST{color:var(--post)}
.PATCH{color:var(--patch)}.DELETE{color:var(--delete)}.quiet{color:var(--quiet)}
code,pre{font:12px/18px ui-monospace,"SF Mono","Cascadia Code","Noto Sans Mono",monospace;background:var(--code);border-radius:4px}
code{padding:1px 4px}pre{padding:12px;overflow:auto;white-space:pre-wrap}
table{border-collapse:collapse;width:100%;margin:4px 0 12px}td,th{text-align:left;vertical-align:top;padding:6px 12px 6px 0;
border-bottom:1px solid var(--line)}th{font-weight:500;color:var(--quiet)}td:first-child{white-space:nowrap}
@media (max-width:800px){.page{grid-template-columns:minmax(0,1fr)}nav{position:static;max-height:none;padding-bottom:0}
nav ul{display:none}nav a{display:inline-block}td:first-child{white-space:normal}code,td{overflow-wrap:anywhere}}
"""
_STYLE_HASH = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing is loaded and nothing runs; the one style sheet is named by its hash."""


@cache
def api_document() -> dict[str, Any]:
    """The OpenAPI document of this version of the hub. Shared: do not change it."""
    return document(OPERATIONS, (*DATA_TYPES, Ready, Change))


def reference_routes() -> list[BaseRoute]:
    """The two paths. Both are the same for everybody, so that no key is asked for."""
    json_bytes = msgspec.json.encode(api_document())
    page = html_page(api_document()).encode()
    headers = {
        "Content-Security-Policy": POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
    }

    async def openapi(_request: Request) -> Response:
        return Response(json_bytes, media_type="application/json", headers={"Cache-Control": "no-cache"})

    async def docs(_request: Request) -> Response:
        return Response(page, media_type="text/html", headers=headers)

    return [Route("/openapi.json", openapi, methods=["GET"]), Route("/docs", docs, methods=["GET"])]


def html_page(described: Mapping[str, Any]) -> str:
    """The whole reference as one page."""
    tags = [tag["name"] for tag in described["tags"]]
    by_tag: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {tag: [] for tag in tags}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            by_tag[operation["tags"][0]].append((method.upper(), path, operation))
    body = [_introduction(described)]
    for tag in described["tags"]:
        body.append(
            f'<h2 id="{escape(tag["name"])}">{escape(tag["name"].title())}</h2><p>{escape(tag["description"])}</p>'
        )
        body.extend(_operation(*row, described) for row in by_tag[tag["name"]])
    body.append(_schemas(described["components"]["schemas"]))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Handset Hub API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><div class=page>{_navigation(by_tag)}<main>{''.join(body)}</main></div></body></html>"
    )


def _introduction(described: Mapping[str, Any]) -> str:
    schemes = described["components"]["securitySchemes"]
    ways = "".join(f"<p><b>{escape(name)}</b>: {_text(scheme['description'])}</p>" for name, scheme in schemes.items())
    return (
        f"<h1>Handset Hub API</h1><p>{_text(described['info']['description'])}</p>"
        '<p><a href="/openapi.json">OpenAPI 3.1 document</a></p><h2 id="authentication">Authentication</h2>' + ways
    )


def _navigation(by_tag: Mapping[str, Sequence[tuple[str, str, Mapping[str, Any]]]]) -> str:
    items = "".join(
        f'<a href="#{escape(tag)}">{escape(tag.title())}</a><ul>'
        + "".join(
            f'<li><a href="#{escape(row["operationId"])}">{escape(row["summary"])}</a></li>' for _, _, row in rows
        )
        + "</ul>"
        for tag, rows in by_tag.items()
    )
    return f'<nav aria-label="Contents"><a href="#authentication">Authentication</a>{items}<a href="#schemas">Schemas</a></nav>'


def _operation(method: str, path: str, operation: Mapping[str, Any], described: Mapping[str, Any]) -> str:
    parts = [f"<p>{_text(operation['description'])}</p>"]
    if operation["parameters"]:
        parts.append("<h3>Parameters</h3>" + _table(_parameter_rows(operation["parameters"])))
    if "requestBody" in operation:
        parts += ["<h3>Body</h3>", *(_body(content) for content in operation["requestBody"]["content"].values())]
    parts.append("<h3>Answers</h3>" + _table(_answer_rows(operation["responses"], described)))
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><span class="method {method}">{method}</span> '
        f"<code>{escape(path)}</code> <span class=quiet>{escape(operation['summary'])}</span></summary>{''.join(parts)}</details>"
    )


def _parameter_rows(parameters: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    for one in parameters:
        required = " (required)" if one["required"] else ""
        yield (
            f"<code>{escape(one['name'])}</code>",
            f"{one['in']}{required}, {_type(one['schema'])}",
            _text(one.get("description", "")),
        )


def _answer_rows(responses: Mapping[str, Any], described: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for status, response in responses.items():
        content = response.get("content") or described["components"]["responses"].get(f"Problem{status}", {}).get(
            "content", {}
        )
        shape = ", ".join(f"{escape(kind)} {_type(item['schema'])}" for kind, item in content.items())
        yield f"<code>{status}</code>", _text(response["description"]), shape


def _body(content: Mapping[str, Any]) -> str:
    shown = f"<p>{_type(content['schema'])}</p>"
    if "example" in content:
        shown += f"<pre>{escape(json.dumps(content['example'], indent=2, ensure_ascii=False))}</pre>"
    return shown


def _schemas(schemas: Mapping[str, Any]) -> str:
    return '<h2 id="schemas">Schemas</h2>' + "".join(_schema(name, schema) for name, schema in sorted(schemas.items()))


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = (
        (
            f"<code>{escape(field)}</code>",
            _type(item) + ("" if field in required else ", optional"),
            _text(item.get("description", "")),
        )
        for field, item in schema.get("properties", {}).items()
    )
    table = _table(rows) if "properties" in schema else f"<p>{_type(schema)}</p>"
    return (
        f'<details id="schema-{escape(name)}"><summary><code>{escape(name)}</code> '
        f"<span class=quiet>{_text(schema.get('description', ''))}</span></summary>{table}</details>"
    )


def _table(rows: Iterator[tuple[str, ...]]) -> str:
    return (
        "<table>" + "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows) + "</table>"
    )


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in a few words, with links to the ones it names."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f'<a href="#schema-{escape(name)}">{escape(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(item) for item in schema["anyOf"])
    if "enum" in schema:
        return " · ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if schema.get("type") == "object" and "additionalProperties" in schema:
        return f"object of {_type(schema['additionalProperties'])}"
    return escape(" ".join([str(schema.get("format") or schema.get("type", "")), *_bounds(schema)]))


def _bounds(schema: Mapping[str, Any]) -> Iterator[str]:
    words = {"minimum": "≥", "maximum": "≤", "minLength": "length ≥", "maxLength": "length ≤"}
    for key, word in words.items():
        if key in schema:
            yield f"{word} {schema[key]}"


def _text(text: str) -> str:
    """Words with `code` in backticks, lists and paragraphs; everything escaped first."""
    shown = escape(text).replace("\n\n", "</p><p>").replace("\n- ", "<br>• ").replace("\n", " ")
    parts = shown.split("`")
    return "".join(part if place % 2 == 0 else f"<code>{part}</code>" for place, part in enumerate(parts))
