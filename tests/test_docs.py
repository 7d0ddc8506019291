"""The undocumented does not exist: settings, failpoints, links and changelog are held against the code."""

import re
from pathlib import Path

import pytest

from hub import failpoints
from hub.config import as_markdown
from hub.core.errors import Code
from hub.core.events import EventType
from hub.core.retry import PRESETS
from hub.registry import dialects, phone_transports

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)(?:#[^)]*)?\)")


def test_settings_page_is_made_from_the_code() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == as_markdown(), "run: .venv/bin/hub config --markdown > docs/configuration.md"


def test_every_failpoint_is_explained() -> None:
    page = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    missing = [name for name in failpoints.NAMES if f"`{name}`" not in page]
    assert not missing


def test_every_event_is_documented() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    missing = [event.value for event in EventType if f"`{event.value}`" not in page]
    assert not missing


def test_every_retry_schedule_is_documented_with_its_posts() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    missing = [one.name for one in PRESETS.values() if f"| `{one.name}` | {one.max_attempts} |" not in page]
    assert not missing


def test_every_error_is_documented() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    missing = [code.value for code in Code if f"`{code.value}`" not in page]
    assert not missing


def test_every_adapter_has_its_page() -> None:
    wanted = [f"dialect-{one.name}.md" for one in dialects()] + [f"phone-{one.name}.md" for one in phone_transports()]
    pages = {page.name for page in (ROOT / "docs" / "adapters").glob("*.md")}
    assert not set(wanted) - pages


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target or target.startswith(("mailto:", "/")):
            continue
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_changelog_entries_are_one_short_line() -> None:
    for entry in (ROOT / "docs" / "changelog.d").glob("*.md"):
        text = entry.read_text(encoding="utf-8").strip()
        assert "\n" not in text, f"{entry.name}: one line"
        assert len(text) <= 400, f"{entry.name}: short"
