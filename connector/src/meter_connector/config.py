"""The local settings: one small TOML file, every value of which the environment may override.

    # /etc/meter-connector/connector.toml
    [odoo]
    url = "https://odoo.example.com"
    database = "estate"
    login = "connector"
    key_file = "/etc/meter-connector/key"

What the site looks like does not stand here: Odoo says it. SETTINGS is the one list of what there is; README.md documents each and a
test compares the two.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import stat
import tomllib
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import SettingsError
from .nbiot.downlink import DownlinkSettings
from .nbiot.endpoint import EndpointSettings
from .odoo.client import OdooSettings

ENVIRONMENT_PREFIX = "METER_CONNECTOR_"
FILE_VARIABLE = "METER_CONNECTOR_CONFIG"
KEY_VARIABLE = "METER_CONNECTOR_ODOO_KEY"
DEFAULT_FILES = (Path("meter-connector.toml"), Path("/etc/meter-connector/connector.toml"))
OUTBOX_NAME = "outbox.sqlite3"
NBIOT_NAME = "nbiot.sqlite3"


@dataclass(frozen=True)
class Setting:
    """One setting. `default` None = must be given. `choices` or `low`/`high` limit it."""

    section: str
    key: str
    kind: type
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = 2**31

    @property
    def name(self) -> str:
        """As written in errors: section.key."""
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return f"{ENVIRONMENT_PREFIX}{self.section}_{self.key}".upper()


SETTINGS = (
    Setting("odoo", "url", str, None, "address of Odoo, https"),
    Setting("odoo", "database", str, None, "name of its database"),
    Setting("odoo", "login", str, None, "login of the connector's user"),
    Setting("odoo", "key_file", str, "", "file with the user's API key, readable by nobody else"),
    Setting("odoo", "rpc", str, "xmlrpc", "how to talk", choices=("xmlrpc", "json2")),
    Setting("odoo", "ca_file", str, "", "certificates to trust instead of the system's (PEM)"),
    Setting("odoo", "timeout_s", float, 30.0, "for one call", low=1, high=600),
    Setting(
        "odoo", "allow_http", bool, False, "allow http to another machine: the key travels in clear text"
    ),
    Setting("connector", "data_dir", str, "/var/lib/meter-connector", "folder of the outbox"),
    Setting("connector", "outbox_max_mb", int, 0, "limit of the outbox file, 0 = the disk's", high=1_000_000),
    Setting("listen", "host", str, "0.0.0.0", "where gateways dial in"),  # noqa: S104 - gateways come from outside
    Setting("listen", "port", int, 0, "port for gateways that dial in, 0 = any free one", high=65535),
    Setting("nbiot", "host", str, "127.0.0.1", "where NB-IoT platforms push to; their TLS ends at a proxy"),
    Setting("nbiot", "port", int, 8471, "its port, 0 = any free one", high=65535),
    Setting(
        "nbiot",
        "onenet_token_file",
        str,
        "",
        "file with the token typed into OneNET, readable by nobody else",
    ),
    Setting("nbiot", "allow", str, "", "networks that may push, with commas between; empty = all"),
    Setting("nbiot", "downlink_url", str, "", "adapter that brings commands to the platform; empty = none"),
    Setting("nbiot", "downlink_token_file", str, "", "file with its token, readable by nobody else"),
    Setting("health", "host", str, "127.0.0.1", "where the health page listens"),
    Setting("health", "port", int, 8470, "its port, 0 = no health page", high=65535),
    Setting(
        "log", "level", str, "info", "least level written", choices=("debug", "info", "warning", "error")
    ),
    Setting(
        "log", "form", str, "auto", "auto: text on a terminal, else json", choices=("auto", "json", "text")
    ),
)


@dataclass(frozen=True)
class Settings:
    """The settings, checked. `path` is the file they came from, None when only the environment spoke."""

    path: Path | None
    odoo: OdooSettings
    data_dir: Path
    outbox_max_bytes: int
    listen_host: str
    listen_port: int
    health_host: str
    health_port: int
    log_level: str
    log_form: str
    nbiot: EndpointSettings = EndpointSettings()
    downlink: DownlinkSettings = DownlinkSettings()

    @property
    def outbox_file(self) -> Path:
        """The SQLite file."""
        return self.data_dir / OUTBOX_NAME

    @property
    def nbiot_file(self) -> Path:
        """What NB-IoT platforms pushed."""
        return self.data_dir / NBIOT_NAME


class Source:
    """Where the values stand, so that an error can name file, line and key."""

    def __init__(self, path: Path | None, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()

    def line_of(self, section: str, key: str = "") -> int | None:
        """The line of a key, or of its section."""
        inside = False
        header = None
        for number, line in enumerate(self.lines, 1):
            if match := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
                inside = match[1].strip("\"'") == section
                header = number if inside else header
            elif inside and key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return number
        return header

    def error(self, section: str, key: str, text: str) -> SettingsError:
        """A SettingsError that names the place."""
        where = str(self.path) if self.path else "settings"
        line = self.line_of(section, key)
        place = f"{where}:{line}" if line else where
        return SettingsError(f"{place}: {section}.{key}: {text}" if key else f"{place}: {section}: {text}")


def load(path: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the file (None: the variable METER_CONNECTOR_CONFIG, then the default places) and the environment.

    Raises SettingsError naming file, line and key.
    """
    found = find_file(path, environment)
    text = _read(found) if found else ""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{found}: not valid TOML: {error}") from None
    source = Source(found, text)
    _refuse_unknown(document, source)
    values = {setting.name: _value(setting, document, source, environment) for setting in SETTINGS}
    return _settings(values, source, environment)


def find_file(path: Path | None, environment: Mapping[str, str]) -> Path | None:
    """The settings file. A named one must exist; of the default places the first that does."""
    named = path or (Path(environment[FILE_VARIABLE]) if environment.get(FILE_VARIABLE) else None)
    if named is not None:
        if not named.is_file():
            raise SettingsError(f"{named}: no such file")
        return named
    return next((place for place in DEFAULT_FILES if place.is_file()), None)


def read_key(setting: str, source: Source, environment: Mapping[str, str]) -> str:
    """The API key, from the environment or a file only we can read."""
    key = environment.get(KEY_VARIABLE, "").strip()
    if key:
        return key
    if not setting:
        raise source.error("odoo", "key_file", f"is missing (or give the key itself in {KEY_VARIABLE})")
    return _read_secret(setting, source, "odoo", "key_file", "API key")


def _read_secret(setting: str, source: Source, section: str, name: str, what: str) -> str:
    """One word from a file that only we can read."""
    path = _beside(setting, source)
    try:
        mode = path.stat().st_mode
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise source.error(section, name, f"cannot read {path}: {error}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise source.error(section, name, f"{path} is readable by others; run: chmod 600 {path}")
    if not secret or len(secret.split()) != 1:
        raise source.error(section, name, f"{path} does not hold one {what}")
    return secret


def _nbiot(values: Mapping[str, Any], source: Source) -> EndpointSettings:
    """Where platforms push to. Whether they may, and the secret of the address, come from Odoo."""
    file = values["nbiot.onenet_token_file"]
    token = _read_secret(file, source, "nbiot", "onenet_token_file", "token") if file else ""
    words = [word.strip() for word in values["nbiot.allow"].split(",") if word.strip()]
    try:
        allowed = tuple(ipaddress.ip_network(word) for word in words)
    except ValueError as error:
        raise source.error("nbiot", "allow", str(error)) from None
    return EndpointSettings(
        host=values["nbiot.host"], port=values["nbiot.port"], onenet_token=token, allowed=allowed
    )


def _downlink(values: Mapping[str, Any], source: Source) -> DownlinkSettings:
    """Commands switch supplies: never in clear text to another machine, never without a token."""
    text, file = values["nbiot.downlink_url"], values["nbiot.downlink_token_file"]
    if not text:
        return DownlinkSettings()
    url = _split_url(text, source, "nbiot", "downlink_url")
    if url.scheme == "http" and not _is_loopback(url.hostname or ""):
        raise source.error("nbiot", "downlink_url", "http would send the token in clear text; use https")
    if not file:
        raise source.error("nbiot", "downlink_token_file", "is missing; the adapter must know who commands")
    return DownlinkSettings(text, _read_secret(file, source, "nbiot", "downlink_token_file", "token"))


def _settings(values: Mapping[str, Any], source: Source, environment: Mapping[str, str]) -> Settings:
    _check_url(values, source)
    ca_file = values["odoo.ca_file"] and str(_beside(values["odoo.ca_file"], source))
    if ca_file and not Path(ca_file).is_file():
        raise source.error("odoo", "ca_file", f"no such file: {ca_file}")
    return Settings(
        path=source.path,
        odoo=OdooSettings(
            url=values["odoo.url"].rstrip("/"),
            database=values["odoo.database"],
            login=values["odoo.login"],
            key=read_key(values["odoo.key_file"], source, environment),
            rpc=values["odoo.rpc"],
            ca_file=ca_file,
            timeout_s=values["odoo.timeout_s"],
        ),
        data_dir=_beside(values["connector.data_dir"], source),
        outbox_max_bytes=values["connector.outbox_max_mb"] * 1024 * 1024,
        listen_host=values["listen.host"],
        listen_port=values["listen.port"],
        health_host=values["health.host"],
        health_port=values["health.port"],
        log_level=values["log.level"],
        log_form=values["log.form"],
        nbiot=_nbiot(values, source),
        downlink=_downlink(values, source),
    )


def _value(
    setting: Setting, document: Mapping[str, Any], source: Source, environment: Mapping[str, str]
) -> Any:
    section = document.get(setting.section, {})
    if setting.variable in environment:
        return _from_environment(setting, environment[setting.variable])
    if setting.key not in section:
        if setting.default is None:
            raise source.error(
                setting.section, setting.key, f"is missing ({setting.help}), or set {setting.variable}"
            )
        return setting.default
    value = section[setting.key]
    if setting.kind is float and type(value) is int:
        value = float(value)
    if type(value) is not setting.kind:
        raise source.error(setting.section, setting.key, f"expected {_word(setting.kind)}, got {value!r}")
    if problem := _problem(setting, value):
        raise source.error(setting.section, setting.key, problem)
    return value


def _from_environment(setting: Setting, text: str) -> Any:
    try:
        value = text.lower() in ("1", "true", "yes") if setting.kind is bool else setting.kind(text)
    except ValueError:
        raise SettingsError(f"{setting.variable}: expected {_word(setting.kind)}, got {text!r}") from None
    if problem := _problem(setting, value):
        raise SettingsError(f"{setting.variable}: {problem}")
    return value


def _problem(setting: Setting, value: Any) -> str:
    if setting.choices and value not in setting.choices:
        return f"{value!r} is not one of {', '.join(setting.choices)}"
    if setting.kind in (int, float) and not setting.low <= value <= setting.high:
        return f"{value} is not between {setting.low:g} and {setting.high:g}"
    if setting.default is None and not value:
        return "is empty"
    return ""


def _refuse_unknown(document: Mapping[str, Any], source: Source) -> None:
    """A mistyped key must not silently mean the default."""
    sections = sorted({setting.section for setting in SETTINGS})
    for section, content in document.items():
        if section not in sections:
            raise source.error(section, "", f"unknown section{_meant(section, sections)}")
        if not isinstance(content, dict):
            raise source.error(section, "", "expected a section")
        keys = [setting.key for setting in SETTINGS if setting.section == section]
        for key in content:
            if key not in keys:
                raise source.error(section, key, f"unknown setting{_meant(key, keys)}")


def _check_url(values: Mapping[str, Any], source: Source) -> None:
    url = _split_url(values["odoo.url"], source, "odoo", "url")
    if url.username or url.query or url.fragment:
        raise source.error("odoo", "url", "only scheme, host, port and path; the user stands in odoo.login")
    if url.scheme == "http" and not _is_loopback(url.hostname or "") and not values["odoo.allow_http"]:
        raise source.error(
            "odoo", "url", "http would send the key in clear text; use https (or set odoo.allow_http)"
        )


def _split_url(text: str, source: Source, section: str, key: str) -> urllib.parse.SplitResult:
    url = urllib.parse.urlsplit(text)
    try:
        _port = url.port
    except ValueError:
        raise source.error(section, key, "the port is not a number up to 65535") from None
    if url.scheme not in ("http", "https") or not url.hostname:
        raise source.error(section, key, f"{text!r} is not like https://odoo.example.com")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None


def _beside(name: str, source: Source) -> Path:
    """Relative names are meant from the settings file."""
    path = Path(name).expanduser()
    return path if path.is_absolute() or source.path is None else source.path.parent / path


def _meant(word: str, words: list[str]) -> str:
    close = difflib.get_close_matches(word, words, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(words)}"


def _word(kind: type) -> str:
    return {str: "text", int: "a whole number", float: "a number", bool: "true or false"}[kind]
