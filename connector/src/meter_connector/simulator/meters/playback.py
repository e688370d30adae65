"""A meter that plays back what a real one was recorded to answer, byte by byte (captures.yaml)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .. import bits
from ..scanners import Frame
from ..site import MeterSpec
from .base import Meter, World

CAPTURES = Path(__file__).parent.parent / "captures.yaml"
ANY_BYTE = b"\xaa"
BROADCAST_BYTE = b"\x99"
DI_SIZES = {"dlt645-2007": 4, "dlt645-1997": 2, "cjt188": 2}


@cache
def captures() -> dict[str, Any]:
    """All recordings by name."""
    return dict(yaml.safe_load(CAPTURES.read_text(encoding="utf-8")))


class PlaybackMeter(Meter):
    """`simulate: {playback: <recording>}`. What was not recorded is met with silence, as nobody knows the true answer."""

    def __init__(self, spec: MeterSpec, world: World) -> None:
        super().__init__(spec, world)
        recording = captures()[str(spec.setting("playback"))]
        self.protocol: str = recording["protocol"]
        self.own_address = bits.reversed_hex(recording["address"])
        self.answers: dict[tuple[str, str], list[bytes]] = {
            (row["control"], row["di"]): [bytes.fromhex(answer["hex"]) for answer in row["answers"]]
            for row in recording["exchanges"]
        }
        self.played: dict[tuple[str, str], int] = {}

    def is_addressed(self, frame: Frame) -> bool:
        """Own address, or the protocol's wildcard."""
        address = frame.address[1:] if self.family == "188" else frame.address
        wildcard = (BROADCAST_BYTE if self.protocol == "dlt645-1997" else ANY_BYTE) * len(address)
        return address in (self.own_address, wildcard)

    def answer(self, frame: Frame) -> bytes | None:
        di = frame.data[: DI_SIZES[self.protocol]]
        printed = di.hex().upper() if self.protocol == "cjt188" and di[:1] >= b"\x80" else bits.printed(di)
        for key in ((f"{frame.control:02X}", printed), (f"{frame.control:02X}", "")):
            if key in self.answers:
                turn = self.played.get(key, 0)
                self.played[key] = turn + 1
                return self.answers[key][min(turn, len(self.answers[key]) - 1)]
        return None

    def refuse(self, frame: Frame, code: int) -> bytes | None:
        """Nothing recorded."""
        return None
