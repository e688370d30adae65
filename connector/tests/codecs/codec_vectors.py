"""The rows of vectors.json and small helpers over all codecs."""

import json
from pathlib import Path
from typing import Any

from meter_connector.codecs.base import ScanDecoder
from meter_connector.decode import CODECS

PATH = Path(__file__).parent.parent / "data" / "vectors.json"
ROWS: list[dict[str, Any]] = json.loads(PATH.read_text("utf-8"))
GOOD = [row for row in ROWS if row["expect"] == "ok"]
BAD = [row for row in ROWS if row["expect"] != "ok"]


def name_of(row: dict[str, Any]) -> str:
    """Test id."""
    return str(row["id"])


def wire(row: dict[str, Any]) -> bytes:
    """The whole stream of a row."""
    return bytes.fromhex(row["hex"])


def new_decoder(row: dict[str, Any]) -> ScanDecoder[Any]:
    """A fresh decoder of the row's protocol."""
    return CODECS[row["protocol"]].decoder()


def frames_of(row: dict[str, Any], data: bytes | None = None) -> list[Any]:
    """Every frame of a stream, hidden ones too."""
    decoder = new_decoder(row)
    return decoder.feed(wire(row) if data is None else data) + decoder.expire()


def frame_spans(row: dict[str, Any]) -> list[tuple[int, int]]:
    """Where the frames of a good row are."""
    return [(found.offset, found.offset + found.size) for found in new_decoder(row).scan(wire(row))]
