"""The log: one line an event, as JSON for machines or as text for a terminal. Secrets that are known here never get into it.

Everybody logs by the standard library: `_logger.info("order_received", extra={"order": 7})`. A message is a short snake_case word
where it is an event of the product, and what belongs to it goes to `extra`.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
HIDDEN = "***"


class Secrets:
    """What must not be written, whatever text it sits in."""

    def __init__(self) -> None:
        self._values: set[str] = set()

    def add(self, secret: str) -> None:
        """Hide it from now on."""
        if len(secret) >= 8:  # anything shorter would blank out innocent text
            self._values.add(secret)

    def clean(self, text: str) -> str:
        """The text without them."""
        for value in self._values:
            text = text.replace(value, HIDDEN)
        return text


SECRETS = Secrets()


class JsonFormatter(logging.Formatter):
    """One JSON object a line: at, level, logger, event, then the extras."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name.removeprefix("meter_connector."),
            "event": record.getMessage(),
            **extras(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return SECRETS.clean(json.dumps(line, ensure_ascii=False, default=str))


class TextFormatter(logging.Formatter):
    """For eyes: time, level, event, key=value."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S.%f")[:-3]
        more = "".join(f" {key}={value}" for key, value in extras(record).items())
        text = f"{at} {record.levelname[:4]} {record.getMessage()}{more}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return SECRETS.clean(text)


def extras(record: logging.LogRecord) -> dict[str, object]:
    """What the caller gave in `extra`."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def set_up(level: str = "info", form: str = "auto", stream: TextIO | None = None) -> None:
    """Log to a stream (standard error). The service manager keeps and rotates it."""
    stream = stream or sys.stderr
    is_json = form == "json" or (form == "auto" and not stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if is_json else TextFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for noisy in ("aiohttp.access", "pymodbus", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)
