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


def test_settings_file_is_read_and_variables_win_over_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "token"
    secret.write_text("from a file")
    file = tmp_path / "hub.toml"
    file.write_text(f'port = 9000\nwriter_window_ms = 0.5\ntls = "auto"\nmetrics_token_file = "{secret}"\n')
    named = {"HUB_CONFIG": str(file)}
    config = read_config(named)
    assert (config.port, config.writer_window_ms, config.tls) == (9000, 0.5, "auto")
    assert config.metrics_token == "from a file"
    config = read_config({**named, "HUB_PORT": "9001", "HUB_METRICS_TOKEN": "mine"})
    assert (config.port, config.tls, config.metrics_token) == (9001, "auto", "mine")
    monkeypatch.chdir(tmp_path)
    assert read_config({}).port == 9000, "hub.toml in this folder is read without being named"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 80", "prot is not a setting: did you mean port?"),
        ("HUB_PORT = 80", "HUB_PORT is not a setting: did you mean port?"),
        ("[network]\nport = 80", "network is not a setting: see docs/configuration.md"),
        ("port = [80]", "port has to be a number or a text in quotes"),
        ("sign_up = true", "sign_up has to be a number or a text in quotes"),
        ("port = eighty", "is no TOML"),
        ("port = 99999", "HUB_PORT is 99999: use 0 to 65535. FILE says so: port is set there."),
        ('tls = "yes"', "HUB_TLS is 'yes': use off or auto or files. FILE says so: tls is set there."),
    ],
)
def test_wrong_line_of_the_settings_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        read_config({"HUB_CONFIG": str(file)})
    assert said.replace("FILE", str(file)) in str(refused.value)


def test_settings_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"HUB_CONFIG names .*nowhere.toml, which cannot be read"):
        read_config({"HUB_CONFIG": str(tmp_path / "nowhere.toml")})
