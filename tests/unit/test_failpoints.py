"""A named place kills the process at the passage asked for, and only in a test build."""

import os
import signal
import subprocess
import sys

PASS_THREE_TIMES = (
    "from hub.failpoints import failpoint\nfor n in range(3):\n    failpoint('bind.committed'); print(n, flush=True)"
)


def run(**env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return subprocess.run([sys.executable, "-c", PASS_THREE_TIMES], env={**kept, **env}, capture_output=True, text=True)


def test_kills_at_the_passage_asked_for() -> None:
    done = run(HUB_TEST_BUILD="1", HUB_FAILPOINTS="bind.committed=3")
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == ["0", "1"]


def test_is_silent_without_being_asked() -> None:
    assert run().stdout.split() == ["0", "1", "2"]


def test_is_refused_outside_a_test_build() -> None:
    done = run(HUB_FAILPOINTS="bind.committed")
    assert done.returncode == 1
    assert "for tests only" in done.stderr


def test_unknown_place_is_refused() -> None:
    done = run(HUB_TEST_BUILD="1", HUB_FAILPOINTS="nowhere")
    assert "names 'nowhere'" in done.stderr
