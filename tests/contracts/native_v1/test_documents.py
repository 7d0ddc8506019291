"""The API's papers agree with the API: OpenAPI, the reference page, and the guide in docs/."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from hub.accounts.scopes import MEANING
from hub.core.errors import CATALOGUE
from hub.core.events import DATA_OF
from hub.core.ids import PREFIXES
from hub.dialects.native_v1.operation import PATH_IDS
from hub.dialects.native_v1.reference import POLICY, api_document, html_page
from hub.dialects.native_v1.table import OPERATIONS

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "api-v1.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(GET|POST|PUT|PATCH|DELETE) (/v1/\S+)` \| .+ \| (`[a-z:]+`|any key) \|$", re.MULTILINE)
FREE_FORM = {"metadata", "data", "permissions", "headers", "request_headers", "response_headers", "settings"}
"""Fields whose names are the customer's, the network's, or a format's."""


def schemas() -> Iterator[tuple[str, Any]]:
    """Every schema of the document with its path."""

    def walk(path: str, node: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(node, dict):
            yield path, node
            for key in ("items", "additionalProperties"):
                if isinstance(node.get(key), dict):
                    yield from walk(f"{path}.{key}", node[key])
            for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
                for place, item in enumerate(node.get(key, ())):
                    yield from walk(f"{path}.{key}[{place}]", item)
            for name, item in node.get("properties", {}).items():
                yield from walk(f"{path}.{name}", item)

    document = api_document()
    for name, schema in document["components"]["schemas"].items():
        yield from walk(name, schema)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for parameter in operation["parameters"]:
                yield from walk(f"{method} {path} {parameter['name']}", parameter["schema"])


def test_no_schema_is_without_a_type() -> None:
    words = {"type", "$ref", "anyOf", "oneOf", "allOf"}
    assert [path for path, schema in schemas() if not words & set(schema)] == []


def test_no_object_is_free_form() -> None:
    """Except where its names are not ours, and even there its values have a type."""
    for path, schema in schemas():
        if schema.get("type") != "object" or "properties" in schema:
            continue
        assert schema.get("additionalProperties"), path
        assert set(re.split(r"[.\[\]]", path)) & FREE_FORM, path


def test_request_bodies_refuse_unknown_fields() -> None:
    components = api_document()["components"]["schemas"]
    for operation in OPERATIONS:
        if operation.body is not type(None):
            assert components[operation.body.__name__]["additionalProperties"] is False, operation.id


def test_every_schema_is_one(subtests: Any) -> None:
    for name, schema in api_document()["components"]["schemas"].items():
        with subtests.test(name):
            jsonschema_rs.meta.validate({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"})


def test_examples_fit_their_schemas() -> None:
    document = api_document()
    for operation in OPERATIONS:
        if operation.example is not None:
            root = {
                "$ref": f"#/components/schemas/{operation.body.__name__}",
                "components": document["components"],
            }
            assert list(jsonschema_rs.Draft202012Validator(root).iter_errors(dict(operation.example))) == []


def test_operations_have_names_of_their_own_and_say_what_they_do() -> None:
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == len(OPERATIONS)
    for methods in api_document()["paths"].values():
        for operation in methods.values():
            assert operation["summary"], operation["operationId"]
            assert operation["description"]


def test_every_refusal_that_can_happen_is_of_the_catalogue() -> None:
    statuses = {str(problem.status) for problem in CATALOGUE.values()}
    for path, methods in api_document()["paths"].items():
        for operation in methods.values():
            refused = {status for status in operation["responses"] if status >= "400"}
            assert refused <= statuses
            assert {"401", "429", "500", "503"} <= refused, path


def test_every_event_has_its_shape_in_the_document() -> None:
    assert {shape.__name__ for shape in DATA_OF.values()} <= set(api_document()["components"]["schemas"])


def test_path_parameters_are_ids_with_a_known_prefix() -> None:
    for operation in OPERATIONS:
        for name in operation.path_ids:
            assert PATH_IDS[name] in PREFIXES


def test_the_guide_lists_every_operation_with_its_scope() -> None:
    listed = {(method, path): scope for method, path, scope in ROW.findall(GUIDE)}
    actual = {
        (operation.method, operation.path): f"`{operation.scope}`" if operation.scope else "any key"
        for operation in OPERATIONS
    }
    assert listed == actual


def test_the_guide_explains_every_scope() -> None:
    for scope, meaning in MEANING.items():
        assert f"| `{scope}` | {meaning} |" in GUIDE


class _Page(HTMLParser):
    """Collects what a page links to, is made of, and loads."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.targets: set[str] = set()
        self.tags: set[str] = set()
        self.inline_styles = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags.add(tag)
        self.inline_styles += "style" in named
        if named.get("id"):
            assert named["id"] not in self.ids, f"{named['id']} twice"
            self.ids.add(named["id"] or "")
        if (named.get("href") or "").startswith("#"):
            self.targets.add((named["href"] or "")[1:])


@pytest.fixture(scope="module")
def page() -> _Page:
    parsed = _Page()
    parsed.feed(html_page(api_document()))
    return parsed


def test_the_reference_page_describes_every_operation_and_schema(page: _Page) -> None:
    assert {operation.id for operation in OPERATIONS} <= page.ids
    assert {f"schema-{name}" for name in api_document()["components"]["schemas"]} <= page.ids
    assert page.targets <= page.ids


def test_the_reference_page_runs_and_loads_nothing(page: _Page) -> None:
    assert not page.tags & {"script", "img", "link", "iframe", "object", "form"}
    assert page.inline_styles == 0
    assert "default-src 'none'" in POLICY
    assert "unsafe" not in POLICY
