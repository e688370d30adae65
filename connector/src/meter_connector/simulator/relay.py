"""A relay or valve: what it was told, where it is, and when it moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Move:
    """A contact that will move at a wall moment."""

    at_ms: int
    is_closed: bool
    by: str


class Relay:
    """Supply is on when closed (for a valve: open). Moves happen `lag_ms` after the command; a stuck one misses its pulse
    and obeys only in words, until it is healed and told again."""

    def __init__(self, lag_ms: int = 0, is_closed: bool = True) -> None:
        self.is_closed = is_closed
        self.is_commanded_closed = is_closed
        self.is_waiting_for_button = False
        self.is_keep_power = False
        self.is_alarm = False
        self.is_stuck = False
        self.lag_ms = lag_ms
        self.trips = 0
        self.closes = 0
        self._move: Move | None = None

    def trip(self, now_ms: int, by: str, delay_ms: int = 0) -> None:
        """Open after delay and lag."""
        self._command(False, now_ms + delay_ms, by)

    def close(self, now_ms: int, by: str) -> None:
        """Close after the lag."""
        self._command(True, now_ms, by)

    def permit(self) -> None:
        """Allow the customer's button to close it."""
        self.is_commanded_closed = True
        self._move = None
        self.is_waiting_for_button = not self.is_closed

    def press(self, now_ms: int) -> bool:
        """The customer presses; False when that is not allowed."""
        if not self.is_waiting_for_button:
            return False
        self._command(True, now_ms, "button")
        return True

    def _command(self, is_closed: bool, now_ms: int, by: str) -> None:
        self.is_commanded_closed = is_closed
        self.is_waiting_for_button = False
        self._move = None
        if is_closed != self.is_closed and not self.is_stuck:
            self._move = Move(now_ms + self.lag_ms, is_closed, by)

    def due(self, now_ms: int) -> Move | None:
        """The move to carry out by now."""
        if self.is_stuck:
            self._move = None
        return self._move if self._move is not None and self._move.at_ms <= now_ms else None

    def carry_out(self, move: Move) -> None:
        """The contact moves."""
        self._move = None
        self.is_closed = move.is_closed
        if move.is_closed:
            self.closes += 1
        else:
            self.trips += 1

    def memory(self) -> dict[str, Any]:
        """JSON-able, for `remember`. A contact on its way has arrived by the next start."""
        names = (
            "is_commanded_closed",
            "is_waiting_for_button",
            "is_keep_power",
            "is_alarm",
            "trips",
            "closes",
        )
        arrived = self._move.is_closed if self._move is not None else self.is_closed
        return {"is_closed": arrived, **{name: getattr(self, name) for name in names}}

    def remember(self, memory: Mapping[str, Any]) -> None:
        """As it was."""
        for name, value in memory.items():
            setattr(self, name, value)

    @property
    def is_moving(self) -> bool:
        """Is a contact on its way?"""
        return self._move is not None

    @property
    def is_about_to_trip(self) -> bool:
        """Pre-trip alarm: a trip is under way."""
        return self._move is not None and not self._move.is_closed

    @property
    def word(self) -> str:
        """The seam's word: on, off, pending."""
        if self.is_closed != self.is_commanded_closed:
            return "pending"
        return "on" if self.is_closed else "off"
