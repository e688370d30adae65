"""Small makers for outbox tests."""

from __future__ import annotations

from pathlib import Path

from meter_connector.model import Event, Order, OrderKind, Reading

NOW = 1_800_000_000.0


def reading(number: int, circuit: int = 1) -> Reading:
    return Reading(
        circuit, NOW + number, {"total": f"{number}.00", "switch": "on"}, extras={"n": str(number)}
    )


def event(number: int) -> Event:
    return Event(
        f"key-{number}", "meter_silent", NOW + number, meter_id=number, data={"error": f"no answer {number}"}
    )


def order(
    number: int = 1,
    generation: int = 1,
    kind: OrderKind = "switch_on",
    circuit: int = 50,
    created_at: float = NOW,
    expires_at: float = NOW + 600,
) -> Order:
    return Order(number, generation, kind, 5, circuit, created_at, expires_at, "test")


def files(path: Path) -> list[Path]:
    """The database with its log."""
    return [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")]


def content(path: Path) -> bytes:
    """Outside of the event loop's rules: a test may wait for its disk."""
    return path.read_bytes()


def overwrite(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777
