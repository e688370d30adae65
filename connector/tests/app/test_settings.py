"""The settings file: every mistake is named by file, line and key; every setting is documented."""

from __future__ import annotations

from pathlib import Path

import pytest
from meter_connector import config
from meter_connector.errors import SettingsError

GOOD = """\
[odoo]
url = "https://odoo.example.com/"
database = "estate"
login = "connector"
key_file = "key"
"""
KEY = "0123456789abcdef0123"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_text(KEY + "\n")
    path = tmp_path / "connector.toml"
    path.write_text(GOOD)
    return path


def test_little_is_needed_and_the_rest_has_sensible_values(file: Path) -> None:
    settings = config.load(file, {})
    assert settings.odoo.url == "https://odoo.example.com"
    assert (settings.odoo.key, settings.odoo.rpc) == (KEY, "xmlrpc")
    assert settings.outbox_file == Path("/var/lib/meter-connector/outbox.sqlite3")
    assert settings.health_host == "127.0.0.1"
    assert KEY not in repr(settings)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[odoo\nurl = 1", "not valid TOML.*line 1", id="no TOML"),
        pytest.param(
            '[odoo]\ndatabase = "x"', r"toml:1: odoo\.url: is missing.*METER_CONNECTOR_ODOO_URL", id="missing"
        ),
        pytest.param(
            GOOD + "rcp = 1", r"toml:6: odoo\.rcp: unknown setting; did you mean 'rpc'", id="mistyped key"
        ),
        pytest.param(
            GOOD + "[helth]\nport = 1",
            r"toml:6: helth: unknown section; did you mean 'health'",
            id="mistyped section",
        ),
        pytest.param(
            GOOD + 'rpc = "soap"', r"toml:6: odoo\.rpc: 'soap' is not one of xmlrpc, json2", id="choice"
        ),
        pytest.param(
            GOOD + "\n[health]\n\nport = 70000",
            r"toml:9: health\.port: 70000 is not between 0 and 65535",
            id="range",
        ),
        pytest.param(
            GOOD + '[listen]\nport = "9000"',
            r"toml:7: listen\.port: expected a whole number, got '9000'",
            id="type",
        ),
        pytest.param(
            GOOD + "[listen]\nport = true",
            r"listen\.port: expected a whole number, got True",
            id="bool is no int",
        ),
        pytest.param(
            GOOD.replace("https", "ftp"), r"toml:2: odoo\.url.*https://odoo.example.com", id="scheme"
        ),
        pytest.param(GOOD.replace("https", "http"), r"toml:2: odoo\.url.*clear text", id="no TLS"),
        pytest.param(
            GOOD.replace("odoo.example.com", "u:p@odoo"), r"odoo\.url.*only scheme", id="user in the address"
        ),
        pytest.param(GOOD.replace("example.com/", "example.com:99999"), r"odoo\.url: the port", id="port"),
        pytest.param(
            GOOD.replace('"key"', '"nokey"'), r"toml:5: odoo\.key_file: cannot read", id="no key file"
        ),
        pytest.param(GOOD + 'ca_file = "ca.pem"', r"toml:6: odoo\.ca_file: no such file", id="no ca file"),
        pytest.param(
            GOOD + '[nbiot]\ndownlink_url = "http://adapter.example.com"\ndownlink_token_file = "key"',
            r"toml:7: nbiot\.downlink_url: http would send the token in clear text",
            id="commands in clear text",
        ),
        pytest.param(
            GOOD + '[nbiot]\ndownlink_url = "https://adapter.example.com/send"',
            r"nbiot\.downlink_token_file: is missing",
            id="commands of anybody",
        ),
        pytest.param(
            GOOD + '[nbiot]\ndownlink_url = "adapter"', r"toml:7: nbiot\.downlink_url", id="no address"
        ),
        pytest.param("odoo = 3", r"odoo: expected a section", id="no section"),
    ],
)
def test_each_mistake_is_named_by_file_line_and_key(file: Path, text: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError, match=words) as caught:
        config.load(file, {})
    assert str(caught.value).startswith(str(file))


def test_a_key_that_others_can_read_is_refused(file: Path) -> None:
    (file.parent / "key").chmod(0o640)
    with pytest.raises(SettingsError, match="readable by others; run: chmod 600"):
        config.load(file, {})


@pytest.mark.parametrize("content", ["", "two words\n"])
def test_a_key_file_without_one_key_is_refused(file: Path, content: str) -> None:
    (file.parent / "key").write_text(content)
    with pytest.raises(SettingsError, match="does not hold one API key"):
        config.load(file, {})


def test_http_is_allowed_to_this_machine_and_where_it_is_said(file: Path) -> None:
    for address in ("http://127.0.0.1:8069", "http://localhost:8069", "http://[::1]:8069"):
        file.write_text(GOOD.replace("https://odoo.example.com/", address))
        assert config.load(file, {}).odoo.url == address
    file.write_text(GOOD.replace("https", "http") + "allow_http = true")
    assert config.load(file, {}).odoo.url == "http://odoo.example.com"


def test_the_environment_overrides_each_setting_and_its_mistakes_name_the_variable(file: Path) -> None:
    variables = {
        "METER_CONNECTOR_ODOO_RPC": "json2",
        "METER_CONNECTOR_HEALTH_PORT": "1",
        "METER_CONNECTOR_ODOO_KEY": "k" * 20,
    }
    settings = config.load(file, variables)
    assert (settings.odoo.rpc, settings.health_port, settings.odoo.key) == ("json2", 1, "k" * 20)
    with pytest.raises(SettingsError, match="METER_CONNECTOR_HEALTH_PORT: expected a whole number, got 'x'"):
        config.load(file, {"METER_CONNECTOR_HEALTH_PORT": "x"})
    with pytest.raises(SettingsError, match="METER_CONNECTOR_ODOO_RPC: 'soap' is not one of"):
        config.load(file, {"METER_CONNECTOR_ODOO_RPC": "soap"})


def test_the_environment_alone_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "DEFAULT_FILES", ())
    names = {"URL": "https://o", "DATABASE": "d", "LOGIN": "l", "KEY": "k" * 20}
    settings = config.load(None, {f"METER_CONNECTOR_ODOO_{name}": value for name, value in names.items()})
    assert (settings.path, settings.odoo.database) == (None, "d")


def test_the_file_may_be_named_by_the_environment(file: Path) -> None:
    assert config.load(None, {"METER_CONNECTOR_CONFIG": str(file)}).path == file
    with pytest.raises(SettingsError, match="/nowhere: no such file"):
        config.load(None, {"METER_CONNECTOR_CONFIG": "/nowhere"})


def test_every_setting_is_in_the_readme_with_its_default_and_nothing_else_is() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    rows = {
        line.split("|")[1].strip(" `"): line
        for line in readme.splitlines()
        if line.startswith(("| `odoo.", "| `connector.", "| `listen.", "| `nbiot.", "| `health.", "| `log."))
    }
    assert set(rows) == {setting.name for setting in config.SETTINGS}
    for setting in config.SETTINGS:
        default = (
            "—"
            if setting.default is None
            else str(setting.default).lower()
            if setting.kind is bool
            else str(setting.default)
        )
        assert f"`{default}`" in rows[setting.name] or default in ("", "—"), setting.name
    assert config.KEY_VARIABLE in readme
    assert config.FILE_VARIABLE in readme
