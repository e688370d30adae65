"""What Odoo's refusals mean: fault codes of XML-RPC, status codes of HTTP and exception names of JSON-2."""

from __future__ import annotations

from ..errors import (
    OdooAnswerError,
    OdooAuthError,
    OdooBusyError,
    OdooError,
    OdooFaultError,
    OdooForbiddenError,
)

FAULTS: dict[int, type[OdooError]] = {
    1: OdooFaultError,  # application error, with a traceback
    2: OdooFaultError,  # a UserError: its text is for people
    3: OdooAuthError,  # AccessDenied: user or key
    4: OdooForbiddenError,  # AccessError: rights
}
STATUSES: dict[int, type[OdooError]] = {
    401: OdooAuthError,
    403: OdooForbiddenError,
    408: OdooBusyError,
    413: OdooAnswerError,
    429: OdooBusyError,
    500: OdooFaultError,
    502: OdooBusyError,
    503: OdooBusyError,
    504: OdooBusyError,
}
NAMES: dict[str, type[OdooError]] = {
    "odoo.exceptions.AccessDenied": OdooAuthError,
    "odoo.exceptions.AccessError": OdooForbiddenError,
    "odoo.http.SessionExpiredException": OdooAuthError,
    "werkzeug.exceptions.Unauthorized": OdooAuthError,
    "psycopg2.errors.SerializationFailure": OdooBusyError,
    "psycopg2.errors.LockNotAvailable": OdooBusyError,
    "psycopg2.errors.DeadlockDetected": OdooBusyError,
}
CONCURRENCY = (
    "could not serialize access",
    "deadlock detected",
    "could not obtain lock",
    "PoolError",
    "too many connections",
)
"""In a traceback: Odoo has tried five times and lost every time; the next minute is better."""
SHOWN_CHARS = 300


def error_of_fault(url: str, code: object, text: str) -> OdooError:
    """An XML-RPC fault."""
    if any(mark in text for mark in CONCURRENCY):
        return OdooBusyError(f"{url}: {summary(text)}")
    if "does not exist" in text and "database" in text:
        return OdooAuthError(f"{url}: {summary(text)}")
    kind = FAULTS.get(code, OdooFaultError) if isinstance(code, int) else OdooFaultError
    return kind(f"{url}: {summary(text)}")


def error_of_status(url: str, status: int, body: bytes, retry_after: str | None = None) -> OdooError:
    """An HTTP answer other than 200."""
    kind = STATUSES.get(status, OdooAnswerError)
    wait = f", retry after {retry_after}" if retry_after else ""
    text = body[:2000].decode("utf-8", "replace")
    return kind(f"{url}: HTTP {status}{wait}: {summary(text)}")


def error_of_name(url: str, status: int, name: str, message: str) -> OdooError:
    """A JSON-2 error body."""
    if any(mark in message for mark in CONCURRENCY):
        return OdooBusyError(f"{url}: {summary(message)}")
    kind = NAMES.get(name) or STATUSES.get(status, OdooFaultError)
    return kind(f"{url}: {name or status}: {summary(message)}")


def summary(text: str) -> str:
    """The last line of a traceback, or the beginning of anything else."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if not lines:
        return "(no text)"
    line = lines[-1] if lines[0].startswith("Traceback") else " ".join(lines)
    return line if len(line) <= SHOWN_CHARS else line[: SHOWN_CHARS - 1] + "…"
