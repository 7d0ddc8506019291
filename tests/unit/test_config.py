"""Settings come from the environment, and a wrong one stops the start with a sentence that names it."""

from pathlib import Path

import pytest

from hub.config import Config, ConfigurationError, read_config


def test_no_variable_is_needed() -> None:
    config = read_config({})
    assert config == Config()
    assert config.storage_url == "sqlite:///data/hub.db"
    assert config.base_url == "http://127.0.0.1:8080"


def test_numbers_paths_and_texts_are_read() -> None:
    config = read_config({"HUB_PORT": "9000", "HUB_DATA_DIR": "/srv/hub", "HUB_PUBLIC_URL": "https://sms.example.org/"})
    assert (config.port, config.data_dir, config.base_url) == (9000, Path("/srv/hub"), "https://sms.example.org")


def test_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://hub@localhost/hub\n")
    assert read_config({"HUB_DATABASE_URL_FILE": str(file)}).storage_url == "postgresql://hub@localhost/hub"


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"HUB_PROT": "80"}, "HUB_PROT is not a setting"),
        ({"HUB_PORT": "eighty"}, "HUB_PORT is 'eighty': give a number"),
        ({"HUB_PORT": "99999"}, "HUB_PORT is 99999"),
        ({"HUB_PORT": "-1"}, "HUB_PORT is -1: give 0 or more"),
        ({"HUB_READER_THREADS": "0"}, "HUB_READER_THREADS is 0: give a number above 0"),
        ({"HUB_REQUEST_SECONDS": "-5"}, "HUB_REQUEST_SECONDS is -5.0: give a number above 0"),
        ({"HUB_SHUTDOWN_SECONDS": "nan"}, "HUB_SHUTDOWN_SECONDS is nan: give 0 or more"),
        ({"HUB_OFFLINE_AFTER_SECONDS": "inf"}, "HUB_OFFLINE_AFTER_SECONDS is inf: give 0 or more"),
        ({"HUB_TLS": "yes"}, "HUB_TLS is 'yes': use off or auto or files"),
        ({"HUB_TLS": "files"}, "HUB_TLS_CERTIFICATE"),
        ({"HUB_DATABASE_URL": "mysql://x"}, "HUB_DATABASE_URL: use sqlite"),
        ({"HUB_WEBHOOK_ALLOW_NETWORKS": "home"}, "HUB_WEBHOOK_ALLOW_NETWORKS holds 'home'"),
        ({"HUB_PORT_FILE": "/nowhere"}, "HUB_PORT_FILE is not a setting"),
        ({"HUB_METRICS_TOKEN": "a", "HUB_METRICS_TOKEN_FILE": "b"}, "both set"),
        ({"HUB_METRICS_TOKEN_FILE": "/does/not/exist"}, "cannot be read"),
    ],
)
def test_wrong_setting_is_named(environ: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named.replace("'", "'")):
        read_config(environ)
