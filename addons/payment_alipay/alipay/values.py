"""How Alipay writes money and time. Yuan as text with two decimals; Beijing time without a zone."""

import re
from datetime import UTC, datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8))
MAX_FEN = 100_000_000_00  # 100 million yuan: the gateway's own limit
_YUAN = re.compile(r"(0|[1-9]\d{0,8})(?:\.(\d{1,2}))?", re.ASCII)


def parse_yuan(text) -> int:
    """Fen of "12.30". Only text is taken: a JSON number has already lost what was written. Raises ValueError."""
    match = _YUAN.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError(f"not an amount in yuan: {text!r:.40}")
    yuan, part = match.groups()
    fen = int(yuan) * 100 + int((part or "").ljust(2, "0"))
    if fen > MAX_FEN:
        raise ValueError(f"amount too large: {text!r:.40}")
    return fen


def format_yuan(fen: int) -> str:
    """ "12.30" of 1230. Raises ValueError outside 0.01 to 100 million yuan."""
    if not isinstance(fen, int) or not 1 <= fen <= MAX_FEN:
        raise ValueError(f"not an amount the gateway takes: {fen!r:.40} fen")
    return f"{fen // 100}.{fen % 100:02d}"


def format_beijing(at: datetime) -> str:
    """ "2026-11-20 18:00:00" of an aware datetime, whatever the server's own zone."""
    return _aware(at).astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def parse_beijing(text: str) -> datetime:
    """Aware UTC datetime of Alipay's "2026-11-20 18:00:00" (with or without milliseconds). Raises ValueError."""
    return datetime.strptime(text[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING).astimezone(UTC)


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time without zone cannot be sent to Alipay")
    return at
