"""The alerting rules that come with the documentation ask for metrics and labels that the hub has."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

import hub.app  # noqa: F401 - every room's metrics
from hub.core.events import EventType
from tests.databases import missing

FILE = Path(__file__).resolve().parents[2] / "docs" / "operate" / "alerts.yml"
RULES = dict(re.findall(r"- alert: (\w+)\n(.*?)annotations:", FILE.read_text(), re.DOTALL))
FAMILIES = {family.name for family in REGISTRY.collect()}
NAMES = FAMILIES | {f"{name}{ending}" for name in FAMILIES for ending in ("_total", "_bucket")}


@pytest.mark.parametrize("alert", RULES)
def test_T20_an_alert_asks_for_metrics_that_there_are(alert: str) -> None:
    names = set(re.findall(r"\b((?:hub|webhook)_[a-z_]+)", RULES[alert]))
    assert names
    assert names <= NAMES, names - NAMES
    types = {one for given in re.findall(r'type=~?"([^"]+)"', RULES[alert]) for one in given.split("|")}
    assert types <= {event.value for event in EventType}


def test_T20_what_goes_wrong_has_an_alert() -> None:
    asked = " ".join(RULES.values())
    for what in ("sms:delivered", "sms:failed", "401|403", '"429"', '"5.."', "webhook_attempts_total", "forbidden"):
        assert what in asked


def test_T20_promtool_takes_the_rules() -> None:
    if shutil.which("promtool") is None:
        missing("promtool", "install Prometheus to check the rules with its own tool")
    done = subprocess.run(["promtool", "check", "rules", str(FILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
