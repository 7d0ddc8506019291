"""What a newcomer gets wrong at the command line is said in one sentence that tells what to do."""

import socket

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.config import ConfigurationError

NOBODY = "http://127.0.0.1:1/"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("forward", "localhost:3000"), "Give a whole URL that begins with https:// or http://"),
        (("forward", "http://169.254.169.254/", "--key", "x"), "does not send to"),
        (("forward", NOBODY, "--hub", "hub.example.org", "--key", "x"), "give a whole address such as https://"),
        (("forward", NOBODY, "--hub", "http://127.0.0.1:1", "--key", "x"), "No hub answers at http://127.0.0.1:1"),
        (("forward", NOBODY), "Make one with: hub key create laptop --scope events:read"),
        (("forward", NOBODY, "--key", "x", "--format", "xml"), "use standard or smsgate"),
        (("forward", NOBODY, "--key", "x", "--secret", "whsec_"), "cut off"),
        (("forward", NOBODY, "--key", "x", "--secret", "abc"), "whsec_ and base64"),
        (("listen", "--answers", "500,often"), "'often' is no answer this receiver knows"),
        (("listen", "--secret", "whsec_%"), "cut off when it was copied"),
        (("listen", "--port", "TAKEN"), "Try --port 0"),
    ],
)
def test_a_mistake_is_named(words: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEY", "HUB", "WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = [str(taken.getsockname()[1]) if word == "TAKEN" else word for word in words]
        result = CliRunner().invoke(app, ["webhooks", *given])
    assert isinstance(result.exception, ConfigurationError), result.output
    assert says in str(result.exception)
